"""The sizes question asked the slow way: a binary for every neuron of every vertex, solved level by level by HiGHS.

Shares nothing with the package but the vertices themselves (inputs, role, nout). Slow, plain, and the measure of right.
"""
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp


class Oracle:
    def __init__(self, vertices, pinned, least=1, max_new=None, multiple_of=1):
        "Columns: kept[v][i] and new[v][i] for every neuron i of every vertex v, then whatever the levels need"
        self.vertices, self.lb, self.ub, self.whole, self.rows, self.low, self.high = vertices, [], [], [], [], [], []
        self.kept, self.new = {}, {}
        settled = self.settled(pinned)
        for v in vertices:
            fixed = v in pinned
            self.kept[v] = [self.column(int(fixed), 1) for _ in range(v.nout)]
            self.new[v] = [self.column(0, 0 if fixed else np.inf) for _ in range(v.nout)]
        for v in vertices:
            for a, b in self.equal(v):
                self.row({self.kept[v][a]: 1, b[0]: -1}, 0, 0)
                self.row({self.new[v][a]: 1, b[1]: -1}, 0, 0)
            if v in settled: continue
            self.row(self.size(v), least, np.inf)
            if v.role == "absorb":
                if max_new is not None: self.row(dict.fromkeys(self.new[v], 1), 0, max_new)
                if multiple_of > 1: self.row(self.size(v) | {self.column(0, np.inf): -multiple_of}, 0, 0)

    def same(self, v):
        "[(position in v, (input, position) of the neuron that it is)]"
        if v.role == "invariant": return [(i, (u, i)) for u in v.inputs for i in range(v.nout)]
        neurons, ends = [(u, i) for u in v.inputs for i in range(u.nout)], np.cumsum([0] + [u.nout for u in v.inputs])
        if v.role == "stack": return list(enumerate(neurons))
        if width := getattr(v.role, "width", 0): return [(i, (u, j)) for u in v.inputs for i in range(v.nout) for j in range(v.nout) if i // width == j // width]
        if callable(v.role): return [(i, neurons[j]) for i, j in enumerate(v.role(*map(np.arange, ends[:-1], ends[1:])))]
        return []

    def equal(self, v): return [(i, (self.kept[u][j], self.new[u][j])) for i, (u, j) in self.same(v)]

    def settled(self, pinned):
        "Vertices with nothing to decide: every neuron is one of a pinned vertex; bounds do not speak of them"
        fixed, known = {(v, i) for v in pinned for i in range(v.nout)}, -1
        while len(fixed) > known:
            known = len(fixed)
            for v in self.vertices:
                for i, other in self.same(v):
                    if (v, i) in fixed or other in fixed: fixed |= {(v, i), other}
        return {v for v in self.vertices if all((v, i) in fixed for i in range(v.nout))}

    def column(self, low, high, whole=True):
        self.lb.append(low); self.ub.append(high); self.whole.append(whole)
        return len(self.lb) - 1

    def row(self, terms, low, high): self.rows.append(terms); self.low.append(low); self.high.append(high)
    def size(self, v): return dict.fromkeys(self.kept[v] + self.new[v], 1)

    def solve(self, goal):
        n, A = len(self.lb), np.zeros((len(self.rows), len(self.lb)))
        for i, terms in enumerate(self.rows):
            for j, a in terms.items(): A[i, j] += a
        c = np.zeros(n)
        for j, a in goal.items(): c[j] += a
        found = milp(c, integrality=self.whole, bounds=Bounds(self.lb, self.ub), constraints=LinearConstraint(A, self.low, self.high), options={"mip_rel_gap": 0})
        assert found.status in (0, 2), found.message
        return None if found.status == 2 else found.fun

    def level(self, goal):
        "The smallest value of `goal`, which later levels must keep"
        best = self.solve(goal)
        whole = all(self.whole[j] and a == int(a) for j, a in goal.items())
        self.row(goal, -np.inf, round(best) + .25 if whole else best + 1e-7 * max(1, abs(best)))
        return best

    def distance(self, terms, target):
        "A column that is at least |terms - target|"
        d = self.column(0, np.inf, False)
        self.row(terms | {d: -1}, -np.inf, target)
        self.row(terms | {d: 1}, target, np.inf)
        return d

    def optimum(self, exact, relaxed, utility, before=None):
        """The value of every level, or None if the exact wishes {vertex: change} cannot be met;
        `relaxed` is {vertex: change}, `utility` is {vertex: one number per neuron}, `before` {vertex: the size that changes start from}"""
        before = before or {v: v.nout for v in self.vertices}
        for v, delta in exact.items(): self.row(self.size(v), before[v] + delta, before[v] + delta)
        if self.solve({}) is None: return None
        values, far, moves, strays = [], [], {}, {}
        for v, delta in relaxed.items():
            far.append(self.distance(self.size(v), before[v] + delta))
            if not delta: continue
            sign, big = np.sign(delta), 10_000
            up = {j: sign * a for j, a in self.size(v).items()}
            moves[self.column(0, 1)], strays[self.column(0, 1)] = -1, 1
            self.row(up | {list(moves)[-1]: -big}, sign * before[v] + 1 - big, np.inf)
            self.row(up | {list(strays)[-1]: big}, sign * before[v], np.inf)
        worst = self.column(0, np.inf, False)
        for d in far: self.row({d: 1, worst: -1}, -np.inf, 0)
        if relaxed: values += [self.level(g) for g in (moves, strays, dict.fromkeys(far, 1), {worst: 1})]
        values.append(self.level({j: -u for v in self.vertices for j, u in zip(self.kept[v], utility[v])}))
        values.append(self.level({j: 1 for v in self.vertices if v.role == "absorb" for j in self.new[v]}))
        change = {v: self.distance(self.size(v), before[v]) for v in self.vertices}
        most = self.column(0, np.inf, False)
        for v, d in change.items(): self.row({d: 1, most: -before[v]}, -np.inf, 0)
        values.append(self.level({most: 1}))
        values.append(self.level({d: 1 / before[v] for v, d in change.items()}))
        return values


def values_of(lists, exact, relaxed, utility):
    "The same numbers for a plan, from its index lists {vertex: list}"
    size = {v: len(l) for v, l in lists.items()}
    values = []
    if relaxed:
        moved = [(size[v] - v.nout) * np.sign(d) for v, d in relaxed.items() if d]
        far = [abs(size[v] - v.nout - d) for v, d in relaxed.items()]
        values += [-sum(m >= 1 for m in moved), sum(m <= -1 for m in moved), sum(far), max(far)]
    values.append(-sum(utility[v][i] for v, l in lists.items() for i in l if i >= 0))
    values.append(sum(i < 0 for v, l in lists.items() if v.role == "absorb" for i in l))
    change = [abs(size[v] - v.nout) / v.nout for v in lists]
    return [float(x) for x in values + [max(change), sum(change)]]
