"""Commands that look at a session and change nothing that is learned."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from glassnet.diagnostics.curvature import curvature
from glassnet.lab.commands.schema import Field, many, number, question
from glassnet.lab.frame import finite, finites
from glassnet.lab.lessons.lesson import CONTROLS, read_title, shipped
from glassnet.lab.showing import training_rows
from glassnet.lab.sources import sets
from glassnet.lab.study import MOST_LAYERS, MOST_UNITS
from glassnet.nn.activations import ACTIVATIONS
from glassnet.nn.schemes import SCHEMES
from glassnet.optim.schedules import SCHEDULES
from glassnet.plots.picture_data import chosen_samples
from glassnet.training.early_stopping import METRICS
from glassnet.training.settings import AUTO
from glassnet.training.steppers import RULES, SOLVERS, Rule

if TYPE_CHECKING:
    from glassnet.lab.session import Session

_FAR = 1e12
MOST_CURVED, ROWS_CURVED = 1_000, 2_000
"""Parameters, and samples, up to which the curvature is computed for a page."""


@question()
def setup(session: Session) -> dict[str, Any]:
    """The data, the network, the settings and the branches, as a page shows them."""
    return session.setup()


@question()
def samples(session: Session) -> dict[str, Any]:
    """The samples that the page draws, with where they lie and which are held out."""
    moment = session.moment()
    return moment.scene.samples(moment.run)


@question(place=Field(many(number(-_FAR, _FAR), 2)))
def value_at(session: Session, place: list[float]) -> dict[str, Any]:
    """The exact outputs of every layer at a place of the picture."""
    moment = session.moment()
    row = moment.scene.lifted(place)
    layers = moment.run.forward(row)
    return {
        "iteration": moment.run.iterations,
        "inputs": row[0].tolist(),
        "layers": [finites(layer[0]) for layer in layers],
    }


@question()
def catalog(session: Session) -> dict[str, Any]:
    """All that can be chosen: optimizers and solvers with their settings, activations, sets with theirs."""
    rules = {
        name: {"solver": name in SOLVERS, "settings": _defaults(kind())} for name, kind in RULES.items()
    }
    return {
        "optimizers": rules,
        "schedules": {
            name: {one.name: None if one.default is MISSING else one.default for one in fields(kind)}
            for name, kind in SCHEDULES.items()
        },
        "activations": list(ACTIVATIONS),
        "metrics": list(METRICS),
        "schemes": [AUTO, *SCHEMES],
        "sets": sets(),
        "lessons": {name: read_title(text) for name, text in shipped().items()},
        "controls": list(CONTROLS),
        "most": {"layers": MOST_LAYERS, "units": MOST_UNITS},
    }


def _defaults(rule: Rule) -> dict[str, Any]:
    """The settings of a rule that are numbers or truth values, each with its default."""
    values = rule.settings().items()
    return {name: value for name, value in values if isinstance(value, (bool, int, float))}


@question()
def limit(session: Session) -> dict[str, Any]:
    """The learning rate above which gradient descent is not stable here, 2 (1 + momentum) / lambda_max.

    The curvature is that of all samples, or of 2,000 of them where there are more.
    """
    moment = session.moment()
    run, rule = moment.run, moment.newest.optimizer
    if rule.name != "sgd" or run.network.n_parameters > MOST_CURVED:
        return {"limit": None}
    X, y = training_rows(run, moment.study)
    factor = 1.0
    if len(X) > ROWS_CURVED:
        rows = chosen_samples(len(X), ROWS_CURVED)
        factor = len(X) / len(rows) if run.reduction == "sum" else 1.0
        X, y = X[rows], y[rows]
    kept = run.penalties
    here = curvature(
        run.network,
        run.theta,
        X,
        y,
        reduction=run.reduction,
        class_weight=run.class_weight,
        l2=kept.l2 / factor,
        threads=1,
    )
    high = here.lambda_max * factor
    momentum = float(getattr(rule, "momentum", 0.0))
    return {
        "iteration": run.iterations,
        "lambda_max": finite(high),
        "limit": finite(2 * (1 + momentum) / high) if high > 0 else None,
    }
