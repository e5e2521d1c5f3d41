"""What the tests of sweeps share: samples, grids, small sweeps, and training of the same network."""

import warnings

import numpy as np

import glassnet as gn

NET = gn.Network((2, 3, 2), hidden="tanh")
LINE = gn.Network((2, 3, 1), hidden="tanh", output="identity")
START = NET.initialize(3)

RANDOM = np.random.RandomState(0)
Y = RANDOM.randint(0, 2, 60)
NOISE = RANDOM.randn(60, 2)
W = RANDOM.uniform(0.5, 2, 60)
X = NOISE + 2 * Y[:, None]
NEAR = NOISE + Y[:, None]  # classes that overlap more
FAR = 1e3 * X + [1e5, -20]

TWO_RATES = {"learning_rate": [0.05, 0.5]}
GRID = {"learning_rate": [0.01, 0.5, 1e4], "momentum": [0.0, 0.9]}  # 1e4 blows up
RATES = [1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 1e6]


def sweep(network=NET, y=Y, X=X, **settings):
    """Six iterations of what the settings say."""
    return gn.sweep(network, X, y, **{"iterations": 6, "random_state": 3, **settings})


def sweep_grid(**settings):
    """Forty iterations of six networks, of which two diverge."""
    return sweep(**{"grid": GRID, "iterations": 40, **settings})


def sweep_near(network=NET, y=Y, **settings):
    """Two rates on classes that overlap."""
    return sweep(network, y, NEAR, **{"grid": TWO_RATES, **settings})


def train(network=NET, y=Y, X=X, rows=slice(None), **settings):
    """What a network of `sweep` with these settings must be, trained on its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gn.DivergenceWarning)
        settings = {"iterations": 6, "random_state": 3, "optimizer": gn.SGD(), **settings}
        return gn.train(network, X[rows], y[rows], **settings)


# ---- Signals and returns --------------------------------------------------------------------------

STREAM = np.random.RandomState(0)
SIGNALS = STREAM.randn(90, 3)
RETURNS = SIGNALS[:, 0] + STREAM.randn(90)
SIGNAL_LINE = gn.Network((3, 8, 1), hidden="tanh", output="identity")
CHOICES = {"learning_rate": [0.02, 0.3], "batch_size": [None, 10]}
FOLDS = [(np.arange(30, 90), np.arange(30)), (np.arange(60), np.arange(89, 59, -1))]


def sweep_folds(network=SIGNAL_LINE, y=RETURNS, **settings):
    """Four settings on two folds, evaluated on the way; None leaves an argument out."""
    usual = {"grid": CHOICES, "folds": FOLDS, "metric": "r2", "iterations": 20, "evaluate_every": 4}
    settings = {"random_state": 0, **usual, **settings}
    return gn.sweep(network, SIGNALS, y, **{k: v for k, v in settings.items() if v is not None})
