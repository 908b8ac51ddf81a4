"""A random walk: thousands of changes of every kind over all kinds of nets, each held against what it must be.

    python bench/walk.py                                     # 20,000 steps
    python bench/walk.py --steps 500 --seed 3
    python bench/walk.py --only tied language --verbs resize prune undo
    python bench/walk.py --interrupts                        # with Ctrl-C at random moments, and twice in a row
    python bench/walk.py --only heads --episode 17 -v        # one episode again, step by step

A step is a change (see VERBS). After one that is applied the net computes a forward pass and a training step, finite and of
the right shapes, the report's own `verify` agrees, and so does an oracle that shares nothing with it: the old net in double
precision, with zeros in place of the neurons that go. After one that is refused everything is bit for bit as it was, and the error is
one of ours: raised by a line of the package that says `raise`. Ends with one summary line and exits 1 if anything was *broken*
(does not run, leaves traces, an error that is not ours) or *silent* (runs, and computes something else).
"""
import argparse, contextlib, copy, linecache, logging, pathlib, random, re, signal, sys, tempfile, time, traceback, warnings
from collections import Counter
from math import isnan

import numpy as np, torch
from torch import nn

ROOT = pathlib.Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests")]
import naivenas
from naivenas import (Net, Random, SizeError, Taylor, Untraceable, avgpool, batchnorm, batchnorm_scale, cat, conv, dropout, geometric_median, groupnorm, keeping,
                      l1, layernorm, linear, magnitude, maxpool, relaxed, relu, tanh)
from randomnets import same, snapshot
from walknets import NETS, OPTIMIZERS, TORCH, net_of

HOME = naivenas.__path__[0]

class Broken(Exception): "What does not run, or has left traces"
class Silent(Exception): "What runs, and computes something else"

# ------------------------------------------------------------------------------------------------------------ what a net is

def everything(net, optimizers=(), version=True):
    "All that a refused step must leave alone"
    s = snapshot(net, optimizers)
    for name, m in net.named_modules():
        s[f"mode of {name}"] = m.training, len(m._forward_hooks), len(m._forward_pre_hooks), sorted(m.__dict__) if m is not net else ()
    for i, twin in enumerate(net.twins): s |= {("twin", i, k): x for k, x in snapshot(twin).items()}
    s["drawn"] = torch.get_rng_state(), random.getstate(), repr(np.random.get_state())
    s["tracked"] = [*map(id, net.optimizers)], [*map(id, net.twins)], len(net.watchers)
    if not version: s = {k: x for k, x in s.items() if "version" not in k}
    return s

def unlike(a, b, but=()):
    "What differs between two of them; None: nothing"
    a, b = ({k: x for k, x in s.items() if k not in but} for s in (a, b))
    if odd := a.keys() ^ b.keys(): return f"{sorted(map(str, odd))[:3]}"
    return next((f"{k}" for k in a if not same(a[k], b[k])), None)

# --------------------------------------------------------------------------------------------------------------- the oracle

FIRST = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.PReLU, nn.PixelShuffle, nn.PixelUnshuffle)
LAST = (nn.Linear, nn.Embedding, nn.RNNBase, nn.LayerNorm, nn.Bilinear, nn.MultiheadAttention, getattr(nn, "RMSNorm", nn.LayerNorm))
STATISTIC = (nn.LayerNorm, nn.GroupNorm, getattr(nn, "RMSNorm", nn.LayerNorm))

class Unsure(Exception): "What this oracle does not know"

def axis_of(op, x):
    if isinstance(op, FIRST): return 1 if x.ndim > 1 else 0
    if isinstance(op, LAST): return x.ndim - 1
    raise Unsure(f"a {type(op).__name__}")

def without(x, axis, kept):
    "Zeros in place of all neurons but those kept"
    mask = torch.zeros(x.shape[axis], dtype=torch.bool)
    mask[kept] = True
    return torch.where(mask.view([-1 if a == axis else 1 for a in range(x.ndim)]), x, torch.zeros_like(x))

def survivors(index): return torch.as_tensor(np.sort(index[index >= 0]))

def quiet(cell, gone):
    "A recurrent layer whose units `gone`, the same both ways, say nothing"
    if cell.proj_size: raise Unsure("a projection")
    cell = copy.deepcopy(cell)
    with torch.no_grad():
        for key, p in cell.named_parameters():
            for gate in range(p.shape[0] // cell.hidden_size): p[[gate * cell.hidden_size + i for i in gone]] = 0.
    return cell

def among(op, x, kept, groups):
    "A statistic over the neurons that are kept"
    few, axis = x.index_select(a := axis_of(op, x), kept), a
    own = [None if p is None else p.detach()[kept] for p in (op.weight, getattr(op, "bias", None))]
    if isinstance(op, nn.GroupNorm): y = nn.functional.group_norm(few, groups, *own, op.eps)
    elif isinstance(op, nn.LayerNorm): y = nn.functional.layer_norm(few, few.shape[-1:], *own, op.eps)
    else: y = nn.functional.rms_norm(few, few.shape[-1:], own[0], op.eps)
    return torch.zeros_like(x).index_copy(axis, kept, y)

class Lists:
    "What a plan says, by names, taken before anything is done"
    def __init__(self, plan):
        self.out = {v.name: np.asarray(plan.out(v)) for v in plan.ties.labels}
        self.ins = {v.name: [*map(np.asarray, plan.ins(v))] for v in plan.ties.labels}
        self.before = {v.name: n for v, n in plan.before.items()}
        self.edited = {v.name for v in plan.edit.inputs}
        self.anew = plan.edit.loose
        self.still = all(len(self.out.get(k, ())) == n and (self.out[k] == np.arange(n)).all() for k, n in self.before.items() if k in self.out)
        self.moved = [k for k, ins in self.ins.items() if k in self.before and any((i != np.arange(len(i))).any() for i in ins if (i >= 0).any())]

@torch.no_grad()
def masked(old, new, lists, values):
    "The outputs of the old net with zeros in place of what goes"
    got = dict(zip(old.inputs, values))
    for v in old.vertices:
        if v in got: continue
        args, op, name = [got[u] for u in v.inputs], v.op, v.name
        kept = survivors(lists.out[name]) if name in lists.out else None
        loses, gains = name in lists.out and len(kept) < v.nout, name in lists.out and (lists.out[name] < 0).any()
        if name in lists.ins and v.role.makes and name not in lists.edited:
            for i, (x, index) in enumerate(zip(args, lists.ins[name])):
                if len(survivors(index)) < v.inputs[i].nout: args[i] = without(x, axis_of(op, x), survivors(index))
        if name in new.statistics if hasattr(new, "statistics") else False:
            if loses or gains or any(len(survivors(i)) < u.nout or (i < 0).any() for i, u in zip(lists.ins.get(name, ()), v.inputs)): raise Unsure("a statistic of no layer's")
        if isinstance(op, STATISTIC) and (loses or gains):
            if gains: raise Unsure("a statistic that new neurons enter")
            got[v] = among(op, args[0], kept, getattr(new[name].op, "num_groups", 1))
            continue
        if isinstance(op, nn.RNNBase) and loses: op = quiet(op, sorted({*range(v.nout)} - {*kept.tolist()}))
        got[v] = op(*args)
        if v.role.makes and loses and not isinstance(op, nn.RNNBase):
            if not torch.is_tensor(got[v]): raise Unsure("several results")
            got[v] = without(got[v], axis_of(op, got[v]), kept)
    return [got[o] for o in old.outputs]

@torch.no_grad()
def rewired(old, new, values):
    "The outputs of the new wiring, where all vertices that were there before compute what they computed"
    ops = {v.name: v.op for v in old}
    got = dict(zip(new.inputs, values))
    for v in new.vertices:
        if v not in got: got[v] = ops.get(v.name, v.op)(*[got[u] for u in v.inputs])
    return [got[o] for o in new.outputs]

def chosen(x, positions, many):
    axes = [a for a in range(1, x.ndim) if x.shape[a] == many]
    if len(axes) != 1: raise Unsure("an output that has as many of something else")
    return x.index_select(axes[0], torch.as_tensor(positions))

def expected(old, new, lists, values, kind):
    "`[(what an output must be, what it is), ...]`; Unsure where this oracle doesn't know"
    values = [x.double() if x.is_floating_point() else x for x in values]
    if lists.anew: raise Unsure("an edit after which other neurons meet, as its report says")
    if kind == "rewired":
        if not lists.still: raise Unsure("an edit that changes sizes")
        if lists.moved: raise Unsure("an edit that puts columns elsewhere")
        wants = rewired(old, new, values)
    else: wants = masked(old, new, lists, values)
    pairs = []
    for o, want, end, got in zip(new.outputs, wants, old.outputs, whole(new(*values))):
        index = lists.out[o.name]
        if end.name == o.name and not (len(index) == end.nout and (index == np.arange(end.nout)).all()):
            want, got = chosen(want, index[index >= 0], end.nout), chosen(got, np.flatnonzero(index >= 0), o.nout)
        pairs.append((want, got))
    return pairs

def whole(out): return [*out] if isinstance(out, (tuple, list)) else [out]

def gap(a, b): return float("inf") if a.shape != b.shape else 0. if not a.numel() else float((a - b).abs().max())

# ------------------------------------------------------------------------------------------------------------- the checks

def finite(x): return bool(torch.isfinite(x).all()) if x.is_floating_point() else True

def runs(w, net, values, when):
    "A forward pass in the net's own mode, in evaluation mode without gradients: finite, of the right shapes"
    try:
        with torch.no_grad(): outs = whole(net(*values))
    except Exception as e: raise Broken(f"{when}: the forward pass fails: {said(e)}") from e
    for o, x in zip(net.outputs, outs, strict=True):
        if x.shape[0] != values[0].shape[0]: raise Broken(f"{when}: {o.name} gives a batch of {x.shape[0]}")
        try: axis = axis_of(o.op, x)
        except Unsure: axis = next((a for a in range(1, x.ndim) if x.shape[a] == o.nout), None)
        if axis is None or x.shape[axis] != o.nout: raise Broken(f"{when}: {o.name} has {o.nout} neurons and gives {tuple(x.shape)}")
        if not finite(x): raise w.diverged(f"{when}: {o.name} is not finite")
    return outs

def learns(w, net, values, optimizers, when):
    "A training step"
    mode = net.training
    net.train()
    try:
        for o in optimizers: o.zero_grad()
        loss = sum(torch.tanh(x).square().mean() for x in whole(net(*values)))
        if loss.requires_grad: loss.backward()
        for k, p in net.named_parameters():
            if p.grad is not None and p.grad.shape != p.shape: raise Broken(f"{when}: the gradient of {k} is {tuple(p.grad.shape)}")
        for o in optimizers: o.step()
    except Broken: raise
    except Exception as e: raise Broken(f"{when}: the training step fails: {said(e)}") from e
    finally: net.train(mode)
    if odd := [k for k, p in net.named_parameters() if not finite(p.detach())]: raise w.diverged(f"{when}: {odd[0]} is not finite")
    held = [id(p) for o in optimizers for g in o.param_groups for p in g["params"]]
    mine = {id(p) for p in net.parameters()}
    if optimizers and (len(held) != len({*held}) or mine - {*held}): raise Broken(f"{when}: the optimizers hold other parameters than the net")
    if optimizers and len(gone := {*held} - mine) > w.spare: raise Broken(f"{when}: the optimizers hold {len(gone)} parameters that are gone")
    for o in optimizers:
        for p, memory in o.state.items():
            if id(p) not in mine and len({*held} - mine) > w.spare: raise Broken(f"{when}: the optimizer remembers a parameter that is gone")

def said(e): return f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}"[:200]

def ours(e):
    "Whether an error is one of the package's own: raised by a `raise` in it, of a kind that users are told of, with a sentence"
    if not isinstance(e, (ValueError, TypeError, RuntimeError, Untraceable)) or len(str(e).split()) < 4: return False
    frame = traceback.extract_tb(e.__traceback__)[-1]
    return frame.filename.startswith(HOME) and any(word in linecache.getline(frame.filename, n) for n in (frame.lineno,) for word in ("raise ", "raise\n"))

# ------------------------------------------------------------------------------------------------------------------- verbs

def by_of(r, w):
    "An importance"
    net = w.net
    ways = [magnitude, l1, geometric_median, Random(r.randrange(9)), lambda v: np.random.default_rng([len(v.name), v.nout]).random(v.nout) if v.role.makes else None]
    if any(isinstance(m, nn.BatchNorm2d) for m in net.modules()): ways.append(batchnorm_scale)
    if w.taylor is not None and w.taylor.values: ways += [w.taylor] * 2
    return r.choice(ways)

def wishes_of(r, net):
    free = [v for v in net if not v.role.given or r.random() < .03]
    made = {}
    for v in r.sample(free, min(len(free), r.choice((1, 1, 1, 2, 3)))):
        step = r.choice((1, 1, 1, 2, 2, 3, 4, 6))
        delta = step * (1 if r.random() < (.75 if v.nout < 5 else .4 if v.nout < 12 else .1) else -1)
        made[v.name] = relaxed(delta) if r.random() < .5 else delta
    return made

def resize(r, w):
    wishes, how = wishes_of(r, w.net), {}
    if r.random() < .6: how["by"] = by_of(r, w)
    if r.random() < .1: how["multiple_of"] = r.choice((2, 3, 4))
    if r.random() < .1: how["least"] = r.choice((2, 3))
    if r.random() < .1: how["max_new"] = r.choice((0, 1, 3))
    if r.random() < .1: how["frozen"] = [r.choice(w.net.names)]
    if r.random() < .1: how["groups"] = r.choice(("equal", "whole", "either"))
    return "masked", f"resize({wishes}, {how})", lambda: w.net.resize(wishes, **how)

def grow(r, w):
    v = r.choice([v for v in w.net if v.nout < 16] or w.net.vertices)
    n = r.choice((1, 2, 3, 4, 6))
    return "masked", f"resize({v.name}, +{n})", lambda: w.net.resize(v.name, relaxed(n))

def prune(r, w):
    keep, by, normalise = round(r.uniform(.5, .95), 2), by_of(r, w), r.random() < .8
    how = {"frozen": [r.choice(w.net.names)]} if r.random() < .1 else {}
    if r.random() < .1:
        wishes = keeping(w.net, keep)
        return "masked", f"resize(keeping(net, {keep}))", lambda: w.net.resize(wishes, by=by)
    return "masked", f"prune({keep}, {by}, normalise={normalise}, {how})", lambda: w.net.prune(keep, by, normalise, **how)

def shape_at(w, v):
    "Dimensions of what comes out of a vertex: 4 for images, 3 for sequences, 2 for rows; None: no tensor of floats"
    x = w.shapes.get(v.name)
    return None if x is None else x

def block_of(r, w, u):
    "`(words, block)` that fits behind `u`, for the most part"
    many = shape_at(w, u) or 2
    if r.random() < .03: many = r.choice((2, 3, 4))
    n = u.nout if r.random() < .5 else r.randint(1, 8)
    start = r.choice((None, None, "identity"))
    image = many == 4
    new = (lambda v: conv(v, n, k=r2)) if image else (lambda v: linear(v, n))
    r2, s = r.choice((1, 3)), r.choice((1, 2))
    ways = {"layer": new, "same": (lambda v: conv(v, v.nout, start=start)) if image else (lambda v: linear(v, v.nout, start=start)), "relu": relu,
            "tanh": tanh, "dropout": lambda v: dropout(v, .2), "two": lambda v: new(relu(conv(v, 4, k=1) if image else linear(v, 4)))}
    plus = lambda v: v + (conv(relu(v), v.nout) if image else linear(relu(v), v.nout))
    ways |= {"residual": plus, "both": lambda v: cat(v, new(v), axis=1 if image else -1)}
    if image: ways |= {"strided": lambda v: conv(v, n, stride=2), "maxpool": lambda v: maxpool(v, 2, s), "avgpool": lambda v: avgpool(v, 2), "batchnorm": batchnorm,
                       "groupnorm": lambda v: groupnorm(v, r2 if v.nout % r2 == 0 else 1), "depthwise": lambda v: conv(v, v.nout, groups=v.nout)}
    else: ways["layernorm"] = layernorm
    name = r.choice([*ways])
    return f"{name}({n}, start={start}, {r2}, {s})", ways[name], name == "same" and start == "identity"

def insert(r, w):
    u = r.choice([v for v in w.net if shape_at(w, v)] or w.net.vertices)
    words, block, identity = block_of(r, w, u)
    readers = [v.name for v, _ in w.net.consumers(u)]
    how = {"to": r.choice(readers)} if readers and r.random() < .3 else {}
    return "masked" if identity else "rewired", f"insert({words}, after={u.name}, {how})", lambda: w.net.insert(block, after=u.name, **how)

def remove(r, w):
    v, reconnect = r.choice(w.net.vertices), r.random() < .7
    return "rewired", f"remove({v.name}, {reconnect})", lambda: w.net.remove(v.name, reconnect)

def replace(r, w):
    v = r.choice([v for v in w.net if v.inputs])
    words, block, _ = block_of(r, w, v.inputs[0])
    return "rewired", f"replace({v.name}, {words})", lambda: w.net.replace(v.name, lambda *us: block(us[0]))

def connect(r, w):
    v = r.choice([v for v in w.net if len(v.inputs) > 1 or r.random() < .2] or w.net.vertices)
    alike = [u.name for u in w.net if shape_at(w, u) == shape_at(w, v) or r.random() < .05]
    if not alike: alike = w.net.names
    u, at = r.choice(alike), r.choice((None, 0, 1))
    return "masked" if v.role.joins else "rewired", f"connect({u}, {v.name}, {at})", lambda: w.net.connect(u, v.name, at)

def disconnect(r, w):
    v = r.choice([v for v in w.net if len(v.inputs) > 1 or r.random() < .2] or w.net.vertices)
    if not v.inputs: v = r.choice([v for v in w.net if v.inputs])
    at = r.randrange(len(v.inputs))
    u = v.inputs[at].name
    return "masked" if v.role.joins else "rewired", f"disconnect({u}, {v.name}, {at})", lambda: w.net.disconnect(u, v.name, at)

def setting(r, w):
    have = [v for v in w.net if isinstance(v.op, nn.Module) and not isinstance(v.op, nn.Identity)]
    windows = [v for v in have if hasattr(v.op, "kernel_size") or hasattr(v.op, "p")] or have or w.net.vertices
    v = r.choice(windows if r.random() < .8 else w.net.vertices)
    how = {}
    for key, may in (("kernel_size", (1, 2, 3, 5)), ("stride", (1, 2)), ("padding", (0, 1, 2, "same")), ("dilation", (1, 2)), ("p", (.1, .3)), ("eps", (1e-4,))):
        if r.random() < (.45 if hasattr(v.op, key) else .02): how[key] = r.choice(may)
    k = getattr(v.op, "kernel_size", (9,))
    w.keeps = {*how} <= {"kernel_size", "p"} and how.get("kernel_size", 9) >= max(k if isinstance(k, tuple) else [k]) and hasattr(v.op, "weight")
    if r.random() < .1 or v.role.alike and r.random() < .3: how = {"activation": r.choice((nn.GELU(), nn.Tanh(), nn.SiLU()))}
    return None, f"set({v.name}, {how})", lambda: w.net.set(v.name, **how)

CHANGES = dict(resize=resize, grow=grow, prune=prune, insert=insert, remove=remove, replace=replace, connect=connect, disconnect=disconnect, set=setting)
OFTEN = dict(resize=6, grow=3, prune=4, insert=3, remove=2, replace=2, connect=2, disconnect=1, set=2, undo=3, draft=1, save=1, to_torch=1, python=1, copy=1, moves=1)
VERBS = [*OFTEN]

def draft(r, w):
    "Several changes in one"
    words, d = [], w.net.draft()
    def make():
        for what, f in steps: f()
        return d.apply(wishes)
    steps, names = [], w.net.names
    for _ in range(r.choice((1, 2))):
        u = r.choice([v for v in w.net if shape_at(w, v)] or w.net.vertices)
        said_, block, _ = block_of(r, w, u)
        if r.random() < .6: steps.append((f"insert({said_}, {u.name})", lambda block=block, u=u: d.insert(block, after=u.name)))
        else: steps.append((f"remove({(n := r.choice(names))})", lambda n=n: d.remove(n)))
    wishes = wishes_of(r, w.net) if r.random() < .5 else {}
    return "rewired", f"draft: {'; '.join(what for what, _ in steps)}; {wishes}", make

# ------------------------------------------------------------------------------------------------------------------- walking

class Diverged(Exception): "Numbers that training or a product has driven off; no fault of a change"

class Walk:
    "One episode: a net, its optimizers, and what is done to them"
    def __init__(self, args, episode, counts, cache):
        self.args, self.episode, self.counts = args, episode, counts
        self.r = r = random.Random(f"{args.seed} {episode}")
        self.name = args.only[episode % len(args.only)]
        self.trainer = r.choice(args.optimizers)
        dtype = torch.float64 if r.random() < .8 else torch.float32
        torch.manual_seed(episode); np.random.seed(episode % 2**32); random.seed(episode)
        seed = r.randrange(10**6) if self.name == "random" else 1
        self.net, self.values = self.made(cache, seed, dtype)
        self.training, self.ema = r.random() < .3, r.random() < .15
        self.with_taylor = r.random() < .3
        self.taylor = None
        self.log = []
        self.follow()

    def made(self, cache, seed, dtype):
        key = self.name, dtype
        if self.name not in TORCH: return net_of(self.name, seed, dtype)
        if key not in cache: cache[key] = net_of(self.name, seed, dtype)
        try: return copy.deepcopy(cache[key])
        except RuntimeError: return cache.pop(key)

    def follow(self):
        "Optimizers, sometimes an average, sometimes Taylor importance, for a net that is new"
        self.spare = 0
        self.optimizers = OPTIMIZERS[self.trainer](self.net)
        self.spare = len({id(p) for o in self.optimizers for g in o.param_groups for p in g["params"]} - {id(p) for p in self.net.parameters()})
        self.net.track(*self.optimizers)
        self.net.train(self.training)
        if self.ema:
            try: self.net.track(copy.deepcopy(self.net))
            except RuntimeError: pass      # a tensor that some hook computes
        if self.with_taylor: self.taylor = Taylor(self.net)
        learns(self, self.net, self.values, self.optimizers, "at first")
        self.look()

    def look(self):
        "How many dimensions there are where"
        self.shapes, net = {}, self.net
        try: old = self.copied()
        except RuntimeError: old = None
        got = dict(zip(net.inputs, self.values))
        mode = net.training
        net.eval()
        with torch.no_grad():
            for v in net.vertices:
                if v not in got: got[v] = v.op(*[got[u] for u in v.inputs])
        net.train(mode)
        self.shapes = {v.name: x.ndim for v, x in got.items() if torch.is_tensor(x) and x.is_floating_point() and x.ndim > 1}

    def diverged(self, what): return Diverged(what) if not self.was_finite else Broken(what)

    was_finite, goes_on, keeps = True, False, False

    def copied(self): return copy.deepcopy(self.net)

    def step(self):
        "`(verb, 'applied' or 'refused')`"
        r = self.r
        verb = r.choices(self.args.verbs, [OFTEN[v] for v in self.args.verbs])[0]
        if verb in ("save", "to_torch", "python", "copy", "moves"): return verb, getattr(self, verb)()
        under = verb == "undo"
        may = [v for v in self.args.verbs if v in CHANGES] or ["resize"]
        verb = r.choices(may, [OFTEN[v] for v in may])[0] if under else verb
        kind, words, do = (draft if verb == "draft" else CHANGES[verb])(r, self)
        self.log.append(words)
        before, torch_state = everything(self.net, self.optimizers), torch.get_rng_state()
        old = None
        if kind and r.random() < self.args.oracle:
            try: old = self.copied().double().eval()
            except RuntimeError: self.counts["oracle: a net that can't be copied"] += 1
        started = time.perf_counter()
        but = ("drawn",) if verb in ("insert", "replace", "draft") else ()
        report = self.carried(do, before, words, but)
        if report is None: return verb, "refused"
        self.counts["seconds"] += time.perf_counter() - started
        if under: return "undo", self.undone(report, before, words, but)
        lists = Lists(report.plan)
        try:
            self.check(report, old, lists, kind, words)
            self.looks_alive(words)
        except Exception:
            with contextlib.suppress(Exception): report.undo(); self.look(); self.goes_on = True
            raise
        return verb, "applied"

    def carried(self, do, before, words, but):
        "The report, or None: refused, and everything as it was; a new layer of ours draws its weights"
        try:
            with self.interrupts() as stop: report = do()
        except KeyboardInterrupt: return self.interrupted(before, words, but)
        except Exception as e:
            self.counts[f"refused with {type(e).__name__}"] += 1
            if odd := unlike(before, everything(self.net, self.optimizers), but): raise Broken(f"refused ({said(e)}), and {odd} has changed") from e
            if not ours(e): raise Broken(f"an error that is not ours: {said(e)} at {place(e)}") from e
            self.counts["why: " + re.sub(r"'[^']*'|\d+|[\w.]+ \(\w+\)", "#", str(e).splitlines()[0])[:60]] += 1
            return None
        return report

    @contextlib.contextmanager
    def interrupts(self):
        "Ctrl-C at a random moment of some of the steps, and again a moment later in some of these"
        if not self.args.interrupts or self.r.random() < .3: yield; return
        first, again = self.r.uniform(1e-4, self.args.moment), self.r.uniform(1e-5, 2e-3) if self.r.random() < .5 else None
        def ring(*_):
            nonlocal again
            if again is not None: signal.setitimer(signal.ITIMER_REAL, again)
            again = None
            signal.raise_signal(signal.SIGINT)
        old = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, first)
        try: yield
        finally:
            while True:
                try: signal.setitimer(signal.ITIMER_REAL, 0); signal.signal(signal.SIGALRM, old); break
                except KeyboardInterrupt: continue

    def interrupted(self, before, words, but):
        "After Ctrl-C: as before, or done as a whole"
        self.counts["interrupted"] += 1
        after = everything(self.net, self.optimizers)
        if before["version"] is self.net.version or before["version"] == self.net.version:
            if odd := unlike(before, after, but): raise Broken(f"interrupted, and {odd} has changed")
        else: self.counts["interrupted when it was done"] += 1
        self.looks_alive(words)
        return None

    def undone(self, report, before, words, but):
        "Taken back: bit for bit as it was; done again: bit for bit as it was then"
        without_version = lambda: everything(self.net, self.optimizers, version=False)
        then = without_version()
        try: back = report.undo()
        except Exception as e: raise Broken(f"undo fails: {said(e)} at {place(e)}") from e
        if odd := unlike({k: x for k, x in before.items() if "version" not in k}, without_version(), but): raise Broken(f"taken back, and {odd} is not as it was")
        if self.r.random() < .5:
            self.looks_alive(words)
            return "applied"
        back.undo()
        if odd := unlike(then, without_version()): raise Broken(f"taken back and done again, and {odd} is not as it was")
        self.looks_alive(words)
        return "applied"

    def looks_alive(self, words):
        "A forward pass, a training step, and the average"
        net = self.net
        runs(self, net, self.values, "afterwards")
        for twin in net.twins:
            if twin.sizes != net.sizes: raise Broken("the tracked copy has other sizes")
            runs(self, twin, self.values, "in the tracked copy")
        learns(self, net, self.values, self.optimizers, "afterwards")
        self.look()

    def check(self, report, old, lists, kind, words):
        "What the change must not have changed"
        state = everything(self.net, self.optimizers)
        try: found = report.verify(*self.values)
        except Exception as e:
            runs(self, self.net, self.values, "afterwards")
            raise Broken(f"verify fails: {said(e)} at {place(e)}") from e
        if odd := unlike(state, everything(self.net, self.optimizers)): raise Broken(f"verify has changed {odd}")
        if isnan(found.largest): self.counts["verify: " + (re.sub(r"[\w.]+ (works|reads|lie|draws)", r"# \1", found.notes[0]) if found.notes else "shapes differ")[:70]] += 1
        elif words.startswith("set(") and not self.keeps: self.counts["verify: settings that change what is computed"] += 1
        elif not found.agrees: raise Silent(f"verify: {found.sentence}")
        else: self.counts["verified"] += 1
        if old is None: return
        try:
            new = copy.deepcopy(self.net).double().eval()
            pairs = expected(old, new, lists, self.values, kind)
        except Unsure as e: self.counts[f"oracle: {e}"] += 1; return
        except RuntimeError as e:
            runs(self, self.net, self.values, "afterwards")
            self.counts[f"oracle: does not run"] += 1
            if self.args.verbose: print("    oracle", said(e), place(e))
            return
        far = max(gap(a, b) / max(1., float(a.abs().max()) if a.numel() else 1.) for a, b in pairs)
        if not far <= 1e-8: raise Silent(f"the oracle is {far:.1e} away, verify {found.largest:.1e}")
        self.counts["oracle agrees"] += 1

    # ------------------------------------------------------------------------------------------------ out, and in again

    def attempt(self, words, f):
        "What `f` gives, or None where it's refused"
        self.log.append(words)
        before = everything(self.net, self.optimizers)
        try: made = f()
        except Exception as e:
            self.counts[f"refused with {type(e).__name__}"] += 1
            if odd := unlike(before, everything(self.net, self.optimizers)): raise Broken(f"{words} refused ({said(e)}), and {odd} has changed") from e
            if not ours(e): raise Broken(f"{words}: an error that is not ours: {said(e)} at {place(e)}") from e
            self.counts["why: " + re.sub(r"'[^']*'|\d+|[\w.]+ \(\w+\)", "#", str(e).splitlines()[0])[:60]] += 1
            return None
        if odd := unlike(before, everything(self.net, self.optimizers)): raise Broken(f"{words} has changed {odd}")
        return made

    def compared(self, other, words, tolerance=0.):
        "Another form of the net computes what the net does"
        mode = self.net.training
        self.net.eval(), other.eval()
        try:
            want = runs(self, self.net, self.values, words)
            try:
                with torch.no_grad(): got = whole(other(*self.values))
            except Exception as e: raise Broken(f"{words} does not run: {said(e)} at {place(e)}") from e
        finally: self.net.train(mode)
        for a, b in zip(want, got, strict=True):
            if not gap(a, b) <= tolerance * max(1., float(a.abs().max())): raise Silent(f"{words} computes something else: {gap(a, b):.1e}")
        return "applied"

    def save(self):
        with tempfile.TemporaryDirectory() as d:
            path = self.attempt("save", lambda: self.net.save(pathlib.Path(d) / "net.safetensors"))
            if path is None: return "refused"
            try: again = Net.load(path)
            except Exception as e: raise Broken(f"what was saved does not load: {said(e)} at {place(e)}") from e
        if self.name == "hooked": return "applied"      # a file holds no hooks
        self.compared(again, "what was loaded", 1e-12 if self.values[0].dtype == torch.float64 else 1e-5)
        if again.sizes != self.net.sizes or {*again.state_dict()} != {*self.net.state_dict()}: raise Broken("what was loaded has other vertices")
        if {v.name for v in again.frozen} != {v.name for v in self.net.frozen}: raise Broken("what was loaded is frozen elsewhere")
        if self.r.random() < .5: self.net, self.taylor = again, None; self.follow()
        return "applied"

    def to_torch(self):
        made = self.attempt("to_torch", lambda: self.net.to_torch())
        return "refused" if made is None else self.compared(made, "to_torch", 1e-12 if self.values[0].dtype == torch.float64 else 1e-5)

    def python(self):
        source = self.attempt("to_python", lambda: self.net.to_python())
        if source is None: return "refused"
        names = {}
        try:
            exec(source, names)
            module = names["Model"]().to(next(self.net.parameters()).dtype)
            module.load_state_dict(self.net.state_dict())
        except Exception as e: raise Broken(f"to_python: {said(e)}") from e
        return "applied" if self.name == "hooked" else self.compared(module, "to_python", 1e-12 if self.values[0].dtype == torch.float64 else 1e-5)

    def copy(self):
        try: twin = self.attempt("deepcopy", lambda: copy.deepcopy(self.net))
        except Broken as e:
            if "only Tensors created explicitly" in str(e): self.counts["a weight that a hook computes: torch copies no such module"] += 1; return "refused"
            raise
        return self.compared(twin, "a copy", 1e-12 if self.values[0].dtype == torch.float64 else 1e-5)      # what comes from a file lies otherwise in memory, and sums of it are rounded otherwise

    def moves(self):
        "Modes, freezing, gradients kept and thrown away, between changes"
        what = self.r.choice(("mode", "frozen", "no grad", "zero"))
        self.log.append(what)
        if what == "mode": self.training = not self.training; self.net.train(self.training)
        if what == "frozen": self.net.frozen = {self.r.choice(self.net.vertices)} if self.r.random() < .5 else set()
        if what == "no grad":
            p = self.r.choice([*self.net.parameters()])
            p.requires_grad_(not p.requires_grad)
            if not p.requires_grad: p.grad = None
        if what == "zero": self.net.zero_grad()
        return "applied"

def place(e):
    frame = next((f for f in reversed(traceback.extract_tb(e.__traceback__)) if f.filename.startswith(HOME)), traceback.extract_tb(e.__traceback__)[-1])
    return f"{pathlib.Path(frame.filename).name}:{frame.lineno} {frame.name}"

def episode_of(args, number, counts, faults, cache):
    "Up to `--length` steps with one net; ends with the first fault"
    try: w = Walk(args, number, counts, cache)
    except (Broken, Silent) as e:
        faults.append((type(e).__name__.lower(), "start", number, 0, args.only[number % len(args.only)], str(e), ""))
        counts["steps"] += 1
        return
    for i in range(args.length):
        if counts["steps"] >= args.steps: return
        counts["steps"] += 1
        try:
            verb, result = w.step()
            counts[verb, result] += 1
            if args.verbose: print(f"    {number}.{i} {w.name}/{w.trainer} {result}: {w.log[-1]}", flush=True)
        except Diverged as e: counts["driven off"] += 1; return
        except (Broken, Silent) as e:
            faults.append((type(e).__name__.lower(), w.log[-1].split("(")[0], number, i, f"{w.name}/{w.trainer}", str(e), w.log[-1]))
            if args.verbose: traceback.print_exc()
            kind = kind_of(faults[-1])
            counts["seen", kind] += 1
            if args.verbose or counts["seen", kind] < 4: print(f"    {faults[-1][0].upper()} {w.name} --episode {number}, step {i} ({w.trainer}): {w.log[-1]}\n        {e}", flush=True)
            if not w.goes_on: return
            w.goes_on = False
        if len(w.net) > args.vertices or sum(p.numel() for p in w.net.parameters()) > 30_000: return

def kind_of(fault): return fault[0], fault[1], re.sub(r"\d[\d.e-]*|'[^']*'|[\w.]+_\d+", "#", re.sub(r"/tmp/\S+", "#", fault[5]))[:110]

def main(args):
    args.only = args.only or [*NETS]
    args.optimizers, args.verbs = args.optimizers or [*OPTIMIZERS], args.verbs or VERBS
    counts, faults, cache, begin, number = Counter(), [], {}, time.perf_counter(), 0
    if args.episode is not None:
        args.only = args.only[:1] * 1
        episode_of(args, args.episode, counts, faults, cache)
    while args.episode is None and counts["steps"] < args.steps and time.perf_counter() - begin < args.seconds:
        episode_of(args, number, counts, faults, cache)
        number += 1
        if number % 100 == 0: print(f"    {counts['steps']} steps, {len(faults)} faults, {time.perf_counter() - begin:.0f} s", flush=True)
    told(args, counts, faults, time.perf_counter() - begin)
    return counts, faults

def told(args, counts, faults, seconds):
    for verb in VERBS:
        if counts[verb, "applied"] or counts[verb, "refused"]: print(f"    {verb:12} applied {counts[verb, 'applied']:6}  refused {counts[verb, 'refused']:6}")
    for k, n in sorted(((k, n) for k, n in counts.items() if isinstance(k, str) and k not in ("steps", "seconds")), key=lambda kn: (kn[0].split(":")[0], -kn[1])):
        if not k.startswith("why") or args.verbose or n > 20: print(f"    {n:6}  {k}")
    for what, n in Counter(map(kind_of, faults)).most_common(): print(f"    {n:6}  {' '.join(what)}")
    total = lambda result: sum(n for k, n in counts.items() if isinstance(k, tuple) and k[1] == result)
    bad = Counter(f[0] for f in faults)
    print(f"walk: {counts['steps']} steps, {total('applied')} applied, {total('refused')} refused, {counts['interrupted']} interrupted, "
          f"{counts['verified']} verified, {counts['oracle agrees']} by the oracle, {bad['broken']} broken, {bad['silent']} silent, {seconds:.0f} s")

def arguments(*words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=[*NETS], metavar="NET", help=f"some of {' '.join(NETS)}")
    parser.add_argument("--verbs", nargs="+", choices=VERBS, metavar="VERB", help=f"some of {' '.join(VERBS)}")
    parser.add_argument("--optimizers", nargs="+", choices=[*OPTIMIZERS], metavar="NAME", help=f"some of {' '.join(OPTIMIZERS)}")
    parser.add_argument("--length", type=int, default=30, help="steps with one net before the next begins")
    parser.add_argument("--vertices", type=int, default=50, help="a net that has more is left")
    parser.add_argument("--oracle", type=float, default=.5, help="share of the steps that the walk's own oracle sees")
    parser.add_argument("--interrupts", action="store_true", help="Ctrl-C at random moments")
    parser.add_argument("--moment", type=float, default=.02, help="it comes within so many seconds of a step's beginning")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no episode later than that")
    parser.add_argument("--episode", type=int, help="only this one, with the net of --only")
    parser.add_argument("--verbose", "-v", action="store_true", help="each step, and tracebacks")
    return parser.parse_args(words or None)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)      # what runs in the background is started deaf to it
    warnings.simplefilter("ignore")
    logging.getLogger("naivenas").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    sys.exit(bool(main(arguments())[1]))
