import numpy as np
import pytest
from drawing import make_run


@pytest.fixture(scope="module")
def circles_run(circles, circles_data):
    names = ("hidden_weights", "hidden_bias", "output_weights", "output_bias")
    flat = np.concatenate([circles[f"final_{name}"].ravel() for name in names])
    return make_run((2, 3, 2), flat=flat, losses=circles["loss"], reduction="sum"), *circles_data[:2]
