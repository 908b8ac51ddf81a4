"""The documented examples and awkward graphs of the Julia packages that came before, rebuilt; what is expected comes from the oracle.

`nbs/explanations/coverage.ipynb` lists where the behaviour differs, and why.
"""
import numpy as np, pytest

from naivenas import Graph
from naivenas.sizes.wishes import relaxed
from naivenas.graph.vertex import absorb, immutable, indexmap, inputvertex, invariant
from naivenas.graph.moves import cat
from naivenas.graph.roles import SizeError
from test_oracle import best_of, dense, examine, tagged, tile, twice

@pytest.fixture
def x(): return inputvertex("x", 3)

def tanh(v): return invariant(np.tanh, v)

# ---------------------------------------------------------------------------------------------------------- sizes

@pytest.mark.parametrize("delta", [-2, -1, 1, 3])
def test_residual_fork(x, delta):
    "Two paths behind one layer meet again: all four layers on the sum change alike"
    v = "start" >> dense(x, 5)
    g = Graph(x, dense("sum" >> (v + dense(tanh(v), 5)) + ("end" >> dense(v, 5)), 2))
    sizes = best_of(g, {g["end"]: delta})
    assert sizes["start"] == sizes["end"] == sizes["sum"] == 5 + delta

def test_zig_zag(x):
    "Concatenations tied by an addition: (a, b) + (c, d), cut at different places"
    a, b, c, d = ("abcd"[i] >> dense(x, n) for i, n in enumerate((2, 4, 3, 3)))
    g = Graph(x, dense("sum" >> cat(a, b) + cat(c, d), 2))
    utility = {v: np.arange(v.nout) + 1. for v in (a, b, c, d)}
    sizes = best_of(g, {g["sum"]: -2}, utility)
    assert sizes["a"] + sizes["b"] == sizes["c"] + sizes["d"] == 4

def test_transparent_all_the_way(x):
    "Additions of concatenations of additions: one wish reaches every layer"
    a, b = "a" >> dense(x, 3), "b" >> dense(x, 3)
    s = a + b
    g = Graph(x, dense("all" >> cat(s, a) + cat(b, s), 2))
    sizes = best_of(g, {g["all"]: -2})
    assert sizes["a"] == sizes["b"] == 2 and sizes["all"] == 4

@pytest.mark.parametrize("solver", ["HiGHS", "CBC"])
def test_the_same_input_three_times(x, solver):
    "Sizes of the concatenation come in threes; what is in between is refused, or approached"
    a = "a" >> dense(x, 4)
    make = lambda: Graph(x, dense("three" >> cat(a, a, a), 2))
    g = make()
    with pytest.raises(SizeError, match="three 12 -> 13"): g.plan({"three": +1}, solver=solver)
    assert len(g.plan({"three": relaxed(+1)}, solver=solver).out("three")) == 15      # a wish moves its vertex
    assert best_of(g, {g["three"]: -6}, solver=solver)["a"] == 2

def test_factors(x):
    "A flattening makes two of each, a repetition three: the sizes around a sum are multiples of six"
    a, b = "a" >> dense(x, 6), "b" >> dense(x, 4)
    thrice = lambda v: np.repeat(v, 3, -1)
    g = Graph(x, dense("sum" >> indexmap(twice, a, moves=twice) + indexmap(thrice, b, moves=thrice), 2))
    with pytest.raises(SizeError): g.plan({"sum": -1})
    sizes = best_of(g, {g["sum"]: -6})
    assert (sizes["a"], sizes["b"]) == (3, 2)

def test_what_is_tied_to_something_immutable_stays(x):
    a = "a" >> dense(x, 3)
    g = Graph(x, dense("fixed" >> immutable(np.tanh, a, nout=3) + ("b" >> dense(x, 3)), 2))
    for v in ("a", "b"):
        with pytest.raises(SizeError, match=f"{v} 3 -> 4 .* is impossible: .*immutable"): g.plan({v: +1})
    assert g.plan({"b": relaxed(+1)}).table.empty

def test_a_wish_of_nothing_pins(x):
    a, b = "a" >> dense(x, 4), "b" >> dense(x, 4)
    g = Graph(x, dense("both" >> cat(a, b), 2))
    assert best_of(g, {g["both"]: -2, a: 0})["b"] == 2

def test_negative_utility_prunes_and_nothing_is_added(x):
    a, b = "a" >> dense(x, 4), "b" >> dense(x, 3)
    g = Graph(x, dense(cat(a, b), 2))
    sizes = best_of(g, {}, {a: np.array([1., -1, 2, -3]), b: np.array([-1., -2, -3])})
    assert (sizes["a"], sizes["b"]) == (2, 1)            # the last one stays, however little it is worth

def test_one_drops_and_the_next_grows(x):
    "The worked example of a silent misalignment there: a loses one of 3, b gains two, c keeps its 5"
    a, b, c = "a" >> dense(x, 3), "b" >> dense(x, 4), "c" >> dense(x, 5)
    g = Graph(x, dense("abc" >> cat(a, b, c), 2))
    plan = g.plan({a: -1, b: +2}, by={a: np.array([3., 1, 2])})
    assert plan.out("abc").tolist() == [0, 2, 3, 4, 5, 6, -1, -1, 7, 8, 9, 10, 11]
    best_of(g, {a: -1, b: +2})

# ------------------------------------------------------------------------------------------------------ structure

def marks(g, name): return {int(w) for w in g[name].op.w.ravel() if w}

def test_an_edge_of_a_concatenation_takes_its_columns_along(x):
    "Behind cat(a, b, c) without b, the reader keeps the columns of a and c, and no others"
    a, b, c = "a" >> dense(x, 3), "b" >> dense(x, 4), "c" >> dense(x, 5)
    g = Graph(x, ["out" >> dense("abc" >> cat(a, b, c), 2), dense(b, 1)])
    g.disconnect("b", "abc")
    assert g["out"].op.w.tolist() == [[1000 * o + i + 1 for i in (0, 1, 2, 7, 8, 9, 10, 11)] for o in range(2)]
    g.connect("b", "abc", at=0)
    assert g["out"].op.w.tolist() == [[0] * 4 + [1000 * o + i + 1 for i in (0, 1, 2, 7, 8, 9, 10, 11)] for o in range(2)]

@pytest.mark.parametrize("gone", ["before", "path", "after"])
def test_removing_around_a_fork(x, gone):
    "In front of a fork, in it, behind it: the smaller side grows"
    v = "before" >> dense(dense(x, 4), 6)
    g = Graph(x, dense("after" >> dense("sum" >> tanh(v) + ("path" >> dense(v, 6)), 3), 2))
    g.remove(gone)
    assert gone not in g.names and all(len({u.nout for u in w.inputs}) == 1 for w in g if w.role == "invariant")
    assert g["sum"].nout == 6 and g(np.ones((1, 3))).shape == (1, 2)

def test_removing_down_to_x_plus_x(x):
    "A residual block without its only layer adds its input to itself"
    v = "v" >> dense(x, 4)
    g = Graph(x, dense("sum" >> v + ("path" >> dense(v, 4)), 2))
    g.remove("path")
    assert g["sum"].inputs == [g["v"], g["v"]] and g["v"].nout == 4

def test_size_cycle_is_refused_with_its_reason(x):
    "v + cat(v, w): v would have to be as large as v and w together"
    v, w = "v" >> dense(x, 4), "w" >> dense(x, 2)
    g = Graph(x, dense("sum" >> v + ("path" >> dense("vw" >> cat(v, w), 4)), 2))
    before = g.sizes
    with pytest.raises(SizeError, match="removing path is impossible"): g.remove("path")
    assert g.sizes == before and g["sum"].inputs[1].name == "path"

def test_a_target_that_no_factor_divides_is_met_from_the_other_side(x):
    "Three copies of a read by a sum of 8: without the layer between, 9 = 3 * 3 or 6 = 3 * 2"
    a = "a" >> dense(x, 2)
    g = Graph(x, dense("sum" >> ("between" >> dense(cat(a, a, a), 8)) + ("other" >> dense(x, 8)), 2))
    g.remove("between")
    assert g["sum"].nout == g["other"].nout == 3 * g["a"].nout == 9
