"Layers in groups against the slow oracle: equally many in each group, whole groups that stay or go, or both"
import copy, random
from collections import Counter

import numpy as np, pytest, torch
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from torch import nn

from naivenas.graph.cut import Cut, Dense, GroupCut, regrouped
from naivenas.nets.layers import conv, convtranspose, linear
from naivenas.nets.norms import globalpool, groupnorm
from naivenas import Net
from naivenas.sizes.wishes import relaxed
from naivenas import Graph
from naivenas.graph.vertex import absorb, inputvertex
from naivenas.graph.moves import cat, shuffle
from naivenas.graph.roles import SizeError
from oracle import Oracle, values_of
from test_oracle import consistent, dense, outputs, pinned, random_question, state

class Grouped:
    "A toy layer whose outputs of one group read the inputs of the same group only"
    def __init__(self, nin, nout, groups, seed):
        self.w, self.groups, self.b = np.random.default_rng(seed).normal(size=(nout, nin // groups)), groups, np.zeros(nout)
    nin, nout = property(lambda self: [self.w.shape[1] * self.groups]), property(lambda self: len(self.w))
    def whole(self):
        "The same weights as one matrix"
        w, (rows, columns) = np.zeros((self.nout, *self.nin)), self.w.shape
        for o in range(rows): w[o, (start := o * self.groups // rows * columns):start + columns] = self.w[o]
        return w
    def __call__(self, x): return x @ self.whole().T + self.b
    def resize(self, ins, out):
        many = regrouped(self.groups, (out, self.nout), (ins[0], *self.nin))
        return {"w": GroupCut(out, ins[0], self.groups, self.w.shape[1]), "b": Cut({0: out}), "groups": many}

class GroupOracle(Oracle):
    def __init__(self, vertices, pinned, how, **bounds):
        super().__init__(vertices, pinned, **bounds)
        for v in vertices:
            if not hasattr(v.op, "groups"): continue
            sides, big = [], 1000
            for u in v, v.inputs[0]:
                each = u.nout // v.op.groups
                sides.append([dict.fromkeys(self.kept[u][a:a + each] + self.new[u][a:a + each], 1) for a in range(0, u.nout, each)])
            stays = [self.column(0, 1) for _ in range(v.op.groups)]
            for u, side in zip((v, v.inputs[0]), sides):
                many = self.column(1, np.inf)
                for size, stay in zip(side, stays):
                    minus = {j: -1 for j in size}
                    if how == "equal": self.row(minus | {many: 1}, 0, 0)
                    elif how == "whole": self.row(minus | {stay: u.nout // v.op.groups}, 0, 0)
                    else:    # 0, or as many as in the others
                        self.row(size | {stay: -big}, -np.inf, 0)
                        self.row(size | {many: -1}, -np.inf, 0)
                        self.row(minus | {many: 1, stay: big}, -np.inf, big)

def random_graph(r):
    "A few layers, some in groups, some shuffled, added or concatenated"
    x = inputvertex("x", 2)
    made = [dense(x, r.choice((2, 4, 6)))]
    for i in range(r.randint(1, 5)):
        v = r.choice(made[-3:])
        ways = [k for k in (2, 3, 4) if v.nout % k == 0]
        same = [u for u in made if u.nout == v.nout]
        what = r.choice("grouped grouped grouped dense add cat shuffle".split())
        if what == "grouped" and ways: v = absorb(Grouped(v.nout, (k := r.choice(ways)) * r.randint(1, 3), k, i), v)
        elif what == "add": v = v + r.choice(same)
        elif what == "cat": v = cat(v, r.choice(made))
        elif what == "shuffle" and ways: v = shuffle(v, r.choice(ways))
        else: v = dense(v, r.choice((2, 3, 4, 6)))
        if v.nout <= 12: made.append(v)
    return Graph(x, dense(made[-1], 2))

def examine(g, exact, gentle, utility, options, how, solver):
    wished, best = exact | gentle, None
    bounds = {k: n for k, n in options.items() if k != "frozen"}
    if all(v.nout + d > 0 for v, d in exact.items()): best = GroupOracle(g.vertices, pinned(g, wished, options["frozen"]), how, **bounds).optimum(exact, gentle, utility)
    before = state(g)
    try: plan = g.plan({v: relaxed(d) if v in gentle else d for v, d in wished.items()}, by=utility, groups=how, solver=solver, **options)
    except SizeError as e:
        in_the_way = "by a fixed rule" in str(e) or "one of them repeats" in str(e)
        assert best is None or in_the_way and best[-3] > 0, f"refused, but possible: {e}"
        assert state(g) == before
        return "refused"
    assert best is not None, "planned, but impossible"
    lists, ins = {v: plan.out(v).tolist() for v in g}, {v: [i.tolist() for i in plan.ins(v)] for v in g}
    assert np.allclose(values_of(lists, exact, gentle, utility), best, rtol=1e-6, atol=1e-6), f"{values_of(lists, exact, gentle, utility)} instead of {best}"
    consistent(lists, ins, g)
    twin = copy.deepcopy(g)
    for v in twin:
        if isinstance(v.op, Grouped):
            whole = Dense(*v.op.nin, v.op.nout)
            whole.w, whole.b, v.op = v.op.whole(), v.op.b, whole
    twin._settle()
    for v in g:
        if v.role == "absorb": twin[v.name].op.w[:, np.setdiff1d(np.arange(v.inputs[0].nout), ins[v][0])] = 0
    x = [np.linspace(.1, 1, 2)[None]]
    fewer = {v: v.op.groups for v in g if isinstance(v.op, Grouped)}
    plan.apply()
    for v, old, new in zip(g.outputs, outputs(twin, x), outputs(g, x)):
        assert np.allclose([old[i] for i in lists[v] if i >= 0], [x for x, i in zip(new, lists[v]) if i >= 0])
    return "dropped groups" if any(v.op.groups < n for v, n in fewer.items()) else "planned"

@pytest.mark.parametrize("how", ["equal", "whole", "both"])
def test_groups_are_optimal(how, many=80):
    said = Counter()
    @settings(max_examples=many, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False) | st.builds(random.Random, st.integers(0, 2**32)))
    def ask(r):
        g = random_graph(r)
        question = random_question(r, g)
        note("\n".join(map(repr, [*g, *question])))
        said[examine(g, *question, how, r.choice(("HiGHS", "HiGHS", "CBC", "Gurobi")))] += 1
    with np.errstate(all="ignore"): ask()
    assert said["planned"] + said["dropped groups"] > many // 3 and (how == "equal") == (not said["dropped groups"]), said

@pytest.mark.slow
@pytest.mark.parametrize("how", ["equal", "whole", "both"])
def test_many_groups_are_optimal(how): test_groups_are_optimal(how, 1500)

def grouped_net(make, n=12):
    torch.manual_seed(0)
    image = inputvertex("image", 3)
    return Net(image, linear(globalpool("g" >> make("a" >> conv(image, n))), 2)).double().eval()

@pytest.mark.parametrize("make", [lambda v: conv(v, 8, groups=4), lambda v: convtranspose(v, 8, groups=4), lambda v: groupnorm(v, 4)])
def test_a_whole_group_goes(make):
    "The group that is worth least; what stays computes as it did"
    net, x = grouped_net(make), torch.randn(2, 3, 6, 6, dtype=torch.float64)
    g, per = net["g"].nout, net["g"].nout // 4
    worth = np.ones(g)
    worth[per:2 * per] = .1
    was, op = copy.deepcopy(net), next(v.op for v in net if getattr(v.op, "groups", 1) > 1)
    heads = net[-1].op.weight.detach().clone()
    net.resize({"g": -per}, by={"g": worth}, groups="whole")
    stay = np.r_[0:per, 2 * per:g]
    assert op.groups == 3 and net["g"].nout == g - per and net["a"].nout == 9 and getattr(op, "num_groups", 3) == 3
    assert torch.equal(net[-1].op.weight, heads[:, stay])
    was[-1].op.weight.data[:, per:2 * per] = 0
    assert torch.allclose(was(x), net(x), atol=1e-12)

def test_each_layer_in_its_own_way():
    image = inputvertex("image", 3)
    a = "a" >> conv(image, 12, groups=3)
    b = "b" >> conv("a plain" >> conv(a, 12), 12, groups=3)
    net = Net(image, linear(globalpool(b), 2))
    assert net.plan({"b": -4}, groups={"b": "whole"}).out("b").size == 8
    with pytest.raises(SizeError, match="b has 3 groups that stay or go as they are"): net.plan({"b": -3}, groups={"b": "whole"})
    with pytest.raises(SizeError, match="b has equally many in each of its 3 groups"): net.plan({"b": -4})
    for wrong in {"b": "some"}, "some":
        with pytest.raises(ValueError, match="'equal', 'whole' or 'both'.* not 'some'"): net.plan({"b": -4}, groups=wrong)
    with pytest.raises(ValueError, match="a plain.* no groups"): net.plan(groups={"a plain": "whole"})

def test_equal_groups_need_no_program():
    "32 groups, all in one bundle"
    net = grouped_net(lambda v: conv(v, 128, groups=32), 128)
    assert net.prune_plan(.7, {v: np.random.default_rng(0).random(v.nout) for v in net if v.role == "absorb"}).decision.problem is None
