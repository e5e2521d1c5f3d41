"""The rules that advance a run, by name: optimizers, and solvers, which look around before each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.nn.network import Network
from glassnet.optim import OPTIMIZERS, Optimizer
from glassnet.optim.penalties import Penalties
from glassnet.optim.schedules import schedule_from_dict
from glassnet.training.steppers.bayesian_regularization import BayesianRegularization, Evidence
from glassnet.training.steppers.lbfgs import LBFGS
from glassnet.training.steppers.levenberg_marquardt import LevenbergMarquardt
from glassnet.training.steppers.newton_cg import NewtonCG
from glassnet.training.steppers.solver import (
    Solver,
    SolverHistory,
    SolverState,
    SolverStepper,
    Start,
    StopReason,
)
from glassnet.utils.settings_checks import settings_from_dict

__all__ = [
    "LBFGS",
    "RULES",
    "SOLVERS",
    "BayesianRegularization",
    "Evidence",
    "LevenbergMarquardt",
    "NewtonCG",
    "Rule",
    "Solver",
    "SolverHistory",
    "SolverState",
    "SolverStepper",
    "Start",
    "StopReason",
    "check_fits",
    "check_rule",
    "rule_class",
    "rule_from_dict",
]

Rule = Optimizer | Solver
"""What `train` takes as its optimizer."""

SOLVERS: dict[str, type[Solver]] = {
    kind.name: kind for kind in (LBFGS, LevenbergMarquardt, BayesianRegularization, NewtonCG)
}
"""Every solver's class by name."""


RULES: dict[str, type[Optimizer] | type[Solver]] = {**OPTIMIZERS, **SOLVERS}
"""Every optimizer's and solver's class by name."""

_SHORT = {"lm": LevenbergMarquardt.name}  # which the estimators' ``solver`` takes


def rule_class(name: object) -> type[Optimizer] | type[Solver] | None:
    """The class of an optimizer or solver by its name, or a short one such as "lm"; None for any other."""
    return RULES.get(_SHORT.get(name, name)) if isinstance(name, str) else None


def check_rule(rule: object) -> Rule:
    """The optimizer or solver itself, or the one of that name with its defaults.

    Raises InputError for an unknown name, InputTypeError for anything else, with what was probably meant.
    """
    if isinstance(rule, str):
        kind = rule_class(rule)
        if kind is None:
            raise unknown_name("optimizer", rule, RULES)
        return kind()
    if isinstance(rule, (Optimizer, Solver)):
        if RULES.get(rule.name) is not type(rule):
            # The native engine and files know a rule by its name, and would take ours for the user's.
            raise InputTypeError(
                f"optimizer is one of {', '.join(kind.__name__ for kind in RULES.values())}, not "
                f"{type(rule).__name__}, a rule of your own: call it in a loop of your own, with "
                f"gn.prepare(network, X, y).loss_and_gradient."
            )
        return rule
    hint = f" Use gn.{rule.__name__}()." if isinstance(rule, type) and rule in RULES.values() else ""
    raise InputTypeError(
        f"optimizer is a glassnet optimizer such as gn.SGD(learning_rate=0.1, momentum=0.9), or a solver "
        f"such as gn.LBFGS(), not {rule!r}.{hint}"
    )


def rule_from_dict(settings: Mapping[str, Any]) -> Rule:
    """The optimizer or solver that ``to_dict`` described; a missing setting takes its default.

    Raises InputError for a missing or unknown name, an unknown setting or a value out of range.

    >>> from glassnet.training.steppers import rule_from_dict
    >>> rule_from_dict({"name": "lbfgs", "memory": 5})
    LBFGS(memory=5)
    """
    example = '{"name": "sgd", "learning_rate": 0.1}'
    nested = {"learning_rate": schedule_from_dict}
    if isinstance(settings, Mapping) and (kind := rule_class(settings.get("name"))):
        settings = {**settings, "name": kind.name}
    return settings_from_dict(settings, RULES, "optimizer", "name", example, nested)


def check_fits(
    rule: Rule,
    network: Network,
    batch_size: int | None,
    penalties: Penalties,
    dropout: Sequence[float],
    average: float | None,
    freeze: Sequence[int] = (),
    memory: int | None = None,
) -> None:
    """Raise InputError where a solver cannot do what training asks for; optimizers can do all of it.

    `memory` is what reading may take of rows that are streamed.
    """
    if not isinstance(rule, Solver):
        return
    solver = f"gn.{type(rule).__name__}"
    for unfit, setting, reason in (
        (batch_size is not None, "batch_size", "compares losses, which batches change"),
        (any(dropout), "dropout", "compares losses, which masks change"),
        (penalties.l1 > 0, "l1", "needs a smooth loss, which |W| is not; l2 is"),
        (penalties.max_norm is not None, "max_norm", "would not see that a step was cut short"),
        (average is not None, "average", "makes few steps, and each lowers the loss: the last one is best"),
        (bool(freeze), "freeze", "solves for all parameters together"),
    ):
        if unfit:
            raise InputError(
                f"{solver} {reason}: leave {setting} out, or use an optimizer such as gn.Adam()."
            )
    rule.check(network, memory)
