"""Feature maps that fit, measured: `python bench/maps.py [settings] [repairs] [brute] [depth]` (all, if none is named)

settings: 20,000 random layers and sizes, against the shapes that PyTorch gives, refused ones included
repairs:  300 random autoencoders and U-Nets whose sizes don't fit, in 1 to 3 dimensions, repaired and run
brute:    small nets, where the price and the number of the nearest answers are known from trying everything in PyTorch
depth:    seconds against layers, and the exponent; a U-Net of five levels with five input sizes
"""
import itertools, math, random, sys, time
import numpy as np
import torch
from torch import nn
from naivenas import Net, SizeError, cat, conv, convtranspose, inputvertex, layer, maxpool, relu
from naivenas.graph.fmap import FIELDS, Window, legal, places
from naivenas.graph.nearness import PRICES, losses
from naivenas.nets.ways import windows_on

# ------------------------------------------------------------------------------------------------ one layer

def random_layer(r):
    "`(function that makes a layer, its window, positions)` along one axis"
    k, s, p, d, n = r.randint(1, 7), r.randint(1, 5), r.randint(0, 4), r.randint(1, 3), r.randint(1, 40)
    kind, ceil = r.choice("conv transposed max avg".split()), r.random() < .5
    if kind == "conv": return lambda: nn.Conv1d(1, 1, k, s, p, d), Window(k, s, p, d), n
    if kind == "transposed":
        o = r.randint(0, 3)
        return lambda: nn.ConvTranspose1d(1, 1, k, s, p, o, dilation=d), Window(k, s, p, d, o, "transposed"), n
    if kind == "max": return lambda: nn.MaxPool1d(k, s, p, d, ceil_mode=ceil), Window(k, s, p, d, 0, "pool", ceil), n
    return lambda: nn.AvgPool1d(k, s, p, ceil_mode=ceil), Window(k, s, p, 1, 0, "pool", ceil), n

def of_torch(make, n):
    "Positions that come out in PyTorch, 0 if it refuses (on the CPU: tensors without entries are refused less often)"
    try: return make()(torch.zeros(1, 1, n)).shape[2]
    except (RuntimeError, ValueError): return 0

def ours(w, n): return max(int(places(w, n)), 0) if legal(w) else 0

def settings(many=20_000, seed=0):
    "Layers on which we and PyTorch differ"
    r, odd, refused = random.Random(seed), [], 0
    for _ in range(many):
        make, w, n = random_layer(r)
        theirs, mine = of_torch(make, n), ours(w, n)
        refused += theirs == 0
        if theirs != mine: odd.append((w, n, theirs, mine))
    return odd, refused

# ------------------------------------------------------------------------------------------------ whole nets

def autoencoder(r, dims, layers, channels=2):
    "A random encoder, and a decoder that undoes its strides"
    x = v = inputvertex("x", 1)
    strides = [r.choice((1, 2, 2, 3)) for _ in range(max(layers // 2, 1))]
    for s in strides:
        if s == 2 and r.random() < .3: v = layer(getattr(nn, f"MaxPool{dims}d")(2, ceil_mode=r.random() < .5), v)
        else: v = relu(conv(v, channels, k=max(s, r.choice((2, 3, 5))), stride=s, padding=r.choice((0, 1)), dim=dims))
    for i, s in enumerate(reversed(strides)):
        k = max(s, r.choice((2, 3, 4)))
        v = convtranspose(v, 1 if i == len(strides) - 1 else channels, k=k, stride=s, padding=r.choice((0, 1)) if k > 1 else 0, dim=dims)
        if i < len(strides) - 1: v = relu(v)
    return Net(x, v)

def unet(r, dims, levels, channels=2, k=2):
    "A U-Net with transposed convolutions"
    x = v = inputvertex("x", 1)
    skips = []
    for _ in range(levels):
        v = relu(conv(v, channels, padding=1 if r is None else r.choice((1, 1, 0)), dim=dims))
        skips.append(v)
        v = maxpool(v, dim=dims)
    v = relu(conv(v, channels, dim=dims))
    for s in reversed(skips):
        v = convtranspose(v, channels, k=k, dim=dims)
        v = relu(conv(cat(v, s), channels, dim=dims))
    return Net(x, conv(v, 1, k=1, dim=dims))

def repaired(net, shape, wanted="input"):
    "`(seconds, whether its outputs are as wanted when it runs)`; None where it is refused"
    start = time.perf_counter()
    try: net.fit_maps(shape, wanted)
    except SizeError: return time.perf_counter() - start, None
    seconds = time.perf_counter() - start
    with torch.no_grad(): out = net.eval()(torch.zeros(1, 1, *shape))
    return seconds, tuple(out.shape[2:]) == tuple(shape)

def repairs(many=300, seed=0):
    "`[(kind, layers, seconds, whether it ran and fitted), ...]`"
    r, found = random.Random(seed), []
    repaired(autoencoder(random.Random(0), 2, 4), (20, 20)), repaired(unet(None, 2, 1), (9, 9))      # imports are not counted
    while len(found) < many:
        dims = r.choice((1, 2, 2, 3))
        n = {1: 120, 2: 60, 3: 26}[dims]
        shape = tuple(r.randint(n // 2, n) for _ in range(dims))
        if r.random() < .5: kind, size = "autoencoder", r.randint(3, 10)
        else: kind, size = "U-Net", r.randint(1, 3 if dims < 3 else 2)
        net = (autoencoder if kind == "autoencoder" else unet)(r, dims, size)
        torch.manual_seed(seed)
        found.append((kind, size, *repaired(net, shape)))
    return found

# ------------------------------------------------------------------------------------------------ everything tried

def choices(op, change, reach):
    "`[(price, settings), ...]` of a layer that lose no more than it does"
    (now,) = windows_on(op, 1)
    ranges = [range(max(int(k in ("kernel_size", "stride", "dilation")), getattr(now, k) - reach), getattr(now, k) + reach + 1)
              if k in change and (k != "output_padding" or now.what == "transposed") and hasattr(op, k) else [getattr(now, k)] for k in FIELDS]
    for values in itertools.product(*ranges):
        w = Window(*values, now.what, now.ceil_mode)
        if not legal(w) or any(a > b for a, b in zip(losses(w), losses(now))): continue
        yield sum(PRICES[k] * abs(getattr(w, k) - getattr(now, k)) for k in FIELDS), w

def remade(op, w):
    "The layer with another window, in PyTorch"
    how = {k: getattr(w, k) for k in FIELDS if hasattr(op, k) and (k != "output_padding" or w.what == "transposed")}
    if w.what == "pool": return type(op)(**how, ceil_mode=w.ceil_mode)
    return type(op)(1, 1, **how, device="meta")

def tried(ops, run, sizes, change, reach):
    "`(least price, how many answers have it)` of all settings of some layers, by running them all"
    best, many = math.inf, 0
    for made in itertools.product(*[list(choices(op, change, reach)) for op in ops]):
        price = sum(p for p, _ in made)
        if price > best: continue
        try:
            layers = [remade(op, w) for op, (_, w) in zip(ops, made)]
            fits = all(run(layers, torch.empty(1, 1, n, device="meta")) for n in sizes)
        except (RuntimeError, ValueError): continue
        if fits: best, many = (price, 1) if price < best else (best, many + 1)
    return best, many

def small(r):
    "`(net, layers, function that runs them and says whether it fits, wanted)`: a chain, or a fork that meets"
    a = nn.Conv1d(1, 1, r.choice((2, 3)), r.choice((1, 2)), r.choice((0, 1)))
    b = nn.ConvTranspose1d(1, 1, r.choice((2, 3)), r.choice((1, 2)), r.choice((0, 1)))
    c = r.choice((nn.MaxPool1d(2, r.choice((1, 2)), ceil_mode=r.random() < .5), nn.Conv1d(1, 1, 3, 1, 1)))
    x = inputvertex("x", 1)
    if r.random() < .5:
        net = Net(x, layer(b, layer(c, layer(a, x))))
        return net, (a, c, b), lambda m, t: m[2](m[1](m[0](t))).shape == t.shape, "input"
    net = Net(x, layer(b, layer(a, x)) + layer(c, x))
    return net, (a, b, c), lambda m, t: m[1](m[0](t)).shape == m[2](t).shape, None

def brute(many=150, seed=0):
    "Small nets on which the price, or the number of answers, differs from what trying everything finds"
    r, odd, done = random.Random(seed), [], 0
    while done < many:
        net, ops, run, wanted = small(r)
        sizes = [r.randint(5, 14) for _ in range(r.choice((1, 1, 2)))]
        change = r.choice((("padding", "output_padding"), ("kernel_size", "padding"), ("kernel_size", "padding", "output_padding"), ("stride", "padding")))
        want = tried(ops, run, sizes, change, 1)
        try:
            plan = net.plan_maps([(n,) for n in sizes], wanted, change=change, reach=1)
            got = plan.price, plan.many
        except SizeError: got = math.inf, 0
        done += 1
        if got != want: odd.append((net, sizes, change, want, got))
    return odd

# ------------------------------------------------------------------------------------------------ time

def depth(layers=(4, 8, 16, 32, 64)):
    "`{layers: seconds}` of autoencoders at 101 x 77 that don't fit"
    found = {}
    unet(None, 2, 1).plan_maps((8, 8))                 # imports are not counted
    for n in layers:
        strides = [2, 3, 2] + [1] * (n // 2 - 3) if n > 4 else [2, 2]
        x = v = inputvertex("x", 1)
        for s in strides: v = relu(conv(v, 2, k=3, stride=s, padding=int(s == 1)))
        for s in reversed(strides): v = relu(convtranspose(v, 2, k=3, stride=s, padding=int(s == 1)))
        net = Net(x, conv(v, 1, k=1))
        start = time.perf_counter()
        plan = net.plan_maps((101, 77), "input")
        found[n] = time.perf_counter() - start, plan.price
    return found

def main(which):
    torch.set_num_threads(1)
    if "settings" in which:
        start = time.perf_counter()
        odd, refused = settings()
        print(f"settings: 20000 layers, {refused} refused by PyTorch, {len(odd)} differ ({time.perf_counter() - start:.0f} s)", *odd[:3])
    if "brute" in which:
        start = time.perf_counter()
        odd = brute()
        print(f"brute: 150 small nets, {len(odd)} differ in price or number of answers ({time.perf_counter() - start:.0f} s)", *odd[:3])
    if "repairs" in which:
        found = repairs()
        for kind in "autoencoder", "U-Net":
            some = [f for f in found if f[0] == kind]
            fitted, none = sum(f[3] is True for f in some), sum(f[3] is None for f in some)
            print(f"repairs: {len(some)} {kind}s: {fitted} repaired and run, {none} refused with a reason, "
                  f"{len(some) - fitted - none} wrong; median {np.median([f[2] for f in some]):.2f} s, longest {max(f[2] for f in some):.2f} s")
    if "depth" in which:
        found = depth()
        for n, (seconds, price) in found.items(): print(f"depth: {n:3d} layers: {seconds:.2f} s, price {price}")
        slope = np.polyfit(np.log([*found]), np.log([s for s, _ in found.values()]), 1)[0]
        print(f"depth: seconds grow with layers to the power {slope:.2f}")
        net, start = unet(None, 2, 5), time.perf_counter()
        plan = net.plan_maps([(n, n) for n in (97, 129, 161, 193, 225)], "input")
        print(f"a U-Net of five levels, five input sizes: {time.perf_counter() - start:.2f} s, price {plan.price}")
        for sizes in (97, 98), (97, 99), (97, 130):
            start = time.process_time()
            try: said = f"price {unet(None, 2, 5).plan_maps([(n, n) for n in sizes], 'input').price}"
            except SizeError as e: said = f"refused, {len(e.conflict)} demands named"
            print(f"a U-Net of five levels, {sizes[0]} and {sizes[1]} pixels: {said}, {time.process_time() - start:.2f} s of CPU time")

if __name__ == "__main__": main(sys.argv[1:] or ["settings", "brute", "repairs", "depth"])
