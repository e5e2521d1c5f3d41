"""The smooth relatives of relu, to a few units in the last place for arguments of any size.

Each textbook formula loses digits somewhere: 1 + erf(z / sqrt 2) where z is far below 0, and exp(-z^2 / 2)
because it magnifies the rounding of z^2 by hundreds. Here the exponent is a sum of two numbers, one with so
few digits that it is exact, and e^-exponent is a product of two factors: x * half * other is right even
where half * other alone is too small to be a normal number. Everything is computed in float64 and rounded
once to the precision of the argument; infinity gives the limit, and NaN gives NaN.
"""

from collections.abc import Callable

import numpy as np

from glassnet._types import Array


def in_float64(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The same function of a float32 or float64 array, computed in float64."""

    def wide(z: Array) -> Array:
        with np.errstate(over="ignore", under="ignore"):
            return function(z.astype(np.float64, copy=False)).astype(z.dtype, copy=False)

    return wide


def _decay(exact: Array, rest: Array | float = 0.0) -> tuple[Array, Array]:
    """Two factors of e^-(exact + rest)."""
    half = np.exp(-0.5 * exact)
    return half, half * np.exp(-rest)


def _coarse(u: Array) -> Array:
    """u rounded to 1/256: below 40 it has so few digits that its powers to the third are exact."""
    return np.round(u * 256) / 256


# ---- silu: z / (1 + exp(-z)) --------------------------------------------------------------------


@in_float64
def silu(z: Array) -> Array:
    """z / (1 + e) above 0, z e / (1 + e) below, with e = exp(-|z|)."""
    half, other = _decay(np.abs(z))
    one_more = 1 + half * other
    return np.where(z > 0, z / one_more, np.clip(z, -2000, 0) * half * (other / one_more))


@in_float64
def silu_derivative(z: Array) -> Array:
    """(1 + e + z e) / (1 + e)^2 above 0, e (1 + z + e) / (1 + e)^2 below."""
    z = np.clip(z, -2000, 2000)
    half, other = _decay(np.abs(z))
    e = half * other
    return np.where(z > 0, 1 + e + z * e, half * ((1 + z) + e) * other) / (1 + e) ** 2


# ---- gelu: z Phi(z), Phi the normal distribution function ----------------------------------------


def _normal_tail(z: Array) -> tuple[Array, Array, Array, Array]:
    """u = |z|, Q and two factors of exp(-u^2/2), where Phi(-u) = exp(-u^2/2) Q."""
    from scipy.special import erfcx  # here, so that importing glassnet stays light

    u = np.minimum(np.abs(z), 40)  # Phi is 0 in float64 from 39 on
    coarse = _coarse(u)
    half, other = _decay(coarse * coarse / 2, (u - coarse) * (u + coarse) / 2)
    return u, erfcx(u / np.sqrt(2)) / 2, half, other


@in_float64
def gelu(z: Array) -> Array:
    """z (1 - Phi(-z)) above 0, z Phi(z) below."""
    u, Q, half, other = _normal_tail(z)
    return np.where(z > 0, z * (1 - Q * half * other), -u * Q * half * other)


@in_float64
def gelu_derivative(z: Array) -> Array:
    """Phi(z) + z exp(-z^2/2) / sqrt(2 pi)."""
    u, Q, half, other = _normal_tail(z)
    G = (Q - u / np.sqrt(2 * np.pi)) * half * other
    return np.where(z > 0, 1 - G, G)


# ---- gelu_tanh: z / (1 + exp(-w)), w = 2 sqrt(2 / pi) (z + 0.044715 z^3) --------------------------

# The factors of z and z^3, each split into a number of few digits and the rest.
_LINEAR_COARSE, _LINEAR_REST = 13073 / 2**13, -0.000056073706769288240216
_CUBIC_COARSE, _CUBIC_REST = 9353 / 2**17, -2.9107781810012236612e-6
_LINEAR, _CUBIC = _LINEAR_COARSE + _LINEAR_REST, _CUBIC_COARSE + _CUBIC_REST


def _tanh_tail(z: Array) -> tuple[Array, Array, Array, Array]:
    """u = |z|, u w'(u), and two factors of exp(-w(u))."""
    u = np.minimum(np.abs(z), 22)  # exp(-w) is 0 in float64 from there on
    a = _coarse(u)
    exact = _LINEAR_COARSE * a + _CUBIC_COARSE * a**3
    rest = _LINEAR_REST * a + _CUBIC_REST * a**3
    rest += (u - a) * (_LINEAR + _CUBIC * (u * u + u * a + a * a))
    half, other = _decay(exact, rest)
    return u, u * (_LINEAR + 3 * _CUBIC * u * u), half, other


@in_float64
def gelu_tanh(z: Array) -> Array:
    """z / (1 + e) above 0, z e / (1 + e) below, with e = exp(-w(|z|))."""
    u, _, half, other = _tanh_tail(z)
    one_more = 1 + half * other
    return np.where(z > 0, z / one_more, -u * half * (other / one_more))


@in_float64
def gelu_tanh_derivative(z: Array) -> Array:
    """s (1 + u w' e s) above 0, e s (1 - u w' s) below, with s = 1 / (1 + e) and u = |z|."""
    _, rise, half, other = _tanh_tail(z)
    e = half * other
    s = 1 / (1 + e)
    return np.where(z > 0, s * (1 + rise * e * s), half * s * (1 - rise * s) * other)
