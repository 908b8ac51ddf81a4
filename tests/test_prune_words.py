"What pruning says: what is held, what knows nothing, what was decided for want of a word; and who goes by default"
import copy, logging, random

import numpy as np, pytest, torch
from torch import nn
import naivenas
from naivenas import (Graph, Net, SizeError, Taylor, batchnorm, batchnorm_scale, cat, conv, geometric_median, globalpool, inputvertex, keeping, l1, linear, magnitude, prune,
                      relaxed, relu)
from naivenas.graph.cut import Dense
from naivenas.graph.vertex import absorb, indexmap
from naivenas.sizes.wishes import CRITERIA

def cnn(norm=False):
    torch.manual_seed(0)
    x = inputvertex("x", 3)
    a = "a" >> conv(x, 12)
    return Net(x, "y" >> linear(globalpool(relu("b" >> conv(relu("bn" >> batchnorm(a) if norm else a), 10))), 4))

def length(op): return op.weight.detach().double().flatten(1).norm(dim=1).numpy() + np.abs(op.bias.detach().double().numpy())

# ------------------------------------------------------------------------------------------------------- nothing to prune, and shares

def test_nothing_to_prune_is_said(caplog):
    x = inputvertex("x", 4)
    net = Net(x, "out" >> linear(x, 2))
    with caplog.at_level("WARNING", "naivenas"): report = net.prune(.5, by=magnitude)
    assert "nothing can be pruned: out (output" in report.summary and [r.getMessage() for r in caplog.records] == report.plan.notes
    net = cnn()
    plan = net.prune_plan(.5, by=magnitude, frozen=net.names)
    assert not len(plan.table) and "nothing can be pruned: a, b, y (frozen)" in plan.summary
    caplog.clear()
    assert len(net.prune(.5).table) and not caplog.records

@pytest.mark.parametrize("keep, words", [(50, "keep=0.5 for 50 %"), (100, "keep=1 for 100 %"), (0, "more than 0"), (1.5, "at most 1, not 1.5"), (-1, "not -1"), (np.nan, "nan"), ("half", "'half'"),
                                         (None, "None"), (True, "True")])
def test_shares(keep, words):
    net = cnn()
    before = net.sizes
    for verb in net.prune, net.prune_plan:
        with pytest.raises((ValueError, TypeError)) as e: verb(keep, by=magnitude)
        assert "the share of neurons to keep" in str(e.value) and words in str(e.value)
    assert net.sizes == before

# ---------------------------------------------------------------------------------------------------------------------- criteria

CASES = {
    "taylor": (lambda net: Taylor(net), ValueError, ["Taylor", "measured nothing yet", "train"]),
    "batch norms": (lambda net: batchnorm_scale, ValueError, ["batchnorm_scale", "no batch norm", "magnitude"]),
    "None for all": (lambda net: lambda v: None, ValueError, ["<lambda>", "nothing of any neuron"]),
    "no names": (lambda net: {}, ValueError, ["nothing of any neuron"]), "zeros": (lambda net: lambda v: 0, ValueError, ["worth 0"]),
    "NaN": (lambda net: lambda v: np.full(v.nout, np.nan), ValueError, ["not finite"]), "unknown name": (lambda net: {"aa": 1}, KeyError, ["'aa'", "did you mean a?"]),
    "length": (lambda net: {"a": [1., 2.]}, ValueError, ["a has shape (2,)", "12"]), "a word": (lambda net: "magnitude", TypeError, ["naivenas.magnitude", "without quotes"]),
    "a slip": (lambda net: "magnitud", TypeError, ["did you mean by=naivenas.magnitude"]), "another slip": (lambda net: "batchnorm_scales", TypeError, ["naivenas.batchnorm_scale"]),
    "no criterion": (lambda net: "zebra", TypeError, ["'zebra'"]), "a class": (lambda net: Taylor, TypeError, ["class", "naivenas.Taylor(net)"]),
    "a module": (lambda net: nn.Linear(3, 3), TypeError, ["could not be asked about x"]), "the net": (lambda net: net, TypeError, ["could not be asked"]), "a number": (lambda net: 3, TypeError, ["not 3"]),
    "text": (lambda net: {"a": "much"}, (ValueError, TypeError), ["much"])}

@pytest.mark.parametrize("case", CASES)
def test_what_ranks_nothing_is_refused(case):
    make, error, words = CASES[case]
    net = cnn()
    before, by = copy.deepcopy(net.state_dict()), make(net)
    for verb in net.prune, net.prune_plan, lambda keep, by: net.resize("a", -2, by=by):
        if case in ("no names", "zeros") and verb not in (net.prune, net.prune_plan): continue       # a resize needs no opinion
        with pytest.raises(error) as e: verb(.5, by)
        assert all(w in str(e.value) for w in words), e.value
    assert all(torch.equal(t, before[k]) for k, t in net.state_dict().items())

def test_criteria_that_know_something_work():
    net = cnn(norm=True)
    with Taylor(net) as taylor: net.train()(torch.randn(2, 3, 5, 5)).sum().backward()
    for by in taylor, batchnorm_scale, magnitude, l1, geometric_median, None, lambda v: v.op.weight.abs().flatten(1).sum(1) if v.role.makes else None: assert len(net.prune_plan(.5, by).table)

def test_names_of_criteria_are_those_of_the_package():
    assert all(hasattr(naivenas, name.partition("(")[0]) for name in CRITERIA.values())

def test_a_graph_without_torch_asks_what_neurons_are_worth():
    x = inputvertex("x", 3)
    g = Graph(x, "y" >> absorb(Dense(4, 6), "h" >> absorb(Dense(3, 4), x)))
    with pytest.raises(TypeError, match="what are neurons worth.*magnitude"): g.prune(.5)
    assert g.plan({"h": -2}).out("h").tolist() == [0, 1], "by position"

# ------------------------------------------------------------------------------------------------------------------- who goes by default

@pytest.mark.parametrize("seed", range(8))
def test_weak_neurons_go_by_default(seed):
    r = random.Random(seed)
    torch.manual_seed(seed)
    net = cnn()
    for name in "a", "b":
        op = net[name].op
        with torch.no_grad(): op.weight *= torch.rand(len(op.weight))[:, None, None, None] * 3
    k = r.randrange(1, 9)
    want = lambda name: sorted(np.argsort(-length(net[name].op), kind="stable")[:net.sizes[name] - k])
    for wish in ({"a": -k}, {"a": relaxed(-k)}, {"a": -k, "b": -k}): assert net.plan(wish).out("a").tolist() == want("a")
    plan = net.plan({"a": -k, "b": -k})
    assert plan.out("b").tolist() == want("b") and plan.ins("b")[0].tolist() == want("a")
    assert net.plan(nin={"b": -k} if False else {net["b"]: relaxed(-k)}).ins("b")[0].tolist() == want("a")
    half = net.plan(keeping(net, .5))
    assert half.out("b").tolist() == sorted(np.argsort(-length(net["b"].op))[:5])

def test_tied_layers_are_measured_together():
    torch.manual_seed(3)
    x = inputvertex("x", 3)
    net = Net(x, "y" >> linear("s" >> ("a" >> linear(x, 9)) + ("b" >> linear(x, 9)), 2))
    with torch.no_grad(): net["b"].op.weight *= 100
    a, b = (length(net[n].op) for n in "ab")
    want = sorted(np.argsort(-(a / a.mean() + b / b.mean()))[:4])
    assert net.plan({"s": -5}).out("b").tolist() == want == net.plan({"a": -5}).out("a").tolist()

def test_what_was_said_counts_and_the_rest_is_by_magnitude():
    net = cnn()
    assert net.plan({"a": -9}, by={"a": np.arange(12)}).out("a").tolist() == [9, 10, 11]
    plan = net.plan({"a": -9, "b": -4}, by={"a": np.arange(12)})
    assert plan.out("b").tolist() == sorted(np.argsort(-length(net["b"].op))[:6])
    some = net.plan({"a": -9}, by={"a": [1] * 6 + [0] * 6}).out("a")
    assert some.tolist() == sorted(np.argsort(-length(net["a"].op)[:6])[:3])

def test_only_who_is_in_question_is_asked(monkeypatch):
    net, names = cnn(), []
    mine = type(net).default_importance
    monkeypatch.setattr(type(net), "default_importance", lambda self, v: names.append(v.name) or mine(self, v))
    for wish in {"a": +4}, {}, {"y": +1}: net.plan(wish)
    net.prune_plan(.5, magnitude)
    net.insert(lambda v: "c" >> conv(v, v.nout), after="a")
    assert not names
    net.plan({"b": -1})
    assert "b" in names and "a" not in names and "y" not in names

def test_how_many_go_is_not_touched():
    net = cnn()
    plain = [net.plan(wish).table for wish in ({"a": -3}, {"a": relaxed(-20), "b": -1}, {"b": relaxed(-2)})]
    ones = [net.plan(wish, by=lambda v: np.ones(v.nout) + np.arange(v.nout) * 1e-3 if v.role.makes else None).table for wish in ({"a": -3}, {"a": relaxed(-20), "b": -1}, {"b": relaxed(-2)})]
    assert all(one.equals(other) for one, other in zip(plain, ones))

def test_weights_without_numbers_and_fixed_rules_fall_back_to_position():
    with torch.device("meta"):
        x = inputvertex("x", 3)
        net = Net(x, linear("h" >> linear(x, 5), 2))
    assert net.plan({"h": -2}).out("h").tolist() == [0, 1, 2]
    net = cnn()
    with torch.no_grad(): net["a"].op.weight[2] = float("nan")
    assert len(net.plan({"a": -3}).out("a")) == 9
    x = inputvertex("x", 2)
    h = "h" >> linear(x, 4)
    halves = "halves" >> indexmap(lambda t: t[..., 1::2], h, moves=lambda i: i[1::2])      # every other one, by a fixed rule
    net = Net(x, "y" >> linear(halves, 1))
    with torch.no_grad(): net["h"].op.weight[:2] = 0
    plain = Graph(x, absorb(Dense(2, 1), "halves2" >> indexmap(lambda t: t[..., 1::2], "h2" >> absorb(Dense(2, 4), x), moves=lambda i: i[1::2])))
    try: want = plain.plan({"h2": -2}).out("h2").tolist()
    except SizeError: want = None
    try: found = net.plan({"h": -2}).out("h").tolist()
    except SizeError: found = None
    assert (found is None) == (want is None), "what could be had by position can still be had"

# ----------------------------------------------------------------------------------------------------------------------------- frozen

class Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.block1 = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 10))
        self.block2 = nn.Sequential(nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 6))
        self.head = nn.Linear(6, 3)
    def forward(self, x): return self.head(self.block2(self.block1(x).relu()).relu())

Z = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))

@pytest.mark.parametrize("frozen, stay", [(["block1.*"], {"block1.0", "block1.2"}), (["block?.0"], {"block1.0", "block2.0"}), (["*"], {"block1.0", "block1.2", "block2.0", "block2.2"}),
                                          (["block2.0", "block1.[02]"], {"block1.0", "block1.2", "block2.0"}), ([], set())])
def test_patterns_freeze(frozen, stay):
    torch.manual_seed(0)
    m = Blocks()
    net = Net.from_torch(m, Z, share=False, frozen=frozen)
    once = Net.from_torch(m, Z, share=False)
    layers = [v.name for v in net if v.role.makes]
    for plan in net.prune_plan(.5), once.prune_plan(.5, frozen=frozen):
        kept = {n for n in layers if len(plan.out(n)) == net.sizes[n]} - {"head"}
        assert stay <= kept and (len(stay) == 4 or kept != {*layers} - {"head"})
    small = prune(m, Z, keep=.5, frozen=frozen)
    assert {n for n in layers if small.get_submodule(n).out_features == m.get_submodule(n).out_features} >= stay
    assert {v.name for v in net.frozen if v.role.makes and v.name != "head"} == stay
    assert {v.name for v in copy.deepcopy(net).frozen} == {v.name for v in net.frozen}

@pytest.mark.parametrize("frozen, error, words", [
    (["blok1.*"], KeyError, ["frozen=", "'blok1.*'", "block1.*"]), (["block1"], KeyError, ["'block1.*' stands for"]), (["block9.*"], KeyError, ["block"]), (["block1.1x"], KeyError, ["block1.1"]),
    ("block1.*", TypeError, ["frozen=['block1.*']"]), (3, TypeError, ["3"])])
def test_patterns_that_fit_nothing_are_refused(frozen, error, words):
    net = Net.from_torch(Blocks(), Z)
    for way in (lambda: net.plan({}, frozen=frozen), lambda: net.prune(.5, frozen=frozen), lambda: Net(net.inputs, net.outputs, frozen), lambda: Net.from_torch(Blocks(), Z, frozen=frozen)):
        with pytest.raises(error) as e: way()
        assert all(w in str(e.value) for w in words), e.value

def test_a_name_is_taken_for_that_one_whatever_is_in_it():
    x = inputvertex("x", 2)
    net = Net(x, "y" >> linear("h[0]" >> linear("h0" >> linear(x, 3), 3), 1), frozen=["h[0]"])
    assert {v.name for v in net.frozen} == {"h[0]"}

# ----------------------------------------------------------------------------------------------------------------------- held is said

class Odd(nn.Module):
    def __init__(self, how): super().__init__(); self.how, self.a, self.b, self.c = how, nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 3)
    def forward(self, x):
        h = self.a(x)
        if self.how == "cumsum": h = h.cumsum(1)
        if self.how == "twice": h = self.b(h.cumsum(1)).relu().cumsum(1)
        if self.how == "input": h = torch.cat([x, x], 1) * self.a(x)
        return self.c(self.b(h).relu())

def said_by(module, *example, caplog):
    caplog.clear()
    with caplog.at_level("WARNING", "naivenas"): net = Net.from_torch(module, *example, share=False)
    return net, [r.getMessage() for r in caplog.records]

@pytest.mark.parametrize("how, words", [("plain", []), ("cumsum", [["cumsum", "neighbours (a)", "operation"]]), ("twice", [["cumsum, cumsum_1", "neighbours (a, b)"]]), ("input", [["a keeps its", "input x"]])])
def test_one_line_for_each_reason(how, words, caplog):
    net, lines = said_by(Odd(how), Z, caplog=caplog)
    assert len(lines) == len(words) and all(w in line for some, line in zip(words, lines) for w in some), lines
    held = [n for n in "ab" if any(f"{n}" in line.split("(")[-1] for line in lines)]
    for name in "a":
        if how == "plain": net.plan({name: -1})
        else:
            with pytest.raises(SizeError): net.plan({name: -1})

def test_computed_weights_are_named_by_their_module(caplog):
    from torch.nn.utils.parametrizations import spectral_norm
    m = nn.Sequential(nn.Linear(4, 9), nn.ReLU(), spectral_norm(nn.Linear(9, 8)), nn.ReLU(), nn.Linear(8, 3)).eval()
    _, lines = said_by(m, Z, caplog=caplog)
    lines = [line for line in lines if "training mode" not in line]
    assert len(lines) == 1 and lines[0].startswith("2 stays as it is") and "(0)" in lines[0] and "spectral_norm" in lines[0] and "remove_parametrizations" in lines[0]

def test_bare_matrices_are_named(caplog):
    class Bare(nn.Module):
        def __init__(self): super().__init__(); self.first, self.second, self.scale = (nn.Parameter(torch.randn(*s)) for s in ((4, 6), (6, 2), (2,)))
        def forward(self, x): return ((x @ self.first).relu() @ self.second) * self.scale
    net, lines = said_by(Bare(), Z, caplog=caplog)
    if not any(v.nout in (6, 2) and v.role.makes for v in net): assert len(lines) == 1 and "first, second" in lines[0] and "nn.Linear" in lines[0] and "scale" not in lines[0]

def test_a_model_of_which_all_can_change_says_nothing(caplog):
    class Res(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.bn, self.b, self.f, self.gate, self.scale = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 3), nn.Conv2d(8, 1, 1), nn.Parameter(torch.ones(8, 1, 1))
        def forward(self, x):
            y = self.bn(self.a(x)).relu()
            y = (y + self.scale * self.b(y)) * torch.sigmoid(self.gate(y))
            return self.f(y.mean((2, 3)))
    assert said_by(Res().eval(), torch.randn(2, 3, 6, 6), caplog=caplog)[1] == []

# ------------------------------------------------------------------------------------------------------------------ notes, and names

def test_what_a_plan_does_harshly_is_told():
    net, x = cnn(), torch.randn(2, 3, 6, 6)
    mild = net.prune_plan(.7)
    assert mild.caveats == [] and not any("not seen here" in n for n in mild.verify(x).notes)
    raw = net.prune_plan(.7, normalise=False)
    assert any("normalise=False" in c for c in raw.caveats) and "normalise=False" in raw.summary
    few = net.prune_plan(.05)
    told = [f"{n} {net.sizes[n]} -> {len(few.out(n))}" for n in "ab" if 8 * len(few.out(n)) <= net.sizes[n]]
    assert told and all(t in few.summary and "eighth" in few.summary for t in told)
    report = few.apply()
    checked = report.verify(x)
    assert checked.agrees and "not seen here" in checked.notes[-1] and told[0] in checked.notes[-1]
    net = cnn()
    assert net.plan({"a": -11}).caveats == [], "who asks for just this size knows"
    assert any("a 12 -> 1" in c for c in net.plan({"a": relaxed(-11)}).caveats)

def test_a_new_vertex_may_have_the_name_of_the_one_that_it_replaces():
    net, x = cnn(), torch.randn(2, 3, 6, 6)
    twin, want = copy.deepcopy(net), net(x).detach()
    net.track(twin)
    old = net["a"]
    report = net.replace("a", lambda v: "a" >> conv(v, 7, k=1))
    assert net["a"] is not old and net["a"].op.kernel_size == (1, 1) == twin["a"].op.kernel_size and net(x).shape == twin(x).shape
    assert report.table.index.is_unique and report.table.loc["a"].tolist() == [12, 7, 0, 12, 7] or len(net["a"].op.weight) != 7
    assert len({*net.names}) == len(net) and "a.weight" in net.state_dict()
    repr(report), report.plan.draw().svg, report.plan.draw(before=True).svg, report.verify(x)
    report.undo()
    assert net["a"] is old and torch.equal(net(x), want)
    with pytest.raises(ValueError, match="two vertices are called 'b'"): net.replace("a", lambda v: "b" >> conv(v, 12))
    with pytest.raises(ValueError, match="two vertices are called 'a'"): net.insert(lambda v: "a" >> conv(v, 12), after="a")
    assert net["a"] is old and torch.equal(net(x), want)
    net.replace(("a", "b"), lambda v: "b" >> conv("a" >> conv(v, 5), 6))
    assert net(x).shape == (2, 4)
