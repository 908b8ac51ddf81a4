"""What a reader sees: pictures of everything that shows itself, in a real JupyterLab, to be looked at by a person.

    python bench/screenshots.py shots                                    # 76 pictures
    python bench/screenshots.py shots --only explore plan --themes dark --widths 800

Toy, ResNet-18, DenseNet-121 folded, a plan, a MILP, `explore` and `watch`, and ten imported nets, in light and dark, at 1280 and at 800 pixels, as
`shots/explore-dark-800.png`. A picture is refused (and the script exits 1) if its cell failed, if it is wider than its place without
a way to scroll there, or if the browser complained.
"""
import argparse, sys, tempfile
from pathlib import Path
import nbformat
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from lab import Kernel, chromium, jupyterlab, run_all

FIRST = """import sys; sys.path[:0] = [{bench!r}, {tests!r}]
import numpy as np, torch
library = torch.library.Library("torchvision", "DEF")   # the CPU build of torchvision has no such operators, but imports them
for name in "nms", "qnms":
    try: library.define(f"{{name}}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError: pass
import torchvision
from live import densenet121
from naivenas import Net, batchnorm, cat, conv, explore, globalpool, inputvertex, linear, relaxed, relu, watch
torch.manual_seed(0)
image = inputvertex("image", 3)
stem = "stem" >> conv(image, 16)
left = "left" >> conv(relu(batchnorm(stem)), 16)
wide = "wide" >> cat("res" >> stem + left, "side" >> conv(relu(stem), 8, k=1))
toy = Net(image, "classes" >> linear(globalpool(wide), 10))"""
CELLS = {   # name: (source, what is there when it is done)
    "toy": ("toy", ".jp-RenderedSVG img"),
    "bundles": ('toy.draw("bundles")', ".jp-RenderedSVG img"),
    "resnet18": ("resnet = Net.from_torch(torchvision.models.resnet18(), torch.zeros(1, 3, 64, 64))\nresnet", ".jp-RenderedSVG img"),
    "densenet121": ("densenet121()[0]", ".jp-RenderedSVG img"),
    "plan": ('toy.draft().insert(lambda v: conv(v, v.nout), after="side").plan({"stem": -4, "wide": relaxed(+3)})', "svg.nn-graph"),
    "milp": ('toy.plan({"wide": relaxed(+7)}).milp', "mjx-container"),
    "refusal": ('from naivenas import SizeError, conflict, draw\ntry: toy.plan({"stem": +1, "left": -1})\nexcept SizeError as e: why = e\ndraw(toy, marks=conflict(toy, why))', ".jp-RenderedSVG img"),
    "weights": ('toy.plan({"stem": -4, "side": +2}).weights("classes")', "svg"),
    "explore": ('panel = explore(resnet, example=torch.zeros(1, 3, 64, 64), name="resnet")\npanel', ".nn-explore svg.nn-graph"),
    "watch": ("""class Candidate:
    def __init__(self, id, width, parents=()):
        x = inputvertex("x", 4)
        self.id, self.parents = id, parents
        self.graph = Net(x, "y" >> linear(relu("hidden" >> linear(x, width)), 2))
        self.fitness = -abs(width - 20) / 20

def search(generations=8, many=6, seed=0):
    rng, count = np.random.default_rng(seed), many
    population = [Candidate(i, int(rng.integers(2, 10))) for i in range(many)]
    for _ in range(generations):
        yield population
        parents = sorted(population, key=lambda c: -c.fitness)[:3]
        population = parents[:1]
        while len(population) < many:
            p = parents[rng.integers(3)]
            population.append(Candidate(count, max(2, p.graph.sizes["hidden"] + int(rng.integers(-2, 5))), [p.id])); count += 1

w = watch(search())
w""", ".nn-watch"),
}
NETS = {    # ten imported nets, each a kind of its own, folded as a notebook shows them
    **{name: f"Net.from_torch(torchvision.models.{name}(), torch.zeros(1, 3, {pixels}, {pixels}))" for name, pixels in
       dict(resnet50=64, mobilenet_v2=64, efficientnet_b0=64, convnext_tiny=64, googlenet=64, vit_b_16=224).items()},
    "llama": "from budgets import llama\nNet.from_torch(*llama(layers=6, width=96, heads=4, hidden=192))",
    **{name: f"from test_ten_nets import NETS as small\nNet.from_torch(small[{name!r}][0](), *small[{name!r}][1])" for name in ("swin", "unet", "tagger")},
}
CELLS |= {name: (source, ".jp-RenderedSVG img") for name, source in NETS.items()}

def notebook(path, names):
    repo = Path(__file__).parents[1]
    first = nbformat.v4.new_code_cell(FIRST.format(bench=str(repo / "bench"), tests=str(repo / "tests")))
    cells = [first, *(nbformat.v4.new_code_cell(CELLS[n][0]) for n in names)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=dict(kernelspec=dict(name="python3", display_name="Python 3"))), path)

def act(page, kernel, name, output):
    "Bring the widgets into a state that is worth seeing"
    if name == "explore":
        output.locator('[data-v="conv1..relu"]').click()
        output.locator('[data-v="conv1"]').click()
        page.wait_for_function("document.querySelector('.nn-explore .nn-details').innerText.includes('conv1 =')")
        handle = output.locator(".noUi-handle").first
        handle.focus()
        for _ in range(8): handle.press("ArrowLeft")
        output.locator("svg.nn-graph", has_text="64 → 56").wait_for()
        output.get_by_role("tab", name="weights").click()
        output.locator("svg[aria-label^='conv1.weight']").wait_for()
    if name == "watch":
        output.get_by_role("button", name="run", exact=True).click()
        page.wait_for_function("document.querySelector('.nn-watch .nn-says').innerText.includes('finished')")

def shoot(browser, folder, out, names, theme, widths):
    "All pictures in one theme; what is wrong with them"
    wrong, complaints = [], []
    notebook(folder / "shots.ipynb", names)
    with jupyterlab(folder, f"JupyterLab {theme.title()}") as address:
        page = browser.new_page(viewport=dict(width=1280, height=2400), color_scheme=theme)
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: complaints.append(str(e)))
        run_all(page, address, "shots.ipynb")
        page.keyboard.press("Control+b")                                  # away with the file browser: a notebook is read without it
        cells, kernel = page.locator(".jp-CodeCell"), None
        for i, name in enumerate(names):
            output = cells.nth(i + 1).locator(".jp-Cell-outputWrapper")
            failed = page.locator('[data-mime-type="application/vnd.jupyter.error"]')
            output.locator(CELLS[name][1]).or_(failed).first.wait_for(timeout=60_000)
            if failed.count(): raise RuntimeError(f"{name}, {theme}: {failed.first.inner_text()[-500:]}")
            kernel = kernel or Kernel(folder)
            act(page, kernel, name, output)
            for width in widths:
                page.set_viewport_size(dict(width=width, height=2400))
                page.wait_for_timeout(500)
                output.screenshot(path=out / f"{name}-{theme}-{width}.png")
                over = output.evaluate("""e => [...e.querySelectorAll("*")].filter(a => a.scrollWidth > a.clientWidth + 1 && a.clientWidth &&
                    !a.closest("mjx-assistive-mml, .nn-status") && getComputedStyle(a).overflowX === "hidden").map(a => a.className)""")
                if over: wrong.append(f"{name}-{theme}-{width}: cut off in {over}")
            page.set_viewport_size(dict(width=1280, height=2400))
        page.close()
    return wrong + [f"{theme}: the browser complained: {c}" for c in complaints]

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for the pictures")
    parser.add_argument("--only", nargs="+", default=list(CELLS), choices=CELLS, help="what to take pictures of")
    parser.add_argument("--themes", nargs="+", default=["light", "dark"], choices=["light", "dark"])
    parser.add_argument("--widths", nargs="+", type=int, default=[1280, 800])
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    names = [n for n in CELLS if n in args.only or n == "resnet18" and "explore" in args.only]
    with chromium() as browser:
        wrong = []
        for theme in args.themes:
            with tempfile.TemporaryDirectory() as folder: wrong += shoot(browser, Path(folder), args.out, names, theme, args.widths)
    for w in wrong: print(w)
    print(f"screenshots: {len(list(args.out.glob('*.png')))} pictures in {args.out}, {len(wrong)} things wrong")
    sys.exit(bool(wrong))
