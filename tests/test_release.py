"Wheel and sdist, built and installed without the repository: names, command line, README's lines (with -m release)"
import os, re, subprocess, sys, zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
pytestmark = pytest.mark.release

def run(*command, **how):
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, env=env, **how)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout

@pytest.fixture(scope="module")
def files(tmp_path_factory):
    "`(sdist, wheel)`: the wheel is built from the sdist, as a packager does"
    place = tmp_path_factory.mktemp("dist")
    tracked = run("git", "ls-files", "-z", cwd=REPO).split("\0")
    for name in filter(None, tracked):      # without what lies about
        target = place / "src" / name
        if not (REPO / name).exists() or name.startswith(("nbs/", "tests/")): continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((REPO / name).read_bytes())
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", place, place / "src")
    (sdist,), (wheel,) = place.glob("*.tar.gz"), place.glob("*.whl")
    return sdist, wheel

@pytest.fixture(scope="module")
def python(files, tmp_path_factory):
    "A Python with the wheel and with what this one has, but not this repository"
    place = tmp_path_factory.mktemp("fresh")
    run(sys.executable, "-m", "venv", "--without-pip", place)
    own = next(place.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(files[1]) as z: z.extractall(own)      # what an installer does with a wheel that only has Python
    (own / "others.pth").write_text("\n".join(p for p in sys.path if p.endswith("-packages")))
    return place / "bin" / "python"

def test_a_wheel_is_small_and_whole(files):
    sdist, wheel = files
    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.stat().st_size < 1e6 and sdist.stat().st_size < 1e6
    have = {str(p.relative_to(REPO)) for p in (REPO / "naivenas").rglob("*") if p.suffix in (".py", ".pyi") or p.name == "py.typed"}
    assert have <= {*names} and not [n for n in names if not n.startswith(("naivenas/", "naivenas-"))]
    about = zipfile.ZipFile(wheel).read(next(n for n in names if n.endswith("METADATA"))).decode()
    assert "Provides-Extra: docs" in about and "Requires-Python: >=3.11" in about and "Half the multiplications" in about

def test_it_is_the_wheel_that_is_imported(python, tmp_path):
    where = run(python, "-c", "import naivenas; print(naivenas.__file__)", cwd=tmp_path)
    assert str(REPO) not in where and "fresh" in where

def test_the_demo_runs(python, tmp_path):
    run(python, "-m", "naivenas", "demo", "--epochs", 2, cwd=tmp_path)
    assert (tmp_path / "naivenas-demo" / "report.html").stat().st_size > 10_000

def test_readme_runs_from_top_to_bottom(python, tmp_path):
    blocks = re.findall(r"^```python\n(.*?)\n```$", (REPO / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    (tmp_path / "readme.py").write_text("\n\n".join(blocks))
    run(python, "readme.py", cwd=tmp_path)
    assert len(blocks) > 7

def test_citation_and_settings_agree():
    settings, citation = (REPO / "settings.ini").read_text(), (REPO / "CITATION.cff").read_text()
    def of(pattern, text): return re.search(pattern, text, re.M)[1]
    assert of(r"^version = (\S+)", settings) == of(r"^version: (\S+)", citation) and of(r"^git_url = (\S+)", settings) == of(r"^repository-code: (\S+)", citation)
