"""scikit-learn's transformers before a network, as steps of each column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from glassnet.data.fixed_order import Floats
from glassnet.data.holdout import listed
from glassnet.errors import InputError
from glassnet.export.model import Column, Feature
from glassnet.export.sources.tables import Steps, scaling_steps
from glassnet.export.steps import Step
from glassnet.sklearn.tables import word


class Draft(NamedTuple):
    """A column on its way through transformers.

    place : of the column of X that it is made of.
    steps : what was done to it.
    fill : what stands for a missing cell of X before the steps, a number or a category; None for nothing.
    encoded : whether the steps begin with the number of a category.
    """

    name: str
    place: int
    steps: Steps = ()
    fill: Any = None
    encoded: bool = False

    def then(self, *steps: Step) -> Draft:
        """The column with these steps behind its own."""
        filled = () if self.fill is None else (Step("fill", (float(self.fill),)),)
        return self._replace(steps=(*filled, *self.steps, *steps), fill=None)


class Inputs:
    """The columns of X: which are read, as numbers or as categories, and the number of each category.

    names : of the columns of X.
    named : whether a data frame was fitted, whose columns are found by their names, in any order.
    """

    def __init__(self, names: Sequence[str], named: bool = False) -> None:
        self._names, self._named = names, named
        self._categories: dict[int, dict[Any, int]] = {}
        self._read: list[tuple[int, bool]] = []

    def through(self, transformers: Sequence[Any]) -> list[Draft]:
        """The columns that come out of transformers in a row; InputError names all that have no steps."""
        if unknown := [name for transformer in transformers for name in _without_steps(transformer)]:
            raise InputError(
                f"{listed(dict.fromkeys(unknown))} cannot come along with the network. Put nothing but "
                f"{', '.join(_COLUMNS_OF)} before it, or take the network alone and give it the "
                f"transformed columns."
            )
        drafts = [Draft(name, place) for place, name in enumerate(self._names)]
        for transformer in transformers:
            drafts = _after(transformer, drafts, self)
        return drafts

    def number(self, place: int, category: Any) -> float:
        """The number of a category of a column of X."""
        known = self._categories.setdefault(place, {})
        return float(known.setdefault(category, len(known)))

    def finish(self, drafts: Sequence[Draft]) -> tuple[tuple[Feature, ...], tuple[Column, ...]]:
        """The features, of the columns that are read, and the network's inputs from them.

        A column that is read as a number and as a category is two features, of two names.
        """
        self._read = sorted({(draft.place, draft.encoded) for draft in drafts})
        features = []
        for place, encoded in self._read:
            name, texts = self._names[place], None
            if encoded:
                name += " as a category" if (place, False) in self._read else ""
                texts = tuple(map(word, self._categories.get(place, ())))
            features.append(Feature(name, texts))
        columns = tuple(
            Column(draft.name, self._read.index((draft.place, draft.encoded)), draft.then().steps)
            for draft in drafts
        )
        return tuple(features), columns

    def values(self, X: Any) -> Floats:
        """The features' numbers (n, features) of an X as the first transformer takes it."""
        from scipy.sparse import issparse
        from sklearn.utils import _safe_indexing, check_array

        X = X.toarray() if issparse(X) else X
        keys: Sequence[Any] = self._names
        if not hasattr(X, "columns"):
            X = check_array(X, dtype=None, ensure_all_finite=False)
            keys = range(X.shape[1])
        elif not self._named:
            keys = [*X.columns]
        elif lacking := sorted({self._names[place] for place, _ in self._read}.difference(X.columns)):
            raise InputError(f"X has no columns {listed(lacking)}, which the network reads.")
        if len(keys) != len(self._names):
            raise InputError(f"X has {len(keys)} columns; expected {len(self._names)}.")
        values = np.empty((len(X), len(self._read)))
        for at, (place, encoded) in enumerate(self._read):
            column = _safe_indexing(X, [keys[place]], axis=1)
            if encoded:
                known = self._categories.get(place, {})
                cells = np.asarray(column, object)[:, 0].tolist()
                values[:, at] = [
                    np.nan if _is_missing(cell) else known.get(cell, len(known)) for cell in cells
                ]
            else:
                values[:, at] = check_array(column, dtype=np.float64, ensure_all_finite=False)[:, 0]
        return values

    def rows(self, values: Floats) -> Any:
        """An X with these numbers of the features, of which none is missing.

        Columns that nothing reads hold 0; one that is read as a number and as a category has the category.
        """
        columns = [np.zeros(len(values)) for _ in self._names]
        for (place, encoded), numbers in zip(self._read, values.T, strict=True):
            known = np.array([*self._categories.get(place, ())])
            columns[place] = known[numbers.astype(np.intp)] if encoded else numbers
        if self._named:
            import pandas as pd

            return pd.DataFrame(dict(zip(self._names, columns, strict=True)))
        mixed = object if any(encoded for _, encoded in self._read) else None
        return np.column_stack([column.astype(mixed or column.dtype) for column in columns])


def _is_missing(value: object) -> bool:
    """Whether it is NaN; None is a category of its own for scikit-learn."""
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


# ---- Transformers ----------------------------------------------------------------------------------


def _name(transformer: Any) -> str:
    """The class of a transformer of scikit-learn's own, "" of another one's."""
    kind = type(transformer)
    return kind.__name__ if kind.__module__.startswith("sklearn.") else ""


def does_nothing(transformer: Any) -> bool:
    """Whether columns pass as they are."""
    return transformer in (None, "passthrough") or (
        _name(transformer) == "FunctionTransformer" and transformer.func is None
    )


def _parts(transformer: Any) -> Iterator[tuple[str, Any]]:
    """The transformers of a ColumnTransformer that take columns, by name."""
    for name, part, _ in transformer.transformers_:
        if part != "drop" and transformer._transformer_to_input_indices[name]:
            yield name, part


def _without_steps(transformer: Any) -> list[str]:
    """Names, in words, of what is in a transformer and no column has steps for."""
    name = _name(transformer)
    if does_nothing(transformer):
        return []
    if name == "Pipeline":
        return [one for _, step in transformer.steps for one in _without_steps(step)]
    if name == "ColumnTransformer":
        return [one for _, part in _parts(transformer) for one in _without_steps(part)]
    if name == "SimpleImputer" and not _is_missing(transformer.missing_values):
        return [f"SimpleImputer(missing_values={transformer.missing_values!r})"]
    return [] if name in _COLUMNS_OF else [type(transformer).__name__]


def _after(transformer: Any, drafts: list[Draft], inputs: Inputs) -> list[Draft]:
    """The columns that a transformer makes of some."""
    if does_nothing(transformer):
        return drafts
    return _COLUMNS_OF[_name(transformer)](transformer, drafts, inputs)


def _pipeline(pipeline: Any, drafts: list[Draft], inputs: Inputs) -> list[Draft]:
    for _, step in pipeline.steps:
        drafts = _after(step, drafts, inputs)
    return drafts


def _column_transformer(transformer: Any, drafts: list[Draft], inputs: Inputs) -> list[Draft]:
    made: list[Draft] = []
    for name, part in _parts(transformer):
        taken = [drafts[place] for place in transformer._transformer_to_input_indices[name]]
        weight = (transformer.transformer_weights or {}).get(name)
        weighted = () if weight is None else (Step("multiply", (float(weight),)),)
        made += [draft.then(*weighted) if weighted else draft for draft in _after(part, taken, inputs)]
    return made


def center_and_scale(scaler: Any) -> tuple[Any, Any]:
    """What a StandardScaler or a RobustScaler subtracts and divides by, None for what it does not."""
    if _name(scaler) == "RobustScaler":
        return scaler.center_, scaler.scale_
    return scaler.mean_ if scaler.with_mean else None, scaler.scale_


def _scaler(scaler: Any, drafts: list[Draft], inputs: Inputs) -> list[Draft]:
    return moved(drafts, *center_and_scale(scaler))


def moved(drafts: list[Draft], means: Any, scales: Any) -> list[Draft]:
    """(x - mean) / scale of each column; None for neither."""
    means = np.zeros(len(drafts)) if means is None else means
    scales = np.ones(len(drafts)) if scales is None else scales
    return [
        draft.then(*scaling_steps(mean, scale))
        for draft, mean, scale in zip(drafts, means, scales, strict=True)
    ]


def _min_max(scaler: Any, drafts: list[Draft], inputs: Inputs) -> list[Draft]:
    clip = (Step("clip", tuple(map(float, scaler.feature_range))),) if scaler.clip else ()
    return [
        draft.then(Step("multiply", (float(scale),)), Step("add", (float(least),)), *clip)
        for draft, scale, least in zip(drafts, scaler.scale_, scaler.min_, strict=True)
    ]


def _max_abs(scaler: Any, drafts: list[Draft], inputs: Inputs) -> list[Draft]:
    clip = (Step("clip", (-1.0, 1.0)),) if scaler.clip else ()
    return [draft.then(*clip) for draft in moved(drafts, None, scaler.scale_)]


def _imputer(imputer: Any, drafts: list[Draft], inputs: Inputs) -> list[Draft]:
    made = []
    for draft, value in zip(drafts, imputer.statistics_.tolist(), strict=True):
        if _is_missing(value):  # a column without any value is left out
            continue
        if draft.steps:
            made.append(draft.then(Step("fill", (float(value),))))
        else:
            made.append(draft if draft.fill is not None else draft._replace(fill=value))
    for place in [] if imputer.indicator_ is None else imputer.indicator_.features_:
        shown = drafts[place]._replace(name=f"{drafts[place].name} is missing")
        made.append(shown.then(Step("is_missing")))
    return made


def _one_hot(encoder: Any, drafts: list[Draft], inputs: Inputs) -> list[Draft]:
    """An input for each category, one for the rare ones together; none for the one that is dropped."""
    made = []
    dropped = [None] * len(drafts) if encoder.drop_idx_ is None else encoder.drop_idx_
    for draft, categories, rare, drop in zip(drafts, *_categories_of(encoder), dropped, strict=True):
        groups = [[category] for category in categories if category not in rare] + [rare] * bool(rare)
        for group in groups:
            if drop is not None and categories[drop] in group:
                continue
            as_rare = group is rare and encoder.handle_unknown in ("infrequent_if_exist", "warn")
            codes = [float(category in group) for category in categories]
            name = f"{draft.name} = {word(group[0])}" if group is not rare else f"{draft.name} is rare"
            made.append(_coded(draft, name, categories, codes, float(as_rare), inputs))
    return made


def _ordinal(encoder: Any, drafts: list[Draft], inputs: Inputs) -> list[Draft]:
    """The number of the category among the frequent ones, and the next one for all rare ones."""
    made = []
    unknown = encoder.unknown_value if encoder.handle_unknown == "use_encoded_value" else np.nan
    for draft, categories, rare in zip(drafts, *_categories_of(encoder), strict=True):
        frequent = [category for category in categories if category not in rare and category is not np.nan]
        codes = [
            float(encoder.encoded_missing_value)
            if category is np.nan
            else float(frequent.index(category) if category in frequent else len(frequent))
            for category in categories
        ]
        made.append(_coded(draft, draft.name, categories, codes, float(unknown), inputs))
    return made


def _categories_of(encoder: Any) -> tuple[list[list[Any]], list[list[Any]]]:
    """The categories of each column and the rare ones among them, NaN for a missing cell."""

    def plain(of_column: Any) -> list[Any]:
        categories = [] if of_column is None else of_column.tolist()
        return [np.nan if _is_missing(category) else category for category in categories]

    rare = getattr(encoder, "infrequent_categories_", [None] * len(encoder.categories_))
    return [*map(plain, encoder.categories_)], [*map(plain, rare)]


def _coded(
    draft: Draft, name: str, categories: list[Any], codes: list[float], unknown: float, inputs: Inputs
) -> Draft:
    """The column that has these codes of categories, and `unknown` of others.

    Where that is NaN, an unknown category counts as a missing one.
    """
    if draft.steps:
        raise InputError(
            f"Column {draft.name!r} is encoded after it was computed. Encode columns as they are, or "
            f"filled by a SimpleImputer without add_indicator."
        )
    missing = codes[categories.index(np.nan)] if np.nan in categories else unknown
    unknown = missing if np.isnan(unknown) else unknown
    numbers = {
        int(inputs.number(draft.place, category)): code
        for category, code in zip(categories, codes, strict=True)
        if category is not np.nan
    }
    steps: Steps
    if unknown == missing == 0 and sum(codes) == 1:
        steps = (Step("equals", (float(next(n for n, code in numbers.items() if code)),)),)
    elif unknown == 0 and missing == 1 == sum(codes):
        steps = (Step("is_missing"),)
    else:
        table = [numbers.get(number, unknown) for number in range(max(numbers, default=-1) + 1)]
        steps = (Step("pick", tuple(table)),)
        if not np.isnan(unknown):
            ends = Step("add", (1.0,)), Step("clip", (0.0, len(table) + 1.0))
            steps = (*ends, Step("pick", (unknown, *table, unknown)))
        steps += () if np.isnan(missing) else (Step("fill", (missing,)),)
    fill = None if draft.fill is None else inputs.number(draft.place, draft.fill)
    return Draft(name, draft.place, fill=fill, encoded=True).then(*steps)


_COLUMNS_OF: Mapping[str, Callable[[Any, list[Draft], Inputs], list[Draft]]] = {
    "StandardScaler": _scaler,
    "MinMaxScaler": _min_max,
    "MaxAbsScaler": _max_abs,
    "RobustScaler": _scaler,
    "SimpleImputer": _imputer,
    "OneHotEncoder": _one_hot,
    "OrdinalEncoder": _ordinal,
    "ColumnTransformer": _column_transformer,
    "Pipeline": _pipeline,
}
"""What each transformer of scikit-learn makes of columns, by its class."""
