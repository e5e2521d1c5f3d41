"""Three jobs of the estimators' users, timed against scikit-learn, the numbers compared first."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState

from benchmarks.job import BenchmarkError
from benchmarks.timing import SETTLE


class Claim(NamedTuple):
    """A job, and how many times faster it is to be."""

    words: str
    times: float
    data: Callable[[bool], tuple[Any, Any]]
    """X and y; less of them to be quick."""
    run: Callable[[Any, Any, Any, bool], Any]
    """From the class, the data and whether to be quick: losses or scores."""


def _digits_data(quick: bool) -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return X / 16, y


def _digits(kind: Any, X: Any, y: Any, quick: bool) -> Any:
    return kind(max_iter=2 if quick else 200, random_state=0).fit(X, y).loss_curve_


def _small_data(quick: bool) -> tuple[Any, Any]:
    X = RandomState(0).randn(500 if quick else 10_000, 2)
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def _small(kind: Any, X: Any, y: Any, quick: bool) -> Any:
    epochs = 2 if quick else 10
    return kind((16, 16), batch_size=32, max_iter=epochs, random_state=0).fit(X, y).loss_curve_


def _search_data(quick: bool) -> tuple[Any, Any]:
    from sklearn.datasets import load_breast_cancer
    from sklearn.preprocessing import scale

    X, y = load_breast_cancer(return_X_y=True)
    return scale(X), y


def _search(kind: Any, X: Any, y: Any, quick: bool) -> Any:
    from sklearn.model_selection import GridSearchCV

    grid = {
        "hidden_layer_sizes": [(10,), (30,), (10, 10)],
        "alpha": [1e-4, 1e-2],
        "learning_rate_init": [1e-3, 1e-2],
        "activation": ["relu", "tanh"],
    }
    if quick:
        grid = {"alpha": [1e-4, 1e-2]}
    search = GridSearchCV(kind(max_iter=5 if quick else 200, random_state=0), grid, cv=2 if quick else 5)
    return search.fit(X, y).cv_results_["mean_test_score"]


CLAIMS: Mapping[str, Claim] = {
    "digits": Claim(
        "64-100-10, 1,797 samples, all settings as they come, 200 epochs", 4.0, _digits_data, _digits
    ),
    "small": Claim(
        "2-16-16-2, 10,000 samples, batches of 32, relu, adam, 10 epochs", 30.0, _small_data, _small
    ),
    "search": Claim("GridSearchCV, 24 settings, 5 folds, load_breast_cancer", 6.0, _search_data, _search),
}


def measure_speed(quick: bool, say: Callable[[str], None], rounds: int = 3) -> dict[str, Any]:
    """Each job's record: the best times of both over the rounds, and how far apart what they found is.

    Raises BenchmarkError where the two do not find the same.
    """
    from sklearn import neural_network

    from glassnet import sklearn as estimators

    record: dict[str, Any] = {}
    kinds = estimators.MLPClassifier, neural_network.MLPClassifier
    for name, claim in CLAIMS.items():
        best, found = [np.inf, np.inf], [np.empty(0), np.empty(0)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            X, y = claim.data(quick)
            for kind in kinds:
                claim.run(kind, X, y, True)  # what is loaded at the first use
        for _ in range(1 if quick else rounds):
            for who in (0, 1):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    time.sleep(SETTLE)  # the other's threads go to sleep
                    began = time.perf_counter()
                    found[who] = np.asarray(claim.run(kinds[who], X, y, quick))
                    best[who] = min(best[who], time.perf_counter() - began)
        apart = float(np.max(np.abs(found[0] - found[1]) / np.abs(found[1])))
        if apart > 1e-9:
            raise BenchmarkError(f"{name}: what scikit-learn finds is {apart:.1e} away, relatively.")
        say(f"  {name}: {best[1] / best[0]:.1f} times")
        record[name] = {
            "job": claim.words,
            "seconds": best[0],
            "sklearn_seconds": best[1],
            "times_faster": best[1] / best[0],
            "claim": claim.times,
            "apart": apart,
        }
    return record


def speed_table(record: Mapping[str, Any]) -> str:
    """The record for a terminal."""
    lines = []
    for row in record.values():
        holds = "holds" if row["times_faster"] >= row["claim"] else "MISSED"
        times = f"{1e3 * row['seconds']:.4g} ms against {1e3 * row['sklearn_seconds']:.4g}"
        claim = f"{row['times_faster']:.1f} times scikit-learn, at least {row['claim']:g}"
        lines.append(f"[{holds}] {claim}: {row['job']}; {times}, apart by {row['apart']:.0e}")
    return "\n".join(lines)
