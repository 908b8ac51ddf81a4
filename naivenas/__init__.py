"""Exact structural surgery on PyTorch networks, and architecture search on top.

Change a layer's width, drop or grow neurons, insert or remove layers and connections: every other layer that has to follow,
follows, and every neuron that stays is wired as before. What must follow is worked out by an integer program.

    from naivenas import Net, prune
    small = prune(model, example, keep=.5)      # a smaller copy of any module
    net = Net.from_torch(model, example)        # or operate on it
    net.resize("layer1.conv", +8)
    net.remove("layer2.1")
    net.to_torch()                              # a plain module again
    net.save("net.safetensors")                 # numbers and names, no code

`Net` is a graph and an `nn.Module`; `Graph` is the same without PyTorch. `net.plan(...)` shows what would happen before it does,
`explore(net)` opens a panel in a notebook, `fit(X, y)` searches for a network. `solvers()` says what solves on this machine.
The packages, from the bottom up: `graph`, `sizes`, `look`, `nets`, `capture`, `files`, `search`, `apps`.
"""
__version__ = "0.1.0"

# Names come from the module that defines them, which is imported when a name is first used: `import naivenas` is quick.
# `__init__.pyi` says the same to editors and type checkers; a test keeps both in step.
_ROOMS = {
    "graph.cut": "Cut Dense GroupCut",
    "graph.vertex": "Gather SizeError Slice Vertex absorb immutable indexmap inputvertex invariant stack",
    "look.show": "diff draw table",
    "sizes.program": "Problem solve solvers",
    "sizes.demands": "relaxed",
    "sizes.edits": "Draft",
    "look.wiring": "conflict paint",
    "look.graph": "Graph Plan Report",
    "graph.fmap": "align_fmaps fmaps",
    "capture.trace": "Untraceable",
    "nets.rules": "Rule register",
    "nets.layers": """attention avgpool batchnorm bilinear cat conv convtranspose dropout elu embedding flatten gelu globalpool groupnorm gru
                 instancenorm last layer layernorm leakyrelu linear lstm maxpool pixelshuffle pixelunshuffle relu rmsnorm rnn selu
                 shuffle sigmoid silu split tanh upsample""",
    "nets.importance": "Random Taylor batchnorm_scale geometric_median keeping l1 magnitude",
    "nets.data": "load",
    "nets.training": "accuracy train",
    "files.save": "savable",
    "files.onnx_io": "onnx_module",
    "files.net": "Net prune",
    "search.space": "Act BatchNorm Between Chain Conv Fork GlobalPool Layer Linear Maybe OneOf Pool Relu Repeat Residual Space",
    "search.mutate": """AddBlock AddEdge Change ChangeActivation ChangeKernel ChangePool ChangeSize ChangeStride InOrder Perhaps Pick RemoveEdge
                 RemoveVertex mutations shield""",
    "search.settings": "Settings cross_settings mutate_settings",
    "search.crossover": "Crossover segments",
    "search.fitness": "Combined Latency Macs Score Smoothed Train augmented",
    "search.evolution": "ageing chain combine each elite evolve fresh pairs pareto ranked sus tournament",
    "search.population": "Candidate Population Store crossed founder mutated seeded survive",
    "search.executors": "Processes evaluate halving",
    "search.fitted": "Fitted load_fitted",
    "search.search": "fit network",
    "search.estimators": "NASClassifier NASRegressor",
    "apps.panel": "explore",
    "apps.watching": "watch",
}
_room_of = {name: room for room, names in _ROOMS.items() for name in names.split()}
__all__ = list(_room_of)


def __getattr__(name):
    import importlib
    if name in _room_of: return getattr(importlib.import_module(f"naivenas.{_room_of[name]}"), name)
    try: return importlib.import_module(f"naivenas.{name}")
    except ModuleNotFoundError: raise AttributeError(f"naivenas has no {name!r}") from None


def __dir__(): return sorted([*globals(), *__all__])


from . import _old   # the names of 0.1
