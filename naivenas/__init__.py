__version__ = "0.1.0"

# Names come from the room that defines them, which is imported when a name is first used: `import naivenas` is quick.
_ROOMS = {
    "cut": "Cut Dense GroupCut",
    "vertex": "Gather SizeError Slice Vertex absorb immutable indexmap inputvertex invariant stack",
    "show": "diff draw table",
    "milp": "Problem solve solvers",
    "sizes": "relaxed",
    "structure": "Draft Graph",
    "layers": """avgpool batchnorm cat conv dropout elu flatten gelu globalpool layer leakyrelu linear maxpool register relu
              selu shuffle sigmoid silu split tanh""",
    "importance": "Taylor magnitude",
    "arrival": "Net prune",
    "data": "load",
    "training": "accuracy train",
}
_room_of = {name: room for room, names in _ROOMS.items() for name in names.split()}
__all__ = list(_room_of)


def __getattr__(name):
    import importlib
    if name in _room_of: return getattr(importlib.import_module(f"naivenas.{_room_of[name]}"), name)
    try: return importlib.import_module(f"naivenas.{name}")
    except ModuleNotFoundError: raise AttributeError(f"naivenas has no {name!r}") from None


def __dir__(): return sorted([*globals(), *__all__])
