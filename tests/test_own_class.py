"A module that was pruned comes back as what it was, and goes on computing; a fresh one takes on the sizes of a saved one"
import copy, logging
from collections import namedtuple
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from naivenas import Net, load_into, prune

# ------------------------------------------------------------------------------ models as people have them, small

@dataclass
class Config:
    vocabulary: int = 23
    width: int = 24
    inner: int = 36
    heads: int = 6
    groups: int = 3          # heads of keys and values
    head: int = 4
    layers: int = 1
    places: int = 24         # as many as `width`, and something else

class Norm(nn.Module):
    def __init__(self, n): super().__init__(); self.weight = nn.Parameter(1 + .1 * torch.randn(n))
    def forward(self, x): return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)

def turned(x):
    a, b = x.chunk(2, -1)
    return torch.cat((-b, a), -1)

class Rotary(nn.Module):
    "Positions by rotation, as in Llama: per head width, with a buffer that no state dict has"
    def __init__(self, config):
        super().__init__()
        self.register_buffer("rate", 1 / 100 ** (torch.arange(0, config.head, 2) / config.head), persistent=False)
    def forward(self, x):
        angle = torch.outer(torch.arange(x.shape[1], device=x.device), self.rate)
        both = torch.cat((angle, angle), -1)
        return both.cos(), both.sin()

class Grouped(nn.Module):
    "Grouped-query attention as in Llama, which reads numbers of heads from attributes and from the configuration"
    def __init__(self, config):
        super().__init__()
        self.config, self.share = config, config.heads // config.groups
        self.q, self.k, self.v = (nn.Linear(config.width, n * config.head, bias=False) for n in (config.heads, config.groups, config.groups))
        self.o = nn.Linear(config.heads * config.head, config.width, bias=False)
    def forward(self, x, cos, sin):
        b, t, _ = x.shape
        q = self.q(x).view(b, t, self.config.heads, self.config.head).transpose(1, 2)
        k, v = (y.view(b, t, self.config.groups, self.config.head).transpose(1, 2) for y in (self.k(x), self.v(x)))
        q, k = (y * cos + turned(y) * sin for y in (q, k))
        k, v = (y[:, :, None].expand(b, self.config.groups, self.share, t, self.config.head).reshape(b, -1, t, self.config.head) for y in (k, v))
        return self.o(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, -1))

class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.before, self.after, self.attend = Norm(config.width), Norm(config.width), Grouped(config)
        self.gate, self.up, self.down = nn.Linear(config.width, config.inner), nn.Linear(config.width, config.inner), nn.Linear(config.inner, config.width)
    def forward(self, x, cos, sin):
        x = x + self.attend(self.before(x), cos, sin)
        y = self.after(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))

Output = namedtuple("Output", "logits hidden")

class Llama(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config, self.embed, self.rotary = config, nn.Embedding(config.vocabulary, config.width), Rotary(config)
        self.layers, self.norm = nn.ModuleList(Block(config) for _ in range(config.layers)), Norm(config.width)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)
    def forward(self, ids):
        x = self.embed(ids)
        cos, sin = self.rotary(x)
        for layer in self.layers: x = layer(x, cos, sin)
        return Output(self.head(self.norm(x)), x)
    @torch.no_grad()
    def generate(self, ids, n):
        for _ in range(n): ids = torch.cat([ids, self(ids).logits[:, -1:].argmax(-1)], 1)
        return ids

class Bart(nn.Module):
    "Attention that checks its sizes, and keeps them in attributes of its own, also as a tuple"
    def __init__(self, width=24, heads=6, places=24):
        super().__init__()
        self.heads, self.head, self.width, self.places = heads, width // heads, width, places
        self.shape = (heads, width // heads)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.embed, self.at, self.out = nn.Embedding(19, width), nn.Embedding(places, width), nn.Linear(width, 7)
    def forward(self, ids):
        x = self.embed(ids) + self.at(torch.arange(ids.shape[1], device=ids.device))
        b, t, c = x.shape
        if c != self.width: raise ValueError(f"{c} is not {self.width}")
        q, k, v = (y.view(b, t, *self.shape).transpose(1, 2) for y in (self.q(x), self.k(x), self.v(x)))
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, self.heads * self.head)
        return {"scores": self.out(x + self.o(y))}

class Wide(nn.Conv2d):
    "A convolution of another class, which reads its own attributes"
    def forward(self, x): return F.conv2d(x, self.weight.view(self.out_channels, -1, *self.kernel_size), self.bias, padding=1)

class Pictures(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm, self.second, self.out = Wide(3, 12, 3), nn.BatchNorm2d(12), Wide(12, 12, 3), nn.Linear(12, 5)
    def forward(self, x): return self.out(self.second(self.norm(self.first(x)).relu()).mean((2, 3)))

def ids(*shape, n=19): return torch.randint(n, shape, generator=torch.Generator().manual_seed(1))

MODELS = {"llama": (lambda: Llama(Config()), lambda: ids(2, 5)), "bart": (Bart, lambda: ids(2, 5)),
          "pictures": (Pictures, lambda: torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(1)))}

def fresh(name, seed=0):
    torch.manual_seed(seed)
    return MODELS[name][0]().eval()

@cache
def pruned(name):
    "`(a model, its example, what prune makes of it)`, made once"
    m, x = fresh(name), MODELS[name][1]()
    return m, x, prune(m, x, keep=.6).eval()

def leaves(value): return torch.utils._pytree.tree_leaves(value)

def same(a, b): return all(torch.allclose(x, y, 1e-4, 1e-5) if torch.is_tensor(x) else x == y for x, y in zip(leaves(a), leaves(b), strict=True))

@pytest.fixture
def said(caplog):
    caplog.set_level(logging.WARNING, "naivenas")
    return caplog

# ------------------------------------------------------------------------------ the oracle: a net of its own, pruned alike

@pytest.mark.parametrize("name", MODELS)
def test_own_class_comes_back_and_computes_what_a_net_does(name):
    m, x, small = pruned(name)
    kept = fresh(name).state_dict()
    net = Net.from_torch(m, x, share=False)
    net.prune(.6)
    assert type(small) is type(m) and sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in m.parameters())
    assert {k: t.shape for k, t in small.state_dict().items()} != {k: t.shape for k, t in kept.items()} and {*small.state_dict()} == {*kept}
    for batch in x, torch.cat([x, x.flip(0), x]): assert same(small(batch), net(batch))
    assert all(torch.equal(t, kept[k]) for k, t in m.state_dict().items())        # the module itself stays as it is
    small.train()(x)
    small.eval()

def test_generation_goes_on_with_the_same_words_as_the_net():
    m, x, small = pruned("llama")
    words = x
    for _ in range(2):
        net = Net.from_torch(m, words, share=False)
        net.prune(.6)
        words = torch.cat([words, net(words).logits[:, -1:].argmax(-1)], 1)
    assert torch.equal(small.generate(x, 2), words)

def test_what_was_set_is_said_and_nothing_else_is_set(said):
    small = prune(fresh("bart"), ids(2, 5), keep=.6)
    assert small.places == 24 == small.at.num_embeddings and small.width == small.embed.embedding_dim < 24
    assert small.shape[0] == small.heads < 6 and f"Bart.width 24 -> {small.width}" in said.text and "places" not in said.text

def test_a_size_in_the_code_gives_a_plain_module_with_its_place(said):
    class Fixed(Bart):
        def forward(self, ids):
            return self.o(self.q(self.embed(ids)).view(*ids.shape, 24))     # here
    m = Fixed()
    small = prune(m, ids(2, 5), keep=.6, frozen=["o"])
    assert type(small) is not Fixed and "here" in said.text and "test_own_class.py:" in said.text
    assert small(ids(3, 5)).shape == (3, 5, 24)

def test_layers_that_differ_get_configurations_of_their_own():
    torch.manual_seed(0)
    m, x = Llama(Config(layers=2)).eval(), ids(2, 5)
    def by(v):
        if v.name.endswith(("attend.q", "attend.k", "attend.v")): return np.ones(v.nout) if "layers.0" in v.name else np.full(v.nout, 9.)
        return np.full(v.nout, 5.)
    small = prune(m, x, keep=.95, by=by, normalise=False)
    assert type(small) is Llama
    a, b = (l.attend for l in small.layers)
    assert a.config is not b.config or a.config.heads == b.config.heads
    assert a.q.out_features == a.config.heads * a.config.head and b.q.out_features == b.config.heads * b.config.head

def test_the_configuration_says_what_all_layers_have():
    class Mlp(nn.Module):
        def __init__(self, config): super().__init__(); self.config = config; self.a = nn.Linear(4, config.inner); self.b = nn.Linear(config.inner, 4)
        def forward(self, x): return self.b(self.a(x).relu())
    m = Mlp(Config())
    small = prune(m, torch.rand(3, 4), keep=.5)
    assert type(small) is Mlp and small.config.inner == small.a.out_features == 18 and m.config.inner == 36
    assert Mlp(small.config).load_state_dict(small.state_dict()) and small.config.width == 24

# ------------------------------------------------------------------------------ and back

@pytest.mark.parametrize("name", MODELS)
def test_a_fresh_model_takes_on_the_sizes_of_a_saved_one(name):
    _, x, small = pruned(name)
    again = load_into(fresh(name, seed=1), small.state_dict(), x).eval()
    assert type(again) is type(small) and same(again(x), small(x))
    assert all(torch.equal(t, small.state_dict()[k]) for k, t in again.state_dict().items())

def test_it_grows_too():
    x = ids(2, 5)
    large, m = Bart(), Bart()
    net = Net.from_torch(large, x, share=False)
    net.resize({"embed": +4} if "embed" in net.sizes else {})
    again = load_into(m, net.state_dict(), x)
    assert again.embed.embedding_dim == 28 and same(again.eval()(x), net.eval()(x))

def test_wrong_keys_and_shapes_are_named_and_change_nothing():
    _, x, small = pruned("pictures")
    small = small.state_dict()
    for state, names in ((small | {"extra.weight": torch.zeros(1)}, ["extra.weight"]), ({k: t for k, t in small.items() if k != "out.bias"}, ["out.bias"]),
                         (small | {"out.weight": torch.zeros(5, 40)}, ["out.weight"]), (small | {"first.weight": torch.zeros(9, 4, 3, 3), "first.bias": torch.zeros(9)}, ["first.weight"])):
        m = fresh("pictures")
        before, fields = copy.deepcopy(m.state_dict()), m.first.out_channels
        with pytest.raises(ValueError) as e: load_into(m, state, x)
        assert all(repr(n) in str(e.value) for n in names), str(e.value)
        assert all(torch.equal(t, before[k]) for k, t in m.state_dict().items()) and m.first.out_channels == fields
    with pytest.raises(TypeError, match="state dict"): load_into(fresh("pictures"), [1], x)

def test_what_wrappers_put_in_front_of_keys_is_left_out():
    _, x, small = pruned("pictures")
    again = load_into(fresh("pictures", 1), {"module." + k: t for k, t in small.state_dict().items()}, x)
    assert same(again.eval()(x), small(x))

# ------------------------------------------------------------------------------ names, parts and results

class Named(nn.Module):
    "Bare parameters, a custom norm, a matrix given to a function, constants, one tensor under two names, and a dictionary as result"
    def __init__(self):
        super().__init__()
        self.stem = nn.ModuleDict({"a": nn.Linear(4, 8), "norm": Norm(8)})
        self.scale, self.w, self.b = nn.Parameter(torch.rand(8)), nn.Parameter(torch.rand(8, 8)), nn.Linear(8, 3)
        self.register_buffer("shift", torch.rand(8))
        self.register_buffer("silent", torch.rand(8), persistent=False)
        self.again = nn.ParameterDict({"bias": self.b.bias})
    def forward(self, x):
        h = self.stem["norm"](self.stem["a"](x)) * self.scale + self.shift + self.silent
        return {"hidden": (h.mean(-1), 3), "out": self.b(F.linear(h, self.w))}

@pytest.fixture(scope="module")
def named():
    torch.manual_seed(0)
    m, x = Named(), torch.rand(2, 4)
    return m, x, Net.from_torch(m, x, share=False)

def source_of(net):
    space = {}
    exec(net.to_python(), space)
    made = space["Model"]()
    made.load_state_dict(net.state_dict())
    return made

def test_keys_are_the_modules_own_wherever_the_net_goes(named, tmp_path):
    m, x, net = named
    net = copy.deepcopy(net)
    net.resize("stem.a", -3)
    again = Net.load(net.save(tmp_path / "net"))
    for made in net, net.to_torch(), source_of(net), again, copy.deepcopy(again).to_torch(): assert {*made.state_dict()} == {*m.state_dict()}
    for made in net, again: assert {k for k, _ in made.named_parameters()} == {k for k, _ in m.named_parameters()} and same(made(x), net(x))
    fresh = Net.from_torch(Named(), x, share=False)
    fresh.load_state_dict(m.state_dict())
    m2 = Named()
    m2.load_state_dict(net_state := fresh.state_dict())
    assert all(torch.equal(t, m.state_dict()[k]) for k, t in net_state.items())

def test_checkpoints_of_nets_with_the_names_of_0_1_load(named):
    m, x, net = named
    old = {{"scale": "scale.value", "w": "w.weight", "shift": "shift.value", "stem.norm.weight": "stem.norm.weight.value"}.get(k, k): t + 1
           for k, t in net.state_dict().items() if k != "again.bias"} | {"silent.value": torch.rand(8)}
    twin = copy.deepcopy(net)
    twin.load_state_dict(old)
    assert all(torch.equal(t, net.state_dict()[k] + 1) for k, t in twin.state_dict().items())

def test_parts_are_attributes_and_hold_what_the_net_computes_with(named):
    m, x, net = named
    net = copy.deepcopy(net)
    assert net.stem.a is net.stem["a"] is net["stem.a"].op and [*net.stem] == [net.stem.a, net.stem.norm] and len(net.stem) == 2
    assert net.get_submodule("stem.a").out_features == 8 and net.stem.norm.weight.shape == (8,)
    with pytest.raises(NotImplementedError, match="call the net"): net.stem(x)
    before = net(x)["out"]
    net.scale.data.mul_(2)
    assert not torch.equal(net(x)["out"], before)
    net.double()
    assert {t.dtype for t in net.state_dict().values()} == {torch.float64} and net(x.double())["out"].dtype == torch.float64
    assert {k: t.shape for k, t in net.stem.named_parameters()} == {k: t.shape for k, t in m.stem.named_parameters()}

def test_torchs_own_tools_take_a_net(named):
    m, x, net = named
    half = {k: p.detach() / 2 for k, p in m.named_parameters()}
    assert same(torch.func.functional_call(net, half, (x,)), torch.func.functional_call(m, half, (x,)))
    assert same(torch.export.export(net, (x,)).module()(x), m(x))
    assert torch._dynamo.explain(net)(x).graph_break_count == 0

@dataclass
class Fields:
    first: torch.Tensor
    unused: torch.Tensor = None
    last: torch.Tensor = None

torch.export.register_dataclass(Fields)
Pair = namedtuple("Pair", "one two")

@pytest.mark.parametrize("give", [lambda a, b: {"a": a, "b": [b, (a, None)]}, lambda a, b: Pair(a, {"deep": b}), lambda a, b: Fields(a, last=b),
                                  lambda a, b: (a, (b, 7)), lambda a, b: [a]])
def test_results_have_the_structure_that_the_module_gave_them(give):
    class M(nn.Module):
        def __init__(self): super().__init__(); self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 3)
        def forward(self, x): h = self.a(x); return give(h, self.b(h))
    m, x = M(), torch.rand(2, 4)
    net = Net.from_torch(m, x, share=False)
    want = m(x)
    for made in net, net.to_torch():
        got = made(x)
        assert type(got) is type(want) and torch.utils._pytree.tree_structure(got) == torch.utils._pytree.tree_structure(want) and same(got, want)

# ------------------------------------------------------------------------------ exports and captures

def test_what_would_compute_something_else_is_not_handed_out(named, monkeypatch):
    m, x, net = named
    import naivenas.files.export as export
    def wrong(net, share):
        made = plain(net, share)
        made.scale.data.add_(1)
        return made
    plain = export.plain
    monkeypatch.setattr(export, "plain", wrong)
    with pytest.raises(RuntimeError, match="computes something else"): net.to_torch()
    monkeypatch.setattr(export, "written_out", lambda net, name: "import torch\nclass Model(torch.nn.Module):\n    def load_state_dict(self, s): pass\n    def forward(self, x): return x.y")
    with pytest.raises(RuntimeError, match="source fails"): net.to_python()

@pytest.mark.parametrize("other, many", [(False, 1), (True, 1)])
def test_a_module_is_captured_once(monkeypatch, other, many):
    "Also one that gives something else in training mode"
    class M(nn.Module):
        def __init__(self): super().__init__(); self.a, self.norm, self.b = nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)
        def forward(self, x): h = self.norm(self.a(x)); return (h, self.b(h)) if self.training and other else self.b(h)
    calls, export, m = [], torch.export.export, M().eval()
    monkeypatch.setattr(torch.export, "export", lambda *a, **k: calls.append(1) or export(*a, **k))
    before = copy.deepcopy(m.state_dict())
    net = Net.from_torch(m, x := torch.rand(3, 4))
    assert len(calls) == many and same(net(x), m(x)) and all(torch.equal(t, before[k]) for k, t in m.state_dict().items())

def test_a_function_in_the_constructor_is_no_configuration(caplog):
    "The only argument that is asked for is kept under its name, as a configuration often is"
    class Bent(nn.Module):
        def __init__(self, bend): super().__init__(); self.bend, self.a, self.b = bend, nn.Linear(4, 8), nn.Linear(8, 3)
        def forward(self, x): return self.b(self.bend(self.a(x)))
    small = prune(Bent(torch.tanh), torch.rand(2, 4), keep=.5)
    assert type(small) is Bent and small.a.out_features == 4 and "cannot say" not in caplog.text
