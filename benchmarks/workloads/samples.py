"""The workloads' data, the same on every call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

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
