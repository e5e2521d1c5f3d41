"""Floor 7: many networks at once: every setting of a space, with every seed, on every fold."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import DTypeLike, NDArray

from glassnet.arrays import as_matrix, as_numbers, as_target, as_vector
from glassnet.cores import thread_count
from glassnet.data import check_data
from glassnet.dropout import draw_seed
from glassnet.errors import InputError, InputTypeError, InterruptedTrainingWarning
from glassnet.network import Network, Parameters, as_random_state
from glassnet.optimizers import SGD
from glassnet.ranges import as_steps
from glassnet.runs import TrainingRun
from glassnet.solvers import Rule, check_rule
from glassnet.stopping import EarlyStopping
from glassnet.streams import is_stream
from glassnet.sweeps.cells import Sources, Task, Workshop
from glassnet.sweeps.crew import crew, progress_of
from glassnet.sweeps.folds import as_folds
from glassnet.sweeps.metrics import Measure, as_measure
from glassnet.sweeps.results import SweepCell, SweepResult, thinned
from glassnet.sweeps.settings import Recipe
from glassnet.sweeps.spaces import make_space
from glassnet.sweeps.verdicts import CONVERGED_BELOW, assess
from glassnet.validation import as_validation

HISTORY_BYTES = 1 << 29
"""Of all networks' losses together, about, that are kept."""

LOSSES_KEPT = 2000
"""Of each network at least, however many there are."""


def sweep(
    network: Network,
    X: object,
    y: object,
    *,
    grid: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    settings: Iterable[Mapping[str, Any]] | None = None,
    n_draws: int | None = None,
    seeds: int | Iterable[int] | None = None,
    folds: object = None,
    groups: object = None,
    metric: str | Callable[..., float] | None = None,
    mode: str | None = None,
    response: str = "predict",
    optimizer: Rule = SGD(),  # noqa: B008 - it is frozen
    iterations: int = 1000,
    batch_size: int | None = None,
    reduction: str = "mean",
    parameters: Parameters | NDArray[Any] | None = None,
    scheme: str = "glorot",
    random_state: int | RandomState | None = None,
    dtype: DTypeLike | None = None,
    engine: str = "auto",
    threads: int | None = None,
    sample_weight: object = None,
    converged_below: float = CONVERGED_BELOW,
    keep_losses: int | None = None,
    progress: bool = False,
    l1: float = 0.0,
    l2: float = 0.0,
    max_norm: float | None = None,
    shuffle: bool = True,
    dropout: float | Sequence[float] = 0.0,
    validation: object = None,
    validate_every: int = 1,
    stopping: EarlyStopping | None = None,
    average: float | None = None,
    class_weight: object = None,
) -> SweepResult:
    """Train many networks in parallel: every setting, with every seed, on every fold.

    Parameters
    ----------
    grid : values for settings, as ``{"learning_rate": [0.1, 1], "momentum": [0]}``, of which every
        combination is trained; or a list of grids. A setting is whatever the optimizer has, what `train`
        is told ("optimizer", an instance or a name, "iterations", "batch_size", "l2", "dropout",
        "stopping", ...), "hidden_layer_sizes", "activation", "loss", or the "network" itself. What is not
        named stays as given.
    settings : in place of a grid, a list of settings, ``[{"learning_rate": 0.1}, {"l2": 0.01}]``.
    n_draws : so many settings are drawn from the grid, whose values may then be distributions of
        ``scipy.stats``, as scikit-learn's ParameterSampler draws them.
    seeds : each setting is trained with each of these in place of `random_state`, or with so many that
        are drawn from it.
    folds : a number, a splitter with scikit-learn's ``split(X, y, groups)``, or pairs of row numbers
        (train, test): each setting is trained on each fold's first rows and measured on the others.
        Validation fractions are then taken from the training rows.
    groups : for the splitter.
    metric : "loss", "accuracy", "r2" or a function of targets and predictions, on the fold's test rows,
        else on the validation data, else on all samples; by default "loss" where something is held out. A
        function needs `mode`, "max" or "min", and gets what `response` says, "predict" or
        "predict_proba"; one with an argument ``rows`` gets the rows' numbers too.
    converged_below : see `glassnet.sweeps.assess`; raise it where noise in the data keeps even the
        best loss high.
    keep_losses : about how many losses of each network are kept, where it has more; None keeps as many as
        fit into half a gigabyte for all networks, and 2,000 at least. What is left out is NaN in
        ``run.losses``, and the first, lowest, highest and last one of each stretch is kept.
    threads : networks that train at a time, each on a thread of its own; None uses all cores.
    progress : show a line with networks done, iterations and time left on stderr.

    The others are those of `train`, and each network's run is, bit for bit, what `train` gives for
    its settings on its rows, however many threads there are. All start from the same random numbers,
    and so, where they are of one shape and scheme, from the same parameters: the state that a RandomState
    is in when it is passed. The data are packed once for all networks that can share them. Divergence
    gives no warning here: the result tells. The first Ctrl-C ends all networks after their current
    update and gives an InterruptedTrainingWarning and the result so far; the second raises
    KeyboardInterrupt, and nothing is kept.

    Raises InputError for an empty grid, an unknown setting, a value or a combination that cannot be
    used and a fold that lacks a class, before anything is computed, and what `train` raises.

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
    keeps every run with its losses, and has many networks in one.
    """
    check_rule(optimizer)
    told = {
        "optimizer": optimizer,
        "iterations": iterations,
        "batch_size": batch_size,
        "reduction": reduction,
        "scheme": scheme,
        "random_state": None,
        "dtype": dtype,
        "engine": engine,
        "l1": l1,
        "l2": l2,
        "max_norm": max_norm,
        "shuffle": shuffle,
        "dropout": dropout,
        "validation": validation,
        "validate_every": validate_every,
        "stopping": stopping,
        "average": average,
        "class_weight": class_weight,
    }
    if not isinstance(network, Network):
        raise InputTypeError(f"network is a glassnet.Network, not {type(network).__name__}.")
    base = Recipe(network, told).replaced(told)
    _check_share(converged_below)
    kept = None if keep_losses is None else as_steps(keep_losses, "keep_losses")
    cores = thread_count(threads)
    if metric is None and (mode is not None or response != "predict"):
        raise InputError("mode and response go with a metric.")
    random = as_random_state(random_state)
    space = make_space(base, grid, settings, n_draws, random_state if n_draws is None else random)
    sources = _sources(
        space.recipes, X, y, sample_weight, folds, groups, parameters, (metric, mode, response)
    )
    chosen = _seeds(seeds, random, "random_state" in space.values)
    stream = random.get_state(legacy=False)
    _move_on(random, base, parameters)
    sources = replace(sources, stream=stream)
    tasks = [
        Task(number, setting, space.chosen[setting], space.recipes[setting], seed, fold)
        for number, (setting, seed, fold) in enumerate(
            (setting, seed, fold)
            for setting in range(len(space.recipes))
            for seed in chosen
            for fold in (range(len(sources.folds)) if sources.folds is not None else [None])
        )
    ]
    if kept is None:
        kept = max(LOSSES_KEPT, HISTORY_BYTES // 8 // len(tasks))
    workers = min(cores, len(tasks))
    # Cores that have no network of their own help the others; the bits are the same.
    each = cores // workers
    workshop = Workshop(sources, workers, each)
    cells, seconds = _train_all(workshop, tasks, workers, cores, converged_below, kept, progress)
    result = SweepResult(
        space.values,
        tuple(cells),
        max(task.iterations for task in tasks),
        cells[0].baseline,
        float(converged_below),
        len(sources.X),
        workers * each,
        seconds,
        cells[0].floor,
        sources.measure,
        sources.folds is not None or any(task.recipe.told["validation"] is not None for task in tasks),
    )
    unfinished = sum(cell.status == "interrupted" for cell in cells)
    if unfinished:
        warnings.warn(
            f"Ctrl-C ended the sweep: {len(cells) - unfinished} of {len(cells)} networks are finished. "
            f"The others hold their work so far; their run.resume(iterations) goes on from there.",
            InterruptedTrainingWarning,
            stacklevel=2,
        )
    return result


def _sources(
    recipes: Sequence[Recipe],
    X: object,
    y: object,
    sample_weight: object,
    folds: object,
    groups: object,
    parameters: Parameters | NDArray[Any] | None,
    metric: tuple[Any, str | None, str],
) -> Sources:
    """The data, checked as each network asks for them, in folds, and the metric."""
    first = recipes[0]
    if is_stream(X):
        raise InputError(
            "A sweep trains many networks on data in memory, and these are streamed. Give arrays, or a "
            "sample of the rows that fits."
        )
    inputs = as_matrix(X, width=first.network.sizes[0])
    raw = as_numbers(y, "y")
    weights = None if sample_weight is None else as_vector(sample_weight, "sample_weight", len(inputs))
    for recipe in _distinct(recipes):
        told = recipe.told
        how = told["dtype"], told["reduction"], weights, told["engine"], told["class_weight"]
        check_data(recipe.network, inputs, raw, *how)
        if parameters is not None:
            recipe.network.check_parameters(parameters)
    targets = as_target(raw, len(inputs), first.network.sizes[-1], first.network.loss.target)
    parts = as_folds(folds, first.network, inputs, y, targets, groups)
    validation = next(
        (one.told["validation"] for one in recipes if one.told["validation"] is not None), None
    )
    held = as_validation(validation) if validation is not None else None
    measure: Measure | None = None
    if metric[0] is not None or parts is not None or held is not None:
        measure = as_measure(metric[0] or "loss", metric[1], metric[2], first.network)
    own = None
    if isinstance(held, tuple):
        own_weights = None if held[2] is None else np.asarray(held[2], np.float64)
        own = (
            as_matrix(held[0], "validation X", first.network.sizes[0]),
            as_numbers(held[1], "y"),
            own_weights,
        )
    return Sources(inputs, raw, weights, raw.ndim == 1, parts, parameters, None, measure, own)


def _distinct(recipes: Sequence[Recipe]) -> list[Recipe]:
    """One of each kind, as far as the data's checks tell them apart."""
    found: dict[Any, Recipe] = {}
    for recipe in recipes:
        told = recipe.told
        key = recipe.network, told["dtype"], told["engine"], repr(told["class_weight"])
        found.setdefault(key, recipe)
    return list(found.values())


def _seeds(seeds: object, random: RandomState, swept: bool) -> list[int | None]:
    if seeds is None:
        return [None]
    if swept:
        raise InputError(
            "seeds and random_state among the settings both say where networks start: give one."
        )
    if isinstance(seeds, (int, np.integer)) and not isinstance(seeds, bool):
        return random.randint(2**31 - 1, size=as_steps(seeds, "seeds")).tolist()
    if isinstance(seeds, (str, bytes)) or not isinstance(seeds, Iterable):
        raise InputTypeError(
            f"seeds is how many, or a list of whole numbers such as [0, 1], not {seeds!r}."
        )
    found = list(seeds)
    for seed in found:
        if seed is None or isinstance(seed, RandomState):
            raise InputTypeError(f"seeds holds whole numbers such as [0, 1], not {seed!r}.")
        as_random_state(seed)
    if not found:
        raise InputError("seeds is empty; expected at least one.")
    if len(set(found)) < len(found):
        raise InputError(f"seeds {found} has one of them twice; each network is trained once.")
    return [int(seed) for seed in found]


def _move_on(random: RandomState, base: Recipe, parameters: object) -> None:
    """Leave the caller's stream where one network's draws before its training leave it."""
    if parameters is None:
        base.network.initialize(random, base.told["scheme"])
    dropped = base.told["dropout"]
    if np.any(np.asarray(dropped) != 0):
        draw_seed(random)


def _check_share(share: object) -> None:
    if isinstance(share, bool) or not isinstance(share, (int, float, np.integer, np.floating)):
        raise InputTypeError(f"converged_below is a number, not {share!r}.")
    if not 0 < share < np.inf:
        raise InputError(
            f"converged_below is {share}; expected a share of the best constant answer's loss, such as 0.1."
        )


def _train_all(
    workshop: Workshop,
    tasks: Sequence[Task],
    workers: int,
    cores: int,
    converged_below: float,
    kept: int,
    progress: bool,
) -> tuple[list[SweepCell], float]:
    """A cell for each task, in their order, `workers` at a time; and the seconds that took."""
    began = time.perf_counter()
    with progress_of(progress, len(tasks), sum(task.iterations for task in tasks)) as line:

        def job(task: Task) -> Callable[[NDArray[np.uint8]], SweepCell]:
            def train(stop: NDArray[np.uint8]) -> SweepCell:
                with line.network(0, task.iterations) as show:
                    run = workshop.train(task, show, stop)
                return make_cell(workshop, task, run, cores, converged_below, kept)

            return train

        with crew(workers) as hands:
            cells = hands.work([job(task) for task in tasks])
    return cells, time.perf_counter() - began


def make_cell(
    workshop: Workshop, task: Task, run: TrainingRun, cores: int, converged_below: float, kept: int
) -> SweepCell:
    """What is kept of a network that is done: its run, with a verdict and the metric."""
    scale = workshop.scale(task, run)
    status = assess(run, scale.baseline, converged_below, scale.floor)
    metric = None if status == "interrupted" else workshop.measured(task, run)
    run, places = workshop.released(run, cores), None
    if len(run.losses) > kept:
        places = thinned(run.losses, kept)
        run = replace(run, losses=run.losses[places])
    return SweepCell(task.settings, status, run, places, metric, task.setting, task.seed, task.fold, *scale)
