"""An experiment's pictures and its report as files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from glassnet import plots
from glassnet.cli.experiments.record import Outcome, Stopwatch
from glassnet.cli.experiments.results import ResultsFolder
from glassnet.plots.libraries import MissingLibraryError, require
from glassnet.plots.report import write_report
from glassnet.utils.storage import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPORT, HIDDEN, CURVATURE = "report.html", "hidden_projection.png", "curvature.png"

_PROBES = {"matplotlib": "matplotlib.backends.backend_agg", "plotly": "plotly.offline"}


def _data(of: Outcome) -> Figure:
    samples = of.samples
    y = samples.y if samples.preprocessing.classes is None else samples.y.astype(int)
    return plots.data(samples.X, y, **samples.labels(), title=of.experiment.title)


PICTURES: dict[str, Callable[[Outcome], Figure]] = {
    "data.png": _data,
    "loss.png": lambda of: plots.loss(of.run),
    "decision_boundary.png": lambda of: plots.decision_boundary(
        of.run, of.samples.X, of.samples.y, **of.samples.labels()
    ),
    HIDDEN: lambda of: plots.hidden_projection(
        of.run, of.samples.X, of.samples.y, class_names=of.samples.target_names
    ),
    "output_surface.png": lambda of: plots.output_surface(of.run, X=of.samples.X, **of.samples.labels()),
}
"""Every picture of an experiment, by the name of its file; beside them there may be `CURVATURE`."""


def load_libraries(watch: Stopwatch, *names: str) -> str:
    """Import drawing libraries; "" or, where one is missing, a sentence on how to get it."""
    with watch("loading the drawing libraries"):
        try:
            for name in names:
                require(_PROBES[name])
        except MissingLibraryError as error:
            return str(error)
    return ""


def write_pictures(outcome: Outcome, results: ResultsFolder, watch: Stopwatch) -> None:
    """Draw every picture; a network without hidden layers has no hidden projection."""
    pictures, trace = dict(PICTURES), outcome.trace
    if trace is not None:
        pictures[CURVATURE] = lambda _: plots.curvature(trace)
    for name, draw in pictures.items():
        if name == HIDDEN and not outcome.run.network.hidden:
            continue
        with watch(name):
            figure = draw(outcome)
            with atomic_write(results.new(name)) as temporary:
                figure.savefig(temporary, dpi=figure.dpi)


def write_report_page(outcome: Outcome, results: ResultsFolder, watch: Stopwatch) -> None:
    """Write the report, with the settings as dotted keys."""
    samples, settings = outcome.samples, outcome.experiment.to_dict()
    rows: dict[str, object] = {key: value for key, value in settings.items() if not isinstance(value, dict)}
    for section, values in settings.items():
        if isinstance(values, dict) and section != "sweep":
            rows |= {f"{section}.{key}": value for key, value in values.items()}
    # The report tells units by the means and scales, which a run has only once its model is saved.
    extra = {**outcome.run.extra, "preprocessing": samples.preprocessing.to_dict()}
    with watch(REPORT):
        write_report(
            results.new(REPORT),
            run=replace(outcome.run, extra=extra),
            X=samples.X,
            y=samples.y,
            title=outcome.experiment.title,
            check=outcome.check,
            settings=rows,
            timings={step: seconds for step, seconds in outcome.timings.items() if step != "training"},
            scores=outcome.scores,
            n_samples=samples.n,
            curvature=outcome.trace,
            **samples.labels(),
        )
