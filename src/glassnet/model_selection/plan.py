"""All that a sweep is to do: its data, checked, and a task for each network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.data.checks import check_data, choose_engine
from glassnet.data.dataset import is_stream
from glassnet.errors import InputError, InputTypeError
from glassnet.model_selection.halving import Halving
from glassnet.model_selection.hashing import identity_here
from glassnet.model_selection.metrics import Measure, as_measure
from glassnet.model_selection.search_space import Space
from glassnet.model_selection.settings import Recipe
from glassnet.model_selection.sweep_folds import as_folds
from glassnet.model_selection.tasks import Sources, Task
from glassnet.nn.dropout import draw_seed
from glassnet.nn.network import Parameters
from glassnet.utils.array_checks import as_matrix, as_numbers, as_target, as_vector
from glassnet.utils.settings_checks import as_random_state, as_steps


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    `kept` is about how many losses of a network are kept, `cores` how many threads may compute, `seed`
    what an unnamed random state was drawn from. Runs on batches need the order of the samples to be
    resumed, which `keep_orders` tells whether to hold on to.
    """

    space: Space
    sources: Sources
    tasks: tuple[Task, ...]
    converged_below: float
    kept: int
    cores: int
    halving: Halving | None = None
    seed: int | None = None
    rungs: tuple[int, ...] = field(default=())
    keep_orders: bool = True

    @property
    def workers(self) -> int:
        """How many networks are trained at a time."""
        return max(1, min(self.cores, len(self.tasks)))

    @property
    def each(self) -> int:
        """The threads of each: cores that have no network of their own help the others."""
        return self.cores // self.workers

    @staticmethod
    def engine_of(task: Task) -> str:
        """The engine that trains a task."""
        return choose_engine(task.recipe.network, task.recipe.told["engine"])[0]


def tasks_of(space: Space, seeds: Sequence[int | None], sources: Sources) -> tuple[Task, ...]:
    """A task for each setting, seed and fold, the folds varying fastest."""
    folds: Sequence[int | None] = [None] if sources.folds is None else range(len(sources.folds))
    places = [(i, seed, fold) for i in range(len(space.recipes)) for seed in seeds for fold in folds]
    return tuple(
        Task(number, i, space.chosen[i], space.recipes[i], seed, fold)
        for number, (i, seed, fold) in enumerate(places)
    )


def sources_of(
    recipes: Sequence[Recipe],
    X: object,
    y: object,
    sample_weight: object,
    folds: object,
    groups: object,
    parameters: Parameters | NDArray[Any] | None,
    metric: tuple[Any, str | None, str],
    standardize: bool = False,
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
    given = [one.told["validation"] for one in recipes if one.told["validation"] is not None]
    for validation in {id(one): one for one in given if isinstance(one, tuple)}.values():
        as_matrix(validation[0], "validation X", first.network.sizes[0])
    held_out = parts is not None or bool(given)
    if standardize and parts is None:
        raise InputError(
            "standardize goes with folds, whose training rows tell the means and scales. Without folds "
            "standardize X beforehand."
        )
    if standardize and any(isinstance(one, tuple) for one in given):
        raise InputError(
            "standardize is of the folds' rows, and validation data of their own are none of these: leave "
            "one of the two out, or give validation as a share of the rows."
        )
    measure: Measure | None = None
    if metric[0] is not None or held_out:
        for network in dict.fromkeys(recipe.network for recipe in recipes):
            measure = as_measure(metric[0] or "loss", metric[1], metric[2], network)
    if measure is not None and measure.is_loss:
        _check_losses(recipes)
    return Sources(
        inputs, raw, weights, raw.ndim == 1, parts, parameters, None, measure, held_out, standardize
    )


def _check_losses(recipes: Sequence[Recipe]) -> None:
    """Refuse to compare networks by losses that are not the same."""
    losses = list(dict.fromkeys(recipe.network.loss for recipe in recipes))
    if len(losses) > 1:
        other = "r2" if losses[0].target in ("real", "nonnegative") else "accuracy"
        raise InputError(
            f"The settings have different losses ({', '.join(map(str, losses))}), whose values on samples "
            f"that are held out cannot be compared: give metric={other!r}, or a function of targets and "
            f"predictions."
        )


def _distinct(recipes: Sequence[Recipe]) -> list[Recipe]:
    """One of each kind, as far as the data's checks tell them apart."""
    found: dict[Any, Recipe] = {}
    for recipe in recipes:
        told = recipe.told
        key = recipe.network, told["dtype"], told["engine"], identity_here(told["class_weight"])
        found.setdefault(key, recipe)
    return list(found.values())


def seeds_of(seeds: object, random: RandomState, swept: bool) -> list[int | None]:
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


def move_on(random: RandomState, base: Recipe, parameters: object) -> None:
    """Leave the caller's stream where one network's draws before its training leave it."""
    if parameters is None:
        base.network.initialize(random, base.told["scheme"])
    dropped = base.told["dropout"]
    if np.any(np.asarray(dropped) != 0):
        draw_seed(random)
