"""Tapes as files: each segment's run, its keyframes and what changed, as arrays and one document."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.checks import ENGINES
from glassnet.errors import FileError, InputError, InputTypeError
from glassnet.training.files.reading import OwnFunctions, run_from_arrays
from glassnet.training.files.writing import run_as_arrays
from glassnet.training.run import TrainingRun
from glassnet.training.tape.changes import OF_DATA, value_of
from glassnet.training.tape.keyframes import Keyframe, restored, within_epoch
from glassnet.training.tape.segment import Event, Segment

FORMAT = "glassnet tape"
VERSION = 1

_ROWS = "rows"


def segments_as_arrays(
    segments: Iterable[Segment], engine: str
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and the document of a tape's file; `engine` is the one that its settings ask for.

    Raises InputError for rows of a change that no file can hold, such as a stream.
    """
    arrays: dict[str, NDArray[Any]] = {}
    documents = []
    last: TrainingRun | None = None
    for number, segment in enumerate(segments):
        own, document = run_as_arrays(segment.run)
        arrays |= {f"{number}/run/{name}": values for name, values in own.items()}
        frames = []
        for place, frame in enumerate(segment.keyframes):
            own, of_frame = frame.as_arrays()
            arrays |= {f"{number}/{place}/{name}": values for name, values in own.items()}
            frames.append({"iteration": frame.iteration, "within": frame.within, "run": of_frame})
        changes = segment.event.changes
        rows = _rows_of(segment)
        arrays |= {f"{number}/{_ROWS}/{n}": v for n, v in rows.items() if isinstance(v, np.ndarray)}
        texts = {name: values for name, values in rows.items() if not isinstance(values, np.ndarray)}
        documents.append(
            {
                "first": segment.first,
                "changed": list(changes),
                "texts": texts,
                "run": document,
                "keyframes": frames,
            }
        )
        last = segment.run
    assert last is not None
    return arrays, {
        "format": FORMAT,
        "version": VERSION,
        "engine": engine,
        "iterations": last.iterations,
        "status": last.status,
        "segments": documents,
    }


def check_rows(segments: Iterable[Segment]) -> None:
    """Raise InputError for rows of a change that no file can hold."""
    for segment in segments:
        _rows_of(segment)


def _rows_of(segment: Segment) -> dict[str, NDArray[Any] | list[str | None] | None]:
    changes = segment.event.changes
    return {name: _rows(name, changes[name]) for name in OF_DATA if name in changes}


def _rows(name: str, values: object) -> NDArray[Any] | list[str | None] | None:
    """Changed rows as a file holds them: numbers as an array, text as a list."""
    if values is None:
        return None
    array = None
    if isinstance(values, (np.ndarray, list, tuple)) or hasattr(values, "__array__"):
        with suppress(InputTypeError):  # of a stream
            array = np.asarray(values)
    if array is not None and array.dtype.kind in "biuf" and array.dtype.itemsize <= 8:
        return array
    if array is not None and array.ndim == 1 and all(isinstance(value, str) for value in array.tolist()):
        return [str(value) for value in array.tolist()]
    raise InputError(
        f"A file cannot hold the {name} that this tape changed to, which is {type(values).__name__}: "
        f"expected an array of numbers, or labels of text."
    )


def segments_from_arrays(
    arrays: Mapping[str, NDArray[Any]],
    document: Mapping[str, Any],
    path: str | os.PathLike[str],
    own: OwnFunctions,
) -> list[Segment]:
    """The segments of a tape's file; every field is checked, and errors name `path`."""
    if document.get("format") != FORMAT:
        raise FileError(f"{os.fspath(path)} is not a tape; Tape.load reads what gn.save wrote of one.")
    if document.get("version") != VERSION:
        raise FileError(
            f"{os.fspath(path)} has format version {document.get('version')}; this glassnet reads version "
            f"{VERSION}. Load it with the glassnet that wrote it, or a later one."
        )
    segments: list[Segment] = []
    try:
        for number, described in enumerate(document["segments"]):
            run = run_from_arrays(_under(f"{number}/run/", arrays), described["run"], path, own)
            segments.append(_segment(number, described, run, arrays))
        _check(bool(segments), "it has no segments")
        _check(document.get("engine", "auto") in ENGINES, "its engine is unknown")
        ends = [0, *(segment.run.iterations for segment in segments)]
        firsts = [segment.first for segment in segments]
        _check(firsts[0] == 0 and firsts[1:] == ends[1:-1], "its segments do not join")
        _check(len({segment.run.network.sizes for segment in segments}) == 1, "its networks differ")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        missing = "an entry is missing: " if isinstance(error, KeyError) else ""
        raise FileError(f"{os.fspath(path)} does not describe a tape: {missing}{error}.") from error
    return segments


def _segment(
    number: int, described: Mapping[str, Any], run: TrainingRun, arrays: Mapping[str, NDArray[Any]]
) -> Segment:
    keyframes = []
    for place, frame in enumerate(described["keyframes"]):
        iteration, within = frame["iteration"], frame["within"]
        fits = type(iteration) is int and described["first"] <= iteration <= run.iterations
        _check(fits and type(within) is bool, "a keyframe does not fit")
        state = restored(_under(f"{number}/{place}/", arrays), frame["run"], run)
        _check(within == within_epoch(state), "a keyframe does not fit")
        _check(_of_one_training(state, run), "a keyframe is of another training")
        keyframes.append(Keyframe.of(state, iteration))
    places = [(frame.iteration, frame.within) for frame in keyframes]
    _check(bool(places) and places == sorted(places), "its keyframes are in no order")
    _check(keyframes[0].iteration == described["first"], "a segment has no state to begin with")
    rows = {**described["texts"], **_under(f"{number}/{_ROWS}/", arrays)}
    first = keyframes[0].run_before(run)
    changes = {
        name: rows[name] if name in OF_DATA else value_of(first, name) for name in described["changed"]
    }
    return Segment(Event(described["first"], changes), run, None, keyframes)


def _of_one_training(state: TrainingRun, run: TrainingRun) -> bool:
    """Whether two states have the settings in common that no iteration changes, and their data."""
    fields = ("optimizer", "dtype", "reduction", "batch_size", "dropout", "dropout_seed", "average")
    pairs = [(getattr(state, name), getattr(run, name)) for name in (*fields, "class_weight", "freeze")]
    pairs += [
        (getattr(state, name) is None, getattr(run, name) is None) for name in ("cursor", "validation")
    ]
    if state.cursor is not None and run.cursor is not None:
        pairs += [(state.cursor.fingerprint, run.cursor.fingerprint)]
        pairs += [(state.cursor.layout, run.cursor.layout)]
        pairs += [(state.cursor.random is None, run.cursor.random is None)]
    ours, theirs = state.validation, run.validation
    if ours is not None and theirs is not None:
        settings = ("every", "stopping", "fingerprint", "n_held_out", "metrics")
        pairs += [(getattr(ours, name), getattr(theirs, name)) for name in settings]
    return all(one == two for one, two in pairs)


def _under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InputError(otherwise)
