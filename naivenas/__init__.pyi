# The public names and their homes: Python (see _lazy.py), editors and type checkers read this list.
__version__: str

from . import apps as apps, capture as capture, extend as extend, files as files, graph as graph, look as look
from . import nets as nets, search as search, sizes as sizes
from .graph.roles import SizeError as SizeError
from .graph.vertex import Vertex as Vertex, immutable as immutable, inputvertex as inputvertex, stack as stack
from .sizes.wishes import relaxed as relaxed
from .sizes.program import solvers as solvers
from .look.text import diff as diff, table as table
from .look.picture import draw as draw
from .look.wiring import conflict as conflict, paint as paint
from .look.graph import Graph as Graph, Plan as Plan, Report as Report
from .capture.trace import Untraceable as Untraceable
from .nets.rules import Rule as Rule, register as register
from .nets.layers import attention as attention, avgpool as avgpool, batchnorm as batchnorm, bilinear as bilinear
from .nets.layers import cat as cat, conv as conv, convtranspose as convtranspose, dropout as dropout, elu as elu
from .nets.layers import embedding as embedding, flatten as flatten, gelu as gelu, globalpool as globalpool
from .nets.layers import groupnorm as groupnorm, gru as gru, instancenorm as instancenorm, last as last
from .nets.layers import layer as layer, layernorm as layernorm, leakyrelu as leakyrelu, linear as linear
from .nets.layers import lstm as lstm, maxpool as maxpool, pixelshuffle as pixelshuffle
from .nets.layers import pixelunshuffle as pixelunshuffle, relu as relu, rmsnorm as rmsnorm, rnn as rnn, selu as selu
from .nets.layers import shuffle as shuffle, sigmoid as sigmoid, silu as silu, split as split, tanh as tanh
from .nets.layers import upsample as upsample
from .nets.importance import Random as Random, Taylor as Taylor, batchnorm_scale as batchnorm_scale
from .nets.importance import geometric_median as geometric_median, keeping as keeping, l1 as l1
from .nets.importance import magnitude as magnitude
from .nets.data import load as load
from .nets.passes import Before as Before
from .nets.reconstruction import Activation as Activation, Reconstruction as Reconstruction
from .nets.compare import compare as compare
from .nets.training import accuracy as accuracy, train as train
from .files.net import Net as Net
from .files.giving_back import prune as prune
from .files.load_into import load_into as load_into
from .files.save import savable as savable
from .search.fitted import Fitted as Fitted, load_fitted as load_fitted
from .search.search import fit as fit
from .search.estimators import NASClassifier as NASClassifier, NASRegressor as NASRegressor
from .apps.panel import explore as explore
from .apps.watching import watch as watch
from .apps.checking import check as check

# What `from naivenas import *` takes: no name that stands for something else in many a notebook
__all__ = [
    "Net", "Graph", "Plan", "Report", "Vertex", "SizeError", "Untraceable", "inputvertex", "immutable", "relaxed",
    "solvers", "attention", "avgpool", "batchnorm", "bilinear", "cat", "conv", "convtranspose", "elu", "embedding",
    "flatten", "gelu", "globalpool", "groupnorm", "gru", "instancenorm", "layer", "layernorm", "leakyrelu", "linear", "lstm",
    "maxpool", "pixelshuffle", "pixelunshuffle", "relu", "rmsnorm", "rnn", "selu", "sigmoid", "silu", "tanh",
    "upsample",
    "Reconstruction", "Taylor", "batchnorm_scale", "geometric_median", "keeping", "l1", "magnitude", "draw", "explore",
    "watch", "load_fitted", "NASClassifier", "NASRegressor",
]
