"""What it costs to foresee and to try what a change leaves, as a share of the change: inserting, removing, setting, and steps of pruning.

    python bench/checks.py                       # ResNet-50, a vision transformer as an import, a small net
    python bench/checks.py small --repeat 21

Each change is made and taken back; what is measured is the time of the process in looking ahead and in the trial, and in all the rest; the first change, which is told beside, finds out more. Ends with one summary line and exits 1 when a figure is missed.
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

class Watch:
    "Seconds of this process that go into foresight and trials"
    def __init__(self): self.spent, self.trial, self.foreseen = 0., Net.trial, Net.foreseen

    def timed(self, f, *args):
        start = time.process_time()
        try: return f(*args)
        finally: self.spent += time.process_time() - start

    def __enter__(self):
        def trial(net, plan):
            then = self.timed(self.trial, net, plan)
            return then and (lambda: self.timed(then))
        Net.trial, Net.foreseen = trial, lambda net, plan: self.timed(self.foreseen, net, plan)
        return self

    def __exit__(self, *_): Net.trial, Net.foreseen = self.trial, self.foreseen

    def change(self, change):
        "`(seconds of a change but for its trial, seconds of the trial)`; it is taken back"
        self.spent, start = 0., time.process_time()
        report = change()
        whole = time.process_time() - start
        report.undo()
        return whole - self.spent, self.spent

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", default=[], help=f"some of {', '.join(NETS)}")
    parser.add_argument("--repeat", type=int, default=15, help="medians of so many")
    args = parser.parse_args()
    torch.manual_seed(0)
    missed = []
    for name in args.nets or NETS:
        net, images = NETS[name]()
        net(images)
        print(f"{name}: {len(net)} vertices")
        for what, change in changes(net).items():
            with Watch() as watch: times = [watch.change(change) for _ in range(args.repeat + 1)]
            bare, trial = (1000 * statistics.median(side) for side in zip(*times[1:]))
            share = statistics.median(b / a for a, b in times[1:])
            good = share < .1 or trial < 3      # `set` solves nothing, so that there is little to compare with
            print(f"    {what}: {bare:.1f} ms, and {trial:.2f} ms for the checks ({share:.1%}; wanted: below 10%, or 3 ms), the first time {1000 * times[0][1]:.1f} ms"
                  f"{'' if good else '   MISSED'}", flush=True)
            if not good: missed.append(f"{name} {what}")
    print(f"checks: {len(missed)} figures missed{': ' + ', '.join(missed) if missed else ''}")
    sys.exit(bool(missed))
