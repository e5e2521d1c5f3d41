"""The activations in terms that every language has, each a function of z and of what computes.

`np` stands for NumPy, or for anything with its exp, log, tanh, abs, maximum, minimum and where, and with
numbers that add, multiply, divide and compare: a writer gives its own, and gets the text or the nodes. No
exp overflows, infinities give the limit, NaN passes, and the largest error is a few units in the last place
of 1 or of the value, whichever is larger. A language takes its own functions where it has better ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from glassnet.nn.activations import LEAK, SELU_ALPHA, SELU_SCALE

# The powers of t = (u - 4) / (u + 4) in (u + 4) Q(u), by tools/gaussian_tail.py.
_TAIL = (
    0.75528513041575149325, -0.60789664197189210796, 0.38713740074221454721, -0.18652185795965720076,
    0.060396574890936264282, -0.0075401889667284498713, -0.0034796923673883844162, 0.0016308184576158087701,
    0.00013334431236708112847, -0.00023109493541021952892, -1.9082583174347645229e-6,
    0.000035144687320663269164, 7.1666619378219320311e-7, -5.9201774301040393075e-6,
    -6.2969778280402463192e-7, 1.0215622012930907094e-6, 2.7180954941831504981e-7,
    -1.5497431587308392032e-7, -8.5417149459131429901e-8, 1.3285909329606024256e-8,
    1.9627084481329454024e-8, 1.9182297145703236588e-9, -2.5246704210551829426e-9,
    -7.2705429108152281642e-10,
)  # fmt: skip


def _logistic(z: Any, np: Any) -> Any:
    return 1 / (1 + np.exp(np.minimum(-z, 700)))


def _exp_less_one(z: Any, np: Any) -> Any:
    """e^z - 1 for z <= 0, which keeps its digits near 0."""
    t = np.tanh(z / 2)
    return 2 * t / (1 - t)


def _gelu(z: Any, np: Any) -> Any:
    """Phi(-u) = exp(-u^2/2) Q(u) of the normal distribution, for u >= 0."""
    u = np.minimum(np.abs(z), 38.75)
    t = (u - 4) / (u + 4)
    Q = _TAIL[-1]
    for power in _TAIL[-2::-1]:
        Q = Q * t + power
    tail = np.exp(-u * u / 2) * (Q / (u + 4))
    return np.where(z > 0, z * (1 - tail), -u * tail)


def _gelu_tanh(z: Any, np: Any) -> Any:
    x = np.maximum(z, -20)
    t = np.minimum(x, 20)
    return x / (1 + np.exp(-t * (1.5957691216057308 + 0.07135481627260025 * t * t)))


def _silu(z: Any, np: Any) -> Any:
    x = np.maximum(z, -700)
    return x / (1 + np.exp(-x))


def _softsign(z: Any, np: Any) -> Any:
    x = np.maximum(np.minimum(z, 1e30), -1e30)
    return x / (1 + np.abs(x))


FORMULAS: Mapping[str, Callable[[Any, Any], Any]] = {
    "logistic": _logistic,
    "tanh": lambda z, np: np.tanh(z),
    "relu": lambda z, np: np.maximum(z, 0),
    "leaky_relu": lambda z, np: np.maximum(z, LEAK * z),
    "elu": lambda z, np: np.maximum(z, 0) + _exp_less_one(np.minimum(z, 0), np),
    "selu": lambda z, np: (
        SELU_SCALE * np.maximum(z, 0) + SELU_SCALE * SELU_ALPHA * _exp_less_one(np.minimum(z, 0), np)
    ),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "silu": _silu,
    "softplus": lambda z, np: np.maximum(z, 0) + np.log(1 + np.exp(-np.abs(z))),
    "softsign": _softsign,
    "identity": lambda z, np: z,
}
"""Every activation by name, each of z and NumPy or its stand-in."""
