"""SQL: one query for SQLite, DuckDB and PostgreSQL, with a step for each layer.

Each number that is computed is a column, and a step has the columns that need the one before. NULL stands
for NaN: databases order NaN among the numbers or have none.
"""

from __future__ import annotations

import ast
import copy
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.fixed_order import Floats
from glassnet.data.holdout import listed
from glassnet.errors import InputError
from glassnet.export.languages.language import Language, Options, Ran
from glassnet.export.languages.program import (
    Program,
    networks_of,
    outputs_name,
    program_of,
    promises,
    ran,
    texts_of,
)
from glassnet.export.languages.translation import Dialect, definitions, expression
from glassnet.export.model import Feature, Model

_MOST_COLUMNS = 1600
"""PostgreSQL's limit for a step; SQLite's is 2000."""

_TERMS = 100
"""Numbers that are added in one expression: databases bound how deep it is."""


def _number(value: float) -> str:
    text = repr(value)
    return text if "e" in text else f"{text}e0"  # without exponent it is a decimal for some


_DIALECT = Dialect(
    number=_number,
    calls={
        **{name: f"{name.upper()}({{0}})" for name in ("abs", "floor", "tanh")},
        # PostgreSQL raises where the result would be too small for a number.
        "exp": "EXP(CASE WHEN {0} < -700 THEN -700 ELSE {0} END)",
        "double": "CAST({0} AS DOUBLE PRECISION)",
        "isnan": "({0} IS NULL)",
        "log": "LN({0})",
        "nan": "NULL",
        "known": "NULLIF({0}, 'NaN')",  # a text, and so no number, for SQLite
    },
    choose="CASE WHEN {0} THEN {1} ELSE {2} END",
    words={"==": "="},
)


class _Columns:
    """Columns by name, each an expression of others, and the step in which it can be computed."""

    def __init__(self, program: Program, features: int) -> None:
        self.program = program
        self.functions = {function.name: function for function in program.functions}
        self.expressions: dict[str, ast.expr] = {}
        self.steps = {f"x{place}": 0 for place in range(1, features + 1)}
        self._counts: Counter[str] = Counter()

    def add(self, letter: str, node: ast.expr) -> str:
        """A new column; its name, of the letter and a number."""
        self._counts[letter] += 1
        name = f"{letter}{self._counts[letter]}"
        self.expressions[name] = node
        self.steps[name] = 1 + max((self.steps[used] for used in _names(node)), default=0)
        return name

    def run(self, name: str) -> list[str]:
        """The columns that a function of the program gives."""
        known: dict[str, Any] = {}
        for statement in self.functions[name].body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=target)], value=value):
                    known[target] = self._value(target, value, known)
                case ast.Return(value=ast.Name(id=target)):
                    return list(known[target])
        raise AssertionError(name)

    def _value(self, target: str, node: ast.expr, known: Mapping[str, Any]) -> Any:
        match node:
            case ast.List(elts=elements):
                return [self.add("h", _with(element, known)) for element in elements]
            case ast.Call(
                func=ast.Name(id="averaged"), args=[_, ast.Call(func=ast.Name(id=member)), number]
            ):
                others = zip(known["mean"], self.run(member), strict=True)
                return self.each("mean", (f"{a} + ({b} - {a}) / {ast.unparse(number)}" for a, b in others))
            case ast.Call(func=ast.Name(id=name), args=[ast.Name(id="h"), *others]):
                return self._applied(name, known["h"], others)
            case ast.Call(func=ast.Name(id=name)) if name in self.functions:
                return self.run(name)
            case _:
                return ast.Name(self.add("v", _with(node, known)))

    def _applied(self, name: str, h: list[str], others: Sequence[ast.expr]) -> list[str]:
        constants = [self.program.constants[other.id] for other in others if isinstance(other, ast.Name)]
        match name:
            case "dense":
                W, b = constants
                rows = zip(W.tolist(), b.tolist(), strict=True)
                return self.each("z", (f"known({_affine(weights, bias, h)})" for weights, bias in rows))
            case "softmax":
                start, stop = (int(ast.unparse(other)) for other in others)
                return [*h[:start], *self._softmax(h[start:stop]), *h[stop:]]
            case "scaled":
                parts = zip(h, *(values.tolist() for values in constants), strict=True)
                return self.each("y", (f"{column} * {scale!r} + {mean!r}" for column, scale, mean in parts))
            case "both":
                return [*self.each("p", [f"1.0 - {h[0]}"]), h[0]]
        if name in _DIALECT.calls:
            return self.each("h", (f"{name}({column})" for column in h))
        return [self._activation(definitions()[name], column) for column in h]

    def _activation(self, function: ast.FunctionDef, column: str) -> str:
        known: dict[str, ast.expr] = {"z": ast.Name(column)}
        for statement in function.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=target)], value=value):
                    known[target] = ast.Name(self.add("t", _with(value, known)))
                case ast.Return(value=ast.expr() as value):
                    return self.add("h", _with(value, known))
        raise AssertionError(function.name)

    def _softmax(self, z: list[str]) -> list[str]:
        largest = self.largest(z)
        e = self.each("e", (f"exp({column} - {largest})" for column in z))
        (total,) = self.each("total", [_added(e)])
        return self.each("p", (f"{column} / {total}" for column in e))

    def largest(self, columns: list[str]) -> str:
        """The column of the largest of columns, found by halves."""
        while len(columns) > 1:
            pairs = zip(columns[::2], columns[1::2], strict=False)
            larger = self.each("m", [f"{b} if {b} > {a} else {a}" for a, b in pairs])
            columns = larger + columns[2 * len(larger) :]
        return columns[0]

    def each(self, name: str, texts: Iterable[str]) -> list[str]:
        """New columns of expressions."""
        return [self.add(name, ast.parse(text, mode="eval").body) for text in texts]

    def steps_of(self, wanted: Sequence[str]) -> list[list[str]]:
        """The columns of each step as it says them, until all that are wanted are there."""
        uses: dict[str, int] = dict.fromkeys(wanted, len(self.steps))
        for name in reversed(self.expressions):
            if name in uses:
                for used in _names(self.expressions[name]):
                    uses[used] = max(uses.get(used, 0), self.steps[name])
        steps = []
        for step in range(1, 1 + max(self.steps[name] for name in wanted)):
            carried = [name for name in self.steps if self.steps[name] < step < uses.get(name, 0)]
            new = [name for name in self.expressions if self.steps[name] == step and name in uses]
            if len(carried) + len(new) > _MOST_COLUMNS:
                raise InputError(
                    f"The query has {len(carried) + len(new):,} columns in a step, and databases take "
                    f"{_MOST_COLUMNS:,}. Export a narrower network."
                )
            said = [f"{_said(self.expressions[name])} AS {name}" for name in new]
            steps.append([*carried, *said])
        return steps


def _said(node: ast.expr) -> str:
    """A column's expression; a chain of choices is one CASE, because SQLite bounds how deep these nest."""
    whens = ""
    while isinstance(node, ast.IfExp):
        whens += f"WHEN {expression(node.test, _DIALECT)} THEN {expression(node.body, _DIALECT)} "
        node = node.orelse
    last = expression(node, _DIALECT)
    return f"CASE {whens}ELSE {last} END" if whens else last


class _Names(ast.NodeTransformer):
    """Columns for the variables and features in a formula."""

    def __init__(self, known: Mapping[str, ast.expr]) -> None:
        self.known = known

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.known.get(node.id, node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        undefined = isinstance(node.op, ast.Sub) and not isinstance(node.right, ast.Constant)
        return _call("known", node) if undefined else node  # infinity - infinity

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return ast.Name(f"x{int(ast.unparse(node.slice)) + 1}")


def _call(name: str, node: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name), [node], [])


def _with(node: ast.expr, known: Mapping[str, ast.expr]) -> ast.expr:
    formula: ast.expr = _Names(known).visit(copy.deepcopy(node))
    return formula


def _names(node: ast.expr) -> set[str]:
    """The columns that an expression uses."""
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return names - _DIALECT.calls.keys()


def _affine(weights: Sequence[float], bias: float, h: Sequence[str]) -> str:
    """bias + weights h, weights below 0 as a difference."""
    pairs = zip(weights, h, strict=True)
    terms = [f"{'-' if weight < 0 else '+'} {abs(weight)!r} * {column}" for weight, column in pairs]
    first = f"double({bias!r}) {' '.join(terms[:_TERMS])}"
    return _added(
        [first, *(f"(0.0 {' '.join(terms[n : n + _TERMS])})" for n in range(_TERMS, len(terms), _TERMS))]
    )


def _added(texts: Sequence[str]) -> str:
    """A sum whose expression is not deep."""
    while len(texts) > _TERMS:
        texts = [f"({' + '.join(texts[n : n + _TERMS])})" for n in range(0, len(texts), _TERMS)]
    return " + ".join(texts)


# ---- The query -----------------------------------------------------------------------------------


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
    columns = _Columns(program_of(model, by_entries=False), len(model.features))
    outputs = columns.run(outputs_name(model))
    named = [f"{name} AS {'p' if model.is_classifier else 'y'}{k}" for k, name in enumerate(outputs, 1)]
    wanted = list(outputs)
    for place, answer in enumerate(model.answers if model.is_classifier else (), 1):
        own = outputs[answer.start : answer.stop]
        largest = columns.largest(own)
        wanted.append(largest)
        named.append(f"{_label(own, largest, texts.classes[place - 1])} AS label{place}")
    key = _identifier(options.settings["key"])
    table = ".".join(_table_parts(options))
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
        f"It reads the table {table}, whose column {key} names a row. NULL and '' are missing.",
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
    column = f"s.{_identifier(feature.name)}"
    text = f"CAST({column} AS VARCHAR)"
    if feature.date:
        return text
    if feature.categories is None:
        number = f"NULLIF(CAST({column} AS DOUBLE PRECISION), 'NaN')"
        return f"CASE WHEN {text} = '' THEN NULL ELSE {number} END"
    whens = [f"WHEN {_text(name)} THEN {place}" for place, name in enumerate(feature.categories)]
    if "" not in feature.categories:
        whens.append("WHEN '' THEN NULL")
    places = f"CASE {text} {' '.join(whens)} ELSE {len(feature.categories)} END"
    return f"CAST(CASE WHEN {column} IS NULL THEN NULL ELSE {places} END AS DOUBLE PRECISION)"


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
    number = f"NULLIF(CAST(NULLIF({text}, '') AS DOUBLE PRECISION), 'NaN')"
    return f"CASE WHEN {text} LIKE '____-__-__%' THEN {date} ELSE {number} END"


def _label(columns: Sequence[str], largest: str, labels: Sequence[Any]) -> str:
    """The label of the largest column, the first of equal ones; NULL where that is."""
    said = list(map(_literal, _known(labels)))
    if len(columns) == 1:
        return f"CASE WHEN {largest} > 0.5 THEN {said[1]} WHEN {largest} <= 0.5 THEN {said[0]} END"
    whens = (f"WHEN {name} = {largest} THEN {text}" for name, text in zip(columns, said, strict=True))
    return f"CASE {' '.join(whens)} END"


def _known(labels: Sequence[Any]) -> list[Any]:
    """Labels of one kind, as a column has them: texts where they are of several."""
    kinds = set(map(type, labels))
    if kinds in ({bool}, {int}):
        return list(labels)
    return [float(label) if kinds <= {int, float} else str(label) for label in labels]


def _literal(label: Any) -> str:
    if isinstance(label, str):
        return _text(label)
    return _number(label) if isinstance(label, float) else str(label).upper()


def _table_parts(options: Options) -> list[str]:
    """The table, after its schema where it has one."""
    return list(map(_identifier, str(options.settings["table"]).split(".")))


def _identifier(name: object) -> str:
    return '"' + str(name).replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# ---- Running it ----------------------------------------------------------------------------------


def run(path: Path, model: Model, options: Options, values: Floats) -> Ran:
    """Run the query by DuckDB."""
    import duckdb  # here, so that importing glassnet stays light

    data: dict[str, NDArray[Any]] = {"id": np.arange(len(values))}
    for place, feature in enumerate(model.features):
        column = values[:, place]
        data[f"c{place}"] = column if feature.categories is None else _category_texts(feature, column)
    connection = duckdb.connect()
    connection.register("data", data)
    key, parts = _identifier(options.settings["key"]), _table_parts(options)
    names = [f"c{place} AS {_identifier(feature.name)}" for place, feature in enumerate(model.features)]
    if parts[:-1]:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {'.'.join(parts[:-1])}")
    columns = ", ".join([f"id AS {key}", *names])
    connection.execute(f"CREATE TABLE {'.'.join(parts)} AS SELECT {columns} FROM data")
    query = path.read_bytes().decode()
    rows = connection.execute(f"SELECT * FROM ({query}) ORDER BY {key}").fetchall()
    known = list(map(_known, texts_of(model).classes))
    return ran(model, [[*row[1 : 1 + model.n_outputs], *_places(row, known)] for row in rows])


def _places(row: Sequence[Any], known: Sequence[list[Any]]) -> list[int]:
    """The numbers of the labels at a row's end, -1 for one that is NULL."""
    own = row[len(row) - len(known) :]
    return [-1 if label is None else labels.index(label) for label, labels in zip(own, known, strict=True)]


def _category_texts(feature: Feature, places: Floats) -> NDArray[np.object_]:
    """The texts of a category's places; another text for other places, None for NaN."""
    known, other = list(feature.categories or ()), "".join(feature.categories or ()) + "another"
    texts = [
        None if np.isnan(place) else (known[int(place)] if 0 <= place < len(known) else other)
        for place in places
    ]
    return np.array(texts, object)


LANGUAGE = Language(
    ".sql",
    "SQL for SQLite, DuckDB and PostgreSQL",
    write,
    run,
    promises,
    settings={"table": "samples", "key": "id"},
)
