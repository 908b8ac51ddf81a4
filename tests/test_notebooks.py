"""Every notebook runs from top to bottom, in a process of its own; cells flagged notest, slow or gpu are left out."""
import os, subprocess, sys
from pathlib import Path

import pytest

NBS = Path(__file__).parents[1] / "nbs"
PAGES = sorted(p for p in NBS.rglob("*.ipynb") if not any(part.startswith((".", "_")) for part in p.relative_to(NBS).parts))
RUN = ("import sys, pathlib; from nbdev.test import test_nb; "
       "sys.exit(not test_nb(pathlib.Path(sys.argv[1]), skip_flags=['notest', 'slow', 'gpu'])[0])")

@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(NBS)))
def test_notebook(path):
    quiet = os.environ | {"OMP_NUM_THREADS": "1"}    # small networks: threads of PyTorch's would only wait for each other
    done = subprocess.run([sys.executable, "-c", RUN, path], capture_output=True, text=True, env=quiet)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr, f"what a cell ends in cannot be shown:\n{done.stdout}{done.stderr}"
