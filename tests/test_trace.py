"Modules of all kinds as nets: the same values and names, and after pruning what the original computes with the removed neurons zeroed"
import copy, pickle, subprocess, sys
import numpy as np, pytest, torch
from torch import nn
from torch.nn import functional as F
from naivenas.nets.importance import magnitude
from naivenas import Net
from naivenas.sizes.wishes import relaxed
from naivenas.sizes.wires import ties
import naivenas.capture.arrival, naivenas.files.export, naivenas.files.save
from naivenas.capture.trace import Untraceable
from naivenas.graph.roles import SizeError
from masked import pruned_and_masked

def conv(i, o, k=3, **how): return nn.Conv2d(i, o, k, padding=k // 2, **how)

class Tiny(nn.Module):
    "A module from a dictionary of layers and a function"
    def __init__(self, **layers):
        super().__init__()
        for k, m in layers.items(): setattr(self, k, m)

class Chunked(Tiny):
    "Gates: one half of the channels decides about the other"
    def __init__(self): super().__init__(a=conv(3, 16), head=nn.Linear(8, 3))
    def forward(self, x):
        a, b = self.a(x).chunk(2, 1)
        return self.head((a * b.sigmoid()).mean((2, 3)))

class ChannelsLast(Tiny):
    "Channels are the fastest of the flattened features"
    def __init__(self): super().__init__(a=conv(3, 8), head=nn.Linear(4 * 4 * 8, 3))
    def forward(self, x): return self.head(self.a(x).permute(0, 2, 3, 1).flatten(1))

class Viewed(Tiny):
    def __init__(self): super().__init__(a=conv(3, 12), b=conv(6, 5), head=nn.Linear(5, 3))
    def forward(self, x):
        a = self.a(x).view(x.shape[0], 2, 6, 4, 4)
        return self.head(self.b(a[:, 0] + a[:, 1]).mean((2, 3)))

class Masked(Tiny):
    "One channel is spread over all"
    def __init__(self): super().__init__(a=conv(3, 8), m=conv(3, 1), head=nn.Linear(8, 3))
    def forward(self, x): return self.head((self.a(x) * self.m(x).sigmoid()).mean((2, 3)))

class Twice(Tiny):
    "The same layer at two places"
    def __init__(self): super().__init__(a=conv(3, 8), b=conv(8, 8), head=nn.Linear(8, 3))
    def forward(self, x): return self.head(self.b(self.b(self.a(x)).relu()).mean((2, 3)))

class Excited(Tiny):
    def __init__(self): super().__init__(a=conv(3, 8), n=nn.BatchNorm2d(8), s=conv(8, 4, 1), e=conv(4, 8, 1), head=nn.Linear(8, 3))
    def forward(self, x):
        x = self.n(self.a(x)).relu()
        return self.head((x * self.e(self.s(F.adaptive_avg_pool2d(x, 1)).relu()).sigmoid()).mean((2, 3)))

class Shuffled(Tiny):
    def __init__(self): super().__init__(a=conv(3, 8), b=conv(8, 6), head=nn.Linear(6, 3))
    def forward(self, x):
        x = self.a(x)
        x = x.view(x.shape[0], 2, 4, 4, 4).transpose(1, 2).reshape(x.shape[0], 8, 4, 4)
        return self.head(self.b(x).mean((2, 3)))

class Scaled(Tiny):
    "A parameter that no layer owns"
    def __init__(self):
        super().__init__(a=conv(3, 8), b=conv(8, 8), head=nn.Linear(8, 3))
        self.gamma = nn.Parameter(torch.rand(8, 1, 1) + .5)
    def forward(self, x):
        x = self.a(x)
        return self.head((x + self.gamma * self.b(x)).mean((2, 3)))

class Broadcast(Tiny):
    "A mask of one channel on the one side, a mask for every channel on the other"
    def __init__(self): super().__init__(a=conv(3, 8), m=conv(3, 1), c=conv(3, 8, 1), head=nn.Linear(8, 3))
    def forward(self, x): return self.head((self.a(x) * (self.m(x) > 0) * self.c(x.mean((2, 3), keepdim=True)).sigmoid()).mean((2, 3)))

class Radix(Tiny):
    "Split attention: a sum over one axis of neurons, softmax over it, and back"
    def __init__(self): super().__init__(a=conv(3, 16, groups=1), n=nn.BatchNorm2d(16), s=conv(8, 4, 1), e=conv(4, 16, 1), head=nn.Linear(8, 3))
    def forward(self, x):
        x = self.n(self.a(x)).relu().reshape(x.shape[0], 2, 8, 4, 4)
        w = self.e(self.s(x.sum(1).mean((2, 3), keepdim=True)).relu()).view(x.shape[0], 2, 8).softmax(1).reshape(x.shape[0], -1, 1, 1)
        return self.head((x * w.reshape(x.shape[0], 2, 8, 1, 1)).sum(1).mean((2, 3)))

class Stacked(Tiny):
    def __init__(self): super().__init__(a=conv(3, 8), b=conv(3, 8, 5), head=nn.Linear(8, 3))
    def forward(self, x): return self.head(torch.stack([self.a(x), self.b(x)], 1).amax(1).mean((2, 3)))

class Shifted(Tiny):
    "Windows, cyclic shifts, and a linear layer across places"
    def __init__(self): super().__init__(a=conv(3, 8), places=nn.Linear(4, 4, bias=False), head=nn.Linear(8, 3))
    def forward(self, x):
        x = self.a(x).roll((1, 1), (2, 3)).view(-1, 8, 2, 2, 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(-1, 4, 8)
        x = self.places(x.transpose(1, 2)).transpose(1, 2)
        return self.head(x.reshape(-1, 4, 4, 8).mean((1, 2)))

class Normed(Tiny):
    "GroupNorm over all channels, and LayerNorm over channels that come first"
    def __init__(self): super().__init__(a=conv(3, 8), g=nn.GroupNorm(1, 8), b=conv(8, 6), n=nn.LayerNorm(6), head=nn.Linear(6, 3))
    def forward(self, x): return self.head(self.n(self.b(self.g(self.a(x))).permute(0, 2, 3, 1)).mean((1, 2)))

class Same(nn.Conv2d):
    "Pads by itself, as TensorFlow does"
    def forward(self, x): return F.conv2d(F.pad(x, (0, 1, 0, 1)), self.weight, self.bias)

class Padded(Tiny):
    def __init__(self): super().__init__(a=Same(3, 8, 2), c=nn.Conv2d(8, 6, 3, padding=1, padding_mode="circular"), head=nn.Linear(6, 3))
    def forward(self, x): return self.head(self.c(self.a(x).relu()).mean((2, 3)))

class Shorted(Tiny):
    "A shortcut filled up with channels of zeros, and of ones on one side alone, before and after a change of the axes"
    def __init__(self): super().__init__(a=conv(3, 6), b=nn.Conv2d(6, 10, 3, 2, padding=1), c=nn.Linear(10, 13), head=nn.Linear(13, 3))
    def forward(self, x):
        x = self.a(x).relu()
        x = self.b(x) + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 3))
        x = x.relu().permute(0, 2, 3, 1)
        return self.head((self.c(x) + F.pad(x, (0, 3), value=1.)).mean((1, 2)))

class Framed(Tiny):
    "Edges and channels at once"
    def __init__(self): super().__init__(a=conv(3, 6), b=conv(8, 4), head=nn.Linear(4, 3))
    def forward(self, x): return self.head(self.b(F.pad(self.a(x), (1, 2, 0, 1, 2, 0), value=.5)).relu().mean((2, 3)))

class Beside(Tiny):
    "Zeros on both sides of some channels, the same ones; and a half behind"
    def __init__(self): super().__init__(a=conv(3, 6), b=conv(6, 10), c=conv(14, 4), head=nn.Linear(4, 3))
    def forward(self, x):
        x = self.a(x).relu()
        zeros = x.new_zeros(len(x), 2, *x.shape[2:])
        x = self.b(x) + torch.cat([zeros, x, zeros], 1)
        return self.head(self.c(torch.cat([x, torch.full((len(x), 4, 4, 4), .5, dtype=x.dtype)], 1)).relu().mean((2, 3)))

class Standardised(nn.Conv2d):
    "Its weights are made anew in every step"
    def __init__(self, *args): super().__init__(*args); self.gain = nn.Parameter(torch.rand(self.out_channels, 1, 1, 1) + .5)
    def forward(self, x):
        w = F.batch_norm(self.weight.reshape(1, self.out_channels, -1), None, None, weight=self.gain.view(-1), training=True, momentum=0.).reshape_as(self.weight)
        return F.conv2d(x, w, self.bias, padding=self.padding)

class Standard(Tiny):
    def __init__(self): super().__init__(a=Standardised(3, 8, 3, 1, 1), b=Standardised(8, 6, 3, 1, 1), head=nn.Linear(6, 3))
    def forward(self, x): return self.head(self.b(self.a(x).relu()).mean((2, 3)))

class Single(Tiny):
    "Attention with one head: queries and keys are tied feature by feature"
    def __init__(self): super().__init__(q=conv(3, 6, 1), k=conv(3, 6, 1), v=conv(3, 8, 1), head=nn.Linear(8, 3))
    def forward(self, x):
        q, k, v = (m(x).flatten(2).transpose(1, 2) for m in (self.q, self.k, self.v))
        return self.head((torch.einsum("bid,bjd->bij", q, k).softmax(-1) @ v).mean(1))

class Shuffling(Tiny):
    "One channel becomes four pixels, and four pixels a channel"
    def __init__(self): super().__init__(a=conv(3, 12), b=conv(3, 5), c=conv(20, 4), head=nn.Linear(4, 3))
    def forward(self, x): return self.head(self.c(torch.cat([self.b(F.pixel_shuffle(self.a(x), 2)[:, :, ::2, ::2]), F.pixel_unshuffle(self.b(x), 2).repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :15]], 1)).mean((2, 3)))

class Gated(Tiny):
    def __init__(self): super().__init__(a=conv(3, 16), head=nn.Linear(8, 3))
    def forward(self, x): return self.head(F.glu(self.a(x), 1).mean((2, 3)))

class Assigned(Tiny):
    "A constant that is filled in place before it is used"
    def __init__(self): super().__init__(a=conv(3, 8), head=nn.Linear(8, 3))
    def forward(self, x):
        mask = x.new_zeros(4, 4)
        mask[:2, 1:3] = 1
        return self.head((self.a(x) * mask).sum((2, 3)))

class Fused(Single):
    "The same in one operator, which scales by the number of features that it finds unless told otherwise"
    def forward(self, x):
        q, k, v = (m(x).flatten(2).transpose(1, 2)[:, None] for m in (self.q, self.k, self.v))
        return self.head(F.scaled_dot_product_attention(q, k, v).mean((1, 2)))

class Context(Tiny):
    "One map says for all channels where to look"
    def __init__(self): super().__init__(a=conv(3, 8), m=conv(8, 1), c=conv(8, 8, 1), head=nn.Linear(8, 3))
    def forward(self, x):
        x = self.a(x)
        seen = x.flatten(2)[:, None] @ self.m(x).flatten(2).softmax(-1)[..., None]
        return self.head((x + self.c(seen.reshape(x.shape[0], -1, 1, 1))).mean((2, 3)))

class Folded(Tiny):
    "Heads are folded into the batch, and one is taken out of it again"
    def __init__(self): super().__init__(qkv=conv(3, 24, 1), head=nn.Linear(8, 3)); self.place = nn.Parameter(torch.randn(4, 16))
    def forward(self, x):
        B = x.shape[0]
        q, k, v = (y.reshape(B * 2, 4, 16) for y in self.qkv(x).split(8, 1))
        a = q.transpose(1, 2) @ k + F.pad((q.transpose(1, 2) @ self.place).reshape(-1, 16), (0, 1))[:, :16].reshape(-1, 16, 16)
        return self.head((a.softmax(-1) @ v.transpose(1, 2)).transpose(1, 2).reshape(B, 8, 4, 4).mean((2, 3)))

class Written(Tiny):
    "Parts of tensors are written into, across channels and among them"
    def __init__(self): super().__init__(a=conv(3, 8), b=conv(8, 6), head=nn.Linear(6, 3)); self.shift = nn.Parameter(torch.randn(6))
    def forward(self, x):
        x = self.a(x)
        x[:, :, 1:, 0] = x[:, :, 1:, 1] * 2
        shift = self.shift.clone()
        shift[2:4].zero_()
        return self.head((self.b(x) + shift[:, None, None]).mean((2, 3)))

class Regions(Tiny):
    "Precision and gradients are switched off for a part"
    def __init__(self): super().__init__(a=conv(3, 8), b=conv(8, 8), head=nn.Linear(8, 3))
    def forward(self, x):
        with torch.autocast("cpu", enabled=False): x = self.a(x)
        with torch.no_grad(): gate = self.b(x).sigmoid()
        return self.head((x * gate).mean((2, 3)))

class Neighbours(Tiny):
    "A convolution over the channels, as in efficient channel attention"
    def __init__(self): super().__init__(a=conv(3, 16), c=nn.Conv1d(1, 1, 3, padding=1, bias=False), head=nn.Linear(16, 3))
    def forward(self, x):
        x = self.a(x)
        y = self.c(x.mean((2, 3)).view(x.shape[0], 1, -1)).sigmoid().view(x.shape[0], -1, 1, 1)
        return self.head((x * y.expand_as(x)).mean((2, 3)))

class Blurred(Tiny):
    "A filter that is not learned, the same for every channel; a norm with a weight only"
    def __init__(self):
        super().__init__(a=conv(3, 8), b=conv(8, 8), head=nn.Linear(8, 3))
        self.register_buffer("filter", torch.rand(1, 1, 3, 3).repeat(8, 1, 1, 1))
        self.weight = nn.Parameter(torch.rand(8) + .5)
    def forward(self, x):
        x = F.conv2d(self.a(x), self.filter, padding=1, groups=8)
        return self.head(F.group_norm(self.b(x), 8, self.weight).relu().mean((2, 3)))

class Patches(Tiny):
    "Every channel becomes the nine places around, weighted by what they are like, and a channel again"
    def __init__(self): super().__init__(a=conv(3, 8), w=conv(3, 9), head=nn.Linear(8, 3))
    def forward(self, x):
        around = F.unfold(self.a(x), 3, padding=1).reshape(x.shape[0], 8, 9, 16) * self.w(x).softmax(1).flatten(2)[:, None]
        return self.head(F.fold(around.reshape(x.shape[0], 72, 16), 4, 3, padding=1).mean((2, 3)))

class OneKey(Tiny):
    "All heads look at the same keys, and find the same values there"
    def __init__(self): super().__init__(q=conv(3, 12, 1), k=conv(3, 4, 1), v=conv(3, 4, 1), head=nn.Linear(12, 3))
    def forward(self, x):
        q = self.q(x).reshape(x.shape[0], 3, 4, 16).transpose(2, 3)
        k, v = (m(x).flatten(2).transpose(1, 2)[:, None] for m in (self.k, self.v))
        return self.head(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2).mean(1))

class States(Tiny):
    "Channels and states both pass through a product, and meet again in the next; a matrix of parameters without a layer"
    def __init__(self): super().__init__(a=conv(3, 8), s=conv(3, 5), head=nn.Linear(8, 3)); self.w = nn.Parameter(torch.randn(8, 1))
    def forward(self, x):
        x, s = self.a(x).flatten(2), self.s(x).flatten(2)
        x = (x @ s.transpose(1, 2)).relu() @ s
        return self.head((x * (x.transpose(1, 2) @ self.w).transpose(1, 2).type_as(x)).mean(2))

class Offset(nn.Module):
    "A norm whose scale is one more than what is learned"
    def __init__(self): super().__init__(); self.weight, self.bias = nn.Parameter(torch.randn(8)), nn.Parameter(torch.randn(8))
    def forward(self, x): return F.layer_norm(x.double(), x.shape[-1:], 1 + self.weight.double(), self.bias.double())

class Offsets(Tiny):
    "With a check whose result nobody reads"
    def __init__(self): super().__init__(a=nn.Conv2d(3, 8, 1), n=Offset(), head=nn.Linear(8, 3))
    def forward(self, x):
        x = self.a(x).permute(0, 2, 3, 1)
        torch._assert(x.dim() == 4, "an image")
        return self.head(self.n(x).mean((1, 2)))

class Spread(nn.Module):
    "Divides by how much all channels vary, and says so for each of them"
    def __init__(self): super().__init__(); self.weight = nn.Parameter(torch.rand(8) + .5)
    def forward(self, x):
        by = (x.reshape(x.shape[0], 1, -1).var(2) + 1e-5).sqrt()
        return x * self.weight[:, None, None] / by[:, :, None, None].expand(x.shape)

class Evened(Tiny):
    def __init__(self): super().__init__(a=conv(3, 8), s=Spread(), b=conv(8, 6), head=nn.Linear(6, 3))
    def forward(self, x): return self.head(self.b(self.s(self.a(x))).mean((2, 3)))

class Doubled(Tiny):
    "The same channels twice, and a map of places beside them"
    def __init__(self): super().__init__(a=conv(3, 6), z=conv(3, 4), b=conv(17, 5), head=nn.Linear(5, 3))
    def forward(self, x):
        a, z = self.a(x), self.z(x)
        return self.head(self.b(torch.cat([a, z, a, torch.linspace(-1, 1, 4, dtype=x.dtype).expand(x.shape[0], 1, 4, 4)], 1)).relu().mean((2, 3)))

class Where(nn.Module):
    "Spatial attention: the mean and the maximum of all channels say where to look"
    def __init__(self): super().__init__(); self.c = conv(2, 1)
    def forward(self, x): return x * self.c(torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)).sigmoid()

class Looking(Tiny):
    def __init__(self): super().__init__(a=conv(3, 8), w=Where(), b=conv(8, 6), head=nn.Linear(6, 3))
    def forward(self, x): return self.head(self.b(self.w(self.a(x))).mean((2, 3)))

class Picked(Tiny):
    "Every other channel, channels in another order, and some of them twice"
    def __init__(self): super().__init__(a=conv(3, 8), b=conv(4, 4), c=conv(14, 6), head=nn.Linear(6, 3))
    def forward(self, x):
        x = self.a(x)
        y = torch.cat([x[:, ::2].flip(1), self.b(x[:, 1::2]), x[:, [5, 0, 0]].roll(1, 1), x[:, :3]], 1)
        return self.head(self.c(y).relu().mean((2, 3)))

class Spotted(Tiny):
    "Places are weighed by their strongest channel, and by the sum of all"
    def __init__(self): super().__init__(a=conv(3, 8), s=conv(2, 1), head=nn.Linear(8, 3))
    def forward(self, x):
        x = self.a(x).relu()
        return self.head((x * self.s(torch.cat([x.max(1, keepdim=True)[0], x.sum(1, keepdim=True)], 1)).sigmoid()).mean((2, 3)))

SMALL = (Chunked, ChannelsLast, Viewed, Masked, Twice, Excited, Shuffled, Scaled, Broadcast, Radix, Stacked, Shifted, Normed, Padded, Standard, Single,
         Gated, Assigned, Fused, Context, Folded, Written, Regions, Neighbours, Blurred, Patches, OneKey, States, Offsets, Picked, Looking, Evened, Doubled, Spotted, Shorted, Framed, Beside)

def imported(make, *example, **how):
    torch.manual_seed(0)
    module = make().double()
    net = Net.from_torch(module, *example, **how)
    for mode in True, False: assert torch.equal(module.train(mode)(*example), net.train(mode)(*example))
    return module, net

@pytest.fixture
def images(): return torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

@pytest.mark.parametrize("make", SMALL)
def test_pruning_is_masking(make, images):
    module, net = imported(make, images, share=False)
    before = module(images)
    plan, reference = pruned_and_masked(net, module, .6, magnitude)
    assert not net.opaque and any((plan.out(v) >= 0).sum() < plan.before[v] for v in net), "nothing was pruned"
    for mode in False, True: assert torch.allclose(net.train(mode)(images), reference.train(mode)(images), atol=1e-10)
    assert not torch.allclose(net(images), before)
    many = torch.cat([images, images, images])
    assert torch.allclose(net.eval()(many)[:2], net(images), atol=1e-10), "other batch sizes"
    net(images).sum().backward()

@pytest.mark.parametrize("make", SMALL)
def test_growing_changes_nothing(make, images):
    module, net = imported(make, images, share=False)
    try: report = net.resize(next(v for v in net if v.role == "absorb"), relaxed(+4))
    except SizeError: assert make in (Chunked,)
    assert any((report.plan.out(v) < 0).any() for v in net), "nothing grew"
    same = torch.allclose(net(images), module(images), atol=1e-10)
    assert same or report.plan.caveats and make in (Normed, Standard, Single, Fused, Neighbours, Offsets, Looking, Evened, Spotted)

@pytest.mark.parametrize("make", [Viewed, Radix, Normed, Shorted])
def test_compiled_it_follows(make, images):
    "Sizes that operators have written down, too"
    module, net = imported(make, images, share=False)
    torch._dynamo.reset()
    compiled = torch.compile(net, backend="eager")
    for keep in 1, .7, .7:
        net.prune(keep, by=magnitude)
        assert torch.allclose(compiled(images), copy.deepcopy(net)(images), atol=1e-10)
    torch._dynamo.reset()

def test_the_weights_are_the_modules_own_unless_asked(images):
    module, net = imported(Excited, images)
    assert {id(p) for p in net.parameters()} == {id(p) for p in module.parameters()} and set(net.state_dict()) == set(module.state_dict())
    _, copy = imported(Excited, images, share=False)
    assert not {id(p) for p in copy.parameters()} & {id(p) for p in module.parameters()}

def test_one_channel_over_many_is_held(images):
    _, net = imported(Masked, images)
    with pytest.raises(SizeError): net.resize("m", +1)

def test_no_gradient_comes_back_from_where_there_was_none(images):
    module, net = imported(Regions, images, share=False)
    for m in module, net: m(images).sum().backward()
    assert net["b"].op.weight.grad is None and torch.allclose(net["a"].op.weight.grad, module.a.weight.grad)

# ------------------------------------------------------------------------------------------------------------- heads

class Attention(Tiny):
    def __init__(self, width=12, heads=3):
        super().__init__(qkv=nn.Linear(width, 3 * width), proj=nn.Linear(width, width), norm=nn.LayerNorm(width), first=nn.Linear(5, width), head=nn.Linear(width, 2))
        self.heads, self.place = heads, nn.Parameter(torch.randn(1, 7, width))
    def forward(self, x):
        x = self.first(x) + self.place
        B, N, C = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(B, N, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        return self.head((x + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, N, C))).mean(1))

class Selected(Attention):
    def forward(self, x):
        x = self.first(x) + self.place
        B, N, C = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        a = (q @ k.transpose(-2, -1) * .5).softmax(-1)
        return self.head((x + self.proj((a @ v).transpose(1, 2).reshape(B, N, C))).mean(1))

def test_heads_come_and_go_whole():
    tokens = torch.randn(2, 7, 5, dtype=torch.float64)
    module, net = imported(Selected, tokens, share=False)
    wires = ties(net.vertices)
    assert len(set(wires.labels[net["qkv"]])) == 3, "a wire for each head"
    qkv, proj = module.qkv, module.proj
    worth = np.tile(np.repeat([1., -1, 1], 4), 3)              # the second head is of no use
    plan = net.plan({"qkv": -12}, by={"qkv": worth})
    assert plan.out("qkv").tolist() == [i for i in range(36) if i % 12 // 4 != 1]
    plan.apply()
    with torch.no_grad(): proj.weight[:, 4:8] = 0
    assert torch.allclose(net(tokens), module(tokens), atol=1e-12)
    net.resize("qkv", +24)
    assert net["proj"].inputs[0].nout == 16 and torch.allclose(net(tokens), module(tokens), atol=1e-12)
    with pytest.raises(SizeError): net.resize("qkv", +1)

class Vision(nn.Module):
    "A small vision transformer, as torchvision writes it"
    def __init__(self, blocks=2, heads=3, width=24, hidden=48, classes=5):
        super().__init__()
        self.patches, self.head, self.norm = nn.Conv2d(3, width, 2, 2), nn.Linear(width, classes), nn.LayerNorm(width)
        self.token, self.place = nn.Parameter(torch.randn(1, 1, width)), nn.Parameter(torch.randn(1, 5, width))
        self.blocks = nn.ModuleList(nn.ModuleDict(dict(n1=nn.LayerNorm(width), attention=nn.MultiheadAttention(width, heads, batch_first=True), n2=nn.LayerNorm(width),
                                    mlp=nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width)))) for _ in range(blocks))
    def forward(self, x):
        x = self.patches(x).reshape(x.shape[0], -1, 4).permute(0, 2, 1)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.place
        for b in self.blocks:
            y = b["n1"](x)
            x = x + b["attention"](y, y, y, need_weights=False)[0]
            x = x + b["mlp"](b["n2"](x))
        return self.head(self.norm(x)[:, 0])

def test_a_transformer_has_the_wires_that_it_should_have(images):
    "24 of the stream, 3 heads and 48 hidden units in each of two blocks, 5 classes"
    module = Vision().double()
    net = Net.from_torch(module, images, share=False)
    wires = ties(net.vertices)
    inner = np.unique(np.concatenate([wires.labels[v] for v in net if v.role == "absorb"]))
    assert len(inner) == 24 + 2 * (3 + 48) + 5 and not net.opaque
    other = Vision().double()
    net.load_state_dict(other.state_dict())
    assert torch.allclose(net.eval()(images), other.eval()(images), atol=1e-12)
    with pytest.raises(RuntimeError, match="Unexpected.*wrong"): net.load_state_dict(other.state_dict() | {"wrong.name": torch.ones(1)})
    plan, reference = pruned_and_masked(net, other, .6, magnitude)
    for mode in False, True: assert torch.allclose(net.train(mode)(images), reference.train(mode)(images), atol=1e-10)

@pytest.mark.parametrize("keep", [.3, .6])
def test_pruned_attention_is_masked_attention(keep):
    class Block(Attention):
        def forward(self, x): return super().forward(x)
    tokens = torch.randn(2, 7, 5, dtype=torch.float64)
    module, net = imported(Block, tokens, share=False)
    plan, reference = pruned_and_masked(net, module, keep, magnitude)
    assert any((plan.out(v) >= 0).sum() < plan.before[v] for v in net)
    for mode in False, True: assert torch.allclose(net.train(mode)(tokens), reference.train(mode)(tokens), atol=1e-10)

class Rotary(Attention):
    "Positions rotate pairs of features, alike in every head"
    def __init__(self):
        super().__init__()
        self.register_buffer("angle", torch.rand(7, 4))
    def turned(self, x): return x * self.angle.cos() + torch.stack([-x[..., 1::2], x[..., ::2]], -1).reshape(x.shape) * self.angle.sin()
    def forward(self, x):
        x = self.first(x) + self.place
        q, k, v = self.qkv(x).reshape(x.shape[0], 7, 3, 3, 4).permute(2, 0, 3, 1, 4).unbind(0)
        return self.head((x + self.proj(F.scaled_dot_product_attention(self.turned(q), self.turned(k), v).transpose(1, 2).reshape(x.shape))).mean(1))

class Biased(Attention):
    "Relative positions, queries normed in every head, and a bias that is put together from two"
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(12, 36, bias=False)
        self.q, self.v, self.scale = nn.Parameter(torch.randn(12)), nn.Parameter(torch.randn(12)), nn.LayerNorm(4)
        self.table, self.index = nn.Parameter(torch.randn(13, 3)), (torch.arange(7)[:, None] - torch.arange(7) + 6)
        self.register_buffer("k", torch.zeros(12))
    def forward(self, x):
        x = self.first(x) + self.place
        q, k, v = F.linear(x, self.qkv.weight, torch.cat([self.q, self.k, self.v])).unflatten(-1, (3, 3, 4)).permute(2, 0, 3, 1, 4)
        a = torch.einsum("bhid,bhjd->bhij", self.scale(q), k) + self.table[self.index].permute(2, 0, 1)
        return self.head((x + self.proj((a.softmax(-1) @ v).transpose(1, 2).flatten(2))).mean(1))

@pytest.mark.parametrize("make", [Rotary, Biased])
def test_heads_in_other_hands(make):
    tokens = torch.randn(2, 7, 5, dtype=torch.float64)
    torch.manual_seed(0)
    module = make().double()
    net = Net.from_torch(module, tokens, share=False)
    assert not net.opaque and len(set(ties(net.vertices).labels[net["qkv"]])) == 3
    worth = np.tile(np.repeat([1., -1, 1], 4), 3)
    net.resize({"qkv": -12}, by={"qkv": worth})
    with torch.no_grad(): module.proj.weight[:, 4:8] = 0
    assert torch.allclose(net(tokens), module(tokens), atol=1e-10)

class Cross(nn.Module):
    "Attention to something else, that may have other widths"
    def __init__(self, kdim=None, vdim=None, **how):
        super().__init__()
        self.mha = nn.MultiheadAttention(12, 3, kdim=kdim, vdim=vdim, **{"batch_first": True, **how})
        self.q, self.k, self.head = nn.Linear(5, 12), nn.Linear(7, kdim or 12), nn.Linear(12, 4)
        self.v = nn.Linear(7, vdim or 12) if kdim or vdim else self.k
        for p in self.parameters(): nn.init.normal_(p, std=.3)
    def attended(self, q, k, v): return self.mha(q, k, v, need_weights=False)[0]
    def forward(self, x, memory):
        q, k = self.q(x), self.k(memory)
        return self.head(q + self.attended(q, k, k if self.v is self.k else self.v(memory)))

class Weighted(Cross):
    "With the weights of all places, and steps first"
    def __init__(self): super().__init__(batch_first=False)
    def attended(self, q, k, v):
        y, weights = self.mha(*(t.transpose(0, 1) for t in (q, k, v)))
        return y.transpose(0, 1) + weights.sum(2, keepdim=True)

class Places(Cross):
    "Queries and keys know their places, values do not"
    def __init__(self): super().__init__(); self.place = nn.Parameter(torch.randn(6, 12))
    def forward(self, x, memory):
        x = self.q(x)
        return self.head(x + self.attended(x + self.place, x + self.place, x))

class Sliced(Cross):
    "The same, written by hand"
    def attended(self, q, k, v):
        w, b = self.mha.in_proj_weight, self.mha.in_proj_bias
        q, k, v = (F.linear(x, w[i:i + 12], b[i:i + 12]).unflatten(-1, (3, 4)).transpose(1, 2) for i, x in zip((0, 12, 24), (q, k, v)))
        return self.mha.out_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

class Decoding(Cross):
    def __init__(self, first):
        super().__init__()
        self.mha = nn.TransformerDecoder(nn.TransformerDecoderLayer(12, 3, 24, 0., batch_first=True, norm_first=first), 2)
    def forward(self, x, memory): return self.head(self.mha(self.q(x), self.k(memory)))

class Translating(Cross):
    def __init__(self):
        super().__init__()
        self.mha = nn.Transformer(12, 2, 1, 2, 24, 0., batch_first=True)
    def forward(self, x, memory):
        return self.head(self.mha(self.k(memory), self.q(x), tgt_mask=nn.Transformer.generate_square_subsequent_mask(6, dtype=x.dtype), tgt_is_causal=True))

CROSS = dict(cross=Cross, unbiased=lambda: Cross(bias=False), kdim=lambda: Cross(8), vdim=lambda: Cross(vdim=9), both=lambda: Cross(8, 9), weighted=Weighted, places=Places, sliced=Sliced,
             decoder=lambda: Decoding(True), decoder_post=lambda: Decoding(False), transformer=Translating)

@pytest.fixture
def pair(): return [torch.randn(2, *n, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) for n in ((6, 5), (4, 7))]

ATTENTION = {("cross", .3), ("both", .6), ("weighted", .3), ("sliced", .3), ("decoder", .3), ("transformer", .3)}
ALL = [(name, .3) for name in CROSS] + [("cross", .6), ("both", .6), ("decoder", .6)]

@pytest.mark.parametrize("name, keep", [pytest.param(*a, marks=[pytest.mark.slow] * (a not in ATTENTION)) for a in ALL])
def test_pruned_attention_to_something_else_is_masked(name, keep, pair):
    module, net = imported(CROSS[name], *pair, share=False)
    assert not net.opaque
    plan, reference = pruned_and_masked(net, module, keep, magnitude)
    heads = [v for v in net if v.name.endswith("out_proj")]
    assert all(len(plan.ins(v)[0]) < 12 for v in heads) or keep == .6, "heads went"
    assert all(v.nout < 12 for v in (net["q"], *(net[k] for k in ("k", "v") if k in net.names)))
    for mode in False, True: assert torch.allclose(net.train(mode)(*pair), reference.train(mode)(*pair), atol=1e-10)
    net(*pair).sum().backward()

@pytest.mark.parametrize("name", ["cross", "unbiased", "weighted", "places", "sliced"])
def test_heads_and_widths_of_attention_to_something_else_grow(name, pair):
    module, net = imported(CROSS[name], *pair, share=False)
    net.resize("mha.in_proj", +12)
    assert net["mha.in_proj"].op.rows in ([16, 32], [16, 16, 16], [32, 16]) and torch.allclose(net(*pair), module(*pair), atol=1e-10)
    net.resize("q", +2)
    assert net["mha.in_proj"].op.weight.shape == (48, 14) and torch.allclose(net(*pair), module(*pair), atol=1e-10)
    if name == "places": return
    assert net["k"].nout == 14, "the rows of one matrix are equally long"
    with pytest.raises(SizeError): net.resize("k", +1, frozen=["q"])

@pytest.mark.parametrize("name", ["kdim", "vdim", "both"])
def test_heads_of_projections_with_widths_of_their_own_grow(name, pair):
    module, net = imported(CROSS[name], *pair, share=False)
    net.resize("mha.v_proj", +4)
    assert net["mha.q_proj"].nout == net["mha.k_proj"].nout == 16 and net["mha.in_proj_bias"].nout == 48
    assert torch.allclose(net(*pair), module(*pair), atol=1e-10)
    assert torch.equal(net["mha.in_proj_bias"].op.value, F.pad(module.mha.in_proj_bias.view(3, 12), (0, 4)).flatten())
    net.resize({"k": +2, "q": -1})
    assert net["k"].nout == module.k.out_features + 2

class Alone(Cross):
    def forward(self, x, memory):
        x = self.q(x)
        return self.head(x + self.attended(x, x, x))

def test_heads_of_attention_to_itself_grow(pair):
    module, net = imported(Alone, *pair, share=False)
    net.resize("mha.in_proj", +12)
    assert net["mha.out_proj"].op.weight.shape == (12, 16) and torch.allclose(net(*pair), module(*pair), atol=1e-10)
    for name in "weight", "bias":     # each third has its new rows behind its old ones
        new, old = getattr(net["mha.in_proj"].op, name), getattr(module.mha, f"in_proj_{name}")
        assert torch.equal(new.unflatten(0, (3, 16))[:, :12], old.unflatten(0, (3, 12)))

def test_what_belongs_to_packed_weights_goes_with_them(pair, tmp_path):
    module, net = imported(Cross, *pair, share=False)
    optimizer = torch.optim.SGD(net.parameters(), .01, momentum=.9)
    net.track(optimizer)
    net(*pair).square().sum().backward()
    optimizer.step()
    packed = net["mha.in_proj"].op
    held = lambda: [t.detach().clone() for t in (packed.weight, packed.weight.grad, optimizer.state[packed.weight]["momentum_buffer"])]
    before, worth = held(), {"mha.in_proj": np.tile(np.repeat([1., -1, 1], 4), 3), "q": 1. + np.arange(12), "k": 12. - np.arange(12)}
    net.resize({"mha.in_proj": -12, "q": -3}, by=worth)
    rows = [i for i in range(36) if i % 12 // 4 != 1]       # the second head went, and other columns of the queries' rows than of the others'
    for old, new in zip(before, held()): assert torch.equal(new, torch.cat([old[rows[:8], 3:], old[rows[8:], :9]]))
    space = {}
    exec(net.to_python(), space)
    written = space["Model"]().double()
    written.load_state_dict(net.state_dict())
    net.save(tmp_path / "net")
    plain, loaded = net.to_torch(), Net.load(tmp_path / "net")
    assert not any(type(m).__module__.startswith("naivenas") for m in plain.modules())
    for other in written, plain, loaded: assert torch.equal(other(*pair), net(*pair))
    loaded.resize({"mha.in_proj": +12, "q": +1})
    assert torch.allclose(loaded(*pair), net(*pair), atol=1e-12)

class Paired(Tiny):
    "All features of one with all of another, at every step"
    def __init__(self, bias=True): super().__init__(a=nn.Linear(5, 9), b=nn.Linear(7, 10), m=nn.Bilinear(9, 10, 8, bias), head=nn.Linear(8, 3))
    def paired(self, a, b): return self.m(a, b)
    def forward(self, x, y): return self.head(self.paired(self.a(x[:, :4]), self.b(y)).relu())

class Squares(Paired):
    "All features with all"
    def __init__(self): super().__init__(); self.m = nn.Bilinear(9, 9, 8)
    def paired(self, a, b): return self.m(a, a)

class Bare(Paired):
    "With parameters that no layer owns"
    def __init__(self):
        super().__init__()
        del self.m
        self.m_weight, self.m_bias = nn.Parameter(torch.randn(8, 9, 10)), nn.Parameter(torch.randn(8))
    def paired(self, a, b): return F.bilinear(a, b, self.m_weight, self.m_bias)

PAIRED = dict(paired=Paired, unbiased=lambda: Paired(False), squares=Squares, bare=Bare)

@pytest.mark.parametrize("name", PAIRED)
def test_pruned_bilinear_layers_are_masked(name, pair):
    module, net = imported(PAIRED[name], *pair, share=False)
    assert not net.opaque and isinstance(net["m"].op, nn.Bilinear)
    plan, reference = pruned_and_masked(net, module, .6, magnitude)
    assert net["a"].nout < 9 and net["m"].nout < 8 and tuple(net["m"].op.weight.shape) == (net["m"].nout, *(u.nout for u in net["m"].inputs))
    for mode in False, True: assert torch.allclose(net.train(mode)(*pair), reference.train(mode)(*pair), atol=1e-10)
    net(*pair).sum().backward()

@pytest.mark.parametrize("name", PAIRED)
def test_bilinear_layers_grow_along_all_axes(name, pair):
    module, net = imported(PAIRED[name], *pair, share=False)
    net.resize({"a": +2, "m": +4} | ({} if name == "squares" else {"b": +3}))
    assert net["m"].op.weight.shape == ((12, 11, 11) if name == "squares" else (12, 11, 13))
    assert torch.allclose(net(*pair), module(*pair), atol=1e-10) and (net["m"].op.weight[8:] != 0).any()

def test_a_bilinear_layer_that_reads_what_comes_in():
    module, data = nn.Bilinear(5, 7, 4).double(), [torch.randn(3, n, dtype=torch.float64) for n in (5, 7)]
    net = Net.from_torch(module, *data)
    assert not net.opaque and torch.equal(net(*data), module(*data)) and [v.nout for v in net.inputs] == [5, 7]

def test_attention_drops_out_in_training_only():
    class Dropping(Attention):
        def forward(self, x):
            q, k, v = self.qkv(self.first(x)).reshape(-1, 7, 3, 3, 4).permute(2, 0, 3, 1, 4)
            return F.scaled_dot_product_attention(q, k, v, dropout_p=.5 if self.training else 0.)
    tokens = torch.randn(2, 7, 5)
    module = Dropping()
    net = Net.from_torch(module, tokens)
    assert torch.allclose(net.eval()(tokens), module.eval()(tokens), atol=1e-6) and torch.equal(net(tokens), net(tokens))
    assert not torch.equal(net.train()(tokens), net(tokens))

@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("both", [False, True])
def test_recurrent_layers(cell, both):
    class Recurrent(Tiny):
        def __init__(self): super().__init__(r=cell(4, 6, 2, batch_first=True, bidirectional=both), a=nn.Linear(6 + 6 * both, 3), b=nn.Linear(6, 2))
        def forward(self, x):
            y, state = self.r(x)
            return self.a(y), self.b((state[0] if cell is nn.LSTM else state)[-1])
    x, torch_seed = torch.randn(2, 5, 4, dtype=torch.float64), torch.manual_seed(0)
    module = Recurrent().double()
    net = Net.from_torch(module, x, share=False)
    assert not net.opaque and isinstance(net["r"].op, cell)
    before = module(x)
    net.resize("r", +3)
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(net(x), before)) and net["r"].op.hidden_size == 9
    net.resize("r", -5)
    assert [t.shape for t in net(x)] == [t.shape for t in before]

def test_states_of_zeros_are_those_that_a_recurrent_layer_starts_with_anyway():
    class Started(Tiny):
        def __init__(self, first): super().__init__(e=nn.Linear(4, 6), r=nn.LSTM(6, 5, batch_first=True), head=nn.Linear(5, 2)); self.first = first
        def forward(self, x):
            h = self.first(1, x.shape[0], 5, dtype=x.dtype)
            return self.head(self.r(self.e(x), (h, h))[0])
    x = torch.randn(2, 7, 4, dtype=torch.float64)
    net = Net.from_torch(Started(torch.zeros).double(), x)
    net.resize({"e": -2, "r": -1})
    assert "r.begins" not in net.names
    module = Started(torch.ones).double()
    net = Net.from_torch(module, x, share=False)      # others are read
    before = copy.deepcopy(module)
    report = net.resize({"e": -2, "r": -1})
    lost, = {*range(5)} - {*report.plan.out("r").tolist()}
    for p in before.r.parameters(): p.data[[lost, 5 + lost, 10 + lost, 15 + lost]] = 0
    before.head.weight.data[:, lost] = before.r.weight_hh_l0.data[:, lost] = 0     # it keeps some of what it begins with
    for p in (before.e.weight, before.e.bias): p.data[[i for i in range(6) if i not in report.plan.out("e")]] = 0
    assert "r.begins" in net.names and torch.allclose(net(x[:1]), before(x[:1]), atol=1e-12)

def test_results_written_without_gradients(images):
    class Written(Tiny):
        def __init__(self): super().__init__(a=conv(3, 8), b=conv(8, 6), head=nn.Linear(6, 2))
        def forward(self, x):
            h = self.a(x)
            with torch.no_grad(): torch.exp(h, out=(gate := torch.zeros_like(h)))
            return self.head(self.b(h * gate).mean((2, 3)))
    module = Written().double()
    net = Net.from_torch(module, images)
    net(images).sum().backward()
    assert torch.equal(net(images), module(images)) and net["a"].op.weight.grad.any() and not net.opaque

def test_what_is_added_behind_a_layer_is_not_that_layer(images):
    class Halved(Tiny):
        def __init__(self): super().__init__(a=conv(3, 8), b=conv(8, 8), c=conv(8, 8), head=nn.Linear(8, 2))
        def forward(self, x):
            h = self.a(x)
            with torch.no_grad(): gate = self.b(h)
            y = self.c(h)
            y[:, 2:5] = 0
            return self.head((y * gate).mean((2, 3)))
    module = Halved().double()
    net = Net.from_torch(module, images)
    assert torch.equal(net(images), module(images)) and not net.opaque and sum(v.op is module.b or v.op is module.c for v in net) == 2
    net.resize("a", -3)
    net(images).sum().backward()
    assert net["a"].op.weight.grad.any() and net["b"].op.weight.grad is None

class Averaged(Tiny):
    "Keeps a running average of its own, without gradients, while it is trained"
    def __init__(self): super().__init__(a=nn.Linear(4, 6), b=nn.Linear(6, 2)); self.register_buffer("mean", torch.rand(6))
    def forward(self, x):
        h = self.a(x)
        if self.training:
            with torch.no_grad(): self.mean.mul_(.9).add_(h.mean(0), alpha=.1)
        return self.b(h - self.mean)

@pytest.mark.parametrize("make", [Averaged, lambda: nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 6)), nn.Linear(6, 2))])
def test_memory_of_its_own_is_not_imported_and_evaluation_leaves_it_alone(make, caplog):
    torch.manual_seed(0)
    module, x = make().double(), torch.randn(5, 4, dtype=torch.float64)
    with caplog.at_level("WARNING", "naivenas"): net = Net.from_torch(module, x)
    assert "what it computes in evaluation mode was taken" in caplog.text
    before = {k: b.clone() for k, b in module.named_buffers()}
    for mode in True, False: assert torch.allclose(net.train(mode)(x), module.eval()(x), rtol=1e-12)
    assert all(torch.equal(b, before[k]) for k, b in module.named_buffers())

class Remembering(Tiny):
    "Works out its scale once in evaluation mode, until it is trained again"
    def __init__(self): super().__init__(a=nn.Linear(4, 6), b=nn.Linear(6, 2)); self.memory = []
    def train(self, mode=True):
        if mode: self.memory.clear()
        return super().train(mode)
    def forward(self, x):
        if not self.training and not self.memory: self.memory.append(self.a.weight.norm())
        return self.b(self.a(x) * (self.a.weight.norm() if self.training else self.memory[0]))

@pytest.mark.parametrize("training", [True, False])
def test_what_a_module_remembers_is_not_what_the_import_saw(training):
    module, x = Remembering().train(training), torch.randn(5, 4)
    module.b.train(not training)
    Net.from_torch(module, x)
    assert not module.memory and [m.training for m in module.modules()] == [training, training, not training]

def test_a_branch_that_depends_on_numbers_is_refused(capfd):
    class Deciding(Tiny):
        def __init__(self): super().__init__(a=nn.Linear(4, 6))
        def forward(self, x): return self.a(x) if x.sum() > 0 else x
    with pytest.raises(Untraceable, match="^Deciding cannot be traced"): Net.from_torch(Deciding(), torch.randn(5, 4))
    assert capfd.readouterr().err == "", "one sentence, and that is the error"
    class Branching(Tiny):
        def __init__(self): super().__init__(a=nn.Linear(4, 6))
        def forward(self, x): return torch.cond(x.sum() > 0, torch.sin, torch.cos, (self.a(x),))
    with pytest.raises(ValueError, match="contains cond"): Net.from_torch(Branching(), torch.randn(5, 4))

# ----------------------------------------------------------------------------------------------- what goes in, what comes out

class Many(Tiny):
    "Several inputs, one by name, and a dictionary with a tuple in it"
    def __init__(self):
        super().__init__(a=nn.Linear(4, 6), b=nn.Linear(6, 3), c=nn.Linear(5, 6))
        self.place = nn.Parameter(torch.randn(6))
        self.register_buffer("mask", torch.ones(6))
    def forward(self, x, pair=None, scale=2.):
        h = (self.a(x) + self.place + self.c(pair["more"])) * self.mask
        return {"logits": self.b(h), "hidden": (h, [h * scale, None]), "count": 3}

def test_nets_take_and_give_what_their_modules_take_and_give():
    x, more = torch.randn(2, 4), torch.randn(2, 5)
    module = Many()
    net = Net.from_torch(module, x, pair={"more": more})
    want = module(x, pair={"more": more})
    for got in net(x, pair={"more": more}), net(x, more), net(x, {"more": more}):
        assert set(got) == set(want) and got["count"] == 3 and got["hidden"][1][1] is None
        assert torch.equal(got["logits"], want["logits"]) and torch.equal(got["hidden"][1][0], want["hidden"][1][0])

def test_checkpoints_of_the_module_load():
    net, other = Net.from_torch(Many(), torch.randn(2, 4), pair={"more": torch.randn(2, 5)}), Many()
    net.load_state_dict(other.state_dict())
    assert torch.equal(net["place"].op.value, other.place) and torch.equal(net["b"].op.weight, other.b.weight)

def test_nets_can_be_copied_pickled_and_compiled():
    x, more = torch.randn(2, 4), torch.randn(2, 5)
    net = Net.from_torch(Many(), x, more if False else {"more": more})
    for copied in copy.deepcopy(net), pickle.loads(pickle.dumps(net)), torch.compile(net, backend="eager"):
        assert torch.equal(copied(x, more)["logits"], net(x, more)["logits"])
    copied = copy.deepcopy(net)
    copied.load_state_dict(Many().state_dict())
    assert not torch.equal(copied(x, more)["logits"], net(x, more)["logits"])

def test_an_example_of_one_is_no_batch_of_one(images):
    net = Net.from_torch(Excited().double(), images[:1])
    assert net(images).shape == (2, 3)

class Tied(Tiny):
    "Predicts words with the matrix that embeds them"
    def __init__(self, width=6):
        super().__init__(e=nn.Embedding(9, width), h=nn.Linear(width, width), d=nn.Linear(width, 9, bias=False), k=nn.Linear(9, 3))
        self.d.weight = self.e.weight
    def says(self, x): return self.d(x)
    def forward(self, x):
        x = self.e(x)
        return self.k(self.says(x + self.h(x).relu()).relu())

class Borrowed(Tied):
    def says(self, x): return F.linear(x, self.e.weight)

class Turned(Tied):
    def says(self, x): return x @ self.e.weight.t()

class Tuned(Tied):
    "Two layers with one weight, and two norms with one scale"
    def __init__(self):
        super().__init__()
        self.n, self.m, self.g = nn.LayerNorm(6), nn.LayerNorm(6), nn.Linear(6, 6)
        self.g.weight, self.m.weight, self.d.weight = self.h.weight, self.n.weight, nn.Parameter(torch.randn(9, 6))
        for norm in self.n, self.m: nn.init.normal_(norm.weight), nn.init.normal_(norm.bias)
    def says(self, x): return self.d(self.m(self.g(self.n(x)).relu()))

@pytest.fixture
def words(): return torch.randint(0, 9, (2, 3), generator=torch.Generator().manual_seed(3))

@pytest.mark.parametrize("make", [Tied, Borrowed, Turned, Tuned])
def test_what_modules_share_is_cut_alike(make, words):
    module, net = imported(make, words, share=False)
    assert not net.opaque
    plan, reference = pruned_and_masked(net, module, .6, magnitude)
    assert 0 < net["e"].nout < 6 and net["e"].op.weight.shape == (9, net["e"].nout)
    for mode in False, True: assert torch.allclose(net.train(mode)(words), reference.train(mode)(words), atol=1e-10)
    if make is Tied: assert net["d"].op.weight is net["e"].op.weight and net["d"].op.in_features == net["e"].nout
    if make is Tuned: assert net["g"].op.weight is net["h"].op.weight and net["n"].op.weight is net["m"].op.weight
    with pytest.raises(SizeError): net.resize(net.find("d$|linear|matmul")[0] if make is not Tuned else "e", -1, frozen=["h"])

@pytest.mark.parametrize("make", [Tied, Borrowed, Turned])
def test_what_modules_share_grows_and_learns_on(make, words, tmp_path):
    module, net = imported(make, words)
    optimizer = torch.optim.Adam(net.parameters(), .01)
    net.track(optimizer)
    net(words).square().sum().backward()
    optimizer.step()
    before, moment = net(words), optimizer.state[net["e"].op.weight]["exp_avg"].clone()
    net.resize("e", +2)
    assert torch.allclose(net(words), before, atol=1e-10) and torch.equal(module(words), net(words)), "the module has the same parameters"
    assert torch.equal(optimizer.state[net["e"].op.weight]["exp_avg"], F.pad(moment, (0, 2)))
    net(words).square().sum().backward()
    optimizer.step()
    after = net(words)
    net.save(tmp_path / "net")
    for other in net.to_torch(), copy.deepcopy(net), Net.load(tmp_path / "net"): assert torch.equal(other(words), after)

def test_what_modules_share_in_other_ways_is_held(words):
    class Backwards(Tied):
        "What reads the neurons comes first, and what gives them, last"
        def __init__(self): super().__init__(); self.a = nn.Embedding(9, 6)
        def forward(self, x): return self.k(self.d(self.h(self.a(x))).relu()), self.e(x)
    class Cells(Tied):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.d.weight = nn.LSTM(6, 6, batch_first=True), nn.LSTM(6, 6, batch_first=True), nn.Parameter(torch.randn(9, 6))
            self.two.weight_hh_l0 = self.one.weight_hh_l0
        def says(self, x): return self.d(self.two(self.one(x)[0])[0])
    for make, first, later in (Backwards, "d", "e"), (Cells, "one", "two"):
        torch.manual_seed(0)
        net = Net.from_torch(make(), words)
        assert net.opaque == {later: f"shares its weights with {first}"}
        for name in first, later:
            with pytest.raises(SizeError, match="frozen|share their weights"): net.resize(name, -1)

class Straight(torch.autograd.Function):
    "Rounds, and says that it did not"
    @staticmethod
    def forward(ctx, x): return x.round()
    @staticmethod
    def backward(ctx, gradient): return gradient

class Squared(torch.autograd.Function):
    "Says what the operators would say, too"
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x
    @staticmethod
    def backward(ctx, gradient): return 2 * ctx.saved_tensors[0] * gradient

class Between(nn.Sequential):
    def __init__(self, function):
        super().__init__(nn.Linear(4, 6), nn.Linear(6, 2))
        self.function = function
    def forward(self, x): return self[1](self.function.apply(self[0](x)))

def test_a_backward_pass_of_its_own_is_told(caplog):
    torch.manual_seed(0)
    x = torch.randn(3, 4)
    with caplog.at_level("WARNING", "naivenas"):
        Net.from_torch(Between(Squared), x)
        assert not caplog.records
        net = Net.from_torch(Between(Straight), x)
    assert "Between has a backward pass of its own (Straight)" in caplog.text and len(caplog.records) == 1
    assert all(p.grad is None for p in net.parameters())

def test_modules_with_heads_for_training_only_are_taken_as_they_are_in_evaluation(images, caplog):
    class Auxiliary(Tiny):
        def __init__(self): super().__init__(a=conv(3, 8), b=nn.BatchNorm2d(8), head=nn.Linear(8, 3), extra=nn.Linear(8, 3))
        def forward(self, x):
            x = self.b(self.a(x)).mean((2, 3))
            return (self.head(x), self.extra(x)) if self.training else self.head(x)
    module = Auxiliary().double()
    with caplog.at_level("WARNING", "naivenas"): net = Net.from_torch(module, images)
    assert "something else in training mode" in caplog.text and len(caplog.records) == 1
    assert torch.equal(net.eval()(images), module.eval()(images)) and net.train()(images).shape == (2, 3)
    net.load_state_dict(module.state_dict())

# ------------------------------------------------------------------------------------------------------------ refusals

def test_what_cannot_be_traced_is_refused_in_one_sentence(images):
    class Odd(nn.Module):
        def forward(self, x): return x if x.sum() > 0 else -x
    with pytest.raises(Untraceable, match="Odd cannot be traced"): Net.from_torch(Odd(), images)

def test_a_module_that_refuses_without_words_is_quoted(images):
    class Picky(Tiny):
        def __init__(self): super().__init__(a=conv(3, 8))
        def forward(self, x):
            torch._assert(x.shape[-1] % 3 == 0, "")
            return self.a(x)
    with pytest.raises(Untraceable, match="AssertionError at torch._assert.x.shape.-1. % 3 == 0"): Net.from_torch(Picky().double(), images)

def test_precision_switched_on_within_is_refused(images):
    class Low(Tiny):
        def __init__(self): super().__init__(a=conv(3, 8))
        def forward(self, x):
            with torch.autocast("cpu", torch.bfloat16): return self.a(x)
    with pytest.raises(Untraceable, match="switches torch.autocast on"): Net.from_torch(Low(), images.float())

def test_a_wrong_example_is_refused(images):
    with pytest.raises(Untraceable, match="the example is of float64, the weights are of float32"): Net.from_torch(Chunked(), images)
    with pytest.raises(Untraceable, match="cannot be called with this example"): Net.from_torch(Chunked().double(), images[:, :2])

def test_what_is_not_understood_stays_whole(images):
    class Rolled(Tiny):
        def __init__(self): super().__init__(a=conv(3, 8), b=conv(8, 4), head=nn.Linear(4, 2))
        def forward(self, x): return self.head(self.b(self.a(x).cumsum(1)).mean((2, 3)))
    module, net = imported(Rolled, images, share=False)
    assert net.opaque
    with pytest.raises(SizeError): net.resize("a", -1)
    plan, reference = pruned_and_masked(net, module, .5, magnitude)
    assert torch.allclose(net.eval()(images), reference.eval()(images), atol=1e-10)

@pytest.mark.parametrize("products", [lambda x: torch.einsum("bcl,bdl->bcd", x, x), lambda x: x @ x.transpose(1, 2), lambda x: x[:, :, None] * x[:, None]])
def test_products_of_all_channels_with_all_are_held(images, products):
    class Gram(Tiny):
        def __init__(self): super().__init__(a=conv(3, 4), b=conv(4, 4), head=nn.Linear(4, 2))
        def forward(self, x): return self.head(products(self.b(self.a(x)).flatten(2)).relu().sum(1).reshape(len(x), 4, -1).mean(2))
    module, net = imported(Gram, images, share=False)
    with pytest.raises(SizeError): net.resize("b", -1)
    plan, reference = pruned_and_masked(net, module, .5, magnitude)
    assert torch.allclose(net.eval()(images), reference.eval()(images), atol=1e-10)

def test_a_signal_is_no_row_of_neurons(images):
    class Signal(Tiny):
        def __init__(self): super().__init__(a=nn.Linear(12, 16), c=nn.Conv1d(1, 6, 3, padding=1), d=nn.Conv1d(6, 2, 3, padding=1))
        def forward(self, x): return self.d(self.c(self.a(x)[:, None]).relu())
    net = Net.from_torch(Signal(), torch.randn(2, 12))
    assert net.opaque == {"c": "conv1d"} and not net.statistics
    with pytest.raises(SizeError): net.resize("a", -1)

def test_what_is_not_understood_stops_there(images):
    "Behind it, neurons are free again"
    class Odd(Tiny):
        def __init__(self): super().__init__(a=conv(3, 8), b=conv(8, 6), c=conv(6, 6), head=nn.Linear(6, 2))
        def forward(self, x): return self.head(self.c(self.b(self.a(x).flip(1).cumsum(1))).mean((2, 3)))
    module, net = imported(Odd, images, share=False)
    assert set(net.opaque.values()) == {"cumsum"}
    net.resize({"b": -2, "c": -1})
    with pytest.raises(SizeError): net.resize("a", -1)

def test_reductions_over_neurons_are_reported(images):
    class Relative(Tiny):
        "Global response normalisation: every channel, relative to the mean of all"
        def __init__(self): super().__init__(a=conv(3, 8), b=conv(8, 6), head=nn.Linear(6, 2))
        def forward(self, x):
            g = self.a(x).norm(dim=(2, 3), keepdim=True)
            return self.head(self.b(self.a(x) * g / (g.mean(1, keepdim=True) + 1e-6)).mean((2, 3)))
    module, net = imported(Relative, images, share=False)
    assert not net.opaque and list(net.statistics.values()) == ["mean"]
    assert any("mean over neurons" in line for line in net.plan({"a": +2}).caveats) and not net.plan({"b": +2}).caveats
    net.resize("a", -3)
    with torch.no_grad(): assert net(images).shape == (2, 2)

def test_any_function_of_a_layer_will_do(images):
    class Lambda(nn.Module):
        def __init__(self, f): super().__init__(); self.f = f
        def forward(self, x): return self.f(x)
    module = nn.Sequential(conv(3, 8), Lambda(lambda x: x * x.sigmoid()), Lambda(lambda x: x.mean((2, 3))), nn.Linear(8, 2)).double()
    net = Net.from_torch(module, images, share=False)
    assert not net.opaque and torch.equal(net(images), module(images))
    net.resize("0", -2)

def test_side_effects_are_left_alone_or_refused_in_one_sentence(images):
    class Counting(Tiny):
        def __init__(self): super().__init__(a=conv(3, 8), head=nn.Linear(8, 2)); self.calls = []
        def forward(self, x):
            self.calls.append(float(x.mean()))
            return self.head(self.a(x).mean((2, 3)))
    with pytest.raises(Untraceable, match="^Counting cannot be traced with this example: [^\n]*$"): Net.from_torch(Counting().double(), images)

def test_a_failed_import_leaves_the_module_as_it_was(images):
    module = Twice().double().eval()
    module.a.train()
    with pytest.raises(Untraceable): Net.from_torch(module, images[:, :2])
    assert not module.training and module.a.training and not module.b.training

class Branches(Tiny):
    "Two branches on one stem, joined by `how`"
    def __init__(self, how): super().__init__(stem=conv(3, 8), left=conv(8, 8), right=conv(8, 8), head=nn.Linear(8, 3)); self.how = how
    def forward(self, x):
        x = self.stem(x)
        return self.head(self.how(self.left(x), self.right(x)).mean((2, 3)))

def test_a_sum_takes_and_loses_branches():
    m, x = Branches(torch.add).double().eval(), torch.randn(2, 3, 4, 4, dtype=torch.float64)
    net = Net.from_torch(m, x, share=False)
    join = next(v for v in net if len(v.inputs) == 2)
    net.connect("stem", join)
    stem = m.stem(x)
    assert torch.allclose(net(x), m.head((m.left(stem) + m.right(stem) + stem).mean((2, 3))))
    net.remove("left", reconnect=False)
    assert torch.allclose(net(x), m.head((m.right(stem) + stem).mean((2, 3)))) and "left" not in net.names

def test_other_operators_take_what_they_took():
    net = Net.from_torch(Branches(torch.atan2), torch.randn(2, 3, 4, 4))
    join = next(v for v in net if len(v.inputs) == 2)
    with pytest.raises(ValueError, match="takes 2 inputs, not 1"): net.remove("left", reconnect=False)
    with pytest.raises(ValueError, match="takes 2 inputs, not 3"): net.connect("stem", join)

class Beside(Tiny):
    "A concatenation along `axis`, and a third branch that is not in it"
    def __init__(self): super().__init__(a=conv(3, 4), b=conv(3, 5), c=conv(3, 6), y=conv(9, 2), z=conv(6, 2))
    def forward(self, x): return self.y(torch.cat([self.a(x), self.b(x)], 1)) + self.z(self.c(x))

@pytest.mark.parametrize("edit", ["disconnect", "remove", "connect", "three"])
def test_a_concatenation_takes_and_loses_inputs(edit, tmp_path):
    m, x = Beside().double().eval(), torch.randn(2, 3, 4, 4, dtype=torch.float64)
    net = Net.from_torch(m, x, share=False)
    join = next(v for v in net if v.role == "stack")
    same, less = m(x), nn.functional.conv2d(m.a(x), m.y.weight[:, :4], m.y.bias, padding=m.y.padding) + m.z(m.c(x))
    if edit == "disconnect": net.disconnect("b", join)
    elif edit == "remove": net.remove("b", reconnect=False)
    else: net.connect("c", join, at=0)                  # new columns for old neurons begin as zeros
    if edit == "three": net.connect("a", join, at=1); net.disconnect("c", join)
    want = less if edit in ("disconnect", "remove") else same
    assert torch.allclose(net(x), want) and torch.allclose(net.to_torch()(x), want)
    net.save(tmp_path / "net.safetensors")
    assert torch.allclose(Net.load(tmp_path / "net.safetensors")(x), want)

def test_a_concatenation_along_another_axis_takes_what_it_took():
    class Pixels(Beside):
        def forward(self, x): return self.z(torch.cat([self.c(x), self.c(x) + 1], 2))
    net = Net.from_torch(Pixels(), torch.randn(2, 3, 4, 4))
    join = next(v for v in net if len(v.inputs) == 2)
    with pytest.raises(ValueError, match="takes 2 inputs, not 3"): net.connect("c", join)

@pytest.mark.parametrize("before", ["", "import naivenas.files.onnx_io"])
def test_a_pruned_module_is_a_plain_module_whatever_was_imported(before):
    code = f"""{before}
import torch; from torch import nn; from naivenas import prune
small = prune(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), torch.rand(3, 4))
assert not type(small).__module__.startswith("naivenas"), type(small)
assert sum(p.numel() for p in small.parameters()) == 4 * 4 + 4 + 4 * 2 + 2"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

def test_what_is_imported_first_leaves_the_compiler_as_it_was():
    "In a fresh process: while a module is captured, `len` is another function, which the compiler must not take for Python's own"
    code = """if True:
        import torch
        from naivenas import Net
        Net.from_torch(torch.nn.Linear(3, 2), torch.zeros(2, 3))
        f = torch.compile(lambda xs: sum(xs) * len(xs), backend="eager", fullgraph=True)
        print(f([torch.ones(1)] * 3).item())"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "9.0", done.stderr[-2000:]
