"""Solvers: where they arrive, what they keep, how they go on, and what they refuse."""

import copy
import json
import os
import pickle
import signal
import threading
from dataclasses import replace

import numpy as np
import pytest
from numpy.random import RandomState
from same_runs import assert_same_run

import glassnet as gn
from glassnet import native as engine_module
from glassnet.training.steppers import check_rule, lbfgs, rule_from_dict
from glassnet.training.steppers.line_search import Trial, wolfe_step
from glassnet.training.steppers.solver import dot

NET = gn.Network((3, 5, 2), hidden="tanh")
X = RandomState(0).randn(60, 3)
Y = (X[:, 0] * X[:, 1] + 0.3 * RandomState(1).randn(60) > 0).astype(int)
SMOOTH = [loss for loss in gn.LOSSES.values() if loss.factor is not None]

every_solver = pytest.mark.parametrize("solver", [kind() for kind in gn.SOLVERS.values()], ids=gn.SOLVERS)
# Of these the loss is the same from step to step.
every_plain_solver = pytest.mark.parametrize(
    "solver", [kind() for kind in gn.SOLVERS.values() if kind is not gn.BayesianRegularization], ids=str
)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def train(solver, iterations=8, **settings):
    settings = {"random_state": 1, "l2": 1e-3, **settings}
    return gn.train(NET, X, Y, optimizer=solver, iterations=iterations, **settings)


# ---- Where they arrive ----------------------------------------------------------------------------


@every_solver
def test_solver_arrives_at_a_stationary_point(solver, engine):
    run = train(solver, 500, engine=engine)
    problem = gn.prepare(NET, X, Y, l2=run.penalties.l2, engine=engine)
    _, gradient = problem.loss_and_gradient(run.parameters.flat)
    assert run.status == "stopped"
    assert np.abs(gradient).max() < (1e-5 if solver != gn.BayesianRegularization() else 1e-4)
    assert run.reason


@every_plain_solver
@pytest.mark.parametrize("loss", SMOOTH, ids=lambda one: one.name)
def test_solver_lowers_every_loss_at_every_step(solver, loss, engine, make_data, make_network):
    network = make_network((3, 4, 3), "tanh", loss.name)
    data = make_data(network, 41)
    weights = RandomState(3).uniform(0, 2, 41)
    run = gn.train(
        network,
        *data,
        optimizer=solver,
        iterations=12,
        random_state=0,
        engine=engine,
        sample_weight=weights,
        l2=0.01,
    )
    assert (np.diff(run.losses) < 0).all()
    assert run.losses[-1] < 0.9 * run.losses[0]
    assert len(run.losses) == run.iterations + 1 == run.updates + 1


@every_solver
def test_solver_takes_the_same_path_in_both_engines(solver):
    one, other = (train(solver, engine=name) for name in ("numpy", "native"))
    assert one.evaluations == other.evaluations
    assert np.allclose(one.losses, other.losses, rtol=1e-6)


@every_solver
def test_solver_minimizes_a_convex_loss_as_far_as_precision_goes(solver):
    # Without a hidden layer there is one minimum.
    network = gn.Network((3, 1), output="identity")
    y = X @ [[1.0], [2.0], [-1.0]] + 0.5
    run = gn.train(network, X, y, optimizer=solver, iterations=200, random_state=0)
    assert np.allclose(run.parameters.flat, [1, 2, -1, 0.5], atol=1e-5)


@every_solver
@every_dtype
def test_solver_keeps_the_precision(solver, dtype):
    run = train(solver, dtype=dtype)
    assert run.parameters.dtype == run.state.dtype == dtype
    assert run.losses.dtype == np.float64


@every_solver
def test_solver_is_the_same_on_any_number_of_threads(solver):
    x = RandomState(5).randn(20_000, 3)
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    runs = [
        gn.train(NET, x, y, optimizer=solver, iterations=4, random_state=0, threads=n) for n in (1, 2, 3)
    ]
    for run in runs[1:]:
        assert_same_run(run, runs[0])


@every_solver
def test_solver_counts_a_weight_of_two_as_the_sample_twice(solver):
    twice = np.concatenate([np.arange(60), np.arange(20)])
    weights = np.where(np.arange(60) < 20, 2.0, 1.0)
    one = gn.train(NET, X, Y, optimizer=solver, iterations=5, random_state=0, sample_weight=weights)
    other = gn.train(NET, X[twice], Y[twice], optimizer=solver, iterations=5, random_state=0)
    assert np.allclose(one.losses, other.losses, rtol=1e-8)


# ---- How they go on -------------------------------------------------------------------------------


@every_solver
@every_dtype
def test_resumed_solver_goes_on_as_if_it_had_never_stopped(solver, dtype, engine):
    whole = train(solver, 12, dtype=dtype, engine=engine)
    parts = train(solver, 0, dtype=dtype, engine=engine)
    for count in (1, 4, 7):
        parts = parts.resume(count)
    assert_same_run(parts, whole)


@every_solver
def test_saved_solver_goes_on_bit_for_bit(solver, tmp_path):
    whole = train(solver, 11)
    gn.save(train(solver, 5), tmp_path / "run.safetensors")
    loaded = gn.load(tmp_path / "run.safetensors")
    assert loaded.optimizer == solver
    assert loaded.evaluations == train(solver, 5).evaluations
    assert_same_run(loaded.resume(6, X=X, y=Y), whole)


@every_solver
def test_copied_solver_goes_on_bit_for_bit(solver):
    whole, part = train(solver, 9), train(solver, 4)
    for copied in (pickle.loads(pickle.dumps(part)), copy.deepcopy(part)):
        assert_same_run(copied.resume(5, X=X, y=Y), whole)


@every_plain_solver
def test_solver_that_has_ended_stays_there_until_its_settings_change(solver):
    loose = replace(solver, gradient_tolerance=1e-2)
    ended = train(loose, 100)
    assert ended.status == "stopped"
    assert "gradient_tolerance" in ended.reason
    assert ended.resume(5).iterations == ended.iterations
    further = ended.resume(5, optimizer=solver)
    assert further.iterations > ended.iterations
    assert further.losses[-1] < ended.losses[-1]


@pytest.mark.filterwarnings("ignore::glassnet.errors.StalledTrainingWarning")  # far from any solution
@every_plain_solver
def test_solver_ends_where_a_step_hardly_helps(solver):
    run = train(replace(solver, tolerance=0.05, gradient_tolerance=0.0), 100)
    assert run.status == "stopped"
    assert "share" in run.reason
    drops = -np.diff(run.losses) / run.losses[:-1]
    assert drops[-1] <= 0.05 < drops[:-1].min()


@every_solver
def test_solver_ends_where_rounding_hides_the_slope(solver):
    run = train(replace(solver, tolerance=0.0, gradient_tolerance=0.0), 2000, dtype="float32")
    assert run.status == "stopped"
    assert "precision" in run.reason


@pytest.mark.filterwarnings("ignore::glassnet.errors.StalledTrainingWarning")  # far from any solution
@every_plain_solver
def test_solver_at_a_stationary_point_makes_no_step(solver):
    run = train(replace(solver, gradient_tolerance=10.0), 5)
    assert (run.iterations, run.status, run.evaluations) == (0, "stopped", 1)


@every_solver
def test_optimizer_and_solver_follow_each_other(solver):
    adam = gn.train(NET, X, Y, optimizer=gn.Adam(0.01), iterations=20, random_state=0)
    solved = adam.resume(5, optimizer=solver)
    assert solved.losses[-1] < adam.losses[-1]
    assert len(solved.losses) == 26
    back = solved.resume(3, optimizer=gn.Adam(0.001))
    assert back.evaluations is None
    assert back.reason == ""
    assert back.state.shape == (2, NET.n_parameters)


@every_solver
def test_callback_hears_of_each_step_and_can_end_it(solver):
    seen = []

    def look(run):
        seen.append((run.iterations, run.losses[-1], run.evaluations))
        return len(seen) == 3

    run = train(solver, callbacks=[look])
    assert run.status == "stopped"
    assert run.reason == "a callback asked for it"
    assert [k for k, _, _ in seen] == [1, 2, 3]
    assert [loss for _, loss, _ in seen] == run.losses[1:].tolist()
    assert_same_run(run.resume(5), train(solver, 8))


@every_solver
def test_interrupted_solver_keeps_whole_steps(solver):
    def press(run):
        if run.iterations == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.warns(gn.InterruptedTrainingWarning):
        run = train(solver, callbacks=[press])
    assert run.status == "interrupted"
    assert_same_run(run.resume(8 - run.iterations), train(solver, 8))


@every_solver
def test_step_that_ctrl_c_cuts_short_is_not_made(solver, monkeypatch):
    engine = "numpy" if solver.name == "lbfgs" else "auto"  # whose steps are made within a native call
    problem = gn.prepare(NET, X, Y, l2=1e-3, engine=engine)
    kind, calls = type(problem), []
    plain = kind.loss_and_gradient

    def pressing(self, *args):
        calls.append(1)
        if len(calls) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return plain(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(kind, "loss_and_gradient", pressing)
        with pytest.warns(gn.InterruptedTrainingWarning):
            run = train(solver, engine=engine)
    assert 0 < run.iterations < 8
    assert_same_run(run.resume(8 - run.iterations), train(solver, 8, engine=engine))


@every_solver
def test_solver_brings_the_best_validated_parameters_back(solver):
    held_out = RandomState(7).randn(30, 3), RandomState(8).randint(0, 2, 30)
    run = train(solver, 30, l2=0.0, validation=held_out, stopping=gn.EarlyStopping(patience=3))
    assert run.status == "stopped"
    assert run.iterations - run.best_iteration == 3
    loss = gn.loss_and_gradient(NET, run.parameters, *held_out)[0]
    assert loss == pytest.approx(run.validation_losses.min(), rel=1e-12)


# ---- What they refuse -----------------------------------------------------------------------------


@every_solver
@pytest.mark.parametrize(
    "settings", [{"batch_size": 10}, {"dropout": 0.2}, {"l1": 0.1}, {"max_norm": 1.0}, {"average": 0.9}]
)
def test_solver_refuses_what_it_cannot_do(solver, settings):
    (name,) = settings
    with pytest.raises(gn.InputError, match=rf"{type(solver).__name__} .*leave {name} out"):
        train(solver, **settings)


def test_run_on_batches_refuses_a_solver():
    run = gn.train(NET, X, Y, batch_size=10, iterations=1, random_state=0)
    with pytest.raises(gn.InputError, match="leave batch_size out"):
        run.resume(1, optimizer=gn.LBFGS())


@pytest.mark.parametrize("kind", gn.SOLVERS.values(), ids=gn.SOLVERS)
def test_sweep_varies_a_solvers_settings(kind):
    told = {"iterations": 3, "random_state": 0}
    tolerances = [0.0, 1e-3]
    runs = gn.sweep(NET, X, Y, grid={"tolerance": tolerances}, optimizer=kind(), **told).runs
    for run, tolerance in zip(runs, tolerances, strict=True):
        alone = gn.train(NET, X, Y, optimizer=kind(tolerance=tolerance), **told)
        assert np.array_equal(run.losses, alone.losses)
        assert (run.evaluations, run.reason) == (alone.evaluations, alone.reason)


def test_solver_of_ones_own_is_refused():
    class Mine(gn.LBFGS):
        pass

    with pytest.raises(gn.InputTypeError, match="Mine"):
        train(Mine())


@every_solver
def test_solver_survives_its_description(solver):
    plain = json.loads(json.dumps(solver.to_dict()))
    assert rule_from_dict(plain) == check_rule(solver) == solver


def test_unknown_setting_of_a_solver_names_the_nearest():
    with pytest.raises(gn.InputError, match="'memory'"):
        rule_from_dict({"name": "lbfgs", "memry": 3})
    with pytest.raises(gn.InputError, match="lbfgs"):
        rule_from_dict({"name": "lbfg"})


@pytest.mark.parametrize("heard", [[1.0], [1.0, 9.0], [1.0, 0.0, 2.0], [1.0, 0.0, 1.0, 1.0]])
def test_damaged_file_of_a_solver_is_refused(heard, tmp_path):
    from glassnet.utils.storage import read_arrays, write_arrays

    gn.save(train(gn.LBFGS(), 3), tmp_path / "run.safetensors")
    arrays, document = read_arrays(tmp_path / "run.safetensors")
    write_arrays(tmp_path / "bad.safetensors", {**arrays, "heard": np.array(heard)}, document)
    with pytest.raises(gn.FileError, match="state does not fit"):
        gn.load(tmp_path / "bad.safetensors")


# ---- L-BFGS ---------------------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize("memory", [1, 4, 10])
def test_lbfgs_takes_the_same_bits_step_by_step_and_in_native_stretches(dtype, memory, monkeypatch):
    native = [train(gn.LBFGS(memory), 60, dtype=dtype, random_state=seed) for seed in range(5)]
    monkeypatch.setattr(lbfgs, "NativeProblem", gn.Parameters)  # which no problem is
    for seed, run in enumerate(native):
        assert_same_run(run, train(gn.LBFGS(memory), 60, dtype=dtype, random_state=seed))


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 17, 1000])
def test_inner_product_has_the_same_bits_without_the_native_engine(length, monkeypatch):
    a, b = RandomState(length).randn(2, length)
    pairs = [(a.astype(one), b.astype(other)) for one in "fd" for other in "fd"]
    native = [dot(*pair) for pair in pairs]
    monkeypatch.setattr(engine_module, "module", None)
    assert [dot(*pair) for pair in pairs] == native
    assert native[-1] == pytest.approx(a @ b, abs=1e-12)


def test_lbfgs_hears_ctrl_c_within_a_native_stretch():
    x = RandomState(0).randn(100_000, 10)
    how = {"optimizer": gn.LBFGS(), "random_state": 0, "threads": 1}
    network, y = gn.Network((10, 60, 2), hidden="tanh"), (x[:, 0] * x[:, 1] > 0).astype(int)
    began = []

    def press(run):
        if not began:
            began.append(run.iterations)
            timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()

    with pytest.warns(gn.InterruptedTrainingWarning):
        run = gn.train(network, x, y, iterations=1000, callbacks=[press], **how)
    assert run.status == "interrupted"
    part = gn.train(network, x, y, iterations=run.iterations, **how)
    assert_same_run(replace(run, status="completed"), part)


def test_memory_that_shrinks_keeps_the_newest_pairs():
    run = train(gn.LBFGS(8), 12)
    assert len(run.state) == 16
    assert np.array_equal(run.resume(0, optimizer=gn.LBFGS(3)).state, run.state[-6:])
    assert len(run.resume(4, optimizer=gn.LBFGS(3)).state) == 6
    assert len(run.resume(4, optimizer=gn.LBFGS(9)).state) == 18


# ---- Newton-CG ------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [gn.LevenbergMarquardt(), gn.NewtonCG()], ids=lambda one: one.name)
def test_solver_by_curvature_solves_least_squares_in_a_few_steps(solver):
    network = gn.Network((3, 1), output="identity")
    y = X @ [[1.0], [2.0], [-1.0]] + 0.5 * RandomState(2).randn(60, 1)
    design = np.column_stack([X, np.ones(60)])
    run = gn.train(network, X, y, optimizer=solver, iterations=20, random_state=0)
    assert np.allclose(run.parameters.flat, np.linalg.lstsq(design, y)[0].ravel(), atol=1e-6)
    assert run.iterations <= 8


def test_newton_cg_solves_by_as_many_products_as_there_are_parameters():
    # Conjugate directions: inputs of very different sizes would take steepest descent for ever.
    scaled = X * [1.0, 10.0, 100.0]
    y = scaled @ [[1.0], [2.0], [-1.0]] + 3
    network = gn.Network((3, 1), output="identity")
    solver = gn.NewtonCG(products=4, gradient_tolerance=1e-6)
    run = gn.train(network, scaled, y, optimizer=solver, iterations=10, random_state=0)
    assert np.allclose(run.parameters.flat, [1, 2, -1, 3], atol=1e-5)


def test_newton_cg_makes_no_more_products_than_it_is_told():
    run = train(gn.NewtonCG(products=1), 1)
    # The first loss, one product, and the trials of a search along the gradient.
    plain = train(gn.LBFGS(), 1)
    assert run.losses[1] < run.losses[0]
    assert run.evaluations <= plain.evaluations + 5
    with pytest.raises(gn.InputError, match="products"):
        gn.NewtonCG(products=0)


# ---- L-BFGS ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["memory", "decrease", "curvature"])
def test_lbfgs_refuses_settings_out_of_range(setting):
    with pytest.raises(gn.InputError, match=setting):
        gn.LBFGS(**{setting: 0})


def test_lbfgs_refuses_a_decrease_above_its_curvature():
    with pytest.raises(gn.InputError, match="decrease"):
        gn.LBFGS(decrease=0.5, curvature=0.4)


def test_lbfgs_keeps_no_more_pairs_than_it_is_told():
    run = train(gn.LBFGS(memory=3), 8)
    assert run.state.shape == (6, NET.n_parameters)
    assert run.resume(1, optimizer=gn.LBFGS(memory=2)).state.shape == (4, NET.n_parameters)


def test_lbfgs_applies_the_inverse_of_the_curvature_that_it_has_seen():
    # With as many pairs as there are parameters, of a quadratic, H is its inverse.
    random = RandomState(0)
    A = random.randn(4, 4)
    A = A @ A.T + np.eye(4)
    steps = random.randn(4, 4)
    for i in range(4):  # conjugate to one another, as those of an exact search are
        for j in range(i):
            steps[i] -= (steps[i] @ A @ steps[j]) / (steps[j] @ A @ steps[j]) * steps[j]
    pairs = np.stack([row for s in steps for row in (s, A @ s)])
    from glassnet.training.steppers.lbfgs import inverse_hessian

    g = random.randn(4)
    assert np.allclose(inverse_hessian(pairs, g), np.linalg.solve(A, g))


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 30.0, 1e4])
def test_line_search_meets_both_conditions(first):
    def f(a):
        return Trial(a, -a / (a * a + 2), (a * a - 2) / (a * a + 2) ** 2)  # More and Thuente's first

    start = f(0.0)
    found = wolfe_step(f, start, first, 1e-3, 0.1)
    assert found.loss <= start.loss + 1e-3 * found.alpha * start.slope
    assert abs(found.slope) <= -0.1 * start.slope


def test_line_search_comes_back_from_where_the_loss_is_infinite():
    def f(a):
        return Trial(a, (a - 1) ** 2, 2 * (a - 1)) if a < 2 else Trial(a, np.inf, np.nan)

    assert wolfe_step(f, f(0.0), 1e6, 1e-4, 0.5).alpha == pytest.approx(1, abs=0.5)


def test_line_search_ends_where_no_number_lies_between_two_trials():
    start = Trial(0.0, 0.0, -1.0)

    def f(a):  # a wall whose foot does not show the way down
        return start._replace(alpha=a) if a < 1e-300 else Trial(a, 1.0, -1.0)

    assert wolfe_step(f, start, 5e-324, 1e-4, 0.9) is None
    assert wolfe_step(lambda a: Trial(a, 1.0, -1.0), start, 5e-324, 1e-4, 0.9) is None


def test_line_search_gives_up_where_the_loss_only_rises():
    assert wolfe_step(lambda a: Trial(a, a, 1.0), Trial(0.0, 0.0, -1.0), 1.0, 1e-4, 0.9) is None


# ---- Levenberg-Marquardt --------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "reduction"), [("float64", "sum"), ("float32", "mean")])
def test_levenberg_marquardt_passes_the_notebooks_end_in_twenty_steps(
    circles, circles_data, circles_start, dtype, reduction
):
    end = circles["loss"][-1] / (50_000 if reduction == "mean" else 1)
    run = gn.train(
        gn.Network((2, 3, 2)),
        *circles_data[:2],
        optimizer=gn.LevenbergMarquardt(),
        iterations=20,
        parameters=circles_start,
        reduction=reduction,
        dtype=dtype,
        callbacks=[lambda run: run.losses[-1] < end],
    )
    assert run.losses[-1] < end
    assert run.iterations <= 20
    assert run.evaluations <= 40


def test_lbfgs_passes_the_notebooks_end_in_a_hundred_evaluations(circles, circles_data, circles_start):
    run = gn.train(
        gn.Network((2, 3, 2)),
        *circles_data[:2],
        optimizer=gn.LBFGS(),
        iterations=100,
        parameters=circles_start,
        reduction="sum",
        callbacks=[lambda run: run.losses[-1] < circles["loss"][-1]],
    )
    assert run.losses[-1] < circles["loss"][-1]
    assert run.evaluations <= 110


def test_levenberg_marquardt_refuses_more_parameters_than_memory_holds():
    network = gn.Network((100, 990, 2))
    with pytest.raises(gn.InputError, match=r"232 GiB .* 101,972 parameters.*gn\.LBFGS"):
        gn.train(
            network,
            np.zeros((2, 100)),
            [0, 1],
            optimizer=gn.LevenbergMarquardt(),
            iterations=1,
            random_state=0,
        )


@pytest.mark.parametrize("solver", [gn.LevenbergMarquardt(), gn.NewtonCG()], ids=lambda one: one.name)
@pytest.mark.parametrize("loss", [loss for loss in gn.LOSSES.values() if loss.factor is None], ids=str)
def test_solver_by_curvature_refuses_a_loss_without(solver, loss):
    network = gn.Network((3, 2, 1), output=loss.output, loss=loss)
    with pytest.raises(gn.InputError, match=f"{loss.name}.*LBFGS"):
        gn.train(network, X, np.zeros(60), optimizer=solver, iterations=1, random_state=0)


def test_levenberg_marquardt_goes_on_past_a_matrix_that_is_not_positive():
    # Inputs that say the same twice, and a softmax: G is singular in two ways.
    twice = np.column_stack([X[:, 0], X[:, 0]])
    network = gn.Network((2, 3))
    y = np.arange(60) % 3
    run = gn.train(
        network, twice, y, optimizer=gn.LevenbergMarquardt(damping=1e-30), iterations=30, random_state=0
    )
    assert run.status == "stopped"
    assert (np.diff(run.losses) < 0).all()


@every_solver
def test_command_line_trains_by_a_solver(solver, tmp_path):
    from click.testing import CliRunner

    from glassnet.cli import main

    words = ["train", "circles", "--optimizer", solver.name, "--set", "data.n_samples=200"]
    words += ["--iterations", "4", "--no-pictures", "--no-report", "--results", str(tmp_path / "r")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert gn.load(tmp_path / "r" / "model.safetensors").optimizer == solver


@pytest.mark.parametrize("given", ["trainlm", "levenberg-marquardt", gn.LevenbergMarquardt], ids=str)
def test_solvers_class_or_other_name_is_answered_by_what_to_write(given):
    words = r"Did you mean 'levenberg_marquardt'" if isinstance(given, str) else r"LevenbergMarquardt\(\)\."
    with pytest.raises((gn.InputError, gn.InputTypeError), match=words):
        gn.train(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], optimizer=given)


# ---- Goals, limits and history --------------------------------------------------------------------


@every_solver
def test_solver_ends_at_its_goal(solver, engine):
    plain = train(solver, 12, engine=engine)
    goal = float(plain.losses[5])
    run = train(replace(solver, goal=goal), 12, engine=engine)
    assert (run.status, run.reason) == ("stopped", "the loss is no larger than goal")
    assert run.iterations == int(np.argmax(plain.losses <= goal))
    assert np.array_equal(run.losses, plain.losses[: run.iterations + 1])
    assert train(replace(solver, goal=1e9), 12).iterations == 0


@every_solver
def test_solver_ends_when_its_seconds_are_over_and_can_go_on(solver):
    run = train(replace(solver, seconds=1e-9), 12)
    assert (run.iterations, run.reason) == (0, "the seconds are over")
    again = run.resume(3)
    assert again.iterations == 0
    assert run.resume(3, optimizer=solver).iterations == 3


@pytest.mark.filterwarnings("ignore::glassnet.errors.StalledTrainingWarning")  # far from any solution
@pytest.mark.parametrize("solver", [gn.LevenbergMarquardt(), gn.BayesianRegularization()], ids=str)
def test_solver_ends_where_the_damping_is_as_large_as_it_may_be(solver):
    run = train(replace(solver, largest_damping=1e-6), 12)
    assert run.iterations == 0
    assert run.reason.startswith("no damping up to largest_damping lowers the loss; its loss, 1.0")
    assert train(replace(solver, largest_damping=1e6), 12).iterations == 12


@every_solver
def test_history_has_gradient_and_damping_of_each_step(solver, tmp_path):
    gradients = []

    def look(run):
        problem = gn.prepare(NET, X, Y, l2=run.penalties.l2)
        gradients.append(np.abs(problem.loss_and_gradient(run.parameters.flat)[1]).max())

    look(train(solver, 0))
    run = train(solver, 7, callbacks=[look])
    history = run.solver_history
    assert np.allclose(history.gradient, gradients, rtol=1e-9)
    has_damping = isinstance(solver, gn.LevenbergMarquardt)
    assert np.isnan(history.damping[0])
    assert (history.damping[1:] > 0).all() == has_damping
    gn.save(run, tmp_path / "run.safetensors")
    loaded = gn.load(tmp_path / "run.safetensors")
    for one in (loaded, pickle.loads(pickle.dumps(run))):
        assert np.array_equal(one.solver_steps, run.solver_steps, equal_nan=True)
    part = train(solver, 3, callbacks=[look]).resume(4, callbacks=[look])
    assert np.array_equal(part.solver_steps, run.solver_steps, equal_nan=True)


def test_history_knows_nothing_of_an_optimizers_iterations():
    adam = gn.train(NET, X, Y, optimizer=gn.Adam(0.01), iterations=20, random_state=0)
    assert adam.solver_history is None
    solved = adam.resume(5, optimizer=gn.LevenbergMarquardt())
    history = solved.resume(3, optimizer=gn.Adam(0.001)).solver_history
    known = np.isfinite(history.gradient)
    assert known.tolist() == [False] * 21 + [True] * 5 + [False] * 3
