"""Builds the site into _docs/ from the notebooks, their saved outputs and the docstrings. Nothing is executed or loaded from elsewhere.

    pip install -e '.[docs]'
    python nbs/site.py            # build; then check links and that nothing would be loaded from elsewhere
    python nbs/site.py --check    # check what is in _docs
    python nbs/site.py --look DIR # pages as a Chromium shows them, at 1280 and 400 pixels, light and dark, into a folder
"""
import argparse, json, os, re, shutil, sys, tempfile, time
from configparser import ConfigParser
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent
sys.path[0] = str(HERE / "_site")      # and not this folder: this file has the name of a module of Python's
sys.path.insert(1, str(REPO))
from convert import converted, heading, linked, lit, picture, read   # noqa: E402

SECTIONS = {   # folder: title, and what it is for
    "tutorials": ("Tutorials", "Step by step, from a first graph to a search of your own. Start here."),
    "howto": ("How-to", "One question, one short page."),
    "explanations": ("Explanations", "How and why it works, and where it ends."),
    "reference": ("Reference", "Every public name: what it takes, what it gives, an example."),
    "api": ("For contributors", "The source, as it is written: pages to read from the bottom up.")}
PACKAGES = {"graph": "what a network is", "sizes": "what must follow, and why not", "look": "see it", "nets": "PyTorch modules", "capture": "any module comes in",
            "files": "and goes elsewhere", "search": "find one", "apps": "touch it"}
GROUPS = {     # how-to pages in the order of reading
    "Make it smaller": "prune_my_model half_the_macs multiples_of_8 freeze_a_part keep_these_classes why_not_pruned",
    "Grow it, and train on": "widen_while_training my_own_loop insert_or_remove_a_layer",
    "Take it elsewhere": "reload_into_my_class export_to_onnx plain_script in_a_ci_job",
    "Teach it something": "my_own_layer my_own_importance my_own_mutation my_own_solver gurobi_licence",
    "Search": "search_on_my_csv search_on_my_images search_on_my_sequences on_a_cluster"}
OTHER = {"CONTRIBUTING.md": "nbs/api/contributing.md", "CHANGELOG.md": "nbs/api/changelog.md"}     # files of the repository: pages of the site

def grouped(pages):
    "`[(title, pages), ...]` of the how-to pages; those in no group come last"
    found = [(title, [p for p in pages if p.stem in stems.split()]) for title, stems in GROUPS.items()]
    rest = [p for p in pages if not any(p in some for _, some in found)]
    return [(title, some) for title, some in [*found, ("More", rest)] if some]

def settings():
    "The settings of the package"
    read = ConfigParser(delimiters=["="], interpolation=None)
    read.read(REPO / "settings.ini", encoding="utf-8")
    return read["DEFAULT"]

def notebooks(nbs=HERE):
    "`{section: notebooks in the order of reading}`; how-to pages by group, explanations as README lists them, then the others"
    first = re.findall(r"\]\(([^)#]+\.ipynb)", "\n".join("".join(c["source"]) for c in read(nbs / "index.ipynb")["cells"]))
    def place(path): name = str(path.relative_to(nbs)); return (first.index(name) if name in first else len(first), name)
    def under(folder): return [p for p in sorted(folder.rglob("*.ipynb")) if not any(part[0] in "._" for part in p.relative_to(nbs).parts)]
    found = {s: under(nbs / s) for s in SECTIONS if s not in ("reference", "api")}
    found["explanations"].sort(key=place)
    order = " ".join(GROUPS.values()).split()
    found["howto"].sort(key=lambda p: (order.index(p.stem) if p.stem in order else len(order), p.stem))
    return found | {"api": [p for package in PACKAGES for p in under(nbs / "api" / package)]}

def launches(path, cfg):
    "Links that open a notebook elsewhere, and one that fetches it"
    name = path.relative_to(REPO)
    where = cfg["git_url"].removeprefix("https://github.com/")
    return ("{.launch}\n" f"[Open in Colab](https://colab.research.google.com/github/{where}/blob/{cfg['branch']}/{name}) · "
            f"[Open in Binder](https://mybinder.org/v2/gh/{where}/{cfg['branch']}?labpath={name}) · [Notebook on GitHub]({cfg['git_url']}/blob/{cfg['branch']}/{name})")

def card(title, text, link, image=None):
    "A card that leads somewhere"
    top = f"\n:img-top: {image}\n:img-alt: {re.sub('[`*]', '', title)}" if image else ""
    return f":::{{grid-item-card}} {title}\n:link: {link}\n:link-type: doc{top}\n\n{text}\n:::"

def grid(cards, columns="1 2 3 3"): return f"::::{{grid}} {columns}\n:gutter: 3\n\n" + "\n\n".join(cards) + "\n::::"

def toctree(pages, more=":hidden:\n", caption=None):
    "The pages below a page; a caption stands above them in the sidebar"
    if caption: more = f":caption: {caption}\n{more}"
    return f"```{{toctree}}\n{more}\n" + "\n".join(pages) + "\n```"

def pictures(folder):
    "The pictures of the repository, in bright colours: the theme puts white paper under them"
    shutil.copytree(HERE / "images", folder, dirs_exist_ok=True)
    for path in folder.glob("*.svg"): path.write_text(lit(path.read_text(encoding="utf-8")), encoding="utf-8")

class Site:
    "The pages, as files that Sphinx reads"
    def __init__(self, src):
        self.src, self.cfg = Path(src), settings()
        self.blob = f"{self.cfg['git_url']}/blob/{self.cfg['branch']}"
        self.sections = notebooks()
        self.all = [HERE / "index.ipynb", *(p for some in self.sections.values() for p in some)]
        self.titles = {p: heading(read(p)) for p in self.all}
        self.pages = {str(p.relative_to(REPO)): str(p.relative_to(REPO)) for p in self.all} | OTHER

    def write(self, name, text):
        path = self.src / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")

    def doc(self, path): return str(path.relative_to(HERE).with_suffix(""))

    def thumbnail(self, path):
        "The name of a notebook's picture in the site, or None"
        if (found := picture(read(path))) is None: return None
        name = f"thumbs/{path.parent.name}-{path.stem}{found[0]}"
        (self.src / "thumbs").mkdir(parents=True, exist_ok=True)
        (self.src / name).write_bytes(found[1])
        return name

    def section(self, name):
        "The first page of a section: what it is for, a card for each page"
        title, told = SECTIONS[name]
        parts = grouped(self.sections[name]) if name == "howto" else [(None, self.sections[name])]
        text = f"# {title}\n\n{told}\n\n"
        for group, pages in parts:
            cards = [card(self.titles[p][0], self.titles[p][1], f"/{self.doc(p)}") for p in pages]
            text += (f"## {group}\n\n" if group else "") + grid(cards, "1 1 2 2") + "\n\n" + toctree([f"/{self.doc(p)}" for p in pages], caption=group) + "\n\n"
        self.write(f"{name}/index.md", text)

    def contributors(self):
        "The pages of the package, in the order in which they build on each other"
        parts = []
        for package, told in PACKAGES.items():
            mine = [p for p in self.sections["api"] if p.parent.name == package]
            rows = "\n".join(f"- [{self.titles[p][0]}](/{p.relative_to(HERE)}): {self.titles[p][1]}" for p in mine)
            self.write(f"api/{package}/index.md", f"# `{package}`: {told}\n\n{rows}\n\n" + toctree([p.stem for p in mine]))
            parts.append(f"- [`{package}`](/api/{package}/index.md): {told}; {len(mine)} pages")
        about = ("naivenas is written as notebooks. Each of these pages becomes one module; cells with a coloured edge are its source, the others try it out. A package imports those "
                 "above it in this list, a page those before it.")
        self.write("api/index.md", f"# For contributors\n\n{about}\n\n" + "\n".join(parts) + "\n\nAnd [how to work on it](contributing.md), and [what has changed](changelog.md).\n\n"
                   + toctree([*(f"{p}/index" for p in PACKAGES), "contributing", "changelog"]))
        for file, page in OTHER.items():
            text = linked((REPO / file).read_text(encoding="utf-8"), "", self.pages, REPO, self.blob, str(Path(page).parent))
            self.write(page.removeprefix("nbs/"), text)

    def front(self):
        "README's first screens, then cards and a gallery"
        nb = converted(HERE / "index.ipynb", REPO, self.pages, self.blob)
        cut = next((i for i, c in enumerate(nb["cells"]) if "".join(c["source"]).startswith("## Read on")), len(nb["cells"]))
        rest = ["".join(c["source"]) for c in nb["cells"][cut:]]
        for i, c in enumerate(nb["cells"]):      # one cell may hold both what comes before and what comes after
            before, found, after = "".join(c["source"]).partition("\n## Read on")
            if c["cell_type"] == "markdown" and found: c["source"], cut, rest = before, i + 1, [after]; break
        sections = [s for s in SECTIONS if s in ("reference", "api") or self.sections[s]]
        cards = grid([card(*SECTIONS[s], f"/{s}/index") for s in sections])
        shown = [p for s in ("tutorials", "howto", "explanations") for p in self.sections[s]]
        gallery = grid([card(self.titles[p][0], "", f"/{self.doc(p)}", f"/{t}") for p in shown if (t := self.thumbnail(p))], "2 2 3 4")
        cells = [*nb["cells"][:cut], *(dict(cell_type="markdown", metadata={}, source=text) for text in (
            f"## Read on\n\n{cards}", f"## Gallery\n\n{gallery}", toctree([f"{s}/index" for s in sections])))]
        for i, cell in enumerate(cells): cell["id"] = f"cell-{i}"
        self.write("index.ipynb", nb | {"cells": cells})

    def make(self):
        "All pages"
        from reference import reference
        shutil.copytree(HERE / "_site" / "_static", self.src / "_static", dirs_exist_ok=True)
        pictures(self.src / "images")
        for path in self.all[1:]:
            before = [launches(path, self.cfg)] if path.parent.name in ("tutorials", "howto", "explanations") else []
            self.write(path.relative_to(HERE), converted(path, REPO, self.pages, self.blob, before))
        for name, some in self.sections.items():
            if some and name != "api": self.section(name)
        self.contributors()
        self.front()
        return reference(REPO, self.blob, {p: t for p, (t, _) in self.titles.items()}, self.src / "reference")

def build(out, strict=True):
    "Builds the site; the number of warnings"
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as work, open(Path(work, "warnings"), "w+") as said, patch_docutils(), docutils_namespace():
        src, html = Path(work, "src"), Path(work, "out", "html")      # myst-nb leaves a folder beside what it writes
        src.mkdir()
        Site(src).make()
        app = Sphinx(src, HERE / "_site", html, Path(work, "trees"), "html", status=None, warning=said, parallel=min(os.cpu_count() or 1, 4))
        app.build(force_all=True)
        shutil.copytree(html, out)
        said.seek(0)
        warnings = [re.sub(r"\x1b\[[\d;]*m", "", line.rstrip()).replace(str(src), "nbs") for line in said if line.strip()]
    pictures(Path(out, "images"))      # for those that pages name in HTML
    for name in "objects.inv", ".buildinfo", "_static/webpack-macros.html": Path(out, name).unlink(missing_ok=True)
    Path(out, ".nojekyll").touch()
    return warnings

def main():
    parser = argparse.ArgumentParser(description="Build and check the site")
    parser.add_argument("--check", action="store_true", help="check what is there, build nothing")
    parser.add_argument("--look", metavar="DIR", help="save pages as pictures there")
    parser.add_argument("--out", default=REPO / "_docs", type=Path)
    args = parser.parse_args()
    from checks import look, problems
    found, start = [], time.perf_counter()
    if not (args.check or args.look):
        try: import latex2mathml, myst_nb, pydata_sphinx_theme, sphinx_design   # noqa: F401
        except ImportError as e: sys.exit(f"{e}: pip install -e '.[docs]'")
        found = build(args.out)
    if args.look: found = look(args.out, Path(args.look))
    else: found += problems(args.out)
    print(*found, sep="\n", end="\n" if found else "")
    pages = sum(1 for _ in args.out.rglob("*.html"))
    print(f"{pages} pages in {args.out}, {len(found)} warnings, dead links and requests elsewhere, {time.perf_counter() - start:.0f} s")
    sys.exit(bool(found))

if __name__ == "__main__": main()
