"""Runs to draw without training, and what a figure shows."""

from types import SimpleNamespace

import numpy as np

import glassnet as gn
from glassnet.data.encoding import PLAIN

WIDTHS = {"softmax": [2, 3]}  # a softmax over one output does not exist
OUTPUTS = [(output, width) for output in gn.OUTPUTS for width in WIDTHS.get(output, [1, 2])]

HOSTILE = r"$\frac{$ <script>alert('x')</script> & \bad _{ %{x} " + "very " * 40


def make_run(
    sizes, output="softmax", seed=0, losses=(3.0, 2.0, 1.0), flat=None, hidden="logistic", **extra
):
    """A run as `train` gives it, without the training."""
    network = gn.Network(sizes, hidden=hidden, output=output)
    parameters = extra.pop("parameters", network.initialize(seed, scheme="normal"))
    if flat is not None:
        parameters = gn.Parameters(network.sizes, np.array(flat, dtype=float))
    given = {
        "network": network,
        "parameters": parameters,
        "theta": parameters,
        "averaged": None,
        "losses": np.array(losses, dtype=float),
        "iterations": len(losses) - 1,
        "seconds": 0.25,
        "finding": "",
        "status": "completed",
        "diverged_at": None,
        "optimizer": gn.SGD(0.1),
        "engine": "numpy",
        "engine_reason": "asked for",
        "threads": 1,
        "reduction": "mean",
        "dtype": parameters.dtype,
        "batch_size": None,
        "validation_losses": np.empty(0),
        "test_losses": np.empty(0),
        "validation_iterations": np.empty(0, np.int64),
        "best_iteration": None,
        "validation": None,
        "validation_scores": np.empty(0),
        "solver_history": None,
        "reason": "",
        "extra": {},
        "encoding": PLAIN,
        "preprocessing": None,
    }
    return SimpleNamespace(**{**given, **extra})


def with_each_output(cases):
    """Every output with the first case, and each other case with one of the outputs."""
    first, *others = cases
    outputs = zip(OUTPUTS[::3], others, strict=False)
    return [(*pair, first) for pair in OUTPUTS] + [(*pair, case) for pair, case in outputs]


def rendered(figure, dpi=50):
    """The figure's pixels, (height, width, 4); drawing it is half of the test."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def texts(figure):
    """All that the figure says."""
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def legend(figure):
    """The legend's entries."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


STRAIGHT = gn.Network((1, 1), output="identity")
X = np.linspace(-1, 1, 40)[:, None]
Y = 2 * X[:, 0] + 1


def line(slope=2.0, offset=1.0, **extra):
    """A run of STRAIGHT, which predicts Y."""
    return make_run((1, 1), "identity", flat=[slope, offset], hidden=(), **extra)


def separable(n=60):
    """Two classes on either side of x1 + x2 = 0, and a network (2, 2) that divides them just there."""
    X = np.random.RandomState(3).randn(n, 2)
    return X, (X.sum(axis=1) > 0).astype(int), make_run((2, 2), flat=[-2, 2, -2, 2, 0, 0])
