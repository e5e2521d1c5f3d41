"""Means and deviations of columns: sound for any offset, and of the same bits however rows come."""

from fractions import Fraction

import numpy as np
import pytest

from glassnet.data.fixed_order import BLOCK_ROWS, Moments, MomentsTree, leaf_rows, moments


@pytest.mark.parametrize("width", [1, 2, 31, 1_000, 200_000])
def test_leaves_divide_a_range_of_rows(width):
    assert BLOCK_ROWS % leaf_rows(width) == 0


@pytest.mark.parametrize("n", [1, 2, 4_095, 4_097, 70_001, 200_003])
@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_moments_are_numpys_in_more_digits(n, offset):
    X = np.random.RandomState(0).randn(n, 3) * [1, 10, 0.1] + offset
    found, exact = moments(X), X.astype(np.longdouble)
    np.testing.assert_allclose(found.center, exact.mean(axis=0), rtol=1e-14, atol=1e-15)
    if n > 1:
        np.testing.assert_allclose(found.scale, exact.std(axis=0), rtol=1e-13)
    assert np.array_equal(moments(np.asfortranarray(X)).spread, found.spread)


def test_deviation_beside_a_large_mean_is_exact_to_rounding():
    """Where sums of squares minus the square of the sum would have lost every digit."""
    x = np.random.RandomState(0).randint(0, 5, 100_000).astype(float) + 2.0**40
    mean = sum(map(Fraction, x)) / len(x)
    variance = float(sum((Fraction(value) - mean) ** 2 for value in x) / len(x))
    found = moments(x[:, None])
    assert found.center[0] == float(mean)
    assert abs(found.scale[0] - variance**0.5) < 1e-15 * variance**0.5 * 8


def test_constant_column_has_its_value_and_scale_1():
    found = moments(np.full((10_001, 2), [0.1, -3.7]))
    assert found.center.tolist() == [0.1, -3.7]
    assert found.scale.tolist() == [1.0, 1.0]


def test_tower_adds_pairs_of_equal_height():
    tree = MomentsTree()
    for leaf in np.arange(7.0).reshape(7, 1, 1):
        tree = tree.with_leaf(Moments.of(leaf))
    assert [height for height, _ in tree.waiting] == [2, 1, 0]
    assert tree.total.n == 7
    assert tree.total.center.tolist() == [3.0]
