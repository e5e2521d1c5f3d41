"""Warnings at the user's line, and once for many fits."""

import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import glassnet as gn
from glassnet.utils.warn import collected, warn, warn_once

X = np.random.RandomState(0).randn(30, 2)
y = (X[:, 0] > 0).astype(int)
SHORT = gn.MLPClassifier((3,), max_iter=2, random_state=0)


def caught(call):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    return found


@pytest.mark.parametrize(
    "call",
    [
        lambda: SHORT.fit(X, y),
        lambda: gn.MLPRegressor(solver="lbfgs", max_iter=2, random_state=0).fit(X, y),
        lambda: gn.MLPClassifier(solver="lm", max_iter=1, random_state=0).fit(X, y),
        lambda: make_pipeline(StandardScaler(), SHORT).fit(X, y),
        lambda: cross_val_score(SHORT, X, y, cv=2),
        lambda: gn.train(gn.Network((2, 2)), 1e6 * X, y, optimizer=gn.SGD(1e9), random_state=0),
        lambda: gn.MLPClassifier((3,), batch_size=500, max_iter=1000, tol=1, random_state=0).fit(X, y),
    ],
)
def test_warnings_point_at_the_users_line(call):
    found = caught(call)
    assert found
    assert {warning.filename for warning in found} == {__file__}


def test_a_warning_is_given_once_for_each_line_by_default():
    code = (
        "import numpy as np, glassnet as gn\n"
        "X = np.random.RandomState(0).randn(30, 2)\n"
        "for seed in range(3):\n"
        "    gn.MLPClassifier((3,), max_iter=2, random_state=seed).fit(X, X[:, 0] > 0)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr.count("ConvergenceWarning") == 1
    assert "<string>:4" in ended.stderr


def test_a_filter_sees_the_module_that_is_named():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", module=r"others\.package")
        warn("hidden", UserWarning, "others.package")
        with pytest.raises(UserWarning, match="shown"):
            warn("shown", UserWarning)


def test_a_thread_without_a_line_of_the_users_still_warns():
    def fit():
        thread = threading.Thread(target=SHORT.fit, args=(X, y))
        thread.start()
        thread.join()

    assert caught(fit)[0].category is ConvergenceWarning


def test_an_ensemble_warns_once_of_all_members():
    (warning,) = caught(lambda: gn.Ensemble(SHORT, 4, random_state=0, n_threads=2).fit(X, y))
    assert str(warning.message).startswith("4 of 4 members: Stochastic Optimizer")
    assert warning.category is ConvergenceWarning
    assert warning.filename == __file__


def test_warnings_that_differ_in_numbers_alone_are_one():
    fits = []
    for words in (["at 1.5"], ["at 2", "another"], []):
        with collected() as found:
            for text in words:
                warn(text, UserWarning)
        fits.append(found)
    found = [str(warning.message) for warning in caught(lambda: warn_once(fits, "members"))]
    assert found == ["2 of 3 members: at 1.5", "1 of 3 members: another"]
