"""Curves are thinned without losing a peak, and maps become bytes."""

import itertools

import numpy as np
import pytest

from glassnet.lab.frame import BLOCK, Curve, as_bytes


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("n", [101, 5_000, 2 * 100 * BLOCK, 60_000])
@pytest.mark.parametrize("start", [0, 2])
def test_thinned_curve_keeps_every_peak(n, log, start):
    random = np.random.RandomState(0)
    y = random.normal(size=n)
    y[[0, 17, n // 3, n - 1]] = 50, -60, 70, -80
    curve = Curve()
    for length in (n // 5, n // 2, n):
        curve = curve.followed_by(range(start, start + length), y[:length])
    x, low, high = curve.thinned(log, columns=100)
    x -= start
    assert len(x) <= 100
    assert x[0] == 0
    assert (np.diff(x) > 0).all()
    bounds = [*x.astype(int), n]
    for i, (first, end) in enumerate(itertools.pairwise(bounds)):
        assert (low[i], high[i]) == (y[first:end].min(), y[first:end].max())


def test_curve_that_grows_computes_no_block_again_and_forgets_those_beyond_where_it_goes_back():
    y = np.arange(10.0 * BLOCK)
    grown = Curve().followed_by(range(len(y)), y)
    other = np.full(len(y), -7.0)
    back = grown.followed_by(range(3 * BLOCK), y[: 3 * BLOCK])
    again = back.followed_by(range(len(y)), other)
    # The third block ended the curve that had gone back: its last loss could still become another.
    assert again.extremes[0].tolist() == [0, BLOCK, *[-7] * 7]
    assert grown.extremes[1].tolist() == [BLOCK * k - 1 for k in range(1, 10)]


def test_thinned_curve_of_few_points_is_the_curve():
    x, low, high = Curve().followed_by(range(0, 6, 2), np.array([3.0, 1, 2])).thinned()
    assert x.tolist() == [0, 2, 4]
    assert low.tolist() == high.tolist() == [3, 1, 2]


def test_as_bytes_cuts_what_is_out_of_range_and_takes_what_is_not_a_number_for_0():
    values = np.array([-9, 0, 0.5, 1, 9, np.nan, np.inf])
    assert as_bytes(values, 0, 1).tolist() == [0, 0, 128, 255, 255, 0, 255]
    assert as_bytes(values[:2], 1, 1).tolist() == [128, 128]
