"Experts in a single parameter: their hidden neurons come and go, against the module itself with those at zero"
import copy
import pytest, torch
from torch import nn
from torch.nn import functional as F
from naivenas import Net, prune

class Experts(nn.Module):
    "Three experts, multiplied with all at once or one after the other"
    def __init__(self, how, hidden=10):
        super().__init__()
        self.how, self.a, self.router, self.z, turn = how, nn.Linear(5, 6), nn.Linear(6, 3), nn.Linear(6, 2), how == "linear"
        self.up, self.bias = nn.Parameter(torch.randn(3, hidden, 6) if turn else torch.randn(3, 6, hidden)), nn.Parameter(torch.randn(3, hidden))
        self.down = nn.Parameter(torch.randn(3, 6, hidden) if turn else torch.randn(3, hidden, 6))

    def forward(self, x):
        x = self.a(x)
        return self.z(x + getattr(self, self.how)(x, self.router(x).softmax(-1)))

    def bmm(self, x, r): return ((torch.bmm(x[None].expand(3, -1, -1), self.up) + self.bias[:, None]).relu().bmm(self.down) * r.t()[:, :, None]).sum(0)
    def baddbmm(self, x, r): return torch.einsum("te,etd->td", r, torch.baddbmm(self.bias[:, None], x[None].expand(3, -1, -1), self.up).relu() @ self.down)
    def matmul(self, x, r): return ((x @ self.up + self.bias[:, None]).relu() @ self.down * r.t()[:, :, None]).sum(0)
    def einsum(self, x, r): return torch.einsum("te,ted->td", r, torch.einsum("teh,ehd->ted", (torch.einsum("td,edh->teh", x, self.up) + self.bias).relu(), self.down))
    def at_once(self, x, r): return torch.einsum("teh,ehd->td", (torch.einsum("td,edh->teh", x, self.up) + self.bias).relu() * r[:, :, None], self.down)
    def reversed(self, x, r): return torch.einsum("te,ted->td", r, torch.einsum("teh,ehd->ted", (torch.einsum("td,hde->teh", x, self.up.T) + self.bias).relu(), self.down))
    def loop(self, x, r): return sum(r[:, e:e + 1] * ((x @ self.up[e] + self.bias[e]).relu() @ self.down[e]) for e in range(3))
    def linear(self, x, r): return sum(r[:, e:e + 1] * F.linear(F.linear(x, self.up[e], self.bias[e]).relu(), self.down[e]) for e in range(3))

def silent(module, kept):
    "A copy in which the other hidden neurons say nothing"
    twin = copy.deepcopy(module)
    for p in (twin.up, twin.bias, twin.down): p.data.index_fill_(p.shape.index(10), torch.tensor([i for i in range(10) if i not in kept]), 0.)
    return twin

@pytest.mark.parametrize("how", ["bmm", "baddbmm", "matmul", "einsum", "at_once", "reversed", "loop", "linear"])
def test_the_hidden_width_of_experts_is_free(how):
    torch.manual_seed(0)
    module, x = Experts(how).double(), torch.randn(3, 5, dtype=torch.float64)
    net = Net.from_torch(module, x, share=False)
    assert not net.opaque and torch.allclose(net(x), module(x), atol=1e-12)
    kept, y = net.resize("up", -4).plan.out("up").tolist(), torch.randn(4, 5, dtype=torch.float64)
    assert len(kept) == 6 and torch.allclose(net(y), silent(module, kept)(y), atol=1e-12)
    net.resize("up", +3)
    assert {k: t.numel() for k, t in net.state_dict().items() if k in ("up", "bias", "down")} == {"up": 162, "bias": 27, "down": 162}
    assert torch.allclose(net(y), silent(module, kept)(y), atol=1e-12)

def test_the_class_itself_with_fewer_hidden_neurons():
    torch.manual_seed(0)
    module, x = Experts("einsum"), torch.randn(3, 5)
    small = prune(module, x, keep=.5)
    assert type(small) is Experts and small.up.shape[2] == small.down.shape[1] == small.bias.shape[1] < 10 and small(x).isfinite().all()
