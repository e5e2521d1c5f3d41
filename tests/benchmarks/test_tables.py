"""The benchmark's tables: the same each time, with what real ones have."""

from __future__ import annotations

import numpy as np
import pytest

import benchmarks as bench
from benchmarks.contest import BenchmarkError
from benchmarks.jobs import tables
from benchmarks.tables import TABLES


@pytest.mark.parametrize("name", TABLES)
def test_table_is_the_same_each_time(name):
    table, again = TABLES[name](), TABLES[name]()
    assert list(table.columns) == list(again.columns)
    for column, values in table.columns.items():
        assert values.shape == (table.n_rows,)
        assert values.astype(str).tolist() == again.columns[column].astype(str).tolist()
    y = table.y
    assert (y.dtype == object) == table.classifies
    assert 20 <= table.n_rows <= 20_000
    if table.classifies:
        assert 2 <= len(np.unique(y.astype(str))) <= 10
    else:
        assert np.isfinite(y).all()
        assert y.std() > 0


def test_tables_have_texts_gaps_dates_and_rare_classes():
    tables = [make() for make in TABLES.values()]
    columns = [values for table in tables for values in table.features.values()]
    assert {"O", "f", "M"} <= {values.dtype.kind for values in columns}
    assert any(None in values.tolist() for values in columns if values.dtype == object)
    assert any(np.isnan(values).any() for values in columns if values.dtype.kind == "f")
    labels = [np.unique(table.y.astype(str), return_counts=True)[1] for table in tables if table.classifies]
    assert min(counts.min() / counts.sum() for counts in labels) < 0.01


def test_job_measures_draws_and_writes_a_quick_look(tmp_path):
    settings = {"rounds": 1, "seconds": 0.001, "peers": [], "quiet": True, "quick": True}
    record = bench.run_suite(["tables"], **settings, output=tmp_path)["tables"]
    assert {path.name for path in tmp_path.iterdir()} == {"quick-tables.json", "quick-tables.png"}
    iris, cars = record["tables"]
    for row in (iris, cars):
        (split,) = row["splits"]
        assert split["glassnet"]["score"] > 0.6  # it learns, with nothing said
        assert all(one["seconds"] > 0 for one in split.values())
    assert "log_loss" in iris["means"]["scikit-learn"]
    assert cars["rival"] == "scikit-learn, y scaled"
    text = tables.tables_table(record)
    assert "Of 2 tables: " in text
    assert "y scaled" in text


def test_job_refuses_answers_that_are_none():
    table, rows = TABLES["iris"](), np.arange(3)
    for answer in (np.full((2, 3), 1 / 3), np.full((3, 3), np.nan), np.ones((3, 3)), np.ones((3, 1))):
        with pytest.raises(BenchmarkError):
            tables._scores(table, rows, answer, "who")


def test_job_calls_equal_what_splits_do_not_tell_apart():
    def split(ours, theirs):
        return {"glassnet": {"score": ours}, "a": {"score": theirs}, "b": {"score": theirs - 1}}

    for differences, verdict in {
        (0.1, 0.11): "better",
        (0.1, -0.11): "equal",
        (-0.1, -0.1): "worse",
    }.items():
        found = tables._compared([split(0.5 + difference, 0.5) for difference in differences])
        assert (found["verdict"], found["rival"]) == (verdict, "a")
