"""The units of a solver: where data in other units arrive, by the same steps, and what a run keeps."""

import copy
import pickle
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import RandomState
from same_runs import assert_same_run

import glassnet as gn
from glassnet.training.steppers.units import Frame, units_of

X = np.linspace(-1, 1, 60)[:, None]
Y = np.sin(np.pi * X)
NET = gn.Network((1, 5, 1), hidden="tanh", output="identity")

every_solver = pytest.mark.parametrize("solver", [kind() for kind in gn.SOLVERS.values()], ids=gn.SOLVERS)
every_plain_solver = pytest.mark.parametrize(
    "solver", [kind() for kind in gn.SOLVERS.values() if kind is not gn.BayesianRegularization], ids=str
)


def train(solver, x=X, y=Y, iterations=100, **how):
    return gn.train(NET, x, y, optimizer=solver, iterations=iterations, **{"random_state": 0, **how})


UNITS = [*(("y", 10.0**k) for k in (-12, -5, 4, 12)), *(("X", 10.0**k) for k in (-6, -3, 3, 6))]


@every_solver
@pytest.mark.parametrize(("what", "unit"), [*UNITS, ("y shift", 1e6), ("X shift", 2000.0)])
def test_solver_arrives_in_any_unit(solver, what, unit):
    x, y = {
        "y": (X, Y * unit),
        "X": (X * unit, Y),
        "y shift": (X, Y + unit),
        "X shift": (X + unit, Y),
    }[what]
    run = train(solver, x, y)
    assert run.score(x, y) > 0.99


@every_solver
@pytest.mark.parametrize("unit", [1e-12, 1e-4, 1e4, 1e12])
def test_single_precision_bears_units_too(solver, unit):
    assert train(solver, y=Y * unit, dtype="float32").score(X, Y * unit) > 0.98


@pytest.mark.parametrize("solver", ["lm", gn.LBFGS(), "newton_cg"])
@pytest.mark.parametrize("unit", [1e-12, 1e-4, 1e4, 1e12])
def test_estimators_arrive_in_any_unit(solver, unit):
    model = gn.MLPRegressor(hidden_layer_sizes=(5,), activation="tanh", solver=solver, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, unit * Y.ravel())
    assert model.score(X, unit * Y.ravel()) > 0.99


far = st.integers(-40, 40).filter(lambda k: abs(k) > 5)


@every_plain_solver
@given(unit=far, column=far, other=far, shift=st.floats(-3, 3))
@settings(max_examples=8, deadline=None)
def test_steps_from_a_start_in_the_datas_units_are_the_same_in_all(solver, unit, column, other, shift):
    def losses(power, of_x):
        y, x = 1.2 * Y * 2.0**power + shift * 2.0**power, 1.5 * X * 2.0**of_x
        theta = NET.initialize(3)
        theta.weights[0][:] *= 2.0**-of_x
        for array in (theta.weights[1], theta.biases[1]):
            array *= 2.0**power
        return train(solver, x, y, iterations=8, parameters=theta).losses / 4.0**power

    assert np.allclose(losses(unit, column), losses(other, -column), rtol=1e-9)


@every_plain_solver
@given(unit=st.floats(1e-12, 1e12), column=st.floats(1e-12, 1e12), shift=st.floats(-1e3, 1e3))
@settings(max_examples=5, deadline=None)
def test_any_unit_and_shift_is_borne(solver, unit, column, shift):
    x, y = (X + shift) * column, (Y - 2 * shift) * unit
    assert train(solver, x, y, 60).score(x, y) > 0.95


@every_plain_solver
@given(weight=st.floats(1e-6, 1e6))
@settings(max_examples=8, deadline=None)
def test_steps_are_the_same_whatever_the_loss_is_multiplied_by(solver, weight):
    mean = train(solver, iterations=8)
    for how in ({"sample_weight": np.full(60, weight)}, {"reduction": "sum"}):
        run = train(solver, iterations=8, **how)
        factor = 60.0 if "reduction" in how else 1.0
        assert np.allclose(run.losses, mean.losses * factor, rtol=1e-4)


@pytest.mark.filterwarnings("ignore::glassnet.errors.StalledTrainingWarning")  # in hard units
@every_solver
@pytest.mark.parametrize(("x", "y"), [(X, Y * 1e-6), (X * 1e-5 + 3, Y * 1e5), (X + 2000, Y)])
def test_resumed_solver_goes_on_bit_for_bit_in_any_unit(solver, x, y, tmp_path):
    whole = train(solver, x, y, 9)
    part = train(solver, x, y, 0).resume(1).resume(3)
    gn.save(part, tmp_path / "part.safetensors")
    for one in (part, gn.load(tmp_path / "part.safetensors"), pickle.loads(pickle.dumps(part))):
        again = copy.deepcopy(one).resume(5, X=x, y=y)
        assert_same_run(again, whole)


@every_solver
def test_resumed_solver_goes_on_from_its_parameters_where_the_units_are_no_longer_its_own(
    solver, monkeypatch
):
    x = 2000 + 20 * X
    with monkeypatch.context() as earlier:  # a commit that looks at other rows
        earlier.setattr("glassnet.data.checks.excerpt_rows", lambda n_rows, n_inputs: np.arange(20))
        old = train(solver, x, Y, 8)
    new = old.resume(4, X=x, y=Y)
    assert np.array_equal(new.losses[:9], old.losses)
    assert_same_run(new, replace(old, state=old.state[:0]).resume(4, X=x, y=Y))
    if solver.name != "bayesian_regularization":  # whose penalty changes between steps
        assert (np.diff(new.losses) < 0).all()
    assert_same_run(new.resume(3), old.resume(7, X=x, y=Y))


def test_pairs_of_units_that_are_now_plain_are_left_out():
    old = train(gn.LBFGS(), 1e-3 * X, Y, 6)
    plain = replace(train(gn.LBFGS(), iterations=6), state=old.state, heard=old.heard)
    assert_same_run(plain.resume(3), replace(plain, state=old.state[:0]).resume(3))


def test_pairs_of_earlier_commits_in_other_units_are_left_out():
    """They kept those of theta, and no mark; the file is one of such a commit."""
    x, y = 1e-3 * X, 1e4 * Y
    old = gn.load(Path(__file__).parents[1] / "data" / "models" / "lbfgs-in-units.safetensors")
    assert len(old.state) == 8
    assert len(old.heard) == 2
    assert_same_run(old.resume(6, X=x, y=y), replace(old, state=old.state[:0]).resume(6, X=x, y=y))
    plain = train(gn.LBFGS(), iterations=4)
    assert len(plain.heard) == 2  # pairs where units are near 1 are as they were
    assert train(gn.LBFGS(), x, y, 4).heard[2:].tolist() == [1.0]


@every_solver
def test_rows_that_the_caller_changes_later_leave_the_units(solver):
    x = X.copy()
    part = train(solver, x, Y, 4)
    x *= 1000
    assert_same_run(part.resume(4), train(solver, X, Y, 8))


@every_solver
def test_memory_order_leaves_the_bits(solver):
    x = 2000 + 3 * RandomState(0).randn(200, 3)
    y = np.sin(x[:, 0])
    net = gn.Network((3, 5, 1), hidden="tanh", output="identity")
    runs = [
        gn.train(net, array, y, optimizer=solver, iterations=6, random_state=0)
        for array in (x, np.asfortranarray(x))
    ]
    assert_same_run(*runs)


@every_solver
def test_streamed_rows_have_the_units_of_rows_in_memory(solver):
    random = RandomState(0)
    x = random.randn(3000, 1) * 1e4 + 1e5
    y = np.sin(x / 1e4) * 1e-6
    memory, streamed = (train(solver, *data, iterations=4) for data in ((x, y), (gn.stream(x, y), None)))
    assert_same_run(streamed, memory)


@every_plain_solver
def test_a_start_that_knows_something_is_kept(solver):
    x, y = X * 1e-4 + 5, Y * 1e5
    first = train(solver, x, y)
    again = train(solver, x, y, 1, parameters=first.parameters)
    assert again.losses[0] == pytest.approx(first.losses[-1], rel=1e-9)
    assert again.losses[-1] <= again.losses[0]


@pytest.mark.parametrize("output", ["softmax", "logistic"])
@every_plain_solver
def test_classes_of_raw_columns_are_learned(solver, output):
    random = RandomState(0)
    x = random.randn(200, 2)
    label = (x[:, 0] * x[:, 1] > 0).astype(int)
    raw = x * [5.0, 40_000.0] + [2010.0, 250_000.0]  # years and prices
    network = gn.Network((2, 8, 2 if output == "softmax" else 1), hidden="tanh", output=output)
    run = gn.train(network, raw, label, optimizer=solver, iterations=60, random_state=0)
    assert (run.predict(raw).ravel() == label).mean() > 0.95


def test_units_near_one_leave_the_problem_alone():
    problem = gn.prepare(NET, X * 10, Y * 0.2 + 1)
    units = units_of(problem)
    assert units.problem is problem
    assert (units.frame, units.constant, units.loss) == (None, None, 1.0)


def test_frame_is_the_same_function_of_the_data_and_its_derivatives_agree():
    random = RandomState(0)
    network = gn.Network((2, 4, 3, 2), hidden="tanh", output="identity")
    x, y = random.randn(30, 2) * [1e-3, 1e3] + [0.5, 2e4], random.randn(30, 2) * [1e3, 1e4]
    units = units_of(gn.prepare(network, x, y))
    assert isinstance(units.frame, Frame)
    assert units.shifted
    problem, phi = units.problem, network.initialize(1).flat
    theta = units.outside(phi)
    assert np.allclose(units.inside(theta), phi)
    mean, power = units.frame.mean, 1 / units.frame.scale[[0, 4]]
    inner = (x - mean) / power
    Z = network.forward(phi, inner)[-1]
    assert np.allclose(network.forward(theta, x)[-1], Z * units.frame.scale[-2:], rtol=1e-8)
    steps = 1e-6 * np.eye(phi.size)
    slope = [(problem.loss(phi + h) - problem.loss(phi - h)) / 2e-6 for h in steps]
    assert np.allclose(problem.loss_and_gradient(phi)[1], slope, rtol=1e-5, atol=1e-7)
    G = problem.gauss_newton(phi)
    assert np.allclose(G @ phi, problem.gauss_newton_product(phi, phi))
    assert np.allclose(G, G.T)
