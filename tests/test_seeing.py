"Panels that tell the truth, programs that replay, texts that fit, pictures that stay"
import copy, gc, re
import numpy as np, pytest, torch
from naivenas import Graph, conv, explore, inputvertex
from naivenas.graph.cut import Dense
from naivenas.graph.fold import fold, helps
from naivenas.graph.vertex import Vertex, absorb, invariant
from naivenas.look.picture import draw
from sessions import network, replayed

def long(n=40, prefix="block"):
    "A residual net whose names are as long as those of imported nets"
    x = inputvertex("x", 4)
    v = "features.stem.conv" >> absorb(Dense(4, 4), x)
    for i in range(n):
        name = f"features.{prefix}{i // 10}.layer{i % 10}"
        v = f"{name}.sum" >> v + (f"{name}.act" >> invariant(np.tanh, f"{name}.conv1x1_before_the_sum" >> absorb(Dense(4, 4), v)))
    return Graph(x, "head" >> absorb(Dense(4, 2), v))

def panel_of(net):
    panel = explore(net)
    panel.widget
    return panel

# ---------------------------------------------------------------------------------------------------- terminals

@pytest.mark.parametrize("make", [long, network])
@pytest.mark.parametrize("wide", [60, 80, 200])
def test_texts_fit_the_terminal(make, wide, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(wide))
    g = make()
    plan = g.plan({next(v for v in g if v.role.makes): -3})
    for shown in g, plan, plan.wires(), g.wires(): assert max(map(len, repr(shown).splitlines())) <= wide
    assert len(repr(g).splitlines()) <= 61
    full = g.text(full=True)
    assert len(full.splitlines()) == len(g) + 1 and all(re.search(rf"^{re.escape(n)} ", full, re.M) for n in g.names)

def test_tables_lose_nothing_but_in_print():
    g = long()
    table = g.wires()
    assert "…" in repr(table) and not table["through"].str.contains("…").any() and g[table["through"].iloc[1].split(", ")[0]]
    assert type(table[table.wires > 2]).__name__ == "DataFrame"

def test_common_prefixes_are_said_once_and_short_names_open_boxes():
    g = long()
    boxes = fold(g)
    shut = next(b for b in boxes if b.parts)
    assert shut.short.count("features.") == 1 and shut.name.count("features.") == 2
    assert len(fold(g, unfold=[shut.short])) == len(fold(g, unfold=[shut.name])) > len(boxes)

def test_a_plan_without_a_program_says_so():
    plan = network().plan({"stem": -3})
    assert plan.decision.problem is None and not plan.milp
    assert "no program was needed" in str(plan.milp) and "no program" in plan.milp._repr_latex_() and "None" not in str(plan.milp)
    assert network().plan({"wide": -3}).milp.columns

# ------------------------------------------------------------------------------------------------------- helpers

def test_helpers_are_folded_away_until_somebody_opens_them():
    x = inputvertex("x", 4)
    h = "h" >> absorb(Dense(4, 4), x)
    n = Vertex(len, [x], "scalar", 1, name="length")
    m = Vertex(float, [n], "scalar", 1, name="twice")
    y = Vertex(lambda a, b: a * b, [h, m], lambda i, j: i, 4, name="y")
    g = Graph(x, absorb(Dense(4, 2), y))
    shown = {b.short for b in fold(g)}
    assert helps(n) and helps(m) and not helps(x) and not helps(h) and {"x", "h", "y"} <= shown and not {"length", "twice"} & shown
    svg = draw(g).svg
    box = re.search(r'data-v="([^"]*\.\.[^"]*)"', svg)[1]
    assert "length" not in re.sub('"[^"]*"|<title>.*?</title>', "", svg) and 'class="node scalar"' in draw(g, unfold=[box]).svg
    assert 'class="node scalar"' in draw(g, fold=None).svg and g.html()

# ------------------------------------------------------------------------------------------------------- replays

@pytest.mark.parametrize("seed", range(5))
def test_the_program_of_a_session_does_what_was_done(seed):
    steps, text, weights = replayed(seed)
    assert text and weights, steps

@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5, 50))
def test_the_program_of_many_sessions_does_what_was_done(seed): assert replayed(seed)[1:] == (True, True)

def test_the_program_has_the_users_names():
    my_net, my_way = network(), lambda v: conv(v, v.nout)
    def weight(v): return np.ones(v.nout) if v.role.makes else None
    panel = explore(my_net, utilities={"mine": weight}, blocks={"own": my_way})
    panel.edit("insert", block="own")
    assert panel.line == 'my_net.insert(my_way, after="conv2d1")'
    panel.prune(.9, "mine")
    assert panel.line == "my_net.prune(keep=0.9, by=weight)" and explore(network()).name == "net"

# ----------------------------------------------------------------------------------------------------- the truth

def test_a_change_from_elsewhere_is_seen_and_blocks_undo_until_it_is_taken_back():
    net = network()
    panel = panel_of(net)
    panel.size(9)
    panel.apply()
    panel.how_big.value = 6
    assert panel.plan and not panel.buttons["undo"].disabled
    report = net.remove("side \"1\"")
    assert panel.plan is None and panel.buttons["apply"].disabled and panel.buttons["undo"].disabled and panel.buttons["undo"].tooltip
    assert "changed elsewhere" in panel.text["says"].value and "side" not in str(panel.who.options) and "side" not in panel.canvas.svg
    report.undo()
    assert not panel.buttons["undo"].disabled and any("side" in n for n in panel.who.options)
    panel.buttons["undo"].click()
    assert net.sizes["conv2d1"] == 12

def test_a_panel_that_nobody_looks_at_goes():
    import weakref
    net = network()
    ref = weakref.ref(explore(net))
    gc.collect()
    assert ref() is None and net.resize("stem", -3)

def test_outputs_are_asked_for_twice():
    net = network()
    panel = panel_of(net)
    panel.canvas.clicked = ["classes", 1]
    panel.how_big.value = 11
    panel.buttons["apply"].click()
    assert net.sizes["classes"] == 10 and panel.buttons["apply"].description == "apply anyway" and "11 numbers instead of 10" in panel.text["says"].value
    panel.how_big.value = 12
    assert panel.buttons["apply"].description == "apply"
    panel.buttons["apply"].click()
    panel.buttons["apply"].click()
    assert net.sizes["classes"] == 12 and panel.buttons["apply"].description == "apply"

def test_what_follows_is_said_in_layers_and_the_solver_is_in_a_fold():
    panel = panel_of(network())
    panel.canvas.clicked = ["left", 1]
    panel.how_big.value = 9
    says = panel.text["says"].value
    assert "1 tied layer follows (conv2d1)" in says and says.index("<details>") < says.index("solver") and "solver" not in panel.says()

def test_numbers_are_brought_back_with_a_word_and_refusals_offer_what_can_be_had():
    net = network()
    panel = panel_of(net)
    panel.canvas.clicked = ["left", 1]
    panel.number.value = 0
    assert panel.how_big.value == panel.number.value == 1 and "one neuron is the least" in panel.text["limits"].value
    panel.number.value = 30
    assert panel.plan.out("left").size == 30 and panel.how_big.max >= 30
    panel.canvas.clicked = ["grouped", 2]
    panel.number.value = 10                                              # three groups
    offers = {b.description: b for b in panel.offers.children}
    assert panel.plan is None and {"9 neurons", "12 neurons"} & offers.keys() and "as near as possible" in offers
    offers["9 neurons"].click()
    assert panel.plan.out("grouped").size == 9 and panel.number.value == 9 and not panel.offers.children

def test_what_fails_to_be_drawn_says_so_and_the_panel_lives(monkeypatch):
    panel = panel_of(network())
    monkeypatch.setattr(panel, "weights", lambda: 1 / 0)
    panel.tab.selected_index = 3
    assert "the weights could not be shown (ZeroDivisionError" in panel.text["says"].value
    panel.how_big.value = 9
    assert panel.plan and not panel.buttons["apply"].disabled

def test_the_chosen_vertex_is_revealed():
    panel = panel_of(long())
    name = panel.graph.names[50]
    assert f'data-v="{name}"' not in panel.canvas.svg
    panel.who.value = name
    assert f'data-v="{name}"' in panel.canvas.svg and panel.unfold
    panel.canvas.clicked = [name, 1]
    panel.canvas.clicked = [name, 2]
    assert f'data-v="{name}"' not in panel.canvas.svg

# ----------------------------------------------------------------------------------------------------- what stays

def test_a_panel_leaves_a_picture_and_its_program():
    panel = panel_of(network())
    panel.size(9)
    panel.apply()
    bundle = panel._repr_mimebundle_()
    assert "<img alt=" in bundle["text/html"] and "step1 = net.resize" in bundle["text/html"] and "Box(" not in bundle["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in bundle
    import base64
    svg = base64.b64decode(re.search("base64,([^\"]*)", bundle["text/html"])[1]).decode()
    from xml.etree import ElementTree
    assert ElementTree.fromstring(svg).tag.endswith("svg") and "background:var(--nn-ground)" in svg

def test_what_was_shown_last_is_what_is_kept(monkeypatch):
    class Handle:
        def __init__(self): self.said = []
        def update(self, bundle, raw): self.said.append(bundle["text/html"])
    panel = panel_of(network())
    panel._handle = Handle()
    panel.how_big.value = 9
    panel.buttons["apply"].click()
    assert len(panel._handle.said) == 2 and "step1" in panel._handle.said[-1] and "step1" not in panel._handle.said[0]

# ------------------------------------------------------------------------------------------------ a search, watched

def test_a_search_waits_and_stops_when_a_button_says_so():
    import time
    from naivenas import watch
    x, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
    w = watch()
    w.build()
    w.buttons["pause"].disabled or w.press("pause")
    own = w.began
    def began(*facts):
        own(*facts)
        w.press("pause")
    w.began = began
    w.fit(x, y, generations=3, size=2)
    end = time.time() + 60
    while not w.measuring and time.time() < end: time.sleep(.01)
    assert w.measuring == 1 and "paused, 1 of 2 candidates" in w.says() and w.buttons["pause"].disabled and not w.buttons["run"].disabled
    w.press("run")
    while not w.rows and time.time() < end: time.sleep(.01)
    w.press("stop")
    model, population = w.wait()
    assert model.predict(x[:2]).shape == (2,) and 1 <= len(w.rows) <= 3 and "finished" in w.says()
    assert w.buttons["stop"].disabled and w.buttons["run"].disabled and not w.buttons["explore"].disabled
    assert "<img" in w.still() and "Box(" not in w._repr_mimebundle_()["text/plain"]

def test_a_search_in_the_cell_itself_is_followed_to_its_end():
    from naivenas import fit, watch
    w = watch()
    fit(np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2, generations=1, size=2, progress=False, watch=w)
    assert w.over and "finished" in w.says() and w.plots()[0].count('r="4"') == 4       # one generation: a marker for each curve
    with pytest.raises(ValueError, match="no search was started"): w.wait()

# -------------------------------------------------------------------------------------------------------- budgets

def macs_of(net):
    "Multiplications, counted by hooks"
    found = []
    hooks = [m.register_forward_hook(lambda m, args, out: found.append(out[0].numel() * m.weight[0].numel())) for m in net.modules()
             if type(m).__name__ in ("Conv2d", "Linear")]
    net.eval()(torch.zeros(1, 3, 8, 8))
    for h in hooks: h.remove()
    return sum(found)

def test_a_budget_is_pulled_previewed_applied_and_replayed():
    net = network()
    fresh, before = copy.deepcopy(net), macs_of(network())
    panel = explore(net, example=torch.zeros(1, 3, 8, 8))
    panel.widget
    panel.spent.value = 50
    assert panel.plan and macs_of(net) == before and "% of 137.7 k" in panel.text["says"].value and panel.percent.value == 50
    assert re.search(r"137,672 → [\d,]+ \(4\d", panel.text["counts"].value)
    panel.buttons["apply"].click()
    assert .4 * before < macs_of(net) <= .5 * before and panel.spent.value == panel.percent.value == 100
    exec(panel.code, {"net": fresh})
    assert fresh.text(full=True) == net.text(full=True) and all(torch.equal(a, b) for a, b in zip(fresh.state_dict().values(), net.state_dict().values()))
    assert {n: v.shape for n, v in fresh.state_dict().items()} == {n: v.shape for n, v in net.state_dict().items()}

def test_a_budget_box_says_what_it_clamps_to():
    panel = explore(network(), example=torch.zeros(1, 3, 8, 8))
    panel.widget
    panel.percent.value = 3
    least = panel.spent.value
    assert panel.plan and panel.percent.value == least > 3 and f"3 becomes {least}: less can" in panel.text["spent"].value
    assert panel.budget((least - 1) / 100, "magnitude") is None and "is the least that can be had" in panel.says()
    panel.percent.value = 250
    assert panel.plan is None and panel.spent.value == 100 and "250 becomes 100: all of it is the most" in panel.text["spent"].value

def test_one_proposal_at_a_time():
    panel = explore(network(), example=torch.zeros(1, 3, 8, 8))
    panel.widget
    panel.spent.value = 60
    panel.keep.value = 70
    assert "keep=0.7" in panel.line and panel.spent.value == 100
    panel.unit.value = "parameters"
    panel.spent.value = 40
    assert "params=0.4" in panel.line and panel.keep.value == 100
    panel.step.value = 4
    assert "multiple_of=4" in panel.line and "40 becomes" in panel.text["spent"].value     # three groups of four: nearly nothing can go
    panel.how_big.value = 9
    assert "resize" in panel.line and panel.spent.value == 100

def test_no_example_no_multiplications_and_a_plain_graph_has_no_budget():
    panel = panel_of(network())
    panel.spent.value = 50
    assert panel.plan is None and "example=x" in panel.text["says"].value
    panel.unit.value = "parameters"
    assert panel.plan
    assert panel_of(long(4)).spent is None
