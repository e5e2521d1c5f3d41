"""Callbacks, which a training run calls between updates."""

from __future__ import annotations

from glassnet.training.hooks import FunctionHook, Hook
from glassnet.training.run import TrainingRun


class Callback(Hook[TrainingRun]):
    """What a training run calls: override the hooks that are wanted.

    Each hook gets a `TrainingRun` that holds the state at that moment, in memory of its own:
    keeping it, saving it or resuming from it is safe. `on_iteration` is called where the number of
    iterations is a multiple of `every`; when it returns True, training ends with status "stopped".
    An exception goes through to the caller of `train`, with the work so far as its attribute `run`.

    >>> import glassnet as gn
    >>> class Target(gn.Callback):
    ...     every = 10
    ...     def on_iteration(self, run):
    ...         return run.losses[-1] < 0.6
    >>> run = gn.train(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], random_state=0, callbacks=[Target()])
    >>> run.status, run.iterations % 10
    ('stopped', 0)

    The hooks are skorch's, fewer and with the run as their only argument.
    """


class Every(FunctionHook[TrainingRun], Callback):
    """A function called after every n-th iteration; True from it ends training.

    >>> import glassnet as gn
    >>> seen = []
    >>> note = gn.Every(20, lambda run: seen.append(run.iterations))
    >>> run = gn.train(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], iterations=50, callbacks=[note])
    >>> seen
    [20, 40]
    """
