"""A network's inputs from the features' numbers, as statements."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import groupby

from glassnet.export.languages.c.texts import behind, number, rows
from glassnet.export.languages.tracing import Term, Tracer, traced
from glassnet.export.model import Column
from glassnet.export.slopes import slope_of
from glassnet.export.steps import STEPS

_MOST_ALONE = 3
"""Like columns up to this number have a statement each; more of them have a loop."""


def input_statements(columns: Sequence[Column], product: str, stored: str) -> list[str]:
    """Statements that give h its numbers; `product` and `stored` say a product, and what is stored."""
    lines: list[str] = []
    place = 0
    for _, group in groupby(enumerate(columns), _likeness):
        alike = [column for _, column in group]
        if len(alike) > _MOST_ALONE:
            lines += _loop(alike, place, product, stored)
        else:
            for i, column in enumerate(alike, place):
                tracer = Tracer()
                values = [[tracer.term("number", n) for n in step.numbers] for step in column.steps]
                lines += _statement(
                    tracer, column, f"x[{column.feature}]", values, f"h[{i}]", product, stored
                )
        place += len(alike)
    return lines


def _likeness(entry: tuple[int, Column]) -> tuple[object, ...]:
    """Equal for neighbors that take neighboring features through the same steps."""
    place, column = entry
    names = tuple((step.name, len(step.numbers)) for step in column.steps)
    own = place if any(name == "pick" for name, _ in names) else -1
    return column.feature - place, names, own


def _loop(columns: Sequence[Column], place: int, product: str, stored: str) -> list[str]:
    tracer = Tracer()
    tables: list[str] = []
    values: list[list[Term]] = []
    for at, step in enumerate(columns[0].steps):
        terms: list[Term] = []
        for k in range(len(step.numbers)):
            numbers = [column.steps[at].numbers[k] for column in columns]
            if len(set(numbers)) == 1:
                terms.append(tracer.term("number", numbers[0]))
                continue
            table = f"c{len(tables) + 1}"
            listed = rows(list(map(number, numbers)), "      ")
            tables.append(f"    static const double {table}[] N_PROGMEM = {{\n{listed}\n    }};")
            terms.append(tracer.term("name", f"N_READ({table} + i)"))
        values.append(terms)
    column = columns[0]
    inner = _statement(
        tracer,
        column,
        f"x[{behind('i', column.feature)}]",
        values,
        f"h[{behind('i', place)}]",
        product,
        stored,
    )
    head = f"    for (i = 0; i < {len(columns)}; ++i) {{"
    return ["  {", *tables, head, *(f"    {line}" for line in inner), "    }", "  }"]


def _statement(
    tracer: Tracer,
    column: Column,
    value: str,
    numbers: Sequence[Sequence[Term]],
    target: str,
    product: str,
    stored: str,
) -> list[str]:
    term = tracer.term("name", value)
    for step, own in zip(column.steps, numbers, strict=True):
        given = step.numbers if step.name == "pick" else own
        term = STEPS[step.name](tracer, term, *given)
    return _assigned(term, target, product, stored)


def slope_statements(columns: Sequence[Column]) -> list[str]:
    """Statements that give d, where it is not 1, the derivative of each input by its feature's number."""
    lines: list[str] = []
    for i, column in enumerate(columns):
        tracer = Tracer()
        slope = slope_of(column.steps, tracer.term("name", f"x[{column.feature}]"), tracer)
        term = slope if isinstance(slope, Term) else tracer.term("number", slope)
        if slope is not term and slope == 1:
            continue
        lines += _assigned(term, f"d[{i}]", "({} * {})", "(N_real){}")
    return lines


def _assigned(term: Term, target: str, product: str, stored: str) -> list[str]:
    statements, (result,) = traced([term], "v")
    lines = []
    for statement in statements:
        assert isinstance(statement, ast.Assign)
        name = ast.unparse(statement.targets[0])
        lines.append(f"  const double {name} = {_said(statement.value, product)};")
    done = f"  {target} = {stored.format(_said(result, product))};"
    if not lines:
        return [done]
    return ["  {", *(f"  {line}" for line in [*lines, done]), "  }"]


_SIGNS: dict[type, str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Div: "/",
    ast.Gt: ">",
    ast.Lt: "<",
    ast.GtE: ">=",
    ast.Eq: "==",
}


def _said(node: ast.expr, product: str) -> str:
    """An expression in C."""

    def say(part: ast.expr) -> str:
        return _said(part, product)

    match node:
        case ast.Constant(value=float() as value):
            return number(value)
        case ast.Name(id="nan" | "inf" as name):
            return number(float(name))
        case ast.UnaryOp(operand=operand):
            return f"-{say(operand)}"
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return product.format(say(left), say(right))
        case ast.BinOp(left=left, op=operator, right=right):
            return f"({say(left)} {_SIGNS[type(operator)]} {say(right)})"
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return f"{say(left)} {_SIGNS[type(operator)]} {say(right)}"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return f"({say(test)} ? {say(body)} : {say(orelse)})"
        case ast.Call(func=ast.Name(id="isnan"), args=[value]):
            return f"{say(value)} != {say(value)}"
        case ast.Call(func=ast.Name(id="floor"), args=[value]):
            return f"floor({say(value)})"
    return ast.unparse(node)
