"Models out: a plain module, and source that runs where naivenas is not installed"
import copy, io, pickle, random, subprocess, sys, textwrap
from functools import partial
import numpy as np, pytest, torch
from torch import nn
from naivenas import Net as TracedNet
from naivenas.files.export import constructor
from naivenas.nets.importance import magnitude
from naivenas.nets.layers import attention, conv, linear, cat, shuffle, split
from naivenas.nets.norms import groupnorm, batchnorm, globalpool
from naivenas.nets.sequences import gru, last, lstm
from naivenas.nets.kinds import layer
from naivenas.nets.activations import relu
from naivenas import Net
from naivenas.graph.vertex import immutable, inputvertex, invariant
from naivenas.graph.roles import Gather, SizeError
from naivenas.graph.moves import moved
from randomnets import evaluate, random_net

WITHOUT = """
import sys
class Nobody:
    def find_spec(self, name, *rest):
        if name.split(".")[0] in ("naivenas", "numpy.nonsense"): raise ImportError(f"{name} is not installed here")
sys.meta_path.insert(0, Nobody())
"""

def outputs(net, values):
    "By the independent evaluator"
    got = evaluate(net, values)
    return [got[v] for v in net.outputs]

def listed(out): return list(out) if isinstance(out, tuple) else [out]

def agree(a, b): return len(a) == len(b) and all(x.dtype == y.dtype and torch.allclose(x, y, rtol=1e-10, atol=1e-12) for x, y in zip(a, b, strict=True))

def built(source, name="Model"):
    space = {}
    exec(source, space)
    return space[name]()

def surgery(net, seed):
    "Some random changes, so that index maps are no longer what they were"
    r = random.Random(seed)
    for _ in range(3):
        try: net.prune(.8, {v: np.array([r.random() for _ in range(v.nout)]) for v in net if v.role == "absorb"})
        except SizeError: pass

def there_and_back(seeds):
    for seed in seeds:
        net, values = random_net(seed)
        if seed % 2: surgery(net, seed)
        want, plain = outputs(net, values), net.to_torch()
        assert agree(listed(plain(*values)), want), seed
        assert list(plain.state_dict()) == list(net.state_dict()), seed
        assert not any(type(m).__module__.startswith("naivenas") for m in plain.modules()), seed
        assert not any(callable(n.target) and getattr(n.target, "__module__", "") and n.target.__module__.startswith("naivenas") for n in plain.graph.nodes), seed
        again = built(net.to_python()).eval()
        again.load_state_dict(net.state_dict())
        assert agree(listed(again(*values)), want), seed

def test_random_nets(): there_and_back(range(60))

@pytest.mark.slow
def test_many_random_nets(): there_and_back(range(60, 2000))

def test_source_and_module_run_where_naivenas_is_not_installed(tmp_path):
    cases = []
    for seed in (1, 4, 7):
        net, values = random_net(seed)
        (tmp_path / f"net{seed}.py").write_text(net.to_python(f"Net{seed}"))
        torch.save(net.to_torch(), tmp_path / f"net{seed}.pt")
        cases.append((seed, values, outputs(net, values), net.state_dict()))
    torch.save(cases, tmp_path / "cases.pt")
    program = WITHOUT + textwrap.dedent("""
        import importlib, torch
        same = lambda out, want: all(torch.allclose(a, b, rtol=1e-10, atol=1e-12) for a, b in zip(out if isinstance(out, tuple) else (out,), want, strict=True))
        for seed, values, want, state in torch.load("cases.pt"):
            model = getattr(importlib.import_module(f"net{seed}"), f"Net{seed}")().eval()
            model.load_state_dict(state)
            assert same(model(*values), want)
            assert same(torch.load(f"net{seed}.pt", weights_only=False)(*values), want)
        try: import naivenas
        except ImportError: print("three times two without")
        """)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "three times two without\n", done.stderr

def test_copies_are_independent_and_sharing_is_not():
    net, values = random_net(2)
    plain, shared = net.to_torch(), net.to_torch(share=True)
    mine = {id(p) for p in net.parameters()}
    assert not mine & {id(p) for p in plain.parameters()} and {id(p) for p in shared.parameters()} == mine
    want = listed(plain(*values))
    for twin in copy.deepcopy(plain), pickle.loads(pickle.dumps(plain)):
        assert list(twin.state_dict()) == list(net.state_dict()) and agree(listed(twin(*values)), want)

def test_training_goes_on_as_in_the_net():
    torch.manual_seed(0)
    x = inputvertex("x", 3)
    a = relu(batchnorm(conv(x, 8)))
    net = Net(x, linear(globalpool(a + batchnorm(conv(a, 8))), 4))
    twins, data, losses = [net, net.to_torch(), built(net.to_python())], torch.randn(4, 3, 6, 6), []
    twins[2].load_state_dict(net.state_dict())
    for model in twins:
        optimizer, mine = torch.optim.SGD(model.parameters(), lr=.1, momentum=.9), []
        for _ in range(4):
            loss = model(data).square().mean()
            optimizer.zero_grad(); loss.backward(); optimizer.step()
            mine.append(loss.item())
        losses.append(mine)
    assert losses[0] == losses[1] == losses[2] and losses[0][0] > losses[0][-1]
    assert torch.equal(twins[1].state_dict()["batchnorm2d1.running_mean"], net["batchnorm2d1"].op.running_mean)

def test_random_numbers_are_drawn_in_the_same_order():
    torch.manual_seed(0)
    x = inputvertex("x", 20)
    one, two = (layer(nn.Dropout(.5), linear(x, 16)) for _ in range(2))
    net = Net(x, cat(two, one) + linear(cat(one, two), 32))
    twin, plain, data = built(net.to_python()).train(), net.train().to_torch(), torch.randn(5, 20)
    twin.load_state_dict(net.state_dict())
    got = []
    for model in net, plain, twin:
        torch.manual_seed(3)
        got.append(model(data))
    assert torch.equal(got[0], got[1]) and torch.equal(got[0], got[2])

def test_an_activation_in_place_happens_when_it_happened():
    x = inputvertex("x", 3)
    c = linear(x, 4)
    d = layer(nn.Tanh(), c)
    net = Net(x, [d + layer(nn.ReLU(inplace=True), c) * 2, c - 1])
    twin, data = built(net.to_python()), torch.randn(6, 3)
    twin.load_state_dict(net.state_dict())
    assert all(map(torch.equal, net(data), twin(data))) and all(map(torch.equal, net(data), net.to_torch()(data)))

def test_shuffles_before_and_after_they_become_uneven():
    x = inputvertex("x", 6)
    for v in shuffle(conv(x, 12, k=1), 3), moved(Gather([0, 2, 1, 3], 1), x), moved(Gather([5, 0, 0, 2], 1), x), split(x, [1, 5])[1]:
        net, data = Net(x, v), torch.randn(2, 6, 2, 2)
        twin = built(net.to_python())
        twin.load_state_dict(net.state_dict())
        assert torch.equal(net(data), twin(data)) and torch.equal(net(data), net.to_torch()(data))
    assert "unflatten" in Net(x, shuffle(x, 3)).to_python()

MODULES = [
    nn.Linear(3, 4, bias=False), nn.Bilinear(3, 4, 5), nn.Conv1d(4, 8, 5, 2, 3, 2, 4, False, "circular"), nn.Conv2d(4, 6, (3, 5), (1, 2), "same" * 0 or (1, 2)),
    nn.Conv2d(4, 6, 3, padding="same"), nn.Conv3d(2, 2, 3, groups=2), nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, 2, False, 1), nn.BatchNorm2d(5, eps=1e-3, momentum=None),
    nn.BatchNorm1d(5, affine=False), nn.BatchNorm3d(5, track_running_stats=False), nn.InstanceNorm2d(4, affine=True), nn.LayerNorm((3, 4), eps=1e-6),
    nn.LayerNorm(4, elementwise_affine=False), nn.LayerNorm(4, bias=False), nn.GroupNorm(2, 8, eps=1e-4), nn.RMSNorm(4), nn.LocalResponseNorm(5, k=2.),
    nn.Embedding(10, 3, padding_idx=1, max_norm=2.), nn.EmbeddingBag(10, 3, mode="sum"), nn.RNN(3, 4, 2, nonlinearity="relu"), nn.GRU(3, 4, bias=False, batch_first=True),
    nn.LSTM(3, 4, 2, bidirectional=True, dropout=.2, proj_size=2), nn.MultiheadAttention(8, 2, batch_first=True), nn.MultiheadAttention(8, 2, bias=False, add_bias_kv=True, kdim=4, vdim=6),
    nn.PReLU(3, init=.5), nn.ReLU(True), nn.LeakyReLU(.3), nn.ELU(.7), nn.CELU(2.), nn.GELU("tanh"), nn.Softplus(2., 10.), nn.Hardtanh(-2., 3.), nn.Softmax(1), nn.LogSoftmax(-1), nn.GLU(1),
    nn.Dropout(.3), nn.Dropout2d(.1), nn.AlphaDropout(.2), nn.MaxPool2d(3, 2, 1, 1, False, True), nn.MaxPool1d(2), nn.AvgPool2d((2, 3), (1, 2), 1, True, False, 7),
    nn.AdaptiveAvgPool2d((1, None)), nn.AdaptiveMaxPool1d(3), nn.LPPool2d(2., 3, 2), nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), nn.Upsample((4, 4)), nn.PixelShuffle(2),
    nn.PixelUnshuffle(2), nn.ZeroPad2d((1, 2, 3, 4)), nn.ReflectionPad1d(2), nn.ConstantPad2d(1, 3.5), nn.Flatten(2), nn.Unflatten(1, (2, 3)), nn.ChannelShuffle(2), nn.Identity(),
    nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(nn.BatchNorm2d(4), nn.ReLU())), nn.Conv2d(2, 2, 1, dtype=torch.float64), nn.LSTM(2, 3, dtype=torch.bfloat16), nn.Threshold(.1, 20.)]

@pytest.mark.parametrize("module", MODULES, ids=lambda m: type(m).__name__)
def test_constructors(module):
    made = eval(constructor(module), {"torch": torch, "nn": nn})
    assert repr(made) == repr(module)
    made.load_state_dict(module.state_dict())
    facts = lambda m: {k: v for n, s in m.named_modules() for k, v in ((f"{n}.{k}", v) for k, v in vars(s).items() if isinstance(v, (int, float, str, tuple, bool, torch.Size, type(None))))}
    assert facts(made) == facts(module)
    assert {k: t.dtype for k, t in made.state_dict().items()} == {k: t.dtype for k, t in module.state_dict().items()}

def test_tied_and_frozen_parameters_stay_so():
    x = inputvertex("x", 4)
    a, b = nn.Linear(4, 4), nn.Linear(4, 4)
    b.weight = a.weight
    a.bias.requires_grad_(False)
    net = Net(x, "last" >> layer(b, "first" >> layer(a, x)))
    for model in net.to_torch(), built(net.to_python()):
        assert model.last.weight is model.first.weight and [p.requires_grad for p in (model.first.weight, model.first.bias)] == [True, False]
        model.load_state_dict(net.state_dict())
        assert torch.equal(model(torch.ones(1, 4)), net(torch.ones(1, 4)))

def test_names_of_every_kind():
    x = inputvertex("a b/c", 3)
    names = ["layer1.0.conv", "layer1.0.act", "layer1.keys", "1", "torch", "a_b_c", "layer1.1"]
    v = x
    for name in names: v = name >> linear(v, 3)
    net, data = Net(x, v), torch.randn(2, 3)
    plain, twin = net.to_torch(), built(net.to_python())
    for model in plain, twin:
        model.load_state_dict(net.state_dict())
        assert set(model.state_dict()) == set(net.state_dict())
        assert torch.equal(model(data), net(data))
    for name in "train", "class", "layer.for":
        net = Net(x, name >> linear(x, 3))
        with pytest.raises(ValueError, match=f"{name}.*rename"): net.to_torch()
        twin = built(net.to_python())
        twin.load_state_dict(net.state_dict())
        assert torch.equal(twin(data), net(data))

class Curve(nn.Module):
    "Somebody's own layer, which says how it is written"
    def __init__(self, n): super().__init__(); self.slope = nn.Parameter(torch.randn(n))
    def forward(self, x): return torch.tanh(x * self.slope)
    def source(self, args, me): return f"torch.tanh({args[0]} * {me}.slope)"

class Power:
    def __init__(self, n): self.n = n
    def __call__(self, x): return x ** self.n
    def source(self, args): return f"torch.ops.aten.pow.Tensor_Scalar({args[0]}, {self.n})"

def test_the_protocol():
    x = inputvertex("x", 3)
    net = Net(x, invariant(Power(2), "curve" >> layer(Curve(3), linear(x, 3), nout=3)))
    data, plain, twin = torch.randn(4, 3), net.to_torch(), built(net.to_python())
    twin.load_state_dict(net.state_dict())
    assert list(plain.state_dict()) == list(net.state_dict()) == list(twin.state_dict())
    assert torch.equal(plain(data), net(data)) and torch.equal(twin(data), net(data))
    assert "Curve" not in plain.code and "Power" not in plain.code

def test_what_cannot_be_written_is_named():
    x = inputvertex("x", 3)
    with pytest.raises(TypeError, match=r"odd \(lambda\) cannot be written"): Net(x, "odd" >> invariant(lambda t: t + 1, x)).to_python()
    Own = type("Own", (nn.Module,), {"forward": lambda self, x: x, "__module__": "__main__"})
    with pytest.raises(TypeError, match=r"mine \(own\) cannot be written.*Own"): Net(x, "mine" >> layer(Own(), x, nout=3)).to_python()
    with pytest.raises(TypeError, match="no call of TransformerEncoderLayer"): constructor(nn.TransformerEncoderLayer(8, 2, 16))
    with pytest.raises(ValueError, match="'a b'"): Net(x, linear(x, 3)).to_python("a b")
    looks = "looks" >> invariant(lambda t: t + 1 if t.sum() > 0 else t - 1, linear(x, 3))
    net = Net(x, looks)
    for data in torch.ones(2, 3), -torch.ones(2, 3): assert torch.equal(net.to_torch()(data), net(data))

def test_a_thousand_layers():
    v = x = inputvertex("x", 2)
    for _ in range(500): v = relu(linear(v, 2)) * .1 + v * .5
    net, data = Net(x, v), torch.randn(2, 2)
    twin = built(net.to_python())
    twin.load_state_dict(net.state_dict())
    assert torch.equal(net.to_torch()(data), net(data)) and torch.equal(twin(data), net(data))

def test_compiles_and_exports():
    net, _ = random_net(11)
    data = [torch.randn(3, *v.shape[1:], dtype=torch.float64) for v in random_net(11)[1]]
    program = torch.export.export(net.to_torch(), tuple(data))
    assert agree(listed(program.module()(*data)), outputs(net, data))

class Table(nn.Module):
    "Takes features by a table that is no part of the state dict"
    def __init__(self, n):
        super().__init__()
        self.register_buffer("at", torch.arange(n).flip(0), persistent=False)
        self.gain = nn.Parameter(torch.rand(n))
    def forward(self, x): return x[:, self.at] * self.gain
    def source(self, args, me): return f"({args[0]})[:, {me}.at] * {me}.gain"

@pytest.mark.parametrize("n", [5, 200])
def test_tables_outside_the_state_dict_are_written_down(n):
    x = inputvertex("x", n)
    net, data, space = Net(x, linear(immutable(Table(n), x, nout=n), 3)), torch.rand(2, n), {}
    exec(net.to_python(), space)
    model = space["Model"]()
    model.load_state_dict(net.state_dict())
    assert torch.equal(model(data), net(data)) and torch.equal(net.to_torch()(data), net(data))

def test_a_class_is_found_where_its_package_gives_it_out(tmp_path, monkeypatch):
    "As in torchvision.ops, where a function hides the module of the same name"
    folder = tmp_path / "pack_of_mine"
    folder.mkdir()
    (folder / "__init__.py").write_text("from .depth import Depth, depth\n")
    (folder / "depth.py").write_text("from torch import nn\ndef depth(x): return x\nclass Depth(nn.Identity):\n    def __init__(self, p): super().__init__(); self.p = p\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import pack_of_mine
    assert constructor(pack_of_mine.Depth(.5)) == "pack_of_mine.Depth(0.5)"

@pytest.mark.parametrize("make", [lambda v: groupnorm(v, 2), lambda v: layer(nn.GLU(-1), v), lambda v: lstm(v, 4, bidirectional=True), lambda v: last(lstm(v, 4, bidirectional=True)),
                                  lambda v: last(gru(v, 4)), lambda v: attention(v, 2, causal=True)], ids="groups gate lstm state state2 attention".split())
def test_what_vertices_do_with_layers_is_written_down(make):
    torch.manual_seed(0)
    x, space = inputvertex("x", 6), {}
    net, data = Net(x, linear(make(x), 3)), torch.rand(*(2, 5, 6))
    data = data.transpose(1, 2) if any(isinstance(m, nn.GroupNorm) for m in net.modules()) else data
    if data.shape[1] == 6: net = Net(x, make(x))
    exec(net.to_python(), space)
    model = space["Model"]()
    model.load_state_dict(net.state_dict())
    assert torch.equal(model(data), net(data)) and torch.equal(net.to_torch()(data), net(data))

class Standardised(nn.Conv2d):
    "Batch norm of the weights, as NF-ResNets have it"
    def forward(self, x):
        w = nn.functional.batch_norm(self.weight.reshape(1, len(self.weight), -1), None, None, training=True, momentum=0.).reshape_as(self.weight)
        return self._conv_forward(x, w, self.bias)

def test_weights_that_are_computed_are_written_down():
    torch.manual_seed(0)
    module = nn.Sequential(Standardised(3, 8, 3), nn.ReLU(), Standardised(8, 6, 3, groups=2), nn.Flatten(), nn.utils.parametrizations.weight_norm(nn.Linear(24, 5)), nn.Linear(5, 2)).double()
    x = torch.randn(4, 3, 6, 6, dtype=torch.float64)
    net = TracedNet.from_torch(module, x)
    for _ in range(2):
        source = net.to_python()
        assert "naivenas" not in source and "refolded" not in source
        again = built(source).double()
        again.load_state_dict(net.state_dict())
        assert agree([again(x), net.to_torch()(x)], [net(x), net(x)])
        before = [v.nout for v in net]
        net.prune(.6, magnitude)
        assert before != [v.nout for v in net]

class Causal(nn.Module):
    "Attention that masks with an infinite number, as it is often written by hand"
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(8, 8) for _ in range(4))
        self.register_buffer("mask", torch.tril(torch.ones(6, 6)))
    def forward(self, x):
        q, k, v = (f(x).view(len(x), -1, 2, 4).transpose(1, 2) for f in (self.q, self.k, self.v))
        weights = (q @ k.transpose(-2, -1) / 2).masked_fill(self.mask[:x.shape[1], :x.shape[1]] == 0, float("-inf")).softmax(-1)
        return self.o((weights @ v).transpose(1, 2).reshape(len(x), -1, 8))

def test_infinite_constants_are_written_down():
    torch.manual_seed(0)
    x = torch.randn(2, 5, 8)
    net = TracedNet.from_torch(Causal(), x)
    again = built(net.to_python())
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(x), net(x))

def test_variables_leave_the_names_of_packages_free(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("def twice(x): return 2 * x")
    monkeypatch.syspath_prepend(tmp_path)
    import mine
    x = inputvertex("x", 3)
    net = Net(x, linear(invariant(partial(mine.twice), "mine" >> linear(x, 4)), 2))
    again = built(net.to_python())
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(data := torch.randn(5, 3)), net(data))

@pytest.mark.parametrize("name", ['a"]; import os #', "self", "class", "torch", "a'b", "a\nb", "a.b", "x²", "os", "zlib", "input", "forward", "", "ﬁ", "x\\", "{evil}", "0", "a..b", "__class__"])
@pytest.mark.parametrize("where", ["input", "layer", "function"])
def test_any_name_is_written_down_safely_or_refused(name, where):
    x = inputvertex(name if where == "input" else "in", 3)
    h = linear(x, 4)
    if where == "layer": name >> h
    r = relu(h) * 2.
    if where == "function": name >> r
    net, data = Net(x, ["y" >> linear(cat(r, h, axis=-1), 2)]), torch.rand(5, 3)
    want = net(data)[0]
    try:
        text, space = net.to_python(), {}
        assert "import os" not in text.split("class Model")[0]
        exec(text, space)
        again = space["Model"]()
        again.load_state_dict(net.state_dict())
        assert torch.allclose(again(data)[0], want)
    except ValueError as e: assert name == "a..b" and "rename the vertex" in str(e)
    try: plain = net.to_torch()
    except ValueError as e: assert where == "layer" and "rename the vertex" in str(e)
    else: assert torch.allclose(plain(data)[0], want) and set(plain.state_dict()) == set(net.state_dict())

def test_concatenation_along_the_last_axis_goes_everywhere():
    x = inputvertex("x", 4)
    net, data, space = Net(x, "y" >> linear(cat(linear(x, 3), linear(x, 2), axis=-1), 2)), torch.rand(2, 5, 4), {}
    exec(net.to_python(), space)
    again = space["Model"]()
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(data), net(data)) and torch.equal(net.to_torch()(data), net(data))

def test_no_constant_or_keyword_becomes_code():
    from naivenas.capture.constants import literal
    assert literal(slice("print(1)", None)) == "slice('print(1)', None, None)"
    x = inputvertex("x", 3)
    odd = Net(x, "odd" >> invariant(partial(torch.add, **{"other=print(1), alpha": 1}), x))
    with pytest.raises(TypeError, match="odd .*no argument can be called"): odd.to_python()
