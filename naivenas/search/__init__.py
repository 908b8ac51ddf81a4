"Find a network: spaces, mutations, fitness, evolution, `fit`"
from .._old import package_getattr

__getattr__ = package_getattr("search")
