"An aggressive search in which every candidate runs, learns, and computes what was promised; refusals leave no trace"
import copy
import numpy as np, pytest, torch
from torch import nn
from naivenas import (Act, AddBlock, AddEdge, BatchNorm, Chain, ChangeActivation, ChangeKernel, ChangePool, ChangeSize, ChangeStride, Conv, Crossover, Fork, GlobalPool,
                      InOrder, Linear, Maybe, Net, OneOf, Perhaps, Pick, Pool, Relu, RemoveEdge, RemoveVertex, Repeat, Residual, Settings, cross_settings, inputvertex,
                      magnitude, mutate_settings, mutations, segments, shield)
from naivenas.nets.layers import linear
from naivenas.nets.kinds import layer
from naivenas.nets.settings import settings_changed
from naivenas.search.mutation import chances
from randomnets import assert_same, snapshot

SHAPE = 9, 8
IMAGES = torch.randn(3, 2, *SHAPE, generator=torch.Generator().manual_seed(0))
block = OneOf(Chain(Conv(3, 5, k=(1, 3)), BatchNorm(), Act("relu", "elu")), Conv(4, k=(1, 3)))
blocks = OneOf(block, Residual(block), Fork(block, n=(2, 3)))
start = Chain(Conv(4, 6), Relu(), Repeat(blocks, n=(1, 2)), Maybe(Pool("max", "mean")), Residual(block), GlobalPool("mean", "max"), Linear(5), Relu(), Linear(3))
ALL = [ChangeSize(SHAPE, p=.5, low=-.5, high=.5), ChangeSize(SHAPE, low=.1, high=.5), AddBlock(SHAPE, by=magnitude, odds=4, space=blocks), AddBlock(SHAPE, space=OneOf(blocks, Pool()), start=None),
       RemoveVertex(SHAPE, by=magnitude, odds=1/4), AddEdge(SHAPE), RemoveEdge(SHAPE), ChangeKernel(SHAPE), ChangeStride(SHAPE, strides=(1, 2, 3)), ChangeActivation(SHAPE), ChangePool(SHAPE)]

def value(net):
    with torch.no_grad(): return copy.deepcopy(net).eval()(IMAGES)

def lives(net):
    "A step of training goes through, and every parameter gets a gradient of its own shape"
    twin = copy.deepcopy(net).train()
    out = twin(IMAGES)
    assert out.shape == (3, 3)
    out.square().sum().backward()
    assert all(p.grad is None or p.grad.shape == p.shape for p in twin.parameters()) and any(p.grad is not None for p in twin.parameters())

def settled(net):
    "Statistics of norms that are not those of new ones, numbers of moderate size"
    with torch.no_grad():
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d): m.running_mean.uniform_(-.2, .2); m.running_var.uniform_(.8, 1.2)
    return net.train()

@pytest.mark.parametrize("seed", range(3))
def test_aggressive_search(seed):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    population = [settled(Net(x := inputvertex("x", 2), start(x, rng))) for _ in range(4)]
    done = {}
    for i in range(50):
        net = copy.deepcopy(population[i % 4])
        mutation = ALL[int(rng.integers(len(ALL)))]
        if i % 5 == 4:
            other = population[int(rng.integers(4))]
            before = value(net), value(other)
            net, second = Crossover(SHAPE)(net, other, rng)
            assert torch.equal(value(other), before[1])
            lives(second)
        else:
            before, traces = value(net), snapshot(net)
            change = mutation(net, rng)
            if change is None: assert_same(traces, snapshot(net), f"{mutation}")
            else: done[type(mutation).__name__, change.keeps] = done.get((type(mutation).__name__, change.keeps), 0) + 1
            if change is not None and change.keeps: assert (value(net) - before).abs().max() <= 1e-5 * max(1, before.abs().max()), change.what
        lives(net)
        if len(net) < 60: population[i % 4] = net
    assert len(done) >= 8, done

def test_optimizer_state_survives():
    rng = np.random.default_rng(0)
    net = Net(x := inputvertex("x", 2), start(x, rng))
    optimizer = Settings("adam", lr=1e-3).optimizer_for(net)
    for i in range(12):
        optimizer.zero_grad(set_to_none=True)
        net(IMAGES).square().sum().backward()
        optimizer.step()
        ALL[i % len(ALL)](net, rng)
        held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        assert held == {id(p) for p in net.parameters()}
        assert all(m["exp_avg"].shape == p.shape for p, m in optimizer.state.items())
    assert len(optimizer.state) > len(held) // 2

def test_a_larger_kernel_computes_the_same_and_a_smaller_one_keeps_its_middle():
    net = Net(x := inputvertex("x", 2), "c" >> Conv(3, k=3)(x, np.random.default_rng(0)))
    before, weight = value(net), net["c"].op.weight.detach().clone()
    settings_changed(net, {net["c"]: {"kernel_size": (5, 7), "padding": (2, 3)}})
    assert torch.allclose(value(net), before, atol=1e-6) and net["c"].op.weight.shape == (3, 2, 5, 7)
    settings_changed(net, {net["c"]: {"kernel_size": (3, 3), "padding": (1, 1)}})
    assert torch.equal(net["c"].op.weight, weight)

def test_shields_hold():
    rng = np.random.default_rng(0)
    net = shield(Net(x := inputvertex("x", 2), Chain(Conv(4), Relu(), GlobalPool(), Linear(3))(x, rng)), "conv2d1", "relu1", "globalpool1", "linear1", allow=["activation"])
    for m in ALL:
        before = snapshot(net)
        if isinstance(m, ChangeActivation): assert m(net, rng) is not None; net = copy.deepcopy(net)
        else:
            assert m(net, rng) is None
            assert_same(before, snapshot(net), str(m))

def test_chances_are_exact():
    r = np.linspace(-.5, .5, 9)
    for p, odds in ((.05, 4), (.3, .1), (.9, 50)):
        q = chances(r, p, odds)
        assert abs(q.mean() - p) < 1e-9 and np.isclose(q[-1] / (1 - q[-1]) * (1 - q[0]) / q[0], odds)

def test_combinators():
    net, rng = Net(x := inputvertex("x", 2), start(x, np.random.default_rng(0))), np.random.default_rng(0)
    assert Perhaps(0., ALL[0])(net, rng) is None and Perhaps(lambda net: 1., ALL[1])(net, rng) is not None
    change = InOrder((ChangeSize(low=.5, high=.5), lambda net, rng: None, ChangeActivation()))(net, rng)
    assert change.what.startswith("sizes") and "computes" in change.what
    assert Pick((lambda net, rng: None, ChangePool()))(net, rng) is not None

def test_segments_have_one_entrance_and_one_exit():
    rng = np.random.default_rng(1)
    for _ in range(5):
        net = Net(x := inputvertex("x", 2), start(x, rng))
        for e in net:
            for s, inner in segments(net, e):
                inside = set(inner)
                assert s not in inside and e in inside and all(u is s or u in inside for v in inner for u in v.inputs)
                assert all(w in inside for v in inner if v is not e for w, _ in net.consumers(v))

def test_same_seed_same_child():
    def child():
        rng = np.random.default_rng(5)
        net = Net(x := inputvertex("x", 2), start(x, rng))
        for _ in range(5): mutations(SHAPE, rate=3)(net, rng)
        return net
    a, b = child(), child()
    assert a.sizes == b.sizes and all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values()))

def test_settings_mutate_and_cross():
    rng, a, b = np.random.default_rng(0), Settings(lr=1e-3), Settings("sgd", .1, 32, .5)
    moved = [mutate_settings(a, rng) for _ in range(2000)]
    assert abs(np.mean(np.log([m.lr / (10 if m.optimizer == "sgd" else 1) for m in moved])) - np.log(1e-3)) < .03 and {m.optimizer for m in moved} == {"adam", "adamw", "sgd", "rmsprop"} and {m.batch for m in moved} == {32, 64, 128}
    c, d = cross_settings(a, b, rng)
    assert all({getattr(c, k), getattr(d, k)} == {getattr(a, k), getattr(b, k)} for k in vars(a))

def test_maps_inside_a_fork_keep_meeting():
    rng, paths = np.random.default_rng(0), Repeat(Chain(Conv(3), Relu()), n=2)
    net = Net(x := inputvertex("x", 2), Chain(Conv(4), Fork(paths, n=3), GlobalPool(), Linear(3))(x, rng))
    shield(net, "conv2d1")
    assert ChangeStride((8, 8), strides=(2,))(net, rng) is not None
    strides = [v.op.stride[0] for v in net if isinstance(v.op, nn.Conv2d)]
    assert sorted(strides) == [1, 1, 1, 1, 2, 2, 2]     # one in each of the three paths
    lives(net)

def test_what_keeps_the_function_is_asked_of_the_rules():
    def net(norm):
        x = inputvertex("x", 4)
        return Net(x, "out" >> linear(layer(norm, "hidden" >> linear("before" >> linear(x, 6), 6)), 3))
    for norm in nn.Softmin(-1), nn.Softmax(-1), nn.LayerNorm(6), nn.Tanh():
        made, x = net(norm).eval(), torch.randn(5, 4)
        shield(made, "hidden")
        before, change = made(x), ChangeSize(low=.3, high=.5)(made, np.random.default_rng(0))
        assert change.keeps and torch.allclose(made(x), before, atol=1e-6)      # the statistic is not over what has grown
        made = shield(net(norm).eval(), "before")
        assert ChangeSize(low=.3, high=.5)(made, np.random.default_rng(0)).keeps == isinstance(norm, nn.Tanh)

def test_several_settings_are_changed_together_or_not_at_all():
    net = Net(x := inputvertex("x", 2), Chain(Conv(4), Relu(), Conv(4), GlobalPool(), Linear(3))(x, np.random.default_rng(0)))
    twin = copy.deepcopy(net)
    net.track(twin)
    seen, before = [], snapshot(net)
    net.watchers.append(seen.append)
    for wrong in {"conv2d1": {"kernel_size": 5}, "conv2d2": {"kernel_size": 4}}, {"conv2d1": {"stride": 2}, "relu1": {"activation": nn.Linear(2, 2)}}, \
                 {"relu1": {"activation": nn.ELU(), "alpha": 2.}}:
        with pytest.raises((ValueError, TypeError)): settings_changed(net, wrong)
        assert_same(before, snapshot(net), str(wrong))
    report = settings_changed(net, {"conv2d1": {"kernel_size": 5}, "conv2d2": {"stride": 2}, "relu1": {"activation": nn.ELU()}})
    assert seen == [report] and all(n["conv2d1"].op.padding == (2, 2) and n["conv2d2"].op.stride == (2, 2) and type(n["relu1"].op) is nn.ELU for n in (net, twin))
    report.undo()
    assert all(type(n["relu1"].op) is nn.ReLU and n["conv2d1"].op.kernel_size == (3, 3) for n in (net, twin)) and len(seen) == 2
