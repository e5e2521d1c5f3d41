"""Nodes of a graph, written as sums and functions of values: what stands in for NumPy in formulas."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partialmethod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from glassnet.utils.libraries import require


class Value:
    """An output of a node, or a constant: a number of a `Nodes`."""

    __array_ufunc__ = None  # an array times a value is the value's affair

    def __init__(self, nodes: Nodes, name: str) -> None:
        self.nodes, self.name = nodes, name

    def _with(self, op: str, other: Any) -> Value:
        return self.nodes.add(op, self, other)

    def _before(self, op: str, other: Any) -> Value:
        return self.nodes.add(op, other, self)

    __add__, __radd__ = partialmethod(_with, "Add"), partialmethod(_before, "Add")
    __sub__, __rsub__ = partialmethod(_with, "Sub"), partialmethod(_before, "Sub")
    __mul__, __rmul__ = partialmethod(_with, "Mul"), partialmethod(_before, "Mul")
    __truediv__, __rtruediv__ = partialmethod(_with, "Div"), partialmethod(_before, "Div")
    __gt__, __lt__ = partialmethod(_with, "Greater"), partialmethod(_with, "Less")
    __ge__ = partialmethod(_with, "GreaterOrEqual")

    def __eq__(self, other: object) -> Any:
        return self.nodes.add("Equal", self, other)

    __hash__ = None  # type: ignore[assignment]

    def __neg__(self) -> Value:
        return self.nodes.add("Neg", self)


class Nodes:
    """The nodes of a graph, or of a function, in order.

    dtype : of the numbers that are written as Python's.
    inside : whether it is a function, which holds constants as nodes of their own.
    """

    def __init__(self, dtype: DTypeLike, inside: bool = False) -> None:
        self.dtype, self.inside = np.dtype(dtype), inside
        self.made: list[Any] = []
        self.constants: list[Any] = []
        self._known: dict[tuple[str, bytes, tuple[int, ...]], Value] = {}
        self._onnx = require("onnx")

    def add(self, op: str, *inputs: Any, name: str | None = None, domain: str = "", **more: Any) -> Value:
        """The output of a new node; inputs that are numbers become constants."""
        names = [self.value(each).name for each in inputs]
        output = name or f"v{len(self.made)}"
        self.made.append(self._onnx.helper.make_node(op, names, [output], domain=domain, **more))
        return Value(self, output)

    def value(self, number: Any, name: str | None = None) -> Value:
        """A number, or an array, as a constant; a value as it is."""
        if isinstance(number, Value):
            return number
        array = number if isinstance(number, np.ndarray) else np.array(number, self.dtype)
        key = array.dtype.str, array.tobytes(), array.shape
        if key not in self._known or name:
            label = name or f"c{len(self._known)}"
            tensor = self._onnx.numpy_helper.from_array(array, label)
            if self.inside:
                self.made.append(self._onnx.helper.make_node("Constant", [], [label], value=tensor))
            else:
                self.constants.append(tensor)
            self._known[key] = Value(self, label)
        return self._known[key]

    # ---- What formulas call ----------------------------------------------------------------------

    def _unary(self, op: str, v: Any) -> Value:
        return self.add(op, v)

    exp, log = partialmethod(_unary, "Exp"), partialmethod(_unary, "Log")
    tanh, abs = partialmethod(_unary, "Tanh"), partialmethod(_unary, "Abs")
    floor, isnan = partialmethod(_unary, "Floor"), partialmethod(_unary, "IsNaN")

    def maximum(self, a: Any, b: Any) -> Value:
        """The larger number; NaN passes."""
        return self.add("Max", a, b)

    def minimum(self, a: Any, b: Any) -> Value:
        """The smaller number; NaN passes."""
        return self.add("Min", a, b)

    def where(self, condition: Value, yes: Any, no: Any) -> Value:
        """One number or the other."""
        return self.add("Where", condition, yes, no)

    # ---- What graphs need besides ----------------------------------------------------------------

    def cast(self, v: Value, own: DTypeLike, other: DTypeLike) -> Value:
        """The numbers in another precision than their own, where it is another."""
        if np.dtype(own) == np.dtype(other):
            return v
        return self.add("Cast", v, to=self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(other)))

    def columns(self, v: Value, places: Sequence[int]) -> Value:
        """Some columns of a matrix."""
        return self.add("Gather", v, np.array(places, np.int64), axis=1)

    def beside(self, parts: Sequence[Value]) -> Value:
        """Matrices side by side."""
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=1)
