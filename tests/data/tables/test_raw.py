import numpy as np
import pytest
from data.tables.table_samples import raw, table

from glassnet.data.tables.raw import DATE, NUMBER, TEXT, TRUTH, date_text, number_text, raw_column
from glassnet.errors import InputError


@pytest.mark.parametrize(
    ("values", "of_type", "words"),
    [
        ([3, -1], NUMBER, ["3", "-1"]),
        ([0.5, np.nan, 1e20], NUMBER, ["0.5", None, "1e+20"]),
        ([True, False], TRUTH, ["true", "false"]),
        (["b", None, "é b"], TEXT, ["b", None, "é b"]),
        (
            np.array(["2026-11-30", "NaT", "1969-12-31T18:30"], "M8[us]"),
            DATE,
            ["2026-11-30", None, "1969-12-31 18:30:00"],
        ),
    ],
)
def test_raw_column_has_each_cell_as_a_number_and_in_words(values, of_type, words):
    column = raw(values)
    assert column.type == of_type
    assert column.values.dtype == np.float64
    assert [None if np.isnan(value) else column.words(value) for value in column.values] == words
    assert column.take(slice(1)).values.tolist() == column.values[:1].tolist()


def test_raw_column_of_an_unknown_name_says_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'size'"):
        raw_column(table(size=[1]), "sise")


def test_texts_of_numbers_and_dates():
    assert [number_text(value) for value in (7.0, 0.1, 1e15, -0.0)] == ["7", "0.1", "1e+15", "0"]
    assert date_text(0.0) == "1970-01-01"
