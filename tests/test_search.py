"""The search keeps going, comes back after being killed, and gives the same result wherever it runs."""
import copy, doctest, importlib, inspect, os, pkgutil, random, signal, subprocess, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np, pytest, torch
import naivenas.search.executors, naivenas.search.measuring, naivenas.search.store
from naivenas.search.encoding import Encoder
from naivenas.search.selection import crowding, elite, fronts, pareto, ranked, tournament
from naivenas.search.evolution import combine, evolve, fresh, generator
from naivenas.search.executors import Processes, evaluate, halving
from naivenas.search.fitness import Score
from naivenas.search.training import Diverged, Train, cut_in_batches, stream
from naivenas.search.settings import Settings
from naivenas.search.mutate import mutations
from naivenas.search.mutation import shield
from naivenas.search.candidate import memory, seeded
from naivenas.search.population import Population, crossed, founder, mutated
from naivenas.search.store import Store
from naivenas.search.networks import first_settings, network
from naivenas.search.defaults import refined
from naivenas.search.search import fit

HERE = Path(__file__).parent
rng = np.random.default_rng(0)
X = rng.normal(size=(120, 6))
Y = np.array(["no", "yes", "maybe"])[(X[:, 0] > .3).astype(int) + (X[:, 1] > .5)]
TINY = dict(generations=3, size=4, examples=64, progress=False)

def told(population): return [(c.id, c.fitness, c.seen, c.settings, c.net.sizes) for c in population]


# --- one seed, one result ---------------------------------------------------------------------------------------

def test_same_result_whichever_executor():
    here = told(fit(X, Y, **TINY)[1])
    assert told(fit(X, Y, **TINY, executor=2)[1]) == here
    with ThreadPoolExecutor(2) as pool: assert told(fit(X, Y, **TINY, executor=pool)[1]) == here
    state = torch.get_rng_state()
    assert told(fit(X, Y, **TINY | {"seed": 1})[1]) != here and torch.equal(torch.get_rng_state(), state)

def forgetful(n=4):
    from naivenas import dropout, inputvertex, linear, relu, Net
    def one(r):
        with seeded(r):
            x = inputvertex("x", 6)
            return founder(Net(x, linear(dropout(relu(linear(x, 16))), 3)), Settings(batch=16), r)
    return [one(r) for r in generator(7).spawn(n)]

def test_dropout_is_the_same_whichever_executor():
    x, y = torch.tensor(X, dtype=torch.float32), torch.arange(120) % 3
    fitness, state = Train(x, y, Score(x, y), examples=300), torch.get_rng_state()
    here = told(evaluate(forgetful(), fitness))
    assert here == told(evaluate(forgetful(), fitness))
    with ThreadPoolExecutor(3) as pool:
        for _ in range(2): assert told(evaluate(forgetful(), fitness, pool)) == here
    with Processes(2) as pool: assert told(evaluate(forgetful(), fitness, pool)) == here
    assert torch.equal(torch.get_rng_state(), state)

def test_crossing_keeps_the_memory_of_what_stays():
    x, y = torch.tensor(X, dtype=torch.float32), torch.arange(120) % 3
    a, b = founders(2)
    for c in (a, b): Train(x, y, examples=240)(c)
    one, two = crossed(lambda a, b, rng: (copy.deepcopy(a), copy.deepcopy(b)))(a, b, generator(1))
    assert memory(one).keys() == memory(a).keys() and all(torch.equal(memory(one)[k], t) for k, t in memory(a).items())
    def grown(p, q, rng):
        p, q = copy.deepcopy(p), copy.deepcopy(q)
        p.resize({p.vertices[1]: +2})
        return p, q
    one, two = crossed(grown)(a, b, generator(1))
    params = dict(one.net.named_parameters())
    assert memory(one) and all(t.ndim == 0 or t.shape == params[k.rsplit("/", 1)[0]].shape for k, t in memory(one).items())
    Train(x, y, examples=240)(one), Train(x, y, examples=240)(two)

def test_who_was_only_on_the_way_is_no_parent():
    a, b = founders(2)
    a.fitness, b.fitness = .5, .6
    one, _ = crossed(lambda a, b, rng: (copy.deepcopy(a), copy.deepcopy(b)))(a, b, generator(1))
    child = mutated(lambda net, rng: net.resize({net.vertices[1]: +1}))(one, generator(2))
    assert child.parents == (a.id, b.id), "and not the crossing, which nobody has measured"

def test_dask():
    distributed = pytest.importorskip("distributed", reason="Dask is an extra")
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster, distributed.Client(cluster) as client:
        assert told(fit(X, Y, **TINY, executor=client.get_executor())[1]) == told(fit(X, Y, **TINY)[1])

ARRIVED = []    # in a worker: one entry for each time that the data came in

class Heavy(Score):
    "A fitness that notes where it was unpacked"
    def __setstate__(self, state):
        vars(self).update(state)
        ARRIVED.append(os.getpid())

def alone(folder, home):
    "From now on this worker can't read anything below a folder, and lives in one of its own"
    import builtins
    real = builtins.open
    def refused(file, *args, **how):
        if str(file).startswith(folder): raise FileNotFoundError(f"{file}: no such place on this machine")
        return real(file, *args, **how)
    builtins.open = Path.open.__globals__["io"].open = refused
    os.makedirs(home, exist_ok=True)
    os.chdir(home)
    import test_search
    test_search.ARRIVED.clear()

def arrived():
    import test_search
    return test_search.ARRIVED

@pytest.mark.parametrize("asynchronous", [False, True])
def test_two_dask_workers_that_share_no_folder(tmp_path, monkeypatch, asynchronous):
    distributed = pytest.importorskip("distributed", reason="Dask is an extra")
    import tempfile
    here = tmp_path / "only here"
    here.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(here))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parent)]))
    monkeypatch.syspath_prepend(str(HERE))
    import test_search
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None, local_directory=str(tmp_path / "workers")) as cluster, distributed.Client(cluster) as client:
        for i, worker in enumerate(client.nthreads()): client.run(test_search.alone, str(here), str(tmp_path / f"home {i}"), workers=[worker])
        def where(): return open(os.path.join(str(here), "a"))
        (here / "a").write_text("")
        with pytest.raises(FileNotFoundError): client.submit(where).result()
        x, y = torch.tensor(X, dtype=torch.float32), torch.arange(120) % 3
        many = [c for k in range(3) for c in test_search.founders(6)]
        for i, c in enumerate(many): c.id = f"{i:02x}"
        told_here = told(evaluate(copy.deepcopy(many), Train(x, y, Score(x, y), examples=240)))
        assert told(evaluate(many, Train(x, y, test_search.Heavy(x, y), examples=240), client.get_executor(), folder=here)) == told_here
        came = client.run(test_search.arrived)
        assert [len(pids) for pids in came.values()] == [1, 1] and len({pids[0] for pids in came.values()}) == 2, "once to each"
        model, population = fit(X, Y, **TINY, executor=client.get_executor(), folder=here / "kept", asynchronous=asynchronous)
        if not asynchronous: assert told(population) == told(fit(X, Y, **TINY)[1])
        assert len(population) == 4 and all(np.isfinite(c.fitness[0]) for c in population)

def test_ray():
    ray = pytest.importorskip("ray", reason="Ray is an extra")
    from naivenas.search import RayExecutor
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": str(HERE.parent)}})
    try:
        here = told(fit(X, Y, **TINY)[1])
        assert RayExecutor().n == 2 and told(fit(X, Y, **TINY, executor=RayExecutor())[1]) == here
        assert len(fit(X, Y, **TINY, executor=RayExecutor(), asynchronous=True)[1]) == 4
    finally: ray.shutdown()

def test_what_is_asked_of_ray(monkeypatch):
    from concurrent.futures import Future
    from types import SimpleNamespace
    from naivenas.search import RayExecutor
    kept, asked = {}, []
    def remote(**options):
        def of(f):
            def call(*args):
                asked.append(options)
                done = Future()
                done.set_result(f(*(kept.get(a, a) if isinstance(a, str) else a for a in args)))
                return SimpleNamespace(future=lambda: done)
            return SimpleNamespace(remote=call)
        return of
    fake = SimpleNamespace(cluster_resources=lambda: {"CPU": 3.}, remote=remote, put=lambda thing: kept.setdefault("the data", thing) and "the data")
    monkeypatch.setitem(sys.modules, "ray", fake)
    pool = RayExecutor(num_gpus=1)
    assert pool.n == 3 and told(fit(X, Y, **TINY, executor=pool)[1]) == told(fit(X, Y, **TINY)[1])
    assert [*kept] == ["the data"] and asked[0] == {"num_cpus": 1, "num_gpus": 1} and len(asked) > 4

def test_workers_take_turns_among_gpus(monkeypatch):
    from naivenas.search import measuring
    x, y = torch.tensor(X, dtype=torch.float32), torch.arange(120) % 3
    went, real = [], measuring.moved
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(measuring, "moved", lambda c, device: went.append((threading.get_ident(), device)) or real(c, "cpu"))
    ready = threading.Barrier(4)
    class Together(Score):
        def __call__(self, c):
            ready.wait(30)       # four at a time: each of the threads has one
            return super().__call__(c)
    monkeypatch.setattr(measuring, "sent", lambda thing, *where: thing)
    monkeypatch.setattr(naivenas.search.executors, "sent", lambda thing, *where: thing)
    with ThreadPoolExecutor(4) as pool: evaluate(founders(8), Together(x, y), pool, auto=True)
    there = {t: {d for u, d in went if u == t and d != "cpu"} for t, _ in went}
    assert len(there) == 4 and all(len(d) == 1 for d in there.values()) and sorted(min(d) for d in there.values()) == ["cuda:0"] * 2 + ["cuda:1"] * 2
    assert [d for _, d in went].count("cpu") == 8, "and all come back from there"

def test_without_gpus_auto_is_the_cpu():
    here = told(fit(X, Y, **TINY)[1])
    with ThreadPoolExecutor(2) as pool: assert told(fit(X, Y, **TINY, executor=pool, device="auto")[1]) == here
    assert told(fit(X, Y, **TINY, device="auto")[1]) == here and told(fit(X, Y, **TINY, executor=2, device="auto")[1]) == here

def test_processes_have_numbers_of_their_own():
    with Processes(2) as pool:
        tasks = [pool.submit(os.getpid) for _ in range(8)]
        found = {t.result() for t in tasks}
        from naivenas.search.measuring import worker_number
        numbers = {pool.submit(worker_number).result() for _ in range(8)}
    assert len(found) == 2 and numbers <= {n for n in range(1000)} and len({n % 2 for n in numbers}) == len(numbers)

def test_stream_is_the_same_however_it_is_cut():
    whole = stream(7, 0, 100, 3)
    assert torch.equal(whole, torch.cat([stream(7, a, a + 10, 3) for a in range(0, 100, 10)]))
    assert all(sorted(part.tolist()) == list(range(7)) for part in whole[:98].split(7))
    assert [len(p) for p in cut_in_batches(whole[:33], 32)] == [33]


# --- killed, and gone on ----------------------------------------------------------------------------------------

RUN = """
import sys, numpy as np
from test_search import X, Y
from naivenas.search.search import fit
if __name__ == "__main__": fit(X, Y, generations=6, size=6, examples=600, progress=False, executor=2, folder=sys.argv[1])
"""

def start(folder):
    script = folder.with_suffix(".py")
    script.write_text(RUN)
    paths = os.pathsep.join([str(HERE), str(HERE.parent)])
    return subprocess.Popen([sys.executable, script, folder], env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "TMPDIR": str(folder.parent)},
                            stderr=subprocess.PIPE, text=True)

def children(pid):
    found = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True).stdout.split("\n")
    return [int(line.split()[0]) for line in found if line.split() and int(line.split()[1]) == pid]

def alive(pid):
    try: return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError: return False

def kill_and_go_on(tmp_path, kills):
    unbroken, folder, draw, killed, workers = start(tmp_path / "whole"), tmp_path / "run", random.Random(0), 0, set()
    assert unbroken.wait(300) == 0, unbroken.stderr.read()
    last = lambda: max((path.name for path in folder.glob("generation-*")), default="")
    while True:
        run, begun, until = start(folder), last(), None
        while run.poll() is None and (until is None or time.time() < until):
            workers |= set(children(run.pid))
            if killed < kills and until is None and workers and (last() > begun or draw.random() < .01): until = time.time() + draw.uniform(0, .4)
            time.sleep(.1)
        if run.poll() is not None: break
        run.send_signal(signal.SIGKILL)
        run.wait()
        killed += 1
    assert run.returncode == 0, run.stderr.read()
    until = time.time() + 20
    while any(map(alive, workers)) and time.time() < until: time.sleep(.1)
    assert not any(map(alive, workers)), "orphans"
    assert killed and told(Store(folder).load()[0]) == told(Store(tmp_path / "whole").load()[0])
    assert not list(folder.rglob(".tmp-*")) and len(list(folder.glob("generation-*"))) == 2 and len(list((folder / "tables").iterdir())) == 6

def test_kill_and_resume(tmp_path): kill_and_go_on(tmp_path, 1)

@pytest.mark.slow
def test_kill_and_resume_often(tmp_path): kill_and_go_on(tmp_path, 20)


# --- files that are not as they were written --------------------------------------------------------------------

@pytest.fixture
def stored(tmp_path):
    _, population = fit(X, Y, **TINY, folder=tmp_path / "run")
    return tmp_path / "run", population

@pytest.mark.parametrize("file", ["candidates.json", "memory.safetensors", "000-{id}.safetensors"])
@pytest.mark.parametrize("harm,says", [(lambda p: p.unlink(), "missing"), (lambda p: os.truncate(p, 40), "not as it was written"),
                                       (lambda p: p.write_bytes(p.read_bytes()[:-1] + b"x"), "not as it was written")])
def test_damaged_generation(stored, file, harm, says):
    folder, population = stored
    file = file.format(id=population[0].id)
    harm(folder / "generation-000002" / file)
    with pytest.raises(ValueError, match=f"{file} is {says}.*load\\(1\\)"): fit(X, Y, **TINY | {"generations": 4}, folder=folder)
    assert len(Store(folder).load(1)[0]) == 4

@pytest.mark.parametrize("harm", [lambda p: p.write_text(p.read_text()[:30]), lambda p: p.unlink(), lambda p: p.write_text("[]")])
def test_damaged_manifest(stored, harm):
    harm(stored[0] / "manifest.json")
    with pytest.raises(ValueError, match="manifest.json is (damaged|missing)"): fit(X, Y, **TINY, folder=stored[0])

def test_another_search_in_the_folder(stored):
    with pytest.raises(ValueError, match="another search: its data differed"): fit(X + 1e-3 * X**2, Y, **TINY, folder=stored[0])

def test_full_disk(stored, monkeypatch):
    folder, population = stored
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    real = os.fsync
    for room in range(6):
        left = [room]
        def full(handle):
            left[0] -= 1
            if left[0] < 0: raise OSError(28, "No space left on device")
            real(handle)
        monkeypatch.setattr(naivenas.search.store.os, "fsync", full)
        with pytest.raises(OSError, match="No space") as e: Store(folder).save(population, 3)
        assert "those before it are whole" in "".join(e.value.__notes__)
        monkeypatch.undo()
        assert told(Store(folder).load()[0]) == told(population)
        assert all(p.read_bytes() == data for p, data in before.items())
    Store(folder).save(population, 3)
    assert Store(folder).load()[1] == 3

def test_a_really_full_disk(stored):
    import resource
    folder, population = stored
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in 100, 2000, 20_000:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        try:
            with pytest.raises(OSError): Store(folder).save(population, 3)
        finally: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert told(Store(folder).load()[0]) == told(population) and not list(folder.rglob("*.tmp*"))

def test_a_candidate_that_is_there_twice_is_stored_twice(tmp_path):
    x, y, c = torch.tensor(X, dtype=torch.float32), torch.arange(120) % 3, founders(1)[0]
    Train(x, y, examples=240)(c)
    store = Store(tmp_path)
    store.save([c, c], 0)
    a, b = store.load()[0]
    for d in (a, b, copy.deepcopy(c)):
        assert d.id == c.id and memory(d).keys() == memory(c).keys() and all(torch.equal(memory(d)[k], t) for k, t in memory(c).items())
        assert not {t.data_ptr() for t in memory(d).values()} & {t.data_ptr() for t in memory(c).values()}
    Train(x, y, examples=240)(a)
    assert any(not torch.equal(t, b.net.state_dict()[k]) for k, t in a.net.state_dict().items())

def test_any_candidate_opens_by_itself_and_shields_survive(tmp_path):
    from naivenas import Net
    some = founders(2)
    shield(some[0].net, some[0].net.vertices[1], allow=("size",))
    Store(tmp_path).save(some, 0)
    path = next(tmp_path.glob(f"generation-000000/*{some[0].id}*"))
    x = torch.randn(5, 6)
    assert torch.equal(Net.load(path).eval()(x), some[0].net.eval()(x))
    again = Store(tmp_path).load()[0]
    assert again[0].net.shields == some[0].net.shields and again[0].net.rng.bit_generator.state == some[0].net.rng.bit_generator.state

@pytest.mark.parametrize("what,how", [("metric", {"metric": "f1_macro"}), ("step", {"step": combine(elite(2), elite(2))}), ("start", {"start": network}), ("size", {"size": 5}),
                                      ("seed", {"seed": 3}), ("change", {"change": mutations(rate=2)})])
def test_other_search_in_the_folder(stored, what, how):
    with pytest.raises(ValueError, match=f"another search: its {what} differed"): fit(X, Y, **TINY | how, folder=stored[0])

def test_steps_are_told_apart_by_what_they_hold():
    from naivenas.search.running import described
    assert described(elite(2)) == described(elite(2)) != described(elite(3)) and described(combine(elite(2))) != described(combine(elite(3)))
    def change(net, rng): return None
    before = described(change)
    def change(net, rng): return "another"
    assert described(change).split()[0] == before.split()[0] and described(change) != before and described(len) == described(len)


# --- stopped by hand, and watched -------------------------------------------------------------------------------

def test_an_interrupted_search_gives_the_best_so_far():
    from naivenas import watch
    w, seen = watch(), []
    def look(population):
        w(population)
        seen.append(told(population))
        if len(seen) == 2: raise KeyboardInterrupt
    with pytest.warns(UserWarning, match="the search was interrupted"): model, population = fit(X, Y, **TINY | {"generations": 50}, watch=look)
    assert sorted(row[0] for row in told(population)) == sorted(row[0] for row in seen[-1])
    assert len(w.rows) == len(w.table) == 2 and w.best.fitness[0] == ranked(population)[0].fitness[0] and "generation 1" in w.says()
    assert model.score(X, Y) > max(np.mean(Y == c) for c in set(Y))

def test_interrupted_before_anything_is_known():
    def start(encoder, rng): raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt): fit(X, Y, **TINY, start=start)

def test_an_interrupted_last_training_gives_what_there_is(monkeypatch):
    x, y, c = torch.tensor(X, dtype=torch.float32), torch.arange(120) % 3, founders(1)[0]
    step, done = Train.step, []
    def interrupted(*args):
        if len(done) == 3: raise KeyboardInterrupt
        done.append(step(*args))
        return done[-1]
    monkeypatch.setattr(Train, "step", interrupted)
    with pytest.warns(UserWarning, match="last training was interrupted"): made = refined(c, x, y, 1200)
    assert made.seen == 3 * 64 and c.seen == 0


# --- candidates that fail ---------------------------------------------------------------------------------------

class Fails:
    "Does to the first candidate that it meets of an even id what `how` says"
    def __init__(self, how): self.how = how
    def __call__(self, candidate):
        if int(candidate.id, 16) % 3: return 1.
        if self.how == "kill": os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "sleep": time.sleep(600)
        if self.how == "memory": return float(torch.ones(2**31).sum())
        if self.how == "nan": return float("nan")
        raise Diverged("the loss became nan")

def founders(n=6):
    encoder = Encoder().fit(X, Y)
    def one(r):
        with seeded(r): return founder(network(encoder, r), Settings(), r)
    return [one(r) for r in generator(0).spawn(n)]

@pytest.mark.parametrize("how,says", [("kill", "worker died"), ("sleep", "longer than 8 s"), ("memory", "memory|alloc")])
def test_worker_that_dies(how, says):
    import re
    with Processes(2, timeout=8, memory=2**31 if how == "memory" else None) as pool: found = evaluate(founders(), Fails(how), pool)
    bad = [c for c in found if int(c.id, 16) % 3 == 0]
    assert bad and len(bad) < 6 and all(c.fitness == -np.inf and re.search(says, c.log[-1]) for c in bad), [c.log for c in bad]
    assert all(c.fitness == 1. for c in found if c not in bad)
    assert ranked(found)[0].fitness == 1. and [c.id for c in found] == [c.id for c in founders()]

@pytest.mark.parametrize("how", ["nan", "diverged"])
def test_nan_and_exceptions(how):
    found = evaluate(founders(), Fails(how))
    assert {c.fitness for c in found} == {-np.inf, 1.} and all("nan" in c.log[-1] for c in found if c.fitness != 1.)

def test_worker_killed_from_outside_is_given_a_second_chance():
    with Processes(1) as pool:
        first = pool.submit(os.getpid).result()
        task = pool.submit(time.sleep, 1.5)
        time.sleep(.5)
        os.kill(first, signal.SIGKILL)
        assert task.result() is None and pool.submit(os.getpid).result() != first

def always(candidate): raise TypeError("my mistake")
def test_a_mistake_in_the_fitness_is_told():
    with pytest.raises(RuntimeError, match="not one of 6 .* my mistake"): evaluate(founders(), always)

def test_impossible_mutations_are_survived():
    def bad(net, rng): raise RuntimeError("cannot")
    _, population = fit(X, Y, **TINY, change=bad)
    assert any("mutation failed: RuntimeError: cannot" in " ".join(c.log) for c in population)


# --- odd data ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("x,y,says", [
    (X, ["a"] * 120, "one class only, 'a'"), (np.where(X > 2, np.inf, X), Y, "infinity"), (X[:1], Y[:1], "at least 2"), (X, Y[:7], "120 examples, but y has 7"),
    (X[:, 0], Y, "expected 2D array"), (X, np.full(120, np.nan), "y holds 120 values"), (X[None, None, None], Y[:1], "5D"),
    ([np.ones((5, 2)), np.ones((7, 3))] * 60, Y, "different shapes: pad sequences"),
])
def test_data_that_cannot_be_learnt_from(x, y, says):
    with pytest.raises(ValueError, match=says): fit(x, y, **TINY)

def test_wrong_shape_at_predict():
    model, _ = fit(X, Y, **TINY)
    with pytest.raises(ValueError, match=r"fitted on examples of shape \(6,\), but got \(5,\)"): model.predict(X[:, :5])

@pytest.mark.parametrize("n", [2, 3, 9, 17])
def test_fewer_samples_than_a_batch(n):
    model, _ = fit(X[:n], np.arange(n) % 2, **TINY | {"generations": 1})
    assert model.predict(X).shape == (120,) and set(model.predict(X)) <= {0, 1}

@pytest.mark.parametrize("shape,kind", [((40, 8, 8), None), ((40, 3, 9, 7), None), ((40, 12, 5), "sequence"), ((40, 1, 2), "sequence"), ((40, 12), "sequence")])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_images_and_sequences(shape, kind, task):
    x = rng.normal(size=shape)
    y = np.array(["b", "a"])[(x.reshape(40, -1).mean(1) > 0).astype(int)] if task == "classification" else x.reshape(40, -1)[:, :2]
    model, population = fit(x, y, **TINY, kind=kind)
    assert model.predict(x).shape == y.shape and np.isfinite(model.score(x, y)) and len(population) == 4

def test_frames_tensors_datasets_and_ensembles():
    import pandas
    frame = pandas.DataFrame(X[:, :2], columns=["u", "v"]).assign(w=pandas.Categorical(np.where(X[:, 2] > 0, "hot", "cold")), s=np.where(X[:, 3] > 0, "x", "y"))
    model, _ = fit(frame, Y, **TINY)
    assert (model.predict(frame[["s", "w", "v", "u"]]) == model.predict(frame)).all() and model.encoder.nout == 3
    t = torch.tensor(X, dtype=torch.float32)
    labels = torch.arange(120) % 2
    one, two = (fit(*args, **TINY)[0] for args in ((t, labels), (torch.utils.data.TensorDataset(t, labels),)))
    assert np.array_equal(one.predict_proba(X), two.predict_proba(X))
    many, population = fit(X, Y, **TINY, ensemble=True)
    assert len(many.nets) == 2 and np.allclose(many.predict_proba(X).sum(1), 1)

def test_categories_can_be_saved(tmp_path):
    import pandas
    from naivenas.search.fitted import load_fitted
    frame = pandas.DataFrame({"a": X[:, 0], "b": pandas.Categorical(np.arange(120) % 4), "c": np.arange(120) % 2 == 0})
    model, _ = fit(frame, Y, **TINY | {"generations": 1})
    model.save(tmp_path)
    assert (load_fitted(tmp_path).predict(frame) == model.predict(frame)).all()

def test_a_column_of_names_makes_no_input_as_wide(tmp_path):
    import pandas
    frame = pandas.DataFrame({"number": rng.normal(size=5000), "name": [f"somebody {i}" for i in range(5000)], "town": rng.zipf(1.5, 5000).clip(max=400).astype(str)})
    with pytest.warns(UserWarning, match="'name' has 5000 different values; told apart are the 0 most frequent, in 0% of the rows"): encoder = Encoder().fit(frame, frame["number"] > 0)
    assert encoder.x(frame).shape == (5000, 51) and encoder.columns["town"] == frame["town"].value_counts().index[:50].tolist()
    assert np.array_equal(encoder.raw(frame)[:, 1], frame["town"] == encoder.columns["town"][0])
    with pytest.warns(UserWarning, match="'name'"), pytest.raises(ValueError, match="nothing of X can be used"): Encoder().fit(frame[["name"]], frame["number"])

def test_pareto_halving_and_random_search():
    from naivenas.search.fitness import size
    _, small = fit(X, Y, **TINY | {"size": 6}, also=(size,))
    assert all(len(c.fitness) == 2 and c.fitness[1] == -sum(p.numel() for p in c.net.parameters()) for c in small)
    _, halved = fit(X, Y, **TINY, rounds=2)
    assert len({c.seen for c in halved}) > 1
    _, drawn = fit(X, Y, **TINY, method="random")
    assert all(c.born == 0 for c in drawn) and told(drawn) == told(fit(X, Y, **TINY, method="random")[1])
    with pytest.raises(ValueError, match="'climb' or 'random'"): fit(X, Y, **TINY, method="guess")

def test_time_is_kept_roughly_and_a_whole_generation_comes_back():
    model, population = fit(X, Y, time=3, size=4, progress=False)
    assert len(population) == 4 and all(c.fitness is not None for c in population) and model.predict(X).shape == Y.shape

@pytest.mark.parametrize("kind", ["table", "image", "sequence"])
def test_nothing_but_the_time_ends_a_search_that_was_given_one(kind):
    from types import SimpleNamespace
    from naivenas.search.search import allotted
    found = [allotted(SimpleNamespace(kind=kind), time, generations, 100, "evolve", 0.)[0] for time, generations in ((600, None), (600, 3), (None, None))]
    assert found == [None, 3, 10]


# --- selection against plain definitions ------------------------------------------------------------------------

def test_fronts_against_the_definition():
    for seed in range(20):
        values = np.random.default_rng(seed).integers(0, 5, (30, 3))
        dominates = lambda a, b: all(a >= b) and any(a > b)
        left, wanted = set(range(30)), []
        while left:
            front = {i for i in left if not any(dominates(values[j], values[i]) for j in left)}
            wanted.append(sorted(front))
            left -= front
        assert fronts(values) == wanted

def test_crowding_by_hand():
    assert crowding(np.array([[0, 4], [1, 2], [4, 0.]])).tolist() == [np.inf, 2., np.inf]


# --- on a GPU ---------------------------------------------------------------------------------------------------

@pytest.mark.gpu
def test_gpu(tmp_path):
    if not torch.cuda.is_available(): pytest.skip("needs a GPU")
    from naivenas import load
    digits = load("digits")
    x, y, x2, y2 = (t.numpy() for t in (digits.x_train, digits.y_train, digits.x_test, digits.y_test))
    model, population = fit(x, y, time=20, progress=False)
    assert model.score(x2, y2) > .97 and all(p.is_cuda for c in population for p in c.net.parameters())
    how = dict(generations=2, size=6, progress=False, folder=tmp_path)
    fit(x, y, **how)
    with ThreadPoolExecutor(4) as pool: model, population = fit(x, y, **how | {"generations": 4}, executor=pool)   # on four streams
    assert all(p.is_cuda for c in population for p in c.net.parameters()) and not any("failed" in line for c in population for line in c.log)
    assert all(t.is_cuda for c in population for t in memory(c).values() if t.ndim) and model.score(x2, y2) > .9


# --- what a user reads ------------------------------------------------------------------------------------------

def methods(cls):
    "Public methods and properties of a class, and what a call of its objects does, those of its bases in naivenas, too"
    names = {n for c in cls.__mro__ if c.__module__.startswith("naivenas.search") for n in vars(c)}
    found = {n: inspect.getattr_static(cls, n) for n in names if n == "__call__" or n[0] != "_"}
    return {n: f for n, f in found.items() if isinstance(f, property) or inspect.isfunction(f)}

def test_methods_say_what_they_take_and_give_with_an_example():
    import naivenas.search as search
    classes = [c for n in search.__all__ if isinstance(c := getattr(search, n), type)]
    told = {f"{c.__name__}.{n}": inspect.getdoc(f) or "" for c in classes for n, f in methods(c).items()}
    assert len(told) > 100 and [n for n, doc in told.items() if "Examples\n---" not in doc or ">>>" not in doc] == []
    given = {f"{c.__name__}.{n}" for c in classes for n, f in methods(c).items() if isinstance(f, property) or inspect.signature(f).return_annotation is not None}
    assert [n for n in sorted(given) if "Returns\n---" not in told[n]] == []

def test_examples_in_docstrings_run():
    how = dict(extraglobs={"naivenas": naivenas, "np": np, "torch": torch, "nn": torch.nn}, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    done = {m.name: doctest.testmod(importlib.import_module(f"naivenas.search.{m.name}"), **how) for m in pkgutil.iter_modules(naivenas.search.__path__)}
    assert {name: d.failed for name, d in done.items() if d.failed} == {} and sum(d.attempted for d in done.values()) > 300
