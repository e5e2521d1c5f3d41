"""Floor 7: one network trained with every combination of an optimizer's settings, in parallel."""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import DTypeLike, NDArray

from glassnet import reference
from glassnet.activations import Array
from glassnet.arrays import as_count, as_target
from glassnet.callbacks import Hooks
from glassnet.cores import thread_count
from glassnet.data import row_blocks, target_rows
from glassnet.engine import Problem, prepare
from glassnet.errors import InputError, InputTypeError, InterruptedTrainingWarning, unknown_name
from glassnet.interrupts import stop_on_interrupt
from glassnet.loop import continue_run, course_of
from glassnet.losses import Loss
from glassnet.network import Network, Parameters, as_random_state
from glassnet.optimizers import SGD, Optimizer, check_optimizer
from glassnet.penalties import Penalties
from glassnet.runs import TrainingRun
from glassnet.sweep_results import CONVERGED_BELOW, SweepCell, SweepResult, assess, shown
from glassnet.training import begin_run, first_parameters, first_seed


def sweep(
    network: Network,
    X: object,
    y: object,
    *,
    grid: Mapping[str, Iterable[Any]],
    optimizer: Optimizer = SGD(),  # noqa: B008 - it is frozen
    iterations: int = 1000,
    reduction: str = "mean",
    parameters: Parameters | NDArray[Any] | None = None,
    scheme: str = "glorot",
    random_state: int | RandomState | None = None,
    dtype: DTypeLike | None = None,
    engine: str = "auto",
    threads: int | None = None,
    sample_weight: object = None,
    converged_below: float = CONVERGED_BELOW,
    progress: bool = False,
    l1: float = 0.0,
    l2: float = 0.0,
    max_norm: float | None = None,
    dropout: float | Sequence[float] = 0.0,
) -> SweepResult:
    """Train the network once for every combination of settings, from the same start, in parallel.

    Parameters
    ----------
    grid : values for settings of the optimizer, as ``{"learning_rate": [0.1, 1], "momentum": [0]}``,
        schedules among them, and for l1, l2 and max_norm; what it does not name stays as given.
    converged_below : see `glassnet.sweep_results.assess`; raise it where noise in the data keeps even the
        best loss high.
    threads : networks that train at a time, each on a thread of its own; None uses all cores.
    progress : show a line with networks done, iterations and time left on stderr.

    The others are those of `train`, and each network's run is, bit for bit, what `train` gives for
    its settings, however many threads there are. The data are checked and packed once, and the
    parameters and the seed of dropout's masks drawn once. Batches, validation and class weights are
    `train`'s alone. Divergence gives no warning here: the result tells. The first Ctrl-C ends all
    networks after their current update and gives an InterruptedTrainingWarning and the result so
    far; the second raises KeyboardInterrupt, and nothing is kept. Every loss is kept, 8 bytes each.

    Raises InputError for an empty grid, a setting that the optimizer lacks or a value that it
    refuses, before anything is computed, and what `train` raises.

    Example
    -------
    >>> import glassnet as gn
    >>> X, y = [[0.0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> net = gn.Network((2, 8, 2), hidden="tanh")
    >>> result = gn.sweep(net, X, y, grid={"learning_rate": [0.001, 0.5]}, random_state=0)
    >>> [(row["learning_rate"], row["status"]) for row in result.table]
    [(0.001, 'falling'), (0.5, 'converged')]

    scikit-learn's GridSearchCV compares scores on held-out folds; this compares training itself.
    """
    chosen, rules = _expand(grid, Rule(check_optimizer(optimizer), Penalties(l1, l2, max_norm)))
    iterations = as_count(iterations, "iterations")
    if iterations == 0:
        raise InputError("iterations is 0; a sweep compares what training does, so expected 1 or more.")
    _check_share(converged_below)
    problem = prepare(
        network,
        X,
        y,
        dtype=dtype,
        reduction=reduction,
        sample_weight=sample_weight,
        engine=engine,
        threads=threads,
        l1=l1,
        l2=l2,
        max_norm=max_norm,
        dropout=dropout,
    )
    random = as_random_state(random_state)
    theta = first_parameters(problem, parameters, scheme, random)
    start, gradient = begin_run(problem, theta, optimizer, first_seed(problem, random))
    baseline = constant_loss(problem, y, sample_weight) or abs(start.losses[0]) or 1.0
    floor = least_loss(problem, y, sample_weight)
    workers = min(thread_count(threads), len(rules))
    # Cores that have no network of their own help the others; the bits are the same.
    shared = problem.with_threads(thread_count(threads) // workers)
    runs, seconds = _train_all(start, shared, gradient, rules, iterations, workers, progress)
    cells = tuple(
        SweepCell(
            {name: rule.value(name) for name in chosen},
            assess(run, baseline, converged_below, floor),
            run,
        )
        for rule, run in zip(rules, runs, strict=True)
    )
    result = SweepResult(
        chosen,
        cells,
        iterations,
        float(baseline),
        float(converged_below),
        problem.n_samples,
        workers * shared.threads,
        seconds,
        floor,
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


def constant_loss(problem: Problem, y: object, sample_weight: object = None) -> float:
    """The loss of answering each sample with the targets' mean (for classes, their frequencies).

    No network that ignores X does better, for a convex loss. Where nothing does better at all,
    because y never varies, `problem.baseline` is given instead.
    """
    network, (Y, w) = problem.network, _targets(problem, y, sample_weight)
    mean, tiny = w @ Y / w.sum(), np.finfo(np.float64).tiny
    if network.loss.target == "class":
        smoothing = network.loss.settings.get("label_smoothing", 0.0)
        mean = (1 - smoothing) * mean + smoothing / len(mean)
        Z = np.log(np.maximum(mean, tiny))
    elif network.loss.target == "label":
        Z = np.log(np.maximum(mean, tiny)) - np.log(np.maximum(1 - mean, tiny))
    elif network.loss.target == "nonnegative":
        Z = np.log(np.maximum(mean, tiny))
    elif network.loss.name == "squared_error":
        Z = mean
    else:
        Z = _least_constant(network.loss, Y, w)
    constant = _loss_at(problem, np.broadcast_to(Z, Y.shape), Y, w)
    spread = constant - least_loss(problem, y, sample_weight)
    return constant if spread > 1e-12 * abs(problem.baseline) else problem.baseline


def least_loss(problem: Problem, y: object, sample_weight: object = None) -> float:
    """The loss of an answer that is y itself: 0, but for poisson, whose loss may be negative."""
    if problem.network.loss.target != "nonnegative":
        return 0.0
    Y, w = _targets(problem, y, sample_weight)
    return _loss_at(problem, np.log(np.maximum(Y, np.finfo(np.float64).tiny)), Y, w)


def _targets(problem: Problem, y: object, sample_weight: object) -> tuple[Array, Array]:
    n, outputs = problem.n_samples, problem.network.sizes[-1]
    targets = as_target(y, n, outputs, problem.network.loss.target)
    w = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    return target_rows(targets, outputs, np.dtype(np.float64)), w


def _loss_at(problem: Problem, Z: Array, Y: Array, w: Array) -> float:
    blocks = row_blocks(problem.n_samples)
    total = sum(reference.loss(Z[rows], Y[rows], problem.network.loss, w[rows]) for rows in blocks)
    return total / problem.divisor


def _least_constant(loss: Loss, Y: Array, w: Array) -> Array:
    """Each output's constant where the summed delta changes its sign, by bisection."""
    low, high = Y.min(axis=0), Y.max(axis=0)
    for _ in range(60):
        middle = (low + high) / 2
        above = w @ loss.delta(np.broadcast_to(middle, Y.shape), Y) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2


# ---- The grid -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """What one network is trained by."""

    optimizer: Optimizer
    penalties: Penalties

    @property
    def known(self) -> list[str]:
        """The settings that there are."""
        return [*self.optimizer.settings(), *(one.name for one in fields(self.penalties))]

    def value(self, name: str) -> Any:
        """The setting of that name."""
        return getattr(self.penalties if hasattr(self.penalties, name) else self.optimizer, name)

    def replaced(self, settings: Mapping[str, Any]) -> Rule:
        """The rule with these settings."""
        penalties = {name: v for name, v in settings.items() if hasattr(self.penalties, name)}
        rest = {name: v for name, v in settings.items() if name not in penalties}
        return Rule(replace(self.optimizer, **rest), replace(self.penalties, **penalties))


def _expand(grid: Mapping[str, Iterable[Any]], rule: Rule) -> tuple[dict[str, tuple[Any, ...]], list[Rule]]:
    """The grid as the settings read its values, and a rule for every combination."""
    if not isinstance(grid, Mapping):
        raise InputTypeError(
            f'grid is a mapping such as {{"learning_rate": [0.1, 0.2]}}, not {type(grid).__name__}.'
        )
    if not grid:
        raise InputError(f"grid is empty; expected values for at least one of: {', '.join(rule.known)}.")
    chosen = {}
    for name, values in grid.items():
        if name not in rule.known:
            kind = type(rule.optimizer).__name__
            raise unknown_name(f"setting of {kind} in the grid:", name, rule.known)
        chosen[name] = _as_values(name, values, rule)
    combinations = product(*chosen.values())
    return chosen, [rule.replaced(dict(zip(chosen, values, strict=True))) for values in combinations]


def _as_values(name: str, values: object, rule: Rule) -> tuple[Any, ...]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise InputTypeError(
            f"grid[{name!r}] is {values!r}; expected a list of values, such as [0.1, 0.2]."
        )
    found: list[Any] = []
    for i, value in enumerate(values):
        try:
            found.append(rule.replaced({name: value}).value(name))
        except (InputError, InputTypeError) as error:
            raise type(error)(f"grid[{name!r}][{i}] cannot be used: {error}") from error
        if found[-1] in found[:-1]:
            raise InputError(f"grid[{name!r}] has {shown(found[-1])} twice; each value is trained once.")
    if not found:
        raise InputError(f"grid[{name!r}] is empty; expected at least one value.")
    return tuple(found)


def _check_share(share: object) -> None:
    if isinstance(share, bool) or not isinstance(share, (int, float, np.integer, np.floating)):
        raise InputTypeError(f"converged_below is a number, not {share!r}.")
    if not 0 < share < np.inf:
        raise InputError(
            f"converged_below is {share}; expected a share of the best constant answer's loss, such as 0.1."
        )


# ---- The work -----------------------------------------------------------------------------------


def _train_all(
    start: TrainingRun,
    problem: Problem,
    gradient: Array,
    rules: list[Rule],
    iterations: int,
    workers: int,
    progress: bool,
) -> tuple[list[TrainingRun], float]:
    """A run for each rule, in their order, `workers` at a time; and the seconds that took."""
    start = replace(start, threads=problem.threads)
    with stop_on_interrupt() as interrupts, _progress_line(progress, len(rules), iterations) as line:
        stop = interrupts.stop

        def train_one(rule: Rule) -> TrainingRun:
            own, mine, slope = problem, replace(start, optimizer=rule.optimizer), gradient.copy()
            if rule.penalties != problem.penalties:  # the same data, but another loss to begin with
                own = problem.with_penalties(rule.penalties)
                mine, slope = begin_run(own, start.parameters, rule.optimizer, start.dropout_seed)
            with line() as show:
                course = course_of(replace(mine, _problem=own), slope)
                return continue_run(mine, course, iterations, Hooks(()), show, stop)

        began = time.perf_counter()
        with ThreadPoolExecutor(workers, thread_name_prefix="glassnet-sweep") as pool:
            try:
                futures = [pool.submit(train_one, rule) for rule in rules]
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()  # raises what a network raised
            except BaseException:
                stop[0] = 1  # the others need not finish
                raise
        return [future.result() for future in futures], time.perf_counter() - began


@contextmanager
def _progress_line(show: bool, networks: int, iterations: int) -> Iterator[Callable[[], Any]]:
    """A context for each network, which gives a function of its iteration and loss."""

    @contextmanager
    def silent() -> Iterator[Callable[[int, float], None]]:
        yield lambda iteration, loss: None

    if not show:
        yield silent
        return
    from tqdm import tqdm

    lock, finished = threading.Lock(), 0
    with tqdm(
        total=networks * iterations,
        unit=" iterations",
        unit_scale=True,
        file=sys.stderr,
        dynamic_ncols=True,
    ) as line:
        line.set_description_str(f"0 of {networks} networks")

        @contextmanager
        def one() -> Iterator[Callable[[int, float], None]]:
            nonlocal finished
            seen = 0

            def update(iteration: int, loss: float) -> None:
                nonlocal seen
                with lock:
                    line.update(iteration - seen)
                seen = iteration

            yield update
            with lock:
                finished += 1
                line.total -= iterations - seen  # what a diverged network leaves out takes no time
                line.set_description_str(f"{finished} of {networks} networks")

        yield one
