"""Half the MACs, and half the MACs with half the parameters, widths in multiples of 8: seconds, proven gap, how much of the budget
is used, and the importance that is kept, beside what uniform shares and one global threshold keep at the same MACs.

    python bench/budgets.py                          # ResNet-50, MobileNetV2, EfficientNet-B0, DenseNet-121, ViT-B/16, a Llama shape
    python bench/budgets.py resnet50 llama --gap 0.001
    python bench/budgets.py resnet50 mobilenet_v2 --threshold

Importance that is kept is said as a budget counts it: a mean of what layers keep, by what they cost, of logarithms; and added up. Exits 1 where a peer keeps more of the former, or a plan takes over 30 s or 1.0005 of the budget, uses less than 99.5 % of it, or has a gap of more than 0.5 %.
"""
import argparse, math, sys, time
import numpy as np, torch
from torch import nn
from naivenas import Net, SizeError, magnitude
from naivenas.sizes.demands import Sizes
from naivenas.sizes.pruning import _weights, scores
from naivenas.sizes.wires import known_ties

class Norm(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n))
    def forward(self, x): return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)

class Layer(nn.Module):
    "Attention and a gated feed-forward part, as in Llama"
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.heads, self.n1, self.n2 = heads, Norm(width), Norm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.gate, self.up, self.down = nn.Linear(width, hidden, bias=False), nn.Linear(width, hidden, bias=False), nn.Linear(hidden, width, bias=False)
    def forward(self, x):
        y = self.n1(x)
        q, k, v = (f(y).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
        x = x + self.o(nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
        y = self.n2(x)
        return x + self.down(nn.functional.silu(self.gate(y)) * self.up(y))

def llama(layers=12, width=768, heads=12, hidden=2048, words=1000):
    body = [Layer(width, heads, hidden) for _ in range(layers)]
    return nn.Sequential(nn.Embedding(words, width), *body, Norm(width), nn.Linear(width, words, bias=False)), torch.zeros(1, 64, dtype=torch.long)

def pictures(name):
    if not hasattr(pictures, "library"):      # the CPU build of torch lacks these, and importing torchvision needs them
        pictures.library = torch.library.Library("torchvision", "DEF")
        for op in "nms", "qnms":
            pictures.library.define(op + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision
    return getattr(torchvision.models, name)(weights=None), torch.zeros(1, 3, 224, 224)

def bisected(plan_of, budgets, rounds=10):
    "The plan with the largest share of wires within all budgets; `plan_of`: from a share of wires to a plan; None if there is none"
    low, high, best = 0., 1., None
    for _ in range(rounds):
        keep = (low + high) / 2
        try: plan = plan_of(keep)
        except SizeError: plan = None
        total = None if plan is None else plan.counts().loc["total"]
        if total is not None and all(total[f"after {k}"] <= n * total[k] for k, n in budgets.items()): low, best = keep, plan
        else: high = keep
    return best

def by_rank(v):
    "Shares of a layer: the order of its neurons, by magnitude, from 0 to 1"
    worth = magnitude(v)
    return None if worth is None else np.argsort(np.argsort(worth)) / len(worth) + 1e-3

def peers(net, step, budgets):
    "`{name: plan}` of the same share of each layer, and of one threshold for all of them"
    ways = {"uniform": lambda keep: net.prune_plan(max(keep, 1e-3), by_rank, normalise=False, multiple_of=step),
            "threshold": lambda keep: net.prune_plan(max(keep, 1e-3), magnitude, multiple_of=step)}
    return {name: bisected(way, budgets) for name, way in ways.items()}

def kept(net, plan, budgets):
    "`(importance added up, importance as a budget counts it)` that a plan keeps, as shares: the second is a mean of layers' shares, by what they cost"
    t = known_ties(net)
    score, many = scores(net, t, magnitude)
    worth = score * many
    s = Sizes(t, worth)
    whole = np.bincount(s.number, worth)
    share = np.bincount(s.number, worth * plan.decision.kept)[whole > 0] / whole[whole > 0]
    weight = _weights(net, t, s, budgets)[whole > 0]
    plain = np.prod(scores(net, t, magnitude, False), 0)     # as it is, of all layers together
    return (plain * plan.decision.kept).sum() / plain.sum(), math.exp((weight * np.log(np.maximum(share, 1e-12))).sum() / weight.sum())

def compared(net, plan, step, budgets):
    "`(what is said of the peers, whether one of them keeps more of what was asked for)`"
    mine, told, beaten = kept(net, plan, budgets)[1], "", False
    for name, other in peers(net, step, budgets).items():
        total = None if other is None else other.counts().loc["total"]
        if total is None: told += f"; {name}: nothing fits"; continue
        added, counted = kept(net, other, budgets)
        told += f"; {name} {counted:.2%} ({added:.2%} added up) at " + " ".join(f"{total['after ' + k] / total[k]:.1%} {k}" for k in budgets)
        beaten |= counted > mine + 1e-6
    summed = net.prune_plan(by=magnitude, normalise=False, multiple_of=step, **budgets)
    return told + f"; solved for the sum: {kept(net, summed, budgets)[0]:.2%} added up", beaten

def main():
    p = argparse.ArgumentParser()
    p.add_argument("names", nargs="*", default=["resnet50", "mobilenet_v2", "efficientnet_b0", "densenet121", "vit_b_16", "llama"])
    p.add_argument("--step", type=int, default=8)
    p.add_argument("--gap", type=float, default=None)
    p.add_argument("--threshold", action="store_true", help="compare with uniform shares and a global threshold bisected to the same budgets, too (slow)")
    a, bad = p.parse_args(), 0
    for name in a.names:
        torch.manual_seed(0)
        module, x = llama() if name == "llama" else pictures(name)
        net = Net.from_torch(module.eval(), x, share=False)
        start = time.perf_counter()
        net.prune_plan(.9, magnitude)
        first = time.perf_counter() - start
        for asked in {"macs": .5}, {"macs": .5, "params": .5}:
            start = time.perf_counter()
            plan = net.prune_plan(by=magnitude, multiple_of=a.step, gap=a.gap, **asked)
            seconds = time.perf_counter() - start
            total = plan.counts().loc["total"]
            used = {k: total[f"after {k}"] / (n * total[k]) for k, n in asked.items()}
            gap = plan.decision.gap or 0.
            line = f"{name:16} {' '.join(asked):12} {seconds:6.2f} s  gap {gap:.3%}  used " + " ".join(f"{n:.3%}" for n in used.values())
            added, counted = kept(net, plan, asked)
            line += f"  importance kept {counted:.2%} ({added:.2%} added up)"
            more, beaten = compared(net, plan, a.step, asked) if a.threshold else ("", False)
            line += more
            wrong = beaten or seconds > 30 or gap > .005 or max(used.values()) < .995 or max(used.values()) > 1.0005
            bad += wrong
            print(line, f"(a plan without budgets: {first:.2f} s)", "MISSED" if wrong else "", flush=True)
    print(f"{len(a.names)} nets, {bad} figures missed")
    sys.exit(int(bad > 0))

if __name__ == "__main__": main()
