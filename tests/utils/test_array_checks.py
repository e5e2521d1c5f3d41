import warnings

import numpy as np
import pandas
import pytest

import glassnet as gn
from glassnet.utils.array_checks import (
    as_dtype,
    as_matrix,
    as_numbers,
    as_target,
    as_vector,
    cast,
    check_finite,
)

GOOD = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])


# ---- X --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_value_that_is_not_finite_is_named_by_row_and_column(bad, dtype):
    X = GOOD.astype(dtype)
    X[2, 1] = bad
    with pytest.raises(gn.InputError, match=f"X has {bad} at row 2, column 1. .*drop those rows or impute"):
        as_matrix(X)


def test_first_of_several_bad_values_is_named_and_all_are_counted():
    X = np.zeros((1000, 3))
    X[500:, 1] = np.nan
    X[40, 2] = np.inf
    with pytest.raises(gn.InputError, match="X has inf at row 40, column 2; 501 such values in all"):
        as_matrix(X)


def test_bad_values_are_found_in_memory_of_any_layout():
    X = np.asfortranarray(np.zeros((50, 4)))
    X[10, 3], X[11, 0] = np.nan, np.nan
    with pytest.raises(gn.InputError, match="row 10, column 3"):
        as_matrix(X)
    with pytest.raises(gn.InputError, match="row 5, column 3"):
        as_matrix(X[::2])


def test_opposite_infinities_do_not_hide_each_other():
    with pytest.raises(gn.InputError, match="X has inf at row 0, column 0; 2 such values"):
        as_matrix([[np.inf, -np.inf]])


def test_row_of_a_part_is_counted_from_the_whole():
    with pytest.raises(gn.InputError, match="X has nan at row 102, column 1"):
        check_finite(np.array([[0, 0], [0, 0], [0, np.nan]]), "X", first_row=100)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_finite_values_whose_sum_overflows_pass(dtype):
    X = np.full((100, 2), np.finfo(dtype).max, dtype)
    assert as_matrix(X) is X


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones(3), r"X has 1 dimension\(s\), shape \(3,\); expected 2.*X.reshape\(-1, 1\)"),
        (np.ones((2, 2, 2)), r"X has 3 dimension\(s\), shape \(2, 2, 2\); expected 2"),
        (1.0, r"X has 0 dimension\(s\)"),
        ([], r"X has 1 dimension\(s\), shape \(0,\)"),
        ([[1, 2], [3]], "X cannot be made into an array"),
        (np.ones((3, 5)), r"X has 5 columns, shape \(3, 5\); the network takes 2 inputs"),
    ],
)
def test_matrix_of_another_shape_is_refused(X, message):
    with pytest.raises(gn.InputError, match=message):
        as_matrix(X, width=2)


@pytest.mark.parametrize(
    ("X", "kind"),
    [
        (np.ones((2, 2), complex), "complex"),
        (np.ones((2, 2), object), "object"),
        ([[1, None]], "object"),
        ([["a", "b"]], "text"),
        (np.array([[b"a"]]), "bytes"),
        (np.array([["2020-01-01"]], "datetime64[D]"), "date"),
        (np.array([[1]], "timedelta64[s]"), "time"),
        (None, "object"),
    ],
)
def test_values_that_are_no_real_numbers_are_refused_in_words(X, kind):
    with pytest.raises(
        gn.InputTypeError, match=f"X holds {kind} values .*; expected real numbers. Convert"
    ):
        as_matrix(X)


def test_data_frame_is_taken_and_one_with_text_is_refused():
    frame = pandas.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
    assert np.array_equal(as_matrix(frame), [[1, 0.5], [2, 1.5]])
    with pytest.raises(gn.InputTypeError, match=r"X holds 'x' in its column 'c' and 1 more.*get_dummies"):
        as_matrix(frame.assign(c=["x", "y"], d=["u", "v"]))


@pytest.mark.parametrize(
    "X",
    [
        GOOD.astype(int),
        GOOD.astype(np.uint8),
        GOOD.astype(np.float16),
        GOOD.astype(np.float32),
        GOOD.astype(np.longdouble),
        np.asfortranarray(GOOD),
        np.repeat(GOOD, 2, axis=0)[::2],
        GOOD[::-1][::-1],
        GOOD.tolist(),
        tuple(map(tuple, GOOD.tolist())),
    ],
    ids=["int", "uint8", "half", "single", "long", "fortran", "strided", "reversed", "list", "tuple"],
)
def test_real_numbers_of_any_type_and_layout_are_taken(X):
    assert np.array_equal(as_matrix(X, width=2), GOOD)


def test_bools_are_numbers():
    assert as_matrix([[True, False]]).tolist() == [[1, 0]]


def test_arrays_are_neither_copied_nor_changed():
    for X in (GOOD, np.asfortranarray(GOOD), GOOD[::2], GOOD.astype(np.float32), GOOD.astype(int)):
        kept = X.copy()
        assert as_matrix(X) is X
        assert np.array_equal(X, kept)


def test_read_only_arrays_are_taken():
    X = GOOD.copy()
    X.flags.writeable = False
    assert as_matrix(X) is X


def test_name_in_the_message_is_the_arguments():
    with pytest.raises(gn.InputTypeError, match=r"weights holds text .*weights.astype\(float\)"):
        as_numbers(["a"], "weights")


# ---- Vectors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [np.ones(2), np.ones((3, 1)), 1.0, []])
def test_vector_of_another_shape_is_refused(values):
    with pytest.raises(gn.InputError, match=r"sample_weight has shape .*; expected \(3,\), one per sample"):
        as_vector(values, "sample_weight", 3)


def test_vector_with_nan_is_refused_by_row():
    with pytest.raises(gn.InputError, match=r"sample_weight has nan at row 1."):
        as_vector([1, np.nan, 2], "sample_weight", 3)


# ---- y --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [int, float, np.float32, np.uint8, np.int8])
def test_class_numbers_come_back_as_indices(dtype):
    y = as_target(np.array([0, 2, 1], dtype), 3, 3, "class")
    assert y.dtype == np.intp
    assert y.tolist() == [0, 2, 1]


def test_bool_labels_are_two_classes():
    assert as_target([True, False], 2, 2, "class").tolist() == [1, 0]


def test_one_hot_rows_come_back_as_class_numbers():
    y = as_target(np.eye(3)[[2, 0, 1]], 3, 3, "class")
    assert y.dtype == np.intp
    assert y.tolist() == [2, 0, 1]


def test_rows_of_probabilities_stay_rows():
    rows = np.array([[0.25, 0.75], [1.0, 0.0]])
    assert as_target(rows, 2, 2, "class") is rows


def test_probabilities_rounded_to_float32_are_taken():
    rows = np.random.RandomState(0).dirichlet(np.ones(7), 100).astype(np.float32)
    assert as_target(rows, 100, 7, "class") is rows


@pytest.mark.parametrize("target", ["label", "real"])
def test_one_column_may_be_written_flat(target):
    assert as_target([0, 1, 1], 3, 1, target).tolist() == [[0], [1], [1]]


@pytest.mark.parametrize(
    ("y", "target", "message"),
    [
        ([0, 1], "class", "y has 2 entries, X has 3 rows; they must be equal"),
        ([0, 1, 2, 0], "class", "y has 4 entries, X has 3 rows"),
        (np.zeros((3, 2, 1)), "class", "y has 3 dimensions, shape .*; expected 1 or 2"),
        (0, "class", "y has 0 dimensions"),
        ([0, 1, 3], "class", "y has 3 at row 2; expected class numbers from 0 to 2, one for each output"),
        ([0, -1, -1], "class", r"y has -1 at row 1 \(2 such rows\); expected class numbers from 0 to 2"),
        ([0, 0.5, 1], "class", "y has 0.5 at row 1; expected whole class numbers from 0 to 2"),
        ([0, 1e300, 1], "class", "y has 1e[+]300 at row 1; expected whole class numbers"),
        ([0, np.nan, 1], "class", "y has nan at row 1"),
        (np.eye(4)[:3], "class", r"y has 4 column\(s\), shape \(3, 4\); the network has 3 outputs"),
        ([[1, 0, 0], [0.5, 0.6, 0], [0, 1, 0]], "class", "row 1; expected rows of probabilities that sum"),
        ([[1, 0, 0], [1.5, -0.5, 0], [0, 1, 0]], "class", "row 1; expected values from 0 to 1"),
        ([[1, 0, 1], [0, 2, 0], [0, 1, 0]], "label", "row 1; expected values from 0 to 1"),
        ([0, 1, 0], "label", r"y has 1 column\(s\), shape \(3, 1\); the network has 3 outputs"),
        (np.eye(3) * -2, "signed", r"row 0 \(3 such rows\); expected values from -1 to 1\. Other quant"),
        ([[0, 1, np.inf]] * 3, "real", "y has inf at row 0, column 2; 3 such values"),
    ],
)
def test_target_that_cannot_be_used_is_refused_in_words(y, target, message):
    with pytest.raises(gn.InputError, match=message):
        as_target(y, 3, 3, target)


@pytest.mark.parametrize("y", [["a", "b", "c"], [None, 1, 2], [1j, 0, 0]])
def test_labels_of_another_kind_are_refused(y):
    with pytest.raises(gn.InputTypeError, match=r"y holds .* values"):
        as_target(y, 3, 3, "class")


def test_message_about_labels_tells_how_to_number_them():
    with pytest.raises(gn.InputError, match=r"numpy.unique\(y, return_inverse=True\)"):
        as_target([1, 2, 3], 3, 3, "class")


def test_targets_are_not_changed():
    for y in (np.array([0, 1, 2]), np.eye(3), np.array([0.0, 1.0, 2.0])):
        kept = y.copy()
        as_target(y, 3, 3, "class")
        assert np.array_equal(y, kept)


# ---- Precision ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["float32", "float64", np.float32, np.float64, float, np.dtype(np.float32)]
)
def test_precision_is_what_was_asked_for(name):
    assert as_dtype(name, np.ones(1)) == np.dtype(name)


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (np.ones(1, np.float32), np.float32),
        (np.ones(1, np.float64), np.float64),
        (np.ones(1, np.float16), np.float64),
        (np.ones(1, int), np.float64),
        (np.ones(1, bool), np.float64),
        ([1.0], np.float64),
    ],
)
def test_precision_follows_x_where_none_is_asked_for(X, expected):
    assert as_dtype(None, X) == expected


@pytest.mark.parametrize("dtype", ["float16", int, "int32", complex, bool, "longdouble"])
def test_precision_that_no_engine_has_is_refused(dtype):
    with pytest.raises(gn.InputError, match="dtype is float32 or float64, not"):
        as_dtype(dtype)


@pytest.mark.parametrize("dtype", ["double32", "flot32", 7, "a b c"])
def test_precision_that_is_no_type_is_refused(dtype):
    with pytest.raises(gn.InputTypeError, match="dtype is float32 or float64, not"):
        as_dtype(dtype)


def test_checks_of_good_data_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_matrix(np.full((4, 2), 1e308))
        as_target([0, 1], 2, 2, "class")


def test_counts_are_rows_of_zero_and_more_and_may_be_fractions():
    assert as_target([0, 2, 3.5], 3, 1, "nonnegative").tolist() == [[0], [2], [3.5]]
    with pytest.raises(
        gn.InputError, match=r"y has \[-1\] at row 1; expected values of 0 or more"
    ) as caught:
        as_target([2, -1, 0], 3, 1, "nonnegative")
    assert "numpy.unique" not in str(caught.value)


# ---- What NumPy would take without a word -----------------------------------------------------------


def test_masked_values_are_refused_and_counted():
    masked = np.ma.array(GOOD, mask=GOOD > 3)
    with pytest.raises(gn.InputError, match=r"X is a masked array with 2 value\(s\) masked; .*X\.filled"):
        as_matrix(masked)
    assert as_matrix(np.ma.array(GOOD)).shape == (3, 2)  # with nothing masked it is an ordinary one


@pytest.mark.skipif(np.finfo(np.longdouble).max <= np.finfo(np.float64).max, reason="no wider type here")
def test_value_beyond_float64_is_named_when_it_is_cast():
    X = GOOD.astype(np.longdouble)
    X[1, 0] = np.finfo(np.longdouble).max
    with pytest.raises(gn.InputError, match="X in float64 has inf at row 1, column 0"):
        cast(X, np.dtype(np.float64), "X")


def test_matrix_of_one_sample_is_told_how_to_be_one():
    with pytest.raises(gn.InputError, match=r"Use X\.reshape\(1, -1\) for one sample"):
        as_matrix(np.zeros(3), width=3)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (["elm", "oak"], r"dtype <U3\).*np\.unique\(y, return_inverse=True\)"),
        (
            np.array(["elm", 1], object),
            r"dtype object\).*np\.unique\(np\.array\(y, str\), return_inverse=True\)",
        ),
    ],
)
def test_target_of_labels_is_told_how_to_become_class_numbers(y, words):
    with pytest.raises(gn.InputTypeError, match=words):
        as_target(y, 2, 2, "class")


def test_target_of_class_numbers_in_a_column_is_told_to_be_flat():
    with pytest.raises(
        gn.InputError, match=r"the network has 3 outputs\. Class numbers are \(n,\): y\.ravel\(\)"
    ):
        as_target(np.zeros((5, 1)), 5, 3, "class")
