import copy
import dataclasses
import pickle
import warnings
from itertools import cycle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import glassnet as gn
from glassnet import native
from glassnet.nn.network import SCHEMES, count_parameters, outputs_of
from glassnet.utils.settings_checks import as_random_state

SIZES = (2, 3, 2)
PAIRS = list(zip(gn.ACTIVATIONS, cycle(gn.OUTPUTS)))


def counted(sizes=SIZES, dtype=float):
    return gn.Parameters(sizes, np.arange(count_parameters(sizes), dtype=dtype))


# ---- Parameters -----------------------------------------------------------------------------------


def test_parameters_lie_as_w1_b1_w2_b2_in_c_order():
    theta = counted()
    assert theta.weights[0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert theta.biases[0].tolist() == [6, 7, 8]
    assert theta.weights[1].tolist() == [[9, 10], [11, 12], [13, 14]]
    assert theta.biases[1].tolist() == [15, 16]


@given(st.lists(st.integers(1, 5), min_size=2, max_size=5))
def test_every_parameter_is_in_exactly_one_view(sizes):
    theta = gn.Parameters(sizes, np.zeros(count_parameters(sizes)))
    for view in (*theta.weights, *theta.biases):
        view += 1
    assert (theta.flat == 1).all()
    assert theta.flat.size == gn.Network(sizes, output="identity").n_parameters


def assert_views_write_through(theta):
    for view in (*theta.weights, *theta.biases):
        assert np.shares_memory(view, theta.flat)
        view[...] = -7
    assert (theta.flat == -7).all()
    theta.flat[:] = 3
    assert all((view == 3).all() for view in (*theta.weights, *theta.biases))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "twin",
    [
        lambda theta: theta.copy(),
        copy.copy,
        copy.deepcopy,
        lambda theta: pickle.loads(pickle.dumps(theta)),
        lambda theta: theta.astype(theta.dtype),
    ],
    ids=["copy", "copy.copy", "deepcopy", "pickle", "astype"],
)
def test_copy_of_parameters_is_equal_independent_and_has_living_views(twin, dtype):
    theta = counted(dtype=dtype)
    other = twin(theta)
    assert other == theta
    assert other.dtype == dtype
    assert not np.shares_memory(other.flat, theta.flat)
    assert_views_write_through(other)
    assert np.array_equal(theta.flat, np.arange(17))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_contiguous_floats_are_wrapped_and_not_copied(dtype):
    flat = np.zeros(17, dtype)
    theta = gn.Parameters(SIZES, flat)
    assert theta.flat is flat
    assert_views_write_through(theta)


@pytest.mark.parametrize(
    "flat",
    [np.arange(17), np.arange(17, dtype=np.float16), list(range(17)), np.arange(34.0)[::2] / 2],
    ids=["int", "float16", "list", "strided"],
)
def test_other_numbers_become_contiguous_float64(flat):
    theta = gn.Parameters(SIZES, flat)
    assert theta.dtype == np.float64
    assert theta.flat.flags.c_contiguous
    assert np.array_equal(theta.flat, np.arange(17))
    assert_views_write_through(theta)


def test_read_only_memory_is_copied_because_parameters_are_writable():
    flat = np.zeros(17)
    flat.flags.writeable = False
    assert_views_write_through(gn.Parameters(SIZES, flat))
    assert not flat.any()


def test_parameters_are_equal_by_sizes_precision_and_values():
    theta = counted()
    assert theta == counted()
    assert theta != counted(dtype=np.float32)
    assert theta != gn.Parameters((16, 1), theta.flat)
    assert theta != theta.flat.tolist()
    other = theta.copy()
    other.biases[1][1] += 1e-12
    assert theta != other


def test_parameters_with_nan_equal_their_own_copy():
    theta = counted()
    theta.flat[3] = np.nan
    assert theta == theta.copy()


def test_parameters_cannot_be_hashed_since_they_change():
    with pytest.raises(TypeError, match="unhashable"):
        hash(counted())


@pytest.mark.parametrize("flat", [np.zeros(16), np.zeros(18), np.zeros((17, 1)), np.zeros(0), 0.0])
def test_flat_vector_of_another_shape_is_refused(flat):
    with pytest.raises(gn.InputError, match=r"\(2, 3, 2\) have 17 parameters, so expected \(17,\)"):
        gn.Parameters(SIZES, flat)


@pytest.mark.parametrize("flat", [np.zeros(17, complex), ["a"] * 17, [None] * 17])
def test_flat_vector_of_no_numbers_is_refused(flat):
    with pytest.raises(gn.InputTypeError, match=r"flat holds .* values"):
        gn.Parameters(SIZES, flat)


def test_repr_shows_small_parameters_and_counts_large_ones():
    text = repr(counted())
    assert "17 values, float64" in text
    assert all(name in text for name in ("W1 =", "b1 =", "W2 =", "b2 ="))
    assert repr(counted((30, 30))) == "Parameters(30, 30), 930 values, float64"


# ---- Network --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "count"), [((2, 2), 6), ((2, 3, 2), 17), ((1, 1), 2), ((5, 7, 3, 4), 82), ([4, 2], 10)]
)
def test_network_counts_its_parameters(sizes, count):
    assert gn.Network(sizes, output="identity").n_parameters == count


def test_network_takes_one_activation_for_all_layers_or_one_for_each():
    assert [one.name for one in gn.Network((2, 3, 4, 2), hidden="tanh").hidden] == ["tanh", "tanh"]
    mixed = gn.Network((2, 3, 4, 2), hidden=["relu", gn.ACTIVATIONS["tanh"]])
    assert [one.name for one in mixed.hidden] == ["relu", "tanh"]
    assert gn.Network((2, 2)).hidden == ()
    assert gn.Network((2, 2), hidden=[]).hidden == ()


@pytest.mark.parametrize("output", gn.OUTPUTS.values(), ids=lambda record: record.name)
def test_network_takes_the_outputs_own_loss(output):
    assert gn.Network(SIZES, output=output.name).loss is gn.LOSSES[output.loss]


def test_network_sizes_are_plain_integers():
    network = gn.Network(np.array([2, 3, 2]))
    assert network.sizes == SIZES
    assert all(type(width) is int for width in network.sizes)


def test_network_is_frozen_equal_by_value_and_hashable():
    network = gn.Network(SIZES, hidden="relu")
    assert network == gn.Network([2, 3, 2], hidden=["relu"])
    assert network != gn.Network(SIZES)
    assert len({network, gn.Network(SIZES, hidden="relu")}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        network.sizes = (2, 2)


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
@pytest.mark.parametrize("loss", gn.LOSSES)
def test_network_survives_pickle_and_copy(make_network, twin, loss):
    network = make_network((2, 3, 3, 2), ["tanh", "relu"], loss)
    assert twin(network) == network


def test_str_names_sizes_functions_and_loss():
    network = gn.Network((2, 3, 4, 1), hidden=["relu", "tanh"], output="logistic")
    assert str(network) == "2-3-4-1 (relu, tanh, logistic; binary_cross_entropy)"


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((2, 0, 2), r"sizes\[1\] is 0 in \(2, 0, 2\); a layer needs a width of 1 or more"),
        ((2, 3, -1), r"sizes\[2\] is -1"),
        ((2,), r"sizes is \(2,\); expected at least an input and an output"),
        ((), r"sizes is \(\)"),
    ],
)
def test_impossible_widths_are_refused(sizes, message):
    with pytest.raises(gn.InputError, match=message):
        gn.Network(sizes)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((2, True, 2), r"sizes\[1\] is True .* a width is a whole number"),
        ((2, 3.0, 2), r"sizes\[1\] is 3.0"),
        ((2, "3", 2), r"sizes\[1\] is '3'"),
        ((2, None), r"sizes\[1\] is None"),
        ("232", r"sizes is a sequence of layer widths such as \(2, 3, 2\), not '232'"),
        (2, "sizes is a sequence"),
        (None, "sizes is a sequence"),
    ],
)
def test_widths_that_are_no_whole_numbers_are_refused(sizes, message):
    with pytest.raises(gn.InputTypeError, match=message):
        gn.Network(sizes)


@pytest.mark.parametrize("hidden", ["relux", ["tanh", "relux"], ("relux", "tanh")])
def test_unknown_activation_is_refused_with_the_nearest_name(hidden):
    with pytest.raises(gn.InputError, match=r"Unknown activation 'relux'. Did you mean 'relu'"):
        gn.Network((2, 3, 3, 2), hidden=hidden)


@pytest.mark.parametrize("hidden", [None, 3, np.tanh, [None], [np.tanh]])
def test_activation_that_is_no_name_is_refused(hidden):
    with pytest.raises(gn.InputTypeError, match=r"An activation is a name or a glassnet.Activation"):
        gn.Network(SIZES, hidden=hidden)


@pytest.mark.parametrize("hidden", [[], ["relu", "relu"], ("tanh", "tanh", "tanh")])
def test_list_of_activations_of_another_length_is_refused(hidden):
    with pytest.raises(gn.InputError, match=rf"hidden names {len(hidden)} .* 1 hidden layer"):
        gn.Network(SIZES, hidden=hidden)


def test_softmax_over_one_class_is_refused():
    with pytest.raises(gn.InputError, match=r"softmax over 1 output is always 1.*logistic"):
        gn.Network((2, 3, 1))


def test_unknown_output_and_a_loss_that_does_not_fit_are_refused():
    with pytest.raises(gn.InputError, match="Did you mean 'softmax'"):
        gn.Network(SIZES, output="softmx")
    with pytest.raises(gn.InputError, match="'squared_error' is written for the output 'identity'"):
        gn.Network(SIZES, loss="squared_error")


# ---- Initial draws --------------------------------------------------------------------------------

each_scheme = pytest.mark.parametrize("scheme", SCHEMES)


@each_scheme
def test_same_seed_draws_the_same_and_another_does_not(scheme):
    network = gn.Network((3, 5, 4, 2), hidden="tanh")
    assert network.initialize(7, scheme=scheme) == network.initialize(7, scheme=scheme)
    assert network.initialize(7, scheme=scheme) != network.initialize(8, scheme=scheme)
    assert network.initialize(7, scheme) == network.initialize(np.int64(7), scheme)


@each_scheme
def test_an_instance_goes_on_with_its_own_stream(scheme):
    network, random = gn.Network(SIZES), np.random.RandomState(7)
    first, second = (network.initialize(random, scheme=scheme) for _ in range(2))
    assert first == network.initialize(7, scheme=scheme)
    assert first != second


@each_scheme
def test_drawing_leaves_numpys_global_stream_alone(scheme):
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    gn.Network(SIZES).initialize(scheme=scheme)
    gn.Network(SIZES).initialize(1, scheme=scheme)
    assert np.array_equal(np.random.get_state()[1], before)


@each_scheme
def test_both_precisions_start_from_the_same_point(scheme):
    network = gn.Network((3, 5, 2))
    double, single = (network.initialize(1, scheme=scheme, dtype=d) for d in (float, np.float32))
    assert (double.dtype, single.dtype) == (np.float64, np.float32)
    assert np.array_equal(single.flat, double.flat.astype(np.float32))


@each_scheme
def test_draws_have_the_spread_that_the_scheme_promises(scheme):
    n_in, n_out = 300, 200
    theta = gn.Network((n_in, n_out, 2), hidden="relu").initialize(0, scheme=scheme)
    deviation = {
        "normal": 1.0,
        "glorot": np.sqrt(2 / (n_in + n_out)),
        "he": np.sqrt(2 / n_in),
        "sklearn": np.sqrt(2 / (n_in + n_out)),
        "nguyen_widrow": np.sqrt(2 / (n_in + n_out)),  # of relu
    }[scheme]
    W, b = theta.weights[0], theta.biases[0]
    assert W.std() == pytest.approx(deviation, rel=0.02)
    assert abs(W.mean()) < 4 * deviation / np.sqrt(W.size)
    if scheme in ("glorot", "he", "nguyen_widrow"):
        assert not b.any()
    else:
        assert b.std() == pytest.approx(deviation, rel=0.2)
    if scheme in ("glorot", "sklearn"):
        assert np.abs(W).max() < np.sqrt(3) * deviation


@pytest.mark.parametrize(("activation", "slope"), [("tanh", 1), ("softsign", 1), ("logistic", 2)])
def test_nguyen_widrow_shares_the_range_out(activation, slope):
    low, high = np.array([10.0, -3.0]), np.array([30.0, 5.0])
    network = gn.Network((2, 16, 8, 1), hidden=activation, output="identity")
    plain = network.initialize(0, "nguyen_widrow")
    fitted = network.initialize(0, "nguyen_widrow", ranges=(low, high))
    W, b = plain.weights[0], plain.biases[0]
    length = 0.7 * 16**0.5 * slope
    assert np.allclose(np.linalg.norm(W, axis=0), length)
    assert np.allclose(np.sort(b * np.sign(W[0])), np.linspace(-length, length, 16))
    x = np.random.RandomState(0).uniform(-1, 1, (50, 2))
    scaled = (low + high) / 2 + (high - low) / 2 * x
    assert np.allclose(network.forward(plain, x)[-1], network.forward(fitted, scaled)[-1])
    # The second layer sees the outputs of the first, which lie from -1 or 0 to 1.
    inner, ends = plain.weights[1], {"logistic": (0.0, 1.0)}.get(activation, (-1.0, 1.0))
    assert np.allclose(np.linalg.norm(inner, axis=0) * (ends[1] - ends[0]) / 2, 0.7 * 8 ** (1 / 16) * slope)


def test_nguyen_widrow_takes_a_constant_input_as_it_comes():
    ranges = np.array([2.0, 0.0]), np.array([2.0, 1.0])
    network = gn.Network((2, 4, 2), "tanh")
    assert np.isfinite(network.initialize(0, "nguyen_widrow", ranges=ranges).flat).all()


def test_normal_scheme_continues_the_notebooks_random_stream(circles, circles_data):
    random = np.random.RandomState()
    random.set_state(circles_data[2])
    for draw in ("check", "initial"):
        theta = gn.Network(SIZES).initialize(random, scheme="normal")
        assert np.array_equal(theta.weights[0], circles[f"{draw}_hidden_weights"])
        assert np.array_equal(theta.biases[0], circles[f"{draw}_hidden_bias"][0])
        assert np.array_equal(theta.weights[1], circles[f"{draw}_output_weights"])
        assert np.array_equal(theta.biases[1], circles[f"{draw}_output_bias"][0])


@pytest.mark.parametrize(
    ("activation", "hidden", "classes"),
    [("relu", (5,), 2), ("logistic", (5,), 3), ("logistic", (4, 3), 2), ("tanh", (4, 3), 3)],
)
def test_sklearn_scheme_draws_scikit_learns_numbers(activation, hidden, classes):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    X, y = np.random.RandomState(0).randn(12, 2), np.arange(12) % classes
    # A step of nothing leaves the weights as they were drawn.
    still = MLPClassifier(
        hidden, activation=activation, solver="sgd", learning_rate_init=1e-300, max_iter=1, random_state=5
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        still.fit(X, y)
    outputs = 1 if classes == 2 else classes
    network = gn.Network((2, *hidden, outputs), activation, "logistic" if outputs == 1 else "softmax")
    theta = network.initialize(5, scheme="sklearn")
    for ours, theirs in zip(theta.weights, still.coefs_, strict=True):
        assert np.array_equal(ours, theirs)
    for ours, theirs in zip(theta.biases, still.intercepts_, strict=True):
        assert np.array_equal(ours, theirs)


def test_unknown_scheme_is_refused_with_the_nearest_name():
    with pytest.raises(gn.InputError, match=r"Unknown scheme 'glorott'. Did you mean 'glorot'"):
        gn.Network(SIZES).initialize(0, scheme="glorott")


@pytest.mark.parametrize("seed", [True, 1.0, "1", np.random.default_rng(0), [1]])
def test_seed_of_another_kind_is_refused(seed):
    with pytest.raises(gn.InputTypeError, match="random_state is None, a whole number or a numpy"):
        as_random_state(seed)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_out_of_range_is_refused(seed):
    with pytest.raises(gn.InputError, match=f"random_state is {seed}; a seed lies from 0"):
        as_random_state(seed)


def test_no_seed_draws_afresh():
    network = gn.Network(SIZES)
    assert network.initialize() != network.initialize()


# ---- Forward and prediction -----------------------------------------------------------------------


def test_forward_returns_every_layers_output():
    network = gn.Network((2, 3, 4, 2), hidden=["relu", "tanh"])
    theta = network.initialize(0)
    X = np.random.RandomState(0).randn(5, 2)
    H1, H2, Y_hat = network.forward(theta, X)
    np.testing.assert_allclose(H1, np.maximum(X @ theta.weights[0] + theta.biases[0], 0), rtol=1e-15)
    np.testing.assert_allclose(H2, np.tanh(H1 @ theta.weights[1] + theta.biases[1]), rtol=1e-15)
    Z = np.exp(H2 @ theta.weights[2] + theta.biases[2])
    np.testing.assert_allclose(Y_hat, Z / Z.sum(axis=1, keepdims=True), rtol=1e-14)
    np.testing.assert_allclose(network.predict_proba(theta, X), Y_hat, rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forward_computes_in_the_parameters_precision(dtype):
    network = gn.Network(SIZES)
    layers = network.forward(network.initialize(0, dtype=dtype), np.ones((3, 2)))
    assert {layer.dtype for layer in layers} == {np.dtype(dtype)}


def test_prediction_of_each_kind():
    X = np.array([[3.0], [-3.0]])
    one = [1.0, 0.0]
    assert gn.Network((1, 1), output="logistic").predict(one, X).tolist() == [[1], [0]]
    assert gn.Network((1, 1), output="identity").predict(one, X).tolist() == [[3.0], [-3.0]]
    assert gn.Network((1, 2)).predict([1.0, -1.0, 0.0, 0.0], X).tolist() == [0, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("hidden", "output"), PAIRS)
def test_prediction_is_what_forward_gives(hidden, output, dtype):
    network = gn.Network((3, 5, 18, 4), hidden=hidden, output=output)
    theta = network.initialize(1, dtype=dtype)
    for n in (1, 2, 5, 16, 257):
        X = np.random.RandomState(n).randn(n, 3).astype(dtype)
        Y_hat = network.forward(theta, X)[-1]
        found = outputs_of(network, theta, X)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, Y_hat, rtol=3e-5 if dtype == "float32" else 1e-12, atol=1e-6)
        # A row's prediction has the same bits whatever goes with it.
        assert np.array_equal(found[:1], outputs_of(network, theta, X[:1]))


@pytest.mark.parametrize(
    "make", [np.asfortranarray, list, lambda X: X.astype("float32"), lambda X: X[::-1][::-1]]
)
def test_prediction_takes_any_layout(make):
    network = gn.Network((3, 4, 2))
    theta, X = network.initialize(0), np.arange(12.0).reshape(4, 3)
    assert np.array_equal(network.predict_proba(theta, make(X)), network.predict_proba(theta, X))


def test_prediction_does_not_depend_on_threads(monkeypatch):
    network = gn.Network((20, 64, 3))
    theta, X = network.initialize(0), np.random.RandomState(0).randn(3000, 20)
    found = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("GLASSNET_THREADS", threads)
        found.append(network.predict_proba(theta, X).tobytes())
    assert len(set(found)) == 1


@pytest.mark.parametrize("output", gn.OUTPUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_prediction_does_not_depend_on_the_instruction_set(monkeypatch, output, dtype):
    """Nor on how many rows there are: one, a few, an odd number, several blocks of them."""
    for sizes in ((3, 4, 2), (20, 64, 17, 3)):
        X = np.random.RandomState(0).randn(2000, sizes[0]).astype(dtype)
        found = []
        for isa in native.module.isas():
            monkeypatch.setenv("GLASSNET_ISA", isa)
            network = gn.Network(sizes, hidden="gelu", output=output)  # made anew: it keeps its choice
            theta = network.initialize(0, dtype=dtype)
            ask = (
                network.predict if network.loss.target in ("real", "nonnegative") else network.predict_proba
            )
            whole = ask(theta, X)
            for rows in (1, 5, 257):
                assert np.array_equal(ask(theta, X[:rows]), whole[:rows])
            found.append(whole.tobytes())
        assert len(set(found)) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_prediction_refuses_what_is_not_finite(bad):
    network = gn.Network(SIZES)
    theta, X = network.initialize(0), np.ones((3, 2))
    X[1, 1] = bad
    with pytest.raises(gn.InputError, match="at row 1, column 1"):
        network.predict_proba(theta, X)
    theta.flat[4] = bad
    with pytest.raises(gn.InputError, match=r"parameters has .* at row 4"):
        network.predict_proba(theta, np.ones((1, 2)))


def test_network_that_has_predicted_pickles():
    network = gn.Network(SIZES)
    network.predict(network.initialize(0), np.ones((1, 2)))
    assert pickle.loads(pickle.dumps(network)) == network


def test_values_are_not_probabilities():
    network = gn.Network(SIZES, output="identity")
    with pytest.raises(gn.InputError, match="predicts values, not probabilities: use predict"):
        network.predict_proba(network.initialize(0), np.ones((1, 2)))


@pytest.mark.parametrize("output", gn.OUTPUTS)
def test_forward_of_no_samples_is_empty(output):
    network = gn.Network(SIZES, output=output)
    theta, X = network.initialize(0), np.empty((0, 2))
    assert [layer.shape for layer in network.forward(theta, X)] == [(0, 3), (0, 2)]
    assert len(network.predict(theta, X)) == 0


def test_forward_takes_a_flat_vector_and_changes_nothing():
    network = gn.Network(SIZES)
    theta, X = network.initialize(0), np.ones((3, 2))
    kept = theta.copy()
    assert np.array_equal(network.forward(theta.flat, X)[-1], network.forward(theta, X)[-1])
    assert theta == kept
    assert np.array_equal(X, np.ones((3, 2)))


def test_forward_refuses_input_of_another_width_and_parameters_of_another_network():
    network = gn.Network(SIZES)
    with pytest.raises(gn.InputError, match=r"X has 3 columns, shape .*; the network takes 2 inputs"):
        network.forward(network.initialize(0), np.ones((1, 3)))
    with pytest.raises(gn.InputError, match=r"parameters have sizes \(2, 2\), the network has \(2, 3, 2\)"):
        network.forward(gn.Network((2, 2)).initialize(0), np.ones((1, 2)))
    with pytest.raises(gn.InputError, match="expected"):
        network.forward(np.ones(5), np.ones((1, 2)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_parameters_that_are_not_finite_are_refused(bad):
    network = gn.Network(SIZES)
    theta = network.initialize(0)
    theta.flat[4] = bad
    with pytest.raises(gn.InputError, match=r"parameters has .* at row 4"):
        network.forward(theta, np.ones((1, 2)))


def test_network_over_counts_predicts_rates_and_has_no_probabilities():
    network = gn.Network((2, 1), output="exp")
    theta = gn.Parameters(network.sizes, np.array([1.0, 0.0, 2.0]))
    assert network.loss.name == "poisson"
    assert network.predict(theta, [[1.0, 0.0]])[0, 0] == np.exp(3.0)
    with pytest.raises(gn.InputError, match="predicts values, not probabilities"):
        network.predict_proba(theta, [[1.0, 0.0]])


def test_loss_with_settings_may_be_a_mapping_and_is_named_with_them():
    network = gn.Network((2, 1), output="identity", loss={"name": "huber", "delta": 0.5})
    assert network == gn.Network((2, 1), output="identity", loss=gn.losses.huber(delta=0.5))
    assert network != gn.Network((2, 1), output="identity", loss="huber")
    assert str(network) == "2-1 (identity; huber(delta=0.5))"
    assert hash(network) == hash(gn.Network((2, 1), output="identity", loss=gn.losses.huber(0.5)))


# ---- Numbers too large ------------------------------------------------------------------------------


@pytest.mark.parametrize(("hidden", "output"), PAIRS)
def test_forward_and_predict_of_huge_parameters_give_no_warning_of_numpys(hidden, output):
    net = gn.Network((2, 3, 2), hidden=hidden, output=output)
    theta = gn.Parameters(net.sizes, np.linspace(-1, 1, net.n_parameters) * 1e300)
    X = np.array([[1e10, -1e10], [0.0, 1.0]])
    found = net.forward(theta, X)[-1]  # warnings are errors here
    assert found.shape == net.predict(theta, X).shape or net.loss.target == "class"


def test_x_that_float32_cannot_hold_is_refused_by_prediction():
    net = gn.Network((2, 3, 2))
    theta = net.initialize(0, dtype="float32")
    for respond in (net.forward, net.predict, net.predict_proba):
        with pytest.raises(gn.InputError, match="X in float32 has inf at row 1, column 0"):
            respond(theta, np.array([[1.0, 2.0], [1e300, 0.0]]))


@pytest.mark.parametrize("method", ["forward", "predict", "predict_proba"])
def test_a_network_asked_without_parameters_says_that_it_has_none(method):
    with pytest.raises(gn.InputTypeError, match=r"net\.predict\(theta, X\), or run\.predict\(X\)"):
        getattr(gn.Network((2, 3, 2)), method)([[0.5, -1.0]])


@pytest.mark.parametrize(
    "net",
    [
        gn.Network((2, 2)),
        gn.Network((2, 3, 4, 1), hidden=["relu", "tanh"], output="identity", loss="huber"),
        gn.Network((2, 3, 2), loss={"name": "cross_entropy", "label_smoothing": 0.1}),
    ],
    ids=str,
)
def test_repr_is_what_makes_the_network_again(net):
    assert eval(repr(net), {"Network": gn.Network}) == net
    assert "function" not in repr(net)


def test_summary_counts_every_parameter():
    net = gn.Network((4, 1200, 3), hidden=["relu"], output="identity")
    *rows, last = net.summary().splitlines()
    counts = [[int(word.replace(",", "")) for word in row.split()[-2:]] for row in rows[2:]]
    assert sum(map(sum, counts)) == net.n_parameters == int(last.split()[0].replace(",", ""))
    assert "relu" in rows[2]
    assert last.endswith("loss squared_error")
    assert len(gn.Network((2, 2)).summary().splitlines()) == 4
