"""Texts that tell two values of a setting apart, functions and large arrays included."""

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
from glassnet.nn.losses import ALL_OUTPUTS, Loss, Output

_ROWS = 1 << 16

_RECORDED_MODULES = {
    "glassnet.activations": ["Activation"],
    "glassnet.losses": ["Loss", "Output"],
    "glassnet.network": ["Network"],
    "glassnet.optimizers.adam": ["Adam", "AdamW", "AMSGrad", "Nadam"],
    "glassnet.optimizers.adaptive": ["Adadelta", "Adagrad", "RMSprop"],
    "glassnet.optimizers.descent": ["Lion", "SGD"],
    "glassnet.schedules": [
        *("Adaptive", "Constant", "Cosine", "Exponential", "InverseScaling"),
        *("OneCycle", "Step", "WarmUp"),
    ],
    "glassnet.solvers.bayesian": ["BayesianRegularization"],
    "glassnet.solvers.lbfgs": ["LBFGS"],
    "glassnet.solvers.levenberg_marquardt": ["LevenbergMarquardt"],
    "glassnet.solvers.newton_cg": ["NewtonCG"],
    "glassnet.stopping": ["EarlyStopping"],
}
_RECORDED = {name: f"{module}.{name}" for module, names in _RECORDED_MODULES.items() for name in names}
"""The names of glassnet's own classes, wherever they live today: journals of earlier commits hold these."""


def identity(value: Any, unknown: Callable[[Any], str] | None = None) -> str:
    """A text that equal values share, in another process too, and that differs where one bit does.

    A function is its module, its name and a digest of its code, its defaults and its closure; what it looks
    up in its module when it is called is not part of it. `unknown` gives the text of an object of a kind
    that is not looked into: by default what pickle would keep of it where it compares by value, as a date
    or a table of pandas does, else its type.
    """
    return _Identity(unknown).of(value)


def identity_here(value: Any) -> str:
    """`identity` within this process, where objects of unknown kinds are told apart too."""
    return identity(value, lambda other: f"{_kind(other)} at {id(other)}")


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
            some = rows[start : start + _ROWS]
            if some.dtype.hasobject:  # labels
                sha.update(repr(some.tolist()).encode())
                continue
            # As bytes: dates have no buffer.
            sha.update(np.ascontiguousarray(some).reshape(-1).view(np.uint8).data)
    return short(sha)


def short(sha: Any) -> str:
    """A digest's first half, which is enough."""
    return str(sha.hexdigest()[:32])


def _kind(value: object) -> str:
    module, name = type(value).__module__, type(value).__qualname__
    if module.partition(".")[0] == "glassnet":
        return _RECORDED.get(name, f"glassnet.{name}")
    return f"{module}.{name}"


class _Identity:
    """Walks through a value; a value that holds itself is named by the number of levels up."""

    def __init__(self, unknown: Callable[[Any], str] | None) -> None:
        self._unknown = unknown or self._of_pickled
        self._open: list[int] = []
        self._in_value = False

    def of(self, value: Any) -> str:
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
            return repr(value)
        if id(value) in self._open:
            return f"itself, {len(self._open) - self._open.index(id(value))} up"
        self._open.append(id(value))
        try:
            return self._of_object(value)
        finally:
            self._open.pop()

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
            # A subclass of the caller's own may lack fields of the class it derives from.
            settings = {field.name: getattr(value, field.name, None) for field in fields(value)}
            for field in fields(value):
                if field.metadata.get("added") and settings[field.name] == field.default:
                    del settings[field.name]
            return f"{_kind(value)}{self.of(settings)}"
        if isinstance(value, CodeType):
            names = value.co_names, value.co_varnames, value.co_freevars, value.co_flags
            return self.of((value.co_code, value.co_consts, names))
        return self._of_function(value) if callable(value) else self._unknown(value)

    def _of_pickled(self, value: Any) -> str:
        equals: Any = type(value).__eq__
        if equals is object.__eq__ and not self._in_value:  # a counter or a file, whose state may change
            return _kind(value)
        try:
            reduced = value.__reduce_ex__(4)
        except Exception:  # a lock, for one
            return _kind(value)
        if isinstance(reduced, str):  # its name
            return f"{_kind(value)} {reduced}"
        items = (list(item) if isinstance(item, Iterator) else item for item in reduced)
        before, self._in_value = self._in_value, True  # all of it is the value
        try:
            return f"{_kind(value)}{self.of(tuple(items))}"
        finally:
            self._in_value = before

    def _of_function(self, value: Any) -> str:
        if isinstance(value, functools.partial):
            return f"partial{self.of((value.func, value.args, value.keywords))}"
        if isinstance(value, MethodType):
            owner = value.__self__
            attributes = None if isinstance(owner, type) else getattr(owner, "__dict__", None)
            return f"{self.of(value.__func__)} of {self.of((owner, attributes))}"
        if isinstance(value, FunctionType):
            closure = [_contents(cell) for cell in value.__closure__ or ()]
            content = self.of((value.__code__, value.__defaults__, value.__kwdefaults__, closure))
            sha = hashlib.sha256(content.encode())
            return f"{value.__module__}.{value.__qualname__} {short(sha)}"
        name = getattr(value, "__qualname__", None)
        if name is not None:  # a class, or a function written in C
            inner = getattr(value, "__wrapped__", None)
            return f"{getattr(value, '__module__', None)}.{name}{'' if inner is None else self.of(inner)}"
        return f"{_kind(value)}{self.of((type(value).__call__, getattr(value, '__dict__', None)))}"


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # the variable is not set yet
        return None


def _is_built_in(value: Any) -> bool:
    if isinstance(value, Loss):
        return value.is_ours
    registry: Mapping[str, Any] = ACTIVATIONS if isinstance(value, Activation) else ALL_OUTPUTS
    return isinstance(value, (Activation, Output)) and registry.get(value.name) is value
