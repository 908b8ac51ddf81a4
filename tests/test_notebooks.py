"""Every notebook runs from top to bottom, in a process of its own; cells flagged notest, slow or gpu are left out."""
import multiprocessing
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

def written(path, source):
    "A page with one cell"
    import nbformat
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    return path

def test_pages_are_copied_from_a_process_that_has_imported_what_they_need(tmp_path):
    "And what they start knows nothing of that; where processes can't be copied, each imports for itself"
    source = "import os, sys, torch; assert 'warm' in sys.modules and 'naivenas' not in sys.modules and 'tests' not in os.environ.get('PYTHONPATH', '')"
    if "forkserver" in multiprocessing.get_all_start_methods(): assert executed(written(tmp_path / "page.ipynb", source)) == (0, "")

def test_a_page_that_fails_is_found(tmp_path):
    for right in True, False:
        status, said = executed(written(tmp_path / f"{right}.ipynb", f"print(6 * 7); assert {right}"))
        assert (status == 0) == right and ("AssertionError" in said) != right

def test_a_page_that_never_ends_is_ended(tmp_path):
    status, said = executed(written(tmp_path / "page.ipynb", "import time; time.sleep(600)"), seconds=8)
    assert status and said.endswith("not done after 8 s")

def test_a_page_draws_where_nobody_has_drawn_before(tmp_path):
    "Graphviz is compiled by threads, and a process that is copied from another has none of its"
    source = "from naivenas.look.picture import _compiled\nassert b'<svg' in _compiled()('digraph {}')"
    page = written(tmp_path / "page.ipynb", f"import os\nos.environ['XDG_CACHE_HOME'] = {str(tmp_path)!r}\n{source}")
    assert executed(page, seconds=300) == (0, "") and [*(tmp_path / "naivenas").iterdir()]
