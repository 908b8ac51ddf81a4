"""What version 0.1 wrote to disk loads for ever: nets of every kind of operation, a population, a fitted model. `files_0_1/write.py` made the files;
it's never run again. Everything here goes through public names, and a file's own text is read with nothing but json and safetensors."""
import io, json, shutil, zipfile
from pathlib import Path
import numpy as np, pytest, torch
from safetensors import safe_open
from torch import nn
from torch.utils import _pytree as pytree
from naivenas import Net, Settings, SizeError, Store, attention, inputvertex, layer, linear, load_fitted

FILES = Path(__file__).parent / "files_0_1"
NETS = {name.removesuffix(".npz"): path for path in sorted(FILES.glob("*.zip")) for name in zipfile.ZipFile(path).namelist() if name.endswith(".npz")}

def unpacked(name, folder):
    "`(path of the net's file, inputs, outputs, what else was noted)`"
    with zipfile.ZipFile(NETS[name]) as box:
        box.extract(f"{name}.safetensors", folder)
        arrays, about = np.load(io.BytesIO(box.read(f"{name}.npz"))), json.loads(box.read(f"{name}.json"))
    values, outs = ([arrays[f"{kind}{i}"] for i in range(len(arrays)) if f"{kind}{i}" in arrays] for kind in ("in", "out"))
    return folder / f"{name}.safetensors", [torch.tensor(x) for x in values], outs, about

def results(net, values):
    with torch.no_grad(): return [np.asarray(o) for o in pytree.tree_leaves(net(*values)) if torch.is_tensor(o) or isinstance(o, np.ndarray)]

def assert_close(found, wanted):
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted): np.testing.assert_allclose(a, b, 1e-5, 1e-5)

@pytest.mark.parametrize("name", NETS)
def test_a_net_of_0_1(name, tmp_path):
    path, values, outs, about = unpacked(name, tmp_path)
    net = Net.load(path)
    assert_close(results(net, values), outs)
    assert_close(results(Net.load(net.save(tmp_path / "again")), values), outs)
    if about["free"] is None: return
    name, delta = about["free"]["vertex"], about["free"]["delta"]
    before = net[name].nout
    net.resize(name, delta, frozen=net.outputs)
    found = results(net, values)
    assert net[name].nout == before + delta and [f.shape for f in found] == [o.shape for o in outs]
    if not about["free"]["changes"]: assert_close(found, outs)
    other = Net.load(net.save(tmp_path / "resized"))
    assert_close(results(other, values), found)
    other.resize(name, -delta, frozen=other.outputs)
    assert other[name].nout == before and [f.shape for f in results(other, values)] == [o.shape for o in outs]

def test_hardly_any_net_is_stuck(tmp_path):
    "A weight that an operation nobody knows computes; all neurons given away; a weight that two layers share and cut in two ways"
    assert {name for name in NETS if unpacked(name, tmp_path)[3]["free"] is None} == {"spectral", "Many", "shared"}

def test_structures_and_keys_come_back(tmp_path):
    path, (x, more), outs, _ = unpacked("Many", tmp_path)
    net = Net.load(path)
    with torch.no_grad(): found = net(x, {"more": more})
    assert set(found) == {"logits", "hidden", "count"} and found["count"] == 3 and found["hidden"][1][1] is None
    net.load_state_dict(net.state_dict())

def test_what_is_shared_and_held_comes_back(tmp_path):
    net = Net.load(unpacked("shared", tmp_path)[0])
    a, b, c = net.vertices[1:4]
    assert a.op is b.op and c.op is not a.op and c.op.weight is a.op.weight and not a.op.bias.requires_grad
    held = Net.load(unpacked("held", tmp_path)[0])
    assert not all(p.requires_grad for p in held.parameters())
    net = Net.load(unpacked("Tied", tmp_path)[0])
    assert net["d"].op.weight is net["e"].op.weight
    net = Net.load(unpacked("Unknown", tmp_path)[0])
    with pytest.raises(SizeError): net.resize("a", -1)

# ------------------------------------------------------------------------------------------------------------- what they cover

def said(path):
    "Every name and kind of value in a net's file"
    with safe_open(path, "np") as file: described = json.loads(file.metadata()["architecture"])
    found, todo = set(), [described["ops"], [role for _, _, _, role, _ in described["vertices"]], described.get("form", [None, None])[1]]
    while todo:
        value = todo.pop()
        if isinstance(value, list): todo += value
        if not isinstance(value, dict): continue
        for kind in value:
            if kind in ("module", "object", "name") and isinstance(value[kind], str): found.add(value[kind])
            found.add(f"value {kind}")
        todo += value.values()
    return found | {f"role {role}" for _, _, _, role, _ in described["vertices"] if isinstance(role, str)}

NEVER = {   # name, or beginning of a name: why no file has it
    "trace._packed trace._found trace._unpacked trace._Name": "for copies and pickles",
    "trace._text trace.expression trace.compiled trace.source": "methods of Call",
    "trace.Untraceable neurons.Again": "exceptions",
    "trace.in_mode trace.captured trace._where trace._twice trace._exported trace.inlined trace._node trace._inline trace.refuse_memory trace.written_views trace._copied trace._whole trace.one trace.folded_constants":
        "steps of the capture, before there is a net",
    "operators.operator operators.places operators.passes operators._alike operators.nearby operators.picked operators._in_order operators._single padding._number sites.Site sites._counts sites.joining standins._refitted standins._fits":
        "work of the capture rules",
    "axes.regroup axes.reshaped axes.varying": "what roles call",
    "axes.unchanged": "a role's function that no capture rule uses",
    "slices._conditions slices._source slices._begins": "methods of Packed, and what they call",
    "slices.PackedCut slices._packed_weight slices._packed_rows": "parts of the rule of Packed, which is found by the module's type",
    "operator.sub operator.truediv operator.neg": "written as sub, truediv and neg",
    "ChannelShuffle GLU MultiheadAttention": "taken apart when a vertex is made of them",
}

def test_the_files_cover_all_that_0_1_could_write(tmp_path):
    knows = json.loads((FILES / "knows.json").read_text())
    found = set().union(*(said(unpacked(name, tmp_path)[0]) for name in NETS))
    found |= {f.split(".")[-1] for f in found}        # some have a rule, too, and are known by their bare names there
    could = [*knows["known"], *knows["rules"], *knows["rooms"], *(f"value {k}" for k in knows["values"]), *(f"role {r}" for r in ("input", "absorb", "invariant", "stack", "immutable", "scalar"))]
    missing = [name for name in could if name not in found]
    excused = {name for names in NEVER for name in names.split()}
    print(f"{len(could) - len(missing)} of {len(could)} kinds are in {len(NETS)} nets; not: {missing}")
    assert sorted(set(missing) - excused) == []

# ----------------------------------------------------------------------------------------------- populations and fitted models

def test_a_population_of_0_1(tmp_path):
    from safetensors.torch import load_file
    shutil.copytree(FILES / "population", tmp_path / "population")
    some, generation = Store(tmp_path / "population").load()
    arrays = np.load(FILES / "population.npz")
    assert generation == 4 and len(some) == 3 and Store(tmp_path / "population").manifest()["about"] == {"seed": 0}
    for i, c in enumerate(some): assert_close([c.net.eval()(torch.tensor(arrays["x"])).detach().numpy()], [arrays[f"out{i}"]])
    assert some[0].fitness == (.5, -7.) and some[2].fitness == .25 and some[2].parents == (some[0].id,) and some[2].born == 1 and some[0].seen == 2
    assert some[0].settings == Settings() and some[1].settings == Settings("sgd", .1, 16) and some[0].net.shields == {"end": ("activation",)}
    was = load_file(next((FILES / "population").glob("generation-*/memory.safetensors")))
    for i, c in enumerate(some):
        mine = {k.split("/", 1)[1]: t for k, t in was.items() if k.startswith(f"{i}/")}
        for name, p in c.net.named_parameters():
            for key, value in c.optimizer.state.get(p, {}).items() if c.optimizer else ():
                if value is not None: assert torch.equal(torch.as_tensor(value), mine.pop(f"{name}/{key}")), (i, name, key)
        assert not mine and c.optimizer is not None
        c.net.train()(torch.tensor(arrays["x"])).square().sum().backward()
        c.optimizer.step()
    some[0].net.resize("c", +1)
    store = Store(tmp_path / "other")
    store.save(some, 5)
    again, generation = Store(tmp_path / "other").load()
    assert generation == 5 and [c.id for c in again] == [c.id for c in some] and again[0].net["c"].nout == some[0].net["c"].nout

def test_a_fitted_model_of_0_1(tmp_path):
    import pandas
    table = pandas.read_csv(FILES / "fitted.csv")
    frame = table[["a", "b", "colour"]]
    model = load_fitted(FILES / "fitted")
    assert_close([model.predict_proba(frame)], [table[["p0", "p1"]].to_numpy()])
    assert (model.predict(frame) == table["says"]).all()
    model.save(tmp_path / "again")
    assert_close([load_fitted(tmp_path / "again").predict_proba(frame)], [table[["p0", "p1"]].to_numpy()])

# ------------------------------------------------------------------------------------- what came up when the files were written

def saved_and_loaded(net, values, tmp_path):
    wanted = results(net.eval(), values)
    again = Net.load(net.save(tmp_path / "net"))
    assert_close(results(again, values), wanted)
    return again

def test_attention_with_a_mask_is_saved(tmp_path):
    x, mask = inputvertex("x", 6), inputvertex("mask", 4)
    net = Net([x, mask], linear(attention(x, 2, mask=mask), 2))
    saved_and_loaded(net, [torch.randn(2, 4, 6), torch.ones(2, 4, dtype=torch.bool)], tmp_path)

def test_multihead_attention_of_torch_is_saved(tmp_path):
    x = inputvertex("x", 6)
    saved_and_loaded(Net(x, linear(layer(nn.MultiheadAttention(6, 2, batch_first=True), x), 2)), [torch.randn(2, 4, 6)], tmp_path)

class Remembered(nn.Module):
    "A batch norm without torch's module, and a parameter that no layer owns"
    def __init__(self):
        super().__init__()
        self.a, self.scale, self.n = nn.Conv2d(2, 4, 1), nn.Parameter(torch.rand(4)), nn.Module()
        self.n.weight, self.n.bias = nn.Parameter(torch.rand(4)), nn.Parameter(torch.rand(4))
        for k in "running_mean", "running_var": self.n.register_buffer(k, torch.rand(4))
    def forward(self, x):
        x = nn.functional.batch_norm(self.a(x), self.n.running_mean, self.n.running_var, self.n.weight, self.n.bias, self.training)
        return x.mean((2, 3)) * self.scale

def test_a_batch_norm_that_counts_no_batches_is_loaded(tmp_path):
    data = torch.randn(2, 2, 3, 3)
    saved_and_loaded(Net.from_torch(Remembered().eval(), data), [data], tmp_path)

class Scaled(nn.Module):
    def __init__(self): super().__init__(); self.a, self.scale = nn.Linear(3, 4), nn.Parameter(torch.rand(4))
    def forward(self, x, pair): return self.a(x) * self.scale + pair["more"]

def test_checkpoints_of_the_module_load_into_a_loaded_net(tmp_path):
    values = [torch.randn(2, 3), torch.randn(2, 4)]
    net = Net.from_torch(Scaled(), values[0], {"more": values[1]})
    net.load_state_dict((other := Scaled()).state_dict())
    again = saved_and_loaded(net, values, tmp_path)
    again.load_state_dict(other.state_dict())

def test_arguments_by_name_come_in_their_own_order():
    x, more = torch.randn(2, 3), torch.randn(2, 4)
    module = Scaled()
    net = Net.from_torch(module, x, pair={"more": more})
    torch.testing.assert_close(net(x=x, pair={"more": more}), module(x, {"more": more}))
    torch.testing.assert_close(net(pair={"more": more}, x=x), module(x, {"more": more}))

class Both(nn.Module):
    def forward(self, x, pair): return x - 2 * pair["a"] - 3 * pair["b"][0] + 5 * pair["b"][1]

def test_a_dictionary_may_come_in_another_order():
    x, a, b, c = torch.randn(4, 2, 3)
    net = Net.from_torch(Both(), x, pair={"b": [b, c], "a": a})
    for pair in {"b": [b, c], "a": a}, {"a": a, "b": [b, c]}:
        torch.testing.assert_close(net(pair=pair, x=x), Both()(x, pair))

def test_a_weight_that_two_layers_share_is_cut_for_both_or_not_at_all():
    one, two, x = nn.Linear(3, 3), nn.Linear(3, 3), inputvertex("x", 3)
    two.weight = one.weight
    net, data = Net(x, linear("two" >> layer(two, layer(one, x)), 2)), torch.randn(2, 3)
    wanted = results(net, [data])
    with pytest.raises(SizeError, match="x keeps its 3 neurons"): net.resize("two", +1)   # its inputs are rows of the same weight
    assert_close(results(net, [data]), wanted)
