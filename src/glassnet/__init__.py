"""glassnet: feedforward networks you can see through, and faster than any framework at their size.

>>> import numpy as np, glassnet as gn
>>> X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
>>> net = gn.Network((2, 8, 2), hidden="tanh")  # 2 inputs, 8 hidden units, 2 classes
>>> run = gn.train(net, X, y, optimizer=gn.Adam(0.05), iterations=300, random_state=0)
>>> run.predict(X).tolist(), run.score(X, y)
([0, 1, 1, 0], 1.0)

The public names; help() of each shows an example:

- networks: Network, Parameters; ACTIVATIONS, OUTPUTS and LOSSES hold the names that they take, and
  the records behind them, of the classes Activation, Output and Loss
- training: train, TrainingRun, EarlyStopping, Callback, Every, Penalties
- tables as people have them: read_table, which makes a Table of a file or a frame, and prepare_table,
  which makes a PreparedTable of it, inputs and targets, with a ColumnTable of what each column is
- data that do not fit into memory: stream
- optimizers, in OPTIMIZERS: SGD, RMSprop, Adagrad, Adadelta, Adam, AMSGrad, AdamW, Nadam, Lion, each an
  Optimizer; learning rates over time, in SCHEDULES: Constant, InverseScaling, Adaptive, Step,
  ReduceOnPlateau, Exponential, Cosine, OneCycle, WarmUp, each a Schedule
- solvers, in SOLVERS, which go where an optimizer goes: LBFGS, LevenbergMarquardt,
  BayesianRegularization (which finds an Evidence), NewtonCG, each a Solver that
  leaves a SolverHistory
- gradients: check_gradients, GradientCheck; loss_and_gradient, prepare and Problem for loops of your own
- the curvature of the loss at a point and along a run: curvature, Curvature, CurvatureTrace
- many networks at once: sweep, SweepResult
- folds of rows in the order of time, for scikit-learn too: WalkForward, PurgedKFold
- scikit-learn's classes: MLPClassifier, MLPRegressor; its displays of them: LossCurveDisplay,
  HiddenProjectionDisplay, NetworkDiagramDisplay
- the mean of many networks, with their spread: Ensemble
- files: save, load
- pictures and a page of them: glassnet.plots, glassnet.plots.report
- errors: GlassnetError with InputError, InputTypeError, EngineError, FileError and GradientError;
  warnings: GlassnetWarning with DivergenceWarning, InterruptedTrainingWarning, StalledTrainingWarning and
  PreprocessingWarning

Standardize inputs first; `train` says how. The command line is ``glassnet --help``.
"""

import importlib
from typing import TYPE_CHECKING, Any

from glassnet._version import __version__ as __version__
from glassnet.data.dataset import stream
from glassnet.data.tables import Table, read_table
from glassnet.data.tables.columns import ColumnTable
from glassnet.data.tables.prepare import PreparedTable, prepare_table
from glassnet.diagnostics.curvature import Curvature, CurvatureTrace, curvature
from glassnet.diagnostics.gradient_check import check_gradients
from glassnet.diagnostics.gradient_report import GradientCheck
from glassnet.engine.full_batch import Problem
from glassnet.engine.prepare import loss_and_gradient, prepare
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
    PreprocessingWarning,
    StalledTrainingWarning,
)
from glassnet.model_selection import SweepResult, sweep
from glassnet.model_selection.time_folds import PurgedKFold, WalkForward
from glassnet.nn.activations import ACTIVATIONS, Activation
from glassnet.nn.losses import LOSSES, OUTPUTS, Loss, Output
from glassnet.nn.network import Network, Parameters
from glassnet.optim import (
    OPTIMIZERS,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    AMSGrad,
    Lion,
    Nadam,
    Optimizer,
    RMSprop,
)
from glassnet.optim.penalties import Penalties
from glassnet.optim.schedules import (
    SCHEDULES,
    Adaptive,
    Constant,
    Cosine,
    Exponential,
    InverseScaling,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
    Step,
    WarmUp,
)
from glassnet.training.callbacks import Callback, Every
from glassnet.training.checkpoints import load, save
from glassnet.training.early_stopping import EarlyStopping
from glassnet.training.run import TrainingRun
from glassnet.training.steppers import (
    LBFGS,
    SOLVERS,
    BayesianRegularization,
    Evidence,
    LevenbergMarquardt,
    NewtonCG,
    Solver,
    SolverHistory,
)
from glassnet.training.train import train

if TYPE_CHECKING:
    from glassnet.sklearn import MLPClassifier, MLPRegressor
    from glassnet.sklearn.displays import HiddenProjectionDisplay, LossCurveDisplay, NetworkDiagramDisplay
    from glassnet.sklearn.ensembles import Ensemble

__all__ = [
    "ACTIVATIONS",
    "LBFGS",
    "LOSSES",
    "OPTIMIZERS",
    "OUTPUTS",
    "SCHEDULES",
    "SGD",
    "SOLVERS",
    "AMSGrad",
    "Activation",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adaptive",
    "BayesianRegularization",
    "Callback",
    "ColumnTable",
    "Constant",
    "Cosine",
    "Curvature",
    "CurvatureTrace",
    "DivergenceWarning",
    "EarlyStopping",
    "EngineError",
    "Ensemble",
    "Every",
    "Evidence",
    "Exponential",
    "FileError",
    "GlassnetError",
    "GlassnetWarning",
    "GradientCheck",
    "GradientError",
    "HiddenProjectionDisplay",
    "InputError",
    "InputTypeError",
    "InterruptedTrainingWarning",
    "InverseScaling",
    "LevenbergMarquardt",
    "Lion",
    "Loss",
    "LossCurveDisplay",
    "MLPClassifier",
    "MLPRegressor",
    "Nadam",
    "Network",
    "NetworkDiagramDisplay",
    "NewtonCG",
    "OneCycle",
    "Optimizer",
    "Output",
    "Parameters",
    "Penalties",
    "PreparedTable",
    "PreprocessingWarning",
    "Problem",
    "PurgedKFold",
    "RMSprop",
    "ReduceOnPlateau",
    "Schedule",
    "Solver",
    "SolverHistory",
    "StalledTrainingWarning",
    "Step",
    "SweepResult",
    "Table",
    "TrainingRun",
    "WalkForward",
    "WarmUp",
    "check_gradients",
    "curvature",
    "load",
    "loss_and_gradient",
    "prepare",
    "prepare_table",
    "read_table",
    "save",
    "stream",
    "sweep",
    "train",
]

# Modules that are heavy to import wait until somebody uses them.
_LAZY_MODULES = {
    "losses": "glassnet.nn.losses",
    "plots": "glassnet.plots",
    "report": "glassnet.plots.report",
}
_LAZY_CLASSES = {
    "Ensemble": "glassnet.sklearn.ensembles",
    "HiddenProjectionDisplay": "glassnet.sklearn.displays",
    "LossCurveDisplay": "glassnet.sklearn.displays",
    "MLPClassifier": "glassnet.sklearn",
    "MLPRegressor": "glassnet.sklearn",
    "NetworkDiagramDisplay": "glassnet.sklearn.displays",
}


def __dir__() -> list[str]:
    return sorted({*__all__, *_LAZY_MODULES, "__version__", "__doc__", "__name__", "__path__"})


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES:
        return importlib.import_module(_LAZY_MODULES[name])
    if name in _LAZY_CLASSES:
        return getattr(importlib.import_module(_LAZY_CLASSES[name]), name)
    raise AttributeError(f"module 'glassnet' has no attribute {name!r}")
