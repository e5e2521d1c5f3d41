import copy
import pickle

import numpy as np
import pytest
import scipy.special
from exact_activations import SLOPES, VALUES, units_off

import glassnet as gn
from glassnet.nn.activations import get_activation, logistic

RECORDS = list(gn.ACTIVATIONS.values())
each_record = pytest.mark.parametrize("record", RECORDS, ids=[record.name for record in RECORDS])
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])

# No point is nearer than 1e-3 to a kink of any record.
Z = np.linspace(-6, 6, 240).reshape(24, 10)
Z = Z[np.all([np.abs(Z - kink).min(axis=1) > 1e-3 for r in RECORDS for kink in r.kinks], axis=0)]


def test_points_of_these_tests_are_on_both_sides_of_zero():
    assert len(Z) > 15
    assert Z.min() < -5
    assert Z.max() > 5


@each_record
def test_derivative_equals_central_difference(record):
    h = 1e-5
    numerical = (record.value(Z + h) - record.value(Z - h)) / (2 * h)
    np.testing.assert_allclose(record.derivative(Z, record.value(Z)), numerical, rtol=1e-8, atol=1e-9)


@each_record
def test_value_equals_its_printed_formula(record):
    names = {name: getattr(np, name) for name in ("exp", "log", "sqrt", "tanh", "abs", "pi")}
    names |= {"max": np.maximum, "min": np.minimum, "erf": scipy.special.erf, "z": Z}
    # Some formulas lose digits to cancellation, below 0, that the records keep.
    np.testing.assert_allclose(record.value(Z), eval(record.formula, names), rtol=1e-14, atol=1e-14)


@each_record
@each_dtype
def test_value_and_derivative_keep_precision_and_shape(record, dtype):
    z = Z.astype(dtype)
    for result in (record.value(z), record.derivative(z, record.value(z))):
        assert result.dtype == dtype
        assert result.shape == z.shape


@each_record
@each_dtype
def test_value_and_derivative_of_extreme_inputs_are_finite(record, dtype):
    z = np.array([-1e4, -800, -90, 0, 90, 800, 1e4], dtype)
    h = record.value(z)
    assert np.isfinite(h).all()
    assert np.isfinite(record.derivative(z, h)).all()


@each_record
@each_dtype
def test_value_and_derivative_of_infinity_are_limits_and_of_nan_are_nan(record, dtype):
    z = np.array([-np.inf, np.inf, np.nan], dtype)
    with np.errstate(all="raise", under="ignore"):
        h = record.value(z)
        slope = record.derivative(z, h)
    largest = np.finfo(dtype).max / 4
    left, right = record.value(np.array([-largest, largest], dtype))
    for limit, near in ((h[0], left), (h[1], right)):
        assert np.isfinite(near)
        assert limit == near or (np.isinf(limit) and abs(near) > largest / 1000)
    assert np.isfinite(slope[:2]).all()
    assert np.isnan(h[2])


@each_record
@each_dtype
def test_value_and_derivative_are_accurate_to_a_few_units_in_the_last_place(record, dtype):
    value_off, slope_off = units_off(
        record.name, dtype, lambda z: (record.value(z), record.derivative(z, record.value(z)))
    )
    assert value_off <= 8  # SciPy's erfcx is off by 6; the others by 4 at most
    assert slope_off <= 8


def test_exact_functions_are_those_of_the_registry():
    assert list(VALUES) == list(SLOPES) == list(gn.ACTIVATIONS)


@each_record
def test_derivative_jumps_at_the_declared_kinks_and_nowhere_else(record):
    h = 1e-7
    z = np.linspace(-8, 8, 16_001)  # holds every whole and half number

    def slope(at):
        return record.derivative(at, record.value(at))

    jumps = np.abs(slope(z + h) - slope(z - h)) > 1e-3
    np.testing.assert_allclose(z[jumps], record.kinks, atol=1e-9)


@each_record
def test_arguments_are_not_changed(record):
    z = Z.copy()
    h = record.value(z)
    kept = h.copy()
    record.derivative(z, h)
    assert np.array_equal(z, Z)
    assert np.array_equal(h, kept)


def test_logistic_is_symmetric_about_a_half():
    assert logistic(np.array(0.0)) == 0.5
    np.testing.assert_allclose(logistic(Z) + logistic(-Z), 1, rtol=1e-15)


def test_logistic_keeps_its_relative_accuracy_far_on_the_left():
    z = np.array([-30.0, -300.0, -700.0])
    np.testing.assert_allclose(logistic(z), np.exp(z), rtol=1e-12)


def test_relu_has_derivative_zero_at_its_kink():
    relu = gn.ACTIVATIONS["relu"]
    assert relu.derivative(np.zeros(1), np.zeros(1)).tolist() == [0.0]


@each_record
def test_registry_is_keyed_by_the_records_names(record):
    assert gn.ACTIVATIONS[record.name] is record
    assert get_activation(record.name) is record
    assert get_activation(record) is record


@each_record
def test_built_in_record_stays_itself_through_pickle_and_copy(record):
    for twin in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record), copy.copy(record)):
        assert twin is record


def square(z):
    return z * z


def twice(z, h):
    return 2 * z


@pytest.mark.parametrize("name", ["square", "relu"])
def test_own_record_survives_pickle_even_under_a_built_in_name(name):
    own = gn.Activation(name, square, twice, "z^2", "2z", kinks=(1.0,))
    assert pickle.loads(pickle.dumps(own)) == own
    assert pickle.loads(pickle.dumps(own)) is not gn.ACTIVATIONS.get(name)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("sigmoid", "logistic"),
        ("ReLU", "relu"),
        ("LeakyReLU", "leaky_relu"),
        ("swish", "silu"),
        ("Linear", "identity"),
        ("logstic", "logistic"),
        ("tanhh", "tanh"),
        ("step", None),
    ],
)
def test_unknown_activation_is_refused_with_the_nearest_name(wrong, right):
    with pytest.raises(gn.InputError, match=f"Unknown activation '{wrong}'") as caught:
        get_activation(wrong)
    assert ("Did you mean" in str(caught.value)) == (right is not None)
    assert right is None or f"Did you mean '{right}'?" in str(caught.value)
    assert all(name in str(caught.value) for name in gn.ACTIVATIONS)


@pytest.mark.parametrize("wrong", [None, 3, np.tanh, ("relu",)])
def test_activation_of_another_type_is_refused(wrong):
    with pytest.raises(gn.InputTypeError, match=r"An activation is a name or a glassnet.Activation"):
        get_activation(wrong)
