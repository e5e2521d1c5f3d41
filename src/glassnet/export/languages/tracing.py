"""Formulas as Python's own syntax, by a stand-in for NumPy that notes what they compute.

What is used more than once becomes a variable.
"""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

_ARITHMETIC = {"+": ast.Add(), "-": ast.Sub(), "*": ast.Mult(), "/": ast.Div()}
_COMPARISONS = {">": ast.Gt(), "<": ast.Lt(), ">=": ast.GtE(), "==": ast.Eq()}


def _operator(sign: str) -> Callable[[Term, Any], Term]:
    return lambda term, other: term.tracer.term(sign, term, other)


def _reflected(sign: str) -> Callable[[Term, Any], Term]:
    return lambda term, other: term.tracer.term(sign, other, term)


class Term:
    """A number that a formula computes: an operation's, of other terms."""

    def __init__(self, tracer: Tracer, operation: str, parts: tuple[Any, ...]) -> None:
        self.tracer, self.operation, self.parts = tracer, operation, parts

    __hash__ = None  # type: ignore[assignment]  # == makes a term

    __add__, __radd__ = _operator("+"), _reflected("+")
    __sub__, __rsub__ = _operator("-"), _reflected("-")
    __mul__, __rmul__ = _operator("*"), _reflected("*")
    __truediv__, __rtruediv__ = _operator("/"), _reflected("/")
    __gt__, __lt__, __ge__ = _operator(">"), _operator("<"), _operator(">=")
    __eq__ = _operator("==")  # type: ignore[assignment]

    def __neg__(self) -> Term:
        return self.tracer.term("negative", self)


class Tracer:
    """What stands for NumPy in a formula; equal computations are one term."""

    def __init__(self) -> None:
        self._terms: dict[tuple[Any, ...], Term] = {}

    def __getattr__(self, name: str) -> Callable[..., Term]:
        return lambda *parts: self.term(name, *parts)

    def term(self, operation: str, *parts: Any) -> Term:
        """The term of an operation; numbers become terms."""
        if operation not in ("number", "name"):
            parts = tuple(p if isinstance(p, Term) else self.term("number", float(p)) for p in parts)
        key = (operation, *(id(part) if isinstance(part, Term) else part for part in parts))
        return self._terms.setdefault(key, Term(self, operation, parts))

    def minimum(self, a: Any, b: Any) -> Term:
        """The smaller one of a and a number b; a if it is NaN."""
        return self.where(self.term(">", a, b), b, a)

    def maximum(self, a: Any, b: Any) -> Term:
        """The larger one of a and a number b; a if it is NaN."""
        return self.where(self.term("<", a, b), b, a)


def traced(terms: Sequence[Term], prefix: str = "t") -> tuple[list[ast.stmt], list[ast.expr]]:
    """The statements that compute terms, and the terms by the variables that these assign."""
    uses: Counter[int] = Counter()

    def count(term: Term) -> None:
        uses[id(term)] += 1
        if uses[id(term)] == 1:
            for part in _parts(term):
                count(part)

    for term in terms:
        count(term)
    statements: list[ast.stmt] = []
    known: dict[int, ast.expr] = {}

    def node(term: Term) -> ast.expr:
        if id(term) not in known:
            computed = _node(term, [node(part) for part in _parts(term)])
            if uses[id(term)] > 1 and _parts(term) and term.operation not in _COMPARISONS:
                name = f"{prefix}{len(statements) + 1}"
                statements.append(ast.Assign([ast.Name(name)], computed, lineno=0))
                computed = ast.Name(name)
            known[id(term)] = computed
        return known[id(term)]

    return statements, [node(term) for term in terms]


def function_of(name: str, formula: Callable[[Any, Any], Any]) -> ast.FunctionDef:
    """A formula of `FORMULAS` as a function."""
    tracer = Tracer()
    statements, (value,) = traced([formula(tracer.term("name", "z"), tracer)])
    head = ast.parse(f"def {name}(z: float) -> float: pass").body[0]
    assert isinstance(head, ast.FunctionDef)
    head.body = [*statements, ast.Return(value)]
    return head


def _parts(term: Term) -> tuple[Term, ...]:
    return tuple(part for part in term.parts if isinstance(part, Term))


def _node(term: Term, parts: list[ast.expr]) -> ast.expr:
    match term.operation, parts:
        case "number", _:
            number = term.parts[0]
            return ast.Constant(number) if math.isfinite(number) else ast.Name(repr(number))
        case "name", _:
            return ast.parse(term.parts[0], mode="eval").body
        case "negative", [part]:
            return ast.UnaryOp(ast.USub(), part)
        case "where", [condition, chosen, other]:
            return ast.IfExp(condition, chosen, other)
        case sign, [left, right] if sign in _ARITHMETIC:
            return ast.BinOp(left, _ARITHMETIC[sign], right)
        case sign, [left, right] if sign in _COMPARISONS:
            return ast.Compare(left, [_COMPARISONS[sign]], [right])
        case name, _:
            return ast.Call(ast.Name(name), parts, [])
