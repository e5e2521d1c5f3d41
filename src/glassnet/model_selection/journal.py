"""A sweep's results as they come, in a file that survives a kill at any moment.

The first line says which sweep it is; each other line is the record of a network, as JSON. A line ends in
a check sum over all of it. A line that a kill has torn off does not count, and is cut away when the sweep
goes on.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from glassnet.data.encoding import Encoding
from glassnet.data.standardization import Scaling
from glassnet.errors import FileError
from glassnet.model_selection.outcomes import SweepCell
from glassnet.model_selection.plan import Plan, TaskState
from glassnet.model_selection.settings import as_plain
from glassnet.optim import Optimizer
from glassnet.optim.schedules import SCHEDULES, Schedule
from glassnet.training.files.reading import OwnFunctions, run_from_arrays
from glassnet.training.files.writing import run_as_arrays
from glassnet.training.run import TrainingRun
from glassnet.utils.json_documents import canonical
from glassnet.utils.paths import as_path, explain
from glassnet.utils.storage import arrays_as_bytes, arrays_from_bytes

FORMAT = 1
_KEY = "glassnet sweep"
_CHECK = ',"check":"'
_START = b'{"fingerprint":'
_MOST_OF_A_HEADER = 1 << 20
_SYNC_SECONDS = 1.0
"""A cut of the power loses no more than that; a kill loses nothing that was written."""

_WORDS = {
    "folds": "the folds (or standardize)",
    "settings": "the networks' settings (of the grid, iterations, or another argument)",
    "metric": "the metric (or its times, evaluate_every or keep_predictions)",
}


class OtherSweepError(FileError):
    """The file holds another sweep, whose networks may all be `done`."""

    def __init__(self, words: str, done: bool = False) -> None:
        super().__init__(words)
        self.done = done


class Journal:
    """The file of one sweep, open for more lines until `close`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Look through the file, a line at a time; nothing is written before `begin`.

        Raises FileError for a file of another kind.
        """
        self.path = as_path(path, "results")
        self.header: dict[str, Any] | None = None
        self._lines: dict[int, int] = {}  # where the last line of each network begins
        self._final: set[int] = set()
        self._file: int | None = None
        self._synced = 0.0
        self._end = self._size = 0
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        if not self.path.is_file():
            raise FileError(f"{self.path} is a folder or a device; expected a file, or a path for one.")
        try:
            with self.path.open("rb") as file:
                self._look_through(file)
                self._size = os.fstat(file.fileno()).st_size
        except OSError as error:
            raise FileError(f"{self.path} cannot be read: {explain(error)}.") from error

    def _look_through(self, file: IO[bytes]) -> None:
        first = file.readline(_MOST_OF_A_HEADER)
        if first[-1:] != b"\n" and first[: len(_START)] == _START[: len(first)]:
            return  # a kill came before the first line was whole
        header = _parsed(first)
        if header is None or header.get(_KEY) is None:
            raise FileError(
                f"{self.path} is not a sweep's results, which glassnet would go on with. Give another path "
                f"to results, or move the file away; it is as it was."
            )
        if header[_KEY] != FORMAT:
            raise FileError(
                f"{self.path} has format {header[_KEY]}; this glassnet knows format {FORMAT}. Go on with "
                f"the glassnet that began it."
            )
        self.header, self._end = header, file.tell()
        self._lines.clear()
        self._final.clear()
        at, torn = self._end, None
        for number, line in enumerate(file, 2):
            record = _parsed(line)
            if record is None:  # a kill tears off the last line, a cut of the power perhaps several
                torn = torn or number
            elif torn is not None:
                raise FileError(
                    f"{self.path} is damaged: line {torn} is not what was written, while later ones are. "
                    f"Restore it from a copy, or give another path to begin anew."
                )
            else:
                self._lines[record.get("network", -1)] = at
                self._final |= {record["network"]} if record.get("final") else set()
                self._end = at + len(line)
            at += len(line)

    @property
    def scales_first(self) -> bool:
        """Whether it is of an earlier commit, whose ``standardize=True`` is that of `Plan.scales_first`."""
        return self.header is not None and "standardize" not in self.header

    def records(self) -> Iterator[dict[str, Any]]:
        """The last record of each network, one at a time: together they may be large."""
        if not self._lines:
            return
        with self.path.open("rb") as file:
            for at in self._lines.values():
                file.seek(at)
                record = _parsed(file.readline())
                assert record is not None
                yield record

    def begin(self, header: Mapping[str, Any]) -> None:
        """Open for writing, with the header where the file is new; a torn line is cut away.

        Raises FileError where the file holds another sweep, and leaves it as it is.
        """
        self.refuse_others(header["fingerprint"])
        if not self.path.parent.exists():
            raise FileError(
                f"{self.path} cannot be written: the folder {self.path.parent} does not exist. "
                f"Create it first."
            )
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
            _lock(self._file, self.path)
            if os.fstat(self._file).st_size != self._size:  # another process was not done with it
                self._read()
                self.refuse_others(header["fingerprint"])  # which that one may have begun
            if os.fstat(self._file).st_size > self._end:
                os.ftruncate(self._file, self._end)
            if self.header is None:
                self._append(_line({**header, _KEY: FORMAT}))
        except OSError as error:
            self.close()
            raise FileError(f"{self.path} cannot be written: {explain(error, True)}.") from error
        except BaseException:
            self.close()
            raise

    def _append(self, line: bytes) -> None:
        assert self._file is not None
        written = os.write(self._file, line)
        while written < len(line):
            written += os.write(self._file, line[written:])
        self._end += len(line)

    def write(self, record: Mapping[str, Any], data: bytes) -> None:
        """Add a line whole; it holds `data` as text."""
        assert self._file is not None
        try:
            self._append(_line({**record, "data": base64.b64encode(data).decode()}))
            if time.monotonic() - self._synced > _SYNC_SECONDS:
                os.fsync(self._file)
                self._synced = time.monotonic()
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._end)
            raise FileError(
                f"{self.path} cannot be written any further: {explain(error, True)}. What was written is "
                f"whole: make room, and start the sweep again with the same arguments, which goes on there."
            ) from error

    def close(self) -> None:
        """Flush and let go of the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.fsync(self._file)
            os.close(self._file)
            self._file = None

    def refuse_others(self, fingerprint: Mapping[str, str]) -> None:
        """Raise FileError where the file holds a sweep with other data or settings."""
        if self.header is None:
            return
        known = self.header["fingerprint"]
        words = [_WORDS.get(name, name) for name in fingerprint if known.get(name) != fingerprint[name]]
        if words:
            inputs = " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
            raise OtherSweepError(
                f"{self.path} holds another sweep ({len(self._lines)} networks of it are done): {inputs} "
                f"{'is' if len(words) == 1 else 'are'} not the same. Start that one with its own "
                f"arguments to go on with it, or give another path to results; the file is as it was.",
                done=len(self._final) == self.header.get("networks"),
            )


def _line(record: Mapping[str, Any]) -> bytes:
    text = canonical(record)
    check = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f'{text[:-1]}{_CHECK}{check}"}}\n'.encode()


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The record of a line; None where it is not whole."""
    body, mark, check = line.rpartition(_CHECK.encode())
    if not mark or check[16:] != b'"}\n':
        return None
    text = body + b"}"
    if hashlib.sha256(text).hexdigest()[:16].encode() != check[:16]:
        return None
    try:
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _lock(file: int, path: Path) -> None:
    """Keep a second process from writing to the same file."""
    try:
        import fcntl
    except ImportError:  # Windows has none
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise FileError(
            f"{path} is being written by another process. Wait for it, or give another path to results."
        ) from error


# ---- Records --------------------------------------------------------------------------------------


def write_state(state: TaskState) -> tuple[dict[str, Any], bytes]:
    """A record of the journal, for people and other programs to read, and the run's arrays as bytes."""
    task, cell = state.task, state.cell
    run = state.run if cell is None else cell.trained
    assert run is not None
    arrays, document = run_as_arrays(_writable(run))
    arrays["sweep_values"] = np.array(state.costs, np.float64)
    evaluations = np.array(state.evaluations if cell is None else cell.evaluations, np.float64)
    if len(evaluations):
        arrays["sweep_evaluations"] = evaluations
    status = run.status if cell is None else cell.status
    if cell is None and status == "completed":
        status = f"completed after {run.iterations}"
    record: dict[str, Any] = {
        "network": task.number,
        "settings": as_plain(dict(task.settings)),
        "seed": task.seed,
        "fold": task.fold,
        "status": status,
        "final": cell is not None,
        "loss": _finite(run.losses[-1] if len(run.losses) else math.nan),
        "seconds": run.seconds,
    }
    if cell is not None:
        metric = math.nan if cell.metric is None else cell.metric
        arrays["sweep_numbers"] = np.array([cell.baseline, cell.floor, metric], np.float64)
        if cell.kept is not None:
            arrays["sweep_kept"] = cell.kept.astype(np.int64)
            document["iterations"] = len(cell.kept) - (run.batch_size is None)
        if cell.predictions is not None:
            arrays["sweep_predictions"] = cell.predictions
        record |= {
            "iterations": cell.iterations,
            "metric": None if cell.metric is None else _finite(cell.metric),
            "has_metric": cell.metric is not None,
        }
        if cell.left_out:
            record["left_out"] = cell.left_out
    return record, arrays_as_bytes(arrays, document)


def read_state(record: Mapping[str, Any], plan: Plan, path: Path) -> TaskState:
    """The state of a task, from its record; of two records of a network the later one is further on."""
    try:
        task = plan.tasks[record["network"]]
        final, status = record["final"], record["status"]
        has_metric = record.get("has_metric", False)
        data = base64.b64decode(record["data"], validate=True)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise FileError(f"{path} has a record that does not belong to this sweep: {error}.") from error
    arrays, document = arrays_from_bytes(data, path)
    costs = tuple(arrays.pop("sweep_values").tolist())
    numbers, kept = arrays.pop("sweep_numbers", None), arrays.pop("sweep_kept", None)
    predictions = arrays.pop("sweep_predictions", None)
    evaluations = arrays.pop("sweep_evaluations", np.empty(0))
    candidate = task.candidate
    stopping = candidate.fit.stopping
    metric = () if stopping is None or isinstance(stopping.metric, str) else (stopping.metric,)
    own = OwnFunctions.of(candidate.network.hidden, (candidate.network.loss,), metric)
    run = run_from_arrays(arrays, document, path, own)
    run = replace(run, network=candidate.network, optimizer=candidate.fit.optimizer)
    run = replace(run, encoding=_encoding(run, plan))
    if not final or numbers is None:
        return TaskState(task, run, costs, evaluations=tuple(evaluations.tolist()))
    cell = SweepCell(
        task.settings,
        status,
        run,
        kept,
        float(numbers[2]) if has_metric else None,
        task.setting,
        task.seed,
        task.fold,
        float(numbers[0]),
        float(numbers[1]),
        evaluations,
        None if predictions is None or task.fold is None else plan.data.folds[task.fold].test,
        predictions,
        record.get("left_out", 0),
    )
    return TaskState(task, None, costs, cell)


def _encoding(run: TrainingRun, plan: Plan) -> Encoding:
    """How the run takes X and y, which journals of earlier commits do not say."""
    encoding = replace(run.encoding, flat=plan.data.samples.flat and run.network.sizes[-1] == 1)
    known = run.extra.get("preprocessing")
    if encoding.scaling is not None or not plan.standardize or known is None:
        return encoding
    mean, scale = (np.array(known[name], np.float64) for name in ("mean", "scale"))
    return replace(encoding, scaling=Scaling.of_inputs(run.network, mean, scale))


def _writable(run: TrainingRun) -> TrainingRun:
    """The run without a schedule of the caller's own, which no file can hold."""
    rule = run.optimizer
    if isinstance(rule, Optimizer):
        rate = rule.learning_rate
        if isinstance(rate, Schedule) and SCHEDULES.get(rate.name) is not type(rate):
            return replace(run, optimizer=replace(rule, learning_rate=1.0))
    return run


def _finite(value: float) -> float | str:
    return float(value) if math.isfinite(value) else str(float(value))
