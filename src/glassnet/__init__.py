"""glassnet: feedforward networks you can see through, and faster than any framework at their size."""

import importlib
from typing import TYPE_CHECKING, Any

from glassnet.activations import ACTIVATIONS, Activation
from glassnet.engine import Problem, loss_and_gradient, prepare
from glassnet.errors import (
    DivergenceWarning,
    EngineError,
    FileError,
    GlassnetError,
    GlassnetWarning,
    GradientError,
    InputError,
    InputTypeError,
    InterruptedTrainingWarning,
)
from glassnet.losses import LOSSES, OUTPUTS, Loss, Output
from glassnet.network import Network, Parameters

__version__ = "0.1.0"

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "OUTPUTS",
    "Activation",
    "DivergenceWarning",
    "EngineError",
    "FileError",
    "GlassnetError",
    "GlassnetWarning",
    "GradientError",
    "InputError",
    "InputTypeError",
    "InterruptedTrainingWarning",
    "Loss",
    "Network",
    "Output",
    "Parameters",
    "Problem",
    "loss_and_gradient",
    "prepare",
]

# What is heavy to import waits until it is asked for.
_LAZY_MODULES = ("plots", "report")

if TYPE_CHECKING:
    from glassnet import plots, report  # noqa: F401


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES:
        return importlib.import_module(f"glassnet.{name}")
    raise AttributeError(f"module 'glassnet' has no attribute {name!r}")
