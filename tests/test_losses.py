import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import glassnet as gn
from glassnet.losses import get_loss, get_output, softmax

LOSSES = list(gn.LOSSES.values())
OUTPUTS = list(gn.OUTPUTS.values())
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=[record.name for record in LOSSES])
each_output = pytest.mark.parametrize("output", OUTPUTS, ids=[record.name for record in OUTPUTS])
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def targets_for(loss, n, width, random, hard=False):
    """Targets of the loss's own kind; `hard`: only 0 and 1."""
    if loss.target == "class":
        rows = np.eye(width)[random.randint(0, width, n)] if hard else random.dirichlet(np.ones(width), n)
    elif loss.target == "nonnegative":
        rows = random.poisson(2, (n, width)).astype(float) if hard else random.gamma(2, size=(n, width))
    elif loss.target == "label":
        rows = random.randint(0, 2, (n, width)).astype(float) if hard else random.uniform(size=(n, width))
    else:
        rows = random.randn(n, width)
    return rows


def naive(loss, Z, Y):
    """Each loss as its formula is printed, from y_hat; wrong for large Z, right for moderate ones."""
    Y_hat = gn.OUTPUTS[loss.output].link(Z)
    return {
        "cross_entropy": lambda: -(Y * np.log(Y_hat)),
        "binary_cross_entropy": lambda: -(Y * np.log(Y_hat) + (1 - Y) * np.log(1 - Y_hat)),
        "squared_error": lambda: 0.5 * (Y_hat - Y) ** 2,
        "absolute_error": lambda: np.abs(Y_hat - Y),
        "huber": lambda: np.where(np.abs(Y_hat - Y) <= 1, (Y_hat - Y) ** 2 / 2, np.abs(Y_hat - Y) - 0.5),
        "quantile": lambda: 0.5 * np.abs(Y_hat - Y),
        "poisson": lambda: Y_hat - Y * np.log(Y_hat),
    }[loss.name]().sum(axis=1)


@each_loss
@pytest.mark.parametrize("width", [2, 3, 5])
@pytest.mark.parametrize("hard", [False, True])
def test_delta_equals_central_difference_of_value(loss, width, hard):
    random = np.random.RandomState(width)
    Z, Y = 2 * random.randn(20, width), targets_for(loss, 20, width, random, hard)
    delta, h = loss.delta(Z, Y), 1e-5
    for k in range(width):
        step = h * np.eye(width)[k]
        numerical = (loss.value(Z + step, Y) - loss.value(Z - step, Y)) / (2 * h)
        np.testing.assert_allclose(delta[:, k], numerical, rtol=1e-8, atol=1e-9)


@each_loss
@pytest.mark.parametrize("hard", [False, True])
def test_value_equals_the_naive_formula_where_that_is_exact(loss, hard):
    random = np.random.RandomState(1)
    Z, Y = 2 * random.randn(30, 3), targets_for(loss, 30, 3, random, hard)
    np.testing.assert_allclose(loss.value(Z, Y), naive(loss, Z, Y), rtol=1e-12)


@each_loss
@each_dtype
def test_value_and_delta_keep_precision_and_have_their_shapes(loss, dtype):
    random = np.random.RandomState(2)
    Z, Y = random.randn(4, 3).astype(dtype), targets_for(loss, 4, 3, random).astype(dtype)
    assert loss.value(Z, Y).dtype == loss.delta(Z, Y).dtype == dtype
    assert loss.value(Z, Y).shape == (4,)
    assert loss.delta(Z, Y).shape == (4, 3)


@each_loss
@each_dtype
@pytest.mark.parametrize("hard", [False, True])
def test_value_and_delta_of_extreme_logits_are_finite(loss, dtype, hard):
    rows = [[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4], [-1e4, -1e4], [1e4, 0], [0, -1e4], [0, 0]]
    Z = np.array(rows * 2, dtype)
    Y = targets_for(loss, len(Z), 2, np.random.RandomState(3), hard).astype(dtype)
    value = loss.value(Z, Y)
    assert np.isfinite(value).all()
    assert (value >= 0).all()
    assert np.isfinite(loss.delta(Z, Y)).all()


def test_cross_entropy_of_a_certain_mistake_is_the_logits_distance():
    Z, Y = np.array([[1e4, -1e4], [-1e4, 1e4]]), np.array([[0.0, 1.0], [0.0, 1.0]])
    loss = gn.LOSSES["cross_entropy"]
    assert loss.value(Z, Y).tolist() == [2e4, 0]
    assert loss.delta(Z, Y).tolist() == [[1, -1], [0, 0]]


def test_binary_cross_entropy_of_a_certain_mistake_is_the_logit():
    Z, Y = np.array([[1e4, -1e4], [-1e4, 1e4]]), np.array([[0.0, 1.0], [0.0, 1.0]])
    loss = gn.LOSSES["binary_cross_entropy"]
    assert loss.value(Z, Y).tolist() == [2e4, 0]
    assert loss.delta(Z, Y).tolist() == [[1, -1], [0, 0]]


@each_loss
def test_loss_is_least_where_its_delta_vanishes(loss):
    random = np.random.RandomState(4)
    Z = random.randn(50, 3)
    Y = gn.OUTPUTS[loss.output].link(Z)
    assert np.abs(loss.delta(Z, Y)).max() < 1e-15
    assert (loss.value(Z + 0.1 * random.randn(50, 3), Y) >= loss.value(Z, Y)).all()


@each_output
def test_loss_that_belongs_to_a_link_has_delta_y_hat_minus_y(output):
    loss = gn.LOSSES[output.loss]
    random = np.random.RandomState(5)
    Z, Y = random.randn(9, 4), targets_for(loss, 9, 4, random)
    np.testing.assert_allclose(loss.delta(Z, Y), output.link(Z) - Y, rtol=1e-14, atol=1e-15)


@each_output
@each_dtype
def test_link_keeps_precision_and_shape(output, dtype):
    Z = np.array([[-1e4, 3, 1e4], [0, 0, 0]], dtype)
    Y_hat = output.link(Z)
    assert Y_hat.dtype == dtype
    assert Y_hat.shape == Z.shape
    assert np.isfinite(Y_hat).all()


@each_output
def test_link_gives_targets_of_its_losss_kind(output):
    Y_hat = output.link(np.random.RandomState(6).randn(20, 3))
    target = gn.LOSSES[output.loss].target
    if target == "nonnegative":
        assert (Y_hat > 0).all()
    elif target != "real":
        assert ((Y_hat > 0) & (Y_hat < 1)).all()
    if target == "class":
        np.testing.assert_allclose(Y_hat.sum(axis=1), 1, rtol=1e-15)


@given(
    row=st.lists(st.floats(-50, 50), min_size=2, max_size=6),
    shift=st.floats(-1e3, 1e3),
)
def test_softmax_and_cross_entropy_do_not_see_a_shift(row, shift):
    Z = np.array([row])
    np.testing.assert_allclose(softmax(Z + shift), softmax(Z), rtol=1e-10)
    Y = np.eye(len(row))[:1]
    loss = gn.LOSSES["cross_entropy"]
    np.testing.assert_allclose(loss.value(Z + shift, Y), loss.value(Z, Y), rtol=1e-10, atol=1e-10)


def test_softmax_over_two_classes_is_the_logistic_of_their_difference():
    z = np.linspace(-30, 30, 61)[:, None]
    Z, y = np.hstack([np.zeros_like(z), z]), np.arange(61) % 2
    two, one = gn.LOSSES["cross_entropy"], gn.LOSSES["binary_cross_entropy"]
    np.testing.assert_allclose(softmax(Z)[:, 1:], gn.OUTPUTS["logistic"].link(z), rtol=1e-14)
    rows = np.eye(2)[y]
    np.testing.assert_allclose(two.value(Z, rows), one.value(z, rows[:, 1:]), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(two.delta(Z, rows)[:, 1:], one.delta(z, rows[:, 1:]), rtol=1e-10, atol=1e-15)


@each_loss
def test_arguments_are_not_changed(loss):
    random = np.random.RandomState(7)
    Z, Y = random.randn(5, 3), targets_for(loss, 5, 3, random)
    kept = Z.copy(), Y.copy()
    loss.value(Z, Y)
    loss.delta(Z, Y)
    assert np.array_equal(Z, kept[0])
    assert np.array_equal(Y, kept[1])


@each_loss
def test_registry_of_losses_fits_that_of_outputs(loss):
    assert gn.LOSSES[loss.name] is loss
    assert loss.output in gn.OUTPUTS
    assert loss.target in ("class", "label", "nonnegative", "real")
    assert get_loss(loss.name, gn.OUTPUTS[loss.output]) is loss
    assert get_loss(loss, gn.OUTPUTS[loss.output]) is loss


@each_output
def test_each_output_has_a_loss_of_its_own(output):
    assert gn.OUTPUTS[output.name] is output
    assert gn.LOSSES[output.loss].output == output.name
    assert get_loss(None, output).name == output.loss
    assert get_output(output.name) is output


@pytest.mark.parametrize("record", [*OUTPUTS, *LOSSES], ids=lambda record: record.name)
def test_built_in_record_stays_itself_through_pickle_and_copy(record):
    for twin in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record), copy.copy(record)):
        assert twin is record


def test_unknown_output_is_refused_with_the_nearest_name():
    with pytest.raises(gn.InputError, match=r"Unknown output 'sofmax'. Did you mean 'softmax'"):
        get_output("sofmax")


def test_unknown_loss_is_refused_with_the_nearest_name():
    with pytest.raises(gn.InputError, match=r"Unknown loss 'cross_entrpy'. Did you mean 'cross_entropy'"):
        get_loss("cross_entrpy", gn.OUTPUTS["softmax"])


@pytest.mark.parametrize("wrong", [None, 1, ["softmax"]])
def test_output_of_another_type_is_refused(wrong):
    with pytest.raises(gn.InputTypeError, match="An output is a name"):
        get_output(wrong)


@pytest.mark.parametrize("wrong", [1, np.mean, ["squared_error"]])
def test_loss_of_another_type_is_refused(wrong):
    with pytest.raises(gn.InputTypeError, match=r"A loss is a name or a glassnet.Loss"):
        get_loss(wrong, gn.OUTPUTS["softmax"])


@each_loss
@each_output
def test_loss_written_for_another_output_is_refused_with_what_would_fit(loss, output):
    if loss.output == output.name:
        assert get_loss(loss.name, output) is loss
        return
    with pytest.raises(gn.InputError, match=f"written for the output '{loss.output}'") as caught:
        get_loss(loss.name, output)
    assert output.loss in str(caught.value)
