"""Distances of exported files: bits, units in the last place, labels."""

import numpy as np
import pytest

from glassnet.errors import InputError
from glassnet.export.verification import Distance, Verification, distance

P = np.array([[0.25, 0.75], [0.5, 0.5], [np.nan, np.nan], [np.inf, 0.0]])
NUMBERS = np.array([[1], [0], [0], [0]])


def measured(found, numbers=NUMBERS, near=0.0):
    return distance(P, found, NUMBERS, numbers, near)


def test_distance_of_the_same_bits_is_zero_nan_and_infinities_too():
    assert measured(P.copy()).is_zero


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distance_counts_numbers_of_the_precision_in_between_across_zero_too(dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    expected, found = np.array([[1.0], [-tiny]], dtype), np.array([[1.0], [tiny]], dtype)
    found[0] = np.nextafter(np.nextafter(found[0], 2, dtype=dtype), 2, dtype=dtype)
    result = distance(expected, found, NUMBERS[:2], None, 0.0)
    assert (result.ulps, result.row) == (3, 1)
    assert distance(expected[:1], found[:1], NUMBERS[:1], None, 0.0).ulps == 2


@pytest.mark.parametrize("place", [(0, 0), (3, 0)])
def test_distance_of_a_nan_in_the_place_of_a_number_is_infinite(place):
    found = P.copy()
    found[place] = np.nan
    assert (measured(found).ulps, measured(found).error) == (np.inf, np.inf)


def test_distance_counts_other_labels_but_for_ties_within_the_promise():
    other = NUMBERS.copy()
    other[0], other[1] = 0, 1
    assert (measured(P, other).labels, measured(P, other).row) == (2, 0)
    assert measured(P, other, near=1e-9).labels == 1  # of 0.5 and 0.5 either may be the larger


def test_distance_refuses_outputs_of_another_shape():
    with pytest.raises(InputError, match=r"shape \(4, 1\); expected \(4, 2\)"):
        measured(P[:, :1])


def test_distance_of_refused_rows_is_zero_where_they_are_near():
    found = P + 1e-5
    found[2] = 0
    result = distance(P, found, NUMBERS, None, 0.0, np.array([True, False, True, True]))
    assert (result.error, result.row) == (np.inf, 2)
    assert distance(P[:2], found[:2], NUMBERS, None, 0.0, np.array([True, True])).is_zero


def test_verification_prints_short_numbers():
    far = Distance(3, 4503599627370496.0, 0.5, 0, 2)
    assert "distance 4.5e+15 units in the last place" in str(Verification("a.c", "C", far, far, None, 0.0))


NONE = Distance(3, 0.0, 0.0, 0, 0)
FAR = Distance(3, 2.0, 1e-9, 0, 1)


@pytest.mark.parametrize(
    ("data", "hard", "promised", "passed"),
    [
        (NONE, NONE, 0.0, True),
        (NONE, FAR, 0.0, False),
        (FAR, NONE, 1e-8, True),
        (NONE, FAR, 1e-10, False),
        (Distance(3, 0.0, 0.0, 1, 0), NONE, 1, False),
        (FAR, FAR, None, True),
    ],
)
def test_verification_passes_where_the_promise_is_kept_on_all_rows(data, hard, promised, passed):
    found = Verification("net.c", "C", data, hard, None, promised)
    assert found.passed is passed
    assert str(found).count("verified") == (passed and promised is not None)
