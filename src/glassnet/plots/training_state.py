"""What a solver and a stopping rule saw at each step: gradient, damping, and validation fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError
from glassnet.plots import style
from glassnet.plots.curvature_trace import draw_on_log, label_stacked, stacked
from glassnet.plots.loss_curve import make_loss_curve
from glassnet.plots.picture_data import check_run
from glassnet.training.run import TrainingRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def training_state(run: TrainingRun, *, title: str = "Training state") -> Figure:
    """Draw the gradient's largest entry, the damping mu, and the validation fails of each step of a run.

    A solver has the first (`run.solver_history`), `LevenbergMarquardt` and `BayesianRegularization` the
    second. Validation fails are the evaluations in a row that did not improve on the best one; a line shows
    the patience of the stopping rule, which ends training.

    Raises InputError for a run that has none of these, MissingLibraryError without matplotlib.

    >>> import numpy as np, glassnet as gn
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> run = gn.train(gn.Network((1, 3, 1), hidden="tanh", output="identity"), x, np.sin(3 * x),
    ...                optimizer=gn.LevenbergMarquardt(), iterations=10, random_state=0)
    >>> [paper.get_ylabel() for paper in gn.plots.training_state(run).axes]
    ['gradient', 'damping mu']

    As MATLAB's ``plottrainstate``, where the gradient is its length.
    """
    check_run(run)
    curve, history = make_loss_curve(run), run.solver_history
    lines = [] if history is None else [("gradient", history.gradient), ("damping mu", history.damping)]
    lines = [(name, values) for name, values in lines if np.isfinite(values).any()]
    fails = validation_fails(run)
    if not lines and not len(fails):
        raise InputError(
            f"Nothing to draw: {run.optimizer.name} keeps no gradient, and no rows validate the run. "
            f"Train with a solver or with validation=, or draw glassnet.plots.loss."
        )
    count = len(lines) + bool(len(fails))
    figure = style.new_figure(7.6, 1.6 + 1.7 * count)
    papers = stacked(figure, [1.0] * count)
    iterations = np.arange(run.iterations + 1 - len(run.losses), run.iterations + 1)
    for paper, (name, values) in zip(papers, lines, strict=False):
        draw_on_log(paper, iterations, values, style.OKABE_ITO[0])
        paper.set_ylabel(name)
    if len(fails):
        papers[-1].plot(run.validation_iterations, fails, color=style.OKABE_ITO[1], linewidth=1.5)
        papers[-1].set_ylabel("validation fails")
        style.count_ticks(papers[-1].yaxis, most=5)
        rule = None if run.validation is None else run.validation.stopping
        if rule is not None and rule.patience is not None:
            papers[-1].axhline(rule.patience, color=style.FAINT, linewidth=1.2, linestyle=(0, (5, 3)))
            entries: style.Entries = [(style.stroke(style.FAINT, 1.2, linestyle=(0, (5, 3))), "patience")]
            style.set_legend(papers[-1], entries)
    label_stacked(papers, curve.unit)
    style.set_title(figure, title, [curve.summary, run.reason or ""])
    return figure


def validation_fails(run: TrainingRun) -> NDArray[np.int64]:
    """After each evaluation, how many in a row did not improve on the best one before them."""
    rule = None if run.validation is None else run.validation.stopping
    scored = len(run.validation_scores) > 0
    values = run.validation_scores if scored else run.validation_losses
    sign, tolerance = (1.0, 0.0) if rule is None else (rule.sign, rule.tolerance)
    fails, best, waited = [], np.inf, 0
    for value in sign * np.asarray(values):
        waited = 0 if best - value > tolerance else waited + 1
        best = min(best, value)
        fails.append(waited)
    return np.array(fails, np.int64)
