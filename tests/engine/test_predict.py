"""Answers to streamed rows, and their scores, have the bits of rows in memory, wherever they lie."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import glassnet as gn
from glassnet.data import source as source_module
from glassnet.engine.metrics import block_rows, tally
from glassnet.engine.predict import predict_dataset, predictions, tally_dataset
from glassnet.nn.network import outputs_of

N, INPUTS = 70_003, 3  # more than a block of 65,536 rows, which is where sums are added
NAMES = [f"x{i}" for i in range(INPUTS)]
ANSWERS = ["predict", "predict_proba", "outputs"]
TARGETS = {
    "softmax": lambda random, n, outputs: random.randint(0, outputs, n),
    "logistic": lambda random, n, outputs: random.randint(0, 2, (n, outputs)),
    "identity": lambda random, n, outputs: random.randn(n, outputs) + 5,
    "exp": lambda random, n, outputs: random.poisson(3, (n, outputs)).astype(float),
}


@pytest.fixture(scope="module", name="X")
def draw():
    return np.random.RandomState(0).randn(N, INPUTS)


def network(output, outputs=2):
    net = gn.Network((INPUTS, 4, outputs), hidden="tanh", output=output)
    return net, net.initialize(1, scheme="normal")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, X):
    """The target is missing in places: rows to predict do not need it."""
    folder = tmp_path_factory.mktemp("rows")
    holes = [None if row % 1_000 == 7 else row % 2 for row in range(N)]
    for part, (start, stop) in enumerate(pairwise([0, 1_300, 1_300, 1_301, 40_000, N])):
        columns = {name: X[start:stop, place] for place, name in enumerate(NAMES)}
        columns["class"] = pa.array(holes[start:stop], pa.int64())
        pq.write_table(pa.table(columns), folder / f"part-{part}.parquet", row_group_size=9_000)
    return folder


def rows_of(source, folder, X, tmp_path):
    if source == "parquet":
        return gn.stream(folder, features=NAMES, memory="128 MiB")
    if source == "with targets":
        return gn.stream(folder, "class", features=NAMES)
    if source == "mapped":
        np.save(tmp_path / "X.npy", X)
        return gn.stream(np.load(tmp_path / "X.npy", mmap_mode="r"))
    return gn.stream(np.asfortranarray(X) if source == "columns" else X)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("source", ["parquet", "with targets", "mapped", "columns", "array"])
def test_answers_have_the_bits_of_rows_in_memory(source, answer, folder, X, tmp_path, monkeypatch):
    # Several passes, and row groups that are divided.
    monkeypatch.setattr(source_module, "RESULT_BYTES", 100_000)
    net, theta = network("softmax", 3)
    rows = rows_of(source, folder, X, tmp_path)
    in_memory = {
        "outputs": outputs_of,
        "predict": gn.Network.predict,
        "predict_proba": gn.Network.predict_proba,
    }
    expected = in_memory[answer](net, theta, X)
    for threads in (1, 3):
        found = predict_dataset(net, theta, rows, answer, threads)
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)
    some = list(predictions(net, theta, rows, answer))
    assert len(some) > 5
    assert np.array_equal(np.concatenate(some), expected)


@pytest.mark.parametrize("output", TARGETS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_run_answers_paths_and_rows(output, dtype, folder, X):
    net, theta = network(output)
    y = TARGETS[output](np.random.RandomState(0), N, 2)
    run = gn.train(net, X, y, parameters=theta, iterations=0, dtype=dtype)
    rows = gn.stream(folder, features=NAMES)
    assert np.array_equal(run.predict(rows), run.predict(X))
    if output in ("softmax", "logistic"):
        assert np.array_equal(run.predict_proba(rows), run.predict_proba(X))
    else:
        with pytest.raises(gn.InputError, match="predicts values, not probabilities"):
            run.predict_proba(rows)


def test_path_without_other_columns_is_all_that_predict_needs(tmp_path, X):
    net, theta = network("softmax")
    run = gn.train(net, X, np.zeros(N, int), parameters=theta, iterations=0)
    pq.write_table(
        pa.table({name: X[:, place] for place, name in enumerate(NAMES)}), tmp_path / "a.parquet"
    )
    assert np.array_equal(run.predict(str(tmp_path)), run.predict(X))
    assert np.array_equal(run.predict_proba(tmp_path / "a.parquet"), run.predict_proba(X))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("output", TARGETS)
def test_score_has_the_bits_of_rows_in_memory_and_is_scikit_learns(output, outputs, weighted, X):
    from sklearn.metrics import accuracy_score, r2_score

    if output == "softmax" and outputs == 1:
        return
    random = np.random.RandomState(0)
    y, w = TARGETS[output](random, N, outputs), random.uniform(0.5, 2, N) if weighted else None
    net, theta = network(output, outputs)
    run = gn.train(net, X, y, parameters=theta, iterations=0)
    expected = run.score(X, y, w)
    for threads in (1, 3):
        rows = gn.stream(X, y, sample_weight=w)
        assert tally_dataset(net, theta, rows, threads).score == expected
    assert run.score(gn.stream(X, y, sample_weight=w)) == expected
    judge = accuracy_score if output in ("softmax", "logistic") else r2_score
    assert np.isclose(expected, judge(y, run.predict(X), sample_weight=w), rtol=1e-13)


@pytest.mark.parametrize("output", TARGETS)
def test_tally_counts_as_scikit_learn_does(output, X):
    from sklearn.metrics import confusion_matrix, multilabel_confusion_matrix, r2_score

    y = TARGETS[output](np.random.RandomState(0), N, 3)
    net, theta = network(output, 3)
    found = tally_dataset(net, theta, gn.stream(X, y))
    answers = net.predict(theta, X)
    assert found.n == N
    if output == "softmax":
        assert np.array_equal(found.counts, confusion_matrix(y, answers, labels=range(3)))
    elif output == "logistic":
        assert np.array_equal(found.counts, multilabel_confusion_matrix(y, answers))
        assert found.exact == (y == answers).all(axis=1).sum()
    else:
        np.testing.assert_allclose(found.r2, r2_score(y, answers, multioutput="raw_values"), rtol=1e-12)
        np.testing.assert_allclose(found.errors, ((y - answers) ** 2).sum(axis=0), rtol=1e-12)


def test_score_of_a_constant_and_of_one_row_is_scikit_learns():
    net, theta = network("identity", 1)
    X = np.ones((3, INPUTS))
    met = net.predict(theta, X)
    assert tally(net, met, outputs_of(net, theta, X)).score == 1.0
    assert tally(net, met + 1, outputs_of(net, theta, X)).score == 0.0
    assert np.isnan(tally(net, met[:1], outputs_of(net, theta, X[:1])).score)


def test_rows_of_weight_0_count_nothing_and_not_alone(X):
    net, theta = network("identity", 2)
    y = TARGETS["identity"](np.random.RandomState(0), N, 2)
    w = np.zeros(N)
    w[-5:] = 1  # all in the last of the blocks
    assert np.isclose(
        tally_dataset(net, theta, gn.stream(X, y, sample_weight=w)).score,
        tally(net, y[-5:], outputs_of(net, theta, X[-5:])).score,
        rtol=1e-12,
    )
    with pytest.raises(gn.InputError, match="sample_weight is 0 everywhere"):
        tally_dataset(net, theta, gn.stream(X, y, sample_weight=np.zeros(N))).score  # noqa: B018


def test_blocks_of_a_tally_divide_a_range_of_rows():
    for outputs in (1, 2, 3, 17, 100_000):
        assert 65_536 % block_rows(outputs) == 0
    assert block_rows(3) == 65_536


# ---- What cannot be used --------------------------------------------------------------------------


def test_value_that_cannot_be_used_is_named_by_file_row_and_column(tmp_path, X):
    X = X.copy()
    X[60_000, 1] = np.nan
    for part, rows in enumerate((slice(0, 50_000), slice(50_000, N))):
        table = pa.table(
            {name: X[rows, place] for place, name in enumerate(NAMES)} | {"class": np.zeros(N)[rows]}
        )
        pq.write_table(table, tmp_path / f"part-{part}.parquet", row_group_size=9_000)
    net, theta = network("softmax")
    for ask in (predict_dataset, tally_dataset):
        with pytest.raises(gn.InputError, match=r"'x1' has nan.* at row 10001 of .*part-1.parquet"):
            ask(net, theta, gn.stream(tmp_path, "class"))


def test_class_that_there_is_not_is_named(X):
    y = np.zeros(N, int)
    y[66_000] = 5
    net, theta = network("softmax")
    with pytest.raises(gn.InputError, match="y has 5 at row 66000; expected class numbers"):
        tally_dataset(net, theta, gn.stream(X, y))


def test_rows_without_targets_are_not_trained_on_or_scored(folder, X):
    net, theta = network("softmax")
    run = gn.train(net, X, np.zeros(N, int), parameters=theta, iterations=0)
    rows = gn.stream(folder, features=NAMES)
    assert repr(rows) == f"70,003 rows of 3 inputs from {folder}, without targets"
    for learn in (
        lambda: gn.train(net, rows, iterations=1),
        lambda: run.score(rows),
        lambda: run.score(folder),
    ):
        with pytest.raises(gn.InputError, match=r"y is missing: .*gn.stream\(X, y\)"):
            learn()


def test_rows_of_another_width_are_not_answered(folder):
    net, theta = network("softmax")
    with pytest.raises(
        gn.InputError, match=r"has 4 features; the network takes 3 inputs.*features=\[...\]"
    ):
        predict_dataset(net, theta, gn.stream(folder))


# ---- Tensors ------------------------------------------------------------------------------------------


class Tensor:
    """Like PyTorch's: `size` is a method, and one with a gradient is no array until it is detached."""

    def __init__(self, values, gradient=False):
        self.values, self.gradient = values, gradient

    def size(self):
        return self.values.shape

    def detach(self):
        return self

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        if self.gradient:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return self.values


@pytest.mark.parametrize("scales", [False, True])
def test_tensors_are_taken_as_arrays(X, scales):
    X = X[:50]
    run = gn.train(gn.Network((3, 4, 2)), X, X[:, 0] > 0, iterations=3, random_state=0, standardize=scales)
    assert np.array_equal(run.predict(Tensor(X)), run.predict(X))
    assert np.array_equal(run.predict_proba(Tensor(X)), run.predict_proba(X))
    assert run.score(Tensor(X), Tensor(X[:, 0] > 0)) == run.score(X, X[:, 0] > 0)
    for call in (run.predict, run.predict_proba, lambda rows: run.resume(1, X=rows, y=X[:, 0] > 0)):
        with pytest.raises(gn.InputTypeError, match=r"requires grad\. Give X\.detach\(\)\.cpu\(\)\.numpy"):
            call(Tensor(X, gradient=True))
