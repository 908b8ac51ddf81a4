"""The default search against random search, a fixed network and gradient boosting, with equal time.

    python bench/search.py                                   # everything, 60 s a run
    python bench/search.py digits wine --time 20 --seeds 3
    python bench/search.py mnist5k fashion --images 2000 --device cuda
    python bench/search.py story --time 120 --plot story.png # inherited weights against training from scratch, and the overhead
    python bench/search.py --clock cpu                       # on a machine that is shared: count the seconds of this process only

Test score (accuracy, or R2 for quantities) as mean and spread over seeds. Random search draws networks and settings from the same
space, with fewer and longer trained candidates; the fixed network is the one that the search begins with, trained for the whole
time. Gradient boosting takes as long as it takes. Ends with one summary line; exits 1 when the default search does not beat random
search on an image set, when it is below the best elsewhere by more than the spread, or when more than 5% of the story's time is
not spent on measuring.
"""
import argparse, sys, tempfile, time
from types import SimpleNamespace
import numpy as np, torch
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

import naivenas.search.measuring, naivenas.search.running, naivenas.search.search, naivenas.search.training
from naivenas.nets.data import load
from naivenas.search.encoding import Encoder
from naivenas.search.selection import ranked
from naivenas.search.evolution import evolve, generator
from naivenas.search.executors import evaluate
from naivenas.search.fitness import Score
from naivenas.search.training import Train
from naivenas.search.fitted import Fitted
from naivenas.search.mutate import mutations
from naivenas.search.settings import cross_settings, mutate_settings
from naivenas.search.crossover import Crossover
from naivenas.search.candidate import seeded
from naivenas.search.population import crossed, founder, mutated
from naivenas.search.store import Store
from naivenas.search.networks import first_choices, first_settings, map_of, network
from naivenas.search.defaults import default_step, refined, restarted
from naivenas.search.dividing import split
from naivenas.search.search import fit

now = time.monotonic

IMAGES = ("digits", "mnist5k", "fashion")
TABLES = ("wine", "cancer", "diabetes", "friedman")

def data(name, images, seed):
    "X, y to learn from and X, y to test on"
    if name in IMAGES:
        d = load("fashion-mnist" if name == "fashion" else name)
        return d.x_train[:images].numpy(), d.y_train[:images].numpy(), d.x_test[:2000].numpy(), d.y_test[:2000].numpy()
    X, y = {"wine": lambda: datasets.load_wine(return_X_y=True), "cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
            "diabetes": lambda: datasets.load_diabetes(return_X_y=True), "friedman": lambda: datasets.make_friedman1(2000, 8, noise=1., random_state=0)}[name]()
    order = np.random.default_rng(seed).permutation(len(X))
    X, y = X[order], y[order]
    return X[:-len(X) // 3], y[:-len(X) // 3], X[-len(X) // 3:], y[-len(X) // 3:]

def boosting(X, y, task, seed):
    "Gradient boosting on the raw values"
    make = HistGradientBoostingClassifier if task == "classification" else HistGradientBoostingRegressor
    return make(random_state=seed).fit(X.reshape(len(X), -1), y)

def fixed(X, y, args, seed):
    "The first guess, trained on all data with a falling learning rate: for the whole time, on tables for 40 passes"
    encoder, rng, begin = Encoder().fit(X, y), generator(seed), now()
    x, t = encoder.x(X), encoder.y(y)
    with seeded(rng): c = founder(network(encoder, rng, **first_choices(encoder, args.device)).to(args.device), first_settings(encoder), rng)
    return Fitted(encoder, [refined(c, x, t, None if map_of(encoder) else 40 * len(x), args.time - (now() - begin), seed).net.eval()])

def methods(args, X, y, seed):
    how = dict(time=args.time, seed=seed, device=args.device, progress=False)
    return {"search": lambda: fit(X, y, **how)[0], "random": lambda: fit(X, y, method="random", **how)[0],
            "fixed": lambda: fixed(X, y, args, seed), "boosting": lambda: boosting(X, y, Encoder().fit(X, y).task, seed)}

def compare(name, args):
    found = {}
    for seed in range(args.seeds):
        X, y, X2, y2 = data(name, args.images, seed)
        for method, run in methods(args, X, y, seed).items():
            begin = now()
            model = run()
            spent = now() - begin
            found.setdefault(method, []).append((model.score(X2.reshape(len(X2), -1) if method == "boosting" else X2, y2), spent))
            if args.verbose: print(f"    {name} {method} {seed}: {found[method][-1][0]:.4f} in {spent:.0f} s", flush=True)
    mean = {m: np.mean([s for s, _ in r]) for m, r in found.items()}
    spread = {m: np.std([s for s, _ in r]) for m, r in found.items()}
    print(f"{name:10}" + "".join(f"  {m} {mean[m]:.4f} ± {spread[m]:.4f} ({np.mean([t for _, t in found[m]]):.0f} s)" for m in found), flush=True)
    good = mean["search"] > mean["random"] if name in IMAGES else mean["search"] >= max(mean.values()) - max(spread.values())
    return [] if good else [name]

def story(args):
    "Best validation accuracy over time with inherited weights, and with every candidate trained from scratch; both are saved"
    X, y, *_ = data("digits", args.images, 0)
    encoder = Encoder().fit(X, y)
    x, t = encoder.x(X), encoder.y(y)
    inside, outside = split(len(x), 0)
    fitness = Train(x[inside], t[inside], Score(x[outside], t[outside]), args.passes * len(inside), anneal=True)
    change, cross, curves, other = mutated(mutations(map_of(encoder)), mutate_settings), crossed(Crossover(map_of(encoder)), cross_settings), {}, 0.
    def born(rng):
        with seeded(rng): return founder(network(encoder, rng), first_settings(encoder), rng)
    def scratch(c): return fitness(restarted(c, generator(int(c.id, 16))))
    for name, measure in ("inherited", fitness), ("scratch", scratch):
        begin, spent, curve = now(), 0., []
        with tempfile.TemporaryDirectory() as folder:
            store, known = Store(folder), set()
            for g, p in enumerate(evolve([born(r) for r in generator(0).spawn(8)], default_step(8, change, cross), lambda p: evaluate(p, measure), 0)):
                spent += sum(c.seconds for c in p if c.id not in known)
                known |= {c.id for c in p}
                store.save(p, g)
                curve.append((now() - begin, ranked(p)[0].fitness[0]))
                if curve[-1][0] > args.time: break
        other = max(other, 1 - spent / curve[-1][0])
        curves[name] = curve
        print(f"story: {name}: {len(known)} candidates, best validation accuracy {max(f for _, f in curve):.4f}; not measuring: {100 * (1 - spent / curve[-1][0]):.1f}% of {curve[-1][0]:.0f} s", flush=True)
    if args.plot:
        from matplotlib.figure import Figure
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        for name, curve in curves.items(): axes.plot(*zip(*curve), label=name)
        axes.set(xlabel="seconds", ylabel="best validation accuracy", ylim=(.8, 1))
        axes.legend()
        figure.savefig(args.plot, dpi=120)
    return (["overhead"] if other > .05 else []) + ([] if curves["inherited"][-1][1] > curves["scratch"][-1][1] else ["story"])

if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("parts", nargs="*", default=[*IMAGES, *TABLES, "story"])
    p.add_argument("--time", type=float, default=60, help="seconds a run")
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--images", type=int, default=4000, help="at most, to learn from")
    p.add_argument("--passes", type=int, default=4, help="over the data, of each candidate of the story")
    p.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu: count the seconds of this process only")
    p.add_argument("--verbose", action="store_true", help="show every run")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--plot", help="file for the story's picture")
    args = p.parse_args()
    torch.set_num_threads(1)
    if args.clock == "cpu":
        now = time.process_time
        naivenas.search.search.clock = naivenas.search.running.clock = SimpleNamespace(monotonic=now)
        naivenas.search.training.time = naivenas.search.measuring.time = SimpleNamespace(perf_counter=now)
    missed = [m for part in args.parts for m in (story(args) if part == "story" else compare(part, args))]
    print("search: " + ("every figure reached" if not missed else f"missed: {', '.join(missed)}") + f" ({args.time:.0f} {args.clock} s a run, {args.seeds} seeds, {args.device})")
    sys.exit(bool(missed))
