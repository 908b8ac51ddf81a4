"""Importance against formulas written out by hand."""
import copy, pickle

import numpy as np, pytest
import torch
from torch import nn

from naivenas.nets.importance import Random, Taylor, batchnorm_scale, geometric_median, keeping, l1, magnitude
from naivenas.nets.layers import attention, conv, linear
from naivenas.nets.norms import batchnorm, globalpool
from naivenas.nets.kinds import layer
from naivenas.nets.activations import relu
from naivenas import Net
from naivenas.graph.vertex import inputvertex


def small_net(seed=0):
    torch.manual_seed(seed)
    x = inputvertex("x", 2)
    c = "c" >> conv(x, 6)
    r = "r" >> relu("bn" >> batchnorm(c))
    return Net(x, "y" >> linear("p" >> globalpool("d" >> conv(r, 5, k=1) + conv(r, 5, k=1)), 3))

def test_magnitude_of_every_kind_of_layer():
    x = inputvertex("x", 4)
    w, b = (m := nn.Linear(4, 3)).weight, m.bias
    assert np.allclose(magnitude(layer(m, x)), [w[i].norm().item() + abs(b[i].item()) for i in range(3)])
    m = nn.Conv2d(4, 3, 3, bias=False)
    assert np.allclose(magnitude(layer(m, x)), [m.weight[i].norm().item() for i in range(3)])
    m = nn.ConvTranspose2d(4, 3, 3)
    assert np.allclose(magnitude(layer(m, x)), [m.weight[:, i].norm().item() + abs(m.bias[i].item()) for i in range(3)])
    m = nn.Conv2d(4, 6, 3, groups=2)
    assert np.allclose(magnitude(layer(m, x)), [m.weight[i].norm().item() + abs(m.bias[i].item()) for i in range(6)])
    m = nn.ConvTranspose2d(4, 6, 3, groups=2, bias=False)
    assert np.allclose(magnitude(layer(m, x)), [m.weight[2 * (i // 3):2 * (i // 3) + 2, i % 3].norm().item() for i in range(6)])
    m = nn.BatchNorm2d(4)
    nn.init.normal_(m.weight), nn.init.normal_(m.bias)
    assert np.allclose(magnitude(layer(m, x)), (m.weight.abs() + m.bias.abs()).detach())
    assert magnitude(relu(x)) is None and magnitude(x) is None and magnitude(x + x) is None

def expected(net, x, target):
    "Taylor importance, by asking autograd for the gradient of every module's output"
    values, seen = [x], {}
    for v in net.vertices[1:]:
        values.append(v.op(*[values[net.vertices.index(u)] for u in v.inputs]))
        if isinstance(v.op, nn.Module): seen[v] = values[-1]
    gradients = torch.autograd.grad(nn.functional.cross_entropy(values[-1], target), list(seen.values()))
    mean = lambda t: t.flatten(2).mean(2) if t.ndim > 2 else t
    return {v: mean(a * g).abs().mean(0).detach().numpy() for (v, a), g in zip(seen.items(), gradients)}

def step(net, x, target): nn.functional.cross_entropy(net(x), target).backward()

def test_taylor_measures_what_autograd_says():
    net, data = small_net(), [(torch.rand(7, 2, 5, 5), torch.arange(7) % 3) for _ in range(3)]
    taylor, average = Taylor(net, decay=.8), {}
    for x, target in data:
        for w, now in expected(copy.deepcopy(net), x, target).items():
            v = net[w.name]
            average[v] = .8 * average[v] + .2 * now if v in average else now
        step(net, x, target)
    assert set(average) == set(taylor.values) and all(np.allclose(taylor(v), u, atol=1e-7) for v, u in average.items())

def test_taylor_measures_a_finished_net_and_leaves_its_norms_alone():
    net, batch = small_net().eval(), (torch.rand(7, 2, 5, 5), torch.arange(7) % 3)
    was = copy.deepcopy(net.state_dict())
    with Taylor(net, finished=True) as taylor: step(net, *batch)
    want = expected(copy.deepcopy(net), *batch)
    assert {v.name for v in taylor.values} == {v.name for v in want} and all(np.allclose(taylor(net[v.name]), u, atol=1e-7) for v, u in want.items())
    assert all((a == b).all() for a, b in zip(was.values(), net.state_dict().values()))

def test_taylor_measures_every_so_often_and_only_in_training():
    net = small_net()
    taylor, batch = Taylor(net, every=3), (torch.rand(4, 2, 5, 5), torch.zeros(4, dtype=int))
    net.eval()
    step(net, *batch)
    assert taylor(net["c"]) is None
    net.train()
    with torch.no_grad(): net(batch[0])
    assert taylor(net["c"]) is None
    step(net, *batch)
    first = taylor(net["c"]).copy()
    for _ in range(2):
        step(net, torch.rand(4, 2, 5, 5), batch[1])
        assert np.array_equal(taylor(net["c"]), first)
    step(net, torch.rand(4, 2, 5, 5), batch[1])
    assert not np.array_equal(taylor(net["c"]), first)

def test_taylor_follows_surgery():
    net = small_net()
    taylor = Taylor(net)
    step(net, torch.rand(4, 2, 5, 5), torch.zeros(4, dtype=int))
    before = {v: taylor(v) for v in net if taylor(v) is not None}
    report = net.resize({"c": -2, "d": +1}, by=taylor)
    for v, old in before.items():
        new = [old[i] if i >= 0 else old.min() for i in report.plan.out(v)]
        assert np.allclose(taylor(v), new)
    net.insert(lambda v: "new" >> conv(v, v.nout, start="identity"), after="r")
    net.remove("bn")
    step(net, torch.rand(4, 2, 5, 5), torch.zeros(4, dtype=int))
    assert taylor(net["new"]) is not None and len(taylor(net["c"])) == net.sizes["c"]

def test_copies_are_deaf_and_removal_is_clean():
    net = small_net()
    with Taylor(net) as taylor:
        twins = [copy.deepcopy(net), pickle.loads(pickle.dumps(net))]
        for twin in twins:
            step(twin, torch.rand(4, 2, 5, 5), torch.zeros(4, dtype=int))
            twin.resize("c", -1)
        assert taylor(net["c"]) is None and not twins[0].watchers
    assert not any(m._forward_hooks for m in net.modules()) and not net.watchers

def test_magnitude_sees_every_gate_and_head():
    torch.manual_seed(0)
    x = inputvertex("x", 4)
    m = nn.LSTM(4, 3, 2, bidirectional=True, batch_first=True)
    want = [sum(p.detach().unflatten(0, (4, 3))[:, i].norm() for p in m.parameters()).item() for i in range(3)]
    assert np.allclose(magnitude(layer(m, x).inputs[0]), want)
    net = Net(x, attention(x, 4, size=2))
    with torch.no_grad():
        for u in net[-2].inputs: u.op.weight[4:6] *= .1
    assert net.prune(.75, magnitude).plan.out(net[-2]).tolist() == [0, 1, 2, 3, 6, 7], "the head whose queries, keys and values are small"
    m = nn.ConvTranspose2d(4, 8, 2, groups=4, bias=False)
    assert np.allclose(magnitude(layer(m, x)), [m.weight[i // 2, i % 2].norm().item() for i in range(8)])

def test_the_other_criteria_by_hand():
    net = small_net()
    c, bn, w = net["c"], net["bn"], net["c"].op.weight.detach()
    assert np.allclose(l1(c), [w[i].abs().sum().item() + abs(c.op.bias[i].item()) for i in range(6)])
    nn.init.normal_(bn.op.weight)
    assert np.allclose(batchnorm_scale(bn), bn.op.weight.abs().detach()) and batchnorm_scale(c) is None
    assert np.allclose(geometric_median(c), [sum((w[i] - w[j]).norm().item() for j in range(6)) for i in range(6)]) and geometric_median(bn) is None
    assert np.array_equal(Random(3)(c), Random(3)(c)) and not np.array_equal(Random(3)(c), Random(4)(c)) and Random()(bn) is None
    for by in l1, batchnorm_scale, geometric_median, Random(0), lambda v: np.arange(v.nout):
        twin = copy.deepcopy(net)
        twin.prune(keep=.5, by=by, frozen=["d"] if by is batchnorm_scale else ())
        assert twin.sizes["c"] < 6 and twin(torch.rand(2, 2, 5, 5)).shape == (2, 3)

def test_ignored_layers_keep_their_neurons_and_round_to():
    x = inputvertex("x", 2)
    torch.manual_seed(0)
    a = conv(x, 16)
    b = conv(a, 16)
    net = Net(x, "y" >> linear(globalpool(conv(b, 16)), 3))
    net.prune(keep=.5, by=magnitude, frozen=[b], multiple_of=4)
    assert b.nout == 16 and a.nout % 4 == 0 and sum(v.nout for v in net if v.role == "absorb") < 51

def test_every_layer_keeps_its_share_and_ignored_ones_everything():
    torch.manual_seed(0)
    x = inputvertex("x", 3)
    a = "a" >> conv(x, 16)
    b = "b" >> conv(relu(a), 16) + a       # tied to a
    net = Net(x, "y" >> linear(globalpool("d" >> conv("c" >> conv(b, 24), 10)), 4))
    with torch.no_grad(): net["c"].op.weight *= 1e-3      # a global ranking would drop nothing else
    assert net.prune_plan(.7, magnitude, normalise=False).out("a").tolist() == list(range(16))
    plan = net.plan(keeping(net, .5), by=magnitude)
    assert [len(plan.out(k)) for k in "acdy"] == [8, 12, 5, 4]
    strong = magnitude(net["c"])
    assert set(plan.out("c")) == set(np.argsort(-strong)[:12])
    plan = net.plan(keeping(net, {"c": .25, "d": .5}), by=magnitude, multiple_of=4)
    assert [len(plan.out(k)) for k in "acdy"] == [16, 8, 4, 4]   # 6 is as near to 8 as to 4: what is worth more stays
    plan = net.plan(keeping(net, .5), by=magnitude, frozen=["d"])
    assert [len(plan.out(k)) for k in "acdy"] == [8, 12, 10, 4]
    report = net.prune(.5, magnitude, frozen=["a"], multiple_of=4)
    assert net.sizes["a"] == 16 and all(net.sizes[k] % 4 == 0 for k in "cd") and net(torch.rand(2, 3, 5, 5)).shape == (2, 4), report
    for wrong in 0, 1.5, {"c": -1}:
        with pytest.raises(ValueError, match="share"): keeping(net, wrong)

class Remembers(nn.Module):
    "A recurrent layer whose whole sequence is read"
    def __init__(self):
        super().__init__()
        self.memory, self.head = nn.LSTM(6, 8, batch_first=True), nn.Linear(8, 6)
    def forward(self, x): return self.head(self.memory(x)[0])

SEQUENCES = {"layers": (nn.Sequential(nn.Linear(6, 12), nn.GELU(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 6)), [(3, 5, 6)]),      # five steps, and five neurons
             "encoder": (nn.TransformerEncoderLayer(16, 4, 32, dropout=0, batch_first=True), [(3, 5, 16)]),
             "decoder": (nn.TransformerDecoderLayer(16, 4, 32, dropout=0, batch_first=True), [(3, 5, 16), (3, 7, 16)]), "recurrent": (Remembers(), [(3, 5, 6)])}

@pytest.mark.parametrize("name", SEQUENCES)
def test_taylor_measures_sequences(name):
    "Features lie along the last axis there, and what autograd says of a hand-made copy is what is measured"
    torch.manual_seed(0)
    module, shapes = SEQUENCES[name]
    inputs = [torch.randn(shape) for shape in shapes]
    net, seen = Net.from_torch(module, tuple(inputs)).train(), {}
    def kept(v):
        def hook(op, args, out):
            out.retain_grad()
            seen[v] = out
        return v.op.register_forward_hook(hook)
    hooks = [kept(v) for v in net if isinstance(v.op, nn.Linear)]
    with Taylor(net) as taylor:
        net(*inputs).pow(3).mean().backward()
        for hook in hooks: hook.remove()
        for v, out in seen.items():
            product = (out * out.grad).detach()
            assert np.allclose(taylor(v), (product.mean(1) if product.ndim > 2 else product).abs().mean(0), rtol=1e-4)
        layers = [v for v in net if isinstance(v.op, nn.Module) and v.role == "absorb"]
        assert seen and all(len(taylor(v)) == v.nout and taylor(v).any() for v in layers)
        net.prune(.6, by=taylor)
        assert all(len(taylor(v)) == v.nout for v in layers)
        net(*inputs).pow(3).mean().backward()
        assert all(len(taylor(v)) == v.nout for v in layers)
