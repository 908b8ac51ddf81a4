"""Runs a notebook in a process of its own; imports what nearly all need once, in the process that the others are copied from"""
import multiprocessing, multiprocessing.forkserver, os, sys, tempfile, traceback
from pathlib import Path
from claims import with_claims

def run(path, out):
    "Run the cells of the notebook, and what it claims; what is printed goes into the file `out`"
    handle = os.open(out, os.O_WRONLY)
    for stream in 1, 2: os.dup2(handle, stream)
    import torch
    import nbdev.test
    torch.set_num_threads(1)           # small networks: threads of PyTorch's would only wait for each other
    os.environ["OMP_NUM_THREADS"] = "1"
    nbdev.test.NBProcessor = claiming(nbdev.test.NBProcessor)
    try: done = nbdev.test.test_nb(path, skip_flags=["notest", "slow", "gpu"])[0]
    except BaseException: traceback.print_exc(); done = False
    sys.stdout.flush(); sys.stderr.flush()
    sys.exit(not done)

def claiming(processor):
    "What reads a notebook, and puts what the page claims behind its cells"
    from execnb.nbio import mk_cell
    def claim(code, cell):
        made = mk_cell(code)
        made.directives_ = getattr(cell, "directives_", {})      # what isn't run claims nothing
        return made
    def read(path, *args, **how):
        made = processor(path, *args, **how)
        made.nb.cells = [*with_claims(Path(path), made.nb.cells, claim)]
        return made
    return read

def prepare(context):
    "Start the process that pages are copied from, if it isn't there; only by the environment it knows where `warm` is (Python 3.11 forgets `sys.path`)"
    context.set_forkserver_preload(["warm"])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), before]))
    try: multiprocessing.forkserver.ensure_running()
    finally: os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)

def executed(path, seconds=1200):
    "`(exit status, what was printed)`; a page that takes longer is ended"
    context = multiprocessing.get_context("forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn")
    if context.get_start_method() == "forkserver": prepare(context)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        out.touch()
        child = context.Process(target=run, args=(path, out))
        child.start()
        child.join(seconds)
        late = child.is_alive()
        if late: child.kill(); child.join()
        return child.exitcode, out.read_text(errors="replace") + late * f"\nnot done after {seconds} s"
