"`keep`: just these neurons stay, whatever is tied to them follows, and the net computes what it computed, less what went"
import copy, itertools, random

import numpy as np, pytest, torch
from torch import nn
from naivenas import Graph, Net, SizeError, cat, conv, globalpool, inputvertex, linear, relaxed, relu
from naivenas.graph.cut import Dense
from naivenas.graph.vertex import absorb
from naivenas.sizes.wishes import kept_just

def made(seed=0):
    "A residual sum, a concatenation, convolutions in groups; no norms, so that a silent neuron is silent everywhere"
    torch.manual_seed(seed)
    x = inputvertex("x", 3)
    a = "a" >> conv(x, 8)
    s = "s" >> relu(a) + ("b" >> conv(relu(a), 8))
    g = "g" >> conv("r" >> relu(s), 8, groups=2)
    c = "c" >> cat(relu(g), relu("d" >> conv(s, 5)))
    return Net(x, "y" >> linear("pool" >> globalpool(relu("e" >> conv(c, 6))), 7)).double()

X = torch.randn(3, 3, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

def silenced(net, plan):
    "The outputs of a copy in which each layer's rows of neurons that go are zero: reckoned by hand, without the package's own check"
    twin = copy.deepcopy(net)
    for v in net:
        if v.name not in "abdegy": continue
        gone = sorted({*range(v.nout)} - {*plan.out(v).tolist()})
        op = twin[v.name].op
        with torch.no_grad():
            op.weight[gone] = 0
            op.bias[gone] = 0
    with torch.no_grad(): return twin(X)

@pytest.mark.parametrize("seed", range(5))
def test_just_these_stay_and_all_else_is_as_it_was(seed):
    r, net = random.Random(seed), made(seed)
    done = 0
    for name in "asbdecgy":
        n = net.sizes[name]
        some = r.sample(range(n), r.randrange(1, n + 1))
        try: plan = net.keep_plan(name, some)
        except SizeError:
            assert name in "cgsab", name      # groups, and what is tied to them, may say no
            continue
        assert plan.out(name).tolist() == sorted(some)
        want, got = silenced(net, plan), copy.deepcopy(net)
        got.keep(name, some)
        assert got.sizes[name] == len(some)
        with torch.no_grad(): assert torch.allclose(got(X), want[:, plan.out("y")], atol=1e-12)
        for other in "abdegcsy":      # whoever is not tied keeps everything
            if other not in {name} and not set(plan.table.index) & {other}: assert plan.out(other).tolist() == [*range(net.sizes[other])]
        done += 1
    assert done >= 3

def test_ten_of_a_thousand_classes():
    torch.manual_seed(0)
    m = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 1000)).double()
    x = torch.randn(6, 20, dtype=torch.float64)
    want, few = m(x).detach(), [999, 3, 17, 4, 500, 23, 42, 7, 77, 0]
    net = Net.from_torch(m, x, share=False)
    report = net.keep("2", few)
    assert torch.equal(net(x), want[:, sorted(few)]) or torch.allclose(net(x), want[:, sorted(few)], atol=1e-14)
    checked = report.verify(x)
    assert checked.agrees and checked.table.loc["2"].tolist()[:3] == [1000, 10, 10]
    assert net.sizes["0"] == 30 and "keeps just 0, 3, 4" in report.summary
    report.undo()
    assert torch.equal(net(x), want)

@pytest.mark.parametrize("how", [[1, 4], (4, 1), np.array([1, 4]), torch.tensor([4, 1]), {1, 4}, range(1, 5, 3), [False, True, False, False, True], np.arange(5) % 3 == 1, [np.int8(1), 4.]])
def test_places_are_said_in_many_ways(how):
    net = made()
    assert net.keep_plan("d", how).out("d").tolist() == [1, 4]

@pytest.mark.parametrize("name, how, error, words", [
    ("d", [5], ValueError, ["d has the neurons 0 to 4", "no 5"]), ("d", [-1], ValueError, ["no -1"]), ("d", [1, 1], ValueError, ["1 of d", "twice"]),
    ("d", [], SizeError, ["d would be left without neurons"]), ("d", [False] * 5, SizeError, ["without neurons"]), ("d", [True] * 4, ValueError, ["5 neurons", "4 entries"]),
    ("d", "all", TypeError, ["d", "'all'", "whole numbers from 0 to 4"]), ("d", 3, TypeError, ["whole numbers", "3"]), ("d", None, TypeError, ["None"]), ("d", [.5], TypeError, ["0.5"]),
    ("d", ["1"], TypeError, ["'1'"]), ("x", [0], SizeError, ["x keeps just 0", "input"]), ("dd", [0], KeyError, ["dd"])])
def test_what_cannot_be_kept_is_told(name, how, error, words):
    net = made()
    before, version = copy.deepcopy(net.state_dict()), net.version
    for verb in net.keep, net.keep_plan:
        with pytest.raises(error) as e: verb(name, how)
        assert all(w in str(e.value) for w in words), e.value
    assert net.version is version and all(torch.equal(t, before[k]) for k, t in net.state_dict().items())

def test_frozen_and_groups_say_no():
    net = made()
    with pytest.raises(SizeError, match="d keeps its 5 neurons \\(frozen\\)"): net.keep("d", [0], frozen=["d"])
    with pytest.raises(SizeError, match="groups"): net.keep("g", [0, 1, 2])
    net.keep("g", [0, 1, 6, 7])
    assert net["g"].op.groups == 2 and net.sizes["g"] == 4 and net(X).shape == (3, 7)

def test_several_and_wishes_and_twins():
    net = made()
    plan = net.plan({"e": -2}, keep={"d": [0, 2], "y": [6]})
    assert (plan.out("d").tolist(), plan.out("y").tolist(), len(plan.out("e"))) == ([0, 2], [6], 4)
    net.plan(keep={"a": [0, 1, 4, 5], "b": [0, 1, 4, 5]})
    with pytest.raises(SizeError, match="a keeps just 0, 1, 4, 5"): net.plan(keep={"a": [0, 1, 4, 5], "b": [2, 3, 6, 7]})     # the two are added up
    with pytest.raises(ValueError, match="d has a wish"): net.plan({"d": -1}, keep={"d": [0]})
    with pytest.raises(ValueError, match="named twice"): net.plan(keep={"d": [0], net["d"]: [0]})
    with pytest.raises(TypeError, match="keep="): net.plan(keep=[0])
    assert net.plan({"d": relaxed(-1)}, keep={"e": [0]}).out("e").tolist() == [0]
    x = inputvertex("x", 2)
    a = "a" >> linear(x, 3)
    twice = Net(x, linear("two" >> cat(a, a), 1))
    with pytest.raises(SizeError, match="one and the same"): twice.keep("two", [0, 1])
    assert twice.keep("two", [0, 3]).plan.out("a").tolist() == [0]

def test_with_an_edit_and_on_a_plain_graph():
    net = made()
    net.insert(lambda v: "new" >> conv(v, v.nout), after="d", keep={"d": [1, 3]})
    assert net.sizes["d"] == 2 and net(X).shape == (3, 7)
    x = inputvertex("x", 3)
    g = Graph(x, "y" >> absorb(Dense(4, 6), "h" >> absorb(Dense(3, 4), x)))
    rows, values = g["y"].op.w[[1, 5]].copy(), np.ones((2, 3))
    want = g(values)[:, [1, 5]]
    g.keep("y", [5, 1])
    assert np.array_equal(g["y"].op.w, rows) and np.allclose(g(values), want)

def test_the_optimizer_follows():
    net = made()
    o = torch.optim.Adam(net.parameters())
    net.track(o)
    net(X).sum().backward()
    o.step()
    state = o.state[net["y"].op.weight]["exp_avg"][[2, 4]].clone()
    net.keep("y", [4, 2])
    assert torch.equal(o.state[net["y"].op.weight]["exp_avg"], state)
    o.zero_grad()
    net(X).sum().backward()
    o.step()

def test_by_brute_force_which_subsets_of_a_sum_of_groups_can_be_had():
    "c (two groups of two) is added to a: just those subsets with equally many in each half"
    x = inputvertex("x", 3)
    a = "a" >> conv(x, 4)
    net = Net(x, "y" >> conv("s" >> a + ("c" >> conv(a, 4, groups=2)), 2))
    for some in itertools.chain.from_iterable(itertools.combinations(range(4), k) for k in range(1, 5)):
        fits = sum(n < 2 for n in some) == sum(n >= 2 for n in some)
        try: found = net.keep_plan("a", some).out("c").tolist()
        except SizeError: found = None
        assert found == ([*some] if fits else None), some

def test_long_lists_are_told_in_short():
    x = inputvertex("x", 3)
    net = Net(x, "y" >> linear(x, 100))
    assert str(kept_just(net, {"y": range(50)})[0]) == "y keeps just 0, 1, 2, 3, 4, 5, 6, 7, ... (50) of its 100 neurons"
