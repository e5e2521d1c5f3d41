"""What the curve says: the exact Hessian by either engine, its ends, lost units, and along a run."""

import math
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
from numpy.random import RandomState

import glassnet as gn
from glassnet.diagnostics.curvature import WHOLE, extreme_eigenvalues
from glassnet.errors import EngineError

X = RandomState(0).randn(80, 3)
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
NET = gn.Network((3, 5, 2), hidden="tanh")


def samples_of(loss, n=80):
    y = RandomState(1).uniform(0.1, 1, (n, 3))
    return y / y.sum(axis=1, keepdims=True) if loss.target == "class" else y


def point_of(network):
    flat = network.initialize(1).flat
    return flat + 0.1 * RandomState(2).randn(flat.size)


@pytest.mark.parametrize(
    ("activation", "loss"),
    [*zip(gn.ACTIVATIONS, cycle(gn.LOSSES.values())), *(("tanh", loss) for loss in gn.LOSSES.values())],
    ids=str,
)
def test_engines_agree_on_the_hessian_or_native_says_that_it_cannot(activation, loss):
    network = gn.Network((3, 4, 3), hidden=activation, output=loss.output, loss=loss)
    weights = RandomState(3).uniform(size=80)
    how = {"sample_weight": weights, "l2": 0.1, "l1": 0.2}
    flat = point_of(network)
    rows = np.vstack([np.zeros(flat.size), RandomState(4).randn(2, flat.size)])
    expected = gn.prepare(network, X, samples_of(loss), engine="numpy", **how).hessian_product(flat, rows)
    native = gn.prepare(network, X, samples_of(loss), engine="native", **how)
    smooth = not (network.hidden[0].kinks or loss.kinks or loss.name == "huber")
    try:
        found = native.hessian_product(flat, rows)
    except EngineError:
        assert not smooth
        return
    assert np.allclose(found, expected, rtol=0, atol=1e-9 * np.abs(expected).max())


def test_hessian_is_that_of_the_losses_themselves():
    # By second differences of the loss alone, to their own few digits.
    problem, flat, h = gn.prepare(NET, X, Y, l2=0.3, engine="numpy"), point_of(NET), 1e-4
    H = problem.hessian_product(flat, np.eye(flat.size))
    assert np.allclose(H, H.T, atol=1e-12)
    e = h * np.eye(flat.size)
    for i, j in ((0, 0), (0, 20), (3, 17), (26, 26)):
        corners = [
            problem.loss(flat + a * e[i] + b * e[j]) for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))
        ]
        assert H[i, j] == pytest.approx(
            (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * h * h), abs=1e-6
        )


def test_hessian_of_piecewise_linear_units_ignores_their_kinks():
    # One sample lies so near its kink that differences of gradients would step across it.
    network = gn.Network((1, 1, 1), hidden="relu", output="identity")
    flat, x = np.array([1.0, 0.0, 1.0, 0.0]), np.array([[1.0], [1e-5]])
    y = np.zeros((2, 1))
    with pytest.raises(EngineError, match='engine="numpy"'):
        gn.prepare(network, x, y, engine="native").hessian_product(flat, np.eye(4))
    here = gn.curvature(network, flat, x, y)
    there = gn.curvature(network, flat, x, y, engine="numpy")
    assert here == there
    assert 0 < here.lambda_max < 10


def test_hessian_is_refused_in_float32(engine):
    problem = gn.prepare(NET, X, Y, dtype="float32", engine=engine)
    with pytest.raises(gn.InputError, match="float64"):
        problem.hessian_product(NET.initialize(0).flat, np.eye(27))


@pytest.mark.parametrize("sizes", [(3, 5, 2), (3, 20, 8, 2)], ids=["whole", "lanczos"])
def test_ends_of_the_spectrum_are_those_of_the_whole_matrix(sizes):
    network = gn.Network(sizes, hidden="tanh")
    flat = point_of(network)
    assert (network.n_parameters > WHOLE) == (len(sizes) == 4)
    H = gn.prepare(network, X, Y, engine="numpy").hessian_product(flat, np.eye(flat.size))
    values = np.linalg.eigvalsh(H)
    here = gn.curvature(network, flat, X, Y)
    assert here.lambda_max == pytest.approx(values[-1], rel=1e-6)
    assert here.lambda_min == pytest.approx(values[0], abs=2e-5 * values[-1])
    loss, gradient = gn.loss_and_gradient(network, gn.Parameters(sizes, flat), X, Y)
    assert (here.loss, here.gradient_norm) == pytest.approx((loss, np.linalg.norm(gradient.flat)))


def test_ends_that_do_not_settle_are_nan():
    crowded = np.linspace(-1, 1, 20_000)
    assert np.isnan(extreme_eigenvalues(lambda rows: rows * crowded, 20_000)).all()


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.5, True), (0.9, False), (0.9, True)])
@pytest.mark.parametrize(("share", "grows"), [(0.99, False), (1.01, True)])
@pytest.mark.filterwarnings("ignore::glassnet.DivergenceWarning")
def test_training_grows_just_beyond_the_stability_limit(momentum, nesterov, share, grows):
    network = gn.Network((1, 1), output="identity")
    x, y = np.array([[-1.0], [1.0], [3.0]]), np.array([[0.0], [1.0], [1.0]])
    here = gn.curvature(network, np.zeros(2), x, y)
    rule = gn.SGD(here.stability_limit(momentum, nesterov) * share, momentum, nesterov=nesterov)
    run = gn.train(network, x, y, optimizer=rule, iterations=400, parameters=np.array([0.3, 0.2]))
    assert (run.losses[-1] > run.losses[-20]) == grows


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.filterwarnings("ignore::glassnet.StalledTrainingWarning")  # a saddle is one
def test_training_leaves_a_saddle_as_fast_as_foretold(momentum):
    # u v x with y = u0 v0 x is a saddle at u = v = 0, where the loss bends up and down alike.
    network = gn.Network((1, 1, 1), hidden="identity", output="identity")
    x, y = np.array([[-1.0], [1.0]]), np.array([[-1.0], [1.0]])
    at = np.array([1e-6, 0.0, 1e-6, 0.0])
    here = gn.curvature(network, at, x, y)
    assert here.lambda_min == pytest.approx(-1, abs=1e-5)
    assert here.escape_iterations(1e-5, momentum) == pytest.approx((1 - momentum) / 1e-5, rel=0.01)
    away = here.escape_iterations(0.01, momentum)
    rule, steps = gn.SGD(0.01, momentum), round(3 * away)
    first = gn.train(network, x, y, optimizer=rule, iterations=round(5 * away), parameters=at)
    later = first.resume(steps)
    grown = later.parameters.flat[0] / first.parameters.flat[0]
    assert np.log(grown) == pytest.approx(steps / away, rel=0.01)


def test_nothing_is_left_where_nothing_bends_downward():
    here = gn.Curvature(1.0, 0.0, 2.0, 0.0, (), ())
    assert here.escape_iterations(0.1) == math.inf
    assert gn.Curvature(1.0, 0.0, 0.0, -1.0, (), ()).stability_limit() == math.inf


@pytest.mark.parametrize("ask", [lambda c: c.stability_limit(1.0), lambda c: c.escape_iterations(0.0)])
def test_settings_out_of_range_are_refused(ask):
    with pytest.raises(gn.InputError):
        ask(gn.Curvature(1.0, 0.0, 2.0, -1.0, (), ()))


@pytest.mark.parametrize("activation", gn.ACTIVATIONS)
def test_units_far_out_are_saturated_and_dead_where_the_function_is_flat_there(activation):
    network = gn.Network((1, 2, 1), hidden=activation, output="identity")
    theta = network.initialize(0)
    theta.flat[:] = 0
    theta.biases[0][:] = [-60, 0.3]
    here = gn.curvature(network, theta, np.ones((4, 1)), np.ones((4, 1)))
    flat = activation == "leaky_relu"  # of whose slope there is a hundredth left
    if activation == "identity":
        assert (here.saturation, here.dead) == ((0.0,), (0,))
    else:
        assert here.saturation == (0.5,)
        assert here.dead == ((0,) if flat else (1,))


def test_network_without_hidden_layers_has_no_units_to_lose():
    here = gn.curvature(gn.Network((3, 2)), np.zeros(8), X, Y)
    assert (here.saturation, here.dead) == ((), ())
    assert here.lambda_min == pytest.approx(0, abs=1e-12)  # the outputs share a direction


def test_curvature_is_of_the_loss_that_is_asked_for():
    theta = point_of(NET)
    mean = gn.curvature(NET, theta, X, Y)
    summed = gn.curvature(NET, theta, X, Y, reduction="sum")
    assert summed.lambda_max == pytest.approx(80 * mean.lambda_max)
    twice = gn.curvature(NET, theta, X, Y, reduction="sum", sample_weight=np.full(80, 2.0))
    assert twice.lambda_min == pytest.approx(2 * summed.lambda_min)
    classes = gn.curvature(NET, theta, X, Y, reduction="sum", class_weight=[2.0, 2.0])
    assert classes.lambda_max == pytest.approx(twice.lambda_max)
    penalized = gn.curvature(NET, theta, X, Y, l2=1000.0)
    assert penalized.lambda_max == pytest.approx(1000, rel=0.01)


def test_curvature_is_refused_where_the_loss_is_not_finite():
    net = gn.Network((1, 1), output="identity")
    with pytest.raises(gn.InputError, match="no curvature"):
        gn.curvature(net, np.array([1e200, 0.0]), [[1e200]], [[0.0]])


# ---- Along a run ----------------------------------------------------------------------------------


def trained(trace, iterations=200, **how):
    how = {"optimizer": gn.SGD(0.3, 0.9), "random_state": 0, **how}
    return gn.train(NET, X, Y, iterations=iterations, callbacks=[trace], **how)


def test_trace_changes_nothing_and_sees_what_curvature_sees():
    trace = gn.CurvatureTrace(X, Y, every=60)
    run = trained(trace, l2=0.01)
    assert np.array_equal(run.losses, gn.train(NET, X, Y, optimizer=gn.SGD(0.3, 0.9), iterations=200,
                                               random_state=0, l2=0.01).losses)  # fmt: skip
    assert [one.iteration for one in trace.points] == [0, 60, 120, 180, 200]
    end = gn.curvature(NET, run.parameters, X, Y, l2=0.01)
    assert trace.points[-1] == gn.Curvature(**{**vars(end), "iteration": 200})
    assert trace.points[-1].loss == pytest.approx(run.losses[-1])
    assert trace.momentum == (0.9, False)
    assert trace.columns()["stability_limit"][-1] == end.stability_limit(0.9)


@pytest.mark.parametrize("hidden", ["tanh", "relu"])  # by differences, and by the R operator
def test_trace_sees_the_penalty_that_the_run_has_come_to(hidden):
    network = gn.Network((3, 4, 1), hidden=hidden, output="identity")
    y = np.tanh(X[:, :1]) + 0.1 * X[:, 1:2] * X[:, 2:]
    trace = gn.CurvatureTrace(X, y, every=1)
    run = gn.train(
        network,
        X,
        y,
        optimizer=gn.BayesianRegularization(),
        iterations=3,
        random_state=0,
        callbacks=[trace],
    )
    assert run.penalties.l2 > 0
    end = gn.curvature(network, run.parameters, X, y, l2=run.penalties.l2)
    assert trace.points[-1] == replace(end, iteration=3)
    assert end.loss == run.losses[-1]


def test_trace_goes_on_with_a_run_that_is_resumed():
    trace = gn.CurvatureTrace(X, Y, every=50)
    trained(trace, 100).resume(100, callbacks=[trace])
    assert [one.iteration for one in trace.points] == [0, 50, 100, 150, 200]


def test_trace_of_a_long_run_is_thinned():
    trace = gn.CurvatureTrace(X, Y, every=1, most=10)
    trained(trace, 100)
    kept = [one.iteration for one in trace.points]
    assert len(kept) <= 10
    assert kept[0] == 0
    assert kept[-1] == 100
    assert len(set(np.diff(kept[:-1]))) == 1


@pytest.mark.parametrize("how", [{"optimizer": gn.Adam()}, {"optimizer": gn.LBFGS()}, {"batch_size": 20},
                                 {"dtype": "float32"}, {"validation": 0.25}])  # fmt: skip
def test_trace_watches_every_kind_of_training(how):
    trace = gn.CurvatureTrace(X, Y, every=2)
    run = trained(trace, 6, **how)
    assert trace.points[-1].iteration == run.iterations
    assert np.isfinite(trace.columns()["lambda_max"]).all()


@pytest.mark.parametrize(("how", "words"), [({"every": 0}, "every"), ({"most": 2}, "3 points")])
def test_trace_refuses_settings_out_of_range(how, words):
    with pytest.raises(gn.InputError, match=words):
        gn.CurvatureTrace(X, Y, **how)


def test_notebooks_plateau_is_a_saddle(circles_data, circles_start):
    trace = gn.CurvatureTrace(*circles_data[:2], every=2000)
    gn.train(
        gn.Network((2, 3, 2)),
        *circles_data[:2],
        optimizer=gn.SGD(1e-4, 0.5),
        iterations=8000,
        reduction="sum",
        parameters=circles_start,
        callbacks=[trace],
    )
    first, second, third = trace.points[0], trace.points[1], trace.points[2]
    # The rate is just too large at the start, and the loss goes up first.
    assert first.stability_limit(0.5) < 1e-4 < second.stability_limit(0.5)
    # The plateau: hardly a gradient, a direction that bends downward by next to nothing.
    assert third.gradient_norm < 1e-4 * first.gradient_norm
    assert -2e-4 * third.lambda_max < third.lambda_min < 0
    assert 1500 < third.escape_iterations(1e-4, 0.5) < 2500
    from glassnet.plots.curvature_trace import explanation
    from glassnet.plots.loss_curve import make_loss_curve

    words = explanation(trace, make_loss_curve(trace.run))
    assert words.startswith("plateau until 6,0")
    assert "a saddle" in words
    assert "2,100 iterations" in words


def test_trace_of_a_second_run_begins_anew_and_goes_on_where_one_is_resumed():
    X, y = np.random.RandomState(0).randn(50, 2), np.arange(50) % 2
    trace = gn.CurvatureTrace(X, y, every=5)
    gn.train(gn.Network((2, 3, 2)), X, y, iterations=10, random_state=0, callbacks=[trace])
    run = gn.train(gn.Network((2, 2)), X, y, iterations=10, random_state=0, callbacks=[trace])
    assert trace.columns()["iteration"].tolist() == [0, 5, 10]
    run.resume(5, callbacks=[trace])
    run.resume(5, callbacks=[trace])
    assert trace.columns()["iteration"].tolist() == [0, 5, 10, 15]


@pytest.mark.parametrize("n", [5, 200])
def test_eigenvalues_of_what_overflows_are_not_known_and_of_zero_are_zero(n):
    assert np.isnan(extreme_eigenvalues(lambda rows: rows * np.nan, n)).all()
    assert extreme_eigenvalues(np.zeros_like, n) == (0.0, 0.0)
    low, high = extreme_eigenvalues(lambda rows: 3.0 * rows, n)
    assert (low, high) == pytest.approx((3.0, 3.0))


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.ones(6), r"vectors has shape \(6,\); expected \(k, 6\)"),
        (np.ones((1, 3)), r"vectors has shape \(1, 3\); expected \(k, 6\)"),
        (np.full((1, 6), np.nan), "vectors has nan at row 0"),
    ],
)
def test_vectors_that_no_hessian_can_be_multiplied_with_are_refused(vectors, message, engine):
    problem = gn.prepare(gn.Network((2, 2)), [[0.0, 1.0], [1.0, 0.0]], [0, 1], engine=engine)
    with pytest.raises(gn.InputError, match=message):
        problem.hessian_product(np.zeros(6), vectors)
    assert problem.hessian_product(np.zeros(6), np.empty((0, 6))).shape == (0, 6)
