"""`naivenas fit` as a stranger meets it."""
import os, re, subprocess, sys
import pandas, pytest, torch
from sklearn.datasets import load_wine
from naivenas import load_fitted


def naivenas(*args): return subprocess.run([sys.executable, "-m", "naivenas", *map(str, args)], capture_output=True, text=True)

@pytest.fixture
def wine(tmp_path):
    frame = load_wine(as_frame=True).frame
    frame["target"] = frame["target"].map({0: "Barolo", 1: "Grignolino", 2: "Barbera"})
    frame.to_csv(tmp_path / "wine.csv", index=False)
    return tmp_path / "wine.csv"

def test_fit(wine, tmp_path):
    out = tmp_path / "a" / "b"
    done = naivenas("fit", wine, "--target", "target", "--generations", 2, "--out", out)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 4 and lines[0] == f"{out / 'live.html'} shows the search while it runs"
    assert all(re.fullmatch(rf"generation {i + 1}: best [\d.]+, mean [-\d.]+, 6 candidates, \d+ s", lines[i + 1]) for i in range(2)), lines
    live = (out / "live.html").read_text()
    assert "(finished)" in live and "location.reload" not in live and live.count("<tr data-k") == len(set(re.findall(r'<tr data-k="([^"]*)"', live))) >= 6
    frame = pandas.read_csv(wine)
    model = load_fitted(out)
    assert model.score(frame.drop(columns="target"), frame["target"]) > .9 and len(pandas.read_csv(out / "population.csv")) == 6
    assert "<svg" in (out / "report.html").read_text()
    check = ("import sys, torch; from model import Model; from safetensors.torch import load_file; net = Model(); net.load_state_dict(load_file('weights.safetensors')); "
             "assert 'naivenas' not in sys.modules; torch.save(net.eval()(torch.load('x.pt')), 'y.pt')")
    x = model.encoder.x(frame.drop(columns="target"))
    torch.save(x, out / "x.pt")
    done = subprocess.run([sys.executable, "-c", check], cwd=out, capture_output=True, text=True, env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"})
    assert done.returncode == 0, done.stderr
    torch.testing.assert_close(torch.load(out / "y.pt"), model.net(x))

@pytest.mark.parametrize("change,says", [(("fit", "no.csv", "--target", "x"), "cannot read"), (("fit", "WINE", "--target", "colour"), "no column 'colour'"), (("fit", "WINE"), "--target")])
def test_mistakes_get_one_line(wine, change, says):
    done = naivenas(*(wine if a == "WINE" else a for a in change))
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and says in done.stderr, done.stderr
