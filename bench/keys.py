"""From a key at the slider to the new picture, in a real Chromium on a real JupyterLab.

    python bench/keys.py                             # ResNet-50, DenseNet-121 and ViT-B/16, as torchvision has them
    python bench/keys.py resnet50 --keys 40 --theme dark

A panel opens on an imported net, a layer is chosen, and the slider is moved with the arrow keys. Measured is the time in the page, from the key to the frame
that shows another picture; then 30 keys are pressed as fast as the browser takes them, and the time is measured from the last of them to the picture
of the last size. Ends with one summary line and exits 1 when a median is over 150 ms, or the fast keys take over a second to settle.
"""
import argparse, statistics, sys, tempfile
from pathlib import Path
import nbformat
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from lab import Kernel, chromium, jupyterlab, run_all
from screenshots import FIRST

NETS = dict(resnet50="layer2.1.conv2", densenet121="features.denseblock2.denselayer6.conv1", vit_b_16="encoder.layers.encoder_layer_5.mlp.0")
CELL = """net = Net.from_torch(torchvision.models.{name}(), torch.zeros(1, 3, 224, 224))
panel = explore(net, name="net")
panel.widget
panel.who.value = {layer!r}
panel"""

# the page remembers when the last key came and when the picture was last another one, up to the frame that shows it
WATCH = """root => {
    const seen = window.seen = {key: 0, shown: 0, root}
    root.addEventListener("keydown", () => { seen.key = performance.now() }, true)
    new MutationObserver(all => {
        if (all.some(m => [...m.addedNodes].some(n => n.querySelector && (n.matches("svg.nn-graph") || n.querySelector("svg.nn-graph")))))
            requestAnimationFrame(() => requestAnimationFrame(() => { seen.shown = performance.now() }))
    }).observe(root, {childList: true, subtree: true})
}"""

def proposed(page, size):
    "Wait for the picture of a size, and give the milliseconds since the last key"
    page.wait_for_function(f"window.seen.shown > window.seen.key && window.seen.root.querySelector('.nn-code').innerText.includes('{size})')", polling="raf")
    return page.evaluate("window.seen.shown - window.seen.key")

def measure(browser, name, keys, theme):
    "`(median of the milliseconds for one key, milliseconds for 30 of them to settle)`"
    with tempfile.TemporaryDirectory() as folder:
        cells = [nbformat.v4.new_code_cell(c) for c in (FIRST.format(bench=str(Path(__file__).parent), tests=str(Path(__file__).parents[1] / "tests")), CELL.format(name=name, layer=NETS[name]))]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=dict(kernelspec=dict(name="python3", display_name="Python 3"))), Path(folder) / "keys.ipynb")
        with jupyterlab(Path(folder), f"JupyterLab {theme.title()}") as address:
            page = browser.new_page(viewport=dict(width=1280, height=1400), color_scheme=theme)
            run_all(page, address, "keys.ipynb")
            panel = page.locator(".nn-explore")
            panel.locator("svg.nn-graph").wait_for(timeout=120_000)
            size = Kernel(Path(folder))("net.sizes[panel.chosen]")
            panel.evaluate(WATCH)
            handle, times = panel.locator(".noUi-handle").first, []
            handle.focus()
            for i in range(1, keys + 1):
                handle.press("ArrowLeft")
                times.append(proposed(page, f"-{i}"))
            for i in range(30): page.keyboard.press("ArrowLeft")
            fast = proposed(page, f"-{keys + 30}")
            page.close()
    return statistics.median(times[1:]), fast, size

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", default=[], help=f"some of {', '.join(NETS)}")
    parser.add_argument("--keys", type=int, default=20, help="medians of so many")
    parser.add_argument("--theme", choices=["light", "dark"], default="light")
    args = parser.parse_args()
    if unknown := set(args.nets) - set(NETS): parser.error(f"no net is called {', '.join(unknown)}; there are {', '.join(NETS)}")
    missed = []
    with chromium() as browser:
        for name in args.nets or NETS:
            one, fast, size = measure(browser, name, args.keys, args.theme)
            good = one <= 150 and fast <= 1000
            print(f"{name}, {NETS[name]} with {size} neurons: {one:.0f} ms from key to picture, 30 fast keys settle {fast:.0f} ms after the last"
                  f"{'' if good else '   MISSED'}", flush=True)
            if not good: missed.append(name)
    print(f"keys: {len(missed)} figures missed{': ' + ', '.join(missed) if missed else ''}")
    sys.exit(bool(missed))
