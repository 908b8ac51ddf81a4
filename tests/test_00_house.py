"""The house is in order: notebooks clean and in sync with the package and the README, rooms in layers, a quick import."""
import ast, filecmp, json, os, re, shutil, subprocess, sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
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
    for path in (twin / "naivenas").glob("*.py"):
        if path.name not in ("__init__.py", "__main__.py"): path.unlink()
    nbdev("nbdev_export", twin)
    assert {p.name for p in (twin / "naivenas").glob("*.py")} == {p.name for p in (REPO / "naivenas").glob("*.py")}
    assert differing(REPO / "naivenas", twin / "naivenas", "*.py") == []

def test_readme_is_what_the_index_says():
    done = subprocess.run([sys.executable, REPO / "nbs" / "readme.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

def test_links_between_pages_lead_somewhere():
    pages = [p for p in (REPO / "nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts]
    texts = {p: "\n".join("".join(c["source"]) for c in json.loads(p.read_text())["cells"] if c["cell_type"] == "markdown") for p in pages}
    links = [(p, m[1]) for p, text in texts.items() for m in re.finditer(r'(?:\]\(|src=")(?!https?:|#|data:)([^)#"\s]+)', text)]
    assert len(links) > 100 and [f"{p.name}: {to}" for p, to in links if not (p.parent / to).exists()] == []

def rooms():
    "{module: place of its notebook among all}"
    found = {}
    for place, path in enumerate(sorted((REPO / "nbs" / "api").glob("*.ipynb"))):
        source = "\n".join("".join(c["source"]) for c in json.loads(path.read_text())["cells"])
        found[re.search(r"#\|\s*default_exp\s+(\S+)", source)[1]] = place
    return found

def imports(module):
    "Names of naivenas modules that a module imports, inside functions too"
    for node in ast.walk(ast.parse((REPO / "naivenas" / f"{module}.py").read_text())):
        if isinstance(node, ast.Import): names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom): names = [node.module or ""] + [f"{node.module}.{a.name}" for a in node.names]
        else: continue
        yield from (n.split(".")[1] for n in names if n.startswith("naivenas."))

def test_rooms_import_downwards_only():
    number = rooms()
    up = [(m, other) for m in number for other in imports(m) if other in number and number[other] >= number[m]]
    assert up == []

def test_rooms_are_small():
    long = {m: n for m in rooms() if (n := len((REPO / "naivenas" / f"{m}.py").read_text().splitlines())) > 330}
    assert long == {}

def test_public_names_are_where_the_package_looks():
    import importlib, naivenas
    for room, names in naivenas._ROOMS.items():
        module = importlib.import_module(f"naivenas.{room}")
        assert set(names.split()) <= set(module.__all__), room
        assert not set(names.split()) & set(rooms()), "a name that is a module's, too, would be shadowed by it"

def test_import_is_quick_and_light():
    code = ("import sys, time; start = time.perf_counter(); import naivenas; print(f'{time.perf_counter() - start:.3f} s'); "
            "heavy = {'torch', 'gurobipy', 'cylp', 'graphviz', 'ipywidgets', 'pandas', 'numpy'} & set(sys.modules); assert not heavy, heavy")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    print("import naivenas takes", done.stdout.strip())

def test_solving_needs_no_torch():
    code = ("import sys, naivenas.structure, naivenas.show; "
            "heavy = {'torch', 'gurobipy', 'cylp', 'graphviz', 'ipywidgets', 'pandas'} & set(sys.modules); assert not heavy, heavy")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
