"A real JupyterLab, a real Chromium and the kernel between them, started and stopped here"
import contextlib, json, os, shutil, socket, subprocess, sys, time, urllib.request
from pathlib import Path

REPO = Path(__file__).parents[1]
LAB = """--no-browser --allow-root --ip=127.0.0.1 --ServerApp.token= --ServerApp.password= --ServerApp.disable_check_xsrf=True --LabApp.news_url=None
--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate --LabApp.extension_manager=readonly""".split()
CHROMIUM = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update
--disable-sync""".split()

@contextlib.contextmanager
def chromium():
    "A Chromium; FileNotFoundError that says what to install where there is none"
    from playwright.sync_api import sync_playwright
    program = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
    if not program: raise FileNotFoundError("no Chromium here: apt-get install chromium, or leave this out with pytest -m 'not browser'")
    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=program, args=CHROMIUM)
        yield found
        found.close()

@contextlib.contextmanager
def jupyterlab(folder,                      # an empty home; put notebooks there
               theme="JupyterLab Light"):   # or "JupyterLab Dark"
    "The address of a JupyterLab"
    with socket.socket() as s: s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]
    homes = {k: str(folder / k) for k in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTERLAB_SETTINGS_DIR")}
    for place, setting in ("notebook-extension/tracker", {"windowingMode": "none"}), ("apputils-extension/themes", {"theme": theme}), ("apputils-extension/notification", {"fetchNews": "false"}):
        path = folder / f"JUPYTERLAB_SETTINGS_DIR/@jupyterlab/{place}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(setting))
    log = open(folder / "lab.log", "w")
    server = subprocess.Popen([sys.executable, "-m", "jupyterlab", f"--port={port}", *LAB], cwd=folder, stdout=log, stderr=log,
                              env=os.environ | homes | {"PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"})
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try: urllib.request.urlopen(f"{address}/api"); break
            except OSError: time.sleep(.1)
        yield address
    finally:
        server.terminate()
        try: server.wait(10)
        except subprocess.TimeoutExpired: server.kill()
        log.close()

def run_all(page, address, notebook):
    "Open a notebook and run its cells"
    page.goto(f"{address}/lab/tree/{notebook}")
    page.wait_for_function("document.querySelector('#jp-main-statusbar')?.innerText.includes('Idle')", timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

class Kernel:
    "Asks the notebook's own kernel"
    def __init__(self, folder):
        from jupyter_client import BlockingKernelClient
        self.client = BlockingKernelClient(connection_file=str(next((folder / "JUPYTER_RUNTIME_DIR").glob("kernel-*.json"))))
        self.client.load_connection_file()
        self.client.start_channels()

    def __call__(self, expression):
        reply = self.client.execute_interactive("", store_history=False, user_expressions={"it": expression}, timeout=60, silent=True)
        it = reply["content"]["user_expressions"]["it"]
        assert it["status"] == "ok", it
        return eval(it["data"]["text/plain"])

    def wait(self, expression, seconds=60):
        "Until the expression is true"
        end = time.time() + seconds
        while not self(expression):
            if time.time() > end: raise TimeoutError(f"after {seconds} s, {expression} is still not true")
            time.sleep(.2)
