import copy
import itertools
import pickle
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from same_runs import assert_same_run

import glassnet as gn
from glassnet.nn.losses import Loss
from glassnet.nn.network import SCHEMES
from glassnet.training import divergence, loop

DTYPES = ["float32", "float64"]
NET = gn.Network((2, 3, 2), hidden="tanh")
RULE = gn.SGD(learning_rate=0.2, momentum=0.7)

every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def blobs(n=60, seed=0):
    random = np.random.RandomState(seed)
    y = random.randint(0, 2, n)
    return random.randn(n, 2) + 2 * y[:, None], y


def train(iterations=20, net=NET, data=None, **settings):
    X, y = blobs() if data is None else data
    return gn.train(net, X, y, **{"optimizer": RULE, "random_state": 3, **settings}, iterations=iterations)


def loss_at(run, data, **settings):
    return gn.loss_and_gradient(run.network, run.parameters, *data, engine=run.engine, **settings)[0]


# ---- The notebook's own run ---------------------------------------------------------------------


def test_train_follows_the_notebook(circles, circles_data, circles_start, engine):
    run = gn.train(
        gn.Network((2, 3, 2)),
        *circles_data[:2],
        optimizer=gn.SGD(1e-4, 0.5),
        iterations=30,
        reduction="sum",
        parameters=circles_start,
        engine=engine,
    )
    np.testing.assert_allclose(run.losses, circles["loss"][:31], rtol=1e-9)


def test_train_finds_that_the_notebooks_learning_rate_blows_up(
    circles, circles_data, circles_start, engine
):
    with pytest.warns(gn.DivergenceWarning, match=r"iteration 1\b.*smaller learning rate.*summed"):
        run = gn.train(
            gn.Network((2, 3, 2)),
            *circles_data[:2],
            optimizer=gn.SGD(0.25, 0.5),
            iterations=30,
            reduction="sum",
            parameters=circles_start,
            engine=engine,
        )
    assert (run.status, run.diverged_at, run.iterations) == ("diverged", 1, 0)
    assert np.array_equal(run.parameters.flat, circles_start)
    np.testing.assert_allclose(run.losses, circles["loss"][:1], rtol=1e-12)


# ---- The run ------------------------------------------------------------------------------------


@every_dtype
def test_run_holds_the_loss_after_every_update(engine, dtype):
    run = train(engine=engine, dtype=dtype)
    assert run.losses.shape == (21,)
    assert run.losses.dtype == np.float64
    assert (run.iterations, run.status, run.diverged_at) == (20, "completed", None)
    assert (run.engine, run.dtype.name, run.reduction) == (engine, dtype, "mean")
    assert run.losses[-1] == loss_at(run, blobs())
    assert run.losses[-1] < run.losses[0]
    assert run.seconds > 0


def test_train_equals_the_update_rule_written_out(engine):
    X, y = blobs()
    theta = NET.initialize(3)
    V, losses = np.zeros(NET.n_parameters), []
    for _ in range(5):
        loss, g = gn.loss_and_gradient(NET, theta, X, y)
        losses.append(loss)
        V = 0.7 * V - 0.2 * g.flat
        theta = gn.Parameters(NET.sizes, theta.flat + V)
    run = train(5, engine=engine)
    np.testing.assert_allclose(run.losses[:5], losses, rtol=1e-12)
    np.testing.assert_allclose(run.parameters.flat, theta.flat, rtol=1e-11)
    np.testing.assert_allclose(run.state, [V], rtol=1e-9, atol=1e-14)


def test_no_iterations_give_the_first_loss(engine):
    run = train(0, engine=engine)
    assert run.losses.tolist() == [loss_at(run, blobs())]
    assert (run.iterations, run.status) == (0, "completed")
    assert run.parameters == NET.initialize(3)


def test_train_changes_nothing_that_it_is_given(engine):
    X, y = blobs()
    w, theta = np.ones(len(X)), NET.initialize(0)
    before = copy.deepcopy((X, y, w, theta.flat))
    first = gn.train(NET, X, y, sample_weight=w, parameters=theta, iterations=3, engine=engine)
    state = copy.deepcopy((first.parameters, first.state, first.losses, first.seconds))
    first.resume(3)
    for given_one, kept in zip((X, y, w, theta.flat), before, strict=True):
        assert np.array_equal(given_one, kept)
    assert first.parameters == state[0]
    assert np.array_equal(first.state, state[1])
    assert np.array_equal(first.losses, state[2])
    assert first.seconds == state[3]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_train_draws_its_start_as_initialize_does(scheme):
    inputs = blobs()[0]
    ranges = inputs.min(axis=0), inputs.max(axis=0)
    assert train(0, scheme=scheme).parameters == NET.initialize(3, scheme, ranges=ranges)


@pytest.mark.parametrize(
    ("settings", "hidden", "scheme"),
    [
        ({"standardize": True}, "tanh", "nguyen_widrow"),
        ({"standardize": True}, "relu", "glorot"),
        ({"standardize": "X"}, "tanh", "glorot"),
        ({}, "tanh", "glorot"),
        ({"standardize": True, "optimizer": gn.Adam()}, "tanh", "glorot"),
        ({"standardize": True, "optimizer": gn.BayesianRegularization()}, "tanh", "glorot"),
        ({"standardize": True, "scheme": "glorot"}, "tanh", "glorot"),
    ],
)
def test_solver_of_scaled_quantities_starts_as_nguyen_and_widrow_do(settings, hidden, scheme):
    x = np.linspace(3, 9, 30)[:, None]
    net = gn.Network((1, 6, 1), hidden=hidden, output="identity")
    settings = {"optimizer": gn.LevenbergMarquardt(), "iterations": 0, "random_state": 0, **settings}
    start = gn.train(net, x, np.sin(x), **settings).parameters
    inner = (x - x.mean()) / x.std()
    ranges = inner.min(axis=0), inner.max(axis=0)
    assert np.allclose(start.flat, net.initialize(0, scheme, ranges=ranges).flat)


def test_scaled_fit_is_matlabs_from_any_start():
    x = np.linspace(0, 9.98, 94)[:, None]
    t = 5 + 4 * np.sin(1.2 * x) * np.exp(-x / 12) + 0.05 * x**1.5
    net = gn.Network((1, 10, 1), hidden="tanh", output="identity")
    for seed in range(5):
        run = gn.train(
            net,
            x,
            t,
            optimizer=gn.LevenbergMarquardt(),
            iterations=300,
            standardize=True,
            random_state=seed,
        )
        assert np.mean((run.predict(x) - t) ** 2) < 1e-8


def test_train_takes_a_flat_vector_as_its_start():
    theta = NET.initialize(5)
    assert_same_run(train(3, parameters=theta), train(3, parameters=theta.flat.tolist()))


@pytest.mark.parametrize(
    ("given_dtype", "dtype", "expected"),
    [
        ("float32", None, "float32"),
        ("float64", None, "float64"),
        ("int64", None, "float64"),
        ("float32", "float64", "float64"),
        ("float64", "float32", "float32"),
    ],
)
def test_precision_is_dtype_or_that_of_x(engine, given_dtype, dtype, expected):
    X, y = blobs()
    theta = NET.initialize(1, dtype="float32" if expected == "float64" else "float64")
    run = gn.train(
        NET, X.astype(given_dtype), y, iterations=2, dtype=dtype, parameters=theta, engine=engine
    )
    assert [run.dtype.name, run.state.dtype.name] == [expected, expected]
    assert run.losses.dtype == np.float64


@every_dtype
def test_threads_do_not_change_a_bit(engine, dtype):
    data = blobs(700)
    runs = [train(15, data=data, engine=engine, dtype=dtype, threads=n) for n in (1, 2, None)]
    for other in runs[1:]:
        assert_same_run(runs[0], other)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_weight_of_two_equals_a_duplicate(engine, reduction):
    X, y = blobs()
    w = np.random.RandomState(0).randint(0, 3, len(X))
    rows = np.repeat(np.arange(len(X)), w)
    rule = gn.SGD(0.2 if reduction == "mean" else 0.002, 0.7)
    settings = {"engine": engine, "reduction": reduction, "optimizer": rule}
    weighted = train(15, sample_weight=w, **settings)
    repeated = train(15, data=(X[rows], y[rows]), **settings)
    np.testing.assert_allclose(weighted.losses, repeated.losses, rtol=1e-11)


def test_order_of_the_samples_does_not_matter(engine):
    X, y = blobs()
    order = np.random.RandomState(1).permutation(len(X))
    shuffled = train(15, data=(X[order], y[order]), engine=engine)
    np.testing.assert_allclose(train(15, engine=engine).losses, shuffled.losses, rtol=1e-11)


def test_summed_loss_with_a_rate_n_times_smaller_takes_the_same_steps():
    mean = train(15)
    total = train(15, reduction="sum", optimizer=gn.SGD(0.2 / 60, 0.7))
    np.testing.assert_allclose(total.losses, 60 * mean.losses, rtol=1e-11)


def test_chunks_have_no_influence(engine, monkeypatch):
    whole = train(40, engine=engine)
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)  # one update a call
    assert_same_run(whole, train(40, engine=engine))


def test_run_predicts_as_its_network_does():
    X, _ = blobs()
    run = train(3)
    assert np.array_equal(run.predict(X), NET.predict(run.parameters, X))
    assert np.array_equal(run.predict_proba(X), NET.predict_proba(run.parameters, X))
    assert [layer.shape for layer in run.forward(X)] == [(60, 3), (60, 2)]


def test_repr_tells_how_the_run_ended():
    text = repr(train(1234))
    assert "completed: 1,234 iterations" in text
    assert "2-3-2 (tanh, softmax; cross_entropy)" in text
    assert "SGD(learning_rate=0.2, momentum=0.7)" in text


def test_losses_cannot_be_written_to():
    for run in (train(3), pickle.loads(pickle.dumps(train(3)))):
        with pytest.raises(ValueError, match="read-only"):
            run.losses[0] = 0


# ---- Bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"iterations": -1}, gn.InputError, r"iterations is -1; expected 0 or more"),
        ({"iterations": 10.0}, gn.InputTypeError, r"iterations is a whole number, not 10\.0"),
        ({"iterations": True}, gn.InputTypeError, r"iterations is a whole number, not True"),
        ({"iterations": None}, gn.InputTypeError, r"iterations is a whole number"),
        ({"iterations": 10**18}, gn.InputError, r"does not fit into memory"),
        ({"iterations": 10**30}, gn.InputError, r"does not fit into memory"),
        ({"batch_size": 0}, gn.InputError, r"batch_size is 0; expected 1 or more"),
        ({"shuffle": "no"}, gn.InputTypeError, "shuffle is True or False, not 'no'"),
        ({"optimizer": "SGD"}, gn.InputError, r"Did you mean 'sgd'"),
        ({"optimizer": gn.SGD}, gn.InputTypeError, r"such as gn\.SGD"),
        ({"reduction": "total"}, gn.InputError, r"Unknown reduction"),
        ({"scheme": "gloro"}, gn.InputError, r"Did you mean 'glorot'"),
        ({"engine": "nativ"}, gn.InputError, r"Did you mean 'native'"),
        ({"random_state": "42"}, gn.InputTypeError, r"random_state"),
        ({"dtype": "float16"}, gn.InputError, r"float32 or float64"),
        ({"threads": 0}, gn.InputError, r"threads is 0"),
        ({"parameters": np.zeros(16)}, gn.InputError, r"17 parameters"),
        ({"parameters": np.full(17, np.nan)}, gn.InputError, r"parameters has nan"),
        (
            {"parameters": np.full(17, 1e300), "dtype": "float32"},
            gn.InputError,
            r"parameters in float32 has inf",
        ),
        ({"sample_weight": [1, 2]}, gn.InputError, r"sample_weight has shape"),
        ({"callbacks": 3}, gn.InputTypeError, r"callbacks is a list"),
    ],
)
def test_train_refuses_what_it_cannot_use(settings, error, message):
    with pytest.raises(error, match=message):
        train(**settings)


def test_train_refuses_what_is_not_a_network():
    with pytest.raises(gn.InputTypeError, match=r"network is a glassnet\.Network, not tuple"):
        gn.train((2, 3, 2), *blobs())


def test_bad_data_leave_a_run_usable():
    run = train(5)
    with pytest.raises(gn.InputError, match="row 0, column 1"):
        run.predict([[0.0, np.nan]])
    with pytest.raises(gn.InputError, match="row 0, column 1"):
        run.resume(5, X=[[0.0, np.nan]], y=[0])
    assert_same_run(run.resume(5), train(10))


def test_bad_data_do_not_use_up_random_numbers():
    random = np.random.RandomState(7)
    with pytest.raises(gn.InputError):
        gn.train(NET, [[np.nan, 0.0]], [0], random_state=random)
    assert random.randint(1000) == np.random.RandomState(7).randint(1000)


def test_first_loss_that_is_not_finite_is_refused(engine):
    net = gn.Network((1, 1), output="identity")
    with pytest.raises(gn.InputError, match=r"loss is inf before the first update.*standardize"):
        gn.train(net, [[1e200]], [0.0], parameters=[1.0, 0.0], engine=engine)


# ---- Resuming -----------------------------------------------------------------------------------


@every_dtype
def test_resumed_run_equals_an_unbroken_one_wherever_it_is_cut(engine, dtype):
    whole = train(12, engine=engine, dtype=dtype)
    for cut in (0, 1, 5, 11, 12):
        run = train(cut, engine=engine, dtype=dtype).resume(12 - cut)
        assert_same_run(run, whole)
        assert run.status == "completed"


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n=st.integers(1, 40),
    width=st.integers(1, 5),
    cuts=st.lists(st.integers(0, 6), max_size=4),
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
)
def test_any_number_of_cuts_changes_nothing(engine, n, width, cuts, momentum):
    net = gn.Network((2, width, 2))
    settings = {"net": net, "data": blobs(n, seed=n), "optimizer": gn.SGD(0.1, momentum), "engine": engine}
    run = train(0, **settings)
    for cut in cuts:
        run = run.resume(cut)
    assert_same_run(run, train(sum(cuts), **settings))


def test_resume_adds_up_the_seconds():
    first = train(5)
    assert first.resume(5).seconds > first.seconds


@every_dtype
@pytest.mark.parametrize("copied", [lambda run: pickle.loads(pickle.dumps(run)), copy.deepcopy])
def test_copy_of_a_run_resumes_bit_for_bit_from_data(engine, dtype, copied):
    X, y = blobs()
    w = np.random.RandomState(0).rand(len(X))
    settings = {"engine": engine, "dtype": dtype, "sample_weight": w, "reduction": "sum"}
    run = copied(train(6, optimizer=gn.SGD(0.002, 0.7), **settings))
    assert run.network == NET
    resumed = run.resume(6, X=X, y=y, sample_weight=w)
    assert_same_run(resumed, train(12, optimizer=gn.SGD(0.002, 0.7), **settings))
    assert resumed.engine == engine


@pytest.mark.parametrize(
    ("activation", "output"), [*zip(gn.ACTIVATIONS, itertools.cycle(gn.OUTPUTS), strict=False)]
)
def test_copy_of_a_run_keeps_the_built_in_functions(activation, output):
    X, y = blobs()
    run = gn.train(gn.Network((2, 3, 2), activation, output), X, np.eye(2)[y], iterations=0)
    for copied in (pickle.loads(pickle.dumps(run)), copy.deepcopy(run)):
        # The very same records: another engine would be chosen for others.
        assert copied.network.hidden[0] is run.network.hidden[0]
        assert copied.network.output is run.network.output
        assert copied.network.loss is run.network.loss


@pytest.mark.parametrize("copied", [lambda run: pickle.loads(pickle.dumps(run)), copy.deepcopy])
def test_copy_of_a_run_holds_no_data(copied):
    X, y = blobs(100_000)
    run = train(0, data=(X, y))
    assert len(pickle.dumps(copied(run))) < 10_000
    with pytest.raises(gn.InputError, match="holds no data"):
        copied(run).resume(1)


def test_resume_refuses_other_data():
    run = train(6)
    X, y = blobs(seed=1)
    with pytest.raises(gn.InputError, match="not those that the run ended with"):
        run.resume(1, X=X, y=y)
    w = np.random.RandomState(0).rand(60)
    with pytest.raises(gn.InputError, match="not those that the run ended with"):
        run.resume(1, X=blobs()[0], y=blobs()[1], sample_weight=w)


def test_resume_finds_that_the_parameters_were_changed():
    run = train(6)
    run.parameters.weights[0][0, 0] += 1
    with pytest.raises(gn.InputError, match="not those that the run ended with"):
        run.resume(1)


@pytest.mark.parametrize(
    ("given_ones", "message"),
    [
        ({"X": [[0.0, 1.0]]}, "y is missing"),
        ({"y": [0]}, "given y, but no X"),
        ({"engine": "numpy", "threads": 2}, "given engine and threads, but no X"),
        ({"sample_weight": [1]}, "given sample_weight, but no X"),
    ],
)
def test_resume_refuses_half_of_the_data(given_ones, message):
    with pytest.raises(gn.InputError, match=message):
        train(1).resume(1, **given_ones)


@pytest.mark.parametrize("iterations", [-1, 1.5, None])
def test_resume_refuses_a_number_that_is_none(iterations):
    with pytest.raises((gn.InputError, gn.InputTypeError), match="iterations is"):
        train(1).resume(iterations)


@pytest.mark.parametrize("other", ["numpy", "native"])
def test_resume_can_change_engines(engine, other):
    run = train(6, engine=engine).resume(6, X=blobs()[0], y=blobs()[1], engine=other)
    assert run.engine == other
    np.testing.assert_allclose(run.losses, train(12).losses, rtol=1e-11)


def test_resume_with_another_optimizer_keeps_the_velocity():
    first = train(6)
    run = first.resume(1, optimizer=gn.SGD(1e-12, 0.5))
    np.testing.assert_allclose(run.state, 0.5 * first.state, atol=1e-11)
    assert run.optimizer == gn.SGD(1e-12, 0.5)


# ---- Divergence ---------------------------------------------------------------------------------

STEEP = gn.Network((1, 1), output="identity")
LINE = (np.array([[1.0], [2.0], [3.0]]), np.array([1.0, 2.0, 3.0]))
TOO_FAST = gn.SGD(1.0, 0.0)  # each step overshoots: the loss grows by a constant factor


@every_dtype
def test_divergence_keeps_the_last_good_state(engine, dtype):
    settings = {"net": STEEP, "data": LINE, "engine": engine, "dtype": dtype, "optimizer": TOO_FAST}
    with pytest.warns(gn.DivergenceWarning, match=r"gn\.SGD\(learning_rate=0\.1, momentum=0\.0\)"):
        run = train(50, **settings)
    k = run.diverged_at
    assert k > 1
    assert (run.status, run.iterations, len(run.losses)) == ("diverged", k - 1, k)
    good = train(k - 1, **settings)
    assert good.status == "completed"
    assert_same_run(replace(run, status="completed", diverged_at=None), good)


def test_divergence_is_a_loss_100_times_worse_than_start_and_ignorance(engine):
    problem = gn.prepare(STEEP, *LINE, engine=engine)
    settings = {"net": STEEP, "data": LINE, "optimizer": TOO_FAST, "engine": engine}
    # A start far better than the baseline, and one far worse.
    for theta in (np.array([0.99, 0.01]), np.array([30.0, 5.0])):
        with pytest.warns(gn.DivergenceWarning):
            run = train(50, parameters=theta, **settings)
        limit = 100 * max(run.losses[0], problem.baseline)
        assert run.losses[-1] <= limit
        flat = run.parameters.flat
        _, g = problem.loss_and_gradient(flat)
        assert problem.loss_and_gradient(flat - g)[0] > limit


@pytest.mark.parametrize(
    ("first", "baseline", "limit"),
    [(1.0, 3.0, 300.0), (3.0, 1.0, 300.0), (-5.0, -1.0, 494.0), (1e307, 0.0, np.finfo(float).max)],
)
def test_divergence_limit_is_finite_and_above_the_start(first, baseline, limit):
    assert divergence.divergence_limit(first, baseline) == limit


def test_divergence_into_infinity_is_found_under_a_huge_limit(engine):
    # 100 times the first loss is beyond float64 here.
    with pytest.warns(gn.DivergenceWarning):
        run = train(50, net=STEEP, data=LINE, parameters=[1e153, 0.0], optimizer=TOO_FAST, engine=engine)
    assert run.status == "diverged"
    assert np.isfinite(run.losses).all()
    assert np.isfinite(run.parameters.flat).all()


def test_warm_start_near_zero_loss_is_not_taken_for_divergence():
    run = train(3, net=STEEP, data=LINE, parameters=[1 + 1e-6, 0.0], optimizer=TOO_FAST)
    assert run.losses[-1] > 1000 * run.losses[0]
    assert run.status == "completed"


def test_diverged_run_resumes_with_another_optimizer_only():
    with pytest.warns(gn.DivergenceWarning):
        run = train(50, net=STEEP, data=LINE, optimizer=TOO_FAST)
    with pytest.raises(gn.InputError, match=r"would again.*optimizer=gn\.SGD\(learning_rate=0\.1"):
        run.resume(5)
    mended = run.resume(500, optimizer=gn.SGD(0.1, 0.0))
    assert (mended.status, mended.diverged_at) == ("completed", None)
    assert mended.iterations == run.iterations + 500
    assert mended.losses[-1] < run.losses[0]


def test_diverged_run_resumes_from_rest():
    with pytest.warns(gn.DivergenceWarning):
        run = train(50, net=STEEP, data=LINE, optimizer=gn.SGD(1.0, 0.5))
    assert np.abs(run.state).max() > 1
    assert np.abs(run.resume(1, optimizer=gn.SGD(1e-12, 0.5)).state).max() < 1e-6


def test_own_loss_may_be_negative():
    loss = Loss(
        "shifted",
        output="identity",
        target="real",
        value=lambda z, y: 0.5 * ((z - y) ** 2).sum(axis=1) - 100,
        delta=lambda z, y: z - y,
        formula="1/2 (y_hat - y)^2 - 100",
        delta_formula="y_hat - y",
    )
    run = train(
        20, net=gn.Network((1, 1), output="identity", loss=loss), data=LINE, optimizer=gn.SGD(0.1, 0)
    )
    assert run.status == "completed"
    assert run.losses[-1] < run.losses[0] < 0


def test_quiet_run_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(5)


def test_a_run_that_blows_up_in_its_first_epoch_says_so(engine):
    X, _ = blobs()
    net = gn.Network((2, 3, 1), hidden="relu", output="identity")
    with pytest.warns(
        gn.DivergenceWarning, match=r"what training started from\. The run ends with .* iteration 0\."
    ):
        run = gn.train(net, X, X[:, 0], optimizer=gn.SGD(1e6), batch_size=7, random_state=0, engine=engine)
    assert (run.status, len(run.losses)) == ("diverged", 0)


@pytest.mark.parametrize("batch_size", [None, 7])
def test_resuming_twice_goes_the_same_way_twice(engine, batch_size):
    run = train(3, batch_size=batch_size, engine=engine)
    assert_same_run(run.resume(4), run.resume(4))


def test_the_streams_of_ones_own_random_state_moves_on_with_the_epochs():
    ends = []
    for engine in ("numpy", "native"):
        random = np.random.RandomState(3)
        train(3, batch_size=7, engine=engine, random_state=random)
        ends.append(random.randint(1 << 30))
    plain = np.random.RandomState(3)
    NET.initialize(plain)
    for _ in range(3):
        plain.shuffle(np.arange(60))
    assert ends == [plain.randint(1 << 30)] * len(ends)


# ---- Scores ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("output", "width", "score"),
    [
        ("softmax", 3, "accuracy"),
        ("logistic", 2, "accuracy"),
        ("logistic", 1, "accuracy"),
        ("identity", 2, "r2"),
        ("identity", 1, "r2"),
        ("exp", 1, "r2"),
    ],
)
def test_score_is_scikit_learns(output, width, score, weighted):
    from sklearn.metrics import accuracy_score, r2_score

    random = np.random.RandomState(0)
    X = random.randn(50, 2)
    y = {"softmax": random.randint(0, width, 50), "logistic": random.randint(0, 2, (50, width))}.get(
        output, random.randint(0, 5, (50, width))
    )
    weights = random.rand(50) if weighted else None
    run = train(20, gn.Network((2, 4, width), output=output), (X, y))
    judge = accuracy_score if score == "accuracy" else r2_score
    assert run.score(X, y, weights) == judge(y, run.predict(X), sample_weight=weights)
    if width == 1:
        assert run.score(X, y.ravel(), weights) == run.score(X, y, weights)
    if output == "softmax":
        assert run.score(X, np.eye(width)[y], weights) == run.score(X, y, weights)


def test_score_refuses_no_samples_and_another_number_of_targets():
    run = train(2)
    with pytest.raises(gn.InputError, match="X is empty"):
        run.score(np.empty((0, 2)), [])
    with pytest.raises(gn.InputError, match="y has 1 entries, X has 2 rows"):
        run.score([[0.0, 0], [1, 1]], [0])


@pytest.mark.parametrize("answer", [gn.TrainingRun.predict, gn.Network.predict])
def test_predict_documents_the_shape_and_the_trap(answer):
    assert "(n, 1)" in answer.__doc__
    assert re.search(r"broadcasts .*to \(n, n\)", " ".join(answer.__doc__.split()))


def test_train_advises_to_standardize():
    assert "Standardize X first" in gn.train.__doc__


def test_run_says_why_it_ended_and_shows_it():
    X, y = np.random.RandomState(0).randn(30, 2), [0, 1] * 15
    how = {"iterations": 300, "random_state": 0}
    run = gn.train(gn.Network((2, 8, 2)), X, y, validation=0.3, stopping=gn.EarlyStopping(2), **how)
    assert run.reason == "loss has not improved for 2 evaluations"
    assert run.reason in repr(run)
    assert gn.train(gn.Network((2, 2)), X, y, **how, callbacks=[lambda run: True]).reason == (
        "a callback asked for it"
    )
    run = gn.train(gn.Network((2, 2)), X, y, iterations=2, random_state=0)
    assert (run.reason, repr(run).count("\n")) == ("", 2)


def test_run_where_parameters_belong_is_told_its_theta():
    run = gn.train(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], iterations=1, random_state=0)
    with pytest.raises(gn.InputTypeError, match=r"run\.theta"):
        gn.curvature(run.network, run, [[0.0], [1.0]], [0, 1])
    with pytest.raises(gn.GlassnetError, match=r"no file or folder pq|X is text, 'pq'"):
        gn.check_gradients(run.network, run.theta, "pq", "label")


# ---- Frozen layers ------------------------------------------------------------------------------

DEEP = gn.Network((2, 3, 3, 2), hidden="tanh")


@pytest.mark.parametrize("batch_size", [None, 25])
@pytest.mark.parametrize("kind", gn.OPTIMIZERS.values(), ids=list(gn.OPTIMIZERS))
def test_frozen_layers_keep_their_bits(kind, batch_size):
    start = DEEP.initialize(1)
    start.weights[0][0] = -0.0  # which adding 0 would change
    rule = kind(clip_norm=0.5, **({"weight_decay": 0.1} if hasattr(kind, "weight_decay") else {}))
    common = {"parameters": start, "batch_size": batch_size, "average": 0.9, "dropout": 0.1}
    run = train(10, DEEP, optimizer=rule, freeze=[3, 1], l1=0.01, l2=0.1, max_norm=0.4, **common)
    for theta in (run.parameters, run.averaged):
        for layer in (0, 2):
            assert theta.weights[layer].tobytes() == start.weights[layer].tobytes()
            assert theta.biases[layer].tobytes() == start.biases[layer].tobytes()
        assert (theta.weights[1] != start.weights[1]).all()
    assert (run.freeze, run.engine) == ((1, 3), "numpy")


def test_the_other_layers_are_trained_by_their_own_gradient_alone():
    start, (X, y) = DEEP.initialize(1), blobs()
    _, gradient = gn.loss_and_gradient(DEEP, start, X, y, engine="numpy")
    own = np.concatenate([gradient.weights[1].ravel(), gradient.biases[1]])
    rule = gn.SGD(1.0, momentum=0.0, clip_norm=1e-3)
    run = train(1, DEEP, (X, y), parameters=start, optimizer=rule, freeze=[1, 3])
    moved = run.parameters.weights[1] - start.weights[1]
    np.testing.assert_allclose(moved, -1e-3 * gradient.weights[1] / np.linalg.norm(own), rtol=1e-9)
    free = train(5, DEEP, (X, y), engine="numpy")
    assert np.array_equal(train(5, DEEP, (X, y), engine="numpy", freeze=()).losses, free.losses)


def test_runs_with_frozen_layers_go_on_from_files_and_say_so(tmp_path):
    run, (X, y) = train(10, freeze=[1]), blobs()
    gn.save(run, tmp_path / "run")
    loaded = gn.load(tmp_path / "run")
    assert_same_run(loaded.resume(10, X=X, y=y), train(20, freeze=[1]))
    assert "layer 1 stays frozen" in repr(loaded)
    assert "layers are frozen" in train(1, freeze=[1]).engine_reason
    with pytest.raises(gn.EngineError, match=r"layers are frozen.*engine=\"numpy\""):
        loaded.resume(1, X=X, y=y, engine="native")
    with pytest.raises(gn.InputError, match=r"gn\.LBFGS solves for all parameters together: leave freeze"):
        run.resume(1, optimizer="lbfgs")


def test_layers_are_frozen_of_streams_and_in_sweeps():
    run, (X, y) = train(5, freeze=[2]), blobs()
    for batch_size in (None, 25):
        streamed = train(5, data=(gn.stream(X, y), None), freeze=[2], batch_size=batch_size)
        in_memory = train(5, freeze=[2], batch_size=batch_size)
        np.testing.assert_allclose(streamed.parameters.flat, in_memory.parameters.flat, rtol=1e-12)
        assert np.array_equal(streamed.parameters.weights[1], NET.initialize(3).weights[1])
    swept = gn.sweep(
        NET, X, y, settings=[{"freeze": [2]}, {}], optimizer=RULE, iterations=5, random_state=3
    )
    assert [np.array_equal(cell.run.losses, run.losses) for cell in swept.cells] == [True, False]


@pytest.mark.parametrize(
    ("freeze", "words"),
    [
        ([3], r"freeze is \[3\]; the network \(2, 3, 2\) has the layers 1 to 2"),
        ([1, 2], "at least one of them must be left to train"),
        ([0], "freeze has 0; layers count from 1"),
        (1, r"a list of layers by their numbers, such as \[1\], not 1"),
        ("12", "a list of layers"),
    ],
)
def test_layers_that_cannot_be_frozen_are_refused(freeze, words):
    with pytest.raises(gn.GlassnetError, match=words):
        train(1, freeze=freeze)


def test_frozen_layers_are_refused_for_what_cannot_leave_them():
    with pytest.raises(gn.EngineError, match="layers are frozen, which the NumPy engine can do"):
        train(1, freeze=[1], engine="native")
    for solver in gn.SOLVERS:
        with pytest.raises(gn.InputError, match="leave freeze out"):
            train(1, freeze=[1], optimizer=solver)
