"""PyTorch: an ``nn.Sequential`` as an exported program, with its ``state_dict``."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from glassnet.data.fixed_order import Floats
from glassnet.errors import MissingLibraryError
from glassnet.export.languages.language import Language, MissingToolError, Options, Ran
from glassnet.export.languages.program import promises
from glassnet.export.model import Column, Member, Model, side_by_side
from glassnet.export.steps import STEPS
from glassnet.nn.activations import LEAK
from glassnet.utils.libraries import require

FUNCTIONS: dict[str, tuple[str, Sequence[float | str], dict[str, float]]] = {
    "logistic": ("Sigmoid", (), {}),
    "tanh": ("Tanh", (), {}),
    "relu": ("ReLU", (), {}),
    "leaky_relu": ("LeakyReLU", (LEAK,), {}),
    "elu": ("ELU", (), {}),
    "selu": ("SELU", (), {}),
    "gelu": ("GELU", (), {}),
    "gelu_tanh": ("GELU", ("tanh",), {}),
    "silu": ("SiLU", (), {}),
    "softplus": ("Softplus", (), {"threshold": 40}),  # above its 20, z is not yet the value in float64
    "softsign": ("Softsign", (), {}),
    "identity": ("Identity", (), {}),
}
"""The module of each activation, with its arguments."""


def write(model: Model, options: Options) -> bytes:
    """The file, which ``torch.export.load(PATH).module()`` reads."""
    torch = require("torch")
    module = _module(model, options.precision)
    rows = torch.zeros(2, len(model.features), dtype=_taken(model, options.precision))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyTorch, about its own
        program = torch.export.export(module, (rows,), dynamic_shapes=({0: torch.export.Dim("rows")},))
        file = io.BytesIO()
        torch.export.save(program, file)
    return file.getvalue()


def run(path: Path, model: Model, options: Options, values: Floats) -> Ran:
    """Run the file in this process."""
    try:
        torch = require("torch")
    except MissingLibraryError as error:
        raise MissingToolError("PyTorch is not installed: pip install torch") from error
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        module: Any = torch.export.load(path).module()
        outputs = module(torch.tensor(values).to(_taken(model, options.precision)))
    return Ran(outputs.numpy(), None)


def _taken(model: Model, precision: str) -> Any:
    """The precision of the rows."""
    return getattr(require("torch"), "float64" if model.has_steps else precision)


def _module(model: Model, precision: str) -> Any:
    """An ``nn.Sequential``; of several networks, what gives the mean of theirs."""
    torch = require("torch")
    networks = [_network(model, member, precision) for member in model.members]
    if len(networks) == 1:
        return networks[0].eval()

    class Mean(torch.nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.networks = torch.nn.ModuleList(networks)

        def forward(self, x: Any) -> Any:
            outputs = [network(x) for network in self.networks]
            mean = outputs[0].double()
            for number, Y in enumerate(outputs[1:], 2):  # as `Model.outputs` adds it up
                mean = mean + (Y - mean) / number
            return mean.to(outputs[0].dtype)

    return Mean().eval()


def _network(model: Model, member: Member, precision: str) -> Any:
    torch = require("torch")
    nn, dtype, network, layers = torch.nn, getattr(torch, precision), member.network, []
    places = [column.feature for column in member.columns]
    if model.has_steps or places != [*range(len(model.features))]:
        layers.append(_module_of(lambda x: _inputs(x, member.columns).to(dtype)))
    names = [*(record.name for record in network.hidden), None]
    for W, b, name in zip(member.theta.weights, member.theta.biases, names, strict=True):
        linear = nn.utils.skip_init(nn.Linear, *W.shape, dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(W.T))
            linear.bias.copy_(torch.tensor(b))
        layers.append(linear)
        if name is not None:
            layers.append(_activation(name))
    widths = list(model.softmaxes)
    links = {
        "softmax": nn.Softmax(1),
        "logistic": nn.Sigmoid(),
        "exp": _module_of(torch.exp),
        "identity": nn.Identity(),
        "softmaxes": _module_of(lambda z: torch.cat([part.softmax(1) for part in z.split(widths, 1)], 1)),
    }
    layers.append(links[model.link])
    if model.pair:
        layers.append(_module_of(lambda p: torch.cat([1 - p, p], 1)))
    if member.mean is not None:
        scale, mean = (torch.tensor(unit, dtype=torch.float64) for unit in (member.scale, member.mean))
        given = torch.float64 if model.wide else dtype
        layers.append(_module_of(lambda y: (y.double() * scale + mean).to(given)))
    return nn.Sequential(*layers)


def _activation(name: str) -> Any:
    """PyTorch's module; with its limits where its own gives NaN or infinities for huge numbers."""
    torch = require("torch")
    module, arguments, settings = FUNCTIONS[name]
    function = getattr(torch.nn, module)(*arguments, **settings)
    if name == "softsign":
        return _module_of(lambda z: function(z.clamp(-1e30, 1e30)))
    if name in ("gelu", "gelu_tanh", "silu"):
        return _module_of(lambda z: torch.where(z > 1000, z, function(z.clamp(min=-1000))))
    return function


def _module_of(function: Callable[[Any], Any]) -> Any:
    """What PyTorch has no module for."""
    module = require("torch").nn.Module()
    module.forward = function
    return module


class _Numbers:
    """What stands in for NumPy in the steps before a network."""

    def __init__(self) -> None:
        torch = require("torch")
        self._torch, self.floor, self.isnan = torch, torch.floor, torch.isnan

    def _wide(self, number: Any) -> Any:
        torch = self._torch
        return number if torch.is_tensor(number) else torch.tensor(number, dtype=torch.float64)

    def maximum(self, v: Any, least: Any) -> Any:
        return self._torch.maximum(v, self._wide(least))

    def minimum(self, v: Any, most: Any) -> Any:
        return self._torch.minimum(v, self._wide(most))

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        return self._torch.where(condition, self._wide(yes), self._wide(no))


def _inputs(x: Any, columns: Sequence[Column]) -> Any:
    """A network's inputs in float64."""
    torch, parts, numbers = require("torch"), [], _Numbers()
    for places, steps in side_by_side(columns):
        v = x[:, places].double()
        for name, arrays in steps:
            v = STEPS[name](numbers, v, *(torch.tensor(each, dtype=torch.float64) for each in arrays))
        parts.append(v)
    return torch.cat(parts, 1)


LANGUAGE = Language(".pt2", "PyTorch", write, run, promises, precisions=("float64", "float32"))
