"What counts the positions of a map follows it: against slices and interpolations that are written out here"
import copy, pytest, torch
from torch import nn
from torch.nn import functional as F
from naivenas import Net, SizeError, cat, conv, flatten, inputvertex, layer, linear, maxpool, relu

def flattened():
    x = inputvertex("x", 1)
    both = cat(flatten("m" >> maxpool(relu("c" >> conv(x, 2)), 4), 12), "side" >> flatten(maxpool(conv(x, 3), 13), 1))
    return Net(x, "y" >> linear(relu("norm" >> layer(nn.BatchNorm1d(27), both)), 3))

def test_columns_of_positions_that_stay_are_kept():
    torch.manual_seed(0)
    net = flattened()
    net.train()(torch.rand(8, 1, 13, 17)); net.eval()
    old = copy.deepcopy(net)
    with pytest.raises(SizeError, match="flatten1 needs 12 positions of m, which has 5 x 6, for y has weights for each .follow='grow'"):
        net.fit_maps((20, 24), reach=0)
    report = net.fit_maps((20, 24), follow="grow", held=["*"])
    assert net["y"].op.in_features == 2 * 30 + 3 * 1 and "y: takes 63 features, not 27" in report.summary
    image = torch.rand(2, 1, 20, 24)
    maps = lambda n: (F.max_pool2d(F.relu(n["c"].op(image)), 4), F.max_pool2d(n[n["side"].inputs[0].inputs[0].name].op(image), 13))
    m, side = maps(net)
    was = torch.cat([m[..., :3, :4].flatten(1), side.flatten(1)], 1)
    features = torch.relu(old["norm"].op(was))
    assert torch.allclose(net(image), old["y"].op(features), atol=1e-5), "new positions are read with zeros"
    report.undo()
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), old.state_dict().values()))
    assert net["flatten1"].nout == 24 and torch.equal(net(image[..., :13, :17]), old(image[..., :13, :17]))

def test_fewer_positions_and_back_through_a_file_of_weights():
    net = Net(x := inputvertex("x", 1), "y" >> linear(flatten("c" >> conv(x, 2), 30), 3))
    weight = net["y"].op.weight.detach().clone().view(3, 2, 5, 6)
    optimizer, twin = torch.optim.Adam(net.parameters()), copy.deepcopy(net)
    net.track(optimizer, twin)
    net(torch.rand(2, 1, 5, 6)).sum().backward(); optimizer.step()
    now, memory = (t.detach().clone().view(3, 2, 5, 6) for t in (net["y"].op.weight, optimizer.state[net["y"].op.weight]["exp_avg"]))
    net.fit_maps((4, 8), follow="grow")
    new = net["y"].op.weight.view(3, 2, 4, 8)
    assert torch.equal(new[..., :6], now[:, :, :4]) and new[..., 6:].abs().sum() == 0 and not torch.equal(now, weight)
    assert torch.equal(optimizer.state[net["y"].op.weight]["exp_avg"].view(3, 2, 4, 8)[..., :6], memory[:, :, :4])
    assert twin["y"].op.in_features == 64 and twin(torch.rand(1, 1, 4, 8)).shape == (1, 3)
    net(torch.rand(2, 1, 4, 8)).sum().backward(); optimizer.step()
    net.resize("c", -1)
    assert net(torch.rand(1, 1, 4, 8)).shape == (1, 3) and net["y"].op.in_features == 32

class Transformer(nn.Module):
    def __init__(self, token=True, last=False, block=False):
        super().__init__()
        self.patch, self.token, self.last = nn.Conv2d(3, 12, 4, 4), nn.Parameter(torch.zeros(1, 1, 12)) if token else None, last
        self.table, self.norm = nn.Parameter(torch.randn(1, 16 + token, 12)), nn.LayerNorm(12)
        self.block = nn.TransformerEncoderLayer(12, 3, 24, 0., batch_first=True) if block else nn.GELU()
        self.out = nn.Linear(12, 5)
    def forward(self, x):
        t = self.patch(x).flatten(2).transpose(1, 2)
        if self.token is not None: t = torch.cat([t, self.token.expand(len(t), -1, -1)][::1 if self.last else -1], 1)
        return self.out(self.norm(self.block(t + self.table))[:, 0])

@pytest.mark.parametrize("token, last", [(False, False), (True, False), (True, True)])
def test_tables_are_scaled_like_pictures_or_grow(token, last):
    torch.manual_seed(1)
    module = Transformer(token, last, last).eval()      # attention writes the number of positions down
    net = Net.from_torch(module, torch.zeros(2, 3, 16, 16), share=False)
    rows = module.table.detach()[0]
    extra, grid = (rows[16:], rows[:16]) if last else (rows[:token], rows[token:])
    picture = grid.T.reshape(1, 12, 4, 4)
    with pytest.raises(SizeError, match=f"reads the table table with {16 + token} rows .follow='resample' or 'grow'"):
        net.fit_maps((24, 20), held=["*"])
    scaled = F.interpolate(picture, size=(6, 5), mode="bicubic", align_corners=False)
    grown = F.pad(picture, (0, 1, 0, 2))
    for how, want in ("resample", scaled), ("grow", grown):
        report = net.fit_maps((24, 20), held=["*"], follow=how)
        value, want = net["table"].op.value.detach()[0], want.reshape(12, 30).T
        parts = [want, extra] if last else [extra, want]
        assert torch.allclose(value, torch.cat(parts), atol=1e-5)
        assert net(torch.rand(2, 3, 24, 20)).shape == (2, 5) and "positions" in report.summary
        net.to_torch()(torch.rand(2, 3, 24, 20))
        report.undo()
    assert torch.equal(net["table"].op.value, module.table)

class Laid(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch, self.table, self.out = nn.Conv2d(1, 6, 2, 2), nn.Parameter(torch.randn(1, 4, 4, 6)), nn.Conv2d(6, 2, 1)
    def forward(self, x): return self.out((self.patch(x).permute(0, 2, 3, 1) + self.table).permute(0, 3, 1, 2))

class Mixed(Laid):
    def forward(self, x): return (self.patch(x).flatten(2).softmax(2).transpose(1, 2) + self.table.flatten(1, 2)).mean(1)

def test_a_table_that_is_laid_out_as_a_map_and_one_that_is_behind_a_mixture():
    net = Net.from_torch(Laid().eval(), torch.zeros(2, 1, 8, 8))
    before = net["table"].op.value.detach().clone()
    net.fit_maps((8, 12), follow="grow")
    assert torch.equal(net["table"].op.value[:, :, :4], before) and net(torch.rand(2, 1, 8, 12)).shape == (2, 2, 4, 6)
    net = Net.from_torch(Mixed().eval(), torch.zeros(2, 1, 8, 8))
    text = str(net)
    with pytest.raises(SizeError): net.fit_maps((8, 12), follow="grow", held=["*"])
    assert str(net) == text

def test_several_sizes_need_one_map_where_something_follows():
    net = Net.from_torch(Transformer().eval(), torch.zeros(2, 3, 16, 16))
    with pytest.raises(SizeError, match="the same map for all"): net.fit_maps([(24, 20), (32, 32)], held=["*"], follow="grow")
    net.fit_maps([(24, 20), (25, 21)], held=["*"], follow="grow")
    assert net(torch.rand(2, 3, 24, 20)).shape == net(torch.rand(2, 3, 25, 21)).shape == (2, 5)
    with pytest.raises(ValueError, match="'grow' or 'resample', not 'yes'"): net.plan_maps((9, 9), follow="yes")
