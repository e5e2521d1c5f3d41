"""Which columns of a table are learned from, and as what; why others are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from glassnet.data.holdout import listed
from glassnet.data.tables.columns import (
    LEARNED,
    MOST_CATEGORIES,
    ColumnInfo,
    Facts,
    duplicates_of,
    facts_of,
    gives_away,
    kind_of,
    value_range,
)
from glassnet.data.tables.encodings import SCALINGS
from glassnet.data.tables.index import NAMELESS
from glassnet.data.tables.raw import ColumnRows
from glassnet.data.tables.splits import SplitBy
from glassnet.data.tables.table import Table
from glassnet.data.tables.targets import Target
from glassnet.data.tables.words import as_option
from glassnet.errors import InputError, InputTypeError
from glassnet.utils.settings_checks import as_count, one_of


@dataclass(frozen=True)
class ColumnSettings:
    """What the user says of a table's columns, over what they look like.

    `features` are the columns to learn from, all others but `ignore` by default; `numeric`, `categorical`
    and `dates` name columns that are taken for this. `scaling` is one of `SCALINGS`; `max_categories` of a
    column have inputs of their own.
    """

    features: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    scaling: str = "standard"
    max_categories: int = MOST_CATEGORIES

    def __post_init__(self) -> None:
        for name in ("features", "ignore", *_OVERRULES):
            columns = getattr(self, name)
            if isinstance(columns, str):
                raise InputTypeError(f"{name} is a list of column names, not one text: [{columns!r}].")
            object.__setattr__(self, name, None if columns is None else tuple(columns))
        one_of(SCALINGS)(self.scaling, "scaling")
        as_count(self.max_categories, "max_categories", least=1)
        named = self.features or ()
        if len(set(named)) < len(named):
            raise InputError(f"features names a column twice: {listed(named)}.")
        taken = {
            name: [setting for setting in ("ignore", *_OVERRULES) if name in getattr(self, setting)]
            for setting in _OVERRULES
            for name in getattr(self, setting)
        }
        clashes = [
            f"{name!r} is in {' and in '.join(ways)}" for name, ways in taken.items() if len(ways) > 1
        ]
        if clashes:
            raise InputError(f"{'; '.join(clashes)}. Name each column in one of them.")

    def check(self, table: Table, target: Sequence[str]) -> None:
        """Raise InputError for columns that the table lacks, and for targets among the features."""
        for setting in ("features", "ignore", *_OVERRULES):
            for name in getattr(self, setting) or ():
                table[name]  # or an error with the nearest name
        for name in self.features or ():
            if name in target:
                raise InputError(
                    f"{name!r} is the target; it cannot be a feature too. Leave it out of features."
                )

    def overrule(self, name: str) -> str:
        """The kind that the user gives a column, "" where it is taken for what it looks like."""
        return next((kind for setting, kind in _OVERRULES.items() if name in getattr(self, setting)), "")


_OVERRULES = {"numeric": "number", "categorical": "category", "dates": "date"}


def choose_columns(
    columns: Mapping[str, ColumnRows],
    target: Target,
    settings: ColumnSettings,
    by: SplitBy,
    index: Sequence[str],
    all_stay: bool = False,
) -> dict[str, ColumnInfo]:
    """What each column is taken for, by name, in the order of the table; features in that of the settings.

    `all_stay` keeps ids, texts and columns that give the target away.
    """
    asked = settings.features
    out = {*target.names, *settings.ignore, *(by.columns if asked is None else ())}
    features = dict.fromkeys(name for name in (columns if asked is None else asked) if name not in out)
    alone = all_stay or len(features) == 1
    repeated = duplicates_of(columns[name] for name in features)
    infos = {}
    for name in features | dict.fromkeys(columns):
        column = columns[name]
        facts = facts_of(column)
        stays = alone or (asked is not None and name in features)
        info = _info(column, facts, *kind_of(column, facts, stays, settings.max_categories))
        if name in target.names:
            info = replace(info, role="target", kind=target.kind, why=_why_of_target(target))
        elif name in by.columns:
            info = replace(info, role=by.columns[name], why="holds rows out, and is not learned from")
        elif name not in features:
            why = "left out by ignore" if name in settings.ignore else "not among the features"
            info = replace(info, role="left out", why=why)
        elif kind := settings.overrule(name):
            info = replace(info, kind=kind, role="feature", why="as the settings say")
        elif name in index and asked is None:
            info = replace(info, role="left out", kind="id", why="an index, which only numbers the rows")
        elif name in repeated and asked is None:
            info = replace(info, role="left out", kind="duplicate", why=f"the values of {repeated[name]!r}")
        elif asked is None and not alone and len(target.columns) == 1:
            classes = target.classes
            few = classes is None or facts.distinct <= len(classes)
            possible = info.kind in LEARNED and (few or facts.missing > 0)
            if possible and (away := gives_away(column, target.columns[0], classes is not None)):
                info = replace(info, role="left out", kind="twin", why=away)
        infos[name] = info
    return infos if asked is not None else {name: infos[name] for name in columns}


def _info(column: ColumnRows, facts: Facts, kind: str, why: str) -> ColumnInfo:
    role = "feature" if kind in LEARNED else "left out"
    return ColumnInfo(
        column.name,
        kind,
        why,
        role,
        facts.missing,
        facts.n_rows,
        facts.distinct,
        value_range(column, facts),
    )


def _why_of_target(target: Target) -> str:
    if target.classes is not None:
        return f"classes {listed(target.classes)}"
    return "counts, by the settings" if target.task == "counts" else "numbers"


def require_features(table: Table, infos: dict[str, ColumnInfo]) -> None:
    """Raise InputError, which says what each column is and how to overrule it, where no feature is left."""
    if any(info.role == "feature" for info in infos.values()):
        return
    others = [info for info in infos.values() if info.role == "left out"]
    reasons = "; ".join(f"{info.name!r} is left out ({info.kind}: {info.why})" for info in others[:10])
    raise InputError(
        f"No column of {table.source} is left to learn from: {reasons}. Name the features that you want "
        f"(--features {','.join(as_option(info.name) for info in others[:3])}), or say what a column is "
        f"(--numeric, --categorical, --dates)."
    )


def left_out_notes(infos: dict[str, ColumnInfo]) -> list[str]:
    """Sentences about the columns that are left out though nobody asked for it."""
    notes = []
    for kind, words in _LEFT_OUT.items():
        names = [info.name for info in infos.values() if info.kind == kind and info.role == "left out"]
        if names:
            shown = [f"{name!r} ({infos[name].why})" for name in names] if kind in _TELL_WHY else []
            few = ", ".join(shown[:_MOST_TOLD]) + (
                f" and {len(names) - _MOST_TOLD:,} more" if len(names) > _MOST_TOLD else ""
            )
            options = ",".join(as_option(name) for name in names[:_MOST_TOLD])
            notes.append(
                f"{words}: {few if shown else listed(names)}." + _MEND.get(kind, "").format(options)
            )
    return notes


def nameless_note(infos: dict[str, ColumnInfo], settings: ColumnSettings) -> list[str]:
    """A sentence about a first column without a name that is learned from though nobody asked for it."""
    first = next(iter(infos.values()))
    if first.name not in NAMELESS or first.role != "feature" or settings.features is not None:
        return []
    return [
        f"The first column has no name, and is taken for a feature: {first.name!r}. Where it is an index, "
        f"which tells nothing of new rows, leave it out (--ignore {as_option(first.name)})."
    ]


_LEFT_OUT = {
    "constant": "Constant in the training rows, and left out",
    "id": "Left out, for they only name or number the rows",
    "text": "Free text, and left out",
    "duplicate": "Repeated, and left out",
    "twin": "Left out, for they give the target away",
}
_MEND = {
    "id": " To learn from them: --categorical {0} (or --numeric, --dates).",
    "twin": " If they are known before the target is: --categorical {0} (or --numeric, --dates).",
}
_TELL_WHY = ("id", "text", "duplicate", "twin")
_MOST_TOLD = 5
