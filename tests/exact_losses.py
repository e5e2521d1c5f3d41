"""Every link and loss as its formula is printed, with Python's own numbers: right for moderate logits."""

import math


def _softmax(z):
    total = sum(math.exp(one) for one in z)
    return [math.exp(one) / total for one in z]


LINKS = {
    "softmax": _softmax,
    "logistic": lambda z: [1 / (1 + math.exp(-one)) for one in z],
    "identity": list,
    "exp": lambda z: [math.exp(one) for one in z],
}


def _huber(r):
    return r * r / 2 if abs(r) <= 1 else abs(r) - 0.5


# The loss of a sample with target y and output p, both lists.
VALUES = {
    "cross_entropy": lambda y, p: -sum(a * math.log(b) for a, b in zip(y, p, strict=True) if a),
    "binary_cross_entropy": lambda y, p: (
        -sum(math.log(b) * a + math.log(1 - b) * (1 - a) for a, b in zip(y, p, strict=True))
    ),
    "squared_error": lambda y, p: sum((b - a) ** 2 for a, b in zip(y, p, strict=True)) / 2,
    "absolute_error": lambda y, p: sum(abs(b - a) for a, b in zip(y, p, strict=True)),
    "huber": lambda y, p: sum(_huber(b - a) for a, b in zip(y, p, strict=True)),
    "quantile": lambda y, p: sum(abs(b - a) / 2 for a, b in zip(y, p, strict=True)),
    "poisson": lambda y, p: sum(b - a * math.log(b) for a, b in zip(y, p, strict=True)),
}
# The derivative by the output layer's Z where y_hat - y is r; r itself for losses that are not here.
DELTAS = {
    "absolute_error": lambda r: math.copysign(1, r),
    "huber": lambda r: max(min(r, 1.0), -1.0),
    "quantile": lambda r: math.copysign(0.5, r),
}
