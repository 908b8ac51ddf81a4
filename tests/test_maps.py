"Feature maps that fit: against PyTorch's own shapes, against trying everything, and on nets that run afterwards"
import copy, importlib.util, random
from pathlib import Path
import numpy as np, pytest, torch
from torch import nn
from torch.nn import functional as F
from naivenas import Net, SizeError, avgpool, cat, conv, convtranspose, flatten, globalpool, inputvertex, layer, linear, maxpool, relu

spec = importlib.util.spec_from_file_location("maps", Path(__file__).parent.parent / "bench" / "maps.py")
bench = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bench)      # the same measurements in large

def test_layers_as_in_torch():
    odd, refused = bench.settings(1500, seed=1)
    assert odd == [] and refused > 300

def test_nearest_is_what_trying_everything_finds():
    assert bench.brute(4, seed=5) == []

def test_random_autoencoders_and_unets_are_repaired_and_run():
    found = bench.repairs(6, seed=2)
    assert all(fitted is True for *_, fitted in found) and len({kind for kind, *_ in found}) == 2

@pytest.mark.slow
def test_many():
    assert bench.brute(100, seed=9) == [] and all(fitted for *_, fitted in bench.repairs(100, seed=9))

def coder(dim=2, stride=2):
    x = inputvertex("x", 1)
    code = "code" >> relu("down" >> conv(x, 4, k=3, stride=stride, dim=dim))
    return Net(x, "y" >> convtranspose(code, 1, k=max(stride, 2), stride=stride, dim=dim))

def test_one_answer_for_several_sizes():
    net = coder()
    report = net.fit_maps([(9, 11), (13, 7), 21], "input")
    for shape in (9, 11), (13, 7), (21, 21): assert net(torch.zeros(1, 1, *shape)).shape[2:] == shape
    assert len(report.table) == 3 * len(net)
    with pytest.raises(SizeError, match=r"y is to have .* \(where .* goes in\)"): net.fit_maps([(9, 9), (8, 8)], "input")
    two = Net(x := inputvertex("x", 1), "b" >> conv("a" >> conv(x, 1), 1))
    with pytest.raises(SizeError, match="a is to have 9 x 9, and has 9 x 9, and has to go on fitting; b is to have 7 x 7"):
        two.fit_maps((9, 9), {"a": (9, 9), "b": (7, 7)}, held=["b"])

def test_strides_stay_unless_they_are_named():
    with pytest.raises(SizeError): coder().plan_maps([(9, 9), (8, 8)], "input")
    plan = coder().plan_maps([(9, 9), (8, 8)], "input", change=("stride", "padding", "kernel_size"))
    assert {key for how in plan.changes.values() for key in how} >= {"stride"}
    with pytest.raises(SizeError):
        coder().plan_maps([(9, 9), (8, 8)], "input", change=("stride", "padding", "kernel_size"), subsampled=["code"], held=["y"])

def test_prices_and_held_layers_decide():
    assert {v.name for v in coder().plan_maps((9, 9), "input").changes} == {"y"}
    free = coder().plan_maps((9, 9), "input", prices={"output_padding": 9, "padding": 9, "dilation": 9})
    assert [*free.changes.values()] == [{"kernel_size": (2, 2)}] or all(set(how) == {"kernel_size"} for how in free.changes.values())
    with pytest.raises(SizeError, match="y is to have 9 x 9, and has 10 x 10. What fits as it is: 10 x 10"):
        coder().plan_maps((9, 9), "input", held=["*"])
    for wrong in dict(change="kernelsize"), dict(prices={"padding": 0}):
        with pytest.raises(ValueError): coder().plan_maps((9, 9), "input", **wrong)
    for shape in (9, -1), (9, 9.), "9", []:
        with pytest.raises((ValueError, TypeError)): coder().plan_maps(shape)

def test_everything_follows_and_can_be_taken_back():
    net = Net(x := inputvertex("x", 1), "up" >> convtranspose(maxpool(x), 1))
    twin, optimizer = copy.deepcopy(net), torch.optim.Adam(net.parameters())
    net.track(optimizer, twin)
    image = torch.rand(2, 1, 8, 8)
    net(image).sum().backward(); optimizer.step()
    before, memory = net(image).detach(), optimizer.state[net["up"].op.weight]["exp_avg"].clone()
    state = {k: t.clone() for k, t in net.state_dict().items()}
    report = net.fit_maps((9, 9), "input")
    weight = net["up"].op.weight
    assert weight.shape[2:] == twin["up"].op.weight.shape[2:] == weight.grad.shape[2:] == (3, 3)
    assert torch.equal(optimizer.state[weight]["exp_avg"][..., :2, :2], memory)
    assert torch.equal(net(image)[..., :8, :8], before), "the taps of the kernel have stayed in place"
    net(torch.rand(2, 1, 9, 9)).sum().backward(); optimizer.step()
    net.resize("x", 0)
    with pytest.raises(RuntimeError, match="changed since"): report.undo()

def test_undo_is_exact():
    net = coder()
    state, image = {k: t.clone() for k, t in net.state_dict().items()}, torch.rand(1, 1, 8, 8)
    before = net(image)
    report = net.fit_maps((9, 9), "input", change="kernel_size", sound=False)
    assert any(t.shape != state[k].shape for k, t in net.state_dict().items())
    report.undo()
    assert all(torch.equal(t, state[k]) for k, t in net.state_dict().items()) and torch.equal(net(image), before)

def test_a_kernel_that_grows_in_front_reads_the_same():
    "Padding and kernel grow by one: the new tap comes first, and the first of the old places is where it was"
    net = Net(x := inputvertex("x", 2), "c" >> conv(x, 3, k=3, padding=1, stride=2, dim=1))
    data = torch.rand(4, 2, 11)
    before = net(data)
    net.set("c", kernel_size=4, padding=2)
    assert torch.allclose(net(data)[..., :before.shape[2]], before, atol=1e-6)

def test_a_refusal_names_who_is_in_whose_way_and_changes_nothing():
    x = inputvertex("x", 1)
    skip, up = "skip" >> conv(x, 2), "up" >> convtranspose("pool" >> maxpool(x), 2)
    net = Net(x, ["out" >> conv("add" >> up + skip, 1), "other" >> conv("sum" >> skip + conv(x, 2), 1)])
    version, text = net.version, str(net)
    with pytest.raises(SizeError) as e: net.fit_maps((13, 13), change="padding", held=["up", "skip"])
    assert [names for _, names, _ in e.value.conflict] == [["add"]]
    assert "add meets 12 x 12 from up and 13 x 13 from skip" in str(e.value) and "14 x 14" in str(e.value)
    assert net.version is version and str(net) == text

def test_flattened_maps_keep_their_positions():
    x = inputvertex("x", 1)
    net = Net(x, linear(flatten("m" >> maxpool(relu("c" >> conv(x, 2)), 4), 12), 3))
    for shape in (13, 17), (19, 17), (14, 30):
        report = net.fit_maps(shape)
        assert net(torch.zeros(1, 1, *shape)).shape == (1, 3)
    with pytest.raises(SizeError, match="needs 12 positions of m"): net.fit_maps((60, 60), change="padding")

def test_pixels_that_are_lost_are_those_that_no_gradient_reaches():
    r = random.Random(0)
    for _ in range(12):
        k, s, n = r.randint(1, 4), r.randint(1, 4), r.randint(8, 14)
        x = inputvertex("x", 1)
        net = Net(x, "c" >> conv(x, 1, k=k, stride=s, padding=r.randint(0, k - 1)))
        nn.init.ones_(net["c"].op.weight)
        image = torch.zeros(1, 1, n, n + 1, requires_grad=True)
        net(image).sum().backward()
        assert net.maps((n, n + 1)).loc["c", "unread"] == int((image.grad == 0).sum())
        up = Net(x, "c" >> convtranspose(x, 1, k=k, stride=s, bias=False))
        nn.init.ones_(up["c"].op.weight)
        assert up.maps((n, n)).loc["c", "bare"] == int((up(torch.ones(1, 1, n, n)) == 0).sum())

def test_what_a_position_sees_is_what_its_gradient_reaches():
    r = random.Random(1)
    for _ in range(8):
        x = v = inputvertex("x", 1)
        for _ in range(3): v = r.choice((lambda v: conv(v, 1, k=r.choice((1, 2, 3)), stride=r.choice((1, 2)), dilation=1, dim=1), lambda v: avgpool(v, 2, r.choice((1, 2)), dim=1)))(v)
        net, image = Net(x, v), torch.zeros(1, 1, 90, requires_grad=True)
        for p in net.parameters(): nn.init.ones_(p)
        out = net(image)
        out[0, 0, out.shape[2] // 2].backward()
        reached = np.flatnonzero(image.grad[0, 0])
        assert int(net.maps((90,)).loc[v.name, "sees"]) == reached[-1] - reached[0] + 1

def test_sizes_that_fit_are_those_that_run():
    net = coder(1, 3)
    found = net.sizes_that_fit((20,), "input", reach=10)
    runs = [n for n in range(1, 31) if net(torch.zeros(1, 1, n)).shape[2] == n]
    assert found.along == [runs] and found.multiple_of == [(3, 3)] and found.nearest[0] == (21,)

class UNet(nn.Module):
    def __init__(self, resize=False):
        super().__init__()
        self.resize = resize
        self.a, self.b, self.p = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, 2, 1), nn.MaxPool2d(2, ceil_mode=True)
        self.m, self.up = nn.Conv2d(8, 8, 3, padding="same"), nn.ConvTranspose2d(8, 8, 2, 2)
        self.up2, self.o = nn.ConvTranspose2d(16, 4, 3, 2, 1, 1), nn.Conv2d(8, 1, 1)
    def forward(self, x):
        a = F.relu(self.a(x))
        b = self.b(a)
        u = self.up(self.m(self.p(b)))
        if self.resize: u = F.pad(u, [0, b.shape[3] - u.shape[3], 0, b.shape[2] - u.shape[2]])
        v = self.up2(torch.cat([u, b], 1))
        if self.resize: v = F.interpolate(v, size=a.shape[2:])
        return self.o(torch.cat([v, a], 1))

class Patches(nn.Module):
    def __init__(self):
        super().__init__()
        self.c, self.pos, self.l = nn.Conv2d(3, 12, 4, 4), nn.Parameter(torch.zeros(1, 16, 12)), nn.Linear(12, 5)
    def forward(self, x): return self.l((self.c(x).flatten(2).transpose(1, 2) + self.pos).mean(1))

class Volumes(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Sequential(nn.Conv3d(1, 2, 3, stride=2), nn.BatchNorm3d(2), nn.ReLU(), nn.AvgPool3d(2))
        self.d = nn.Sequential(nn.ConvTranspose3d(2, 2, 2, stride=2), nn.GELU(), nn.ConvTranspose3d(2, 1, 3, stride=2))
    def forward(self, x): return self.d(self.e(x))

@pytest.mark.parametrize("module, example, shape, changes", [
    (UNet(), (24, 32), (101, 77), True), (UNet(True), (25, 31), (101, 77), False), (Patches(), (16, 16), (20, 18), True), (Volumes(), (11, 11, 11), (12, 9, 14), True)],
    ids=["unet", "unet that resizes", "patches", "volumes"])
def test_imports(module, example, shape, changes):
    channels = next(m for m in module.modules() if isinstance(m, (nn.Conv2d, nn.Conv3d))).in_channels
    net = Net.from_torch(module.eval(), torch.zeros(2, channels, *example))
    wanted = None if isinstance(module, Patches) else "input"
    report = net.fit_maps(shape, wanted)
    out = net(torch.zeros(2, channels, *shape))
    assert bool(report.plan.changes) == changes and (wanted is None or out.shape[2:] == shape)
    assert net.maps().loc[net.inputs[0].name, "map"] == " x ".join(map(str, shape))
    net.to_torch()(torch.zeros(2, channels, *shape))

def test_the_text_says_what_is_no_default():
    x = inputvertex("x", 4)
    v = conv(maxpool(conv(x, 8, k=3, stride=3), 3, stride=1, padding=1), 8, padding=0)
    text = Net(x, convtranspose(layer(nn.MaxPool2d(2, ceil_mode=True), v), 8, k=3, padding=1)).text(full=True)
    for said in "k=3, stride=3)", "k=3, stride=1, padding=1)", "k=3, padding=0)", "k=2, ceil_mode=True)", "k=3, stride=2, padding=1)": assert said in text

def test_a_decoder_behind_a_bottleneck_is_followed():
    module = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 6), nn.Linear(6, 64), nn.Unflatten(1, (4, 4, 4)), nn.ConvTranspose2d(4, 1, 2, 2))
    net = Net.from_torch(module.eval(), torch.zeros(2, 1, 8, 8))
    report = net.fit_maps((9, 9), "input")
    assert net(torch.zeros(2, 1, 9, 9)).shape == (2, 1, 9, 9) and net.maps().loc["0", "map"] == "4 x 4"
