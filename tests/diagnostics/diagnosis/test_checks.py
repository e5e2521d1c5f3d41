"""Each reason is the first finding where it is the truth, and none is found in a healthy run."""

import json
from functools import partial

import numpy as np
import pytest
import stuck_runs
from sklearn.datasets import load_digits, load_iris

import glassnet as gn
from glassnet.diagnostics.diagnosis import CHECKS
from glassnet.diagnostics.diagnosis.remedies import as_changed, as_keywords
from glassnet.experiments.library import built_in
from glassnet.training.steppers import SOLVERS

pytestmark = pytest.mark.filterwarnings("ignore::glassnet.GlassnetWarning")

LASTING = {"constant_columns", "duplicate_columns", "equal_rows"}
"""What no setting of training can change."""


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_finds_the_reason_where_it_is_the_truth(name):
    run, X, y, *held_out = stuck_runs.run_of(name)
    before = run.parameters.copy()
    found = gn.diagnose(run, X, y, validation=held_out[0] if held_out else None)
    names = [finding.name for finding in found.findings]
    assert names[0] == name
    first = found.findings[0]
    assert first.evidence
    assert first.remedy.words
    assert name in LASTING or first.trial.helps
    assert first.sentence in str(found)
    assert json.loads(json.dumps(found.to_dict()))["findings"][0]["name"] == name
    assert run.parameters == before


# ---- Healthy runs ----------------------------------------------------------------------------------


RANDOM = np.random.RandomState(1)
LINE = RANDOM.randn(400, 4)
NOISY = LINE @ [1.0, -2.0, 0.5, 0.0] + 2.0 * RANDOM.randn(400)  # noise is half of it
CURVE = np.linspace(-2, 2, 200)[:, None]


def experiment(name):
    """A built-in experiment, trained by its own settings."""
    from glassnet.experiments.library import find_experiment
    from glassnet.experiments.preparation import Draws

    shorter = {"train.iterations": (8_000, "here")} if name == "circles" else {}
    draws = Draws(find_experiment(name, shorter))
    draws.check_point()
    run = draws.train(draws.start())
    return run, draws.samples.X, draws.samples.y


def iris(**settings):
    X, y = load_iris(return_X_y=True)
    return stuck_runs.trained(X, y, gn.Network((4, 8, 3), hidden="tanh"), **settings)


def digits():
    X, y = load_digits(return_X_y=True)
    return stuck_runs.trained(
        X / 16, y, gn.Network((64, 32, 10), hidden="relu"), batch_size=64, iterations=20
    )


def curve(**settings):
    network = gn.Network((1, 10, 1), hidden="tanh", output="identity")
    return stuck_runs.trained(CURVE, np.sin(3 * CURVE[:, 0]), network, **settings)


def noisy(**settings):
    network = gn.Network((4, 6, 1), hidden="tanh", output="identity")
    return stuck_runs.trained(LINE, NOISY, network, **settings)


HEALTHY = {
    **{name: partial(experiment, name) for name in built_in()},
    "iris": partial(iris, iterations=1_000, optimizer=gn.Adam(0.01)),
    "iris, standardized": partial(iris, standardize=True),
    "iris, held out": partial(iris, standardize=True, validation=0.2, stopping=gn.EarlyStopping(20)),
    "digits": digits,
    "curve": partial(curve, optimizer=gn.Adam(0.01), iterations=2_000),
    "noise": noisy,
    "noise, l2": partial(noisy, l2=0.01),
    "noise, batches": partial(noisy, batch_size=32, optimizer=gn.Adam(), iterations=100),
    "noise, dropout": partial(noisy, dropout=0.2, optimizer=gn.Adam(0.01), iterations=500),
    "cosine": partial(noisy, optimizer=gn.SGD(gn.Cosine(0.1, 300)), iterations=300),
    **{name: partial(curve, optimizer=name) for name in SOLVERS},
    **{f"noise, {name}": partial(noisy, optimizer=name) for name in SOLVERS},
}


@pytest.mark.parametrize("case", HEALTHY)
def test_nothing_is_found_in_a_healthy_run(case):
    run, X, y = HEALTHY[case]()
    found = gn.diagnose(run, X, y)
    assert [finding.sentence for finding in found.findings] == []
    without_others = {"overfitting", "shifted_rows"} if "held out" not in case else set()
    assert {*found.not_looked_for} == without_others
    assert "Nothing found" in str(found)
    assert "Nothing found" in found._repr_html_()
    assert gn.diagnose(run, X, y, remedies=False).findings == ()


@pytest.mark.parametrize("name", CHECKS)
def test_a_remedy_is_what_train_takes(name):
    run, X, y, *held_out = stuck_runs.run_of(name)
    found = gn.diagnose(run, X, y, validation=held_out[0] if held_out else None, remedies=False)
    for finding in found.findings:
        changes = finding.remedy.changes
        keywords = {"iterations": 1, **as_keywords(changes)}
        assert gn.train(as_changed(run.network, changes), X, y, **keywords).iterations <= 1
