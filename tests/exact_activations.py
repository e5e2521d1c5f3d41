"""Every activation and its derivative in 40 digits, and how far a float result is from them."""

import functools

import numpy as np
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

# The derivative has a simple root here: it is a difference of terms as large as SLOPE_NEAR_ROOT, and a
# result is right to their last place.
ROOTS = {"gelu": -0.7518, "gelu_tanh": -0.7524, "silu": -1.2785}
SLOPE_NEAR_ROOT = 1.0


@functools.cache
def points(dtype):
    """Arguments from the smallest normal number to a quarter of the largest, of either sign."""
    info = np.finfo(dtype)
    random = np.random.RandomState(0)
    last = -1.06 * np.log(info.tiny) - 1  # beyond where exp(z) vanishes
    sizes = np.geomspace(2 * info.tiny, info.max / 4, 40)
    wide = [np.linspace(-last, last, 101), random.uniform(-40, 40, 120), random.uniform(-8, 8, 160)]
    return np.unique(np.concatenate([*wide, np.linspace(-3, 3, 61), sizes, -sizes, [0]]).astype(dtype))


@functools.cache
def exact(name, dtype):
    """Values and derivatives at those points."""
    arguments = [mpf(float(z)) for z in points(dtype)]
    return [VALUES[name](z) for z in arguments], [SLOPES[name](z) for z in arguments]


def units_off(name, dtype, function):
    """How many units in the last place value and derivative are off at most; below the normals, none.

    logistic's and tanh's derivative comes from h, whose last place it can be right to.
    """
    z = points(dtype)
    values, slopes = exact(name, dtype)
    got_values, got_slopes = function(z)
    scale = np.zeros(len(z))
    if name in ROOTS:
        scale[np.abs(z - ROOTS[name]) < 0.25] = SLOPE_NEAR_ROOT
    if name in ("logistic", "tanh"):
        scale[:] = 1
    return _off(got_values, values, np.zeros(len(z))), _off(got_slopes, slopes, scale)


def _off(results, truths, scale):
    info, worst = np.finfo(results.dtype), 0.0
    for result, truth, least in zip(results, truths, scale, strict=True):
        if abs(truth) < 2 * float(info.tiny):  # may be taken as 0
            assert abs(float(result)) < 4 * float(info.tiny)
            continue
        size = results.dtype.type(max(abs(float(truth)), least))
        worst = max(worst, float(abs(mpf(float(result)) - truth)) / float(np.spacing(size)))
    return worst
