"""A change is applied only if what it leaves runs, by an oracle that knows nothing of shapes: the same change without the trial, and a true forward pass.

`pytest -m slow tests/test_runs_after.py` tries some thousands of random changes.
"""
import copy, random
from collections import Counter
import numpy as np, pytest, torch
from torch import nn
from naivenas import (Net, SizeError, avgpool, batchnorm, cat, conv, convtranspose, dropout, embedding, flatten, globalpool, inputvertex, layer, linear, lstm, maxpool,
                      relu, upsample)
from naivenas.graph.vertex import add, mul
from naivenas.nets.shadows import form, shadow, shaped
from randomnets import assert_same, random_net, snapshot

IMAGES = torch.randn(2, 3, 8, 8)

# ------------------------------------------------------------------------------------------------------------ kinds of change

def cnn():
    x = inputvertex("image", 3)
    c1 = "c1" >> conv(x, 16)
    res = "res" >> c1 + ("c2" >> conv("act" >> relu("bn" >> batchnorm(c1)), 16))
    return Net(x, "y" >> linear("gp" >> globalpool("cat" >> cat(res, "c3" >> conv(res, 8))), 10))

def strided():
    x = inputvertex("image", 3)
    a = "a" >> conv(x, 4)
    b = "b" >> conv(a, 4, stride=2)
    return Net(x, "c" >> b + ("d" >> conv(b, 4)))

def flat():
    x = inputvertex("image", 3)
    return Net(x, "y" >> linear("flat" >> flatten("pool" >> maxpool("c1" >> conv(x, 4)), 16), 5))

def sequences():
    x = inputvertex("steps", 3)
    return Net(x, "y" >> linear("rnn" >> lstm("in" >> linear(x, 6), 6), 2)), torch.randn(2, 5, 3)

BROKEN = {     # name -> (net, change, what the message names)
    "strided block": (cnn, lambda net: net.insert(lambda v: "pool" >> conv(v, v.nout, stride=2), after="c2"), ("c2", "res", "pool")),
    "pool": (cnn, lambda net: net.insert(maxpool, after="act"), ("act", "res")),
    "global pool": (cnn, lambda net: net.insert(globalpool, after="c1"), ("c1", "globalpool")),
    "global pool before a convolution": (strided, lambda net: net.insert(globalpool, after="a"), ("a", "b")),
    "no padding": (cnn, lambda net: net.insert(lambda v: conv(v, v.nout, k=3, padding=0), before="bn"), ("c1", "res")),
    "larger maps": (cnn, lambda net: net.insert(upsample, after="c2"), ("c2", "res")),
    "connecting": (strided, lambda net: net.connect("a", "c"), ("a", "c")),
    "connecting to a concatenation": (cnn, lambda net: net.connect("y", "cat"), ()),
    "replacing": (cnn, lambda net: net.replace("c2", lambda v: "new" >> conv(v, 16, stride=2)), ("c2", "res")),
    "replacing by another rank": (cnn, lambda net: net.replace("bn", lambda v: batchnorm(v, 1)), ("bn", "batchnorm")),
    "stride": (cnn, lambda net: net.set("c2", stride=2), ("c2", "res", "stride")),
    "padding": (cnn, lambda net: net.set("c2", padding=0), ("c2", "res")),
    "kernel": (cnn, lambda net: net.set("c2", kernel_size=5, padding=0), ("c2", "res")),
    "stride of 0": (cnn, lambda net: net.set("c2", stride=0), ("c2", "at least 1", "0")),
    "stride of -1": (cnn, lambda net: net.set("c2", stride=(1, -1)), ("c2", "at least 1")),
    "padding of -1": (cnn, lambda net: net.set("c2", padding=-1), ("c2", "at least 0")),
    "pixels that are counted": (flat, lambda net: net.set("pool", kernel_size=4, stride=4), ("y", "flat")),
    "pixels in front": (flat, lambda net: net.insert(maxpool, after="c1"), ("y", "flat")),
}

@pytest.mark.parametrize("called", [True, False], ids=["called", "never called"])
@pytest.mark.parametrize("name", BROKEN)
def test_what_would_not_run_is_refused(name, called):
    make, change, named = BROKEN[name]
    net = make()
    o = torch.optim.Adam(net.parameters())
    if called: net(IMAGES).sum().backward(), o.step()
    net.track(o)
    before = snapshot(net, [o])
    with pytest.raises(ValueError) as e: change(net)
    assert all(word in str(e.value) for word in named) and (not named or "impossible" in str(e.value) or "at least" in str(e.value)), e.value
    assert_same(before, snapshot(net, [o]), name)
    net(IMAGES)

FINE = {
    "a stride where all follow": (cnn, lambda net: net.set("c1", stride=2)),
    "a stride at the end": (cnn, lambda net: net.insert(lambda v: conv(v, v.nout, stride=2), after="cat")),
    "a pool in front of all": (cnn, lambda net: net.insert(maxpool, after="image")),
    "a larger kernel": (cnn, lambda net: net.set("c2", kernel_size=5)),
    "both branches": (strided, lambda net: net.set("b", stride=1)),
    "a global mean that is broadcast": (cnn, lambda net: net.insert(lambda v: layer(nn.AdaptiveAvgPool2d(1), v), after="c2")),
    "features behind a pool": (cnn, lambda net: net.insert(lambda v: linear(v, 7), after="gp")),
    "the end": (cnn, lambda net: net.insert(lambda v: linear(v, 10), after="y")),
}

@pytest.mark.parametrize("called", [True, False], ids=["called", "never called"])
@pytest.mark.parametrize("name", FINE)
def test_what_runs_is_done(name, called):
    make, change = FINE[name]
    net = make()
    if called: net(IMAGES)
    change(net)
    net(IMAGES)

def test_sequences_and_tables():
    net, steps = sequences()
    with pytest.raises(SizeError, match="impossible"): net.insert(lambda v: batchnorm(v, 2), after="in")
    net.insert(lambda v: dropout(relu(v)), after="in")
    net.resize("in", -2)
    assert net(steps).shape == (2, 5, 2)
    words = inputvertex("words", 1)
    net = Net(words, "y" >> linear("e" >> embedding(words, 4, 9), 2))
    with pytest.raises(SizeError, match="impossible"): net.insert(lambda v: conv(v, v.nout), after="e")
    net.insert(lambda v: linear(v, 4), after="e")

def test_the_last_example_counts():
    x = inputvertex("x", 1)
    net = Net(x, "end" >> conv("c" >> conv(x, 2), 2, k=5, padding=0))
    net(torch.rand(1, 1, 6, 6))
    with pytest.raises(SizeError, match="end"): net.insert(maxpool, after="c")
    net(torch.rand(1, 1, 32, 32))
    net.insert(maxpool, after="c")

def test_what_did_not_run_before_is_no_reason():
    x = inputvertex("x", 1)
    a, b = "a" >> conv(x, 2), "b" >> conv(x, 2, stride=2)
    net = Net(x, "end" >> conv("sum" >> a + b, 2))
    with pytest.raises(RuntimeError): net(torch.rand(1, 1, 6, 6))
    net.insert(relu, after="a")
    net.set("b", stride=1)            # the way out
    net(torch.rand(1, 1, 6, 6))
    with pytest.raises(SizeError): net.set("b", stride=2)

def test_nobody_notices_a_trial():
    "No hook is called, nothing random is drawn, no statistic moves; the user's module is left alone"
    class Mine(nn.Module):
        def __init__(self): super().__init__(); self.calls = 0
        def forward(self, x): self.calls += 1; return x.relu()
    x, mine = inputvertex("x", 3), Mine()
    net = Net(x, "y" >> linear(dropout("m" >> layer(mine, "bn" >> batchnorm("c" >> linear(x, 6), 1), nout=6)), 2))
    seen = []
    for m in net.modules(): m.register_forward_hook(lambda *_: seen.append(1)), m.register_forward_pre_hook(lambda *_: seen.append(1))
    before, state = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    net.insert(relu, after="c")
    assert not seen and not mine.calls and torch.equal(state, torch.get_rng_state()) and net.training
    assert all(torch.equal(t, before[k]) for k, t in net.state_dict().items())

def test_shadows_give_the_shapes_of_true_passes():
    x = torch.randn(2, 4, 9, 9)
    for m in (nn.Conv2d(4, 6, 3, 2, 1, groups=2), nn.Conv2d(4, 6, 3, padding="same"), nn.Conv2d(4, 6, (3, 1), padding_mode="circular", padding=(1, 0)), nn.ConvTranspose2d(4, 3, 2, 2),
              nn.BatchNorm2d(4), nn.MaxPool2d(3, 2, ceil_mode=True), nn.MaxPool2d(3, 2, 1), nn.AvgPool2d((3, 2)), nn.LayerNorm(9), nn.LayerNorm([9]), nn.Linear(9, 2), nn.GroupNorm(2, 4), nn.Flatten(), nn.PReLU(4), nn.ReflectionPad2d(2),
              torch.nn.utils.weight_norm(nn.Conv2d(4, 6, 3)), torch.nn.utils.spectral_norm(nn.Conv2d(4, 6, 3)), torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 6, 3)),
              nn.Sequential(nn.Conv2d(4, 2, 1), nn.Sequential(nn.ReLU(), nn.BatchNorm2d(2)))):
        for given in (x, torch.empty(2, 4, 7, 9)): assert shaped(m, [form(given)], None)[0] == form(m.eval()(given)), m
        assert all(not t.is_meta for t in m.state_dict().values())
    assert shadow(nn.LSTM(4, 3, 2, bidirectional=True))(torch.empty(2, 5, 4, device="meta"))[0].shape == (2, 5, 6)

# ---------------------------------------------------------------------------------------------------------- random changes

BLOCKS = (lambda v: conv(v, v.nout, stride=2), lambda v: conv(v, v.nout, padding=0), maxpool, avgpool, globalpool, upsample, relu, lambda v: batchnorm(v), lambda v: batchnorm(v, 1),
          lambda v: linear(v, v.nout), lambda v: convtranspose(v, v.nout), lambda v: flatten(v, 16), lambda v: conv(v, v.nout + 1), lambda v: layer(nn.AdaptiveAvgPool2d(2), v),
          lambda v: cat(v, conv(v, 1)))

def random_change(r, net):
    "A function of a net, by names"
    names, what = net.names, r.choice("insert insert insert replace connect connect set set set remove disconnect resize".split())
    v, u, block = r.choice(names), r.choice(names), r.choice(BLOCKS)
    some = [w.name for w in net if w.role == "stack" or w.op in (add, mul)] or names
    windows = [w.name for w in net if isinstance(w.op, (nn.Conv2d, nn.MaxPool2d))] or names
    target, window = r.choice(some), r.choice(windows)
    settings = r.choice((dict(stride=2), dict(stride=1), dict(padding=0), dict(padding=1), dict(kernel_size=2, padding=0), dict(kernel_size=3), dict(dilation=2, padding=0)))
    delta, reconnect = r.choice((-1, 1, 2)), r.random() < .7
    return what, {"insert": lambda n: n.insert(block, after=v), "replace": lambda n: n.replace(v, block), "connect": lambda n: n.connect(u, target),
                  "set": lambda n: n.set(window, **settings), "remove": lambda n: n.remove(v, reconnect), "resize": lambda n: n.resize(v, delta),
                  "disconnect": lambda n: n.disconnect(u, target)}[what]

def outcome(change, net):
    try: change(net)
    except (ValueError, TypeError, KeyError) as e: return e
    return None

def walk(seeds, steps, monkeypatch):
    said = Counter()
    for seed in seeds:
        r = random.Random(seed)
        net, values = random_net(seed, torch.float32)
        net(*values)
        for _ in range(steps):
            if len(net) > 40: break
            what, change = random_change(r, net)
            twin, before = copy.deepcopy(net), snapshot(net)
            with monkeypatch.context() as m:
                m.setattr(Net, "trial", lambda self, plan: None)
                failed = outcome(change, twin)
            try: runs = failed is None and twin(*values) is not None
            except Exception: runs = False
            refused = outcome(change, net)
            assert (refused is None) == runs, f"{seed} {what}: refused {refused!r}, although it {'runs' if runs else f'does not run ({failed!r})'}"
            if refused is not None: assert_same(before, snapshot(net), what)
            net(*values)
            said[what, "done" if runs else "refused by sizes" if failed is not None else "refused by the trial"] += 1
    return said

def test_random_changes_are_done_exactly_if_they_run(monkeypatch):
    said = walk(range(12), 12, monkeypatch)
    assert sum(n for (_, how), n in said.items() if how == "done") > 30 and sum(n for (_, how), n in said.items() if how == "refused by the trial") > 10, said

@pytest.mark.slow
def test_many_random_changes(monkeypatch): print(walk(range(100, 300), 25, monkeypatch))

def test_what_is_put_in_front_of_something_held_must_give_as_much():
    "Of what is held it is only known how many neurons come out"
    x = inputvertex("x", 4)
    held = "held" >> layer(torch.nn.Identity(), "front" >> layer(torch.nn.Sequential(torch.nn.Linear(4, 5)), x, nout=5), nout=5)
    held.role = "immutable"
    net = Net(x, held)
    net(torch.rand(2, 4))
    with pytest.raises(SizeError, match="would give values of shape .2, 6., and keeps its 5 neurons"): net.replace("front", lambda v: "other" >> linear(v, 6))
    assert net.names == ["x", "front", "held"] and net(torch.rand(2, 4)).shape == (2, 5)
