"Plans within budgets, against all that there are: a hand-written formula for what a net costs, and every combination of widths"
import itertools
import numpy as np, pytest, torch
from torch import nn
from naivenas import Net, SizeError, cat, conv, globalpool, inputvertex, linear, relu, solvers
from naivenas.sizes.bounding import Choice, Relaxed
from naivenas.sizes.costs import Affine, Cost
from naivenas.sizes.elimination import cheapest_order, largest_sum
from naivenas.sizes.filling import Steps, searched

class Random:
    "A small net of convolutions whose widths a, b, c, d can be chosen: a chain, with a sum of two layers and a concatenation"
    def __init__(self, rng, most=5):
        self.w = dict(zip("abcd", rng.integers(2, most + 1, 4).tolist()))
        self.shape, x = int(rng.integers(2, 5)), inputvertex("x", 2)
        a = "a" >> conv(x, self.w["a"], k=1)
        b1 = "b" >> conv(relu(a), self.w["b"], k=1)
        b = b1 + ("b2" >> conv(a, self.w["b"], k=1))            # b and b2 are tied
        c = "c" >> conv(b, self.w["c"], k=3)
        d = "d" >> conv(cat(c, b), self.w["d"], k=1)
        self.net = Net(x, "y" >> linear(globalpool(d), 3))
        self.example = torch.rand(2, 2, self.shape, self.shape)
        self.worth = {k: rng.integers(0, 8, n).astype(float) + rng.random(n) for k, n in self.w.items()}
        self.worth["b2"] = rng.random(self.w["b"])

    def by(self, v): return self.worth.get(v.name)

    def params(self, a, b, c, d):
        return 2 * a + a + 2 * (a * b + b) + (9 * b * c + c) + ((c + b) * d + d) + 3 * d + 3

    def macs(self, a, b, c, d):
        return self.shape ** 2 * (2 * a + 2 * a * b + 9 * b * c + (c + b) * d) + 3 * d

    def memory(self, a, b, c, d):     # 4 bytes each: what is alive at each moment of the program
        n = self.shape ** 2
        return 4 * max(n * (2 + a), n * (a + a), n * (a + a + b), n * (a + 2 * b), n * 3 * b, n * (b + c), n * (2 * b + 2 * c),
                       n * (b + c + d), n * d + d, d + 3)

    def best(self, limits, step=1):
        "The most importance within the limits, by trying everything; None if there is nothing"
        wires = {k: np.sort(self.worth[k])[::-1] for k in "acd"} | {"b": np.sort(self.worth["b"] + self.worth["b2"])[::-1]}
        found = [sum(wires[k][:n].sum() for k, n in zip("abcd", some))
                 for some in itertools.product(*(range(step, self.w[k] + 1, step) for k in "abcd"))
                 if all(getattr(self, name)(*some) <= most for name, most in limits.items())]
        return max(found, default=None)

def held_against_everything(rng, solver):
    "A random net under one to three budgets: whether anything fits; AssertionError unless the plan agrees, and is the best"
    r = Random(rng)
    full = [r.w[k] for k in "abcd"]
    names = rng.choice(["params", "macs", "memory"], rng.integers(1, 4), replace=False)
    limits = {n: float(round(getattr(r, n)(*full) * rng.uniform(.15, .9))) for n in names}
    best = r.best(limits)
    def ask(): return r.net.prune_plan(by=r.by, normalise=False, gap=0, example=r.example, solver=solver, **limits)
    if best is None:
        with pytest.raises(SizeError, match="is impossible: .* is the least that can be had"): ask()
        return False
    plan = ask()
    plan.apply()
    now = [r.net.sizes[k] for k in "abcd"]
    assert all(getattr(r, name)(*now) <= most for name, most in limits.items()), (limits, now)
    assert plan.utility[plan.decision.kept].sum() == pytest.approx(best, abs=1e-6), (limits, solver, now)
    assert not plan.decision.gap and solver in (None, getattr(plan.decision.solution, "solver", solver))
    return True

@pytest.mark.parametrize("seed", range(12))
def test_the_best_within_one_to_three_budgets(seed):
    rng = np.random.default_rng(seed)
    for solver in None, "CBC", "HiGHS": held_against_everything(rng, solver)

@pytest.mark.slow
@pytest.mark.parametrize("solver", ["Gurobi", "CBC", "HiGHS"])
def test_five_hundred_nets(solver):
    if not solvers().usable[solver]: pytest.skip(f"{solver} is not usable here")
    fits = sum(held_against_everything(np.random.default_rng([500, seed]), solver) for seed in range(500))
    print(f"{solver}: 500 nets, {fits} have a best plan, and it is found; {500 - fits} have none, and are refused")
    assert 100 < fits < 500

def test_counts_are_those_of_the_formula():
    rng = np.random.default_rng(3)
    for _ in range(5):
        r = Random(rng)
        full = [r.w[k] for k in "abcd"]
        plan = r.net.prune_plan(.5, r.by)
        table = plan.counts(r.example)
        plan.apply()
        now = [r.net.sizes[k] for k in "abcd"]
        for name in "params", "macs", "memory":
            assert table[name]["total"] == getattr(r, name)(*full)
            assert table[f"after {name}"]["total"] == getattr(r, name)(*now)
        assert r.net.counts(r.example).loc["total"].tolist() == [getattr(r, name)(*now) for name in ("params", "macs", "memory")]

class Gained(nn.Conv2d):
    "A convolution whose weights are multiplied by a factor for each channel, an array of as many axes"
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.gain = nn.Parameter(torch.ones(sizes[1], 1, 1, 1))
    def forward(self, x): return nn.functional.conv2d(x, self.weight * self.gain, self.bias)

def test_factors_of_weights_multiply_nothing():
    net = Net.from_torch(nn.Sequential(Gained(2, 8, 1), nn.ReLU(), Gained(8, 6, 1)), torch.rand(2, 2, 3, 3))
    plan = net.plan({"0": -5})
    assert plan.counts().loc["total", ["macs", "after macs"]].tolist() == [9 * (2 * 8 + 8 * 6), 9 * (2 * 3 + 3 * 6)]

@pytest.mark.parametrize("seed", range(4))
def test_the_bound_holds_and_is_near(seed):
    rng = np.random.default_rng(seed)
    n = 5
    choices = [Choice(np.arange(1, m + 1), np.cumsum(np.sort(rng.random(m))[::-1])) for m in rng.integers(2, 8, n)]
    def one(i): return Affine(np.array([i]), np.array([float(rng.integers(1, 4))]), float(rng.integers(0, 2)))
    def some(): which = rng.choice(n, 3, replace=False); return Affine(which, np.ones(3), 0.)
    costs = [Cost([(rng.random(), one(rng.integers(n)), some()) for _ in range(5)]) for _ in range(2)]
    full = np.array([c.values[-1] for c in choices])
    limits = [c.at(full) * .5 for c in costs]
    all_of_them = [np.array(x) for x in itertools.product(*(c.values for c in choices))]
    fits = [x for x in all_of_them if all(c.at(x) <= l for c, l in zip(costs, limits))]
    best = max(sum(c.worth[x - 1] for c, x in zip(choices, n)) for n in fits)
    numbers, worth, bound = searched(Relaxed(choices, costs, limits), Steps(choices, costs, limits), 0., 10)
    assert bound >= best - 1e-9 >= worth - 2e-9
    assert all(c.at(numbers) <= l * (1 + 1e-8) for c, l in zip(costs, limits))
    assert sum(c.worth[x - 1] for c, x in zip(choices, numbers)) == pytest.approx(worth)
    assert (bound - worth) / worth < .1

def test_the_largest_sum_of_tables():
    rng = np.random.default_rng(0)
    for _ in range(20):
        sizes = rng.integers(1, 5, 5)
        scopes = [tuple(rng.choice(5, k, replace=False).tolist()) for k in (1, 1, 2, 2, 3)] + [(i,) for i in range(5)]
        tables = [(s, rng.normal(size=sizes[[*s]])) for s in scopes]
        near = [{j for s in scopes if i in s for j in s} - {i} for i in range(5)]
        top, where = largest_sum(tables, cheapest_order(near, sizes)[0])
        value = lambda at: sum(t[tuple(at[i] for i in s)] for s, t in tables)
        assert top == pytest.approx(max(map(value, itertools.product(*map(range, sizes)))))
        assert value(where) == pytest.approx(top)

def test_a_table_of_times_is_a_budget(monkeypatch):
    "A clock by which each layer takes as long as it multiplies: half the time is half the multiplications"
    import naivenas.nets.latency as latency
    def by_multiplications(net, inputs, repeats):
        counted = net.counts(*inputs)
        return {v.name: float(counted.macs.get(v.name, 0)) / 1e3 + .002 for v in net.vertices[1:]}
    monkeypatch.setattr(latency, "timed", by_multiplications)
    r = Random(np.random.default_rng(5), 6)
    table = r.net.latency_table(r.example)
    assert table.error.max() < 1e-6
    for share in .7, .4:
        most = share * table.ms.sum() - .002 * len(table)          # without what is there whatever the widths
        mine = r.net.prune_plan(by=r.by, normalise=False, latency=share, example=r.example)
        macs = r.net.prune_plan(by=r.by, normalise=False, macs=1e3 * most, example=r.example)
        assert {v.name: len(mine.out(v)) for v in r.net} == {v.name: len(macs.out(v)) for v in r.net}
    r.net.insert(relu, after="a")
    with pytest.raises(ValueError, match="how long does relu2 take"): r.net.prune_plan(latency=.5, example=r.example)

@pytest.mark.parametrize("seed", range(4))
def test_grown_as_far_as_a_budget_goes(seed):
    "By a formula of its own: within the budget, and all layers a neuron wider would be beyond it"
    rng = np.random.default_rng(seed)
    r = Random(rng)
    name = ["params", "macs"][seed % 2]
    most = 8 * getattr(r, name)(*r.w.values())
    r.net.grow(to={name: most}, example=r.example)
    now = {k: r.net[k].nout for k in "abcd"}
    assert getattr(r, name)(*now.values()) <= most < getattr(r, name)(*(n + 1 for n in now.values()))
    rates = [now[k] / r.w[k] for k in "abcd"]
    assert max(rates) - min(rates) < 1 / min(r.w.values()), (r.w, now)

def test_the_curve_is_what_each_budget_gives():
    r = Random(np.random.default_rng(3), 6)
    table = r.net.tradeoff("params", by=r.by, normalise=False, points=5)
    whole, full = r.best({}), r.params(*r.w.values())
    for share, kept in zip((1., .8, .6, .4, .2), table.kept): assert np.isclose(kept * whole, r.best({"params": share * full})), share
    assert len(table) == 5 or r.best({"params": full * (1 - len(table) / 5)}) is None

def test_options_that_no_curve_can_keep_are_refused_and_not_an_empty_table():
    r = Random(np.random.default_rng(3), 6)
    with pytest.raises(SizeError, match="at least 100"): r.net.tradeoff("params", by=r.by, least=100)
