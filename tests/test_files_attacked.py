"""Folders and files of every kind, changed by somebody who means no good: refused with one ValueError that names the file, or harmless

The long run: python -m pytest -n 0 -m slow tests/test_files_attacked.py    (100,000 mutations; MUTATIONS=n for another number)
"""
import ast, copy, hashlib, json, os, stat, subprocess, sys
from pathlib import Path
import numpy as np, pytest, torch
import naivenas, naivenas.files.save as room
from naivenas import Net, load_fitted
from naivenas.graph.vertex import inputvertex
from naivenas.nets.activations import relu
from naivenas.nets.layers import linear
from naivenas.search.candidate import Candidate
from naivenas.search.encoding import Encoder
from naivenas.search.fitted import Fitted
from naivenas.search.settings import Settings
from naivenas.search.store import Store
from naivenas.search.training import Train
from test_save import Branches, Named, Patches, images, sequences, shared, words

HOME = Path(naivenas.__path__[0])
X, Y = torch.rand(64, 3, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 2

# ------------------------------------------------------------------------------------------- nothing of a file is run

def calls_in(path):
    "Names of the functions that a module calls to run text"
    tree = ast.parse(path.read_text())
    return {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)} & {"eval", "exec", "compile", "__import__"}

def imported(path):
    "The package's own modules that one imports, lazily or not"
    tree, home = ast.parse(path.read_text()), path.parent
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = home if node.level == 1 else HOME
            names = [node.module.replace(".", "/")] if node.module else [a.name for a in node.names]
            yield from (base / f"{n}.py" for n in names if (base / f"{n}.py").exists())
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("naivenas."):
            p = HOME / (node.value.removeprefix("naivenas.").replace(".", "/") + ".py")
            if p.exists(): yield p

def reached(*names):
    found, todo = set(), [HOME / f"{n}.py" for n in names]
    while todo:
        p = todo.pop()
        if p not in found: found.add(p); todo += imported(p)
    return found

READERS = "files/save", "files/checks", "files/contents", "files/values", "files/known", "search/candidate", "search/durable"

def test_no_module_that_a_file_of_naivenas_reaches_runs_text():
    modules = reached("files/values", "files/contents", "files/save")
    assert len(modules) > 30 and HOME / "capture/arrival.py" in modules
    assert not {p.name: calls_in(p) for p in modules if calls_in(p)}
    assert not {n: calls_in(HOME / f"{n}.py") for n in READERS if calls_in(HOME / f"{n}.py")}

def test_text_is_run_in_two_places_that_no_reader_calls():
    "`to_torch` and `to_python` try what they have written themselves; the reader of ONNX takes from there what touches names alone"
    run = {p.relative_to(HOME).as_posix() for p in HOME.rglob("*.py") if calls_in(p)}
    assert run == {"files/plain.py", "files/export.py"}
    tree = ast.parse((HOME / "files/plain.py").read_text())
    bodies = {n.name: {m.id for m in ast.walk(n) if isinstance(m, ast.Name)} for n in tree.body if isinstance(n, ast.FunctionDef)}
    taken = {a.name for n in ast.walk(ast.parse((HOME / "files/onnx_read.py").read_text())) if isinstance(n, ast.ImportFrom) and n.module == "plain" for a in n.names}
    todo, seen = list(taken), set()
    while todo:
        name = todo.pop()
        if name in bodies and name not in seen: seen.add(name); todo += bodies[name]
    assert taken and "eval" not in {n for name in seen for n in bodies[name]}
    assert not any("import_module" in p.read_text() and "pickle" in p.read_text() for p in (HOME / "files").glob("*.py"))

def test_an_import_of_a_module_that_runs_text_would_be_found(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("def f(x): return eval(x)")
    assert calls_in(bad) == {"eval"} and HOME / "files/plain.py" in reached("files/export")

# --------------------------------------------------------------------------------------------------- mutations of all

ODD = ["__import__('os').system('touch ran')", "../../secrets", "/etc/passwd", "..", "", "a/b", "\0", "x" * 5000, "nan", -3, 0, 1, 2**31, 10**15, 10**40, -1.5, float("nan"), float("inf"),
       True, None, [], {}, [[]], {"a": 1}, [None], ["a", "b"]]

def places(value, found=None):
    found = [] if found is None else found
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        found.append((value, key))
        if isinstance(value[key], (dict, list)): places(value[key], found)
    return found

def mutated(value, rng):
    "A copy of a piece of JSON with one place changed: gone, another value, renamed, twice, or deep"
    value = copy.deepcopy(value)
    found = places(value)
    home, key = found[rng.integers(len(found))]
    how, odd = rng.integers(6), copy.deepcopy(ODD[rng.integers(len(ODD))])
    if how == 0: del home[key]
    elif how == 1 and isinstance(home, dict): home[str(odd)] = home.pop(key)
    elif how == 2 and isinstance(home, list): home.append(copy.deepcopy(home[key]))
    elif how == 3:
        other, at = found[rng.integers(len(found))]
        home[key] = copy.deepcopy(other[at])
    else: home[key] = odd
    return value

def text_of(value, rng):
    text = json.dumps(value).encode()
    how = rng.integers(40)
    if how == 0: return text[:rng.integers(len(text))]
    if how == 1: return b"[" * 100_000 + text
    if how == 2: return text.replace(b'"', b"\xff", 1)
    return text

def candidate(k):
    torch.manual_seed(k)
    x = inputvertex("x", 3)
    c = Candidate(Net(x, linear(relu("h" >> linear(x, 4)), 2)), Settings(), id=f"{k:x}", log=["founder"])
    Train(X, Y, lambda c: -.5, steps=2)(c)
    c.fitness = -.5, .25
    return c

def digest(data): return hashlib.sha256(data).hexdigest()

class PopulationFolder:
    def __init__(self, folder):
        self.folder = folder
        Store(folder).save([candidate(1), candidate(2)], 7, {"seed": 0})
        self.home, self.manifest = folder / "generation-000007", json.loads((folder / "manifest.json").read_text())
        self.rows = json.loads((self.home / "candidates.json").read_text())
        self.memory = (self.home / "memory.safetensors").read_bytes()

    def mutate(self, rng):
        manifest, rows, memory = copy.deepcopy(self.manifest), json.dumps(self.rows).encode(), self.memory
        how = rng.integers(10)
        if how < 5: rows = text_of(mutated(self.rows, rng), rng)
        elif how < 7:
            at = rng.integers(len(memory)); memory = memory[:at] + bytes([rng.integers(256)]) + memory[at + 1:]
        manifest["generations"]["7"].update({"candidates.json": digest(rows), "memory.safetensors": digest(memory)})
        if how >= 7: manifest = mutated(manifest, rng)
        (self.home / "candidates.json").write_bytes(rows)
        (self.home / "memory.safetensors").write_bytes(memory)
        (self.folder / "manifest.json").write_bytes(text_of(manifest, rng) if how >= 7 else json.dumps(manifest).encode())

    def read(self):
        found, generation = Store(self.folder).load()
        for c in found or (): c.net(X[:2])
        return found

class FittedFolder:
    def __init__(self, folder):
        self.folder, self.model = folder, Fitted(Encoder().fit(X.numpy(), np.array(["no", "yes"])[Y]), [candidate(1).net])
        self.model.save(folder)
        self.known = json.loads((folder / "model.json").read_text())
    def mutate(self, rng): (self.folder / "model.json").write_bytes(text_of(mutated(self.known, rng), rng))
    def read(self):
        made = load_fitted(self.folder)
        try: made.predict(X[:3].numpy())
        except Exception as e: assert not isinstance(e, (MemoryError, RecursionError))      # an encoder for other data makes sense

class OnnxFile:
    "Constants, attributes, names and bytes of a file"
    def __init__(self, folder):
        onnx = pytest.importorskip("onnx")
        from onnx import TensorProto, helper, numpy_helper
        folder.mkdir()
        self.path, rng = folder / "net.onnx", np.random.default_rng(0)
        w = {"w": rng.normal(size=(4, 3, 3, 3)), "b": rng.normal(size=4), "k": rng.normal(size=(4, 2)), "shape": np.array([0, 4])}
        nodes = [("Conv", ["x", "w", "b"], dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1])), ("Relu", ["0"], {}), ("GlobalAveragePool", ["1"], {}),
                 ("Reshape", ["2", "shape"], {}), ("MatMul", ["3", "k"], {}), ("Softmax", ["4"], dict(axis=-1))]
        made = [helper.make_node(op, into, [str(i)], f"node{i}", **how) for i, (op, into, how) in enumerate(nodes)]
        value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        arrays = [numpy_helper.from_array(a if k == "shape" else a.astype(np.float32), k) for k, a in w.items()]
        graph = helper.make_graph(made, "g", [value("x", ["n", 3, 6, 6])], [value("5", ["n", 2])], arrays)
        self.model, self.load = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), onnx.load
        self.data = self.model.SerializeToString()
        self.path.write_bytes(self.data)

    def mutate(self, rng):
        data = bytearray(self.data)
        if rng.integers(3):
            for _ in range(rng.integers(1, 4)): data[rng.integers(len(data))] = rng.integers(256)
            if not rng.integers(8): data = data[:rng.integers(len(data))]
        else:
            m = copy.deepcopy(self.model)
            t, n = m.graph.initializer[rng.integers(4)], m.graph.node[rng.integers(len(m.graph.node))]
            odd = [-3, 0, 10**15, 2**62][rng.integers(4)]
            changes = [lambda: t.dims.append(odd), lambda: t.__setattr__("data_type", int(rng.integers(30))), lambda: n.input.append(n.output[0]), lambda: n.__setattr__("op_type", ["eval", "", "Loop", "Concat"][rng.integers(4)]),
                       lambda: m.graph.node.append(n), lambda: n.input.__setitem__(0, "nobody"), lambda: n.output.__setitem__(0, "x"), lambda: m.graph.node.remove(n),
                       lambda: n.attribute.append(copy.deepcopy(m.graph.node[0].attribute[0])), lambda: [a.ints.append(odd) for a in n.attribute], lambda: t.__setattr__("name", "a); open('ran', 'w') #"),
                       lambda: (t.ClearField("raw_data"), t.__setattr__("data_location", 1), t.external_data.add(key="location", value="../../../etc/passwd"))]
            changes[rng.integers(len(changes))]()
            data = m.SerializeToString()
        self.path.write_bytes(bytes(data))

    def read(self):
        from naivenas.files.onnx_read import onnx_module
        try: made = onnx_module(self.path)
        except NotImplementedError as e: raise ValueError(str(e)) from None      # what naivenas does not read, said with the file's name
        try: made(torch.rand(2, 3, 6, 6))
        except Exception as e: assert not isinstance(e, (MemoryError, RecursionError))

class NetFile:
    "Nets of several kinds: what they compute with, their tensors, the head of the file, its bytes"
    def __init__(self, folder):
        folder.mkdir()
        torch.manual_seed(0)
        self.path, self.files, self.data = folder / "net", [], None
        made = [images(), sequences(), shared(), words(), *((Net.from_torch(m.eval(), x), [x]) for m, x in ((Patches(), torch.rand(2, 3, 8, 8)), (Branches(), torch.rand(2, 3, 8, 8)), (Named(), torch.rand(2, 4))))]
        for net, data in made:
            net.eval().save(self.path)
            self.files.append((*room._read(self.path), self.path.read_bytes(), data))
            self.data = data
            self.read()      # what is imported on the way is imported now

    def written(self, text, tensors, head):
        from safetensors.torch import save_file
        save_file(tensors, self.path, {"naivenas": "1", "architecture": text, "sha256": room._digest(text, tensors)} | head)

    def mutate(self, rng):
        a, tensors, data, self.data = self.files[rng.integers(len(self.files))]
        how, head = rng.integers(12), {}
        if how == 0:       # bytes
            data = bytearray(data)
            for _ in range(rng.integers(1, 4)): data[rng.integers(min(len(data), 4000) if rng.integers(2) else len(data))] = rng.integers(256)
            self.path.write_bytes(bytes(data[:rng.integers(len(data))] if not rng.integers(6) else data))
            return
        if how < 10: a = mutated(a, rng)
        if how >= 9:       # another tensor, or none
            tensors, key = dict(tensors), [*tensors][rng.integers(len(tensors))]
            t = tensors.pop(key)
            odd = [lambda: t.flatten()[:0], lambda: t.flatten(), lambda: t.double(), lambda: t.long(), lambda: t[None], lambda: torch.full_like(t, float("nan")) if t.is_floating_point() else t - 10**9, lambda: torch.zeros(3)]
            if rng.integers(6): tensors[key if rng.integers(5) else "odd"] = odd[rng.integers(len(odd))]().contiguous()
        if not rng.integers(20): head = [{"naivenas": "2"}, {"naivenas": "../1"}, {"sha256": "0" * 64}, {"sha256": ""}][rng.integers(4)]
        text = text_of(a, rng).decode("latin-1")
        self.written(text, tensors, head)

    def read(self):
        net = Net.load(self.path)
        try: net.eval()(*self.data)
        except Exception as e: assert not isinstance(e, (MemoryError, RecursionError))      # sizes that only data can show to be wrong
        return net

KINDS = {"population": PopulationFolder, "fitted": FittedFolder, "onnx": OnnxFile, "net": NetFile}
seen, watched, hooked = [], [False], []

def watch(event, args):
    if not watched[0]: return
    if event in (*(() if "onnx" in watched[0] else ("exec", "compile")), "os.system", "subprocess.Popen", "os.exec", "pickle.find_class", "socket.connect"): seen.append((event, args))
    if event == "open" and isinstance(args[0], (str, os.PathLike)) and isinstance(args[1], str):
        if not os.path.realpath(args[0]).startswith(watched[0]) and not os.path.realpath(args[0]).startswith((sys.prefix, sys.base_prefix, str(HOME), "/proc", "/dev")): seen.append((event, args))

def attack(kind, tmp_path, times, seed, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = KINDS[kind](tmp_path / kind)
    made.read()      # what is imported on the way is imported now
    if not hooked: hooked.append(sys.addaudithook(watch))
    rng, refused, loaded = np.random.default_rng(seed), 0, 0
    outside = sorted(p for p in tmp_path.iterdir())
    for i in range(times):
        made.mutate(rng)
        watched[0] = os.path.realpath(tmp_path / kind)
        try: made.read()
        except (ValueError, FileNotFoundError) as e:
            refused += 1
            assert str(tmp_path / kind) in str(e), e
        except Exception as e: raise AssertionError(f"mutation {i}: {type(e).__name__}: {e}") from e
        else: loaded += 1
        finally: watched[0] = False
        assert not seen, seen
    assert sorted(tmp_path.iterdir()) == outside, "nothing was written beside it"
    assert not (tmp_path / "ran").exists() and refused > .2 * times and loaded > .02 * times, (refused, loaded)

@pytest.mark.parametrize("kind", KINDS)
def test_mutations_load_or_are_refused_by_file(kind, tmp_path, monkeypatch): attack(kind, tmp_path, 250 if kind == "net" else 700, 1, monkeypatch)

@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_mutations_load_or_are_refused_by_file(kind, tmp_path, monkeypatch): attack(kind, tmp_path, int(os.environ.get("MUTATIONS", 100_000)) // len(KINDS), 2, monkeypatch)

# ------------------------------------------------------------------------------------------------ folders of searches

def test_names_in_a_manifest_lead_nowhere(tmp_path):
    store = Store(tmp_path / "run")
    store.save([candidate(1)], 0)
    secret = tmp_path / "secret"
    secret.write_bytes(b"mine")
    path = tmp_path / "run/manifest.json"
    whole = json.loads(path.read_text())
    for name in ("../secret", "../../secret", str(secret), "..", "a\\b", "c:x", "", "x" * 256, "\u00e9" * 128, "\ud800" * 99):
        bad = copy.deepcopy(whole)
        bad["generations"]["0"][name] = digest(b"mine")
        path.write_text(json.dumps(bad))
        with pytest.raises(ValueError, match="manifest.json is damaged.*no name of a file"): store.load()
    with pytest.raises(ValueError, match="no name of a file"):
        c = candidate(1); c.id = "../../out"
        Store(tmp_path / "other").save([c], 0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other", "run", "secret"]

def test_folders_and_links_in_the_place_of_files(tmp_path):
    store = Store(tmp_path / "run")
    store.save([candidate(1)], 0)
    for name in "candidates.json", "memory.safetensors":
        path = tmp_path / "run/generation-000000" / name
        data = path.read_bytes()
        for put in (path.mkdir, lambda: path.symlink_to(path), lambda: None):
            path.unlink()
            put()
            with pytest.raises(ValueError, match=f"{name} is missing: start again"): store.load()
            if path.is_dir(): path.rmdir()
            if not path.is_symlink(): path.write_bytes(data)
            else: path.unlink(); path.write_bytes(data)
    assert len(store.load()[0]) == 1
    (tmp_path / "run/manifest.json").unlink()
    (tmp_path / "run/manifest.json").mkdir()
    with pytest.raises(ValueError, match="manifest.json is damaged .it is a folder"): store.load()
    with pytest.raises(IsADirectoryError, match="run is a folder, and a net is one file"): Net.load(tmp_path / "run")

def test_what_others_put_into_the_folder_stays(tmp_path):
    store = Store(tmp_path, keep=1)
    foreign = ["generation-000001-copy", "generation-old", "generation-7", "notes", "tables/notes"]
    for name in foreign: (tmp_path / name).mkdir(); (tmp_path / name / ".tmp-mine").write_text("mine")
    (tmp_path / "generation-000099").write_text("a file")
    (tmp_path / "tables/mine.csv").write_text("shopping\nmilk\n")
    (tmp_path / "tables/generation-000050.csv").write_text("shopping\nmilk\n")
    for g in range(3): store.save([candidate(g + 1)], g)
    assert all((tmp_path / name / ".tmp-mine").read_text() == "mine" for name in foreign) and (tmp_path / "generation-000099").is_file()
    assert [p.name for p in sorted(tmp_path.glob("generation-00000?"))] == ["generation-000002"]
    assert Store(tmp_path).load()[1] == 2 and [r["id"] for r in store.lineage("3")] == ["3"]

def test_a_link_in_the_folder_is_not_followed_by_what_cleans_up(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / ".tmp-x").write_text("mine")
    store = Store(tmp_path / "run", keep=1)
    (tmp_path / "run/generation-000000").symlink_to(outside)
    (tmp_path / "run/.tmp-link").symlink_to(outside)
    Store(tmp_path / "run", keep=1).save([candidate(1)], 5)
    assert (outside / ".tmp-x").read_text() == "mine"

def test_more_than_a_million_generations(tmp_path):
    store = Store(tmp_path, keep=2)
    for k, g in enumerate((999_998, 999_999, 1_000_000, 1_000_001)):
        c = candidate(k + 1)
        c.parents = (f"{k:x}",) if k else ()
        store.save([c], g)
    assert sorted(p.name for p in tmp_path.glob("generation-*")) == ["generation-1000000", "generation-1000001"]
    assert Store(tmp_path).load()[1] == 1_000_001 and Store(tmp_path).load(1_000_000)[0][0].id == "3"
    assert [r["id"] for r in store.lineage("4")] == ["1", "2", "3", "4"]

WRITER = "import sys, time\nfrom naivenas.search.durable import claimed\nfrom pathlib import Path\nwith claimed(Path(sys.argv[1])): print('on', flush=True); time.sleep(600)"

def test_a_second_writer_is_refused_and_a_dead_one_holds_nothing(tmp_path):
    store = Store(tmp_path)
    store.save([candidate(1)], 0)
    other = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(HOME.parent)})
    try:
        assert other.stdout.readline() == "on\n"
        (tmp_path / ".tmp-live").write_text("of the one who writes")
        with pytest.raises(BlockingIOError, match=f"{tmp_path.name} is being written to by another search.*another folder"): store.save([candidate(2)], 1)
        assert Store(tmp_path).load()[1] == 0 and (tmp_path / ".tmp-live").exists(), "looking is allowed, sweeping is not"
    finally: other.kill(); other.wait()
    store.save([candidate(2)], 1)
    assert Store(tmp_path).load()[1] == 1 and not (tmp_path / ".tmp-live").exists()
    with store.claimed():
        store.save([candidate(3)], 2)
        with pytest.raises(BlockingIOError): Store(tmp_path).save([candidate(4)], 3)
        if pid := os.fork(): os.waitpid(pid, 0)
        else: os._exit(0)      # closes its copies of all files
        with pytest.raises(BlockingIOError): Store(tmp_path).save([candidate(4)], 3)

# ------------------------------------------------------------------------------------------------------ rights, links

@pytest.mark.skipif(os.name == "nt", reason="POSIX rights")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_files_get_the_usual_rights(mask, tmp_path):
    before = os.umask(mask)
    try:
        net = candidate(1).net
        for _ in range(2): net.save(tmp_path / "net")
        Store(tmp_path / "run").save([candidate(1)], 0)
        Fitted(Encoder().fit(X.numpy(), Y.numpy()), [net]).save(tmp_path / "fitted")
    finally: os.umask(before)
    for p in tmp_path.rglob("*"):
        if p.is_file(): assert stat.S_IMODE(p.stat().st_mode) == 0o666 & ~mask, p

@pytest.mark.skipif(os.name == "nt", reason="links")
def test_a_link_stays_a_link_and_leads_to_the_new_file(tmp_path):
    (tmp_path / "far").mkdir()
    net, place, link = candidate(1).net, tmp_path / "far/net", tmp_path / "link"
    net.save(place)
    link.symlink_to(place)
    candidate(2).net.save(link)
    assert link.is_symlink() and torch.equal(Net.load(place)(X), candidate(2).net(X))
    assert [p.name for p in (tmp_path / "far").iterdir()] == ["net"]
