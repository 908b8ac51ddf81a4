"""What pages for learners claim, checked while they run and out of the reader's sight.

    python tests/claims.py      # moves assertions that stand in these pages to tests/claims/SECTION/PAGE.py

A file has a part for each cell: its id, its last line, and what must hold once it has run.
"""
import ast, json, re, sys
from pathlib import Path

NBS, CLAIMS = Path(__file__).parents[1] / "nbs", Path(__file__).parent / "claims"
SECTIONS = "tutorials", "howto", "explanations"
ABOUT_TESTS = {"in_a_ci_job"}      # assertions are what these pages are about
HEAD = re.compile(r"^# %% (\S+?): (.*)$", re.M)

def pages(nbs=NBS): return [p for s in SECTIONS for p in sorted((nbs / s).glob("*.ipynb"))]

def file_of(page, claims=CLAIMS): return claims / page.parent.name / f"{page.stem}.py"

def text(cell): return "".join(cell["source"])

def last_line(source): return source.strip().rsplit("\n", 1)[-1].strip()

def claims_of(page, claims=CLAIMS):
    "`{id of a cell: (its last line, what must hold after it)}`"
    path = file_of(page, claims)
    if not path.exists(): return {}
    _, *parts = HEAD.split(path.read_text(encoding="utf-8"))
    return {parts[i]: (parts[i + 1], parts[i + 2].strip("\n")) for i in range(0, len(parts), 3)}

def split(source):
    "`(what readers see, assertions that stand by themselves)`; the source and nothing where it isn't Python"
    try: tree = ast.parse(source)
    except SyntaxError: return source, []
    lines, alone = source.splitlines(), [n for n in tree.body if isinstance(n, ast.Assert)]
    others = {i for n in tree.body if not isinstance(n, ast.Assert) for i in (n.lineno, n.end_lineno)}
    gone = {i for n in alone for i in range(n.lineno, n.end_lineno + 1)} - others
    left = "\n".join(line for i, line in enumerate(lines, 1) if i not in gone)
    return re.sub(r"\n{3,}", "\n\n", left).strip("\n"), ["\n".join(lines[n.lineno - 1:n.end_lineno]) for n in alone if n.lineno in gone]

def visible(page):
    "`[(id of a cell, line), ...]`: assertions that a reader meets"
    cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
    return [(c.get("id"), line.strip()) for c in cells if c["cell_type"] == "code" for line in text(c).splitlines() if re.search(r"(^|[;:])\s*assert\b", line)]

def move(page, claims=CLAIMS):
    "Move the assertions of a page; how many there were"
    nb, known, moved = json.loads(page.read_text(encoding="utf-8")), claims_of(page, claims), 0
    kept = []
    for cell in nb["cells"]:
        left, found = split(text(cell)) if cell["cell_type"] == "code" else ("", [])
        if not found: kept.append(cell); continue
        moved += len(found)
        if left: cell["source"] = left.splitlines(keepends=True); kept.append(cell)
        home = cell if left else next(c for c in reversed(kept) if c["cell_type"] == "code")       # a cell of nothing else goes
        before = known.get(home["id"], ("", ""))[1]
        known[home["id"]] = last_line(text(home)), "\n".join(filter(None, [before, *found]))
    if not moved: return 0
    order = [c.get("id") for c in kept]
    nb["cells"] = kept
    page.write_text(json.dumps(nb, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    path = file_of(page, claims)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(f"# %% {i}: {last}\n{code}" for i, (last, code) in sorted(known.items(), key=lambda k: order.index(k[0]))) + "\n", encoding="utf-8")
    return moved

def with_claims(page, cells, cell_of):
    "The cells of a page, each followed by what must hold then; `cell_of` makes a cell of code"
    known = claims_of(page) if page.parent.name in SECTIONS else {}
    for cell in cells:
        yield cell
        if cell.get("id") in known: yield cell_of(known[cell["id"]][1], cell)

if __name__ == "__main__":
    for page in pages() if len(sys.argv) == 1 else map(Path, sys.argv[1:]):
        if page.stem not in ABOUT_TESTS and (n := move(page.resolve())): print(f"{page.name}: {n} assertions moved")
