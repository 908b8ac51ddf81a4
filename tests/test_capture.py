"The contract of capture rules, what things are called in files, and where private parts of PyTorch are reached"
import dataclasses, json, re
from pathlib import Path
import pytest, torch
from torch import nn
import naivenas
from naivenas import Net, SizeError
from naivenas.capture.calls import Call, Spot
from naivenas.capture.importer import NotUnderstood, Site
from naivenas.capture.operators import OPERATORS, operation
from naivenas.files.save import known_as, name_of
from naivenas.graph.axes import Layout
from naivenas.graph.names import NAMED, named

class Turned(nn.Module):
    "Two layers with a reshape in between"
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 4, 1), nn.Linear(36, 2)
    def forward(self, x): return self.b(self.a(x).reshape(len(x), -1))

X = torch.randn(2, 2, 3, 3)

def under(rule, monkeypatch):
    "A net and its module, imported with this rule for reshapes"
    for name in "reshape", "view", "_unsafe_view": monkeypatch.setitem(OPERATORS, name, rule)
    module = Turned().eval()
    return Net.from_torch(module, X), module

@pytest.mark.parametrize("error", [NotUnderstood, SizeError])
def test_what_a_rule_does_not_understand_stays_whole(monkeypatch, error):
    def modest(work, s): raise error("not like this")
    net, module = under(modest, monkeypatch)
    assert torch.equal(net(X), module(X)) and len(net.opaque) == 1
    with pytest.raises(SizeError): net.resize("a", -1)

@pytest.mark.parametrize("error", [NameError, AttributeError, KeyError, IndexError, TypeError, ValueError, RuntimeError])
def test_a_mistake_names_operator_and_vertex(monkeypatch, error):
    def mistaken(work, s): raise error("oops")
    with pytest.raises(RuntimeError, match=r"'mistaken' for reshape, at reshape: .*oops") as caught: under(mistaken, monkeypatch)
    assert isinstance(caught.value.__cause__, error)

def test_what_a_rule_made_before_it_declined_is_forgotten(monkeypatch):
    was = OPERATORS["reshape"]
    def undecided(work, s):
        extra = work.extra(s, Call(torch.ops.aten.neg.default, [Spot(0)], {}), s.order, "extra")
        work.made(extra, "invariant", s.layouts[0])
        work.made(s, "immutable", Layout(s.shape))
    net, _ = under(undecided, monkeypatch)
    assert not [v.name for v in net if "extra" in v.name]
    monkeypatch.undo()
    assert OPERATORS["reshape"] is was

def test_rules_are_given_what_they_cannot_change(monkeypatch):
    seen = []
    def looks(work, s): seen.append(s)
    under(looks, monkeypatch)
    s = seen[0]
    assert isinstance(s, Site) and isinstance(s.order, tuple) and isinstance(s.layouts, tuple)
    with pytest.raises(dataclasses.FrozenInstanceError): s.op = None
    assert s.but(label="x").label == "x" and s.label != "x"

def test_an_operation_registered_from_outside():
    before = dict(OPERATORS)
    try:
        @operation("relu")
        def held(work, s): return work.made(s, "immutable", s.layouts[0])
        net = Net.from_torch(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), torch.zeros(1, 3))
        assert OPERATORS["relu"] is held and net(torch.zeros(1, 3)).shape == (1, 2)
    finally:
        OPERATORS.clear()
        OPERATORS.update(before)

# ------------------------------------------------------------------------------------------------------------- names in files

def test_all_names_lead_to_one_thing_and_back():
    for name, thing in NAMED.items(): assert known_as(name) is thing and NAMED[name_of(thing)] is thing

def test_names_of_0_1_are_understood():
    rooms = json.loads((Path(__file__).parent / "files_0_1" / "knows.json").read_text())["rooms"]
    assert {n for n in NAMED if n in rooms} >= {"trace.Call", "axes.Flow", "operators._kept", "operators._only", "standins._tiled", "slices.Packed"}
    for name in rooms:
        try: known_as(name)
        except ValueError as e: assert "not known" in str(e)

@pytest.mark.parametrize("name", ["trace.captured", "operators.passes", "calls.compiled", "importer.Importer", "trace.os", "axes.prod"])
def test_what_no_net_computes_with_has_no_name(name):
    with pytest.raises(ValueError, match="not known"): known_as(name)

def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="something else"): named("call")(len)
    assert NAMED["call"] is Call

# ------------------------------------------------------------------------------------------------------ private parts of torch

def test_private_parts_of_torch_are_reached_in_one_module():
    private = re.compile(r"torch\._|_pytree|\._opname|_overloadname|\._schema|\.node\.expr|fake_mode")
    for path in (Path(naivenas.__file__).parent / "capture").glob("*.py"):
        if path.name != "torch_private.py": assert not private.findall(path.read_text()), path.name

def test_operators_are_understood_without_their_private_parts():
    from naivenas.capture import torch_private as private
    op = torch.ops.aten.add_.Tensor
    class Bare(private.OpOverload):
        _opname = _overloadname = _schema = None
        def __init__(self): pass
        def __str__(self): return "aten.add_.Tensor"
    bare = object.__new__(Bare)
    for f in private.operator_name, private.overload_name, private.written: assert f(bare) == f(op)
    assert private.shaped(torch.ops.aten.mm.default, [torch.zeros(2, 3), torch.zeros(3, 4)]).shape == (2, 4)
