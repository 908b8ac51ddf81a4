# The public names of a search and their homes: Python (see ../_lazy.py), editors and type checkers read this list.
from .space import Between as Between, Space as Space
from .combinators import Chain as Chain, Fork as Fork, Maybe as Maybe, OneOf as OneOf, Repeat as Repeat
from .combinators import Residual as Residual
from .layers import Act as Act, BatchNorm as BatchNorm, Conv as Conv, GlobalPool as GlobalPool, Layer as Layer
from .layers import Linear as Linear, Pool as Pool, Relu as Relu
from .settings import Settings as Settings, augmented as augmented, cross_settings as cross_settings, mutate_settings as mutate_settings
from .mutate import AddBlock as AddBlock, AddEdge as AddEdge, Change as Change, ChangeActivation as ChangeActivation
from .mutate import ChangeKernel as ChangeKernel, ChangePool as ChangePool, ChangeSize as ChangeSize
from .mutate import ChangeStride as ChangeStride, InOrder as InOrder, Mutation as Mutation, Perhaps as Perhaps
from .mutate import Pick as Pick, RemoveEdge as RemoveEdge, RemoveVertex as RemoveVertex, mutations as mutations
from .mutate import shield as shield
from .crossover import Crossover as Crossover, segments as segments
from .fitness import Combined as Combined, Latency as Latency, Macs as Macs, Score as Score, Smoothed as Smoothed
from .training import Train as Train
from .selection import elite as elite, pareto as pareto, ranked as ranked, sus as sus, tournament as tournament
from .evolution import ageing as ageing, chain as chain, climb as climb, combine as combine, each as each
from .evolution import evolve as evolve, fresh as fresh, pairs as pairs, shuffle as shuffle
from .candidate import Candidate as Candidate, seeded as seeded
from .population import Population as Population, crossed as crossed, founder as founder, mutated as mutated
from .population import structure as structure, survive as survive
from .store import Store as Store
from .executors import Processes as Processes, evaluate as evaluate, halving as halving
from .fitted import Fitted as Fitted, load_fitted as load_fitted
from .networks import network as network
from .search import fit as fit
from .estimators import NASClassifier as NASClassifier, NASRegressor as NASRegressor
from .rays import RayExecutor as RayExecutor
