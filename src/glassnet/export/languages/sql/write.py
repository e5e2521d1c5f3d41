"""One query, from a table's columns to outputs and labels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from glassnet.data.holdout import listed
from glassnet.errors import InputError
from glassnet.export.languages.language import Options
from glassnet.export.languages.program import networks_of, outputs_name, program_of, texts_of
from glassnet.export.languages.sql.columns import Columns, number_text
from glassnet.export.model import Feature, Model


def write(model: Model, options: Options) -> bytes:
    """The query's bytes; InputError for a text that databases do not take, or a layer too wide."""
    texts = texts_of(model)
    labels = [str(label) for labels in texts.classes for label in labels]
    known = [category for _, categories in texts.categories for category in categories]
    if any("\0" in text for text in [*texts.features, *labels, *known]):
        raise InputError("A name, category or label has the character NUL, which databases do not take.")
    names = [str(options.settings["key"]), *(feature.name for feature in model.features)]
    repeated = [name for name, count in Counter(map(str.lower, names)).items() if count > 1]
    if repeated:
        raise InputError(
            f"The key and the features have the names {listed(repeated)} more than once, for a database, "
            f"which takes large letters for small ones: choose another key, as key='row', or rename some."
        )
    columns = Columns(program_of(model, by_entries=False), len(model.features))
    outputs = columns.run(outputs_name(model))
    named = [f"{name} AS {'p' if model.is_classifier else 'y'}{k}" for k, name in enumerate(outputs, 1)]
    wanted = list(outputs)
    for place, answer in enumerate(model.answers if model.is_classifier else (), 1):
        own = outputs[answer.start : answer.stop]
        largest = columns.largest(own)
        wanted.append(largest)
        named.append(f"{_label(own, largest, texts.classes[place - 1])} AS label{place}")
    key = identifier(options.settings["key"])
    table = ".".join(table_parts(options))
    read = [f"{_read(f)} AS x{place}" for place, f in enumerate(model.features, 1)]
    numbers = [
        f"{_microseconds(f'x{place}')} AS x{place}" if feature.date else f"x{place}"
        for place, feature in enumerate(model.features, 1)
    ]
    dated = [numbers] if any(feature.date for feature in model.features) else []
    selects = [_select([f"s.{key} AS id", *read], f"{table} AS s")]
    for number, step in enumerate([*dated, *columns.steps_of(list(dict.fromkeys(wanted)))]):
        selects.append(_select(["id", *step], f"step{number}"))
    steps = [f"step{number} AS MATERIALIZED (\n{select}\n)" for number, select in enumerate(selects)]
    last = _select([f"id AS {key}", *named], f"step{len(steps) - 1}")
    return "\n".join([_comment(model, options), f"WITH {', '.join(steps)}", last, ""]).encode()


def _comment(model: Model, options: Options) -> str:
    table, key = (json.dumps(options.settings[name]) for name in ("table", "key"))
    lines = [
        f"{networks_of(model)}, from glassnet: a query for SQLite, DuckDB and PostgreSQL.",
        "",
        f"It reads the table {table}, whose column {key} names a row. NULL and '' are missing,",
        "and for SQLite a text that is no number where one is expected.",
    ]
    dates = [json.dumps(feature.name) for feature in model.features if feature.date]
    if dates:
        lines.append(f"Dates, or texts such as 2024-03-05 12:30:05, are: {', '.join(dates)}.")
    lines += ["", "It gives:"]
    letter = "p" if model.is_classifier else "y"
    lines += [f"  {letter}{place} {json.dumps(name)}" for place, name in enumerate(model.output_names, 1)]
    if model.is_classifier:
        lines += [f"  label{place} {json.dumps(a.name)}" for place, a in enumerate(model.answers, 1)]
    return "\n".join(f"-- {line}".rstrip() for line in lines)


def _select(columns: Sequence[str], source: str) -> str:
    separator = ",\n    "
    return f"  SELECT {separator.join(columns)}\n  FROM {source}"


def _read(feature: Feature) -> str:
    """A feature's number, from the table's column, or a date's text; an empty text is a missing value."""
    column = f"s.{identifier(feature.name)}"
    text = f"CAST({column} AS VARCHAR)"
    if feature.date:
        return text
    if feature.categories is None:
        return _number_in(column, text)
    whens = [f"WHEN {_text(name)} THEN {place}" for place, name in enumerate(feature.categories)]
    if "" not in feature.categories:
        whens.append("WHEN '' THEN NULL")
    places = f"CASE {text} {' '.join(whens)} ELSE {len(feature.categories)} END"
    return f"CAST(CASE WHEN {column} IS NULL THEN NULL ELSE {places} END AS DOUBLE PRECISION)"


def _number_in(column: str, text: str) -> str:
    """The number in a column, which reads as `text`. SQLite alone takes any text for a number, without what
    follows its digits; here such a text is missing."""
    value = f"NULLIF(CAST({column} AS DOUBLE PRECISION), 'NaN')"
    wrong = f"TRIM({text}, ' +-.0123456789Ee') <> '' AND ABS({value}) <= 1.7976931348623157e308"
    return f"CASE WHEN {text} = '' THEN NULL WHEN {wrong} THEN NULL ELSE {value} END"


def _microseconds(text: str) -> str:
    """The microseconds since 1970-01-01 of a column of texts: numbers, or dates as 2024-03-05 12:30:05.5.

    Years begin in March here, so that any 29th of February ends one.
    """

    def part(start: int, length: int) -> str:
        return f"CAST(NULLIF(SUBSTR({text}, {start}, {length}), '') AS DOUBLE PRECISION)"

    year = f"({part(1, 4)} - CASE WHEN SUBSTR({text}, 6, 2) < '03' THEN 1 ELSE 0 END)"
    before = ((153 * month + 2) // 5 for month in range(12))  # days before each month
    months = " ".join(f"WHEN '{(month + 2) % 12 + 1:02}' THEN {days}" for month, days in enumerate(before))
    days = (
        f"365 * {year} + FLOOR({year} / 4) - FLOOR({year} / 100) + FLOOR({year} / 400) "
        f"+ CASE SUBSTR({text}, 6, 2) {months} END + {part(9, 2)} - 719469"
    )
    hours, minutes, seconds = (f"COALESCE({part(*place)}, 0)" for place in ((12, 2), (15, 2), (18, 9)))
    date = f"((({days}) * 24 + {hours}) * 60 + {minutes}) * 60000000e0 + {seconds} * 1000000e0"
    return f"CASE WHEN {text} LIKE '____-__-__%' THEN {date} ELSE {_number_in(text, text)} END"


def _label(columns: Sequence[str], largest: str, labels: Sequence[Any]) -> str:
    """The label of the largest column, the first of equal ones; NULL where that is."""
    said = list(map(_literal, labels_in_sql(labels)))
    if len(columns) == 1:
        return f"CASE WHEN {largest} > 0.5 THEN {said[1]} WHEN {largest} <= 0.5 THEN {said[0]} END"
    whens = (f"WHEN {name} = {largest} THEN {text}" for name, text in zip(columns, said, strict=True))
    return f"CASE {' '.join(whens)} END"


def labels_in_sql(labels: Sequence[Any]) -> list[Any]:
    """Labels of one kind, as a column has them: texts where they are of several."""
    kinds = set(map(type, labels))
    if kinds in ({bool}, {int}):
        return list(labels)
    return [float(label) if kinds <= {int, float} else str(label) for label in labels]


def _literal(label: Any) -> str:
    if isinstance(label, str):
        return _text(label)
    return number_text(label) if isinstance(label, float) else str(label).upper()


def table_parts(options: Options) -> list[str]:
    """The table, after its schema where it has one."""
    return list(map(identifier, str(options.settings["table"]).split(".")))


def identifier(name: object) -> str:
    """A name in quotes."""
    return '"' + str(name).replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
