"""The default search against random search, a fixed network and gradient boosting, at equal wall time.

    python bench/search.py                                   # everything, 60 s a run
    python bench/search.py digits wine --time 20 --seeds 3
    python bench/search.py mnist5k fashion --images 2000 --device cuda
    python bench/search.py story --time 60                   # inherited weights against training from scratch, and the overhead

Test score (accuracy, or R2 for quantities) as mean and spread over seeds. Gradient boosting takes as long as it takes.
Ends with one summary line; exits 1 when the default search does not beat random search on an image set, when it is
below the best elsewhere by more than the spread, or when more than 5% of the story's time is not measuring.
"""
import argparse, sys, time
import numpy as np, torch
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from naivenas.data import load
from naivenas.encoding import Encoder
from naivenas.evolution import combine, elite, evolve, fresh, generator, ranked
from naivenas.executors import evaluate
from naivenas.fitness import Score, Train, outputs
from naivenas.layers import globalpool, linear, maxpool
from naivenas.net import Net
from naivenas.population import child, founder, mutated, seeded
from naivenas.search import Fitted, Training, fit, mutate, network, retrained, training, unit, _default_step, _split
from naivenas.vertex import inputvertex

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

def fixed(encoder, rng):
    "What one would write without a search"
    shape = encoder.shape if len(encoder.shape) == 3 else (1, *encoder.shape)
    x = inputvertex("x", shape[0] if encoder.kind == "image" else encoder.shape[0])
    if encoder.kind == "image": v = globalpool(unit(unit(maxpool(unit(unit(x, 32, 3, 2), 32, 3, 2)), 64, 3, 2), 64, 3, 2))
    else: v = unit(unit(x, 64, 1, 0), 64, 1, 0)
    return Net(x, linear(v, encoder.nout))

def boosting(X, y, task, seed):
    "Gradient boosting on the raw values"
    make = HistGradientBoostingClassifier if task == "classification" else HistGradientBoostingRegressor
    return make(random_state=seed).fit(X.reshape(len(X), -1), y)

def network_alone(X, y, args, seed):
    "The fixed network, trained for as long as a search may take, the last fifth with a falling learning rate"
    from naivenas.search import refined
    start, encoder = time.monotonic(), Encoder().fit(X, y)
    x, t = encoder.x(X), encoder.y(y)
    rng = generator(seed)
    with seeded(rng): c = founder(fixed(encoder, rng).to(args.device), Training(lr=1e-3), rng)
    epochs = 0
    while time.monotonic() - start < .8 * args.time and epochs < args.epochs: Train(x, t, examples=len(x), seed=seed)(c); epochs += 1
    c = refined(c, x, t, 5 * len(x), .2 * args.time, seed)
    return Fitted(encoder, [c.net.eval()])

def methods(args, X, y, seed):
    common = dict(time=args.time, seed=seed, device=args.device, progress=False)
    def born(rng):
        encoder = Encoder().fit(X, y)
        with seeded(rng): net = network(encoder, rng).to(args.device)
        return founder(net, training(rng), rng)
    return {"search": lambda: fit(X, y, **common)[0], "random": lambda: fit(X, y, step=combine(elite(1), fresh(born, 11)), **common)[0],
            "fixed": lambda: network_alone(X, y, args, seed), "boosting": lambda: boosting(X, y, Encoder().fit(X, y).task, seed)}

def compare(name, args):
    found = {}
    for seed in range(args.seeds):
        X, y, X2, y2 = data(name, args.images, seed)
        for method, run in methods(args, X, y, seed).items():
            start = time.monotonic()
            score = run().score(X2.reshape(len(X2), -1) if method == "boosting" else X2, y2)
            found.setdefault(method, []).append((score, time.monotonic() - start))
    mean = {m: np.mean([s for s, _ in r]) for m, r in found.items()}
    spread = {m: np.std([s for s, _ in r]) for m, r in found.items()}
    print(f"{name:10}" + "".join(f"  {m} {mean[m]:.4f} ± {spread[m]:.4f} ({np.mean([t for _, t in found[m]]):.0f} s)" for m in found), flush=True)
    good = mean["search"] > mean["random"] if name in IMAGES else mean["search"] >= max(mean.values()) - max(spread.values())
    return [] if good else [name]

def story(args):
    "Best validation accuracy over time with inherited weights, and with every candidate trained from scratch"
    X, y, *_ = data("digits", args.images, 0)
    encoder = Encoder().fit(X, y)
    x, t = encoder.x(X), encoder.y(y)
    inside, outside = _split(len(x), 0)
    fitness = Train(x[inside], t[inside], Score(x[outside], t[outside]), len(inside))
    change, curves, other = mutated(mutate, retrained), {}, 0.
    def born(rng):
        with seeded(rng): return founder(network(encoder, rng), training(rng), rng)
    def scratch(c, rng):
        made = change(c, rng)
        with seeded(rng):
            for m in made.net.modules(): getattr(m, "reset_parameters", lambda: None)()
        made.optimizer, made.seen = None, 0
        made.net.optimizers.clear()
        return made
    for name, new in ("inherited", change), ("scratch", scratch):
        start, spent, curve = time.monotonic(), 0., []
        for p in evolve([born(r) for r in generator(0).spawn(12)], _default_step(12, new), lambda p: evaluate(p, fitness), 0):
            spent += sum(c.seconds for c in p)
            curve.append((time.monotonic() - start, ranked(p)[0].fitness[0]))
            if curve[-1][0] > args.time: break
        other = max(other, 1 - spent / curve[-1][0])
        curves[name] = curve
        print(f"story: {name}: {len(curve)} generations, best validation accuracy {max(f for _, f in curve):.4f}; not measuring: {100 * (1 - spent / curve[-1][0]):.1f}% of {curve[-1][0]:.0f} s", flush=True)
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
    p.add_argument("--epochs", type=int, default=60, help="of the fixed network, at most")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--plot", help="file for the story's picture")
    args = p.parse_args()
    torch.set_num_threads(1)
    missed = [m for part in args.parts for m in (story(args) if part == "story" else compare(part, args))]
    print("search: " + ("every figure reached" if not missed else f"missed: {', '.join(missed)}") + f" ({args.time:.0f} s a run, {args.seeds} seeds, {args.device})")
    sys.exit(bool(missed))
