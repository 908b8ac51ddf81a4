"Pages for learners keep to their form: how-to pages ask one question and are short; tutorials say what they are for; lines can be read"
import json, re

import pytest

import claims, terms
from house import REPO

NBS = REPO / "nbs"
HOWTO, TUTORIALS = sorted((NBS / "howto").glob("*.ipynb")), sorted((NBS / "tutorials").glob("*.ipynb"))
WRITTEN = "what_is_structural_mutation why_an_integer_program what_happens_to_my_weights when_growing_changes_nothing how_a_search_uses_it limits what_came_before glossary"
EXPLAINED = [NBS / "explanations" / f"{name}.ipynb" for name in WRITTEN.split()]

def cells(page, kind): return [c for c in json.loads(page.read_text())["cells"] if c["cell_type"] == kind]
def text(cell): return "".join(cell["source"])

@pytest.mark.parametrize("page", HOWTO, ids=lambda p: p.stem)
def test_a_howto_page_asks_one_question(page):
    first, *_ = text(cells(page, "markdown")[0]).splitlines()
    assert first.startswith("# ") and first.endswith("?")
    code = cells(page, "code")
    assert len(code) <= 12 and sum(len(text(c).splitlines()) for c in code) <= 100
    assert any(c["outputs"] for c in code), "pages are committed as they ran"

def test_all_questions_have_a_page(): assert len(HOWTO) >= 22

@pytest.mark.parametrize("page", HOWTO + EXPLAINED, ids=lambda p: p.stem)
def test_lines_can_be_read_and_nothing_is_of_this_machine(page):
    for c in cells(page, "code"):
        assert [line for line in text(c).splitlines() if len(line) > 88] == []
        said = json.dumps(c["outputs"])
        assert [place for place in ("/home/", "/root/", "/work/", "site-packages") if place in said] == []
        assert not any(o["output_type"] == "error" for o in c["outputs"])

@pytest.mark.parametrize("page", claims.pages(), ids=lambda p: p.stem)
def test_no_assertion_is_in_the_learners_way(page):
    "It stands in tests/claims instead (`python tests/claims.py` moves it there), behind a cell that is still what it was"
    if page.stem not in claims.ABOUT_TESTS: assert claims.visible(page) == []
    lines = {c["id"]: claims.last_line(text(c)) for c in cells(page, "code")}
    assert {i: line for i, (line, _) in claims.claims_of(page).items() if lines.get(i) != line} == {}

def test_every_claim_has_a_page():
    assert {p for p in claims.CLAIMS.rglob("*.py")} <= {claims.file_of(p) for p in claims.pages()}

def test_assertions_are_moved_and_checked(tmp_path):
    "What readers see and what holds behind each cell, by hand"
    page = tmp_path / "howto" / "page.ipynb"
    page.parent.mkdir()
    sources = ["x = 1\nassert x == 1, \\\n    'one'\nx", "for i in [x]:\n    assert i", "assert x > 0", "y = x; assert y"]
    made = [dict(cell_type="code", id=f"c{i}", source=[s], metadata={}, outputs=[], execution_count=None) for i, s in enumerate(sources)]
    page.write_text(json.dumps(dict(cells=made, metadata={}, nbformat=4, nbformat_minor=5)))
    assert claims.move(page, tmp_path) == 2 and claims.move(page, tmp_path) == 0
    assert [text(c) for c in cells(page, "code")] == ["x = 1\nx", sources[1], sources[3]]
    assert claims.claims_of(page, tmp_path) == {"c0": ("x", "assert x == 1, \\\n    'one'"), "c1": ("assert i", "assert x > 0")}
    assert [line for _, line in claims.visible(page)] == ["assert i", "y = x; assert y"]

def test_what_a_page_claims_is_checked_while_it_runs():
    "Behind each cell that claims something"
    page = NBS / "tutorials" / "01_first_graph.ipynb"
    known, ran = claims.claims_of(page), list(claims.with_claims(page, cells(page, "code"), lambda code, cell: (code, cell["id"])))
    assert [r for r in ran if isinstance(r, tuple)] == [(code, i) for i, (_, code) in known.items()] and len(known) >= 8
    assert all(ran[k - 1]["id"] == r[1] for k, r in enumerate(ran) if isinstance(r, tuple))

@pytest.mark.parametrize("page", [p for p in TUTORIALS if p.name[:2] in ("01", "02", "03", "04", "05", "07", "08")], ids=lambda p: p.stem)
def test_a_tutorial_says_what_it_is_for_and_ends_in_exercises(page):
    opening = text(cells(page, "markdown")[0])
    assert all(f"**{what}**" in opening for what in ("You will learn", "You need", "It takes"))
    assert sum(f'check("{page.name[:2]}.' in text(c) for c in cells(page, "code")) == 3

@pytest.mark.parametrize("page", terms.learners(), ids=lambda p: p.stem)
def test_terms_of_the_glossary_are_linked_at_first_use(page):
    "`python tests/terms.py` makes the links that are missing"
    assert [(term, m[0]) for _, term, m in terms.missing(terms.prose(page))] == []

def test_links_into_the_glossary_lead_to_words_of_it():
    "Anchors are what Jupyter makes of headings: spaces become dashes, and nothing else changes"
    headings = {h.replace(" ", "-") for h in re.findall(r"^#+ (.+)$", "\n".join(terms.prose(terms.GLOSSARY)), re.M)}
    assert {terms.slug(t) for t in terms.TERMS} <= headings
    for page in claims.pages(): assert {*re.findall(r"glossary\.ipynb#([^)]+)\)", "\n".join(terms.prose(page)))} <= headings, page

@pytest.mark.parametrize("cells,found", [
    (["A wire.", "Another wire, a plan"], ["wire", "plan"]), (["# Wires\n\n> A plan\n\n| bundle |\n\n    a wish\n\n```\nMACs\n```\n`tie` [a plan](x.md) $wire$"], []), (["A [wire](glossary.ipynb#wire), wires"], []),
    (["wires, [wires](glossary.ipynb#wire)"], ["wire"]), (["`x`", "**Plans.** [plan](../explanations/glossary.ipynb#plan)"], ["plan"]), (["wireless, in front of a planet: no wish, index-list"], []),
    (["[Vertices](glossary.ipynb#vertex)", "a vertex and an index list"], ["index list"])])
def test_first_uses_are_found(cells, found): assert [term for _, term, _ in terms.missing(cells)] == found
