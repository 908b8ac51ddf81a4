"A refusal names a smallest conflict: impossible as it stands, possible without any one of its members, says the oracle"
import random

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from naivenas.sizes import decide
from naivenas.graph.vertex import SizeError
from oracle import Oracle
from test_oracle import random_graph

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
