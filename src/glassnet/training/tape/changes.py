"""Changes in the course of training: how a run goes on with other settings, parameters or data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState

from glassnet.data.dataset import as_dataset
from glassnet.engine.minibatch import Batches
from glassnet.errors import InputError
from glassnet.nn.dropout import as_dropout, draw_seed
from glassnet.nn.network import Parameters, as_network
from glassnet.optim.penalties import Penalties
from glassnet.training.divergence import divergence_limit
from glassnet.training.other_names import refuse
from glassnet.training.run import TrainingRun, data_again, with_own_penalties
from glassnet.training.settings import CHECKS
from glassnet.training.state import RunData, masks_of, state_at_rest, with_data, with_rule
from glassnet.training.steppers import Rule, Solver, check_fits, check_rule
from glassnet.utils.array_checks import cast

OF_DATA = ("X", "y", "sample_weight")
OF_PROBLEM = ("l1", "l2", "max_norm", "dropout", "freeze", "class_weight", "batch_size", "network")
PREPARED = (*OF_PROBLEM, *OF_DATA)
"""Changes for which the data are made ready anew."""

CHANGES = ("optimizer", "parameters", *PREPARED)
"""What may change in the course of training, beside the settings of its optimizer."""


class Given(NamedTuple):
    """The data as the user gave them."""

    X: object
    y: object = None
    sample_weight: object = None
    validation: object = None
    engine: str = "auto"

    def prepared(self, run: TrainingRun, engine: str, *, same: bool = True) -> RunData:
        """The data made ready for the run by an engine; `same` held-out rows are required."""
        numbers = run.encoding.numbers(self.y)
        dataset = as_dataset(self.X, numbers, self.sample_weight, run.network.sizes[0])
        whole = self.validation if isinstance(self.validation, tuple) else None
        return data_again(run, dataset, whole, engine, run.threads, same=same)


def check_names(changes: Mapping[str, Any], rule: Rule, function: str) -> None:
    """Raise InputTypeError for what cannot change, with the nearest name.

    `rule` is the one before the changes, which may have another.
    """
    rule = check_rule(changes.get("optimizer", rule))
    known = (*CHANGES, *rule.settings())
    wrong = {name: value for name, value in changes.items() if name not in known}
    if wrong:
        refuse(function, wrong, known, rule)


def changed(run: TrainingRun, given: Given, changes: Mapping[str, Any]) -> TrainingRun:
    """The run, which has its data and is ready to go on, as it goes on with the changes.

    The optimizer keeps its state where it is of the same kind, and so do the count of updates, the order of
    samples and the masks; a solver begins anew where its loss is another one, and the mean of the
    parameters where these are others. On the full batch the last loss becomes that which the changes give.
    """
    checks = {name: CHECKS[name](value, name) for name, value in changes.items() if name in CHECKS}
    run = _with_problem(run, given, {**changes, **checks})
    rule = checks.get("optimizer", run.optimizer)
    settings = {name: value for name, value in changes.items() if name not in CHANGES}
    if settings:
        rule = replace(rule, **settings)
    if rule != run.optimizer or run.status == "diverged":
        run = with_rule(run, rule)
    _check_fits(run)
    return replace(run, status="running", diverged_at=None, finding="")


def value_of(run: TrainingRun, name: str) -> object:
    """What a setting, or the parameters, have changed to in the run that goes on with it."""
    for record in (run.penalties, run):
        if name in CHANGES and hasattr(record, name):
            return getattr(record, name)
    return run.optimizer.settings()[name]


def _check_fits(run: TrainingRun) -> None:
    assert run.data is not None
    limit = run.data.problem.memory_limit
    fit = run.batch_size, run.penalties, run.dropout, run.average, run.freeze
    check_fits(run.optimizer, run.network, *fit, limit)


def _with_problem(run: TrainingRun, given: Given, changes: Mapping[str, Any]) -> TrainingRun:
    """The run with the changes of its parameters, problem and data."""
    of_problem, of_data = changes.keys() & set(OF_PROBLEM), changes.keys() & set(OF_DATA)
    if "parameters" in changes:
        theta = run.network.check_parameters(changes["parameters"])
        theta = Parameters(theta.sizes, cast(theta.flat, run.dtype, "parameters").copy())
        mean = None if run.averaged is None else theta.copy()
        cursor = None if run.cursor is None else replace(run.cursor, good=None)  # no way back to others
        run = replace(run, parameters=theta, averaged=mean, cursor=cursor)
    elif not of_problem and not of_data:
        return run
    if "batch_size" in changes and (changes["batch_size"] is None) != (run.batch_size is None):
        raise InputError(
            "A tape counts updates on the full batch or epochs of batches, and cannot pass from one to the "
            "other. Begin another one, with parameters=tape.run.parameters."
        )
    before = run
    if of_problem or of_data:
        run = _prepared(run, given, changes, same=not of_data)
    assert run.data is not None
    problem = run.data.problem
    if isinstance(problem, Batches):
        loss = problem.first_loss(run.parameters.flat)
    else:
        loss, _ = problem.loss_and_gradient(run.parameters.flat, masks_of(run))
        run = replace(run, losses=np.append(run.losses[:-1], loss))
    if not np.isfinite(loss):
        raise InputError(
            f"The loss is {loss} with these changes: the parameters or the data are too large."
        )
    if isinstance(run.optimizer, Solver):
        at_rest = state_at_rest(run.optimizer, run.parameters.flat)
        run = replace(run, state=at_rest, heard=np.empty(0))
    if isinstance(problem, Batches) and (of_data or run.batch_size != before.batch_size):
        assert run.cursor is not None
        limit = divergence_limit(loss, problem.baseline)
        run = replace(run, cursor=problem.begin(run.cursor.random, limit))
    return run


def _prepared(run: TrainingRun, given: Given, changes: Mapping[str, Any], *, same: bool) -> TrainingRun:
    """The run with its data prepared anew for the settings among the changes."""
    network = as_network(changes.get("network", run.network))
    if network.sizes != run.network.sizes:
        raise InputError(
            f"The network has the sizes {network.sizes}, and the tape's {run.network.sizes}: parameters "
            f"cannot pass from one to the other. Begin another tape."
        )
    penalties = {name: changes.get(name, getattr(run.penalties, name)) for name in ("l1", "l2", "max_norm")}
    dropout = as_dropout(changes.get("dropout", run.dropout), len(network.hidden))
    seed = run.dropout_seed if any(dropout) else None
    if any(dropout) and seed is None:
        seed = draw_seed(RandomState(run.iterations))
    kept = run.validation
    run = replace(
        run,
        network=network,
        penalties=Penalties(**penalties),
        dropout=dropout,
        dropout_seed=seed,
        freeze=tuple(changes.get("freeze", run.freeze)),
        class_weight=changes.get("class_weight", run.class_weight),
        batch_size=changes.get("batch_size", run.batch_size),
    )
    _check_fits(run)
    data = given.prepared(run, given.engine, same=same)
    if kept is not None and data.held_out is not None:
        kept = replace(kept, fingerprint=data.held_out.fingerprint)
    problem = data.problem
    size = problem.batch_size if isinstance(problem, Batches) else None
    run = replace(run, validation=kept, batch_size=size, class_weight=problem.setup.class_weight)
    return with_data(run, *data)


def ready(run: TrainingRun, data: RunData) -> TrainingRun:
    """The run with data that were prepared for it."""
    return with_data(run, *with_own_penalties(run, data))
