"""The run of a fitted estimator: its network in the form that files, pictures and ensembles take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from glassnet.data.checks import choose_engine
from glassnet.data.encoding import Encoding
from glassnet.data.standardization import standardizing_preprocessing
from glassnet.errors import InputError
from glassnet.optim.penalties import Penalties
from glassnet.sklearn.labels import MULTILABEL
from glassnet.sklearn.steppers import SOLVERS_BY_NAME, optimizer_of
from glassnet.training.run import TrainingRun
from glassnet.training.state import state_at_rest
from glassnet.training.steppers import Rule, Solver, rule_from_dict


def as_run(estimator: Any) -> TrainingRun:
    """See `BaseMLP.to_run`."""
    network, theta = estimator._fitted()
    known = vars(estimator)
    classes = known.get("classes_")
    if isinstance(classes, list):
        raise InputError(
            "y had several columns of classes, and a run has one list of classes: keep the estimator with "
            "skops, pickle or joblib."
        )
    if known.get("imputer_") is not None:
        raise InputError(
            "Missing values are filled in before the network, which a run does not do: keep the estimator "
            "with skops, pickle or joblib."
        )
    labels = None if classes is None else tuple(np.asarray(classes).tolist())
    if labels is not None and [*map(repr, labels)] == [*map(repr, range(len(labels)))]:
        labels = None  # they are class numbers
    extra: dict[str, Any] = {}
    if (columns := known.get("_preprocessing")) is not None:
        if classes is not None and estimator._labels.kind == MULTILABEL:
            raise InputError(
                "A run of a table has one column of classes, and y had a column for each label: keep the "
                "estimator with skops, pickle or joblib."
            )
        task = "regression" if classes is None else "classification"
        plain = None if classes is None else tuple(classes.tolist())
        extra = {"preprocessing": replace(columns, task=task, classes=plain).to_dict()}
    if known.get("mean_") is not None:
        document = standardizing_preprocessing(network, estimator.mean_, estimator.scale_)
        extra = {"preprocessing": document}
    rule, theta = _rule_of(estimator), theta.copy()
    engine, reason = choose_engine(network, "auto")
    return TrainingRun(
        network=network,
        optimizer=rule,
        parameters=theta,
        state=state_at_rest(rule, theta.flat),
        losses=np.array(known.get("loss_curve_", [known.get("loss_", np.nan)]), float),
        reduction="mean",
        status="completed",
        diverged_at=None,
        seconds=0.0,
        engine=engine,
        engine_reason=reason,
        threads=1,
        extra=extra,
        penalties=Penalties(*known.get("_penalties", ())),
        dropout=(0.0,) * len(network.hidden),
        encoding=Encoding(None, labels, network.sizes[-1] == 1, known.get("_constant", {})),
    )


def _rule_of(estimator: Any) -> Rule:
    if estimator.optimizer is not None:
        return optimizer_of(estimator)
    solver = estimator.solver
    if isinstance(solver, Solver):
        return solver
    if solver in SOLVERS_BY_NAME:
        return SOLVERS_BY_NAME[solver]()
    rate = {} if solver == "lbfgs" else {"learning_rate": estimator.learning_rate_init}
    return rule_from_dict({"name": solver, **rate})
