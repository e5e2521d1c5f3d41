"""Networks from PyTorch."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from glassnet._types import Array
from glassnet.data.fixed_order import Floats
from glassnet.errors import InputError, InputTypeError
from glassnet.export.importing.flow import Flow, start, through
from glassnet.export.importing.imported import Imported, imported
from glassnet.export.languages.torch import FUNCTIONS
from glassnet.utils.libraries import require


def from_torch(module: Any) -> Imported:
    """The network of a PyTorch ``nn.Sequential``: Linear layers with activations between them.

    BatchNorm1d goes into the weights, or before the first layer into the preprocessing; Dropout, Identity
    and Flatten are left out. A last Softmax or Sigmoid becomes the output's link; without one the values
    are the module's, such as logits. The result is an `Imported`, in float32 or float64 as the module,
    which has been compared with the module in evaluation mode. The module stays as it is.

    Raises InputTypeError for anything but an ``nn.Sequential`` (write other modules by
    ``torch.onnx.export``, and read the file by `from_onnx`), and InputError with the name of the layer that
    is in the way.

    >>> from torch import nn  # doctest: +SKIP
    >>> module = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))  # doctest: +SKIP
    >>> gn.from_torch(module).network  # doctest: +SKIP
    Network((2, 3, 1), hidden='tanh', output='identity')
    """
    torch = require("torch")
    kind = torch.nn.Sequential
    if not isinstance(module, kind) or type(module).forward is not kind.forward:
        raise InputTypeError(
            f"from_torch takes a torch.nn.Sequential, not {type(module).__name__}: what others compute "
            f"is known to Python alone. Write yours by torch.onnx.export, and read it by gn.from_onnx."
        )
    own = copy.deepcopy(module).cpu().eval()
    layers = [*_leaves(own, kind)]
    widths = [
        width
        for layer in layers
        if (width := getattr(layer, "in_features", getattr(layer, "num_features", None))) is not None
    ]
    if not widths:
        raise InputError("The module has no Linear layer.")
    dtype = next(own.parameters()).dtype
    if dtype not in (torch.float32, torch.float64):
        raise InputError(f"The module computes in {dtype}; expected torch.float32 or torch.float64.")
    flow = through(start(widths[0]), layers, _after)

    def original(rows: Floats) -> Array:
        with torch.no_grad():
            outputs: Array = own(torch.tensor(rows, dtype=dtype)).numpy()
        return outputs

    return imported(flow.model(str(dtype).removeprefix("torch.")), original)


def _leaves(module: Any, kind: type) -> Iterator[Any]:
    for layer in module:
        if isinstance(layer, kind):
            yield from _leaves(layer, kind)
        else:
            yield layer


def _after(flow: Flow, layer: Any) -> Flow | None:
    """The network after a layer."""
    nn: Any = require("torch.nn")
    if isinstance(layer, nn.Linear):
        return flow.times(_array(layer.weight).T, _array(layer.bias))
    if isinstance(layer, nn.BatchNorm1d) and layer.running_mean is not None:
        mean, variance = _array(layer.running_mean), _array(layer.running_var)
        return flow.normalized(mean, variance, layer.eps, _array(layer.weight), _array(layer.bias))
    if isinstance(layer, nn.Softmax):
        if layer.dim not in (1, -1):
            raise InputError("it does not name the columns, which are dim=1")
        return flow.ended_by_softmax()
    if isinstance(layer, (nn.Dropout, nn.AlphaDropout, nn.Identity, nn.Flatten)):
        return flow
    if type(layer) in [getattr(nn, name) for name, *_ in FUNCTIONS.values()]:
        return flow.bent(lambda z: _array(layer(require("torch").tensor(z))))
    return None


def _array(tensor: Any) -> Any:
    return None if tensor is None else tensor.detach().numpy()
