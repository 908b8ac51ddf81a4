"""Runs a notebook in a process of its own; imports what nearly all need once, in the process that the others are copied from"""
import multiprocessing, os, sys, tempfile, traceback
from pathlib import Path

HEAVY = "torch torch.export torch._dynamo torch.export._trace scipy.sparse scipy.optimize sklearn.datasets pandas matplotlib.pyplot ipywidgets anywidget nbdev.test pages".split()   # nothing of naivenas: how it is imported is tried, too

def run(path, out):
    "Run the cells of the notebook; what is printed goes into the file `out`"
    handle = os.open(out, os.O_WRONLY)
    for stream in 1, 2: os.dup2(handle, stream)
    import torch
    from nbdev.test import test_nb
    torch.set_num_threads(1)           # small networks: threads of PyTorch's would only wait for each other
    os.environ["OMP_NUM_THREADS"] = "1"
    try: done = test_nb(path, skip_flags=["notest", "slow", "gpu"])[0]
    except BaseException: traceback.print_exc(); done = False
    sys.stdout.flush(); sys.stderr.flush()
    sys.exit(not done)

def executed(path):
    "`(exit status, what was printed)`"
    context = multiprocessing.get_context("forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn")
    if context.get_start_method() == "forkserver": context.set_forkserver_preload(HEAVY)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        out.touch()
        child = context.Process(target=run, args=(path, out))
        child.start()
        child.join()
        return child.exitcode, out.read_text(errors="replace")
