"""An aggressive search: every candidate is mutated or crossed over, and every one must still work.

    python bench/mutate.py                                  # 60 generations of 50 candidates
    python bench/mutate.py --generations 10 --candidates 20 --seed 1

Every candidate runs forward and backward. Where a mutation promises that the function is kept, the candidate's outputs in
evaluation mode are compared with its parent's; where it finds nothing to do, the net must be bit for bit its parent. Prints a
table per mutation with the share of the time of one training step that it takes. Ends with one summary line and exits 1
after any failure.
"""
import argparse, copy, pathlib, sys, time, traceback
from collections import Counter
import numpy as np, torch
from torch import nn

from naivenas import (Act, AddBlock, AddEdge, BatchNorm, Chain, ChangeActivation, ChangeKernel, ChangePool, ChangeSize, ChangeStride, Conv, Crossover, Fork,
                      GlobalPool, Linear, Maybe, Net, OneOf, Pool, Relu, RemoveEdge, RemoveVertex, Repeat, Residual, inputvertex, magnitude)
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests"))
from randomnets import assert_same, snapshot

SHAPE, TOLERANCE = (9, 8), 1e-5
block = OneOf(Chain(Conv(3, 5, k=(1, 3)), BatchNorm(), Act("relu", "elu")), Conv(4, k=(1, 3)))
blocks = OneOf(block, Residual(block), Fork(block, n=(2, 3)))
start = Chain(Conv(4, 6), Relu(), Repeat(blocks, n=(1, 2)), Maybe(Pool("max", "mean")), Residual(block), GlobalPool("mean", "max"), Linear(5), Relu(), Linear(3))
MUTATIONS = {"size, several": ChangeSize(SHAPE, p=.5, low=-.5, high=.5), "size, growing": ChangeSize(SHAPE, low=.1, high=.5),
             "add block": AddBlock(SHAPE, by=magnitude, odds=4, space=blocks), "add block, fresh": AddBlock(SHAPE, space=OneOf(blocks, Pool()), start=None),
             "remove vertex": RemoveVertex(SHAPE, by=magnitude, odds=1/4), "add edge": AddEdge(SHAPE), "remove edge": RemoveEdge(SHAPE), "kernel": ChangeKernel(SHAPE),
             "stride": ChangeStride(SHAPE, strides=(1, 2, 3)), "activation": ChangeActivation(SHAPE), "pool": ChangePool(SHAPE)}
cross = Crossover(SHAPE)

def value(net, images):
    with torch.no_grad(): return copy.deepcopy(net).eval()(images)

def step(net, images):
    "One step of training; raises if anything does not fit"
    out = net.train()(images)
    assert out.shape == (len(images), 3)
    net.zero_grad(set_to_none=True)
    out.square().sum().backward()
    assert all(p.grad is None or p.grad.shape == p.shape for p in net.parameters())
    with torch.no_grad():
        for p in net.parameters():
            if p.grad is not None: p -= 1e-3 * p.grad.clamp(-1, 1)

def mutated(net, name, rng, images, count, worst):
    "Mutate in place and check what was promised"
    before, traces = value(net, images), snapshot(net)
    begin = time.perf_counter()
    change = MUTATIONS[name](net, rng)
    count[name, "seconds"] += time.perf_counter() - begin
    count[name, "tried"] += 1
    if change is None: assert_same(traces, snapshot(net), name); return
    count[name, "done"] += 1
    if change.keeps:
        count[name, "kept"] += 1
        gap = float((value(net, images) - before).abs().max() / max(1, before.abs().max()))
        worst.append(gap)
        assert gap <= TOLERANCE, f"{change.what} promised to keep the function: {gap:.1e}"

def main(args):
    torch.manual_seed(args.seed)
    rng, images = np.random.default_rng(args.seed), torch.randn(4, 2, *SHAPE)
    population = [Net(x := inputvertex("x", 2), start(x, rng)) for _ in range(args.candidates)]
    count, worst, failed, begin = Counter(), [], [], time.perf_counter()
    for generation in range(args.generations):
        parents = [population[int(rng.integers(len(population)))] for _ in range(args.candidates)]
        children = []
        for i in range(0, args.candidates - 1, 2):
            pair = copy.deepcopy(parents[i]), copy.deepcopy(parents[i + 1])
            try:
                if rng.random() < args.cross:
                    names = [set(p.sizes.items()) for p in pair]
                    now = time.perf_counter()
                    pair = cross(*pair, rng)
                    count["crossover", "seconds"] += time.perf_counter() - now
                    count["crossover", "tried"] += 2
                    count["crossover", "done"] += sum(set(p.sizes.items()) != n for p, n in zip(pair, names))
                for net in pair:
                    for name in MUTATIONS:
                        if rng.random() < args.rate: mutated(net, name, rng, images, count, worst)
                    now = time.perf_counter()
                    step(net, images)
                    count["seconds"] += time.perf_counter() - now
                    count["candidates"] += 1
            except Exception as e:
                failed.append(f"generation {generation}: {type(e).__name__}: {e}")
                if args.verbose: traceback.print_exc()
                pair = parents[i:i + 2]
            children += [net for net in pair if len(net) <= args.vertices and sum(p.numel() for p in net.parameters()) <= args.parameters] or [parents[i]]
        population = children
        if args.verbose or generation % 10 == 9: print(f"    generation {generation + 1}: {count['candidates']} candidates, {len(failed)} failures, {time.perf_counter() - begin:.0f} s", flush=True)
    one = count["seconds"] / max(count["candidates"], 1)
    for name in [*MUTATIONS, "crossover"]:
        print(f"    {name:18} tried {count[name, 'tried']:6}  done {count[name, 'done']:6}  function kept {count[name, 'kept']:6}  "
              f"{count[name, 'seconds'] / max(count[name, 'tried'], 1) / one:6.2f} training steps each")
    for f in failed[:10]: print("    FAILED", f)
    print(f"    nets of {np.mean([len(n) for n in population]):.0f} vertices at the end, {time.perf_counter() - begin:.0f} s")
    print(f"mutate: {count['candidates']} candidates, {sum(n for k, n in count.items() if k[1:] == ('done',))} changes, {len(worst)} promises kept to {max(worst, default=0):.0e}, {len(failed)} failures")
    return bool(failed)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("generations", 60), ("candidates", 50), ("seed", 0), ("vertices", 60), ("parameters", 20_000)): parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rate", type=float, default=.5, help="probability of each mutation for each candidate")
    parser.add_argument("--cross", type=float, default=.5, help="probability of a crossover for each pair")
    parser.add_argument("--verbose", action="store_true", help="show tracebacks")
    sys.exit(main(parser.parse_args()))
