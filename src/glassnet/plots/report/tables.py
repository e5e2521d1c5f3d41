"""The tables of the report: scores, the gradient check, the parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from glassnet.diagnostics.gradient_report import GradientCheck, GradientEntry
from glassnet.nn.network import Parameters
from glassnet.plots.picture_data import output_names
from glassnet.plots.projection import as_names, numbered
from glassnet.plots.report.scores import Confusion, Scores
from glassnet.training.run import TrainingRun
from glassnet.utils.html import Html, join, number, table, tag
from glassnet.utils.words import counted, percent, readable, short_names, tidy

_MOST_CLASSES = 20  # of a confusion matrix; for more classes the table lists the most frequent confusions
_MOST_PARAMETERS = 400  # of a table of all; more parameters are summarized by layer
_MOST_ENTRIES = 60  # of a gradient check


def _standardization(preprocessing: object, feature_names: object) -> list[Html]:
    """The mean and the divisor of each input; empty where the inputs are not standardized."""
    if not isinstance(preprocessing, Mapping):
        return []
    names, means, scales = (preprocessing.get(key) for key in ("features", "mean", "scale"))
    if not (names and means and scales) or all(
        m == 0 and s == 1 for m, s in zip(means, scales, strict=True)
    ):
        return []
    names = as_names(feature_names, len(means), "feature_names", names)
    rows: list[Sequence[object]] = [
        (tidy(name, 28), mean, scale) for name, mean, scale in zip(names, means, scales, strict=True)
    ]
    target = preprocessing.get("target_mean", 0), preprocessing.get("target_scale", 1)
    if target != (0, 1):
        name = f"{tidy(preprocessing.get('target', 'target'), 28)} (target)"
        units = (np.ravel(numbers).tolist() for numbers in target)
        rows += [(name, *unit) for unit in zip(*units, strict=True)]
    words = "The network was given (value - mean) / scale of each column, and its weights are for those:"
    return [tag("h3", "Standardized inputs"), tag("p", words), table(["", "mean", "scale"], rows)]


# ---- Scores -------------------------------------------------------------------------------------


def score_tables(scores: Mapping[str, Scores]) -> Html:
    """The scores of each set of samples."""
    contents: list[Html] = []
    for name, result in scores.items():
        if len(scores) > 1:
            contents.append(tag("h3", f"{name.capitalize()} samples ({result.n:,})"))
        if result.fits:
            r2 = ["undefined (y never varies)" if np.isnan(f.r2) else f"{f.r2:.6f}" for f in result.fits]
            rows = [
                (tidy(fit.name), words, readable(fit.rmse, 6))
                for fit, words in zip(result.fits, r2, strict=True)
            ]
            contents.append(table(["target", "R²", "root mean square error"], rows))
        if result.exact is not None:
            contents.append(
                tag("p", f"Every label right: {percent(result.exact)} of {counted(result.n, 'sample')}.")
            )
        for confusion in result.confusions:
            label = f"{confusion.names[1]}: " if result.exact is not None else ""
            wrong = f"{confusion.total - confusion.right:,} of {confusion.total:,} wrong"
            contents.append(tag("p", f"{label}Accuracy {percent(confusion.accuracy)}: {wrong}."))
            make_table = _confusion_table if len(confusion.names) <= _MOST_CLASSES else _worst
            contents.append(make_table(confusion))
    return join(contents)


def _confusion_table(confusion: Confusion) -> Html:
    names = short_names(confusion.names)
    totals = np.maximum(confusion.counts.sum(axis=1), 1)
    rows = []
    for i, name in enumerate(names):
        cells: list[object] = [name]
        for j, count in enumerate(confusion.counts[i]):
            share = count / totals[i]
            color = "0,158,115" if i == j else "213,94,0"
            # The color of a single error is visible too.
            depth = 0.0 if count == 0 else 0.12 + 0.33 * share
            background = f"background:rgba({color},{depth:.3f})"
            cells.append(tag("td", f"{count:,}", class_="cell", style=background))
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
    head = tag("p", "The most frequent confusions:")
    return join([head, table(["actual", "predicted", "samples"], rows)])


# ---- The gradient check -------------------------------------------------------------------------


def check_table(check: GradientCheck) -> Html:
    """The verdict of the check and both derivatives of its entries; another kind of check as text."""
    verdict = tag("p", getattr(check, "verdict", ""), class_="note good" if check.passed else "note")
    if not isinstance(check, GradientCheck):
        return join([verdict, tag("pre", str(check))])
    intro = tag(
        "p",
        f"Every parameter's derivative, numerical (central differences with epsilon "
        f"{number(check.epsilon)}) against backpropagated, on {counted(check.n_samples, 'sample')}.",
    )
    head = ["entry", "numerical", "backpropagated", "relative error", "verdict"]
    entries: Sequence[GradientEntry] = check.table
    if len(entries) <= _MOST_ENTRIES:
        return join([verdict, intro, table(head, map(_check_row, entries))])
    wrong = [entry for entry in entries if entry.verdict == "wrong"]
    shown = wrong[:_MOST_ENTRIES] or entries[:12]
    words = "The entries that are wrong" if wrong else "The first entries"
    count = tag("p", f"{words}, {len(shown)} of {len(entries):,}:")
    return join([verdict, intro, count, table(head, map(_check_row, shown))])


def _check_row(entry: GradientEntry) -> Sequence[object]:
    return [
        f"{entry.name}[{', '.join(map(str, entry.index))}]",
        f"{entry.numerical:.9e}",
        f"{entry.backpropagated:.9e}",
        f"{entry.relative_error:.1e}",
        tag("span", entry.verdict, class_=entry.verdict if entry.verdict in ("right", "wrong") else ""),
    ]


# ---- The parameters -----------------------------------------------------------------------------


def parameter_tables(run: TrainingRun, feature_names: object, class_names: object) -> Html:
    """Every weight and bias in a table per layer; for a large network a summary of each layer."""
    network, theta = run.network, run.theta
    inputs = _standardization(run.preprocessing, feature_names)
    if network.n_parameters > _MOST_PARAMETERS:
        return join([_summary(theta), *inputs])
    last = len(network.sizes) - 2
    width = network.sizes[0]
    sources = as_names(feature_names, width, "feature_names", numbered("x", width))
    mean = "" if run.averaged is None else ", the running mean that predictions are made with"
    words = (
        f"All {network.n_parameters} of them, to six digits{mean}. A layer computes activation(H W + b)."
    )
    contents = [tag("p", words)]
    for layer, (W, b) in enumerate(zip(theta.weights, theta.biases, strict=True)):
        width = network.sizes[layer + 1]
        letter = "h" if last <= 1 else f"h({layer + 1})"
        # Of the two classes of a single label, the output unit stands for the second.
        units = numbered(letter, width) if layer < last else output_names(network, class_names)[-width:]
        function = network.hidden[layer].name if layer < last else network.output.name
        what = "Output layer" if layer == last else f"Hidden layer {layer + 1}"
        rows: list[Sequence[object]] = [
            (f"from {tidy(source, 28)}", *row) for source, row in zip(sources, W.tolist(), strict=True)
        ]
        rows.append(("bias", *b.tolist()))
        contents.append(tag("h3", f"{what} ({function}): W{layer + 1} and b{layer + 1}"))
        contents.append(table(["", *(f"to {tidy(unit, 28)}" for unit in units)], rows))
        sources = units
    return join([*contents, *inputs])


def _summary(theta: Parameters) -> Html:
    rows: list[Sequence[object]] = []
    for layer, arrays in enumerate(zip(theta.weights, theta.biases, strict=True), 1):
        for name, values in zip(("W", "b"), arrays, strict=True):
            flat = values.astype(np.float64)
            shape = " x ".join(str(length) for length in values.shape)
            spread = (float(flat.min()), float(flat.mean()), float(flat.max()), float(flat.std()))
            rows.append((f"{name}{layer}", shape, *spread, float(np.linalg.norm(flat))))
    head = ["", "shape", "smallest", "mean", "largest", "standard deviation", "norm"]
    return join([tag("p", "Too many to print; each layer summed up:"), table(head, rows)])
