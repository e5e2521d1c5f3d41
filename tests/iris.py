"""Fisher's irises, and small estimators of them, for the tests of the estimators."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.preprocessing import scale

import glassnet as gn

X, Y3 = load_iris(return_X_y=True)
X = scale(X)
Y2 = np.array(["other", "setosa"])[(Y3 == 0).astype(int)]
TARGET = X[:, 0] - 2 * X[:, 1] * X[:, 2]
HELD = np.arange(150) % 3 == 0
PART = (X[~HELD], Y3[~HELD])
KEPT = (X[HELD], Y3[HELD])


def small(kind=gn.MLPClassifier, **arguments):
    """An unfitted network of six hidden units that trains for twelve epochs."""
    return kind(**{"hidden_layer_sizes": (6,), "max_iter": 12, "random_state": 0, **arguments})


def pack(model):
    """The parameters of a fitted classifier of irises as `glassnet.Parameters`."""
    pairs = zip(model.coefs_, model.intercepts_, strict=True)
    flat = np.concatenate([array.ravel() for pair in pairs for array in pair])
    return gn.Parameters((4, *(W.shape[1] for W in model.coefs_)), flat)
