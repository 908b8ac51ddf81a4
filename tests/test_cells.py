"Cells of recurrent networks that are called in a loop: against the cells themselves, with the weights of removed units at zero"
import copy
import pytest, torch
from torch import nn
from naivenas import Net, prune
from naivenas.capture.trace import Untraceable, captured, every
from naivenas.files.load_into import load_into

GATES = {nn.RNNCell: 1, nn.GRUCell: 3, nn.LSTMCell: 4}

class Steps(nn.Module):
    "Two cells, the second reads what the first shows; states are made here, or left to the cells"
    def __init__(self, first, second, given=True, units=10):
        super().__init__()
        self.first, self.second, self.out, self.given, self.units = first(6, units), second(units, 8), nn.Linear(8, 3), given, units

    def begin(self, x, cell, n):
        if not self.given: return None
        zeros = torch.zeros(len(x), n, dtype=x.dtype)
        return (zeros, x.new_zeros(x.shape[0], n)) if isinstance(cell, nn.LSTMCell) else zeros

    def forward(self, x):
        a, b = self.begin(x, self.first, self.units), self.begin(x, self.second, 8)
        for t in range(x.shape[1]):
            a = self.first(x[:, t], a)
            b = self.second(a[0] if isinstance(a, tuple) else a, b)
        return self.out(b[0] if isinstance(b, tuple) else b)

def silent(module, first, second):
    "A copy of the module in which only these units of its two cells say anything"
    twin = copy.deepcopy(module)
    for cell, kept in (twin.first, first), (twin.second, second):
        for p in cell.parameters():
            rows = p.data.view(GATES[type(cell)], cell.hidden_size, *p.shape[1:])
            rows[:, [i for i in range(cell.hidden_size) if i not in kept]] = 0.
    return twin

def made(first, second, given=True):
    torch.manual_seed(0)
    return Steps(first, second, given).double(), torch.randn(2, 2, 6, dtype=torch.float64)

def units_of(net, plan, cell):
    "Which units of a cell stay, from the columns of its state's layer"
    v = next(v for v in net if v.name.startswith(f"{cell}.weight_hh"))
    return plan.ins(v)[0].tolist()

@pytest.mark.parametrize("first, second, given", [(nn.GRUCell, nn.LSTMCell, True), (nn.LSTMCell, nn.RNNCell, False), (nn.RNNCell, nn.GRUCell, True)])
def test_cells_in_a_loop(first, second, given):
    module, x = made(first, second, given)
    net = Net.from_torch(module, x, share=False)
    assert not net.opaque and torch.allclose(net(x), module(x), atol=1e-12)
    more = torch.randn(5, 2, 6, dtype=torch.float64)
    assert torch.allclose(net(more), module(more), atol=1e-12)           # the batch is open although states are made in forward
    plan = net.prune_plan(.5)
    kept = [units_of(net, plan, cell) for cell in ("first", "second")]
    assert 0 < len(kept[0]) < 10 and 0 < len(kept[1]) < 8
    plan.apply()
    for y in x, more: assert torch.allclose(net(y), silent(module, *kept)(y), atol=1e-12)
    assert {k: len(t) for k, t in net.state_dict().items() if k.startswith("first.")} == {k: GATES[first] * len(kept[0]) for k in ("first.weight_ih", "first.weight_hh", "first.bias_ih", "first.bias_hh")}

def test_a_unit_more_changes_nothing():
    module, x = made(nn.GRUCell, nn.LSTMCell)
    net = Net.from_torch(module, x, share=False)
    net.resize(next(v.name for v in net if v.name.startswith("first.weight_hh")), +3)
    assert net.state_dict()["first.weight_hh"].shape == (33, 11) and torch.allclose(net(x), module(x), atol=1e-12)

def test_the_class_itself_with_its_cells():
    module, x = made(nn.GRUCell, nn.LSTMCell, given=False)
    small = prune(module, x, keep=.5)
    assert type(small) is Steps and small.first.hidden_size == small.second.input_size < 10
    assert small.first.weight_hh.shape == (3 * small.first.hidden_size, small.first.hidden_size)
    assert small(torch.randn(4, 2, 6, dtype=torch.float64)).isfinite().all()
    again = load_into(Steps(nn.GRUCell, nn.LSTMCell, False).double(), small.state_dict(), x)
    assert torch.equal(again(x), small(x))

def test_sizes_that_depend_on_one_another_too_much_are_given_up():
    class Involved(nn.Module):
        def __init__(self): super().__init__(); self.parts = nn.ModuleList(nn.Identity() for _ in range(9))
        def forward(self, x):
            for k, part in enumerate(self.parts):
                n = x.shape[1]
                x = part(torch.cat([x, x[:, :n * n % (k + 5) + 1]], 1))
            return x
    x = torch.randn(2, 20)
    with pytest.raises(Untraceable, match="too much"): captured(Involved(), (x,), {}, False, every)
    assert captured(Involved(), (x,), {}, False) is not None          # the batch alone is open
