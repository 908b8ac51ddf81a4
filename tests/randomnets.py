"Random nets, random surgery on them, and ways to look at a net that share nothing with the package's own bookkeeping"
import random
import numpy as np, torch
from torch import nn
from naivenas.sizes.wishes import relaxed
from naivenas.graph.vertex import inputvertex, mul
from naivenas.nets.layers import conv, linear, cat, shuffle, split
from naivenas.nets.norms import batchnorm, dropout, globalpool, maxpool
from naivenas.nets.shapes import flatten
from naivenas.nets.kinds import layer
from naivenas.nets.activations import relu, tanh
from naivenas import Net

# ---------------------------------------------------------------------------------------------------------- random nets

class Writer:
    "Writes a random net, keeping count of the height (= width) of every vertex's feature maps; 0 for features"
    def __init__(self, seed):
        self.r, self.pixels = random.Random(seed), {}

    def note(self, v, height):
        self.pixels[v] = height
        return v

    def like(self, u, n):
        "A layer of `n` neurons on `u` that keeps the height"
        return self.note(conv(u, n, k=self.r.choice((1, 3)), bias=self.r.random() < .7) if self.pixels[u] else linear(u, n), self.pixels[u])

    def fitted(self, u, n): return u if u.nout == n else self.like(u, n)

    def grow(self, pool):
        "One more vertex on some of `pool`"
        r, u = self.r, self.r.choice(pool[-5:])
        height, kin = self.pixels[u], [w for w in pool if self.pixels[w] == self.pixels[u]]
        some = [r.choice(kin) for _ in range(r.randint(2, 3))]
        what = r.choice("layer layer layer norm relu tanh pool drop depth many group split shuffle add add cat cat mul minus scale same twice strided".split())
        if what == "layer": v = self.like(u, r.randint(2, 6))
        elif what == "norm": v = batchnorm(u, 2 if height else 1)
        elif what == "relu": v = relu(u)
        elif what == "drop": v = dropout(u)
        elif what == "pool" and height > 1: v, height = maxpool(u), height // 2
        elif what == "depth" and height: v = conv(u, u.nout, groups=u.nout)
        elif what == "many" and height and u.nout < 6: v = conv(u, 2 * u.nout, groups=u.nout)
        elif what == "group" and height:
            u = self.fitted(u, u.nout + u.nout % 2)
            v = conv(u, 2 * r.randint(1, 3), groups=2)
        elif what == "split" and u.nout > 1:
            a = r.randint(1, u.nout - 1)
            parts = [self.note(part, height) for part in split(u, [a, u.nout - a])]
            v = parts[0] if r.random() < .3 else cat(self.fitted(parts[1], u.nout - a), relu(parts[0]))
        elif what == "shuffle": v = shuffle(u, 2 if u.nout % 2 == 0 else 1)
        elif what == "add": v = sum((self.fitted(w, u.nout) for w in some[1:]), self.fitted(some[0], u.nout))
        elif what == "mul": v = tanh(self.note(self.fitted(some[0], u.nout) * self.fitted(some[1], u.nout), height))
        elif what == "minus": v = -u - self.fitted(some[0], u.nout)
        elif what == "scale": v = .5 * u
        elif what == "cat": v = cat(*some) if sum(w.nout for w in some) < 30 else relu(u)
        elif what == "twice": v = cat(u, r.choice(kin), u) if u.nout < 9 else relu(u)
        elif what == "strided" and height > 1: v, height = conv(u, r.randint(2, 5), stride=2), height // 2
        elif what == "same":
            used = [w for w in pool if isinstance(w.op, (nn.Conv2d, nn.Linear)) and w.role == "absorb" and self.pixels[w] == height
                    and self.pixels[w.inputs[0]] == height]
            w = r.choice(used) if used else None
            if w is None: v = tanh(u)
            else: v = layer(w.op, self.fitted(u, w.inputs[0].nout))
        else: v = tanh(u)
        return self.note(v, height)

def random_net(seed, dtype=torch.float64):
    "`(net, images)`: a net of some 10 to 25 vertices in evaluation mode, and a value for each of its inputs"
    torch.manual_seed(seed % 2**32)
    w = Writer(seed)
    r = w.r
    height = r.choice((0, 4, 4, 4))
    inputs = [w.note(inputvertex(f"x{i}", r.randint(1, 3)), height) for i in range(r.choice((1, 1, 2)))]
    pool = [w.like(x, r.randint(2, 5)) for x in inputs]
    for _ in range(r.randint(4, 12)):
        v = w.grow(pool)
        if v not in pool: pool.append(v)
    ends = []
    for u in r.sample(pool[-3:], min(len(pool[-3:]), r.choice((1, 1, 2)))):
        head = r.choice(("linear", "linear", "flat", "bare"))
        if w.pixels[u] and head != "bare": u = flatten(u, w.pixels[u] ** 2) if head == "flat" else globalpool(u)
        ends.append(u if head == "bare" else linear(u, 3))
    if not all(reads(e, x) for x in inputs[1:] for e in ends[:1]):
        ends = [linear(cat(*(globalpool(u) if w.pixels[u] else u for u in [*pool[:2], pool[-1]])), 2), *ends]
    net = Net(inputs, list(dict.fromkeys(ends)) if len(set(ends)) > 1 else ends[0])
    for m in net.modules():
        if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)):
            for t, low in (m.weight, .5), (m.bias, -.5), (m.running_mean, -.5), (m.running_var, .5): nn.init.uniform_(t, low, low + 1)
    net.to(dtype).eval()
    for v in r.sample(net.vertices, 1 if r.random() < .2 else 0): net.frozen.add(v)
    return net, [torch.randn(3, x.nout, *[height] * 2 * bool(height), dtype=dtype) for x in inputs]

def reads(v, x):
    seen, todo = set(), [v]
    while todo:
        u = todo.pop()
        if u not in seen: seen.add(u); todo += u.inputs
    return x in seen

def heights(net, values):
    "Height of every vertex's feature maps in `net` now"
    got = evaluate(net, values)
    return {v: got[v].shape[2] if got[v].ndim == 4 else 0 for v in net}

# ------------------------------------------------------------------------------------------------------ evaluating a net

def evaluate(net, values, wiring=None, ops=None, keep=None):
    """Every vertex's value, computed one by one from a recursive definition (no compiled program). `wiring` gives other inputs to
    some vertices, `ops` other computations, `keep` positions per vertex outside of which its value is multiplied by zero."""
    wiring, ops, keep, got = wiring or {}, ops or {}, keep or {}, dict(zip(net.inputs, values))
    todo = list(net.outputs)
    while todo:
        v = todo[-1]
        inputs = wiring.get(v, v.inputs)
        missing = [] if v in got else [u for u in inputs if u not in got]
        if missing: todo += missing; continue
        todo.pop()
        if v in got: continue
        out = ops.get(v, v.op)(*[got[u] for u in inputs])
        if v in keep:
            mask = torch.zeros(out.shape[1], dtype=out.dtype)
            mask[keep[v]] = 1
            out = torch.where(mask.view(1, -1, *[1] * (out.ndim - 2)) > 0, out, torch.zeros_like(out))
        got[v] = out
    return got

# ------------------------------------------------------------------------------------------------------- what must not change

def _bits(t): return None if t is None else (t.dtype, tuple(t.shape), t.detach().clone())

def snapshot(net, optimizers=()):
    "Everything about a net and its optimizers that a refused change must leave alone, bit for bit"
    s = {"order": [id(v) for v in net.vertices], "outputs": [id(v) for v in net.outputs], "inputs": [id(v) for v in net.inputs],
         "frozen": {id(v) for v in net.frozen}, "single": net.single, "version": net.version, "training": net.training,
         "rng": repr(net.rng.bit_generator.state), "keys": list(net.state_dict()), "modules": [(k, id(m)) for k, m in net.named_modules()],
         "program": repr([(id(op), places, dead) for op, places, dead in net._program[0]] + net._program[1])}
    for v in net.vertices:
        s[v.name] = (id(v), v.nout, v.role, id(v.op), [id(u) for u in v.inputs])
        if isinstance(v.op, nn.Module):
            s[v.name, "numbers"] = {k: w for k, w in vars(v.op).items() if isinstance(w, (int, float, str, tuple, bool))}
    for k, p in net.named_parameters(): s["parameter", k] = id(p), p.requires_grad, _bits(p), _bits(p.grad)
    for k, b in net.named_buffers(): s["buffer", k] = id(b), _bits(b)
    for i, o in enumerate(optimizers):
        s["groups", i] = [{k: [id(p) for p in w] if k == "params" else repr(w) for k, w in g.items()} for g in o.param_groups]
        s["states", i] = {id(p) for p in o.state}
        for p, memory in o.state.items():
            for k, w in memory.items(): s["memory", i, id(p), k] = _bits(w) if torch.is_tensor(w) else w
    return s

def same(a, b):
    if torch.is_tensor(a): return torch.is_tensor(b) and a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, (tuple, list)): return len(a) == len(b) and all(map(same, a, b))
    return a is b or a == b

def assert_same(before, after, what=""):
    assert before.keys() == after.keys(), f"{what}: {before.keys() ^ after.keys()}"
    for k in before: assert same(before[k], after[k]), f"{what}: {k} was {before[k]} and is {after[k]}"

# ------------------------------------------------------------------------------------------------------- provenance

def moved(v):
    "For each neuron that comes out of the index map `v` the position it comes from, read off the computation itself"
    n = v.inputs[0].nout
    if isinstance(v.op, nn.Conv2d): return [i for i in range(n) for _ in range(v.op.out_channels // v.op.in_channels)]
    height = round((v.nout / v.inputs[0].nout) ** .5) if isinstance(v.op, nn.Flatten) else 1
    return v.op(torch.arange(n).view(1, n, 1, 1).expand(1, n, height, height)).flatten().tolist()

def provenance(net, roots=lambda v, i: (v.name, i)):
    """For every vertex a list: of which made neurons (by layers with weights and inputs) each of its neurons is a function,
    neuron by neuron. Found by following positions through the graph, with a rule per kind of vertex."""
    got = {}
    for v in net.vertices:
        if v.role in ("input", "absorb", "immutable"): got[v] = [frozenset([roots(v, i)]) for i in range(v.nout)]
        elif v.role == "invariant": got[v] = [frozenset().union(*parts) for parts in zip(*(got[u] for u in v.inputs), strict=True)]
        elif v.role == "stack": got[v] = [p for u in v.inputs for p in got[u]]
        else: got[v] = [got[v.inputs[0]][i] for i in moved(v)]
        assert len(got[v]) == v.nout, v
    return got

# ------------------------------------------------------------------------------------------------------- random surgery

def wishes_of(r, net, n=None):
    "A few random wishes, exact or relaxed"
    free = [v for v in net.vertices if v.role != "input" or r.random() < .05]
    made = {}
    for v in r.sample(free, min(len(free), n or r.choice((1, 1, 1, 2, 3)))):
        delta = r.choice((-3, -2, -1, -1, 1, 1, 2, 3, 4, 0))
        made[v if r.random() < .5 else v.name] = relaxed(delta) if r.random() < .4 else delta
    return made

def utility_of(r, net):
    "Random utilities: a function, a dictionary, or none"
    worth = {v: np.array([r.choice((r.random(), r.gauss(0, 1), 0.)) for _ in range(v.nout)]) for v in net if v.role == "absorb" or r.random() < .1}
    return r.choice((None, worth, worth.get, {v.name: u for v, u in worth.items()}))
