"""What can be read off the package's files: attached methods, long lines, unused imports, and which way imports run."""
import ast, json, re, statistics
from pathlib import Path

REPO = Path(__file__).parents[1]
PACKAGES = "graph sizes look nets capture files search apps".split()      # a package imports those before it, and none after it

def sources(root=REPO):
    "All modules of the package"
    return [p for p in sorted((root / "naivenas").rglob("*.py")) if p.name != "_modidx.py"]

# ------------------------------------------------------------------------------------------------------ methods from elsewhere

def outside(body):
    "Statements of a module that run on import, those in loops and conditions, too"
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)): continue
        yield node
        for key in "body", "orelse", "finalbody": yield from outside(getattr(node, key, []))

def attached(text):
    "`[(class, attribute or None, whether the class is another module's), ...]`: what is put on classes from outside of them"
    tree, found = ast.parse(text), []
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    taken = {a.asname or a.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for a in node.names}
    def is_class(node): return isinstance(node, ast.Name) and node.id in own | taken and node.id.lstrip("_")[:1].isupper() and not node.id.isupper()
    def targets(node): return [t for e in node.elts for t in targets(e)] if isinstance(node, (ast.Tuple, ast.List)) else [node]
    for node in outside(tree.body):
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            all_targets = [t for each in getattr(node, "targets", None) or [node.target] for t in targets(each)]
            found += [(t.value.id, t.attr, t.value.id not in own) for t in all_targets if isinstance(t, ast.Attribute) and is_class(t.value)]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "setattr" and is_class(node.value.args[0]):
            found.append((node.value.args[0].id, None, node.value.args[0].id not in own))
    return found

# ---------------------------------------------------------------------------------------------------------------------- lines

def lines(text):
    "Lines that somebody has to read: without nbdev's markers and what stands in tables of data"
    tables = {i for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.end_lineno > node.lineno
              for i in range(node.lineno + 1, node.end_lineno + 1)}
    return [line for i, line in enumerate(text.splitlines(), 1) if i not in tables and not line.startswith("# %%")]

def unused(text):
    "Names that are imported and never used"
    tree, public = ast.parse(text), set()
    bound = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)) and getattr(node, "module", "") != "__future__":
            bound |= {(a.asname or a.name.split(".")[0] if isinstance(node, ast.Import) else a.asname or a.name): node.lineno for a in node.names}
        if isinstance(node, ast.Assign) and any(getattr(t, "id", "") in ("__all__", "_all_") for t in node.targets):
            public |= {e.value for e in getattr(node.value, "elts", []) if isinstance(e, ast.Constant)}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):     # annotations that are written as texts
        if isinstance(node, ast.arg) and isinstance(node.annotation, ast.Constant): used |= set(re.findall(r"\w+", str(node.annotation.value)))
    return sorted(set(bound) - used - public)

# --------------------------------------------------------------------------------------------------------------------- pages

def told(text):
    "`(numbers of the lines that docstrings take, words in them)`"
    docs = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)) and ast.get_docstring(node) is not None]
    taken = {i for node in docs for i in range(node.body[0].lineno, node.body[0].end_lineno + 1)}
    return taken, sum(len(re.findall(r"\w+", ast.get_docstring(node))) for node in docs)

def beyond_budget(path):
    "What DESIGN asks of a page and this one misses; lines that count are neither empty nor comments nor docstrings"
    cells = [(c["cell_type"], "".join(c["source"])) for c in json.loads(Path(path).read_text())["cells"]]
    code = [text for kind, text in cells if kind == "code"]
    exported, words = [], sum(len(re.findall(r"\w+", text)) for kind, text in cells if kind == "markdown")
    for text in code:
        if not re.search(r"^#\| *exports?\b", text, re.M): continue
        taken, more = told(text)
        words += more
        exported.append(sum(bool(line.strip()) and line.strip()[0] != "#" for i, line in enumerate(text.splitlines(), 1) if i not in taken))
    exported = [n for n in exported if n]
    if not exported: return []
    hidden = sum(bool(re.search(r"^#\| *hide\b", text, re.M)) for text in code)
    found = {"half of the exported cells are over 8 lines": statistics.median(exported) > 8, "more than a tenth are over 20 lines": sum(n > 20 for n in exported) > .1 * len(exported),
             "one is over 50 lines": max(exported) > 50, "more than a tenth of the cells are hidden": hidden > .1 * len(code),
             "fewer than two words per exported line": words < 2 * sum(exported)}
    return [what for what, so in found.items() if so]

# -------------------------------------------------------------------------------------------------------------------- storeys

def pages(root):
    "`{module such as graph.cut: number of its notebook}`"
    found = {}
    for path in sorted((root / "nbs" / "api").rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts: continue
        text = "\n".join("".join(c["source"]) for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code")
        name = re.search(r"#\|\s*default_exp\s+(\S+)", text)
        if name: found[name[1]] = float(re.match(r"\d*", path.name)[0] or 0)
    return found

def imported(path, root):
    "Modules and names of the package that a file imports anywhere, also inside functions: `graph.cut`, `graph.cut.Cut`, ..."
    here = path.relative_to(root / "naivenas").with_suffix("").parts
    home = here[:-1]                 # the package that the file is in; the same for its __init__
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import): names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level: base = ".".join(filter(None, ["naivenas", *home[:len(home) - node.level + 1], base]))
            names = [f"{base}.{a.name}" for a in node.names] if base else []
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in ("import_module", "__import__") and node.args:
            first = node.args[0]
            names = [first.value] if isinstance(first, ast.Constant) and isinstance(first.value, str) else []
            if names and names[0].startswith("."): names = [".".join(["naivenas", *home, names[0].lstrip(".")])]
        yield from (n.removeprefix("naivenas.") for n in names if n.startswith("naivenas."))

def upward(root=REPO, packages=PACKAGES):
    "`['look.text imports apps.panel', ...]`: imports that do not run down"
    number, wrong = pages(root), []
    def place(module): return packages.index(module.split(".")[0]), number.get(module, -1)
    for path in sources(root):
        here = ".".join(path.relative_to(root / "naivenas").with_suffix("").parts)
        if here.split(".")[0] not in packages: continue
        inside = here.endswith("__init__")
        for name in imported(path, root):
            package = name.split(".")[0]
            if package in ("_old", "_lazy") and inside: continue     # names of 0.1, and names imported on first use; both import nothing of their own
            if package not in packages: wrong.append(f"{here} imports {name}, which is at the top of the house"); continue
            target = next((m for m in (".".join(name.split(".")[:n]) for n in (3, 2)) if m in number), package)
            if inside: bad = packages.index(package) > packages.index(here.split(".")[0])
            elif target == package: bad = packages.index(package) >= packages.index(here.split(".")[0])       # a package as a whole
            else: bad = place(target) >= place(here)
            if bad: wrong.append(f"{here} imports {target}")
    return wrong
