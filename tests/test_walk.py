"A small part of the walk of bench/walk.py, with the seed always the same, and what the long one has found"
import sys
from pathlib import Path

import numpy as np, pytest, torch
from torch import nn
from torch.nn.utils import prune, spectral_norm, weight_norm

from naivenas import Net, SizeError, cat, conv, globalpool, groupnorm, inputvertex, last, layer, layernorm, linear, lstm, pixelshuffle, relaxed, relu, Taylor

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))
import walk

@pytest.fixture(autouse=True)
def as_it_was():
    "The walk draws from everything"
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)

QUICK = [n for n in walk.NETS if n not in walk.TORCH] + ["language", "bare"]
SIZES = "resize grow prune undo save to_torch python copy moves".split()

def walked(*words):
    counts, faults = walk.main(walk.arguments(*map(str, words)))
    assert not faults, faults
    return counts

def test_sizes():
    counts = walked("--steps", 150, "--seed", 2, "--length", 6, "--only", *QUICK, "--verbs", *SIZES)
    assert counts["verified"] > 40 and counts["oracle agrees"] > 15 and counts["resize", "refused"] > 3 and counts["undo", "applied"] > 5

EDITS = "insert remove replace connect disconnect set draft undo resize".split()

def test_edits():
    counts = walked("--steps", 45, "--seed", 6, "--length", 6, "--only", *QUICK, "--verbs", *EDITS)
    assert counts["verified"] > 8 and counts["insert", "applied"] > 2 and counts["remove", "refused"] + counts["connect", "refused"] > 1

def test_the_walk_would_notice(monkeypatch):
    "One wrong number in a weight that a plan has cut"
    import naivenas.nets.surgery as surgery
    right = surgery.cut
    def wrong(array, how, *args, **more):
        made = right(array, how, *args, **more)
        if torch.is_tensor(made) and made.ndim == 2 and made.numel() and made.shape != array.shape: made.view(-1)[0] += .1
        return made
    monkeypatch.setattr(surgery, "cut", wrong)
    args = walk.arguments("--steps", "20", "--only", "attending", "--verbs", "resize", "--oracle", "1")
    assert any(f[0] == "silent" for f in walk.main(args)[1])

# ------------------------------------------------------------------------------------------------------- what it has found

def test_projections_stay_fewer_than_hidden_neurons(tmp_path):
    x = inputvertex("x", 4)
    net, data = Net(x, "y" >> linear("l" >> lstm("h" >> linear(x, 4), 6, proj_size=4), 3)), torch.randn(3, 5, 4)
    net.resize("l", relaxed(+9))
    assert net.sizes["l"] == 5 and net(data).shape == (3, 5, 3) and Net.load(net.save(tmp_path / "net")).sizes == net.sizes
    with pytest.raises(SizeError, match="at most 5 neurons"): net.resize("l", +1)

@pytest.mark.parametrize("make", [weight_norm, spectral_norm, lambda m: prune.l1_unstructured(m, "weight", .4)])
def test_a_weight_that_a_hook_computes_is_not_saved(make, tmp_path):
    x = inputvertex("x", 4)
    net = Net(x, "y" >> linear("b" >> layer(make(nn.Linear(4, 6)), x), 3))
    with pytest.raises(ValueError, match="b .linear. cannot be saved: the weight .* computed by a forward pre-hook"): net.save(tmp_path / "net")
    assert not [*tmp_path.iterdir()]

def test_verifying_an_edit_in_front_of_a_statistic():
    torch.manual_seed(0)
    x = inputvertex("x", 4)
    net, data = Net(x, "y" >> linear("n" >> layernorm("h" >> linear(x, 6)), 3)), torch.randn(5, 4)
    report = net.insert(lambda v: cat(v, "more" >> linear(v, 3)), after="h")
    found = report.verify(data)
    assert found.agrees and any("compared without them" in s for s in found.notes)
    with torch.no_grad(): net["y"].op.weight[0, 0] += 1
    assert not report.verify(data).agrees

def test_verifying_an_edit_in_front_of_a_statistic_that_shrinks():
    torch.manual_seed(0)
    x = inputvertex("x", 4)
    net, data = Net(x, "y" >> linear(layernorm("r" >> relu("h" >> linear(x, 6))), 3)), torch.randn(5, 4)
    report = net.draft().remove("r").apply({"h": -2})
    assert report.verify(data).agrees
    with torch.no_grad(): net["y"].op.weight[0, 0] += 1
    assert not report.verify(data).agrees

def test_verifying_an_edit_of_a_product():
    torch.manual_seed(0)
    x = inputvertex("x", 4)
    a, b = "a" >> linear(x, 6), "b" >> relu("c" >> linear(x, 6))
    net, data = Net(x, "y" >> linear("p" >> a * b, 3)), torch.randn(5, 4)
    want = net["y"].op(net["a"].op(data) * net["c"].op(data))
    report = net.remove("b")
    assert torch.allclose(net(data), want) and report.verify(data).agrees
    other = net.replace("c", lambda v: "d" >> linear(v, 6))
    assert other.verify(data).agrees

def test_verifying_an_edit_that_cannot_be_compared():
    "A reader of rows runs on images that are as wide as it reads, and computed nothing of the kind before"
    torch.manual_seed(0)
    x = inputvertex("x", 4)
    net, data = Net(x, "y" >> linear("p" >> globalpool("c" >> conv(x, 6)), 3)), torch.randn(2, 4, 8, 8)
    try: report = net.replace("p", lambda v: conv(v, 8, k=1))
    except (SizeError, ValueError): return
    found = report.verify(data)
    assert not found.agrees and "cannot be compared" in found.sentence and "y computed before" in found.sentence

def test_verifying_an_edit_that_reads_one_place_twice():
    "A concatenation that read a product reads both factors where it was: what was one neuron is two"
    torch.manual_seed(0)
    x = inputvertex("x", 4)
    a, b = "a" >> linear(x, 3), "b" >> linear(x, 3)
    net, data = Net(x, "y" >> linear(relu("c" >> cat("p" >> a * b, a)), 3)), torch.randn(5, 4)
    plan = net.draft().remove("p").plan()
    report = plan.apply()
    found = report.verify(data)
    assert found.agrees or any("in several now" in s for s in found.notes)

def test_verifying_an_edit_after_which_others_meet():
    "A concatenation on one side of a sum gets neurons in its middle: what comes behind them meets other partners in the sum"
    torch.manual_seed(0)
    x = inputvertex("x", 4)
    a, b, c = ("abc"[i] >> linear(x, n) for i, n in enumerate((3, 2, 5)))
    net, data = Net(x, "y" >> linear(relu("s" >> c + ("cat" >> cat(a, b))), 3)), torch.randn(5, 4)
    report = net.connect("d" >> linear(net["x"], 2), "cat", at=1)
    found = report.verify(data)
    assert found.agrees and (np.isclose(found.change, 0, atol=1e-6) or any("meet others" in s for s in found.notes))
    with torch.no_grad(): net["y"].op.weight[0, 0] += 1
    assert not report.verify(data).agrees

def test_a_wish_for_what_a_draft_takes_out():
    x = inputvertex("x", 4)
    net = Net(x, "y" >> linear("h" >> linear("g" >> linear(x, 6), 5), 3))
    with pytest.raises(ValueError, match="removing h takes h out, and it can't be resized"): net.draft().remove("h").apply({"h": +1})
    assert net.names == ["x", "g", "h", "y"]

def refused(net, change, match, *values):
    "The change is an error of ours and leaves everything as it was"
    before, want = walk.everything(net), net(*values)
    with pytest.raises((SizeError, ValueError), match=match): change(net)
    assert walk.unlike(before, walk.everything(net), ("drawn",)) is None and torch.equal(net(*values), want)

class Shuffled(nn.Module):
    def __init__(self): super().__init__(); self.a, self.b, self.y = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(8, 2, 1)
    def forward(self, x):
        h = torch.cat([self.a(x), self.b(x)], 1)
        n, c, p, q = h.shape
        return self.y(h.view(n, 2, c // 2, p, q).transpose(1, 2).reshape(n, c, p, q))

@pytest.mark.parametrize("change", [lambda n: n.disconnect("a", "cat"), lambda n: n.remove("view"), lambda n: n.replace("view", lambda v: cat(v, v)),
                                    lambda n: n.insert(lambda v: cat(v, conv(v, 3, k=1)), after="cat"),
                                    lambda n: n.remove("transpose"), lambda n: n.remove("reshape")])
def test_an_import_that_moves_neurons_reads_what_it_was_made_for(change):
    torch.manual_seed(0)
    data = torch.randn(3, 4, 6, 6)
    refused(Net.from_torch(Shuffled().eval(), data), change, "is impossible|by a fixed rule", data)

class Turned(nn.Module):
    "Channels are turned to the end and back, and there are as many as positions"
    def __init__(self): super().__init__(); self.a, self.n, self.f, self.y = nn.Conv2d(4, 6, 1), nn.LayerNorm(6), nn.Linear(6, 6), nn.Conv2d(6, 2, 1)
    def forward(self, x): return self.y(self.f(self.n(self.a(x).permute(0, 2, 3, 1))).permute(0, 3, 1, 2))

@pytest.mark.parametrize("change", [lambda n: n.remove("permute"), lambda n: n.remove("permute_1"), lambda n: n.replace("permute", relu), lambda n: n.insert(layernorm, after="a")])
def test_neurons_stay_on_their_axis_where_shapes_agree_by_chance(change):
    torch.manual_seed(0)
    data = torch.randn(3, 4, 6, 6)
    net = Net.from_torch(Turned().eval(), data)
    refused(net, change, "axis [13] of what it reads", data)
    net.insert(lambda v: linear(v, 6), after="f")
    net.insert(lambda v: conv(v, 6), after="a")
    assert net(data).shape == (3, 2, 6, 6)

class Between(nn.Module):
    def __init__(self): super().__init__(); self.a, self.y = nn.Linear(4, 5), nn.Linear(5, 3)
    def forward(self, x): return self.y(self.a(x).transpose(0, 1)).transpose(0, 1)

def test_the_batch_stays_in_front():
    data = torch.randn(7, 5, 4)
    net = Net.from_torch(Between().eval(), data)
    for name in "transpose", "transpose_1": refused(net, lambda n: n.remove(name), "batch in front", data)

@pytest.mark.parametrize("end", [last, lambda v: v])
def test_a_recurrent_layer_goes_with_what_picks_its_results(end):
    torch.manual_seed(0)
    x = inputvertex("x", 4)
    net, data = Net(x, "y" >> linear("l" >> end(lstm("h" >> linear(x, 5), 5)), 3)), torch.randn(7, 6, 4)
    net(data)
    refused(net, lambda n: n.remove("lstm1"), "l .* picks one of several results", data)
    net.replace(("lstm1", "l"), lambda v: linear(v, 5))
    assert "lstm1" not in net.names

def test_no_edit_parts_a_tie_from_what_it_ties():
    torch.manual_seed(0)
    x = inputvertex("x", 3)
    net, data = Net(x, "y" >> conv(pixelshuffle("r" >> relu("tie" >> groupnorm("c" >> conv(x, 8), 4))), 2)), torch.randn(2, 3, 4, 4)
    norm, whole, spread, shuffled = net["tie"].inputs[0].name, net["y"].inputs[0].inputs[0].name, net["y"].inputs[0].inputs[0].inputs[1].name, net["y"].inputs[0].name
    net(data)
    block = lambda v: conv(v, v.nout)
    for change in (lambda n: n.insert(block, after=norm), lambda n: n.insert(block, after="c", to=norm), lambda n: n.insert(block, after="c", to="tie"),
                   lambda n: n.replace("tie", block), lambda n: n.remove("tie"), lambda n: n.disconnect("c", "tie"), lambda n: n.connect("c", "tie"),
                   lambda n: n.insert(block, after=whole), lambda n: n.insert(block, after=spread), lambda n: n.replace(whole, block),
                   lambda n: n.insert(block, after="r", to=spread), lambda n: n.remove(spread), lambda n: n.replace(spread, block)):
        refused(net, change, "is impossible", data)
    net.insert(block, after="c"), net.insert(block, after="r"), net.insert(relu, after="tie"), net.insert(relu, after=shuffled)
    with pytest.raises(SizeError): net.resize("tie", -1)
    with pytest.raises(SizeError): net.resize(whole, -1)
    net.resize("tie", -4)
    net.replace(norm, relu), net.replace(shuffled, lambda v: conv(v, 2))
    assert net(data).shape == (2, 2, 4, 4)

def test_a_net_without_parameters_gets_layers_of_its_type():
    x = inputvertex("x", 4)
    net = Net(x, "y" >> relu("h" >> linear(x, 4))).double()
    data = torch.randn(3, 4).double()
    net(data), net.remove("h"), net.insert(lambda v: linear(v, 4), after="y")
    assert net(data).dtype == torch.float64

# ------------------------------------------------------------------------------------------------------------- optimizers

def step(net, optimizers, data):
    for o in optimizers: o.zero_grad()
    net(data).tanh().sum().backward()
    for o in optimizers: o.step()

@pytest.mark.parametrize("make", [lambda p, rest: [torch.optim.SparseAdam([p]), torch.optim.Adam(rest)], lambda p, rest: [torch.optim.SGD([p, *rest], .1, momentum=.9)],
                                  lambda p, rest: [torch.optim.Adagrad([p, *rest])]])
def test_gradients_of_a_few_rows(make):
    "They and what the optimizer remembers of them are those of a run without a break, where a dead neuron goes and new ones come"
    torch.manual_seed(0)
    data, runs = torch.tensor([[0, 2, 2, 5]]), []
    for broken in False, True:
        torch.manual_seed(0)
        x = inputvertex("x", 1)
        net = Net(x, "y" >> linear("e" >> layer(nn.Embedding(9, 6, sparse=True), x), 3)).double()
        with torch.no_grad(): net["y"].op.weight[:, 2] = 0
        net["y"].op.weight.register_hook(lambda g: g * torch.tensor([1., 1, 0, 1, 1, 1])[:g.shape[1]] if g.shape[1] == 6 else g)
        p = net["e"].op.weight
        optimizers = make(p, [q for q in net.parameters() if q is not p])
        net.track(*optimizers)
        for _ in range(3): step(net, optimizers, data)
        if broken:
            net.resize("e", -1, by={"e": np.array([1, 1, 0, 1, 1, 1.])})
            net.resize("e", +2)
            assert p.shape == (9, 7) and p.grad.is_sparse and p.grad.shape == (9, 7)
            net.resize("e", -2, by={"e": np.array([1, 1, 1, 1, 1, 0, 0.])})
        for _ in range(2): step(net, optimizers, data)
        runs.append(p.detach())
    assert torch.allclose(runs[0][:, [0, 1, 3, 4, 5]], runs[1], atol=1e-12)

@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this PyTorch has none")
def test_new_parameters_go_to_an_optimizer_that_can_train_them():
    x, data = inputvertex("x", 4), torch.randn(5, 4)
    net = Net(x, "y" >> linear("h" >> linear(x, 6), 3))
    p = [*net.parameters()]
    adam, muon = torch.optim.AdamW([q for q in p if q.ndim != 2]), torch.optim.Muon([q for q in p if q.ndim == 2])
    net.track(adam, muon)
    step(net, [adam, muon], data)
    net.insert(lambda v: "new" >> linear(v, 5), after="h")
    step(net, [adam, muon], data)
    held = [{id(q) for g in o.param_groups for q in g["params"]} for o in (adam, muon)]
    assert id(net["new"].op.weight) in held[1] and id(net["new"].op.bias) in held[0] and not held[0] & held[1]
    alone = Net(x := inputvertex("x", 4), "y" >> linear("h" >> linear(x, 6, bias=False), 3, bias=False))
    alone.track(torch.optim.Muon(alone.parameters()))
    with pytest.raises(TypeError, match="Muon cannot train a new parameter of shape .5,.: track a second"): alone.insert(lambda v: linear(v, 5), after="h")
    assert alone.names == ["x", "h", "y"]
    alone.insert(lambda v: linear(v, 5, bias=False), after="h")
    assert len(alone.optimizers[0].param_groups[0]["params"]) == 3

class Bare(nn.Module):
    def __init__(self): super().__init__(); self.a, self.y = nn.Parameter(torch.randn(4, 5)), nn.Linear(5, 3)
    def forward(self, x): return self.y(torch.tanh(self.a[x.argmax(1)]))

def test_taylor_listens_to_bare_parameters_for_one_pass_only():
    torch.manual_seed(0)
    data = torch.randn(6, 4)
    net = Net.from_torch(Bare(), data).train()
    with Taylor(net) as worth:
        for _ in range(3):
            net.zero_grad()
            net(data).square().sum().backward()
            name = next(v for v in net if v.role.makes and not v.inputs)
            p = name.op.value
            assert len(p._backward_hooks or ()) == 0 and worth(name) is not None
            assert np.allclose((p * p.grad).abs().mean(0).detach(), worth(name)) or _ > 0
