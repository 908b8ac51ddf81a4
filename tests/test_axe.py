"""axe-core finds nothing serious on the pages that the package makes.

axe-core comes from npm: `npm install --no-save axe-core`, here, or say in NAIVENAS_AXE where its axe.min.js is. Without it these tests are left out.
"""
import os
from pathlib import Path
import pytest
from lab import REPO
from test_browser import browser, viewer_page
from test_seeing import long, network

AXE = Path(os.environ.get("NAIVENAS_AXE") or REPO / "node_modules/axe-core/axe.min.js")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(not AXE.exists(), reason="axe-core is not here: npm install --no-save axe-core")]

def said_in_words(rule, target):
    "A vertex shows its name and its facts in short; its accessible name has the same in whole words, which axe-core can't know"
    return rule == "label-content-name-mismatch" and not str(target).startswith("['button")

def serious(page, within="body"):
    "What axe-core finds that is serious or worse: `['rule: selector (summary)', ...]`"
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    found = page.evaluate("within => axe.run(within)", within)["violations"]
    return [f"{v['id']}: {n['target']} ({n['failureSummary']})" for v in found if v["impact"] in ("serious", "critical") for n in v["nodes"]
            if not said_in_words(v["id"], n["target"])]

def pages(folder):
    "Pages that need no kernel, `{name: HTML}`"
    import torch
    from naivenas import explore
    from naivenas.look.pages import reloading
    from test_watching import watched
    net, (w, _) = network(), watched()
    panel = explore(net, example=torch.zeros(1, 3, 8, 8))
    panel.size(9)
    return dict(graph=long().html(), panel=panel.html(), plan=panel.plan.html(), watch=w.html(), live=reloading(w.html()))

@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_have_nothing_serious(browser, tmp_path, theme):
    page, found = browser.new_page(viewport=dict(width=1000, height=900), color_scheme=theme), {}
    for name, text in pages(tmp_path).items():
        (tmp_path / f"{name}.html").write_text(text, encoding="utf-8")
        page.goto(f"file://{tmp_path}/{name}.html")
        if name == "live": page.get_by_role("button", name="stop reloading").click()
        found[name] = serious(page)
    page.goto(viewer_page(tmp_path, network()))
    found["viewer"] = serious(page)
    assert found == dict.fromkeys(found, []), found

def test_what_is_serious_is_found(browser):
    page = browser.new_page()
    page.set_content("<html lang=en><title>a</title><main><h1>a</h1><img src='data:,'><button></button></main></html>")
    assert {f.split(":")[0] for f in serious(page)} == {"image-alt", "button-name"}
