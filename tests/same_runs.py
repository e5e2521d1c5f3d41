"""Two runs that must be equal to the last bit."""

import numpy as np


def assert_same_run(one, other):
    """All that was computed is equal, and where both stand among their batches; not time and threads."""
    assert one.parameters == other.parameters
    assert one.averaged == other.averaged
    for name in ("losses", "state", "heard", "validation_losses", "validation_scores"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    names = "iterations updates evaluations status diverged_at reason best_iteration network optimizer"
    names += " reduction engine batch_size class_weight dropout dropout_seed average penalties"
    for name in names.split():
        assert getattr(one, name) == getattr(other, name), name
    assert np.array_equal(one.validation_iterations, other.validation_iterations)
    scalings = (run.encoding.scaling or () for run in (one, other))
    assert all(np.array_equal(*pair) for pair in zip(*scalings, strict=True))
    if one.cursor is None or other.cursor is None:
        assert one.cursor is other.cursor
        return
    for name in ("order", "good"):
        assert np.array_equal(getattr(one.cursor, name), getattr(other.cursor, name)), name
    for name in ("row", "loss", "limit"):
        assert getattr(one.cursor, name) == getattr(other.cursor, name), name
    if one.cursor.random is not None:
        a, b = one.cursor.random.get_state(), other.cursor.random.get_state()
        assert np.array_equal(a[1], b[1])
        assert a[2:] == b[2:]
