"Ten thousand vertices in a row: nothing recurses"
import copy, inspect, pickle, sys
import numpy as np, pytest, torch
from naivenas.graph.cut import Dense
from naivenas import Graph
from naivenas.nets.layers import linear
from naivenas.nets.activations import relu
from naivenas import Net
from naivenas.graph.vertex import absorb, inputvertex, invariant

@pytest.fixture
def shallow():
    "A recursion limit just above what is in use, once everything that imports something has been imported"
    warm = chain(3)
    use(warm, np.ones((1, 4)), np.allclose)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 150)
    yield
    sys.setrecursionlimit(limit)

def chain(n):
    "Dense layers and invariants by turns, with a skip connection every now and then"
    v = x = inputvertex("x", 4)
    for i in range(n):
        v = invariant(np.tanh, v) if i % 2 else absorb(Dense(4, 4, seed=i), v) + v if i % 10 == 4 else absorb(Dense(4, 4, seed=i), v)
    return Graph(x, absorb(Dense(4, 2), v))

def use(g, value, close):
    "Call, copy, pickle, show, look up, plan, resize, prune and rewire"
    before = g(value)
    for twin in copy.deepcopy(g), pickle.loads(pickle.dumps(g)):
        assert twin.names == g.names and close(twin(value), before)
    for look in "__repr__", "_repr_html_", "table":
        shown = getattr(g, look, None)
        assert str(shown() if callable(shown) else shown)
    first, last = next(v for v in g if v.role == "absorb"), g.outputs[0]
    assert len(g.descendants(first)) + len(g.inputs) == len(g) == len(g.ancestors(last))
    plan = g.plan({first: +1})
    assert str(plan) and plan._repr_html_() and len(plan.table)
    plan.apply()
    assert close(g(value), before) and first.nout == 5
    g.resize(last.inputs[0], -1)
    g.prune(.9, lambda v: np.arange(v.nout) + 1.)
    g.remove(next(v for v in g[len(g) // 2:] if v.role == "invariant" and len(v.inputs) == 1))
    g.insert(lambda v: invariant(abs, v), before=last)
    assert len(g(value)) == len(before)
    return g

def test_toy_chain(shallow):
    g = chain(9_000)
    assert len(g) > 9_900
    use(g, np.ones((1, 4)), np.allclose)

def test_torch_chain(shallow):
    torch.manual_seed(0)
    v = x = inputvertex("x", 4)
    for i in range(2_000): v = linear(v, 4, start="identity") + v * .01 if i % 10 == 4 else relu(v) if i % 10 == 7 else linear(v, 4, start="identity")
    net = Net(x, linear(v, 2))
    use(net, torch.ones(1, 4), lambda a, b: torch.allclose(a, b, rtol=1e-4))
