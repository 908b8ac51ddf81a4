"ONNX in and out, against onnxruntime and the official test cases of every operator"
import subprocess, sys, textwrap
from pathlib import Path
import numpy as np, pytest, torch
from torch import nn
onnx, ort = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
import onnx.reference
from onnx import helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases
from naivenas.nets.layers import conv, linear, cat, shuffle
from naivenas.nets.norms import batchnorm, globalpool
from naivenas.nets.shapes import flatten
from naivenas.nets.kinds import layer
from naivenas.nets.activations import relu, silu
from naivenas.nets.importance import magnitude
from naivenas.files.onnx_io import example_of, onnx_module
from naivenas.files.onnx_layers import MODULES
from naivenas import Net
from naivenas.files.onnx_ops import OPS
from naivenas.graph.vertex import inputvertex, invariant
from randomnets import random_net

def session(model):
    quiet = ort.SessionOptions()
    quiet.log_severity_level = 3
    return ort.InferenceSession(model if isinstance(model, (str, Path)) else model.SerializeToString(), quiet)

def listed(out): return list(out) if isinstance(out, tuple) else [out]
def array(x): return x.detach().numpy() if torch.is_tensor(x) else np.array(x)

def agree(want, got, rtol=1e-3, atol=1e-5):
    return len(want) == len(got) and all(a.shape == array(b).shape and np.allclose(np.asarray(a, "f8"), array(b).astype("f8"), rtol=rtol, atol=atol, equal_nan=True) for a, b in zip(want, got))

# ------------------------------------------------------------------------------------------------ the official cases

PLAIN = {"float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"}
CASES = [c for c in collect_testcases(None) if len(c.model.graph.node) == 1 and c.model.graph.node[0].op_type in OPS.keys() | MODULES.keys()
         and all(np.asarray(a).dtype.name in PLAIN for ins, outs in c.data_sets for a in (*ins, *outs) if not isinstance(a, list))]
ODD = "test_reduce_max_empty", "test_reduce_min_empty"   # PyTorch has no largest number of none

def frozen(case, ins):
    "The same model with every input but the first a constant of the file"
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    names = [i.name for i in model.graph.input]
    for name, a in list(zip(names, ins))[1:]: model.graph.initializer.append(numpy_helper.from_array(np.asarray(a), name))
    return model

@pytest.mark.parametrize("constant", [False, True], ids=["inputs", "constants"])
def test_official_cases(constant):
    "Every case agrees, or is refused in the name of its node"
    agreed, refused, ops = 0, 0, set()
    for case in CASES:
        if case.name.startswith(ODD): continue
        for ins, outs in case.data_sets:
            if any(isinstance(a, list) or a is None for a in (*ins, *outs)): continue
            try:
                module = onnx_module(frozen(case, ins) if constant else case.model)
                got = listed(module(*[torch.tensor(np.asarray(a)) for a in ins][:1 if constant and ins else None]))
            except NotImplementedError: refused += 1; continue
            assert agree(outs, got, max(case.rtol or 0, 1e-3)), case.name
            agreed += 1
            ops.add(case.model.graph.node[0].op_type)
    print(f"{agreed} official cases of {len(ops)} operators agree, {refused} are refused")
    assert agreed > 500 and len(ops) > 100

# ------------------------------------------------------------------------------------------------ the light models

LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx"))
HEAVY = {"light_vgg19", "light_bvlc_alexnet", "light_zfnet512"}   # over 200 MB of weights each

def randomised(path, seed=0):
    "A light model with random weights in the place of its dummies"
    model, rng = onnx.load(path), np.random.default_rng(seed)
    shapes, rest = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}, []
    for n in model.graph.node:
        if n.op_type != "ConstantOfShape" or n.input[0] not in shapes: rest.append(n); continue
        size = shapes[n.input[0]]
        w = rng.normal(size=size) * (2 / np.prod(size[1:])) ** .5 if len(size) > 1 else rng.uniform(.5, 1.5, size)
        model.graph.initializer.append(numpy_helper.from_array(w.astype("f"), n.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(rest)
    return model

@pytest.mark.parametrize("path", [pytest.param(p, marks=[pytest.mark.slow] * (p.stem in HEAVY)) for p in LIGHT], ids=lambda p: p.stem)
def test_light_models(path):
    model = randomised(path)
    module = onnx_module(model)
    x = example_of(module)
    want = session(model).run(None, {name: t.numpy() for name, t in zip(module.input_names, x)})
    assert agree(want, listed(module(*x)), 1e-3, 1e-3 * np.abs(want[0]).max())
    assert {type(m) for m in module.modules()} >= {nn.Conv2d, nn.ReLU}

QUICK = {"light_squeezenet"}

@pytest.mark.parametrize("path", [pytest.param(p, marks=[pytest.mark.slow] * (p.stem not in QUICK)) for p in LIGHT], ids=lambda p: p.stem)
def test_light_models_are_pruned(path, tmp_path):
    net = Net.from_onnx(randomised(path)).eval()
    x, before = [torch.rand(1, v.nout, 224, 224) for v in net.inputs], sum(p.numel() for p in net.parameters())
    net.prune(.5, magnitude)
    assert sum(p.numel() for p in net.parameters()) < .5 * before
    net.to_onnx(tmp_path / "net.onnx", x)
    want = session(tmp_path / "net.onnx").run(None, {v.name: t.numpy() for v, t in zip(net.inputs, x)})
    assert agree(want, listed(net(*x)), 1e-3, 1e-3 * np.abs(want[0]).max())

def test_a_batch_norm_takes_over_what_scales_it():
    rng = np.random.default_rng(0)
    norm = {k: rng.uniform(.5, 2, 4).astype("f") for k in ("scale", "bias", "mean", "var")}
    nodes = [helper.make_node("BatchNormalization", ["x", *norm], ["a"]), helper.make_node("Mul", ["a", "m"], ["b"]), helper.make_node("Add", ["c", "b"], ["y"])]
    for shape in (4, 1, 1), (1, 4, 1, 1), (4,), (1,):
        model = tiny(*nodes, size=("N", 4, 3, 4), **norm, m=rng.normal(size=shape).astype("f"), c=rng.normal(size=shape).astype("f"))
        module, x = onnx_module(model), rng.normal(size=(2, 4, 3, 4)).astype("f")
        assert agree(session(model).run(None, {"x": x}), listed(module(torch.tensor(x)))), shape
        assert ("constant" in module.code) == (len(shape) == 1)

# ------------------------------------------------------------------------------------------------ out

def test_random_nets_there_and_back(tmp_path):
    for seed in (3, 9):
        net, values = random_net(seed, torch.float32)
        net.to_onnx(tmp_path / "net.onnx", values)
        run = session(tmp_path / "net.onnx")
        assert [i.name for i in run.get_inputs()] == [v.name for v in net.inputs] and [o.name for o in run.get_outputs()] == [v.name for v in net.outputs]
        values = [torch.cat([v, v.flip(0)]) for v in values]   # another batch than the example's
        want = run.run(None, {v.name: t.numpy() for v, t in zip(net.inputs, values)})
        assert agree(want, listed(net(*values))), seed
        assert agree(want, listed(onnx_module(tmp_path / "net.onnx")(*values))), seed

def test_names_of_layers_survive(tmp_path):
    x = inputvertex("image", 3)
    net = Net(x, "classes" >> linear(globalpool(silu("stem.conv" >> conv(x, 4))), 5)).eval()
    net.to_onnx(tmp_path / "net.onnx", torch.rand(1, 3, 6, 6))
    module = onnx_module(tmp_path / "net.onnx")
    assert set(module.state_dict()) == set(net.state_dict())

def test_rows_need_no_example_and_images_do(tmp_path):
    x = inputvertex("x", 3)
    net = Net(x, linear(relu(linear(x, 4)), 2))
    net.to_onnx(tmp_path / "net.onnx")
    assert net.training and agree(session(tmp_path / "net.onnx").run(None, {"x": np.ones((5, 3), "f")}), [net(torch.ones(5, 3))])
    image = Net(x, globalpool(conv(x, 2)))
    with pytest.raises(ValueError, match="example="): image.to_onnx(tmp_path / "image.onnx")
    with pytest.raises(ValueError, match="takes 1 values"): image.to_onnx(tmp_path / "image.onnx", [torch.rand(1), torch.rand(1)])

class Pyramid(nn.Module):
    "Maps that come together again, and a second input"
    def __init__(self): super().__init__(); self.a, self.down, self.z = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3, 2, 1), nn.Conv2d(20, 4, 1)
    def forward(self, x, more):
        a = self.a(x).relu()
        up = nn.functional.interpolate(self.down(a), size=a.shape[2:])
        return self.z(torch.cat([a, up], 1)) + more[:, :, None, None]

@pytest.mark.parametrize("opset", [None, 18, 21])
def test_axes_that_were_asked_for_are_open_in_the_file(tmp_path, opset):
    x, more = torch.randn(2, 3, 8, 12), torch.randn(2, 4)
    net = Net.from_torch(Pyramid().eval(), x, more, share=False)
    net.resize("a", -3)
    names = {"x": {0: "batch", 2: "height", -1: "width"}, "more": {0: "batch"}, net.outputs[0].name: {0: "batch"}}
    net.to_onnx(tmp_path / "net.onnx", (x, more), opset=opset, dynamic_axes=names)
    run = session(tmp_path / "net.onnx")
    assert [i.shape for i in run.get_inputs()] == [["batch", 3, "height", "width"], ["batch", 4]]
    for shape in (1, 3, 8, 12), (3, 3, 11, 7), (2, 3, 30, 9):
        x, more = torch.randn(shape), torch.randn(shape[0], 4)
        assert agree(run.run(None, {"x": x.numpy(), "more": more.numpy()}), listed(net(x, more)))

def test_axes_that_were_not_asked_for_are_as_in_the_example(tmp_path):
    x, more, file = torch.randn(2, 3, 8, 12), torch.randn(2, 4), tmp_path / "net.onnx"
    net = Net.from_torch(Pyramid().eval(), x, more, share=False)
    for asked, sizes in ({}, [2, 3, 8, 12]), ({"x": [2]}, [2, 3, "x_2", 12]):
        net.to_onnx(file, (x, more), dynamic_axes=asked)
        assert session(file).get_inputs()[0].shape == sizes
    file.unlink()
    for asked, why in ({"y": [0]}, "names 'y', and the net takes x, more"), ({"x": [4]}, "'x' has no axis 4"), ({"x": [1]}, "3 along axis 1 of 'x' alone"):
        with pytest.raises(ValueError, match=why): net.to_onnx(file, (x, more), dynamic_axes=asked)
    assert not file.exists()

def test_an_axis_that_an_import_has_fixed_is_refused(tmp_path):
    class Baked(nn.Module):
        def __init__(self): super().__init__(); self.a, self.scales = nn.Linear(4, 8), {n: 1. / n for n in range(1, 40)}
        def forward(self, x): return self.a(x).sum(1) * self.scales[int(x.shape[1])]
    x = torch.randn(2, 6, 4)
    net = Net.from_torch(Baked(), x, share=False)
    with pytest.raises(ValueError, match="'x' was captured for 6 along axis 1 alone"): net.to_onnx(tmp_path / "net.onnx", x, dynamic_axes={"x": [0, 1]})
    assert not (tmp_path / "net.onnx").exists()

# ------------------------------------------------------------------------------------------------ in

def tiny(*nodes, opset=17, size=("N", 4), **constants):
    "A model from x to y"
    inits = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    g = helper.make_graph(list(nodes), "tiny", [helper.make_tensor_value_info("x", 1, size)], [helper.make_tensor_value_info("y", 1, None)], inits)
    return helper.make_model(g, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)

def test_axes_as_attributes_and_as_inputs():
    x = np.random.default_rng(0).normal(size=(2, 1, 4, 5)).astype("f")
    axes = np.array([2])
    for op, at in ("ReduceSum", 13), ("ReduceMean", 18), ("ReduceMax", 18), ("Squeeze", 13), ("Unsqueeze", 13):
        some = axes - (op == "Squeeze")
        for opset in 11, at - 1, at, 21:
            old = opset < at
            node = helper.make_node(op, ["x"] if old else ["x", "axes"], ["y"], **({"axes": some.tolist()} if old else {}))
            model = tiny(node, opset=opset, size=("N", 1, 4, 5), **({} if old else {"axes": some}))
            assert agree(session(model).run(None, {"x": x}), listed(onnx_module(model)(torch.tensor(x)))), (op, opset)

@pytest.mark.parametrize("opset", range(11, onnx.defs.onnx_opset_version() + 1))
def test_one_network_in_every_opset(opset):
    "Axes move from attributes to inputs on the way; opsets that onnxruntime does not know yet are checked against ONNX's own evaluator"
    rng = np.random.default_rng(opset)
    old = lambda at, key, value: ([], {key: value}) if opset < at else ([key + str(at)], {})
    (mean, mean_how), (squeeze, squeeze_how) = old(18, "axes", [2]), old(13, "axes", [2])
    node, arrays = helper.make_node, dict(w=rng.normal(size=(6, 3, 3, 3)), b=rng.normal(size=6), g=rng.normal(size=(4, 6)), h=rng.normal(size=4), low=-.5, high=2., **{k: rng.uniform(.5, 2, 6) for k in ("scale", "bias", "mu", "var")})
    nodes = [node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]), node("BatchNormalization", ["c", "scale", "bias", "mu", "var"], ["n"]), node("Clip", ["n", "low", "high"], ["r"]),
             node("MaxPool", ["r"], ["m"], kernel_shape=[2, 2], strides=[2, 2]), node("Dropout", ["m"], ["d"]), node("LeakyRelu", ["d"], ["l"], alpha=.2), node("Add", ["l", "m"], ["a"]),
             node("ReduceMean", ["a", *mean], ["e"], **mean_how), node("Squeeze", ["e", *squeeze], ["q"], **squeeze_how), node("AveragePool", ["q"], ["p"], kernel_shape=[2], strides=[2]),
             node("Flatten", ["p"], ["f"]), node("Gemm", ["f", "g", "h"], ["z"], transB=1), node("Softmax", ["z"], ["y"], axis=1)]
    inits = {k: np.asarray(a, "f") for k, a in arrays.items()} | {k: np.array([2]) for k in (*mean, *squeeze)}
    model, x = tiny(*nodes, opset=opset, size=("N", 3, 4, 4), **inits), rng.normal(size=(2, 3, 4, 4)).astype("f")
    module = onnx_module(model)
    try: oracle = session(model)
    except Exception: oracle = onnx.reference.ReferenceEvaluator(model)
    assert agree(oracle.run(None, {"x": x}), listed(module(torch.tensor(x)))) and {type(m) for m in module.modules()} >= {nn.Conv2d, nn.BatchNorm2d, nn.Hardtanh, nn.Linear}

def test_the_opset_that_was_asked_for_or_none(tmp_path):
    x = inputvertex("x", 3)
    net = Net(x, linear(relu(linear(x, 4)), 2)).eval()
    net.to_onnx(tmp_path / "net.onnx", opset=21)
    assert onnx.load(tmp_path / "net.onnx").opset_import[0].version == 21
    with pytest.raises(ValueError, match="opset 11, the nearest is 18"): net.to_onnx(tmp_path / "other.onnx", opset=11)
    assert not (tmp_path / "other.onnx").exists()

def test_softmax_before_and_after_opset_13():
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("f")
    for op in "Softmax", "LogSoftmax":
        for opset in 11, 12, 13, 21:
            for how in {}, {"axis": 1}, {"axis": 2}, {"axis": -2}:
                model = tiny(helper.make_node(op, ["x"], ["y"], **how), opset=opset, size=(2, 3, 4))
                assert agree(session(model).run(None, {"x": x}), listed(onnx_module(model)(torch.tensor(x)))), (op, opset, how)

def test_shapes_that_are_computed_follow_the_batch():
    nodes = [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Gather", ["s", "zero"], ["b"]), helper.make_node("Unsqueeze", ["b", "axis"], ["c"]),
             helper.make_node("Concat", ["c", "rest"], ["t"], axis=0), helper.make_node("Reshape", ["x", "t"], ["y"])]
    model = tiny(*nodes, size=("N", 4, 6), zero=np.array(0), axis=np.array([0]), rest=np.array([2, -1]))
    for n in 1, 5: assert onnx_module(model)(torch.rand(n, 4, 6)).shape == (n, 2, 12)
    program = torch.export.export(onnx_module(model), (torch.rand(3, 4, 6),), dynamic_shapes=({0: torch.export.Dim("n")},), strict=False)
    assert program.module()(torch.rand(7, 4, 6)).shape == (7, 2, 12)

@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("directions", [1, 2])
def test_recurrent_layers(kind, directions):
    rng, n, gates = np.random.default_rng(0), 5, {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    arrays = {k: rng.normal(size=s).astype("f") for k, s in dict(W=(directions, gates * n, 3), R=(directions, gates * n, n), B=(directions, 2 * gates * n), h=(directions, 2, n), c=(directions, 2, n)).items()}
    ends = ["y", "y_h"] + ["y_c"] * (kind == "LSTM")
    node = helper.make_node(kind, ["x", "W", "R", "B", "", "h"] + ["c"] * (kind == "LSTM"), ends, hidden_size=n, direction=["forward", "bidirectional"][directions - 1], **({"linear_before_reset": 1} if kind == "GRU" else {}))
    model = tiny(node, size=(7, 2, 3), **{k: a for k, a in arrays.items() if k != "c" or kind == "LSTM"})
    for name in ends[1:]: model.graph.output.append(helper.make_tensor_value_info(name, 1, None))
    x = rng.normal(size=(7, 2, 3)).astype("f")
    module = onnx_module(model)
    assert agree(session(model).run(None, {"x": x}), listed(module(torch.tensor(x))))
    assert any(isinstance(m, getattr(nn, kind)) for m in module.modules())

def test_what_cannot_be_read_is_named():
    with pytest.raises(NotImplementedError, match="odd one.*MagicOp"): onnx_module(tiny(helper.make_node("MagicOp", ["x"], ["y"], name="odd one")))
    with pytest.raises(NotImplementedError, match="the node of y.*com.mine.Relu"): onnx_module(tiny(helper.make_node("Relu", ["x"], ["y"], domain="com.mine")))
    with pytest.raises(NotImplementedError, match="resize me.*antialias=1"):
        onnx_module(tiny(helper.make_node("Resize", ["x", "", "s"], ["y"], name="resize me", mode="linear", antialias=1), opset=18, s=np.ones(2, "f")))
    with pytest.raises(NotImplementedError, match="opset 6.*7 and later"): onnx_module(tiny(helper.make_node("Relu", ["x"], ["y"]), opset=6))

def test_a_missing_package_is_named():
    program = textwrap.dedent("""
        import sys; sys.modules["onnx"] = None
        from naivenas.files.onnx_io import onnx_module
        try: onnx_module("net.onnx")
        except ImportError as e: print(e)
        """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install 'naivenas[onnx]'" in done.stdout, done.stderr

@pytest.mark.skipif(not hasattr(Net, "from_torch"), reason="Net.from_torch is not there yet")
def test_a_net_from_a_file_is_pruned(tmp_path):
    x = inputvertex("image", 3)
    a = relu(batchnorm(conv(x, 8)))
    net = Net(x, "classes" >> linear(globalpool(cat(a, relu(conv(a, 4)))), 5)).eval()
    image = torch.rand(2, 3, 8, 8)
    net.to_onnx(tmp_path / "net.onnx", image)
    again = Net.from_onnx(tmp_path / "net.onnx", (image,)).eval()
    assert torch.allclose(again(image), net(image), atol=1e-5)
    before = sum(p.numel() for p in again.parameters())
    again.prune(.5, lambda v: v.op.weight.detach().flatten(1).norm(dim=1).numpy() if v.role == "absorb" else None)
    assert again(image).shape == (2, 5) and sum(p.numel() for p in again.parameters()) < .7 * before

@pytest.mark.parametrize("name", ["input", *(pytest.param(n, marks=pytest.mark.slow) for n in ("id", "self", "class")), "x.y", 'a"]; import os #'])
def test_any_name_of_an_input_goes_out_and_comes_back(name, tmp_path):
    x = inputvertex(name, 3)
    net, data = Net(x, "y" >> linear(relu(linear(x, 5)), 2)).eval(), torch.rand(4, 3)
    net.to_onnx(tmp_path / "net.onnx", example=data)
    assert torch.allclose(Net.from_onnx(tmp_path / "net.onnx")(data), net(data), atol=1e-6)

def test_an_imported_sequential_goes_out_and_comes_back(tmp_path):
    module, data = nn.Sequential(nn.Conv2d(3, 6, 3, 1, 1), nn.ReLU(), nn.Conv2d(6, 2, 1)).eval(), torch.rand(2, 3, 6, 6)
    Net.from_torch(module, data, share=False).to_onnx(tmp_path / "net.onnx", example=data)
    assert torch.allclose(Net.from_onnx(tmp_path / "net.onnx")(data), module(data), atol=1e-5)

def test_names_in_a_file_become_no_code_and_do_not_meet():
    evil, rng = '"); import os; os.chdir("', np.random.default_rng(0)
    weights = {f"{evil}.weight": rng.random((4, 3)), "a.b": rng.random(4), "a_b": rng.random(4)}
    nodes = [helper.make_node("Gemm", ["self", f"{evil}.weight"], ["h"], transB=1), helper.make_node("Max", ["h", "a.b"], ["k"]), helper.make_node("Min", ["k", "a_b"], ["y"])]
    shaped = lambda name, n: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2, n])
    graph = helper.make_graph(nodes, "g", [shaped("self", 3)], [shaped("y", 4)], [numpy_helper.from_array(w.astype(np.float32), k) for k, w in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    data = rng.random((2, 3)).astype(np.float32)
    want, = onnx.reference.ReferenceEvaluator(model).run(None, {"self": data})
    assert np.allclose(onnx_module(model)(torch.from_numpy(data)).detach(), want, atol=1e-6)

def test_attributes_at_their_defaults_say_nothing(tmp_path):
    "An upsampling network, of whose Resize PyTorch writes every attribute down"
    module, x = nn.Sequential(nn.Conv2d(3, 6, 3, 1, 1), nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), nn.Conv2d(6, 2, 1)), torch.randn(2, 3, 6, 6)
    net = Net.from_torch(module, x, share=False)
    net.to_onnx(tmp_path / "net.onnx", example=x)
    again = Net.from_onnx(tmp_path / "net.onnx")
    assert torch.allclose(again(x), module(x), atol=1e-5) and again.prune_plan(.5).apply() is not None
