"Layers of nets written by hand that share a parameter: cut alike, or held, or refused; the function is that of the old net with the dropped neurons at zero"
import copy, random
import numpy as np, pytest, torch
from torch import nn
from naivenas import Net, SizeError, conv, convtranspose, embedding, inputvertex, layer, linear, relu
from randomnets import assert_same, evaluate, snapshot

def twins():
    x = inputvertex("x", 4)
    a, b = nn.Linear(4, 6, bias=False), nn.Linear(4, 6, bias=False)
    b.weight = a.weight
    return Net(x, ["ya" >> linear("a" >> layer(a, x), 2), "yb" >> linear("b" >> layer(b, x), 3)]), torch.randn(5, 4), "ab"

def twins_apart():
    "The two read different layers, which must follow each other, too"
    x = inputvertex("x", 3)
    net = Net(x, ["ya" >> linear(relu("a" >> linear("ha" >> linear(x, 5), 6)), 2), "yb" >> linear(relu("b" >> linear("hb" >> linear(x, 5), 6)), 3)])
    net["b"].op.weight = net["a"].op.weight
    return net, torch.randn(5, 3), ("a", "b", "ha", "hb")

def words():
    "One reads with the other's outputs as its inputs"
    t = inputvertex("t", 1)
    net = Net(t, "head" >> linear("mid" >> linear("emb" >> embedding(t, 6, 9), 6), 9))
    net["head"].op.weight = net["emb"].op.weight
    return net, torch.randint(0, 9, (2, 4)), ("emb", "mid")

def chain():
    "Outputs of one are the inputs of the other, which has the same weight"
    x = inputvertex("x", 3)
    net = Net(x, "y" >> linear("b" >> linear(relu("a" >> linear("h" >> linear(x, 6), 6)), 6), 2))
    net["b"].op.weight = net["a"].op.weight
    return net, torch.randn(5, 3), ("h", "a", "b")

def kernels():
    x = inputvertex("x", 3)
    c = "c" >> conv(x, 6)
    net = Net(x, "y" >> conv(("b" >> conv(relu("a" >> conv(c, 6)), 6)) + c, 2))
    net["b"].op.weight = net["a"].op.weight
    return net, torch.randn(2, 3, 5, 5), ("a", "b", "c")

def biases():
    x = inputvertex("x", 3)
    net = Net(x, "y" >> linear(("a" >> linear(x, 6)) * ("b" >> linear("h" >> linear(x, 4), 6)), 2))
    net["b"].op.bias = net["a"].op.bias
    return net, torch.randn(5, 3), ("a", "h")

def gates():
    "Recurrent weights hold each neuron four times"
    x = inputvertex("x", 3)
    a, b = nn.LSTM(3, 4, batch_first=True), nn.LSTM(3, 4, batch_first=True)
    b.weight_hh_l0 = a.weight_hh_l0
    return Net(x, "y" >> linear(("a" >> layer(a, x)) + ("b" >> layer(b, x)), 2)), torch.randn(2, 5, 3), ("a", "b")

def grouped():
    x = inputvertex("x", 4)
    net = Net(x, "y" >> conv(("a" >> conv(x, 6, groups=2)) + ("b" >> conv(x, 6, groups=2)), 2))
    net["b"].op.weight = net["a"].op.weight
    return net, torch.randn(2, 4, 5, 5), ("a", "b")

MADE = twins, twins_apart, words, chain, kernels, biases, gates, grouped
SKIP = {words, gates}         # neurons on the last axis, where `evaluate` does not look
MOVES = {twins, twins_apart, words, chain, kernels, biases}      # those whose axes say what follows

def shared(net):
    users = {}
    for v in net:
        for key, p in getattr(v.op, "_parameters", {}).items():
            if p is not None: users.setdefault(id(p), []).append((v.name, key))
    return sorted(names for names in users.values() if len(names) > 1)

@pytest.mark.parametrize("make", MADE, ids=lambda f: f.__name__)
def test_the_function_is_that_of_zeroed_neurons(make):
    done, r = 0, random.Random(0)
    for seed in range(8):
        torch.manual_seed(seed)
        net, values, names = make()
        net, values = net.double(), values.double() if values.is_floating_point() else values
        optimizer = torch.optim.Adam(net.parameters())
        out = net(values)
        sum(t.square().sum() for t in (out if isinstance(out, tuple) else (out,))).backward()
        optimizer.step()
        net.track(optimizer)
        tied, before, old = shared(net), snapshot(net, [optimizer]), copy.deepcopy(net)
        assert tied
        worth = {v: np.array([r.random() for _ in range(v.nout)]) for v in net if v.role == "absorb"}
        wishes = {r.choice(names): r.choice((-2, -1, 2)) for _ in range(r.choice((1, 1, 2)))}
        try: plan = net.plan(wishes, by=worth.get)
        except SizeError:
            assert_same(before, snapshot(net, [optimizer]), make.__name__)
            continue
        plan.apply()
        done += 1
        assert shared(net) == tied and all(p.shape == optimizer.state[p]["exp_avg"].shape for p in net.parameters())
        got = net(values)
        if make in SKIP: continue
        keep = {old[v.name]: [i for i in plan.out(v) if i >= 0] for v in net if v.role == "absorb" and v not in net.outputs}
        want = evaluate(old, [values], keep=keep)
        for v, y in zip(old.outputs, got if isinstance(got, tuple) else (got,)): assert torch.allclose(want[v], y, atol=1e-9), wishes
    assert done > 2 if make in MOVES else True, f"{make.__name__}: held"

@pytest.mark.parametrize("make", MADE, ids=lambda f: f.__name__)
def test_edits_keep_them_tied(make):
    for after in make()[2]:
        net, values, _ = make()
        before, tied = snapshot(net), shared(net)
        try:
            net.insert(lambda v: "more" >> (conv(v, v.nout) if values.ndim == 4 else linear(v, v.nout)), after=after)
            net.resize(after, -1)
        except SizeError: pass
        assert shared(net) == tied
        net(values)

def test_a_tie_made_later_is_seen():
    net, values, _ = twins_apart()
    net["b"].op.weight = nn.Parameter(net["a"].op.weight.detach().clone())
    assert not np.array_equal(net.ties.labels[net["a"]], net.ties.labels[net["b"]])
    net["b"].op.weight = net["a"].op.weight
    assert np.array_equal(net.ties.labels[net["a"]], net.ties.labels[net["b"]])
    net.resize("ha", -2)
    assert net.sizes["hb"] == 3 and net(values)[0].shape == (5, 2)

def test_words_are_no_neurons():
    net, ids, _ = words()
    want = net(ids)
    net.resize("emb", +2)
    assert torch.allclose(net(ids), want, atol=1e-6) and net["mid"].nout == 8
    with pytest.raises(SizeError, match="head"): net.resize("head", +1)
    net.resize("emb", -2)
    assert net["head"].op.weight is net["emb"].op.weight and net["head"].op.weight.shape == (9, 6) and net(ids).shape == (2, 4, 9)

def test_growth_that_is_read_by_a_weight_that_gives_it_is_told():
    "A decoder with the weight of its encoder: what is new is noise to the first reader"
    torch.manual_seed(0)
    x = inputvertex("x", 3)
    net = Net(x, "y" >> conv("back" >> convtranspose("code" >> conv("first" >> conv(x, 6), 8), 6), 3))
    net["back"].op.weight = net["code"].op.weight
    values = torch.rand(2, 3, 8, 8)
    for name, changes in ("first", True), ("code", False):
        before, plan = net(values), net.plan({name: +2})
        assert ("growing may change what code gives" in " ".join(str(plan).split())) is changes
        plan.apply()
        assert ((net(values) - before).abs().max() > 1e-5) == changes and net["back"].op.weight is net["code"].op.weight
