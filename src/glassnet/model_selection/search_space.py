"""The settings to try: every combination of a grid, a random draw from it, or a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.model_selection.hashing import identity_here
from glassnet.model_selection.settings import Recipe, as_rule, known_settings
from glassnet.model_selection.words import shown
from glassnet.training.steppers import Rule
from glassnet.utils.settings_checks import as_count

Settings = Mapping[str, Any]


class Space(NamedTuple):
    """What is tried: the values of each setting as they were read, and a recipe for every combination.

    ``chosen[i]`` names the settings of ``recipes[i]``.
    """

    values: dict[str, tuple[Any, ...]]
    chosen: list[dict[str, Any]]
    recipes: list[Recipe]


def make_space(
    base: Recipe, grid: object, settings: object, n_draws: int | None, random_state: Any
) -> Space:
    """The settings of `sweep`'s arguments, all read and checked; raises as it does."""
    if (grid is None) == (settings is None):
        what = "neither grid nor settings" if grid is None else "both grid and settings"
        raise InputError(
            f"sweep was given {what}; expected one of grid={{'learning_rate': [0.1, 0.5]}} and "
            f"settings=[{{'learning_rate': 0.1}}, {{'learning_rate': 0.5}}]."
        )
    if settings is not None:
        if n_draws is not None:
            raise InputError("n_draws draws from a grid; settings is a list, all of which is trained.")
        return _of_list(base, settings)
    grids = _grids(grid, base)
    for one, where in grids:
        _check_grid(base, one, where, drawn=n_draws is not None)
    if n_draws is not None:
        return _drawn(base, [one for one, _ in grids], n_draws, random_state)
    found: list[tuple[dict[str, Any], Recipe]] = []
    for one, where in grids:
        for combination in product(*one.values()):
            made = dict(zip(one, combination, strict=True))
            found.append((made, _recipe(base, made, where)))
    return _space(found)


def _space(found: Iterable[tuple[dict[str, Any], Recipe]]) -> Space:
    """Without what was found before."""
    chosen: list[dict[str, Any]] = []
    recipes: list[Recipe] = []
    values: dict[str, dict[str, Any]] = {}  # by their identity, since they need not be hashable
    seen: set[tuple[Any, ...]] = set()
    for made, recipe in found:
        read = {name: recipe.value(name) for name in made}
        if "optimizer" in made:  # as it was named, without the settings that stand beside it
            read["optimizer"] = as_rule(made["optimizer"])
        told = {name: identity_here(value) for name, value in read.items()}
        # Functions of one's own may have one name; the network has them themselves.
        key = recipe.network, *sorted(told.items())
        if key in seen:
            continue
        seen.add(key)
        chosen.append(read)
        recipes.append(recipe)
        for name, value in read.items():
            values.setdefault(name, {}).setdefault(told[name], value)
    return Space({name: tuple(known.values()) for name, known in values.items()}, chosen, recipes)


def _recipe(base: Recipe, settings: Settings, where: str) -> Recipe:
    """The recipe with settings that go together, or an error that says which do not."""
    try:
        recipe = base.replaced(settings)
        recipe.check()
    except (InputError, InputTypeError) as error:
        words = ", ".join(f"{name}={shown(value)}" for name, value in settings.items())
        raise type(error)(f"{where} has {words}, which cannot be used: {error}") from error
    return recipe


def _of_list(base: Recipe, settings: object) -> Space:
    if isinstance(settings, (str, Mapping)) or not isinstance(settings, Iterable):
        raise InputTypeError(
            f"settings is a list of mappings such as [{{'learning_rate': 0.1}}], not "
            f"{type(settings).__name__}."
        )
    listed = list(settings)
    if not listed:
        raise InputError("settings is empty; expected at least one mapping.")
    found = []
    for i, one in enumerate(listed):
        where = f"settings[{i}]"
        if not isinstance(one, Mapping):
            raise InputTypeError(
                f"{where} is {one!r}; expected a mapping such as {{'learning_rate': 0.1}}."
            )
        _check_names(base, one, where, _rules([one.get("optimizer")]))
        found.append((dict(one), _recipe(base, one, where)))
    space = _space(found)
    if len(space.chosen) < len(found):
        raise InputError(
            f"settings lists {len(found) - len(space.chosen)} setting(s) more than once; each is trained "
            f"once."
        )
    return space


def _grids(grid: object, base: Recipe) -> list[tuple[Mapping[str, Any], str]]:
    """The grids, and what to call them."""
    if isinstance(grid, Mapping):
        grids: list[Any] = [grid]
    elif (
        isinstance(grid, Sequence)
        and not isinstance(grid, str)
        and all(isinstance(one, Mapping) for one in grid)
    ):
        grids = list(grid)
    else:
        raise InputTypeError(
            f'grid is a mapping such as {{"learning_rate": [0.1, 0.2]}}, or a list of such, not '
            f"{type(grid).__name__}."
        )
    if not grids or not all(grids):
        known = ", ".join(known_settings([base.optimizer]))
        raise InputError(f"grid is empty; expected values for at least one of: {known}.")
    where = ["grid"] if len(grids) == 1 else [f"grid[{i}]" for i in range(len(grids))]
    return [({k: _listed(v) for k, v in one.items()}, at) for one, at in zip(grids, where, strict=True)]


def _listed(values: Any) -> Any:
    """A setting's values as a list; what is none, or a distribution, as it is."""
    if hasattr(values, "rvs") or isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        return values
    return [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    """NumPy's scalars as Python's."""
    return value.item() if hasattr(value, "dtype") and not getattr(value, "ndim", 1) else value


def _rules(values: Iterable[Any]) -> Iterator[Rule]:
    """The optimizers among these, as far as they are any."""
    for value in values:
        if value is not None:
            yield as_rule(value)


def _check_names(base: Recipe, one: Mapping[str, Any], where: str, rules: Iterable[Rule]) -> None:
    swept = list(rules) or [base.optimizer]
    known = known_settings(swept)
    for name in one:
        if name not in known:
            kinds = " or ".join(dict.fromkeys(type(rule).__name__ for rule in swept))
            raise unknown_name(f"setting of {kinds} in the {where.partition('[')[0]}:", name, known)


def _check_grid(base: Recipe, grid: Mapping[str, Any], where: str, drawn: bool) -> None:
    """Refuse names and values that cannot be used, each by itself where it does not hang on another."""
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
        alone = "optimizer" not in grid and name not in ("hidden_layer_sizes", "activation")
        found: list[Any] = []
        seen: set[str] = set()
        for i, value in enumerate(values):
            if not alone and name != "optimizer":
                found.append(value)
                continue
            try:
                found.append(base.replaced({name: value}).value(name))
            except (InputError, InputTypeError) as error:
                raise type(error)(f"{place}[{i}] cannot be used: {error}") from error
            if (known := identity_here(found[-1])) in seen:
                raise InputError(f"{place} has {shown(found[-1])} twice; each value is trained once.")
            seen.add(known)
        if not found:
            raise InputError(f"{place} is empty; expected at least one value.")


def _drawn(base: Recipe, grids: list[Mapping[str, Any]], n_draws: object, random_state: Any) -> Space:
    count = as_count(n_draws, "n_draws")
    if count == 0:
        raise InputError("n_draws is 0; expected 1 or more.")
    from sklearn.model_selection import ParameterSampler

    if not any(hasattr(values, "rvs") for one in grids for values in one.values()):
        # The sampler would warn that there are no more.
        count = min(count, sum(prod(len(values) for values in one.values()) for one in grids))
    drawn = ParameterSampler(grids, count, random_state=random_state)
    made = [{name: _plain(value) for name, value in one.items()} for one in drawn]
    return _space((one, _recipe(base, one, "A draw")) for one in made)
