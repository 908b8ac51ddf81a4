"A refusal names a smallest conflict: impossible as it stands, possible without any one of its members, says the oracle"
import random

import numpy as np, pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from naivenas import Graph, relaxed
from naivenas.sizes import decide
from naivenas.graph.vertex import inputvertex
from naivenas.graph.roles import SizeError
from oracle import Oracle
from test_oracle import dense, random_graph

def possible(g, core):
    "Can these be had together? `core` is a list of (vertex, change), or (vertex, None) for one that keeps its neurons"
    oracle = Oracle(g.vertices, {v for v, d in core if d is None})
    for v, d in core:
        if d is not None: oracle.row(oracle.size(v), v.nout + d, v.nout + d)
    return oracle.solve({}) is not None

def test_reasons_are_smallest_conflicts(monkeypatch):
    found, refused = [], []
    search = decide.smallest_conflict
    monkeypatch.setattr(decide, "smallest_conflict", lambda *args: found.append(search(*args)) or found[-1])

    @settings(max_examples=250, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.builds(random.Random, st.integers(0, 2**32)))
    def ask(r):
        g = random_graph(r)
        wishes = {v: r.choice((-2, -1, 1, 2)) for v in r.sample(g.vertices, min(len(g), 4))}
        assume(all(v.nout + d > 0 for v, d in wishes.items()))
        found.clear()
        try: g.plan(wishes)
        except SizeError as e: said = str(e)
        else: return
        assume(found)                   # and not a fixed rule that is in the way
        whose = lambda why: next(v for v in g if why.split(" ")[0] == v.name)
        core = [(whose(d.why), None if d.pins else wishes[whose(d.why)]) for d in found[-1]]
        assert all(d.why in said for d in found[-1]) and not possible(g, core), said
        for member in core: assert possible(g, [m for m in core if m is not member]), f"{said}: but without {member} it is impossible, too"
        refused.append(said)

    ask()
    assert len(refused) > 60 and any("keeps" in said for said in refused) and any("keeps" not in said for said in refused)

def chain():
    x = inputvertex("x", 3)
    a = dense(x, 16); a.name = "a"
    y = dense(a, 4); y.name = "y"
    return Graph(x, y)

WRONG = [("multiple_of", v) for v in (0, -8, 2.5, "8", True, [8], np.nan)] + [("least", v) for v in (0, -1, .5, "2", np.inf)]
WRONG += [("max_new", v) for v in (-1, .5, "1", False)]

@pytest.mark.parametrize("option, value", WRONG)
def test_senseless_counts_are_refused(option, value):
    ways = lambda g, how: [lambda: g.resize("a", -2, **how), lambda: g.plan({"a": -2}, **how), lambda: g.prune(.5, lambda v: None, **how),
                           lambda: g.insert(lambda v: dense(v, 16), "a", **how)]
    for given, named in (value, ""), ({"a": value}, " for a"):
        g = chain()
        before, version = g.sizes, g.version
        for way in ways(g, {option: given}):
            with pytest.raises((TypeError, ValueError)) as e: way()
            kind = ValueError if isinstance(value, (int, float)) and not isinstance(value, bool) else TypeError
            assert type(e.value) is kind and f"{option}={named}," in str(e.value) and repr(value) in str(e.value) and "a whole number of at least" in str(e.value)
            assert g.sizes == before and g.version is version

@pytest.mark.parametrize("how, error, words", [
    (dict(seconds="1h"), TypeError, ["seconds=", "'1h'", "over 0"]), (dict(seconds=0), ValueError, ["seconds=", "over 0"]), (dict(seconds=np.nan), ValueError, ["seconds="]),
    (dict(frozen="a"), TypeError, ["frozen=['a']"]), (dict(frozen=3), TypeError, ["frozen=", "3"]), (dict(groups="most"), ValueError, ["groups=", "'most'", "'whole'"]),
    (dict(groups={"a": 3}), TypeError, ["groups= for a", "3"]), (dict(by="l1"), TypeError, ["by=", "naivenas.l1"]), (dict(by=3), TypeError, ["by=", "3"]),
    (dict(also=[]), TypeError, ["also="]), (dict(nin="a"), TypeError, ["nin="])])
def test_other_senseless_options_are_refused(how, error, words):
    g = chain()
    with pytest.raises(error) as e: g.plan({"a": -2}, **how)
    assert type(e.value) is error and all(w in str(e.value) for w in words), e.value

@pytest.mark.parametrize("keep, error", [("half", TypeError), (True, TypeError), (None, TypeError), (0, ValueError), (1.5, ValueError), (np.nan, ValueError)])
def test_a_share_is_a_share(keep, error):
    with pytest.raises(error, match="more than 0 and at most 1"): chain().prune(keep, lambda v: None)

def test_words_are_no_lists_and_no_numbers():
    g = chain()
    with pytest.raises(TypeError, match="frozen="): Graph(g.inputs, g.outputs, frozen="a")
    with pytest.raises(TypeError, match="wishes are"): g.plan("a")
    for wish in "8", True, np.inf, relaxed(.5):
        with pytest.raises(TypeError, match="'a': a wish is a whole number"): g.plan({"a": wish})
    with pytest.raises(TypeError, match="leave 3 out"): g.resize({"a": 1}, 3)

def test_numbers_from_numpy_are_numbers():
    g = chain()
    g.resize("a", np.int8(-8), multiple_of=np.int64(4), least={"a": np.uint8(2)}, max_new=np.int32(0), seconds=np.float32(3), frozen=np.array(["x"]))
    assert g.sizes["a"] == 8
    assert chain().plan({"a": relaxed(-3)}, multiple_of={"a": np.int16(8)}, max_new=None).out("a").size == 8
