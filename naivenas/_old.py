"""The names of version 0.1, for one release: `naivenas.net` still gives what it gave, with one DeprecationWarning"""
import functools, importlib, importlib.abc, importlib.util, sys, types, warnings

MOVED = """
cut axes fold = graph
fmap = graph.fmap graph.alignment
vertex = graph.vertex graph.roles graph.moves
ties = sizes.wires sizes.tracing
footprint = sizes.bundles
milp = sizes.program sizes.solvers
closed pruning = sizes
decide = sizes.decide sizes.levels
resize = sizes.plan sizes.sizing sizes.planning sizes.commit sizes.lists look.graph
structure = sizes.edits sizes.drafting look.graph
wiring = look.wiring look.graph
show = look.text look.dot look.picture
report = look.report look.weights
pages = look
layers = nets.layers nets.kinds
rules importance counts data training = nets
net = nets.surgery nets.settings nets.tracking files.net look.graph
arrival = capture.arrival capture.walk capture.interface capture.importer files.net
export = files.export files.plain files.net
save = files.save files.known files.values files.net
onnx_io = files.onnx_io files.onnx_read files.net
trace = capture.trace capture.calls capture.torch_private
sites = capture.sites capture.importer
standins = capture.standins capture.computed capture.parameters
operators = capture.operators capture.shapes
neurons slices products padding sharing agreement = capture
source onnx_ops onnx_nets onnx_layers = files
mutate = search.mutate search.rewiring search.mutation search.changes
population = search.population search.candidate search.store
space = search.space search.combinators search.layers
fitness = search.fitness search.training
evolution = search.evolution search.selection
executors = search.executors search.measuring
settings crossover encoding fitted estimators = search
watching = apps.plots apps.record apps.watching
exploring panel demo cli = apps
"""
NOW = {}   # old name -> modules that have what it had
for _line in MOVED.strip().splitlines():
    _olds, _, _new = _line.partition(" = ")
    for _old in _olds.split():
        NOW[_old] = [n if "." in n or len(_new.split()) > 1 else f"{n}.{_old}" for n in _new.split()]
# Modules of 0.1 that are packages now
PACKAGES = {"graph": ["graph.core", "graph.order", "graph.hooks", "look.graph"],
            "sizes": ["sizes.wishes", "sizes.demands"],
            "search": ["search.search", "search.networks", "search.defaults", "search.running"]}

# Names that stood at the top level in 0.1, and where they are now
TOP = {name: home for home, names in {
    "graph.cut": "Cut Dense GroupCut",
    "graph.roles": "Gather Slice",
    "graph.vertex": "absorb indexmap invariant",
    "graph.alignment": "align_fmaps",
    "graph.fmap": "fmaps",
    "sizes.program": "Problem solve",
    "sizes.edits": "Draft",
    "files.onnx_read": "onnx_module",
    "search": """
        Act BatchNorm Between Chain Conv Fork GlobalPool Layer Linear Maybe OneOf Pool Relu Repeat Residual Space
        AddBlock AddEdge Change ChangeActivation ChangeKernel ChangePool ChangeSize ChangeStride InOrder Perhaps Pick
        RemoveEdge RemoveVertex mutations shield Settings cross_settings mutate_settings Crossover segments Combined
        Latency Macs Score Smoothed Train augmented ageing chain combine each elite evolve fresh pairs pareto ranked sus
        tournament Candidate Population Store crossed founder mutated seeded survive Processes evaluate halving network
    """,
}.items() for name in names.split()}


def found(homes, old, name):
    "The attribute `name` of the first of the modules `homes` that has it; AttributeError if none has"
    for home in homes:
        module = importlib.import_module(f"naivenas.{home}")
        if hasattr(module, name): return getattr(module, name)
    raise AttributeError(f"module 'naivenas.{old}' has no attribute {name!r}")


@functools.cache
def warn(old, *homes):
    "Once for each old name; the line that is shown is the nearest one that isn't naivenas's"
    at = sys._getframe(1)
    while at.f_back and at.f_globals.get("__name__", "").partition(".")[0] in ("naivenas", "importlib"): at = at.f_back
    where = f"naivenas.{' and naivenas.'.join(homes)}"
    warnings.warn_explicit(f"naivenas.{old} is now {where}; the old name goes with the next release",
                           DeprecationWarning, at.f_code.co_filename, at.f_lineno, at.f_globals.get("__name__"))


def top(name):
    "A name that has left the top level"
    value = getattr(importlib.import_module(f"naivenas.{TOP[name]}"), name)
    warn(name, f"{TOP[name]}.{name}")
    return value


class Old(types.ModuleType):
    "A module under its old name"
    def __getattr__(self, name):
        if name.startswith("__") and name != "__all__": raise AttributeError(name)
        return found(NOW[self._old], self._old, name)

    def __dir__(self):
        return sorted({n for home in NOW[self._old] for n in dir(importlib.import_module(f"naivenas.{home}"))})


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    "Finds the modules of 0.1 that are elsewhere now"
    def find_spec(self, name, path=None, target=None):
        top, _, old = name.partition(".")
        return importlib.util.spec_from_loader(name, self) if top == "naivenas" and old in NOW else None

    def create_module(self, spec):
        module = Old(spec.name)
        module._old = spec.name.partition(".")[2]
        warn(module._old, *NOW[module._old])
        return module

    def exec_module(self, module): pass


def package_getattr(package):
    "The `__getattr__` of a package that had been a module in 0.1"
    def get(name):
        if name.startswith("__"): raise AttributeError(name)
        value = found(PACKAGES[package], package, name)
        warn(f"{package}.{name}", *(f"{home}.{name}" for home in PACKAGES[package]))
        return value
    return get


if not any(type(f).__name__ == "Finder" and type(f).__module__ == __name__ for f in sys.meta_path):
    sys.meta_path.insert(0, Finder())
