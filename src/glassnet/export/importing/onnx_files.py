"""Networks from ONNX files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.fixed_order import Floats
from glassnet.errors import FileError, InputError
from glassnet.export.importing.flow import Flow, start
from glassnet.export.importing.imported import ROWS, Imported, imported
from glassnet.export.importing.onnx_graph import Labels, Pair, Reader, needed
from glassnet.export.languages.onnx.running import session_of
from glassnet.utils.libraries import require
from glassnet.utils.paths import as_path, read_bytes

MOST_BYTES, MOST_NODES = 2**31, 10_000
"""ONNX files end at 2 GiB; no network here has that many operations."""


def from_onnx(path: str | os.PathLike[str]) -> Imported:
    """The network in an ONNX file: layers of Gemm or MatMul and Add, with activations between them.

    PyTorch, Keras, skl2onnx and `gn.export` write such files. Scaling before the first layer becomes
    preprocessing; BatchNormalization, and whatever else multiplies and adds, goes into the weights; Dropout
    is left out. Activations are recognized by what they compute, however they are written out. Labels come
    along. The result is an `Imported`, which has been compared with the file itself, as ONNX
    Runtime computes it. Needs the extra ``onnx``.

    Raises FileError for a file that is missing, damaged or above 2 GiB, and InputError, with the name of
    the operator that is in the way, for anything that is no such network.

    >>> import glassnet as gn
    >>> run = gn.train(gn.Network((1, 3, 2), "tanh"), [[0.0], [1.0]], ["no", "yes"], random_state=0)
    >>> gn.export(run, "model.onnx")
    >>> model = gn.from_onnx("model.onnx")
    >>> model.network, model.distance.error < 1e-9, model.predict([[1.0]]).tolist()
    (Network((1, 3, 2), hidden='tanh', output='softmax'), True, ['yes'])
    """
    target = as_path(path)
    try:
        return _imported(_read(target), target)
    except InputError:
        raise
    except Exception as error:  # whatever ONNX's own code makes of a file from anywhere
        raise FileError(f"{target} cannot be read as a network: {error}") from error


def _read(path: Path) -> Any:
    """The file, with the weights that lie beside it."""
    onnx = require("onnx")
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise FileError(f"{path} has {path.stat().st_size:,} bytes; an ONNX file has at most 2 GiB.")
    data = read_bytes(path)
    try:
        file = onnx.load_model_from_string(data)
        outside = {
            entry.value
            for each in file.graph.initializer
            for entry in each.external_data
            if entry.key == "location"
        }
        if sum((path.parent / place).stat().st_size for place in outside) <= MOST_BYTES:
            onnx.external_data_helper.load_external_data_for_model(file, str(path.parent))
        onnx.checker.check_model(file)
    except Exception as error:
        first = str(error).strip().partition("\n")[0].rstrip(".")
        raise FileError(f"{path} is no ONNX file, or damaged: {first or type(error).__name__}.") from error
    return file


def _imported(file: Any, path: Path) -> Imported:
    graph = file.graph
    constants = {each.name: require("onnx").numpy_helper.to_array(each) for each in graph.initializer}
    given = [each for each in graph.input if each.name not in constants]
    if len(given) != 1:
        raise InputError(f"{path} has {len(given)} inputs; expected one, a matrix (rows, features).")
    taken = given[0].type.tensor_type
    dims = [dim.dim_value for dim in taken.shape.dim]
    if len(dims) != 2 or dims[1] < 1:
        raise InputError(f"The input of {path} has the shape {dims}; expected (rows, features).")
    nodes = sum(len(each.node) for each in (graph, *file.functions))
    if nodes > MOST_NODES or dims[1] > MOST_BYTES // 8:
        raise InputError(f"{path} has {nodes:,} operations on {dims[1]:,} features; it is too large.")
    flow = start(dims[1])
    reader = Reader(file.functions, 4 * sum(map(np.size, constants.values())) + 1_000_000)
    names = [each.name for each in graph.output]
    try:
        values = reader.values(graph.node, {**constants, given[0].name: flow}, names)
        numbers = Flow, Pair
        found = [each for each in zip(names, values, strict=True) if isinstance(each[1], numbers)]
        if len(found) != 1:
            raise InputError(f"it has {len(found)} outputs of numbers, and not one")
        name, result = found[0]
        name = next(
            (node.input[0] for node in graph.node if node.output[0] == name and node.op_type == "ZipMap"),
            name,
        )
        labels = next((each.values for each in values if isinstance(each, Labels)), None)
        pair = isinstance(result, Pair) and result.flow.width == 1
        if isinstance(result, Pair):
            name, result = (name if pair else result.name), result.flow
        model = result.model(_precision(constants.values()), labels, pair)
    except InputError as error:
        raise InputError(f"{path} is no network that can be read: {error}.") from error
    return imported(model, _original(file, given[0], name))


def _precision(constants: Iterable[NDArray[Any]]) -> np.dtype[Any]:
    kinds = {each.dtype for each in constants if each.ndim == 2 and each.dtype.kind == "f"}
    if not kinds <= {np.dtype("f4"), np.dtype("f8")}:
        raise InputError("its weights are neither float32 nor float64")
    return max(kinds, default=np.dtype("f4"))


def _original(file: Any, given: Any, name: str) -> Callable[[Floats], Any]:
    """What the file itself computes under a name, by ONNX Runtime."""
    onnx = require("onnx")
    alone = onnx.ModelProto()
    alone.CopyFrom(file)
    del alone.graph.node[:], alone.graph.output[:]
    alone.graph.node.extend(needed(file.graph.node, [name]))
    kind = given.type.tensor_type.elem_type
    alone.graph.output.append(onnx.ValueInfoProto(name=name))
    session = session_of(alone.SerializeToString())
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    batch = given.type.tensor_type.shape.dim[0].dim_value or ROWS  # PyTorch's files may take one row

    def computed(rows: Floats) -> Any:
        starts = range(0, len(rows), batch)
        blocks = [np.resize(rows[at : at + batch], (batch, rows.shape[1])) for at in starts]
        results = [session.run(None, {given.name: block.astype(dtype)})[0] for block in blocks]
        # skl2onnx writes two targets one below the other.
        return np.concatenate([result.reshape(batch, -1) for result in results])[: len(rows)]

    return computed
