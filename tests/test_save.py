"Files: there and back, damaged, foreign, too new, unknown"
import copy, json, pickle, sys
from functools import partial
from itertools import product
from types import ModuleType
import numpy as np, pytest, torch
from torch import nn
import naivenas.files.save as room
from naivenas.nets.layers import attention, bilinear, conv, convtranspose, linear, cat, shuffle, split
from naivenas.nets.norms import batchnorm, dropout, globalpool, groupnorm, layernorm, maxpool, pixelshuffle, rmsnorm, upsample
from naivenas.nets.sequences import embedding, last, lstm
from naivenas.nets.shapes import flatten
from naivenas.nets.activations import gelu, leakyrelu, relu
from naivenas.nets.kinds import layer
from naivenas import Net
from naivenas.nets.importance import magnitude
from naivenas.graph.vertex import inputvertex, invariant
from naivenas.graph.roles import Gather, SizeError
from naivenas.graph.moves import moved
from randomnets import random_net

def images():
    x = inputvertex("x", 4)
    a = "a" >> conv(x, 12, padding="same")
    p, q = split(relu(batchnorm(a)), [4, 8])
    d = conv(leakyrelu(conv(q, 8, groups=8), .2), 16, groups=2, bias=False)
    e = pixelshuffle(cat(groupnorm(upsample(d), 4), convtranspose(p, 4)))
    f = shuffle(maxpool(layer(nn.PReLU(5), e), 4), 5) * .5 + 1
    g = moved(Gather([0, 2, 2, 4], 1), -f / 2)
    return Net(x, [linear(flatten(g, 36), 3), globalpool(1 - p)], frozen=["a"]), [torch.rand(2, 4, 6, 6)]

def sequences():
    x = inputvertex("x", 6)
    h = rmsnorm(attention(layernorm(x), 2, causal=True) + x)
    r = lstm(dropout(gelu(h), .1), 4, num_layers=2, bidirectional=True, proj_size=2)
    g = layer(nn.GRU(4, 3, batch_first=True), r)
    return Net(x, linear(bilinear(last(r), last(g), 5), 2)), [torch.rand(2, 3, 6)]

def shared():
    x = inputvertex("x", 3)
    module, other = nn.Linear(3, 3), nn.Linear(3, 3)
    other.weight = module.weight
    module.bias.requires_grad = False
    return Net(x, layer(other, layer(module, layer(module, x)))), [torch.rand(2, 3)]

def words():
    x = inputvertex("x", 9)
    return Net(x, linear(embedding(x, 4), 2)), [torch.randint(9, (2, 5))]

@pytest.fixture(params=[images, sequences, shared, words])
def net(request):
    torch.manual_seed(0)
    return request.param()

def possible(net, v):
    try: return net.plan({v: 1})
    except SizeError: return False

def test_there_and_back(net, tmp_path):
    net, data = net
    net.eval().save(tmp_path / "net")
    state = torch.get_rng_state()
    again = Net.load(tmp_path / "net")
    assert torch.equal(torch.get_rng_state(), state), "no random number was drawn"
    one, two = (n(*data) if isinstance(n(*data), tuple) else (n(*data),) for n in (net, again))
    assert all(map(torch.equal, one, two)) and [repr(v) for v in net] == [repr(v) for v in again]
    assert {v.name for v in net.frozen} == {v.name for v in again.frozen} and not again.training
    assert [(k, p.requires_grad) for k, p in net.named_parameters()] == [(k, p.requires_grad) for k, p in again.named_parameters()]
    first = next((v.name for v in net if v.role == "absorb" and possible(net, v)), None)
    if net.frozen or len(net) < 5: return   # too tied up, or too small
    for n in (net, again): n.resize({first: 1})
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), again.state_dict().values())), "even the noise is the same"

@pytest.mark.parametrize("seed", range(25))
def test_random_nets(seed, tmp_path):
    net, values = random_net(seed, torch.float32)
    net.eval().save(tmp_path / "net")
    one, two = net(*values), Net.load(tmp_path / "net")(*values)
    assert all(map(torch.equal, *[o if isinstance(o, tuple) else (o,) for o in (one, two)]))

def test_shared_things_stay_shared(tmp_path):
    net, _ = shared()
    net.save(tmp_path / "net")
    a, b, c = Net.load(tmp_path / "net").vertices[1:]
    assert a.op is b.op and c.op is not a.op and c.op.weight is a.op.weight

def test_every_damage_is_noticed(tmp_path):
    net, _ = words()
    data = net.save(tmp_path / "net").read_bytes()
    rng = np.random.default_rng(0)
    for at in (*range(0, 200, 7), *rng.integers(0, len(data), 150)):
        bad = bytearray(data)
        bad[at] ^= 1 << rng.integers(8)
        (tmp_path / "bad").write_bytes(bad)
        with pytest.raises(ValueError): Net.load(tmp_path / "bad")
    for n in (*range(0, 60, 5), *rng.integers(0, len(data), 40)):
        (tmp_path / "bad").write_bytes(data[:n])
        with pytest.raises(ValueError): Net.load(tmp_path / "bad")

def rewritten(path, change):
    "The file with another architecture, and a checksum that fits"
    from safetensors.torch import save_file
    a, tensors = room._read(path)
    change(a)
    text = json.dumps(a)
    save_file(tensors, path, {"naivenas": "1", "architecture": text, "sha256": room._digest(text, tensors)})

def op(a, n, new): a["ops"][n] = new

@pytest.mark.parametrize("change, words", [
    (lambda a: op(a, 0, {"name": "system"}), "'system' is not known"), (lambda a: op(a, 0, {"module": "Popen"}), "'Popen' is not known"),
    (lambda a: op(a, 0, {"partial": [{"name": "eval"}, {"tuple": ["1"]}, {"dict": []}]}), "'eval' is not known"),
    (lambda a: op(a, 0, {"object": "Popen", "config": {}}), "'Popen' is not known"), (lambda a: op(a, 0, {"strange": 1}), "cannot be loaded"),
    (lambda a: a["ops"][0]["arguments"]["dict"].append(["sparse", {"name": "os"}]), "'os' is not known"), (lambda a: a.pop("vertices"), "no sense"),
    (lambda a: a["ops"][0]["tensors"].clear(), "lacks its weight"), (lambda a: a["vertices"][1].__setitem__(2, [7]), "no sense")])
def test_what_a_file_says_is_looked_up_and_nothing_else(change, words, tmp_path):
    path = globals()["words"]()[0].save(tmp_path / "net")
    rewritten(path, change)
    with pytest.raises(ValueError, match=words): Net.load(path)

def test_other_files_are_refused(tmp_path):
    from safetensors.torch import save_file
    net, path = words()[0], tmp_path / "net"
    save_file(net.state_dict(), path)
    with pytest.raises(ValueError, match="was not written by Net.save"): Net.load(path)
    path.write_bytes(pickle.dumps(net))
    with pytest.raises(ValueError, match="no safetensors"): Net.load(path)
    with pytest.raises(FileNotFoundError): Net.load(tmp_path / "none")
    save_file({}, path, {"naivenas": "99", "architecture": "", "sha256": ""})
    with pytest.raises(ValueError, match="version 99"): Net.load(path)

def test_what_is_unknown_is_refused_by_name_and_the_old_file_stays(tmp_path):
    x = inputvertex("x", 3)
    odd = Net(x, "odd" >> layer(nn.TransformerEncoderLayer(3, 1), x, nout=3))
    path = words()[0].save(tmp_path / "net")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="odd .*cannot be saved"): odd.save(path)
    def mine(x): return x + 1
    from naivenas.graph.vertex import invariant
    net = Net(x, "m" >> invariant(mine, linear(x, 3)))
    with pytest.raises(ValueError, match="m .mine. cannot be saved: the operation 'mine' is not known"): net.save(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["net"]
    try:
        room.savable(mine)
        assert torch.equal(Net.load(net.save(path))(torch.ones(1, 3)), net(torch.ones(1, 3)))
    finally: room.KNOWN.pop("mine")

# ------------------------------------------------------------------------------------------------ nets that were imported

class Patches(nn.Module):
    "A small vision transformer with tokens and positions of its own, split and joined by hand"
    def __init__(self):
        super().__init__()
        self.patch, self.token, self.place = nn.Conv2d(3, 12, 4, 4), nn.Parameter(torch.randn(1, 1, 12)), nn.Parameter(torch.randn(1, 5, 12))
        self.register_buffer("scale", torch.rand(12))
        self.norm, self.qkv, self.back, self.up, self.down, self.classes = nn.LayerNorm(12), nn.Linear(12, 36), nn.Linear(12, 12), nn.Linear(12, 20), nn.Linear(20, 12), nn.Linear(12, 5)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2) * self.scale
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.place
        q, k, v = self.qkv(self.norm(x)).reshape(len(x), 5, 3, 3, 4).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.back(y.transpose(1, 2).reshape(len(x), 5, 12))
        a, b = self.up(x).chunk(2, -1)
        return self.classes((x + self.down(torch.cat([a.relu(), b.sigmoid()], -1)))[:, 0])

class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.n, self.c = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.Conv2d(8, 6, 1)
        self.gain = nn.Parameter(torch.rand(8, 1, 1))

    def forward(self, x):
        y = torch.relu(self.n(self.b(torch.nn.functional.hardswish(self.a(x))))) * self.gain
        return self.c(torch.nn.functional.max_pool2d(y, 2)).mean((2, 3)), y.clamp(max=.5)[..., ::2]

@pytest.mark.parametrize("kind", [Patches, Branches])
def test_imported_nets_there_and_back(kind, tmp_path):
    torch.manual_seed(0)
    data = torch.rand(2, 3, 8, 8)
    net = Net.from_torch(kind().eval(), data)
    again = Net.load(net.save(tmp_path / "net"))
    listed = lambda net: [y.detach() for y in (net(data) if isinstance(net(data), tuple) else (net(data),))]
    assert [(k, p.requires_grad) for k, p in net.named_parameters()] == [(k, p.requires_grad) for k, p in again.named_parameters()]
    assert all(map(torch.equal, listed(net), listed(again))) and again.opaque == net.opaque
    for n in net, again: n.prune(.6, magnitude)
    assert net.sizes == again.sizes and all(map(torch.equal, listed(net), listed(again))), "roles know what they knew"
    third = Net.load(again.save(tmp_path / "net"))
    assert all(map(torch.equal, listed(net), listed(third)))

def test_modules_of_the_usual_libraries_are_known(monkeypatch, tmp_path):
    class DropPath(nn.Module):
        def __init__(self, drop_prob=0.): super().__init__(); self.drop_prob = drop_prob
        def forward(self, x): return x * torch.rand(len(x), *[1] * (x.ndim - 1)).ge(self.drop_prob) if self.training else x
    module, x = nn.Sequential(nn.Linear(3, 8), DropPath(.4), nn.Linear(8, 2)), torch.rand(5, 3)
    net = Net.from_torch(module, x)
    with pytest.raises(ValueError, match="DropPath"): net.save(tmp_path / "net")
    monkeypatch.setitem(sys.modules, "timm", ModuleType("timm"))
    monkeypatch.setitem(sys.modules, "timm.layers", made := ModuleType("timm.layers"))
    made.DropPath = DropPath
    again = Net.load(net.save(tmp_path / "net"))
    assert again["1"].op.drop_prob == .4 and torch.equal(again.eval()(x), net.eval()(x))

def test_what_was_imported_whole_is_refused_by_name(tmp_path):
    class Odd(nn.Module):
        def forward(self, x): return x * torch.rand(1) if self.training else x
    net = Net.from_torch(nn.Sequential(nn.Linear(3, 4), Odd(), nn.Linear(4, 2)), torch.rand(2, 3))
    with pytest.raises(ValueError, match="1 .odd. cannot be saved: the operation 'Odd' is not known: naivenas.savable"): net.save(tmp_path / "net")

@pytest.mark.parametrize("what, words", [({"operator": "aten.from_file.default"}, "does not compute with tensors"), ({"operator": "prim.device"}, "no operator"), ({"dtype": "load"}, "no type"),
                                         ({"name": "trace.os"}, "is not known"), ({"name": "save.load"}, "is not known"), ({"object": "reshape", "made": []}, "no class")])
def test_what_an_imported_net_may_not_name(what, words, tmp_path):
    path = globals()["words"]()[0].save(tmp_path / "net")
    rewritten(path, lambda a: op(a, 0, what))
    with pytest.raises(ValueError, match=words): Net.load(path)

def between(x, low, high): return x.clamp(low, high)

def test_several_tensors_in_one_value(tmp_path, monkeypatch):
    monkeypatch.setitem(room.KNOWN, "between", between)
    x = inputvertex("x", 2)
    f = partial(between, low=torch.tensor(-1.), high=torch.tensor(1.))
    net = Net(x, linear(invariant(f, x), 2))
    again = Net.load(net.save(tmp_path / "net"))
    assert [float(t) for t in again.vertices[1].op.keywords.values()] == [-1, 1] and torch.equal(again(data := 3 * torch.randn(5, 2)), net(data))

# ------------------------------------------------------------------------------------------------ files by somebody who means no good

class Named(nn.Module):
    def __init__(self): super().__init__(); self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 3)
    def forward(self, x): h = self.a(x).relu(); return {"hidden": h, "rest": (self.b(torch.cat([h[:, :3], x[:, :3]], 1).clamp(max=2.)), 1)}

HOSTILE = ["__import__('os').system('touch ran')", "a=0), open('ran', 'w'), (lambda **k: 0)(b", "os.system", 'a"]; import os #', "trace.compiled", "builtins.eval", "__class__", "", "self", "3",
           -3, 0, 1, 2**31, 10**15, float("nan"), float("inf"), .5, True, None, [], {}, [[]], {"name": "eval"}, {"name": "operator.getitem"}, {"tensor": "none"},
           {"slice": ["exec('1')", None, None]}, {"object": "Popen", "config": {}}, {"object": "trace.Spot", "config": {"at": 10**9}}, {"module": "Linear"}, {"operator": "aten.from_file.default"}, {"array": ["1"], "of": "O"}]

def places_in(value, found):
    "Every (container, key) in a piece of JSON"
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        found.append((value, key))
        if isinstance(value[key], (dict, list)): places_in(value[key], found)
    return found

def damaged(a, rng, how, new):
    "Change one place of an architecture in one of five ways: it goes, is renamed, is a copy of another, says more, or says something else"
    found, new = places_in(a, []), copy.deepcopy(new)
    fits = {1: [(h, k) for h, k in found if isinstance(h, dict)], 3: [(h, k) for h, k in found if isinstance(h[k], str)]}.get(how) or found
    home, key = fits[rng.integers(len(fits))]
    if how == 0: del home[key]
    elif how == 1: home[new if isinstance(new, str) else "odd"] = home.pop(key)
    elif how == 2: other, at = found[rng.integers(len(found))]; home[key] = copy.deepcopy(other[at])
    elif how == 3: home[key] = f"{home[key]}{new}"
    else: home[key] = new

ALLOWED = {"torchvision", "torchvision.ops", "timm", "timm.layers"}
watched, seen = [False], []

def watch(event, args):
    if not watched[0]: return
    if event in ("exec", "compile", "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "pickle.find_class", "ctypes.dlopen", "socket.connect"): seen.append((event, args))
    if event == "import" and args[0] not in ALLOWED: seen.append((event, args))

def test_no_mutation_of_a_file_does_more_than_load_or_be_refused(tmp_path, monkeypatch):
    from safetensors.torch import save_file
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    rng, files = np.random.default_rng(13), []
    for k, (net, data) in enumerate([images(), sequences(), shared(), words(), *((Net.from_torch(m.eval(), x), [x]) for m, x in ((Patches(), torch.rand(2, 3, 8, 8)), (Branches(), torch.rand(2, 3, 8, 8)), (Named(), torch.rand(2, 4))))]):
        path = net.eval().save(tmp_path / f"{k}")
        Net.load(path)(*data)
        files.append((json.dumps(room._read(path)[0]), room._read(path)[1], data))
    sys.addaudithook(watch)
    ran = loaded = 0
    path = tmp_path / "bad"
    kinds = [(how, new) for how in range(5) for new in (HOSTILE if how in (1, 3, 4) else HOSTILE[:12])]       # each, in each file
    for i, ((a, tensors, data), (how, new)) in enumerate(product(files, kinds)):
        a = json.loads(a)
        damaged(a, rng, how, new)
        if i % 2: damaged(a, rng, rng.integers(5), HOSTILE[rng.integers(len(HOSTILE))])
        text = json.dumps(a)
        save_file(tensors, path, {"naivenas": "1", "architecture": text, "sha256": room._digest(text, tensors)})
        watched[0] = True
        try: net = Net.load(path)
        except ValueError as e: assert str(path) in str(e), e
        else:
            loaded += 1
            try: ran += net.eval()(*data) is not None
            except (RuntimeError, ValueError, TypeError, IndexError, AssertionError, NotImplementedError) as e: assert not isinstance(e, RecursionError)   # sizes that only data could show to be wrong
        finally: watched[0] = False
        assert not seen, (seen, text)
    assert not (tmp_path / "ran").exists() and .05 < loaded / (i + 1) < .75 and ran > .8 * loaded, (i, loaded, ran)

@pytest.mark.parametrize("change, words", [
    (lambda a: a.pop("rng"), "'rng'"), (lambda a: a["vertices"][1].__setitem__(4, "2"), r"vertices\[1\].*'2' is no whole number"), (lambda a: a["vertices"][0].__setitem__(4, -3), r"vertices\[0\]"),
    (lambda a: a["vertices"][0].__setitem__(4, float("nan")), "nan is no whole number"), (lambda a: a["vertices"][0].__setitem__(4, 10**15), "is no whole number"),
    (lambda a: a["vertices"][1].__setitem__(0, 7), "7 is no str"), (lambda a: a["rng"].clear(), "rng"), (lambda a: a["ops"].__setitem__(0, json.loads("[" * 500 + "]" * 500)), "lie in one another"),
    (lambda a: a["ops"][1]["arguments"]["dict"].__setitem__(0, ["in_features", "4"]), r"ops\[1\] .*Linear.in_features"), (lambda a: a.__setitem__("notes", {"keys": 3}), "notes"),
    (lambda a: a.__setitem__("form", ['[1, {"type": "collections.defaultdict", "context": {"default_factory_module": "os", "default_factory_name": "system", "dict_context": []}, "children_spec": []}]', []]), "os.system. is no plain factory"),
    (lambda a: a["ops"].__setitem__(1, {"object": "Slice", "config": {"start": "0:1], print(1), x[0", "stop": 2, "axis": 1}}), "Slice.start"),
    (lambda a: a["ops"].__setitem__(1, {"object": "Slice", "config": {"start": 0, "stop": 2, "axis": 1, "source": {"name": "operator.getitem"}, "moves": {"name": "operator.getitem"}}}), "'moves' is no attribute")])
def test_what_makes_no_sense_is_refused_by_file_and_field(change, words, tmp_path):
    path = globals()["words"]()[0].save(tmp_path / "net")
    rewritten(path, change)
    with pytest.raises(ValueError, match=words) as e: Net.load(path)
    assert str(path) in str(e.value)
