"""Files for Octave and MATLAB: their one function's name."""

import numpy as np
import pytest

import glassnet as gn


@pytest.mark.parametrize("name", ["predict", "W1", "dense"])
def test_file_with_a_name_that_it_uses_itself_is_refused(name, tmp_path):
    network = gn.Network((1, 2, 1), output="identity")
    run = gn.train(network, np.eye(3)[:, :1], np.arange(3.0), iterations=1, random_state=0)
    with pytest.raises(gn.InputError, match=f"The name {name!r}"):
        gn.export(run, tmp_path / f"{name}.m")
