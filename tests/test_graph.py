"""What graph offers is described and hinted where it is defined, and its examples run."""
import doctest, importlib, inspect, warnings

import numpy as np, pytest

import naivenas.extend
from naivenas.graph import alignment, axes, core, cut, fmap, fold, hooks, meeting, moves, names, nearness, order, roles, vertex
from test_guards import undocumented, unhinted

MODULES = cut, roles, vertex, moves, axes, order, hooks, core, fold, fmap, nearness, meeting, alignment, names

# What users hold in their hands, and what is built with it
HELD = {
    cut: "Cut GroupCut Dense cut", roles: "SizeError Slice Gather Heads", axes: "Layout Flow", names: "named",
    vertex: "Vertex inputvertex absorb invariant stack indexmap immutable", moves: "cat split shuffle heads",
    core: "Core", fold: "Box fold", fmap: "Window fmap_of fmaps", alignment: "align_fmaps",
}

def held():
    "`{name: function or class}`, with the methods of graphs"
    found = {f"{m.__name__}.{n}": getattr(m, n) for m, names in HELD.items() for n in names.split()}
    for name in dir(core.Core):
        thing = inspect.getattr_static(core.Core, name)
        if isinstance(thing, property): thing = thing.fget
        if name[0] != "_" and callable(thing): found[f"Core.{name}"] = thing
    return found

@pytest.mark.parametrize("name, thing", held().items(), ids=held())
def test_what_users_hold_has_hints_and_a_docstring(name, thing):
    thing = inspect.unwrap(thing)
    assert undocumented(thing) == []
    if thing is fmap.Window: assert {*thing._fields} == {*thing.__annotations__}     # its `__init__` is a tuple's
    else: assert unhinted(thing) == []

@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_all_functions_have_hints_and_a_line(module):
    own = [getattr(module, n) for n in module.__all__]
    own = [f for f in own if inspect.isfunction(f) and f.__module__ == module.__name__]
    lacking = {f.__name__: unhinted(f) for f in own if not f.__doc__ or unhinted(f)}
    assert lacking == {}

@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_examples_run_without_a_warning(module):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "naivenas", DeprecationWarning)
        done = doctest.testmod(module, extraglobs={"np": np, "naivenas": naivenas})
    assert done.failed == 0

def test_names_of_0_1_lead_to_the_pages_that_they_moved_to():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old = {name: importlib.import_module(f"naivenas.{name}") for name in ("vertex", "graph", "fmap")}
        assert old["vertex"].SizeError is roles.SizeError and old["vertex"].cat is moves.cat
        assert old["vertex"].absorb is vertex.absorb and old["vertex"].Heads is roles.Heads
        assert old["graph"].topological is order.topological and old["graph"].Hooks is hooks.Hooks
        assert old["fmap"].align_fmaps is alignment.align_fmaps and old["fmap"].fmaps is fmap.fmaps
