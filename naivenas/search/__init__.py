"""Find a network: spaces, mutations, crossover, fitness, evolution, populations, and `fit`, which puts them together.

A *space* draws networks: `Chain(Repeat(Chain(Conv(8, 16), Relu()), n=(2, 4)), GlobalPool(), Linear(10))`. A *mutation*
changes one (`mutations(...)`), `Crossover` mixes two, a *fitness* (`Score`, `Macs`, `Latency`, `Combined`) tells what
one is worth, a *step* chooses (`elite`, `tournament`, `pareto`, ...), and `evolve` yields one population after the other.
`naivenas.fit` does all of it for data that you have. Tutorial 5 builds a search from these parts.
"""
from .. import _lazy
from .._old import package_getattr

_homes, __all__, _get = _lazy.attach(__name__, __file__, package_getattr("search"))


def __getattr__(name): return _get(name)


def __dir__(): return sorted({*globals(), *_homes})
