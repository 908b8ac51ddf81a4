"Spatial arithmetic against PyTorch itself, and nearest parameters against trying everything"
import itertools, random
import numpy as np, pytest, torch
from torch import nn
from naivenas.graph.fmap import FIELDS, Window, fmaps, legal, places, windows
from naivenas.graph.alignment import align_fmaps
from naivenas.graph.nearness import PRICES
from naivenas.nets.layers import conv, linear, cat
from naivenas.nets.norms import avgpool, globalpool, maxpool
from naivenas.nets.shapes import flatten
from naivenas.nets.kinds import layer
from naivenas.nets.activations import relu
from naivenas import Net
from naivenas.graph.vertex import inputvertex
from naivenas.graph.roles import SizeError

def run(make, n):
    "Positions that come out of a layer in PyTorch; None if it refuses"
    try: out = make()(torch.zeros(1, 1, n)).shape[2]
    except (RuntimeError, ValueError): return None
    return out if out > 0 else None

@pytest.mark.parametrize("ceil", (False, True))
def test_pools_as_in_torch(ceil):
    for n, k, s, p, d in itertools.product(range(1, 9), (1, 2, 3), (1, 2, 3), (0, 1), (1, 2)):
        w = Window(k, s, p, d, 0, "pool", ceil)
        ours = int(places(w, n)) if legal(w) else 0
        theirs = run(lambda: nn.MaxPool1d(k, s, p, d, ceil_mode=ceil), n)
        if legal(w): assert (ours if ours > 0 else None) == theirs, (w, n)
        if d == 1:
            assert bool(legal(w)) == (run(lambda: nn.AvgPool1d(k, s, p), 50) is not None), w
            if legal(w): assert (ours if ours > 0 else None) == run(lambda: nn.AvgPool1d(k, s, p, ceil_mode=ceil), n), (w, n)

def test_convolutions_as_in_torch():
    for n, k, s, p, d in itertools.product(range(1, 8), (1, 2, 3, 4), (1, 2, 3), (0, 1, 2), (1, 2)):
        ours = int(places(Window(k, s, p, d), n))
        assert (ours if ours > 0 else None) == run(lambda: nn.Conv1d(1, 1, k, s, p, d), n), (n, k, s, p, d)
        for o in 0, 1, 2:
            w = Window(k, s, p, d, o, "transposed")
            ours = int(places(w, n)) if legal(w) else 0
            assert (ours if ours > 0 else None) == run(lambda: nn.ConvTranspose1d(1, 1, k, s, p, o, dilation=d), n), (w, n)

def test_whole_nets_as_in_torch():
    for seed in range(20):
        r = random.Random(seed)
        x = inputvertex("x", 2)
        v = conv(x, 3, k=(r.choice((1, 3)), r.choice((2, 5))), stride=r.choice((1, 2)), padding=r.choice((0, 1, (2, 1))))
        u = r.choice((maxpool, avgpool))(v, r.choice((2, 3)), r.choice((None, 1)))
        up = layer(nn.Upsample(scale_factor=2), relu(u))
        pad = layer(nn.ZeroPad2d((1, 2, 0, 3)), up)
        net = Net(x, [pad, linear(globalpool(conv(pad, 2)), 2), layer(nn.AdaptiveAvgPool2d((None, 2)), u)])
        shape = r.randint(9, 14), r.randint(9, 14)
        got = fmaps(net, shape)
        for v, out in zip(net.outputs, net(torch.zeros(1, 2, *shape))): assert got[v] == tuple(out.shape[2:])

def test_what_does_not_fit_is_named():
    x = inputvertex("x", 1)
    a = "a" >> conv(x, 2, stride=2)
    for net, words in ((Net(x, linear(a, 2)), "takes 0 spatial axes"), (Net(x, cat(a, x)), "joins feature maps of different sizes"),
                       (Net(x, flatten(conv(x, 2), 9)), "flattens 9 positions, not 8x8"), (Net(x, conv(x, 1, k=11, padding=0)), "does not fit")):
        with pytest.raises(SizeError, match=words): fmaps(net, (8, 8))

def brute(ops, n, want, change, reach):
    "The least price over all parameters of a chain, by trying them all in PyTorch"
    best = None
    def choices(op):
        w = windows(op, 1)[0]
        keys = [[getattr(w, key)] if key not in change or (key == "output_padding" and w.what != "transposed") else
                range(max(int(key in ("kernel_size", "stride", "dilation")), getattr(w, key) - reach), getattr(w, key) + reach + 1) for key in FIELDS]
        for values in itertools.product(*keys):
            how = dict(zip(FIELDS, values))
            if w.what != "transposed": how.pop("output_padding")
            yield sum(PRICES[k] * abs(how[k] - getattr(w, k)) for k in how), lambda: type(op)(1, 1, **how), how
    for made in itertools.product(*[list(choices(op)) for op in ops]):
        price = sum(m[0] for m in made)
        if best is not None and price >= best: continue
        size = n
        for op, (_, _, how) in zip(ops, made):
            size = run(lambda: type(op)(1, 1, **how), size)
            if size is None: break
        if size == want: best = price
    return best

@pytest.mark.parametrize("seed", range(6))
def test_nearest_is_nearest(seed):
    r = random.Random(seed)
    n, want = r.randint(5, 9), r.randint(5, 9)
    ops = [nn.Conv1d(1, 1, r.choice((2, 3)), stride=r.choice((1, 2)), padding=r.choice((0, 1))),
           nn.ConvTranspose1d(1, 1, r.choice((2, 3)), stride=r.choice((1, 2)), padding=r.choice((0, 1)))]
    x = v = inputvertex("x", 1)
    for op in ops: v = layer(op, v)
    net, change = Net(x, v), r.choice((("padding", "output_padding", "stride"), ("kernel_size", "padding")))
    least = brute(ops, n, want, change, 1)
    try: found = align_fmaps(net, (n,), (want,), change=change, reach=1)
    except SizeError: assert least is None; return
    assert least == sum(PRICES[k] * abs(value[0] - getattr(windows(v.op, 1)[0], k)) for v, how in found.items() for k, value in how.items())
    use = {v: [windows(v.op, 1)[0]._replace(**{k: value[0] for k, value in how.items()})] for v, how in found.items()}
    assert fmaps(net, (n,), use=use)[net.outputs[0]] == (want,)

def test_branches_meet_and_an_autoencoder_gives_back():
    x = inputvertex("x", 1)
    h1 = conv(x, 4, stride=2)
    h2 = conv(h1, 4, stride=2)
    up = lambda v, n: layer(nn.ConvTranspose2d(v.nout, n, 3, stride=2, padding=1), v)
    net = Net(x, up(up(h2, 4) + h1, 1))
    found = align_fmaps(net, (28, 27), (28, 27))
    for v, how in found.items():
        for key, value in how.items(): setattr(v.op, key, value)
    assert net(torch.zeros(1, 1, 28, 27)).shape == (1, 1, 28, 27)
    assert all(set(how) == {"output_padding"} for how in found.values())
