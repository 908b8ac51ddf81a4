"""What is made up outside of the package, and taught through `naivenas.extend` alone, does what the package's own does"""
import importlib

import numpy as np, pytest, torch
from scipy.optimize import Bounds, LinearConstraint, milp
from torch import nn

import naivenas
from naivenas import Net, Taylor, batchnorm, conv, inputvertex, layer, linear, magnitude, relaxed, relu
from naivenas.extend import OPERATORS, RULES, SOLVERS, Change, Layout, Mutation, Solver, Unusable, operation, register, register_solver
from naivenas.search import InOrder, Perhaps, Pick, mutations

class Scale(nn.Module):
    "Neuron by neuron"
    def __init__(self, width):
        super().__init__()
        self.width, self.gain = width, nn.Parameter(torch.rand(width) + .5)
    def forward(self, x): return x * self.gain

class Mixing(nn.Module):
    "A linear layer under other names"
    def __init__(self, fan_in, fan_out):
        super().__init__()
        self.fan_in, self.fan_out, self.matrix = fan_in, fan_out, nn.Parameter(torch.randn(fan_out, fan_in))
    def forward(self, x): return x @ self.matrix.T

@torch.library.custom_op("made_up::shared", mutates_args=())
def _shared(x: torch.Tensor) -> torch.Tensor: return x / x.abs().sum(1, keepdim=True)

@_shared.register_fake
def _(x): return torch.empty_like(x)

_shared.register_autograd(lambda ctx, grad: grad)   # good enough where nobody learns

class Sharing(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 2)
    def forward(self, x): return self.b(torch.ops.made_up.shared(self.a(x)))

class Plain(nn.Sequential):
    def __init__(self): super().__init__(nn.Linear(4, 8), Scale(8), nn.ReLU(), Mixing(8, 6), nn.ReLU(), nn.Linear(6, 2))

X = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))

@pytest.fixture(autouse=True)
def taught():
    "What is registered goes again"
    before = [(r, dict(r)) for r in (RULES, OPERATORS, SOLVERS)]
    register(Scale, "width", "width", role="invariant", gain="o", fill={"gain": 1.})
    register(Mixing, "fan_in", "fan_out", matrix="oi")
    yield
    for registry, old in before:
        registry.clear()
        registry.update(old)

def small():
    torch.manual_seed(0)
    x = inputvertex("x", 4)
    mix = "mix" >> layer(Mixing(8, 6), relu("scale" >> layer(Scale(8), "first" >> linear(x, 8))))
    return Net(x, "out" >> linear(relu(mix), 2))

# ------------------------------------------------------------------------------------------------------------------- a layer

def test_a_layer_is_resized_as_a_formula_says():
    net = small()
    first, scale, mix, out = (net[n].op for n in ("first", "scale", "mix", "out"))
    keep = [i for i in range(8) if i not in (2, 5)]
    tensors = first.weight, first.bias, scale.gain, mix.matrix, out.weight, out.bias
    W, b, gain, matrix, V, c = (t.detach().clone() for t in tensors)
    net.resize("first", -2, by={"first": np.isin(np.arange(8), keep).astype(float)})
    assert (scale.width, mix.fan_in, mix.fan_out) == (6, 6, 6)
    wanted = ((((X @ W.T + b) * gain)[:, keep].relu() @ matrix[:, keep].T).relu()) @ V.T + c
    assert torch.allclose(net(X), wanted, atol=1e-6)
    before = net(X)
    net.resize("mix", +3)
    assert mix.matrix.shape == (9, 6) and torch.allclose(net(X), before, atol=1e-6)
    net.resize("first", +1)
    assert scale.gain[-1] == 1 and mix.matrix.shape == (9, 7) and torch.allclose(net(X), before, atol=1e-6)

def test_a_layer_is_measured_drawn_saved_loaded_exported_and_mutated(tmp_path):
    net = small()
    assert np.allclose(magnitude(net["mix"]), net["mix"].op.matrix.detach().norm(dim=1))
    with Taylor(net) as taylor:
        net(X).square().sum().backward()
        assert len(taylor(net["mix"])) == 6 and len(taylor(net["scale"])) == 8
    assert "mixing" in repr(net).lower() and "mix" in naivenas.table(net).index and "mix" in naivenas.draw(net).svg
    net.save(tmp_path / "net.zip")
    again = Net.load(tmp_path / "net.zip")
    assert type(again["mix"].op) is Mixing and torch.equal(again(X), net(X))
    assert torch.equal(net.to_torch()(X), net(X)) and any(isinstance(m, Mixing) for m in net.to_torch().modules())
    for seed in range(5): mutations()(net, np.random.default_rng(seed))
    mix = net["mix"].op
    assert net(X).shape == (5, 2) and mix.matrix.shape == (mix.fan_out, mix.fan_in) and mix.fan_out != 6

def test_a_layer_goes_to_onnx(tmp_path):
    ort = pytest.importorskip("onnxruntime")
    net = small().eval()
    net.to_onnx(tmp_path / "net.onnx")
    session = ort.InferenceSession(tmp_path / "net.onnx")
    (y,) = session.run(None, {session.get_inputs()[0].name: X.numpy()})
    assert np.allclose(y, net(X).detach(), atol=1e-5)

def test_a_captured_layer_computes_the_same_and_is_resized():
    module = Plain()
    net, before = Net.from_torch(module, X, share=False), module(X)
    assert torch.allclose(net(X), before, atol=1e-6)
    net.resize("0", -2)
    assert net["0"].nout == 6 and net(X).shape == (5, 2)

def test_a_captured_layer_stays_whole(tmp_path):
    net = Net.from_torch(Plain(), X, share=False)
    assert [type(v.op) for v in net if isinstance(v.op, (Scale, Mixing))] == [Scale, Mixing]
    net.resize({"0": -2, "3": +1})
    assert (net["1"].op.width, net["3"].op.fan_in, net["3"].op.fan_out) == (6, 6, 7)
    assert torch.equal(Net.load(net.save(tmp_path / "net"))(X), net(X))

class Summed(nn.Module):
    "Reads two values, and one of its own twice"
    def __init__(self):
        super().__init__()
        self.a, self.scale, self.meet, self.b = nn.Linear(4, 8), Scale(8), Both(8), nn.Linear(8, 2)
    def forward(self, x):
        h = self.scale(self.scale(self.a(x)))
        return self.b(self.meet(h, h.relu()))

class Both(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width, self.share = width, nn.Parameter(torch.rand(width))
    def forward(self, a, b): return a * self.share + b

@pytest.mark.parametrize("shape", [(5, 4), (5, 3, 4)], ids=["rows", "steps"])
def test_captured_layers_are_found_wherever_neurons_lie(shape):
    register(Both, "width width", "width", role="invariant", share="o")
    module, data = Summed(), torch.randn(*shape)
    net = Net.from_torch(module, data, share=False)
    assert torch.allclose(net(data), module(data), atol=1e-6) and [type(v.op) for v in net].count(Scale) == 2
    h = net["a"].op(data) * net["scale"].op.gain ** 2
    share, keep = module.meet.share, [0, 1, 3, 4, 5, 7]
    wanted = (h * share + h.relu())[..., keep] @ module.b.weight[:, keep].T + module.b.bias
    net.resize("a", -2, by={"a": np.isin(np.arange(8), keep).astype(float)})
    assert torch.allclose(net(data), wanted, atol=1e-5)

def test_a_layer_is_counted_as_torchs_own():
    counts = importlib.import_module("naivenas.nets.counts")
    x, steps = inputvertex("x", 6), torch.zeros(2, 10, 6)
    net = Net(x, layer(Mixing(8, 4), layer(Mixing(6, 8), x)))
    assert counts.macs(net, counts.positions(net, steps)) == 10 * (6 * 8 + 8 * 4)

# --------------------------------------------------------------------------------------------------------------- an operator

def rule_for_shared():
    @operation("shared")
    def shared(work, s):
        (l,) = s.layouts
        if l.axes != (1,): return None
        work.statistics[s.label] = "sum of sizes"
        return work.made(s, "invariant", Layout(s.shape, l.axes))

def test_an_operator_without_a_rule_holds_its_neighbours():
    net = Net.from_torch(Sharing(), X)
    with pytest.raises(naivenas.SizeError, match="shared"): net.resize("a", -2)

def test_an_operator_is_captured_resized_drawn_and_exported():
    rule_for_shared()
    module = Sharing()
    net = Net.from_torch(module, X, share=False)
    assert torch.equal(net(X), module(X)) and "shared" in repr(net) and naivenas.draw(net) is not None
    plan = net.plan({"a": +2})
    assert "sum of sizes" in str(plan)
    h = module.a(X)
    net.resize("a", -2, by={"a": np.arange(8.)})
    wanted = module.b.bias + torch.ops.made_up.shared(h[:, 2:]) @ module.b.weight[:, 2:].T
    assert torch.allclose(net(X), wanted, atol=1e-6)
    assert torch.equal(net.to_torch()(X), net(X))
    scope = {}
    exec(net.to_python(), scope)
    twin = scope["Model"]()
    twin.load_state_dict(net.to_torch().state_dict())
    assert torch.equal(twin(X), net(X))

def test_an_operator_is_saved(tmp_path):
    rule_for_shared()
    net = Net.from_torch(Sharing(), X)
    path = net.save(tmp_path / "net.zip")
    again = Net.load(path)
    assert torch.equal(again(X), net(X))
    for n in net, again: n.resize("a", -2)
    assert torch.equal(again(X), net(X))
    del OPERATORS["shared"]
    with pytest.raises(ValueError, match=r"shared.*'made_up.shared.default' is not known: naivenas.extend.operation\('shared'\)"): Net.load(path)
    with pytest.raises(ValueError, match="shared .*cannot be saved: the operator 'made_up.shared.default' is not known"): net.save(path)
    try:
        naivenas.savable(torch.ops.made_up.shared.default)
        assert torch.equal(Net.load(net.save(path))(X), net(X))
    finally: importlib.import_module("naivenas.files.save").KNOWN.pop("made_up.shared.default")

# ----------------------------------------------------------------------------------------------------------------- a solver

class Patient(Solver):
    name = "patient"
    def __init__(self): self.asked = []
    def solve(self, c, p, seconds):
        self.asked.append(len(c))
        found = milp(c, integrality=p.integer, bounds=Bounds(p.lb, p.ub), options={"time_limit": seconds},
                     constraints=LinearConstraint(p.A, p.low, p.high) if p.A.shape[0] else None)
        if found.status == 1: raise TimeoutError("no optimum in time")
        return found.x

WISH = {"first": relaxed(+3), "mix": relaxed(-1)}

def test_a_solver_is_asked_and_listed():
    solver = register_solver(Patient())
    plan, other = (small().plan(WISH, solver=name, multiple_of=4) for name in ("patient", "HiGHS"))
    assert solver.asked and "patient" in repr(plan) and repr(plan).split("(")[0] == repr(other).split("(")[0]
    assert "patient" in naivenas.solvers().index and naivenas.solvers().usable["patient"]

def test_a_solver_that_does_not_work_is_told():
    @register_solver
    class Broken(Solver):
        name = "broken"
        def solve(self, c, p, seconds): raise Unusable("it is closed on Mondays")
    assert naivenas.solvers().note["broken"] == "it is closed on Mondays"
    with pytest.raises(Unusable, match="Mondays"): small().resize(WISH, solver="broken", multiple_of=4)

# -------------------------------------------------------------------------------------------- a mutation and an importance

def widen(net, rng):
    v = rng.choice([v for v in net.vertices if v.role == "absorb" and v not in net.outputs])
    return Change(f"{v.name} +2", keeps=True, report=net.resize(v, +2))

class Mute(Mutation):
    "A layer of one's own by the base that chooses the vertex"
    what = "mute"
    def able(self, net, v): return isinstance(v.op, Scale)
    def change(self, net, v, rng):
        with torch.no_grad(): v.op.gain.mul_(.5)
        return Change(f"{v.name} at half")

def test_mutations_are_joined_with_the_packages_own():
    net = small()
    gain = net["scale"].op.gain.detach().clone()
    y = net(X)
    done = InOrder((widen, Perhaps(1., Pick((widen,))), Perhaps(0., widen)))(net, np.random.default_rng(0))
    assert done.what.count("+2") == 2 and done.keeps and torch.allclose(net(X), y, atol=1e-6)
    assert InOrder((Mute(), widen))(net, np.random.default_rng(0)).what.startswith("scale at half;")
    assert torch.allclose(net["scale"].op.gain[:8], gain / 2)
    naivenas.search.shield(net, "scale")
    assert Mute()(net, np.random.default_rng(0)) is None

def largest(v):
    w = getattr(v.op, "weight", None)
    return None if v.role != "absorb" or w is None else w.detach().abs().flatten(1).amax(1).numpy()

def test_an_importance_decides():
    torch.manual_seed(0)
    x = inputvertex("x", 3)
    net = Net(x, conv(relu(batchnorm("c" >> conv(x, 10))), 2))
    worth = largest(net["c"])
    weight = net["c"].op.weight.detach().clone()
    net.resize("c", -4, by=largest)
    assert torch.equal(net["c"].op.weight, weight[np.sort(np.argsort(worth)[4:])])
    report = net.prune(keep=.5, by=largest)
    assert net["c"].nout < 6 and report is not None
