"What a network is: vertices, roles, graphs"
from .._old import package_getattr

__getattr__ = package_getattr("graph")
