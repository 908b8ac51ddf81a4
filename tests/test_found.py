"What the random tests have found, each as small as it gets"
import numpy as np, pytest, torch
import naivenas.sizes.edits
from naivenas.sizes import program as milp
from naivenas.graph.cut import Dense, GroupCut, cut
from naivenas import Graph
from naivenas.nets.layers import conv, linear, cat, shuffle, split
from naivenas.nets.norms import globalpool
from naivenas.nets.kinds import layer
from naivenas.nets.activations import relu
from naivenas import Net
from naivenas.graph.vertex import absorb, inputvertex
from naivenas.graph.roles import SizeError

@pytest.fixture
def x(): return inputvertex("x", 2)

image, row = torch.rand(2, 2, 4, 4), torch.rand(2, 2)

def unchanged(net, value, change):
    before = net.eval()(value)
    change()
    assert torch.allclose(net(value), before, atol=1e-5)

def test_state_dict_keys_are_vertex_names_from_the_start(x):
    net = Net(x, linear(relu(linear(x, 3)), 1))
    keys = list(net.state_dict())
    net.resize("linear1", +1)
    assert keys == list(net.state_dict()) and keys[0] == "linear1.weight"

def test_new_parameters_go_to_one_of_two_optimizers(x):
    net = Net(x, "y" >> linear("h" >> linear(x, 3), 1))
    two = [torch.optim.SGD(net[v].op.parameters(), .1) for v in ("h", "y")]
    net.track(*two).insert(lambda v: linear(v, 3), after="h")
    assert [len(o.param_groups[0]["params"]) for o in two] == [2, 4]

def test_a_parameter_that_an_optimizer_has_is_not_added_again(x):
    net, new = Net(x, linear("h" >> linear(x, 3), 1)), torch.nn.Linear(3, 3)
    o = torch.optim.SGD([*net.parameters(), *new.parameters()], .1)
    net.track(o).insert(lambda v: layer(new, v), after="h")
    assert len(o.param_groups[0]["params"]) == 6

def test_a_module_of_the_net_keeps_its_mode(x):
    net = Net(x, linear("h" >> linear(x, 2), 1))
    shared = net["h"].op.eval()
    net.insert(lambda v: layer(shared, v), after="h")
    assert net.training and not shared.training

def test_depthwise_stays_depthwise_with_one_channel(x):
    net = Net(x, linear(globalpool("d" >> conv("c" >> conv(x, 3), 3, groups=3)), 1))
    net.resize("c", -2)
    unchanged(net, image, lambda: net.resize("c", +2))
    op = net["d"].op
    assert op.groups == op.in_channels == 3 and op.weight.shape == (3, 1, 3, 3)

def test_removing_a_concatenation_of_twins(x):
    h = linear(x, 3)
    net = Net(x, linear(cat("twins" >> cat(h, h), linear(x, 2)), 1))
    unchanged(net, row, lambda: net.remove("twins"))

def test_shared_weights_are_not_cut_for_one_user_alone(x):
    a, b = "a" >> linear(x, 2), "b" >> linear(x, 3)
    first = linear("both" >> cat(a, b), 4)
    net = Net(x, layer(first.op, "c" >> linear(first, 5)))
    before = [p.clone() for p in net.parameters()]
    try: net.disconnect("a", "both")
    except SizeError: assert all(map(torch.equal, before, net.parameters()))
    else: assert net["c"].nout == net["both"].nout == first.op.in_features

def test_slices_and_shuffles_follow_through_an_edit(x):
    h = "h" >> linear(x, 4)
    left, right = split(h, [3, 1])
    net = Net(x, linear(cat(shuffle(h, 2), left, right), 2))
    unchanged(net, row, lambda: net.insert(lambda v: cat(linear(v, 2), v), after="h"))
    unchanged(net, row, lambda: net.resize("h", +3))

def test_a_slice_is_not_left_empty(x):
    a, b = linear(x, 1), linear(x, 1)
    both = "both" >> cat(a, b)
    net = Net(x, linear(cat(*split(both, [1, 1])), 2))
    with pytest.raises(SizeError, match="without neurons"): net.disconnect(a, both)

def test_a_shuffle_of_repeated_channels_is_right_or_refused(x):
    net = Net(x, linear(globalpool(shuffle(conv("c" >> conv(x, 3), 6, groups=3), 2)), 2))
    try: unchanged(net, image, lambda: net.resize("c", +1))
    except SizeError: pass

def test_no_neuron_changes_its_group():
    with pytest.raises(ValueError, match="another group"): cut(np.ones((2, 2)), GroupCut(rows=[0, 1], columns=[2, 3, 0, 1], groups=2, width=2))

def test_nothing_is_inserted_where_nothing_reads(x):
    z = inputvertex("z", 1)
    net = Net([x, z], linear(x, 1))
    with pytest.raises(ValueError, match="nothing reads z"): net.insert(relu, after="z")

@pytest.mark.parametrize("odd", ["2", [1, 2], np.ones(2), torch.ones(2), None])
def test_only_numbers_take_part_in_arithmetic(x, odd):
    with pytest.raises((TypeError, ValueError)): linear(x, 2) + odd
    assert (x + torch.tensor(2.)).nout == (np.float64(2) * x).nout == 2

def test_a_mistyped_solver_is_refused_where_none_is_needed():
    v = inputvertex("x", 2)
    g = Graph(v, absorb(Dense(3, 1), "h" >> absorb(Dense(2, 3), v)))
    with pytest.raises(ValueError, match="no solver is called"): g.resize("h", +1, solver="cplex")

def test_a_solver_is_not_taken_at_its_word(monkeypatch, caplog):
    "CBC has returned points that break the constraints"
    p = milp.Problem([[1.]], [3], [9], [0], [9], [1], [("least", np.ones(1))])
    monkeypatch.setattr(milp.SOLVERS["CBC"], "solve", lambda c, p, seconds: np.array([2.]))
    monkeypatch.setattr(milp, "SOLVERS", {name: s for name, s in milp.SOLVERS.items() if name != "Gurobi"})
    assert milp.solve(p).solver == "HiGHS" and "breaks a bound" in caplog.text
    with pytest.raises(milp.Unusable): milp.solve(p, "CBC")
