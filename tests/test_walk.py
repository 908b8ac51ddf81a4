"A small part of the walk of bench/walk.py, with the seed always the same, and what the long one has found"
import sys
from pathlib import Path

import pytest, torch
from torch import nn
from torch.nn.utils import prune, spectral_norm, weight_norm

from naivenas import Net, SizeError, cat, conv, globalpool, inputvertex, layer, layernorm, linear, lstm, relaxed, relu

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
