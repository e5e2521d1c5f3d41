"""The settings of the stopping rule, which `validation.Evaluator` applies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.nn.network import Network
from glassnet.optim.schedules import Adaptive
from glassnet.utils.settings_checks import (
    Settings,
    as_flag,
    as_not_negative,
    as_steps,
    checked,
    one_of,
    or_none,
)

Metric = Callable[..., float]
"""A function of the targets and the predictions."""

METRICS: Mapping[str, str] = {"loss": "min", "accuracy": "max"}
"""The metrics that have a name, with the mode whose values are best."""


def metric_name(metric: str | Metric) -> str:
    """The name of a metric, a function's own where it is one."""
    return metric if isinstance(metric, str) else str(getattr(metric, "__name__", type(metric).__name__))


@dataclass(frozen=True)
class MissingMetric:
    """Stands for a function of its author's own in a run that was loaded without it."""

    name: str

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, *_: object, **__: object) -> float:
        raise _without_functions([self.name])


def require_functions(metrics: Iterable[object]) -> None:
    """Raise InputError where a run was loaded without functions that it measures."""
    if names := [metric.name for metric in metrics if isinstance(metric, MissingMetric)]:
        raise _without_functions(names)


def _without_functions(names: list[str]) -> InputError:
    functions = ", ".join(["function"] * len(names))
    return InputError(
        f"This run was trained with metrics of its author's own, which a file cannot hold: "
        f"{' and '.join(map(repr, names))}. It predicts without. To resume it, give a function for each, "
        f"whose __name__ is that name: gn.load(path, metrics=[{functions}])."
    )


def metric_value(metric: Metric, name: str, *arguments: object, **others: object) -> float:
    """The value of a user's metric, which must be a number."""
    value: Any = metric(*arguments, **others)
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise InputTypeError(f"The metric {name} returned {value!r}; expected a number.") from error


MODES = ("min", "max")
RESPONSES = ("predict", "predict_proba")


def _as_metric(value: object, name: str) -> str | Metric:
    if callable(value):
        return value
    if not isinstance(value, str):
        raise InputTypeError(f"{name} is a name or a function of targets and predictions, not {value!r}.")
    if value not in METRICS:
        known = [metric for metric in METRICS if name != "metrics" or metric != "loss"]
        raise InputError(
            f"{unknown_name(name, value, known)} Or give a function of y and predictions, such as "
            f"{name}=sklearn.metrics.r2_score, or {name}=lambda y, predictions: abs(y - predictions).max()."
        )
    return value


@dataclass(frozen=True, repr=False)
class EarlyStopping(Settings):
    """Ends training where a metric of the validation data has not improved for a while.

    An evaluation improves on the best one before it where the metric is better by more than `tolerance`.
    After `patience` evaluations in a row that do not improve, training ends with status "stopped".

    Parameters
    ----------
    patience : 1 or more; None never ends training, and keeps the best parameters all the same.
    tolerance : from 0 up, in the metric's own unit.
    metric : "loss", the validation loss, or the training loss where there are no validation data;
        "accuracy", the share of the samples predicted right in every output; or a function of the
        targets and the predictions, such as ``sklearn.metrics.f1_score``. It gets class numbers (n,)
        where y has them, else rows.
    restore_best : whether the run ends with the parameters of its best evaluation, whatever ended it.
    mode : "min" or "max", which of a function's values is best; a name has its own.
    response : "predict" or "predict_proba", what predictions a function gets.

    Raises InputError for settings out of range and for a function without a mode.

    Example
    -------
    >>> import numpy as np, glassnet as gn
    >>> random = np.random.RandomState(0)
    >>> X, y = random.randn(60, 2), random.randint(0, 2, 60)
    >>> run = gn.train(gn.Network((2, 8, 2)), X[:40], y[:40], validation=(X[40:], y[40:]),
    ...                stopping=gn.EarlyStopping(patience=5), random_state=0)
    >>> run.status, run.iterations - run.best_iteration
    ('stopped', 5)

    Prechelt (1998), "Early stopping - but when?". scikit-learn's ``early_stopping=True`` watches the
    accuracy, or R2, of a tenth of the data, counts an evaluation that improves by just its tol as one
    that does, and stops after one more without. Keras measures improvements from the last one that
    was large enough; here, as in scikit-learn, it is from the best, so that many small ones end training.
    """

    patience: int | None = field(default=10, metadata=checked(or_none(as_steps)))
    tolerance: float = field(default=0.0, metadata=checked(as_not_negative))
    metric: str | Metric = field(default="loss", metadata=checked(_as_metric))
    restore_best: bool = field(default=True, metadata=checked(as_flag))
    mode: str | None = field(default=None, kw_only=True, metadata=checked(or_none(one_of(MODES))))
    response: str = field(default="predict", kw_only=True, metadata=checked(one_of(RESPONSES)))

    def __post_init__(self) -> None:
        super().__post_init__()
        named = METRICS.get(self.metric) if isinstance(self.metric, str) else None
        if named is None and self.mode is None:
            raise InputError(
                f'EarlyStopping watches {self.metric_name} and needs mode="min" or mode="max": which of '
                f"its values is best."
            )
        if named is not None and self.mode not in (None, named):
            raise InputError(
                f'The best {self.metric} is its {named}imum: leave mode out, or use mode="{named}".'
            )

    @property
    def metric_name(self) -> str:
        """The metric's name, a function's own where it is one."""
        return metric_name(self.metric)

    @property
    def sign(self) -> float:
        """1 where a smaller value is better, else -1."""
        mode = METRICS[self.metric] if isinstance(self.metric, str) else self.mode
        return 1.0 if mode == "min" else -1.0

    def reason_to_end(self, best: float, waited: int) -> str:
        """Why training ends here, as ``run.reason`` says it; "" where it goes on.

        `best` is the metric's best value so far, `waited` the evaluations in a row that did not improve.
        """
        if self.patience is None or waited < self.patience:
            return ""
        count = f"{self.patience} evaluation{'s' if self.patience != 1 else ''}"
        return f"{self.metric_name} has not improved for {count}"


def check_schedule(rule: object, validated: bool) -> None:
    """Raise InputError where a learning rate watches validation data that there are not."""
    schedule = getattr(rule, "learning_rate", None)
    if isinstance(schedule, Adaptive) and schedule.watches == "validation" and not validated:
        raise InputError(
            f"{type(schedule).__name__} watches the validation loss, and there are no validation data: "
            f"give some, such as validation=0.1, or use gn.Adaptive, which watches the training loss."
        )


def as_metrics(value: Any, name: str) -> tuple[str | Metric, ...]:
    """One metric or several, as a tuple: "accuracy", or functions of targets and predictions."""
    several = [value] if isinstance(value, str) or callable(value) else value
    if not isinstance(several, (list, tuple)):
        raise InputTypeError(f"{name} is a metric or a list of them, not {value!r}.")
    metrics = tuple(_as_metric(metric, name) for metric in several)
    names = [metric_name(metric) for metric in metrics]
    if "loss" in names:
        raise InputError(f"{name} has the loss, which run.validation_losses are anyway: leave it out.")
    if len({*names}) < len(names):
        raise InputError(f"{name} has two metrics of one name, {names}; expected names that differ.")
    return metrics


def check_metrics(metrics: Any, validated: bool, network: Network | None = None) -> None:
    """Raise InputError where metrics ask for data, or for predictions, that there are not."""
    if metrics and not validated:
        raise InputError(
            "metrics are measured on validation data: give some, such as validation=0.1, or (X, y) itself."
        )
    if network is not None and "accuracy" in metrics and network.loss.target not in ("class", "label"):
        raise InputError(
            f"accuracy is of classes, but a network with output {network.output.name!r} predicts values: "
            f"use a function of targets and predictions, such as sklearn.metrics.r2_score."
        )


def check_stopping(
    stopping: object, validated: bool = True, network: Network | None = None
) -> EarlyStopping | None:
    """`stopping`; InputError where its metric asks for data, or for predictions, that there are not."""
    if stopping is None:
        return None
    if not isinstance(stopping, EarlyStopping):
        raise InputTypeError(f"stopping is a glassnet.EarlyStopping, not {stopping!r}.")
    if not validated and stopping.metric != "loss":
        raise InputError(
            f"EarlyStopping watches {stopping.metric_name}, which is measured on validation data: give "
            f"some, such as validation=0.1, or watch the loss."
        )
    if network is None or network.loss.target in ("class", "label"):
        return stopping
    probabilities = callable(stopping.metric) and stopping.response == "predict_proba"
    if stopping.metric == "accuracy" or probabilities:
        raise InputError(
            f"EarlyStopping asks for {'probabilities' if probabilities else 'accuracy'}, but a network "
            f"with output {network.output.name!r} predicts values: watch the loss, or a function of "
            f"predictions."
        )
    return stopping
