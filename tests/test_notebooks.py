"""Every notebook runs from top to bottom, in a process of its own; cells flagged notest, slow or gpu are left out."""
from pathlib import Path
import pytest
from pages import executed

NBS = Path(__file__).parents[1] / "nbs"
PAGES = sorted(p for p in NBS.rglob("*.ipynb") if not any(part.startswith((".", "_")) for part in p.relative_to(NBS).parts))

@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(NBS)))
def test_notebook(path):
    status, said = executed(path)
    assert status == 0, said
    assert "Traceback" not in said, f"what a cell ends in cannot be shown:\n{said}"

def test_a_claim_that_fails_is_found(tmp_path, monkeypatch):
    "Behind its cell, in the process that runs the page"
    import pages
    from types import SimpleNamespace as made
    cells = [made(id="a", source="x = 1", directives_={}), made(id="b", source="x", directives_={"gpu": []})]
    monkeypatch.setattr(pages, "with_claims", lambda page, cells, claim: [both for c in cells for both in (c, claim("assert x == 2", c))])
    found = pages.claiming(lambda path: made(nb=made(cells=cells)))(tmp_path / "p.ipynb").nb.cells
    assert [c.source for c in found] == ["x = 1", "assert x == 2", "x", "assert x == 2"] and [*found[3].directives_] == ["gpu"]

def test_a_page_that_fails_is_found(tmp_path):
    page = '{"cells": [{"cell_type": "code", "execution_count": null, "id": "a", "metadata": {}, "outputs": [], "source": ["print(6 * 7); assert %s"]}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    for number, right in enumerate((True, False)):
        path = tmp_path / f"{number}.ipynb"
        path.write_text(page % right)
        status, said = executed(path)
        assert (status == 0) == right and ("AssertionError" in said) != right
