"What must follow when a size changes, and why not"
from .._old import package_getattr

__getattr__ = package_getattr("sizes")
