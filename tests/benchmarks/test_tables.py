"""The benchmark's tables: the same each time, with what real ones have."""

from __future__ import annotations

import numpy as np
import pytest

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
