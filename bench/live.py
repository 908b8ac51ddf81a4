"""Times of the live preview: what the kernel does between a slider's move and the new picture.

    python bench/live.py                       # toy, resnet50, densenet121
    python bench/live.py resnet50 --moves 50

Every move proposes another size, solves the plan, draws the picture, counts parameters and multiplications and sets the
widgets. The reference in the same run is the plan alone. Ends with one summary line and exits 1 when a figure is missed.
"""
import argparse, statistics, sys, time
import numpy as np, torch
from naivenas import Net, avgpool, batchnorm, cat, conv, globalpool, inputvertex, linear, maxpool, relu
from naivenas.graph.cut import Dense
from naivenas import Graph
from naivenas.apps.panel import explore
from naivenas.graph.vertex import absorb, invariant

def unit(v, n, k=3, stride=1): return relu(batchnorm(conv(v, n, k, stride, bias=False)))

def toy():
    x = inputvertex("x", 3)
    stem = "stem" >> absorb(Dense(3, 16), x)
    res = stem + invariant(np.tanh, absorb(Dense(16, 16), stem))
    return Graph(x, absorb(Dense(16, 10), res)), np.zeros((1, 3)), "stem"

def resnet50():
    image = inputvertex("image", 3)
    v = maxpool("stem" >> unit(image, 64, 7, 2), 3, 2, 1)
    for n, width, stride in (3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2):
        for i in range(n):
            s = stride if i == 0 else 1
            f = batchnorm(conv(unit(unit(v, width, 1), width, 3, s), 4 * width, 1, bias=False))
            v = relu((v if i else batchnorm(conv(v, 4 * width, 1, s, bias=False))) + f)
    net = Net(image, linear(globalpool(v), 1000))
    return net, torch.zeros(1, 3, 64, 64), next(v.name for v in net if getattr(v.op, "out_channels", 0) == 1024)

def densenet121():
    image = inputvertex("image", 3)
    v = maxpool("stem" >> unit(image, 64, 7, 2), 3, 2, 1)
    for i, n in enumerate((6, 12, 24, 16)):
        for _ in range(n): v = cat(v, conv(relu(batchnorm(conv(relu(batchnorm(v)), 128, 1, bias=False))), 32, bias=False))
        v = avgpool(conv(relu(batchnorm(v)), v.nout // 2, 1, bias=False)) if i < 3 else relu(batchnorm(v))
    return Net(image, linear(globalpool(v), 1000)), torch.zeros(1, 3, 64, 64), "conv2d1"

NETS = dict(toy=(toy, 50), resnet50=(resnet50, 300), densenet121=(densenet121, None))

def measure(name, moves):
    make, limit = NETS[name]
    graph, example, vertex = make()
    panel = explore(graph, example=example)
    panel.widget
    panel.who.value = vertex
    n, times, alone = graph[vertex].nout, [], []
    for i in range(moves + 1):
        size = n - 1 - i % max(n // 2, 1)
        start = time.perf_counter()
        panel.how_big.value = size
        times.append(time.perf_counter() - start)
        assert panel.plan is not None and f"{n} → {size}" in panel.canvas.svg
        start = time.perf_counter()
        graph.plan({vertex: size - n})
        alone.append(time.perf_counter() - start)
    ms, plan = (1000 * statistics.median(t[1:]) for t in (times, alone))
    good = limit is None or ms <= limit
    print(f"{name}: {len(graph)} vertices, preview {ms:.1f} ms, {ms / plan:.1f} times the plan alone ({plan:.1f} ms)"
          + (f" (wanted: at most {limit} ms)" if limit else "") + ("" if good else "   MISSED"), flush=True)
    return good

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", default=list(NETS), help="nets to move in")
    parser.add_argument("--moves", type=int, default=20, help="medians of so many")
    args = parser.parse_args()
    if unknown := set(args.nets) - set(NETS): parser.error(f"no net is called {', '.join(unknown)}; there are {', '.join(NETS)}")
    missed = [name for name in args.nets if not measure(name, args.moves)]
    print(f"live: {len(missed)} figures missed{': ' + ', '.join(missed) if missed else ''}")
    sys.exit(bool(missed))
