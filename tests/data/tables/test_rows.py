from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data.tables.table_samples import table

import glassnet as gn
from glassnet.data.tables.prepare import prepare_table
from glassnet.errors import InputError

PEOPLE = {
    "age": [31, 45, 28, 52] * 9,
    "sex": ["f", "m", "m", "f"] * 9,
    "paid": ["no", "yes", "no", "no"] * 9,
}
MODEL = Path(__file__).parents[1] / "models" / "table.safetensors"


@pytest.fixture(scope="module")
def data():
    return prepare_table(PEOPLE, "paid")


@pytest.fixture(scope="module")
def run(data):
    return gn.train(gn.Network((2, 4, 2)), data, random_state=0, iterations=60)


def test_runs_of_tables_answer_raw_rows_in_their_own_words(run, data):
    labels = run.predict(PEOPLE)
    assert set(labels) == {"no", "yes"}
    expected = run.network.predict_proba(run.theta, data.X)
    assert np.array_equal(run.predict_proba(PEOPLE), expected)
    assert np.array_equal(labels, data.preprocessing.labels(expected.argmax(axis=1)))
    assert run.predict(PEOPLE, ndim=2).shape == (36, 1)
    assert run.score(PEOPLE) == run.score({"age": PEOPLE["age"], "sex": PEOPLE["sex"]}, PEOPLE["paid"])
    assert run.score(PEOPLE) == np.mean(labels == np.array(PEOPLE["paid"], object))


def test_runs_of_tables_take_a_file_one_row_and_lists_of_rows(run, tmp_path):
    first = run.predict(PEOPLE)[:2].tolist()
    rows = [{"age": 31, "sex": "f"}, {"sex": "m", "age": 45}]
    assert run.predict(rows).tolist() == first
    assert [run.predict(row)[0] for row in rows] == first
    (tmp_path / "new.csv").write_text("sex,more,age\nf,1,31\nm,2,45\n")
    assert (
        run.predict(tmp_path / "new.csv").tolist()
        == run.predict(str(tmp_path / "new.csv")).tolist()
        == first
    )


def test_runs_of_tables_answer_folders_block_by_block_as_their_rows_in_memory(run, tmp_path):
    rows = pa.table({**PEOPLE, "more": range(36)})
    (tmp_path / "parts").mkdir()
    pq.write_table(rows.slice(0, 20), tmp_path / "parts" / "1.parquet", row_group_size=8)
    pq.write_table(rows.slice(20), tmp_path / "parts" / "2.parquet")
    for source in (tmp_path / "parts", [str(tmp_path / "parts")]):
        assert run.predict(source).tolist() == run.predict(PEOPLE).tolist()
        assert np.array_equal(run.predict_proba(source), run.predict_proba(PEOPLE))
        assert run.score(source) == run.score(PEOPLE)
    with pytest.raises(InputError, match="scored against its own column 'paid': leave y out"):
        run.score(tmp_path / "parts", PEOPLE["paid"])
    (tmp_path / "new").mkdir()
    pq.write_table(rows.drop_columns(["paid"]), tmp_path / "new" / "1.parquet")
    assert run.predict(tmp_path / "new").tolist() == run.predict(PEOPLE).tolist()
    with pytest.raises(InputError, match="no column 'paid' to score against"):
        run.score(tmp_path / "new")
    gap = pa.table({"age": [30], "sex": ["m"], "more": [9], "paid": pa.array([None], pa.string())})
    pq.write_table(gap, tmp_path / "parts" / "3.parquet")
    with pytest.raises(InputError, match=r"1 of 37 rows have no 'paid' .the first at row 1 of .*3\."):
        run.score(tmp_path / "parts")


def test_runs_of_tables_predict_the_same_after_load(run, tmp_path):
    gn.save(run, tmp_path / "model.safetensors")
    loaded = gn.load(tmp_path / "model.safetensors")
    assert np.array_equal(loaded.predict_proba(PEOPLE), run.predict_proba(PEOPLE))
    assert loaded.predict({"age": 45, "sex": "m"}).tolist() == run.predict({"age": 45, "sex": "m"}).tolist()


def test_runs_of_quantities_answer_in_their_unit():
    x, z = np.arange(30.0) * 7 % 31, np.arange(30.0) % 4
    source = table(x=x, z=z, y=1e5 + 700.0 * x + z)
    prepared = prepare_table(source, "y", test_fraction=0)
    run = gn.train(
        gn.Network((2, 1), output="identity"), prepared, optimizer=gn.LBFGS(), random_state=0, iterations=50
    )
    np.testing.assert_allclose(run.predict(source), source["y"], rtol=1e-6)
    assert run.score(source) == pytest.approx(1)


def test_a_model_of_an_earlier_commit_predicts_for_raw_tables():
    run = gn.load(MODEL)
    known = run.extra["preprocessing"]
    random = np.random.RandomState(0)
    rows = {
        name: random.randn(5) * scale + mean
        for name, mean, scale in zip(known["features"], known["mean"], known["scale"], strict=True)
    }
    X = (np.column_stack([*rows.values()]) - known["mean"]) / known["scale"]
    outputs = run.network.predict(run.theta, X)
    if known["classes"] is None:
        expected = outputs.reshape(-1) * known["target_scale"] + known["target_mean"]
    else:
        expected = np.array(known["classes"], object)[outputs.astype(int).reshape(-1)]
    assert run.predict(rows).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ({"Age": [31], "sex": ["f"]}, "column 'age' is missing .is it 'Age'?"),
        (
            {"age": ["31", "old", "x"], "sex": ["f"] * 3},
            "'age' holds cells that are no number: 'old' at row 2, 'x' at row 3",
        ),
        ({"age": ["old"]}, "'sex' is missing; .*'old' at row 1"),
        (
            {"age": np.array(["2026-01-01"], "M8[us]"), "sex": ["f"]},
            "'age' holds dates, and numbers are expected",
        ),
        ([], "learned from a table with the columns 'age', 'sex'"),
        ([[31, "f"]], "learned from a table with the columns 'age', 'sex'"),
        ([[31.0, 0.0, 1.0]], r"become 2 inputs; got values without these names, shape \(1, 3\)"),
    ],
)
def test_runs_of_tables_say_what_other_tables_lack(run, X, words):
    with pytest.raises(InputError, match=words):
        run.predict(X)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (
            {"age": [31, None], "sex": ["f", "m"]},
            "'age' lacks a value in 1 of 2 rows .the first at row 2., .*for the median",
        ),
        (
            {"age": [31, np.inf], "sex": ["f", "m"]},
            "'age' has 1 infinite value.s., the first at row 2: taken for missing",
        ),
        (
            {"age": [31, 45], "sex": ["f", "x"]},
            "never saw, 'x', in 1 of 2 rows .the first at row 2.: taken for 'f'",
        ),
        (
            {"age": [31e3, 45e3], "sex": ["f", "m"]},
            "far outside of training's 28 to 52 in 2 of 2 rows.*unit another one",
        ),
    ],
)
def test_runs_of_tables_warn_of_what_differs_from_training(run, X, words, tmp_path):
    with pytest.warns(gn.PreprocessingWarning, match=words):
        assert len(run.predict(X)) == 2
    for row in range(2):
        pq.write_table(pa.table(X).slice(row, 1), tmp_path / f"{row}.parquet")
    words = words.replace("row 2", r"row 1 of \S*1.parquet")
    with pytest.warns(gn.PreprocessingWarning, match=words):
        assert len(run.predict(tmp_path)) == 2


def test_runs_of_tables_say_where_a_score_has_no_target(run, data):
    rows = {"age": [31], "sex": ["f"]}
    with pytest.raises(InputError, match=r"has no column 'paid' to score against. Give the targets as y"):
        run.score(rows)
    with pytest.raises(
        InputError, match="'paid' is 'maybe' at row 1; the model knows the classes 'no', 'yes'"
    ):
        run.score(rows, ["maybe"])
    with pytest.raises(InputError, match=r"data\.X_test"):
        run.score(data)


def test_sweeps_of_a_prepared_table_are_those_of_its_rows(data):
    network = gn.Network((2, 3, 2))
    sweep = partial(gn.sweep, grid={"learning_rate": [0.1, 0.5]}, random_state=0, iterations=20)
    for folds in (None, 3):
        ours = sweep(network, data, folds=folds)
        plain = sweep(network, data.X_train, data.y_train, folds=folds)
        for one, other in zip(ours.cells, plain.cells, strict=True):
            assert np.array_equal(one.run.losses, other.run.losses)
            assert one.metric == other.metric
            assert one.run.predict({"age": 45, "sex": "m"})[0] in ("no", "yes")
    with pytest.raises(InputError, match="standardized already"):
        sweep(network, data, standardize=True)
    with pytest.raises(InputError, match="standardized already"):
        gn.train(network, data, standardize=True)
    with pytest.raises(InputError, match="y is missing"):
        sweep(network, data.X_train)
