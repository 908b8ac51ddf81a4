"Two test processes share two cores: threads of their own would only wait for each other, and add up in another order each time"
import os, signal, threading
import pytest

os.environ["OMP_NUM_THREADS"] = "1"

@pytest.fixture(autouse=True)
def ctrl_c_as_ever():
    "Tests hear Ctrl-C, also where they run in the background, or after somebody who has changed that"
    if threading.current_thread() is threading.main_thread(): signal.signal(signal.SIGINT, signal.default_int_handler)
