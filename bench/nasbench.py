"""Selection schemes on a table of all 15,625 cells of NAS-Bench-201 with their CIFAR-10 accuracy.

    pip install analog-nasbench==0.1.3
    python bench/nasbench.py --seeds 200 --evaluations 300 --plot nasbench.png

Median best accuracy against the number of evaluations, where evaluating a cell twice costs twice. `ours` is elite and
tournament with mutation and crossover, `climb` is local search that tries nothing twice, `ageing` is regularised evolution (Real 2019), once as published and once
without repeats, as ours is; and `random` draws cells. Ends
with one summary line; exits 1 when ours is below either `ageing` at 100 or 300 evaluations, or not above `random`.
"""
import argparse, importlib.util, pickle, sys
from pathlib import Path
from types import SimpleNamespace
import numpy as np

from naivenas.search.selection import elite, sus, tournament
from naivenas.search.evolution import ageing, chain, climb, combine, each, evolve, fresh, generator, pairs


class Restricted(pickle.Unpickler):
    "Knows two classes of plain values, by name, and runs nothing of the file's"
    def find_class(self, module, name):
        if (module, name) in (("analognasbench.data", "Architecture"), ("analognasbench.data", "DriftMeasurement")): return Plain
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed here")

class Plain: pass

def table():
    found = importlib.util.find_spec("analognasbench")
    if found is None: sys.exit("pip install analog-nasbench==0.1.3")
    with open(Path(found.origin).parent / "data.anb", "rb") as file: data = Restricted(file).load()
    return {tuple(map(int, cell)): a.baseline_accuracy for cell, a in data.items()}

def cell(genes): return SimpleNamespace(genes=tuple(map(int, genes)), fitness=None, log=[])
def draw(rng): return cell(rng.integers(0, 5, 6))

def mutate(c, rng):
    genes, i = list(c.genes), rng.integers(6)
    genes[i] = (genes[i] + rng.integers(1, 5)) % 5
    return cell(genes)

def maybe(p, f): return lambda c, rng: f(c, rng) if rng.random() < p else cell(c.genes)

def swap(a, b, rng):
    take = rng.random(6) < .5
    return cell(np.where(take, a.genes, b.genes)), cell(np.where(take, b.genes, a.genes))

def anew(f):
    "Mutated until it is a cell that this run has not evaluated (fifty tries)"
    def child(c, rng, seen):
        for _ in range(50):
            d = f(c, rng)
            if d.genes not in seen: return d
        return d
    return child

def schemes(seen):
    new = lambda c, rng: anew(mutate)(c, rng, seen)
    both = lambda a, b, rng: tuple(c if c.genes not in seen else new(c, rng) for c in swap(a, b, rng))
    return {
        "ours": (10, combine(elite(10), chain(elite(5), each(new)))),
        "crossover": (20, combine(elite(10), chain(tournament(10, k=3), pairs(both)))),
        "sus": (20, combine(elite(10), chain(sus(10), each(new)))),
        "ageing": (50, ageing(mutate, sample=10)),
        "ageing, new": (20, ageing(new, sample=5)),
        "climb": (1, climb(mutate, lambda c: "".join(map(str, c.genes)), start=draw, tries=120)),
        "random": (10, fresh(draw, 10)),
    }

def run(accuracy, name, seed, evaluations):
    "Best accuracy so far after each evaluation"
    seen, spent = set(), []
    def measure(population):
        for c in population:
            if c.fitness is None:
                c.fitness = accuracy[c.genes]
                seen.add(c.genes)
                spent.append(c.fitness)
        return population
    size, step = schemes(seen)[name]
    start = [draw(r) for r in generator(seed).spawn(size)]
    for _ in evolve(start, step, measure, seed):
        if len(spent) >= evaluations: return np.maximum.accumulate(spent[:evaluations])

def plot(curves, path):
    from matplotlib.figure import Figure
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, c in curves.items():
        axes.plot(np.arange(1, c.shape[1] + 1), np.median(c, 0), label=name)
        axes.fill_between(np.arange(1, c.shape[1] + 1), *np.quantile(c, [.25, .75], 0), alpha=.15)
    axes.set(xlabel="evaluations", ylabel="best CIFAR-10 accuracy so far, % (median, quartiles)", ylim=(91, 94.2))
    axes.legend()
    figure.savefig(path, dpi=120)

if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", type=int, default=200)
    p.add_argument("--evaluations", type=int, default=300)
    p.add_argument("--plot", help="file for the picture")
    p.add_argument("--schemes", nargs="*", help="only these (default: all)")
    args = p.parse_args()
    accuracy = table()
    print(f"{len(accuracy)} cells, best {max(accuracy.values()):.2f}, median {np.median(list(accuracy.values())):.2f}; {args.seeds} seeds")
    curves = {name: np.array([run(accuracy, name, seed, args.evaluations) for seed in range(args.seeds)]) for name in args.schemes or schemes(set())}
    at = [n for n in (30, 100, 200, 300) if n <= args.evaluations]
    print(f"{'':12}" + "".join(f"{n:>8}" for n in at))
    middle = {name: [np.median(c[:, n - 1]) for n in at] for name, c in curves.items()}
    best = {name: [100 * np.mean(c[:, n - 1] == max(accuracy.values())) for n in at] for name, c in curves.items()}
    for name, values in middle.items(): print(f"{name:12}" + "".join(f"{v:8.2f}" for v in values) + "   the best cell found in" + "".join(f"{v:6.0f}%" for v in best[name]))
    if args.plot: plot(curves, args.plot)
    if not {"ours", "ageing", "ageing, new", "random"} <= {*middle}: sys.exit()
    judged = [(n, dict(zip(middle, v))) for n, *v in zip(at, *middle.values()) if n in (100, 300)]
    missed = [n for n, m in judged if m["ours"] < max(m["ageing"], m["ageing, new"]) or m["ours"] <= m["random"]]
    print(f"nasbench: ours {'is not below either ageing and above random' if not missed else f'misses at {missed}'} (" + ", ".join(f"{n}: {m['ours']:.2f} / {m['ageing']:.2f} / {m['random']:.2f}" for n, m in judged) + ")")
    sys.exit(bool(missed))
