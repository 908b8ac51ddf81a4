"Ten imported nets, each a kind of its own: pictures, texts, plans and panels of all of them work"
import re
import pytest, torch
from torch import nn
from torch.nn import functional as F
from naivenas import Net, explore
from naivenas.graph.fold import fold

def mlp(d): return nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

class Attention(nn.Module):
    def __init__(self, d=8, heads=2):
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(d, 3 * d), nn.Linear(d, d)
    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        a = (q @ k.transpose(-2, -1) * (d // self.heads) ** -.5).softmax(-1)
        return self.out((a @ v).transpose(1, 2).reshape(b, n, d))

class Block(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.norm1, self.attention, self.norm2, self.mlp = nn.LayerNorm(d), Attention(d), nn.LayerNorm(d), mlp(d)
    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))

class ViT(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.patches, self.token, self.places = nn.Conv2d(3, d, 4, 4), nn.Parameter(torch.zeros(1, 1, d)), nn.Parameter(torch.zeros(1, 5, d))
        self.block, self.head = Block(d), nn.Linear(d, 5)
    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.block(torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places)[:, 0])

class Swin(nn.Module):
    "Attention in windows, which are shifted"
    def __init__(self, d=8):
        super().__init__()
        self.patches, self.block, self.head = nn.Conv2d(3, d, 2, 2), Block(d), nn.Linear(d, 5)
    def forward(self, x):
        x = torch.roll(self.patches(x).permute(0, 2, 3, 1), (-1, -1), (1, 2))
        b, h, w, d = x.shape
        x = x.view(b, h // 2, 2, w // 2, 2, d).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, d)
        return self.head(self.block(x).view(b, -1, d).mean(1))

class Llama(nn.Module):
    "Rotated positions, a mask, a gated product"
    def __init__(self, d=8, heads=2):
        super().__init__()
        self.heads, self.words = heads, nn.Embedding(11, d)
        self.q, self.k, self.v, self.o = (nn.Linear(d, d, bias=False) for _ in range(4))
        self.gate, self.up, self.down, self.norm, self.head = nn.Linear(d, 12), nn.Linear(d, 12), nn.Linear(12, d), nn.RMSNorm(d), nn.Linear(d, 11)
    def forward(self, x):
        b, n = x.shape
        h = self.words(x)
        angle = torch.arange(n)[:, None] / 100. ** (torch.arange(2) / 2.)
        cos, sin = torch.cat([angle.cos()] * 2, -1), torch.cat([angle.sin()] * 2, -1)
        def turned(t): return t * cos + torch.cat([-t[..., 2:], t[..., :2]], -1) * sin
        q, k, v = (f(self.norm(h)).view(b, n, self.heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
        h = h + self.o(F.scaled_dot_product_attention(turned(q), turned(k), v, is_causal=True).transpose(1, 2).reshape(b, n, -1))
        return self.head(h + self.down(F.silu(self.gate(self.norm(h))) * self.up(self.norm(h))))

class Yolo(nn.Module):
    "Parts of a split, pools side by side, two scales"
    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b, self.mix = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(12, 8, 1), nn.Conv2d(24, 8, 1)
        self.near, self.far = nn.Conv2d(16, 6, 1), nn.Conv2d(8, 6, 1)
    def forward(self, x):
        x = F.silu(self.stem(x))
        a, b = x.chunk(2, 1)
        x = self.b(torch.cat([a, b, self.a(b) + b], 1))
        p = F.max_pool2d(x, 3, 1, 1)
        y = self.mix(torch.cat([x, p, F.max_pool2d(p, 3, 1, 1)], 1))
        small = F.max_pool2d(y, 2)
        return self.near(torch.cat([x, F.interpolate(small, scale_factor=2)], 1)).flatten(2), self.far(small).flatten(2)

class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.low, self.up, self.end = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1), nn.ConvTranspose2d(8, 4, 2, 2), nn.Conv2d(8, 2, 1)
    def forward(self, x):
        a = F.relu(self.down(x))
        return self.end(torch.cat([a, self.up(F.relu(self.low(F.max_pool2d(a, 2))))], 1))

class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.lstm, self.tags = nn.Embedding(20, 6), nn.LSTM(6, 5, batch_first=True, bidirectional=True), nn.Linear(10, 4)
    def forward(self, x): return self.tags(self.lstm(self.words(x))[0])

class GNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.out = nn.Linear(3, 8), nn.Linear(8, 8), nn.Linear(8, 2)
    def forward(self, x, edges):
        for layer in self.one, self.two:
            h = layer(x)
            x = F.relu(h + torch.zeros_like(h).index_add(0, edges[1], h[edges[0]]))
        return self.out(x)

class Mixed(nn.Module):
    "Some two hundred vertices of many kinds, with numbers between them"
    def __init__(self, many=12):
        super().__init__()
        self.stem, self.convs = nn.Conv2d(3, 8, 3, padding=1), nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(many))
        self.norms, self.gates = nn.ModuleList(nn.GroupNorm(2, 8) for _ in range(many)), nn.ModuleList(nn.Conv2d(8, 8, 1) for _ in range(many))
        self.head = nn.Linear(8, 5)
    def forward(self, x):
        x = self.stem(x)
        for conv, norm, gate in zip(self.convs, self.norms, self.gates):
            y = torch.sigmoid(gate(x.mean((2, 3), keepdim=True))) * conv(F.relu(norm(x)))
            y = y.view(y.shape[0], 2, 4, y.shape[2], y.shape[3]).transpose(1, 2).reshape(x.shape)
            x = x + y / (1 + x.shape[2]) - F.avg_pool2d(y, 3, 1, 1).abs()
        return self.head(x.mean((2, 3)))

def cnn(): return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
def autoencoder(): return nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 6, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(6, 4, 2, 2), nn.ReLU(), nn.ConvTranspose2d(4, 1, 2, 2))
def image(channels=3, side=8): return (torch.zeros(2, channels, side, side),)
def tokens(): return (torch.zeros(2, 6, dtype=torch.long),)

NETS = dict(cnn=(cnn, image()), vit=(ViT, image()), swin=(Swin, image()), llama=(Llama, tokens()), yolo=(Yolo, image(side=16)), unet=(UNet, image(1)),
            autoencoder=(autoencoder, image(1)), tagger=(Tagger, tokens()), gnn=(GNN, (torch.zeros(4, 3), torch.zeros(2, 5, dtype=torch.long))), mixed=(lambda: Mixed(3), image()), large=(Mixed, image()))

@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*list(NETS)[:-1], pytest.param("large", marks=pytest.mark.slow)])
def test_a_net_opens_unfolds_plans_and_is_saved(name, tmp_path):
    torch.manual_seed(0)
    make, x = NETS[name]
    net = Net.from_torch(make().eval(), *x)
    assert name != "large" or len(net) > 190
    whole = net.draw(fold=None).svg
    assert whole.count("data-v=") == len(net) and net.html().endswith("</html>") and max(map(len, repr(net).splitlines())) <= 80
    panel = explore(net, example=x)
    panel.widget
    for box in re.findall(r'data-v="([^"]*)"', panel.canvas.svg):         # every box is clicked, and what is in the first of them
        panel.canvas.clicked = [box, 1]
        assert not panel.failed and panel.error is None and "parameters" in panel.counts()
    panel.canvas.clicked = [panel.graph.names[len(net) // 2], 2]
    done = 0
    for v in [v for v in net if v.role.makes and v not in net.outputs][:4]:
        panel.canvas.clicked = [v.name, 3]
        panel.how_big.value = max(v.nout - 2, 1)
        assert not panel.failed and (panel.plan or panel.error)
        if panel.plan is None and panel.offers.children: panel.offers.children[0].click()      # what can be had instead
        done += panel.plan is not None
    assert done and "<img" in panel.still()
    panel.picture().save(tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_text().startswith("<svg")

def test_layers_of_an_imported_transformer_are_one_box():
    "Although each of them asks for the length of the batch at another distance from where it is known"
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.qkv, self.out = nn.LayerNorm(12), nn.Linear(12, 36), nn.Linear(12, 12)
        def forward(self, x, batch):
            q, k, v = self.qkv(self.norm(x)).view(batch, -1, 3, 2, 6).permute(2, 0, 3, 1, 4)
            return x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, -1, 12))
    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers, self.head = nn.ModuleList(Layer() for _ in range(9)), nn.Linear(12, 3)
        def forward(self, x):
            batch = x.shape[0]
            for layer in self.layers: x = layer(x, batch)
            return self.head(x)
    net = Net.from_torch(Encoder(), torch.zeros(2, 5, 12))
    folded = fold(net)
    assert max(box.times for box in folded) == 9 and len(folded) < 8
    inside = fold(net, unfold="layers.4.out")
    assert any(box.name == "layers.4.out" for box in inside) and len(inside) < 60
