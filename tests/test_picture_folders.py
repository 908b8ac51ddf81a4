"Pictures in folders: what is read is what was written, a file that would run something is refused, and the command line takes both"
import os, pickle
from functools import partial
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image

from naivenas import load_fitted
from naivenas.apps.cli import main
from naivenas.search import search
from naivenas.search.folders import opened, picture_files, read_pictures


def drawn(folder, *names, many=3, size=(6, 5), seed=0):
    "Pictures of noise in a folder for each class; `{file: pixels}`"
    rng, made = np.random.default_rng(seed), {}
    for name in names:
        (folder / name).mkdir(parents=True)
        for i in range(many):
            made[folder / name / f"{i}.png"] = pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return made

def batches(folder, n=4, names=(b"cat", b"dog"), protocol=2):
    "Batches as CIFAR-10 has them, written from pictures; the pictures, those of the test last"
    folder.mkdir(parents=True, exist_ok=True)
    rng, made = np.random.default_rng(0), []
    for name in "data_batch_1", "data_batch_2", "test_batch":
        X, y = rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8), rng.integers(0, 2, n).tolist()
        rows = np.array([[x[i, j, c] for c in range(3) for i in range(32) for j in range(32)] for x in X])      # as its page tells
        (folder / name).write_bytes(pickle.dumps({b"data": rows, b"labels": y, b"batch_label": b"made up"}, protocol=protocol))
        made.append((X, [names[i].decode() for i in y]))
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": [*names]}, protocol=protocol))
    return made

def test_a_folder_for_each_class(tmp_path):
    made = drawn(tmp_path, "cat", "dog")
    for other in "cat/notes.txt", "cat/.hidden.png", ".cache/x.png", "dog/deep.d/9.PNG":
        (tmp_path / other).parent.mkdir(exist_ok=True)
        (tmp_path / other).write_bytes((tmp_path / "cat" / "0.png").read_bytes())
    found = read_pictures(tmp_path)
    assert found.y.tolist() == ["cat"] * 3 + ["dog"] * 4 and found.test is None and found.layout is None
    for path, one in zip(made, [*found.X[:6]]): assert (np.asarray(one) == made[path]).all()
    assert [i.size for i in read_pictures(tmp_path, pixels=4).X] == [(4, 4)] * 7

def test_train_and_test(tmp_path):
    drawn(tmp_path / "train", "a", "b"), drawn(tmp_path / "test", "a", "b", many=1)
    found = read_pictures(tmp_path)
    assert len(found.X) == 6 and found.test[1].tolist() == ["a", "b"] and len(found.test[0]) == 2

@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("inside", [".", "cifar-10-batches-py"])
def test_the_batches_of_cifar(tmp_path, protocol, inside):
    (X1, y1), (X2, y2), (X3, y3) = batches(tmp_path / inside, protocol=protocol)
    found = read_pictures(tmp_path)
    assert found.X.dtype == np.uint8 and (found.X == np.concatenate([X1, X2])).all() and found.y.tolist() == y1 + y2
    assert (found.test[0] == X3).all() and found.test[1].tolist() == y3 and found.layout == "NHWC"

def test_batches_without_names_have_numbers(tmp_path):
    batches(tmp_path)
    (tmp_path / "batches.meta").unlink(), (tmp_path / "test_batch").unlink()
    found = read_pictures(tmp_path)
    assert set(found.y.tolist()) <= {0, 1} and found.test is None

class Nasty:
    def __init__(self, path): self.path = path
    def __reduce__(self): return os.mkdir, (str(self.path),)

@pytest.mark.parametrize("what,says", [
    (lambda p: pickle.dumps({b"data": Nasty(p / "made"), b"labels": []}), r"holds (posix|nt)\.mkdir, which is no array"), (lambda p: b"not a pickle", "no batch of CIFAR-10"),
    (lambda p: b"", "no batch"), (lambda p: pickle.dumps([1]), "list and no dictionary"), (lambda p: pickle.dumps({b"data": np.zeros((2, 3)), b"labels": [0, 1]}), "rows of 3072"),
    (lambda p: pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]}), "a label for each"), (lambda p: pickle.dumps({b"labels": [0]}), "rows of 3072"),
    (lambda p: pickle.dumps({b"data": [[0] * 3072], b"labels": [0]}), "rows of 3072"), (lambda p: pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": ["x"]}), "'x' is no label"),
    (lambda p: pickle.dumps({b"data": 1})[:-3] + b"R.", "no batch")])
def test_what_is_no_batch_is_refused(tmp_path, what, says):
    (tmp_path / "data_batch_1").write_bytes(what(tmp_path))
    with pytest.raises(ValueError, match=says) as e: read_pictures(tmp_path)
    assert "data_batch_1" in str(e.value) and not (tmp_path / "made").exists()

def test_what_is_no_folder_of_pictures_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has none"): read_pictures(tmp_path)
    drawn(tmp_path, "cat")
    with pytest.raises(ValueError, match="has one; or CIFAR-10"): read_pictures(tmp_path)
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "cut.png").write_bytes((tmp_path / "cat" / "0.png").read_bytes()[:60])
    with pytest.raises(ValueError, match="cut.png can't be read"): read_pictures(tmp_path)
    assert opened([]) == [] and len(picture_files(tmp_path)) == 4

def test_the_command_line_fits_and_predicts(tmp_path, monkeypatch, capsys):
    "Dark pictures and light ones, of several sizes (that a search goes on is checked in tutorial 08)"
    rng = np.random.default_rng(0)
    for name, mean in ("dark", 60), ("light", 190):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(16):
            pixels = (mean + rng.integers(-40, 40, (8 + (i == 0), 8))).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(search, "fit", partial(search.fit, size=2, examples=256))      # a small search, for the time it takes
    assert main("fit data --generations 1 --keep night --out found".split()) == 0
    said = capsys.readouterr()
    assert "generation 1:" in said.out and "the pictures have 2 sizes" in said.err
    assert main("fit data --generations 2 --keep night --out found --pixels 6".split()) == 2
    said = capsys.readouterr()
    assert "generation" not in said.out and "another search: its data" in said.err and "sizes" not in said.err
    assert main("predict found data --out said.csv".split()) == 0
    table = pandas.read_csv("said.csv")
    assert table.shape == (32, 2) and np.mean([Path(f).parent.name == p for f, p in zip(table.file, table.prediction)]) > .8
    assert main("predict found data/dark/3.png".split()) == 0 and len(capsys.readouterr().out.splitlines()) == 3
    model = load_fitted("found")
    assert model.predict(opened(map(Path, table.file))).tolist() == table.prediction.tolist()

@pytest.mark.parametrize("line,says", [("fit data --target x", "--target names a column"), ("fit data --groups x", "--groups names a column"), ("fit empty", "a folder of pictures for each class"),
                                       ("fit table.csv", "--target, the column to predict, is missing; there are a, b"), ("predict found empty", "no picture in 'empty'")])
def test_mistakes_get_one_line(tmp_path, monkeypatch, capsys, line, says):
    drawn(tmp_path / "data", "a", "b"), (tmp_path / "empty").mkdir()
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)
    try: code = main(line.split())
    except SystemExit as e: code = e.code
    said = capsys.readouterr().err
    assert code == 2 and len(said.splitlines()) == 1 and says in said, said
