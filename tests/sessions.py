"Random sessions at the panel: what was clicked, and the program that should do the same"
import copy
import numpy as np, torch
from naivenas import Net, batchnorm, cat, conv, explore, globalpool, inputvertex, linear, relu

def network():
    torch.manual_seed(0)
    image = inputvertex("image", 3)
    stem = "stem" >> relu(batchnorm(conv(image, 12)))
    res = "res" >> stem + ("left" >> conv(relu(batchnorm(stem)), 12))
    grouped = "grouped" >> conv(res, 12, groups=3)
    return Net(image, "classes" >> linear(globalpool("wide" >> cat(grouped, "side \"1\"" >> conv(res, 8, k=1))), 10))

def act(e, rng):
    "One thing that somebody does at the panel"
    e.chosen = str(rng.choice(e.graph.names))
    what = rng.choice(["size", "size", "near", "prune", "insert", "insert", "remove", "connect", "disconnect", "undo", "redo"])
    if what in ("undo", "redo"): return getattr(e, what)() if (e.done if what == "undo" else e.undone) else None
    n = e.graph[e.chosen].nout
    if what in ("size", "near"): e.size(max(1, n + int(rng.integers(-4, 5))), exact=what == "size")
    elif what == "prune": e.prune(float(rng.choice([.7, .8, .9])), "magnitude")
    else: e.edit(what, str(rng.choice(e.graph.names)), str(rng.choice(list(e.blocks))))
    if e.plan is not None:
        try: e.apply()
        except ValueError: e.clear()        # a change is tried when it is applied, and some cannot run

def replayed(seed, actions=12):
    "Play a session, then its program on a fresh copy: `(steps, the same net, the same weights)`"
    rng, net = np.random.default_rng(seed), network()
    fresh = copy.deepcopy(net)
    e = explore(net)
    for _ in range(actions): act(e, rng)
    exec(e.code, {"net": fresh})
    mine, other = net.state_dict(), fresh.state_dict()
    same = mine.keys() == other.keys() and all(torch.equal(a, b) for a, b in zip(mine.values(), other.values()))
    return len(e.lines), net.text(full=True) == fresh.text(full=True) and net.outputs[0].name == fresh.outputs[0].name, same
