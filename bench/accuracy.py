"""What pruning costs in accuracy at equal MACs, with and without a repair, right after it and after the same short finetuning.

    python bench/accuracy.py                                             # digits, a small ResNet, 2x, 4x and 8x fewer MACs
    python bench/accuracy.py --sets digits mnist5k fashion-mnist --nets resnet mobilenet transformer --seeds 5 --epochs 8
    python bench/accuracy.py --methods budget uniform random --shares .5 .25

Each line: test accuracy in percent, mean and spread (standard deviation) over seeds; MACs and parameters that are left, as shares. Pruning is one shot. A budget is solved for,
`net.prune(macs=share, by=...)`: budget (magnitude, the default), added (the same, importance added up), random, scale (of batch norms), median (geometric), taylor, activation,
reconstruction (errors are added up), shares (the same, as shares of layers). Others are bisected to the MACs: uniform (the same share of each layer, by magnitude), threshold (one for all layers), and with
torch-pruning 1.6.1 on the path, its magnitude, by layers (peer) and with one threshold (peer-global). A repair and importances see `--examples` training pictures; only taylor sees labels. Ends with one summary line.
"""
import argparse, copy, itertools, logging, statistics, time, warnings
import numpy as np, torch
from torch import nn

import naivenas
from naivenas import Net, SizeError, batchnorm, conv, globalpool, inputvertex, linear, load, relu, train
from naivenas.nets.training import accuracy

# -------------------------------------------------------------------------------------------------------------------------- nets

def unit(v, n, k=3, stride=1, groups=1): return batchnorm(conv(v, n, k, stride, groups=groups, bias=False))

def resnet(x, classes, width=16, stages=3, blocks=2):
    source = inputvertex("x", x.shape[1])
    v = relu(unit(source, width))
    for s, b in itertools.product(range(stages), range(blocks)):
        n, stride = width * 2**s, 2 if s and not b else 1
        f = unit(relu(unit(v, n, stride=stride)), n)
        v = relu(f + (unit(v, n, 1, stride) if stride > 1 else v))
    return Net(source, linear(globalpool(v), classes))

def mobilenet(x, classes, width=16, stages=3, blocks=2, times=3):
    source = inputvertex("x", x.shape[1])
    v = relu(unit(source, width))
    for s, b in itertools.product(range(stages), range(blocks)):
        n, stride, wide = width * 3**s // 2**s, 2 if s and not b else 1, times * v.nout
        f = unit(relu(unit(relu(unit(v, wide, 1)), wide, 3, stride, wide)), n, 1)
        v = f + v if stride == 1 and n == v.nout else f
    return Net(source, linear(globalpool(relu(unit(v, 4 * width, 1))), classes))

class Block(nn.Module):
    "Attention and a feed-forward part, the norms first"
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.n1, self.n2 = heads, nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
    def forward(self, x):
        y = self.n1(x)
        q, k, v = (f(y).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
        x = x + self.o(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.down(nn.functional.gelu(self.up(self.n2(x))))

class Rows(nn.Module):
    "Rows of a picture as a sequence"
    def __init__(self, x, classes, width, heads=8, blocks=3):
        super().__init__()
        self.first, self.place = nn.Linear(x.shape[1] * x.shape[3], width), nn.Parameter(.02 * torch.randn(x.shape[2], width))
        self.blocks, self.norm, self.last = nn.Sequential(*[Block(width, heads) for _ in range(blocks)]), nn.LayerNorm(width), nn.Linear(width, classes)
    def forward(self, x): return self.last(self.norm(self.blocks(self.first(x.transpose(1, 2).flatten(2)) + self.place)).mean(1))

def transformer(x, classes, width=16):
    net = Net.from_torch(module := Rows(x, classes, 4 * width), x[:2])
    net.__dict__["plain"] = module      # the same parameters, for the peer
    return net

NETS = dict(resnet=resnet, mobilenet=mobilenet, transformer=transformer)

# ------------------------------------------------------------------------------------------------------------------------ pruning

def counted(net, x): return net.counts(x).loc["total", ["macs", "params"]]

def bisected(plan_of, net, share, x):
    "The plan with the most MACs that are at most this share; `plan_of`: from a share of wires to a plan, or SizeError"
    low, high, best = 0., 1., None
    for _ in range(14):
        keep = (low + high) / 2
        try: plan = plan_of(keep)
        except SizeError: plan = None
        total = None if plan is None else plan.counts(x).loc["total"]
        if total is not None and total["after macs"] <= share * total["macs"]: low, best = keep, plan
        else: high = keep
    if best is None: raise SizeError(f"no plan has at most {share:.0%} of the MACs")
    return best

def budgeted(by, normalise=None):
    "`by`: from a net, a seed, its data and a few pictures to an importance"
    return lambda net, share, seed, data, few: net.prune_plan(macs=share, by=by(net, seed, data, few), normalise=normalise, gap=2e-4, example=few[:1])

def threshold(net, share, seed, data, few): return bisected(lambda keep: net.prune_plan(keep, naivenas.magnitude), net, share, few[:1])

def uniform(net, share, seed, data, few):
    "The same share of each layer, by magnitude within it"
    def of_layer(v):
        worth = naivenas.magnitude(v)
        return None if worth is None else np.argsort(np.argsort(worth)) / len(worth) + 1e-3
    return bisected(lambda keep: net.prune_plan(keep, of_layer, normalise=False), net, share, few[:1])

def taylor(net, seed, data, few):
    twin = copy.deepcopy(net)
    worth = naivenas.Taylor(twin.eval(), finished=True)
    for a, b in zip(data.x_train[:512].split(64), data.y_train[:512].split(64)): nn.functional.cross_entropy(twin(a), b).backward()
    worth.remove()
    return {v.name: worth(v) for v in twin if worth(v) is not None}

METHODS = dict(budget=budgeted(lambda net, *_: naivenas.magnitude), added=budgeted(lambda net, *_: naivenas.magnitude, False), uniform=uniform, threshold=threshold,
               random=budgeted(lambda net, seed, *_: naivenas.Random(seed)), scale=budgeted(lambda net, *_: naivenas.batchnorm_scale),
               median=budgeted(lambda net, *_: naivenas.geometric_median), taylor=budgeted(taylor), activation=budgeted(lambda net, seed, data, few: naivenas.Activation(few)),
               reconstruction=budgeted(lambda net, seed, data, few: naivenas.Reconstruction(few)),
               shares=budgeted(lambda net, seed, data, few: naivenas.Reconstruction(few), True))

# ---------------------------------------------------------------------------------------------------------------------- the peer

def plain(net): return copy.deepcopy(net).__dict__.get("plain") or net.to_torch()

def peer(everywhere):
    "Torch-Pruning's magnitude, its ratio bisected to the MACs: from a net to a plain module"
    def pruned(net, share, few):
        import torch_pruning as tp
        def at(ratio):
            module = plain(net).eval()
            ends = [m for m in module.modules() if isinstance(m, nn.Linear)][-1:]
            heads = {layer: m.heads for m in module.modules() if isinstance(m, Block) for layer in (m.q, m.k, m.v)}
            tp.pruner.BasePruner(module, few[:1], importance=tp.importance.MagnitudeImportance(p=2), pruning_ratio=ratio, global_pruning=everywhere, ignored_layers=ends, num_heads=heads).step()
            return module
        low, high, best, full = 0., 1., None, multiplied(plain(net), few[:1])
        for _ in range(10):
            ratio = (low + high) / 2
            module = at(ratio)
            if multiplied(module, few[:1]) <= share * full: high, best = ratio, module
            else: low = ratio
        if best is None: raise SizeError(f"no ratio has at most {share:.0%} of the MACs")
        return best
    return pruned

@torch.no_grad()
def multiplied(module, x):
    with torch.utils.flop_counter.FlopCounterMode(display=False) as counter: module.eval()(x)
    return counter.get_total_flops() / 2

PEERS = {"peer": peer(False), "peer-global": peer(True)}

# ------------------------------------------------------------------------------------------------------------------------ one run

def tuned(net, data, epochs, rate, seed):
    "Train with one cycle of the learning rate; the same for everything"
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    for epoch, _ in zip(range(1, epochs + 1), train(net, data.x_train, data.y_train, epochs, optimizer, seed=seed, progress=False)):
        for group in optimizer.param_groups: group["lr"] = rate * max(1 - epoch / epochs, .1)
    return net

def test(net, data): return 100 * accuracy(net, data.x_test, data.y_test)

def ours(net, method, share, seed, data, few, repair):
    "`(the pruned net, share of MACs, of parameters, seconds of pruning and repair)`"
    twin, start = copy.deepcopy(net), time.perf_counter()
    METHODS[method](twin, share, seed, data, few).apply(few if repair else None)
    seconds, now = time.perf_counter() - start, counted(twin, few[:1]) / counted(net, few[:1])
    return twin, now["macs"], now["params"], seconds

def theirs(net, method, share, few):
    start = time.perf_counter()
    module = PEERS[method](net, share, few)
    sizes = [sum(p.numel() for p in m.parameters()) for m in (module, net)]
    return module, multiplied(module, few[:1]) / multiplied(plain(net), few[:1]), sizes[0] / sizes[1], time.perf_counter() - start

def one(data, make, seed, args):
    "`(accuracy of the unpruned net, {(method, share, 'plain' or 'repaired'): (MACs, parameters, one shot, finetuned, seconds)})`"
    torch.manual_seed(seed)
    net, found = tuned(make(data.x_train, data.classes, args.width), data, args.epochs, args.rate, seed).eval(), {}
    few = data.x_train[torch.randperm(len(data.x_train), generator=torch.Generator().manual_seed(seed))[:args.examples]]
    for method, share, how in itertools.product(args.methods, args.shares, ("plain", "repaired")):
        if method in PEERS and how == "repaired": continue
        try: twin, *cost, seconds = theirs(net, method, share, few) if method in PEERS else ours(net, method, share, seed, data, few, how == "repaired")
        except Exception as e:
            print(f"  {method} at {share:g}, seed {seed}: {type(e).__name__}: {str(e)[:150]}", flush=True)
            continue
        shot = test(twin, data)
        tuned(twin, data, args.finetune, args.rate * args.softer, seed + 1)
        found[method, share, how] = *cost, shot, test(twin, data), seconds
    return test(net, data), found

# ---------------------------------------------------------------------------------------------------------------------- the table

def said(numbers): return f"{statistics.mean(numbers):5.1f} ±{statistics.pstdev(numbers):4.1f}" if numbers else "-"

def row(runs, method, share):
    "One line of the table"
    plain, repaired = ([found[method, share, how] for _, found in runs if (method, share, how) in found] for how in ("plain", "repaired"))
    if not plain: return f"{method:14} {'-':>6}"
    def column(rows, k): return [r[k] for r in rows]
    mean = lambda k: statistics.mean(column(plain, k))
    return (f"{method:14} {mean(0):6.1%} {mean(1):6.1%}   {said(column(plain, 2)):>11}  {said(column(repaired, 2)):>11}   "
            f"{said(column(plain, 3)):>11}  {said(column(repaired, 3)):>12}   {mean(4):5.1f}")

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=["digits"])
    parser.add_argument("--nets", nargs="+", default=["resnet"], choices=NETS)
    parser.add_argument("--methods", nargs="+", default=["budget", "reconstruction", "uniform", "threshold", "random"], choices=[*METHODS, *PEERS])
    parser.add_argument("--shares", nargs="+", type=float, default=[.5, .25, .125], help="of the MACs that stay")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--finetune", type=int, default=2, help="epochs after pruning")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--softer", type=float, default=.3, help="the learning rate afterwards, as a share")
    parser.add_argument("--examples", type=int, default=500)
    parser.add_argument("--train", type=int, default=20_000, help="training pictures at most")
    parser.add_argument("--test", type=int, default=10_000, help="test pictures at most")
    parser.add_argument("--width", type=int, default=16)
    args = parser.parse_args()
    logging.getLogger("naivenas").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    gains = {}
    for name, net in itertools.product(args.sets, args.nets):
        data = load(name)
        data = naivenas.nets.data.replace(data, x_train=data.x_train[:args.train], y_train=data.y_train[:args.train], x_test=data.x_test[:args.test], y_test=data.y_test[:args.test])
        runs = [one(data, NETS[net], seed, args) for seed in range(args.seeds)]
        print(f"\n{data.name}, {net}, {args.seeds} seeds: unpruned {said([whole for whole, _ in runs])}", flush=True)
        print(f"{'method':14} {'MACs':>6} {'params':>6}   {'one shot':>11}  {'repaired':>11}   {'finetuned':>11}  {'and repaired':>12}   {'s':>5}")
        for share, method in itertools.product(args.shares, args.methods): print(row(runs, method, share), flush=True)
        for (method, share, how), r in ((at, r) for _, found in runs for at, r in found.items()):
            if (method, how) == ("budget", "repaired"): gains.setdefault(share, []).append((r[2], r[3]))
    print("\na budget and a repair, all sets and nets: " + "; ".join(f"{share:g} of the MACs {statistics.mean(a for a, _ in some):.1f} in one shot, {statistics.mean(b for _, b in some):.1f} finetuned"
                                                                  for share, some in gains.items()))

if __name__ == "__main__": main()
