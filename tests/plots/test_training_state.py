import numpy as np
import pytest
from drawing import legend, make_run, rendered

import glassnet as gn
from glassnet.plots.training_state import validation_fails

X = np.linspace(-1, 1, 40)[:, None]
Y = np.sin(3 * X[:, 0]) + 0.3 * np.random.RandomState(0).randn(40)
NET = gn.Network((1, 8, 1), hidden="tanh", output="identity")


def trained(rule, **settings):
    return gn.train(NET, X, Y, optimizer=rule, iterations=40, random_state=0, **settings)


@pytest.mark.parametrize(
    ("rule", "validation", "panels"),
    [
        (gn.LevenbergMarquardt(), None, ["gradient", "damping mu"]),
        (gn.LevenbergMarquardt(), 0.25, ["gradient", "damping mu", "validation fails"]),
        (gn.NewtonCG(), None, ["gradient"]),
        (gn.SGD(0.1), 0.25, ["validation fails"]),
    ],
    ids=str,
)
def test_training_state_draws_what_there_is(rule, validation, panels):
    run = trained(rule, validation=validation)
    figure = gn.plots.training_state(run)
    assert [paper.get_ylabel() for paper in figure.axes] == panels
    if run.solver_history is not None:
        drawn = figure.axes[0].lines[0].get_xydata()
        assert np.array_equal(drawn[:, 0], np.arange(run.iterations + 1))
        np.testing.assert_array_equal(drawn[:, 1], run.solver_history.gradient)
    assert rendered(figure).size


@pytest.mark.parametrize("tolerance", [0.0, 1e-3])
def test_validation_fails_reach_the_patience_where_it_ends_training(tolerance):
    rule = gn.EarlyStopping(patience=3, tolerance=tolerance)
    run = trained(gn.LevenbergMarquardt(), validation=0.25, stopping=rule)
    assert run.status == "stopped"
    fails = validation_fails(run)
    assert fails[0] == 0
    assert fails[-1] == 3 == fails.max()
    assert legend(gn.plots.training_state(run)) == ["patience"]


def test_training_state_of_a_run_without_any_is_refused():
    with pytest.raises(gn.InputError, match="sgd keeps no gradient"):
        gn.plots.training_state(trained(gn.SGD(0.1)))
    with pytest.raises(gn.InputTypeError, match="TrainingRun"):
        gn.plots.training_state(3)
    assert make_run((1, 2)).solver_history is None
