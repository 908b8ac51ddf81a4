"""The default search against random search, a fixed network and gradient boosting, with equal time.

    python bench/search.py                                   # everything, 60 s a run
    python bench/search.py digits wine --time 20 --seeds 3
    python bench/search.py mnist5k fashion --images 2000 --device cuda
    python bench/search.py story --time 120 --seeds 5 --plot story.png # inherited weights against training from scratch, and the overhead
    python bench/search.py --clock cpu                       # on a machine that is shared: count the seconds of this process only

Test score (accuracy, or R2 for quantities) as mean and spread over seeds. Random search draws networks and settings from the same
space, with fewer and longer trained candidates; the fixed network is the one that the search begins with, trained for the whole
time. Gradient boosting takes as long as it takes. Ends with one summary line; exits 1 when the default search does not beat random
search on an image set, when it is below the best elsewhere by more than the spread, when more than 5% of the story's time is
not spent on measuring, when inherited weights don't beat training from scratch, or need more than a quarter of its examples to be as good.
"""
import argparse, copy, sys, tempfile, time
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

def grown(args, seed, step, born, measure, budget):
    "`[(seconds, examples seen by all candidates, best accuracy), ...]`, the best, and the seconds that were not spent on measuring"
    begin, spent, seen, curve = now(), 0., 0, []
    with tempfile.TemporaryDirectory() as folder:
        store, known = Store(folder), set()
        for g, p in enumerate(evolve([born(r) for r in generator(seed).spawn(8)], step, lambda p: evaluate(p, measure), seed)):
            new = [c for c in p if c.id not in known]
            spent, seen, known = spent + sum(c.seconds for c in new), seen + len(new) * budget, known | {c.id for c in new}
            store.save(p, g)
            curve.append((now() - begin, seen, ranked(p)[0].fitness[0]))
            if curve[-1][0] > args.time: return curve, ranked(p)[0], 1 - spent / curve[-1][0]

def first_at(curve, accuracy): return next((seen for _, seen, a in curve if a >= accuracy), np.inf)

def told(args, seed):
    "Inherited weights, every candidate from scratch, and as a control the inherited winner's architecture from scratch with the examples of its whole line"
    X, y, *_ = data("digits", args.images, 0)
    encoder = Encoder().fit(X, y)
    x, t = encoder.x(X), encoder.y(y)
    inside, outside = split(len(x), seed)
    budget, then = args.passes * len(inside), Score(x[outside], t[outside])
    fitness = Train(x[inside], t[inside], then, budget, anneal=True)
    step = default_step(8, mutated(mutations(map_of(encoder)), mutate_settings), crossed(Crossover(map_of(encoder)), cross_settings))
    def born(rng):
        with seeded(rng): return founder(network(encoder, rng), first_settings(encoder), rng)
    def scratch(c): return fitness(restarted(c, generator(int(c.id, 16))))
    curve, best, other = grown(args, seed, step, born, fitness, budget)
    anew, _, more = grown(args, seed, step, born, scratch, budget)
    control = Train(x[inside], t[inside], then, best.seen, anneal=True)(restarted(copy.deepcopy(best), generator(seed)))[0]
    reached = anew[-1][2]
    share = first_at(curve, reached) / first_at(anew, reached)
    print(f"story, seed {seed}: accuracy {curve[-1][2]:.4f} inherited, {reached:.4f} from scratch, {control:.4f} the winner's architecture from scratch with the {best.seen:,} examples of its line; "
          f"as good as from scratch with {100 * share:.0f}% of the examples; not measuring {100 * other:.1f}% and {100 * more:.1f}%", flush=True)
    return dict(inherited=curve, scratch=anew), control, share, max(other, more)

def story(args):
    "The same for several seeds; which figures are missed"
    found = [told(args, seed) for seed in range(args.seeds)]
    ends = {name: [curves[name][-1][2] for curves, *_ in found] for name in ("inherited", "scratch")} | {"control": [control for _, control, *_ in found]}
    shares = [share for *_, share, _ in found]
    print("story: " + ", ".join(f"{name} {np.mean(v):.4f} ± {np.std(v):.4f}" for name, v in ends.items()) + f"; examples for equal accuracy: median {100 * np.median(shares):.0f}%")
    if args.plot:
        from matplotlib.figure import Figure
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        for color, name in ("C0", "inherited"), ("C1", "scratch"):
            for i, (curves, *_) in enumerate(found): axes.plot([s for _, s, _ in curves[name]], [a for *_, a in curves[name]], color, alpha=.6, label="" if i else name)
        for i, (_, control, *_) in enumerate(found): axes.axhline(control, color="C2", alpha=.4, linestyle=":", label="" if i else "the winner's architecture, from scratch")
        axes.set(xlabel="examples that all candidates have seen", ylabel="best validation accuracy", ylim=(.8, 1))
        axes.legend()
        figure.savefig(args.plot, dpi=120)
    missed = ["overhead"] if max(other for *_, other in found) > .05 else []
    return missed + ([] if np.mean(ends["inherited"]) > np.mean(ends["scratch"]) else ["story"]) + ([] if np.median(shares) <= .25 else ["examples"])

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
