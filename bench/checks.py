"""What it costs to try what a change leaves, as a share of the change: inserting, removing, setting, and steps of pruning.

    python bench/checks.py                       # ResNet-50, a vision transformer as an import, a small net
    python bench/checks.py small --repeat 21

Each change is made and taken back, in turns with the trial and without it. Ends with one summary line and exits 1 when a figure is missed.
"""
import argparse, statistics, sys, time
import torch
from torch import nn

from surgery import resnet50
from naivenas import Net, batchnorm, cat, conv, globalpool, inputvertex, linear, magnitude, relu

def small():
    x = inputvertex("x", 3)
    c = "c" >> conv(x, 16)
    res = c + conv(relu(batchnorm(c)), 16)
    return Net(x, linear(globalpool(cat(res, conv(res, 8))), 10)), torch.rand(2, 3, 16, 16)

class Block(nn.Module):
    def __init__(self, n, heads):
        super().__init__()
        self.a, self.attend, self.b = nn.LayerNorm(n), nn.MultiheadAttention(n, heads, batch_first=True), nn.LayerNorm(n)
        self.mlp = nn.Sequential(nn.Linear(n, 4 * n), nn.GELU(), nn.Linear(4 * n, n))
    def forward(self, x):
        y = self.a(x)
        x = x + self.attend(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.b(x))

class Transformer(nn.Module):
    def __init__(self, n=96, blocks=6, patch=4):
        super().__init__()
        self.patches, self.blocks, self.head = nn.Conv2d(3, n, patch, patch), nn.Sequential(*(Block(n, 4) for _ in range(blocks))), nn.Linear(n, 10)
    def forward(self, x): return self.head(self.blocks(self.patches(x).flatten(2).transpose(1, 2)).mean(1))

def imported():
    images = torch.rand(2, 3, 32, 32)
    return Net.from_torch(Transformer(), images, share=False), images

NETS = dict(resnet50=lambda: (resnet50(16), torch.rand(2, 3, 64, 64)), transformer=imported, small=small)

def changes(net):
    "`{name: change}` for a net; each gives a report"
    layers = [v for v in net if v.role.makes and v not in net.outputs and isinstance(v.op, (nn.Conv2d, nn.Linear))]
    middle = layers[len(layers) // 2]
    window = next((v for v in layers if isinstance(v.op, nn.Conv2d) and v.op.kernel_size == (3, 3) and v.op.stride == (1, 1)), None)
    found = {"insert": lambda: net.insert(relu, after=middle), "pruning step": lambda: net.prune(.95, magnitude)}
    if window is not None: found["set"] = lambda: net.set(window, kernel_size=5)
    return found

def timed(change):
    "Seconds that a change takes; it is taken back"
    start = time.perf_counter()
    report = change()
    seconds = time.perf_counter() - start
    report.undo()
    return seconds

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", default=[], help=f"some of {', '.join(NETS)}")
    parser.add_argument("--repeat", type=int, default=15, help="medians of so many")
    args = parser.parse_args()
    torch.manual_seed(0)
    missed, tried = [], Net.trial
    for name in args.nets or NETS:
        net, images = NETS[name]()
        net(images)
        print(f"{name}: {len(net)} vertices")
        for what, change in changes(net).items():
            times = {True: [], False: []}
            for i in range(args.repeat + 1):
                for checks in (True, False) if i % 2 else (False, True):
                    Net.trial = tried if checks else lambda self, plan: None
                    times[checks].append(timed(change))
            Net.trial = tried
            first, ours, bare = times[True][0], statistics.median(times[True][1:]), statistics.median(times[False][1:])
            share = statistics.median((a - b) / b for a, b in zip(times[True][1:], times[False][1:]))
            good = share < .1 or ours - bare < .001
            print(f"    {what}: {1000 * bare:.1f} ms, and {1000 * (ours - bare):+.2f} ms for the trial ({share:+.1%}; wanted: below 10%, or 1 ms), the first time {1000 * (first - bare):+.1f} ms"
                  f"{'' if good else '   MISSED'}", flush=True)
            if not good: missed.append(f"{name} {what}")
    print(f"checks: {len(missed)} figures missed{': ' + ', '.join(missed) if missed else ''}")
    sys.exit(bool(missed))
