"""Print the constants of native/special.hpp: python tools/gaussian_tail.py (needs mpmath).

The Gaussian's tail is Phi(-u) = exp(-u^2/2) Q(u), with Q(u) = erfcx(u / sqrt 2) / 2. In t =
(u - 4) / (u + 4), which maps u >= 0 to -1 <= t < 1, the function (u + 4) Q(u) varies slowly; its
Chebyshev interpolant is computed in 60 digits and printed by powers of t.
"""

from mpmath import cos, erfc, exp, matrix, mp, mpf, pi, polyfit_error, sqrt  # noqa: F401


def main() -> None:
    """Print each precision's coefficients, and the tanh approximation's constants in two parts."""
    mp.dps = 60
