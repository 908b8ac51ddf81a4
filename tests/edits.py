"""Random edits of toy graphs, and the edited graph as the slow oracle sees it: rewired by hand, on vertices of its own."""
import numpy as np
from naivenas.graph.order import topological
from naivenas.graph.vertex import Vertex, absorb, invariant, size_of
from naivenas.graph.moves import cat
from naivenas.graph.roles import SizeError
from oracle import Oracle


class Rewired:
    "What a graph looks like after an edit {vertex: its inputs then}, copied vertex by vertex; `dropped`: an edge has gone, not changed"
    def __init__(self, g, inputs, outputs, dropped=False):
        wired = lambda v: inputs.get(v, v.inputs)
        order = topological(outputs, wired)
        self.of, self.meets, self.maps = {}, True, False     # vertex -> its copy; do all sizes meet? would an index map read something else?
        touched = set(inputs)
        for v in [*g.inputs, *(v for v in order if v.role != "input")]:
            if any(u in touched for u in wired(v)): touched.add(v)
            if v in touched and callable(v.role): self.maps, self.meets = True, False
            if v in g and v in inputs and len({*v.inputs} - {*inputs[v]}) and sum(self.of[u].nout for u in inputs[v]) != sum(u.nout for u in v.inputs) and not dropped:
                self.meets = False
            copy = Vertex(v.op, [self.of[u] for u in wired(v)], v.role, v.nout)
            if v.role not in ("input", "absorb", "immutable"):
                try: copy.nout = size_of(copy)
                except (ValueError, IndexError): self.meets = False
            self.of[v] = copy
        self.outputs = [self.of[v] for v in outputs]

    def pinned(self, wished, frozen):
        fixed = {self.of[v] for v in frozen if v in self.of} | {w for w in self.outputs if w not in {self.of[v] for v in wished if v in self.of}}
        return fixed.union(*[{w, *w.inputs} for w in self.of.values() if w.role == "immutable"], [w for w in self.of.values() if w.role == "input"])


class EditOracle(Oracle):
    "An oracle for graphs whose sizes do not meet yet, too: where they do not, only the sums are equated"
    def __init__(self, vertices, pinned, before, **bounds):
        self.before = before
        super().__init__(vertices, pinned, **bounds)
        for v in pinned: self.row(self.size(v), before[v], before[v])
        for v in vertices:
            if v.role == "invariant":
                for u in v.inputs:
                    if u.nout != v.nout: self.row(self.size(v) | {j: -1 for j in self.size(u)}, 0, 0)
            if v.role == "stack" and sum(u.nout for u in v.inputs) != v.nout:
                total = dict.fromkeys(self.size(v), -1)
                for u in v.inputs:
                    for j in self.size(u): total[j] = total.get(j, 0) + 1
                self.row(total, 0, 0)

    def same(self, v):
        if v.role == "invariant": return [(i, (u, i)) for u in v.inputs if u.nout == v.nout for i in range(v.nout)]
        if v.role == "stack" and sum(u.nout for u in v.inputs) != v.nout: return []
        return super().same(v)


def verb_of(edit):
    "`(verb, its arguments, its keywords)` for a random edit"
    what, args, *_ = edit
    if what == "insert": return what, args[:1], dict(after=args[1])
    if what == "cut": return "remove", args, dict(reconnect=False)
    if what == "segment": return "replace", args, {}
    return what, args[:2], dict(at=args[2]) if len(args) > 2 else {}

def closed(g, first, last):
    "Is what lies between the two read by nothing else?"
    inside = {v for v in g.descendants(first) if last in g.descendants(v)} | {first, last}
    return not any(v in g.outputs or any(v in w.inputs for w in g if w not in inside) for v in inside - {last})

def random_edit(r, g):
    "`(kind of edit, its arguments, {vertex: inputs afterwards}, outputs afterwards)`; the inputs may be refused"
    from test_oracle import dense
    what, v = r.choice("connect disconnect insert insert remove remove cut segment".split()), r.choice(g.vertices)
    if what == "connect":
        stacks = [w for w in g if w.role == "stack" or w.role == "invariant" and getattr(w.op, "__name__", "") in ("add", "mul")]
        if not stacks: return None
        w = r.choice(stacks)
        v, at = r.choice([u for u in g if u not in g.descendants(w)]), r.randint(0, len(w.inputs))
        return what, (v, w, at), {w: [*w.inputs[:at], v, *w.inputs[at:]]}, g.outputs
    if what == "disconnect":
        stacks = [w for w in g if len(w.inputs) > 1 and (w.role == "stack" or getattr(w.op, "__name__", "") in ("add", "mul"))]
        if not stacks: return None
        w = r.choice(stacks)
        at = r.randrange(len(w.inputs))
        return what, (w.inputs[at], w, at), {w: w.inputs[:at] + w.inputs[at + 1:]}, g.outputs
    if what == "insert":
        if v in g.outputs or not g.consumers(v): return None
        new = r.choice((lambda u: dense(u, u.nout), lambda u: invariant(np.tanh, u), lambda u: cat(dense(u, 2), dense(u, u.nout)), lambda u: dense(u, r.randint(1, 5))))(v)
        fresh = [w for w in topological([new]) if w not in g]
        return what, (lambda _: new, v), {w: [new if u is v else u for u in w.inputs] for w in g if v in w.inputs} | {w: w.inputs for w in fresh}, g.outputs
    if what == "cut":
        readers = [w for w in g if v in w.inputs]
        many = lambda w: w.role == "stack" or w.role == "invariant" and getattr(w.op, "__name__", "") in ("add", "mul")
        if v.role == "input" or v in g.outputs or not readers or not all(many(w) and {*w.inputs} != {v} for w in readers): return None
        return what, (v,), {w: [u for u in w.inputs if u is not v] for w in readers}, g.outputs
    if what == "segment":
        ways = [(first, last) for first in g for last in g.descendants(first) if len(first.inputs) == 1 and last not in g.outputs and closed(g, first, last)]
        if not ways: return None
        first, last = r.choice(ways)
        new = dense(first.inputs[0], r.choice((last.nout, last.nout, r.randint(1, 5))))
        return what, ((first, last), lambda _: new), {w: [new if u is last else u for u in w.inputs] for w in g if last in w.inputs} | {new: new.inputs}, g.outputs
    if v.role == "input" or v in g.outputs or len(v.inputs) != 1 and any(w.role != "stack" for w, _ in g.consumers(v)): return None
    return what, (v,), {w: [x for u in w.inputs for x in (v.inputs if u is v else [u])] for w in g if v in w.inputs}, g.outputs
