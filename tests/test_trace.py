"Modules of all kinds as nets: the same values and names, and after pruning what the original computes with the removed neurons zeroed"
import numpy as np, pytest, torch
from torch import nn
from torch.nn import functional as F
from naivenas.importance import magnitude
from naivenas.net import Net
from naivenas.ties import ties
import naivenas.arrival
from naivenas.trace import Untraceable
from naivenas.vertex import SizeError
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

SMALL = Chunked, ChannelsLast, Viewed, Masked, Twice, Excited, Shuffled, Scaled

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
    try: net.resize("a", +2 if make is not Viewed else +4)
    except SizeError: assert make in (Chunked,)
    assert torch.allclose(net(images), module(images), atol=1e-10)

def test_the_weights_are_the_modules_own_unless_asked(images):
    module, net = imported(Excited, images)
    assert {id(p) for p in net.parameters()} == {id(p) for p in module.parameters()} and set(net.state_dict()) == set(module.state_dict())
    _, copy = imported(Excited, images, share=False)
    assert not {id(p) for p in copy.parameters()} & {id(p) for p in module.parameters()}

def test_one_channel_over_many_is_held(images):
    _, net = imported(Masked, images)
    with pytest.raises(SizeError): net.resize("m", +1)

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

# ------------------------------------------------------------------------------------------------------------ refusals

def test_what_cannot_be_traced_is_refused_in_one_sentence(images):
    class Odd(nn.Module):
        def forward(self, x): return x if x.sum() > 0 else -x
    with pytest.raises(Untraceable, match="Odd cannot be traced"): Net.from_torch(Odd(), images)

def test_a_wrong_example_is_refused(images):
    with pytest.raises(Untraceable, match="cannot be traced with this example"): Net.from_torch(Chunked(), images[:, :2])

def test_what_is_not_understood_stays_whole(images):
    class Rolled(Tiny):
        def __init__(self): super().__init__(a=conv(3, 8), b=conv(8, 4), head=nn.Linear(4, 2))
        def forward(self, x): return self.head(self.b(self.a(x).cumsum(1)).mean((2, 3)))
    module, net = imported(Rolled, images, share=False)
    assert net.opaque
    with pytest.raises(SizeError): net.resize("a", -1)
    plan, reference = pruned_and_masked(net, module, .5, magnitude)
    assert torch.allclose(net.eval()(images), reference.eval()(images), atol=1e-10)
