"""The outcome of a job: its folder, the object, the document run.json, and the lines that are printed."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from glassnet import native
from glassnet._version import __version__
from glassnet.cli.experiments.samples import Samples
from glassnet.cli.experiments.settings import Experiment
from glassnet.diagnostics.curvature import CurvatureTrace
from glassnet.diagnostics.gradient_report import GradientCheck
from glassnet.errors import FileError, GlassnetError
from glassnet.nn.network import Parameters
from glassnet.plots.report import Scores
from glassnet.training.run import TrainingRun
from glassnet.utils.paths import explain
from glassnet.utils.storage import atomic_write, results_folder, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RECORD = "run.json"
"""The file that lists what a run wrote; without one, a folder's files are not a run's."""

FORMAT = 1
"""The version of run.json."""

_LIBRARIES = ("numpy", "sklearn", "scipy", "safetensors", "matplotlib", "plotly", "pyarrow")
_MOST_PARAMETERS = 10_000  # more are in the model's file only


Tell = Callable[[str, str], None]
"""Is called with (label, words) after each step of a job."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """A job's run, with its gradient check, scores, seconds by step, files, and trace of the curvature."""

    experiment: Experiment
    samples: Samples
    run: TrainingRun
    initial: Parameters
    check: GradientCheck | None
    scores: dict[str, Scores]
    timings: dict[str, float]
    folder: Path
    files: list[str]
    trace: CurvatureTrace | None = None


class Stopwatch:
    """Seconds by the name of a step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter()

    @contextlib.contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - began

    @property
    def total(self) -> float:
        """Seconds since the watch was made."""
        return time.perf_counter() - self._began

    def tell(self, tell: Tell) -> None:
        """Say how long each step took."""
        for number, (step, seconds) in enumerate(self.seconds.items()):
            tell("" if number else "timings", f"{seconds:7.2f} s  {step}")


def record(outcome: Outcome) -> dict[str, Any]:
    """The document of run.json, as `ResultsFolder.commit` takes it."""
    run, samples, preprocessing = outcome.run, outcome.samples, outcome.samples.preprocessing
    return {
        "name": outcome.experiment.name,
        "title": outcome.experiment.title,
        "status": run.status,
        "diverged_at": run.diverged_at,
        "iterations": run.iterations,
        "first_loss": run.losses[0] if len(run.losses) else None,
        "final_loss": run.losses[-1] if len(run.losses) else None,
        "best_iteration": run.best_iteration,
        "reason": run.reason,
        "evidence": None if run.evidence is None else run.evidence._asdict(),
        "scores": {name: scores_to_dict(scores) for name, scores in outcome.scores.items()},
        "network": str(run.network),
        "n_parameters": run.network.n_parameters,
        "parameters": _parameters(run.theta),
        "initial_parameters": _parameters(outcome.initial),
        "curvature": None if outcome.trace is None else asdict(outcome.trace.points[-1]),
        "gradient_check": None if outcome.check is None else outcome.check.to_dict(),
        "data": {
            "n_samples": samples.n,
            "n_held_out": samples.n_held_out,
            "notes": list(samples.notes),
            "preprocessing": preprocessing.to_dict(),
        },
        "settings": outcome.experiment.to_dict(),
        "engine": {
            "name": run.engine,
            "reason": run.engine_reason,
            "instruction_set": instruction_set(run.engine),
            "threads": run.threads,
            "dtype": run.dtype.name,
        },
        "timings": {**outcome.timings, "updates": run.seconds},
    }


def _environment() -> dict[str, Any]:
    """The machine, the versions of the libraries that the job loaded, and the time."""
    loaded = {name: getattr(sys.modules.get(name), "__version__", None) for name in _LIBRARIES}
    return {
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "processors": os.cpu_count(),
            "python": platform.python_version(),
        },
        "versions": {"glassnet": __version__, **{name: v for name, v in loaded.items() if v is not None}},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def instruction_set(engine: str) -> str | None:
    """The native engine's instruction set: GLASSNET_ISA's, or the best that the processor has."""
    if engine != "native" or native.module is None:
        return None
    return native.forced_isa() or str(native.module.isas()[0])


def _parameters(theta: Parameters) -> dict[str, Any] | None:
    if theta.flat.size > _MOST_PARAMETERS:
        return None
    pairs = zip(theta.weights, theta.biases, strict=True)
    return {
        f"{k}{i}": values for i, pair in enumerate(pairs, 1) for k, values in zip("Wb", pair, strict=True)
    }


def scores_to_dict(scores: Scores) -> dict[str, Any]:
    """Accuracy and confusion, or R2 and the root mean square error in the target's own unit."""
    if scores.fits:
        fit = scores.fits[0]
        return {"n": scores.n, "r2": fit.r2, "rmse": fit.rmse}
    table = scores.confusions[0]
    return {
        "n": scores.n,
        "accuracy": table.accuracy,
        "wrong": table.total - table.right,
        "classes": list(table.names),
        "confusion": table.counts,
    }


def describe_scores(scores: Scores, target: str) -> str:
    """The score in a line."""
    if scores.fits:
        fit = scores.fits[0]
        return f"R² {fit.r2:.4f}, root mean square error {fit.rmse:.4g} ({target})"
    return " ".join(scores.headline)


def describe_curvature(trace: CurvatureTrace) -> str:
    """The curvature where the run ended, and how large a learning rate it allows."""
    end, (momentum, nesterov) = trace.points[-1], trace.momentum
    limit = end.stability_limit(momentum, nesterov)
    dead = f", {sum(end.dead)} dead units" if any(end.dead) else ""
    return (
        f"{len(trace.points):,} looks; at the end gradient {end.gradient_norm:.3g}, the Hessian's "
        f"eigenvalues from {end.lambda_min:.3g} to {end.lambda_max:.3g}: steps of momentum "
        f"{momentum:g} grow at rates above {limit:.3g}{dead}"
    )


def describe_run(run: TrainingRun) -> str:
    """How training went, in a sentence."""
    threads = f"{run.threads} thread{'s' if run.threads != 1 else ''}"
    each = f", {1000 * run.seconds / run.iterations:.3g} ms each" if run.iterations else ""
    length = f"{run.iterations:,} {'iterations' if run.batch_size is None else 'epochs'}"
    ended = length if run.status == "completed" else f"{run.status} after {length}"
    why = f"; {run.reason}" if run.reason else ""
    if run.evidence is not None:
        evidence, total = run.evidence, run.network.n_parameters
        why += (
            f"; evidence: {evidence.effective_parameters:.4g} of {total} parameters effective, "
            f"alpha {evidence.alpha:.4g}, beta {evidence.beta:.4g}"
        )
    losses = f"{run.losses[0]:.10g} -> {run.losses[-1]:.10g}" if len(run.losses) else "not yet known"
    best = "" if run.best_iteration is None else f"; best at {run.best_iteration:,}"
    advice = "; use a smaller learning rate" if run.status == "diverged" else ""
    return (
        f"{ended} in {run.seconds:.3g} s{each} "
        f"({run.engine} engine, {run.dtype.name}, {threads}); {run.reduction} loss "
        f"{losses}{best}{advice}{why}"
    )


class ResultsFolder:
    """A folder of results, and beside its files the new ones until they are complete.

    Used as a context: files are written to ``folder.new(name)``, and `commit` moves them all into
    place and removes the earlier run's other files. Where the block fails, the earlier results stay as
    they were; if a file in `keep` is among the new ones, they stay in a folder that the error names.

    Raises FileError at once where the folder cannot be written, where it holds files of a name in
    `names` that no run wrote, and where there is less room on the disk than `needed` bytes.
    """

    def __init__(
        self, path: str | os.PathLike[str], names: Iterable[str], needed: int, keep: Iterable[str] = ()
    ) -> None:
        self._is_new, self._keep = not os.path.lexists(path), set(keep)
        self.path = results_folder(path)
        self._earlier = _earlier(self.path)
        foreign = [n for n in [*names, RECORD] if n not in self._earlier and os.path.lexists(self.path / n)]
        if foreign:
            raise FileError(
                f"{self.path / foreign[0]} would be replaced, but no earlier run wrote it. "
                f"Choose another folder (--results), or move the file away."
            )
        _require_room(self.path, needed)
        self._stage = self.path / f"unfinished-{secrets.token_hex(4)}"

    def __enter__(self) -> ResultsFolder:
        return self

    def new(self, name: str) -> Path:
        """The path to write a file to, until all are complete."""
        try:
            self._stage.mkdir(exist_ok=True)
        except OSError as error:
            raise FileError(f"{self._stage} cannot be made: {explain(error, True)}.") from error
        return self._stage / name

    @property
    def written(self) -> list[str]:
        """The new files so far."""
        if not self._stage.is_dir():
            return []
        return sorted(entry.name for entry in self._stage.iterdir() if not entry.name.startswith("."))

    def save_picture(self, name: str, figure: Figure) -> None:
        """Write a picture, whole or not at all: Ctrl-C leaves out the rest of the pictures."""
        with atomic_write(self.new(name)) as temporary:
            figure.savefig(temporary, dpi=figure.dpi)

    def commit(self, document: Mapping[str, Any]) -> list[str]:
        """Write the record and move the new files into place, the record last; return their names.

        `document` is its content, to which this adds the machine and the list of the files.
        """
        content = {"format": FORMAT, **document, **_environment(), "files": [*self.written, RECORD]}
        write_json(self.new(RECORD), content)
        names = sorted(self.written, key=lambda name: name == RECORD)
        for name in names:
            (self._stage / name).replace(self.path / name)
        for name in self._earlier - set(names):
            with contextlib.suppress(FileNotFoundError):
                (self.path / name).unlink()
        shutil.rmtree(self._stage, ignore_errors=True)
        return names

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or not self._keep & set(self.written):
            shutil.rmtree(self._stage, ignore_errors=True)
            if error is not None and self._is_new:
                with contextlib.suppress(OSError):
                    self.path.rmdir()  # where nothing else is in it
            return
        earlier = " The earlier results are untouched." if self._earlier else ""
        words = f"What was written before is in {self._stage}: {', '.join(self.written)}.{earlier}"
        if isinstance(error, GlassnetError):
            raise type(error)(f"{error} {words}") from error
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(words) from error
        error.add_note(words)


def _earlier(path: Path) -> set[str]:
    """The files that the record of an earlier run lists, as far as they are plain names."""
    try:
        files: Any = json.loads((path / RECORD).read_text("utf-8"))["files"]
        return {name for name in files if Path(name).name == name} | {RECORD}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _require_room(path: Path, needed: int) -> None:
    try:
        free = shutil.disk_usage(path).free
    except OSError:
        return  # some file systems do not say
    if free < needed:
        raise FileError(
            f"The disk of {path} has {free / 1e6:,.1f} MB free, and the results take about "
            f"{needed / 1e6:,.1f} MB. Make room first, or choose another folder (--results)."
        )
