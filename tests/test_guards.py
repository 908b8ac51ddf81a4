"Guards for the way the package is put together, written against what users see; `house.py` reads the files"
import copy, doctest, inspect, json, os, re, shutil, subprocess, sys, warnings
from pathlib import Path
import numpy as np, pytest, torch
from torch import nn
import naivenas, naivenas.extend, naivenas.search
from naivenas import (AddBlock, AddEdge, BatchNorm, Chain, ChangeActivation, ChangeKernel, ChangePool, ChangeSize, ChangeStride, Conv, Graph, Net, Relu, RemoveEdge,
                      RemoveVertex, Taylor, batchnorm, conv, globalpool, inputvertex, linear, maxpool, relu)
from house import PACKAGES, REPO, attached, lines, sources, unused, upward

ENV = os.environ | {"PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"}

def in_python(code, **how): return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENV, cwd=REPO / "tests", **how)

# ------------------------------------------------------------------------------- 1. what else was imported makes no difference

FRESH = r'''
import contextlib, importlib, json, logging, multiprocessing, os, pkgutil, sys, warnings
import numpy, scipy.sparse, torch, torch.export
from torch import nn
warnings.simplefilter("ignore")
CLASSES, FORK, names = ("Net", "Graph", "Plan", "Report"), multiprocessing.get_context("fork"), []     # names: two from each module

def ours(): return {name: m for name, m in list(sys.modules.items()) if name.split(".")[0] == "naivenas" and m is not None}

def loaded():
    "Classes of these names, wherever a user may find them: the last module that has one"
    return {c: vars(m)[c] for m in ours().values() for c in CLASSES if isinstance(vars(m).get(c), type)}

def probe(pipe):
    logging.disable(logging.ERROR)
    import naivenas
    found = loaded()
    told = {"methods": {c: sorted(m for m in dir(found[c]) if m[0] != "_") for c in found}}
    if "Net" in found and any(m.rpartition(".")[2] == "layers" for m in ours()):     # all that it takes to make a net is there
        net = found["Net"](x := naivenas.inputvertex("x", 2), naivenas.linear(x, 2))
        try: told["call"] = list(net(x=torch.zeros(1, 2)).shape)
        except Exception as e: told["call"] = type(e).__name__
    pipe.send(told)
    prune = naivenas.prune
    pipe.send(sorted(ours()))
    if not pipe.recv(): return
    try: pipe.send(type(prune(nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 2)), torch.zeros(2, 2))).__name__)
    except Exception as e: pipe.send(type(e).__name__)

def child(name, pipe):
    import naivenas
    if name is None:
        for m in pkgutil.walk_packages(naivenas.__path__, "naivenas."):
            if not m.name.endswith("__main__"): importlib.import_module(m.name)
    else: getattr(naivenas, name)
    pipe.send(sorted(ours()))
    if pipe.recv(): probe(pipe)
    if name is None:
        homes = {n: getattr(getattr(naivenas, n), "__module__", "") for n in naivenas.__all__}
        alike = [[n for n in homes if homes[n] == home] for home in sorted({*homes.values()})]
        pipe.send([m for m in sys.modules if m not in ours()])
        pipe.send(sorted({n for names in alike for n in names[:1]} | {"Net", "Graph"}))
    os._exit(0)       # nothing to tidy up

def told(name, seen, pruned):
    "What a process gives that has used `name` and nothing else; asked once for each set of modules"
    here, there = FORK.Pipe()
    process = FORK.Process(target=child, args=(name, there))
    process.start()
    there.close()
    key = tuple(here.recv())
    here.send(key not in seen)
    if key not in seen:
        seen[key], after = here.recv(), tuple(here.recv())
        here.send(after not in pruned)
        if after not in pruned: pruned[after] = here.recv()
        seen[key]["prune"] = pruned[after]
    if name is None:
        for m in here.recv():       # what all processes need from others is imported once, here
            with contextlib.suppress(Exception): importlib.import_module(m)
        names[:] = here.recv()
    process.join()
    return seen[key]

if __name__ == "__main__":
    torch.export.export(nn.Linear(2, 2), (torch.zeros(3, 2),), dynamic_shapes=({0: torch.export.Dim.AUTO},), strict=False)     # what a capture needs of torch
    whole, seen, pruned = told(None, {}, {}), {}, {}
    print(json.dumps({"all": whole, **{name: told(name, seen, pruned) for name in names}}))
    print(f"{len(seen)} sets of modules, pruned with {len(pruned)}", file=sys.stderr)
'''

@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    "What a few things give in a process in which all modules were imported (`all`), and in one in which a single public name was used, one name for each module"
    script = tmp_path_factory.mktemp("fresh") / "fresh.py"
    script.write_text(FRESH)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=ENV)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])

def others(fresh, what): return {name: told[what] for name, told in fresh.items() if what in told and told[what] != fresh["all"][what]}

def test_prune_gives_the_same_type_whatever_was_imported(fresh):
    assert others(fresh, "prune") == {}

def test_nets_are_called_by_name_whatever_was_imported(fresh):
    assert fresh["all"]["call"] == [1, 2] and others(fresh, "call") == {}

def test_classes_have_the_same_methods_whatever_was_imported(fresh):
    lost = {name: {c: sorted({*fresh["all"]["methods"][c]} - {*have}) for c, have in told["methods"].items()} for name, told in fresh.items()}
    assert {name: classes for name, classes in lost.items() if any(classes.values())} == {}

# -------------------------------------------------------------------------------------------------------------------- 2. reload

def test_nets_from_before_and_after_a_reload_resize():
    code = ("import importlib, inspect, naivenas; from naivenas import Net, inputvertex, linear\n"
            "def made(Net): return Net(x := inputvertex('x', 2), linear('a' >> linear(x, 3), 2))\n"
            "old = made(Net); module = importlib.reload(inspect.getmodule(Net)); new = made(module.Net)\n"
            "for net in old, new: net.resize('a', +1); assert net['a'].nout == 4 and net['a'].op.out_features == 4\n")
    done = in_python(code)
    assert done.returncode == 0, done.stderr.splitlines()[-1]

# ---------------------------------------------------------------------------------------------------------------- 3. signatures

BOTH = "insert", "remove", "replace", "connect", "disconnect", "plan", "resize", "prune", "prune_plan", "draft"
OWN = "set", "track", "save", "load", "to_torch", "to_python", "to_onnx", "from_torch", "from_onnx"

@pytest.mark.parametrize("cls, verb", [(c, v) for c in (Graph, Net) for v in BOTH] + [(Net, v) for v in OWN], ids=lambda x: getattr(x, "__name__", x))
def test_verbs_say_what_they_take(cls, verb):
    said = inspect.getattr_static(cls, verb)
    kinds = [p.kind for p in inspect.signature(getattr(said, "__func__", said)).parameters.values()][not isinstance(said, staticmethod):]
    assert {*kinds} != {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}

def test_near_words_are_looked_for_in_one_place():
    "But for the package's own front door, which imports no numpy"
    assert {str(p.relative_to(REPO / "naivenas")) for p in sources() if "difflib" in p.read_text()} == {"graph/cut.py", "__init__.py"}

# ---------------------------------------------------------------------------------------------------------- 4. attached methods

def test_attached_methods_are_found():
    text = ("from .graph import Graph\nimport numpy as np\nclass Net: pass\ndef f(self): Graph.hidden = 1\nNet.f = f\nGraph.f, Net.g = f, f\n"
            "for k in 'ab':\n    setattr(Graph, k, f)\nif f: Graph.names = property(f)\nnp.x = 1\nf.doc = 2\nRULES = {}\n")
    assert attached(text) == [("Net", "f", False), ("Graph", "f", True), ("Net", "g", False), ("Graph", None, True), ("Graph", "names", True)]

@pytest.fixture(scope="module")
def all_attached(): return [(str(p.relative_to(REPO)), *a) for p in sources() for a in attached(p.read_text())]

def test_no_method_is_attached_to_a_class_of_another_module(all_attached):
    assert [a for a in all_attached if a[3]] == []

def test_hardly_any_method_is_attached_at_all(all_attached):
    assert len(all_attached) <= 20, f"{len(all_attached)} are"

# ------------------------------------------------------------------------------------- 5. copies, watchers and Taylor follow all

SHAPE = 9, 8
IMAGES = torch.randn(3, 2, *SHAPE, generator=torch.Generator().manual_seed(0))

def small():
    torch.manual_seed(0)
    x = inputvertex("x", 2)
    a = "act" >> relu("norm" >> batchnorm("first" >> conv(x, 4)))
    b = "pool" >> maxpool("sum" >> a + conv(a, 4))
    return Net(x, "end" >> linear("flat" >> globalpool("wide" >> conv(b, 5, k=5)), 3))

CHANGES = {
    "ChangeActivation": lambda net, rng: ChangeActivation(SHAPE)(net, rng), "ChangeKernel": lambda net, rng: ChangeKernel(SHAPE)(net, rng),
    "ChangePool": lambda net, rng: ChangePool(SHAPE)(net, rng), "ChangeStride": lambda net, rng: ChangeStride(SHAPE)(net, rng),
    "ChangeSize": lambda net, rng: ChangeSize(SHAPE, low=.3, high=.5)(net, rng),
    "AddBlock": lambda net, rng: AddBlock(SHAPE, space=Chain(Conv(3), BatchNorm(), Relu()))(net, rng), "RemoveVertex": lambda net, rng: RemoveVertex(SHAPE)(net, rng),
    "AddEdge": lambda net, rng: AddEdge(SHAPE)(net, rng), "RemoveEdge": lambda net, rng: RemoveEdge(SHAPE)(net, rng),
    "set kernel": lambda net, rng: net.set("first", kernel_size=5), "set stride": lambda net, rng: net.set("wide", stride=2),
    "set activation": lambda net, rng: net.set("act", activation=nn.GELU()), "set padding": lambda net, rng: net.set("wide", padding=1),
}

def changed(net, name):
    "Apply the change; a mutation may need several tries"
    for seed in range(20):
        if CHANGES[name](net, np.random.default_rng(seed)) is not None: return
    raise AssertionError(f"{name} found nothing to do")

def settings(m): return type(m), {k: v for k, v in vars(m).items() if k[0] != "_" and k != "training" and isinstance(v, (int, float, str, tuple))}

def learn(net, images):
    net.zero_grad()
    net.train()(images).square().sum().backward()

@pytest.mark.parametrize("averaged", [False, True], ids=["copy", "averaged"])
@pytest.mark.parametrize("name", CHANGES)
def test_tracked_copies_follow(name, averaged):
    net = small()
    other = torch.optim.swa_utils.AveragedModel(net) if averaged else copy.deepcopy(net)
    net.track(other)
    twin = other.module if averaged else other
    with torch.no_grad():
        for p in twin.parameters(): p.mul_(.5)         # a copy with weights of its own
    changed(net, name)
    assert [(v.name, v.role, [u.name for u in v.inputs], v.nout) for v in net] == [(v.name, v.role, [u.name for u in v.inputs], v.nout) for v in twin]
    for v, w in zip(net, twin):
        if isinstance(v.op, nn.Module): assert v.op is not w.op and settings(v.op) == settings(w.op), v.name
    old = dict(small().named_parameters())
    for k, p in twin.named_parameters():      # what the change has left alone is half of what it was, still
        if k in old and p.shape == old[k].shape and torch.equal(dict(net.named_parameters())[k], old[k]): assert torch.equal(p, old[k] * .5), k
    twin.load_state_dict(net.state_dict())
    with torch.no_grad(): assert torch.equal(twin.eval()(IMAGES), net.eval()(IMAGES))
    learn(twin, IMAGES)

@pytest.mark.parametrize("name", CHANGES)
def test_reports_reach_watchers(name):
    net, seen = small(), []
    net.watchers.append(seen.append)
    changed(net, name)
    assert seen and all(r.plan is not None for r in seen)

@pytest.mark.parametrize("name", CHANGES)
def test_taylor_goes_on_measuring(name):
    net = small()
    with Taylor(net) as taylor:
        learn(net, IMAGES)
        changed(net, name)
        before = {v: taylor(v) for v in net}
        learn(net, 1 + 2 * IMAGES.flip(0))
        for v in net:
            if isinstance(v.op, nn.Module):
                now = taylor(v)
                assert now is not None and len(now) == v.nout and (before[v] is None or not np.array_equal(now, before[v])), v.name

# ------------------------------------------------------------------------------------------------------- 6. on which side a tap is

def test_a_mutation_grows_a_kernel_as_set_does():
    def net():
        torch.manual_seed(0)
        x = inputvertex("x", 2)
        return Net(x, linear(globalpool("c" >> conv(x, 3, k=4, padding=2)), 2))
    one, two = net(), net()
    assert ChangeKernel(SHAPE, steps=(1,))(one, np.random.default_rng(0)) is not None
    two.set("c", kernel_size=5, padding=one["c"].op.padding)
    assert one["c"].op.kernel_size == two["c"].op.kernel_size == (5, 5) and torch.equal(one["c"].op.weight, two["c"].op.weight)

# ---------------------------------------------------------------------------------------------- 7. layers under other names count

class Weighing(nn.Module):
    "A linear layer whose attributes have names of their own"
    def __init__(self, fan_in, fan_out):
        super().__init__()
        self.fan_in, self.fan_out, self.weight, self.bias = fan_in, fan_out, nn.Parameter(torch.randn(fan_out, fan_in)), nn.Parameter(torch.zeros(fan_out))
    def forward(self, x): return nn.functional.linear(x, self.weight, self.bias)

def test_a_registered_linear_layer_counts_as_the_one_of_torch():
    from naivenas.counts import macs, positions
    naivenas.register(Weighing, "fan_in", "fan_out", weight="oi", bias="o")
    def count(make):
        x = inputvertex("x", 6)
        net = Net(x, naivenas.layer(make(8, 4), naivenas.layer(make(6, 8), x)))
        return macs(net, positions(net, torch.zeros(2, 10, 6)))
    assert count(nn.Linear) == 10 * (6 * 8 + 8 * 4) == 800
    assert count(Weighing) == 800

# ----------------------------------------------------------------------------------------------------- 8. mistakes in a capture rule

def capture_rules():
    "The registry of capture rules, wherever it is kept"
    import importlib
    for home in "naivenas.capture.operations", "naivenas.capture.operators", "naivenas.operators":
        try: return importlib.import_module(home).OPERATORS
        except (ImportError, AttributeError): continue
    pytest.fail("where are the capture rules now? Tell this test")

class Reshaping(nn.Sequential):
    def __init__(self): super().__init__(nn.Conv2d(2, 4, 1), nn.Linear(36, 2))
    def forward(self, x): return self[1](self[0](x).reshape(x.shape[0], 36))

def test_a_mistake_in_a_capture_rule_is_told_as_what_it_is(monkeypatch):
    def mistaken(*site): return nobody_knows_this                 # noqa
    rules = capture_rules()
    for name in "reshape", "view", "_unsafe_view": monkeypatch.setitem(rules, name, mistaken)
    with pytest.raises(Exception) as caught: Net.from_torch(Reshaping(), torch.randn(2, 2, 3, 3))
    chain, e = [], caught.value
    while e is not None: chain, e = [*chain, e], e.__cause__ or e.__context__
    assert any(isinstance(e, NameError) and "nobody_knows_this" in str(e) for e in chain)

# ------------------------------------------------------------------------------------------------------------ 9. hints and docstrings

def public():
    "`{name as users write it: function or class}`"
    plan = small().plan({"first": 1})
    homes = {"": naivenas, "extend.": naivenas.extend, "search.": naivenas.search}
    found = {head + name: getattr(home, name) for head, home in homes.items() for name in home.__all__}
    for cls in Net, Graph, type(plan), type(plan.apply()):
        for name in dir(cls):
            thing = inspect.getattr_static(cls, name)
            if name[0] == "_" or name in dir(nn.Module) and getattr(nn.Module, name, None) is getattr(cls, name, None) or not any(name in vars(c) and c.__module__.startswith("naivenas") for c in cls.__mro__): continue
            if isinstance(thing, property): thing = thing.fget
            if callable(thing) or isinstance(thing, (classmethod, staticmethod)): found[f"{cls.__name__}.{name}"] = getattr(thing, "__func__", thing)
    return {name: thing for name, thing in found.items() if callable(thing)}

def takes_nothing(thing): return isinstance(thing, type) and thing.__init__ is object.__init__

def unhinted(thing):
    "Parameters without a type hint, and `return`"
    if takes_nothing(thing): return []
    f = thing.__init__ if isinstance(thing, type) else thing
    try: s = inspect.signature(f)
    except (ValueError, TypeError): return []
    some = [p.name for k, p in enumerate(s.parameters.values()) if p.annotation is p.empty and not (k == 0 and p.name in ("self", "cls"))]
    return some + ["return"] * (s.return_annotation is s.empty and not isinstance(thing, type))

def undocumented(thing):
    "What a docstring lacks"
    doc = inspect.getdoc(thing) or ""
    f = thing.__init__ if isinstance(thing, type) else thing
    try: s = inspect.signature(f)
    except (ValueError, TypeError): s = inspect.Signature()
    takes = [p for k, p in enumerate(s.parameters.values()) if not (k == 0 and p.name in ("self", "cls"))] if not takes_nothing(thing) else []
    sections = {"Parameters"} if takes else set()
    if not isinstance(thing, type) and s.return_annotation not in (None, "None", s.empty): sections.add("Returns")
    lacks = [x for x in sorted(sections | {"Examples"}) if not re.search(rf"^{x}\n-+$", doc, re.M)]
    return lacks + ["more than two lines"] * (len(doc.splitlines()) <= 2) + ["an example that runs"] * (">>>" not in doc)

def failing(name, thing):
    "What the examples of a docstring said when they were run"
    said, runner = [], doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    tests = doctest.DocTestFinder(recurse=False).find(thing, name, module=False, globs={"np": np, "torch": torch, "nn": nn, "naivenas": naivenas})
    naivenas._old.warn.cache_clear()                                                    # each old name warns once in a process
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "naivenas", DeprecationWarning)       # an example shows no name that is about to go
        for test in tests: runner.run(test, out=said.append)
    return "".join(said)

def test_what_hints_and_docstrings_lack_is_found():
    def plain(a, b: int = 1): return a
    def whole(a: int) -> int:
        """One more.

        Parameters
        ----------
        a : int
            Any number.

        Returns
        -------
        int
            The next one.

        Examples
        --------
        >>> 1 + 1
        2
        """
        return a + 1
    def wrong():
        """
        >>> 1 + 1
        3
        """
    assert unhinted(plain) == ["a", "return"] and unhinted(whole) == [] and undocumented(whole) == [] and failing("whole", whole) == ""
    def old():
        """
        >>> from naivenas import Dense
        """
    assert "DeprecationWarning" in failing("old", old)
    assert undocumented(plain) == ["Examples", "Parameters", "more than two lines", "an example that runs"] and "Expected" in failing("wrong", wrong)

def test_public_callables_have_type_hints():
    lacking = {name: some for name, thing in public().items() if (some := unhinted(thing))}
    assert lacking == {}, f"{len(lacking)} of {len(public())}"

def test_public_callables_have_numpy_docstrings():
    lacking = {name: some for name, thing in public().items() if (some := undocumented(thing))}
    assert lacking == {}, f"{len(lacking)} of {len(public())}"

@pytest.fixture
def rules_as_before():
    "What the examples register goes again"
    from naivenas.nets.rules import RULES
    before = dict(RULES)
    yield
    RULES.clear()
    RULES.update(before)

def test_examples_in_docstrings_run(rules_as_before):
    wrong = {name: said for name, thing in public().items() if ">>>" in (inspect.getdoc(thing) or "") and (said := failing(name, thing))}
    assert wrong == {}, "\n".join(wrong.values())

# --------------------------------------------------------------------------------------------------------------- 10. lines and imports

def test_long_lines_and_unused_imports_are_found():
    text = f"import os, re as r\nfrom a import b, c\n__all__ = ['c']\nx = {'1' * 130}\n# %% {'1' * 130}\ny = '''\n{'1' * 130}\n'''\nprint(x.os, r)\n"
    assert sum(len(line) > 120 for line in lines(text)) == 1 and unused(text) == ["b", "os"]

def test_lines_end_at_120_columns():
    all_lines = [(str(p.relative_to(REPO)), line) for p in sources() for line in lines(p.read_text())]
    long = [(p, len(line)) for p, line in all_lines if len(line) > 120]
    assert len(long) <= .005 * len(all_lines), f"{len(long)} of {len(all_lines)} are longer, such as {long[:5]}"

def test_no_import_is_unused():
    assert {str(p.relative_to(REPO)): some for p in sources() if p.name not in ("__init__.py", "__main__.py") and (some := unused(p.read_text()))} == {}

# ---------------------------------------------------------------------------------------------------------- 11. what an editor can see

SEEN = "resize plan prune insert save to_torch from_torch".split()
NET = "from naivenas import Net, inputvertex, linear\nx = inputvertex('x', 3)\nnet = Net(x, linear(x, 2))\n"

def test_the_package_says_that_it_is_typed():
    assert (Path(naivenas.__file__).parent / "py.typed").exists()
    assert "py.typed" in "".join((REPO / name).read_text() for name in ("setup.py", "settings.ini", "MANIFEST.in", "pyproject.toml"))

def test_the_package_has_a_page_for_help():
    assert len((naivenas.__doc__ or "").splitlines()) > 15 and "Net" in naivenas.__doc__

def test_jedi_lists_and_types_a_net():
    jedi = pytest.importorskip("jedi")
    code = NET + "net."
    script = jedi.Script(code, project=jedi.Project(REPO))
    listed = {c.name: c for c in script.complete(len(code.splitlines()), 4)}
    assert {*SEEN} <= {*listed}
    assert all(listed[name].type == "function" and listed[name].get_signatures() for name in SEEN)

def checker():
    "The command of a type checker that works here, or None"
    for name in "basedpyright", "pyright":
        program = Path(sys.executable).parent / name
        if not program.exists(): continue
        try: done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30)
        except subprocess.TimeoutExpired: continue
        if done.returncode == 0: return program

def test_pyright_types_a_net(tmp_path):
    program = checker()
    if program is None: pytest.skip("no pyright that works here: pip install pyright (it fetches node), or basedpyright")
    (tmp_path / "user.py").write_text(NET + "".join(f"reveal_type(net.{name})\n" for name in SEEN))
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(REPO)], "pythonVersion": "3.11", "include": ["user.py"]}))
    done = subprocess.run([program, "--outputjson", "--pythonpath", sys.executable, "-p", tmp_path], capture_output=True, text=True, cwd=tmp_path)
    told = json.loads(done.stdout)["generalDiagnostics"]
    assert [t["message"] for t in told if t["severity"] == "error"] == []
    types = [t["message"] for t in told if t["severity"] == "information"]
    assert len(types) == len(SEEN) and not any("Unknown" in t or '" is "Any"' in t for t in types), types

# -------------------------------------------------------------------------------------------------------------------- 12. storeys

def house(root, files):
    "A small house: `{module: text}`, each with a notebook whose number is the module's place"
    for k, (module, text) in enumerate(files.items()):
        package, name = module.split(".")
        path = root / "naivenas" / package / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        (path.parent / "__init__.py").touch()
        page = root / "nbs" / "api" / package / f"{k:02}_{name}.ipynb"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(json.dumps({"cells": [{"cell_type": "code", "source": [f"#| default_exp {module}"]}]}))
    (root / "naivenas" / "__init__.py").touch()

GOOD = {"graph.cut": "import numpy", "graph.vertex": "from .cut import Cut\nfrom . import cut", "sizes.ties": "from ..graph.vertex import Vertex\nimport naivenas.graph.cut",
        "look.text": "def f():\n    from ..sizes import ties\n    from ..graph import Graph\n"}

@pytest.mark.parametrize("module, planted", [
    ("graph.cut", "from .vertex import Vertex"), ("graph.cut", "from . import vertex"), ("graph.cut", "from ..sizes.ties import Edit"), ("graph.vertex", "from .. import look"),
    ("graph.vertex", "import naivenas.look.text"), ("graph.vertex", "from naivenas.look import text"), ("sizes.ties", "def f():\n    from ..look.text import table"),
    ("sizes.ties", "def f():\n    import importlib\n    return importlib.import_module('naivenas.look.text')"), ("sizes.ties", "from naivenas import Net"),
    ("sizes.ties", "class A:\n    def f(self):\n        from ..look import draw")])
def test_planted_upward_imports_are_found(module, planted, tmp_path):
    house(tmp_path / "good", GOOD)
    assert upward(tmp_path / "good") == []
    house(tmp_path / "bad", GOOD | {module: f"{GOOD[module]}\n{planted}\n"})
    assert len(wrong := upward(tmp_path / "bad")) == 1 and wrong[0].startswith(f"{module} imports ")

def built(): return (REPO / "naivenas" / PACKAGES[0] / "__init__.py").exists()

@pytest.fixture
def packages():
    if not built(): pytest.skip("the eight packages are not there yet")

def test_imports_run_downwards_only(packages):
    assert upward() == []

def test_an_import_planted_in_a_copy_of_the_house_is_found(packages, tmp_path):
    for part in "naivenas", "nbs": shutil.copytree(REPO / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
    path = next(p for p in sorted((tmp_path / "naivenas" / "graph").glob("*.py")) if p.name != "__init__.py")
    path.write_text(f"{path.read_text()}\ndef planted():\n    from ..apps import panel\n")
    assert len(upward(tmp_path)) == 1

def test_every_module_is_in_a_package_and_every_notebook_has_a_number_of_its_own(packages):
    assert {p.name for p in (REPO / "naivenas").iterdir() if p.is_dir() and p.name != "__pycache__"} == {*PACKAGES}
    for package in PACKAGES:
        numbers = [p.name.split("_")[0] for p in (REPO / "nbs" / "api" / package).glob("*.ipynb")]
        assert numbers and len({*numbers}) == len(numbers), package
