"""An ensemble's networks as one file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import FileError, InputError
from glassnet.nn.activations import ACTIVATIONS
from glassnet.nn.network import Network, Parameters
from glassnet.sklearn.base import BaseMLP
from glassnet.sklearn.ensembles.members import Member
from glassnet.utils.array_checks import FLOATS
from glassnet.utils.storage import read_arrays, write_arrays

FORMAT = "glassnet ensemble"
VERSION = 1


def write_members(path: str | os.PathLike[str], members: Sequence[Any]) -> None:
    """Networks, parameters and classes; all members have the same classes."""
    networks = [_as_member(member) for member in members]
    document = {
        "format": FORMAT,
        "version": VERSION,
        "networks": [_described(member.network) for member in networks],
        "classes": _classes_document(networks[0].classes_),
    }
    write_arrays(path, {f"parameters_{i}": one.theta.flat for i, one in enumerate(networks)}, document)


def read_members(path: str | os.PathLike[str]) -> list[Member]:
    """What `write_members` wrote."""
    arrays, document = read_arrays(path)
    if document.get("format") != FORMAT:
        raise FileError(
            f"{os.fspath(path)} is not an ensemble; Ensemble.load reads what Ensemble.save wrote, and "
            f"gn.load a training run."
        )
    if document.get("version") != VERSION:
        raise FileError(
            f"{os.fspath(path)} has format version {document.get('version')}; this glassnet reads version "
            f"{VERSION}."
        )
    try:
        classes = document["classes"]
        labels = None if classes is None else np.array(classes["values"], dtype=classes["dtype"])
        found = []
        for i, described in enumerate(document["networks"]):
            network = Network(**described)
            flat: NDArray[Any] = arrays[f"parameters_{i}"]
            if flat.dtype not in FLOATS:
                raise InputError(f"the parameters of network {i} are {flat.dtype.name}")
            found.append(Member(network, network.check_parameters(Parameters(network.sizes, flat)), labels))
        if not found:
            raise InputError("there are no networks")
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"{os.fspath(path)} does not describe an ensemble: {error}.") from error
    return found


def _as_member(member: Any) -> Member:
    if isinstance(member, Member):
        return member
    kind = type(member).__name__
    if not isinstance(member, BaseMLP):
        raise InputError(
            f"A file holds networks, and {kind} is more than one: keep the ensemble with pickle or joblib."
        )
    if getattr(member, "imputer_", None) is not None:
        raise InputError(
            "A file holds networks, and these have missing values filled in before them: keep the ensemble "
            "with pickle or joblib."
        )
    network, theta = member._fitted()
    classes = getattr(member, "classes_", None)
    if isinstance(classes, list):
        raise InputError(
            "A file holds networks with one list of classes, and y had several columns of them: keep the "
            "ensemble with pickle or joblib."
        )
    return Member(network, theta, classes)


def _described(network: Network) -> dict[str, Any]:
    own = [one.name for one in network.hidden if ACTIVATIONS.get(one.name) != one]
    own += [] if network.loss.is_built_in else [network.loss.name]
    if own:
        raise InputError(
            f"A file cannot hold functions of your own ({', '.join(own)}): keep the ensemble with pickle "
            f"or joblib, or each run with gn.save."
        )
    return {
        "sizes": list(network.sizes),
        "hidden": [one.name for one in network.hidden],
        "output": network.output.name,
        "loss": network.loss.to_plain(),
    }


def _classes_document(classes: NDArray[Any] | None) -> Mapping[str, Any] | None:
    if classes is None:
        return None
    values = classes.tolist()
    if not all(isinstance(value, (bool, int, float, str)) for value in values):
        raise InputError(
            "A file holds classes that are numbers or text: keep the ensemble with pickle or joblib."
        )
    return {"values": values, "dtype": classes.dtype.str}
