"""Derivatives of steps."""

import numpy as np
import pytest

from glassnet.export.slopes import slope_of
from glassnet.export.steps import STEPS, Step

NUMBERS = {"clip": (-1.0, 2.0), "pick": (0.5, -1.0, 2.0), "floor": (), "month": (), "is_missing": ()}


@pytest.mark.parametrize("name", STEPS)
def test_slopes_of_steps_are_their_derivatives(name):
    before = (Step("floor"),) if name == "pick" else ()
    steps = (
        *before,
        Step(name, NUMBERS.get(name, (1.7,))),
        Step("multiply", (3.0,)),
        Step("subtract", (1.0,)),
    )

    def made(values):
        for step in steps:
            values = step(values)
        return values

    values = np.array([-1.6, -0.3, 0.4, 1.2, 5.3])
    h = 1e-6
    expected = (made(values + h) - made(values - h)) / (2 * h)
    expected[np.isnan(expected)] = 0  # of pick, for no place
    np.testing.assert_allclose(np.broadcast_to(slope_of(steps, values, np), 5), expected, atol=1e-8)


def test_slopes_that_are_the_same_everywhere_are_numbers():
    assert slope_of((Step("subtract", (3.0,)), Step("divide", (4.0,))), np.array([1.0]), np) == 0.25
    assert slope_of((Step("fill", (3.0,)),), np.array([1.0, np.nan]), np).tolist() == [1, 0]
