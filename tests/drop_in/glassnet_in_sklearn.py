"""A pytest plugin: scikit-learn's tests of its two classes, run on ours.

``make sklearn-tests`` runs the file that scikit-learn ships. Before it is imported the two names in
`sklearn.neural_network` become ours. What calls or reads scikit-learn's private parts is left out, each
test with its reason; a test that is named here and does not exist is an error.
"""

import pytest
import sklearn.neural_network

import glassnet as gn

PRIVATE = {
    "test_gradient": "calls _loss_grad_lbfgs, a method that computes a gradient from lists of buffers",
    "test_learning_rate_warmstart": "reads _optimizer.learning_rate",
    "test_adaptive_learning_rate": "reads _optimizer.learning_rate",
}


def pytest_configure():
    sklearn.neural_network.MLPClassifier = gn.MLPClassifier
    sklearn.neural_network.MLPRegressor = gn.MLPRegressor


def pytest_collection_modifyitems(config, items):
    out = [item for item in items if item.originalname in PRIVATE]
    missing = set(PRIVATE) - {item.originalname for item in out}
    if missing:
        raise pytest.UsageError(f"scikit-learn has no such tests: {', '.join(sorted(missing))}")
    items[:] = [item for item in items if item not in out]
    config.hook.pytest_deselected(items=out)


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("left out")
    for name, reason in PRIVATE.items():
        terminalreporter.write_line(f"{name}: it {reason}")
