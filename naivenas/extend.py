"""The six things that can be taught from outside, and what is needed for each.

1. A layer: which of a module's tensors hold neurons along which axes (o: its own, i, j, k: those of its inputs).
   Such a layer is resized, measured, saved by its class's name, and exported as itself. `Net.from_torch` keeps it
   whole if it has no parts and reads one value.

    class Scale(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.width, self.gain = width, nn.Parameter(torch.ones(width))
        def forward(self, x): return x * self.gain

    register(Scale, "width", "width", role="invariant", gain="o", fill={"gain": 1.})
    net = Net(x, layer(Scale(8), linear(x, 8)))

2. An operator: how neurons go through a tensor operator that `Net.from_torch` meets. A rule gets the import `work` and
   the site `s` (`s.name`, `s.shape`, one `Layout` for each input, `s.arg`, `s.axis`); it makes a vertex, or returns None
   if it does not know. Elementwise operators and those that only move data need no rule.

    @operation("shared")                            # torch.ops.mine.shared: x / x.abs().sum(1, keepdim=True)
    def shared(work, s):
        (l,) = s.layouts
        if l.axes != (1,): return None
        work.statistics[s.label] = "sum of sizes"   # each value depends on all others: growth changes it
        return work.made(s, "invariant", Layout(s.shape, l.axes))

3. A solver: a class with a name and `solve`, which gets one objective, a `Problem` and a time limit in seconds. It returns
   the best x, or None if there is none; it raises `Unusable`, `Unbounded` or TimeoutError.

    class Patient(Solver):
        name = "patient"
        def solve(self, c, p, seconds):
            found = milp(c, integrality=p.integer, bounds=Bounds(p.lb, p.ub), options={"time_limit": seconds},
                         constraints=LinearConstraint(p.A, p.low, p.high) if p.A.shape[0] else None)
            if found.status == 1: raise TimeoutError("no optimum in time")
            return found.x

    register_solver(Patient)        # net.resize({...}, solver="patient"); solvers() lists it

4. A mutation: a function of a net and a numpy generator. It changes the net and returns a `Change`, or None if there
   was nothing to do. `Mutation` is a base for those that change single vertices.

    def widen(net, rng):
        v = rng.choice([v for v in net.vertices if v.role == "absorb" and v not in net.outputs])
        return Change(f"{v.name} +2", keeps=True, report=net.resize(v, +2))

5. An importance: a function of a vertex; one number for each of its neurons, or None where it has no opinion.

    def largest(v):
        w = getattr(v.op, "weight", None)
        return None if v.role != "absorb" else w.detach().abs().flatten(1).amax(1).numpy()

    net.prune(keep=.5, by=largest)

6. A role: how neurons go through an operation. Often a function of positions is enough (`indexmap(op, v,
   moves=function)`); a role of your own says more, such as which neurons stay or go together. `Role` lists what is
   asked; only `moves` has no answer yet.

    class Turned(IndexMap):          # neurons i and i + n/2 are turned together
        sized = True                 # so ask it which neurons of its inputs meet
        def moves(self, i): return i
        def meets(self, i, out): return [tuple(np.split(i, 2))]

    indexmap(turn, linear(x, 8), moves=Turned())

All of it, run: nbs/explanations/add_your_own.ipynb.
"""
from .capture.importer import NotUnderstood, Site
from .capture.operators import OPERATORS, operation, operator
from .files.save import savable
from .graph.axes import Flow, Layout
from .graph.cut import Cut, Dense, GroupCut
from .graph.names import named
from .graph.roles import IndexMap, Role
from .graph.vertex import indexmap
from .nets.rules import RULES, Rule, register, rule
from .search.mutate import Change, Mutation
from .sizes.program import Problem
from .sizes.solvers import SOLVERS, Solver, Unbounded, Unusable, register_solver

__all__ = ["register", "rule", "Rule", "RULES", "Cut", "Dense", "GroupCut",   # layers
           "operation", "operator", "OPERATORS", "Site", "NotUnderstood", "Flow", "Layout",   # operators
           "Role", "IndexMap", "indexmap",                                     # roles
           "Solver", "register_solver", "SOLVERS", "Problem", "Unusable", "Unbounded",        # solvers
           "Change", "Mutation",                                              # mutations
           "savable", "named"]                                                         # functions and classes that files may name
