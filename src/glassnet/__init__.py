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
- training: train, TrainingRun, EarlyStopping, Callback, Every, Penalties; a run that can be wound back,
  branched and compared: Tape
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
- any number of a network with its formula and its check: explain, Explanation
- the curvature of the loss at a point and along a run: curvature, Curvature, CurvatureTrace
- why a run does not learn, and what helps: diagnose, which gives a Diagnosis
- many networks at once: sweep, SweepResult
- folds of rows in the order of time, for scikit-learn too: WalkForward, PurgedKFold
- scikit-learn's classes: MLPClassifier, MLPRegressor; its displays of them: LossCurveDisplay,
  HiddenProjectionDisplay, NetworkDiagramDisplay
- the mean of many networks, with their spread: Ensemble
- files: save, load
- networks in other languages, proven to compute the same: export, verify_export
- networks from elsewhere: from_torch, from_keras, from_sklearn and from_onnx, which give an Imported
- the live lab, where a network learns before your eyes: lab
- pictures and a page of them: glassnet.plots, glassnet.plots.report
- errors: GlassnetError with InputError, InputTypeError, EngineError, FileError,
  MissingLibraryError and GradientError;
  warnings: GlassnetWarning with DivergenceWarning, InterruptedTrainingWarning, StalledTrainingWarning,
  PreprocessingWarning and CheckpointWarning

Standardize inputs first; `train` says how. The command line is ``glassnet --help``.
"""

import importlib
from typing import TYPE_CHECKING, Any

from glassnet._version import __version__ as __version__
from glassnet.errors import (
    CheckpointWarning,
    DivergenceWarning,
    EngineError,
    FileError,
    GlassnetError,
    GlassnetWarning,
    GradientError,
    InputError,
    InputTypeError,
    InterruptedTrainingWarning,
    MissingLibraryError,
    PreprocessingWarning,
    StalledTrainingWarning,
)

if TYPE_CHECKING:
    from glassnet.data.dataset import stream
    from glassnet.data.tables import Table, read_table
    from glassnet.data.tables.columns import ColumnTable
    from glassnet.data.tables.prepare import PreparedTable, prepare_table
    from glassnet.diagnostics.curvature import Curvature, CurvatureTrace, curvature
    from glassnet.diagnostics.diagnosis import Diagnosis, diagnose
    from glassnet.diagnostics.explain import Explanation, explain
    from glassnet.diagnostics.gradient_check import check_gradients
    from glassnet.diagnostics.gradient_report import GradientCheck
    from glassnet.engine.full_batch import Problem
    from glassnet.engine.prepare import loss_and_gradient, prepare
    from glassnet.export.exporting import export, verify_export
    from glassnet.export.importing.imported import Imported
    from glassnet.export.importing.keras_models import from_keras
    from glassnet.export.importing.onnx_files import from_onnx
    from glassnet.export.importing.scikit_learn import from_sklearn
    from glassnet.export.importing.torch_modules import from_torch
    from glassnet.lab.opening import lab
    from glassnet.model_selection.results import SweepResult
    from glassnet.model_selection.sweep import sweep
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
    from glassnet.sklearn import MLPClassifier, MLPRegressor
    from glassnet.sklearn.displays import HiddenProjectionDisplay, LossCurveDisplay, NetworkDiagramDisplay
    from glassnet.sklearn.ensembles import Ensemble
    from glassnet.training.callbacks import Callback, Every
    from glassnet.training.early_stopping import EarlyStopping
    from glassnet.training.files.loading import load
    from glassnet.training.files.writing import save
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
    from glassnet.training.tape.tape import Tape
    from glassnet.training.train import train

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
    "CheckpointWarning",
    "ColumnTable",
    "Constant",
    "Cosine",
    "Curvature",
    "CurvatureTrace",
    "Diagnosis",
    "DivergenceWarning",
    "EarlyStopping",
    "EngineError",
    "Ensemble",
    "Every",
    "Evidence",
    "Explanation",
    "Exponential",
    "FileError",
    "GlassnetError",
    "GlassnetWarning",
    "GradientCheck",
    "GradientError",
    "HiddenProjectionDisplay",
    "Imported",
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
    "MissingLibraryError",
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
    "Tape",
    "TrainingRun",
    "WalkForward",
    "WarmUp",
    "check_gradients",
    "curvature",
    "diagnose",
    "explain",
    "export",
    "from_keras",
    "from_onnx",
    "from_sklearn",
    "from_torch",
    "lab",
    "load",
    "loss_and_gradient",
    "prepare",
    "prepare_table",
    "read_table",
    "save",
    "stream",
    "sweep",
    "train",
    "verify_export",
]

# The command line answers before all of the library is imported; many a part is used alone.
_HOMES = {
    "glassnet.data.dataset": "stream",
    "glassnet.data.tables": "Table read_table",
    "glassnet.data.tables.columns": "ColumnTable",
    "glassnet.data.tables.prepare": "PreparedTable prepare_table",
    "glassnet.diagnostics.curvature": "Curvature CurvatureTrace curvature",
    "glassnet.diagnostics.diagnosis": "Diagnosis diagnose",
    "glassnet.diagnostics.explain": "Explanation explain",
    "glassnet.diagnostics.gradient_check": "check_gradients",
    "glassnet.diagnostics.gradient_report": "GradientCheck",
    "glassnet.engine.full_batch": "Problem",
    "glassnet.engine.prepare": "loss_and_gradient prepare",
    "glassnet.export.exporting": "verify_export",
    "glassnet.export.importing.imported": "Imported",
    "glassnet.export.importing.keras_models": "from_keras",
    "glassnet.export.importing.onnx_files": "from_onnx",
    "glassnet.export.importing.scikit_learn": "from_sklearn",
    "glassnet.export.importing.torch_modules": "from_torch",
    "glassnet.model_selection.results": "SweepResult",
    "glassnet.model_selection.sweep": "sweep",
    "glassnet.model_selection.time_folds": "PurgedKFold WalkForward",
    "glassnet.nn.activations": "ACTIVATIONS Activation",
    "glassnet.nn.losses": "LOSSES OUTPUTS Loss Output",
    "glassnet.nn.network": "Network Parameters",
    "glassnet.optim": "OPTIMIZERS SGD Adadelta Adagrad Adam AdamW AMSGrad Lion Nadam Optimizer RMSprop",
    "glassnet.optim.penalties": "Penalties",
    "glassnet.optim.schedules": "SCHEDULES Adaptive Constant Cosine Exponential InverseScaling OneCycle "
    "ReduceOnPlateau Schedule Step WarmUp",
    "glassnet.sklearn": "MLPClassifier MLPRegressor",
    "glassnet.sklearn.displays": "HiddenProjectionDisplay LossCurveDisplay NetworkDiagramDisplay",
    "glassnet.sklearn.ensembles": "Ensemble",
    "glassnet.training.callbacks": "Callback Every",
    "glassnet.training.files.loading": "load",
    "glassnet.training.files.writing": "save",
    "glassnet.training.early_stopping": "EarlyStopping",
    "glassnet.training.run": "TrainingRun",
    "glassnet.training.steppers": "LBFGS SOLVERS BayesianRegularization Evidence LevenbergMarquardt "
    "NewtonCG Solver SolverHistory",
    "glassnet.training.tape.tape": "Tape",
    "glassnet.training.train": "train",
}
"""The public names by the module that they come from, where it is imported when somebody asks for one."""

_MODULES = {
    "losses": "glassnet.nn.losses",
    "report": "glassnet.plots.report",
    **{name: f"glassnet.{name}" for name in ("data", "diagnostics", "engine", "export", "lab", "native")},
    **{
        name: f"glassnet.{name}"
        for name in ("model_selection", "nn", "optim", "plots", "training", "utils")
    },
}
_PLACES = {name: module for module, names in _HOMES.items() for name in names.split()}


def __dir__() -> list[str]:
    return sorted({*__all__, "losses", "plots", "report", "__version__", "__doc__", "__name__", "__path__"})


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name not in _PLACES:
        raise AttributeError(f"module 'glassnet' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_PLACES[name]), name)
    return value
