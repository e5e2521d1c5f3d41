import numpy as np
import pytest

import glassnet as gn
from glassnet.optim.penalties import Penalties, clip, constrain, decay, penalty, weight_mask

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
NET = gn.Network((3, 5, 2), hidden="tanh")
X = np.random.RandomState(0).randn(9, 3)
Y = np.random.RandomState(1).randint(0, 2, 9)


def test_mask_tells_weights_from_biases():
    theta = gn.Parameters(NET.sizes, np.zeros(NET.n_parameters))
    for W in theta.weights:
        W[:] = 1
    assert np.array_equal(weight_mask(NET.sizes), theta.flat == 1)


@both_dtypes
def test_penalty_has_the_slope_of_its_value(dtype):
    theta, is_weight = NET.initialize(0).flat, weight_mask(NET.sizes)
    _, slope = penalty(theta.astype(dtype), is_weight, 0.3, 0.7)
    assert slope.dtype == dtype
    h = 1e-6
    for p in range(theta.size):
        high, low = theta.copy(), theta.copy()
        high[p] += h
        low[p] -= h
        numerical = (penalty(high, is_weight, 0.3, 0.7)[0] - penalty(low, is_weight, 0.3, 0.7)[0]) / (2 * h)
        assert slope[p] == pytest.approx(numerical, abs=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(
    ("l1", "l2", "dtype"),
    [(0.0, 0.0, float), (0.3, 0.0, np.float32), (0.0, 0.7, np.float32), (0.3, 0.7, float)],
)
def test_penalties_are_added_after_the_reduction(engine, reduction, l1, l2, dtype):
    theta = NET.initialize(0, dtype=dtype)
    settings = {"reduction": reduction, "engine": engine}
    plain, gradient = gn.loss_and_gradient(NET, theta, X, Y, **settings)
    loss, penalized = gn.loss_and_gradient(NET, theta, X, Y, l1=l1, l2=l2, **settings)
    W = np.concatenate([weights.ravel() for weights in theta.weights]).astype(np.float64)
    added = 0.5 * l2 * np.sum(W**2) + l1 * np.sum(np.abs(W))
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    assert loss == pytest.approx(plain + added, rel=tolerance)
    for before, after, w in zip(gradient.weights, penalized.weights, theta.weights, strict=True):
        np.testing.assert_allclose(after, before + l2 * w + l1 * np.sign(w), rtol=tolerance, atol=tolerance)
    for before, after in zip(gradient.biases, penalized.biases, strict=True):
        assert np.array_equal(before, after)


def test_penalties_over_several_ranges_are_summed_whole(engine):
    """The native engine sums 4,096 parameters at a time."""
    net = gn.Network((70, 130, 3), hidden="tanh")
    theta, x = net.initialize(0), np.zeros((1, 70))
    W = np.concatenate([weights.ravel() for weights in theta.weights])
    for l1, l2, expected in ((1.0, 0.0, np.sum(np.abs(W))), (0.0, 1.0, np.sum(W**2) / 2)):
        loss, _ = gn.loss_and_gradient(net, theta, x, [0], l1=l1, l2=l2, engine=engine)
        plain, _ = gn.loss_and_gradient(net, theta, x, [0], engine=engine)
        assert loss - plain == pytest.approx(expected, rel=1e-12)


def test_zero_weights_have_no_l1_slope(engine):
    theta = gn.Parameters(NET.sizes, np.zeros(NET.n_parameters))
    plain = gn.loss_and_gradient(NET, theta, X, Y, engine=engine)[1]
    assert gn.loss_and_gradient(NET, theta, X, Y, l1=3.0, engine=engine)[1] == plain


@pytest.mark.parametrize("name", ["l1", "l2", "max_norm"])
def test_penalties_outside_their_range_are_refused(name):
    for bad in (-1, np.nan, np.inf):
        with pytest.raises(gn.InputError, match=f"{name} is .*expected a finite number"):
            Penalties(**{name: bad})
    for bad in ("0.1", True, [1.0]):
        with pytest.raises(gn.InputTypeError, match=f"{name} is a number"):
            gn.train(NET, X, Y, **{name: bad})
    with pytest.raises(gn.InputError, match="max_norm is 0"):
        Penalties(max_norm=0)


# ---- Clipping -------------------------------------------------------------------------------------


@both_dtypes
def test_clip_takes_values_first_then_the_length_of_what_is_left(dtype):
    g = np.array([3, -40, 0.5, np.nan], dtype)
    assert clip(g, 4, None).tolist()[:3] == [3, -4, 0.5]
    assert np.isnan(clip(g, 4, 1)[3])
    clipped = clip(g[:3], 4, 1.0)
    assert clipped.dtype == dtype
    np.testing.assert_allclose(clipped, np.array([3, -4, 0.5]) / np.sqrt(25.25), rtol=1e-6)


def test_clip_leaves_what_is_within_its_bounds():
    g = np.array([0.6, -0.8])
    assert clip(g, None, None) is g
    assert np.array_equal(clip(g, 0.8, np.nextafter(1, 2)), g)


@pytest.mark.parametrize("bounds", [{"clip_norm": 0.01}, {"clip_value": 1e-3}])
@both_dtypes
def test_step_of_a_clipped_gradient_is_as_long_as_the_bound(engine, bounds, dtype):
    theta = NET.initialize(0, scheme="normal", dtype=dtype)
    settings = {"parameters": theta, "iterations": 1, "engine": engine, "dtype": dtype}
    run = gn.train(NET, X, Y, optimizer=gn.SGD(1.0, 0.0, **bounds), **settings)
    _, gradient = gn.loss_and_gradient(NET, theta, X, Y, engine=engine)
    step = theta.flat - run.parameters.flat
    np.testing.assert_allclose(
        step, clip(gradient.flat, bounds.get("clip_value"), bounds.get("clip_norm")), atol=1e-6
    )
    free = gn.train(NET, X, Y, optimizer=gn.SGD(1.0, 0.0), **settings)
    assert np.abs(free.parameters.flat - run.parameters.flat).max() > 1e-3


# ---- Weights that are held ------------------------------------------------------------------------


@both_dtypes
def test_constrain_shortens_the_units_that_are_too_long(dtype):
    theta = NET.initialize(0, scheme="normal", dtype=dtype)
    held = gn.Parameters(NET.sizes, constrain(theta.flat, NET.sizes, 1.5))
    assert held.dtype == dtype
    for before, after in zip(theta.weights, held.weights, strict=True):
        lengths = np.linalg.norm(before, axis=0)
        assert (lengths > 1.5).any()
        np.testing.assert_allclose(np.linalg.norm(after, axis=0), np.minimum(lengths, 1.5), rtol=1e-6)
        short = lengths <= 1.5
        assert np.array_equal(after[:, short], before[:, short])
    for before, after in zip(theta.biases, held.biases, strict=True):
        assert np.array_equal(before, after)


@both_dtypes
def test_training_holds_every_unit_to_max_norm(engine, dtype):
    settings = {"iterations": 5, "engine": engine, "dtype": dtype, "random_state": 0, "scheme": "normal"}
    run = gn.train(NET, X, Y, max_norm=0.5, **settings)
    lengths = np.concatenate([np.linalg.norm(W, axis=0) for W in run.parameters.weights])
    assert lengths.max() < 0.5 * (1 + 1e-6)
    assert (lengths > 0.49).any()
    assert run.penalties == Penalties(max_norm=0.5)


def test_decay_shrinks_weights_only():
    theta, is_weight = np.arange(1.0, 5.0), np.array([True, False, True, False])
    assert decay(theta, 0.5, is_weight).tolist() == [0.5, 2, 1.5, 4]
