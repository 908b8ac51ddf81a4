"What `__init__` offers, for editors and type checkers"

from .graph.cut import Cut as Cut, Dense as Dense, GroupCut as GroupCut
from .graph.vertex import (
    Gather as Gather, SizeError as SizeError, Slice as Slice, Vertex as Vertex, absorb as absorb,
    immutable as immutable, indexmap as indexmap, inputvertex as inputvertex, invariant as invariant, stack as stack)
from .look.show import diff as diff, draw as draw, table as table
from .sizes.program import Problem as Problem, solve as solve, solvers as solvers
from .sizes.demands import relaxed as relaxed
from .sizes.edits import Draft as Draft
from .look.wiring import conflict as conflict, paint as paint
from .look.graph import Graph as Graph, Plan as Plan, Report as Report
from .graph.fmap import align_fmaps as align_fmaps, fmaps as fmaps
from .capture.trace import Untraceable as Untraceable
from .nets.rules import Rule as Rule, register as register
from .nets.layers import (
    attention as attention, avgpool as avgpool, batchnorm as batchnorm, bilinear as bilinear, cat as cat,
    conv as conv, convtranspose as convtranspose, dropout as dropout, elu as elu, embedding as embedding,
    flatten as flatten, gelu as gelu, globalpool as globalpool, groupnorm as groupnorm, gru as gru,
    instancenorm as instancenorm, last as last, layer as layer, layernorm as layernorm, leakyrelu as leakyrelu,
    linear as linear, lstm as lstm, maxpool as maxpool, pixelshuffle as pixelshuffle,
    pixelunshuffle as pixelunshuffle, relu as relu, rmsnorm as rmsnorm, rnn as rnn, selu as selu,
    shuffle as shuffle, sigmoid as sigmoid, silu as silu, split as split, tanh as tanh, upsample as upsample)
from .nets.importance import (
    Random as Random, Taylor as Taylor, batchnorm_scale as batchnorm_scale, geometric_median as geometric_median,
    keeping as keeping, l1 as l1, magnitude as magnitude)
from .nets.data import load as load
from .nets.training import accuracy as accuracy, train as train
from .files.save import savable as savable
from .files.onnx_io import onnx_module as onnx_module
from .files.net import Net as Net, prune as prune
from .search.space import (
    Act as Act, BatchNorm as BatchNorm, Between as Between, Chain as Chain, Conv as Conv, Fork as Fork,
    GlobalPool as GlobalPool, Layer as Layer, Linear as Linear, Maybe as Maybe, OneOf as OneOf, Pool as Pool,
    Relu as Relu, Repeat as Repeat, Residual as Residual, Space as Space)
from .search.mutate import (
    AddBlock as AddBlock, AddEdge as AddEdge, Change as Change, ChangeActivation as ChangeActivation,
    ChangeKernel as ChangeKernel, ChangePool as ChangePool, ChangeSize as ChangeSize, ChangeStride as ChangeStride,
    InOrder as InOrder, Perhaps as Perhaps, Pick as Pick, RemoveEdge as RemoveEdge, RemoveVertex as RemoveVertex,
    mutations as mutations, shield as shield)
from .search.settings import Settings as Settings, cross_settings as cross_settings, mutate_settings as mutate_settings
from .search.crossover import Crossover as Crossover, segments as segments
from .search.fitness import (
    Combined as Combined, Latency as Latency, Macs as Macs, Score as Score, Smoothed as Smoothed, Train as Train,
    augmented as augmented)
from .search.evolution import (
    ageing as ageing, chain as chain, combine as combine, each as each, elite as elite, evolve as evolve,
    fresh as fresh, pairs as pairs, pareto as pareto, ranked as ranked, sus as sus, tournament as tournament)
from .search.population import (
    Candidate as Candidate, Population as Population, Store as Store, crossed as crossed, founder as founder,
    mutated as mutated, seeded as seeded, survive as survive)
from .search.executors import Processes as Processes, evaluate as evaluate, halving as halving
from .search.fitted import Fitted as Fitted, load_fitted as load_fitted
from .search.search import fit as fit, network as network
from .search.estimators import NASClassifier as NASClassifier, NASRegressor as NASRegressor
from .apps.panel import explore as explore
from .apps.watching import watch as watch

__version__: str
