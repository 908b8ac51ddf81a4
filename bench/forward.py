"""Times of a Net's forward pass and training step, of its `to_torch()`, and of Taylor importance, against the same layers as a plain module.

    python bench/forward.py                              # ResNet-50-shaped, 64 x 64 images
    python bench/forward.py --width 16 --batch 4 --size 32 --repeat 15

Ends with one summary line and exits 1 when a figure is missed.
"""
import argparse, copy, statistics, sys, time
import torch
from torch import nn

from surgery import resnet50
import naivenas.files.export
from naivenas.nets.importance import Taylor

class Unit(nn.Module):
    "A bottleneck of a ResNet as one writes it by hand, from modules that it is given"
    def __init__(self, a, b, c, down): super().__init__(); self.a, self.b, self.c, self.down, self.relu = a, b, c, down, nn.ReLU()
    def forward(self, x): return self.relu(self.c(self.relu(self.b(self.relu(self.a(x))))) + (self.down(x) if self.down is not None else x))

class Mean(nn.Module):
    def forward(self, x): return x.flatten(2).mean(2)

def plain(net):
    "The same layers, copied, in nested plain modules"
    found = iter([copy.deepcopy(v.op) for v in net if isinstance(v.op, (nn.Conv2d, nn.BatchNorm2d))])
    pair = lambda: nn.Sequential(next(found), next(found))
    stem, units = pair(), []
    for n in (3, 4, 6, 3):
        for i in range(n):
            down = pair() if not i else None
            units.append(Unit(pair(), pair(), pair(), down))
    return nn.Sequential(stem, nn.ReLU(), nn.MaxPool2d(3, 2, 1), *units, Mean(), copy.deepcopy(net.vertices[-1].op))

missed = []

def compare(what, one, other, repeat, most):
    "Print the median ratio of times of `one` and `other`, taken in turns"
    ratios = []
    for i in range(repeat + 2):
        seconds = []
        for f in (one, other) if i % 2 else (other, one):
            start = time.perf_counter(); f(); seconds.append(time.perf_counter() - start)
        ratios.append(seconds[0] / seconds[1] if i % 2 else seconds[1] / seconds[0])
    ratio = statistics.median(ratios[2:])
    good = most is None or ratio <= most
    print(f"    {what}: {ratio:.3f}x{f' (wanted: at most {most}x)' if most else ''}{'' if good else '   MISSED'}", flush=True)
    if not good: missed.append(what)

def step(model, x, y):
    model.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in dict(width=64, batch=2, size=64, repeat=11).items(): parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    torch.manual_seed(0)
    net = resnet50(args.width)
    other = plain(net)
    x, y = torch.rand(args.batch, 3, args.size, args.size), torch.zeros(args.batch, dtype=int)
    difference = (net.eval()(x) - other.eval()(x)).abs().max().item()
    print(f"{len(net)} vertices, {args.batch} images of {args.size} x {args.size}, {torch.get_num_threads()} threads; largest difference of the outputs {difference:.1e}")
    if difference > 1e-4: missed.append("outputs")
    with torch.no_grad(): compare("forward", lambda: net(x), lambda: other(x), args.repeat, 1.03)
    out = net.to_torch().eval()
    with torch.no_grad(): compare("forward of to_torch()", lambda: out(x), lambda: other(x), args.repeat, 1.01)
    net.train(), other.train()
    compare("training step", lambda: step(net, x, y), lambda: step(other, x, y), args.repeat, 1.03)
    for every in 1, 10:
        with Taylor(net, every=every): compare(f"training step with Taylor every {every}", lambda: step(net, x, y), lambda: step(other, x, y), args.repeat, None)
    print(f"forward: {len(missed)} figures missed{': ' + ', '.join(missed) if missed else ''}")
    sys.exit(bool(missed))
