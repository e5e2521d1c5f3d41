"""The estimator that a display draws: one of glassnet's, alone or at the end of a pipeline."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from glassnet.errors import InputError, InputTypeError
from glassnet.plots.picture_data import Targets, as_rows
from glassnet.plots.projection import as_names
from glassnet.sklearn import MLPClassifier, MLPRegressor
from glassnet.utils.libraries import require
from glassnet.utils.words import tidy


@dataclass(frozen=True)
class Subject:
    """A fitted estimator of glassnet, and the steps of a pipeline before it."""

    model: Any
    before: tuple[Any, ...] = ()

    def transform(self, X: Any) -> Any:
        """X as the estimator itself gets it."""
        for step in self.before:
            X = step.transform(X)
        return X

    def feature_names(self, names: object = None) -> tuple[str, ...]:
        """The estimator's inputs: `names`, those it was fitted with, or scikit-learn's x0, x1, ..."""
        width = self.model.coefs_[0].shape[0]
        if names is None:
            known = vars(self.model)
            names = self.model.input_names_ if "_preprocessing" in known else known.get("feature_names_in_")
        if names is None and self.before:
            try:
                for step in self.before:  # the first knows what it was fitted with
                    names = step.get_feature_names_out(names)
            except (AttributeError, ValueError):  # a step that names nothing
                names = None
        return as_names(names, width, "feature_names", [f"x{i}" for i in range(width)])

    def output_names(self, names: object = None) -> tuple[str, ...]:
        """What each unit of the output layer stands for; `names` are a classifier's classes."""
        model = self.model
        count = model.coefs_[-1].shape[1]
        if isinstance(model, MLPRegressor):
            defaults = ["y"] if count == 1 else [f"y{i}" for i in range(count)]
            return as_names(names, count, "class_names", defaults)
        if isinstance(model.classes_, list):
            defaults = [f"{k}: {name}" for k, classes in enumerate(model.classes_) for name in classes]
        elif count == 1 and len(model.classes_) == 2:
            names = as_names(names, 2, "class_names", [str(name) for name in model.classes_])[1:]
            names, defaults = [f"P({names[0]})"], []
        elif count == 1:  # of one class alone the output is the probability of any other
            names = as_names(names, 1, "class_names", [str(model.classes_[0])])
            names, defaults = [f"P(not {names[0]})"], []
        else:
            label = "label {}" if self.is_multilabel else "{}"
            defaults = [label.format(name) for name in model.classes_]
        return as_names(names, count, "class_names", defaults)

    @property
    def is_multilabel(self) -> bool:
        """Whether y has a column of 0 and 1 for each output."""
        model = self.model
        several = isinstance(model, MLPClassifier) and not isinstance(model.classes_, list)
        return several and model.out_activation_ == "logistic" and model.coefs_[-1].shape[1] > 1

    def targets(self, y: Any, n: int, output: int, names: object = None) -> Targets:
        """y as class numbers or values; of several columns the one numbered `output`.

        Raises InputError for another number of rows, a column that y lacks, or a class that was not
        learned.
        """
        values = as_rows(y, n)
        columns = 1 if values.ndim == 1 else values.shape[1]
        if not 0 <= output < columns:
            raise InputError(f"output is {output}; y's columns go from 0 to {columns - 1}.")
        column = values.reshape(n, columns)[:, output]
        if isinstance(self.model, MLPRegressor):
            return Targets(column.astype(np.float64), self.output_names(names)[output : output + 1], False)
        if self.is_multilabel:
            label = self.output_names(names)[output]
            return Targets((column != 0).astype(np.intp), (f"not {label}", label), True)
        classes = self.model.classes_
        classes = classes[output] if isinstance(classes, list) else classes
        texts = as_names(names, len(classes), "class_names", [str(name) for name in classes])
        return Targets(_numbers(classes, column), texts, True)


def find_subject(estimator: Any, display: str) -> Subject:
    """The estimator that `display` draws.

    Raises InputTypeError for an estimator of another library, and NotFittedError before `fit`.
    """
    before: list[Any] = []
    model = estimator
    while isinstance(model, Pipeline):
        before += [step for _, step in model.steps[:-1] if step not in (None, "passthrough")]
        model = model.steps[-1][1]
    if not isinstance(model, (MLPClassifier, MLPRegressor)):
        raise InputTypeError(
            f"{display} draws a fitted MLPClassifier or MLPRegressor of glassnet, or a Pipeline that ends "
            f"with one; got {_what_came(estimator, model)}."
        )
    check_is_fitted(model)
    return Subject(model, tuple(before))


def _what_came(estimator: Any, model: Any) -> str:
    """What was given instead, and how to mend it."""
    if inspect.isclass(model):
        return f"the class {model.__name__}: make an instance and fit it"
    name = type(model).__name__
    where = (
        f"a Pipeline that ends with {name}" if model is not estimator else f"{name} ({tidy(repr(model))})"
    )
    if hasattr(model, "best_estimator_"):
        return f"{where}: pass its best_estimator_"
    if hasattr(model, "estimator") and hasattr(model, "fit"):
        return f"{where}: pass one of the estimators that it has fitted"
    if isinstance(model, (TheirClassifier, TheirRegressor)):
        return f"scikit-learn's {name}: import it from glassnet"
    return where


def _numbers(classes: NDArray[Any], y: NDArray[Any]) -> NDArray[np.intp]:
    known = set(classes.tolist())
    unknown = [label for label in dict.fromkeys(y.tolist()) if label not in known]
    if unknown:
        raise InputError(f"y has classes that the estimator was not fitted with: {unknown[:5]}.")
    return np.searchsorted(classes, y)


def axes_or_new(ax: Any, width: float, height: float, solid: bool = False) -> Any:
    """`ax`, or the axes of a new figure of pyplot, which ``plt.show()`` shows."""
    if ax is not None:
        return ax
    plt = require("matplotlib.pyplot")
    figure = plt.figure(figsize=(width, height), layout="constrained")
    return figure.add_subplot(projection="3d" if solid else None)
