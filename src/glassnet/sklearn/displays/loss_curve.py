"""LossCurveDisplay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from glassnet._types import Array
from glassnet.errors import InputError, unknown_name
from glassnet.plots.loss_curve import set_log_scale
from glassnet.plots.style import OKABE_ITO, count_ticks
from glassnet.sklearn.displays.subject import axes_or_new, find_subject
from glassnet.utils.words import plain

_GID = "glassnet training loss"  # marks the line of a display
_HELD_OUT = "validation_"


class LossCurveDisplay:
    """The loss of each epoch in training and on samples held out, and their score.

    Parameters
    ----------
    losses : (n_epochs,), the training loss.
    validation_losses, validation_scores : (n_epochs,) or None. Where they were not measured from the
        first epoch on, fewer: they belong to the last ones.
    score_name : what the scores are.
    best_epoch : the epoch, from 1, whose parameters are brought back, where some are.
    unit : what is counted, "epoch" or "iteration".
    name : what stands before each entry of the legend; for several on one axes, which then have a color
        each, and a dash for each kind of curve.

    Attributes
    ----------
    The parameters under their names, as arrays, and after `plot`:

    line_, validation_line_, score_line_, best_line_ : lines of matplotlib, None for what there is not.
    legend_ : None where there is one curve only.
    ax_, score_ax_, figure_ : the axes, that of the scores on the right (None without), and the figure.

    Raises InputError where the lengths do not fit one another.

    Example
    -------
    >>> import glassnet as gn
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = gn.MLPClassifier(early_stopping=True, max_iter=300, random_state=0).fit(X, y)
    >>> display = gn.LossCurveDisplay.from_estimator(model)
    >>> len(display.losses) == model.n_iter_, display.score_ax_.get_ylabel()
    (True, 'validation score')

    In the form of scikit-learn's displays, such as its LearningCurveDisplay, which fits anew for growing
    parts of the data; this one shows a fit that has been made. scikit-learn has none for it.
    """

    def __init__(
        self,
        *,
        losses: Any,
        validation_losses: Any = None,
        validation_scores: Any = None,
        score_name: str = "score",
        best_epoch: int | None = None,
        unit: str = "epoch",
        name: str | None = None,
    ) -> None:
        self.losses: Array = _values(losses, "losses", None)
        n = len(self.losses)
        self.validation_losses: Array | None = _values(validation_losses, "validation_losses", n)
        self.validation_scores: Array | None = _values(validation_scores, "validation_scores", n)
        self.score_name = score_name
        self.best_epoch = best_epoch
        self.unit = unit
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        scoring: str | None = None,
        name: str | None = None,
        log: bool | None = None,
        line_kw: Mapping[str, Any] | None = None,
        ax: Any = None,
    ) -> LossCurveDisplay:
        """Draw what a fitted estimator kept of its epochs in `history_`.

        Parameters
        ----------
        estimator : MLPClassifier or MLPRegressor of glassnet, or a Pipeline that ends with one.
        scoring : which of the scores that were measured; None is the one that early stopping watched,
            or the first.
        name, log, line_kw, ax : see the class and `plot`.

        Raises NotFittedError before `fit`, InputTypeError for another estimator, InputError for a score
        that was not measured, and where parameters were set by hand and no losses are known.
        """
        model = find_subject(estimator, cls.__name__).model
        history = getattr(model, "history_", {})
        losses = history.get("loss") or getattr(model, "loss_curve_", None)
        if losses is None:
            raise InputError(
                f"This {type(model).__name__} has parameters but no losses: fit it, for coefs_ that are "
                f"set by hand come from no training."
            )
        score_name, scores = _score(history, scoring)
        validation = history.get("validation_loss")
        best = _best_epoch(model, losses, validation)
        display = cls(
            losses=losses,
            validation_losses=validation,
            validation_scores=scores,
            score_name=score_name,
            best_epoch=best,
            # Only what is trained on batches has epochs.
            unit="epoch" if hasattr(model, "loss_curve_") else "iteration",
            name=name,
        )
        return display.plot(ax, log=log, line_kw=line_kw)

    def plot(
        self,
        ax: Any = None,
        *,
        log: bool | None = None,
        line_kw: Mapping[str, Any] | None = None,
    ) -> LossCurveDisplay:
        """Draw the curves on `ax`, or on new axes, and return the display.

        Parameters
        ----------
        ax : axes of matplotlib, those of another display too, to compare with. With more than four curves
            the legend needs a figure whose layout is "constrained" to stand above them.
        log : whether losses stand on a log scale; None: where all of them are above 0.
        line_kw : matplotlib's properties of lines, for all curves, over this display's own.

        Raises MissingLibraryError where matplotlib is not installed.
        """
        self.ax_ = axes_or_new(ax, 7.2, 4.4)
        self.figure_ = self.ax_.figure
        settings = dict(line_kw or {})
        few = len(self.losses) <= 30
        look: dict[str, Any] = {"linewidth": 1.6, "marker": "o" if few else "", "markersize": 3}
        before = sum(line.get_gid() == _GID for line in self.ax_.lines)  # of other displays
        named = self.name is not None
        colors = [OKABE_ITO[before % len(OKABE_ITO) if named else kind] for kind in range(3)]
        self.line_ = self._draw(self.ax_, self.losses, "training loss", gid=_GID, color=colors[0], **look)
        self.line_.set(**settings)
        self.validation_line_ = self.score_line_ = self.score_ax_ = self.best_line_ = None
        if self.validation_losses is not None:
            self.validation_line_ = self._draw(
                self.ax_, self.validation_losses, "validation loss", linestyle="--", color=colors[1], **look
            )
            self.validation_line_.set(**settings)
        self.ax_.set_xlabel(self.unit)
        self.ax_.set_ylabel("loss")
        count_ticks(self.ax_.xaxis, most=7)
        self._set_scale(log)
        if self.validation_scores is not None:
            others = _twins(self.ax_)  # another display's, to compare with
            self.score_ax_ = others[0] if others else self.ax_.twinx()
            self.score_line_ = self._draw(
                self.score_ax_,
                self.validation_scores,
                f"validation {self.score_name}",
                linestyle="-.",
                color=colors[2],
                **look,
            )
            self.score_line_.set(**settings)
            self.score_ax_.set_ylabel(f"validation {self.score_name}")
        if self.best_epoch is not None:
            own = settings or named
            at = {"color": self.line_.get_color() if own else OKABE_ITO[7], "linestyle": ":"}
            label = self._label(f"best {self.unit} ({self.best_epoch:,})")
            self.best_line_ = self.ax_.axvline(self.best_epoch, linewidth=1.2, label=label, zorder=1, **at)
        self._set_legend()
        return self

    def _draw(self, ax: Any, values: Array, label: str, **look: Any) -> Any:
        n = len(self.losses)
        epochs = np.arange(n - len(values) + 1, n + 1)
        (line,) = ax.plot(epochs, values, label=self._label(label), **look)
        return line

    def _label(self, text: str) -> str:
        return text if self.name is None else f"{plain(self.name)}: {text}"

    def _set_scale(self, log: bool | None) -> None:
        # All lines on these axes, since another display may have drawn some.
        values = np.concatenate([np.ravel(line.get_ydata()) for line in self.ax_.lines if _is_curve(line)])
        finite = values[np.isfinite(values)]
        n = len(self.losses)
        if finite.size < 2:
            self.ax_.set_xlim(0.5, n + 0.5)  # matplotlib has nothing to go by
        if finite.size == 0:
            self.ax_.set_yticks([])
            self.ax_.text(0.5, 0.5, "no finite loss", transform=self.ax_.transAxes, ha="center")
            return
        above = finite > 0
        if above.any() if log else log is None and above.all():
            set_log_scale(self.ax_, finite[above])

    def _set_legend(self) -> None:
        all_axes = [self.ax_, *_twins(self.ax_)]
        entries = [ax.get_legend_handles_labels() for ax in all_axes]
        handles = [handle for some, _ in entries for handle in some]
        labels = [label for _, some in entries for label in some]
        for ax in all_axes:
            if ax.get_legend() is not None:  # another display's
                ax.get_legend().remove()
        self.legend_: Any = None
        if len(handles) == 1:
            return  # the axes say it
        look: dict[str, Any] = {"loc": "best", "framealpha": 0.9}
        if len(handles) <= 4 or self.figure_.get_layout_engine() is not None:
            # Above the axes: beside the curves there is no place that is empty in every picture.
            look = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2, "ncols": 2}
            look["frameon"] = False
        # On the axes that are drawn last, or their lines would cross it.
        self.legend_ = all_axes[-1].legend(handles, labels, fontsize=9, **look)


def _is_curve(line: Any) -> bool:
    """Whether a line has values; those across the axes have none."""
    return bool(line.get_transform() == line.axes.transData)


def _twins(ax: Any) -> list[Any]:
    """Axes in the same place with the same horizontal axis."""
    siblings = ax.get_shared_x_axes().get_siblings(ax)
    return [twin for twin in siblings if twin is not ax and twin.bbox.bounds == ax.bbox.bounds]


def _values(losses: Any, name: str, n: int | None) -> Any:
    """Values of epochs; with `n`, the number of training losses, also None."""
    if n is not None and losses is None:
        return None
    values = np.asarray(losses, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or (n is not None and len(values) > n):
        expected = "at least one value" if n is None else f"1 to {n} values, as many as losses at most"
        raise InputError(f"{name} has shape {values.shape}; expected {expected}.")
    return values


def _score(history: Mapping[str, list[float]], scoring: str | None) -> tuple[str, list[float] | None]:
    """The name and the values of the score to draw."""
    measured = {
        key.removeprefix(_HELD_OUT): values
        for key, values in history.items()
        if key.startswith(_HELD_OUT) and key != "validation_loss"
    }
    if not measured and "score" in history:
        measured = {"score": history["score"]}
    if scoring is None:
        return next(iter(measured.items()), ("score", None))
    if scoring not in measured:
        if not measured:
            raise InputError(
                f"scoring={scoring!r} was not measured: fit with scoring= and validation_data= or "
                f"early_stopping=True."
            )
        raise unknown_name("score:", scoring, measured)
    return scoring, measured[scoring]


def _best_epoch(model: Any, losses: list[float], validation: list[float] | None) -> int | None:
    """The epoch, from 1, that a fit goes back to because it was the best."""
    scores = getattr(model, "validation_scores_", None)
    if model.early_stopping and scores and getattr(model, "stopped_", True):
        watched = np.negative(scores)
    elif model.restore_best:
        watched = np.asarray(validation or losses)
    else:
        return None
    if not np.isfinite(watched).any():
        return None
    return len(losses) - len(watched) + int(np.nanargmin(watched)) + 1
