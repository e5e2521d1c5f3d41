"""The numbers of a network as columns, and the steps of a query that compute them."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from glassnet.errors import InputError
from glassnet.export.languages.program import Program
from glassnet.export.languages.translation import Dialect, definitions, expression

_MOST_COLUMNS = 1600
"""PostgreSQL's limit for a step; SQLite's is 2000."""

_TERMS = 100
"""Numbers that are added in one expression: databases bound how deep it is."""


def number_text(value: float) -> str:
    """A number as every database takes it."""
    text = repr(value)
    return text if "e" in text else f"{text}e0"  # without exponent it is a decimal for some


_DIALECT = Dialect(
    number=number_text,
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


class Columns:
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
        return ast.Call(ast.Name("known"), [node], []) if undefined else node  # infinity - infinity

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return ast.Name(f"x{int(ast.unparse(node.slice)) + 1}")


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
