"Thousands of random mutations of random torch nets; after each, everything that must hold is checked from scratch"
import copy, operator, random
from collections import Counter
import numpy as np, pytest, torch
from hypothesis import HealthCheck, given, settings, strategies as st
from torch import nn
from naivenas.sizes.wishes import relaxed
from naivenas.graph.vertex import Vertex, add, mul
from naivenas.graph.roles import Gather, SizeError
from naivenas.nets.layers import conv, linear, cat
from naivenas.nets.norms import batchnorm
from naivenas.nets.activations import relu, tanh
from randomnets import assert_same, evaluate, heights, moved, provenance, random_net, reads, snapshot, utility_of, wishes_of

REFUSALS = SizeError, ValueError, TypeError, KeyError
FIXED = nn.MaxPool2d, nn.Flatten          # removing these would change heights
COUNT = Counter()

def kept(index): return [i for i in index if i >= 0]

def sole(index): return len(set(kept(index))) == len(kept(index))

class Surgery:
    "A random net under the knife"
    def __init__(self, seed, dtype=torch.float64):
        self.net, self.values = random_net(seed, dtype)
        self.r, self.dtype, self.made, self.held = random.Random(seed + 1), dtype, [], None
        self.optimizers = self.new_optimizers(list(self.net.parameters()))
        self.net.track(*self.optimizers)
        self.train()

    def new_optimizers(self, p):
        if not p: return []
        half = len(p) // 2
        momentum, adam = (lambda p: torch.optim.SGD(p, lr=1e-3, momentum=.9)), (lambda p: torch.optim.Adam(p, lr=1e-4))
        return self.r.choice([lambda: [momentum(p)], lambda: [adam(p)], lambda: [momentum([{"params": p[:half]}, {"params": p[half:], "lr": 1e-4}])],
                              lambda: [adam(p[:half]), momentum(p[half:])] if half else [adam(p)]])()

    def train(self):
        "One step, in evaluation mode so that it is repeatable; the loss is held on to"
        for o in self.optimizers: o.zero_grad(set_to_none=self.r.random() < .5)
        out = self.net(*self.values)
        self.held = sum(t.square().mean() for t in (out if isinstance(out, tuple) else (out,)))
        if self.held.requires_grad: self.held.backward()
        for o in self.optimizers: o.step()

    # ------------------------------------------------------------------------------------------------ the verbs

    def block(self, f):
        "`f` as a block that remembers what its new parameters were"
        def made(*inputs):
            v = f(*inputs)
            todo = [v]
            while todo:
                u = todo.pop()
                if isinstance(u, Vertex) and u not in inputs and u not in self.net:
                    todo += u.inputs
                    if isinstance(u.op, nn.Module): self.remember(u.op, u)
            return v
        return made

    def remember(self, op, vertex=None):
        "What the tensors of `op` are now"
        for k, t in [*op.named_parameters(recurse=False), *op.named_buffers(recurse=False)]:
            memories = [(o, m, w.clone()) for o in self.optimizers if t in o.state for m, w in o.state[t].items() if torch.is_tensor(w)] if t.requires_grad else []
            self.was[id(op), k] = t.detach().clone().to(self.dtype if t.is_floating_point() else t.dtype), None if t.grad is None else t.grad.clone(), memories
        if vertex: self.made.append(vertex)

    def resize(self):
        r, net = self.r, self.net
        wishes, how = wishes_of(r, net), {"by": utility_of(r, net)}
        if r.random() < .2: how["least"] = 2
        if r.random() < .1: how["frozen"] = [r.choice(net.vertices)]
        def done():
            sizes = {net[k]: net[k].nout for k in wishes}
            report = net.resize(wishes, **how) if r.random() < .7 else self.looked_at(wishes, how).apply()
            for k, d in wishes.items():
                if not isinstance(d, relaxed): assert net[k].nout == sizes[net[k]] + d
            for v in how.get("frozen", []): assert report.plan.out(v).tolist() == list(range(v.nout))
            return report
        return done, "equal", {}

    def looked_at(self, wishes, how):
        "A plan, after a check that making it changed nothing"
        before = snapshot(self.net, self.optimizers)
        plan = self.net.plan(wishes, **how)
        assert repr(plan) and plan._repr_html_()
        assert_same(before, snapshot(self.net, self.optimizers), "planning")
        return plan

    def prune(self):
        r, worth = self.r, {v: np.array([self.r.random() for _ in range(v.nout)]) for v in self.net if v.role == "absorb"}
        def done():
            report = self.net.prune(keep=r.choice((.5, .7, .8, .9)), by=r.choice((worth, worth.get)))
            assert all((report.plan.out(v) >= 0).all() for v in self.net), "pruning adds nothing"
            return report
        return done, "equal", {}

    def insert(self):
        r, net, tall = self.r, self.net, self.tall
        v = r.choice(net.vertices)
        readers = [w for w, _ in net.consumers(v)]
        to = r.sample(readers, r.randint(1, len(readers))) if readers and r.random() < .4 else None
        lone = [w for w in net.vertices if len(w.inputs) == 1]
        where = {"after": v, "to": to}
        if lone and r.random() < .2:
            w = r.choice(lone)
            v, to, where = w.inputs[0], [w], {"before": w.name}
        new = lambda u, n, **how: conv(u, n, k=r.choice((1, 3)), **how) if tall[v] else linear(u, n, **how)
        n = v.nout
        same, other = [(lambda u: new(u, n, start="identity")), (lambda u: cat(new(u, 2), u)), (lambda u: cat(u, new(u, 1))),
                       (lambda u: u + new(u, n, start="zero")), (lambda u: relu(new(u, n)) * 0 + u)], \
                      [lambda u: new(u, n), lambda u: new(u, n + 2, start="identity"), lambda u: new(u, max(n - 1, 1)), lambda u: batchnorm(u, 2 if tall[v] else 1),
                       lambda u: cat(relu(u), u), lambda u: relu(new(u, n)) + u, lambda u: cat(new(u, 1), new(u, 2))]
        act = r.choice([None, relu, tanh])
        how = {"wishes": wishes_of(r, net, 1)} if r.random() < .1 else {}
        if act:
            def wrapped(w):
                here = [u is v for u in w.inputs]
                return lambda op: lambda *xs: op(*[act_of(act)(x) if h else x for h, x in zip(here, xs)])
            rerouted = readers if to is None else to
            known = {} if to is None and v in net.outputs else {"ops": {w: wrapped(w) for w in rerouted}}
            return lambda: net.insert(self.block(act), **where, **how), "equal", known or None
        if r.random() < .6: return lambda: net.insert(self.block(r.choice(same)), **where, **how), "subset", {}
        return lambda: net.insert(self.block(r.choice(other)), **where, **how), None, None

    def remove(self):
        r, net, tall = self.r, self.net, self.tall
        v = r.choice([v for v in net.vertices if v.role != "input" and not isinstance(v.op, FIXED)
                      and all(tall[u] == tall[v] for u in v.inputs)] or net.vertices)
        into = {w.role for w, _ in net.consumers(v)}
        summed = all(is_sum(w) for w, _ in net.consumers(v))
        if isinstance(v.op, Gather): return lambda: net.remove(v), "equal", None if v in net.outputs else {}   # each column follows its neuron
        if len(v.inputs) == 1 and v.inputs[0].nout == v.nout and v.role in ("invariant", "absorb"):
            return lambda: net.remove(v), "equal" if v.role == "invariant" else None, {"ops": {v: lambda op: lambda t: t}}
        if v.role == "stack" and into == {"stack"}: return lambda: net.remove(v.name), "equal", {}
        if is_sum(v) and into and summed: return lambda: net.remove(v), "equal", {}
        return lambda: net.remove(v), "subset" if v.role != "absorb" else None, None

    def connect(self):
        r, net, tall = self.r, self.net, self.tall
        v = r.choice([v for v in net.vertices if v.role == "stack" or len(v.inputs) > 1] or net.vertices)
        u = r.choice([u for u in net.vertices if tall[u] == tall[v]])
        at = r.choice((None, None, r.randint(0, len(v.inputs))))
        place = len(v.inputs) if at is None else at
        source = u if r.random() < .8 else self.block(tanh)(u)
        inputs = [*v.inputs[:place], u, *v.inputs[place:]]
        known = {} if v.role == "stack" else {"wiring": {v: inputs}} if u.nout == v.nout and source is u and v.op in (add, mul) else None
        return lambda: net.connect(source, v, at=at), "equal" if v.role == "stack" else "superset", known

    def disconnect(self):
        r, net = self.r, self.net
        v = r.choice([v for v in net.vertices if len(v.inputs) > 1] or net.vertices)
        if not v.inputs: return lambda: net.disconnect(r.choice(net.vertices), v), None, None
        i = r.randrange(len(v.inputs))
        rest = [u for j, u in enumerate(v.inputs) if j != i]
        at = i if v.inputs.count(v.inputs[i]) > 1 or r.random() < .5 else None
        known = {"wiring": {v: rest}} if rest and v.op in (add, mul) else None
        if v.role == "stack": known = {"ops": {v: lambda op: lambda *xs: torch.cat([x * 0 if j == i else x for j, x in enumerate(xs)], 1)}}
        return lambda: net.disconnect(v.inputs[i], v.name, at=at), "equal" if v.role == "stack" else "subset", known

    def nonsense(self):
        "Calls that must be refused"
        r, net = self.r, self.net
        u, v, x = r.choice(net.vertices), r.choice(net.vertices), net.inputs[0]
        layers = [w for w in net if w.role == "absorb"] or [v]
        calls = [lambda: net.resize({x: +1}), lambda: net.resize("nobody", 1), lambda: net.resize({v: True}), lambda: net.resize({v: 1.5}),
                 lambda: net.resize({v: -v.nout}), lambda: net.resize({v: 1, v.name: 1}), lambda: net.resize(v), lambda: net.remove(x),
                 lambda: net.resize(layers[0], 1, by={layers[0]: [1.] * 99}), lambda: net.resize(layers[0], 1, by={layers[0]: np.nan}),
                 lambda: net.resize({x: 2, v: 1}), lambda: net.insert(lambda w: 3, after=v), lambda: net.insert(relu), lambda: net.prune(0, {}),
                 lambda: net.insert(lambda w: relu(w) + x.name, after=v), lambda: net.connect(v, v), lambda: net.connect(u, x),
                 lambda: net.resize(layers[0], 1, solver="X"), lambda: net.insert(lambda w: net.outputs[0] + w, after=x) if net.outputs[0] is not x and reads(net.outputs[0], x) else net.remove(x),
                 lambda: net.insert(lambda w: "taken" >> relu("taken" >> relu(w)), after=v), lambda: net.disconnect(net.outputs[0], x)]
        return r.choice(calls), "refused", None

    # ------------------------------------------------------------------------------------------------ one mutation and its checks

    def mutate(self):
        if not any(True for _ in self.net.parameters()): self.__init__(self.r.getrandbits(40), self.dtype)   # nothing left to operate on
        net, self.was, self.made = self.net, {}, []
        self.tall = heights(net, self.values)
        names = ["resize"] * 7 + ["prune"] * 2 + ["insert"] * (4 if len(net) < 30 else 1) + ["remove", "disconnect"] * 2 + ["connect"] * 3 + ["nonsense"]
        verb = self.r.choice(names)
        act, relation, known = getattr(self, verb)()
        for m in net.modules():
            if m is not net: self.remember(m)
        before, old, roots = snapshot(net, self.optimizers), copy.deepcopy(net), provenance(net, lambda v, i: (v, i))
        twin = {v: w for v, w in zip(net.vertices, old.vertices)}
        users = {v: list(v.inputs) for v in net.vertices}
        COUNT["tried", ""] += 1
        try: report = act()
        except REFUSALS as e:
            assert str(e)
            assert_same(before, snapshot(net, self.optimizers), f"refused {verb} ({e})")
            COUNT["refused", verb] += 1
            return
        assert relation != "refused", "nonsense was accepted"
        COUNT["done", verb] += 1
        plan = report.plan
        COUNT["loose", ""] += plan.edit.loose
        self.check_shapes()
        self.check_slots(plan, twin)
        self.check_arrays(plan, twin)
        self.check_origin(plan, roots, users, relation)
        if known is not None and not plan.edit.loose: self.check_function(plan, old, twin, known)
        self.check_optimizers()
        self.train()
        for v in net.frozen: assert v not in twin or plan.out(v).tolist() == list(range(twin[v].nout))

    def check_shapes(self):
        got = evaluate(self.net, self.values)
        for v in self.net.vertices:
            if v in got: assert got[v].shape[1] == v.nout, v
            op, n = v.op, v.inputs[0].nout if v.inputs else None
            if isinstance(op, nn.Conv2d):
                assert (op.in_channels, op.out_channels) == (n, v.nout) and op.weight.shape[:2] == (v.nout, n // op.groups)
                assert op.bias is None or op.bias.shape == (v.nout,)
                assert op.groups == (1 if op.mixes == "all" else 2 if op.mixes == "group" else n)
            if isinstance(op, nn.Linear): assert op.weight.shape == (v.nout, n) == (op.out_features, op.in_features) and op.bias.shape == (v.nout,)
            if isinstance(op, (nn.BatchNorm1d, nn.BatchNorm2d)):
                assert op.num_features == v.nout and all(t.shape == (v.nout,) for t in (op.weight, op.bias, op.running_mean, op.running_var))
            if isinstance(op, nn.Module): assert any(op is m for m in self.net.modules())
        assert len(set(self.net.names)) == len(self.net) and all(self.net.names)
        assert {k.split(".")[0] for k in self.net.state_dict()} <= set(self.net.names)

    def check_slots(self, plan, twin):
        "The slot rule, along every edge"
        lists = lambda v: (plan.out(v).tolist(), [i.tolist() for i in plan.ins(v)])
        for v in self.net.vertices:
            out, ins = lists(v)
            assert len(out) == v.nout and [len(i) for i in ins] == [u.nout for u in v.inputs]
            if v.role in ("input", "absorb", "immutable"): assert kept(out) == sorted(set(kept(out)))
            if v not in twin or v in plan.edit.inputs: continue
            assert ins == [lists(u)[0] for u in v.inputs], f"{v} reads something else than what comes out of its inputs"
            if v.role == "invariant": assert plan.edit.loose or all(i == out for i in ins), v
            starts = np.cumsum([0] + [u.nout for u in twin[v].inputs]).tolist()
            if v.role == "stack": assert out == [i if i < 0 else i + s for s, part in zip(starts, ins) for i in part], v
            if callable(v.role):
                before, after = moved(twin[v]), moved(v)
                assert len(out) == len(after) and all(before[i] == ins[0][j] if i >= 0 else ins[0][j] < 0 or not sole(ins[0]) for i, j in zip(out, after)), v
        for v in plan.edit.inputs:
            if v in twin and v.role == "stack" and v in self.net:
                starts = np.cumsum([0] + [u.nout for u in twin[v].inputs]).tolist()
                slots = [s for _, s in plan.edit.wiring(v)]
                assert lists(v)[0] == [i if i < 0 else i + starts[s] for s, part in zip(slots, lists(v)[1]) for i in part], v

    def check_arrays(self, plan, twin):
        "Every weight, gradient and optimizer memory is where the lists say, and new ones start as they should"
        for v in self.net.vertices:
            if not isinstance(v.op, nn.Module): continue
            out, ins = plan.out(v), plan.ins(v)[0]
            for k, t in [*v.op.named_parameters(recurse=False), *v.op.named_buffers(recurse=False)]:
                old, gradient, memories = self.was[id(v.op), k]
                reads = v.role == "absorb" and t.ndim > 1
                if reads and getattr(v.op, "groups", 1) > 1: self.check_groups(v, out, ins, t.detach(), old); continue
                start = 1. if isinstance(v.op, (nn.BatchNorm1d, nn.BatchNorm2d)) and k in ("weight", "running_var") else 0.
                place = lambda old, start: expected(old, out, ins if reads else None, start)
                wanted = place(old, start) if t.ndim else old
                if isinstance(t, nn.Parameter) and t.ndim > 1:
                    noise = np.ix_(out < 0, ins >= 0) if reads else out < 0
                    drawn = t.detach().numpy()[noise]
                    assert (drawn != 0).all() and (np.abs(drawn) < 7 / max(drawn.size, 1)).all(), f"{v}: noise"
                    assert not drawn.size or len(np.unique(drawn.reshape(len(drawn), -1), axis=0)) == len(drawn), f"{v}: new neurons differ"
                    wanted.numpy()[noise] = drawn
                assert torch.equal(t.detach(), wanted), f"{v}.{k}"
                if not isinstance(t, nn.Parameter): continue
                assert (t.grad is None) == (gradient is None)
                if gradient is not None: assert torch.equal(t.grad, place(gradient, 0.)), f"gradient of {v}.{k}"
                for o, m, w in memories: assert torch.equal(o.state[t][m], place(w, 0.) if w.shape == old.shape else w), f"{m} of {v}.{k}"

    def check_groups(self, v, out, ins, new, old):
        "A kept neuron of a grouped convolution is in its old group, reads its old channels with its old weights, and new ones not at all"
        (rows, width), (many, wide) = (len(out) // 2, len(ins) // 2), (len(old) // 2, old.shape[1])
        for j, i in enumerate(out):
            if i < 0: continue
            assert j // rows == i // many, f"{v}: neuron {i} has changed its group"
            for k, read in enumerate(ins[j // rows * width:][:width]):
                assert read < 0 or read // wide == i // many, f"{v}: input {read} has changed its group"
                assert torch.equal(new[j, k], old[i, read % wide] if read >= 0 else torch.zeros_like(new[j, k])), v

    def check_origin(self, plan, roots, users, relation):
        "Every kept neuron and column is still about the same made neurons, found without the plan's ties"
        if relation is None or plan.edit.loose: return
        now = {v: plan.out(v) for v in self.net.vertices}
        fresh = lambda v, i: (v, int(now[v][i])) if v in roots and now[v][i] >= 0 else ("new", v, i)
        after, rewired = provenance(self.net, fresh), any(True for _ in plan.edit.inputs) or bool(self.made)
        alive = {("new",)} | {(v, int(i)) for v in self.net.vertices for i in now[v]}
        def check(v, new, old, i):
            if i < 0:
                assert rewired or all(r[0] == "new" for r in new), f"{v}: an old neuron is taken for a new one"
                return
            old, new = set(old[i]), set(new)
            if rewired: old, new = {r for r in old if r[0] in self.net}, {r for r in new if r[0] in roots}
            good = {"equal": new == old, "subset": new <= old, "superset": new >= old}[relation]
            assert good, f"{v}: position {i} was made of {old}, and is now of {new}"
        for v in self.net.vertices:
            if v not in roots: continue
            for j, i in enumerate(now[v]): check(v, after[v][j], roots[v], i)
            if v.role == "absorb" and v not in plan.edit.inputs:
                for u, index in zip(v.inputs, plan.ins(v)):
                    for k, i in enumerate(index): check(v, after[u][k], roots[u], i)

    def check_function(self, plan, old, twin, known):
        "The new net computes what the old one does with its dropped neurons multiplied by zero (and rewired by hand)"
        keep = {w: kept(plan.out(v)) for v, w in twin.items() if v in self.net and v.role != "input"}
        wiring = {twin[v]: [twin[u] for u in inputs] for v, inputs in known.get("wiring", {}).items()}
        ops = {twin[v]: f(twin[v].op) for v, f in known.get("ops", {}).items()}
        with torch.no_grad():
            values, got = evaluate(old, self.values, wiring, ops, keep), self.net(*self.values)
            got = (got,) if self.net.single else got
            scale = max([1.] + [float(t.abs().max()) for t in values.values()])
            for v, w, new in zip(self.net.outputs, old.outputs, got, strict=True):
                index = torch.as_tensor(plan.out(v) if v in twin else range(w.nout))
                if v not in twin and v.nout != w.nout: continue
                reference = values[w][:, index.clamp(min=0)]
                err = float((new - reference)[:, index >= 0].abs().max()) if (index >= 0).any() else 0.
                assert err <= (1e-9 if self.dtype == torch.float64 else 1e-5) * scale, f"{v}: off by {err}"
        COUNT["function", ""] += 1

    def check_optimizers(self):
        held = [p for o in self.optimizers for g in o.param_groups for p in g["params"]]
        mine = list(self.net.parameters())
        if self.optimizers: assert sorted(map(id, held)) == sorted(map(id, mine)), "each parameter is in one optimizer, once"
        for o in self.optimizers:
            assert {id(p) for p in o.state} <= set(map(id, mine))
            for p, memory in o.state.items():
                assert all(w.shape in (p.shape, ()) for w in memory.values() if torch.is_tensor(w))

def is_sum(v): return v.op is add
def act_of(f): return {relu: torch.relu, tanh: torch.tanh}[f]

def expected(old, out, ins, start):
    "What a tensor should be: old entries in their places, `start` elsewhere"
    index = [out] if ins is None else [out, ins]
    new = torch.full([*map(len, index), *old.shape[len(index):]], start, dtype=old.dtype)
    have = [torch.as_tensor(np.flatnonzero(i >= 0)) for i in index]
    want = [torch.as_tensor(i[i >= 0]) for i in index]
    if ins is None: new[have[0]] = old[want[0]]
    else: new[have[0][:, None], have[1][None]] = old[want[0][:, None], want[1][None]]
    return new

# -------------------------------------------------------------------------------------------------------------- the tests

def operate(seed, dtype, mutations):
    surgery = Surgery(seed, dtype)
    for _ in range(mutations): surgery.mutate()

def sweep(many, dtype, mutations, **how):
    @settings(max_examples=many, deadline=None, database=None, suppress_health_check=list(HealthCheck), **how)
    @given(st.integers(0, 2**40))
    def changes(seed): operate(seed, dtype, mutations)
    changes()

@pytest.mark.parametrize("dtype, mutations", [(torch.float64, 25), (torch.float32, 15)], ids=["double", "single"])
def test_mutations(dtype, mutations):
    COUNT.clear()
    sweep(15, dtype, mutations, derandomize=True)
    done = sum(n for (what, *_), n in COUNT.items() if what == "done")
    assert done >= 7 * mutations and COUNT["function", ""] > 4 * mutations, COUNT

@pytest.mark.slow
@pytest.mark.parametrize("dtype, mutations", [(torch.float64, 25), (torch.float32, 15)], ids=["double", "single"])
def test_many_mutations(dtype, mutations): sweep(400, dtype, mutations)

@pytest.mark.parametrize("first, second", [(1, 1), (1, 3), (3, 1)])
def test_adafactor_goes_on_where_an_axis_of_length_1_has_grown(first, second):
    from naivenas import Net, inputvertex
    x = inputvertex("x", first)
    net = Net(x, "y" >> linear("b" >> linear("a" >> linear(x, second), 1), 2))
    optimizer = torch.optim.Adafactor(net.parameters(), 1e-2)
    net.track(optimizer)
    def step():
        net.zero_grad(); net(torch.randn(4, first)).sum().backward(); optimizer.step()
    step(); net.resize({"a": +2, "b": +3}); step()
    for p in net.parameters():
        if p.ndim == 2: assert optimizer.state[p]["row_var"].shape == (len(p), 1) and optimizer.state[p]["col_var"].shape == (1, p.shape[1])
