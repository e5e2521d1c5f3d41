"""glassnet: feedforward networks you can see through, and faster than any framework at their size."""

import importlib
from typing import Any

from glassnet.activations import ACTIVATIONS, Activation
from glassnet.callbacks import Callback, Every
from glassnet.checkpoints import load, save
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
from glassnet.gradient_report import GradientCheck
from glassnet.gradients import check_gradients
from glassnet.losses import LOSSES, OUTPUTS, Loss, Output
from glassnet.network import Network, Parameters
from glassnet.optimizers import OPTIMIZERS, SGD
from glassnet.sweep_results import SweepResult
from glassnet.sweeps import sweep
from glassnet.training import TrainingRun, train

__version__ = "0.1.0"

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "OPTIMIZERS",
    "OUTPUTS",
    "SGD",
    "Activation",
    "Callback",
    "DivergenceWarning",
    "EngineError",
    "Every",
    "FileError",
    "GlassnetError",
    "GlassnetWarning",
    "GradientCheck",
    "GradientError",
    "InputError",
    "InputTypeError",
    "InterruptedTrainingWarning",
    "Loss",
    "Network",
    "Output",
    "Parameters",
    "Problem",
    "SweepResult",
    "TrainingRun",
    "check_gradients",
    "load",
    "loss_and_gradient",
    "prepare",
    "save",
    "sweep",
    "train",
]

# What is heavy to import waits until it is asked for.
_LAZY_MODULES = ("plots", "report")


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES:
        return importlib.import_module(f"glassnet.{name}")
    raise AttributeError(f"module 'glassnet' has no attribute {name!r}")
