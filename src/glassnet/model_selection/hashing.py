"""What tells two values of a setting apart, functions and large arrays too."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import fields, is_dataclass
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.nn.activations import ACTIVATIONS, Activation
from glassnet.nn.losses import OUTPUTS, Loss, Output

_ROWS = 1 << 16


def identity(value: Any, unknown: Callable[[Any], str] | None = None) -> str:
    """A text that equal values share, in another process too, and that differs where one bit does.

    A function is its module, its name and a digest of its code, its defaults and what it has taken along
    from where it was made; what it looks up in its module when it is called is no part of it. `unknown`
    says what stands for an object of a kind that is not looked into: by default, where it compares by value
    as a date or a table of pandas does, what pickle would keep of it, else its type.
    """
    return _Teller(unknown).of(value)


def identity_here(value: Any) -> str:
    """The same within this process, where objects of unknown kinds are told apart too."""
    return identity(value, lambda one: f"{_kind(one)} at {id(one)}")


def digest(arrays: Iterable[NDArray[Any] | None]) -> str:
    """A short text of the arrays' kinds, shapes and values."""
    sha = hashlib.sha256()
    for array in arrays:
        if array is None:
            sha.update(b"none")
            continue
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        rows = np.atleast_1d(array)
        for start in range(0, len(rows), _ROWS):
            # As bytes: dates have no buffer.
            sha.update(np.ascontiguousarray(rows[start : start + _ROWS]).reshape(-1).view(np.uint8).data)
    return short(sha)


def short(sha: Any) -> str:
    """A digest's first half, which is enough."""
    return str(sha.hexdigest()[:32])


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


class _Teller:
    """Walks through a value; what holds itself is told where it comes again."""

    def __init__(self, unknown: Callable[[Any], str] | None) -> None:
        self._unknown = unknown or self._as_pickled
        self._within: list[int] = []
        self._in_value = False

    def of(self, value: Any) -> str:
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
            return repr(value)
        if id(value) in self._within:
            return f"itself, {len(self._within) - self._within.index(id(value))} up"
        self._within.append(id(value))
        try:
            return self._of_object(value)
        finally:
            self._within.pop()

    def _of_object(self, value: Any) -> str:
        if isinstance(value, np.ndarray):
            values = f" {self.of(value.tolist())}" if value.dtype.hasobject else ""
            return f"array {value.dtype.str}{value.shape}{values or digest([value])}"
        if isinstance(value, Mapping):
            return f"{{{', '.join(sorted(f'{self.of(k)}: {self.of(v)}' for k, v in value.items()))}}}"
        if isinstance(value, (tuple, list)):
            return f"({', '.join(map(self.of, value))})"
        if isinstance(value, Set):
            return f"{{{', '.join(sorted(map(self.of, value)))}}}"
        if _is_built_in(value):
            return f"{type(value).__name__} {value}" if isinstance(value, Loss) else str(value.name)
        if is_dataclass(value) and not isinstance(value, type):
            # A class of the caller's own may have been made without the fields of the one it derives from.
            known = {one.name: getattr(value, one.name, None) for one in fields(value)}
            return f"{_kind(value)}{self.of(known)}"
        if isinstance(value, CodeType):
            return self._code(value)
        return self._of_function(value) if callable(value) else self._unknown(value)

    def _as_pickled(self, value: Any) -> str:
        equals: Any = type(value).__eq__
        if equals is object.__eq__ and not self._in_value:  # a counter or a file, which may move on
            return _kind(value)
        try:
            kept = value.__reduce_ex__(4)
        except Exception:  # as a lock
            return _kind(value)
        if isinstance(kept, str):  # its name
            return f"{_kind(value)} {kept}"
        parts = (list(part) if isinstance(part, Iterator) else part for part in kept)
        before, self._in_value = self._in_value, True  # and all of it is its value
        try:
            return f"{_kind(value)}{self.of(tuple(parts))}"
        finally:
            self._in_value = before

    def _of_function(self, value: Any) -> str:
        if isinstance(value, functools.partial):
            return f"partial{self.of((value.func, value.args, value.keywords))}"
        if isinstance(value, MethodType):
            owner = value.__self__
            held = None if isinstance(owner, type) else getattr(owner, "__dict__", None)
            return f"{self.of(value.__func__)} of {self.of((owner, held))}"
        if isinstance(value, FunctionType):
            taken = [_contents(cell) for cell in value.__closure__ or ()]
            held = self.of((value.__code__, value.__defaults__, value.__kwdefaults__, taken))
            sha = hashlib.sha256(held.encode())
            return f"{value.__module__}.{value.__qualname__} {short(sha)}"
        name = getattr(value, "__qualname__", None)
        if name is not None:  # a class, or what is written in C
            inner = getattr(value, "__wrapped__", None)
            return f"{getattr(value, '__module__', None)}.{name}{'' if inner is None else self.of(inner)}"
        return f"{_kind(value)}{self.of((type(value).__call__, getattr(value, '__dict__', None)))}"

    def _code(self, code: CodeType) -> str:
        names = code.co_names, code.co_varnames, code.co_freevars, code.co_flags
        return self.of((code.co_code, code.co_consts, names))


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing yet
        return None


def _is_built_in(value: Any) -> bool:
    if isinstance(value, Loss):
        return value.is_built_in
    known: Mapping[str, Any] = ACTIVATIONS if isinstance(value, Activation) else OUTPUTS
    return isinstance(value, (Activation, Output)) and known.get(value.name) is value
