"""What may be wrong with X and y: raw scale, columns that say nothing, contradictions, one class only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glassnet.diagnostics.diagnosis.case import LEARNED, POOR, Case
from glassnet.diagnostics.diagnosis.record import Remedy
from glassnet.diagnostics.diagnosis.remedies import BALANCED, Suspect, balanced_accuracy
from glassnet.training.baselines import answer_of_mean
from glassnet.training.ending import STANDARD
from glassnet.utils.words import counted, percent, readable

RARE, MISSED = 0.9, 0.5
"""A class has nearly all rows from the first share on; the others are missed below the second of theirs."""

CONTRADICTED, EXPLAINED = 0.01, 0.2
"""Equal rows with different targets matter from the first share of the rows on, where they explain the
second of the loss."""

ALIKE = 1e-6
"""Columns are the same up to a factor where their correlation is this close to 1 or -1."""

MOST_COLUMNS = 2_000


def raw_inputs(case: Case) -> Suspect | None:
    """Columns of X that are far from mean 0 and standard deviation 1."""
    raw = case.raw_inputs
    if not raw or case.left <= LEARNED or (case.is_under_way and case.left <= POOR):
        return None
    first, mean, deviation = raw[0]
    evidence = {
        "columns": [case.name(place) for place, _, _ in raw],
        "mean": mean,
        "standard_deviation": deviation,
        "raw_columns": len(raw),
        "inputs": case.training.X.shape[1],
    }
    more = f", and {counted(len(raw) - 1, 'column')} more like it" if len(raw) > 1 else ""
    also = case.raw_targets and case.network.output.name == "identity"
    scaling: bool | str = True if also else "X"
    code = "standardize=True" if also else 'standardize="X"'
    standardize = Remedy("standardize X", f"gn.train(network, X, y, {code}, ...)", {"standardize": scaling})
    return Suspect(
        0.7,
        f"X has raw scale: {case.column(first)} has mean {readable(mean, 4)} and standard deviation "
        f"{readable(deviation, 4)}{more}. Units saturate, and one learning rate cannot suit all weights.",
        evidence,
        [standardize, *_with_another_rule(case, standardize)],
    )


def raw_target(case: Case) -> Suspect | None:
    """A target of quantities that is far from mean 0 and standard deviation 1."""
    raw = case.raw_targets
    if not raw or case.left <= LEARNED or not case.height > 0:
        return None
    _, mean, deviation = raw[0]
    standardize = Remedy(
        "standardize X and y; predictions are scaled back",
        "gn.train(network, X, y, standardize=True, ...)",
        {"standardize": True} if case.network.output.name == "identity" else {},
    )
    return Suspect(
        0.75,
        f"The target has raw scale: its mean is {readable(mean, 4)} and its standard deviation "
        f"{readable(deviation, 4)}. Outputs begin near 0, and the errors are so large that steps blow up "
        f"or never arrive.",
        {"mean": mean, "standard_deviation": deviation, "raw_outputs": len(raw)},
        [standardize, *_with_another_rule(case, standardize)],
    )


def _with_another_rule(case: Case, remedy: Remedy) -> list[Remedy]:
    """The same remedy with the default rule: a rate that was chosen for raw columns suits no others."""
    if not case.has_rate or not remedy.changes:
        return []
    rule = {"name": "adam", "learning_rate": 0.01}
    code = remedy.code.replace(", ...)", ", optimizer=gn.Adam(0.01), ...)")
    words = f"{remedy.words}, with a learning rate for standardized columns"
    return [Remedy(words, code, {**remedy.changes, "optimizer": rule})]


def one_class(case: Case) -> Suspect | None:
    """One class has nearly all rows, or y never varies."""
    rows = case.training
    labels = case.labels
    if labels is None:
        return _one_value(case) if case.network.loss.target == "real" else None
    counts = np.bincount(labels)
    share, often = float(counts.max() / len(labels)), int(counts.argmax())
    if share < RARE:
        return None
    if share == 1:
        return Suspect(
            0.95,
            f"All rows are of class {case.label(often)}: there is nothing to tell apart.",
            {"class": case.label(often), "rows": len(labels), "share": 1.0},
            [Remedy("give rows of every class")],
        )
    Z = case.answers
    answers = (Z[:, 0] > 0).astype(np.intp) if Z.shape[1] == 1 else Z.argmax(axis=1)
    others = labels != often
    right = float((answers[others] == labels[others]).mean())
    if right >= MISSED:
        return None
    evidence = {
        "class": case.label(often),
        "share": share,
        "rows_of_others": int(others.sum()),
        "others_answered_right": right,
        "balanced_accuracy": balanced_accuracy(Z, labels),
    }
    weigh = []
    if case.network.loss.target == "class" and rows.y.ndim == 1:
        code = 'gn.train(network, X, y, class_weight="balanced", ...)'
        weigh = [Remedy("let every class count alike", code, {"class_weight": "balanced"})]
    return Suspect(
        0.65,
        f"{percent(share)} of the rows are of class {case.label(often)}, and the network answers it "
        f"nearly always: only {percent(right)} of the other rows are answered right.",
        evidence,
        weigh or [Remedy("weigh the rows of the other classes more, by sample_weight")],
        BALANCED,
    )


def _one_value(case: Case) -> Suspect | None:
    Y = case.training.Y
    still = np.flatnonzero(Y.min(axis=0) == Y.max(axis=0))
    if len(still) < Y.shape[1]:
        return None
    return Suspect(
        0.95,
        f"y is {readable(float(Y[0, 0]))} in all rows: there is nothing to learn.",
        {"rows": len(Y), "value": float(Y[0, 0])},
        [Remedy("give a target that varies")],
    )


def equal_rows(case: Case) -> Suspect | None:
    """Equal rows of X with different targets: no network tells them apart."""
    rows = case.training
    if case.left <= LEARNED or not case.height > 0:
        return None
    group = _groups(rows.X)
    if not group.any():
        return None  # X is constant
    sizes = np.bincount(group)
    weight = np.bincount(group, rows.w)
    sums = np.stack([np.bincount(group, rows.w * column) for column in rows.Y.T], axis=1)
    means = np.asarray(sums, np.float64) / np.where(weight > 0, weight, 1)[:, None]
    deviates = np.abs(rows.Y - means[group]).max(axis=1) > 1e-9 * np.abs(rows.Y).max()
    unclear = np.bincount(group, deviates) > 0
    count = int(sizes[unclear].sum())
    if count < max(2, CONTRADICTED * len(rows.X)):
        return None
    answers = answer_of_mean(case.network.loss, means[group])
    if answers is None:
        return None
    least, share = case.mean_loss(answers, rows), count / len(rows.X)
    explained = (least - case.scale[1]) / max(case.loss - case.scale[1], 1e-300)
    if explained < EXPLAINED:
        return None
    evidence = {
        "rows": count,
        "share": share,
        "groups_of_equal_rows": int(unclear.sum()),
        "least_loss": least,
        "loss": case.loss,
    }
    labels = case.labels
    best = ""
    if labels is not None:
        most = np.zeros((len(sizes), labels.max() + 1))
        np.add.at(most, (group, labels), 1)
        evidence["best_accuracy"] = float(most.max(axis=1).sum() / len(labels))
        best = f" and no accuracy above {percent(evidence['best_accuracy'])}"
    return Suspect(
        0.6,
        f"{percent(share)} of the rows have the same X as a row with another target: on these rows no "
        f"network has a loss below {readable(least, 4)}{best}.",
        evidence,
        [Remedy("look whether labels are wrong, and add features that tell these rows apart")],
    )


def _groups(X: NDArray[np.float64]) -> NDArray[np.intp]:
    """For each row the number of its group of equal rows."""
    rows = np.ascontiguousarray(X + 0.0)  # -0 becomes 0
    keys = rows.view([("", np.void, rows.itemsize * rows.shape[1])]).ravel()
    _, group = np.unique(keys, return_inverse=True)
    return np.asarray(group, np.intp).ravel()


def constant_columns(case: Case) -> Suspect | None:
    """Columns of X that have one value in all rows."""
    X = case.training.X
    still = np.flatnonzero(X.min(axis=0) == X.max(axis=0))
    if len(still) < X.shape[1]:
        still = still[X[0, still] != 0]  # no weight of a column of zeros moves anything
    if not len(still) or len(X) < 2 or case.left <= POOR:
        return None
    names, all_of_them = [case.name(int(k)) for k in still], len(still) == X.shape[1]
    evidence = {"columns": names, "constant_columns": len(still), "inputs": X.shape[1]}
    if all_of_them:
        words = "X is the same in all rows: there is nothing to tell them apart by."
        return Suspect(0.95, words, evidence, [Remedy("give features that vary")])
    first = f"{case.column(int(still[0]))} is {readable(float(X[0, still[0]]))} in all rows"
    more = f", and {counted(len(still) - 1, 'more column')} never vary either" if len(still) > 1 else ""
    large = bool(np.abs(X[0, still]).max() > STANDARD[0])
    return Suspect(
        0.72 if large else 0.25,
        f"{first[0].upper()}{first[1:]}{more}: it says nothing of the target, and is a second bias.",
        evidence,
        [Remedy("leave these columns out", "gn.train(..., standardize=True)", {"standardize": "X"})],
    )


def duplicate_columns(case: Case) -> Suspect | None:
    """Columns of X that are others times a factor, but for a constant."""
    X = case.few.X
    if case.left <= POOR or len(X) < 3:
        return None
    places = np.flatnonzero(X.std(axis=0) > 1e-12 * np.abs(X).max(axis=0, initial=1e-300))[:MOST_COLUMNS]
    if len(places) < 2:
        return None
    columns = X[:, places] - X[:, places].mean(axis=0)
    columns /= np.linalg.norm(columns, axis=0)
    alike = np.abs(columns.T @ columns) > 1 - ALIKE
    pairs = [(int(places[i]), int(places[j])) for i, j in np.argwhere(np.triu(alike, 1))]
    if not pairs:
        return None
    first, second = (case.column(place) for place in pairs[0])
    more = f", and {counted(len(pairs) - 1, 'pair')} more" if len(pairs) > 1 else ""
    return Suspect(
        0.2,
        f"{second[0].upper()}{second[1:]} says the same as {first}{more}: their weights share one "
        f"direction, in which the loss is steeper, and they add nothing.",
        {"pairs": [f"{case.name(i)} and {case.name(j)}" for i, j in pairs], "count": len(pairs)},
        [Remedy("keep one column of each pair")],
    )
