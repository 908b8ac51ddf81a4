"Spaces: what they draw is in them, all of it, as often as they say; starts are exact"
import numpy as np, pytest, torch
from torch import nn
from naivenas import Act, BatchNorm, Between, Chain, Conv, Fork, GlobalPool, Linear, Maybe, Net, OneOf, Pool, Relu, Repeat, Residual, inputvertex, relu
from naivenas.graph.roles import SizeError

c = Chain(Conv(4, 6, k=(1, 3)), BatchNorm(), Relu())

def signature(v): return (repr(v.op) if isinstance(v.op, nn.Module) else v.op.__name__, *map(signature, v.inputs))

@pytest.mark.parametrize("space", [c, OneOf(c, Conv(8)), Chain(Conv(4), Repeat(Residual(c), n=(0, 2))), Fork(Conv(1, 2, k=1), n=(2, 3)),
                                   Maybe(Chain(Conv(2, 3), Act("relu", "tanh"))), Chain(Pool("max", "mean", k=(2, 3)), relu), Conv(Between(2, 5)),
                                   Chain(GlobalPool("mean", "max"), Linear(3, 4))], ids=str)
def test_size_counts_what_can_be_drawn(space):
    rng, seen = np.random.default_rng(0), set()
    for _ in range(40 * space.size): seen.add(signature(space(inputvertex("x", 4), rng)))
    assert len(seen) == space.size

def test_prints_as_its_source():
    space = Chain(Repeat(OneOf(c, Residual(c), Fork(c, n=(2, 3))), n=range(2, 5)), Maybe(Pool("max", k=2)), relu, GlobalPool(), Linear(Between(8, 64, log=True)), Linear(10))
    assert repr(eval(repr(space))) == repr(space)
    assert Conv(4, k=Between(.5, 1.)).size == np.inf

def test_forced_size_and_starts_are_kept_in_nested_spaces():
    rng = np.random.default_rng(0)
    nested = Repeat(OneOf(c, Fork(c, n=(1, 2, 3)), Chain(c, Residual(c)), Maybe(Conv(3))), n=(1, 2, 3))
    images = torch.rand(2, 5, 6, 6)
    torch_state = torch.get_rng_state()
    for i in range(60):
        x = inputvertex("x", 5)
        if i % 3 == 0: assert Net(x, nested(x, rng, nout=7))(images).shape == (2, 7, 6, 6)
        h = relu(x)
        try: same = Net(x, nested(h, rng, start="identity")).eval()
        except SizeError: assert False, "the fork, the chain and nothing at all can always copy"
        assert torch.allclose(same(images), images, atol=1e-5)
        x = inputvertex("x", 5)
        zero = Net(x, Residual(c)(x, rng, start="identity"))
        assert torch.equal(zero(images - .5), images - .5)   # in training mode, too
    assert torch.equal(torch_state, torch.get_rng_state())

def test_what_cannot_be_is_refused():
    x, rng = inputvertex("x", 4), np.random.default_rng(0)
    for space, how in ((Relu(), dict(start="identity")), (Conv(4, k=2), dict(start="identity")), (Conv(4, stride=2), dict(start="identity")), (Relu(), dict(nout=3)),
                       (Residual(c), dict(nout=3)), (Pool(), dict(start="zero")), (Chain(c, Act("sigmoid")), dict(start="zero"))):
        with pytest.raises(SizeError): Chain(space)(x, rng, **how)
