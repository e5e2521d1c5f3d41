"""The features and columns of a table's preprocessing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassnet.data.fixed_order import Floats
from glassnet.data.tables.encodings import (
    PARTS,
    CategoryEncoding,
    DateEncoding,
    Encoding,
    NumberEncoding,
)
from glassnet.data.tables.preprocessing import Preprocessing
from glassnet.data.tables.raw import DAY, RawColumn
from glassnet.errors import InputError
from glassnet.export.model import Column, Feature
from glassnet.export.steps import Step

Steps = tuple[Step, ...]


def features_of(preprocessing: Preprocessing) -> tuple[Feature, ...]:
    """What the exported function takes of a table's row."""
    return tuple(
        Feature(
            encoding.name,
            encoding.categories if isinstance(encoding, CategoryEncoding) else None,
            isinstance(encoding, DateEncoding),
        )
        for encoding in preprocessing.encodings
    )


def columns_of(preprocessing: Preprocessing) -> tuple[Column, ...]:
    """The network's inputs; InputError for a scaling that no exported file computes."""
    columns: list[Column] = []
    for place, encoding in enumerate(preprocessing.encodings):
        for name, steps in zip(encoding.inputs, _steps(encoding), strict=True):
            moved = scaling_steps(preprocessing.mean[len(columns)], preprocessing.scale[len(columns)])
            columns.append(Column(name, place, (*steps, *moved)))
    return tuple(columns)


def scaling_steps(mean: float, scale: float) -> tuple[Step, ...]:
    """(x - mean) / scale."""
    subtract = () if mean == 0 else (Step("subtract", (float(mean),)),)
    return subtract if scale == 1 else (*subtract, Step("divide", (float(scale),)))


def values_of(preprocessing: Preprocessing, columns: Sequence[RawColumn]) -> Floats:
    """The features' numbers (n, features) of the features' raw columns."""
    values = np.empty((len(columns[0].values), len(columns)))
    for place, (encoding, column) in enumerate(zip(preprocessing.encodings, columns, strict=True)):
        if isinstance(encoding, CategoryEncoding):
            places = encoding.places(column)
            values[:, place] = np.where(places > len(encoding.categories), np.nan, places)
        else:
            values[:, place] = column.values
    return values


def _steps(encoding: Encoding) -> list[Steps]:
    """The steps of each input, before it is standardized."""
    if isinstance(encoding, CategoryEncoding):
        shown: list[Steps] = [
            (Step("equals", (float(place),)),) for place in range(len(encoding.categories))
        ]
        shown += [(Step("is_other", (float(len(encoding.categories)),)),)] * encoding.other
        shown += [(Step("is_missing"),)] * encoding.missing
        return shown[encoding.single :]
    known: list[Steps] = [(Step("is_missing"),)] * encoding.missing
    filled = Step("fill", (encoding.fill,))
    if isinstance(encoding, NumberEncoding):
        if encoding.quantiles:
            raise InputError(
                f"Column {encoding.name!r} is scaled by quantiles, which exported files do not compute. "
                f"Train with scaling='standard' to export."
            )
        return [(filled,), *known]
    steps: list[Steps] = [(filled, Step("subtract", (encoding.first,)), Step("divide", (DAY,)))]
    for part in encoding.parts:
        angles = 2 * np.pi * np.arange(PARTS[part][0]) / PARTS[part][0]
        for circle in (np.sin(angles), np.cos(angles)):
            steps.append((filled, *_PARTS[part], Step("pick", tuple(circle.tolist()))))
    return [*steps, *known]


_DAYS = Step("divide", (DAY,)), Step("floor")
_PARTS = {
    "month": (*_DAYS, Step("month")),
    "weekday": (*_DAYS, Step("add", (3.0,)), Step("remainder", (7.0,))),  # 1970 began with a Thursday
    "hour": (Step("remainder", (DAY,)), Step("divide", (DAY / 24,)), Step("floor")),
}
