"""What may be wrong with hidden units: saturated, dead, or equal to each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glassnet.diagnostics.diagnosis.case import LEARNED, POOR, Case
from glassnet.diagnostics.diagnosis.record import Remedy
from glassnet.diagnostics.diagnosis.remedies import SEED, Suspect
from glassnet.training.ending import FLAT
from glassnet.utils.words import counted, percent

MANY = 0.5
"""The share of a layer's units that are dead."""

EQUAL = {"float32": 1e-5, "float64": 1e-9}
"""Up to this share of a layer's largest weight, weights are equal."""

NEW_START = Remedy(
    "start from other parameters", "gn.train(..., random_state=1)", {"random_state": SEED}, anew=True
)


def _ways(case: Case, *others: Remedy) -> list[Remedy]:
    """Another start, but for a frozen layer, which has to be trained, and other remedies."""
    if case.run.freeze:
        frozen = f"leave layer {', '.join(map(str, case.run.freeze))} out of freeze"
        return [Remedy(frozen, "gn.train(..., freeze=())", {"freeze": []}), *others]
    return [NEW_START, *others]


def saturated_units(case: Case) -> Suspect | None:
    """A hidden layer whose units are at their function's flat ends for nearly all rows."""
    if not case.network.hidden or not case.left > POOR or not np.isfinite(case.theta.flat).all():
        return None
    shares, dead = case.slopes
    widths = case.network.sizes[1:-1]
    layers = [k for k, share in enumerate(shares) if share >= FLAT and not dead[k] > MANY * widths[k]]
    if not layers:
        return None
    layer = layers[0]
    W = case.theta.weights[layer]
    evidence = {
        "layer": layer + 1,
        "saturated_share": shares[layer],
        "largest_weight": float(np.abs(W).max()),
    }
    if layer == 0:
        evidence["largest_input"] = float(np.abs(case.few.X).max())
    return Suspect(
        0.6,
        f"Hidden layer {layer + 1} is saturated: for {percent(shares[layer])} of all pairs of row and unit "
        f"the slope of {case.network.hidden[layer].name} is nearly 0, and hardly any gradient passes.",
        evidence,
        _ways(case),
    )


def dead_units(case: Case) -> Suspect | None:
    """A hidden layer most of whose units are at a flat end for every row."""
    if not case.network.hidden or not case.left > LEARNED or not np.isfinite(case.theta.flat).all():
        return None
    _, dead = case.slopes
    widths = case.network.sizes[1:-1]
    layers = [layer for layer, count in enumerate(dead) if count > MANY * widths[layer]]
    if not layers:
        return None
    layer = max(layers, key=lambda k: dead[k] / widths[k])
    count, width = dead[layer], widths[layer]
    rates = []
    if case.has_rate:
        optimizer = {**case.run.optimizer.to_dict(), "learning_rate": float(f"{case.rate / 10:.1g}")}
        code = "gn.train(..., random_state=1) with a tenth of the learning rate"
        changes = {"random_state": SEED, "optimizer": optimizer}
        rates = [Remedy("start from other parameters, with a smaller rate", code, changes)]
    hidden = [record.name for record in case.network.hidden]
    if hidden[layer] == "relu":
        leaky = ["leaky_relu" if name == "relu" else name for name in hidden]
        words = "take leaky_relu, whose units cannot die"
        rates.append(
            Remedy(
                words,
                f"gn.Network(..., hidden={leaky})",
                {"network": {"sizes": [*case.network.sizes], "hidden": leaky}},
            )
        )
    return Suspect(
        0.68 if count == width else 0.6,
        f"{counted(count, 'unit')} of {width} in hidden layer {layer + 1} "
        f"{'is' if count == 1 else 'are'} dead: the slope of {case.network.hidden[layer].name} is 0 for "
        f"every row, and no gradient brings them back.",
        {"layer": layer + 1, "dead": count, "units": width},
        _ways(case, *rates),
    )


def equal_units(case: Case) -> Suspect | None:
    """Units of a layer with the same weights in and out: their gradients are equal too."""
    theta, tolerance = case.theta, EQUAL[case.run.dtype.name]
    if not np.isfinite(theta.flat).all() or case.run.updates < 1:
        return None
    for layer in range(len(case.network.hidden)):
        into = np.vstack([theta.weights[layer], theta.biases[layer]]).T
        out = theta.weights[layer + 1]
        groups = _equal_rows(np.hstack([into, out]), tolerance)
        if case.run.penalties.l1 or case.run.penalties.l2:  # which bring weights to 0 together
            groups = [group for group in groups if np.abs(theta.weights[layer][:, group[0]]).any()]
        units = sum(map(len, groups))
        if not units or units < 2 * len(groups):
            continue
        width = into.shape[0]
        zero = all(not np.abs(np.hstack([into, out])[group]).any() for group in groups)
        same = "all 0" if zero else "equal"
        apart = width - units + len(groups)
        return Suspect(
            0.8 if apart <= width / 2 else 0.3,
            f"{units} of {width} units of hidden layer {layer + 1} have weights that are {same}: they get "
            f"equal gradients, never part, and count as {counted(len(groups), 'unit')}.",
            {
                "layer": layer + 1,
                "equal_units": units,
                "groups": [[unit + 1 for unit in group] for group in groups[:5]],
                "different_units": apart,
                "units": width,
                "loss": case.loss,
            },
            _ways(case),
        )
    return None


def _equal_rows(rows: NDArray[np.float64], tolerance: float) -> Sequence[list[int]]:
    """Groups of two or more rows that are equal."""
    largest = float(np.abs(rows).max()) or 1.0
    keys = np.round(rows / (tolerance * largest))
    groups: dict[bytes, list[int]] = {}
    for place, key in enumerate(keys + 0.0):
        groups.setdefault(key.tobytes(), []).append(place)
    return [group for group in groups.values() if len(group) > 1]
