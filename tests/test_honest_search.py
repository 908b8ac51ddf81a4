"Folds, losses, ties, first guesses, local search and workers that do not wait: each against a rule of its own"
import copy, time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np, pytest, torch
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error
from torch import nn

from naivenas import NASClassifier, NASRegressor, Net, inputvertex, linear
from naivenas.search import Candidate, Train, climb, evolve, founder, generator, network, structure
from naivenas.search.defaults import both_on, fitness_of
from naivenas.search.dividing import divided, folds_of
from naivenas.search.encoding import Encoder
from naivenas.search.metrics import ahead, leads, loss_named
from naivenas.search.networks import founders
from naivenas.search.running import flowing
from naivenas.search.search import fit
from naivenas.search.settings import Settings

rng = np.random.default_rng(0)
y = np.arange(90) % 2
table = rng.normal(size=(90, 3)) + y[:, None] * [1., 0, 0]
images = rng.normal(size=(90, 6, 6)) + y[:, None, None] * (np.arange(6) < 3)
QUICK = dict(generations=2, size=6, examples=64, progress=False)


# --- folds -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("codes", [None, np.repeat([0, 1], [60, 30])])
def test_every_example_is_held_out_once_and_groups_and_classes_are_kept(codes, grouped):
    groups = np.arange(90) % 15 if grouped else None
    pairs = [(a.numpy(), b.numpy()) for a, b in folds_of(3, 90, 0, codes, groups)]
    assert sorted(np.concatenate([b for _, b in pairs])) == [*range(90)] and all(sorted([*a, *b]) == [*range(90)] for a, b in pairs)
    if grouped: assert all(not {*groups[a]} & {*groups[b]} for a, b in pairs)
    elif codes is not None: assert all((codes[b] == 1).sum() == 10 for _, b in pairs)

def test_a_fitness_of_folds_is_the_mean_of_trainings_from_the_same_weights():
    encoder = Encoder().fit(table, y)
    data = divided(encoder, table, y, cv=3)
    fitness, score = fitness_of(encoder, data, None, None, (), 64, "evolve", 0)
    with torch.random.fork_rng(): c = founder(network(encoder, generator(0), width=(4,), blocks=(0,)), Settings(), generator(0))
    before, each = {k: t.clone() for k, t in c.net.state_dict().items()}, []
    for train in fitness.trains:
        other = copy.deepcopy(c)
        train(other)
        with torch.no_grad(): out = other.net.eval()(train.then.x)
        each.append(((out.argmax(1) == train.then.y).float().mean().item(), out))
    assert np.isclose(fitness(c)[0], np.mean([a for a, _ in each])) and all(torch.equal(t, before[k]) for k, t in c.net.state_dict().items()) and c.seen == 0
    places = torch.cat([b for _, b in data.folds])
    assert all(torch.allclose(c.said[0][int(at)], torch.cat([out for _, out in each])[i], atol=1e-6) for i, at in enumerate(places.tolist()))
    assert score.y.shape == (90,)

def test_the_report_of_folds_is_of_all_examples_and_of_nobody_who_has_seen_them():
    noise = rng.integers(0, 2, 90)
    model, _ = fit(rng.normal(size=(90, 40)), noise, cv=3, generations=1, size=1, progress=False)   # learnt by heart in no time
    assert model.report_.rows == 90 and model.report_.score < .75 and not model.report_.fresh
    with pytest.raises(ValueError, match="validation and cv"): fit(table, y, cv=3, validation=.2)
    with pytest.raises(ValueError, match="cv is"): fit(table, y, cv=1)


# --- losses ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name,task,sklearns", [("absolute_error", "regression", mean_absolute_error), ("squared_error", "regression", mean_squared_error),
                                                ("log_loss", "classification", lambda t, p, sample_weight: log_loss(t, np.exp(p) / np.exp(p).sum(1, keepdims=True), sample_weight=sample_weight))])
def test_losses_are_scikit_learns(name, task, sklearns):
    out, weights = rng.normal(size=(30, 3)), rng.random(30)
    weights /= weights.mean()
    goal = np.arange(30) % 3 if task == "classification" else rng.normal(size=(30, 3))
    assert np.isclose(loss_named(name, task)(torch.tensor(out), torch.tensor(goal), torch.tensor(weights)).item(), sklearns(goal, out, sample_weight=weights))

def test_the_absolute_error_finds_the_median_and_the_squared_one_the_mean():
    skewed, said = rng.exponential(size=400) ** 2, {}
    X, goal = torch.tensor(rng.normal(size=(400, 1))).float(), torch.tensor(skewed).float()[:, None]
    for loss in ("absolute_error", "squared_error"):
        v = inputvertex("x", 1)
        c = Candidate(Net(v, linear(v, 1)), Settings("adam", .05, 100))
        Train(X, goal, examples=20_000, anneal=True, loss=loss_named(loss, "regression"))(c)
        said[loss] = c.net(X).mean().item()
    assert abs(said["absolute_error"] - np.median(skewed)) < .2 and abs(said["squared_error"] - skewed.mean()) < .3

@pytest.mark.parametrize("how,word", [(dict(loss="huber"), "'log_loss'"), (dict(loss=lambda out: 0), "outputs and targets"), (dict(loss=lambda out, y: 0, sample_weight=np.ones(90)), "weights"), (dict(loss=3), "function"),
                                      (dict(shrink=2), "shrink"), (dict(asynchronous=True), "executor"), (dict(start=nn.Sequential(nn.Linear(3, 5))), "start gives 5 numbers, and it needs 2"), (dict(start=lambda: 3), "module")])
def test_what_makes_no_sense_is_refused(how, word):
    with pytest.raises((TypeError, ValueError), match=word): fit(table, y, **QUICK, **how)


# --- the first guess ---------------------------------------------------------------------------------------------

def test_a_lead_is_luck_as_often_as_the_test_of_mcnemar_says():
    draws, won = np.random.default_rng(1), 0
    for _ in range(60):
        a, b = draws.random(300) < .8, draws.random(300) < .8
        lead, drawn = leads(lambda at: (a[at].mean(), b[at].mean()), 300, seed=int(draws.integers(99)))
        won += ahead(lead, drawn)
        assert lead == a.mean() - b.mean() and .6 < drawn.std() / (np.sqrt((a != b).sum()) / 300) < 1.5
    assert 0 < won < 10          # about every twentieth time

def test_the_first_guess_is_trained_in_every_generation_and_wins_ties():
    seen = []
    model, population = fit(images, y, **QUICK | dict(generations=3), metric=lambda true, said: 0., watch=lambda p: seen.append({c.id: c.seen for c in p}))
    first = [i for i, n in seen[0].items() if all(i in p for p in seen)]
    assert any([p[i] for p in seen] == [64, 128, 192] for i in first)
    guess = next(i for i in first if [p[i] for p in seen] == [64, 128, 192])
    assert next(c for c in population if c.id == guess).log == ["founder"] and max(seen[-1].values()) == 192
    net = next(c for c in population if c.id == guess).net
    assert [v.name for v in model.net] == [v.name for v in net] and all(len(p) == 6 for p in seen)

def test_a_search_that_was_finished_gives_the_same_when_it_is_asked_again(tmp_path):
    how = QUICK | dict(metric=lambda true, said: 0.)
    once, twice = (fit(images, y, **how, folder=tmp_path)[0] for _ in range(2))
    assert np.array_equal(once.predict_proba(images), twice.predict_proba(images))

def test_two_are_compared_as_the_metric_says():
    encoder, held = Encoder().fit(table, y), divided(Encoder().fit(table, y), table, y)
    v = inputvertex("x", 3)
    a, b = (Candidate(Net(v, linear(v, 2))) for _ in range(2))
    for metric in (None, "roc_auc", lambda outputs, y: (outputs.argmax(1) == y).float().mean().item()):
        _, score = fitness_of(encoder, held, None, metric, (), 64, "evolve", 0)
        both = both_on(score, a, b)(np.arange(len(held.outside)))
        mine = score(a)
        assert np.isclose(both[0], mine[0] if isinstance(mine, tuple) else mine) and len(both) == 2

@pytest.mark.parametrize("size", [1, 2, 3])
def test_small_populations(size):
    _, population = fit(images, y, **QUICK | dict(size=size))
    assert len(population) == max(size, 2) and all(np.isfinite(c.fitness[0]) for c in population)


# --- where it begins ---------------------------------------------------------------------------------------------

def test_a_module_a_factory_or_a_function_to_begin_with():
    own, made = nn.Sequential(nn.Flatten(), nn.Linear(36, 7), nn.ReLU(), nn.Linear(7, 2)), []
    before = copy.deepcopy(own.state_dict())
    def factory():
        made.append(nn.Sequential(nn.Flatten(), nn.Linear(36, 7), nn.ReLU(), nn.Linear(7, 2)))
        return made[-1]
    for start in (own, factory, lambda encoder, rng: own, Net.from_torch(copy.deepcopy(own), torch.zeros(2, 1, 6, 6))):
        firsts = []
        fit(images, y, generations=1, size=1, examples=1, progress=False, start=start, step=lambda p, r: p, watch=lambda p: firsts.extend(p))
        assert firsts[0].net(torch.zeros(2, 1, 6, 6)).shape == (2, 2) and [v.nout for v in firsts[0].net] == [1, 36, 7, 7, 2]
    assert all(torch.equal(t, before[k]) for k, t in own.state_dict().items()) and made     # nobody trains what was given

def test_factories_give_each_founder_weights_of_its_own():
    from naivenas.search.networks import starting
    make = starting(lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, 2)), torch.zeros(2, 1, 6, 6))
    encoder = Encoder().fit(images, y)
    a, b = make(encoder, None), make(encoder, None)
    assert not any(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters()))


# --- climbing ----------------------------------------------------------------------------------------------------

def cell(genes): return SimpleNamespace(genes=tuple(map(int, genes)), fitness=None, log=[])

def neighbour(c, r):
    genes = list(c.genes)
    genes[r.integers(4)] = int(r.integers(3))
    return cell(genes)

def hills(seed): return dict(zip(np.ndindex(3, 3, 3, 3), np.random.default_rng(seed).random(81)))

def climbing(height, seed, steps, told=None):
    "Who was measured, in order, and the last population"
    def measure(population):
        for c in population:
            if c.fitness is None: c.fitness, _ = height[c.genes], spent.append(c.genes)
        return population
    spent, step = [], climb(neighbour, lambda c: "".join(map(str, c.genes)), start=lambda r: cell(r.integers(0, 3, 4)), tries=60)
    search = evolve(told or [cell((0, 0, 0, 0))], step, measure, seed, first=steps[0], measured=bool(told))
    for _ in range(*steps): last = next(search)
    return spent, last

def test_climbing_goes_up_tries_nothing_twice_and_keeps_the_best():
    for seed in range(4):
        height = hills(seed)
        spent, last = climbing(height, seed, (0, 60))
        assert len(spent) - len({*spent}) <= 2 and last[0].fitness == max(height[g] for g in spent)    # new beginnings are drawn
        assert last[0].fitness >= np.quantile([*height.values()], .95)

def test_climbing_goes_on_from_what_is_kept():
    height = hills(1)
    whole, end = climbing(height, 1, (0, 30))
    half, there = climbing(height, 1, (0, 12))
    rest, last = climbing(height, 1, (11, 29), copy.deepcopy(there))
    assert half + rest == whole and [c.genes for c in last] == [c.genes for c in end]

def test_structures_are_told_apart():
    def some(n, lr=.1, batch=64): return Candidate(Net(x := inputvertex("x", 3), linear("h" >> linear(x, n), 2)), Settings(lr=lr, batch=batch))
    assert structure(some(4)) == structure(some(4, lr=.2)) != structure(some(5)) and structure(some(4)) != structure(some(4, batch=32))

def test_fit_climbs_and_goes_on(tmp_path):
    for n in (2, 5): _, broken = fit(table, y, method="climb", progress=False, generations=n, examples=64, folder=tmp_path)
    _, whole = fit(table, y, method="climb", progress=False, generations=5, examples=64)
    assert [(c.id, c.fitness, c.log) for c in broken] == [(c.id, c.fitness, c.log) for c in whole] and len(whole) in (2, 3)


# --- nobody waits ------------------------------------------------------------------------------------------------

class Slow:
    "A fitness that takes long for one candidate"
    def __call__(self, c):
        time.sleep(1.2 if c.id == "00" else .01)
        return float(int(c.id, 16))

def test_no_worker_waits_for_a_slow_one():
    v = inputvertex("x", 2)
    some, bred = [Candidate(Net(v, linear(v, 2)), id=f"{i:02x}") for i in range(4)], []
    def breed(members, r, turn, away):
        made = copy.deepcopy(members[0])
        made.id, made.fitness = f"{turn:02x}", None
        bred.append(made.id)
        return made
    search = SimpleNamespace(first=some, fitness=Slow(), store=None, auto=False, guess="01", flow=breed, seed=0, threads=1, late=[], found=(), watch=None, budget=SimpleNamespace(over=lambda c: False))
    with ThreadPoolExecutor(2) as pool:
        begin, loop, sizes = time.monotonic(), flowing(search, None, -1, pool), []
        for _ in range(3):
            sizes.append(len(next(loop)))
            search.late.clear()
        taken, last = time.monotonic() - begin, next(loop)
        loop.close()
    assert taken < 1.1 and sizes == [4, 4, 4] and len(bred) >= 8 and "01" in {c.id for c in last}     # the first guess stays, though it's worst

def test_fit_without_waiting_is_as_good_as_any():
    with ThreadPoolExecutor(2) as pool: model, population = fit(table, y, **QUICK | {"examples": 2000}, executor=pool, asynchronous=True)
    assert len(population) == 6 and model.score(table, y) > .6


# --- augmentation ------------------------------------------------------------------------------------------------

def every_settings(**how):
    "Of all that a search has measured, read from what it was told while it went on"
    found = []
    def watch(population): found.extend(c.settings for c in population)
    fit(images, y, **QUICK | {"generations": 4, "size": 8}, watch=watch, **how)
    return found

def test_how_to_augment_is_tried_from_the_beginning_unless_the_user_says_no():
    tried = every_settings()
    assert {"", "flip", "flip colour cutout"} <= {s.ways for s in tried[:8]} and {0., .25, .5} <= {s.augment for s in tried[:8]}
    assert {(s.augment, s.ways) for s in every_settings(augment=False)} == {(0., "")}
    some = every_settings(augment=("flip", "cutout"))
    assert {s.augment for s in some} == {0.} and any("flip" in s.ways for s in some) and not any("colour" in s.ways for s in some)

def test_without_augmentation_examples_are_as_they_were_given(monkeypatch):
    import naivenas.search.training as training
    called = []
    monkeypatch.setattr(training, "augmented", lambda x, *how: called.append(how) or x)
    fit(images, y, **QUICK, augment=False)
    assert not called
    fit(images, y, **QUICK)
    assert {ways for _, _, ways in called} >= {"", "flip"}

def test_ways_to_augment_against_numpy():
    from naivenas.search.training import augmented
    x = torch.rand(300, 2, 9, 6) + 1
    a = x.numpy()
    flipped = augmented(x, 0., 3, "flip").numpy()
    same, turned = (flipped == a).all((1, 2, 3)), (flipped == a[:, :, :, ::-1]).all((1, 2, 3))
    assert (same ^ turned).all() and .35 < turned.mean() < .65
    gaps = augmented(x, 0., 3, "cutout").numpy() == 0
    assert (gaps[:, 0] == gaps[:, 1]).all() and gaps[:, 0].any((1, 2)).all()
    assert gaps[:, 0].any(2).sum(1).max() == gaps[:, 0].any(1).sum(1).max() == 3      # half of the shorter side
    coloured = augmented(x, 0., 3, "colour").numpy().reshape(600, -1)
    for old, new in zip(a.reshape(600, -1), coloured):      # of each channel a line: the same gain and shift everywhere
        gain, shift = np.polyfit(old, new, 1)
        assert abs(gain - 1) <= .31 and abs(shift) <= .31 and np.allclose(gain * old + shift, new, atol=1e-4)


# --- across the steps of a sequence -------------------------------------------------------------------------------

def test_recurrent_layers_and_attention_in_sequences_against_torch():
    from naivenas.nets.layers import attending, recurrent
    x, v = torch.randn(4, 6, 15), inputvertex("x", 6)
    net = Net(v, recurrent(v))
    (gru,) = [m for m in net.modules() if isinstance(m, nn.GRU)]
    with torch.no_grad(): assert torch.equal(net(x), gru(x.transpose(1, 2))[0].transpose(1, 2))
    net = Net(v := inputvertex("x", 6), attending(v, heads=2))
    q, k, w = ((c(x)).unflatten(1, (2, 4)) for c in net.modules() if isinstance(c, nn.Conv1d))
    share = (torch.einsum("nhct,nhcs->nhts", q, k) / 2).softmax(3)
    with torch.no_grad(): assert torch.allclose(net(x), torch.einsum("nhts,nhcs->nhct", share, w).flatten(1, 2), atol=1e-5)

def test_searches_on_sequences_meet_both_and_insert_them_without_effect():
    from naivenas.search.mutate import across_steps, usual_blocks
    from naivenas.search.rewiring import AddBlock
    encoder, x, kinds = Encoder("sequence").fit(rng.normal(size=(60, 20, 3)), np.arange(60) % 3), torch.randn(5, 3, 20), set()
    for seed in range(12):
        net = network(encoder, generator(seed)).eval()
        kinds |= {type(m).__name__ for m in net.modules()}
        before = net(x)
        for space in across_steps():
            for attempt in range(5):
                change = AddBlock((20,), space=space)(net, generator(seed, attempt))
                if change: break
            assert change is None or change.keeps and torch.allclose(net(x), before, atol=1e-5), change
            kinds |= {type(m).__name__ + " inserted" for m in net.modules()} if change else set()
    assert {"GRU", "Attend", "GRU inserted", "Attend inserted"} <= kinds
    assert {kind for kind in ("recurrent", "attending") if kind in repr(usual_blocks((20,)))} == {"recurrent", "attending"} and "recurrent" not in repr(usual_blocks((8, 8)))

def test_the_same_generator_draws_the_same_weights_of_a_recurrent_layer():
    from naivenas.nets.layers import recurrent
    from naivenas.search import Layer
    one, same, other = (Layer(recurrent)(inputvertex("x", 4), generator(s)).inputs[0].inputs[0].op for s in (1, 1, 2))
    assert isinstance(one, nn.GRU) and torch.equal(one.weight_ih_l0, same.weight_ih_l0) and not torch.equal(one.weight_ih_l0, other.weight_ih_l0)


# --- tables by their quantiles -----------------------------------------------------------------------------------

def skewed(n, columns=3): return np.random.default_rng(5).lognormal(size=(n, columns)) * [1, 1000, .01][:columns]

def test_steps_climb_as_numpy_interpolates():
    from naivenas.search.networks import with_steps
    X = np.column_stack([skewed(700), np.arange(700) % 2, np.arange(700) % 3])       # and two columns of few values
    encoder, x = Encoder().fit(X, X[:, 0]), inputvertex("x", 5)
    made, new = Net(x, with_steps(encoder, x)), skewed(50)
    new = np.column_stack([new * 2 - .1, np.arange(50) % 2, np.arange(50) % 3])       # beyond both ends, too
    with torch.no_grad(): found = made(encoder.x(new)).numpy()
    assert np.allclose(found[:, :5], encoder.x(new)) and found.shape[1] == 5 + 3 * 16 + 2
    for j in range(3):
        q = np.sort(X[:, j])[np.linspace(0, 699, 17).round().astype(int)]
        assert np.allclose(found[:, 5 + 16 * j:21 + 16 * j].sum(1), np.interp(new[:, j], q, np.arange(17)), atol=1e-3)
    assert found[:, 5:].min() >= 0 and found[:, 5:].max() <= 1 and np.allclose(found[:, -2:].sum(1), np.arange(50) % 3, atol=1e-5)

@pytest.mark.parametrize("columns,per_column", [(16, 16), (17, 8), (40, 4), (65, 0)])
def test_wide_tables_get_fewer_steps(columns, per_column):
    from naivenas.search.networks import between
    X = rng.normal(size=(200, columns))
    assert len(between(Encoder().fit(X, X[:, 0]))) == columns * per_column

def test_steps_stay_fixed_whatever_a_search_does_and_are_saved(tmp_path):
    from naivenas import load_fitted
    X = skewed(1100)
    target = np.log(X).sum(1)
    model, population = fit(X, target, generations=4, size=6, examples=600, progress=False)
    def fixed(net): return [m for m in net.modules() if isinstance(m, nn.Linear) and not m.weight.requires_grad]
    having = [c for c in population if fixed(c.net)]
    assert having and fixed(founders(Encoder().fit(X, target), 1, None, None, "evolve", "cpu", 0)[1][0].net)
    for c in having:
        (m,) = fixed(c.net)
        assert m.weight.shape == (48, 3) and ((m.weight != 0).sum(1) == 1).all()
    model.save(tmp_path)
    again = load_fitted(tmp_path)
    assert np.array_equal(again.predict(X), model.predict(X)) and len(fixed(again.net)) == len(fixed(model.net))

def test_few_rows_begin_without_steps_and_meet_them():
    def begins(n): return founders(Encoder().fit(skewed(n), skewed(n)[:, 0]), 6, lambda c, r: c, None, "evolve", "cpu", 0)[1]
    def has_steps(c): return any(isinstance(m, nn.Hardtanh) for m in c.net.modules())
    few, many = begins(200), begins(1000)
    assert not has_steps(few[0]) and has_steps(few[2]) and has_steps(many[0]) and not has_steps(many[2])
    assert few[0].settings.augment == .5 and many[0].settings.augment == 0


# --- everything in the estimators --------------------------------------------------------------------------------

def test_estimators_have_every_option_of_fit():
    import inspect
    taken = {*inspect.signature(fit).parameters} - {"X", "y", "sample_weight", "groups", "task"}
    assert taken <= {*inspect.signature(NASClassifier).parameters} == {*inspect.signature(NASRegressor).parameters}
    model = NASClassifier(generations=1, size=1, cv=2, loss="smooth").fit(table, y)
    assert model.report_.rows == 90
