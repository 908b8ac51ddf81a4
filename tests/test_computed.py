"Layers whose weight a hook, a mask or a parametrization computes: held, with a reason that is true, until they are plain again"
import pytest, torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune, remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm

from naivenas import Net, SizeError, inputvertex, layer, linear, magnitude, relu
from naivenas.nets.rules import RULES
from naivenas.sizes.tracing import Edit
from naivenas.sizes.demands import pinned_vertices

def masked(m): prune.l1_unstructured(m, "weight", .4); return m
def twice(m): prune.random_unstructured(masked(m), "weight", .4); return m
def biased(m): prune.random_unstructured(m, "bias", .4); return m

WAYS = {"weight norm": (weight_norm, remove_weight_norm, "remove_weight_norm"), "spectral norm": (spectral_norm, remove_spectral_norm, "remove_spectral_norm"),
        "mask": (masked, lambda m: prune.remove(m, "weight"), "prune.remove"), "two masks": (twice, lambda m: prune.remove(m, "weight"), "prune.remove"),
        "mask of biases": (biased, lambda m: prune.remove(m, "bias"), "prune.remove"),
        "parametrization": (parametrizations.weight_norm, lambda m: parametrize.remove_parametrizations(m, "weight"), "remove_parametrizations")}

@pytest.fixture(params=WAYS)
def way(request): return WAYS[request.param]

X = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))

def stacked(m, late=None):
    "x -> a -> b -> c -> y, where b's weight is computed; `late`: put the computation in when the net is there already"
    torch.manual_seed(0)
    b = nn.Linear(12, 10)
    x = inputvertex("x", 4)
    net = Net(x, "y" >> linear(relu("c" >> linear(relu("b" >> layer(b if late else m(b), relu("a" >> linear(x, 12)))), 8)), 3))
    if late: m(b)
    return net.eval()

@pytest.mark.parametrize("late", [False, True])
def test_they_are_held_and_all_else_goes_on(way, late):
    make, undo, word = way
    net = stacked(make, late)
    before = {k: t.clone() for k, t in net.state_dict().items()}
    pins = pinned_vertices(net, net.vertices, net.outputs, [], (), Edit())
    assert word in pins[net["b"]] and word in pins[net["b"].inputs[0]] and "b reads it" in pins[net["b"].inputs[0]] and net["c"] not in pins
    for name in "a", "b":
        for delta in -2, +2:
            with pytest.raises(SizeError, match=word): net.resize(name, delta)
    with pytest.raises(SizeError): net.remove("a")
    assert net.sizes["a"] == 12 and all(torch.equal(before[k], t) for k, t in net.state_dict().items())
    plan = net.prune_plan(.5, magnitude)
    gone = sorted({*range(8)} - {*plan.out("c").tolist()})
    with torch.no_grad():
        h = torch.relu(net["b"].op(torch.relu(net["a"].op(X))))
        h = torch.relu(net["c"].op(h)); h[:, gone] = 0
        want = net["y"].op(h)
    plan.apply()
    assert len(gone) == 4 and net.sizes["b"] == 10 and net.sizes["a"] == 12 and torch.allclose(net(X), want, atol=1e-6)

def test_they_change_once_they_are_plain(way):
    make, undo, _ = way
    net = stacked(make)
    want = net(X).detach()
    undo(net["b"].op)
    assert torch.allclose(net(X), want, atol=1e-5)
    net.resize({"a": +3, "b": +2})
    assert net["b"].op.weight.shape == (12, 15) and torch.allclose(net(X), want, atol=1e-5)
    net.resize({"a": -5, "b": -3})
    assert net(X).shape == (5, 3)

@pytest.mark.parametrize("at", [0, 2])
def test_imported_ones_are_held_and_said(way, at, caplog):
    make, _, word = way
    if word == "remove_parametrizations": return      # these are taken apart into their operators
    m = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 10), nn.ReLU(), nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    make(m[at])
    net = Net.from_torch(m, X)
    assert word in caplog.text and f"{at} stays as it is" in caplog.text
    want = net(X).detach()
    plan = net.prune_plan(.5, magnitude)
    assert len(plan.out(str(at))) == net.sizes[str(at)] and any(len(plan.out(v)) < v.nout for v in net)
    plan.apply()
    assert net(X).shape == want.shape
    with pytest.raises(SizeError, match=word): net.resize(str(at), +1)

class Lines(nn.Linear):
    "A linear layer with a mask of its own"
    def __init__(self, *sizes): super().__init__(*sizes); self.register_buffer("mask", (torch.rand(self.weight.shape) > .5).float())
    def forward(self, x): return nn.functional.linear(x, self.weight * self.mask, self.bias)

def test_tensors_that_a_parents_rule_does_not_know():
    net = stacked(lambda m: Lines(12, 10))
    with pytest.raises(SizeError, match="'mask'.*naivenas.register"): net.resize("b", -2)
    from naivenas import register
    try:
        register(Lines, "in_features", "out_features", weight="oi", mask="oi", bias="o")
        net.resize("b", -2)
        assert net["b"].op.mask.shape == (8, 12) and net(X).shape == (5, 3)
    finally: del RULES[Lines]

def test_other_hooks_hold_nothing():
    net = stacked(lambda m: m)
    seen = []
    net["b"].op.register_forward_pre_hook(lambda m, args: seen.append(args[0].shape))
    net.resize({"a": -2, "b": -3})
    net(X)
    assert seen == [(5, 10)]

def test_their_kernels_stay():
    from naivenas import conv
    x = inputvertex("x", 3)
    net = Net(x, "y" >> conv("c" >> layer(weight_norm(nn.Conv2d(3, 4, 3, padding=1)), x), 2))
    with pytest.raises(ValueError, match="kernel of c.*remove_weight_norm"): net.set("c", kernel_size=5)
    assert net(torch.rand(1, 3, 6, 6)).shape == (1, 2, 6, 6)

def test_a_norm_over_filters_in_groups_is_of_those_that_are_left():
    torch.manual_seed(0)
    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.c, self.z = nn.Linear(5, 12), parametrizations.weight_norm(nn.Conv1d(12, 12, 3, padding=1, groups=3), dim=2), nn.Linear(12, 2)
        def forward(self, x): x = self.a(x); return self.z(x + self.c(x.transpose(1, 2)).transpose(1, 2).relu())
    module, x = Positions().double().eval(), torch.randn(2, 7, 5).double()
    net = Net.from_torch(module, x, share=False)
    kept = net.resize("a", -3).plan.out("a").tolist()
    weight, g = module.c.parametrizations.weight.original1, module.c.parametrizations.weight.original0
    assert [len([i for i in kept if i // 4 == k]) for k in range(3)] == [3, 3, 3] and not net.opaque
    few = torch.stack([weight[i, [j % 4 for j in kept if j // 4 == i // 4]] for i in kept])      # rows with the columns of their own group
    few = few * g / few.norm(dim=(0, 1), keepdim=True)
    h = module.a(x)[..., kept]
    y = h + nn.functional.conv1d(h.transpose(1, 2), few, module.c.bias[kept], padding=1, groups=3).transpose(1, 2).relu()
    assert torch.allclose(net(x), y @ module.z.weight[:, kept].T + module.z.bias, atol=1e-12)
