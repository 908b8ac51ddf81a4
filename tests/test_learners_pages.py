"Pages for learners keep to their form: how-to pages ask one question and are short; tutorials say what they are for; lines can be read"
import json

import pytest

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

@pytest.mark.parametrize("page", [p for p in TUTORIALS if p.name[:2] in ("01", "02", "03", "04", "05", "07")], ids=lambda p: p.stem)
def test_a_tutorial_says_what_it_is_for_and_ends_in_exercises(page):
    opening = text(cells(page, "markdown")[0])
    assert all(f"**{what}**" in opening for what in ("You will learn", "You need", "It takes"))
    assert sum(f'check("{page.name[:2]}.' in text(c) for c in cells(page, "code")) == 3
