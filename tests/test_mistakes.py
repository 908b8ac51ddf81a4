"""Mistakes of a first hour: refused in a sentence of ours, which names what was given and says what works, and nothing has changed, bit for bit"""
import copy, hashlib, re
from pathlib import Path

import numpy as np, pytest, torch
from torch import nn

import naivenas
from naivenas import *
from naivenas import draw, explore, prune, shuffle, split
from naivenas.capture.trace import Untraceable

HOME = str(Path(naivenas.__file__).parent)

# ------------------------------------------------------------------------------------------------------ what must not change

def bits(thing):
    "All that could change of a thing, as plain values"
    if torch.is_tensor(thing): return str(thing.dtype), tuple(thing.shape), None if thing.is_meta else hashlib.sha256(thing.detach().numpy().tobytes()).hexdigest()
    if isinstance(thing, (list, tuple)): return [bits(t) for t in thing]
    if isinstance(thing, dict): return [(k if isinstance(k, str) else "", bits(v)) for k, v in thing.items()]
    if isinstance(thing, torch.optim.Optimizer): return bits(thing.state_dict()), [[id(p) for p in g["params"]] for g in thing.param_groups]
    if isinstance(thing, nn.Module):
        parts = [(name, id(m), m.training, repr(m) if not [*m.children()] else "", len(m._forward_pre_hooks), len(m._forward_hooks)) for name, m in thing.named_modules()]
        wiring = [(v.name, v.nout, id(v.op), [u.name for u in v.inputs]) for v in thing] if isinstance(thing, Net) else []
        more = [len(thing.optimizers), len(thing.twins), sorted(v.name for v in thing.frozen), id(thing.version), thing.inputs, thing.outputs] if isinstance(thing, Net) else []
        return bits(dict(thing.state_dict())), parts, wiring, more
    return repr(thing)

def refused(act, kind, says, *things):
    "The message of the error of this kind, raised by a line of ours, that says all of `says` (patterns); nothing has changed, chance neither"
    before, chance = bits(things), torch.get_rng_state()
    with pytest.raises(kind) as info: act()
    trace = info.value.__traceback__
    while trace.tb_next: trace = trace.tb_next
    assert trace.tb_frame.f_code.co_filename.startswith(HOME), f"raised in {trace.tb_frame.f_code.co_filename}: {info.value}"
    message = str(info.value)
    for pattern in says: assert re.search(pattern, message), f"{pattern!r} is not in {message!r}"
    assert bits(things) == before and torch.equal(torch.get_rng_state(), chance)
    assert len(message) < 400
    return message

def cnn():
    x = inputvertex("image", 3)
    c1 = "c1" >> conv(x, 16)
    res = "res" >> c1 + ("c2" >> conv("act" >> relu("bn" >> batchnorm(c1)), 16))
    return Net(x, "y" >> linear("gp" >> globalpool("cat" >> cat(res, "c3" >> conv(res, 8))), 10))

def seq(): return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 3, padding=1))

IMAGES = torch.rand(2, 3, 8, 8)

# -------------------------------------------------------------------------------------------------------- a module comes in

class Branch(nn.Module):
    def forward(self, x): return x if x.sum() > 0 else -x

class Loop(nn.Module):
    def forward(self, x):
        for _ in range(int(x.sum())): x = x + 1
        return x

class Noisy(nn.Module):
    def forward(self, x): return x + torch.rand_like(x)

class Dropping(nn.Module):
    def forward(self, x): return nn.functional.dropout(x, .5)

class Packed(nn.Module):
    def __init__(self): super().__init__(); self.cell = nn.LSTM(4, 8, batch_first=True)
    def forward(self, x, n): return self.cell(nn.utils.rnn.pack_padded_sequence(x, n, batch_first=True, enforce_sorted=False))[1][0]

WRONG = {"shape": (((2, 3, 8, 8),), TypeError, [r"shape, \(2, 3, 8, 8\)", r"torch\.zeros\(2, 3, 8, 8\)"]),
         "numbers for a shape": ((2, 3, 8, 8), TypeError, [r"shape", r"torch\.zeros\(2, 3, 8, 8\)"]),
         "torch.Size": ((IMAGES.shape,), TypeError, [r"shape", r"torch\.zeros\(2, 3, 8, 8\)"]),
         "numpy": ((IMAGES.numpy(),), TypeError, ["numpy array", "Sequential", r"torch\.from_numpy"]),
         "numpy in a list": (([IMAGES.numpy()],), TypeError, ["numpy array", r"torch\.from_numpy"]),
         "numbers": (([[1., 2.]],), TypeError, ["numbers", r"torch\.tensor"]),
         "None": ((None,), TypeError, ["'input'", "batch"]), "nothing": ((), TypeError, ["'input'", "batch"]), "text": (("x.png",), TypeError, ["'x.png'", "takes tensors"]),
         "dict": (({"input": IMAGES},), Untraceable, ["Sequential", r"dictionary.*\*\*example"]),
         "channels": ((IMAGES[:, :2],), Untraceable, [r"layer '0' \(Conv2d\) takes 3 channels", "given 2"]),
         "no batch": ((IMAGES[0],), Untraceable, ["Conv2d '0'", "batch", r"example\[None\]"]),
         "doubles": ((IMAGES.double(),), Untraceable, ["float64", r"example\.to\(torch\.float32\)"]),
         "integers": ((IMAGES.long(),), Untraceable, ["int64", r"example\.to\(torch\.float32\)"]),
         "another device": ((IMAGES.to("meta"),), Untraceable, ["weights of Sequential are on cpu", "on meta", r"\.to\("]),
         "two": ((IMAGES, IMAGES), TypeError, ["takes \\(input\\)", "too many"]), "an option": ((IMAGES, .5), TypeError, [r"0\.5", "by name"])}

@pytest.mark.parametrize("name", WRONG)
def test_examples_that_a_module_cannot_be_called_with(name):
    example, kind, says = WRONG[name]
    module = seq()
    refused(lambda: Net.from_torch(module, *example), kind, says, module)
    refused(lambda: prune(module, *example, keep=.5), kind, says, module)

@pytest.mark.parametrize("given, says", [(nn.Linear, [r"Linear is a class", r"Linear\(\.\.\.\)"]), ("model.pt", ["'model.pt'", "load its weights"]), (seq().state_dict(), ["OrderedDict", "load_state_dict"]),
                                         (torch.relu, ["builtin_function", "build the module"]), (None, ["None", "build the module"])], ids=["class", "path", "state dict", "function", "nothing"])
def test_what_is_no_module(given, says):
    refused(lambda: Net.from_torch(given, IMAGES), TypeError, says)

def test_a_scripted_module(recwarn):
    refused(lambda: Net.from_torch(torch.jit.script(nn.ReLU()), IMAGES), TypeError, ["scripted", "nn.Module that it was made of"])

def test_a_misspelt_option_of_an_import():
    module = seq()
    refused(lambda: Net.from_torch(module, IMAGES, shre=False), TypeError, ["'shre'", "share"], module)

@pytest.mark.parametrize("module, example, says", [
    (Branch(), (IMAGES,), ["Branch", "decides by the numbers", "if x.sum", r"test_mistakes\.py:\d+", r"torch\.where"]),
    (Loop(), (IMAGES,), ["Loop", r"range\(int\(x.sum", r"test_mistakes\.py:\d+", "fixed number of steps"]),
    (Noisy(), (IMAGES,), ["Noisy", "random in evaluation mode", r"self\.training"]), (Dropping(), (IMAGES,), ["Dropping", "random", r"functional\.dropout"]),
    (Packed(), (torch.rand(3, 5, 4), torch.tensor([5, 3, 2])), ["Packed", "LSTM 'cell'", "packed", "padded sequences work"])], ids=lambda x: type(x).__name__)
def test_modules_that_cannot_become_a_net(module, example, says):
    refused(lambda: Net.from_torch(module, *example), Untraceable, says, module)

def test_the_first_call_leaves_a_module_as_it_was():
    module = seq().train()
    before, chance = bits(module), torch.get_rng_state()
    Net.from_torch(module, IMAGES)
    assert bits(module) == before and torch.equal(torch.get_rng_state(), chance) and all(p.grad is None for p in module.parameters())

def test_layers_take_what_has_no_batch_where_none_is_meant():
    "A layer that works on a parameter, not on the example, may do without a batch"
    class Prompted(nn.Module):
        def __init__(self): super().__init__(); self.prompt, self.mix, self.out = nn.Parameter(torch.rand(4)), nn.Linear(4, 4), nn.Linear(4, 2)
        def forward(self, x): return self.out(x + self.mix(self.prompt))
    module, x = Prompted(), torch.rand(3, 4)
    assert torch.allclose(Net.from_torch(module, x)(x), module(x))

def test_wrapped_modules_have_the_names_of_what_is_within():
    module = seq().eval()
    want = module(IMAGES).detach()
    net = Net.from_torch(nn.DataParallel(module), IMAGES, share=False)
    assert net.names == Net.from_torch(module, IMAGES).names and torch.allclose(net(IMAGES), want, atol=1e-6)

def test_a_net_can_be_made_and_cut_without_numbers():
    with torch.device("meta"): module = seq()
    net = Net.from_torch(module.eval(), IMAGES.to("meta"))
    net.resize("0", -3)
    assert net["2"].op.weight.shape == (4, 5, 3, 3) and net(IMAGES.to("meta")).shape == (2, 4, 8, 8) and net["2"].op.weight.is_meta

class Written(nn.Module):
    def __init__(self, rest): super().__init__(); self.c, self.l, self.rest = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8 * 64, 2), rest
    def forward(self, x):
        return self.l(self.c(x).reshape(*self.rest))

def test_a_module_that_breaks_by_being_cut_is_told_of_by_trying(caplog):
    with caplog.at_level("WARNING", "naivenas"):
        for rest in (2, -1), (-1, 512):
            module, caught = Written(rest).eval(), None
            caplog.clear()
            net = Net.from_torch(module, IMAGES)
            said = caplog.text
            net.resize("c", -3)
            try: module(IMAGES)
            except RuntimeError as e: caught = e
            assert bool(caught) == ("Written has sizes written in its own code" in said) == (rest == (-1, 512))
            assert net(IMAGES).shape == (2, 2)
    assert said.count("self.c(x).reshape(*self.rest)") == said.count("share=False") == 1
    caplog.clear()
    with caplog.at_level("WARNING", "naivenas"): Net.from_torch(Written((-1, 512)), IMAGES, share=False)
    assert "sizes written in its own code" not in caplog.text

# ------------------------------------------------------------------------------------------------------ a network is written

X, LINEAR, CONV = inputvertex("x", 12), nn.Linear(12, 2), nn.Conv2d(12, 8, 3)
Y = "y" >> linear(X, 2)
WORDS = dict(conv=lambda v: conv(v, 8), linear=lambda v: linear(v, 8), convtranspose=lambda v: convtranspose(v, 8), bilinear=lambda v: bilinear(X, v, 8), attention=lambda v: attention(v, 2), batchnorm=batchnorm,
             layernorm=layernorm, rmsnorm=rmsnorm, groupnorm=lambda v: groupnorm(v, 2), instancenorm=instancenorm, dropout=naivenas.nets.layers.dropout, maxpool=maxpool, avgpool=avgpool, globalpool=globalpool,
             upsample=upsample, pixelshuffle=pixelshuffle, pixelunshuffle=pixelunshuffle, flatten=flatten, cat=lambda v: cat(X, v), split=lambda v: split(v, [4, 8]), shuffle=lambda v: shuffle(v, 3),
             embedding=lambda v: embedding(v, 8), rnn=lambda v: rnn(v, 8), lstm=lambda v: lstm(v, 8), gru=lambda v: gru(v, 8), relu=relu, elu=elu, selu=selu, gelu=gelu, silu=silu, sigmoid=sigmoid, tanh=tanh,
             leakyrelu=leakyrelu, layer=lambda v: layer(LINEAR, v), last=naivenas.nets.layers.last)

@pytest.mark.parametrize("word", WORDS)
def test_words_for_layers_read_vertices(word):
    for given, says in (IMAGES, "Tensor.*inputvertex"), (np.ones(3), "numpy array.*inputvertex"), (3, r"not 3.*inputvertex"), ("x", r"'x'.*net\['x'\]"), (CONV, r"Conv2d.*layer\(module, vertex\)"), (None, "None"):
        refused(lambda: WORDS[word](given), TypeError, ["reads a vertex, not", says])

NUMBERS = [("conv", "nout", 1), ("conv", "k", 1), ("conv", "stride", 1), ("conv", "dilation", 1), ("conv", "padding", 0), ("conv", "groups", 1), ("linear", "nout", 1), ("convtranspose", "nout", 1), ("convtranspose", "k", 1),
           ("convtranspose", "output_padding", 0), ("groupnorm", "groups", 1), ("maxpool", "k", 1), ("maxpool", "stride", 1), ("avgpool", "padding", 0), ("pixelshuffle", "scale", 1), ("flatten", "pixels", 1), ("shuffle", "groups", 1),
           ("embedding", "nout", 1), ("embedding", "words", 1), ("lstm", "nout", 1), ("gru", "nout", 1), ("rnn", "nout", 1), ("attention", "heads", 1), ("attention", "size", 1)]

@pytest.mark.parametrize("word, option, least", NUMBERS)
def test_numbers_of_layers_are_whole_and_large_enough(word, option, least):
    make = getattr(naivenas, word, None) or getattr(naivenas.nets.layers, word)
    usual = {"nout": 12} if word in ("conv", "linear", "convtranspose", "embedding", "lstm", "gru", "rnn") else {"heads": 2} if word == "attention" else {}
    for wrong in least - 1, -7, 1.5, "5", True, np.nan:
        if option == "padding" and word == "conv" and wrong == "5": continue
        message = refused(lambda: make(X, **usual | {option: wrong}), (TypeError, ValueError), [re.escape(repr(wrong))])
        assert f"at least {least}" in message and word in message
    assert make(X, **usual | {option: np.int64(4 if option == "scale" else 2) if option != "scale" else np.int64(2)})

@pytest.mark.parametrize("written, kind, says", [
    (lambda: conv(X, 8, groups=5), SizeError, ["5 groups", "12 neurons of x"]), (lambda: conv(X, 8, groups=3), SizeError, ["3 groups", "8 channels"]), (lambda: conv(X, 8, k=(3, 3, 3)), ValueError, ["k", "one number or 2"]),
    (lambda: conv(X, 8, padding="sam"), ValueError, ["'sam'", "'same'"]), (lambda: conv(X, 8, dim=4), ValueError, ["dim", "1, 2 or 3", "not 4"]), (lambda: batchnorm(X, 16), ValueError, ["16", "1, 2 or 3"]),
    (lambda: attention(X, 5), SizeError, ["5 heads", "12 neurons of x"]), (lambda: globalpool(X, "median"), ValueError, ["'mean' or 'max'", "'median'"]), (lambda: upsample(X, 0), ValueError, ["scale", "not 0"]),
    (lambda: inputvertex("x", 0), ValueError, ["at least 1", "not 0"]), (lambda: inputvertex(3, "x"), TypeError, [r"inputvertex\(name, size\)", "not 3"]), (lambda: inputvertex("x", (3, 8)), TypeError, ["channels", r"\(3, 8\)"]),
    (lambda: X + torch.ones(12), TypeError, ["add", "Tensor", "layer"]), (lambda: np.ones(12) * X, TypeError, ["mul", "numpy array", "layer"]), (lambda: torch.ones(12) * X, TypeError, ["mul", "Tensor", "layer"]),
    (lambda: CONV(X), TypeError, ["conv2d", "vertex, x", r"layer\(module, x\)"]), (lambda: torch.relu(X), TypeError, ["relu", "vertex, x"]), (lambda: torch.cat([X, X]), TypeError, ["cat", "vertex, x"]),
    (lambda: nn.BatchNorm2d(12)(X), AttributeError, ["a vertex has no 'dim'"]), (lambda: cat([X, X]), TypeError, ["list", r"cat\(a, b\)"]), (lambda: layer(nn.ReLU, X), TypeError, ["ReLU is a class"]),
    (lambda: layer(X, nn.ReLU()), TypeError, ["module comes first"]), (lambda: layer(torch.relu, X), TypeError, ["builtin_function", "invariant"]), (lambda: X >> "name", TypeError, ["'name' >> vertex"]),
    (lambda: Net(X, []), ValueError, ["needs an output"]), (lambda: Net(X, None), TypeError, ["outputs", "not None"]), (lambda: Net(X, {"y": Y}), TypeError, ["outputs", "dict"]),
    (lambda: Net(Y, X), ValueError, ["y is not an input vertex", "inputvertex"]), (lambda: Net(IMAGES, Y), TypeError, ["inputs", "Tensor", "inputvertex"])])
def test_networks_that_cannot_be_written(written, kind, says):
    refused(written, kind, says)

def test_numbers_without_axes_still_take_part():
    net = Net(x := inputvertex("x", 3), torch.tensor(2.) * x + np.float64(1))
    assert torch.equal(net(torch.ones(1, 3)), torch.full((1, 3), 3.))

# -------------------------------------------------------------------------------------------------------------- it is called

def minus(): a, b = inputvertex("a", 3), inputvertex("b", 3); return Net([a, b], "y" >> a - b)
ONE, ZERO = torch.ones(1, 3), torch.zeros(1, 3)

@pytest.mark.parametrize("values, named, says", [((), {}, ["a, b are missing"]), ((ONE,), {}, ["b is missing", "takes a, b"]), ((ONE, ZERO, ONE), {}, ["3 values are too many", "takes a, b"]), ((ONE, ZERO.numpy()), {}, ["b", "numpy", "from_numpy"]),
                                                 ((), dict(a=ONE, bb=ZERO), ["'bb'", "takes a, b"]), ((ONE,), dict(a=ZERO), ["a was given twice"]), ((ONE, ZERO), dict(b=ZERO), ["b was given twice"]), ((ONE, 3), {}, ["b came as 3"]),
                                                 ((ONE, [1, 2]), {}, ["b came as a list"]), ((dict(a=ONE, b=ZERO),), {}, ["by name", r"net\(\*\*values\)"]), ((ONE,), dict(b=None), ["b came as None"]), ((ONE, ZERO), dict(c=3), ["'c'"])])
def test_inputs_that_do_not_fit(values, named, says):
    net = minus()
    refused(lambda: net(*values, **named), TypeError, says, net)

def test_inputs_by_name_in_any_order():
    net = minus()
    assert all(torch.equal(y, ONE) for y in (net(ONE, ZERO), net(b=ZERO, a=ONE), net(ONE, b=ZERO), net([ONE, ZERO]), net((ONE,), b=ZERO)))

def test_keys_of_a_dictionary_tell_the_place_in_any_order():
    class Minus(nn.Module):
        def forward(self, batch): return batch["one"] - batch["zero"]
    net = Net.from_torch(Minus(), {"one": ONE, "zero": ZERO})
    assert torch.equal(net({"zero": ZERO, "one": ONE}), ONE) and torch.equal(net(batch={"zero": ZERO, "one": ONE}), ONE)

@pytest.mark.parametrize("value", [IMAGES.double(), (255 * IMAGES).byte(), IMAGES.half()], ids=lambda x: str(x.dtype))
def test_inputs_of_another_type(value):
    net = cnn().eval()
    message = refused(lambda: net(value), RuntimeError, [f"image came as {str(value.dtype)[6:]}", r"image\.to\(torch\.float32\)"], net)
    assert "c1" in message

# ------------------------------------------------------------------------------------------------------------ names of things

@pytest.mark.parametrize("key, kind, says", [("c11", KeyError, ["'c11'", "did you mean c1"]), ("stage1", KeyError, ["'stage1'", "there are image, c1"]), (99, IndexError, ["99", "10 vertices"])])
def test_vertices_that_are_not_there(key, kind, says):
    net = cnn()
    refused(lambda: net.resize(key, -4), kind, says, net)
    refused(lambda: net[key], kind, says, net)

def test_a_vertex_of_another_net():
    net, other = cnn(), cnn()
    refused(lambda: net.resize(other["c1"], -4), KeyError, ["c1", "another", r"net\['c1'\]"], net, other)

def test_misspelt_names_of_the_package_solvers_and_data():
    refused(lambda: naivenas.magnitud, AttributeError, ["'magnitud'", "did you mean magnitude"])
    net = cnn()
    refused(lambda: net.resize("c1", -4, solver="Gurobbi"), ValueError, ["'Gurobbi'", "did you mean Gurobi"])
    refused(lambda: naivenas.load("digts"), ValueError, ["'digts'", "did you mean digits"])
    refused(lambda: naivenas.load("net.safetensors"), ValueError, ["net.safetensors", r"Net\.load"])

# ------------------------------------------------------------------------------------------------------- options of verbs

VERBS = {"resize": lambda net, **how: net.resize("c1", -4, **how), "plan": lambda net, **how: net.plan({"c1": -4}, **how), "prune": lambda net, **how: net.prune(.5, **how), "prune_plan": lambda net, **how: net.prune_plan(.5, **how),
         "keep": lambda net, **how: net.keep("c3", [0, 1], **how), "keep_plan": lambda net, **how: net.keep_plan("c3", [0, 1], **how), "insert": lambda net, **how: net.insert(relu, after="c1", **how),
         "remove": lambda net, **how: net.remove("act", **how), "replace": lambda net, **how: net.replace("act", relu, **how), "connect": lambda net, **how: net.connect("c1", "cat", **how),
         "disconnect": lambda net, **how: net.disconnect("c3", "cat", **how), "draft": lambda net, **how: net.draft().insert(relu, after="c1").apply(**how)}

@pytest.mark.parametrize("verb", VERBS)
def test_options_that_a_verb_does_not_have(verb):
    net, called = cnn(), "apply" if verb == "draft" else verb
    for odd, near in {"multipleof": "multiple_of", "Frozen": "frozen", "max_knew": "max_new", "secnds": "seconds"}.items():
        refused(lambda: VERBS[verb](net, **{odd: 1}), TypeError, [f"^{called} has no option '{odd}'; did you mean {near}"], net)
    refused(lambda: VERBS[verb](net, zzz=IMAGES), TypeError, [f"^{called} has no option 'zzz'; there are .*multiple_of"], net)
    refused(lambda: VERBS[verb](net, c2="relu"), TypeError, [f"^{called} has no option 'c2'; there are"], net)      # no wish

@pytest.mark.parametrize("verb", VERBS)
def test_vertices_are_no_options(verb):
    net, called = cnn(), "apply" if verb == "draft" else verb
    where = r"\(\{" if verb in ("resize", "plan", "draft") else r"\(\.\.\., wishes=\{"
    for name, wish in (("c2", -4), ("C2", np.int64(-4)), ("c2", relaxed(3))):
        refused(lambda: VERBS[verb](net, **{name: wish}), TypeError, [f"^{called} has no option '{name}': wishes are written {called}{where}'c2': {re.escape(repr(wish))}"], net)
    refused(lambda: net.resize(c1=-4, c3=2), TypeError, [r"resize\(\{'c1': -4, 'c3': 2\}\)"], net)

@pytest.mark.parametrize("verb", VERBS)
def test_what_is_suggested_works(verb):
    "Each option of a plan is one of all verbs, but for those that a verb fills in itself"
    for how in dict(seconds=9.), dict(multiple_of=1), dict(least={"c1": 2}), dict(max_new=30), dict(frozen=["y"]), dict(groups="whole"), dict(solver="HiGHS"), dict(also=lambda size: [size("c2") >= 2]):
        net = cnn()
        VERBS[verb](net, **how)
        assert net.eval()(IMAGES).shape == (2, 10) or verb.endswith("plan")
    net = cnn()
    if verb not in ("resize", "plan", "keep", "keep_plan"): refused(lambda: VERBS[verb](net, edit=None), TypeError, ["no option 'edit'"], net)

def test_misspelt_arguments_of_a_draft():
    net = cnn()
    refused(lambda: net.draft().insert(relu, aftr="c1"), TypeError, ["^insert has no option 'aftr'; did you mean after"], net)
    refused(lambda: net.draft().remove("act", recconect=False), TypeError, ["'recconect'; did you mean reconnect"], net)

def test_words_that_are_near_are_named_alike():
    "One way for all: `did you mean`, whatever the capitals"
    net = cnn()
    for act, kind in ((lambda: net["C11"], KeyError), (lambda: net.plan({}, frozen=["C11"]), KeyError), (lambda: net.set("c1", KernelSize=3), TypeError), (lambda: net.prune(.5, by="Magnitud"), TypeError), (lambda: net.resize("c1", -1, solver="higgs"), ValueError),
                      (lambda: naivenas.Magnitude, AttributeError), (lambda: naivenas.load("Digts"), ValueError)): refused(act, kind, ["did you mean"], net)
    refused(lambda: net.plan({}, frozen=["zzzz"]), KeyError, ["no vertex is called 'zzzz'; there are image, c1"], net)

# ------------------------------------------------------------------------------------------------ weights of another structure

def shapes(state): return {k: tuple(t.shape) for k, t in state.items()}

STRUCTURES = {"smaller": lambda net: net.resize("c1", -4), "pruned": lambda net: net.prune(.5), "larger": lambda net: net.resize("c3", +3), "inserted": lambda net: net.insert(lambda v: "new" >> conv(v, 16), after="c1"),
              "removed": lambda net: net.remove("c2"), "kernel": lambda net: net.set("c2", kernel_size=5), "replaced": lambda net: net.replace("c3", lambda v: "c3" >> conv(v, 8, k=1))}

@pytest.mark.parametrize("change", STRUCTURES)
@pytest.mark.parametrize("imported", [False, True], ids=["written", "imported"])
def test_weights_from_before_a_change(change, imported):
    net = Net.from_torch(cnn().to_torch(), IMAGES) if imported else cnn()
    net.eval()
    before, want = copy.deepcopy(net.state_dict()), net(IMAGES).detach()
    report = STRUCTURES[change](net)
    now, optimizer = net.state_dict(), torch.optim.SGD(net.parameters(), .1)
    message = refused(lambda: net.load_state_dict(before), RuntimeError, ["another structure", r"report\.undo\(\)", r"Net\.save and Net\.load", r"to_torch\(\)"], net, optimizer)
    odd = {k for k in {*before} | {*now} if shapes(before).get(k) != shapes(now).get(k)}      # by a rule of its own
    named = {k for k in {*before} | {*now} if re.search(rf"(?<![\w.]){re.escape(k)}(?![\w.])", message)}
    assert odd and named and named <= odd
    if {k for k in odd if k in before and k in now}:
        refused(lambda: net.load_state_dict(before, strict=False), RuntimeError, ["another structure"], net)
        with pytest.raises(RuntimeError, match="another structure"): nn.ModuleDict({"part": net}).load_state_dict({f"part.{k}": t for k, t in before.items()})
    assert net.load_state_dict(now) and net.to_torch().load_state_dict(now)
    report.undo()
    with torch.no_grad(): [p.zero_() for p in net.parameters()]
    net.load_state_dict(before)
    assert torch.equal(net(IMAGES), want)

def test_weights_that_torch_takes_are_taken():
    "Old ones without a count of batches, some of them, modules that read their entries in their own way"
    net = cnn()
    state = {k: t + 1 for k, t in net.state_dict().items()}
    net.load_state_dict({k: t for k, t in state.items() if "num_batches" not in k})
    assert net.load_state_dict({"c1.weight": state["c1.weight"], "more": ONE}, strict=False).unexpected_keys == ["more"]
    x = inputvertex("x", 3)
    normed = Net(x, "l" >> layer(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)), x))
    old = nn.utils.weight_norm(nn.Linear(3, 2))
    normed.load_state_dict({f"l.{k}": t for k, t in old.state_dict().items()})       # `weight_g` and `weight_v` of earlier
    assert torch.allclose(normed(ONE), old(ONE))
    for wrong in None, "net.pt", [1]:
        with pytest.raises(TypeError): net.load_state_dict(wrong)

# ------------------------------------------------------------------------------------------------------- blocks and settings

@pytest.mark.parametrize("block, says", [(relu(X), "not a Vertex"), ("relu", "not 'relu'"), (None, "not None"), (lambda v: None, "gave NoneType"), (lambda v: [v], "gave list")])
def test_what_is_no_block(block, says):
    net = cnn()
    refused(lambda: net.insert(block, after="c1"), TypeError, ["a block is a function from vertex to vertex", says], net)
    refused(lambda: net.replace("c2", block), TypeError, ["a block is a function from vertex to vertex", says], net)

def test_any_module_can_be_a_block():
    net = cnn().eval()
    c1 = net["c1"].op
    behind = nn.Sequential(nn.Conv2d(16, 16, 1), nn.Hardtanh())
    before = net(IMAGES).detach()
    net.insert(behind, after="c1")
    h = behind(c1(IMAGES))
    want = net["y"].op((lambda r: torch.cat([r, net["c3"].op(r)], 1).mean((2, 3)))(h + net["c2"].op(net["bn"].op(h).relu())))
    assert torch.allclose(net(IMAGES), want, atol=1e-5) and not torch.allclose(before, want)
    net.insert(behind[0], after="c2")          # there already: a copy, not a tie
    assert net(IMAGES).shape == (2, 10) and sum(v.op is behind[0] for v in net) == 1
    net.resize("c2", -2)
    assert net(IMAGES).shape == (2, 10)

@pytest.mark.parametrize("key, value, kind, says", [
    ("kernelsize", 5, TypeError, ["'kernelsize'", "did you mean kernel_size"]), ("kernel_size", "5", TypeError, ["kernel_size of c1", "whole number", "'5'"]), ("kernel_size", "33", TypeError, ["kernel_size of c1", "'33'"]),
    ("kernel_size", 2.5, ValueError, ["kernel_size of c1", "2.5"]), ("kernel_size", (3, 3, 3), ValueError, ["one number or 2"]), ("kernel_size", (3, 0), ValueError, ["at least 1", "not 0"]), ("stride", 0, ValueError, ["at least 1", "not 0"]),
    ("stride", -1, ValueError, ["at least 1", "not -1"]), ("dilation", 0, ValueError, ["at least 1"]), ("padding", -1, ValueError, ["at least 0"]), ("padding", "sam", ValueError, ["'sam'", "'same'"]), ("out_channels", 8, TypeError, ["net.resize"])])
def test_settings_that_cannot_be(key, value, kind, says):
    net = cnn()
    refused(lambda: net.set("c1", **{key: value}), kind, ["c1", *says], net)

# ------------------------------------------------------------------------------------------------------------------ training

def stepped(net, optimizer):
    net.zero_grad()
    net(IMAGES).square().sum().backward()
    optimizer.step()
    return optimizer

def test_what_cannot_follow():
    net, other = cnn(), cnn()
    o = stepped(net, torch.optim.Adam(net.parameters()))
    for given, kind, says in (("adam", TypeError, ["'adam'", "optimizers"]), (torch.optim.Adam, TypeError, ["class Adam", r"Adam\(net\.parameters\(\)\)"]), (torch.optim.lr_scheduler.ConstantLR(o), TypeError, ["ConstantLR", r"scheduler\.optimizer"]),
                              (torch.optim.Adam(other.parameters()), ValueError, ["no parameter of this net", r"Adam\(net\.parameters\(\)\)"]), (other["c1"].op, TypeError, ["Conv2d"])):
        refused(lambda: net.track(given), kind, says, net, o)
    net.resize("c1", -4)
    refused(lambda: net.track(o), ValueError, ["Adam", r"\(16, 3, 3, 3\)", "before the surgery"], net, o)

@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.RMSprop, torch.optim.Adagrad, lambda p: torch.optim.SGD(p, .1, momentum=.9)])
def test_an_optimizer_that_was_not_told_is_stopped_before_it_steps(kind):
    net = cnn()
    o = stepped(net, kind(net.parameters()))
    net.resize("c1", -4)
    net.zero_grad(); net(IMAGES).square().sum().backward()
    refused(o.step, RuntimeError, [type(o).__name__, r"net\.track\(optimizer\)", r"\(16, 3, 3, 3\)"], net, o)
    stepped(net, kind(net.parameters()))

def test_optimizers_that_need_not_be_told():
    net = cnn()
    plain, tracked = torch.optim.SGD(net.parameters(), .1), torch.optim.Adam(net.parameters())
    stepped(net, plain); net.track(stepped(net, tracked))
    net.resize("c1", -4)
    stepped(net, plain); stepped(net, tracked)
    report = net.resize("c1", +2)
    untold = stepped(net, torch.optim.Adam(net.parameters()))
    net.resize("c1", -1).undo()
    stepped(net, untold)
    assert report and untold.state

def test_a_new_layer_that_nobody_trains_is_told(caplog):
    net = cnn()
    o = stepped(net, torch.optim.SGD(net.parameters(), .1))
    net.insert(lambda v: "new" >> conv(v, 16, start="identity"), after="c1")
    with caplog.at_level("WARNING", "naivenas"): stepped(net, o); stepped(net, o)
    assert len(caplog.records) == 1 and "new.weight, new.bias" in caplog.text and "net.track" in caplog.text
    caplog.clear()
    with caplog.at_level("WARNING", "naivenas"):
        half = torch.optim.SGD([p for name, p in net.named_parameters() if name.startswith("c")], .1)
        net.insert(lambda v: "more" >> conv(v, 16), after="c2")
        stepped(net, half)                               # it never had all parameters
        stepped(net, torch.optim.SGD(net.parameters(), .1))
    assert not caplog.records

# ------------------------------------------------------------------------------------------------------------------- looking

def test_a_drawing_goes_into_a_file(tmp_path):
    net = cnn()
    for draws, name in ((lambda p: draw(net, p)), "a.dot"), ((lambda p: net.draw(p)), "b.gv"), ((lambda p: draw(net, str(p))), "c.dot"):
        picture = draws(tmp_path / name)
        assert (tmp_path / name).read_text() == picture.dot and "c1" in picture.dot
    refused(lambda: draw(net, "net.pdf"), ValueError, ["net.pdf", ".svg"], net)

@pytest.mark.parametrize("word", [draw, naivenas.table, explore])
def test_what_shows_graphs_takes_graphs(word):
    module = seq()
    refused(lambda: word(module), TypeError, [word.__name__, "Sequential", r"Net\.from_torch\(module, example\)"], module)
    refused(lambda: word("net"), TypeError, [word.__name__, "'net'"])
