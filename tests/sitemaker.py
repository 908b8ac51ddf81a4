"What nbs/site.py is made of, for the tests"
import importlib.util, sys
from pathlib import Path

NBS = Path(__file__).parents[1] / "nbs"

def part(name):
    "A module of nbs/_site, or nbs/site.py itself as \"site\""
    path = NBS / ("site.py" if name == "site" else f"_site/{name}.py")
    before = list(sys.path)
    spec = importlib.util.spec_from_file_location(f"nbs_{name}", path)
    made = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(NBS / "_site"))       # for what it imports
    try: spec.loader.exec_module(made)
    finally: sys.path[:] = before
    return made
