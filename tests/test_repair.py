"What a repair gives, against oracles of its own: nets whose neurons are redundant by construction, numpy on all rows at once, and planted faults"
import copy, signal

import numpy as np, pytest, torch
from torch import nn

import naivenas
from naivenas import (Before, Net, attention, batchnorm, bilinear, cat, conv, convtranspose, embedding, flatten, globalpool, groupnorm, gru, inputvertex, layer, layernorm,
                      linear, load, lstm, magnitude, maxpool, relu, rnn)
from naivenas.nets import repair as pages
from naivenas.nets.passes import Pass

@pytest.fixture(autouse=True)
def exact():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)

def values(shape, seed=1): return torch.randn(shape, generator=torch.Generator().manual_seed(seed))

def far(a, b): return (a - b).abs().max().item()

@torch.no_grad()
def doubled(v):
    "The second half of what a layer gives is the first half again"
    for p in v.op.parameters(): p[len(p) // 2:] = p[:len(p) // 2]
    return v

@torch.no_grad()
def mixed(v):
    "The last quarter of what a layer gives are sums of the rest"
    n = 3 * v.nout // 4
    factors = torch.linspace(-1, 1, n) * torch.arange(1., v.nout - n + 1)[:, None]
    for p in v.op.parameters(): p[n:] = torch.tensordot(factors, p[:n], 1)
    return v

def noise(v):
    "A batch norm as training leaves it"
    m = v.op
    m.running_mean.normal_(), m.running_var.uniform_(.5, 2)
    with torch.no_grad(): m.weight.uniform_(.5, 2), m.bias.normal_()
    return v

# ------------------------------------------------------------------------------------------------- every kind of layer, exactly

def table(make, n=8):
    def build():
        x = inputvertex("x", 5)
        return Net(x, make("h" >> linear(x, n))), values((60, 5))
    return build

def maps(make, dim=2, side=6, n=8, first=conv):
    def build():
        x = inputvertex("x", 3)
        return Net(x, make("h" >> first(x, n, dim=dim))), values((12, 3, *[side] * dim))
    return build

def steps(make, n=8):
    def build():
        x = inputvertex("x", 3)
        return Net(x, make("h" >> linear(x, n))), values((12, 7, 3))
    return build

def unpadded(**how): return lambda v: layer(nn.Conv2d(v.nout, 6, **how), v)

KINDS = {
    "linear": table(lambda h: linear(relu(h), 4)), "linear without bias": table(lambda h: linear(relu(h), 4, bias=False)),
    "linear twice": table(lambda h: linear(relu(linear(relu(h), 6)), 4)), "bilinear": table(lambda h: bilinear(h, relu(h), 4)),
    "conv1d": maps(lambda h: conv(relu(h), 6, dim=1), 1), "conv2d": maps(lambda h: conv(relu(h), 6)), "conv3d": maps(lambda h: conv(relu(h), 4, dim=3), 3, 4),
    "conv with everything": maps(unpadded(kernel_size=(3, 2), stride=(2, 1), dilation=(1, 2), padding=(2, 1))),
    "conv same": maps(unpadded(kernel_size=4, padding="same")), "conv valid": maps(unpadded(kernel_size=3, padding="valid")),
    "conv reflect": maps(unpadded(kernel_size=3, padding=1, padding_mode="reflect")), "conv circular": maps(unpadded(kernel_size=3, padding=2, padding_mode="circular")),
    "conv replicate": maps(unpadded(kernel_size=5, padding=2, padding_mode="replicate", bias=False)),
    "pointwise": maps(lambda h: conv(relu(h), 6, k=1)), "conv, norm": maps(lambda h: noise(batchnorm(conv(relu(h), 6, bias=False)))),
    "transposed": maps(lambda h: convtranspose(relu(h), 6)), "transposed 1d": maps(lambda h: convtranspose(relu(h), 6, 3, 2, 1, 1, dim=1), 1),
    "transposed 3d": maps(lambda h: convtranspose(relu(h), 4, (2, 3, 2), (1, 2, 3), dim=3), 3, 3),
    "flattened": maps(lambda h: linear(flatten(maxpool(relu(h)), 9), 4)), "pooled": maps(lambda h: linear(globalpool(relu(h)), 4)),
    "attention": steps(lambda h: attention(h, 2)), "layer norm behind": steps(lambda h: layernorm(linear(relu(h), 6))),
    "group norm behind": maps(lambda h: groupnorm(conv(relu(h), 6, bias=False), 2)),
    "lstm": steps(lambda h: lstm(h, 5)), "gru": steps(lambda h: gru(h, 5, bidirectional=True)), "rnn, two layers": steps(lambda h: rnn(h, 5, num_layers=2)),
}

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("redundant", [doubled, mixed])
def test_redundant_neurons_are_not_missed(kind, redundant):
    net, x = KINDS[kind]()
    through_relu = any(isinstance(w.op, nn.ReLU) and net["h"] in w.inputs for w in net)
    if redundant is mixed and through_relu: net.remove(next(w for w in net if isinstance(w.op, nn.ReLU) and net["h"] in w.inputs))
    if redundant is mixed and any(isinstance(w.op, (nn.MaxPool2d, nn.Bilinear)) for w in net): pytest.skip("what is behind it isn't linear in the sums")
    redundant(net["h"])
    net.eval()
    before = net(x)
    with torch.no_grad(): net["h"].op.weight[0] *= 1.      # versions differ, values don't
    stay = range(4) if redundant is doubled else range(6)
    report = net.keep("h", stay)
    broken = far(net(x), before)
    assert broken > 1e-2
    repaired = net.repair(x, was=report, ridge=0, progress=False)
    assert far(net(x), before) < 1e-8, far(net(x), before)
    assert (repaired.repair.after < 1e-8).all() and repaired.repair.before.iloc[0] > 1e-3 and len(repaired.repair) == 1 or kind in ("attention", "linear twice")
    repaired.undo()
    assert far(net(x), before) == broken
    report.undo()
    assert torch.equal(net(x), before)

def test_grouped_layers_are_repaired_within_their_groups():
    x = inputvertex("x", 3)
    net, data = Net(x, conv(relu("h" >> conv(x, 8)), 6, groups=2)), values((12, 3, 6, 6))
    with torch.no_grad():
        for p in net["h"].op.parameters(): p[[2, 3, 6, 7]] = p[[0, 1, 4, 5]]
    before, report = net(data), net.keep("h", [0, 1, 4, 5])
    net.repair(data, was=report, ridge=0, progress=False)
    assert far(net(data), before) < 1e-8

# ----------------------------------------------------------------------------------------------------- the best that can be had

LAYERS = {
    "linear": (linear, dict(nout=3)), "linear without bias": (linear, dict(nout=3, bias=False)), "pointwise": (conv, dict(nout=4, k=1)),
    "conv": (conv, dict(nout=3, k=2, stride=2, dilation=2, padding=1)), "grouped": (conv, dict(nout=4, groups=2)), "grouped without bias": (conv, dict(nout=4, groups=2, bias=False)),
    "depthwise": (conv, dict(nout=8, groups=8)), "two for each": (conv, dict(nout=16, groups=8, bias=False)), "transposed": (convtranspose, dict(nout=3, k=3, padding=1)),
    "transposed in groups": (convtranspose, dict(nout=4, k=3, stride=2, groups=2, output_padding=1)), "transposed depthwise": (convtranspose, dict(nout=8, groups=8)),
}

def pruned_behind(kind):
    "A net of two layers and a statistic between them, so that what is cut is missed by all that stay; data"
    make, how = LAYERS[kind]
    x = inputvertex("x", 3)
    norm = relu if make is linear else (lambda v: groupnorm(relu(v), 1))
    y = "y" >> make(norm("h" >> (linear(x, 8) if make is linear else conv(x, 8))), **how)
    return Net(x, y if make is linear else conv(y, 3)), values((80, 3) if make is linear else (5, 3, 5, 5))

def design(op, x):
    "The derivative of all that a layer gives by its parameters, at any of them: a matrix, and whose columns are whose"
    names = [k for k, _ in op.named_parameters()]
    shapes = [p.shape for p in op.parameters()]
    def gives(flat):
        parts = flat.split([s.numel() for s in shapes])
        return torch.func.functional_call(op, {k: p.view(s) for k, p, s in zip(names, parts, shapes)}, x).flatten()
    flat = torch.cat([p.detach().flatten() for p in op.parameters()])
    return torch.autograd.functional.jacobian(gives, flat, vectorize=True), flat

@pytest.mark.parametrize("kind", LAYERS)
def test_the_solution_is_numpys(kind):
    "All rows at once, made by automatic differentiation, which shares nothing with the windows of the page"
    net, data = pruned_behind(kind)
    old = copy.deepcopy(net)
    old = Net(old.inputs, old["y"])
    report = net.keep("h", [0, 2, 3, 4, 5, 7])
    kept = report.plan.out(net["y"])
    net.repair(data, was=report, ridge=0, rows=10**9, progress=False)
    read = {}
    net["y"].op.register_forward_pre_hook(lambda m, args: read.update(x=args[0].detach()))
    net(data)
    axis = -1 if data.ndim == 2 else 1
    rows, found = design(net["y"].op, read["x"])
    want = old(data).index_select(axis, torch.as_tensor(kept)).flatten().detach()
    best = np.linalg.lstsq(rows.numpy(), want.numpy(), rcond=None)[0]
    assert np.linalg.matrix_rank(rows.numpy()) == rows.shape[1] and np.abs(best - found.numpy()).max() < 1e-8
    assert far(rows @ found, Net(net.inputs, net["y"])(data).flatten()) < 1e-10

def test_with_a_ridge_and_without_an_offset_it_is_numpys_too():
    net, data = pruned_behind("linear without bias")
    old = copy.deepcopy(net)
    report = net.keep("h", [0, 2, 3, 4, 5, 7])
    first = net["y"].op.weight.detach().clone()
    net.repair(data, was=report, ridge=.1, progress=False)
    read = Net(net.inputs, net["y"].inputs[0])(data).detach()
    size = (.1 * read.square().sum(0).mean())**.5
    rows, want = torch.cat([read, size * torch.eye(6)]), torch.cat([old(data), size * first.T]).detach()
    assert np.abs(np.linalg.lstsq(rows.numpy(), want.numpy(), rcond=None)[0].T - net["y"].op.weight.detach().numpy()).max() < 1e-10

def test_wide_layers_with_few_examples_are_solved_by_rows():
    x = inputvertex("x", 4)
    net, data = Net(x, "y" >> linear(relu("h" >> linear(x, 300)), 3)), values((40, 4))
    nets = [copy.deepcopy(net) for _ in "ab"]
    for n, rows in zip(nets, (12_000, 41)):
        n.repair(torch.cat([data] * (1 if rows == 41 else 8)), was=n.prune(.5), progress=False)
    assert far(nets[0](data), net(data)) < .2 * net(data).std() and far(nets[0]["y"].op.weight, nets[1]["y"].op.weight) < 1e-3

# --------------------------------------------------------------------------------------------------- batches, memory, randomness

def small_resnet(width=8):
    torch.manual_seed(0)
    x = inputvertex("x", 3)
    unit = lambda v, **how: noise(batchnorm(conv(v, width, bias=False, **how)))
    v = relu("stem" >> unit(x))
    for _ in range(2): v = relu(unit(relu(unit(v))) + v)
    d = relu(unit(unit(v, groups=width), k=1))
    return Net(x, "out" >> linear(globalpool(d), 4)).eval(), values((24, 3, 8, 8))

def test_streaming_gives_what_one_batch_gives():
    nets = [small_resnet() for _ in range(4)]
    forms = [lambda d: [d], lambda d: [*d.split(5)], lambda d: torch.utils.data.DataLoader([*zip(d, range(len(d)))], 7), lambda d: d]
    for (net, data), form in zip(nets, forms):
        report = net.prune(.6)
        net.repair(form(data), was=report, rows=200, progress=False)
    outputs = [net(data) for net, data in nets]
    assert all(far(outputs[0], y) < 1e-9 for y in outputs[1:])

def test_memory_that_does_not_suffice_changes_nothing(monkeypatch):
    results, steps = [], Pass._step
    for most in (1 << 30, 10_000):
        net, data = small_resnet()
        monkeypatch.setattr(pages, "HELD", most)
        count = []
        monkeypatch.setattr(Pass, "_step", lambda p: (count.append(p.i), steps(p)))
        net.prune(.6, repair=[*data.split(8)])
        results.append((net(data), len(count)))
    assert far(results[0][0], results[1][0]) < 1e-10 and results[1][1] > 2 * results[0][1]
    assert results[0][1] <= 3 * 4.2 * len(net.vertices)      # of three batches: each vertex twice in each net

@pytest.mark.parametrize("most", [1 << 30, 10_000])
def test_activations_that_overwrite_what_they_read_make_no_difference(monkeypatch, most):
    monkeypatch.setattr(pages, "HELD", most)
    outputs = []
    for inplace in (False, True):
        net, data = small_resnet()
        for v in net:
            if isinstance(v.op, nn.ReLU): v.op.inplace = inplace
        before = data.clone()
        report = net.prune(.6, repair=[*data.split(8)])
        assert torch.equal(data, before)
        outputs.append((net(data), report.repair.drop(columns="seconds")))
    assert torch.equal(outputs[0][0], outputs[1][0]) and outputs[0][1].equals(outputs[1][1])

def test_no_global_random_number_is_drawn():
    net, data = small_resnet()
    torch.manual_seed(3); np.random.seed(3)
    state, other = torch.get_rng_state(), np.random.get_state()[1].copy()
    net.prune(.6, repair=data)
    assert torch.equal(torch.get_rng_state(), state) and (np.random.get_state()[1] == other).all()

def test_the_net_is_repaired_and_better():
    net, data = small_resnet()
    more, before = values((50, 3, 8, 8), 5), None
    before, plain = net(more), copy.deepcopy(net)
    plain.prune(.6)
    report = net.prune(.6, repair=data)
    assert far(net(more), before) < .5 * far(plain(more), before)
    assert report.repair.loc["out", "after"] < report.repair.loc["out", "before"] and "repaired with 24 examples" in report.summary and "repaired" in repr(report)
    assert report.repair.index.is_unique and {*report.repair.columns} == {"before", "after", "rows", "seconds", "note"}
    assert not net.training
    found = report.verify(more)
    assert not found.agrees and any("a repair has changed weights" in note for note in found.notes)

@pytest.mark.gpu
def test_on_a_gpu_it_is_the_same():
    results = []
    for place in "cpu", "cuda":
        net, data = small_resnet()
        net.to(place)
        net.prune(.6, repair=data)       # examples come to where the net is
        results.append(net(data.to(place)).cpu())
    assert far(*results) < 1e-8

# ------------------------------------------------------------------------------------------------------------------- batch norms

def test_batch_norms_get_real_statistics_and_keep_their_function():
    "Training mode gives what evaluation mode gives on the examples themselves, but for the factor of unbiased variances"
    net, data = small_resnet()
    net.prune(.6, repair=[data])
    evaluated = net(data)
    trained = copy.deepcopy(net).train()(data)
    plain, _ = small_resnet()
    plain.prune(.6)
    moved = far(plain(data), copy.deepcopy(plain).train()(data))
    assert far(evaluated, trained) < .05 * moved
    for v in net:
        if not isinstance(v.op, nn.BatchNorm2d) or v.name == "stem": continue
        read = Net(net.inputs, v.inputs[0]).eval()(data)
        assert far(read.mean((0, 2, 3)), v.op.running_mean) < 1e-9 and far(read.var((0, 2, 3)), v.op.running_var) < 1e-9

def test_calibration_alone_changes_no_output():
    net, data = small_resnet()
    report = net.prune(.6)
    job = pages.Job(copy.deepcopy(net), pages.Past([], {}, {}, []), [[data]], 24, 0, 100)
    before = job.net(data)
    for v in job.net:
        if isinstance(v.op, nn.BatchNorm2d): pages.calibrate(job, v)
    assert far(job.net(data), before) < 1e-10 and far(next(v for v in job.net if isinstance(v.op, nn.BatchNorm2d)).op.running_var, next(v for v in net if isinstance(v.op, nn.BatchNorm2d)).op.running_var) > .01

# ------------------------------------------------------------------------------------------------------------- all or nothing

def everything(net): return {k: v.clone() for k, v in net.state_dict().items()}, net.sizes, net.version, [id(p) for p in net.parameters()]

def unchanged(net, was):
    state, sizes, version, ids = was
    now = net.state_dict()
    return {*now} == {*state} and all(torch.equal(now[k], v) for k, v in state.items()) and net.sizes == sizes and net.version is version and [id(p) for p in net.parameters()] == ids

@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("after", [0, 1, 7, 40, 90])
def test_a_fault_anywhere_leaves_the_net_as_it_was(monkeypatch, fault, after):
    net, data = small_resnet()
    was, told, calls, step = everything(net), [], [], Pass._step
    def failing(p):
        calls.append(p)
        if len(calls) > after: raise fault("planted")
        step(p)
    monkeypatch.setattr(Pass, "_step", failing)
    net.watchers.append(told.append)
    with pytest.raises(fault, match="planted"): net.prune(.6, repair=[*data.split(8)])
    assert unchanged(net, was) and not told
    monkeypatch.undo()
    report = net.prune(.6)
    was = everything(net)
    monkeypatch.setattr(Pass, "_step", failing)
    with pytest.raises(fault, match="planted"): net.repair(data, was=report)
    assert unchanged(net, was)

def test_a_fault_in_the_commit_takes_all_back(monkeypatch):
    net, data = small_resnet()
    was = everything(net)
    plan = net.prune_plan(.6)
    monkeypatch.setattr(type(net), "settled", lambda self: (_ for _ in ()).throw(KeyboardInterrupt) if self is net and self.sizes != was[1] else None)
    with pytest.raises(KeyboardInterrupt): plan.apply(repair=data)
    assert unchanged(net, was) and plan.repaired is None

def test_undo_and_redo():
    net, data = small_resnet()
    before, was = net(data), everything(net)
    optimizer = torch.optim.Adam(net.parameters())
    net.track(optimizer)
    report = net.prune(.6, repair=data)
    after = net(data)
    back = report.undo()
    assert torch.equal(net(data), before) and all(torch.equal(v, was[0][k]) for k, v in net.state_dict().items())
    back.undo()
    assert torch.equal(net(data), after)
    net.train()(data).sum().backward()
    optimizer.step()

# -------------------------------------------------------------------------------------------------------------- what is left alone

def test_shared_weights_are_left_alone_and_named():
    x = inputvertex("x", 4)
    h = relu("h" >> linear(x, 8))
    twice = nn.Linear(8, 8)
    a = "a" >> layer(twice, h)
    net = Net(x, "y" >> linear("b" >> layer(twice, a), 2))
    report = net.prune(.5, repair=values((50, 4)))
    assert "several places" in report.repair.note["a"] and "several places" in report.repair.note["b"] and report.repair.note["y"] == ""
    y, z = nn.Linear(8, 3), nn.Linear(8, 3)
    z.weight = y.weight
    h = relu("h" >> linear(x := inputvertex("x", 4), 8))
    net = Net(x, "sum" >> layer(y, h) + layer(z, h))
    report = net.keep_plan("h", [1, 2, 5]).apply(repair=values((50, 4)))
    assert {*report.repair.note} == {"it shares a parameter"}

class Doubling(nn.Linear):
    def forward(self, x): return 2 * super().forward(x)

def test_a_forward_of_its_own_is_found_by_trying():
    x = inputvertex("x", 4)
    net = Net(x, linear("own" >> layer(Doubling(8, 8), relu("h" >> linear(x, 8))), 2))
    report = net.keep_plan("h", [1, 2, 5]).apply(repair=values((50, 4)))
    assert "Doubling" in report.repair.note["own"] and report.repair.after.iloc[-1] < report.repair.before.iloc[-1]

def test_computed_weights_are_left_alone():
    x = inputvertex("x", 4)
    net = Net(x, "y" >> linear(relu("h" >> linear(x, 8)), 2))
    nn.utils.parametrizations.spectral_norm(net["y"].op)
    before = Before(net.eval())
    with torch.no_grad(): net["h"].op.bias += values((50, 8))[0]
    net["h"].op.weight.requires_grad_(False)
    told = net.repair(values((50, 4)), was=before, progress=False).repair
    assert told.note["h"] == "" and told.after["h"] < 1e-3
    nn.utils.parametrizations.spectral_norm(net["h"].op)
    with torch.no_grad(): net["h"].op.bias += 1
    told = net.repair(values((50, 4)), was=before, progress=False).repair
    assert "computed in each call" in told.note["y"] and "computed in each call" in told.note["h"] and (told.after == told.before).all()

# -------------------------------------------------------------------------------------------------------------------- the net before

def test_before_follows_through_several_changes_and_training():
    x = inputvertex("x", 3)
    net, data = Net(x, linear(relu(doubled("h" >> linear(x, 8))), 4)), values((60, 3))
    wanted, before = net(data), Before(net)
    net.keep("h", range(6)), net.keep("h", [0, 1, 2, 3, 5])
    net.resize("h", +2), net.keep("h", range(4))
    net.insert(nn.ReLU(), after="h")
    with torch.no_grad(): net.outputs[0].op.weight.normal_()
    net.repair(data, was=before, ridge=0, progress=False)
    assert far(net(data), wanted) < 1e-8

def test_a_copy_of_the_same_sizes_is_a_past():
    net, data = small_resnet()
    was = copy.deepcopy(net)
    with torch.no_grad(): next(net.parameters()).mul_(1.5)
    report = net.repair(data, was=was, progress=False)
    assert far(net(data), was(data)) < 1e-3 and len(report.repair)
    net.prune(.5)
    with pytest.raises(TypeError, match="a copy doesn't tell which stayed"): net.repair(data, was=was)

def test_what_is_no_past_is_refused():
    net, data = small_resnet()
    first, second = net.prune(.8), net.prune(.8)
    with pytest.raises(TypeError, match="what the net computed"): net.repair(data)
    with pytest.raises(RuntimeError, match="Before"): net.repair(data, was=first)
    with pytest.raises(TypeError, match="what the net computed"): net.repair(data, was=data)
    with pytest.raises(TypeError, match="what the net computed"): net.repair(data, was=Before(small_resnet()[0]))
    net.repair(data, was=second, progress=False)

def test_examples_that_are_none_are_refused():
    net, data = small_resnet()
    was = everything(net)
    for wrong in ("digits", 3, [], [[]], iter(()), object(), [data[:, 0, 0]], [{"nothing": data}]):
        with pytest.raises((TypeError, ValueError, RuntimeError)) as e: net.prune(.6, repair=wrong)
        assert str(e.value)
    with pytest.raises(ValueError, match="not finite"): net.prune(.6, repair=data * float("nan"))
    assert unchanged(net, was)
    for how in (dict(ridge=-1), dict(most=0), dict(rows="all")):
        with pytest.raises((TypeError, ValueError)): net.repair(data, was=net.prune(1.), **how)

def test_graphs_without_modules_say_that_they_cannot_be_repaired():
    from naivenas import Graph
    from naivenas.graph.cut import Dense
    from naivenas.graph.vertex import absorb
    x = inputvertex("x", 3)
    g = Graph(x, absorb(Dense(8, 2), "h" >> absorb(Dense(3, 8), x)))
    with pytest.raises(TypeError, match="torch modules"): g.prune(.5, by={"h": range(1, 9)}, repair=np.zeros((3, 3)))
    assert g.sizes["h"] == 8

# ------------------------------------------------------------------------------------------------------------ other people's modules

class Block(nn.Module):
    def __init__(self, width=16, heads=4):
        super().__init__()
        self.embed, self.attend = nn.Embedding(11, width), nn.TransformerEncoderLayer(width, heads, 32, batch_first=True, dropout=.1)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 3)
    def forward(self, words): return self.head(self.norm(self.attend(self.embed(words))).mean(1))

class Own(nn.Module):
    "Attention of linear layers, with a mask"
    def __init__(self, width=16, heads=4):
        super().__init__()
        self.heads, self.first = heads, nn.Linear(5, width)
        self.q, self.k, self.v, self.out, self.head = *(nn.Linear(width, width) for _ in range(4)), nn.Linear(width, 2)
    def forward(self, x, scale):
        h = self.first(x).relu()
        q, k, v = (f(h).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
        y = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return {"logits": self.head((h + self.out(y)).mean(1)) * scale}

def test_imported_transformers_are_repaired():
    module = Block().eval()
    words = torch.randint(0, 11, (64, 9), generator=torch.Generator().manual_seed(0))
    net = Net.from_torch(module, words[:2], share=False).eval()
    plain = copy.deepcopy(net)
    report = net.prune(.6, repair=[(words, words[:, 0])])
    plain.prune(.6)
    wanted = module(words)
    assert far(net(words), wanted) < .5 * far(plain(words), wanted) and (report.repair.note == "").all()
    assert any("out_proj" in name for name in report.repair.index) and len(report.repair) >= 5

def test_imported_modules_with_several_inputs_take_batches_as_they_do():
    module, x, scale = Own().eval(), values((40, 6, 5)), values((40, 1), 2)
    forms = [[(x, scale)], [(x, scale, scale)], (x, scale), {"x": x, "scale": scale, "labels": x}, torch.utils.data.DataLoader([*zip(x, scale, x)], 16)]
    made, imported = [], Net.from_torch(module, x[:2], scale[:2], share=False).eval()
    for form in forms:
        net = copy.deepcopy(imported)
        net.prune(.5, repair=form)
        made.append(net(x, scale)["logits"])
    assert all(far(made[0], y) < 1e-8 for y in made[1:])

def test_prune_repairs_plain_modules():
    module = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
    x = values((200, 5))
    plain, repaired = (naivenas.prune(module, x[:2], keep=.5, **how) for how in ({}, dict(repair=x)))
    assert far(repaired(x), module(x)) < .7 * far(plain(x), module(x)) 
