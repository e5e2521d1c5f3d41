"""Every activation and its derivative in 40 digits, for tests of accuracy."""

from mpmath import erfc, exp, log1p, mp, mpf, npdf, pi, sqrt, tanh

mp.dps = 40


# Where every precision has long settled; mpmath itself does not take arguments of any size.
def _settled(z):
    return max(min(z, mpf(3000)), mpf(-3000))


def _sigma(z):
    z = _settled(z)
    return 1 / (1 + exp(-z)) if z >= 0 else exp(z) / (1 + exp(z))


def _phi(z):
    return erfc(-_settled(z) / sqrt(mpf(2))) / 2


def _density(z):
    return npdf(_settled(z))


def _w(z):
    return 2 * sqrt(2 / pi) * (z + mpf("0.044715") * z**3)


def _w_slope(z):
    return 2 * sqrt(2 / pi) * (1 + 3 * mpf("0.044715") * z**2)


_SCALE = mpf("1.0507009873554804934193349852946")
_ALPHA = mpf("1.6732632423543772848170429916717")


def _expm1(z):
    return mp.expm1(_settled(z))


VALUES = {
    "logistic": _sigma,
    "tanh": tanh,
    "relu": lambda z: max(z, mpf(0)),
    "leaky_relu": lambda z: z if z > 0 else z / 100,
    "elu": lambda z: z if z > 0 else _expm1(z),
    "selu": lambda z: _SCALE * z if z > 0 else _SCALE * _ALPHA * _expm1(z),
    "gelu": lambda z: z * _phi(z),
    "gelu_tanh": lambda z: z * _sigma(_w(z)),
    "silu": lambda z: z * _sigma(z),
    "softplus": lambda z: log1p(exp(_settled(-abs(z)))) + max(z, 0),
    "softsign": lambda z: z / (1 + abs(z)),
    "identity": lambda z: z,
}
SLOPES = {
    "logistic": lambda z: _sigma(z) * _sigma(-z),
    "tanh": lambda z: 4 * _sigma(2 * z) * _sigma(-2 * z),
    "relu": lambda z: mpf(z > 0),
    "leaky_relu": lambda z: mpf(1) if z > 0 else mpf("0.01"),
    "elu": lambda z: mpf(1) if z > 0 else exp(_settled(z)),
    "selu": lambda z: _SCALE if z > 0 else _SCALE * _ALPHA * exp(_settled(z)),
    "gelu": lambda z: _phi(z) + z * _density(z),
    "gelu_tanh": lambda z: _sigma(_w(z)) * (1 + z * _w_slope(z) * _sigma(-_w(z))),
    "silu": lambda z: _sigma(z) * (1 + z * _sigma(-z)),
    "softplus": _sigma,
    "softsign": lambda z: 1 / (1 + abs(z)) ** 2,
    "identity": lambda z: mpf(1),
}
