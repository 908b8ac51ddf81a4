"Data as people have them, and scores one can believe: each against a rule of its own"
import json, warnings
from types import SimpleNamespace

import numpy as np, pandas, pytest, torch
from sklearn.metrics import accuracy_score, make_scorer, mean_absolute_error, mean_squared_error

from naivenas import NASClassifier, NASRegressor, load_fitted
from naivenas.apps.cli import main
from naivenas.search.arrays import given, look
from naivenas.search.columns import frame, learnt_columns
from naivenas.search.dividing import divided, split, weights_of
from naivenas.search.encoding import Encoder
from naivenas.search.options import checked_options
from naivenas.search.reading import read_table
from naivenas.search.search import fit
from naivenas.search.training import Train

rng = np.random.default_rng(0)
QUICK = dict(generations=1, size=2, examples=64, progress=False)

def said(f, *args, **how):
    "What f gives, and what it says"
    with warnings.catch_warnings(record=True) as some:
        warnings.simplefilter("always")
        found = f(*args, **how)
    return found, [str(w.message) for w in some if w.category is UserWarning]

def table(n=60):
    return pandas.DataFrame({"age": rng.normal(40, 9, n).round(1), "city": rng.choice(["Bonn", "Köln", "Ulm"], n), "day": pandas.date_range("2020-01-01", periods=n, freq="3D"),
                             "pay": rng.integers(1000, 99999, n), "member": rng.random(n) > .5})


# --- tables ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_a_file_is_read_however_it_was_written(tmp_path, sep, encoding):
    t = table(20).assign(note="a, b; c")
    t.to_csv(tmp_path / "t.csv", index=False, sep=sep, encoding=encoding)
    again = read_table(tmp_path / "t.csv")
    pandas.testing.assert_frame_equal(again, t.assign(day=t.day.astype(str)), check_dtype=False)

@pytest.mark.parametrize("write,form", [("{:,}", "."), ("{:,.2f} €", "."), ("${}", "."), ("german", ",")])
def test_numbers_written_as_texts_are_those_numbers(write, form):
    numbers = np.array([12345.5, 999, 1234567.25, 0.5]) if write != "{:,}" else np.array([12345, 999, 1234567, 7])
    texts = [f"{v:,}".translate(str.maketrans(",.", ".,")) for v in numbers] if write == "german" else [write.format(v) for v in numbers]
    X = pandas.DataFrame({"v": [*texts, "n/a", None]})
    notes = []
    known, _ = said(learnt_columns, X, notes)
    read = frame(known, X)
    assert known["v"] == {"as": "number", "form": form} and len(notes) == 1 and "'v'" in notes[0]
    assert np.allclose(read[:4, 0], numbers) and np.isnan(read[4:, 0]).all()

def test_codes_stay_categories():
    X = pandas.DataFrame({"zip": ["01067", "53111"] * 6, "digits": ["1", "2"] * 6, "model": ["a-1", "b-2"] * 6})
    assert all(isinstance(v, list) for v in learnt_columns(X, []).values())

@pytest.mark.parametrize("write", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y-%m-%d %H:%M", "%d %b %Y", "%Y-%m-%dT%H:%M:%S"])
def test_dates_are_dates_however_they_are_written(write):
    dates = pandas.Series(pandas.date_range("2020-02-27 13:30" if "%H" in write else "2020-02-27", periods=30, freq="11D"))
    as_texts, as_dates = pandas.DataFrame({"d": dates.dt.strftime(write)}), pandas.DataFrame({"d": dates})
    (one, told), (two, _) = said(learnt_columns, as_texts, []), said(learnt_columns, as_dates, [])
    read = frame(one, as_texts)
    assert len(told) == 1 and np.allclose(read, frame(two, as_dates)) and np.allclose(frame(two, as_texts), read) and np.allclose(frame(one, as_dates), read)
    assert read[:, 1].tolist() == dates.dt.month.tolist() and np.allclose(np.diff(read[:, 0]), 11)

def test_gaps_of_every_type_are_filled_and_said_once():
    t = table().astype({"pay": "Int64", "member": "boolean"})
    t.loc[3:9, "age"], t.loc[5, "pay"], t.loc[7, "member"], t.loc[8, "city"], t.loc[1, "day"] = None, None, None, None, None
    t["flag"] = [True, None, False] * 20
    encoder, told = said(Encoder().fit, t, np.arange(60) % 2)
    assert sum("missing" in line for line in told) == 1 and all(name in " ".join(told) for name in ("'age' (7 of 60)", "'pay' (1 of 60)", "'member' (1 of 60)", "'flag' (20 of 60)"))
    raw = encoder.raw(t)
    assert np.isfinite(raw).all() and np.allclose(raw[3:10, 0], t.age.median()) and encoder.notes == told
    indicators = raw[:, -len(encoder.gaps):]
    assert {tuple(np.flatnonzero(i)) for i in indicators.T} == {tuple(np.flatnonzero(t[c].isna())) for c in ("age", "pay", "member", "day", "flag")}
    _, again = said(encoder.x, t)
    assert again == []

def test_gaps_that_come_later_are_filled_too():
    X = rng.normal(size=(40, 3))
    encoder, _ = said(Encoder().fit, X, np.arange(40) % 2)
    X2 = X.copy()
    X2[0, 1] = np.nan
    read, told = said(encoder.raw, X2)
    assert read.shape == (40, 3) and read[0, 1] == np.median(X[:, 1]) and len(told) == 1

def test_running_numbers_and_empty_columns_are_left_out():
    t = table().assign(id=rng.permutation(60), row=range(1, 61), empty=None, time=np.arange(60.))
    encoder, told = said(Encoder().fit, t, np.arange(60) % 2)
    assert {c for c, v in encoder.columns.items() if v == {"as": "nothing"}} == {"id", "row", "empty"} and sum("left out" in line for line in told) == 3
    assert np.array_equal(encoder.x(t), encoder.x(t.drop(columns=["id", "row", "empty"])))

def test_what_was_done_is_saved_with_the_model(tmp_path):
    t = table()
    t.loc[4:9, "age"] = np.nan
    t["day"], t["pay"] = t.day.dt.strftime("%d.%m.%Y"), [f"{v:,}" for v in t.pay]
    (model, _), told = said(fit, t, np.where(t.member, "yes", "no"), **QUICK)
    model.save(tmp_path)
    again = load_fitted(tmp_path)
    assert np.array_equal(again.predict_proba(t), model.predict_proba(t)) and again.encoder.notes == told and again.report_ == model.report_
    written = json.loads((tmp_path / "model.json").read_text())
    for key, wrong in (("form", "odd"), ("layout", "X"), ("gaps", [-1]), ("columns", {"age": {"as": "code"}}), ("columns", {"day": {"as": "date", "form": "__import__"}})):
        (tmp_path / "model.json").write_text(json.dumps(written | {"encoder": written["encoder"] | {key: wrong}}))
        with pytest.raises(ValueError, match="model.json"): load_fitted(tmp_path)

@pytest.mark.parametrize("X", [{"a": [1., 2, 3, 4], "b": list("xyxy")}, [["x", 1], ["y", 2], ["x", 3], ["y", 4]], np.array([["x", "u"], ["y", "u"]] * 2), pandas.Series([1., 2, 3, 4], name="a")])
def test_tables_in_other_clothes(X):
    encoder, _ = said(Encoder().fit, X, [0, 1, 0, 1])
    assert encoder.kind == "table" and encoder.columns and encoder.x(X).shape[0] == 4

@pytest.mark.parametrize("X,word", [(["a great film", "bad"] * 5, "TfidfVectorizer"), ({"a": np.zeros(10), "b": np.zeros(9)}, "different lengths"), ({"a": np.zeros((10, 3)), "b": np.zeros((9, 8, 8))}, "different numbers of examples"),
                                    (pandas.DataFrame([[1, 2]] * 10, columns=["a", "a"]), "two columns are called 'a'")])
def test_what_is_no_table_is_refused(X, word):
    with pytest.raises((TypeError, ValueError), match=word): fit(X, np.arange(10) % 2, **QUICK)


# --- several inputs ----------------------------------------------------------------------------------------------

def both(n=48):
    "A picture, a table, a sequence and a column that belong together; the label is in the picture alone"
    y = np.arange(n) % 2
    return {"photo": rng.normal(size=(n, 8, 8)) + 2. * y[:, None, None], "owner": table(n)[["age", "city"]], "steps": rng.normal(size=(n, 20, 2)), "weight": rng.normal(size=n)}, y

def test_each_of_several_inputs_is_encoded_as_if_it_were_alone():
    X, y = both()
    encoder, _ = said(Encoder(layout={"steps": "NTC"}).fit, X, y)
    alone = {k: said(Encoder(layout="NTC" if k == "steps" else None).fit, pandas.DataFrame({k: v}) if k == "weight" else v, y)[0] for k, v in X.items()}
    given_together = encoder.x(X)
    assert len(given_together) == 48 and [p.kind for p in encoder.parts.values()] == ["image", "table", "sequence", "table"]
    for k, t in zip(X, given_together[:]): assert torch.equal(t, alone[k].x(pandas.DataFrame({k: X[k]}) if k == "weight" else X[k]))

def test_a_network_of_several_inputs_learns_from_them_and_is_kept(tmp_path):
    X, y = both()
    holed = y.astype(float)
    holed[3] = np.nan
    (model, population), told = said(fit, X, holed, task="classification", generations=3, size=2, examples=192, progress=False, folder=tmp_path / "search", layout={"steps": "NTC"}, test=.25)
    assert len(told) == 1 and len(model.net.inputs) == 4 and model.report_.fresh
    model.save(tmp_path / "model")
    again = load_fitted(tmp_path / "model")
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X)) and model.score(X, y) > .8
    swapped = X | {"owner": X["owner"][::-1]}
    assert np.array_equal(model.predict_proba({k: X[k] for k in reversed(X)}), model.predict_proba(X)) and not np.array_equal(model.predict_proba(swapped), model.predict_proba(X))
    written = json.loads((tmp_path / "model" / "model.json").read_text())
    for wrong in ([1], {"photo": {"kind": "film"}}, {"photo": {"kind": "image", "shape": [8, 8], "mean": 0., "scale": 0.}}):
        (tmp_path / "model" / "model.json").write_text(json.dumps(written | {"encoder": written["encoder"] | {"parts": wrong}}))
        with pytest.raises(ValueError, match="model.json"): load_fitted(tmp_path / "model")
    with pytest.raises(ValueError, match="'photo'|photo"): model.predict({k: v for k, v in X.items() if k != "photo"})
    with pytest.raises(TypeError, match="dictionary"): model.predict(X["photo"])

def test_all_mutations_of_a_net_of_several_inputs_leave_it_running():
    from naivenas.search import mutations, network
    from naivenas.search.networks import map_of
    X, y = both()
    encoder, draws = said(Encoder().fit, X, y)[0], np.random.default_rng(1)
    for _ in range(6):
        net = network(encoder, draws, width=(4, 8), blocks=(0, 1))
        change = mutations(map_of(encoder), rate=3)(net, draws)
        assert net.eval()(*encoder.x(X)[:4]).shape == (4, 2)


# --- pictures and sequences --------------------------------------------------------------------------------------

@pytest.mark.parametrize("shape,layout", [((9, 12, 12, 3), "NHWC"), ((9, 3, 12, 12), "NCHW"), ((9, 12, 7, 1), "NHWC"), ((9, 4, 12, 7), "NCHW"), ((9, 12, 12, 10), "NHWC"), ((9, 10, 12, 12), "NCHW"), ((9, 12, 12), "NHW")])
def test_channels_are_told_apart(shape, layout):
    assert look(None, shape)[:2] == ("image", layout)
    X = rng.random(shape)
    encoder, told = said(Encoder().fit, X, np.arange(9) % 2)
    x = encoder.x(X)
    assert x.shape[1] == shape[layout.index("C")] if "C" in layout else 1
    order = [0, *("NCHW".index(a) for a in layout[1:])] if "C" in layout else None
    back = x.permute(*[("NCHW").index(a) for a in layout]) if order else x[:, 0]
    assert np.allclose(back, (X - X.mean()) / X.std(), atol=1e-5) and (layout != "NHWC" or len(told) == 1)

def test_a_layout_that_is_given_is_taken():
    X = rng.random((9, 3, 12, 12))
    encoder, told = said(Encoder(layout="NHWC").fit, X, np.arange(9) % 2)
    assert encoder.x(X).shape == (9, 12, 3, 12) and told == []

def test_lists_of_pictures():
    from PIL import Image
    some = [Image.fromarray((rng.random((10, 14, 3)) * 255).astype(np.uint8)) for _ in range(8)]
    encoder, told = said(Encoder().fit, some, np.arange(8) % 2)
    assert encoder.x(some).shape == (8, 3, 10, 14) and told == []
    assert torch.equal(encoder.x(some[:2]), encoder.x(np.stack([np.asarray(i) for i in some[:2]])))
    assert encoder.x([some[0].resize((5, 5)).convert("L")]).shape == (1, 3, 10, 14)
    _, told = said(Encoder().fit, [*some, some[0].resize((7, 5))], np.arange(9) % 2)
    assert len(told) == 1 and "14 x 10" in told[0]

@pytest.mark.parametrize("shape,kind,layout", [((9, 2, 150), None, "NCT"), ((9, 150, 2), None, "NTC"), ((9, 1, 30), "sequence", "NCT"), ((9, 30, 4), "sequence", "NTC"), ((9, 30), "sequence", "NT")])
def test_steps_and_features_are_told_apart(shape, kind, layout):
    X = rng.random(shape)
    encoder, told = said(Encoder(kind).fit, X, np.arange(9) % 2)
    features, steps = (1 if "C" not in layout else shape[layout.index("C")]), shape[layout.index("T")]
    assert encoder.kind == "sequence" and encoder.x(X).shape == (9, features, steps) and bool(told) == (kind is None)

@pytest.mark.parametrize("one", [lambda n: rng.normal(size=n), lambda n: rng.normal(size=(n, 3)), lambda n: rng.normal(size=(3, n))])
def test_sequences_of_different_lengths(one):
    lengths = rng.integers(5, 20, 30)
    lengths[0] = 20
    X = [one(n) for n in lengths]
    (model, _), told = said(fit, X, np.arange(30) % 2, **QUICK)
    assert len(told) == 1 and "20 steps" in told[0] and model.encoder.x(X).shape[2] == 20
    alone = np.concatenate([model.predict_proba(X[i:i + 1]) for i in range(5)])
    assert np.allclose(alone, model.predict_proba(X)[:5], atol=1e-5)                    # nobody's neighbours matter
    _, told = said(model.predict, [one(25)])
    assert len(told) == 1 and "cut" in told[0]


# --- targets -----------------------------------------------------------------------------------------------------

X4 = rng.normal(size=(60, 4))

@pytest.mark.parametrize("y", [(X4[:, :1] > 0).astype(int), np.where(X4[:, :1] > 0, "yes", "no")])
def test_a_column_of_labels(y):
    model, _ = fit(X4, y, **QUICK)
    assert model.predict(X4).shape == (60,) and set(model.predict(X4)) <= set(y.ravel()) and 0 <= model.score(X4, y) <= 1

@pytest.mark.parametrize("dtype", [int, float, bool])
def test_one_hot(dtype):
    labels = (X4[:, 0] > 0).astype(int) + (X4[:, 0] > 1)
    (model, _), told = said(fit, X4, np.eye(3)[labels].astype(dtype), **QUICK)
    found = model.predict(X4)
    assert found.shape == (60, 3) and (found.sum(1) == 1).all() and len(told) == 1 and model.encoder.nout == 3
    assert model.score(X4, np.eye(3)[labels]) == (found.argmax(1) == labels).mean()

def test_several_labels_at_once(tmp_path):
    y = pandas.DataFrame({"big": X4[:, 0] > 0, "old": X4[:, 1] > 0, "odd": X4[:, 2] > .5})
    (model, _), told = said(fit, X4, y, **QUICK | {"examples": 4000})
    found = model.predict(X4)
    assert found.shape == (60, 3) and set(np.unique(found)) <= {0, 1} and (found == y).to_numpy().mean() > .8 and len(told) == 1
    assert model.encoder.classes.tolist() == ["big", "old", "odd"] and (model.predict_proba(X4) <= 1).all()
    model.save(tmp_path)
    assert np.array_equal(load_fitted(tmp_path).predict(X4), found)

@pytest.mark.parametrize("y,kind,word", [(np.zeros((60, 8, 8)), ValueError, "label for each pixel"), (pandas.date_range("2020", periods=60), TypeError, "dates"), ("sold", TypeError, "name of a column"),
                                         (np.array(["a", 1] * 30, object), ValueError, "several types"), (np.full(60, None), ValueError, "all of them are missing")])
def test_targets_that_nothing_here_learns(y, kind, word):
    with pytest.raises(kind, match=word): fit(X4, y, **QUICK)

def test_texts_are_no_quantities():
    with pytest.raises(ValueError, match="'a', and regression needs numbers"): fit(X4, ["a", "b"] * 30, task="regression", **QUICK)
    model, _ = said(fit, X4, [f"{1000 * v:,.1f}" for v in X4[:, 0]], **QUICK)[0]
    assert model.encoder.task == "regression" and abs(model.predict(X4)).max() < 10_000

@pytest.mark.parametrize("y", [np.array(["yes", None, "no"] * 20, object), np.array([1, np.nan, 0] * 20), pandas.Series([True, None, False] * 20)])
def test_examples_without_a_target_are_left_out(y):
    (model, _), told = said(fit, X4, y, **QUICK, sample_weight=np.ones(60))
    at = np.arange(60) % 3 != 1
    there, _ = fit(X4[at], np.asarray(y)[at].astype(int if np.asarray(y).dtype == float else object).tolist(), **QUICK, sample_weight=np.ones(40))
    assert np.allclose(model.predict_proba(X4), there.predict_proba(X4)) and len(told) == 1 and "20 of 60" in told[0]


# --- measuring ---------------------------------------------------------------------------------------------------

def far(y_true, y_pred): return -np.abs(y_true - y_pred).max()

@pytest.mark.parametrize("metric,mine", [("neg_mean_absolute_error", lambda t, p: -mean_absolute_error(t, p)), (make_scorer(mean_squared_error, greater_is_better=False), lambda t, p: -mean_squared_error(t, p)), (far, far)])
def test_metrics_are_in_the_units_of_y(metric, mine):
    y = 1000 * X4[:, 0] + 5000
    model, population = fit(X4, y, metric=metric, test=.3, **QUICK)
    data = divided(Encoder().fit(X4, y), X4, y, 0, test=.3)
    at = data.outside.numpy()
    for c in population:
        with torch.no_grad(): predicted = model.encoder.decode(c.net.eval()(data.x[at]).numpy())
        assert abs(c.fitness - mine(y[at], predicted)) < 1e-3 * abs(c.fitness)
    last = data.test.numpy()
    assert model.report_.fresh and model.report_.rows == 18 and abs(model.report_.score - mine(y[last], model.predict(X4[last]))) < 1e-3 * abs(model.report_.score)

@pytest.mark.parametrize("metric,says", [("acurracy", "accuracy"), ("accuracy", "quantities"), (mean_absolute_error, "greater_is_better=False"), ("neg_mean_squared_log_error", "can't be measured")])
def test_metrics_are_tried_before_anything_is_trained(metric, says, monkeypatch):
    monkeypatch.setattr(Train, "__call__", lambda *_: pytest.fail("something was trained"))
    with pytest.raises(ValueError, match=says): fit(X4, X4[:, 0], metric=metric, **QUICK)

def test_few_of_a_class_are_on_both_sides():
    for seed in range(20):
        codes = rng.permutation(np.repeat([0, 1, 2, 3], [150, 40, 2, 1]))
        inside, outside = split(len(codes), seed, codes=codes)
        assert {*inside.tolist()} | {*outside.tolist()} == {*range(193)} and not {*inside.tolist()} & {*outside.tolist()}
        assert {*codes[inside]} == {0, 1, 2, 3} and {*codes[outside]} == {0, 1, 2} and np.bincount(codes[outside])[:2].tolist() == [30, 8]

def test_groups_stay_together():
    groups, y = np.repeat(np.arange(20), 10), np.arange(200) % 2
    X = rng.normal(size=(200, 2))
    data = divided(Encoder().fit(X, y), X, y, groups=groups, test=.2)
    sides = [{*groups[part]} for part in (data.inside, data.outside, data.test)]
    assert sum(map(len, sides)) == 20 and all(sides) and set.union(*sides) == {*range(20)}
    with pytest.raises(ValueError, match="groups has the shape"): fit(X, y, groups=groups[:5], **QUICK)

def test_validation_and_test_that_are_given():
    from sklearn.model_selection import TimeSeriesSplit
    X, y = rng.normal(size=(80, 3)), np.arange(80) % 2
    model, population = fit(X[:50], y[:50], validation=(X[50:65], y[50:65]), test=(X[65:], y[65:]), **QUICK)
    best = max(population, key=lambda c: c.fitness)
    with torch.no_grad(): assert best.fitness[0] == pytest.approx((best.net.eval()(model.encoder.x(X[50:65])).argmax(1).numpy() == y[50:65]).mean())
    assert model.report_.rows == 15 and model.report_.score == accuracy_score(y[65:], model.predict(X[65:])) and np.allclose(model.encoder.mean, X[:50].mean(0))
    data = divided(model.encoder, X, y, validation=TimeSeriesSplit(3))
    assert data.inside.max() < data.outside.min()
    with pytest.raises(ValueError, match="'maybe', which was not there"): fit(X[:9], ["yes", "no", "no"] * 3, validation=(X[:1], ["maybe"]), **QUICK)

def test_weights_of_examples_and_classes():
    X = rng.normal(size=(200, 1))                           # nothing to tell apart by: the heavier class wins
    y = np.repeat(["few", "many"], [50, 150])
    def share(**how): return (fit(X, y, **QUICK | {"examples": 1000}, **how)[0].predict(X) == "few").mean()
    assert share() < .1 and share(class_weight={"few": 9}) > .9 and share(sample_weight=np.where(y == "few", 9., 1)) > .9
    p = fit(X, y, class_weight="balanced", **QUICK | {"examples": 1000})[0].predict_proba(X)[:, 0]
    assert abs(p.mean() - .5) < .1
    quantities, weights = np.repeat([0., 8.], 100), np.repeat([3, 1], 100)
    assert abs(fit(X, quantities, sample_weight=weights, **QUICK | {"examples": 1000})[0].predict(X).mean() - 2) < .7
    for wrong, word in ((dict(sample_weight=-np.ones(200)), "at least 0"), (dict(class_weight={"none": 1}), "no class of y"), (dict(class_weight="equal"), "'balanced'")):
        with pytest.raises(ValueError, match=word): fit(X, y, **wrong, **QUICK)
    assert weights_of(3, None, [1, 2, 3]).mean() == 1

def test_the_report_says_what_it_is():
    y = np.repeat(["no", "yes"], [40, 20])
    model, _ = fit(X4, y, **QUICK)
    assert not model.report_.fresh and model.report_.baseline == pytest.approx(8 / 12) and "always 'no'" in str(model.report_) and "a little too good" in str(model.report_)
    (few, _), told = said(fit, X4[:8], y[36:44], **QUICK)
    assert few.report_ is None and len(told) == 1 and "too few to hold any out" in told[0]
    X = rng.normal(size=(1500, 2))
    model, _ = fit(X, X[:, 0], **QUICK)
    assert model.report_.fresh and model.report_.rows == 150 and "always the mean" in str(model.report_) and abs(model.report_.baseline) < .1


# --- options -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name,wrong", [("task", "classify"), ("kind", "tabular"), ("method", "evolv"), ("layout", "HWC"), ("metric", "f1_makro"), ("metric", 3), ("time", "1h"), ("time", -5), ("time", 0), ("time", True),
    ("time", np.nan), ("generations", 0), ("generations", 2.5), ("size", 0), ("size", 1.5), ("size", "six"), ("examples", -1), ("rounds", 0), ("threads", 0), ("seed", -1), ("seed", "x"), ("executor", 0), ("executor", "dask"),
    ("timeout", -1), ("memory", 1.5), ("device", "gpu"), ("start", 3), ("change", "x"), ("watch", 1), ("also", 3), ("also", ("size",)), ("validation", 0), ("validation", 1.), ("validation", "x"), ("test", -.1), ("test", 5),
    ("augment", "flip"), ("augment", ("mirror",)), ("augment", .5)])
def test_options_are_checked_first(name, wrong):
    with pytest.raises((ValueError, TypeError), match=name) as e: fit(X4, None, **{name: wrong})
    assert repr(wrong) in str(e.value) or str(wrong) in str(e.value), e.value

def test_close_words():
    for options, near in ((dict(task="regresion"), "regression"), (dict(kind="images"), "image"), (dict(method="evolv"), "evolve")):
        with pytest.raises(ValueError, match=f"did you mean '{near}'"): checked_options(**options)

@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("method", ["evolve", "random"])
def test_small_populations(size, method):
    _, population = fit(X4, X4[:, 0] > 0, **QUICK | {"generations": 3, "size": size}, method=method)
    assert len(population) == size


# --- estimators and the command ----------------------------------------------------------------------------------

def test_estimators_take_all_that_fit_takes():
    import inspect
    options = {*inspect.signature(fit).parameters} - {"X", "y", "task", "groups", "sample_weight"}
    assert options <= {*inspect.signature(NASClassifier).parameters} and {"sample_weight", "groups"} <= {*inspect.signature(NASRegressor.fit).parameters}
    t = table()
    t.loc[3, "age"] = np.nan
    quick = dict(generations=1, size=2, examples=64)
    one, two = (said(NASClassifier(random_state=3, **quick).fit, t, t.member)[0] for _ in range(2))
    assert np.array_equal(one.predict_proba(t), two.predict_proba(t)) and one.report_ is one.model_.report_
    other = said(NASClassifier(seed=3, **quick).fit, t, t.member)[0]
    assert np.array_equal(one.predict_proba(t), other.predict_proba(t))
    gappy = np.where(X4 > 1.5, np.nan, X4)
    assert said(NASRegressor(**quick, random_state=np.random.RandomState(0)).fit, gappy, X4[:, 0], sample_weight=np.ones(60))[0].predict(gappy).shape == (60,)

def test_the_command_fits_and_predicts(tmp_path, capsys):
    t = table(120)
    t["y"], t["pay"], t["id"] = np.where(t.age > 40, "ja", "nein"), [f"{v:,}" for v in t.pay], range(120)
    t.loc[3, "y"], t.loc[5, "age"] = None, None
    t.to_csv(tmp_path / "t.csv", index=False, sep=";", encoding="latin-1")
    def run(*args):
        try: code = main([*map(str, args)])
        except SystemExit as e: code = e.code
        return SimpleNamespace(returncode=code, **dict(zip(("stdout", "stderr"), capsys.readouterr())))
    done = run("fit", tmp_path / "t.csv", "--target", "y", "--generations", 1, "--out", tmp_path / "m")
    lines = done.stderr.splitlines()
    assert done.returncode == 0 and len(lines) == len({*lines}) == 5 and all(line.startswith("naivenas: ") for line in lines), done.stderr
    assert "accuracy" in done.stdout and "24 examples that the search has not seen" in done.stdout and "always '" in done.stdout
    done = run("predict", tmp_path / "m", tmp_path / "t.csv", "--out", tmp_path / "p.csv")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    found = pandas.read_csv(tmp_path / "p.csv")
    assert found.columns.tolist() == ["y"] and len(found) == 120 and set(found.y) <= {"ja", "nein"}
    assert found.y.tolist() == load_fitted(tmp_path / "m").predict(read_table(tmp_path / "t.csv")).tolist()
    for args, word in ((("predict", tmp_path, tmp_path / "t.csv"), "model.json"), (("fit", tmp_path / "t.csv", "--target", "yy"), "did you mean 'y'"), (("fit", tmp_path / "t.csv", "--target", "y", "--metric", "acuracy"), "accuracy")):
        done = run(*args)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and word in done.stderr, done.stderr
