"""Times of planning against the one-binary-per-neuron formulation, side by side in one run.

    python bench/solver.py                      # everything
    python bench/solver.py dense tied plain     # some parts
    python bench/solver.py tied --layers 200 2000 --repeat 5

Parts: `dense` prunes DenseNet-121-shaped graphs by random utilities, `tied` resizes a residual chain in which everything
is tied, `plain` prunes a plain chain, `licence` counts variables and rows for known shapes, `refuse` times an infeasible
request. Ends with one summary line and exits 1 when a figure is missed.
"""
import argparse, resource, statistics, sys, time
import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

import naivenas.sizes.edits
from naivenas.graph.cut import Dense
from naivenas.sizes.wishes import utilities
from naivenas import Graph
from naivenas.sizes.wires import ties
from naivenas.graph.vertex import absorb, inputvertex, invariant
from naivenas.graph.moves import cat
from naivenas.graph.roles import SizeError


class Shape:
    "A layer that has sizes and nothing else, so that graphs of any size are cheap"
    def __init__(self, nin, nout): self.nin, self.nout = [nin], nout
    def resize(self, ins, out): return {"nin": [len(ins[0])], "nout": len(out)}

def layer(v, n): return absorb(Shape(v.nout, n), v)
def norm(v): return invariant(abs, invariant(abs, v))   # and an activation


# --- the graphs -------------------------------------------------------------------------------------------------

def densenet(layers, blocks=(6, 12, 24, 16), growth=32, width=64):
    "DenseNet-121's four dense blocks, repeated until there are `layers` dense layers"
    x = inputvertex("x", 3)
    v, made = layer(x, width), 0
    while made < layers:
        for n in blocks:
            for _ in range(min(n, layers - made)):
                v = cat(v, layer(norm(layer(norm(v), 4 * growth)), growth))
                made += 1
            v = layer(norm(v), v.nout // 2) if made < layers else v
    return Graph(x, layer(norm(v), 1000))

def chain(layers, width=64, tied=True):
    "A chain of layers, each added to its input if `tied`"
    x = inputvertex("x", 3)
    v = layer(x, width)
    for _ in range(layers): v = v + layer(v, width) if tied else layer(v, width)
    return Graph(x, layer(v, 10))

def resnet50():
    x = inputvertex("x", 3)
    v = norm(layer(x, 64))
    for n, width in zip((3, 4, 6, 3), (64, 128, 256, 512)):
        for i in range(n):
            f = layer(norm(layer(norm(layer(v, width)), width)), 4 * width)
            v = norm((layer(v, 4 * width) if i == 0 else v) + f)
    return Graph(x, layer(v, 1000))

def inverted(stages, first, last):
    "Inverted residual blocks, as in MobileNetV2 and EfficientNet: `stages` of (expansion, width, repeats)"
    x = inputvertex("x", 3)
    v = norm(layer(x, first))
    for expand, width, repeats in stages:
        for i in range(repeats):
            f = norm(norm(layer(v, v.nout * expand))) if expand > 1 else norm(v)
            f = layer(f, width)
            v = v + f if i and v.nout == width else f
    return Graph(x, layer(norm(layer(v, last)), 1000))

def mobilenetv2(): return inverted([(1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1)], 32, 1280)
def efficientnetb0(): return inverted([(1, 16, 1), (6, 24, 2), (6, 40, 2), (6, 80, 3), (6, 112, 3), (6, 192, 4), (6, 320, 1)], 32, 1280)


# --- the reference ----------------------------------------------------------------------------------------------

def one_binary_per_neuron(graph, utility, wish=None, new=True):
    """`(most importance kept, variables)` by a binary per neuron of every vertex, and with `new` an integer per neuron for the new
    ones behind it, with equalities between tied ones, in HiGHS"""
    start, n = {}, 0
    for v in graph: start[v], n = n, n + v.nout
    value, low, high = np.zeros(n), np.zeros(n), np.ones(n)
    left, right, need, least = [], [], [], []
    for v in graph:
        here = np.arange(start[v], start[v] + v.nout)
        if utility(v) is not None: value[here] = utility(v)
        pinned = v.role == "input" or v in graph.outputs
        if pinned: low[here] = 1
        parts = [np.arange(start[u], start[u] + u.nout) for u in v.inputs]
        for p in parts if v.role == "invariant" else [np.concatenate(parts)] if v.role == "stack" else []:
            left.append(here)
            right.append(p)
        need.append(here)
        least.append((v.nout,) * 2 if pinned else (v.nout + wish[1],) * 2 if wish and wish[0] is v else (1, np.inf))
    a, b = np.concatenate([[], *left]).astype(int), np.concatenate([[], *right]).astype(int)
    k = len(a)
    equal = sparse.csr_array((np.r_[np.ones(k), -np.ones(k)], (np.r_[np.arange(k), np.arange(k)], np.r_[a, b])), shape=(k, n))
    size = sparse.csr_array((np.ones(n), (np.repeat(np.arange(len(need)), [len(i) for i in need]), np.concatenate(need))), shape=(len(need), n))
    if new:
        value, low, high = np.r_[value, np.zeros(n)], np.r_[low, np.zeros(n)], np.r_[high, np.full(n, np.inf)]
        equal, size = sparse.block_diag([equal, equal]), sparse.hstack([size, size])
    found = milp(-value, integrality=np.ones(len(value)), bounds=Bounds(low, high), options={"mip_rel_gap": 0},
                 constraints=[LinearConstraint(equal, 0, 0), LinearConstraint(size, *np.array(least).T)])
    return -found.fun, len(value)

def against(graph, utility, wish, ours, p, wanted, what):
    "Print the reference's time and optimum beside ours"
    for new in False, True:
        seconds, (best, n) = timed(lambda: one_binary_per_neuron(graph, utility, wish, new), 1)
        print(f"    one binary per neuron{' and one integer for new ones' if new else ', nothing new'}: {n} variables, {seconds:.2f} s, {seconds / ours:.0f}x ours")
    figure(f"{what} ratio", f"{seconds / ours:.0f}x", f"at least {wanted}x", seconds >= wanted * ours)
    figure(f"{what} optimum", f"{kept_utility(p):.6f} and {best:.6f}", "equal", abs(kept_utility(p) - best) <= 1e-6 * abs(best))


# --- measuring --------------------------------------------------------------------------------------------------

missed = []

def figure(what, value, wanted, good):
    print(f"    {what}: {value} (wanted: {wanted}){'' if good else '   MISSED'}", flush=True)
    if not good: missed.append(what)

def timed(f, repeat):
    "Median seconds of `repeat` calls, and what the last one gave"
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = f()
        times.append(time.perf_counter() - start)
    return statistics.median(times), result

def random_utility(graph, seed=0):
    rng = np.random.default_rng(seed)
    table = {v: rng.normal(.5, 1, v.nout) for v in graph if v.role == "absorb"}
    return table.get

def exponent(sizes, times): return np.log(times[-1] / times[0]) / np.log(sizes[-1] / sizes[0])

def kept_utility(p): return float(p.utility[p.decision.kept].sum())

def dense(args):
    print("dense: prune a DenseNet-121-shaped graph (58 dense layers, growth 32) by random utilities")
    g = densenet(58)
    u = random_utility(g)
    ours, p = timed(lambda: g.plan(by=u, solver="HiGHS"), args.repeat)
    print(f"    {sum(v.nout for v in g)} neurons in {len(g)} vertices: ours {1000 * ours:.0f} ms")
    against(g, u, None, ours, p, 50, "dense")
    times = []
    for layers in args.layers:
        g = densenet(layers)
        u = random_utility(g)
        times.append(timed(lambda: g.plan(by=u), args.repeat)[0])
        print(f"    {layers} dense layers, {sum(v.nout for v in g)} neurons: {times[-1]:.2f} s")
    figure("growth", f"exponent {exponent(args.layers, times):.2f}", "at most 1.15", exponent(args.layers, times) <= 1.15)

def tied(args):
    print("tied: resize a residual chain in which everything is tied")
    times = []
    for layers in args.layers:
        g = chain(layers)
        seconds, p = timed(lambda: g.plan({g[1]: -4}, solver="HiGHS"), args.repeat)
        times.append(seconds)
        print(f"    {layers} layers: {seconds:.3f} s, {p.ties.wires} wires, {len(p.decision.problem.columns) if p.decision.problem else 0} columns")
        if layers == args.layers[0]:
            against(g, lambda v: 1. if v.role == "absorb" else None, (g[1], -4), seconds, p, 30, "tied")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figure(f"{args.layers[-1]} layers", f"{times[-1]:.2f} s, {memory:.2f} GB at most so far", "2 s, 1.5 GB", times[-1] < 2 and (memory < 1.5 or len(args.parts) > 1))
    figure("growth", f"exponent {exponent(args.layers, times):.2f}", "at most 1.15", exponent(args.layers, times) <= 1.15)

def plain(args):
    print("plain: prune a plain chain by random utilities")
    times = []
    for layers in args.layers:
        g = chain(layers, tied=False)
        u = random_utility(g)
        seconds, _ = timed(lambda: g.plan(by=u), args.repeat)
        base, _ = timed(lambda: utilities(g, ties(g), u), args.repeat)
        times.append(seconds)
        print(f"    {layers} layers: {seconds:.3f} s, ties and utilities alone {base:.3f} s")
    figure("ratio", f"{seconds / base:.2f}x", "at most 3x", seconds <= 3 * base)
    figure("growth", f"exponent {exponent(args.layers, times):.2f}", "at most 1.15", exponent(args.layers, times) <= 1.15)

def licence(args):
    print("licence: the program of a prune to 70%, and of one with all widths multiples of 8")
    for make in resnet50, mobilenetv2, efficientnetb0:
        g = make()
        u = random_utility(g)
        for what, p in (("prune", g.prune_plan(.7, u)), ("multiples of 8", g.prune_plan(.7, u, multiple_of=8))):
            rows, columns = p.decision.problem.A.shape if p.decision.problem is not None else (0, 0)
            figure(f"{make.__name__}, {what}", f"{columns} variables, {rows} rows", "at most 2000 each", max(rows, columns) <= 2000)

def refuse(args):
    print("refuse: an impossible request on the tied chain")
    g = chain(args.layers[0])
    last = g[-1].inputs[0]
    def ask():
        try: g.plan({g[1]: +1, last: -1})
        except SizeError as e: return str(e)
    seconds, reason = timed(ask, args.repeat)
    print(f"    {reason}")
    figure("seconds", f"{seconds:.2f}", "under 1", seconds < 1 and reason is not None)


if __name__ == "__main__":
    parts = dict(dense=dense, tied=tied, plain=plain, licence=licence, refuse=refuse)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(parts), help="parts to run")
    parser.add_argument("--layers", nargs="+", type=int, default=[1000, 10000], help="layers, for the growth of time")
    parser.add_argument("--repeat", type=int, default=3, help="medians of so many")
    args = parser.parse_args()
    if unknown := set(args.parts) - set(parts): parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(parts)}")
    for part in args.parts: parts[part](args)
    print(f"solver: {len(missed)} figures missed{': ' + ', '.join(missed) if missed else ''}")
    sys.exit(bool(missed))
