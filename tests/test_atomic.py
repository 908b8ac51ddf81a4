"An exception at any point of planning, building or committing leaves net and optimizer bit for bit as they were"
import contextlib, importlib, pkgutil, sys
import numpy as np, pytest, torch
import naivenas
from naivenas import Graph
from naivenas.nets.layers import conv, linear, cat
from naivenas.nets.norms import batchnorm, globalpool
from naivenas.nets.activations import relu
from naivenas import Net
from naivenas.graph.vertex import inputvertex
from randomnets import assert_same, snapshot

MODULES = [importlib.import_module(m.name) for part in ("graph", "sizes", "nets")
           for m in pkgutil.iter_modules(importlib.import_module(f"naivenas.{part}").__path__, f"naivenas.{part}.")]

def small_net(kind):
    "`(net, optimizer, image)`: a residual net with a concatenation, in the middle of its training"
    torch.manual_seed(0)
    x = inputvertex("x", 2)
    c1 = "c1" >> conv(x, 4, k=1)
    res = "res" >> c1 + ("c2" >> conv(relu("bn" >> batchnorm(c1)), 4))
    both = "both" >> cat(res, "c3" >> conv(res, 3, k=1), "depth" >> conv(res, 4, groups=4))
    net = Net(x, "y" >> linear(globalpool("out" >> conv(both, 5, k=1)), 3), frozen=["x"])
    optimizer = kind(net.parameters())
    net.track(optimizer)
    image = torch.rand(2, 2, 4, 4)
    train(net, optimizer, image)
    net.eval()
    return net, optimizer, image

def train(net, optimizer, image):
    optimizer.zero_grad()
    net(image).square().sum().backward()
    optimizer.step()

OPTIMIZERS = {"sgd": lambda p: torch.optim.SGD(p, lr=.01, momentum=.9), "adam": lambda p: torch.optim.Adam(p, lr=.01)}

worth = lambda v: np.arange(v.nout) + 1. if v.role == "absorb" else None
OPERATIONS = {
    "grow": lambda net: net.resize({"c1": +2, "c3": +1}),
    "swap": lambda net: net.resize({"c1": -1, "both": +3, "out": +1}, by=worth),
    "prune": lambda net: net.prune(.6, worth),
    "insert": lambda net: net.insert(lambda v: "more" >> cat("new" >> conv(v, 2), batchnorm(v)), after="res"),
    "remove": lambda net: net.remove("c2"),
    "connect": lambda net: net.connect("c1", "both", at=1),
    "connect a block": lambda net: net.connect("fresh" >> conv(net["c1"], 2), "both"),
    "disconnect": lambda net: net.disconnect("c3", "both"),
    "replace": lambda net: net.replace("c2", lambda u: "w" >> conv(u, 6)),
    "draft": lambda net: net.draft().remove("bn").connect("x", "both").apply({"c1": +1}),
}

class Fault:
    "Raises `error` at the k-th call of any of the package's own functions that plan, build or commit"
    NAMES = ["cut", "resized", "ties", "decide", "solve", "commit", "_put", "_get", "give_names", "topological", "utilities", "pinned_vertices"]
    METHODS = ["_settle", "settled", "adopt", "membership", "cut", "changes"]

    def __init__(self, k, error): self.k, self.error, self.calls = k, error, 0

    def wrapped(self, f):
        def call(*args, **how):
            self.calls += 1
            if self.calls == self.k: raise self.error
            return f(*args, **how)
        return call

    @contextlib.contextmanager
    def __call__(self, monkeypatch):
        with monkeypatch.context() as m:
            for name in self.NAMES:
                f = next((getattr(mod, name) for mod in MODULES if callable(getattr(mod, name, None))), None)
                new = f and self.wrapped(f)
                for mod in MODULES:
                    if f is not None and getattr(mod, name, None) is f: m.setattr(mod, name, new)
            for cls in Net.__mro__[:-2]:
                for name in self.METHODS:
                    if name in vars(cls) and cls.__module__.startswith("naivenas"): m.setattr(cls, name, self.wrapped(vars(cls)[name]))
            import naivenas.sizes.program as milp
            for solver in milp.SOLVERS.values(): m.setattr(solver, "solve", self.wrapped(solver.solve))
            yield self

STRIDES = pytest.mark.parametrize("stride", [5, pytest.param(1, marks=pytest.mark.slow)])     # 1: at each of them

@STRIDES
@pytest.mark.parametrize("what, kind", [(what, "adam") for what in OPERATIONS] + [("swap", "sgd"), ("insert", "sgd")])
def test_every_call_may_fail(what, kind, stride, monkeypatch):
    net, optimizer, image = small_net(OPTIMIZERS[kind])
    before, value = snapshot(net, [optimizer]), net(image)
    k = -(list(OPERATIONS).index(what) % stride)     # other calls for other operations
    while True:
        k += stride
        error = KeyboardInterrupt("stop") if k % 2 else RuntimeError("broken")
        with Fault(k, error)(monkeypatch) as fault:
            try: OPERATIONS[what](net)
            except (KeyboardInterrupt, RuntimeError) as e: assert e is error
            else:
                if fault.calls < k: break
                net, optimizer, image = small_net(OPTIMIZERS[kind])   # another solver has taken over: done all the same
                before, value = snapshot(net, [optimizer]), net(image)
                continue
        assert_same(before, snapshot(net, [optimizer]), f"{what}, call {k}")
        assert torch.equal(net(image), value)
    assert k > 20
    train(net, optimizer, image)

def steps_in(net, what, stop=None):
    "Carry `what` out; KeyboardInterrupt before line number `stop` of the package's own code. How many lines it took"
    count, home = 0, naivenas.__path__[0]
    def trace(frame, event, arg):
        nonlocal count
        if not frame.f_code.co_filename.startswith(home): return None
        if event == "line":
            count += 1
            if count == stop: raise KeyboardInterrupt(f"{frame.f_code.co_name}, line {frame.f_lineno}")
        return trace
    old = sys.gettrace()
    torch.manual_seed(1)
    net.plan()   # what it finds out about the net is known from then on, as after an attempt that was stopped
    sys.settrace(trace)
    try: OPERATIONS[what](net)
    finally: sys.settrace(old)
    return count

@STRIDES
@pytest.mark.parametrize("what", OPERATIONS)
def test_every_line_may_be_interrupted(what, stride):
    "All or nothing: before the last assignment is made everything is as it was, afterwards everything is as it shall be"
    steps_in(small_net(OPTIMIZERS["adam"])[0], what)      # what is worked out once in a process is known from here on
    first, optimizer, _ = small_net(OPTIMIZERS["adam"])
    lines = steps_in(first, what)
    wanted = state(first, optimizer)
    net, optimizer, image = small_net(OPTIMIZERS["adam"])
    before = snapshot(net, [optimizer])
    begin = list(OPERATIONS).index(what) % stride
    for stop in [*range(1 + begin, lines - 130, 97 * stride), *range(max(1, lines - 130) + begin, lines + 1, stride)]:
        for known in "_failing", "_shapes", "_proven", "_readings", "_example": net.__dict__.pop(known, None)      # what trials remember: as many lines each time
        try: steps_in(net, what, stop)
        except KeyboardInterrupt as e: place = str(e)
        now = snapshot(net, [optimizer])
        if same_version(now, before): assert_same(before, now, f"{what}, {place}")
        else:
            assert_same(wanted, state(net, optimizer), f"{what}, {place}")
            assert lines - stop < 80, f"committed already at line {stop} of {lines}"
            net, optimizer, image = small_net(OPTIMIZERS["adam"])
            before = snapshot(net, [optimizer])

def same_version(a, b): return a["version"] is b["version"]

def state(net, optimizer):
    "What a net is, without identities"
    names = {id(p): k for k, p in net.named_parameters()}
    memory = {(names[id(p)], k): w.clone() if torch.is_tensor(w) else w for p, m in optimizer.state.items() for k, w in m.items()}
    return {"sizes": net.sizes, "wiring": [(v.name, [u.name for u in v.inputs]) for v in net], "groups": [[names[id(p)] for p in g["params"]] for g in optimizer.param_groups],
            "frozen": sorted(v.name for v in net.frozen)} | {k: w.clone() for k, w in net.state_dict().items()} | memory | \
           {("gradient", k): None if p.grad is None else p.grad.clone() for k, p in net.named_parameters()}
