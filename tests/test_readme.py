"README is what the index says, and all that it says runs"
import ast, json, re, shlex
from pathlib import Path

import numpy as np, pytest, torch
from torch import nn

import naivenas
from naivenas import Net, batchnorm, cat, conv, globalpool, inputvertex, linear, relu

REPO = Path(__file__).parents[1]
README = (REPO / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([^|]+?) \| (`.+) \|$", README.split("## What it does")[1], re.M)
LONG = re.compile(r"onnx|fit\(")       # exported by the tests of ONNX, searched for by those of the search

def snippets(text):
    "The Python of a cell of README's table, piece by piece; what a terminal is told is left out"
    return [s for s in re.findall(r"`([^`]+)`", text) if re.search(r"[(=]", s) and not s.startswith("naivenas ") and not re.fullmatch(r"\w+=\w+", s)]

def test_blocks_of_code_are_the_cells_of_the_index():
    "test_notebooks runs those, from top to bottom"
    cells = [re.sub(r"^#\|.*\n", "", "".join(c["source"]), flags=re.M) for c in json.loads((REPO / "nbs" / "index.ipynb").read_text())["cells"]
             if c["cell_type"] == "code" and "#| hide" not in "".join(c["source"])]
    blocks = re.findall(r"^```python\n(.*?)\n```$", README, re.M | re.S)
    assert blocks == cells and len(blocks) > 7
    for block in blocks: ast.parse(block)

def test_the_first_lines_prune_a_module_of_the_readers_own():
    first = README.split("## ")[0]
    assert "small = prune(my_model, x, macs=.5" in first and re.search(r"^parameters +\d+ +\d+ +\d+%$", first, re.M) and re.search(r"^accuracy +0\.\d+ +0\.\d+", first, re.M)
    before, after, share = map(float, re.search(r"^MACs +(\d+) +(\d+) +(\d+)%$", first, re.M).groups())
    assert after <= .5 * before and round(100 * after / before) == share
    (picture,) = re.findall(r"!\[[^\]]{30,}\]\(([^)]+)\)", first)
    width = float(re.search(r'<svg[^>]* width="([\d.]+)', (REPO / picture).read_text())[1])
    sizes = [float(s) for s in re.findall(r'font-size[=:]"?([\d.]+)', (REPO / picture).read_text())]
    assert len(sizes) > 10 and min(sizes) * min(4 / 3, 860 / width) >= 10, "read at 860 pixels"      # a point has 4/3 pixels

class Digits(nn.Module):
    "As README's, but smaller"
    def __init__(self):
        super().__init__()
        self.stem, self.body, self.head = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 10)

    def forward(self, x):
        x = self.stem(x)
        return self.head((x + self.body(x.relu())).mean((2, 3)))

def world():
    "What README's table talks about"
    torch.manual_seed(0)
    image = inputvertex("image", 3)
    c1 = "c1" >> conv(image, 16)
    res = "res" >> c1 + conv(relu(batchnorm(c1)), 16)
    net = Net(image, "y" >> linear(globalpool("cat" >> cat(res, conv(res, 8))), 10))
    model, x = Digits(), torch.rand(4, 1, 8, 8)
    return {n: getattr(naivenas, n) for n in naivenas._ROOMS} | dict(torch=torch, net=net, images=torch.rand(40, 3, 8, 8), my_model=model, Digits=Digits, x=x, small=naivenas.prune,
                                                                      X=np.random.default_rng(0).normal(size=(60, 4)), y=np.arange(60) % 2)

@pytest.mark.parametrize("what,text", ROWS, ids=[what for what, _ in ROWS])
def test_rows_of_the_table_run(what, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for code in snippets(text):
        if LONG.search(code): continue
        given = world()
        if "small." in code: given["small"] = naivenas.prune(given["my_model"], given["x"], macs=.5)
        if "own." in code: given["own"] = Net.from_torch(given["my_model"], given["x"])
        exec(compile(code, what, "exec"), given)

def test_the_table_is_read():
    assert len(ROWS) > 18 and sum(len(snippets(text)) for _, text in ROWS) > 25
    assert snippets("`a = f(x)`: of your `class`, `share=False`, `naivenas fit a --target y`, `net.g()`") == ["a = f(x)", "net.g()"]

def test_what_a_terminal_is_told_is_understood():
    from naivenas.apps import cli
    told = {c for c in re.findall(r"`(naivenas [^`]+)`", README)} | {c.strip() for c in re.findall(r"^\S*(naivenas [a-z].*)$", "\n".join(re.findall(r"```bash\n(.*?)```", README, re.S)), re.M)}
    verbs = {shlex.split(c)[1] for c in told}
    assert {"demo", "fit"} <= verbs <= {"demo", "fit", "predict", "solvers"}, verbs
    assert callable(cli.main)

def test_numbers_agree():
    "Those of the table with the picture's, and those of the list of pages with what the pages show"
    before, after = re.search(r"^parameters +(\d+) +(\d+)", README, re.M).groups()
    picture = (REPO / "nbs/images/prune.svg").read_text()
    assert f"before: {int(before):,} parameters" in picture and f"after: {int(after):,} parameters" in picture
    assert "to a tenth of its parameters" in README and "a tenth of its parameters" in (REPO / "nbs/tutorials/01_first_graph.ipynb").read_text()
    gone = re.search(r"(\d+)% of the parameters are gone", (REPO / "nbs/tutorials/02_prune_a_cnn.ipynb").read_text())[1]
    assert abs(int(gone) - 90) <= 2
