"""Time and memory of applying a plan to a ResNet-50, against only selecting the same entries of the same tensors.

    python bench/surgery.py                          # ResNet-50, pruned to 70% by magnitude
    python bench/surgery.py --keep 0.5 0.9 --repeat 9
    python bench/surgery.py --width 16               # a narrower one

Ends with one summary line and exits 1 when a figure is missed.
"""
import argparse, copy, resource, statistics, sys, time
import numpy as np, torch
from torch import nn

from naivenas.graph.cut import Cut, resized
from naivenas.nets.importance import magnitude
from naivenas.nets.layers import conv, linear
from naivenas.nets.norms import batchnorm, globalpool, maxpool
from naivenas.nets.activations import relu
from naivenas import Net
from naivenas.graph.vertex import inputvertex

def unit(v, n, k=1, stride=1): return batchnorm(conv(v, n, k, stride, bias=False))

def resnet50(width=64, classes=1000):
    x = inputvertex("x", 3)
    v = maxpool(relu(unit(x, width, 7, 2)), 3, 2, 1)
    for stage, n in enumerate((3, 4, 6, 3)):
        for i in range(n):
            inner, stride = width * 2**stage, 2 if stage and not i else 1
            f = unit(relu(unit(relu(unit(v, inner)), inner, 3, stride)), 4 * inner)
            v = relu((v if i else unit(v, 4 * inner, 1, stride)) + f)
    return Net(x, linear(globalpool(v), classes))

def selections(plan):
    "`[(tensor, [(axis, index), ...]), ...]`: what has to be selected at least"
    made = []
    for v in plan.ties.labels:
        if not isinstance(v.op, nn.Module): continue
        for key, how in resized(v.op, plan.ins(v), plan.out(v)).items():
            if isinstance(how, Cut) and any(not np.array_equal(i, np.arange(getattr(v.op, key).shape[a])) for a, i in how.axes.items()):
                made.append((getattr(v.op, key).detach(), [(a, torch.as_tensor(np.asarray(i))) for a, i in how.axes.items()]))
    return made

def select(some):
    out = []
    for t, axes in some:
        for a, index in axes: t = t.index_select(a, index)
        out.append(t)
    return out

def memory_peak(f):
    "Most bytes that torch held during `f()`, beyond those at its start"
    from torch.profiler import ProfilerActivity, profile
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as p: f()
    now = peak = 0
    for e in sorted((e for e in p.profiler.kineto_results.events() if e.name() == "[memory]"), key=lambda e: e.start_ns()):
        now += e.nbytes()
        peak = max(peak, now)
    return peak

missed = []

def figure(what, value, wanted, good):
    print(f"    {what}: {value} (wanted: {wanted}){'' if good else '   MISSED'}", flush=True)
    if not good: missed.append(what)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", nargs="+", type=float, default=[.7], help="shares of the wires to keep")
    parser.add_argument("--width", type=int, default=64, help="channels of the first layer; 64 is a ResNet-50")
    parser.add_argument("--repeat", type=int, default=12, help="medians of so many")
    args = parser.parse_args()
    torch.manual_seed(0)
    whole = resnet50(args.width)
    for keep in args.keep:
        print(f"keep {keep}: {sum(p.numel() for p in whole.parameters()):,} parameters in {len(whole)} vertices")
        ours, theirs = [], []
        for i in range(args.repeat):
            net = copy.deepcopy(whole)
            start = time.perf_counter()
            plan = net.prune_plan(keep, magnitude)
            planning = time.perf_counter() - start
            some = selections(plan)
            held = []   # both make new tensors, and keep them and the old ones; who goes first changes from time to time
            for f, seconds in ((plan.apply, ours), (lambda: select(some), theirs))[::1 if i % 2 else -1]:
                start = time.perf_counter(); held.append(f()); seconds.append(time.perf_counter() - start)
            del held, some
        ratio = statistics.median(a / b for a, b in zip(ours, theirs))
        print(f"    plan {1000 * planning:.0f} ms, apply {1000 * statistics.median(ours):.1f} ms, select {1000 * statistics.median(theirs):.1f} ms")
        figure(f"apply at {keep}", f"{ratio:.2f}x of selecting", "at most 2x", ratio <= 2)
        net = copy.deepcopy(whole)
        plan, old = net.prune_plan(keep, magnitude), max(t.numel() * t.element_size() for t in whole.state_dict().values())
        peak = memory_peak(plan.apply)
        new = sum(t.numel() * t.element_size() for t in net.state_dict().values())
        figure(f"memory at {keep}", f"{peak / 2**20:.1f} MB at most beyond the net", f"{(new + old) / 2**20:.1f} MB: new parameters and the largest old tensor", 0 < peak <= new + old)
    print(f"surgery: {len(missed)} figures missed{': ' + ', '.join(missed) if missed else ''}")
    sys.exit(bool(missed))
