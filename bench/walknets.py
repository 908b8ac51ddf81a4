"The nets of walk.py, hand-written and imported: `NETS`, and the optimizers that train them: `OPTIMIZERS`"
import random

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from naivenas import (Net, attention, batchnorm, bilinear, cat, conv, convtranspose, dropout, embedding, flatten, globalpool, groupnorm, gru, inputvertex,
                      instancenorm, last, layer, layernorm, linear, lstm, maxpool, pixelshuffle, pixelunshuffle, relu, rmsnorm, shuffle, sigmoid, split,
                      tanh, upsample)
from randomnets import random_net

IMAGE, ROWS, SEQUENCE, WORDS = "image", "rows", "sequence", "words"

def example(kind, n=4, batch=7, size=8):
    "A value for one input"
    if kind == IMAGE: return torch.randn(batch, n, size, size)
    if kind == ROWS: return torch.randn(batch, n)
    if kind == SEQUENCE: return torch.randn(batch, 5, n)
    return torch.randint(0, 9, (batch, 5))

HAND, TORCH, NETS = {}, {}, {}

def hand(*kinds):
    "Registers a net that is written with the package's own layers: a function from input vertices to outputs"
    def add(f): HAND[f.__name__] = f, kinds or (IMAGE,)
    return add

def imported(*kinds):
    "Registers a module that is imported"
    def add(cls): TORCH[cls.__name__.lower()] = cls, kinds or (IMAGE,); return cls
    return add

def head(v, n=3): return "y" >> linear(globalpool(v), n)

# ------------------------------------------------------------------------------------------------------------- hand-written

@hand()
def plain(x): return head(relu(batchnorm("c2" >> conv(maxpool(relu("c1" >> conv(x, 6))), 5))))

@hand()
def grouped(x): return head(relu("g2" >> conv(batchnorm("g1" >> conv(relu("c" >> conv(x, 8)), 12, groups=4)), 6, groups=2)))

@hand()
def depthwise(x):
    c = relu("c" >> conv(x, 5, k=1))
    d = batchnorm("d" >> conv(c, 5, groups=5))
    return head(c + ("p" >> conv(relu(d), 5, k=1))) , "z" >> linear(globalpool("m" >> conv(c, 10, groups=5)), 2)

@hand()
def parts(x):
    a, b, c = split("c" >> conv(x, 9), [3, 3, 3])
    return head(cat("g" >> a * sigmoid(b), conv(c, 4), a))

@hand(SEQUENCE)
def attending(x):
    h = "h" >> linear(x, 6)
    h = h + ("o" >> linear(attention(h, 2, size=3, causal=True), 6))
    return "y" >> linear(h + ("f2" >> linear(relu("f1" >> linear(h, 8)), 6)), 3)

@hand(SEQUENCE)
def normed(x):
    h = "h" >> linear(x, 6)
    h = h + ("o" >> linear(attention(layernorm(h), 2, size=2), 6))
    return "y" >> linear(rmsnorm(h + ("f2" >> linear(relu("f1" >> linear(layernorm(h), 8)), 6))), 3)

@hand(SEQUENCE)
def recurrent(x): return "y" >> linear(last("l" >> lstm("h" >> linear(x, 4), 5, num_layers=2, bidirectional=True)), 3)

@hand(SEQUENCE)
def gated(x): return "y" >> linear(cat("g" >> gru("h" >> linear(x, 4), 5), "h2" >> linear(x, 3), axis=-1), 3)

@hand(SEQUENCE)
def projected(x): return "y" >> linear("l" >> lstm("h" >> linear(x, 4), 6, proj_size=4), 3)

@hand(WORDS)
def tied(x):
    e = "e" >> embedding(x, 6, 9)
    out = nn.Linear(6, 9, bias=False)
    out.weight = e.op.weight
    return "y" >> layer(out, "m" >> linear(relu("f" >> linear(e, 7)), 6) + e)

@hand(IMAGE, IMAGE)
def twins(x, y):
    c, d = nn.Conv2d(4, 6, 3, padding=1), nn.Conv2d(6, 5, 1)
    a, b = ("d" + n >> layer(d, relu("c" + n >> layer(c, v))) for n, v in (("1", x), ("2", y)))
    return head(cat(a - b, a * b))

@hand()
def bottle(x):
    a = relu("a" >> conv(x, 5))
    b = relu("b" >> conv(a, 7, stride=2))
    return "y" >> conv(cat(a, relu("t" >> convtranspose("b2" >> conv(b, 6), 4)), upsample(b)), 2, k=1)

@hand()
def transposed(x):
    t = "t2" >> convtranspose(relu("t1" >> convtranspose("c" >> conv(x, 6, stride=2), 6, groups=3)), 4, k=3, stride=1, padding=1)
    return "y" >> conv(t, 2)

@hand()
def groupnormed(x): return head(relu(groupnorm("c2" >> conv(relu(groupnorm("c1" >> conv(x, 8), 4)), 6), 2)))

@hand()
def shuffled(x):
    s = "s" >> pixelshuffle("c" >> conv(x, 12))
    return head("u2" >> conv(pixelunshuffle(relu(s)), 5)), "z" >> conv(shuffle("w" >> conv(x, 6, groups=2), 2), 2)

@hand()
def instances(x): return "y" >> linear(flatten(layer(nn.PReLU(5), instancenorm("c" >> conv(x, 5, stride=2))), 16), 3)

@hand(ROWS, ROWS)
def products(x, y):
    a = tanh("a" >> linear(x, 6))
    g = layer(nn.GLU(1), "w" >> linear(y, 8))
    return "z" >> linear(dropout("b" >> bilinear(a, g, 5)), 3)

@hand()
def hooked(x):
    c = relu("c" >> conv(x, 6))
    c.op.register_forward_hook(_doubled)
    d = "d" >> conv(c, 5)
    d.op.register_forward_pre_hook(_halved)
    return head(d)

def _doubled(module, args, out): return 2 * out
def _halved(module, args): return (args[0] / 2,)

@hand(ROWS)
def weightnormed(x): return "y" >> linear(relu("c" >> linear(relu("b" >> layer(weight_norm(nn.Linear(6, 7)), "a" >> linear(x, 6))), 5)), 3)

@hand()
def spectral(x): return head(relu("c" >> conv(relu("b" >> layer(spectral_norm(nn.Conv2d(6, 5, 3, padding=1)), "a" >> conv(x, 6))), 5)))

@hand(ROWS)
def masked(x):
    b = nn.Linear(6, 7)
    prune.l1_unstructured(b, "weight", .4)
    return "y" >> linear(relu("c" >> linear(relu("b" >> layer(b, "a" >> linear(x, 6))), 5)), 3)

@hand(ROWS)
def parametrized(x): return "y" >> linear(relu("c" >> linear(relu("b" >> layer(parametrizations.weight_norm(nn.Linear(6, 7)), "a" >> linear(x, 6))), 5)), 3)

# ----------------------------------------------------------------------------------------------------------------- imported

def C(i, o, k=3, **how): return nn.Conv2d(i, o, k, padding=k // 2, **how)

@imported()
class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.bn, self.b, self.c, self.bn2, self.y = C(4, 6), nn.BatchNorm2d(6), C(6, 5), C(5, 6), nn.BatchNorm2d(6), nn.Linear(6, 3)
    def forward(self, x):
        h = self.bn(self.a(x)).relu()
        return self.y((h + self.bn2(self.c(self.b(h).relu()))).relu().mean((2, 3)))

@imported()
class Inverted(nn.Module):
    "Depthwise convolutions with squeeze and excitation"
    def __init__(self):
        super().__init__()
        self.a, self.e, self.d, self.n = C(4, 5), C(5, 10, 1), C(10, 10, groups=10), nn.BatchNorm2d(10)
        self.s1, self.s2, self.p, self.y = nn.Conv2d(10, 3, 1), nn.Conv2d(3, 10, 1), C(10, 5, 1), nn.Linear(5, 3)
    def forward(self, x):
        h = self.a(x)
        d = F.silu(self.n(self.d(F.silu(self.e(h)))))
        s = torch.sigmoid(self.s2(F.relu(self.s1(d.mean((2, 3), keepdim=True)))))
        return self.y((h + self.p(d * s)).mean((2, 3)))

@imported()
class Dense(nn.Module):
    def __init__(self): super().__init__(); self.a, self.b, self.c, self.n, self.y = C(4, 4), C(4, 3), C(7, 3), nn.BatchNorm2d(10), nn.Linear(10, 3)
    def forward(self, x):
        a = self.a(x); b = self.b(a.relu()); c = self.c(torch.cat([a, b], 1).relu())
        return self.y(F.adaptive_avg_pool2d(self.n(torch.cat([a, b, c], 1)), 1).flatten(1))

@imported()
class Shuffle(nn.Module):
    def __init__(self): super().__init__(); self.a, self.b, self.c, self.y = C(4, 8), C(4, 4), C(8, 6, groups=2), nn.Conv2d(6, 2, 1)
    def forward(self, x):
        a, b = self.a(x).chunk(2, 1)
        h = torch.cat([a, self.b(b).relu()], 1)
        n, c, p, q = h.shape
        return self.y(self.c(h.view(n, 2, c // 2, p, q).transpose(1, 2).reshape(n, c, p, q)))

@imported(SEQUENCE)
class Heads(nn.Module):
    def __init__(self): super().__init__(); self.h, self.qkv, self.o, self.f1, self.f2, self.y = (nn.Linear(i, o) for i, o in ((4, 6), (6, 18), (6, 6), (6, 9), (9, 6), (6, 3)))
    def forward(self, x):
        b, t, _ = x.shape
        h = self.h(x)
        q, k, v = self.qkv(h).view(b, t, 3, 3, 2).permute(2, 0, 3, 1, 4)
        h = h + self.o(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, -1))
        return self.y(h + self.f2(F.gelu(self.f1(h))))

@imported(SEQUENCE)
class Encoder(nn.Module):
    def __init__(self): super().__init__(); self.h, self.e, self.y = nn.Linear(4, 6), nn.TransformerEncoderLayer(6, 2, 9, 0., batch_first=True), nn.Linear(6, 3)
    def forward(self, x): return self.y(self.e(self.h(x)))

@imported(SEQUENCE, SEQUENCE)
class Crossing(nn.Module):
    def __init__(self): super().__init__(); self.a, self.b, self.m, self.y = nn.Linear(4, 6), nn.Linear(4, 5), nn.MultiheadAttention(6, 3, kdim=5, vdim=5, batch_first=True), nn.Linear(6, 3)
    def forward(self, x, z): z = self.b(z); return self.y(self.m(self.a(x), z, z)[0])

@imported(WORDS)
class Tagger(nn.Module):
    def __init__(self): super().__init__(); self.e, self.l, self.y = nn.Embedding(9, 5), nn.LSTM(5, 4, bidirectional=True, batch_first=True), nn.Linear(8, 3)
    def forward(self, x): return self.y(self.l(self.e(x))[0])

@imported(WORDS)
class Language(nn.Module):
    "Words that are embedded and predicted with one weight"
    def __init__(self):
        super().__init__()
        self.e, self.f, self.g, self.y = nn.Embedding(9, 6), nn.Linear(6, 7), nn.Linear(7, 6), nn.Linear(6, 9, bias=False)
        self.y.weight = self.e.weight
    def forward(self, x): e = self.e(x); return self.y(e + self.g(self.f(e).relu()))

@imported(SEQUENCE)
class Again(nn.Module):
    "A layer that is called twice"
    def __init__(self): super().__init__(); self.h, self.f, self.y = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 3)
    def forward(self, x): return self.y(self.f(self.f(self.h(x)).relu()).relu())

@imported()
class Levels(nn.Module):
    "One head on two levels"
    def __init__(self): super().__init__(); self.a, self.b, self.h, self.y = C(4, 6), C(6, 6, stride=2), C(6, 5), nn.Conv2d(5, 2, 1)
    def forward(self, x): a = self.a(x).relu(); b = self.b(a).relu(); return self.y(self.h(a).relu()), self.y(self.h(b).relu())

@imported(ROWS)
class Decoder(nn.Module):
    def __init__(self): super().__init__(); self.l, self.t, self.n, self.y = nn.Linear(4, 24), nn.ConvTranspose2d(6, 5, 4, 2, 1), nn.BatchNorm2d(5), nn.Conv2d(5, 2, 3)
    def forward(self, z): return self.y(self.n(self.t(self.l(z).relu().view(-1, 6, 2, 2))).relu())

@imported()
class Sharper(nn.Module):
    def __init__(self): super().__init__(); self.a, self.b, self.s, self.y = C(4, 6), C(6, 12), nn.PixelShuffle(2), C(3, 2)
    def forward(self, x): return self.y(self.s(self.b(self.a(x).relu())))

@imported()
class Unet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.n, self.b, self.t, self.y = C(4, 6), nn.GroupNorm(3, 6), C(6, 8, stride=2), nn.ConvTranspose2d(8, 5, 2, 2), nn.Conv2d(11, 2, 1)
    def forward(self, x): a = self.n(self.a(x)).relu(); return self.y(torch.cat([a, self.t(self.b(a).relu())], 1))

@imported()
class Next(nn.Module):
    "A block of ConvNeXt"
    def __init__(self):
        super().__init__()
        self.s, self.d, self.n, self.a, self.b, self.y = C(4, 6), C(6, 6, groups=6), nn.LayerNorm(6), nn.Linear(6, 8), nn.Linear(8, 6), nn.Linear(6, 3)
        self.g = nn.Parameter(.1 + torch.rand(6))
    def forward(self, x):
        h = self.s(x)
        return self.y((h + (self.g * self.b(F.gelu(self.a(self.n(self.d(h).permute(0, 2, 3, 1)))))).permute(0, 3, 1, 2)).mean((2, 3)))

@imported(ROWS)
class Bare(nn.Module):
    "Matrices that are parameters"
    def __init__(self): super().__init__(); self.a, self.b, self.s, self.y = nn.Parameter(torch.randn(4, 6)), nn.Parameter(torch.randn(6, 5)), nn.Parameter(torch.rand(5)), nn.Linear(5, 3)
    def forward(self, x): return self.y(((x @ self.a).relu() @ self.b).tanh() * self.s)

@imported(ROWS)
class Computed(nn.Module):
    "Weights that parametrizations and hooks compute"
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d, self.y = (nn.Linear(i, o) for i, o in ((4, 6), (6, 7), (7, 6), (6, 5), (5, 3)))
        parametrizations.weight_norm(self.b), parametrizations.spectral_norm(self.d), prune.l1_unstructured(self.c, "weight", .3)
    def forward(self, x): return self.y(self.d(self.c(self.b(self.a(x).relu()).relu()).relu()).relu())

@imported(ROWS)
class Old(nn.Module):
    "A weight that an old hook computes, and hooks that users add"
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.y = nn.Linear(4, 6), weight_norm(nn.Linear(6, 7)), nn.Linear(7, 5), nn.Linear(5, 3)
    def forward(self, x): return self.y(self.c(self.b(self.a(x).relu()).relu()).relu())

# -------------------------------------------------------------------------------------------------------------------- all

def written(f, kinds, dtype):
    xs = [inputvertex(f"x{i}", {WORDS: 1}.get(k, 4)) for i, k in enumerate(kinds)]
    out = f(*xs)
    return Net(xs if len(xs) > 1 else xs[0], list(out) if isinstance(out, tuple) else out).to(dtype)

def typed(x, dtype): return x.to(dtype) if x.is_floating_point() else x

def lively(net):
    "Statistics and scales that are all at work"
    for m in net.modules():
        if getattr(m, "running_var", None) is not None: m.running_var.uniform_(.5, 2.); m.running_mean.normal_(0, .3)
        if isinstance(m, (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)):
            with torch.no_grad(): m.weight.uniform_(.5, 1.5), m.bias.normal_(0, .3)
    return net

def net_of(name, seed, dtype=torch.float64):
    "`(net, values of its inputs)`"
    torch.manual_seed(seed)
    if name == "random":
        net, values = random_net(seed, dtype)
        return net, values
    f, kinds = (HAND | TORCH)[name]
    values = [typed(example(k), dtype) for k in kinds]
    if name in HAND: return lively(written(f, kinds, dtype)).eval(), values
    module = lively(f().to(dtype)).eval()
    return Net.from_torch(module, *values, share=random.Random(seed).random() < .5), values

NETS.update(dict.fromkeys([*HAND, *TORCH, "random"]))

def _two(first, second):
    "One optimizer for matrices, another for everything else, which new parameters join"
    def make(net):
        p = [*net.parameters()]
        mine, rest = [q for q in p if q.ndim == 2], [q for q in p if q.ndim != 2]
        return ([first(mine)] if mine else []) + [second(rest or [nn.Parameter(torch.zeros(1))])]
    return make

O = torch.optim
OPTIMIZERS = {
    "sgd": lambda net: [O.SGD(net.parameters(), 1e-3)], "momentum": lambda net: [O.SGD(net.parameters(), 1e-3, momentum=.9, nesterov=True)],
    "adam": lambda net: [O.Adam(net.parameters(), 1e-3, amsgrad=True)], "adamw": lambda net: [O.AdamW(net.parameters(), 1e-3)],
    "loops": lambda net: [O.Adam(net.parameters(), 1e-3, foreach=False)], "fused": lambda net: [O.AdamW(net.parameters(), 1e-3, fused=True)],
    "rmsprop": lambda net: [O.RMSprop(net.parameters(), 1e-4, momentum=.5, centered=True)], "adagrad": lambda net: [O.Adagrad(net.parameters(), 1e-3)],
    "adadelta": lambda net: [O.Adadelta(net.parameters(), .1)], "nadam": lambda net: [O.NAdam(net.parameters(), 1e-3)],
    "radam": lambda net: [O.RAdam(net.parameters(), 1e-3)], "adamax": lambda net: [O.Adamax(net.parameters(), 1e-3)],
    "asgd": lambda net: [O.ASGD(net.parameters(), 1e-3, t0=2)], "rprop": lambda net: [O.Rprop(net.parameters(), 1e-4)],
    "adafactor": lambda net: [O.Adafactor(net.parameters(), 1e-3)],
    "groups": lambda net: [O.AdamW([dict(params=[p for p in net.parameters() if p.ndim > 1]), dict(params=[p for p in net.parameters() if p.ndim < 2], weight_decay=0.)], 1e-3)],
}
if hasattr(O, "Muon"):
    OPTIMIZERS["muon"] = _two(lambda p: O.Muon(p, 1e-3), lambda p: O.AdamW(p, 1e-3))
    OPTIMIZERS["muon last"] = lambda net: OPTIMIZERS["muon"](net)[::-1]
