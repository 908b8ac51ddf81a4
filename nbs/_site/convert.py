"Notebooks as pages of the site: directives stripped, links made good, pictures found"
import ast, base64, json, math, os, re, struct
from pathlib import Path
from xml.etree import ElementTree

LEARNERS = "tutorials", "howto", "explanations"       # whoever reads these wants no assertions
DIRECTIVE = re.compile(r"^#\|\s*([\w-]+):?\s*(.*)$")
LINK = re.compile(r'(\]\(|(?:src|href)=")(?!\w+:|#|//)([^)#"\s]+)(#[^)"\s]*)?')
WIDGET = "application/vnd.jupyter.widget-view+json"
DARK = re.compile(r"@media\s*\(prefers-color-scheme:\s*dark\)\s*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
FENCE = re.compile(r"(^```.*?^```\s*$)", re.M | re.S)

def read(path): return json.loads(Path(path).read_text(encoding="utf-8"))

def heading(nb):
    "`(title, what stands below it after a >)` of a notebook"
    text = "\n".join("".join(c["source"]) for c in nb["cells"] if c["cell_type"] == "markdown")
    title, below = re.search(r"^# (.+)$", text, re.M), re.search(r"^> (.+(?:\n> .+)*)$", text, re.M)
    return title[1].strip() if title else "", re.sub(r"\n> ", " ", below[1]) if below else ""

def without_asserts(source):
    "Code without the assertions that stand by themselves; as it is where it isn't Python"
    try: tree = ast.parse(source)
    except SyntaxError: return source
    lines = source.splitlines()
    alone = [n for n in tree.body if isinstance(n, ast.Assert)]
    starts = {n.lineno for n in tree.body if not isinstance(n, ast.Assert)} | {n.end_lineno for n in tree.body if not isinstance(n, ast.Assert)}
    gone = {i for n in alone for i in range(n.lineno, n.end_lineno + 1)} - starts
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line for i, line in enumerate(lines, 1) if i not in gone)).strip("\n")

def _shown(outputs):
    "Outputs that a page without a kernel can show: no widgets, no bars of progress"
    kept = []
    for o in outputs:
        data = o.get("data", {})
        if WIDGET in data:
            data = {k: v for k, v in data.items() if k not in (WIDGET, "text/plain")}
            if not data: continue
            o = o | {"data": data}
        if "image/svg+xml" in data: o = o | {"data": data | {"image/svg+xml": lit("".join(data["image/svg+xml"]))}}
        if o.get("name") == "stderr" and re.search(r"\d+%\|", "".join(o["text"])): continue
        kept.append(o)
    return kept

def _code(cell, learner):
    "A cell of code as the site shows it, or None"
    lines = "".join(cell["source"]).splitlines()
    said = {m[1]: m[2] for line in lines if (m := DIRECTIVE.match(line))}
    source = "\n".join(line for line in lines if not DIRECTIVE.match(line)).strip("\n")
    if learner: source = without_asserts(source)
    tags, outputs = list(cell.get("metadata", {}).get("tags", [])), _shown(cell.get("outputs", []))
    if "hide" in said or "default_exp" in said or not (source or outputs): return None
    if said.get("echo") == "false" or not source: tags.append("remove-input")
    if said.get("code-fold") == "true": tags.append("hide-input")
    if {"export", "exports", "exporti"} & {*said}: tags.append("exported")
    more = {"mystnb": {"code_prompt_show": said["code-summary"], "code_prompt_hide": said["code-summary"]}} if "code-summary" in said else {}
    return cell | {"source": source, "outputs": outputs, "metadata": {"tags": tags} | more}

def linked(text, home, pages, repo, blob, at=None):
    """Markdown with links as the site has them; code in fences stays as it is.

    home: the folder of the text in the repository, which is where the site has it, too, unless `at` names another;
    pages: {file of the repository: where it is in the site}
    """
    def to(m):
        target = os.path.normpath(os.path.join(home, m[2]))
        if target in pages: return m[1] + os.path.relpath(pages[target], at or home) + (m[3] or "").lower()      # Jupyter keeps capitals in anchors
        if target.startswith("nbs/images/") or not (repo / target).exists(): return m[0]      # a dead link is left to Sphinx
        return f"{m[1]}{blob}/{target}{m[3] or ''}"
    return "".join(part if i % 2 else LINK.sub(to, part) for i, part in enumerate(FENCE.split(text)))

def converted(path, repo, pages, blob, before=()):
    "A notebook as the site shows it; `before`: cells of Markdown below its title"
    nb, home = read(path), str(Path(path).parent.relative_to(repo))
    learner, cells = Path(home).name in LEARNERS, []
    for cell in nb["cells"]:
        if cell["cell_type"] == "code": cell = _code(cell, learner)
        elif cell["cell_type"] == "markdown": cell = cell | {"source": linked("".join(cell["source"]), home, pages, repo, blob)}
        if cell: cells.append(cell)
    cells[1:1] = [dict(cell_type="markdown", metadata={}, source=text) for text in before]
    for i, cell in enumerate(cells): cell["id"] = f"cell-{i}"
    return nb | {"cells": cells, "metadata": {"kernelspec": dict(name="python3", display_name="Python 3", language="python")}}

def lit(svg):
    "A picture with its bright colours only: as an image it would go by the computer's scheme, not by that of the page"
    return DARK.sub("", svg)

def _box(svg):
    "`(width, height, picture)`: in a file of its own, cut at the bottom or the right where it is much longer than wide or high"
    head, rest = svg[svg.index("<svg"):].split(">", 1)
    sized = {k: float(n) for k, n in re.findall(r'\s(width|height)="([\d.]+)', head)}
    found = re.search(r'\sviewBox="([-\d.]+)[ ,]+([-\d.]+)[ ,]+([\d.]+)[ ,]+([\d.]+)"', head)
    if not found and len(sized) < 2: return 1, 1, ""
    x, y, w, h = map(float, found.groups()) if found else (0., 0., sized["width"], sized["height"])
    wide, high = min(w, 3.2 * h), min(h, .9 * w)
    head = re.sub(r'\s(width|height|viewBox)="[^"]*"', "", head) + f' viewBox="{x} {y} {wide} {high}" width="{wide}" height="{high}"'
    for name, space in ("xmlns", "http://www.w3.org/2000/svg"), ("xmlns:xlink", "http://www.w3.org/1999/xlink"):
        if f"{name}=" not in head: head += f' {name}="{space}"'
    return w, h, f"{head}>{rest}"

def _whole(svg):
    "Whether a picture can stand in a file of its own"
    try: return ElementTree.fromstring(svg) is not None
    except ElementTree.ParseError: return False

def picture(nb):
    "`(suffix, bytes)` of the picture that stands for a notebook, the one nearest to the shape of a card; None if it has none"
    found = []
    for o in (o for cell in nb["cells"] for o in cell.get("outputs", [])):
        data = {k: "".join(v) if isinstance(v, list) else v for k, v in o.get("data", {}).items()}
        if "image/png" in data:
            png = base64.b64decode(data["image/png"])
            found.append((*struct.unpack(">II", png[16:24]), ".png", png))
        svg = data.get("image/svg+xml") or next(iter(re.findall(r"<svg.*?</svg>", data.get("text/html", ""), re.S)), "")
        if len(svg) < 1500: continue
        w, h, svg = _box(lit(svg))
        if _whole(svg): found.append((w, h, ".svg", svg.encode()))
    return min(found, key=lambda f: abs(math.log(f[0] / f[1] / 1.6)))[2:] if found else None
