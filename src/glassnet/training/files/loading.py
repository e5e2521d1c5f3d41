"""A run or a tape from its file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import cast

from glassnet.nn.activations import Activation
from glassnet.nn.losses import Loss
from glassnet.training.early_stopping import Metric
from glassnet.training.files.reading import OwnFunctions, run_from_arrays
from glassnet.training.run import TrainingRun
from glassnet.training.tape.files import FORMAT
from glassnet.training.tape.tape import Tape
from glassnet.utils.storage import read_arrays


def load(
    path: str | os.PathLike[str],
    activations: Iterable[Activation] = (),
    losses: Iterable[Loss] = (),
    metrics: Iterable[Metric] = (),
) -> TrainingRun:
    """The run that `save` wrote, exactly; ``run.resume(iterations, X=X, y=y)`` trains on bit for bit.

    `activations` and `losses` are the records of your own that the network was made with, `metrics` the
    functions of your own that training measured, which `resume` needs, and predicting does not.

    The run of a table by ``glassnet train`` expects standardized rows: see `TrainingRun.predict`. Of a
    `Tape`'s file it gives the tape; ``Tape.load`` does so for type checkers too.

    Raises FileError for a file that is missing, damaged, of another kind or of a later version, and
    InputError for a record that the file names and that is not given.

    >>> import glassnet as gn
    >>> X, y = [[0.0], [1.0]], [0, 1]
    >>> run = gn.train(gn.Network((1, 2)), X, y, random_state=0, iterations=5)
    >>> gn.save(run, "model.safetensors")
    >>> gn.load("model.safetensors").resume(5, X=X, y=y).iterations
    10

    Nothing in the file is executed, unlike a pickle's, which scikit-learn and PyTorch keep models in.
    """
    own, (arrays, document) = OwnFunctions.of(activations, losses, metrics), read_arrays(path)
    if document.get("format") == FORMAT:
        tape = Tape.from_arrays(arrays, document, path, own)
        return cast(TrainingRun, tape)  # nearly all files hold runs, whose users need their type
    return run_from_arrays(arrays, document, path, own)
