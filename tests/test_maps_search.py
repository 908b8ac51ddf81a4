"Mutations put maps right with the nearest windows, also where a net has several inputs"
import numpy as np, pytest, torch
from naivenas import (AddBlock, ChangeKernel, ChangeStride, Net, RemoveVertex, cat, conv, flatten, globalpool, inputvertex, linear, maxpool, mutations,
                      relu, shield)
from naivenas.search.mutation import applied

def branches():
    x = inputvertex("x", 2)
    left = "left" >> conv("pool" >> maxpool(x), 4)
    return Net(x, "y" >> conv("both" >> left + ("right" >> conv(x, 4, stride=2)), 3))

def test_a_pool_that_goes_takes_a_stride_along():
    net = branches()
    change = applied(net.draft().remove("pool"), (8, 8), "without pool", False)
    assert net(torch.zeros(1, 2, 8, 8)).shape == (1, 3, 4, 4) and "with another stride of left" in change.what
    assert net["right"].op.stride == (2, 2) and net["left"].op.stride == (2, 2)

def test_it_can_be_taken_back_and_fails_whole():
    net = branches()
    text, image = str(net), torch.rand(1, 2, 8, 8)
    before = net(image)
    change = applied(net.draft().remove("pool"), (8, 8), "without pool", False)
    change.report.undo()
    assert str(net) == text and torch.equal(net(image), before)
    shield(net, "left", "right", "y")
    version = net.version
    with pytest.raises(ValueError, match="without pool would change the output's map, and no windows nearby put that right"):
        applied(net.draft().remove("pool"), (8, 8), "without pool", False)
    assert net.version is version and torch.equal(net(image), before)

def test_one_padding_is_nearer_than_a_stride():
    x = inputvertex("x", 2)
    net = Net(x, "y" >> conv("sum" >> ("a" >> conv("s" >> conv(x, 4, k=3, padding=0), 4)) + ("b" >> conv(x, 4, k=3, padding=0)), 3))
    change = applied(net.draft().remove("s"), (9, 9), "without s", False)
    assert net(torch.zeros(1, 2, 9, 9)).shape == (1, 3, 7, 7) and "padding of a" in change.what and net["a"].op.stride == (1, 1)

def two_inputs(flat=True):
    image, facts = inputvertex("image", 3), inputvertex("facts", 5)
    small = "small" >> maxpool(relu("c" >> conv(image, 4)), 2)
    picture = flatten(small, 16) if flat else globalpool(small + conv(conv(image, 4), 4, stride=2))
    return Net([image, facts], "y" >> linear(cat(picture, "f" >> linear(facts, 6)), 2))

SHAPES = [(8, 8), ()]

def test_candidates_with_an_image_and_features():
    net = two_inputs()
    assert ChangeKernel(SHAPES, steps=(2,))(net, np.random.default_rng(0)).what == "kernel of c +2"
    net = two_inputs(False)
    change = ChangeStride(SHAPES, strides=(2,)).change(net, net["c"], np.random.default_rng(1))
    assert change.what == "stride of c 2" and net(torch.zeros(2, 3, 8, 8), torch.zeros(2, 5)).shape == (2, 2)
    assert net["conv2d1"].op.stride == (2, 2) or net["small"].op.stride != 2 or net["conv2d2"].op.stride != (2, 2), "another layer has given way"

def test_many_mutations_leave_nets_that_run():
    done = set()
    for seed in range(4):
        net, rng = (two_inputs(), branches())[seed % 2], np.random.default_rng(seed)
        shape = SHAPES if seed % 2 == 0 else (8, 8)
        for _ in range(3):
            change = mutations(shape, rate=3)(net, rng)
            done |= {*(change.what.split("; ") if change else ())}
            out = net(torch.zeros(2, 3, 8, 8), torch.zeros(2, 5)) if seed % 2 == 0 else net(torch.zeros(2, 2, 8, 8))
            assert out.shape == ((2, 2) if seed % 2 == 0 else (2, 3, 4, 4))
    assert len(done) > 5
