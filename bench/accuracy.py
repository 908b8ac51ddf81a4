"""What pruning costs in accuracy at equal MACs, with and without a repair, right after it and after the same short finetuning.

    python bench/accuracy.py                                             # digits, a small ResNet, 2x, 4x and 8x fewer MACs
    python bench/accuracy.py --sets digits mnist5k fashion-mnist --nets resnet mobilenet --seeds 5 --epochs 8
    python bench/accuracy.py --methods magnitude uniform random --shares .5 .25

Each line: test accuracy in percent, mean and spread (standard deviation) over seeds; MACs and parameters that are left, as shares. Pruning is one shot:
the share of wires to keep is bisected to the MACs. A repair sees `--examples` training pictures and no labels. Ends with one summary line.
"""
import argparse, copy, itertools, logging, statistics, time
import numpy as np, torch

import naivenas
from naivenas import Net, SizeError, batchnorm, conv, globalpool, inputvertex, linear, load, relu, train
from naivenas.nets.counts import macs, parameters, positions
from naivenas.nets.training import accuracy

# -------------------------------------------------------------------------------------------------------------------------- nets

def unit(v, n, k=3, stride=1, groups=1): return batchnorm(conv(v, n, k, stride, groups=groups, bias=False))

def resnet(channels, classes, width=16, stages=3, blocks=2):
    x = inputvertex("x", channels)
    v = relu(unit(x, width))
    for s, b in itertools.product(range(stages), range(blocks)):
        n, stride = width * 2**s, 2 if s and not b else 1
        f = unit(relu(unit(v, n, stride=stride)), n)
        v = relu(f + (unit(v, n, 1, stride) if stride > 1 else v))
    return Net(x, linear(globalpool(v), classes))

def mobilenet(channels, classes, width=16, stages=3, blocks=2, times=3):
    x = inputvertex("x", channels)
    v = relu(unit(x, width))
    for s, b in itertools.product(range(stages), range(blocks)):
        n, stride, wide = width * 3**s // 2**s, 2 if s and not b else 1, times * v.nout
        f = unit(relu(unit(relu(unit(v, wide, 1)), wide, 3, stride, wide)), n, 1)
        v = f + v if stride == 1 and n == v.nout else f
    return Net(x, linear(globalpool(relu(unit(v, 4 * width, 1))), classes))

NETS = dict(resnet=resnet, mobilenet=mobilenet)

# ------------------------------------------------------------------------------------------------------------------------ pruning

def bisected(plan_of, net, where, share):
    "The plan with the most MACs that are at most this share; `plan_of`: from a share of wires to a plan, or SizeError"
    full, low, high, best = macs(net, where), 0., 1., None
    for _ in range(14):
        keep = (low + high) / 2
        try: plan = plan_of(keep)
        except SizeError: plan = None
        if plan is not None and macs(net, where, plan) <= share * full: low, best = keep, plan
        else: high = keep
    if best is None: raise SystemExit(f"no plan has at most {share:.0%} of the MACs")
    return best

def ranked(by): return lambda net, where, share, seed, data: bisected(lambda keep: net.prune_plan(keep, by(net, seed, data)), net, where, share)

def uniform(net, where, share, seed, data):
    "The same share of each layer, by magnitude within it"
    def of_layer(v):
        worth = naivenas.magnitude(v)
        return None if worth is None else np.argsort(np.argsort(worth)) / len(worth) + 1e-3
    return bisected(lambda keep: net.prune_plan(keep, of_layer, normalise=False), net, where, share)

def taylor(net, seed, data):
    twin = copy.deepcopy(net)
    worth = naivenas.Taylor(twin.eval())
    for m in twin.modules(): m.training = not isinstance(m, torch.nn.modules.batchnorm._BatchNorm)
    for a, b in zip(data.x_train[:512].split(64), data.y_train[:512].split(64)): torch.nn.functional.cross_entropy(twin(a), b).backward()
    worth.remove()
    return {v.name: worth(v) for v in twin if worth(v) is not None}

METHODS = dict(magnitude=ranked(lambda net, seed, data: naivenas.magnitude), uniform=uniform, taylor=ranked(taylor),
               random=ranked(lambda net, seed, data: naivenas.Random(seed)), scale=ranked(lambda net, seed, data: naivenas.batchnorm_scale))

# ------------------------------------------------------------------------------------------------------------------------ one run

def tuned(net, data, epochs, rate, seed):
    "Train with one cycle of the learning rate; the same for everything"
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    for epoch, _ in zip(range(1, epochs + 1), train(net, data.x_train, data.y_train, epochs, optimizer, seed=seed, progress=False)):
        for group in optimizer.param_groups: group["lr"] = rate * max(1 - epoch / epochs, .1)
    return net

def test(net, data): return 100 * accuracy(net, data.x_test, data.y_test)

def one(data, make, seed, args):
    "`{(method, share, 'plain' or 'repaired'): (MACs, parameters, one shot, finetuned, seconds)}`, with the unpruned net's accuracy"
    torch.manual_seed(seed)
    net = tuned(make(data.x_train.shape[1], data.classes), data, args.epochs, args.rate, seed).eval()
    where, found, whole = positions(net, data.x_test[:1]), {}, test(net, data)
    few = data.x_train[torch.randperm(len(data.x_train), generator=torch.Generator().manual_seed(seed))[:args.examples]]
    for method, share in itertools.product(args.methods, args.shares):
        base = copy.deepcopy(net)
        plan = METHODS[method](base, where_of(base, where), share, seed, data)
        keep = {v.name: plan.out(v) for v in plan.ties.labels if v.role.makes}
        cost = macs(base, where_of(base, where), plan) / macs(base, where_of(base, where)), parameters(base, plan) / parameters(base)
        for how in "plain", "repaired":
            twin, start = copy.deepcopy(base), time.perf_counter()
            made = METHODS[method](twin, where_of(twin, where), share, seed, data)
            assert all(np.array_equal(made.out(made[name]), i) for name, i in keep.items())
            start = time.perf_counter()
            made.apply(few if how == "repaired" else None)
            seconds, shot = time.perf_counter() - start, test(twin, data)
            tuned(twin, data, args.finetune, args.rate * args.softer, seed + 1)
            found[method, share, how] = *cost, shot, test(twin, data), seconds
    return whole, found

def where_of(net, where):
    "`positions` for a copy"
    return {net[v.name]: n for v, n in where.items()}

# ---------------------------------------------------------------------------------------------------------------------- the table

def said(numbers): return f"{statistics.mean(numbers):5.1f} ±{statistics.pstdev(numbers):4.1f}"

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=["digits"])
    parser.add_argument("--nets", nargs="+", default=["resnet"], choices=NETS)
    parser.add_argument("--methods", nargs="+", default=["magnitude"], choices=METHODS)
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
    gains = {}
    for name, net in itertools.product(args.sets, args.nets):
        data = load(name)
        data = naivenas.nets.data.replace(data, x_train=data.x_train[:args.train], y_train=data.y_train[:args.train], x_test=data.x_test[:args.test], y_test=data.y_test[:args.test])
        runs = [one(data, lambda c, n: NETS[net](c, n, args.width), seed, args) for seed in range(args.seeds)]
        print(f"\n{data.name}, {net}, {args.seeds} seeds: unpruned {said([whole for whole, _ in runs])}", flush=True)
        print(f"{'method':10} {'MACs':>6} {'params':>6}   {'one shot':>11}  {'repaired':>11}   {'finetuned':>11}  {'and repaired':>12}   {'s':>5}")
        for method, share in itertools.product(args.methods, args.shares):
            plain, repaired = ([found[method, share, how] for _, found in runs] for how in ("plain", "repaired"))
            column = lambda rows, k: [r[k] for r in rows]
            print(f"{method:10} {statistics.mean(column(plain, 0)):6.1%} {statistics.mean(column(plain, 1)):6.1%}   {said(column(plain, 2)):>11}  {said(column(repaired, 2)):>11}   "
                  f"{said(column(plain, 3)):>11}  {said(column(repaired, 3)):>12}   {statistics.mean(column(repaired, 4)):5.1f}", flush=True)
            for k in 2, 3: gains.setdefault((share, k), []).extend(b - a for a, b in zip(column(plain, k), column(repaired, k)))
    mean = {at: statistics.mean(some) for at, some in gains.items()}
    print("\nrepair gains " + ", ".join(f"{mean[s, 2]:+.1f} points in one shot and {mean[s, 3]:+.1f} after finetuning at {s:g} of the MACs" for s in args.shares))

if __name__ == "__main__": main()
