"""The outcome of a job: its folder, the object, the document run.json, and the lines that are printed."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from glassnet import native
from glassnet._version import __version__
from glassnet.cli.jobs.judgement import Shown, shown_of
from glassnet.diagnostics.curvature import CurvatureTrace
from glassnet.diagnostics.diagnosis import Diagnosis
from glassnet.diagnostics.gradient_report import GradientCheck
from glassnet.diagnostics.verdict import Insight, Verdict
from glassnet.experiments.samples import Samples
from glassnet.experiments.settings import Experiment
from glassnet.nn.network import Parameters
from glassnet.plots.report import Scores
from glassnet.training.run import TrainingRun
from glassnet.training.tape.replay import Replay
from glassnet.utils.words import readable, tidy

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
    """A job's run, with its gradient check, scores, seconds by step, files, and trace of the curvature.

    Of each target there is a verdict, and an insight, where rows are held out; of a run that is useless
    there is a diagnosis.
    """

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
    replay: Replay | None = None
    verdicts: tuple[Verdict, ...] = ()
    insights: tuple[Insight, ...] = ()
    diagnosis: Diagnosis | None = None

    @cached_property
    def shown(self) -> Shown:
        """The run and the samples in the table's own units."""
        return shown_of(self.samples, self.run, self.insights[0] if self.insights else None)

    @cached_property
    def film(self) -> dict[str, Any]:
        """The arguments of `plots.film`, in the table's own units."""
        assert self.replay is not None
        shown = self.shown
        states = replace(self.replay, run=shown.run)
        return {"tape": states, "X": shown.X, "y": shown.y, **shown.labels()}


class Stopwatch:
    """Seconds by the name of a step; `begins` is called with the name when one begins, and `ends` after."""

    def __init__(
        self, begins: Callable[[str], object] = lambda step: None, ends: Callable[[], object] = lambda: None
    ) -> None:
        self.seconds: dict[str, float] = {}
        self._begins, self._ends = begins, ends
        self._began = time.perf_counter()

    @contextlib.contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        began = time.perf_counter()
        self._begins(step)
        try:
            yield
        finally:
            self._ends()
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
        "verdict": _by_target(outcome.verdicts),
        "insight": _by_target(outcome.insights),
        "diagnosis": None if outcome.diagnosis is None else outcome.diagnosis.to_dict(),
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
        "settings": outcome.experiment.to_dict(outcome.folder),
        "engine": {
            "name": run.engine,
            "reason": run.engine_reason,
            "instruction_set": instruction_set(run.engine),
            "threads": run.threads,
            "dtype": run.dtype.name,
        },
        "timings": {**outcome.timings, "updates": run.seconds},
    }


def environment() -> dict[str, Any]:
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


def _by_target(found: Sequence[Verdict | Insight]) -> dict[str, Any] | None:
    """The document of the only target, or those of several as `scores_to_dict` has them."""
    documents = {one.target: one.to_dict() for one in found}
    return {"targets": documents} if len(documents) > 1 else next(iter(documents.values()), None)


def scores_to_dict(scores: Scores) -> dict[str, Any]:
    """Accuracy and confusion, or R2 and the root mean square error in the target's own unit."""
    if len(scores.fits) > 1:
        targets = {fit.name: {"r2": fit.r2, "rmse": fit.rmse} for fit in scores.fits}
        return {"n": scores.n, "targets": targets}
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
        names = [target] if len(scores.fits) == 1 else [fit.name for fit in scores.fits]
        return "; ".join(
            f"R² {fit.r2:.4f}, root mean square error {readable(fit.rmse, 4)} ({tidy(name)})"
            for fit, name in zip(scores.fits, names, strict=True)
        )
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
    reason = run.reason.removesuffix(run.finding).removesuffix("; ")  # the command ends with what was found
    why = f"; {reason}" if reason else ""
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
