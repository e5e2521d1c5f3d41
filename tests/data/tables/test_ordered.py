import numpy as np
import pytest

from glassnet.data.tables.streamed import ordered
from glassnet.data.tables.streamed.ordered import Ordered

random = np.random.RandomState(0)
VALUES = {
    "continuous": random.randn(5_000),
    "whole": random.randint(-9, 9, 5_000) * 1.0,
    "one": np.full(5_000, -2.5),
    "next to each other": 1 + random.randint(0, 3_000, 5_000) * 2.0**-52,
    "of every size": np.concatenate(
        [np.geomspace(1e-320, 1e300, 2_500), -np.geomspace(1e-9, 1e9, 2_496), [np.inf, -np.inf, 0.0, -0.0]]
    ),
}


@pytest.mark.parametrize("few", [1, 50])
@pytest.mark.parametrize("case", VALUES)
def test_ordered_values_are_the_sorted_ones_though_few_have_room(case, few, monkeypatch):
    monkeypatch.setattr(ordered, "_FEW", few)
    monkeypatch.setattr("glassnet.data.tables.raw._RUN_ROWS", 64)
    values = np.insert(VALUES[case], [7, 2_000], np.nan)
    column = Ordered(lambda: iter(np.array_split(values, 9)), len(values), most=700)
    runs = [*column.runs()]
    expected, counts = np.unique(VALUES[case], return_counts=True)
    assert np.array_equal(np.concatenate([some for some, _ in runs]), expected)
    assert np.array_equal(np.concatenate([some for _, some in runs]), counts)
    places = np.array([0, 4_999, 2_499, 2_500])
    assert np.array_equal(column.ranked(places), np.sort(VALUES[case])[places])
