"""One table in every form in which people keep tables is read to the same columns."""

import numpy as np
import pytest
from data.tables.forms import FORMS, PEOPLE, expected

import glassnet as gn
from glassnet.data.tables import read_table


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_to_the_same_columns(form, tmp_path):
    source, options = FORMS[form](tmp_path)
    table = read_table(source, **options)
    named = "no-header" not in form
    assert table.names == (tuple(PEOPLE) if named else tuple("12345678"))
    for (name, values), column in zip(expected().items(), table.columns.values(), strict=True):
        found = np.asarray(column)
        assert found.dtype == values.dtype, name
        np.testing.assert_array_equal(found, values, name)


TARGET = "bought"


@pytest.fixture(scope="module")
def plain():
    """The plain form made ready, and a run that learned from it."""
    data = gn.prepare_table(dict(zip(PEOPLE, expected().values(), strict=True)), TARGET)
    network = gn.Network((data.X.shape[1], 4, data.n_outputs))
    return data, gn.train(network, data, optimizer=gn.Adam(0.01), iterations=200, random_state=0)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_trains_to_the_score_of_the_plain_one_and_gets_its_answers(form, plain, tmp_path):
    source, options = FORMS[form](tmp_path)
    table = read_table(source, **options)
    expected_data, run = plain
    # Without a name nothing says that the numbers from 1001 on are ids.
    ignore = ["1"] if "no-header" in form else []
    data = gn.prepare_table(table, table.names[-1], ignore=ignore)
    # Equal to the bit, so that every training of them is.
    assert np.array_equal(data.X, expected_data.X)
    assert np.array_equal(data.y, expected_data.y)
    if "no-header" in form:
        return  # the model finds columns by their names
    assert data.preprocessing == expected_data.preprocessing
    answers = run.predict(table)
    assert answers.shape == (table.n_rows,)
    assert np.array_equal(answers, run.predict(expected_data.table))
