"""The rules that advance a run, by name: optimizers, and solvers, which look around before each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from glassnet.errors import InputError, InputTypeError, nearest_name, unknown_name
from glassnet.nn.network import Network
from glassnet.optim import OPTIMIZERS, Optimizer, check_optimizer, optimizer_from_dict
from glassnet.optim.penalties import Penalties
from glassnet.training.steppers.bayesian_regularization import BayesianRegularization, Evidence
from glassnet.training.steppers.lbfgs import LBFGS
from glassnet.training.steppers.levenberg_marquardt import LevenbergMarquardt
from glassnet.training.steppers.newton_cg import NewtonCG
from glassnet.training.steppers.solver import Solver, SolverState, SolverStepper, Start, StopReason
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
    "SolverState",
    "SolverStepper",
    "Start",
    "StopReason",
    "check_fits",
    "check_rule",
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


def check_rule(optimizer: object) -> Rule:
    """`optimizer` itself where it is one of ours or a solver; else an InputTypeError."""
    if isinstance(optimizer, Solver) and SOLVERS.get(optimizer.name) is type(optimizer):
        return optimizer
    kind: Any = optimizer
    if isinstance(optimizer, str) and optimizer not in OPTIMIZERS:
        name = (
            "levenberg_marquardt"
            if optimizer.lower() in ("lm", "trainlm")
            else nearest_name(optimizer, RULES)
        )
        kind = SOLVERS.get(name or "")
    if isinstance(kind, type) and issubclass(kind, Solver):
        value = f"the class {kind.__name__}" if kind is optimizer else repr(optimizer)
        raise InputTypeError(
            f"optimizer is a glassnet optimizer or solver, not {value}. Use gn.{kind.__name__}()."
        )
    return check_optimizer(optimizer)


def rule_from_dict(settings: Mapping[str, Any]) -> Rule:
    """The optimizer or solver that ``to_dict`` described; raises as `optimizer_from_dict` does.

    >>> from glassnet.training.steppers import rule_from_dict
    >>> rule_from_dict({"name": "lbfgs", "memory": 5})
    LBFGS(memory=5)
    """
    name = settings.get("name") if isinstance(settings, Mapping) else None
    if name in SOLVERS:
        return settings_from_dict(settings, SOLVERS, "solver", "name", '{"name": "lbfgs"}', {})
    if name is not None and name not in RULES:
        raise unknown_name("optimizer", name, RULES)
    return optimizer_from_dict(settings)


def check_fits(
    rule: Rule,
    network: Network,
    batch_size: int | None,
    penalties: Penalties,
    dropout: Sequence[float],
    average: float | None,
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
    ):
        if unfit:
            raise InputError(
                f"{solver} {reason}: leave {setting} out, or use an optimizer such as gn.Adam()."
            )
    rule.check(network, memory)
