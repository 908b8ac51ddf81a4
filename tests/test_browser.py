"The panel in a real Chromium on a real JupyterLab, started here"
import os, shutil
import pytest
from lab import REPO, Kernel, chromium, jupyterlab, run_all

@pytest.fixture
def browser():
    try:
        with chromium() as found: yield found
    except FileNotFoundError as e: pytest.fail(str(e), pytrace=False)

@pytest.fixture
def lab(tmp_path):
    "A JupyterLab in an empty home with the tutorial and its pictures in it, as `(address, folder)`"
    (tmp_path / "tutorials").mkdir()
    shutil.copy(REPO / "nbs/tutorials/03_explore.ipynb", tmp_path / "tutorials")
    shutil.copytree(REPO / "nbs/images", tmp_path / "images")
    with jupyterlab(tmp_path) as address: yield address, tmp_path

@pytest.mark.browser
def test_the_panel_in_a_browser(lab, browser):
    address, folder = lab
    page, complaints = browser.new_page(viewport=dict(width=1280, height=1000)), []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: complaints.append(str(e)))
    run_all(page, address, "tutorials/03_explore.ipynb")
    panel = page.locator(".nn-explore")
    panel.wait_for(timeout=60_000)
    kernel = Kernel(folder)
    kernel.wait("isinstance(globals().get('answer'), dict)")      # the last cell
    assert kernel("panel.done") == [] and kernel("net.sizes['stem']") == 16
    size = lambda: kernel("(net.sizes['stem'], net.sizes['left'], net.sizes['wide'])")
    button = lambda name: panel.get_by_role("button", name=name, exact=True)

    panel.locator('[data-v="stem"]').click()                              # a click on the SVG reaches the kernel
    page.wait_for_function("document.querySelector('.nn-explore .nn-details').innerText.includes('stem = conv2d')")
    assert kernel("panel.chosen") == "stem"

    handle = panel.locator(".noUi-handle").first                          # the slider, by keyboard: the picture changes, the graph does not
    handle.focus()
    for _ in range(4): handle.press("ArrowLeft")
    panel.locator("svg.nn-graph", has_text="16 → 12").wait_for()
    assert size() == (16, 16, 24) and kernel("panel.done") == []
    assert handle.get_attribute("aria-label") == "neurons" and panel.locator("input[type=number]").first.get_attribute("aria-label") == "neurons, as a number"
    assert panel.locator('[data-v][tabindex="0"]').count() == 1 and panel.locator('[data-v="stem"]').get_attribute("aria-pressed") == "true"
    panel.locator('[data-v="stem"]').focus()                              # along the edges, by keyboard; a redraw leaves the focus where it was
    for key in "ArrowDown", "ArrowUp", "Enter": page.keyboard.press(key)
    here = "document.activeElement.getAttribute('data-v')"
    page.wait_for_function("!document.querySelector('.nn-explore .nn-code').innerText.includes('proposed')")
    assert page.evaluate(here) == "stem" and page.evaluate("document.querySelector('.nn-explore .nn-status').innerText") == "nothing proposed"
    handle.focus()
    for _ in range(4): handle.press("ArrowLeft")
    panel.locator("svg.nn-graph", has_text="16 → 12").wait_for()
    assert panel.locator(".nn-code").inner_text().strip().endswith('net.resize("stem", -4)   # proposed')
    pointer = kernel("[p.data_ptr() for p in net.parameters()]")

    button("apply").click()
    page.wait_for_function("!document.querySelector('.nn-explore .nn-code').innerText.includes('proposed')")
    assert size() == (12, 12, 20) and "16 → 12" not in panel.locator("svg.nn-graph").inner_html()
    button("undo").click()
    page.wait_for_function("document.querySelector('.nn-explore .nn-code').innerText.includes('undo')")
    assert size() == (16, 16, 24) and kernel("[p.data_ptr() for p in net.parameters()]") == pointer
    button("redo").click()
    page.wait_for_function("[...document.querySelectorAll('.nn-explore button')].find(b => b.innerText == 'redo').disabled")
    assert size() == (12, 12, 20)

    panel.locator('[data-v="image"]').click()                             # an image has three channels, and that is that
    page.wait_for_function("document.querySelector('.nn-explore .nn-details').innerText.includes('image =')")
    handle.focus()
    handle.press("ArrowRight")
    page.wait_for_function("document.querySelector('.nn-explore .nn-says').innerText.includes('impossible')")
    assert "image keeps its 3 neurons" in panel.locator(".nn-says").inner_text() and size() == (12, 12, 20)
    assert panel.get_by_role("button", name="as near as possible").count() == 1
    assert button("apply").is_disabled() and panel.locator(".node.conflict").count() == 1
    if shots := os.environ.get("NAIVENAS_SHOTS"): panel.screenshot(path=f"{shots}/explore.png")

    panel.get_by_role("tab", name="prune").click()                        # a budget, in its box
    box = panel.get_by_label("budget %, as a number")
    box.fill("60")
    box.press("Enter")
    page.wait_for_function("document.querySelector('.nn-explore .nn-code').innerText.includes('macs=0.6')")
    assert "% of" in panel.locator(".nn-says").inner_text() and "60" in panel.locator(".noUi-handle:visible").last.get_attribute("aria-valuenow")

    panel.get_by_role("tab", name="weights").click()                      # the matrix of the chosen vertex
    panel.locator('[data-v="stem"]').click()
    matrix = panel.locator("svg[aria-label^='stem.weight, rows: 12 kept']")
    matrix.wait_for()
    assert matrix.locator("rect").count() == 12 * 3

    seen = page.locator(".nn-watch")                                      # a search: run, choose a candidate, open it
    seen.get_by_role("button", name="run", exact=True).click()
    page.wait_for_function("document.querySelector('.nn-watch .nn-says').innerText.includes('finished')")
    assert kernel("len(watching.rows)") == 12 and seen.locator("circle").count() > 12
    menu = seen.locator("select").first
    best = kernel("f'{watching.best.id}: {watching.best.fitness:.3g}'")
    assert menu.evaluate("m => m.selectedOptions[0].innerText").replace("\xa0", " ") == best    # the menu shows what is chosen
    other = kernel("watching.pick.options[2][0]")
    menu.select_option(index=2)
    seen.get_by_role("button", name="explore", exact=True).click()
    seen.locator(".nn-explore svg.nn-graph").wait_for()
    assert kernel("watching.population[watching.pick.value].id") == int(other.split(":")[0])
    seen.locator(".nn-table th").get_by_role("button", name="parameters").click()
    sizes = seen.evaluate("s => [...s.querySelectorAll('.nn-table tbody tr')].map(r => Number(r.cells[2].dataset.x))")
    assert len(sizes) > 12 and sizes == sorted(sizes, reverse=True) and complaints == []
    from test_axe import AXE, serious                                     # where axe-core is, it has a look, too
    if AXE.exists(): assert serious(page, ".nn-explore") + serious(page, ".nn-watch") == []

@pytest.mark.browser
def test_boxes_of_a_static_page_open_and_close(browser, tmp_path):
    "By mouse and by keyboard, in a file that needs no kernel"
    import numpy as np
    from naivenas.graph.cut import Dense
    from naivenas.look.graph import Graph
    from naivenas.graph.fold import fold
    from naivenas.graph.vertex import absorb, inputvertex, invariant
    v = x = inputvertex("x", 4)
    for i in range(40): v = f"sum{i}" >> v + invariant(np.tanh, f"layer{i}" >> absorb(Dense(4, 4), v))
    g = Graph(x, v)
    (tmp_path / "g.html").write_text(g.html(), encoding="utf-8")
    page, complaints = browser.new_page(viewport=dict(width=800, height=1000)), []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.goto(f"file://{tmp_path}/g.html")
    shut, box = page.locator("svg.nn-graph [data-v]").count(), next(b.name for b in fold(g) if b.parts)
    def at(name): return page.locator(f'svg.nn-graph [data-v="{name}"]')
    at(box).click()
    assert page.locator("svg.nn-graph [data-v]").count() > shut and at(box).count() == 0
    page.get_by_role("button", name="close the box").click()
    assert page.locator("svg.nn-graph [data-v]").count() == shut
    at(box).focus()
    page.keyboard.press("Enter")
    assert page.locator("svg.nn-graph [data-v]").count() > shut and complaints == []

@pytest.mark.browser
def test_the_table_of_candidates_sorts_filters_and_outlasts_a_reload(browser, tmp_path):
    from test_watching import watched
    w, everybody = watched()
    (tmp_path / "w.html").write_text(w.html(), encoding="utf-8")
    page, complaints = browser.new_page(viewport=dict(width=1280, height=1000)), []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.goto(f"file://{tmp_path}/w.html")
    def shown(): return page.evaluate("[...document.querySelectorAll('.nn-table tbody tr')].filter(r => r.getClientRects().length).map(r => r.dataset.k)")
    def sizes(some): return [w.facts[c.id]["parameters"] for k in some for c in everybody if w.name_of(c.id) == k]
    press = lambda name: page.locator(".nn-table th").get_by_role("button", name=name).click()
    press("parameters")
    assert sizes(shown()) == sorted(sizes(shown()), reverse=True) and page.locator("th[aria-sort=descending]").inner_text().startswith("parameters")
    press("parameters")
    assert sizes(shown()) == sorted(sizes(shown())) and len(shown()) == 16
    page.get_by_role("searchbox").fill("parameters < 200, adam")
    wanted = {w.name_of(c.id) for c in everybody if w.facts[c.id]["parameters"] < 200 and c.settings.optimizer == "adam"}
    assert set(shown()) == wanted and page.locator(".nn-table [role=status]").inner_text() == f"{len(wanted)} of 16"
    lines = page.evaluate("[...document.querySelectorAll('.nn-table polyline')].filter(l => l.style.display !== 'none').map(l => l.dataset.k)")
    assert set(lines) == wanted
    page.reload()
    assert set(shown()) == wanted and sizes(shown()) == sorted(sizes(shown()))
    page.get_by_role("checkbox").check()
    assert set(shown()) == wanted & {w.name_of(c.id) for c in w.population} and complaints == []
    page.locator(f'.nn-table tr[data-k="{sorted(wanted & {w.name_of(c.id) for c in w.population})[0]}"]').hover()
    assert page.locator("polyline.hot").count() == 1

def viewer_page(folder, net, **how):
    "The panel's picture in a file, with data that stand still in place of a kernel"
    import json
    from naivenas.apps.viewer import LOOKS, VIEW
    svg = net.draw(**how).svg
    start = f"const data = {json.dumps(dict(svg=svg, legend='', names=net.names, status=''))}, model = {{get: k => data[k], set: () => 0, on: () => 0, save_changes: () => 0}};"
    script = VIEW.replace("export default { render };", "") + start + "render({model, el: document.getElementById('here')});"
    page = f"<!DOCTYPE html><html lang=en><meta charset=utf-8><title>a picture</title><style>{LOOKS}</style><div id=here style='width:640px'></div><script>{script}</script></html>"
    (folder / "v.html").write_text(page, encoding="utf-8")
    return f"file://{folder}/v.html"

@pytest.mark.browser
def test_a_small_map_shows_where_one_is_and_goes_there(browser, tmp_path):
    from test_seeing import long, network
    page, complaints = browser.new_page(viewport=dict(width=700, height=700)), []
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.goto(viewer_page(tmp_path, network()))
    shape = page.evaluate("(v => [v.scrollHeight > v.clientHeight + 2, document.querySelector('.nn-map').hidden])(document.querySelector('.nn-view'))")
    assert shape in ([True, False], [False, True])                        # there is a map where something can't be seen
    page.goto(viewer_page(tmp_path, long(), fold=None))
    seen = "(v => [v.scrollTop / v.scrollHeight, v.clientHeight / v.scrollHeight])(document.querySelector('.nn-view'))"
    def frame():
        whole, part = page.locator(".nn-map svg").bounding_box(), page.locator(".nn-map i").bounding_box()
        return [(part["y"] - whole["y"]) / whole["height"], part["height"] / whole["height"]]
    assert page.locator(".nn-map rect").count() == len(long()) and frame() == pytest.approx(page.evaluate(seen), abs=.02)
    whole = page.locator(".nn-map svg").bounding_box()
    page.mouse.click(whole["x"] + whole["width"] / 2, whole["y"] + .6 * whole["height"])
    page.wait_for_function("document.querySelector('.nn-view').scrollTop > 100")
    top, part = page.evaluate(seen)
    assert abs(top + part / 2 - .6) < .02 and frame() == pytest.approx([top, part], abs=.02) and complaints == []

@pytest.mark.browser
def test_letters_are_ten_pixels_high_on_a_narrow_page(browser, tmp_path):
    import torch
    from naivenas import Net, cat, conv, globalpool, inputvertex, linear
    image = v = inputvertex("image", 3)
    for i in range(10): v = f"layer{i}" >> conv(v, 8 + i)
    wide = Net(image, linear(globalpool(cat(*[f"head number {i}" >> conv(image, 8) for i in range(14)])), 10))
    page = browser.new_page(viewport=dict(width=860, height=900))
    for net, down in (wide, True), (Net(image, v), False), (Net(image, v), True):
        (tmp_path / "p.html").write_text(f"<body style='margin:0'><div style='overflow:auto'>{net.draw(down=down).svg}</div>", encoding="utf-8")
        page.goto(f"file://{tmp_path}/p.html")
        assert page.evaluate("Math.min(...[...document.querySelectorAll('svg text')].map(t => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a))") >= 10
        assert page.evaluate("(e => e.scrollWidth / e.clientWidth)(document.querySelector('div'))") < 1.25       # and nearly all of it is seen
