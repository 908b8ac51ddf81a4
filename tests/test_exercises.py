"The exercises of the tutorials: their solutions are right, and each check refuses three wrong answers with what is wrong"
import itertools, re

import numpy as np
import pytest
import torch
from torch import nn

from house import REPO
from naivenas import Net, cat, check, inputvertex, linear, prune, relaxed
from naivenas.apps.checking import EXERCISES


# ------------------------------------------------------------------------------------------------------------- solutions

def branches(a=8, b=12, out=3, name="y", join=cat):
    x = inputvertex("x", 5)
    return Net(x, name >> linear(join(linear(x, a), linear(x, b)), out))

def widened(net): net.resize("res", 24 - net.sizes["res"])

def largest(v):
    w = getattr(v.op, "weight", None)
    return None if v.op is None or w is None or w.dim() < 2 else w.detach().abs().flatten(1).amax(1)

def around(net): net.prune(keep=.5, frozen=["res"])
def lost(report, name): return [i for i in range(report.plan.table.loc[name, "before"]) if i not in report.plan.out(name)]
def along(net, name): return [v for v in net.plan({name: -1}).table.index]
def fours(net): return net.plan({"side": relaxed(+5)}, multiple_of=4)

def worst(true, guess): return min(np.mean(guess[true == c] == c) for c in np.unique(true))
def small(crowd): return min((c for c in crowd if c.fitness >= max(c.fitness for c in crowd) - .02), key=lambda c: c.size)

def divided(groups):
    held = np.isin(groups, np.random.default_rng(0).permutation(np.unique(groups))[:len(np.unique(groups)) // 4])
    return np.flatnonzero(~held), np.flatnonzero(held)

def mutated(net, rng): net.resize(("narrow", "wide", "stem")[rng.integers(3)], int(rng.integers(1, 5)))

def front(points):
    def beaten(p): return any(q[0] >= p[0] and q[1] >= p[1] and q != p for q in points)
    return [i for i, p in enumerate(points) if not beaten(p)]

def third(model, x): return prune(model, x, params=1 / 3, multiple_of=4)
def macs(conv, h, w): return conv.weight.numel() * h * w
def repaired(X, W, stay): return np.linalg.lstsq(X[:, stay], X @ W, rcond=None)[0]

def red_green_blue(rows): return rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
def coins(x, draws): return torch.where((torch.rand(len(x), generator=draws) < .5)[:, None, None, None], x.flip(3), x)
def paired(a, b): return np.mean(a.astype(float) - b), np.std(a.astype(float) - b) / np.sqrt(len(a))
def transposed(n, k, s, p, o, d): return (n - 1) * s - 2 * p + d * (k - 1) + 1 + o
def decoder(net): net.fit_maps([(44, 44), (28, 36)], "input", held=["down*"])
def multiple(net): return net.sizes_that_fit((48, 48), "input").multiple_of[0][0]

SOLUTIONS = {"01.1": branches(), "01.2": widened, "01.3": {"narrow": 1, "wide": 1}, "02.1": largest, "02.2": around, "02.3": lost,
             "03.1": along, "03.2": fours, "03.3": {"stem": +1, "left": -1}, "04.1": worst, "04.2": small, "04.3": divided,
             "05.1": 72, "05.2": mutated, "05.3": front, "06.1": transposed, "06.2": decoder, "06.3": multiple, "07.1": third, "07.2": macs, "07.3": repaired,
             "08.1": red_green_blue, "08.2": coins, "08.3": paired}

@pytest.mark.parametrize("number", EXERCISES)
def test_solutions(number): assert check(number, SOLUTIONS[number]), check(number, SOLUTIONS[number])


# --------------------------------------------------------------------------------------------------------- wrong answers

def at_random(n, seed=0): return np.split(np.random.default_rng(seed).permutation(n), [3 * n // 4])

WRONG = {
    "01.1": [(branches(join=lambda a, b: a + linear(b, 8)), "nothing is concatenated"), (branches(8, 10), r"of \[8, 10\] neurons"), (branches(name="out"), "called y"),
             (branches(out=4), "it has 4"), (nn.Linear(5, 3), "this is Linear")],
    "01.2": [(lambda net: net.plan({"res": +8}), "until it is applied"), (lambda net: net.resize("res", +24), "resize takes how many to add"),
             (lambda net: net.resize({"res": +8, "wide": -8}), "wide and both should have kept"), (lambda net: net.resize("rse", +8), "your answer raised")],
    "01.3": [({"narrow": 0, "wide": 2}, "without any neuron"), ({"narrow": 1, "wide": 2}, "parts 3"), ([1, 1], "answer with a dictionary")],
    "02.1": [(lambda v: None if largest(v) is None else v.op.weight.flatten(1).amax(1), "take their size"),
             (lambda v: None if largest(v) is None else v.op.weight.abs().flatten(1).mean(1), "not its largest"), (lambda v: v.op.weight.abs().max(), "one for each"),
             (lambda v: largest(v) if v.name == "classes" else None, "return numbers for wide"), (lambda v: largest(v) if v.name != "relu" else torch.ones(16), "no opinion")],
    "02.2": [(lambda net: net.prune(keep=.5), "the stream should keep"), (lambda net: net.prune_plan(keep=.5, frozen=["res"]), "nothing has been pruned"),
             (lambda net: net.prune(keep=.7, frozen=["res"]), "half of the 32"), (lambda net: net.prune(keep=.5, frozen=["rse"]), "did you mean")],
    "02.3": [(lambda report, name: [i for i in range(24) if i in report.plan.out(name)], "you list 19"), (lambda report, name: [i for i in report.plan.out(name) if i < 0] or [0] * 5, "these are not the ones"),
             (lambda report, name: [*lost(report, name), -1], "a new neuron")],
    "03.1": [(lambda net, name: net.why(name).tied, "you leave it out"), (lambda net, name: [*net.names], "you name it"), (lambda net, name: [*net.resize(name, -1).plan.table.index], "only to be asked")],
    "03.2": [(lambda net: net.resize({"side": relaxed(+5)}, multiple_of=4), "to be planned for"), (lambda net: net.plan({"side": +5}), "no multiple of 4"),
             (lambda net: net.plan({"side": relaxed(+5)}, multiple_of=8), "nearer to 13"), (lambda net: net.plan({"side": +5}, multiple_of=4), "your answer raised SizeError")],
    "03.3": [({"stem": +1, "image": +1}, "image alone"), ({"stem": +1, "left": +1}, "both can be had"), ({"stem": -1}, "two wishes")],
    "04.1": [(lambda t, g: np.mean(t == g), "over all examples"), (lambda t, g: 100 * worst(t, g), "at most 1"), (lambda t, g: max(np.mean(g[t == c] == c) for c in np.unique(t)), "you give")],
    "04.2": [(lambda crowd: max(crowd, key=lambda c: c.fitness), "is good enough"), (lambda crowd: min(crowd, key=lambda c: c.size), "too far from"), (lambda crowd: small(crowd).id, "one of the candidates")],
    "04.3": [(lambda groups: at_random(len(groups)), "on both sides"), (lambda groups: (np.arange(200), np.array([], int)), "is empty"), (lambda groups: (np.arange(150), np.arange(100, 200)), "in both parts")],
    "05.1": [(13, "multiply"), (48, "anew"), (144, "too many")],
    "05.2": [(lambda net, rng, own=itertools.count(1): net.resize("wide", next(own) % 4 + 1), "gave two results"), (lambda net, rng: net.resize("classes", +2), "number of classes"), (lambda net, rng: net.resize("wide", -2), "has by -2"),
             (lambda net, rng: net.resize("wide", +2), "nearly always the same"), (lambda net, rng: net.resize({"wide": +2, "narrow": +1}), "one of narrow")],
    "05.3": [(lambda points: range(len(points)), "is beaten by another"), (lambda points: [max(range(len(points)), key=points.__getitem__)], "you leave it out"), (lambda points: None, "gives nothing")],
    "06.1": [(lambda n, k, s, p, o, d: transposed(n, k, s, p, 0, d), "output_padding seems to have no effect"), (lambda n, k, s, p, o, d: transposed(n, k, s, p, o, d) + p, "at both ends"),
             (lambda n, k, s, p, o, d: (n + 2 * p - d * (k - 1) - 1) // s + 1, "makes .* and you say"), (lambda n, k, s, p, o, d: transposed(n, k, s, p, o, 1), "dilation seems")],
    "06.2": [(lambda net: net.plan_maps([(44, 44), (28, 36)], "input"), "until it is applied"), (lambda net: net.fit_maps([(44, 44), (28, 36)], "input", held=["up*"]) and net, "your answer raised|should have stayed"),
             (lambda net: net.fit_maps((28, 36), {"up1": (14, 18), "up2": (28, 35)}), "comes back as"), (lambda net: net.set("down1", kernel_size=5), "down1 should have stayed"), (lambda net: net.set("up2", padding=0), "comes back as")],
    "06.3": [(lambda net: 2, "does not take 2 x 2"), (lambda net: 24, "also of a smaller number"), (lambda net: net.sizes_that_fit((48, 48), "input").multiple_of, "you give list"), (lambda net: None, "gives nothing")],
    "07.1": [(lambda m, x: prune(m, x, keep=1 / 3), "multiples of 4|are far fewer|share of neurons"), (lambda m, x: prune(m, x, params=1 / 3), "multiples of 4"), (lambda m, x: prune(m, x, params=.1, multiple_of=4), "far fewer"),
             (lambda m, x: Net.from_torch(m, x).prune(params=1 / 3, multiple_of=4) and m, "should stay as it is")],
    "07.2": [(lambda c, h, w: c.weight.numel(), "the places of the map"), (lambda c, h, w: c.in_channels * c.out_channels * h * w, "the places of the kernel"), (lambda c, h, w: c.out_channels * 9 * h * w, "you count|left out")],
    "07.3": [(lambda X, W, stay: W[stay], "nothing stands in"), (lambda X, W, stay: repaired(X, W, stay).T, "a row for each"), (lambda X, W, stay: 0 * W[stay], "mean squared error is")],
    "08.1": [(lambda rows: rows.reshape(-1, 32, 32, 3), "all of its red first"), (lambda rows: rows.reshape(-1, 3, 32, 32), "should come last"),
             (lambda rows: red_green_blue(rows).transpose(0, 2, 1, 3), "on their side"), (lambda rows: rows, "something of shape"), (lambda rows: 255 - red_green_blue(rows), "yours is")],
    "08.2": [(lambda x, draws: x.flip(3), "coin of its own"), (lambda x, draws: coins(x, None), "two results"), (lambda x, draws: coins(x.transpose(2, 3), draws).transpose(2, 3), "on its head"),
             (lambda x, draws: coins(x, draws).mul(.5), "neither"), (lambda x, draws: x.copy_(coins(x, draws)), "has been changed"), (lambda x, draws: coins(x, torch.Generator().manual_seed(0)), "two generators"),
             (lambda x, draws: torch.where((torch.rand(len(x), generator=draws) < .1)[:, None, None, None], x.flip(3), x), "about half"), (lambda x, draws: x[:3], "has become one of shape")],
    "08.3": [(lambda a, b: (paired(a, b)[0], np.sqrt(a.var() / len(a) + b.var() / len(b))), "same ones"), (lambda a, b: (paired(a, b)[0], np.std(a.astype(float) - b)), "of a mean"),
             (lambda a, b: (paired(b, a)), "other way round"), (lambda a, b: a.mean() - b.mean(), "two numbers"), (lambda a, b: (a.mean(), 0), "you give a difference"), (lambda a, b: (paired(a, b)[0], .5), "you give a standard error")]}

@pytest.mark.parametrize("number", EXERCISES)
def test_wrong_answers_are_refused(number):
    assert len(WRONG[number]) >= 3
    for answer, says in WRONG[number]:
        verdict = check(number, answer)
        assert not verdict and re.search(says, verdict.wrong), (number, verdict)
        assert 20 < len(verdict.wrong) < 300, verdict
    assert "no answer yet" in check(number).wrong and not check(number, ...) and not check(number, lambda *_: None) and not check(number, 17)

def test_each_exercise_is_in_its_tutorial():
    for number in EXERCISES:
        (page,) = (REPO / "nbs" / "tutorials").glob(f"{number[:2]}_*.ipynb")
        text = page.read_text()
        assert f'check(\\"{number}\\"' in text and f"**{number}** " in text, number
