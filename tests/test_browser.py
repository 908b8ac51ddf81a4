"The panel in a real Chromium on a real JupyterLab, started here"
import json, os, shutil, socket, subprocess, sys, time, urllib.request
from pathlib import Path
import pytest

REPO = Path(__file__).parents[1]
LAB = """--no-browser --allow-root --ip=127.0.0.1 --ServerApp.token= --ServerApp.password= --ServerApp.disable_check_xsrf=True --LabApp.news_url=None
--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate --LabApp.extension_manager=readonly""".split()
CHROMIUM = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update
--disable-sync""".split()

@pytest.fixture
def browser():
    "A Chromium; a failure that says what to install where there is none"
    from playwright.sync_api import sync_playwright
    program = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
    if not program: pytest.fail("no Chromium here: apt-get install chromium, or leave this out with pytest -m 'not browser'", pytrace=False)
    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=program, args=CHROMIUM)
        yield found
        found.close()

@pytest.fixture
def lab(tmp_path):
    "A JupyterLab in an empty home with the tutorial in it, as `(address, folder)`"
    shutil.copy(REPO / "nbs/tutorials/03_explore.ipynb", tmp_path)
    with socket.socket() as s: s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]
    homes = {k: str(tmp_path / k) for k in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTERLAB_SETTINGS_DIR")}
    settings = tmp_path / "JUPYTERLAB_SETTINGS_DIR/@jupyterlab/notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text(json.dumps({"windowingMode": "none"}))
    log = open(tmp_path / "lab.log", "w")
    server = subprocess.Popen([sys.executable, "-m", "jupyterlab", f"--port={port}", *LAB], cwd=tmp_path, stdout=log, stderr=log,
                              env=os.environ | homes | {"PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"})
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try: urllib.request.urlopen(f"{address}/api"); break
            except OSError: time.sleep(.1)
        yield address, tmp_path
    finally:
        server.terminate()
        try: server.wait(10)
        except subprocess.TimeoutExpired: server.kill()
        log.close()

class Kernel:
    "Asks the notebook's own kernel"
    def __init__(self, folder):
        from jupyter_client import BlockingKernelClient
        self.client = BlockingKernelClient(connection_file=str(next((folder / "JUPYTER_RUNTIME_DIR").glob("kernel-*.json"))))
        self.client.load_connection_file()
        self.client.start_channels()
    def __call__(self, expression):
        reply = self.client.execute_interactive("", store_history=False, user_expressions={"it": expression}, timeout=20, silent=True)
        it = reply["content"]["user_expressions"]["it"]
        assert it["status"] == "ok", it
        return eval(it["data"]["text/plain"])

@pytest.mark.browser
def test_the_panel_in_a_browser(lab, browser):
    address, folder = lab
    page, complaints = browser.new_page(viewport=dict(width=1280, height=1000)), []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.goto(f"{address}/lab/tree/03_explore.ipynb")
    page.wait_for_function("document.querySelector('#jp-main-statusbar')?.innerText.includes('Idle')", timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    panel = page.locator(".nn-explore")
    panel.wait_for(timeout=60_000)
    kernel = Kernel(folder)
    deadline = time.time() + 60
    while kernel("'kB' in repr(_)") is not True and time.time() < deadline: time.sleep(.2)
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
    assert button("apply").is_disabled() and panel.locator(".node.conflict").count() == 1
    if shots := os.environ.get("NAIVENAS_SHOTS"): panel.screenshot(path=f"{shots}/explore.png")
    assert complaints == []
