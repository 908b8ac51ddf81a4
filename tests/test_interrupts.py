"Threads that share a net, Ctrl-C at any moment and twice in a row: the net is whole, and so is what a search has found"
import copy, io, json, os, pickle, random, re, signal, subprocess, sys, threading, time
from pathlib import Path
import pytest, torch
from torch import nn
from naivenas import Net, SizeError
from naivenas.graph.vertex import inputvertex
from naivenas.nets.importance import Taylor
from naivenas.nets.layers import cat, conv, linear
from naivenas.nets.norms import batchnorm, globalpool
from naivenas.nets.activations import relu
from naivenas.sizes.commit import commit, unbroken

HERE = Path(__file__).parent
needs_signals = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs POSIX signals")

def net_and_optimizer():
    torch.manual_seed(0)
    x = inputvertex("x", 3)
    a = "a" >> conv(x, 12)
    b = "b" >> conv(relu(batchnorm(a)), 12)
    net = Net(x, "y" >> linear(globalpool("both" >> cat(a + b, "c" >> conv(b, 8))), 4))
    optimizer = torch.optim.Adam(net.parameters())
    net.track(optimizer)
    step(net, optimizer)
    return net, optimizer

def step(net, optimizer):
    optimizer.zero_grad()
    net(torch.rand(2, 3, 6, 6)).square().sum().backward()
    optimizer.step()

def assert_whole(net, optimizer):
    "By PyTorch alone: every layer has the sizes that its neighbours say, every gradient and memory its parameter's shape, and a step works"
    sizes = net.sizes
    for v in net.vertices:
        if isinstance(v.op, (nn.Conv2d, nn.Linear)):
            out, into = v.op.weight.shape[:2]
            assert (out, into) == (v.nout, v.inputs[0].nout) == (sizes[v.name], sizes[v.inputs[0].name]), v
        if isinstance(v.op, nn.BatchNorm2d): assert v.op.num_features == len(v.op.running_mean) == v.inputs[0].nout
    held = {id(p) for g in optimizer.param_groups for p in g["params"]}
    for p in net.parameters():
        assert id(p) in held and (p.grad is None or p.grad.shape == p.shape)
        assert all(t.shape == p.shape for t in optimizer.state.get(p, {}).values() if t.ndim), "memory"
    step(net, optimizer)

# ----------------------------------------------------------------------------------------------------------- threads

def together(*functions):
    "Call the functions in threads at the same moment; whatever one raises is raised"
    ready, wrong = threading.Barrier(len(functions)), []
    def call(f):
        ready.wait()
        try: f()
        except BaseException as e: wrong.append(e)
    threads = [threading.Thread(target=call, args=[f]) for f in functions]
    for t in threads: t.start()
    for t in threads: t.join(120)
    if wrong: raise wrong[0]
    assert not any(t.is_alive() for t in threads)

@pytest.fixture(autouse=True)
def often():
    "Threads take turns after very few steps"
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)

def test_two_threads_change_one_net_one_after_the_other():
    net, optimizer = net_and_optimizer()
    def grow(): [net.resize("a", +1) for _ in range(3)]
    def shrink(): [net.resize("c", -1) for _ in range(3)]
    together(grow, shrink, grow)
    assert net.sizes["a"] == 12 + 6 and net.sizes["c"] == 5
    assert_whole(net, optimizer)

def test_threads_with_different_verbs():
    net, optimizer = net_and_optimizer()
    done = []
    def insert():
        for i in range(3): done.append(net.insert(lambda v: f"new{i}" >> conv(v, v.nout, k=1), after="c"))
    def settings(): [net.set("c", kernel_size=k) for k in (5, 3, 5)]
    def undo():
        for _ in range(4):
            with net.lock: net.resize("b", +2).undo()
    def look():
        for _ in range(5):
            plan = net.plan({"a": -1})
            assert len(plan.out("a")) == 11
    together(insert, settings, undo, look)
    assert [v.name for v in net if v.name.startswith("new")] and len(done) == 3 and net["c"].op.kernel_size == (5, 5) and net.sizes["b"] == 12
    assert_whole(net, optimizer)

def test_a_plan_that_another_thread_has_overtaken_is_refused():
    net, _ = net_and_optimizer()
    plan, draft = net.plan({"a": -1}), net.draft().remove("c")
    threading.Thread(target=lambda: net.insert(lambda v: conv(v, v.nout), after="a")).run()
    with pytest.raises(RuntimeError, match="has changed"): plan.apply()
    with pytest.raises(RuntimeError, match="has changed"): draft.apply()

def test_a_verb_waits_for_who_holds_the_lock():
    net, _ = net_and_optimizer()
    with net.lock:
        t = threading.Thread(target=lambda: net.resize("a", +1))
        t.start()
        t.join(.3)
        assert t.is_alive() and net.sizes["a"] == 12
        net.resize("a", +2)
    t.join(60)
    assert net.sizes["a"] == 15

def test_copies_have_locks_of_their_own():
    net, _ = net_and_optimizer()
    with net.lock:   # held while they are made
        saved = io.BytesIO()
        torch.save(net, saved)
        saved.seek(0)
        copies = [copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net)), torch.load(saved, weights_only=False)]
        def change():
            for c in copies: c.resize("a", +1)
        together(change)
    assert all(c.lock is not net.lock and c.sizes["a"] == 13 for c in copies[1:]) and net.lock is net.lock

@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_is_not_kept_waiting_by_a_thread_that_is_not_there():
    net, _ = net_and_optimizer()
    held, done = threading.Event(), threading.Event()
    def hold():
        with net.lock: held.set(); done.wait()
    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    pid = os.fork()
    if not pid:
        signal.alarm(60)   # ends a process that waits for ever
        try: net.resize("a", +1)
        finally: os._exit(net.sizes["a"])
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 13 and net.sizes["a"] == 12
    done.set()
    holder.join()

# --------------------------------------------------------------------------------------------------- real interrupts

def pressed_twice(verb, wait, gap, main):
    "Press Ctrl-C twice while `verb` runs, or soon after; whether it came through"
    go = threading.Event()
    def press():
        go.wait()
        time.sleep(wait)
        signal.pthread_kill(main, signal.SIGINT)
        time.sleep(gap)
        signal.pthread_kill(main, signal.SIGINT)
    presser, active, came = threading.Thread(target=press), [True], []
    def handler(*what):
        if active: came.append(what); raise KeyboardInterrupt
    def all_of_it():   # an interrupt may come while one is handled; two at most, so three levels are enough
        try:
            try: go.set(); verb()
            finally: active.clear()
        except (SizeError, KeyboardInterrupt): active.clear()
    before, hook = signal.signal(signal.SIGINT, handler), sys.unraisablehook
    sys.unraisablehook = lambda what: None       # where it comes in a destructor Python tells so and goes on, and pytest's telling could be interrupted
    presser.start()
    try: all_of_it()
    except KeyboardInterrupt: active.clear()
    presser.join()
    time.sleep(1e-3)
    sys.unraisablehook = hook
    assert signal.signal(signal.SIGINT, before) is handler
    return bool(came)

@needs_signals
def test_interrupts_at_random_moments_and_twice_in_a_row_leave_the_net_whole():
    net, optimizer = net_and_optimizer()
    taylor, draw, main = Taylor(net), random.Random(0), threading.main_thread().ident
    verbs = [lambda: net.resize({"a": +1, "c": +1}), lambda: net.resize({"a": -1, "c": -1}), lambda: net.insert(lambda v: "new" >> conv(v, v.nout, k=1), after="b"),
             lambda: net.remove("new"), lambda: net.resize("b", +1).undo()]
    start = time.perf_counter()
    for verb in verbs: verb()
    usual, done, stopped = (time.perf_counter() - start) / len(verbs), 0, 0
    for i in range(25):
        fits = [0, 1, 4] + ([3] if "new" in net.sizes else [2])
        wait, before, version = draw.uniform(0, 1.3) * usual, {k: t.clone() for k, t in net.state_dict().items()}, net.version
        came = pressed_twice(verbs[draw.choice(fits)], wait, draw.choice([0, 1e-5, 1e-4, 1e-3]), main)
        stopped += came and net.version is version
        done += net.version is not version
        if net.version is version: assert all(torch.equal(t, before[k]) for k, t in net.state_dict().items()), "half a change"
        assert_whole(net, optimizer)
        assert all(len(taylor(v)) == v.nout for v in net if isinstance(v.op, nn.Conv2d)), "a watcher that missed a change"
    assert done and stopped, (done, stopped)

@needs_signals
@pytest.mark.parametrize("times", [1, 2, 3])
def test_interrupts_during_a_rollback(times):
    "Each assignment presses Ctrl-C, and one of them fails"
    class Box:
        def __setattr__(self, key, value):
            for _ in range(times): os.kill(os.getpid(), signal.SIGINT)
            if value == "bad": raise ValueError("refused")
            super().__setattr__(key, value)
    box, table = Box(), {"a": 1}
    with pytest.raises(KeyboardInterrupt):
        with unbroken(): commit([(table, "a", 2), (box, "x", 1), (table, "b", 3), (box, "x", "bad")], lambda: os.kill(os.getpid(), signal.SIGINT))
    assert table == {"a": 1} and not vars(box)

def test_an_interrupt_from_elsewhere_has_the_rollback_played_anew():
    "As debuggers and servers do it: an exception that is set into a thread"
    table, left = {"a": 1, "c": 0}, [3]
    def settle():
        if table["a"] == 2: raise ValueError("refused")
        left[0] -= 1
        if left[0] >= 0: raise KeyboardInterrupt
    with pytest.raises(ValueError): commit([(table, "a", 2), (table, "b", 3)], settle)
    assert table == {"a": 1, "c": 0} and left[0] == -1

def test_a_block_that_ctrl_c_does_not_break_gives_the_handler_back():
    mine, seen = (lambda *what: seen.append(what[0])), []
    before = signal.signal(signal.SIGINT, mine)
    try:
        with unbroken():
            with unbroken():
                os.kill(os.getpid(), signal.SIGINT)
                assert not seen
            assert not seen
        assert seen == [signal.SIGINT] and signal.getsignal(signal.SIGINT) is mine
        with pytest.raises(ZeroDivisionError):
            with unbroken(): 1 / 0
        assert signal.getsignal(signal.SIGINT) is mine
    finally: signal.signal(signal.SIGINT, before)
    def elsewhere():
        with unbroken(): pass
    together(elsewhere)

# ---------------------------------------------------------------------------------------------------------- searches

SEARCH = """
import json, sys, time, warnings
import numpy as np
from naivenas.search.search import fit
if __name__ == "__main__":
    X = np.random.default_rng(0).normal(size=(200, 5)); Y = (X[:, 0] * X[:, 1] > 0).astype(int)
    said = []
    warnings.showwarning = lambda message, *_: said.append(str(message))
    seen = []
    def watch(population):
        seen.append(max(c.fitness for c in population))
        print("on", flush=True)
    print("begun", flush=True)
    try: model, population = fit(X, Y, generations=100_000, size=4, examples=int(sys.argv[2]), executor=int(sys.argv[1]) or None, folder=sys.argv[3], progress=False, watch=watch)
    except KeyboardInterrupt: print("nothing")
    else:
        best = max(c.fitness for c in population)
        print(json.dumps([len(model.predict(X)), len({c.id for c in population}), best >= max(seen, default=best), said]), flush=True)
"""

def searching(tmp_path, workers, examples=400):
    (tmp_path / "search.py").write_text(SEARCH)
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent)]), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, tmp_path / "search.py", str(workers), str(examples), tmp_path / "run"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0)

def press(run): os.killpg(run.pid, signal.SIGINT)   # to the whole group, workers included, as a terminal does

def outcome(run, seconds=600):
    out, err = run.communicate(timeout=seconds)
    assert run.returncode == 0 and "Traceback" not in err, err
    return out.splitlines()[-1]

@needs_signals
@pytest.mark.parametrize("workers", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_an_interrupted_fit_keeps_the_best_and_says_how_long_it_takes(workers, tmp_path):
    run = searching(tmp_path, workers)
    while run.stdout.readline() != "on\n": pass
    press(run)
    predicted, some, best, said = json.loads(outcome(run))
    assert predicted == 200 and some == 4 and best
    assert any(re.search(r"interrupted: the best so far is trained now, which takes about \d+ s; interrupt again", s) for s in said), said
    from naivenas.search.store import Store
    assert len(Store(tmp_path / "run").load()[0]) == 4, "what was written is whole"

@needs_signals
@pytest.mark.parametrize("workers, gap", [(0, .01), pytest.param(2, 0, marks=pytest.mark.slow)])
def test_two_in_a_row_end_a_fit_with_the_best_as_it_is(workers, gap, tmp_path):
    draw = random.Random(f"{workers} {gap}")
    run = searching(tmp_path, workers)
    while run.stdout.readline() != "on\n": pass
    time.sleep(draw.uniform(0, .3))
    press(run)
    time.sleep(gap)
    press(run)
    predicted, some, best, said = json.loads(outcome(run))
    assert predicted == 200 and some == 4 and best

@needs_signals
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_presses_at_random_moments_give_a_model_or_nothing(seed, tmp_path):
    draw = random.Random(seed)
    run = searching(tmp_path, draw.choice([0, 2]))
    assert run.stdout.readline() == "begun\n"
    time.sleep(draw.uniform(0, 12))
    for _ in range(2): press(run); time.sleep(draw.choice([0, .001, .1]))
    last = outcome(run, 200)
    assert last == "nothing" or json.loads(last)[0] == 200
