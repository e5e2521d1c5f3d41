"""Curves are thinned without losing a peak, and maps become bytes."""

import itertools

import numpy as np
import pytest

from glassnet.lab.frame import as_bytes, thinned


@pytest.mark.parametrize("log", [False, True])
def test_thinned_curve_keeps_every_peak(log):
    random = np.random.RandomState(0)
    y = random.normal(size=5000)
    y[[0, 17, 1234, 4999]] = 50, -60, 70, -80
    x, low, high = thinned(np.arange(5000), y, log, columns=100)
    assert len(x) <= 100
    assert x[0] == 0
    assert (np.diff(x) > 0).all()
    assert {low.min(), high.max()} == {-80, 70}
    bounds = [*x.astype(int), 5000]
    for i, (first, end) in enumerate(itertools.pairwise(bounds)):
        assert (low[i], high[i]) == (y[first:end].min(), y[first:end].max())


def test_thinned_curve_of_few_points_is_the_curve():
    x, low, high = thinned(np.arange(3), np.array([3.0, 1, 2]))
    assert x.tolist() == [0, 1, 2]
    assert low.tolist() == high.tolist() == [3, 1, 2]


def test_as_bytes_cuts_what_is_out_of_range_and_takes_what_is_not_a_number_for_0():
    values = np.array([-9, 0, 0.5, 1, 9, np.nan, np.inf])
    assert as_bytes(values, 0, 1).tolist() == [0, 0, 128, 255, 255, 0, 255]
    assert as_bytes(values[:2], 1, 1).tolist() == [128, 128]
