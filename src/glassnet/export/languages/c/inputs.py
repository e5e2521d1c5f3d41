"""A network's inputs from the features' numbers, as statements."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from glassnet.export.languages.c.texts import behind, number, rows
from glassnet.export.languages.tracing import Term, Tracer, traced
from glassnet.export.languages.translation import Dialect, expression
from glassnet.export.model import Column
from glassnet.export.slopes import slope_of
from glassnet.export.steps import STEPS

_MOST_ALONE = 3
"""Like columns up to this number have a statement each; more of them have a loop."""

_DIALECT = Dialect(
    calls={"isnan": "{0} != {0}", "nan": "NAN", "inf": "INFINITY", "-inf": "-INFINITY"},
    first="const double {0} = {1};",
    number=number,
)


class _Tracer(Tracer):
    """A product is a call of N_product, which may round it by itself."""

    def term(self, operation: str, *parts: Any) -> Term:
        return super().term("N_product" if operation == "*" else operation, *parts)


def input_statements(columns: Sequence[Column]) -> list[str]:
    """Statements that give h its numbers."""
    lines: list[str] = []
    place = 0
    for _, group in groupby(enumerate(columns), _likeness):
        alike = [column for _, column in group]
        if len(alike) > _MOST_ALONE:
            lines += _loop(alike, place)
        else:
            for i, column in enumerate(alike, place):
                lines += _input(_Tracer(), column.steps, str(column.feature), str(i))
        place += len(alike)
    return lines


def _likeness(entry: tuple[int, Column]) -> tuple[object, ...]:
    """Equal for neighbors that take neighboring features through the same steps."""
    place, column = entry
    names = tuple((step.name, len(step.numbers)) for step in column.steps)
    own = place if any(name == "pick" for name, _ in names) else -1
    return column.feature - place, names, own


def _loop(columns: Sequence[Column], place: int) -> list[str]:
    tracer = _Tracer()
    tables: list[str] = []
    steps: list[tuple[str, list[Any]]] = []
    for of_each in zip(*(column.steps for column in columns), strict=True):
        terms: list[Any] = []
        for numbers in zip(*(step.numbers for step in of_each), strict=True):
            if len(set(numbers)) == 1:
                terms.append(numbers[0])
                continue
            table = f"c{len(tables) + 1}"
            listed = rows(list(map(number, numbers)), "      ")
            tables.append(f"    static const double {table}[] N_PROGMEM = {{\n{listed}\n    }};")
            terms.append(tracer.term("name", f"N_READ({table} + i)"))
        steps.append((of_each[0].name, terms))
    inner = _input(tracer, steps, behind("i", columns[0].feature), behind("i", place))
    head = f"    for (i = 0; i < {len(columns)}; ++i) {{"
    return ["  {", *tables, head, *(f"    {line}" for line in inner), "    }", "  }"]


def _input(
    tracer: Tracer, steps: Sequence[tuple[str, Sequence[Any]]], feature: str, place: str
) -> list[str]:
    term = tracer.term("name", f"x[{feature}]")
    for name, numbers in steps:
        term = STEPS[name](tracer, term, *numbers)
    return _assigned(tracer.term("N_real_of", term), f"h[{place}]")


def slope_statements(columns: Sequence[Column]) -> list[str]:
    """Statements that give d, where it is not 1, the derivative of each input by its feature's number."""
    lines: list[str] = []
    for i, column in enumerate(columns):
        tracer = _Tracer()
        slope = slope_of(column.steps, tracer.term("name", f"x[{column.feature}]"), tracer)
        if isinstance(slope, Term) or slope != 1:
            lines += _assigned(tracer.term("N_real_of", slope), f"d[{i}]")
    return lines


def _assigned(term: Term, target: str) -> list[str]:
    statements, (result,) = traced([term], "v")
    lines = []
    for statement in statements:
        assert isinstance(statement, ast.Assign)
        name, value = ast.unparse(statement.targets[0]), expression(statement.value, _DIALECT)
        lines.append(f"  {_DIALECT.first.format(name, value)}")
    done = f"  {target} = {expression(result, _DIALECT)};"
    if not lines:
        return [done]
    return ["  {", *(f"  {line}" for line in [*lines, done]), "  }"]
