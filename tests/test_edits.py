"""Edits against the slow, plain oracle, and long walks of edits and resizes on one graph.

`pytest -m slow tests/test_edits.py` walks 20,000 steps.
"""
import copy, random
from collections import Counter

import numpy as np, pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from naivenas.graph.cut import Dense
from naivenas.sizes.wishes import relaxed
from naivenas.sizes.edits import Draft
from naivenas import Graph
from naivenas.sizes.wires import ties
from naivenas.graph.vertex import inputvertex, invariant
from naivenas.graph.moves import cat
from naivenas.graph.roles import SizeError
from edits import EditOracle, Rewired, random_edit, verb_of
from oracle import values_of
from test_oracle import dense, random_graph, random_question, state

def opened(g):
    "The same graph with a layer behind each output, so that there is something to edit"
    ends = [dense(v, 2) for v in g.outputs]
    return Graph(g.inputs, ends[0] if len(ends) == 1 else ends)

def asked(g, edit, exact, gentle, options, utility, solver):
    "What the package says (a plan, or why not), and the oracle that judges it"
    what, _, inputs, outputs = edit
    name, given, how = verb_of(edit)
    draft = getattr(Draft(g), name)(*given, **how)
    wishes = {v: relaxed(d) if v in gentle else d for v, d in (exact | gentle).items()}
    now = Rewired(g, inputs, outputs, what in ("disconnect", "cut"))
    wishes = {v: d for v, d in wishes.items() if v in now.of}
    before = state(g)
    try: plan, why = draft.plan(wishes, by=lambda v: utility.get(v), solver=solver, **options), None
    except (SizeError, ValueError) as e: plan, why = None, e
    assert state(g) == before
    pinned = now.pinned(wishes, options["frozen"])
    bounds = {k: n for k, n in options.items() if k != "frozen"}
    make = lambda: EditOracle(list(now.of.values()), pinned, {now.of[v]: v.nout for v in now.of}, **bounds)
    return plan, why, now, make

def fixed_rule(why): return any(s in str(why) for s in ("fixed rule", "one of them repeats", "needs the same number of heads", "cannot follow", "would be left without"))

def examine(r, g):
    edit = random_edit(r, g)
    if edit is None: return "no edit"
    exact, gentle, _, options = random_question(r, g)
    options["frozen"] = [v for v in options["frozen"] if v.role != "input"]
    utility = {v: np.array([round(r.uniform(-1, 2), 2) for _ in range(v.nout)]) for v in g if v.role == "absorb"}
    note(f"{edit} {exact} {gentle} {options}")
    plan, why, now, make = asked(g, edit, exact, gentle, options, utility, r.choice(("HiGHS", "HiGHS", "CBC", "Gurobi")))
    before = {w: v.nout for v, w in now.of.items()}
    exact, gentle = ({now.of[v]: d for v, d in wishes.items() if v in now.of} for wishes in (exact, gentle))
    if why is not None:
        if not isinstance(why, SizeError): return "refused by its inputs"
        if now.maps or fixed_rule(why): return "refused, with index maps"
        if not now.meets and (options["least"], options["max_new"], options["multiple_of"]) != (1, None, 1): return "refused with bounds where sizes do not meet"
        impossible = any(before[w] + d < 1 for w, d in exact.items())
        assert impossible or make().optimum(exact, gentle, {w: np.zeros(w.nout) for w in now.of.values()}, before) is None, f"refused, but possible: {why}"
        return "refused" if now.meets else "refused where sizes do not meet"
    if not now.meets: return "planned where sizes do not meet"
    worth = {w: utility.get(v, np.ones(v.nout) * (v.role == "absorb")) if v.role == "absorb" else np.zeros(w.nout) for v, w in now.of.items()}
    best = make().optimum(exact, gentle, worth, before)
    assert best is not None, "planned, but impossible"
    got = levels(plan, now, exact, gentle, utility, {w: len(plan.out(v)) for v, w in now.of.items()}, before)
    assert np.allclose(got, best, rtol=1e-6, atol=1e-6), f"{got} instead of {best}"
    return "planned"

def levels(plan, now, exact, gentle, utility, size, before):
    "The six levels' values, read off the plan's own lists"
    values = []
    if gentle:
        moved = [(size[v] - before[v]) * np.sign(d) for v, d in gentle.items() if d]
        far = [abs(size[v] - before[v] - d) for v, d in gentle.items()]
        values += [-sum(m >= 1 for m in moved), sum(m <= -1 for m in moved), sum(far), max(far)]
    made = [v for v in now.of if v.role == "absorb"]
    values.append(-sum(utility.get(v, np.ones(v.nout))[i] for v in made for i in plan.out(v) if i >= 0))
    values.append(sum((plan.out(v) < 0).sum() for v in made))
    change = [abs(size[w] - before[w]) / before[w] for w in now.of.values()]
    return [float(x) for x in values + [max(change), sum(change)]]

def test_edits_are_optimal():
    said = sweep(300, derandomize=True)
    assert said["planned"] > 36 and said["refused"] > 3, said

@pytest.mark.slow
def test_many_edits_are_optimal(): sweep(3000)

def sweep(many, **how):
    said = Counter()
    @settings(max_examples=many, deadline=None, database=None, suppress_health_check=list(HealthCheck), **how)
    @given(st.builds(random.Random, st.integers(0, 2**32)))
    def ask(r):
        g = opened(random_graph(r))
        note("\n".join(map(repr, g)))
        said[examine(r, g)] += 1
    with np.errstate(all="ignore"): ask()
    print(dict(said))
    return said

# ------------------------------------------------------------------------------------------------------ long walks

PLAIN = dict(frozen=[], least=1, max_new=None, multiple_of=1)

def family():
    "A graph without index maps: a residual chain with a concatenation in it"
    x = inputvertex("x", 3)
    v = dense(x, 4)
    for _ in range(3): v = cat(v + dense(invariant(np.tanh, v), v.nout), dense(v, 2))
    return Graph(x, dense(v, 2))

def fits(g, width):
    "Every vertex reads what it was made for, and the graph runs"
    for v in g:
        nin = [u.nout for u in v.inputs]
        if v.role == "absorb": assert (v.op.nin, v.op.nout) == (nin, v.nout) and v.op.b.shape == (v.nout,)
        if v.role == "stack": assert v.nout == sum(nin)
        if v.role == "invariant": assert set(nin) == {v.nout}
    assert g(np.ones((1, width))).shape == (1, 2)
    known, anew = g.ties, ties(g.vertices)      # what the graph remembers is how it is now
    assert known.wires == anew.wires and all(np.array_equal(known.labels[v], anew.labels[v]) for v in g)

def test_ties_are_remembered_until_somebody_changes_the_graph():
    x = inputvertex("x", 3)
    a, b = "a" >> dense(x, 4), "b" >> dense(x, 4)
    g = Graph(x, "y" >> dense("sum" >> a + b, 2))
    known = g.ties
    assert g.ties is known and g.plan({"a": 1}).ties is known and copy.deepcopy(g).ties is not known
    g["sum"].inputs[1] = a                      # by hand, behind the graph's back
    assert g.ties is not known and not np.array_equal(g.ties.labels[a], g.ties.labels[b])
    g["y"].op = Dense(4, 5)
    g["y"].nout = 5
    assert len(g.ties.labels[g["y"]]) == 5

def wish(r, g):
    v = r.choice([v for v in g if v.role != "input" and v not in g.outputs])
    return v, r.choice((-3, -2, -1)) if v.nout > 9 else r.choice((-2, -1, 1, 2))

def step(r, g):
    "One more resize or edit, done or rightly refused; what it was"
    if r.random() < .5:
        (v, d), gentle = wish(r, g), r.random() < .3
        edit, exact = ("resize", (), {}, g.outputs), {} if gentle else {v: d}
        try: g.resize(v, relaxed(d) if gentle else d)
        except SizeError as e: why = e
        else: return "resize"
    else:
        edit, exact = random_edit(r, g), {}
        if edit is None or len(g) > 30 and edit[0] in ("insert", "connect"): return "nothing"
        if edit[0] == "connect" and (sum(u.nout for u in edit[1][1].inputs) > 30 or len(edit[1][1].inputs) > 3): return "nothing"
        name, given, how = verb_of(edit)
        try: getattr(g, name)(*given, **how)
        except SizeError as e: why = e
        else: return edit[0]
    now = Rewired(g, edit[2], edit[3], edit[0] in ("disconnect", "cut"))
    oracle = EditOracle(list(now.of.values()), now.pinned(exact, []), {now.of[v]: v.nout for v in now.of})
    for v, d in exact.items(): oracle.row(oracle.size(now.of[v]), v.nout + d, v.nout + d)
    assert any(v.nout + d < 1 for v, d in exact.items()) or oracle.solve({}) is None, f"refused, but possible: {why}"
    return "refused"

def walk(seed, steps):
    r, said, g = random.Random(seed), Counter(), family()
    while said.total() - said["nothing"] < steps:
        said[step(r, g)] += 1
        fits(g, 3)
        if len(g) < 6: g = family()
    print(dict(said))
    return said

def test_a_long_walk():
    said = walk(0, 500)
    assert min(said[k] for k in ("resize", "insert", "remove", "connect", "disconnect", "cut", "segment")) > 4 and said["refused"] > 9, said

@pytest.mark.slow
def test_a_very_long_walk(): walk(1, 20_000)

def test_settings_are_no_places_for_an_edge():
    import torch
    from naivenas import Net, attention, conv, convtranspose, linear, lstm
    made = {"lstm": (lambda h: lstm(h, 3), linear, torch.randn(2, 5, 4)), "convtranspose": (lambda h: convtranspose(h, 4), conv, torch.randn(2, 4, 8, 8)),
            "attention": (lambda h: attention(h, 2), linear, torch.randn(2, 5, 4))}
    for name, (build, first, values) in made.items():
        x = inputvertex("x", 4)
        h = "h" >> first(x, 4)
        net = Net(x, build(h))
        want = net(values)
        for v in [v for v in net if v.role not in ("input", "stack") and v is not h]:
            with pytest.raises(ValueError, match="takes . inputs?, not"): net.connect(h, v)
        assert torch.equal(net(values), want)

def test_a_pixel_shuffles_blocks_cannot_be_edited_away():
    import torch
    from naivenas import Net, conv, pixelshuffle
    x = inputvertex("x", 3)
    net = Net(x, "y" >> conv(pixelshuffle("c" >> conv(x, 8), 2), 2))
    helper = next(v for v in net if v.nout == 8 and len(v.inputs) == 1 and v.name != "c")
    with pytest.raises(ValueError, match="part of a pixel shuffle"): net.remove(helper)
    with pytest.raises(ValueError, match="part of a pixel shuffle"): net.replace(helper, lambda v: conv(v, 8))
    with pytest.raises(SizeError): net.resize("c", -1)
    net.resize("c", -4)
    assert net(torch.rand(1, 3, 4, 4)).shape == (1, 2, 8, 8)
