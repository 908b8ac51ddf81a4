"""Writes the files beside it, with the code of version 0.1 and with that only: `python tests/files_0_1/write.py` in a checkout of the commit that added it.

Nobody runs this again. The files stand for those that users of 0.1 have on their disks, and `test_files_of_0_1.py` says that every later version
reads them. Weights are multiples of 1/16, so that the files are small. Files of later versions go into folders of their own.
"""
import copy, inspect, io, json, logging, operator, shutil, sys, tempfile, warnings, zipfile
from functools import partial
from pathlib import Path
import numpy as np, torch
from torch import nn
from torch.nn import functional as F
from torch.utils import _pytree as pytree

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

import naivenas, naivenas.arrival, naivenas.export, naivenas.save as room
from naivenas import vertex
from naivenas.layers import (Attend, GlobalPool, attention, avgpool, batchnorm, bilinear, cat, conv, convtranspose, dropout, elu, embedding, flatten, gelu, globalpool,
                             groupnorm, gru, instancenorm, last, layer, layernorm, leakyrelu, linear, lstm, maxpool, pixelshuffle, pixelunshuffle, relu, rmsnorm, rnn, selu,
                             shuffle, sigmoid, silu, split, tanh, upsample, _PLAIN)
from naivenas.save import Net
from naivenas.sizes import relaxed
from naivenas.vertex import Gather, SizeError, Slice, immutable, inputvertex, invariant, moved
import test_trace as models
from test_layers import steps_of

assert naivenas.__version__ == "0.1.0", "these are the files of version 0.1"

# ----------------------------------------------------------------------------------------------------- nets that are built

def image(*maps, channels=4): return torch.randn(2, channels, *maps)

def plain(d):
    "All layers without sizes that know `d` dimensions, each on the same convolution; their sum"
    x = inputvertex("x", 4)
    c, n, made = conv(x, 6, dim=d), "123"[d - 1], []
    special = dict(Threshold=(.1, .2), FractionalMaxPool2d=(2, 1), FractionalMaxPool3d=(2, 1))     # one place: nothing is drawn
    for name in _PLAIN.replace("{}", "").replace("#", f"{n}d").split():
        if name[-2:] in ("1d", "2d", "3d") and name[-2:] != f"{n}d" or name == "UpsamplingBilinear2d" and d != 2: continue
        args, how, m = special.get(name, ()), {}, None
        if name.startswith(("MaxPool", "AvgPool")): args, how = (3,), dict(stride=1, padding=1)
        if name.startswith("LPPool"): args = 2, 1
        if name.startswith("Adaptive"): args = 4,
        if name.startswith(("ZeroPad", "ReflectionPad", "ReplicationPad", "CircularPad")): args = 1,
        if name.startswith("ConstantPad"): args = 1, .5
        if name.startswith("Upsampl"): how = dict(scale_factor=2)
        if "Softplus" in name: how = dict(beta=2)
        made.append(globalpool(layer(getattr(nn, name)(*args, **how), c), "max" if len(made) % 2 else "mean"))
    return Net(x, linear(sum(made[1:], made[0]), 3)), [image(*[4] * d)]

def statistics():
    x = inputvertex("x", 4)
    c = conv(x, 6)
    made = [layer(m, c) for m in (nn.Softmax(1), nn.Softmin(1), nn.LogSoftmax(1), nn.Softmax2d(), nn.LocalResponseNorm(3))]
    return Net(x, linear(globalpool(sum(made[1:], made[0])), 3)), [image(4, 4)]

def convolutions(d):
    x = inputvertex("x", 4)
    a = relu("a" >> conv(x, 6, dim=d, padding="same"))
    b = conv(a, 6, groups=6, dim=d, bias=False) + conv(a, 6, groups=2, dim=d, dilation=2)
    c = layer(getattr(nn, f"Conv{d}d")(6, 12, 3, padding=1, groups=6, padding_mode="circular"), b)
    t = [convtranspose(c, 6, dim=d, k=1, stride=1, **how) for how in ({}, dict(groups=3), dict(bias=False))]
    t += [convtranspose(b, 6, dim=d, k=1, stride=1, groups=6), conv(convtranspose(b, 12, dim=d, k=1, stride=1, groups=6), 6, k=1, dim=d)]
    return Net(x, linear(globalpool(sum(t[1:], t[0])), 3)), [image(*[4] * d)]

def norms(d):
    x = inputvertex("x", 4)
    B, I = (getattr(nn, f"{kind}Norm{d}d") for kind in ("Batch", "Instance"))
    c = conv(x, 6, dim=d)
    made = [batchnorm(c, d), layer(B(6, affine=False), c), layer(B(6, eps=1e-3, momentum=.2), c), layer(nn.SyncBatchNorm(6), c), instancenorm(c, d), layer(I(6, track_running_stats=True), c),
            *(groupnorm(c, n) for n in (1, 3, 6)), layer(nn.GroupNorm(2, 6, affine=False), c), layer(nn.PReLU(6), c), layer(nn.PReLU(), c)]
    return Net(x, linear(globalpool(sum(made[1:], made[0])), 3)), [image(*[3] * d)]

def arithmetic():
    x, y = inputvertex("x", 4), inputvertex("y", 4)
    a, b = "a" >> conv(x, 4), conv(y, 4, k=1)
    v = 1 - a * 2 + b / 3 - (2 / (b * b + 1.)) + .5 * -a - 1
    v = v * b * np.float32(.5) + torch.tensor(.25) - a
    v = v / (b * b + 2)
    return Net([x, y], [linear(globalpool(v), 3), "end" >> conv(tanh(v), 2)]), [image(4, 4), image(4, 4)]

def movement():
    x = inputvertex("x", 4)
    a = conv(x, 12)
    p, q = split(relu(batchnorm(a)), [4, 8])
    s = shuffle(cat(p, q), 3)
    e = pixelshuffle(cat(s, convtranspose(p, 4, k=1, stride=1)))
    f = cat(maxpool(e), avgpool(e), moved(Slice(1, 3, 1), q), moved(Gather([0, 2, 2, 3], 1), p))
    f = layer(nn.GLU(1), layer(nn.ChannelShuffle(2), conv(f, 8)))
    u = pixelunshuffle(upsample(f))
    return Net(x, [linear(flatten(u, 16), 3), globalpool(leakyrelu(elu(selu(gelu(silu(sigmoid(tanh(dropout(f))))))), .2))]), [image(4, 4)]

def sequences():
    x = inputvertex("x", 6)
    h = rmsnorm(attention(layernorm(x), 2, causal=True) + x)
    mha = nn.MultiheadAttention(6, 3, batch_first=True)
    mha.out_proj = nn.Linear(6, 6)       # 0.1 cannot save the class that torch has there
    h = layer(mha, linear(h, 6)) + h
    r = lstm(dropout(gelu(h), .1), 4, num_layers=2, bidirectional=True, proj_size=2)
    g = gru(r, 3)
    n = layer(nn.RNN(4, 3, nonlinearity="relu", batch_first=True, bias=False), r)
    m = cat(rnn(r, 3, bidirectional=True), g, axis=-1)
    return Net(x, [linear(bilinear(last(r), last(g), 5), 2), last(n) + linear(moved(Slice(0, 4), last(layer(nn.GRU(9, 4, batch_first=True, bidirectional=True), m))), 3)]), [torch.randn(2, 3, 6)]

def crossing():
    "Attention from one sequence to another, and with steps first; 0.1 cannot save attention with a mask"
    x, y = inputvertex("x", 6), inputvertex("y", 5)
    a = attention(x, 2, keys=linear(y, 6), dropout=.1)
    q = linear(x, 6)
    b = layer(Attend(3, batch_first=False, causal=False), q, linear(x, 6), linear(x, 6))
    return Net([x, y], linear(a + b, 2)), [torch.randn(2, 3, 6), torch.randn(2, 4, 5)]

def cells():
    x = inputvertex("x", 4)
    v = linear(x, 6)
    return Net(x, linear(cat(layer(nn.RNNCell(6, 3), v), steps_of(nn.GRUCell(6, 5), v), layer(nn.LSTMCell(6, 4), v), layer(nn.GRUCell(6, 2), v)), 3)), [torch.randn(3, 4)]

def words():
    x, bag = inputvertex("x", 9), inputvertex("bag", 9)
    e = globalpooled(embedding(x, 4))
    return Net([x, bag], linear(cat(e, layer(nn.EmbeddingBag(9, 3, mode="sum"), bag)), 2)), [torch.randint(9, (2, 5)), torch.randint(9, (2, 5))]

def globalpooled(v): return last(gru(v, 4))

def shared():
    x = inputvertex("x", 3)
    module, other = nn.Linear(3, 3), nn.Linear(3, 3)
    other.weight = module.weight
    module.bias.requires_grad = False
    return Net(x, linear(layer(other, layer(module, layer(module, x))), 2)), [torch.randn(2, 3)]

def functions():
    "What files of 0.1 know by name, as operations of a user's own vertices"
    x = inputvertex("x", 4)
    v = linear(x, 5)
    r = invariant(torch.sigmoid, invariant(torch.tanh, invariant(torch.relu, v)))
    made = [invariant(partial(vertex._swapped, f, 2.), r) for f in (operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow)]
    made += [invariant(operator.mul, r, invariant(partial(vertex._swapped, f, .5), r)) for f in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)]
    named = {name: room.KNOWN[f"operator.{name}"] for name in "add sub mul truediv neg".split()}
    made += [invariant(named[k], r, r) for k in ("add", "sub", "mul", "truediv")] + [invariant(named["neg"], r)]
    v = linear(sum(made[1:], made[0]), 3)
    some = immutable(partial(vertex._swapped, operator.getitem, (Ellipsis, slice(0, 2))), v, nout=2)
    gram = immutable(partial(vertex._swapped, operator.matmul, torch.eye(3, dtype=torch.float64).float() / 2), v, nout=3)
    flat = immutable(partial(vertex._swapped, torch.reshape, [-1, 3]), gram, nout=3)
    return Net(x, [some, flat, vertex.cat(v, v)]), [torch.randn(3, 4)]

def held():
    "A layer without a rule, whose size was given; a parameter that is not trained"
    x = inputvertex("x", 4)
    a = layer(nn.Unfold(2), conv(x, 3), nout=12)
    made = conv(x, 6)
    made.op.weight.requires_grad = False
    return Net(x, [invariant(torch.relu, a), linear(globalpool(relu(made)), 2)]), [image(4, 4)]

BUILT = ({f"plain{d}": partial(plain, d) for d in (1, 2, 3)} | {f"convolutions{d}": partial(convolutions, d) for d in (1, 2, 3)} | {f"norms{d}": partial(norms, d) for d in (1, 2, 3)}
         | {f.__name__: f for f in (statistics, arithmetic, movement, sequences, crossing, cells, words, shared, functions, held)})

# ------------------------------------------------------------------------------------------------- modules that are imported

Tiny, c2 = models.Tiny, models.conv

class Recurrent(Tiny):
    def __init__(self, cell, both): super().__init__(r=cell(4, 3, 2, batch_first=True, bidirectional=both), a=nn.Linear(3 + 3 * both, 3), b=nn.Linear(3, 2)); self.cell = cell
    def forward(self, x):
        y, state = self.r(x)
        return self.a(y), self.b((state[0] if self.cell is nn.LSTM else state)[-1])

class Functional1(Tiny):
    "Layers with parameters that no module of torch.nn owns"
    def __init__(self):
        super().__init__(head=nn.Linear(6, 3))
        shapes = dict(e=(9, 6), w1=(8, 6, 3), b1=(8,), t1=(8, 6, 3), ln=(6,), lb=(6,), rn=(6,), pr=(6,), gw=(6,), gb=(6,))
        for k, s in shapes.items(): setattr(self, k, nn.Parameter(torch.randn(s)))
    def forward(self, x):
        x = F.embedding(x, self.e)
        x = F.rms_norm(F.layer_norm(x, (6,), self.ln, self.lb), (6,), self.rn).transpose(1, 2)
        x = F.conv_transpose1d(F.conv1d(x, self.w1, self.b1, padding=1), self.t1, padding=1)
        x = F.group_norm(F.prelu(x, self.pr), 2, self.gw, self.gb)
        return self.head(F.dropout(x.transpose(1, 2), .3, self.training))

class Functional23(Tiny):
    def __init__(self):
        super().__init__(head=nn.Linear(6, 3))
        shapes = dict(w2=(8, 3, 3, 3), b2=(8,), t2=(8, 2, 3, 3), w3=(6, 4, 1, 3, 3), t3=(6, 6, 1, 1, 1), bias=(6,))
        for k, s in shapes.items(): setattr(self, k, nn.Parameter(torch.randn(s)))
        self.n = nn.Module()
        self.n.weight, self.n.bias = nn.Parameter(torch.rand(6)), nn.Parameter(torch.rand(6))
        for k, v in dict(running_mean=torch.rand(6), running_var=torch.rand(6) + .5, num_batches_tracked=torch.tensor(3)).items(): self.n.register_buffer(k, v)
    def forward(self, x):
        x = F.conv_transpose2d(F.conv2d(x, self.w2, self.b2, padding=1), self.t2, padding=1, groups=2)[:, :, None]
        x = F.conv_transpose3d(F.conv3d(x, self.w3, padding=(0, 1, 1)), self.t3)[:, :, 0]
        x = F.batch_norm(x, self.n.running_mean, self.n.running_var, self.n.weight, self.n.bias, self.training)
        return self.head(F.dropout2d(x, .2, self.training).mean((2, 3)))

class Drops(Tiny):
    def __init__(self): super().__init__(a=c2(3, 8), head=nn.Linear(8, 3))
    def forward(self, x):
        x = F.feature_alpha_dropout(F.alpha_dropout(self.a(x), .1, self.training), .1, self.training)
        return self.head(x.mean((2, 3))).log_softmax(1)

class Dropping(models.Attention):
    def forward(self, x):
        q, k, v = self.qkv(self.first(x)).reshape(-1, 7, 3, 3, 4).permute(2, 0, 3, 1, 4)
        return F.scaled_dot_product_attention(q, k, v, dropout_p=.5 if self.training else 0., is_causal=True)

class Grouped(Tiny):
    "GroupNorm with several groups, a norm without parameters, RMSNorm without"
    def __init__(self): super().__init__(a=c2(3, 8), g=nn.GroupNorm(2, 8), b=c2(8, 6), head=nn.Linear(6, 3))
    def forward(self, x):
        x = self.b(self.g(self.a(x)).relu()).permute(0, 2, 3, 1)
        return self.head((F.layer_norm(x, x.shape[-1:]) + F.rms_norm(x, x.shape[-1:])).mean((1, 2)))

class Reduced(Tiny):
    "Reductions over neurons and over places, and operators with several results"
    def __init__(self): super().__init__(a=c2(3, 8), b=c2(8, 6), head=nn.Linear(6, 2))
    def forward(self, x):
        a = self.a(x)
        g = a.norm(dim=(2, 3), keepdim=True)
        more = [a.std(1, keepdim=True), a.logsumexp(1, keepdim=True), torch.var_mean(a, 1, keepdim=True)[1], a.min(1, keepdim=True)[0], a.prod(1, keepdim=True).tanh(), a.amin(1, keepdim=True)]
        b = self.b(a * g / (g.mean(1, keepdim=True) + 1e-6) + sum(more))
        return self.head(b.amax((2, 3)) + b.flatten(2).sort(-1)[0].mean(2))

class Views(Tiny):
    "Other words for moving data"
    def __init__(self): super().__init__(a=c2(3, 8), b=nn.Linear(8, 6), head=nn.Linear(6, 2)); self.s = nn.Parameter(torch.randn(6))
    def forward(self, x):
        x = self.a(x).squeeze(0) if x.ndim == 5 else self.a(x)
        x = x.movedim(1, -1).swapaxes(1, 2).contiguous().float().double()
        x = torch.where(x > 0, x, x * .1).clone().masked_fill(x > 3, 3.)
        x = self.b(x).narrow(-1, 0, 6) + self.s.expand(4, 6) + self.s.broadcast_to(4, 4, 6) + torch.zeros(x.shape[0], 1, 1, 6, dtype=x.dtype, device="cpu")
        x = x + torch.ones_like(x) + x.new_full((1,), .5)
        return self.head(x.flatten(1, 2).unsqueeze(1).squeeze(1).mean(1))

class Unknown(Tiny):
    "An operator that nobody knows"
    def __init__(self): super().__init__(a=c2(3, 8), b=c2(8, 4), c=c2(4, 4), head=nn.Linear(4, 2))
    def forward(self, x): return self.head(self.c(self.b(self.a(x).cumsum(1))).mean((2, 3)))

class Product(Tiny):
    "All with all, by matmul, bmm and einsum"
    def __init__(self): super().__init__(a=c2(3, 6), b=c2(3, 6), head=nn.Linear(16, 2)); self.w = nn.Parameter(torch.randn(6, 5))
    def forward(self, x):
        a, b = self.a(x).flatten(2), self.b(x).flatten(2)
        s = torch.bmm(a.transpose(1, 2), b).softmax(-1)
        return self.head(torch.einsum("bct,cd->btd", a, self.w).sum(2) + torch.matmul(b, s).mean(1))

class Flipped(Tiny):
    "Axes exchanged by t and mT, chunks, unbinding"
    def __init__(self): super().__init__(a=nn.Linear(4, 6), b=nn.Linear(3, 5), head=nn.Linear(10, 2))
    def forward(self, x):
        p, q = self.a(x).tensor_split(2, 1)
        r, s = torch.stack([self.b(p), self.b(q.relu())], 1).unbind(1)
        return self.head(torch.cat([r.t().t(), s], 1))

class Decoding(models.Cross):
    def __init__(self):
        super().__init__()
        self.mha = nn.TransformerDecoder(nn.TransformerDecoderLayer(12, 3, 6, .1, batch_first=True), 1)
    def forward(self, x, memory):
        return self.head(self.mha(self.q(x), self.k(memory), tgt_mask=nn.Transformer.generate_square_subsequent_mask(6, dtype=x.dtype), tgt_is_causal=True))

def small(): return torch.randn(2, 3, 4, 4, dtype=torch.float64)
def pair(): return [torch.randn(2, *n, dtype=torch.float64) for n in ((6, 5), (4, 7))]
def tokens(): return torch.randn(2, 7, 5, dtype=torch.float64)
def text(): return torch.randint(0, 9, (2, 3))
def rows(): return torch.randn(5, 4, dtype=torch.float64)

IMPORTED = {f"{c.__name__}": (c, small) for c in models.SMALL}
IMPORTED |= {c.__name__: (c, tokens) for c in (models.Attention, models.Selected, models.Rotary, models.Biased, Dropping)}
IMPORTED |= {f"cross_{k}": (f, pair) for k, f in models.CROSS.items() if k not in ("sliced", "decoder", "decoder_post", "transformer")}     # 0.1 cannot save the first, the others are large | {f"pair_{k}": (f, pair) for k, f in models.PAIRED.items()}
IMPORTED |= {f"{c.__name__}{'_both' * both}": (partial(Recurrent, c, both), lambda: torch.randn(2, 5, 4, dtype=torch.float64)) for c in (nn.LSTM, nn.GRU, nn.RNN) for both in (False, True)}
IMPORTED |= {c.__name__: (c, text) for c in (models.Tied, models.Borrowed, models.Turned, models.Tuned, Functional1)}
IMPORTED |= {c.__name__: (c, small) for c in (Functional23, Drops, Grouped, Reduced, Views, Unknown, Product)}
IMPORTED |= {"Vision": (partial(models.Vision, 1, 2, 8, 6, 3), small), "Flipped": (Flipped, rows), "Averaged": (models.Averaged, rows),
             "spectral": (lambda: nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 6)), nn.Linear(6, 2)), rows),
             "decoder": (Decoding, pair),
             "between": (lambda: models.Between(models.Squared), rows)}

def rounded(module):
    with torch.no_grad():
        for t in (*module.parameters(), *module.buffers()):
            if t.is_floating_point(): t.copy_((t * 16).round() / 16)
    for name, t in module.named_buffers():
        if name.endswith("running_var"): t.clamp_(min=.5)

def built():
    for i, (name, make) in enumerate(BUILT.items()):
        torch.manual_seed(i)
        net, values = make()
        net.double().eval()
        for m in net.modules():
            if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.affine: nn.init.uniform_(m.running_mean), nn.init.uniform_(m.running_var, .5, 2)
        for v in net:
            if isinstance(v.op, partial) and v.op.args[1:] and torch.is_tensor(v.op.args[1]): v.op = partial(v.op.func, v.op.args[0], v.op.args[1].double())
        net._settle()
        rounded(net)
        yield name, net, [x.double() if x.is_floating_point() else x for x in values], {}

def imported():
    for i, (name, (make, example)) in enumerate(IMPORTED.items()):
        torch.manual_seed(100 + i)
        module, values = make().double().eval(), example()
        rounded(module)
        values = values if isinstance(values, list) else [values]
        module.train()
        if name == "between": module.eval()
        net = Net.from_torch(module, *values, share=False).eval()
        want = module.eval()(*values)
        assert all(torch.allclose(a, b, atol=1e-8) for a, b in zip(pytree.tree_leaves(want), pytree.tree_leaves(net(*values)))), name
        yield name, net, values, {}
    torch.manual_seed(99)
    module = models.Many().double().eval()
    rounded(module)
    x, more = (torch.randn(2, n, dtype=torch.float64) for n in (4, 5))
    yield "Many", Net.from_torch(module, x, pair={"more": more}, share=False).eval(), [x, more], {"form": True}

# --------------------------------------------------------------------------------------------------------------- the files

def free(net, values, outs):
    "A vertex that can grow by one neuron, or by as few as it must, or can shrink; by how many, and whether that changes the outputs"
    for delta in 1, -1:
        for v in reversed(net.vertices):
            if v.role == "input" or v in net.outputs: continue
            other = copy.deepcopy(net)
            try:
                report = other.resize(v.name, relaxed(delta), frozen=other.outputs)
                found = results(other, values)
            except (SizeError, RuntimeError) as e:
                if not isinstance(e, SizeError): print("BROKEN:", v.name, str(e).splitlines()[0])
                continue
            more = other[v.name].nout - v.nout
            if more * delta <= 0: continue
            same = all(np.allclose(a, b, 1e-6, 1e-6) for a, b in zip(found, outs))
            if delta > 0 and not same and not report.plan.caveats: print("CHANGED:", report)
            return {"vertex": v.name, "delta": more, "changes": not same}

def results(net, values):
    with torch.no_grad(): return [np.asarray(o) for o in pytree.tree_leaves(net(*values)) if torch.is_tensor(o) or isinstance(o, np.ndarray)]

def packed(values):
    data = io.BytesIO()
    np.savez_compressed(data, **values)
    return data.getvalue()

def write(stem, nets, many):
    "The nets of a generator, `many` in a file"
    boxes, about = [], {}
    for k, (name, net, values, how) in enumerate(nets):
        with tempfile.TemporaryDirectory() as folder: data = net.save(Path(folder) / "net").read_bytes()
        outs = results(net, values)
        some = free(net, values, outs)
        if k % many == 0: boxes.append({})
        arrays = {f"in{i}": np.asarray(x) for i, x in enumerate(values)} | {f"out{i}": x for i, x in enumerate(outs)}
        assert all(np.isfinite(a).all() for a in arrays.values()), name
        boxes[-1] |= {f"{name}.safetensors": data, f"{name}.npz": packed(arrays), f"{name}.json": json.dumps({"free": some, **how}).encode()}
        print(name, len(data), some, dict(net.__dict__.get("opaque", {})))
    for k, box in enumerate(boxes):
        with zipfile.ZipFile(HERE / f"{stem}_{k}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
            for name, data in box.items(): z.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 9)

def knows():
    "All names that files of 0.1 may contain, by where they come from; for the rooms, what is no capture rule"
    import importlib
    found = {"known": sorted(room.KNOWN), "rules": sorted({c.__name__ for c in (*room.RULES, *room.BLOCKS)}), "rooms": []}
    for home in room._ROOMS:
        module = importlib.import_module(f"naivenas.{home}")
        for name, thing in vars(module).items():
            if getattr(thing, "__module__", None) != module.__name__ or not callable(thing): continue
            first = next(iter(inspect.signature(thing).parameters), "") if not isinstance(thing, type) else ""
            if first != "work": found["rooms"].append(f"{home}.{name}")
    found["values"] = sorted(room._DECODERS)
    return found

def population():
    from naivenas import Population, Settings, Store, founder, mutated, shield
    from naivenas.fitness import optimizer_of
    from naivenas.mutate import ChangeSize
    from naivenas.layers import conv
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    def net():
        x = inputvertex("x", 2)
        return Net(x, "end" >> linear(globalpool(relu(batchnorm("c" >> conv(x, 4)))), 3))
    some = Population([founder(net(), Settings(), rng), founder(net(), Settings("sgd", .1, 16), rng)])
    shield(some[0].net, "end", allow=["activation"])
    x = image(4, 4, channels=2)
    for c in some:
        optimizer = optimizer_of(c)
        c.net(x).square().sum().backward()
        optimizer.step()
        c.fitness, c.seen, c.seconds = (.5, -7.), 2, .125
    some.append(mutated(ChangeSize((4, 4), low=.3, high=.5))(some[0], rng))
    some[2].fitness = .25
    home = HERE / "population"
    shutil.rmtree(home, ignore_errors=True)
    Store(home).save(some, 4, about={"seed": 0})
    outs = {f"out{i}": c.net.eval()(x).detach().numpy() for i, c in enumerate(some)}
    (HERE / "population.npz").write_bytes(packed({"x": x.numpy(), **outs}))

def fitted():
    from naivenas.fitted import Fitted
    from naivenas import fit
    import pandas
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"a": rng.integers(0, 9, 60) / 4, "b": rng.integers(0, 9, 60) / 4, "colour": rng.choice(["red", "green", None], 60)})
    y = np.where(frame.a > frame.b, "more", "less")
    model, _ = fit(frame, y, generations=1, seed=0, progress=False)
    home = HERE / "fitted"
    shutil.rmtree(home, ignore_errors=True)
    model.save(home)
    frame.assign(**{f"p{i}": p for i, p in enumerate(model.predict_proba(frame).T)}, says=model.predict(frame)).to_csv(HERE / "fitted.csv", index=False)

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.getLogger("naivenas").setLevel(logging.ERROR)
    for old in HERE.glob("*.zip"): old.unlink()
    (HERE / "knows.json").write_text(json.dumps(knows(), indent=0))
    write("built", built(), 10)
    write("imported", imported(), 14)
    population()
    fitted()
    for path in sorted(p for p in HERE.rglob("*") if p.is_file()): print(path.relative_to(HERE), path.stat().st_size)
