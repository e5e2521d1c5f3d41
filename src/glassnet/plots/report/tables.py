"""The report's tables: scores, the gradient check, the parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.plots.projection import as_names, numbered
from glassnet.plots.report.page import Html, join, number, table, tag
from glassnet.plots.report.scores import Confusion, Fit, Scores, percent
from glassnet.plots.style import short_names, tidy

if TYPE_CHECKING:
    from glassnet.training.run import TrainingRun

_MOST_CLASSES = 20  # in a confusion matrix; beyond, the most frequent confusions are listed
_MOST_PARAMETERS = 400  # printed one by one; beyond, each layer is summed up
_MOST_ENTRIES = 60  # of a gradient check, shown without a click


def in_own_unit(scores: Scores, preprocessing: object) -> Scores:
    """The scores of a regression whose target was standardized, errors in the target's own unit."""
    scale = preprocessing.get("target_scale") if isinstance(preprocessing, Mapping) else None
    if not isinstance(scale, (int, float)) or len(scores.fits) != 1:
        return scores
    (fit,) = scores.fits
    name = fit.name.removesuffix(" (standardized)")  # as an experiment calls its target
    return replace(scores, fits=(replace(fit, name=name, rmse=scale * fit.rmse),))


def standardization(preprocessing: object) -> list[Html]:
    """What was taken off each input, and its divisor; nothing where the inputs are as they came."""
    if not isinstance(preprocessing, Mapping):
        return []
    names, means, scales = (preprocessing.get(key) for key in ("features", "mean", "scale"))
    if not (names and means and scales) or all(
        m == 0 and s == 1 for m, s in zip(means, scales, strict=True)
    ):
        return []
    rows: list[Sequence[object]] = [
        (tidy(name, 28), mean, scale) for name, mean, scale in zip(names, means, scales, strict=True)
    ]
    target = preprocessing.get("target_mean"), preprocessing.get("target_scale")
    if target not in ((0, 1), (None, None)):
        rows.append((f"{tidy(preprocessing.get('target', 'target'), 28)} (target)", *target))
    words = "The network was given (value - mean) / scale of each column, and its weights are for those:"
    return [tag("h3", "Standardized inputs"), tag("p", words), table(["", "mean", "scale"], rows)]


# ---- Scores -------------------------------------------------------------------------------------


def score_tables(scores: Mapping[str, Scores]) -> Html:
    """The scores of each set of samples."""
    parts: list[Html] = []
    for name, one in scores.items():
        if len(scores) > 1:
            parts.append(tag("h3", f"{name.capitalize()} samples ({one.n:,})"))
        if one.fits:
            parts.append(_fit_table(one.fits))
        if one.exact is not None:
            parts.append(tag("p", f"Every label right: {percent(one.exact)} of {one.n:,} samples."))
        for confusion in one.confusions:
            label = f"{confusion.names[1]}: " if one.exact is not None else ""
            wrong = f"{confusion.total - confusion.right:,} of {confusion.total:,} wrong"
            parts.append(tag("p", f"{label}Accuracy {percent(confusion.accuracy)}: {wrong}."))
            parts.append(
                _confusion_table(confusion) if len(confusion.names) <= _MOST_CLASSES else _worst(confusion)
            )
    return join(parts)


def _fit_table(fits: Sequence[Fit]) -> Html:
    rows = [
        (tidy(fit.name), "undefined (y never varies)" if np.isnan(fit.r2) else f"{fit.r2:.6f}", fit.rmse)
        for fit in fits
    ]
    return table(["target", "R²", "root mean square error"], rows)


def _confusion_table(confusion: Confusion) -> Html:
    names = short_names(confusion.names)
    totals = np.maximum(confusion.counts.sum(axis=1), 1)
    rows = []
    for i, name in enumerate(names):
        cells: list[object] = [name]
        for j, count in enumerate(confusion.counts[i]):
            share = count / totals[i]
            color = "0,158,115" if i == j else "213,94,0"
            # Even a single error is to be seen: the color starts visibly above nothing.
            depth = 0.0 if count == 0 else 0.12 + 0.33 * share
            cells.append(
                tag("td", f"{count:,}", class_="cell", style=f"background:rgba({color},{depth:.3f})")
            )
        rows.append([*cells, percent(float(confusion.recall[i]))])
    rows.append(["precision", *(percent(float(p)) for p in confusion.precision), ""])
    return table(["actual ↓ predicted →", *names, "recall"], rows, class_="confusion")


def _worst(confusion: Confusion, most: int = 15) -> Html:
    off = confusion.counts.copy()
    np.fill_diagonal(off, 0)
    largest = np.argsort(off, axis=None)[::-1][:most]
    rows = [
        (tidy(confusion.names[i]), tidy(confusion.names[j]), int(off[i, j]))
        for i, j in (divmod(int(at), len(off)) for at in largest)
        if off[i, j] > 0
    ]
    if not rows:
        return tag("p", "No class was taken for another.")
    return join(
        [tag("p", "The most frequent confusions:"), table(["actual", "predicted", "samples"], rows)]
    )


# ---- The gradient check -------------------------------------------------------------------------


def check_table(check: Any) -> Html:
    """The check's verdict, and each entry's two derivatives where its rows can be read."""
    outcome = tag("p", getattr(check, "verdict", ""), class_="note good" if check.passed else "note")
    entries = [_entry(row) for row in getattr(check, "table", ())]
    if not entries or any(entry is None for entry in entries):
        return join([outcome, tag("pre", str(check))])
    intro = tag(
        "p",
        f"Every parameter's derivative, numerical (central differences with epsilon "
        f"{number(getattr(check, 'epsilon', ''))}) against backpropagated, on "
        f"{number(getattr(check, 'n_samples', ''))} samples.",
    )
    rows = [entry for entry in entries if entry is not None]
    head = ["entry", "numerical", "backpropagated", "relative error", "verdict"]
    if len(rows) <= _MOST_ENTRIES:
        return join([outcome, intro, table(head, rows)])
    wrong = [row for row, one in zip(rows, check.table, strict=True) if _field(one, "verdict") == "wrong"]
    worst = wrong[:_MOST_ENTRIES] or rows[:12]
    words = "The entries that are wrong" if wrong else "The first entries"
    return join([outcome, intro, tag("p", f"{words}, {len(worst)} of {len(rows):,}:"), table(head, worst)])


def _field(row: Any, name: str) -> Any:
    return row.get(name) if isinstance(row, Mapping) else getattr(row, name, None)


def _entry(row: Any) -> Sequence[object] | None:
    name, numerical, gradient = (_field(row, key) for key in ("name", "numerical", "backpropagated"))
    if name is None or numerical is None or gradient is None:
        return None
    index = _field(row, "index")
    where = "" if index is None or callable(index) else f"[{', '.join(str(i) for i in index)}]"
    error, verdict = _field(row, "relative_error"), str(_field(row, "verdict") or "")
    kind = {"right": "right", "wrong": "wrong"}.get(verdict, "")
    return [
        f"{name}{where}",
        f"{numerical:.9e}",
        f"{gradient:.9e}",
        "" if error is None else f"{error:.1e}",
        tag("span", verdict, class_=kind),
    ]


# ---- The parameters -----------------------------------------------------------------------------


def parameter_tables(run: TrainingRun, feature_names: object, class_names: object) -> Html:
    """Every weight and bias in a table per layer; of a large network, each layer summed up."""
    network, theta = run.network, run.theta
    inputs = standardization(run.extra.get("preprocessing"))
    if network.n_parameters > _MOST_PARAMETERS:
        return join([_summary(theta), *inputs])
    last = len(network.sizes) - 2
    sources: Sequence[str] = as_names(
        feature_names, network.sizes[0], "feature_names", numbered("x", network.sizes[0])
    )
    mean = "" if run.averaged is None else ", the running mean that predictions are made with"
    parts = [
        tag(
            "p",
            f"All {network.n_parameters} of them, to six digits{mean}. A layer computes "
            f"activation(H W + b).",
        )
    ]
    for layer, (W, b) in enumerate(zip(theta.weights, theta.biases, strict=True)):
        width = network.sizes[layer + 1]
        letter = "h" if last <= 1 else f"h({layer + 1})"
        units: Sequence[str] = numbered(letter, width) if layer < last else _output_names(run, class_names)
        function = network.hidden[layer].name if layer < last else network.output.name
        what = "Output layer" if layer == last else f"Hidden layer {layer + 1}"
        rows: list[Sequence[object]] = [
            (f"from {tidy(source, 28)}", *row) for source, row in zip(sources, W.tolist(), strict=True)
        ]
        rows.append(("bias", *b.tolist()))
        parts.append(tag("h3", f"{what} ({function}): W{layer + 1} and b{layer + 1}"))
        parts.append(table(["", *(f"to {tidy(unit, 28)}" for unit in units)], rows))
        sources = units
    return join([*parts, *inputs])


def _output_names(run: TrainingRun, class_names: object) -> Sequence[str]:
    network, count = run.network, run.network.sizes[-1]
    if network.loss.target == "label" and count == 1:
        return [as_names(class_names, 2, "class_names", ("class 0", "class 1"))[1]]
    word = {"class": "class", "label": "label"}.get(network.loss.target, "y")
    default = ["y"] if word == "y" and count == 1 else [f"{word} {i}" for i in range(count)]
    return as_names(class_names, count, "class_names", default)


def _summary(theta: Any) -> Html:
    rows = []
    for layer, pair in enumerate(zip(theta.weights, theta.biases, strict=True), 1):
        for name, values in zip(("W", "b"), pair, strict=True):
            flat = values.astype(np.float64)
            shape = " x ".join(str(length) for length in values.shape)
            spread = (float(flat.min()), float(flat.mean()), float(flat.max()), float(flat.std()))
            rows.append((f"{name}{layer}", shape, *spread, float(np.linalg.norm(flat))))
    head = ["", "shape", "smallest", "mean", "largest", "standard deviation", "norm"]
    return join([tag("p", "Too many to print; each layer summed up:"), table(head, rows)])
