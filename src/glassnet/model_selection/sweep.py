"""Many networks at once: every setting of a space, with every seed, on every fold."""

from __future__ import annotations

import copy
import inspect
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.errors import (
    GlassnetWarning,
    InputError,
    InterruptedTrainingWarning,
    StalledTrainingWarning,
    unknown_name,
)
from glassnet.model_selection.comparison import Origin
from glassnet.model_selection.journal import Journal
from glassnet.model_selection.metrics import as_measure
from glassnet.model_selection.outcomes import CONVERGED_BELOW, SweepCell
from glassnet.model_selection.plan import (
    Plan,
    SweepData,
    Task,
    as_halving,
    as_seeds,
    check_sweep_data,
    move_on,
    tasks_of,
)
from glassnet.model_selection.results import SweepResult
from glassnet.model_selection.scheduler import Scheduler
from glassnet.model_selection.search_space import make_search_space
from glassnet.model_selection.settings import OF_TRAIN_ALONE, TRAINING, Candidate
from glassnet.nn.network import Network, Parameters, as_network
from glassnet.optim import SGD
from glassnet.training.early_stopping import RESPONSES
from glassnet.training.other_names import refuse
from glassnet.training.settings import FitSettings
from glassnet.training.steppers import Rule, check_rule
from glassnet.training.train import DEFAULTS, train
from glassnet.utils.settings_checks import as_positive, as_random_state, as_steps, or_none
from glassnet.utils.threads import thread_count
from glassnet.utils.warn import warn

HISTORY_BYTES = 1 << 29
"""About how many bytes of losses are kept for all networks, and as many of their samples' orders."""

EVALUATIONS = 1 << 24
"""How many values of the metric on the way are kept at most, for all networks: 128 MiB."""

LOSSES_KEPT = 2000
"""How many losses of each network are kept at least, however many networks there are."""


def sweep(
    network: Network,
    X: object,
    y: object = None,
    *,
    grid: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    settings: Iterable[Mapping[str, Any]] | None = None,
    n_draws: int | None = None,
    seeds: int | Iterable[int] | None = None,
    folds: object = None,
    groups: object = None,
    times: object = None,
    standardize: bool | str = False,
    metric: str | Callable[..., float] | None = None,
    mode: str | None = None,
    response: str = "predict",
    evaluate_every: int | None = None,
    keep_predictions: bool | str = False,
    optimizer: Rule | str = SGD(),  # noqa: B008 - it is frozen
    parameters: Parameters | NDArray[Any] | None = None,
    random_state: int | RandomState | None = None,
    threads: int | None = None,
    sample_weight: object = None,
    converged_below: float = CONVERGED_BELOW,
    halving: object = None,
    results: str | os.PathLike[str] | None = None,
    keep_losses: int | None = None,
    progress: bool | float = False,
    **training: Any,
) -> SweepResult:
    """Train many networks in parallel: every setting, with every seed, on every fold.

    Parameters
    ----------
    X, y : the samples, in memory; or in place of both what `prepare_table` returns, of whose rows to train
        on folds are taken. The runs then predict for raw tables.
    grid : values for settings, as ``{"learning_rate": [0.1, 1], "momentum": [0]}``, of which every
        combination is trained; or a list of grids. A setting is one of the optimizer's, of `train`
        ("optimizer", an instance or a name, "iterations", "batch_size", "l2", "dropout", "stopping", ...)
        or of the network ("hidden_layer_sizes", "activation", "loss"), or the "network" itself. All other
        settings have the values of the arguments below.
    settings : in place of a grid, a list of settings, ``[{"learning_rate": 0.1}, {"l2": 0.01}]``.
    n_draws : how many settings are drawn from the grid, as scikit-learn's ParameterSampler draws them; all
        where there are fewer. Values of the grid may then be distributions of ``scipy.stats``.
    seeds : each setting is trained with each of these in place of `random_state`; a number of seeds is
        drawn from `random_state`.
    folds : a number, a splitter with scikit-learn's ``split(X, y, groups)``, which gets frames as they are
        passed here, with their index, or pairs of row numbers (train, test): each setting is trained on
        each fold's first rows and measured on the others. Validation fractions are then taken from the
        training rows.
    groups : for the splitter.
    standardize : as for `train`: True centers and scales each fold's columns of X, test rows included, and
        y where it holds quantities, by the mean and the deviation of the rows trained on, which takes a
        copy of them. "X" scales X alone. Each run keeps both, takes X as it comes and predicts in the unit
        of y, in which metrics are too; losses, "loss" among the metrics, are of the scaled y.
    times : (n_samples,), each row's date, for the metric "rank_ic"; by default those of the folds.
    metric : "loss", "accuracy", "r2", "rank_ic" (see `glassnet.model_selection.rank_ic`; of two classes by
        the second one's probability) or a function of targets and predictions, on the fold's test rows,
        else on its validation data, else on all samples; by default "loss" where samples are held out,
        and None for a network without such samples among networks that have some. Where it is None,
        networks are compared by the loss that they were trained on, penalties included, which favors no
        penalty. A function needs `mode`, "max" or "min", and gets the predictions of `response`, "predict"
        or "predict_proba"; a function with an argument ``rows`` gets the rows' numbers too.
    evaluate_every : the metric is also evaluated after every so many iterations, epochs with a batch_size:
        ``result.curves`` has it for each setting, ``result.chosen`` the best setting with the best number
        of iterations, for which ``result.refit(X, y)`` trains. None evaluates at the end alone.
    keep_predictions : True keeps each network's predictions of its fold's test rows, "predict_proba" the
        probabilities: ``result.predictions()`` puts the folds together. They take 8 bytes for each row,
        output and network, 4 in float32.
    converged_below : see `glassnet.model_selection.assess`; raise it where noise in the data keeps even the
        best loss high.
    keep_losses : about how many losses of each network are kept, where it has more; None keeps as many as
        fit into half a gigabyte for all networks, and 2,000 at least. The others are NaN in
        ``run.losses``; see `SweepCell.curve` for which are kept.
    halving : successive halving: True, a factor such as 3, or ``{"factor": 3, "first": 100}``. All settings
        are trained for a few iterations, the best third of them for three times as many, and so on; the
        networks left behind have the status "dropped". Settings are compared over all their seeds and
        folds, by the metric or, without one, by the loss as a share of the best constant answer's. None
        trains all to the end.
    results : a file that each network is written to as soon as it is done. A sweep that was killed, started
        again with the same arguments, goes on where it was and gives the same table, bit for bit; a sweep
        that is finished gives it at once. Networks from the file, and from other processes, hold no data:
        `resume` needs X and y. A function of the caller's own counts as the same where its code, its
        defaults and its closure are; the names that it looks up in its module do not count.
    threads : networks that train at a time, each on a thread of its own; None uses all cores. Inside
        ``joblib.parallel_config("dask")``, or of another backend such as loky or ray with ``n_jobs=-1``,
        that backend trains the networks, in tasks of about a second, and `threads` does not count;
        the bits are the same.
    progress : show a line with networks done, iterations and time left on stderr; a number, such as 10.0,
        writes a line each time so many seconds have passed, for a log.

    All other arguments are those of `train`, without `test`, `metrics` and `callbacks`: folds, `metric` and
    `evaluate_every` stand in for them. Each network's run is, bit for bit, the run that `train` gives for
    its settings on its rows, however many threads there are. All networks draw from the same
    random numbers, those of the state in which a RandomState is passed, and so start from the same
    parameters where they have one shape and scheme. The data are packed once for all networks that can
    share them. The result reports divergence, without a warning. The first Ctrl-C ends all networks after
    their current update and gives an InterruptedTrainingWarning and the result so far; of networks in other
    processes only those that are finished are in it. The second Ctrl-C raises KeyboardInterrupt. An
    exception that ends a sweep has the networks that were finished before as its attribute ``result``.

    Raises InputError for an empty grid, an unknown setting, a value or a combination that cannot be
    used and a fold that lacks a class, before anything is computed; InputTypeError for an argument that
    neither it nor `train` has; FileError for results of another sweep, damaged ones, and where they cannot
    be written; and the errors of `train`.

    Example
    -------
    >>> import glassnet as gn
    >>> X, y = [[0.0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> net = gn.Network((2, 8, 2), hidden="tanh")
    >>> result = gn.sweep(net, X, y, grid={"learning_rate": [0.001, 0.5]}, random_state=0)
    >>> [(row["learning_rate"], row["status"]) for row in result.table]
    [(0.001, 'falling'), (0.5, 'converged')]
    >>> settings = [{"optimizer": "adam"}, {"hidden_layer_sizes": (4, 4), "activation": "relu"}]
    >>> gn.sweep(net, X, y, settings=settings, seeds=3, random_state=0).summary[0]["optimizer"]
    Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08)

    scikit-learn's GridSearchCV refits the best estimator and has each fit in a process of its own; this
    keeps every run with its losses, and trains many networks in one process.
    """
    rule = check_rule(optimizer)
    wrong = {name: value for name, value in training.items() if name not in _OF_TRAIN}
    if wrong:
        refuse("sweep", wrong, inspect.signature(sweep).parameters, rule, OF_TRAIN_ALONE)
    as_network(network)
    fit = FitSettings.of({**DEFAULTS, "optimizer": rule, "standardize": standardize})
    journal = None if results is None else Journal(results)
    earlier = journal is not None and journal.scales_first and bool(fit.standardize)
    if earlier:
        fit = replace(fit, standardize="X")
    base = Candidate(network, fit).replaced(training)
    below = as_positive(converged_below, "converged_below")
    keep = or_none(as_steps)(keep_losses, "keep_losses")
    cores, halved = thread_count(threads), as_halving(halving)
    if metric is None and (mode is not None or response != "predict"):
        raise InputError(
            "mode and response have no effect without a metric: give metric=..., or leave them out."
        )
    every, kept = or_none(as_steps)(evaluate_every, "evaluate_every"), _as_kept(keep_predictions)
    seed = None
    if random_state is None:
        seed = int(np.random.SeedSequence().generate_state(1)[0])
        if journal is not None and journal.header is not None and journal.header["seed"] is not None:
            seed = journal.header["seed"]  # the seed that the sweep began with
    random = as_random_state(random_state if seed is None else seed)
    # Networks start from the stream as it came, whatever is drawn from a grid.
    space = make_search_space(base, grid, settings, n_draws, copy.deepcopy(random))
    if halved is not None and "iterations" in space.values:
        raise InputError(
            "halving compares all settings after the same number of iterations, so the settings cannot "
            "vary iterations. Pass it as an argument of sweep."
        )
    chosen = as_seeds(seeds, random, "random_state" in space.values)
    samples, measure = (X, y, sample_weight), (metric, mode, response)
    stream = copy.deepcopy(random)
    data = check_sweep_data(space.candidates, samples, folds, groups, times, parameters, measure, stream)
    validated = {candidate.fit.validation is not None for candidate in space.candidates}
    if halved is not None and not data.folds and len(validated) > 1:
        raise InputError(
            "halving compares settings by samples that are held out, and some of these settings hold out "
            "none: give all of them validation data, or leave validation out of the settings."
        )
    move_on(random, base, parameters)
    tasks = tasks_of(space, chosen, data)
    if keep is None:
        keep = max(LOSSES_KEPT, HISTORY_BYTES // 8 // len(tasks))
    rungs = () if halved is None else halved.rungs(len(space.candidates), tasks[0].iterations)
    in_batches = sum(task.candidate.fit.batch_size is not None for task in tasks)
    keep_orders = 4 * data.samples.n_rows * in_batches <= HISTORY_BYTES
    _check_kept(tasks, data, every, kept)
    plan = Plan(
        space, data, tasks, below, keep, cores, halved, seed, rungs, keep_orders, every, kept, earlier
    )
    began = time.perf_counter()
    if journal is not None:
        header = {"fingerprint": plan.fingerprint(), "networks": len(tasks), "seed": seed}
        journal.begin({**header, "standardize": plan.standardize})
    with nullcontext() if journal is None else closing(journal):
        scheduler = Scheduler(plan, journal)
        try:
            result = _result_of(plan, scheduler.run(progress), began)
        except BaseException as error:  # a second Ctrl-C, or a network's exception
            if scheduler.finished:
                error.result = _result_of(plan, scheduler.finished, began)  # type: ignore[attr-defined]
                error.add_note(
                    f"{len(scheduler.finished)} of {len(plan.tasks)} networks of the sweep are finished: "
                    f"they are this exception's attribute `result`{_goes_on(journal)}."
                )
            raise
    _warn_of(result, _goes_on(journal))
    return result


_OF_TRAIN = [name for name in TRAINING if name not in ("optimizer", "random_state")]
"""The arguments that `sweep` passes on to `train` as they are."""


def _whole_signature() -> inspect.Signature:
    """The signature of `sweep` with the arguments of `train` in the place of ``**training``."""
    explicit = list(inspect.signature(sweep).parameters.values())[:-1]
    passed_on = inspect.signature(train).parameters
    parameters = [*explicit, *(passed_on[name] for name in _OF_TRAIN)]
    return inspect.Signature(parameters, return_annotation="SweepResult")


sweep.__signature__ = _whole_signature()  # type: ignore[attr-defined]  # help() and inspect show it


def _as_kept(value: object) -> str:
    """`keep_predictions` as the method of a network whose answers are kept; "" keeps none."""
    if isinstance(value, (bool, np.bool_)):
        return "predict" if value else ""
    if value not in RESPONSES:
        raise unknown_name("keep_predictions", value, ("True", "False", *RESPONSES))
    return str(value)


def _check_kept(tasks: Sequence[Task], data: SweepData, every: int | None, kept: str) -> None:
    """Raise InputError for evaluations and predictions that there are no rows, or no room, for."""
    if every is not None and data.measure is None:
        raise InputError(
            "evaluate_every evaluates the metric, and there is none: give folds, validation or a metric."
        )
    if kept and not data.folds:
        raise InputError("keep_predictions keeps those of the folds' test rows: give folds.")
    if kept == "predict_proba":
        for network in dict.fromkeys(task.candidate.network for task in tasks):
            as_measure(lambda y, found: 0.0, "max", kept, network)
    values = 0 if every is None else sum(task.iterations // every for task in tasks)
    if every is not None and values > EVALUATIONS:
        raise InputError(
            f"evaluate_every={every} gives {values:,} values of the metric, which all are kept; expected "
            f"{EVALUATIONS:,} at most, such as evaluate_every={-(-values // EVALUATIONS) * every}."
        )


def _result_of(plan: Plan, cells: Sequence[SweepCell], began: float) -> SweepResult:
    return SweepResult(
        plan.space.values,
        tuple(cells),
        max(task.iterations for task in plan.tasks),
        cells[0].baseline,
        plan.converged_below,
        plan.data.samples.n_rows,
        plan.workers * plan.threads_each,
        time.perf_counter() - began,
        cells[0].floor,
        plan.data.measure,
        plan.data.held_out,
        plan.evaluate_every,
        Origin(
            tuple(plan.space.candidates),
            plan.data.parameters,
            plan.data.stream,
            plan.data.samples.y,
            plan.data.index,
            plan.data.classes,
        ),
    )


def _warn_of(result: SweepResult, goes_on: str) -> None:
    """Say once what is missing in a result."""
    n = len(result.cells)
    unfinished = sum(cell.status == "interrupted" for cell in result.cells)
    if unfinished:
        warn(
            f"Ctrl-C ended the sweep: {n - unfinished} of {n} networks are finished. The others hold their "
            f"work so far; their run.resume(iterations) goes on from there{goes_on}.",
            InterruptedTrainingWarning,
        )
    if (best := result.best) is not None and best.trained.finding:
        useless = sum(bool(cell.trained.finding) for cell in result.cells)
        warn(
            f"{useless} of {n} networks of the sweep ended useless, the best ({best.label}) among them: "
            f"{best.trained.finding}",
            StalledTrainingWarning,
        )
    left_out = [cell.left_out for cell in result.cells if cell.left_out]
    if left_out:
        warn(
            f"rank_ic left out up to {max(left_out)} dates with fewer than two rows, or with targets or "
            f"predictions that are all equal, of {len(left_out)} of {n} networks; the table's column "
            f"dates_left_out has them.",
            GlassnetWarning,
        )


def _goes_on(journal: Journal | None) -> str:
    at = "" if journal is None else os.fspath(journal.path)
    return f". Started again with the same arguments it goes on from {at}" if at else ""
