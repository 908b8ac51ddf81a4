"Reconstruction against least squares solved anew for each set of channels that stays, by numpy; activation by hand"
import copy

import numpy as np, pytest, torch
from torch import nn

import naivenas
from naivenas import Activation, Net, Reconstruction, attention, batchnorm, bilinear, conv, flatten, globalpool, inputvertex, layernorm, linear, lstm, relu
from naivenas.nets import reconstruction as page

def left(u, w, stay):
    "What is lost of `u @ w`, as a share, if only these columns are there, weights and an offset being chosen anew"
    u, y = u - u.mean(0), (u - u.mean(0)) @ w
    made = u[:, stay] @ np.linalg.lstsq(u[:, stay], y, rcond=None)[0] if stay.any() else 0
    return ((y - made)**2).sum() / (y**2).sum()

def one_by_one(readers, many):
    "The worths of `many` wires by solving again and again; readers: `[(rows, weights, the wire of each column), ...]`"
    worth, here, lost, order = np.zeros(many), np.ones(many, bool), 0., []
    while here.any():
        after = {}
        for k in np.flatnonzero(here):
            rest = here & (np.arange(many) != k)
            after[k] = sum(left(u, w, rest[of]) for u, w, of in readers)
        k = min(after, key=after.get)
        worth[k], lost = after[k] - lost, after[k]
        here[k] = False
        order.append(k)
    worth[order] = np.maximum.accumulate(worth[order])
    return worth

@torch.no_grad()
def test_as_least_squares_say_over_all_that_read_a_layer():
    torch.manual_seed(0)
    x, data = inputvertex("x", 2), torch.randn(40, 2, 4, 4)
    a = relu("n" >> batchnorm("a" >> conv(x, 5)))
    net = Net(x, "y" >> linear(globalpool(relu(("b" >> conv(a, 3)) + ("c" >> conv(a, 3, k=1)))), 2)).eval()
    net["n"].op.weight.uniform_(.5, 2), net["n"].op.bias.normal_()
    seen = net["n"].op(net["a"].op(data)).relu()
    def columns(x, k): return nn.functional.unfold(x, k, padding=k // 2).transpose(1, 2).flatten(0, 1).double().numpy()
    readers = [(columns(seen, k), net[v].op.weight.flatten(1).T.double().numpy(), np.arange(5).repeat(k * k)) for v, k in (("b", 3), ("c", 1))]
    found = Reconstruction(data, ridge=1e-9, most=40).of(net)
    assert np.allclose(found[net["a"]], one_by_one(readers, 5), rtol=1e-4, atol=1e-6)

@torch.no_grad()
def test_places_of_wide_windows_count_as_examples(monkeypatch):
    monkeypatch.setattr(page, "WIDE", 10)
    torch.manual_seed(0)
    x, data = inputvertex("x", 2), torch.randn(30, 2, 4, 4)
    net = Net(x, "y" >> linear(flatten(relu("b" >> conv("a" >> conv(x, 5), 6)), 16), 3)).eval()
    a, b = net["a"].op(data), net["b"].op(net["a"].op(data)).relu()
    rows = nn.functional.unfold(a, 3, padding=1).unflatten(1, (5, 9)).permute(0, 2, 3, 1).flatten(0, 2)
    for name, u, w in (("a", rows, net["b"].op.weight.flatten(2).permute(1, 2, 0).flatten(1)),
                       ("b", b.flatten(2).transpose(1, 2).flatten(0, 1), net["y"].op.weight.unflatten(1, (6, 16)).permute(1, 2, 0).flatten(1))):
        want = one_by_one([(u.double().numpy(), w.double().numpy(), np.arange(w.shape[0]))], w.shape[0])
        assert np.allclose(Reconstruction(data, ridge=1e-9).of(net)[net[name]], want, rtol=1e-4, atol=1e-6)

def test_twins_do_not_go_together():
    "Of eight pairs of equal neurons one each goes for nothing, in whatever order and however many at once"
    torch.manual_seed(0)
    u = torch.randn(500, 48, dtype=torch.float64)
    u[:, 24:] = u[:, :24]
    w = torch.randn(5, 48, 1, dtype=torch.float64)
    inverse = torch.linalg.inv(u.T @ u + 1e-6 * torch.eye(48)).view(48, 1, 48, 1)
    worth = page.standings([page.Reader(torch.arange(48), inverse, w, float((u @ w[..., 0].T).square().sum()))], 48)
    free = worth < 1e-6
    assert free.sum() == 24 and (free[:24] ^ free[24:]).all()

def kinds():
    x, s = inputvertex("x", 4), inputvertex("s", 6)
    c = relu(batchnorm("a" >> conv(x, 8)))
    yield "depthwise and groups", Net(x, linear(globalpool(conv(batchnorm(conv(c, 8, groups=8)), 8, groups=2)), 3)), (9, 4, 5, 5)
    yield "recurrent", Net(s, linear(lstm("a" >> linear(s, 8), 6), 3)), (9, 4, 6)
    a = "a" >> linear(s, 8)
    yield "attention", Net(s, linear(a + attention(layernorm(a), 8, size=2), 3)), (9, 4, 6)
    yield "bilinear", Net(s, bilinear("a" >> linear(s, 8), "b" >> linear(s, 5), 3)), (9, 6)

@pytest.mark.parametrize("k", range(4))
def test_every_kind_of_layer_and_nothing_changes(k):
    torch.manual_seed(0)
    name, net, shape = [*kinds()][k]
    data = [torch.randn(shape) for _ in range(3)]
    was, draws = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    worth = Reconstruction(data)
    net.train()
    found = worth.of(net)
    assert net.training and all((a == b).all() for a, b in zip(was.values(), net.state_dict().values())) and (torch.get_rng_state() == draws).all()
    assert all(len(found[v]) == v.nout and np.isfinite(found[v]).all() and (found[v] > 0).all() for v in net if v.role.makes), name
    many = sum(net.sizes.values())
    report = net.prune(.6, by=worth, repair=data)
    assert sum(net.sizes.values()) < many and torch.isfinite(net.eval()(data[0])).all(), report

@torch.no_grad()
def test_activation_by_hand_and_both_under_a_budget():
    torch.manual_seed(0)
    x, data = inputvertex("x", 2), torch.randn(20, 2, 4, 4)
    net = Net(x, linear("p" >> globalpool("r" >> relu("a" >> conv(x, 5))), 2))
    found = Activation(data).of(net)
    assert np.allclose(found[net["p"]], net["r"].op(net["a"].op(data)).mean((2, 3)).abs().mean(0), rtol=1e-5)
    for by in Activation(data), Reconstruction(data):
        twin = copy.deepcopy(net)
        plan = twin.prune_plan(macs=.5, by=by, example=data[:1])
        assert plan.counts(data[:1]).loc["total", "after macs"] <= .5 * net.counts(data[:1]).loc["total", "macs"]
        assert len(twin.tradeoff(by=by, points=3, example=data[:1]))

def test_what_cannot_be_measured_is_said():
    x = inputvertex("x", 3)
    net = Net(x, linear(relu("a" >> linear(x, 4)), 2))
    with pytest.raises(TypeError, match="by=Reconstruction is a class: make one of it, by=naivenas.Reconstruction"): net.prune(.5, by=Reconstruction)
    with pytest.raises(TypeError, match="x is missing: this net takes x"): net.prune(.5, by=Reconstruction([{"z": torch.rand(3, 3)}]))
    with pytest.raises(ValueError, match="no examples"): net.prune(.5, by=Reconstruction([]))
    with pytest.raises(ValueError, match="ridge"): Reconstruction(torch.rand(3, 3), ridge=0)
    with pytest.raises(ValueError, match="none of its layers is known to read neurons"):
        naivenas.Net(x, relu(x)).prune(.5, by=Activation(torch.rand(5, 3)))

def test_a_budget_with_a_repair_goes_by_its_examples(monkeypatch, caplog):
    "Also where they come only once; too large a net is left to magnitude, which is said"
    def fresh():
        torch.manual_seed(0)
        x = inputvertex("x", 6)
        return Net(x, linear(relu("b" >> linear(relu("a" >> linear(x, 24)), 16)), 4))
    data = torch.randn(300, 6)
    def kept(**how):
        report = fresh().prune(macs=.5, example=data[:1], **how)
        return [report.plan.out(k).tolist() for k in "ab"]
    chosen = kept(repair=data)
    assert chosen == kept(by=Reconstruction(data)) == kept(repair=iter(data.split(64))) != kept()
    monkeypatch.setattr(page, "AT_ONCE", 8 * (6**2 + 24**2 + 16**2) - 1)
    assert kept(repair=data) == kept() and "magnitude decides" in caplog.text
    monkeypatch.setattr(page, "AT_ONCE", 8 * (6**2 + 24**2 + 16**2))
    assert kept(repair=data) == chosen
