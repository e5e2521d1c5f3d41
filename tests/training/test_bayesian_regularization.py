"""Bayesian regularization: what it estimates, against the formulas and the truth, and how it goes on."""

import functools
from dataclasses import replace

import numpy as np
import pytest
from numpy.random import RandomState

import glassnet as gn
from glassnet.optim.penalties import weight_mask
from glassnet.training.steppers.bayesian_regularization import determined, spread_out

SOLVER = gn.BayesianRegularization()
NET = gn.Network((1, 20, 1), hidden="tanh", output="identity")
x = np.linspace(-1, 1, 60)[:, None]
TRUTH = np.sin(np.pi * x)
Y = TRUTH + 0.1 * RandomState(0).randn(60, 1)


def train(iterations=500, **how):
    return gn.train(NET, x, Y, iterations=iterations, **{"optimizer": SOLVER, "random_state": 0, **how})


@functools.cache
def settled():
    return train()


def test_estimates_satisfy_their_equations_where_training_ends(engine):
    run = settled() if engine == "native" else train(engine=engine)
    assert run.status == "stopped"
    l2, flat, M = run.penalties.l2, run.parameters.flat, weight_mask(NET.sizes)
    gamma, alpha, beta = run.evidence
    square, misfit = (flat[M] ** 2).sum(), ((run.predict(x) - Y) ** 2).sum()
    # A pseudo-inverse knows nothing of the directions that change nothing.
    G = gn.prepare(NET, x, Y).gauss_newton(flat)
    inverse = np.linalg.pinv(G + l2 * np.diag(M), rcond=1e-11, hermitian=True)
    assert gamma == pytest.approx(np.trace(G @ inverse), rel=2e-3)
    assert alpha * square == pytest.approx(M.sum() - l2 * np.trace(inverse[np.ix_(M, M)]), rel=5e-3)
    assert beta * misfit == pytest.approx(60 - gamma, rel=2e-3)
    assert l2 == pytest.approx(alpha / (beta * 60), rel=1e-12)


def test_noise_is_found_and_the_fit_is_nearer_to_the_truth_than_without():
    run, plain = settled(), train(300, optimizer=gn.LevenbergMarquardt())
    assert 6 < run.evidence.effective_parameters < 10  # of 61
    assert run.evidence.beta**-0.5 == pytest.approx(0.1, rel=0.1)
    error, other = (np.sqrt(np.mean((one.predict(x) - TRUTH) ** 2)) for one in (run, plain))
    assert error < 0.7 * other


@pytest.mark.parametrize("seed", [1, 2])
def test_other_starts_arrive_at_the_same_evidence(seed):
    assert np.allclose(train(random_state=seed).evidence, settled().evidence, rtol=1e-2)


def test_summed_loss_finds_the_same_evidence():
    mean, summed = settled(), train(reduction="sum")
    assert np.allclose(summed.evidence, mean.evidence, rtol=1e-2)
    assert summed.penalties.l2 == pytest.approx(60 * mean.penalties.l2, rel=1e-2)


def test_weight_of_two_counts_as_the_sample_twice():
    twice = gn.train(
        NET, np.vstack([x, x]), np.vstack([Y, Y]), optimizer=SOLVER, iterations=6, random_state=0
    )
    weighted = train(6, sample_weight=np.full(60, 2.0))
    assert np.allclose(weighted.evidence, twice.evidence, rtol=1e-4)


def test_reported_loss_is_the_data_and_the_penalty_of_the_step():
    run = train(7)
    squares = (run.parameters.flat[weight_mask(NET.sizes)] ** 2).sum()
    data = 0.5 * np.mean((run.predict(x) - Y) ** 2)
    assert run.losses[-1] == pytest.approx(data + run.penalties.l2 / 2 * squares, rel=1e-12)
    again = gn.prepare(NET, x, Y, l2=run.penalties.l2).loss(run.parameters.flat)
    assert again == run.losses[-1]


SINE = np.linspace(-1, 1, 41)[:, None]


@pytest.mark.parametrize(
    ("units", "activation", "periods", "seed"),
    [
        *(((20,), "tanh", 2, seed) for seed in range(5)),
        ((20,), "tanh", 3, 0),
        ((30,), "tanh", 2, 0),
        ((8, 8), "tanh", 2, 2),
        ((20,), "logistic", 2, 1),
    ],
)
def test_function_without_noise_is_not_taken_for_noise(units, activation, periods, seed):
    network = gn.Network((1, *units, 1), hidden=activation, output="identity")
    y = np.sin(periods * np.pi * SINE)
    run = gn.train(network, SINE, y, optimizer=SOLVER, iterations=40, random_state=seed)
    assert run.score(SINE, y) > 0.99


def test_parameters_of_very_different_units_leave_the_evidence_finite():
    x = np.linspace(-1, 1, 60)[:, None]
    y = 1e-9 * np.sin(np.pi * x)
    run = gn.train(
        gn.Network((1, 5, 1), hidden="tanh", output="identity"),
        x,
        y,
        optimizer=SOLVER,
        iterations=60,
        random_state=0,
    )
    assert run.score(x, y) > 0.99


def test_first_step_goes_to_the_beginning_with_the_largest_evidence():
    run = train(1)
    random = RandomState(7)
    l2, flat = run.penalties.l2, run.parameters.flat
    here = log_evidence(NET, (x, Y), flat, *run.evidence[1:])
    for scheme in ("glorot", "nguyen_widrow"):
        start = NET.initialize(random, scheme)
        other = train(40, parameters=start, l2=l2)
        assert log_evidence(NET, (x, Y), other.parameters.flat, *other.evidence[1:]) < here + 2


def test_start_that_is_spread_out_keeps_the_directions_of_its_weights():
    network = gn.Network((2, 6, 3, 1), hidden=["tanh", "relu"], output="identity")
    theta = network.initialize(0)
    spread = gn.Parameters(network.sizes, spread_out(network, theta.flat))
    ratio = spread.weights[0] / theta.weights[0]
    assert np.allclose(ratio, ratio[0])
    assert (ratio > 0).all()
    assert np.ptp(spread.biases[0]) > 3
    assert np.array_equal(spread.weights[1], theta.weights[1])


@pytest.mark.filterwarnings("ignore::glassnet.errors.StalledTrainingWarning")  # it favors a constant
def test_eight_values_of_parity_are_noise_to_a_hundred_weights():
    bits = np.array([[a, b, c] for a in (-1.0, 1.0) for b in (-1.0, 1.0) for c in (-1.0, 1.0)])
    data = bits, bits.prod(axis=1, keepdims=True)
    network = gn.Network((3, 10, 10, 1), hidden="tanh", output="identity")
    run = gn.train(network, *data, optimizer=SOLVER, iterations=200, random_state=0)
    fit = gn.train(
        network,
        *data,
        optimizer=gn.LevenbergMarquardt(),
        iterations=100,
        random_state=0,
        l2=0.01,
        reduction="sum",
    )
    assert run.status == "stopped"
    assert np.abs(run.predict(bits)).max() < 1e-6  # their mean
    assert run.evidence.effective_parameters == pytest.approx(1.0, abs=1e-6)
    assert run.evidence.beta == pytest.approx(7 / 8)
    betas = 10.0 ** np.arange(-2, 6)
    best = max(log_evidence(network, data, fit.parameters.flat, 0.01 * beta, beta) for beta in betas)
    assert fit.score(*data) > 0.999
    assert best < log_evidence(network, data, run.parameters.flat, *run.evidence[1:]) - 10


def log_evidence(network, data, flat, alpha, beta):
    """MacKay's, with a prior for biases too that is wide enough."""
    M, problem = weight_mask(network.sizes), gn.prepare(network, *data, reduction="sum")
    precision = np.where(M, alpha, 1e-3)
    A = beta * problem.gauss_newton(flat) + np.diag(precision)
    objective = beta * problem.loss(flat) + precision @ flat**2 / 2
    n = len(data[0])
    return (
        -objective
        + (np.log(precision).sum() + n * np.log(beta / (2 * np.pi)) - np.linalg.slogdet(A)[1]) / 2
    )


def test_saved_run_keeps_what_was_found_and_goes_on_bit_for_bit(tmp_path):
    whole, part = train(12), train(5)
    gn.save(part, tmp_path / "part.safetensors")
    loaded = gn.load(tmp_path / "part.safetensors")
    assert loaded.evidence == part.evidence
    assert loaded.penalties == part.penalties
    for one in (part.resume(7), loaded.resume(7, X=x, y=Y)):
        assert np.array_equal(one.losses, whole.losses)
        assert one.evidence == whole.evidence
        assert one.parameters == whole.parameters


def test_another_rule_goes_on_with_the_penalty_that_was_found():
    run = train(30)
    later = run.resume(10, optimizer=gn.LBFGS())
    assert later.penalties == run.penalties
    assert later.evidence is None
    assert (np.diff(later.losses[30:]) < 0).all()
    back = later.resume(5, optimizer=SOLVER)
    assert back.evidence.effective_parameters < 30


def test_given_penalty_is_where_it_begins():
    run = train(1, l2=1e-4)
    assert run.evidence.effective_parameters < 61
    assert run.evaluations < 10  # no other beginning is tried
    assert train(1).evaluations > 100
    assert train(0).evidence is None


@pytest.mark.filterwarnings("ignore::glassnet.errors.StalledTrainingWarning")  # it favors a constant
@pytest.mark.parametrize("output", ["softmax", "logistic", "exp"])
def test_losses_without_a_noise_of_their_own_have_beta_1(output, make_data):
    network = gn.Network((3, 6, 2), hidden="tanh", output=output)
    run = gn.train(network, *make_data(network, 80), optimizer=SOLVER, iterations=60, random_state=0)
    assert run.evidence.beta == 1
    assert 0 < run.evidence.effective_parameters < network.n_parameters
    assert np.isfinite(run.losses).all()


def test_directions_that_change_nothing_do_not_count():
    random = RandomState(0)
    B = random.randn(5, 3)
    G, M = B @ B.T, np.array([True, True, True, False, False])
    gamma, of_weights = determined(G, 1e-9, M)
    assert gamma == pytest.approx(3, abs=1e-4)
    assert 0 <= of_weights <= 3


def test_where_nothing_is_determined_the_search_for_a_factor_ends():
    M = np.array([True, True, False])
    assert determined(np.zeros((3, 3)), 0.0, M) == (0, 0)
    with np.errstate(all="ignore"):
        assert np.isnan(determined(np.full((3, 3), np.nan), 0.0, M)).all()


def test_fewer_targets_than_parameters_leave_a_finite_noise():
    run = gn.train(NET, x[::12], Y[::12], optimizer=SOLVER, iterations=50, random_state=0)
    assert np.isfinite(run.evidence).all()
    assert run.evidence.beta > 0


@pytest.mark.filterwarnings("ignore::glassnet.errors.StalledTrainingWarning")  # it favors a constant
def test_weights_that_are_all_zero_do_not_break_it():
    run = train(3, parameters=np.zeros(NET.n_parameters))
    assert np.isfinite(run.losses).all()


def test_training_does_not_end_while_the_penalty_moves():
    loose = train(500, optimizer=replace(SOLVER, gradient_tolerance=1.0))
    assert loose.status == "stopped"
    assert loose.iterations > 10
    assert loose.evidence.effective_parameters < 12
