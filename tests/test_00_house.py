"The package is in order: notebooks clean, in budget and in sync with the package and the README; a quick import"
import ast, filecmp, json, os, re, shutil, subprocess, sys
from pathlib import Path

import pytest

import naivenas
from house import REPO, beyond_budget, sources

TOOLS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    "A copy of what nbdev works on"
    place = tmp_path_factory.mktemp("twin") / "repo"
    shutil.copytree(REPO, place, ignore=shutil.ignore_patterns(".venv", ".git", "*.egg-info", "__pycache__", "build", "dist", "_docs"))
    return place

def nbdev(command, folder):
    done = subprocess.run([TOOLS / command], cwd=folder, capture_output=True, text=True, env=os.environ | {"GIT_CEILING_DIRECTORIES": str(folder.parent)})
    assert done.returncode == 0, done.stdout + done.stderr

def differing(one, other, pattern):
    return [str(p.relative_to(one)) for p in sorted(one.rglob(pattern)) if not filecmp.cmp(p, other / p.relative_to(one), shallow=False)]

def test_notebooks_are_clean(twin):
    nbdev("nbdev_clean", twin)
    assert differing(REPO / "nbs", twin / "nbs", "*.ipynb") == []

def test_package_is_what_the_notebooks_say(twin):
    own = {p for p in (twin / "naivenas").rglob("*.py") if p.name not in ("__init__.py", "__main__.py", "_old.py", "_lazy.py", "extend.py")}
    for path in own: path.unlink()
    nbdev("nbdev_export", twin)
    names = lambda place: {str(p.relative_to(place)) for p in (place / "naivenas").rglob("*.py")}
    assert names(twin) == names(REPO)
    assert differing(REPO / "naivenas", twin / "naivenas", "*.py") == []

def test_readme_is_what_the_index_says():
    done = subprocess.run([sys.executable, REPO / "nbs" / "readme.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

def test_links_between_pages_lead_somewhere():
    pages = [p for p in (REPO / "nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts]
    texts = {p: "\n".join("".join(c["source"]) for c in json.loads(p.read_text())["cells"] if c["cell_type"] == "markdown") for p in pages}
    links = [(p, m[1]) for p, text in texts.items() for m in re.finditer(r'(?:\]\(|src=")(?!https?:|#|data:)([^)#"\s]+)', text)]
    assert len(links) > 100 and [f"{p.name}: {to}" for p, to in links if not (p.parent / to).exists()] == []

def test_modules_are_small():
    "Lines of a module, without nbdev's markers"
    size = {str(p.relative_to(REPO)): sum(not line.startswith("# %%") for line in p.read_text().splitlines()) for p in sources()}
    assert {name: n for name, n in size.items() if n > 300} == {}

def page(path, *cells):
    "A notebook of some cells, `(kind, text)`"
    path.write_text(json.dumps({"cells": [{"cell_type": kind, "source": text} for kind, text in cells]}))
    return path

def test_pages_beyond_their_budget_are_found(tmp_path):
    short, prose = ("code", "#| export\nx = 1\n"), ("markdown", "many words " * 99)
    def of(*cells): return beyond_budget(page(tmp_path / "page.ipynb", *cells))
    def lines(n): return "code", "#| exports\n" + "x = 1\n\n# a comment\n" * n
    assert of(short, prose) == of(prose, ("code", "x = 1\n" * 99)) == []
    assert of(short) == ["fewer than two words per exported line"]
    assert of(("code", '#| export\ndef f():\n    """Two.\n    Three, four, five.\n    """\n    return 1')) == []
    assert of(prose, lines(8)) == [] and of(prose, lines(9)) == ["half of the exported cells are over 8 lines"]
    assert of(prose, *[short] * 8, lines(21)) == ["more than a tenth are over 20 lines"] and of(prose, *[short] * 9, lines(21)) == []
    assert of(prose, *[short] * 9, lines(51)) == ["one is over 50 lines"]
    assert of(prose, short, ("code", "#| hide\n1")) == ["more than a tenth of the cells are hidden"]

def test_every_module_says_what_it_is():
    modules = [p for p in (REPO / "naivenas").rglob("*.py") if p.name != "_modidx.py"]
    assert len(modules) > 150 and [str(p.relative_to(REPO)) for p in modules if p.name != "__init__.py" and not ast.get_docstring(ast.parse(p.read_text()))] == []

def test_pages_keep_their_budgets():
    pages = [p for p in (REPO / "nbs" / "api").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts]
    assert len(pages) > 90 and {str(p.relative_to(REPO / "nbs")): some for p in sorted(pages) if (some := beyond_budget(p))} == {}

@pytest.mark.parametrize("package", ["naivenas", "naivenas.search"])
def test_public_names_are_where_the_package_looks(package):
    import importlib
    package = importlib.import_module(package)
    homes, _ = naivenas._lazy.listed(package.__file__)
    own = {p.stem for p in Path(package.__file__).parent.iterdir() if p.suffix in ("", ".py")}
    assert len(homes) > 60 and set(package.__all__) <= set(homes) <= set(dir(package))
    for name, (home, there) in homes.items():
        module = importlib.import_module(home, package.__name__)
        assert name == there in module.__all__ and getattr(package, name) is getattr(module, name), name
        assert name not in own, "a name that is a module's, too, would be shadowed by it"

def test_a_star_import_takes_no_name_that_others_use():
    taken = {}
    exec("fit = split = load = train = mine = 'mine'\nfrom naivenas import *", taken)
    assert {*taken} >= {"Net", "inputvertex", "conv", "explore"} and taken["fit"] == taken["split"] == taken["load"] == taken["train"] == "mine"
    names = set(naivenas.__all__)
    assert not names & {*dir(__builtins__), "fit", "split", "load", "train", "table", "shuffle", "stack", "dropout", "prune", "last", "solve", "accuracy"}
    assert len({n.lower() for n in names}) == len(names), "linear and Linear"

def test_names_that_have_left_the_top_level_say_where_they_are():
    code = """
import importlib, warnings, naivenas, naivenas._old as old
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    for name in naivenas._ROOMS: getattr(naivenas, name)
    assert not said, said[0]
    for name, home in 2 * [*old.TOP.items()]: assert getattr(naivenas, name) is getattr(importlib.import_module(f"naivenas.{home}"), name)
texts = [str(w.message) for w in said]
assert len(said) == len(old.TOP) > 70 and all(w.filename == "<string>" and w.category is DeprecationWarning for w in said)
assert "naivenas.Chain is now naivenas.search.Chain; the old name goes with the next release" in texts
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

def test_lists_of_names_are_shipped(tmp_path):
    from setuptools import find_packages
    packages = find_packages(str(REPO), include=["naivenas", "naivenas.*"])
    lists = [p for p in (REPO / "naivenas").rglob("*") if p.suffix == ".pyi" or p.name == "py.typed"]
    assert len(lists) >= 3 and all(".".join(p.parent.relative_to(REPO).parts) in packages for p in lists)
    assert all(pattern in (REPO / file).read_text() for file in ("setup.py", "MANIFEST.in") for pattern in ("*.pyi", "py.typed"))

def test_the_page_of_the_package_runs():
    import doctest
    assert doctest.testmod(naivenas).failed == 0 and doctest.testmod(naivenas).attempted > 4

def test_names_of_version_0_1_go_on_working_with_one_warning():
    code = """
import warnings
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    from naivenas.net import Net
    from naivenas.net import mirrored
    from naivenas.graph import Graph
    from naivenas.sizes import relaxed
    from naivenas.search import fit   # at home in the package now: no warning
    import naivenas.resize
    assert naivenas.resize.commit
    import naivenas._old as old, importlib
    for name in old.NOW: importlib.import_module(f"naivenas.{name}").__all__
said = [w for w in said if "naivenas" in str(w.message)]
assert len(said) == len(old.NOW) + 2 and all(w.category is DeprecationWarning for w in said), len(said)
import naivenas
assert naivenas.Net is Net or issubclass(naivenas.Net, Net)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

def test_import_is_quick_and_light():
    code = ("import sys, time; start = time.perf_counter(); import naivenas; print(f'{time.perf_counter() - start:.3f} s'); "
            "heavy = {'torch', 'gurobipy', 'cylp', 'graphviz', 'ipywidgets', 'pandas', 'numpy'} & set(sys.modules); assert not heavy, heavy")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    print("import naivenas takes", done.stdout.strip())

def test_solving_needs_no_torch():
    code = ("import sys, naivenas.sizes.edits, naivenas.look.picture; "
            "heavy = {'torch', 'gurobipy', 'cylp', 'graphviz', 'ipywidgets', 'pandas'} & set(sys.modules); assert not heavy, heavy")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
