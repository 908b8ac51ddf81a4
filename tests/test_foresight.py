"""A plan is refused where its `apply` would be, in the same words; nothing that would be done is refused, and no plan touches anything.

The oracle is what happens: each plan is made without looking ahead and applied to a copy.
"""
import copy, random

import numpy as np, pytest, torch
from torch import nn

from naivenas import Net, SizeError, avgpool, batchnorm, cat, conv, globalpool, groupnorm, inputvertex, layernorm, linear, lstm, maxpool, relaxed, relu
from naivenas.nets.foresight import Sketch, left
from naivenas.sizes.edits import Draft
from randomnets import same, snapshot

def residual():
    x = inputvertex("x", 3)
    a = "a" >> groupnorm("c" >> conv(x, 8), 2)
    b = "b" >> conv("act" >> relu(a), 8)
    both = "both" >> cat("sum" >> a + b, "side" >> conv(a, 4, k=1))
    return Net(x, "y" >> linear("pool" >> globalpool("last" >> conv(both, 6)), 5)), [torch.rand(2, 3, 8, 8)]

def sequence():
    x = inputvertex("x", 6)
    h = "cell" >> lstm(x, 8)
    return Net(x, "y" >> linear("norm" >> layernorm("sum" >> h + ("more" >> linear(h, 8))), 4)), [torch.rand(2, 5, 6)]

class Seen(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.attend, self.out = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 4)
    def forward(self, x):
        h = self.a(x)
        h = h + self.b(h.relu())
        s = h.flatten(2).transpose(1, 2)
        return self.out(self.attend(s, s, s, need_weights=False)[0].mean(1))

def imported():
    x = torch.rand(2, 3, 6, 6)
    return Net.from_torch(Seen().eval(), x), [x]

NETS = dict(residual=residual, sequence=sequence, imported=imported)

BLOCKS = {"relu": lambda v: relu(v), "conv": lambda v: conv(v, v.nout), "strided": lambda v: conv(v, 5, stride=2), "linear": lambda v: linear(v, v.nout), "pool": lambda v: maxpool(v, 2), "even": lambda v: avgpool(v, 3, 1),
          "norm": layernorm, "batch": batchnorm, "global": globalpool, "wide": lambda v: conv(conv(v, 7, k=1), 3), "cell": lambda v: lstm(v, 6), "nothing": lambda v: nn.Identity()}

def drafted(r, net):
    "A random draft, as a function of the net; names alone in it"
    what, name = r.choice(("insert", "insert", "replace", "remove", "cut", "connect", "disconnect")), r.choice(net.names[1:])
    block, other, wish = r.choice([*BLOCKS]), r.choice(net.names), r.choice((None, 1, -1, relaxed(2)))
    def make(n):
        d = n.draft()
        if what == "insert": d.insert(BLOCKS[block] if block != "nothing" else nn.Identity(), after=name)
        if what == "replace": d.replace(name, lambda *vs: BLOCKS[block](vs[0]) if block != "nothing" else relu(vs[0]))
        if what in ("remove", "cut"): d.remove(name, reconnect=what == "remove")
        if what == "connect": d.connect(other, name)
        if what == "disconnect": d.disconnect(n[name].inputs[-1], name)
        return d
    return f"{what} {name} {block} {other} {wish}", make, {r.choice(net.names[1:]): wish} if wish is not None and r.random() < .4 else {}

def outcome(f):
    try: return f(), None
    except (SizeError, ValueError, TypeError) as e: return None, str(e)

@pytest.mark.parametrize("kind", NETS)
def test_plans_are_refused_where_what_they_leave_is(kind):
    torch.manual_seed(0)
    net, values = NETS[kind]()
    net.eval()(*values)
    r, refused, done = random.Random(1), 0, 0
    for _ in range(60):
        words, make, wishes = drafted(r, net)
        trial = copy.deepcopy(net)
        draft, why = outcome(lambda: make(trial))
        if draft is None: continue
        plan, why = outcome(lambda: draft.solved(wishes))
        if plan is None: continue
        report, why = outcome(plan.apply)
        before = snapshot(net)
        seen, said = outcome(lambda: make(net).plan(wishes))
        assert said == why, (words, said, why)
        assert all(same(before[k], x) for k, x in snapshot(net).items()), words
        assert (seen is None) == (report is None), words
        refused, done = refused + (report is None), done + (report is not None)
        if seen: assert {v.name: len(seen.out(v)) for v in seen.ties.labels} == {v.name: v.nout for v in trial}
    assert refused > 5 and done > 4, (refused, done)

@pytest.mark.parametrize("kind", NETS)
def test_sketches_have_the_shapes_that_come(kind):
    "Every tensor and every setting of each module that would be cut"
    torch.manual_seed(0)
    net, values = NETS[kind]()
    r, sketched = random.Random(2), 0
    for _ in range(12):
        wishes = {v.name: relaxed(r.choice((-3, -2, 2, 3))) for v in r.sample([v for v in net if not v.role.given and v not in net.outputs], 2)}
        trial = copy.deepcopy(net)
        plan, _ = outcome(lambda: trial.plan(wishes))
        if plan is None: continue
        drawn = torch.get_rng_state()
        sketch = Sketch(plan)
        assert torch.equal(drawn, torch.get_rng_state())
        plan.apply()
        for v, w in zip(sketch.vertices, trial.vertices):
            assert (v.name, v.nout, v.role == w.role, [u.name for u in v.inputs]) == (w.name, w.nout, True, [u.name for u in w.inputs])
            if not isinstance(v.op, nn.Module): continue
            assert {k: t.shape for k, t in v.op.state_dict().items()} == {k: t.shape for k, t in w.op.state_dict().items()}
            settings = lambda m: {k: x for k, x in vars(m).items() if isinstance(x, (int, float, str, tuple)) and k[0] != "_" and k != "training"}
            assert settings(v.op) == settings(w.op), v.name
            sketched += v.op is not w.op
    assert sketched > 5

def test_what_cannot_be_sketched_is_left_to_the_trial():
    x = inputvertex("x", 3)
    net = Net(x, "y" >> linear("h" >> linear(x, 6), 2))
    nn.utils.parametrizations.weight_norm(net["h"].op)
    net(torch.rand(2, 3))
    plan, why = outcome(lambda: net.draft().insert(relu, after="h").plan({"h": -2}))
    if plan is not None: plan.apply()
    net(torch.rand(2, 3)).sum().backward()

def test_a_plan_that_is_refused_says_which_vertex():
    net, values = residual()
    net(*values)
    with pytest.raises(SizeError) as e: net.draft().insert(lambda v: "p" >> maxpool(v, 2), after="b").plan()
    assert e.value.conflict[0][:2] == ("shape", ["sum"]) and "(2, 8, 8, 8) and p of shape (2, 8, 4, 4)" in str(e.value)
    with pytest.raises(SizeError) as f: net.insert(lambda v: "p" >> maxpool(v, 2), after="b")
    assert str(e.value) == str(f.value) and f.value.conflict == e.value.conflict

def test_what_was_foreseen_is_not_sketched_again_for_other_sizes(monkeypatch):
    from naivenas.nets import foresight
    net, x = imported()
    net(*x)
    made, real = [], foresight.Sketch
    monkeypatch.setattr(foresight, "Sketch", lambda plan: made.append(plan) or real(plan))
    for wish in -1, -2, +3: net.plan({"out": wish, "b": wish})
    assert len(made) == 1
    net.plan({"attend.in_proj": -12})      # something else
    net.plan({"attend.in_proj": +12})
    assert len(made) == 2
