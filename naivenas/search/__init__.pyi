# The public names of a search and their homes: Python (see ../_lazy.py), editors and type checkers read this list.
from .space import Act as Act, BatchNorm as BatchNorm, Between as Between, Chain as Chain, Conv as Conv, Fork as Fork
from .space import GlobalPool as GlobalPool, Layer as Layer, Linear as Linear, Maybe as Maybe, OneOf as OneOf
from .space import Pool as Pool, Relu as Relu, Repeat as Repeat, Residual as Residual, Space as Space
from .settings import Settings as Settings, cross_settings as cross_settings, mutate_settings as mutate_settings
from .mutate import AddBlock as AddBlock, AddEdge as AddEdge, Change as Change, ChangeActivation as ChangeActivation
from .mutate import ChangeKernel as ChangeKernel, ChangePool as ChangePool, ChangeSize as ChangeSize
from .mutate import ChangeStride as ChangeStride, InOrder as InOrder, Mutation as Mutation, Perhaps as Perhaps
from .mutate import Pick as Pick, RemoveEdge as RemoveEdge, RemoveVertex as RemoveVertex, mutations as mutations
from .mutate import shield as shield
from .crossover import Crossover as Crossover, segments as segments
from .fitness import Combined as Combined, Latency as Latency, Macs as Macs, Score as Score, Smoothed as Smoothed
from .fitness import Train as Train, augmented as augmented
from .evolution import ageing as ageing, chain as chain, combine as combine, each as each, elite as elite
from .evolution import evolve as evolve, fresh as fresh, pairs as pairs, pareto as pareto, ranked as ranked
from .evolution import shuffle as shuffle, sus as sus, tournament as tournament
from .population import Candidate as Candidate, Population as Population, crossed as crossed
from .population import founder as founder, mutated as mutated, seeded as seeded, survive as survive
from .store import Store as Store
from .executors import Processes as Processes, evaluate as evaluate, halving as halving
from .fitted import Fitted as Fitted, load_fitted as load_fitted
from .networks import network as network
from .search import fit as fit
from .estimators import NASClassifier as NASClassifier, NASRegressor as NASRegressor
