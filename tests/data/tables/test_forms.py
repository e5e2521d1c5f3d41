"""One table in every form in which people keep tables is read to the same columns."""

import numpy as np
import pytest
from data.tables.forms import FORMS, PEOPLE, expected

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
