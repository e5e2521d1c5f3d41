import re

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

import glassnet as gn
from glassnet import native
from glassnet.engine.prepare import prepare

NET = gn.Network((2, 3, 2))
X = np.random.RandomState(0).randn(20, 2)
Y = np.arange(20) % 2
THETA = NET.initialize(0, scheme="normal")

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def relative(difference, value):
    return np.abs(difference).max() / max(np.abs(value).max(), np.finfo(float).tiny)


# ---- The two engines agree ------------------------------------------------------------------------


def assert_engines_agree(network, X, y, dtype, w=None, reduction="mean"):
    theta = network.initialize(5, scheme="normal", dtype=dtype)
    theta.flat[:] *= 0.5
    results = []
    for name in ("numpy", "native"):
        problem = prepare(
            network, X, y, dtype=dtype, sample_weight=w, reduction=reduction, engine=name, threads=2
        )
        loss, gradient = problem.loss_and_gradient(theta.flat)
        assert type(loss) is float
        assert gradient.dtype == dtype
        assert gradient.shape == theta.flat.shape
        results.append((loss, gradient, problem.baseline))
    (loss, gradient, baseline), (native_loss, native_gradient, native_baseline) = results
    tolerance = 1e-12 if dtype == np.float64 else 2e-5
    assert relative(native_gradient.astype(float) - gradient, gradient) < tolerance
    assert native_loss == pytest.approx(loss, rel=tolerance, abs=tolerance)
    assert native_baseline == baseline


# The registry's, and those with a setting of their own.
EVERY_LOSS = [
    *gn.LOSSES.values(),
    gn.losses.cross_entropy(label_smoothing=0.1),
    gn.losses.huber(delta=0.3),
    gn.losses.quantile(level=0.9),
]
WIDTHS = [(2, 2), (2, 3, 2), (1, 1, 2), (5, 7, 3, 4), (3, 17, 9, 33, 5)]


@pytest.mark.parametrize("loss", EVERY_LOSS, ids=str)
@pytest.mark.parametrize("hidden", gn.ACTIVATIONS)
@both_dtypes
def test_engines_agree_for_every_activation_loss_and_odd_size(make_data, hidden, loss, dtype):
    """Narrow and wide layers by turns, weighted and not, rows and class numbers, over unfilled lanes."""
    turn = list(gn.ACTIVATIONS).index(hidden) + EVERY_LOSS.index(loss)
    for place, n in enumerate([1, 2, 7, 8, 9, 255, 256, 257, 1025]):
        network = gn.Network(WIDTHS[(turn + place) % len(WIDTHS)], hidden, loss.output, loss)
        labels = loss.target == "class" and place % 2 == 0
        X, y = make_data(network, n, seed=n, labels=labels)
        weighted = {"w": np.random.RandomState(1).uniform(0, 3, n), "reduction": "sum"}
        assert_engines_agree(network, X, y, dtype, **(weighted if (turn + place) % 2 else {}))


@pytest.mark.parametrize("loss", [name for name, loss in gn.LOSSES.items() if loss.target != "class"])
@both_dtypes
def test_engines_agree_for_a_single_output(make_network, make_data, loss, dtype):
    for sizes, hidden in [((1, 1), "tanh"), ((1, 1, 1), "gelu"), ((4, 5, 1), "relu")]:
        network = make_network(sizes, hidden, loss)
        X, y = make_data(network, 37)
        assert_engines_agree(network, X, y[:, 0], dtype)


@both_dtypes
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_engines_agree_for_class_numbers_and_for_rows(make_data, classes, dtype):
    network = gn.Network((3, 8, classes), hidden="tanh")
    X, labels = make_data(network, 131, labels=True)
    _, rows = make_data(network, 131)
    w = np.random.RandomState(2).randint(0, 3, 131)
    for y in (labels, rows):
        assert_engines_agree(network, X, y, dtype)
        assert_engines_agree(network, X, y, dtype, w=w)


def test_engines_agree_for_a_different_activation_in_each_layer(make_data):
    network = gn.Network((3, 5, 6, 7, 8, 2), hidden=["tanh", "relu", "identity", "logistic"])
    X, y = make_data(network, 300, labels=True)
    for dtype in (np.float64, np.float32):
        assert_engines_agree(network, X, y, dtype)


@both_dtypes
def test_poisson_is_finite_up_to_the_largest_rate_that_has_a_number(engine, dtype):
    network = gn.Network((1, 1), output="exp")
    last = float(np.log(np.finfo(dtype).max))
    for z, y in ((last - 1, 3.0), (1.0, 3.0), (-1e4, 0.0), (-1e4, 2.0)):
        theta = gn.Parameters(network.sizes, np.array([0, z], dtype))
        loss, gradient = gn.loss_and_gradient(network, theta, [[1.0]], [y], engine=engine)
        rate = np.exp(np.float64(dtype(z)))
        assert loss == pytest.approx(rate - y * z, rel=1e-6)
        assert gradient.flat[1] == pytest.approx(rate - y, rel=1e-6)


@pytest.mark.parametrize("loss", [name for name, loss in gn.LOSSES.items() if loss.output != "exp"])
@both_dtypes
def test_huge_logits_give_a_finite_loss_and_gradient(make_network, make_data, engine, loss, dtype):
    network = make_network((2, 3, 2), "identity", loss)
    X, y = make_data(network, 50, labels=True)
    theta = network.initialize(0, scheme="normal", dtype=dtype)
    theta.flat[:] *= 70  # the logits reach several times 1e4
    assert np.abs(network.forward(theta, X)[0] @ theta.weights[1]).max() > 1e4
    value, gradient = gn.loss_and_gradient(network, theta, X, y, engine=engine)
    assert np.isfinite(value)
    assert np.isfinite(gradient.flat).all()


@both_dtypes
def test_threads_do_not_change_a_bit(engine, dtype, make_data):
    network = gn.Network((4, 9, 3), hidden="tanh")
    X, y = make_data(network, 3001, labels=True)
    theta = network.initialize(1, dtype=dtype)
    results = [gn.loss_and_gradient(network, theta, X, y, engine=engine, threads=n) for n in (1, 2, 3, 7)]
    for loss, gradient in results:
        assert loss == results[0][0]
        assert gradient == results[0][1]


# ---- What a loss is -------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", gn.LOSSES)
def test_sum_is_the_mean_times_the_sum_of_weights(make_network, make_data, engine, loss):
    network = make_network((3, 4, 2), "tanh", loss)
    X, y = make_data(network, 23)
    theta = network.initialize(0)
    for w, total in ((None, 23.0), (np.linspace(0, 2, 23), 23.0)):
        mean, g_mean = gn.loss_and_gradient(network, theta, X, y, sample_weight=w, engine=engine)
        summed, g_sum = gn.loss_and_gradient(network, theta, X, y, "sum", w, engine)
        assert summed == pytest.approx(mean * total, rel=1e-13)
        np.testing.assert_allclose(g_sum.flat, g_mean.flat * total, rtol=1e-12, atol=1e-15)


def test_class_numbers_one_hot_rows_and_whole_floats_are_the_same(engine):
    number = gn.loss_and_gradient(NET, THETA, X, Y, engine=engine)
    rows = gn.loss_and_gradient(NET, THETA, X, np.eye(2)[Y], engine=engine)
    floats = gn.loss_and_gradient(NET, THETA, X, Y.astype(float), engine=engine)
    assert number == rows == floats


@pytest.mark.parametrize("loss", gn.LOSSES)
def test_weight_two_equals_a_duplicate_and_weight_zero_a_missing_sample(
    make_network, make_data, engine, loss
):
    network = make_network((3, 4, 2), "logistic", loss)
    X, y = make_data(network, 31)
    w = np.random.RandomState(0).randint(0, 3, 31)
    theta = network.initialize(0)
    for reduction in ("mean", "sum"):
        weighted = gn.loss_and_gradient(network, theta, X, y, reduction, w, engine)
        repeated = np.repeat(np.arange(31), w)
        plain = gn.loss_and_gradient(network, theta, X[repeated], y[repeated], reduction, engine=engine)
        assert weighted[0] == pytest.approx(plain[0], rel=1e-13)
        np.testing.assert_allclose(weighted[1].flat, plain[1].flat, rtol=1e-11, atol=1e-14)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 300), name=st.sampled_from(["numpy", "native"]))
def test_order_of_samples_does_not_matter(seed, n, name):
    random = np.random.RandomState(seed)
    network = gn.Network((2, 4, 3), hidden="tanh")
    theta, X, y = network.initialize(random), random.randn(n, 2), random.randint(0, 3, n)
    order = random.permutation(n)
    loss, gradient = gn.loss_and_gradient(network, theta, X, y, engine=name)
    shuffled, g_shuffled = gn.loss_and_gradient(network, theta, X[order], y[order], engine=name)
    assert shuffled == pytest.approx(loss, rel=1e-13)
    assert relative(g_shuffled.flat - gradient.flat, gradient.flat) < 1e-12


@pytest.mark.parametrize("loss", gn.LOSSES)
def test_baseline_is_the_loss_of_a_network_that_knows_nothing(make_network, make_data, engine, loss):
    network = make_network((3, 4, 2), "tanh", loss)
    X, y = make_data(network, 40)
    w = np.linspace(0, 1, 40)
    nothing = np.zeros(network.n_parameters)
    for reduction in ("mean", "sum"):
        problem = prepare(network, X, y, sample_weight=w, reduction=reduction, engine=engine)
        assert problem.baseline == pytest.approx(problem.loss_and_gradient(nothing)[0], rel=1e-13)


# ---- Arguments are kept as they are; memory of any layout ----------------------------------------


@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=0)[::2],
        lambda a: np.hstack([a, a])[:, : a.shape[1]],
        lambda a: a[::-1].copy()[::-1],
        lambda a: a.tolist(),
        lambda a: a.astype(np.longdouble),
    ],
    ids=["fortran", "every second row", "columns of a wider one", "backwards", "list", "long double"],
)
def test_layout_of_x_and_y_does_not_matter(engine, layout):
    rows = np.random.RandomState(1).dirichlet([1, 1], 20)
    expected = gn.loss_and_gradient(NET, THETA, X, rows, engine=engine)
    loss, gradient = gn.loss_and_gradient(NET, THETA, layout(X), layout(rows), engine=engine)
    assert loss == pytest.approx(expected[0], rel=1e-14)
    np.testing.assert_allclose(gradient.flat, expected[1].flat, rtol=1e-12, atol=1e-15)


@both_dtypes
def test_no_argument_is_changed_and_read_only_ones_are_taken(engine, dtype):
    arguments = [X.copy(), np.eye(2)[Y] * 0.5 + 0.25, np.linspace(0, 1, 20)]
    kept = [argument.copy() for argument in arguments]
    for argument in arguments:
        argument.flags.writeable = False
    theta = THETA.astype(dtype)
    gn.loss_and_gradient(NET, theta, *arguments[:2], sample_weight=arguments[2], engine=engine)
    assert theta == THETA.astype(dtype)
    assert all(np.array_equal(a, b) for a, b in zip(arguments, kept, strict=True))


def test_problem_does_not_hang_on_arrays_that_change_later():
    """Only the native engine promises it: it has packed the data. The reference may hold views."""
    data = X.copy()
    problem = prepare(NET, data, Y, engine="native")
    before = problem.loss_and_gradient(THETA.flat)
    data[:] = 0
    after = problem.loss_and_gradient(THETA.flat)
    assert before[0] == after[0]
    assert np.array_equal(before[1], after[1])


@pytest.mark.parametrize(
    ("given", "dtype", "expected"),
    [
        (X.astype(np.float32), None, np.float32),
        (X, None, np.float64),
        (X.astype(np.float16), None, np.float64),
        ((X * 9).astype(int), None, np.float64),
        (X.tolist(), None, np.float64),
        (X.astype(np.float32), "float64", np.float64),
        (X, "float32", np.float32),
    ],
)
def test_precision_is_the_one_asked_for_or_follows_x(engine, given, dtype, expected):
    assert prepare(NET, given, Y, dtype=dtype, engine=engine).dtype == expected


def test_frame_of_float32_is_float32(engine):
    frame = pandas.DataFrame(X.astype(np.float32))
    assert prepare(NET, frame, Y, engine=engine).dtype == np.float32


@both_dtypes
def test_loss_and_gradient_compute_in_the_parameters_precision(engine, dtype):
    loss, gradient = gn.loss_and_gradient(NET, THETA.astype(dtype), X.astype(np.float32), Y, engine=engine)
    assert type(loss) is float
    assert gradient.dtype == dtype


def test_value_too_large_for_float32_is_refused_by_row_and_column(engine):
    data = np.zeros((70_000, 2))
    data[66_000, 1] = 1e39
    labels = np.zeros(70_000, int)
    with pytest.raises(gn.InputError, match="X in float32 has inf at row 66000, column 1"):
        prepare(NET, data, labels, dtype=np.float32, engine=engine)
    assert prepare(NET, data, labels, dtype=np.float64, engine=engine).dtype == np.float64
    linear = gn.Network((2, 1), output="identity")
    with pytest.raises(gn.InputError, match="y in float32 has -inf at row 3"):
        prepare(linear, X, np.where(np.arange(20) == 3, -1e39, 0), dtype=np.float32, engine=engine)
    with pytest.raises(gn.InputError, match="sample_weight in float32 has inf at row 4"):
        prepare(
            NET, X, Y, dtype=np.float32, engine=engine, sample_weight=np.where(np.arange(20) == 4, 1e39, 1)
        )


# ---- Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_bad_value_in_x_is_named_by_row_and_column(engine, bad):
    data = X.copy()
    data[7, 1] = bad
    with pytest.raises(gn.InputError, match=f"X has {bad} at row 7, column 1"):
        prepare(NET, data, Y, engine=engine)


@pytest.mark.parametrize(
    ("data", "targets", "message"),
    [
        (np.empty((0, 2)), [], r"X is empty, shape \(0, 2\); expected at least one sample"),
        (X[:, 0], Y, r"X has 1 dimension.*X.reshape\(-1, 1\)"),
        (X[:, :1], Y, "X has 1 columns, shape .*; the network takes 2 inputs"),
        (X, Y[:-1], "y has 19 entries, X has 20 rows"),
        (X, Y + 1, "y has 2 at row 1 .*; expected class numbers from 0 to 1"),
        (X, np.ones((20, 3)), "y has 3 column.* the network has 2 outputs"),
    ],
)
def test_data_of_another_shape_or_range_are_refused(data, targets, message):
    with pytest.raises(gn.InputError, match=message):
        prepare(NET, data, targets)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(19), r"sample_weight has shape \(19,\); expected \(20,\)"),
        (np.ones((20, 1)), r"sample_weight has shape \(20, 1\)"),
        (1.0, r"sample_weight has shape \(\)"),
        (np.where(np.arange(20) == 5, -0.5, 1), "sample_weight has -0.5 at row 5; expected 0 or more"),
        (np.where(np.arange(20) == 5, np.nan, 1), "sample_weight has nan at row 5"),
        (np.zeros(20), "sample_weight is 0 everywhere"),
    ],
)
def test_sample_weights_that_cannot_be_used_are_refused(weight, message):
    with pytest.raises(gn.InputError, match=message):
        prepare(NET, X, Y, sample_weight=weight)


def test_names_that_are_unknown_are_refused_with_the_nearest():
    with pytest.raises(gn.InputError, match=r"Unknown reduction 'maen'. Did you mean 'mean'"):
        prepare(NET, X, Y, reduction="maen")
    with pytest.raises(gn.InputError, match=r"Unknown engine 'nativ'. Did you mean 'native'"):
        prepare(NET, X, Y, engine="nativ")
    with pytest.raises(gn.InputError, match="dtype is float32 or float64"):
        prepare(NET, X, Y, dtype="float16")


@pytest.mark.parametrize("function", [prepare, lambda n, X, y: gn.loss_and_gradient(n, THETA, X, y)])
def test_network_of_another_type_is_refused(function):
    with pytest.raises(gn.InputTypeError, match=r"network is a glassnet.Network, not tuple"):
        function((2, 3, 2), X, Y)


# ---- Which engine ---------------------------------------------------------------------------------


def test_problem_says_which_engine_it_is_and_why(engine):
    problem = prepare(NET, X, Y, engine=engine)
    assert (problem.engine, problem.engine_reason) == (engine, "asked for")
    assert (problem.network, problem.n_samples, problem.reduction) == (NET, 20, "mean")


def test_auto_takes_the_native_engine_and_says_why():
    assert native.module is not None, native.reason
    problem = prepare(NET, X, Y)
    assert (problem.engine, problem.engine_reason) == ("native", "it is the fastest")


def test_missing_native_engine_is_an_error_when_asked_for_and_a_reason_when_not(monkeypatch):
    monkeypatch.setattr(native, "module", None)
    monkeypatch.setattr(native, "reason", "no compiler was found")
    with pytest.raises(
        gn.EngineError, match=r'"native" cannot be used: .*no compiler was found\. Use engine='
    ):
        prepare(NET, X, Y, engine="native")
    problem = prepare(NET, X, Y)
    assert problem.engine == "numpy"
    assert problem.engine_reason == "the native engine is not available: no compiler was found"


def own_activation():
    return gn.Network((2, 3, 2), gn.Activation("sine", np.sin, lambda z, h: np.cos(z), "sin z", "cos z"))


def own_loss():
    quartic = gn.Loss(
        "quartic",
        output="identity",
        target="real",
        value=lambda z, y: ((z - y) ** 4).sum(axis=1) / 4,
        delta=lambda z, y: (z - y) ** 3,
        formula="1/4 sum_k (y_hat_k - y_k)^4",
        delta_formula="(y_hat - y)^3",
    )
    return gn.Network((2, 3, 2), output="identity", loss=quartic)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (own_activation(), "the activation 'sine' is your own"),
        (own_loss(), "the loss 'quartic' is your own"),
    ],
)
def test_own_records_run_on_the_numpy_engine_and_say_so(make_data, network, words):
    data, targets = make_data(network, 10)
    problem = prepare(network, data, targets)
    assert problem.engine == "numpy"
    assert words in problem.engine_reason
    with pytest.raises(gn.EngineError, match=words):
        prepare(network, data, targets, engine="native")


def test_own_record_under_a_built_in_name_is_not_taken_for_it():
    relu = gn.Activation("relu", np.sin, lambda z, h: np.cos(z), "sin z", "cos z")
    assert prepare(gn.Network((2, 3, 2), relu), X, Y).engine == "numpy"


# ---- Threads --------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [0, -2])
def test_threads_below_one_are_refused(threads):
    with pytest.raises(gn.InputError, match=f"threads is {threads}; expected 1 or more"):
        prepare(NET, X, Y, threads=threads)


@pytest.mark.parametrize("threads", [1.0, "2", True, [1]])
def test_threads_that_are_no_number_are_refused(threads):
    with pytest.raises(gn.InputTypeError, match="threads is None or a whole number"):
        prepare(NET, X, Y, threads=threads)


# ---- Descent --------------------------------------------------------------------------------------


class Descending:
    """A descent of one problem, with its arrays at hand."""

    def __init__(self, engine, dtype=np.float64, length=10):
        self.problem = prepare(NET, X, Y, dtype=dtype, engine=engine)
        self.flat = THETA.flat.astype(dtype)
        self.state = np.zeros((1, self.flat.size), self.flat.dtype)
        _, self.gradient = self.problem.loss_and_gradient(self.flat)
        self.losses = np.full(length, -1.0)
        self.stop = np.zeros(1, np.uint8)

    def __call__(self, learning_rate=0.5, momentum=0.5, limit=np.inf, seconds=1e9):
        return self.problem.descend(
            self.flat,
            self.state,
            self.gradient,
            self.losses,
            optimizer=gn.SGD(momentum=momentum),
            rates=np.array([learning_rate]),
            first_update=1,
            limit=limit,
            stop=self.stop,
            seconds=seconds,
        )

    def assert_whole(self, updates):
        """Losses and gradient are those of the parameters that came back, nothing is half done."""
        loss, gradient = self.problem.loss_and_gradient(self.flat)
        assert np.array_equal(gradient, self.gradient)
        assert self.losses[updates - 1] == loss
        assert (self.losses[updates:] == -1).all()


@both_dtypes
def test_descent_is_the_references_momentum_update(engine, dtype):
    descent = Descending(engine, dtype)
    flat, V, g = descent.flat.copy(), descent.state[0].copy(), descent.gradient.copy()
    expected = []
    for _ in range(10):
        V = 0.5 * V - 0.5 * g
        flat = flat + V
        loss, g = descent.problem.loss_and_gradient(flat.astype(dtype))
        expected.append(loss)
    done = descent()
    assert (done.updates, done.diverged) == (10, False)
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(descent.losses, expected, rtol=tolerance)
    np.testing.assert_allclose(descent.flat, flat, rtol=10 * tolerance, atol=tolerance)
    np.testing.assert_allclose(descent.state[0], V, rtol=10 * tolerance, atol=tolerance)
    descent.assert_whole(10)


@both_dtypes
def test_descent_in_two_calls_is_the_same_bits_as_in_one(engine, dtype):
    whole, parts = Descending(engine, dtype, 9), Descending(engine, dtype, 4)
    whole()
    parts()
    first, parts.losses = parts.losses, np.full(5, -1.0)
    parts()
    assert np.array_equal(np.concatenate([first, parts.losses]), whole.losses)
    for name in ("flat", "state", "gradient"):
        assert np.array_equal(getattr(parts, name), getattr(whole, name))


def test_descent_above_its_limit_returns_to_the_last_good_update(engine):
    swing = {"learning_rate": 10.0, "momentum": 0.9}
    free = Descending(engine)
    free(**swing)
    limit = 4.0
    bad = int(np.argmax(free.losses > limit))
    assert bad == 5  # this descent swings wider and wider
    held, short = Descending(engine), Descending(engine, length=bad)
    done = held(**swing, limit=limit)
    short(**swing)
    assert (done.updates, done.diverged) == (bad, True)
    assert np.array_equal(held.flat, short.flat)
    assert np.array_equal(held.state, short.state)
    assert np.array_equal(held.losses[:bad], short.losses)


@both_dtypes
def test_descent_that_overflows_is_found_and_undone(engine, dtype):
    descent = Descending(engine, dtype)
    before = descent.flat.copy()
    done = descent(learning_rate=1e30 if dtype == np.float32 else 1e300, limit=1e30)
    assert done.diverged
    assert np.isfinite(descent.flat).all()
    assert np.isfinite(descent.state).all()
    if done.updates == 0:
        assert np.array_equal(descent.flat, before)
        assert not descent.state.any()


def test_descent_to_nan_is_found_and_undone(engine):
    descent = Descending(engine)
    before = descent.flat.copy()
    descent.gradient[3] = np.nan
    done = descent()
    assert (done.updates, done.diverged) == (0, True)
    assert np.array_equal(descent.flat, before)
    assert not descent.state.any()
    assert (descent.losses == -1).all()


def test_descent_of_the_reference_ends_after_a_whole_update_when_told_to():
    """The native engine looks at the flag only within slow updates; its own tests hold it to that."""
    descent = Descending("numpy")
    descent.stop[0] = 1
    done = descent()
    assert (done.updates, done.diverged) == (1, False)
    descent.assert_whole(1)


def test_descent_ends_after_a_whole_update_when_its_time_is_over(engine):
    descent = Descending(engine, length=100_000)
    done = descent(seconds=0.0, learning_rate=1e-3)
    assert not done.diverged
    assert 1 <= done.updates < 100_000
    descent.assert_whole(done.updates)


def test_descent_of_no_updates_changes_nothing(engine):
    descent = Descending(engine, length=0)
    before = [descent.flat.copy(), descent.state.copy(), descent.gradient.copy()]
    done = descent()
    assert (done.updates, done.diverged) == (0, False)
    after = [descent.flat, descent.state, descent.gradient]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


# ---- Weights and targets too large or too small --------------------------------------------------------


@pytest.mark.parametrize(
    ("weight", "dtype"), [(1e308, "float64"), (1e-320, "float64"), (1e38, "float32"), (1e-60, "float32")]
)
@pytest.mark.parametrize("batch_size", [None, 5])
def test_weights_that_the_precision_cannot_hold_are_refused(engine, weight, dtype, batch_size):
    with pytest.raises(
        gn.InputError, match=rf"up to {re.escape(f'{weight:.3g}')} .*{dtype} cannot hold; multiply"
    ):
        gn.train(
            NET, X, Y, iterations=1, sample_weight=np.full(20, weight), dtype=dtype, batch_size=batch_size
        )


@pytest.mark.parametrize("batch_size", [None, 5])
def test_targets_whose_loss_overflows_give_our_error_alone(engine, batch_size):
    net = gn.Network((2, 3, 1), output="identity")
    with pytest.raises(gn.InputError, match="The loss is inf before the first update"):
        gn.train(net, X, X[:, 0] * 1e200, iterations=1, engine=engine, batch_size=batch_size)


# ---- What a prepared problem is called with ------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        lambda theta: theta,
        lambda theta: theta.flat.tolist(),
        lambda theta: np.repeat(theta.flat, 2)[::2],
        lambda theta: np.frombuffer(theta.flat.tobytes()),
    ],
    ids=["Parameters", "list", "strided", "read-only"],
)
def test_a_prepared_problem_takes_parameters_of_any_make(engine, given):
    problem, theta = prepare(NET, X, Y, engine=engine), NET.initialize(0)
    loss, gradient = problem.loss_and_gradient(theta.flat)
    same, slope = problem.loss_and_gradient(given(theta))
    assert (same, problem.loss(given(theta))) == (loss, loss)
    assert np.array_equal(slope, gradient)


def test_a_prepared_problem_casts_parameters_of_another_precision(engine):
    problem = prepare(NET, X, Y, engine=engine)
    flat = NET.initialize(0).flat.astype(np.float32)
    _, gradient = problem.loss_and_gradient(flat)
    assert gradient.dtype == np.float64
    assert np.array_equal(gradient, problem.loss_and_gradient(flat.astype(np.float64))[1])
    assert problem.loss_and_gradient(np.zeros(17, int))[1].dtype == np.float64


@pytest.mark.parametrize(
    ("flat", "error", "message"),
    [
        (np.zeros(16), gn.InputError, r"flat has shape \(16,\); 2-3-2 .* expected \(17,\)"),
        (np.zeros((17, 1)), gn.InputError, r"flat has shape \(17, 1\)"),
        (gn.Network((2, 4, 2)).initialize(0), gn.InputError, r"flat has shape \(22,\)"),
        ("theta", gn.InputTypeError, "flat is text"),
        (None, gn.InputTypeError, "flat holds object"),
    ],
)
def test_a_prepared_problem_refuses_what_are_no_parameters_of_its_own(engine, flat, error, message):
    problem = prepare(NET, X, Y, engine=engine)
    for call in (problem.loss_and_gradient, problem.loss):
        with pytest.raises(error, match=message):
            call(flat)
