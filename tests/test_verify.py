"""What `verify` says, against oracles that share nothing with it: the masked module of masked.py, plain differences of outputs, and planted faults"""
import copy, random
from collections import Counter

import numpy as np, pytest, torch
from torch import nn

import naivenas
from naivenas import Net, SizeError, batchnorm, cat, conv, dropout, globalpool, groupnorm, inputvertex, layer, layernorm, linear, lstm, magnitude, relu
from naivenas.graph.vertex import invariant
from naivenas.nets.beside import places
from naivenas.sizes.wishes import relaxed
from masked import pruned_and_masked
from randomnets import Writer, assert_same, random_net, snapshot, utility_of, wishes_of
from test_layers import PLAIN, STATISTIC, net_of, step_of
from test_trace import SMALL, Attention, Chunked, Vision, imported

def far(a, b): return (a - b).abs().max().item()

def spoiled(plan, r):
    "Change one weight that the plan has cut, and say which parameter; None if there is none"
    mine = {id(p) for p in plan.graph.parameters()}
    cuts = [p for p, key, old in plan.report.done if key == "data" and id(p) in mine and old.numel() > 0 and old.shape != p.shape]
    if not cuts: return None
    p = r.choice(cuts)
    with torch.no_grad(): p.view(-1)[r.randrange(p.numel())] += 1.
    return p

@pytest.fixture
def images(): return torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

# ------------------------------------------------------------------------------------------------- against the masked module

@pytest.mark.parametrize("make", SMALL)
def test_pruned_imports_agree_and_a_fault_is_measured(make, images):
    module, net = imported(make, images, share=False)
    module.eval(), net.eval()
    foreseen = net.prune_plan(.6, magnitude).verify(images)
    plan, reference = pruned_and_masked(net, module, .6, magnitude)
    found = plan.verify(images)
    assert found.agrees and foreseen.agrees and found.largest == foreseen.largest < 1e-10 and far(net(images), reference(images)) < 1e-10
    assert found.change == pytest.approx(far(net(images), module(images)))
    for seed in range(5):
        state = copy.deepcopy(net.state_dict())
        spoiled(plan, random.Random(seed))
        want = far(net(images), reference(images))
        now = plan.verify(images)
        assert now.largest == pytest.approx(want, abs=1e-9) and now.agrees == (want < 1e-9)
        net.load_state_dict(state)

@pytest.mark.parametrize("make", SMALL)
def test_grown_imports_agree(make, images):
    module, net = imported(make, images, share=False)
    before = net.eval()(images)
    try: plan = net.plan({next(v for v in net if v.role == "absorb"): relaxed(+4)})
    except SizeError: assert make is Chunked; return
    found = plan.verify(images)
    plan.apply()
    assert found.agrees and plan.verify(images).agrees and found.change == pytest.approx(far(net(images), before), abs=1e-12)
    assert found.change < 1e-10 or any("new neurons change it" in s for s in found.notes)

@pytest.mark.parametrize("keep", [.3, .6])
@pytest.mark.parametrize("make, shape", [(Attention, (2, 7, 5)), (Vision, (2, 3, 4, 4))])
def test_pruned_attention_agrees(make, shape, keep):
    x = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    module, net = imported(make, x, share=False)
    module.eval(), net.eval()
    plan, reference = pruned_and_masked(net, module, keep, magnitude)
    assert plan.verify(x).agrees and far(net(x), reference(x)) < 1e-10
    spoiled(plan, random.Random(keep))
    assert plan.verify(x).largest == pytest.approx(far(net(x), reference(x)), abs=1e-9)

# ----------------------------------------------------------------------------------------------------------- layers of our own

@pytest.mark.parametrize("name", [*PLAIN, *STATISTIC])
def test_layers_cut_down_agree(name):
    net, x = net_of(*(PLAIN | STATISTIC)[name])
    rng, before = np.random.default_rng(1), net(x)
    try: plan = net.plan({"before": -step_of(name, None, net)}, by=lambda v: rng.random(v.nout))
    except SizeError: plan = net.plan({"before": relaxed(-step_of(name, None, net))}, by=lambda v: rng.random(v.nout))
    foreseen = plan.verify(x)
    plan.apply()
    found = plan.verify(x)
    assert foreseen.agrees and found.agrees and found.change == pytest.approx(far(net(x), before), abs=1e-12), found
    hidden = [p for n, p in net["before"].op.named_parameters() if n == "weight"]
    with torch.no_grad(): hidden[0].view(-1)[0] += 1.
    assert plan.verify(x).agrees == (plan.verify(x).largest < 1e-9)

@pytest.mark.parametrize("name", [*PLAIN, *STATISTIC])
def test_layers_that_grow_agree(name):
    net, x = net_of(*(PLAIN | STATISTIC)[name])
    for v in [v for v in net if v.role == "absorb" and v not in net.outputs]:
        before = net(x)
        plan = net.plan({v: step_of(name, v, net)})
        found = plan.verify(x)
        plan.apply()
        assert found.agrees and plan.verify(x).agrees, found
        assert found.change == pytest.approx(far(net(x), before), abs=1e-12) and (found.change < 1e-9) == (name not in STATISTIC)

# ----------------------------------------------------------------------------------------------------------------- random nets

def edit_of(r, net, tall):
    "A random edit, as a draft"
    like = Writer(r.getrandbits(30))
    v = r.choice([v for v in net if v.role != "input"])
    def block(u):
        like.pixels[u] = tall[u]
        return like.like(u, r.choice((u.nout, r.randint(1, 5))))
    what = r.choice(("insert", "insert", "remove", "disconnect", "connect", "replace"))
    draft = net.draft()
    if what == "insert": return what, draft.insert(r.choice((block, relu)), after=r.choice(net.vertices))
    if what == "remove": return what, draft.remove(v)
    if what == "replace": return what, draft.replace(v, lambda *us: block(us[0]))
    if what == "connect": return what, draft.connect(r.choice([u for u in net if tall[u] == tall[v]]), v)
    return what, draft.disconnect(r.choice(v.inputs), v)

def change_of(r, net, values):
    "`(what, plan)` of a random change; None if it is refused"
    from randomnets import heights
    what = r.choice(("resize", "prune", "edit", "edit"))
    try:
        if what == "resize": return what, net.plan(wishes_of(r, net), by=utility_of(r, net))
        if what == "prune": return what, net.prune_plan(r.uniform(.3, .9), magnitude)
        what, draft = edit_of(r, net, heights(net, values))
        return what, draft.plan()
    except (SizeError, ValueError, TypeError): return None

def walk(seeds, steps):
    said = Counter()
    for seed in seeds:
        r, (net, values) = random.Random(seed), random_net(seed)
        for _ in range(steps):
            if not (made := change_of(r, net, values)): said["refused"] += 1; continue
            what, plan = made
            before, state, rng = net(*values), snapshot(net), torch.get_rng_state()
            try: found = plan.verify(*values)
            except SizeError:            # an edit that puts feature maps where there were features
                assert_same(state, snapshot(net), "verifying changed the net")
                with pytest.raises(SizeError): plan.apply()
                assert_same(state, snapshot(net), "a refusal changed the net")
                said["does not run"] += 1
                continue
            assert_same(state, snapshot(net), "verifying changed the net")
            assert torch.equal(rng, torch.get_rng_state())
            assert found.agrees or np.isnan(found.largest), (seed, what, found)
            report = plan.apply()
            state = snapshot(net)
            again = report.verify(*values)
            assert_same(state, snapshot(net), "verifying a report changed the net")
            assert found.agrees == again.agrees and found.largest == pytest.approx(again.largest, abs=1e-9, nan_ok=True), (seed, what, found, again)
            now = net(*values)
            pairs = [*zip([before] if net.single else before, [now] if net.single else now)]
            if all(a.shape == b.shape for a, b in pairs) and (again.table["compared"] == again.table["after"]).all():
                assert again.change == pytest.approx(max(far(a, b) for a, b in pairs), abs=1e-9, nan_ok=True)
            said[what, again.agrees] += 1
            if not again.agrees: said["unclear: " + again.notes[0]] += 1
            elif what in ("resize", "prune"): catch(r, net, plan, values, said)
    print(dict(said))
    return said

def catch(r, net, plan, values, said):
    "One weight changed by hand moves the outputs by as much as is said"
    before, state = net(*values), copy.deepcopy(net.state_dict())
    if spoiled(plan, r) is None: return
    now = net(*values)
    moved = max(far(a, b) for a, b in ([(before, now)] if net.single else zip(before, now)))
    found = plan.verify(*values)
    if (found.table["after"] == found.table["compared"]).all():
        assert found.largest == pytest.approx(moved, abs=1e-9)
        said["fault", moved > 1e-9] += 1
    net.load_state_dict(state)

def test_random_changes_of_random_nets():
    said = walk(range(40), 3)
    agreed, not_agreed = (sum(n for k, n in said.items() if isinstance(k, tuple) and k[0] != "fault" and k[1] is yes) for yes in (True, False))
    assert agreed > 40 and not_agreed <= agreed // 20 and said["fault", True] > 20

@pytest.mark.slow
def test_many_random_changes_of_random_nets(): walk(range(1000, 1400), 4)

# ------------------------------------------------------------------------------------------------------------- planted faults

def small():
    torch.manual_seed(0)
    x = inputvertex("x", 4)
    h = "h" >> linear(x, 12)
    return Net(x, "y" >> linear("norm" >> layernorm(relu("g" >> linear(relu(h), 10))), 3)), torch.randn(6, 4)

@pytest.mark.parametrize("wrong", ["column", "row", "order", "bias", "norm"])
def test_a_wrong_cut_is_found(wrong):
    net, x = small()
    plan = net.plan({"h": -4, "g": -3}, by=magnitude)
    old = copy.deepcopy(net)
    assert isinstance(plan, naivenas.Plan) and isinstance(plan.apply(), naivenas.Report)
    assert plan.verify(x).agrees
    kept = plan.out("h").tolist()
    gone = next(i for i in range(12) if i not in kept)
    g, h, norm = (net[n].op for n in ("g", "h", "norm"))
    with torch.no_grad():
        if wrong == "column": g.weight[:, 2] = old["g"].op.weight[plan.out("g").tolist(), gone]     # another one than that of the neuron
        if wrong == "row": h.weight[2] = old["h"].op.weight[gone]
        if wrong == "order": g.weight.copy_(g.weight[:, [1, 0, *range(2, 8)]])
        if wrong == "bias": h.bias[0] += 1
        if wrong == "norm": norm.weight[0] = 2
    found = plan.verify(x)
    assert not found.agrees and found.largest_float64 > 1e-4 and "differs from" in found.sentence
    assert not plan.report.verify(x).agrees

def test_a_plan_whose_lists_are_wrong_is_found():
    "A reader whose list is not that of what it reads"
    net, x = small()
    plan = net.plan({"h": -4}, by=magnitude)
    wires, old, glue = plan.ties.ports[net["g"]][0]
    plan.ties.ports[net["g"]][0] = wires, old[::-1].copy(), glue
    assert not plan.verify(x).agrees

# ------------------------------------------------------------------------------------------------------- nothing else happens

def test_nothing_is_changed():
    torch.manual_seed(0)
    x = inputvertex("x", 3)
    net = Net(x, "y" >> linear(globalpool(dropout(relu("bn" >> batchnorm("c" >> conv(x, 8))))), 2))
    image, optimizer = torch.rand(4, 3, 6, 6), torch.optim.Adam(net.parameters())
    net.track(optimizer)
    net(image).sum().backward()
    optimizer.step()
    watched = []
    net.watchers.append(watched.append)
    for state in "planned", "applied", "taken back", "done again":
        if state == "planned": plan = net.prune_plan(.5, magnitude)
        if state == "applied": report = plan.apply()
        if state == "taken back": back = report.undo()
        if state == "done again": report = back.undo()
        before, rng, told = snapshot(net, [optimizer]), torch.get_rng_state(), len(watched)
        held = {k: v for k, v in vars(plan.report).items()} if plan.report else {}
        found = [plan.verify(image), *([report.verify(image)] if state != "planned" else []), *([back.verify(image)] if state in ("taken back", "done again") else [])]
        assert all(f.agrees for f in found) and len({f.largest for f in found}) == 1, state
        assert_same(before, snapshot(net, [optimizer]), state)
        assert torch.equal(rng, torch.get_rng_state()) and len(watched) == told and net.training
        assert {k: v for k, v in vars(plan.report).items()} == held if held else True
    assert "compared in evaluation mode" in found[0].notes[0] and "bn" in found[0].notes[0] and "drop" in found[0].notes[0]

def test_weights_that_hooks_compute_are_copied_as_they_are():
    torch.manual_seed(0)
    x = inputvertex("x", 4)
    net = Net(x, "y" >> linear("h" >> linear(relu("w" >> layer(nn.utils.weight_norm(nn.Linear(4, 6)), x)), 8), 2))
    values = torch.rand(3, 4)
    net(values)
    plan = net.plan({"h": -3})
    assert plan.verify(values).agrees and plan.apply().verify(values).agrees

# --------------------------------------------------------------------------------------------------------------- said in words

def test_outputs_that_change_their_size():
    net, x = small()
    found = net.plan({"y": -1}).verify(x)
    assert found.agrees and found.table.loc["y", ["before", "after", "compared"]].tolist() == [3, 2, 2]
    grown = net.resize("y", +2).verify(x)
    assert grown.agrees and grown.table.loc["y", ["before", "after", "compared"]].tolist() == [3, 5, 3] and grown.change < 1e-6

def test_random_operators_are_said():
    torch.manual_seed(0)
    x = inputvertex("x", 4)
    net = Net(x, "y" >> linear("noisy" >> invariant(lambda a: a + torch.rand_like(a), "h" >> linear(x, 8)), 2))
    found = net.plan({"h": -3}).verify(torch.rand(5, 4))
    assert found.agrees and any("noisy draws random numbers" in s for s in found.notes)

def test_what_does_not_run_in_float64_is_said():
    torch.manual_seed(0)
    x = inputvertex("x", 4)
    net = Net(x, "y" >> linear(invariant(torch.Tensor.float, "h" >> linear(x, 8)), 2))
    found = net.plan({"h": -3}).verify(torch.rand(5, 4))
    assert found.agrees and np.isnan(found.largest_float64) and "does not run in float64" in found.notes[0] and "float64)" not in found.sentence

def test_bfloat16_is_a_precision_of_its_own():
    net, x = small()
    found = net.bfloat16().plan({"h": -3}).verify(x.bfloat16())
    assert found.agrees and "(bfloat16)" in found.sentence and found.largest_float64 < 1e-12 and "bfloat16" in found.table

def test_identity_and_removal():
    torch.manual_seed(0)
    x = inputvertex("x", 3)
    net, image = Net(x, "y" >> linear(globalpool(relu("c" >> conv(x, 8))), 2)), torch.rand(2, 3, 5, 5)
    found = net.draft().insert(lambda v: "extra" >> conv(v, v.nout, start="identity"), after="c").plan().verify(image)
    assert found.agrees and found.change < 1e-6 and "rewired" in found.sentence
    other = net.draft().insert(lambda v: "extra" >> conv(v, v.nout), after="c").plan()
    assert other.verify(image).agrees and other.verify(image).change > 1e-3
    other.apply()
    removed = net.remove("extra")
    assert removed.verify(image).agrees and removed.verify(image).change > 1e-3

def test_shown():
    net, x = small()
    found = net.prune_plan(.5, magnitude).verify(x)
    gone = int((~net.prune_plan(.5, magnitude).decision.kept).sum())
    assert str(found).startswith(f"the changed net agrees with the old one, with {gone} neurons zeroed, to ") and "(float32) and " in found.sentence
    assert "<table" in found._repr_html_() and "y" in found.table.index and isinstance(found.largest, float)

def test_what_cannot_be_asked():
    net, x = small()
    plan, other = net.plan({"h": -3}), net.plan({"g": -1})
    with pytest.raises(TypeError, match="example"): plan.verify()
    report = other.apply()
    with pytest.raises(RuntimeError, match="has changed since"): plan.verify(x)
    net.resize("h", +1)
    with pytest.raises(RuntimeError, match="has changed since"): report.verify(x)

def test_places():
    kept = np.r_[0:4, 8:12]
    assert places((2, 12, 7), (2, 8, 7), 12, kept) == {1: pytest.approx(kept)}
    assert {a: i.tolist() for a, i in places((2, 3, 7, 4), (2, 2, 7, 4), 12, kept).items()} == {1: [0, 2]}
    assert places((3, 3), (3, 3), 3, np.array([0, 1, 2])) == {} and places((2, 3, 3), (2, 3, 3), 3, np.array([0, -1, 2])) is None
    assert places((2, 3, 3), (2, 3, 3), 3, np.array([0, -1, 2]), 2)[2].tolist() == [0, -1, 2]
    assert places((2, 5), (2, 7), 3, np.array([0, 2])) is None
