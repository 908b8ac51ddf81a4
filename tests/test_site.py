"The site: pages made of notebooks, the reference, links; and, with -m docs, the whole of it, as a browser shows it"
import ast, json, re, resource, subprocess, sys
from pathlib import Path

import pytest

import naivenas
from lab import chromium
from test_axe import AXE, serious
from sitemaker import NBS, part

REPO = NBS.parent

# --------------------------------------------------------------------------------------------------------------- pages

def notebook(path, *cells):
    "A notebook of `(kind, source, outputs)`"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [dict(cell_type=kind, source=text, metadata={}) | (dict(outputs=list(outputs), execution_count=None) if kind == "code" else {}) for kind, text, *outputs in cells]
    path.write_text(json.dumps(dict(cells=made, metadata={}, nbformat=4, nbformat_minor=5)))
    return path

def shown(tmp_path, *cells, folder="tutorials"):
    "The cells that the site has of a notebook"
    path = notebook(tmp_path / "nbs" / folder / "page.ipynb", ("markdown", "# A page"), *cells)
    return part("convert").converted(path, tmp_path, {"nbs/tutorials/other.ipynb": "nbs/tutorials/other.ipynb"}, "https://there/blob")["cells"][1:]

def test_cells_are_shown_without_what_readers_have_no_use_for(tmp_path):
    widget = dict(output_type="display_data", metadata={}, data={"application/vnd.jupyter.widget-view+json": {}, "text/plain": "bar"})
    bar = dict(output_type="stream", name="stderr", text="repair:  50%|####| 1/2")
    text = dict(output_type="stream", name="stdout", text="said")
    code = "a = 1\nassert a == 1\nfor x in [1]:\n    assert x\na"
    exported, lesson, hidden, default, silent, check = shown(tmp_path, ("code", "#| export\nx = 1"), ("code", code, widget, bar, text), ("code", "#| hide\n1"),
                                                             ("code", "#| default_exp a.b"), ("code", "#| echo: false\nx", text), ("code", "assert 1 == 1", text)) + [None, None]
    assert exported["source"] == "x = 1" and exported["metadata"]["tags"] == ["exported"]
    assert lesson["source"] == "a = 1\nfor x in [1]:\n    assert x\na" and lesson["outputs"] == [text]
    assert hidden["metadata"]["tags"] == default["metadata"]["tags"] == ["remove-input"]
    assert silent is check is None
    assert shown(tmp_path, ("code", code), folder="api/graph")[0]["source"] == code, "contributors see assertions"

@pytest.mark.parametrize("code,left", [("assert a,\\\n  'b'\nx", "x"), ("x; assert x", "x; assert x"), ("%time x\nassert x", "%time x\nassert x"), ("assert x", ""), ("x\n\nassert y\n\nz", "x\n\nz")])
def test_assertions_go_as_a_whole(code, left): assert part("convert").without_asserts(code) == left

def test_links_lead_into_the_site_or_to_the_repository(tmp_path):
    for name in "bench/speed.py", "nbs/images/a.svg": notebook(tmp_path / name)
    text = "[o](other.ipynb#part) [b](../../bench/speed.py) ![a](../images/a.svg) [w](https://w.org/x) [h](#here) [gone](gone.ipynb)\n```\n[b](../../bench/speed.py)\n```"
    (cell,) = shown(tmp_path, ("markdown", text))
    assert cell["source"] == text.replace("[b](../../bench/speed.py)", "[b](https://there/blob/bench/speed.py)", 1)

def test_every_notebook_is_on_the_site_once():
    sections = part("site").notebooks()
    found = [p for some in sections.values() for p in some]
    there = [p for p in NBS.rglob("*.ipynb") if not any(part[0] in "._" for part in p.relative_to(NBS).parts)]
    assert len(found) == len({*found}) and {*found} == {*there} - {NBS / "index.ipynb"} and len(found) > 150
    assert [p.name[:2] for p in sections["tutorials"]] == sorted(p.name[:2] for p in sections["tutorials"])

def test_how_to_pages_have_one_order():
    "Each is in a group, and README names them in the same order"
    site = part("site")
    pages = [p.stem for p in site.notebooks()["howto"]]
    assert pages == " ".join(site.GROUPS.values()).split() and "More" not in [title for title, _ in site.grouped(site.notebooks()["howto"])]
    said = re.findall(r"\]\((?:nbs/)?howto/(\w+)\.ipynb\)", (REPO / "README.md").read_text())
    assert list(dict.fromkeys(said)) == pages
    assert [title for title, some in site.grouped([NBS / "howto" / "a_new_page.ipynb"])] == ["More"]

def test_next_pages_are_the_next_pages():
    "A tutorial that names the next page names the one that comes next"
    tutorials = part("site").notebooks()["tutorials"]
    for path, follows in zip(tutorials, tutorials[1:]):
        text = "\n".join("".join(c["source"]) for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "markdown")
        for link in re.findall(r"\[[^\]]*next page[^\]]*\]\(([^)]+)\)", text): assert link == follows.name, path.name

@pytest.mark.parametrize("svg,size", [
    ('<svg width="30pt" height="300pt" viewBox="0 0 30 300" xmlns="http://www.w3.org/2000/svg">%s</svg>', (30, 27)), ('<svg width="300" height="30">%s</svg>', (96, 30)),
    ('<svg width="40" height="30"><style>@media(prefers-color-scheme:dark){.a{b:c}.d{e:f}}</style>%s</svg>', (40, 30)), ("<svg>%s</svg>", None), ('<svg width="40" height="30">&nbsp;%s</svg>', None)])
def test_thumbnails_are_pictures_of_their_own(svg, size):
    from xml.etree import ElementTree
    made = part("convert").picture(dict(cells=[dict(outputs=[dict(data={"text/html": "<p>" + svg % ("<g/>" * 400)})])]))
    if size is None: assert made is None; return
    suffix, data = made
    root = ElementTree.fromstring(data)
    assert suffix == ".svg" and root.tag == "{http://www.w3.org/2000/svg}svg" and [*map(float, root.get("viewBox").split())] == [0, 0, *size] and b"dark" not in data

def test_pictures_of_the_repository_are_bright(tmp_path):
    "As images they would go by the computer's scheme, and not by that of the page"
    part("site").pictures(tmp_path / "images")
    found = {p.name: p.read_text() for p in (tmp_path / "images").glob("*.svg")}
    assert {"prune.svg", "resnet50.svg"} <= {*found} and not any("prefers-color-scheme" in svg for svg in found.values())

# ----------------------------------------------------------------------------------------------------------- reference

def test_the_reference_has_all_public_names():
    known = part("reference").public()
    names = {n for some in known.values() for n in some}
    from naivenas import extend, search
    def listed(file): return {a.asname for node in ast.parse(Path(file).with_suffix(".pyi").read_text()).body if isinstance(node, ast.ImportFrom) and node.module for a in node.names}
    assert names == listed(naivenas.__file__) | listed(search.__file__) | {*extend.__all__}

def test_an_entry_tells_what_a_docstring_tells():
    reference = part("reference")
    made = reference.Reference(REPO, "https://there", {p: "A page" for p in reference.homes(REPO).values()}).entry("files.prune", "prune", naivenas.prune)
    assert made.startswith("(files.prune)=\n## prune\n") and "    keep: float | None = None,\n" in made and ") -> nn.Module" in made
    for said in "**Parameters**", "- **`module`** (*nn.Module*): One that", "- **`**how`**: Options", "```pycon\n>>> module", "(/api/files/17_giving_back.ipynb)", "(https://there/naivenas/files/giving_back.py#L": assert said in made, said
    assert "----" not in made

@pytest.mark.parametrize("cls,call", [("Net", "Net(\n    inputs: Vertex | Iterable[Vertex],"), ("SizeError", "SizeError"), ("Taylor", "Taylor(")])
def test_classes_are_called_as_they_are_made(cls, call): assert part("reference").signature(cls, getattr(naivenas, cls)).startswith(call)

# --------------------------------------------------------------------------------------------------------------- links

def page(tmp_path, body, name="page.html"): (tmp_path / name).write_text(f"<html><head></head><body><h1 id='top'>A</h1>{body}</body></html>")

@pytest.mark.parametrize("body,what", [
    ('<a href="gone.html">x</a>', "gone.html leads nowhere"), ('<a href="page.html#gone">x</a>', "leads nowhere on the page"), ('<a href="#gone">x</a>', "leads nowhere on the page"),
    ('<img src="gone.png">', "gone.png leads nowhere"), ('<img src="https://w.org/a.png">', "loads https://w.org/a.png"), ('<script src="//w.org/a.js"></script>', "loads //w.org/a.js"),
    ('<link rel="stylesheet" href="https://w.org/a.css">', "loads https://w.org/a.css"), ('<style>@import "https://w.org/a.css";</style>', "loads https://w.org/a.css"),
    ('<p style="background:url(https://w.org/a.png)">', "loads https://w.org/a.png"), ('<script>import x from "https://w.org/a.js"</script>', "loads https://w.org/a.js"),
    ('<script>fetch("https://w.org/a.json")</script>', "loads https://w.org/a.json")])
def test_dead_links_and_requests_elsewhere_are_found(tmp_path, body, what):
    page(tmp_path, body)
    (found,) = part("checks").problems(tmp_path)
    assert what in found and found.startswith("page.html: ")

def test_a_site_in_order_has_no_problems(tmp_path):
    page(tmp_path, '<a href="#top">x</a><a href="other.html#top">x</a><a href="https://w.org">x</a><a href="mailto:a@b.c">x</a><img src="data:image/png;base64,AA"><script>say("https://w.org")</script>')
    page(tmp_path, "", "other.html")
    (tmp_path / "a.css").write_text("a{background:url(b.png)}")
    assert part("checks").problems(tmp_path) == [] and part("checks").problems(tmp_path / "none") != []
    (tmp_path / "a.css").write_text("a{background:url(https://w.org/b.png)}")
    assert part("checks").problems(tmp_path) == ["a.css: loads https://w.org/b.png"]

# ----------------------------------------------------------------------------------------------------------- all of it

@pytest.fixture(scope="module")
def built(tmp_path_factory):
    "The site, built as CONTRIBUTING says, what was printed, and the seconds of CPU that it took"
    pytest.importorskip("sphinx_design")
    def seconds(): return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    out, start = tmp_path_factory.mktemp("site"), seconds()
    done = subprocess.run([sys.executable, NBS / "site.py", "--out", out], capture_output=True, text=True)
    return out, done, seconds() - start

@pytest.mark.docs
def test_the_site_is_built_without_a_word(built):
    out, done, seconds = built
    assert done.returncode == 0, done.stdout + done.stderr
    assert len([*out.rglob("*.html")]) > 180 and seconds < 180
    assert "window.MathJax" not in (out / "api/sizes/11_elimination.html").read_text() and "<math" in (out / "api/sizes/11_elimination.html").read_text()

@pytest.mark.docs
def test_search_finds_a_page(built):
    index = (built[0] / "searchindex.js").read_text()
    assert "multipl" in index and "13_net" in index

@pytest.mark.docs
@pytest.mark.browser
def test_a_browser_asks_for_nothing_elsewhere(built, tmp_path):
    names = "index.html", "tutorials/index.html", "tutorials/01_first_graph.html", "reference/files.Net.html", "explanations/cheat_sheet.html", "api/sizes/11_elimination.html"
    assert part("checks").look(built[0], tmp_path, names) == [] and len([*tmp_path.glob("*.png")]) == 4 * len(names)

@pytest.mark.docs
@pytest.mark.browser
def test_the_cheat_sheet_prints_on_two_pages(built, tmp_path):
    with chromium() as browser:
        page = browser.new_page()
        page.goto((built[0] / "explanations/cheat_sheet.html").as_uri())
        sheet = page.pdf(format="A4", margin=dict(top="10mm", bottom="10mm", left="10mm", right="10mm"))
    assert len(re.findall(rb"/Type\s*/Page\b", sheet)) == 2

@pytest.mark.docs
@pytest.mark.browser
@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not here: npm install --no-save axe-core")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_of_the_site_have_nothing_serious(built, theme):
    names = "index tutorials/index tutorials/02_prune_a_cnn howto/half_the_macs explanations/glossary explanations/the_house api/apps/16_cli reference/index search".split()
    with chromium() as browser:
        page = browser.new_page(viewport=dict(width=1280, height=900), color_scheme=theme)
        for name in names:
            page.goto((built[0] / f"{name}.html").as_uri())
            assert page.evaluate("document.documentElement.dataset.theme") == theme and serious(page) == [], name
