__version__ = "0.1.0"

# Names come from the room that defines them, which is imported when a name is first used: `import naivenas` is quick.
_ROOMS = {
    "cut": "Cut Dense GroupCut",
    "vertex": "Gather SizeError Slice Vertex absorb immutable indexmap inputvertex invariant stack",
    "show": "diff draw table",
    "milp": "Problem solve solvers",
    "sizes": "relaxed",
    "structure": "Draft",
    "wiring": "Graph conflict paint",
    "fmap": "align_fmaps fmaps",
    "rules": "register",
    "layers": """attention avgpool batchnorm bilinear cat conv convtranspose dropout elu embedding flatten gelu globalpool groupnorm gru
                 instancenorm last layer layernorm leakyrelu linear lstm maxpool pixelshuffle pixelunshuffle relu rmsnorm rnn selu
                 shuffle sigmoid silu split tanh upsample""",
    "importance": "Random Taylor batchnorm_scale geometric_median keeping l1 magnitude",
    "arrival": "prune",
    "data": "load",
    "training": "accuracy train",
    "save": "savable",
    "onnx_io": "Net onnx_module",
    "space": "Act BatchNorm Between Chain Conv Fork GlobalPool Layer Linear Maybe OneOf Pool Relu Repeat Residual Space",
    "mutate": """AddBlock AddEdge Change ChangeActivation ChangeKernel ChangePool ChangeSize ChangeStride InOrder Perhaps Pick RemoveEdge
                 RemoveVertex mutations shield""",
    "settings": "Settings cross_settings mutate_settings",
    "crossover": "Crossover segments",
    "fitness": "Combined Latency Macs Score Smoothed Train augmented",
    "evolution": "ageing chain combine each elite evolve fresh pairs pareto ranked sus tournament",
    "population": "Candidate Population Store crossed founder mutated seeded survive",
    "executors": "Processes evaluate halving",
    "fitted": "Fitted load_fitted",
    "search": "fit network",
    "estimators": "NASClassifier NASRegressor",
    "panel": "explore",
    "watching": "watch",
}
_room_of = {name: room for room, names in _ROOMS.items() for name in names.split()}
__all__ = list(_room_of)


def __getattr__(name):
    import importlib
    if name in _room_of: return getattr(importlib.import_module(f"naivenas.{_room_of[name]}"), name)
    try: return importlib.import_module(f"naivenas.{name}")
    except ModuleNotFoundError: raise AttributeError(f"naivenas has no {name!r}") from None


def __dir__(): return sorted([*globals(), *__all__])
