"Every layer of torch.nn that has neurons: dropping equals masking, growing changes nothing, survivors stay where they were"
import numpy as np, pytest, torch
from torch import nn
from naivenas.graph.cut import pick
from naivenas.nets.layers import attention, bilinear, conv, convtranspose, linear, Attend, cat
from naivenas.nets.sequences import embedding, last, lstm
from naivenas.nets.shapes import flatten
from naivenas.nets.norms import groupnorm, instancenorm, layernorm, pixelshuffle, pixelunshuffle, rmsnorm, upsample
from naivenas.nets.kinds import layer
from naivenas.nets.activations import relu
from naivenas import Net
from naivenas.nets.counts import macs, positions
from naivenas.graph.vertex import inputvertex
from naivenas.graph.roles import SizeError

IMAGE, SEQUENCE, ROWS = (2, 4, 6, 6), (2, 5, 4), (3, 4)

def net_of(middle, shape, width):
    "input -> layer of `width` neurons -> the layers under test -> a reader, in float64 with parameters that are all at work"
    torch.manual_seed(0)
    image = len(shape) == 4
    x = inputvertex("x", 4)
    v = "before" >> (conv(x, width) if image else linear(x, width))
    out = middle(v)
    two = isinstance(out, tuple)
    out = out[0] if two else out
    net = Net(x, "after" >> (conv(out, 3) if image and not two else linear(out, 3))).double().eval()
    for p in net.parameters(): nn.init.normal_(p, std=.4)
    for m in net.modules():
        if hasattr(m, "running_var") and m.running_var is not None: m.running_var.uniform_(.5, 2); m.running_mean.normal_()
    return net, torch.randn(shape, dtype=torch.float64)

def L(module, **how): return lambda v: layer(module(v), v, **how)

def steps_of(cell, v):
    "The same weights three times, each step continuing from the last"
    h = linear(v, cell.hidden_size)
    for _ in range(3): h = layer(cell, v, h)
    return h

PLAIN = {   # name: (what is in the middle, input shape, width); growing and masking are exact
    "depthwise": (L(lambda v: nn.Conv2d(v.nout, v.nout, 3, padding=1, groups=v.nout)), IMAGE, 6),
    "depthwise x3": (L(lambda v: nn.Conv2d(v.nout, 3 * v.nout, 3, padding=1, groups=v.nout)), IMAGE, 4),
    "transposed": (lambda v: convtranspose(v, 5), IMAGE, 6),
    "transposed 3 groups": (lambda v: convtranspose(v, 6, groups=3), IMAGE, 6),
    "transposed depthwise": (lambda v: convtranspose(v, v.nout, groups=v.nout), IMAGE, 4),
    "transposed depthwise x2": (lambda v: convtranspose(v, 2 * v.nout, groups=v.nout), IMAGE, 4),
    "3 groups": (lambda v: conv(v, 9, groups=3), IMAGE, 6),
    "instance norm": (lambda v: instancenorm(v), IMAGE, 6),
    "prelu": (L(lambda v: nn.PReLU(v.nout)), IMAGE, 6),
    "one prelu": (L(lambda v: nn.PReLU()), IMAGE, 6),
    "pools": (lambda v: upsample(layer(nn.AvgPool2d(2), layer(nn.MaxPool2d(2, 1), v))), IMAGE, 6),
    "pixel shuffle": (lambda v: pixelshuffle(v), IMAGE, 12),
    "pixel unshuffle": (lambda v: pixelunshuffle(v), IMAGE, 3),
    "channel shuffle": (L(lambda v: nn.ChannelShuffle(3)), IMAGE, 6),
    "glu": (L(lambda v: nn.GLU(1)), IMAGE, 8),
    "flatten": (lambda v: (flatten(v, 36),), IMAGE, 4),
    "bilinear": (lambda v: bilinear(v, relu(v), 5), SEQUENCE, 6),
    "rnn": (L(lambda v: nn.RNN(v.nout, 5, batch_first=True)), SEQUENCE, 6),
    "gru, 2 layers": (L(lambda v: nn.GRU(v.nout, 5, 2, batch_first=True)), SEQUENCE, 6),
    "lstm, 2 layers, both ways": (lambda v: lstm(v, 5, num_layers=2, bidirectional=True), SEQUENCE, 6),
    "lstm, projections": (lambda v: lstm(v, 6, num_layers=2, bidirectional=True, proj_size=4), SEQUENCE, 6),
    "rnn cell": (L(lambda v: nn.RNNCell(v.nout, 5)), ROWS, 6),
    "gru cell": (L(lambda v: nn.GRUCell(v.nout, 5)), ROWS, 6),
    "lstm cell": (L(lambda v: nn.LSTMCell(v.nout, 5)), ROWS, 6),
    "three steps": (lambda v: steps_of(nn.GRUCell(6, 5), v), ROWS, 6),
    "last state": (lambda v: last(lstm(v, 5, bidirectional=True)), SEQUENCE, 6),
    "attention": (L(lambda v: nn.MultiheadAttention(8, 4, batch_first=True)), SEQUENCE, 8),
    "causal attention": (lambda v: attention(v, 3, size=2, causal=True), SEQUENCE, 8),
    "cross attention": (lambda v: attention(v, 2, keys=linear(v, 5)), SEQUENCE, 8),
}
STATISTIC = {
    "group norm": (lambda v: groupnorm(v, 3), IMAGE, 9),
    "layer norm": (lambda v: layernorm(v), SEQUENCE, 6),
    "rms norm": (lambda v: rmsnorm(v), SEQUENCE, 6),
}

def grown(net):
    "Wishes for all layers but the last"
    return {v: 1 for v in net if v.role == "absorb" and v not in net.outputs}

def step_of(name, v, net):
    "How many neurons of `v` come and go together; None: of the vertex called before"
    heads = next((w.op.width for w in net if isinstance(w.op, Attend) and v in w.inputs), None)
    return heads or {"pixel shuffle": 4, "3 groups": 3, "transposed 3 groups": 3, "channel shuffle": 3, "glu": 2, "group norm": 3}.get(name, 1)

@pytest.mark.parametrize("name", PLAIN)
def test_growing_changes_nothing(name):
    net, x = net_of(*PLAIN[name])
    before, sizes = net(x), net.sizes
    for v in [v for v in net if v.role == "absorb" and v not in net.outputs]: net.resize(v, step_of(name, v, net))
    assert all(net[n].nout > k for n, k in sizes.items() if n not in ("x", "after"))
    assert torch.allclose(net(x), before, atol=1e-9), (net(x) - before).abs().max()
    new = [p for p in net.parameters() if p.requires_grad]
    net(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in new)

def masked(net, report, x, old):
    "The old net with what came out of every dropped neuron set to zero, wire by wire, where layers make neurons"
    values = {old.inputs[0]: x}
    for v in old.vertices[1:]:
        y = v.op(*[values[u] for u in v.inputs])
        values[v] = y
        if v.role == "absorb" and torch.is_tensor(y):
            gone = torch.ones(v.nout, dtype=bool)
            out = report.plan.out(net[v.name])
            gone[out[out >= 0]] = False
            at = [slice(None)] * y.ndim
            at[1 if y.ndim == 4 else -1] = gone
            y = y.clone()
            y[tuple(at)] = 0
            values[v] = y
    return values[old.outputs[0]]

@pytest.mark.parametrize("name", [n for n in PLAIN if n not in ("rnn", "gru, 2 layers", "lstm, 2 layers, both ways", "lstm, projections", "last state",
                                                                "depthwise", "depthwise x3",
                                                                "transposed depthwise", "transposed depthwise x2", "instance norm", "prelu")] )
def test_dropping_is_masking(name):
    "The oracle runs the old modules and zeroes what is gone"
    import copy
    net, x = net_of(*PLAIN[name])
    old, rng = copy.deepcopy(net), np.random.default_rng(1)
    report = net.resize({"before": -step_of(name, None, net)}, by=lambda v: rng.random(v.nout))
    assert torch.allclose(net(x), masked(net, report, x, old), atol=1e-9)

@pytest.mark.parametrize("name", PLAIN | STATISTIC)
def test_growing_and_dropping_the_new_again_gives_the_old_weights(name):
    import copy
    net, x = net_of(*(PLAIN | STATISTIC)[name])
    before, old = net(x), copy.deepcopy(net.state_dict())
    for v in [v for v in net if v.role == "absorb" and v not in net.outputs]:
        n = v.nout
        report = net.resize(v, step_of(name, v, net))
        worth = {w: (report.plan.out(w) >= 0).astype(float) for w in net}
        net.resize(v, -step_of(name, v, net), by=worth)
        assert v.nout == n
    assert all(torch.equal(t, old[k]) for k, t in net.state_dict().items())
    assert torch.equal(net(x), before)

@pytest.mark.parametrize("kind, bidirectional, layers", [(nn.RNN, False, 1), (nn.GRU, True, 2), (nn.LSTM, True, 2)])
def test_a_dropped_hidden_neuron_is_one_whose_every_gate_is_silent(kind, bidirectional, layers):
    "The oracle: in the old module, nobody hears hidden neuron 1"
    torch.manual_seed(0)
    m, keep, both = kind(4, 5, layers, batch_first=True, bidirectional=bidirectional).double(), [0, 2, 3, 4], 1 + bidirectional
    x = inputvertex("x", 4)
    v = layer(m, x)
    net, data = Net(x, v), torch.randn(2, 6, 4, dtype=torch.float64)
    with torch.no_grad():
        for name, p in m.named_parameters():
            if "weight_hh" in name: p[:, 1] = 0
            if "weight_ih_l1" in name: p[:, 1::5] = 0
    want = m(data)[0].unflatten(-1, (both, 5))[..., keep].flatten(-2)
    net.resize(v, -both, by={v.inputs[0]: [1., -9, 1, 1, 1]})
    assert m.hidden_size == 4 and torch.allclose(net(data), want, atol=1e-12)

def test_attention_is_pytorchs_and_drops_heads():
    torch.manual_seed(0)
    m = nn.MultiheadAttention(12, 3, kdim=5, vdim=7, batch_first=True).double()
    nn.init.normal_(m.in_proj_bias)
    q, k, v = (inputvertex(n, s) for n, s in zip("qkv", (12, 5, 7)))
    data = [torch.randn(2, t, s, dtype=torch.float64) for t, s in ((4, 12), (6, 5), (6, 7))]
    net = Net([q, k, v], layer(m, q, k, v))
    want = m(*data)[0]
    assert torch.allclose(net(*data), want, atol=1e-12)
    heads = next(w for w in net if isinstance(w.op, Attend))
    with torch.no_grad(): m.out_proj.weight[:, 4:8] = 0
    want = m(*data)[0]
    with pytest.raises(SizeError): net.resize(heads, -1)
    net.resize(heads, -4, by={heads: [1.] * 4 + [-1] * 4 + [1] * 4})
    assert heads.nout == 8 and [u.op.weight.shape for u in heads.inputs] == [(8, 12), (8, 5), (8, 7)] and torch.allclose(net(*data), want, atol=1e-12)

@pytest.mark.parametrize("padding", [False, True])
def test_a_mask_hides_keys_whatever_happens_to_the_heads(padding):
    "The oracle is PyTorch's module, whose mask says what may not be seen"
    torch.manual_seed(0)
    m = nn.MultiheadAttention(12, 3, batch_first=True).double()
    x, mask = inputvertex("x", 12), inputvertex("mask", 1)
    net = Net([x, mask], layer(m, x, x, x, mask))
    data, seen = torch.randn(2, 5, 12, dtype=torch.float64), torch.rand(*((2, 5) if padding else (2, 5, 5))) > .4
    seen[..., 0] = True
    want = lambda: m(data, data, data, **({"key_padding_mask": ~seen} if padding else {"attn_mask": (~seen).repeat_interleave(3, 0)}))[0]
    assert torch.allclose(net(data, seen), want(), atol=1e-12)
    heads = next(w for w in net if isinstance(w.op, Attend))
    before = net(data, seen)
    net.resize(heads, +8)
    assert torch.allclose(net(data, seen), before, atol=1e-12) and heads.nout == 20
    net.resize(heads, -8, by={heads: [1.] * 12 + [0.] * 8})
    assert torch.allclose(net(data, seen), before, atol=1e-12)
    plain, space = net.to_torch(), {}
    exec(net.to_python(), space)
    written = space["Model"]().double()
    written.load_state_dict(net.state_dict())
    assert torch.allclose(plain(data, seen), before, atol=1e-12) and torch.allclose(written(data, seen), before, atol=1e-12)

def test_dropout_in_attention_is_for_training_only():
    x = inputvertex("x", 8)
    net = Net(x, attention(x, 2, dropout=.9)).eval()
    data, space = torch.randn(2, 5, 8), {}
    plain = net.to_torch()
    exec(net.to_python(), space)
    written = space["Model"]()
    written.load_state_dict(net.state_dict())
    for model in net, plain, written:
        assert torch.allclose(model.eval()(data), net.eval()(data), atol=1e-6)
        model.train()
        assert not torch.allclose(model(data), model(data), atol=1e-3)

def test_group_norm_keeps_equally_many_of_each_group():
    net, x = net_of(*STATISTIC["group norm"])
    norm = next(v for v in net if isinstance(v.op, nn.GroupNorm))
    w = norm.op.weight.clone()
    with pytest.raises(SizeError, match="equally many"): net.resize("before", -1)
    out = net.resize("before", -3, by={"before": [0., 1, 1, 1, 0, 1, 1, 1, 0]}).plan.out(norm)
    assert out.tolist() == [1, 2, 3, 5, 6, 7] and torch.equal(norm.op.weight, w[out]) and norm.op.num_groups == 3
    one = lambda x: nn.functional.group_norm(x, 3, norm.op.weight, norm.op.bias)
    assert torch.allclose(net(x), net["after"].op(one(net["before"].op(x))))

def test_each_channel_a_group_stays_so():
    x = inputvertex("x", 4)
    norm = groupnorm(conv(x, 6), 6)
    net = Net(x, conv(norm, 2))
    net.resize(norm, -5)
    assert (norm.op.num_groups, norm.op.num_channels) == (1, 1)
    net.resize(norm, +2)
    assert norm.op.num_groups == norm.op.num_channels == 3 and net(torch.rand(2, 4, 5, 5)).shape == (2, 2, 5, 5)

def test_new_scales_of_norms_are_one():
    for name in STATISTIC:
        net, _ = net_of(*STATISTIC[name])
        norm = next(v for v in net if hasattr(v.op, "eps"))
        n = norm.nout
        out = net.resize("before", 3).plan.out(norm)
        assert (norm.op.weight[out < 0] == 1).all() and norm.nout == n + 3

def test_embedding_reads_words():
    words = inputvertex("words", 20)
    e = embedding(words, 6)
    net, ids = Net(words, linear(e, 3)), torch.randint(20, (2, 5))
    want = net(ids)
    net.resize(e, +2)
    assert torch.allclose(net(ids), want, atol=1e-6) and e.op.weight.shape == (20, 8) and e.op.embedding_dim == 8

def test_refusals_are_one_clear_sentence():
    v = conv(inputvertex("x", 4), 6)
    for make, words in ((lambda: layer(nn.MaxPool2d(2, return_indices=True), v), "return_indices"),
                        (lambda: layer(nn.MultiheadAttention(6, 2, add_bias_kv=True), v), "add_bias_kv"), (lambda: pixelshuffle(v), "no multiple of 4"),
                        (lambda: layer(nn.TransformerEncoderLayer(6, 2), v), "naivenas.register"), (lambda: last(v), "recurrent"),
                        (lambda: layer(nn.LayerNorm(5), v), "inputs of 5 neurons")):
        with pytest.raises((TypeError, ValueError), match=words): make()

def test_a_layers_page_cat_along_the_last_axis():
    x = inputvertex("x", 4)
    y = cat(linear(x, 2), linear(x, 3), axis=-1)
    assert Net(x, y)(torch.rand(2, 7, 4)).shape == (2, 7, 5)

@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(3000, 700), (700, 600, 3, 3), (2, 1_200_000)])
def test_large_tensors_are_picked_some_rows_at_a_time(shape, dtype):
    "... and what was picked before is not written over by the next one"
    rng, made = np.random.default_rng(0), []
    for _ in range(2):
        array = torch.randn(shape, dtype=dtype)
        rows, columns = (np.sort(rng.choice(n, n // 2 + 1, replace=False)) for n in shape[:2])
        made.append((pick(array, {0: rows, 1: columns}), array[rows][:, columns], array.clone(), array))
    for got, wanted, before, array in made: assert torch.equal(got, wanted) and got.is_contiguous() and torch.equal(array, before)

def test_a_recurrent_layers_multiplications_are_counted_for_every_step():
    x = inputvertex("x", 5)
    net = Net(x, lstm(linear(x, 6), 8))
    assert macs(net, positions(net, torch.randn(2, 7, 5))) == 7 * (5 * 6 + 4 * 8 * (6 + 8))

def test_multiplications_of_attention_are_counted_for_every_step_of_one_example():
    "It works with the steps first, and with all steps of all examples in a row"
    class Looks(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.looks = nn.Linear(5, 12), nn.MultiheadAttention(12, 3, batch_first=True)
        def forward(self, x):
            x = self.one(x)
            return self.looks(x, x, x)[0]
    for many in 1, 2:
        x = torch.randn(many, 7, 5)
        net = Net.from_torch(Looks(), x)
        assert macs(net, positions(net, x)) == 7 * (5 * 12 + 12 * 36 + 12 * 12)

def test_multiplications_of_attention_to_something_else():
    "Queries come from 7 steps, keys and values from 3"
    class Looks(nn.Module):
        def __init__(self):
            super().__init__()
            self.looks = nn.MultiheadAttention(12, 3, batch_first=True)
        def forward(self, x, y): return self.looks(x, y, y)[0]
    x, y = torch.randn(2, 7, 12), torch.randn(2, 3, 12)
    net = Net.from_torch(Looks(), (x, y))
    n = macs(net, positions(net, x, y))
    assert n == (7 + 3 + 3 + 7) * 12 * 12 and isinstance(n, int)

class Weighing(nn.Module):
    "Looks like no layer of torch: attributes have names of their own"
    def __init__(self, fan_in, fan_out, *kernel):
        super().__init__()
        self.fan_in, self.fan_out, self.weight = fan_in, fan_out, nn.Parameter(torch.randn(fan_out, fan_in, *kernel))
    def forward(self, x): return nn.functional.linear(x, self.weight) if self.weight.ndim == 2 else nn.functional.conv2d(x, self.weight)

def test_rules_say_where_neurons_lie_what_draws_and_what_slides():
    from naivenas.nets.rules import neuron_axis, register, rule
    register(Weighing, "fan_in", "fan_out", weight="oi")
    axes = {nn.Linear(2, 3): -1, nn.LayerNorm(3): -1, nn.Embedding(4, 3): -1, nn.LSTM(2, 3): -1, nn.Conv2d(2, 4, 3, groups=2): 1, nn.ConvTranspose1d(2, 3, 3): 1,
            nn.BatchNorm2d(3): 1, nn.GroupNorm(2, 4): 1, nn.ReLU(): None, nn.MaxPool2d(2): None, Weighing(2, 3): -1, Weighing(2, 3, 1, 1): 1}
    for m, axis in axes.items(): assert neuron_axis(m) == axis, m
    drawing = [m for m in (nn.Dropout(), nn.Dropout3d(), nn.RReLU(), nn.FractionalMaxPool2d(2, 3), nn.ReLU(), nn.Linear(1, 1)) if rule(m).random]
    assert len(drawing) == 4
    windows = [rule(m).window for m in (nn.Conv1d(2, 2, 3), nn.Conv2d(4, 4, 3, groups=4), nn.ConvTranspose2d(2, 2, 3), nn.AvgPool3d(2), nn.AdaptiveAvgPool2d(2), nn.Linear(1, 1))]
    assert windows == ["conv", "conv", "transposed", "pool", "", ""]

@pytest.mark.parametrize("ours, theirs, shape", [(Weighing(6, 8), nn.Linear(6, 8, bias=False), (2, 10, 6)), (Weighing(6, 6), nn.Linear(6, 6, bias=False), (2, 6, 6)),
                                                 (Weighing(6, 8, 3, 3), nn.Conv2d(6, 8, 3, bias=False), (2, 6, 9, 8))])
def test_registered_layers_count_and_are_measured_as_those_of_torch(ours, theirs, shape):
    from naivenas import Net, Taylor, register
    register(Weighing, "fan_in", "fan_out", weight="oi")
    found = []
    with torch.no_grad(): ours.weight.copy_(theirs.weight)
    for m in ours, theirs:
        net = Net(x := inputvertex("x", 6), "a" >> layer(m, x))
        with Taylor(net) as worth: net(torch.arange(float(torch.Size(shape).numel())).reshape(shape).sin()).square().sum().backward()
        found.append((macs(net, positions(net, torch.zeros(shape))), worth(net["a"])))
    assert found[0][0] == found[1][0] and np.allclose(found[0][1], found[1][1], rtol=1e-4)
