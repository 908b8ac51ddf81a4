"""naivenas changes the structure of neural networks and keeps them working.

Change a layer's width, drop or grow neurons, insert or remove layers and connections: every other layer that has to
follow, follows, and each surviving neuron stays wired to the same neurons as before. What follows from a change is
solved exactly, as a small integer program; nothing is guessed. An architecture search stands on top.

A network is written as values, or comes in as any PyTorch module:

>>> from naivenas import Net, conv, globalpool, inputvertex, linear, relu
>>> x = inputvertex("x", 3)
>>> first = "first" >> conv(x, 16)
>>> both = "both" >> first + conv(relu(first), 16)
>>> net = Net(x, "out" >> linear(globalpool(both), 10))    # an nn.Module
>>> report = net.resize("first", -4)                       # `both` and what reads it follow
>>> net["both"].nout, net["out"].op.in_features
(12, 12)

    net = Net.from_torch(model, example)         # your own module
    net.prune(keep=.6, by=naivenas.magnitude)    # the least important neurons go
    net.plan({"first": +8})                      # look before you leap: sizes, picture, program; .apply()
    net.insert(lambda v: conv(v, v.nout), after="first"); net.remove("both")
    net.to_torch(); net.save("net.zip")          # a plain module again; a file
    best = naivenas.fit(X, y)                    # find a network for data

Where to go
    help(naivenas.Net)          what a network can do
    naivenas.search             spaces, mutations, fitness, evolution: build a search of your own
    naivenas.extend             teach it a layer, an operator, a solver, a mutation, an importance
    naivenas.explore(net)       a panel in a notebook
    naivenas.solvers()          which solvers work here, and why others don't
    nbs/tutorials               five notebooks to run; start with 01_first_graph
    nbs/explanations/the_house  the map: which package does what

`from naivenas import *` takes the names of layers, `Net` and what goes with it. Names that other packages and your
own code like to use (`fit`, `load`, `split`, `table`, `train`, ...) are imported by name, or written `naivenas.fit`.
"""
__version__ = "0.1.0"

from . import _lazy, _old   # `_old`: the names of 0.1


def _other(name):
    "A name that has moved, or a module"
    import importlib
    if name in _old.TOP: return _old.top(name)
    try: return importlib.import_module(f"naivenas.{name}")
    except ModuleNotFoundError: pass
    import difflib
    near = difflib.get_close_matches(name, _ROOMS, 1)
    raise AttributeError(f"naivenas has no {name!r}" + (f"; did you mean {near[0]}?" if near else ""))


_ROOMS, __all__, _get = _lazy.attach(__name__, __file__, _other)   # _ROOMS: {name: (module, its name there)}


def __getattr__(name): return _get(name)


def __dir__(): return sorted({*globals(), *_ROOMS})
