"Sizes that a layer is told, pools that round, pads: against trying everything in PyTorch"
import copy, itertools, math, random, pytest, torch
from torch import nn
from torch.nn import functional as F
from naivenas import Net, SizeError, conv, inputvertex, layer, maxpool, upsample
from naivenas.graph.nearness import PRICES
from naivenas.graph.told import arguments, with_arguments

def told(r):
    "A layer that is told something, for one axis"
    return r.choice((lambda: nn.Upsample(scale_factor=2), lambda: nn.Upsample(size=(r.randint(4, 9),)), lambda: nn.AdaptiveAvgPool1d(r.randint(3, 9)),
                     lambda: nn.ConstantPad1d((r.randint(0, 1), r.randint(0, 2)), 0.), *[lambda: nn.MaxPool1d(2, r.choice((1, 2)), ceil_mode=r.random() < .5)] * 2))()

def choices(m, change, reach, one):
    "`[(price, module), ...]`, everything that `change` allows"
    steps = range(-reach, reach + 1)
    def but(**how):
        made = copy.deepcopy(m)
        for k, v in how.items(): setattr(made, k, v)
        return made
    found = [(0, m)]
    if isinstance(m, nn.MaxPool1d):
        turns, pads = [0, 1][:1 + ("ceil_mode" in change)], [0, 1][:1 + ("padding" in change)]
        return [(PRICES["ceil_mode"] * t + p, but(ceil_mode=m.ceil_mode ^ bool(t), padding=p)) for t in turns for p in pads]
    if isinstance(m, nn.ConstantPad1d):
        return found + [(abs(d), but(padding=(m.padding[0], m.padding[1] + d))) for d in steps if d and m.padding[1] + d >= 0 and "padding" in change]
    key = "output_size" if isinstance(m, nn.AdaptiveAvgPool1d) else "size"
    size = getattr(m, key)
    if size is None:
        if "scale_factor" in change: found += [(PRICES["scale_factor"] * abs(d), but(scale_factor=m.scale_factor + d)) for d in steps if d and m.scale_factor + d >= 1]
        if "size" in change and one: found += [(PRICES["size"] * abs(d), but(size=int(one * m.scale_factor) + d, scale_factor=None)) for d in steps if d and one * m.scale_factor + d >= 1]
    elif "size" in change:
        n = size[0] if isinstance(size, tuple) else size
        found += [(PRICES["size"] * abs(d), but(**{key: n + d})) for d in steps if d and n + d >= 1]
    return found

def test_nearest_is_what_trying_everything_finds():
    r, seen = random.Random(3), set()
    for _ in range(45):
        a, b = told(r), told(r)
        x = inputvertex("x", 1)
        net = Net(x, "sum" >> layer(a, x) + layer(b, x))
        sizes = [r.randint(4, 9) for _ in range(r.choice((1, 1, 2)))]
        change = r.choice((("size",), ("size", "ceil_mode"), ("padding", "ceil_mode"), ("scale_factor", "padding"), ("size", "scale_factor", "padding", "ceil_mode")))
        one, best = sizes[0] if len(sizes) == 1 else 0, (math.inf, 0)
        for (p, m), (q, n) in itertools.product(choices(a, change, 2, one), choices(b, change, 2, one)):
            if all(m(t).shape == n(t).shape for t in (torch.zeros(1, 1, k) for k in sizes)):
                best = (p + q, 1) if p + q < best[0] else (best[0], best[1] + (p + q == best[0]))
        try:
            plan = net.plan_maps([(n,) for n in sizes], change=change, reach=2)
            got = plan.price, plan.many
            if plan.changes:
                plan.apply()
                for n in sizes: net(torch.zeros(1, 1, n))
                seen |= {type(v.op).__name__ for v in plan.changes}
        except SizeError as e: got = math.inf, 0
        assert got == best, (a, b, sizes, change)
    assert seen == {"Upsample", "AdaptiveAvgPool1d", "ConstantPad1d", "MaxPool1d"}

def unet():
    x = inputvertex("x", 1)
    s = "s" >> conv(x, 2)
    return Net(x, "o" >> conv("add" >> s + ("u" >> upsample("p" >> maxpool(s))), 1))

def test_an_upsampling_gets_the_size_that_is_missing_and_can_be_taken_back():
    net = unet()
    with pytest.raises(SizeError, match="What else may change if it is named in change: size of u; ceil_mode of p"): net.fit_maps((13, 12), change="output_padding")
    report = net.fit_maps((13, 12), change="size")
    assert report.summary.startswith("u: scale_factor 2 -> size 13 x 12") and net(torch.zeros(1, 1, 13, 12)).shape == (1, 1, 13, 12)
    with pytest.raises(SizeError, match=r"12 x 12 from s and 13 x 12 from u .the size that it is told"): net.plan_maps((12, 12), change=())
    report.undo()
    assert net["u"].op.size is None and net["u"].op.scale_factor == 2
    assert net(torch.zeros(1, 1, 12, 12)).shape == (1, 1, 12, 12)

def test_one_switch_rounds_all_axes():
    x = inputvertex("x", 1)
    net = Net(x, "p" >> maxpool(x))
    assert net.plan_maps((9, 8), (5, 4), change="ceil_mode").price == PRICES["ceil_mode"]
    with pytest.raises(SizeError): net.plan_maps((9, 9), (5, 4), change="ceil_mode")
    report = net.fit_maps((9, 8), (5, 4), change="ceil_mode")
    assert net["p"].op.ceil_mode and report.undo() and not net["p"].op.ceil_mode

class Functions(nn.Module):
    def __init__(self):
        super().__init__()
        self.c, self.d = nn.Conv2d(1, 4, 3, padding="same"), nn.Conv2d(4, 4, 4, padding="same")
    def forward(self, x):
        a = self.d(F.relu(self.c(x)))
        b = F.avg_pool2d(F.max_pool2d(a, 2), 3, 1, 1)
        return F.pad(a, (0, 0, 0, 0)) + F.interpolate(b, scale_factor=2.) + F.interpolate(a, size=(12, 12))[:, :, 0:]

def test_functions_of_an_import_take_part():
    net = Net.from_torch(Functions().eval(), torch.zeros(2, 1, 12, 12))
    report = net.fit_maps((13, 13), change=("size", "padding", "ceil_mode"))
    out = net(torch.rand(2, 1, 13, 13))
    assert out.shape[2:] == (13, 13) or out.shape[2:] == (12, 12)
    plain = net.to_torch()
    assert plain(torch.rand(2, 1, 13, 13)).shape == out.shape
    assert report.undo() and net(torch.rand(2, 1, 12, 12)).shape == (2, 4, 12, 12)

def test_same_becomes_a_number_only_where_it_changes():
    x = inputvertex("x", 1)
    net = Net(x, "b" >> conv("a" >> conv(x, 2, padding="same"), 1, padding="same"))
    old = net["b"].op.weight.detach().clone()
    net.fit_maps((9, 9), (7, 9), change="padding")
    assert sorted(str(net[n].op.padding) for n in "ab") == ["(0, 1)", "same"] and torch.equal(net["b"].op.weight, old)
    assert net(torch.zeros(1, 1, 9, 9)).shape == (1, 1, 7, 9)

def test_arguments_that_were_not_given_have_their_defaults():
    from naivenas.capture.calls import Call, Spot
    call = Call(torch.ops.aten.max_pool2d.default, [Spot(0), [2, 2]], {})
    assert arguments(call)["ceil_mode"] is False and with_arguments(call, {"padding": [1, 1]})[2:] == [[], [1, 1]]
    assert call.but(with_arguments(call, {"ceil_mode": True}))(torch.zeros(1, 1, 5, 5)).shape[2:] == (3, 3)
