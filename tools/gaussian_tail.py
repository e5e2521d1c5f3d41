"""Print the polynomials of native/special.hpp: python tools/gaussian_tail.py (needs mpmath).

The normal distribution function is Phi(-u) = exp(-u^2/2) Q(u) for u >= 0. In t = (u - 4) / (u + 4),
which maps u >= 0 to -1 <= t < 1, the function (u + 4) Q(u) varies slowly; printed are the powers
of t of its Chebyshev interpolant, and that one's largest relative error.
"""

from mpmath import cos, erfc, exp, linspace, lu_solve, matrix, mp, mpf, nstr, pi, polyval, sqrt

mp.dps = 80


def scaled_tail(t: mpf) -> mpf:
    """(u + 4) Q(u) at the u that t stands for."""
    u = 4 * (1 + t) / (1 - t)
    return (u + 4) * exp(u * u / 2) * erfc(u / sqrt(mpf(2))) / 2


def main() -> None:
    """Print both precisions' coefficients, up to the u where exp(-u^2/2) vanishes in them."""
    for count, largest, digits in ((24, mpf("38.75"), 20), (11, mpf("14.6"), 11)):
        low, high = mpf(-1), (largest - 4) / (largest + 4)
        nodes = [
            (low + high + (high - low) * cos(pi * (2 * k + 1) / (2 * count))) / 2 for k in range(count)
        ]
        powers = matrix([[node**power for power in range(count)] for node in nodes])
        coefficients = lu_solve(powers, matrix([scaled_tail(node) for node in nodes]))
        by_power = list(coefficients)
        error = max(abs(polyval(by_power[::-1], t) / scaled_tail(t) - 1) for t in linspace(low, high, 1001))
        print(f"{count} coefficients, relative error {nstr(error, 2)}")
        print(",\n".join(nstr(one, digits) for one in by_power))


if __name__ == "__main__":
    main()
