"Surgery of the whole training state: optimizers, gradients, averages, compiled nets, memory formats, mixed precision, devices, settings"
import copy, shutil
import numpy as np, pytest, torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from naivenas.nets.layers import conv, convtranspose, linear, cat
from naivenas.nets.norms import batchnorm, globalpool, groupnorm, layernorm, maxpool
from naivenas.nets.activations import relu
from naivenas import Net
from naivenas.graph.vertex import inputvertex

OPTIMIZERS = {
    "momentum": lambda p: torch.optim.SGD(p, lr=.05, momentum=.9), "nesterov": lambda p: torch.optim.SGD(p, lr=.05, momentum=.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda p: torch.optim.Adam(p, lr=1e-2, amsgrad=True), "adamw": lambda p: torch.optim.AdamW(p, lr=1e-2),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=1e-3, momentum=.5, centered=True), "adagrad": lambda p: torch.optim.Adagrad(p, lr=1e-2),
    "adadelta": torch.optim.Adadelta, "nadam": lambda p: torch.optim.NAdam(p, lr=1e-3), "radam": lambda p: torch.optim.RAdam(p, lr=1e-3),
    "adamax": lambda p: torch.optim.Adamax(p, lr=1e-3), "asgd": lambda p: torch.optim.ASGD(p, lr=1e-2, t0=2), "rprop": lambda p: torch.optim.Rprop(p, lr=1e-3),
    "adafactor": lambda p: torch.optim.Adafactor(p, lr=1e-2),
}

def small(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    x = inputvertex("x", 2)
    c = "c" >> conv(x, 6)
    r = "r" >> relu("bn" >> batchnorm(c))
    return Net(x, "y" >> linear("p" >> globalpool("both" >> cat(r, "d" >> conv(r, 5))), 3)).to(dtype)

def batches(n, dtype=torch.float64):
    g = torch.Generator().manual_seed(1)
    return [(torch.rand(8, 2, 5, 5, generator=g, dtype=dtype), torch.randint(3, (8,), generator=g)) for _ in range(n)]

def steps(net, optimizer, data):
    losses = []
    for x, y in data:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses

@pytest.mark.parametrize("name", OPTIMIZERS)
def test_grow_and_drop_the_same_neurons_equals_the_unbroken_run(name):
    runs = []
    for broken in False, True:
        net = small()
        optimizer = OPTIMIZERS[name](net.parameters())
        net.track(optimizer)
        steps(net, optimizer, batches(5))
        if broken:
            for _ in range(2):   # a second resize before the next step
                report = net.resize({"c": +3, "d": +2})
                net.resize({"c": -3, "d": -2}, by={v: (report.plan.out(v) >= 0).astype(float) for v in net})
        steps(net, optimizer, batches(5))
        runs.append(net.state_dict())
    assert all(torch.allclose(a, b, rtol=1e-12, atol=1e-14) for a, b in zip(*map(dict.values, runs)))

@pytest.mark.parametrize("name", OPTIMIZERS)
def test_dropping_a_neuron_nobody_hears_goes_unnoticed(name):
    "The oracle trains the whole net, with the dead neuron in it"
    whole = small()
    with torch.no_grad():
        for op, at in (("bn", "weight"), ("bn", "bias")): getattr(whole[op].op, at)[2] = 0
        whole["d"].op.weight[:, 2], whole["y"].op.weight[:, 2] = 0, 0
    if name in ("adafactor",): pytest.skip("scales by a mean over the whole tensor: dead weights count")
    cut = copy.deepcopy(whole)
    a, b = (OPTIMIZERS[name](n.parameters()) for n in (whole, cut))
    cut.track(b)
    first = steps(whole, a, batches(4)), steps(cut, b, batches(4))
    assert first[0] == first[1]
    cut.resize("c", -1, by={"c": [1., 1, -9, 1, 1, 1]})
    rest = steps(whole, a, batches(4)), steps(cut, b, batches(4))
    assert np.allclose(*rest, atol=1e-9) and cut.sizes["c"] == 5

def test_lbfgs_is_refused_and_so_is_anything_else():
    net = small()
    for wrong, words in ((torch.optim.LBFGS(net.parameters()), "L-BFGS"), (nn.Linear(2, 2), "not a Linear"), (net, "not a Net"), (3, "not 3")):
        with pytest.raises(TypeError, match=words): net.track(wrong)

@pytest.mark.parametrize("kind", ["averaged", "plain"])
def test_averages_follow_every_verb(kind):
    net, decay = small(), .9
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    ema = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(decay)) if kind == "averaged" else copy.deepcopy(net)
    twin = getattr(ema, "module", ema)
    net.track(optimizer, ema)
    def follow():
        if kind == "averaged": ema.update_parameters(net)
        else:
            with torch.no_grad():
                for p, q in zip(net.parameters(), ema.parameters()): q.lerp_(p, 1 - decay)
    x = batches(1)[0][0]
    for verb in (lambda: net.resize({"c": -2, "d": +1}), lambda: net.insert(lambda v: "new" >> relu(conv(v, 7)), after="r"),
                 lambda: net.resize("c", +3), lambda: net.remove("bn"), lambda: net.connect("r", "both"), lambda: net.set("d", kernel_size=5),
                 lambda: net.disconnect("new", "both")):
        for data in batches(2): steps(net, optimizer, [data]); follow()
        old = {k: v.clone() for k, v in twin.state_dict().items()}
        report = verb()
        assert twin.sizes == net.sizes and [k for k, _ in twin.named_parameters()] == [k for k, _ in net.named_parameters()]
        for k, t in twin.state_dict().items(): assert t.shape == net.state_dict()[k].shape
        index = report.plan.out("d")   # a tensor by hand: the average's own numbers stay, new ones are the net's
        bias = twin["d"].op.bias
        assert torch.equal(bias[index >= 0], old["d.bias"][index[index >= 0]])
        assert twin(x).shape == (8, 3)
    with pytest.raises(Exception): net.resize("c", -99)
    twin.resize("c", -1)
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(RuntimeError, match="no copy any more"): net.resize("c", -1)
    assert all(torch.equal(t, before[k]) for k, t in net.state_dict().items())

def test_a_new_neuron_is_as_noisy_in_the_average():
    net = small()
    ema = copy.deepcopy(net)
    net.track(ema).resize({"c": +3})
    assert all(torch.equal(p, q) for p, q in zip(net.state_dict().values(), ema.state_dict().values()))

@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_compiled_net_compiles_again(mode):
    net = small(dtype=torch.float32)
    getattr(net, mode)()
    torch._dynamo.reset()
    compiled, data = torch.compile(net, backend="eager"), batches(1, torch.float32)[0][0]
    for verb in (lambda: None, lambda: net.resize("c", -2), lambda: net.resize("c", +3), lambda: net.insert(lambda v: relu(conv(v, 4)), after="r"),
                 lambda: net.set("d", kernel_size=5), lambda: net.remove("d"), lambda: net.set("r", activation=nn.GELU())):
        verb()
        twin = copy.deepcopy(net)
        assert torch.allclose(compiled(data), twin(data), atol=1e-6)
    torch._dynamo.reset()

def test_channels_last_stays_channels_last():
    net = small().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters())
    net.track(optimizer)
    steps(net, optimizer, batches(1))
    net.resize({"c": -2, "d": +2})
    w = net["d"].op.weight
    for t in (w, w.grad, optimizer.state[w]["exp_avg"]): assert t.shape == (7, 4, 3, 3) and t.is_contiguous(memory_format=torch.channels_last) and not t.is_contiguous()

def test_mixed_precision_goes_on_inside_one_region():
    net = small(dtype=torch.float32).eval()
    optimizer, scaler = torch.optim.SGD(net.parameters(), lr=.1, momentum=.9), torch.amp.GradScaler("cpu")
    net.track(optimizer)
    data = batches(3, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):   # it caches casts of the weights until it is left
        first = net(data[0][0])
        net.resize("c", +2)
        again = net(data[0][0])
        assert torch.allclose(first, again, atol=.02)
        net.resize("c", -4)
        fresh = copy.deepcopy(net)
        assert torch.equal(net(data[0][0]), fresh(data[0][0]))
    for x, y in data:
        with torch.autocast("cpu", torch.bfloat16): loss = nn.functional.cross_entropy(net.train()(x), y)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        net.resize("d", +1)   # between backward and step
        scaler.step(optimizer); scaler.update()
    assert optimizer.state[net["d"].op.weight]["momentum_buffer"].shape == net["d"].op.weight.shape

@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a compiler")
def test_inductor_compiles_again():
    net = small(dtype=torch.float32)
    torch._dynamo.reset()
    compiled, (x, y) = torch.compile(net), batches(1, torch.float32)[0]
    for verb in (lambda: None, lambda: net.resize({"c": -2, "d": +1})):
        verb()
        twin = copy.deepcopy(net)
        for model in compiled, twin: nn.functional.cross_entropy(model(x), y).backward()
        assert torch.allclose(compiled(x), twin(x), atol=1e-5)
        assert all(torch.allclose(p.grad, q.grad, atol=1e-5) for p, q in zip(net.parameters(), twin.parameters()))
        net.zero_grad()
    torch._dynamo.reset()

@pytest.mark.gpu
@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_on_a_gpu_it_is_as_on_the_cpu(name):
    nets = []
    for device in "cpu", "cuda":
        net = small().to(device)
        optimizer = OPTIMIZERS[name](net.parameters())
        net.track(optimizer)
        data = [(x.to(device), y.to(device)) for x, y in batches(6)]
        steps(net, optimizer, data[:3])
        net.resize({"c": -2, "d": +2})
        net.insert(lambda v: conv(v, 4), after="r")
        steps(net, optimizer, data[3:])
        assert {p.device.type for p in net.parameters()} == {t.device.type for s in optimizer.state.values() for t in s.values() if torch.is_tensor(t) and t.ndim} == {device}
        nets.append(net.cpu())
    assert all(torch.allclose(a, b, atol=1e-8) for a, b in zip(nets[0].state_dict().values(), nets[1].state_dict().values()))

def test_surgery_stays_on_the_device():
    net = small(dtype=torch.float32).to("meta")
    net.resize({"c": -2, "d": +3})
    net.insert(lambda v: conv(v, 4), after="r")
    assert {p.device.type for p in net.parameters()} == {"meta"} and net(torch.empty(2, 2, 5, 5, device="meta")).shape == (2, 3)

@pytest.mark.parametrize("make", [lambda v: conv(v, 4), lambda v: conv(v, 4, stride=2), lambda v: conv(v, 4, dilation=2), lambda v: conv(v, 4, groups=2),
                                  lambda v: conv(v, v.nout, groups=v.nout), lambda v: convtranspose(v, 4, k=3), lambda v: convtranspose(v, 4, k=4, padding=1)])
def test_a_larger_kernel_changes_nothing_and_takes_the_state_along(make):
    torch.manual_seed(0)
    x = inputvertex("x", 4)
    v = "k" >> make(x)
    net, data = Net(x, conv(v, 2)).double(), torch.rand(2, 4, 9, 9, dtype=torch.float64)
    optimizer = torch.optim.Adam(net.parameters())
    net.track(optimizer)
    net(data).sum().backward(); optimizer.step()
    want, w, p = net(data), v.op.weight, v.op.weight.detach().clone()
    k, moment = v.op.kernel_size[0], optimizer.state[w]["exp_avg"].clone()
    net.set("k", kernel_size=k + 2)
    assert v.op.weight is w and torch.allclose(net(data), want, atol=1e-12) and w.shape[2:] == (k + 2, k + 2)
    assert torch.equal(w.detach()[:, :, 1:-1, 1:-1], p) and torch.equal(optimizer.state[w]["exp_avg"][:, :, 1:-1, 1:-1], moment)
    net.set("k", kernel_size=k)
    assert torch.equal(w.detach(), p) and torch.equal(optimizer.state[w]["exp_avg"], moment) and w.grad.shape == w.shape

def test_even_kernels_with_same_padding():
    x = inputvertex("x", 2)
    v = "k" >> conv(x, 3, padding="same")
    net, data = Net(x, conv(v, 2)).double(), torch.rand(1, 2, 7, 8, dtype=torch.float64)
    want = net(data)
    for k in (4, 5, (6, 5), 7):
        net.set("k", kernel_size=k)
        assert torch.allclose(net(data), want, atol=1e-12), k

def test_settings_are_refused_as_a_whole():
    x = inputvertex("x", 2)
    v = "pool" >> maxpool("c" >> conv(x, 4, padding=0))
    net = Net(x, conv(relu(v), 2))
    net.set("pool", stride=1)
    assert v.op.stride == 1
    before = copy.deepcopy(net.state_dict()), net["c"].op.__dict__.copy()
    for wrong, words in ((dict(kernel_size=1), "padding="), (dict(kernel_size=4), "even number"), (dict(in_channels=3), "net.resize"), (dict(nonsense=1), "no setting"),
                         (dict(kernel_size=5, stride=(1, 2, 3)), "one number or 2"), (dict(activation=nn.GELU()), "no activation")):
        with pytest.raises((TypeError, ValueError), match=words): net.set("c", **wrong)
    assert all(torch.equal(t, before[0][k]) for k, t in net.state_dict().items()) and net["c"].op.kernel_size == (3, 3)

def test_reports_say_where_growing_may_change_the_function():
    x = inputvertex("x", 4)
    net = Net(x, linear("n" >> layernorm("h" >> linear(x, 6)), 2))
    assert "n gives" in repr(net.plan({"h": 1})) and not net.plan({"h": -1}).caveats
    x = inputvertex("x", 4)
    net = Net(x, conv(groupnorm("h" >> conv(x, 6), 2), 2))
    assert len(net.plan({"h": 2}).caveats) == 1
    assert not small().plan({"c": 1}).caveats

@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("make", [conv, convtranspose], ids=["conv", "transposed"])
def test_a_kernel_that_grows_leaves_outputs_where_they_are_or_is_refused(make, dilation):
    "Without a word about padding: a kernel of more taps computes the same, and one whose middle would lie between two places is refused"
    data, done = torch.rand(2, 3, 12, 12, dtype=torch.float64), {True: 0, False: 0}
    for k in 1, 2, 3, 4:
        for new in range(k, 6):
            for padding in ("same", (dilation * (k - 1)) // 2, "valid") if make is conv else (0, dilation * (k - 1) // 2):
                torch.manual_seed(0)
                x = inputvertex("x", 3)
                net = Net(x, "k" >> make(x, 4, k, padding=padding)).double()
                if dilation > 1: net.set("k", dilation=dilation, padding=padding)
                before = net(data)
                try: net.set("k", kernel_size=new)
                except ValueError as e:
                    assert "no padding of k keeps its outputs where they are" in str(e) and torch.equal(net(data), before)
                    assert (new - k) % 2, "an even number of taps comes, as many on each side"
                    done[False] += 1
                else:
                    assert torch.allclose(net(data), before, atol=1e-12) and net["k"].op.kernel_size == (new, new), (k, new, padding)
                    done[True] += 1
    assert min(done.values()) > 5, done

@pytest.mark.parametrize("before, behind", [(4, 7), (7, 4), (5, 5)])
@pytest.mark.parametrize("gone", ["below", "first", "above"])
def test_copies_follow_where_a_block_reads_something_else_at_last(before, behind, gone):
    "In one draft a block comes in, and what it was built on, or a part of it, goes"
    torch.manual_seed(0)
    x = inputvertex("x", before)       # an input cannot grow to meet the block
    net = Net(x, "y" >> linear("above" >> linear("below" >> linear(x, behind), 5), 2)).double()
    twin, data = copy.deepcopy(net), torch.rand(4, before, dtype=torch.float64)
    net.track(twin)
    draft = net.draft().insert(lambda v: "second" >> linear(relu("first" >> linear(v, 6)), v.nout), after="below")
    report = draft.remove(gone).apply()
    twin.load_state_dict(net.state_dict())      # new layers start with noise of their own
    assert [(v.name, v.nout, [u.name for u in v.inputs]) for v in net] == [(v.name, v.nout, [u.name for u in v.inputs]) for v in twin]
    assert torch.equal(twin(data), net(data)) and all(u in twin for v in twin for u in v.inputs)
    report.undo()
    assert torch.equal(twin(data), net(data)) and twin.sizes == net.sizes
    report = net.draft().insert(lambda v: linear(v, v.nout), after="below").remove("below").apply({"above": +2})
    assert twin(data).shape == net(data).shape
