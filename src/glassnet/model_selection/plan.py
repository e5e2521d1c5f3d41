"""The plan of a sweep: its data, checked once, and a task for each network."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._version import __version__
from glassnet.data.arrays import InMemory
from glassnet.data.checks import check_data, choose_engine
from glassnet.data.dataset import as_dataset
from glassnet.data.encoding import Encoding, check_classes, label_numbers
from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.model_selection.hashing import digest, identity, identity_here, short
from glassnet.model_selection.metrics import Measure, as_measure
from glassnet.model_selection.outcomes import SweepCell
from glassnet.model_selection.search_space import SearchSpace
from glassnet.model_selection.settings import TRAINING, Candidate, as_plain
from glassnet.model_selection.sweep_folds import Fold, as_folds
from glassnet.model_selection.time_folds import TimeFolds, number_dates
from glassnet.nn.dropout import draw_seed
from glassnet.nn.network import Parameters
from glassnet.training.run import TrainingRun
from glassnet.training.settings import ADDED_NAMES
from glassnet.training.train import DEFAULTS
from glassnet.training.validation import validation_dataset
from glassnet.utils.json_documents import canonical
from glassnet.utils.settings_checks import as_real, as_steps, check_random_state

_SCALED: Mapping[bool | str, str] = {False: "", "X": ", standardized", True: ", standardized with y"}


@dataclass(frozen=True)
class Task:
    """One network to train: its number in the sweep, its setting, seed and fold."""

    number: int
    setting: int
    settings: Mapping[str, Any]
    candidate: Candidate
    seed: int | None = None
    fold: int | None = None

    @property
    def iterations(self) -> int:
        """How many iterations it is to be trained for."""
        return self.candidate.fit.iterations


@dataclass(frozen=True)
class TaskState:
    """How far a task has come: the run so far, its cost at each rung, and the cell once it is finished.

    `evaluations` are values of the metric on the way.
    """

    task: Task
    run: TrainingRun | None = None
    costs: tuple[float, ...] = ()
    cell: SweepCell | None = None
    evaluations: tuple[float, ...] = ()

    @property
    def iterations(self) -> int:
        """How many iterations have been made."""
        if self.cell is not None:
            return self.cell.iterations
        return 0 if self.run is None else self.run.iterations

    @property
    def ended(self) -> bool:
        """Whether training has ended by itself, before its last iteration."""
        return self.cell is not None or (
            self.run is not None and self.run.status in ("stopped", "diverged")
        )

    def cost_at(self, rung: int) -> float:
        """The cost at a rung; a network that ended earlier has the cost that it had then."""
        return self.costs[min(rung, len(self.costs) - 1)] if self.costs else math.inf


@dataclass(frozen=True)
class SweepData:
    """The checked data that all networks of a sweep share, their folds and metric, and where they start.

    Every network without a seed of its own draws from a copy of `stream`. `held_out` says whether the
    metric is of samples that a network was not trained on. `index` is that of a frame of pandas, `classes`
    the labels that class numbers stand for.
    """

    samples: InMemory
    folds: tuple[Fold, ...]
    parameters: Parameters | NDArray[Any] | None
    stream: RandomState
    measure: Measure | None
    held_out: bool = False
    index: Any = None
    classes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that a sweep is to do.

    About `keep_losses` losses of each network are kept, and `cores` threads may compute. `seed` is the one
    that was drawn where the caller named no random state. At each of the `rungs`, numbers of iterations,
    successive halving compares the settings. Runs on batches need the order of their samples to be
    resumed; `keep_orders` says whether they keep it. The metric is evaluated after every `evaluate_every`
    iterations, and predictions of the test rows are kept where `keep_predictions` names a method.
    `scales_first` is of journals of earlier commits: X alone is scaled, by validation rows too.
    """

    space: SearchSpace
    data: SweepData
    tasks: tuple[Task, ...]
    converged_below: float
    keep_losses: int
    cores: int
    halving: Halving | None = None
    seed: int | None = None
    rungs: tuple[int, ...] = ()
    keep_orders: bool = True
    evaluate_every: int | None = None
    keep_predictions: str = ""
    scales_first: bool = False

    @property
    def standardize(self) -> bool | str:
        """What is scaled by each fold's training rows: True is X and a y of quantities, "X" X alone."""
        candidates = self.space.candidates
        known = candidates[0].fit.standardize
        quantities = any(candidate.network.output.name == "identity" for candidate in candidates)
        return "X" if known and not quantities else known

    @property
    def workers(self) -> int:
        """How many networks are trained at a time."""
        return max(1, min(self.cores, len(self.tasks)))

    @property
    def threads_each(self) -> int:
        """The threads of each network: cores that have no network of their own help the others."""
        return self.cores // self.workers

    def fingerprint(self) -> dict[str, str]:
        """A short text for each input that the sweep's numbers depend on, by the input's name."""
        data, tasks = self.data, hashlib.sha256()
        texts: dict[int, str] = {}  # the networks of many seeds and folds share one candidate
        for task in self.tasks:
            candidate = task.candidate
            text = texts.get(id(candidate)) or texts.setdefault(id(candidate), _text_of(candidate))
            tasks.update(f"{text} {task.setting} {task.seed} {task.fold}\n".encode())
        folds = digest(rows for fold in data.folds for rows in fold) if data.folds else "none"
        start = data.parameters.flat if isinstance(data.parameters, Parameters) else data.parameters
        stream: Any = data.stream.get_state(legacy=False)
        candidates = {id(task.candidate): task.candidate for task in self.tasks}.values()
        engines = {choose_engine(one.network, one.fit.engine, one.fit.freeze)[0] for one in candidates}
        return {
            "X": digest([data.samples.X]),
            "y": digest([data.samples.y]) + (f", {data.classes}" if data.classes else ""),
            "sample_weight": digest([data.samples.weights]),
            "settings": short(tasks),
            "folds": folds + _SCALED[self.standardize],
            "validation": digest(array for held in validation_arrays(candidates) for array in held),
            "parameters": digest([None if start is None else np.asarray(start)]),
            "random_state": short(hashlib.sha256(canonical(as_plain(stream)).encode())),
            "metric": self._text_of_metric(),
            "converged_below": repr(self.converged_below),
            "keep_losses": str(self.keep_losses),
            "halving": str(self.halving),
            "engine": ", ".join(sorted(engines)),
            "glassnet": __version__,
        }

    def _text_of_metric(self) -> str:
        measure = self.data.measure
        if measure is None:
            return "none"
        words = [measure.name, measure.mode, measure.response]
        words += [] if measure.function is None else [identity(measure.function)]
        words += [] if measure.dates is None else [digest([measure.dates])]
        words += [f"every {self.evaluate_every}"] if self.evaluate_every else []
        words += [f"kept {self.keep_predictions}"] if self.keep_predictions else []
        return ", ".join(words)


def _text_of(candidate: Candidate) -> str:
    """The network and its settings, with validation arrays as their shape alone."""
    settings = {name: getattr(candidate.fit, name) for name in TRAINING}
    if "scheme" in settings:  # of journals that know no "auto"
        settings["scheme"] = candidate.fit.first_scheme(candidate.network)
    if isinstance(settings["validation"], tuple):
        settings["validation"] = settings["validation"][0].shape
    for name in ADDED_NAMES & settings.keys():
        if settings[name] == DEFAULTS[name]:
            del settings[name]
    return identity((candidate.network, settings))


def validation_arrays(candidates: Iterable[Candidate]) -> list[tuple[Any, ...]]:
    """The validation data that candidates were given as arrays, each once."""
    held_out = (candidate.fit.validation for candidate in candidates)
    distinct = {tuple(map(id, arrays)): arrays for arrays in held_out if isinstance(arrays, tuple)}
    return list(distinct.values())


# ---- Tasks and data -----------------------------------------------------------------------------


def tasks_of(space: SearchSpace, seeds: Sequence[int | None], data: SweepData) -> tuple[Task, ...]:
    """A task for each setting, seed and fold, the folds varying fastest."""
    folds: Sequence[int | None] = range(len(data.folds)) or [None]
    places = [(i, seed, fold) for i in range(len(space.candidates)) for seed in seeds for fold in folds]
    return tuple(
        Task(number, i, space.chosen[i], space.candidates[i], seed, fold)
        for number, (i, seed, fold) in enumerate(places)
    )


def check_sweep_data(
    candidates: Sequence[Candidate],
    samples: tuple[object, object, object],
    folds: object,
    groups: object,
    times: object,
    parameters: Parameters | NDArray[Any] | None,
    metric: tuple[object, str | None, str],
    stream: RandomState,
) -> SweepData:
    """X, y and sample weights, checked against every network, with the folds and the metric."""
    network, y, classes = candidates[0].network, samples[1], None
    if network.loss.target in ("class", "label") and y is not None:
        y, classes = label_numbers(y)
    dataset = as_dataset(samples[0], y, samples[2], network.sizes[0])
    if not isinstance(dataset, InMemory):
        raise InputError(
            f"X is {dataset.source}, whose rows are streamed, and a sweep trains many networks on data in "
            f"memory. Give arrays, or a sample of the rows that fits."
        )
    dataset.require_targets()
    if dataset.described is not None and any(candidate.fit.standardize for candidate in candidates):
        raise InputError("A prepared table is standardized already: leave standardize out.")
    for candidate in _distinct(candidates):
        if classes is not None:
            check_classes(candidate.network, classes)
        check_data(candidate.network, dataset, candidate.fit.dtype, candidate.fit.class_weight)
        if parameters is not None:
            candidate.network.check_parameters(parameters)
    # A splitter may read a frame's index or columns; a list has no shape to read.
    passed = samples[0] if hasattr(samples[0], "shape") else dataset.X
    labels = dataset.y if samples[1] is None else samples[1]
    pairs = as_folds(folds, network, passed, labels, dataset.targets(network), groups)
    arrays = validation_arrays(candidates)
    for other in dict.fromkeys(candidate.network for candidate in candidates):
        for validation in arrays:
            validation_dataset(other, validation, Encoding(classes=classes))
    held_out = bool(pairs) or any(candidate.fit.validation is not None for candidate in candidates)
    dates = None
    if metric[0] == "rank_ic":
        dates = _dates_of_rows(times, folds, groups, dataset.n_rows)
        if arrays and not pairs:
            raise InputError(
                "rank_ic needs the date of each row that is tested, and validation arrays have none: give "
                "folds, or validation as a fraction of the rows."
            )
    measure: Measure | None = None
    if metric[0] is not None or held_out:
        for other in dict.fromkeys(candidate.network for candidate in candidates):
            measure = as_measure(metric[0] or "loss", *metric[1:], other, dates)
    if times is not None and dates is None:
        raise InputError('times are the dates of the metric "rank_ic": give metric="rank_ic" too.')
    if measure is not None and measure.is_loss:
        _check_losses(candidates)
    index = getattr(samples[0], "index", None) if hasattr(samples[0], "iloc") else None
    return SweepData(dataset, pairs, parameters, stream, measure, held_out, index, classes)


def _dates_of_rows(times: object, folds: object, groups: object, n_rows: int) -> NDArray[np.intp] | None:
    """The number of each row's date, from `times` or those that the folds go by."""
    if times is None and isinstance(folds, TimeFolds):
        times = groups if folds.times is None else folds.times
    return None if times is None else number_dates(times, n_rows)[0]


def _check_losses(candidates: Sequence[Candidate]) -> None:
    """Refuse to compare networks by losses that are not the same."""
    losses = list(dict.fromkeys(candidate.network.loss for candidate in candidates))
    if len(losses) > 1:
        other = "r2" if losses[0].target not in ("class", "label") else "accuracy"
        raise InputError(
            f"The settings have different losses ({', '.join(map(str, losses))}), whose values on samples "
            f"that are held out cannot be compared: give metric={other!r}, or a function of targets and "
            f"predictions."
        )


def _distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    """One candidate of each kind that the data's checks tell apart."""
    distinct: dict[Any, Candidate] = {}
    for candidate in candidates:
        key = candidate.network, candidate.fit.dtype, identity_here(candidate.fit.class_weight)
        distinct.setdefault(key, candidate)
    return list(distinct.values())


def as_seeds(seeds: object, random: RandomState, swept: bool) -> list[int | None]:
    """The seeds of `sweep`'s argument, or [None]; a number of them is drawn from `random`."""
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
    numbers = list(seeds)
    for seed in numbers:
        if seed is None or isinstance(seed, RandomState):
            raise InputTypeError(f"seeds holds whole numbers such as [0, 1], not {seed!r}.")
        check_random_state(seed)
    if not numbers:
        raise InputError("seeds is empty; expected at least one.")
    if len(set(numbers)) < len(numbers):
        raise InputError(f"seeds {numbers} contains a duplicate; each network is trained once.")
    return [int(seed) for seed in numbers]


def move_on(random: RandomState, base: Candidate, parameters: object) -> None:
    """Advance the caller's generator by the draws that one network makes before training."""
    if parameters is None:
        base.network.initialize(random, base.fit.first_scheme(base.network))
    if np.any(np.asarray(base.fit.dropout) != 0):
        draw_seed(random)


# ---- Successive halving ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Halving:
    """Train all settings for a few iterations, the best one in `factor` for `factor` times as many, ...

    `first` is the first number of iterations; None takes the one that leaves one setting at the end.
    """

    factor: float = 3.0
    first: int | None = None

    def rungs(self, n_settings: int, iterations: int) -> tuple[int, ...]:
        """The iterations after which settings are compared, fewest first; fewer than `iterations`."""
        if self.first is not None:
            rungs, at = [], float(self.first)
            while round(at) < iterations:
                rungs.append(round(at))
                at = max(at * self.factor, round(at) + 1.0)  # never twice after as many
            return tuple(rungs)
        count = 0
        while n_settings > 1:
            n_settings, count = self.survivors(n_settings), count + 1
        distinct = {max(1, round(iterations / self.factor ** (i + 1))) for i in range(count)}
        return tuple(sorted(rung for rung in distinct if rung < iterations))

    def survivors(self, n_settings: int) -> int:
        """How many of so many settings go on: at least one, and one less than there are."""
        return max(1, min(math.ceil(n_settings / self.factor - 1e-9), n_settings - 1))


def as_halving(value: object) -> Halving | None:
    """The `halving` of `sweep`: None, True, a factor, or a mapping with "factor" and "first"."""
    if value is None or value is False:
        return None
    if value is True:
        return Halving()
    if isinstance(value, (int, float)):
        value = {"factor": value}
    if not isinstance(value, Mapping):
        raise InputTypeError(
            f'halving is True, a factor such as 3 or a mapping such as {{"factor": 3, "first": 100}}, not '
            f"{value!r}."
        )
    for name in value:
        if name not in ("factor", "first"):
            raise unknown_name("key of halving:", name, ("factor", "first"))
    factor = as_real(value.get("factor", Halving.factor), "halving's factor")
    if not 1 < factor < math.inf:
        raise InputError(f"halving's factor is {factor:g}; expected a number above 1, such as 3.")
    first = value.get("first")
    return Halving(factor, None if first is None else as_steps(first, "halving's first"))


def best_settings(costs: Mapping[int, Sequence[float]], count: int) -> set[int]:
    """The settings with the least mean cost over their networks; a cost that is not finite is the worst.

    Of equal ones the first stay.
    """

    def mean(setting: int) -> float:
        total = sum(costs[setting]) / len(costs[setting])
        return total if math.isfinite(total) else math.inf

    return set(sorted(costs, key=lambda setting: (mean(setting), setting))[:count])
