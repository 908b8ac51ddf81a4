"Two test processes share two cores: threads of their own would only wait for each other, and add up in another order each time"
import compileall, os, signal, threading
from pathlib import Path
import pytest

os.environ["OMP_NUM_THREADS"] = "1"

def pytest_configure(config):
    "Hundreds of processes import the package: its source is compiled once, also where Python is told to keep nothing"
    if not hasattr(config, "workerinput"): compileall.compile_dir(Path(__file__).parents[1] / "naivenas", quiet=1)

@pytest.fixture(autouse=True)
def ctrl_c_as_ever():
    "Tests hear Ctrl-C, also where they run in the background, or after somebody who has changed that"
    if threading.current_thread() is threading.main_thread(): signal.signal(signal.SIGINT, signal.default_int_handler)
