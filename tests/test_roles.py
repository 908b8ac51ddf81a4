"Roles are asked, and not compared: each answers everything, and no module looks for words or for methods that may be there"
import ast, copy, importlib, inspect, json, pickle, pkgutil
from functools import partial
from pathlib import Path
import numpy as np, pytest, torch
import naivenas
from naivenas import Dense, Graph, Net, SizeError, absorb, indexmap, inputvertex, invariant, linear, relaxed
from naivenas.extend import Flow, IndexMap, Layout, Role, Rule, savable
from naivenas.graph.axes import unchanged
from naivenas.graph.moves import split
from naivenas.graph.roles import Gather, Heads, Slice, Adopted, Moves, role_of, ROLES
from naivenas.graph.vertex import Vertex, stack
from naivenas.nets.kinds import Masked

HOME = Path(naivenas.__file__).parent
FACTS = "given makes fixed freezes alike joins maps sized".split()
METHODS = "size moves meets holds glue follow resized".split()

def texts(node): return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]

def of_a_role(node): return isinstance(node, ast.Attribute) and node.attr == "role" or isinstance(node, ast.Name) and node.id == "role"

def guesses(source):
    "`[(line, what), ...]`: where words are compared with a role, and where a role or its methods are looked for"
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(map(of_a_role, sides)) and any(set(texts(s)) & {*ROLES} for s in sides): found.append((node.lineno, "word"))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            if node.func.id in ("hasattr", "callable", "isinstance") and of_a_role(node.args[0]): found.append((node.lineno, node.func.id))
            if node.func.id in ("hasattr", "getattr") and "follow" in texts(node): found.append((node.lineno, "follow"))
    return found

@pytest.mark.parametrize("line, what", [("if v.role == 'absorb': pass", "word"), ("if 'stack' != u.role: pass", "word"), ("x = role in ('input', 'scalar')", "word"),
                                        ("hasattr(v.role, 'meets')", "hasattr"), ("callable(v.role)", "callable"), ("hasattr(v.op, 'follow')", "follow")])
def test_planted_guesses_are_found(line, what): assert guesses(line) == [(1, what)]

def test_nobody_guesses():
    found = {str(p.relative_to(HOME)): guesses(p.read_text()) for p in sorted(HOME.rglob("*.py"))}
    allowed = {"graph/roles.py": ["follow", "follow"],       # of what was written for 0.1; `follows` asks an operation, in one place
               "capture/neurons.py": ["isinstance"], "nets/trials.py": ["isinstance"], "nets/following.py": ["isinstance"] * 2}     # only a flow has layouts
    assert {k: [what for _, what in v] for k, v in found.items() if v} == allowed

def kinds_of_role():
    for m in pkgutil.walk_packages([str(HOME)], "naivenas."):
        if "apps" not in m.name and "__main__" not in m.name: importlib.import_module(m.name)
    todo, found = [Role], []
    while todo:
        todo += todo[0].__subclasses__()
        found.append(todo.pop(0))
    return [c for c in found if c.__module__.startswith("naivenas.")]

def test_every_kind_of_role_answers_everything():
    kinds = kinds_of_role()
    assert {c.__name__ for c in kinds} == {"Role", "Word", "IndexMap", "Input", "Absorb", "Invariant", "Stack", "Fixed", "Scalar", "Moves", "Adopted", "Heads", "Flow", "Masked"}
    for c in kinds:
        assert all(isinstance(getattr(c, fact), bool) for fact in FACTS), c
        assert [m for m in METHODS if not callable(getattr(c, m)) and not issubclass(c, Moves)] == []
        own = [k for k, f in vars(c).items() if inspect.isfunction(f) and k[0] != "_"]
        assert {*own} <= {*METHODS} | {"arrays"}, c                          # and nobody has further questions to answer

l = Layout((1, 6), (1,))
EACH = {**{w: r for w, r in ROLES.items()}, "moves": Moves(lambda *i: i[0][::-1]), "heads": Heads(2, 6), "masked": Masked(2, 6), "flow": Flow(unchanged, [l], l)}

@pytest.mark.parametrize("name", EACH)
def test_a_role_answers(name):
    role, n = EACH[name], {"stack": 2, "masked": 4}.get(name, 1)
    labels = [np.arange(6) + 6 * k for k in range(n)]
    made = role.moves(*labels)
    assert made is None or len(made) == 6 * (2 if name == "stack" else 1)
    assert (made is None) == (role.makes or role.fixed)
    out = np.arange(6) + 100
    assert all(len(a) == len(b) for a, b in role.meets(*labels, out)) and [*role.holds(*labels, out)] == [] and (role.glue(-1) is None or len(role.glue(-1)) == 6)
    later = role.follow([np.arange(7)] * n, 6)
    assert isinstance(later, type(role)) and (role.sized or later is role)
    assert role.resized(Dense(6, 6), [np.arange(6)] * n, np.arange(6)).keys() == ({*()} if role.sized else {"w", "b"})
    assert sum((role.given or role.fixed, role.makes, role.alike, role.joins, role.maps)) == 1
    assert role_of(role.written) == role and role_of(role) is role
    again = [copy.copy(role), copy.deepcopy(role)] + ([pickle.loads(pickle.dumps(role))] if name != "moves" else [])
    assert all(type(r) is type(role) and [getattr(r, f) for f in FACTS] == [getattr(role, f) for f in FACTS] for r in again)

@pytest.mark.parametrize("word", ["input", "absorb", "invariant", "stack", "immutable", "scalar"])
def test_words_are_what_they_were(word):
    v = Vertex(Dense(2, 2), [], word, 2)
    assert v.role == word and word == v.role and v.role != "other" and not v.role != word and v.role in (word, "other") and {word: 1}[v.role] == 1
    assert repr(v.role) == repr(word) and f"{v.role:>12}" == f"{word:>12}" and isinstance(v.role, str) and not callable(v.role)
    assert json.dumps(v.role) == json.dumps(word) and pickle.loads(pickle.dumps(v.role)) is v.role is copy.deepcopy(v.role)
    v.role = "absorb"
    assert v.role.makes

def test_index_maps_are_what_they_were():
    move, op = partial(np.repeat, repeats=2), Slice(1, 3)
    v, w = indexmap(move, inputvertex("x", 3), moves=move), split(inputvertex("y", 4), [1, 3])[1]
    assert v.role == move and repr(v.role) == repr(move) and callable(v.role) and v.role(np.arange(2)).tolist() == [0, 0, 1, 1] and hash(v.role) == hash(move)
    assert w.role == w.op.moves and w.role != op.moves and w.role(np.arange(4)).tolist() == [1, 2, 3]

def test_unknown_roles_are_refused_in_words():
    with pytest.raises(ValueError, match="there is no role 'absorbs': a role is .*absorb.*function that moves positions"): Vertex(Dense(2, 2), [], "absorbs", 2)
    with pytest.raises(TypeError, match="a role is .*, not 3"): Vertex(Dense(2, 2), [], 3, 2)
    with pytest.raises(ValueError, match="no role 'sorb'"): Rule("sorb")
    with pytest.raises(ValueError, match="no role 'sorb'"): naivenas.register(torch.nn.Fold, role="sorb")
    assert Rule("absorb").role == "absorb" and "role='absorb'" in repr(Rule("absorb"))
    v = inputvertex("x", 2)
    with pytest.raises(ValueError, match="no role 'nothing'"): v.role = "nothing"
    assert v.role == "input"

class Turned(IndexMap):
    "Neurons i and i + n/2 are turned together, and so stay or go together"
    sized = True
    def moves(self, i): return i
    def meets(self, i, out): return [tuple(np.split(i, 2))]

def turn(x):
    a, b = torch.chunk(x, 2, -1)
    return torch.cat([.6 * a - .8 * b, .8 * a + .6 * b], -1)

@pytest.mark.parametrize("seed", range(3))
def test_a_role_of_ones_own(seed, tmp_path):
    savable(turn, Turned)
    torch.manual_seed(seed)
    x = inputvertex("x", 3)
    net = Net(x, "out" >> linear("turn" >> indexmap(turn, "in" >> linear(x, 8), moves=Turned()), 2))
    X, worth = torch.randn(4, 3), np.random.default_rng(seed).random(8)
    with pytest.raises(SizeError): net.resize("in", -1)
    w, b, o = (t.detach().clone() for t in (net["in"].op.weight, net["in"].op.bias, net["out"].op.weight))
    best = np.sort(np.argsort(worth[:4] + worth[4:])[1:])       # the worst pair goes
    keep = torch.as_tensor(np.r_[best, best + 4])
    net.resize("in", -2, by={"in": worth})
    assert torch.equal(net["in"].op.weight, w[keep]) and torch.equal(net["out"].op.weight, o[:, keep]) and type(net["turn"].role) is Turned
    assert torch.allclose(net(X), turn(X @ w[keep].T + b[keep]) @ o[:, keep].T + net["out"].op.bias, atol=1e-6)
    y = net(X)
    net.resize("in", relaxed(+4))
    assert net["in"].nout == 10 and torch.allclose(net(X), y, atol=1e-6)
    again = Net.load(net.save(tmp_path / "net.safetensors"))
    assert type(again["turn"].role) is Turned and torch.equal(again(X), net(X))
    with pytest.raises(ValueError, match="takes 1 input, not 2"): again.connect("in", "turn")
    assert again.resize("in", -2) and again["turn"].nout == 8

def test_files_say_words_and_functions(tmp_path):
    x = inputvertex("x", 4)
    a, b = split("d" >> linear(x, 4), [2, 2])
    net = Net(x, naivenas.cat(naivenas.relu(a), b))
    path = net.save(tmp_path / "net.safetensors")
    from safetensors import safe_open
    with safe_open(path, "pt") as f: rows = json.loads(f.metadata()["architecture"])["vertices"]
    assert [r[3] for r in rows] == ["input", "absorb", {"moves": True}, "invariant", {"moves": True}, "stack"]

def test_graphs_are_copied_with_their_roles():
    x = inputvertex("x", 3)
    g = Graph(x, absorb(Dense(7, 2), stack(np.hstack, *split("d" >> absorb(Dense(3, 4), x), [2, 2]), invariant(np.tanh, x))))
    for twin in copy.deepcopy(g), pickle.loads(pickle.dumps(g)):
        assert [v.role == w.role or v.role.maps for v, w in zip(g, twin)] == [True] * len(g)
        assert all(v.role == v.op.moves for v in twin if v.role.maps)      # its own operation's, not the other graph's
        twin.resize("d", -1)
        assert [v.nout for v in g] == [3, 4, 2, 2, 3, 7, 2]

class Written:
    "A role as one could write it for 0.1: it has nothing of `Role`"
    def __init__(self, width, count): self.width, self.count = width, count
    def __call__(self, i): return i
    def meets(self, i, out): return [(np.repeat(i[::self.width], self.width), a) for a in (i, out)]
    def holds(self, *labels): return []
    def glue(self, port): return np.arange(1, self.count + 1) % self.width > 0
    def follow(self, begins, count): return Written(self.width, count)
    def resized(self, op, ins, out): return {}

class OnlyMeets:
    def __call__(self, i): return i
    def meets(self, i, out): return [tuple(np.split(i, 2))]

class Swapped(Heads):
    "As one could derive it in 0.1, too"
    def __call__(self, *arrays): return super().__call__(*arrays)[::-1]
    def follow(self, begins, count): return Swapped(self.width, count)

@pytest.mark.parametrize("role, step", [(Written(2, 8), 2), (OnlyMeets(), 2), (Heads(2, 8), 2), (Heads(4, 8), 4)])
def test_roles_that_were_written_for_0_1_go_on_working(role, step):
    x = inputvertex("x", 3)
    g = Graph(x, absorb(Dense(8, 2), "turn" >> indexmap(np.array, "in" >> absorb(Dense(3, 8), x), moves=role)))
    assert g["turn"].role.sized and g["turn"].role.maps and g["turn"].role(np.arange(8)).tolist() == [*range(8)]
    with pytest.raises(SizeError): g.resize("in", -1)
    g.resize("in", -step)
    assert g["turn"].nout == g["in"].nout == 8 - step and g["turn"].role.sized
    assert isinstance(g["turn"].role.written, type(role))
    g.resize("in", +step)
    assert g["turn"].nout == 8
    twin = pickle.loads(pickle.dumps(copy.deepcopy(g)))
    assert twin.resize("in", -step) and twin["turn"].nout == 8 - step

def test_index_maps_may_be_called_or_move():
    assert Swapped(2, 6).moves(np.arange(6)).tolist() == Swapped(2, 6)(np.arange(6)).tolist() == [*range(6)][::-1]
    class Both(Swapped):
        def moves(self, i): return super().moves(i)[1:]
    assert Both(2, 6).moves(np.arange(6)).tolist() == Both(2, 6)(np.arange(6)).tolist() == [4, 3, 2, 1, 0]
    assert Vertex(np.array, [inputvertex("x", 6)], Both(2, 6)).nout == 5

def test_a_class_is_no_role():
    with pytest.raises(TypeError, match="not <class .*Turned"): Vertex(turn, [inputvertex("x", 2)], Turned)
