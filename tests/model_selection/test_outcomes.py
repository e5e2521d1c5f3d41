"""How a loss curve is read, thinned and put into words."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sweeps import NET, START, X, sweep_grid

import glassnet as gn
from glassnet import model_selection
from glassnet.engine.prepare import prepare
from glassnet.model_selection import STATUSES, SweepCell, assess, rules


class Ended:
    def __init__(self, losses, status="completed"):
        self.losses, self.status = np.array(losses, float), status
        self.iterations = len(self.losses) - 1


def line(*corners, n=100):
    """A loss curve of n + 1 values through (share of the iterations, loss) points."""
    return np.interp(np.linspace(0, 1, n + 1), *zip(*corners, strict=True))


CURVES = {
    "low and flat": (line((0, 1.2), (0.5, 0.05), (1, 0.05)), "converged"),
    "low, falling slowly": (line((0, 1.2), (0.5, 0.05), (1, 0.03)), "converged"),
    "low from the start": (line((0, 0.01), (1, 0.001)), "converged"),
    "low, jumping a little": (0.02 + 0.01 * (np.arange(101) % 2), "converged"),
    "just at the border": (line((0, 1.2), (0.5, 0.1), (1, 0.1)), "converged"),
    "just above the border": (line((0, 1.2), (0.5, 0.101), (1, 0.101)), "plateau"),
    "high and flat": (line((0, 1.2), (0.2, 0.37), (1, 0.37)), "plateau"),
    "high, falling by less than a hundredth": (line((0, 1.2), (0.2, 0.4), (1, 0.35)), "plateau"),
    "flat above the baseline, below the start": (line((0, 3), (0.2, 1.5), (1, 1.5)), "plateau"),
    "a rise long ago": (line((0, 1.2), (0.3, 0.2), (0.5, 0.8), (0.7, 0.05), (1, 0.05)), "converged"),
    "over the cliff at the end": (line((0, 1.2), (0.2, 0.4), (0.95, 0.4), (1, 0.02)), "falling"),
    "high, falling by more than a hundredth": (line((0, 1.2), (0.2, 0.4), (1, 0.25)), "falling"),
    "high, falling, after a leap": (line((0, 1.2), (0.05, 6), (0.2, 0.4), (1, 0.25)), "falling"),
    "low, though a little worse than at the start": (line((0, 0.05), (0.2, 0.09), (1, 0.09)), "converged"),
    "steep": (line((0, 1.2), (1, 0.3)), "falling"),
    "steep, down to low": (line((0, 1.2), (1, 0.05)), "falling"),
    "a slope of hardly anything": (line((0, 1.2), (1, 1.199)), "falling"),
    "worse at the end than ever": (line((0, 1.2), (0.2, 4), (1, 4)), "unstable"),
    "slowly worse": (line((0, 1.2), (1, 1.21)), "unstable"),
    "jumping, high": (0.5 + 0.06 * (np.arange(101) % 2), "unstable"),
    "jumping while it falls": (line((0, 5), (1, 0.5)) + 0.3 * (np.arange(101) % 2), "unstable"),
    "one spike near the end": (np.r_[np.full(95, 0.01), 0.07, np.full(5, 0.01)], "unstable"),
    "a single update down": ([1.2, 0.8], "falling"),
    "a single update up": ([0.5, 0.8], "unstable"),
}


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("scale", [1.0, 34657.36])
def test_assess_reads_a_curve_as_a_person_does(name, scale):
    losses, status = CURVES[name]
    assert assess(Ended(np.multiply(losses, scale)), scale) == status


def test_assess_covers_every_status():
    ended = {"diverged", "dropped", "interrupted"}
    assert {status for _, status in CURVES.values()} | ended == set(STATUSES)


@pytest.mark.parametrize("status", ["diverged", "interrupted"])
def test_assess_keeps_what_training_says(status):
    assert assess(Ended([1, 0.01, 0.01], status), 1.0) == status


def test_assess_takes_another_border():
    losses = line((0, 1.2), (0.2, 0.37), (1, 0.37))
    assert assess(Ended(losses), 1.0, converged_below=0.4) == "converged"
    assert sweep_grid(grid={"learning_rate": [1e-9]}, converged_below=10).cells[0].status == "converged"


@pytest.mark.parametrize(
    ("iterations", "status"),
    [(5, "falling"), (1000, "plateau"), (6000, "plateau"), (6100, "falling"), (50_000, "converged")],
)
def test_assess_knows_the_notebooks_plateau(circles, iterations, status):
    assert assess(Ended(circles["loss"][: iterations + 1]), 50_000 * np.log(2)) == status


def test_sweep_over_the_notebooks_circles(circles, circles_data):
    parts = ("hidden_weights", "hidden_bias", "output_weights", "output_bias")
    start = np.concatenate([circles[f"initial_{part}"].ravel() for part in parts])
    result = gn.sweep(
        gn.Network((2, 3, 2)),
        *circles_data[:2],
        grid={"learning_rate": [1e-5, 1e-4, 3e-4, 0.25], "momentum": [0.5]},
        iterations=300,
        reduction="sum",
        parameters=start,
    )
    assert [cell.status for cell in result.cells] == ["falling", "plateau", "unstable", "diverged"]
    assert result.cells[3].verdict == "diverged at 1"
    assert result.baseline == pytest.approx(50_000 * np.log(2), rel=1e-12)
    assert_allclose(result.runs[1].losses, circles["loss"][:301], rtol=1e-9)


@pytest.mark.parametrize("scale", [1, 50])
def test_sweep_over_counts_is_measured_from_the_least_loss_which_may_be_negative(scale):
    X = np.linspace(-1, 1, 60)[:, None]
    y = scale * np.exp(X)
    result = gn.sweep(
        gn.Network((1, 1), output="exp"),
        X,
        y,
        grid={"learning_rate": [1e-9, 0.2 / scale]},
        iterations=3000,
        random_state=0,
    )
    assert (result.floor < result.baseline < 0) == (scale == 50)
    poor, good = result.table
    assert good["status"] == "converged" != poor["status"]
    assert abs(good["share"]) < 1e-6 < 0.1 < poor["share"]


@pytest.mark.parametrize(
    ("network", "y"),
    [
        (gn.Network((2, 2)), np.ones(60, int)),
        (gn.Network((2, 1), output="logistic"), np.ones(60)),
        (gn.Network((2, 1), output="identity"), np.full(60, 0.1)),
    ],
)
def test_targets_that_never_vary_are_measured_by_the_loss_of_zero(network, y):
    result = gn.sweep(network, X, y, grid={"learning_rate": [0.2]}, iterations=500, random_state=0)
    assert result.baseline == prepare(network, X, y).baseline
    assert result.cells[0].status == "converged"


def test_a_regression_that_learns_the_mean_alone_has_not_converged():
    random = np.random.RandomState(0)
    network = gn.Network((2, 3, 1), hidden="tanh", output="identity")
    result = gn.sweep(network, X, 50 + random.randn(60), grid={"learning_rate": [0.05]}, random_state=0)
    assert result.cells[0].final_loss < 0.01 * prepare(network, X, 50 + random.randn(60)).baseline
    assert result.cells[0].status in ("plateau", "falling")


def test_rules_cover_every_status_that_a_curve_decides():
    assert set(rules()) == {status for _, status in CURVES.values()}
    assert "at or below 40 %" in rules(0.4)["converged"]


def test_sweep_help_states_the_rule():
    from click.testing import CliRunner

    from glassnet.cli import main

    words = " ".join(CliRunner().invoke(main, ["sweep", "--help"]).stdout.split())
    for name in ("CONVERGED_BELOW", "FELL", "ROSE"):
        assert f"{100 * getattr(model_selection, name):g} %" in words
    for status in rules():
        assert f"{status} " in words.partition("By the last tenth")[2]


@pytest.mark.parametrize(
    ("most", "n"),
    [(10, 1), (10, 99), (10, 65_537), (100, 2001), (100, 20_001), (2000, 2001), (2000, 65_537)],
)
def test_curve_keeps_ends_extremes_and_the_early_iterations(n, most):
    losses = np.random.RandomState(n).uniform(1, 2, n)
    losses[n // 3], losses[n // 2] = 0.5, 3.0
    run = gn.TrainingRun(
        NET, gn.SGD(), START, START.flat[None], losses, "mean", "completed", None, 1.0, "numpy", "", 1
    )
    cell = SweepCell({}, "converged", run)
    at, kept = cell.curve(most)
    assert len(at) <= max(most * 1.2, 12)
    assert np.array_equal(kept, losses[at])
    assert (np.diff(at) > 0).all()
    assert {0, n - 1, n // 2} <= set(at.tolist()) or n == 1
    if n > 1:
        assert kept.min() == losses.min()
        assert kept.max() == losses.max()
    assert at[: most // 40].tolist() == list(range(min(most // 40, n)))
    assert np.array_equal(cell.curve(None)[1], losses)


@pytest.mark.parametrize("batch_size", [None, 20])
def test_long_histories_are_thinned_and_the_verdicts_stay(batch_size):
    told = {"grid": {"learning_rate": [1e-4, 0.1, 0.5]}, "iterations": 900, "batch_size": batch_size}
    whole, thin = sweep_grid(**told), sweep_grid(**told, keep_losses=60)
    without = [{**row, "seconds": 0} for row in whole.table]
    assert [{**row, "seconds": 0} for row in thin.table] == without
    for one, other in zip(thin.cells, whole.cells, strict=True):
        at, losses = one.curve(None)
        assert len(at) < 100
        assert (at[-1], losses[-1], losses.min()) == (900, other.run.losses[-1], other.run.losses.min())
        assert len(one.run.losses) == len(other.run.losses)
        known = ~np.isnan(one.run.losses)
        assert known.sum() == len(at)
        assert np.array_equal(one.run.losses[known], other.run.losses[known])
        assert one.run.iterations == one.iterations == 900
        assert one.run.resume(5).losses[-1] == other.run.resume(5).losses[-1]
