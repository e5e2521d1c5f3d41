"""Functions in a part of Python, said in other languages; a `Dialect` is the table of how one says things.

The part: functions of numbers, vectors and places; names, numbers, arithmetic, comparisons, choices, calls,
vectors by their entries; assignments, loops over ``range``, ``if`` and ``return``.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from glassnet.export.formulas import FORMULAS
from glassnet.export.languages import helpers
from glassnet.export.languages.tracing import function_of

KINDS = {"float": "number", "int": "place", "list[float]": "vector", "list[int]": "places"}

PUBLIC = ("predict_proba", "predict", "label_numbers")
"""The functions that a file's user calls."""


class Dialect(NamedTuple):
    """How a language says things, where not as C does; in texts, {0}, {1}, ... are the parts.

    calls : functions that the language has, and the names of constants; others are translated.
    names : what functions are called that are not as here.
    head, public : the head of a function, and of one of `PUBLIC` where it is another: {0} is its name, {1}
        its arguments, {2} the type of its result.
    argument : an argument, from its name and type.
    types, taken : the types of results by kind, of `KINDS`, and those of arguments that are others.
    first : the first assignment to a name.
    vectors : a vector of given numbers, and one of as many zeros as a number says.
    places : a vector of given places.
    passed : how a vector is handed to a function.
    again, ret : another assignment, and ``return``.
    loop, when, close : the heads of a loop (name, start, stop) and of an ``if``, and their last line.
    end : the last line of a function.
    comment : what a line of comment begins with.
    choose : a condition, and the numbers if it holds and if not.
    entry : an entry of a vector, from the vector's name and the place.
    number : a float.
    words : what operators are called that are not as in C.
    own : functions of `helpers` that the language says in its own way, whole, and the one that `choose`
        calls.
    """

    calls: Mapping[str, str]
    names: Mapping[str, str] = {}
    head: str = ""
    public: str = ""
    argument: str = "{0}"
    types: Mapping[str, str] = {}
    taken: Mapping[str, str] = {}
    first: str = ""
    vectors: tuple[str, str] = ("[{0}]", "")
    places: str = "[{0}]"
    passed: str = "{0}"
    again: str = "{0} = {1};"
    ret: str = "return {0};"
    loop: str = ""
    when: str = "if ({0}) {{"
    close: str = "}"
    end: str = "}"
    comment: str = "//"
    choose: str = "({0} ? {1} : {2})"
    entry: Callable[[str, str], str] = "{}[{}]".format
    number: Callable[[float], str] = repr
    words: Mapping[str, str] = {}
    own: Mapping[str, str] = {}


@cache
def definitions() -> Mapping[str, ast.FunctionDef]:
    """The functions that a program may call: those of `helpers`, and activations."""
    tree = ast.parse(inspect.getsource(helpers))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    return {**{name: function_of(name, formula) for name, formula in FORMULAS.items()}, **functions}


def in_dialect(program: Sequence[ast.FunctionDef], dialect: Dialect) -> list[str]:
    """A program in another language, function by function, with the formulas that it needs."""
    texts = [
        dialect.own.get(name) or translated(definitions()[name], dialect)
        for name in needed(program, dialect.calls, dialect.own)
    ]
    return [*texts, *(translated(function, dialect) for function in program)]


def needed(
    program: Sequence[ast.FunctionDef], has: Collection[str] = (), own: Collection[str] = ()
) -> list[str]:
    """The names of the `definitions` that a program calls, of itself or by others, each after those that it
    calls itself. Without those that a language `has`; those of its `own` call no others."""
    names: dict[str, None] = {}

    def visit(node: ast.AST) -> None:
        for name in called(node):
            if name in own:
                names[name] = None
            elif name in definitions() and name not in has and name not in names:
                visit(definitions()[name])
                names[name] = None

    for function in program:
        visit(function)
    return list(names)


def called(node: ast.AST) -> Iterator[str]:
    """The names of the functions that a node calls; a choice calls ``choose``."""
    for part in ast.walk(node):
        if isinstance(part, ast.IfExp):
            yield "choose"
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Name):
            yield part.func.id


def translated(function: ast.FunctionDef, dialect: Dialect) -> str:
    """A function in another language."""
    lines = [
        f"{dialect.comment} {line.strip()}" for line in (ast.get_docstring(function) or "").splitlines()
    ]
    types = {**dialect.types, **dialect.taken}
    arguments = {argument.arg: types.get(kind_of(argument.annotation)) for argument in function.args.args}
    said = ", ".join(dialect.argument.format(name, kind) for name, kind in arguments.items())
    head = dialect.public if dialect.public and function.name in PUBLIC else dialect.head
    name = dialect.names.get(function.name, function.name)
    lines.append(head.format(name, said, dialect.types.get(kind_of(function.returns))))
    lines += [f"    {line}" for line in _block(function.body, dialect, set(arguments))]
    return "\n".join([*lines, *filter(None, [dialect.end])])


def kind_of(annotation: ast.expr | None) -> str:
    """The kind of an argument or a result, of `KINDS`."""
    assert annotation is not None
    return KINDS[ast.unparse(annotation)]


# ---- Statements ----------------------------------------------------------------------------------


def _block(body: Sequence[ast.stmt], dialect: Dialect, known: set[str]) -> list[str]:
    names, lines = set(known), []
    for statement in body:
        lines += _statement(statement, dialect, names)
    return lines


def _statement(node: ast.stmt, dialect: Dialect, names: set[str]) -> list[str]:
    def say(part: ast.expr) -> str:
        return expression(part, dialect)

    match node:
        case ast.Expr(value=ast.Constant()):
            return []
        case ast.Return(value=ast.expr() as value):
            return [dialect.ret.format(say(value))]
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            text = dialect.again if name in names else dialect.first
            names.add(name)
            return [text.format(name, say(value))]
        case ast.Assign(targets=[target], value=value):
            return [dialect.again.format(say(target), say(value))]
        case ast.AugAssign(target=target, op=operator, value=value):
            return [dialect.again.format(say(target), say(ast.BinOp(target, operator, value)))]
        case ast.For(target=ast.Name(id=name), iter=ast.Call(args=bounds), body=body):
            start, stop = (["0"] + [say(bound) for bound in bounds])[-2:]
            return _inner(dialect.loop.format(name, start, stop), body, dialect, names | {name})
        case ast.If(test=test, body=body, orelse=[]):
            return _inner(dialect.when.format(say(test)), body, dialect, names)
    raise AssertionError(ast.unparse(node))


def _inner(head: str, body: Sequence[ast.stmt], dialect: Dialect, names: set[str]) -> list[str]:
    inside = [f"    {line}" for line in _block(body, dialect, names)]
    return [head, *inside, *filter(None, [dialect.close])]


# ---- Expressions ---------------------------------------------------------------------------------

_OPERATORS: Mapping[type, tuple[str, int]] = {
    ast.Add: ("+", 4),
    ast.Sub: ("-", 4),
    ast.Mult: ("*", 5),
    ast.Div: ("/", 5),
    ast.Gt: (">", 3),
    ast.GtE: (">=", 3),
    ast.Lt: ("<", 3),
    ast.Eq: ("==", 3),
}


def expression(node: ast.expr, dialect: Dialect, least: int = 0) -> str:
    """An expression in another language, in parentheses where it binds less than `least`."""

    def say(part: ast.expr, bound: int = 0) -> str:
        return expression(part, dialect, bound)

    match node:
        case ast.Constant(value=float() as value):
            text = dialect.number(value)
            return f"({text})" if text.startswith("-") and least else text
        case ast.Constant(value=int() as value):
            return str(value)
        case ast.Name(id=name):
            return dialect.calls.get(name, name)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=float() as value)):
            return say(ast.Constant(-value), least)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _within(f"-{say(operand, 6)}", 4, least)
        case ast.BinOp(left=ast.List(), op=ast.Mult(), right=count):
            return dialect.vectors[1].format(say(count))
        case (
            ast.BinOp(left=left, op=operator, right=right)
            | ast.Compare(left=left, ops=[operator], comparators=[right])
        ):
            text, binds = _OPERATORS[type(operator)]
            text = dialect.words.get(text, text)
            return _within(f"{say(left, binds)} {text} {say(right, binds + 1)}", binds, least)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return dialect.choose.format(say(test), say(body), say(orelse))
        case ast.Subscript(value=ast.Name(id=name), slice=place):
            return dialect.entry(name, say(place))
        case ast.List(elts=elements):
            of_places = list(called(elements[0])) == ["label_number"]
            text = dialect.places if of_places else dialect.vectors[0]
            return text.format(", ".join(say(element) for element in elements))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _call(name, arguments, dialect)
    raise AssertionError(ast.unparse(node))


def _within(text: str, binds: int, least: int) -> str:
    return f"({text})" if binds < least else text


def _call(name: str, arguments: Sequence[ast.expr], dialect: Dialect) -> str:
    texts = [expression(argument, dialect) for argument in arguments]
    if name in dialect.calls:
        return dialect.calls[name].format(*texts)
    if name in definitions():
        kinds = [kind_of(argument.annotation) for argument in definitions()[name].args.args]
        texts = [
            dialect.passed.format(text) if kind == "vector" else text
            for text, kind in zip(texts, kinds, strict=True)
        ]
    return f"{dialect.names.get(name, name)}({', '.join(texts)})"
