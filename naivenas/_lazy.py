"""Names that are imported when they are first used; `__init__.pyi` lists them, for Python and for editors"""
import ast, importlib
from pathlib import Path


def listed(file):
    "`({name: (module, its name there)}, __all__)` of the `.pyi` beside a package's `__init__.py`"
    homes, public = {}, None
    for node in ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:   # `from . import look` is for editors
            homes |= {a.asname or a.name: ("." * node.level + node.module, a.name) for a in node.names}
        elif isinstance(node, ast.Assign) and node.targets[0].id == "__all__": public = ast.literal_eval(node.value)
    return homes, list(homes) if public is None else public


def attach(package, file, otherwise):
    "`(homes, __all__, __getattr__)` for an `__init__`; `otherwise` gives what its `.pyi` does not list"
    homes, public = listed(file)

    def get(name):
        if name not in homes: return otherwise(name)
        module, there = homes[name]
        return getattr(importlib.import_module(module, package), there)
    return homes, public, get
