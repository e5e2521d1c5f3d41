"""The workloads by name, and their data, the same on every call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from benchmarks.tasks import Target, Workload
from glassnet.data.generators import generate

Samples = tuple[NDArray[np.float64], NDArray[Any]]


def circles(n: int) -> Samples:
    """The notebook's two rings."""
    return generate("circles", RandomState(42), n_samples=n)


def made_up(inputs: int, classes: int) -> Callable[[int], Samples]:
    """Normal samples whose class a random linear map with some noise decides."""

    def make(n: int) -> Samples:
        random = RandomState(42)
        X = random.randn(n, inputs)
        scores = X @ random.randn(inputs, classes) / np.sqrt(inputs) + 0.3 * random.randn(n, classes)
        return X, scores.argmax(axis=1)

    return make


def digits(n: int) -> Samples:
    """scikit-learn's handwritten digits, 1,797 images of 8 x 8, standardized."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    X = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-8)
    return X[:n], y[:n]


def exponentials(n: int) -> Samples:
    """Normal 2 x 2 matrices and their exponentials, as rows of 4."""
    from scipy.linalg import expm

    X = RandomState(42).randn(n, 2, 2)
    return X.reshape(n, 4), expm(X).reshape(n, 4)


def responses(n: int) -> Samples:
    """24 uniform covariates and two responses of noise alone."""
    random = RandomState(42)
    return random.uniform(size=(n, 24)), 10 * random.randn(n, 2)


BOTH, SINGLE = ("float32", "float64"), ("float32",)


def _against(**times: float) -> tuple[Target, ...]:
    return tuple(Target(peer.replace("sklearn", "scikit-learn"), times[peer]) for peer in times)


WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        Workload(
            "circles-batch", "training", (2, 3, 2), "logistic", "softmax", 50_000, 200, BOTH, circles,
            _against(sklearn=50, torch=60),
        ),
        Workload(
            "narrow-batch", "training", (2, 16, 16, 2), "relu", "softmax", 10_000, 32, BOTH, circles,
            _against(sklearn=40, torch=45),
        ),
        Workload(
            "tabular", "training", (20, 64, 64, 2), "relu", "softmax", 50_000, 256, SINGLE, made_up(20, 2),
            _against(sklearn=6, torch=4),
        ),
        Workload(
            "digits", "training", (64, 100, 10), "relu", "softmax", 1_797, 200, SINGLE, digits,
            _against(sklearn=4.5, torch=4),
        ),
        Workload(
            "wide", "training", (784, 100, 10), "relu", "softmax", 20_000, 200, SINGLE, made_up(784, 10),
            _against(sklearn=2.5, torch=2),
        ),
        Workload(
            "tanh-full", "training", (4, 32, 16, 4), "tanh", "identity", 10_000, None, SINGLE, exponentials,
            _against(jax=3.5, torch=15),
            note="SimpleChains.jl publishes 1.64 s for 10,000 epochs on a laptop's 4 cores",
        ),
        Workload(
            "small-gradient", "gradient", (24, 8, 2), "tanh", "identity", 200, None, BOTH[1:], responses,
            _against(torch=15),
            note="SimpleChains.jl publishes 5.66 microseconds, with dropout and no bias in the last layer",
        ),
        Workload(
            "predict-row", "prediction", (64, 100, 10), "relu", "softmax", 1, None, SINGLE, digits,
            _against(sklearn=20, torch=5),
        ),
    )
}  # fmt: skip
"""Everything that is timed besides the notebook's iteration; the order is that of the table."""
