"""The activations' formulas against the records."""

import numpy as np
import pytest

from glassnet.export.formulas import FORMULAS
from glassnet.nn.activations import ACTIVATIONS

Z = np.concatenate(
    [
        np.linspace(-45, 45, 20_001),
        np.logspace(-300, 300, 601),
        -np.logspace(-300, 300, 601),
        [0.0, -0.0, np.inf, -np.inf, np.nan],
    ]
)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_formulas_give_the_activations(name):
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        expected = ACTIVATIONS[name].value(Z)
        found = FORMULAS[name](Z, np)
        error = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    assert np.isnan(found[-1])
    same = (found == expected) | np.isnan(Z)
    assert np.where(same, 0, error).max() < 1e-15
