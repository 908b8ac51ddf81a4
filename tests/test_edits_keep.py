"""Edits keep what readers knew: every column whose neuron survives is kept, by an oracle that follows neurons through the graph by itself.

`pytest -m slow tests/test_edits_keep.py` tries 5,000 edits.
"""
import random
from collections import Counter
import numpy as np, pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from naivenas import Graph, SizeError
from naivenas.graph.moves import cat, split
from naivenas.graph.vertex import add, inputvertex, invariant, mul
from naivenas.sizes.edits import Draft
from edits import random_edit, verb_of
from test_oracle import dense

def made_of(vertices, roots):
    "For every vertex and each of its neurons, the set of the made neurons that it is computed from one by one"
    found = {}
    for v in vertices:
        ins = [found[u] for u in v.inputs]
        if v.role in ("input", "absorb"): found[v] = [{r} for r in roots(v)]
        elif v.role == "invariant": found[v] = [set.union(*some) for some in zip(*ins, strict=True)]
        elif v.role == "stack": found[v] = sum(ins, [])
        else: found[v] = [ins[0][i] for i in v.op(np.arange(len(ins[0]))[None])[0]]      # positions, moved by the computation itself
    return found

def knotted(r):
    "A random graph of sums, products, concatenations and slices, with layers that read them"
    x = inputvertex("x", 3)
    pool = [dense(x, r.randint(2, 5))]
    def fitted(u, n): return u if u.nout == n else dense(u, n)
    for _ in range(r.randint(3, 9)):
        u, w = r.choice(pool[-4:]), r.choice(pool[-4:])
        what = r.choice("layer add mul add mul cat split split tanh".split())
        if what == "layer": v = dense(u, r.randint(2, 5))
        elif what == "add": v = u + fitted(w, u.nout)
        elif what == "mul": v = u * fitted(w, u.nout)
        elif what == "cat": v = cat(u, w) if u.nout + w.nout < 14 else dense(u, 3)
        elif what == "tanh": v = invariant(np.tanh, u)
        else:
            if u.nout < 2: continue
            half = u.nout // 2
            a, b = split(u, [half, u.nout - half])
            v = a * b if 2 * half == u.nout else r.choice((a, b))
        pool.append(v)
    return Graph(x, dense(pool[-1], 2) if r.random() < .5 else [dense(pool[-1], 2), dense(pool[-2], 3)])

def lost(index, old, now):
    "`[(column, neuron), ...]`: columns that are gone, though a neuron that they were about is there, and reads nothing yet, and the order would be kept"
    kept, some = {i for i in index if i >= 0}, []
    for j, before in enumerate(old):
        for k, after in enumerate(now):
            if j in kept or index[k] >= 0 or not before & after: continue
            if max([i for i in index[:k]], default=-1) < j and all(i > j for i in index[k + 1:] if i >= 0): some.append((j, k))
    return some

def columns(v): return np.split(v.op.w, np.cumsum(v.op.nin)[:-1], 1)

def examine(r, g):
    slices = [v for v in g if v.role == "index map" or callable(v.role)]
    edit = ("remove", (r.choice(slices),)) if slices and r.random() < .4 else random_edit(r, g)
    if edit is None: return "no edit"
    before, read = made_of(g.vertices, lambda v: [(v, i) for i in range(v.nout)]), {v: [*v.inputs] for v in g if v.role == "absorb"}
    weights = {v: [w.copy() for w in columns(v)] for v in read}
    name, args, how = verb_of(edit)
    note(f"{edit}")
    try: plan = getattr(Draft(g), name)(*args, **how).plan()
    except (SizeError, ValueError): return "refused"
    plan.apply()
    now = made_of(g.vertices, lambda v: [(v, i) if i >= 0 else ("new", v, k) for k, i in enumerate(plan.out(v))])
    for v in read:
        if v not in g: continue
        rows, wiring = plan.out(v), plan.edit.wiring(v)
        for k, (u, slot) in enumerate(wiring):
            if slot is None: continue
            index, w = plan.ins(v)[k].tolist(), columns(v)[k]
            for at, i in enumerate(index): assert np.array_equal(w[rows >= 0, at], weights[v][slot][rows[rows >= 0], i] if i >= 0 else np.zeros(sum(rows >= 0))), f"{v}: column {at}"
            others = [i for n, (_, s) in enumerate(wiring) if s == slot and n != k for i in plan.ins(v)[n]]
            gone = [(j, n) for j, n in lost(index, before[read[v][slot]], now[u]) if j not in others]
            assert not gone, f"{v} has lost columns {gone} of what it read ({plan.edit.why}): {index}, of {before[read[v][slot]]}, now {now[u]}"
            assert any(i >= 0 for i in index) or any(i >= 0 for i in others) or not len(before[read[v][slot]]), f"{v} knows nothing any more"
    return name

def sweep(many, **how):
    said = Counter()
    @settings(max_examples=many, deadline=None, database=None, suppress_health_check=list(HealthCheck), **how)
    @given(st.builds(random.Random, st.integers(0, 2**32)))
    def ask(r):
        g = knotted(r)
        note("\n".join(map(repr, g)))
        said[examine(r, g)] += 1
    with np.errstate(all="ignore"): ask()
    return said

def test_edits_keep_every_column_whose_neuron_survives():
    said = sweep(250, derandomize=True)
    assert all(said[verb] > 5 for verb in ("insert", "remove", "connect", "disconnect", "replace")), said

@pytest.mark.slow
def test_many_edits_keep_columns(): print(sweep(5000))

# ----------------------------------------------------------------------------------------- what met in one place, read in several

MEETS = {"sum": add, "product": mul, "difference": lambda a, b: a - b, "largest": np.maximum}

@pytest.mark.parametrize("meet", MEETS)
@pytest.mark.parametrize("many", [2, 3])
def test_weights_behind_what_met_are_given_once_unless_it_was_a_sum(meet, many):
    "The columns of a sum belong to each summand, `w (a + b) = w a + w b`; those of anything else go on with its first input, and this is said"
    if meet == "difference" and many == 3: return
    rng, x = np.random.default_rng(0), inputvertex("x", 3)
    parts, more = [f"p{k}" >> dense(x, 4) for k in range(many)], "more" >> dense(x, 2)
    how = MEETS[meet] if meet != "largest" else lambda *values: np.maximum.reduce(values)
    met = "met" >> invariant(how, *parts)
    both = "both" >> cat(more, met)
    g = Graph(x, "y" >> dense(both, 5))
    data, w = rng.normal(size=(7, 3)), g["y"].op.w.copy()
    before, values = g(data), [p.op(data) for p in parts]
    plan = Draft(g).remove("met").plan()
    told = [n for n in plan.caveats if "met" in n]
    plan.apply()
    if meet == "sum": assert np.allclose(g(data), before) and not told
    else:
        want = np.concatenate([more.op(data), values[0]], -1) @ w.T + g["y"].op.b
        assert np.allclose(g(data), want) and len(told) == 1 and all(word in told[0] for word in ("removing met", "both", "no sum", "goes on with p0", "p1"))
    assert g["y"].op.w.shape == (5, 2 + 4 * many)

def test_a_product_that_goes_from_between_says_nothing_where_no_weights_are_torn():
    x = inputvertex("x", 3)
    a, b, c = (dense(x, 4) for _ in "abc")
    g = Graph(x, dense("sum" >> ("met" >> a * b) + c, 2))
    plan = Draft(g).remove("met").plan()
    assert not plan.caveats and plan.apply() and len(g["sum"].inputs) == 3
