"""The settings to try: every combination of a grid, a random draw from it, or a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

from numpy.random import RandomState

from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.model_selection.hashing import identity_here
from glassnet.model_selection.settings import Candidate, known_settings, shown
from glassnet.training.steppers import Rule, check_rule
from glassnet.utils.settings_checks import as_count

Settings = Mapping[str, Any]


class SearchSpace(NamedTuple):
    """The values of each setting as they were read, and a candidate for every combination.

    ``chosen[i]`` are the settings by name that make ``candidates[i]``.
    """

    values: dict[str, tuple[Any, ...]]
    chosen: list[dict[str, Any]]
    candidates: list[Candidate]


def make_search_space(
    base: Candidate, grid: object, settings: object, n_draws: int | None, random: RandomState
) -> SearchSpace:
    """The candidates of `sweep`'s arguments, all read and checked; raises as it does."""
    if (grid is None) == (settings is None):
        which = "neither grid nor settings" if grid is None else "both grid and settings"
        raise InputError(
            f"sweep was given {which}; expected one of grid={{'learning_rate': [0.1, 0.5]}} and "
            f"settings=[{{'learning_rate': 0.1}}, {{'learning_rate': 0.5}}]."
        )
    if settings is not None:
        if n_draws is not None:
            raise InputError("n_draws draws from a grid; settings is a list, all of which is trained.")
        return _of_list(base, settings)
    grids = _grids(grid, base)
    for values, where in grids:
        _check_grid(base, values, where, drawn=n_draws is not None)
    if n_draws is not None:
        return _drawn(base, [values for values, _ in grids], n_draws, random)
    return _space(
        (chosen := dict(zip(values, combination, strict=True)), _candidate(base, chosen, where))
        for values, where in grids
        for combination in product(*values.values())
    )


def _space(pairs: Iterable[tuple[dict[str, Any], Candidate]]) -> SearchSpace:
    """The space of settings and their candidates, each once."""
    space = SearchSpace({}, [], [])
    values: dict[str, dict[str, Any]] = {}  # by their identity, since they need not be hashable
    seen: set[tuple[Any, ...]] = set()
    for settings, candidate in pairs:
        read = {name: candidate.value(name) for name in settings}
        if "optimizer" in settings:  # as it was named, without the settings that stand beside it
            read["optimizer"] = check_rule(settings["optimizer"])
        identities = {name: identity_here(value) for name, value in read.items()}
        # Two functions of the caller's own may have one name; the networks hold the functions.
        key = candidate.network, *sorted(identities.items())
        if key in seen:
            continue
        seen.add(key)
        space.chosen.append(read)
        space.candidates.append(candidate)
        for name, value in read.items():
            values.setdefault(name, {}).setdefault(identities[name], value)
    space.values.update((name, tuple(distinct.values())) for name, distinct in values.items())
    return space


def _candidate(base: Candidate, settings: Settings, where: str) -> Candidate:
    """The candidate with settings that go together, or an error that says which do not."""
    try:
        candidate = base.replaced(settings)
        candidate.fit.check(candidate.network)
    except (InputError, InputTypeError) as error:
        words = ", ".join(f"{name}={shown(value)}" for name, value in settings.items())
        raise type(error)(f"{where} has {words}, which cannot be used: {error}") from error
    return candidate


def _of_list(base: Candidate, settings: object) -> SearchSpace:
    if isinstance(settings, (str, Mapping)) or not isinstance(settings, Iterable):
        raise InputTypeError(
            f"settings is a list of mappings such as [{{'learning_rate': 0.1}}], not "
            f"{type(settings).__name__}."
        )
    pairs = []
    for i, listed in enumerate(settings):
        where = f"settings[{i}]"
        if not isinstance(listed, Mapping):
            raise InputTypeError(
                f"{where} is {listed!r}; expected a mapping such as {{'learning_rate': 0.1}}."
            )
        _check_names(base, listed, where, _rules([listed.get("optimizer")]))
        pairs.append((dict(listed), _candidate(base, listed, where)))
    if not pairs:
        raise InputError("settings is empty; expected at least one mapping.")
    space = _space(pairs)
    if len(space.chosen) < len(pairs):
        raise InputError(
            f"settings lists {len(pairs) - len(space.chosen)} setting(s) more than once; each is trained "
            f"once."
        )
    return space


def _grids(grid: object, base: Candidate) -> list[tuple[Settings, str]]:
    """The grids, and how an error calls each."""
    grids = [grid] if isinstance(grid, Mapping) else grid
    if (
        isinstance(grids, str)
        or not isinstance(grids, Sequence)
        or not all(isinstance(values, Mapping) for values in grids)
    ):
        raise InputTypeError(
            f'grid is a mapping such as {{"learning_rate": [0.1, 0.2]}}, or a list of such, not '
            f"{type(grid).__name__}."
        )
    if not grids or not all(grids):
        known = ", ".join(known_settings([base.fit.optimizer]))
        raise InputError(f"grid is empty; expected values for at least one of: {known}.")
    where = ["grid"] if len(grids) == 1 else [f"grid[{i}]" for i in range(len(grids))]
    return [({k: _listed(v) for k, v in one.items()}, at) for one, at in zip(grids, where, strict=True)]


def _listed(values: Any) -> Any:
    """A setting's values as a list; a distribution, or something else that is no list, as it is."""
    if hasattr(values, "rvs") or isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        return values
    return [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    """NumPy's scalars as Python's."""
    return value.item() if hasattr(value, "dtype") and not getattr(value, "ndim", 1) else value


def _rules(values: Iterable[Any]) -> Iterator[Rule]:
    """The optimizers among these."""
    for value in values:
        if value is not None:
            yield check_rule(value)


def _check_names(base: Candidate, names: Iterable[str], where: str, rules: Iterable[Rule]) -> None:
    swept = list(rules) or [base.fit.optimizer]
    known = known_settings(swept)
    for name in names:
        if name not in known:
            kinds = " or ".join(dict.fromkeys(type(rule).__name__ for rule in swept))
            raise unknown_name(f"setting of {kinds} in the {where.partition('[')[0]}:", name, known)


def _check_grid(base: Candidate, grid: Settings, where: str, drawn: bool) -> None:
    """Refuse names that are unknown and, where a value can be checked by itself, values."""
    optimizers = grid.get("optimizer", ())
    listed = isinstance(optimizers, Iterable) and not isinstance(optimizers, str)
    _check_names(base, grid, where, _rules(optimizers) if listed else ())
    for name, values in grid.items():
        place = f"{where}[{name!r}]"
        if hasattr(values, "rvs"):
            if not drawn:
                raise InputError(
                    f"{place} is a distribution, which has no end of values: give n_draws, how many "
                    f"settings are drawn from the grid."
                )
            continue
        if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
            raise InputTypeError(
                f"{place} is {values!r}; expected a list of values, such as "
                f"{[values] if isinstance(values, str) else [0.1, 0.2]}"
                f"{', or a distribution of scipy.stats' if drawn else ''}."
            )
        if not values:
            raise InputError(f"{place} is empty; expected at least one value.")
        if name != "optimizer" and ("optimizer" in grid or name in ("hidden_layer_sizes", "activation")):
            continue  # these values are checked together with the others
        seen: set[str] = set()
        for i, value in enumerate(values):
            try:
                read = base.replaced({name: value}).value(name)
            except (InputError, InputTypeError) as error:
                raise type(error)(f"{place}[{i}] cannot be used: {error}") from error
            if (known := identity_here(read)) in seen:
                raise InputError(f"{place} has {shown(read)} twice; each value is trained once.")
            seen.add(known)


def _drawn(base: Candidate, grids: list[Settings], n_draws: object, random: RandomState) -> SearchSpace:
    count = as_count(n_draws, "n_draws")
    if count == 0:
        raise InputError("n_draws is 0; expected 1 or more.")
    from sklearn.model_selection import ParameterSampler

    if not any(hasattr(values, "rvs") for grid in grids for values in grid.values()):
        # The sampler would warn that there are no more.
        count = min(count, sum(prod(len(values) for values in grid.values()) for grid in grids))
    draws = [
        {name: _plain(value) for name, value in draw.items()}
        for draw in ParameterSampler(grids, count, random_state=random)
    ]
    return _space((draw, _candidate(base, draw, "A draw")) for draw in draws)
