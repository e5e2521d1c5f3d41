"""Each kind of training, small: the full batch, batches, solvers, streams and what goes with them."""

import numpy as np

import glassnet as gn

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(300, 2))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
NET = gn.Network((2, 5, 2), hidden="tanh")
QUANTITY = X[:, :1] ** 2
LINE = gn.Network((2, 5, 1), hidden="tanh", output="identity")
VALIDATION = X[:60] + 0.01, Y[:60]

KINDS = {
    "full batch": {"optimizer": "adam", "iterations": 40},
    "dropout": {"dropout": 0.2, "iterations": 40},
    "batches": {"batch_size": 7, "iterations": 4},
    "batches in order": {"batch_size": 7, "iterations": 4, "shuffle": False},
    "average": {"batch_size": 32, "average": 0.9, "iterations": 6, "dropout": 0.1},
    "early stopping": {"validation": 0.2, "stopping": gn.EarlyStopping(patience=3), "iterations": 40},
    "plateau": {
        "validation": VALIDATION,
        "batch_size": 50,
        "iterations": 12,
        "optimizer": gn.SGD(learning_rate=gn.ReduceOnPlateau(0.5, patience=1)),
    },
    "test and metrics": {"validation": 0.2, "test": 0.2, "metrics": "accuracy", "iterations": 20},
    "standardize": {"standardize": True, "class_weight": "balanced", "iterations": 20},
    "stream": {"batch_size": 32, "iterations": 6},
    **{name: {"optimizer": name, "iterations": 8} for name in gn.SOLVERS},
}


def data_of(kind):
    """The network and the rows of a kind of training."""
    if kind in gn.SOLVERS:
        return LINE, X, QUANTITY
    return NET, gn.stream(X, Y) if kind == "stream" else X, None if kind == "stream" else Y
