"""The result of a gradient check: as rows, in words and for a file."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from glassnet.diagnostics.central_differences import Verdict
from glassnet.diagnostics.mistakes import Finding
from glassnet.diagnostics.mistakes.finding import Kind
from glassnet.errors import GradientError
from glassnet.nn.network import Network
from glassnet.utils.html import BAD, GOOD, cell_output, cell_table, tag
from glassnet.utils.json_documents import omit, plain

_WHOLE_LAYER = 24  # entries of a layer up to which all are printed, beyond it only the worst
_WORST = 8
_NEARLY = 2  # an entry counts for the precision where its relative tolerance is within this of the finest


class GradientEntry(NamedTuple):
    """One parameter: its two derivatives and the verdict of the checker."""

    layer: int
    """From 1."""
    name: str
    """"W1", "b1", ..."""
    index: tuple[int, ...]  # type: ignore[assignment]  # hides tuple.index, which a row has no use for
    """The index in that array."""
    numerical: float
    backpropagated: float
    relative_error: float
    """|difference| / max(|numerical|, |backpropagated|)."""
    tolerance: float
    """The difference that is allowed, in the gradient's own units."""
    epsilon: float
    """The step of the deciding difference."""
    verdict: Verdict

    @property
    def label(self) -> str:
        """W1[0, 2], say."""
        return f"{self.name}{list(self.index)}"

    @property
    def excess(self) -> float:
        """The difference in multiples of the tolerance; above 1 the entry is not right."""
        difference = abs(self.numerical - self.backpropagated)
        if not math.isfinite(difference):
            return math.inf
        return difference / self.tolerance if self.tolerance > 0 else (math.inf if difference else 0.0)


@dataclass(frozen=True, repr=False)
class GradientCheck:
    """The result of `check_gradients`: `table` has a row per parameter, `str()` is for reading.

    ``table`` is a tuple of rows (layer, name, index, numerical, backpropagated, relative_error,
    tolerance, epsilon, verdict) in the order of the flat parameters. ``engine`` is "native", "numpy",
    or "given" for a gradient from the caller. ``findings`` name what was found, each with `kind`, `layer`,
    the `names` of the arrays and `words`: the mistakes, from the output down, and then the entries that
    match, lie below rounding, or could not be judged.

    >>> import glassnet as gn
    >>> net = gn.Network((1, 2))
    >>> check = gn.check_gradients(net, net.initialize(0), [[0.0], [1.0]], [0, 1])
    >>> check.passed, [row.name for row in check.table]
    (True, ['W1', 'W1', 'b1', 'b1'])
    """

    network: Network
    table: tuple[GradientEntry, ...]
    engine: str
    dtype: np.dtype[Any]
    epsilon: float
    reduction: str
    n_samples: int
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """True where no entry is wrong and at least one is right."""
        return self.n_wrong == 0 and self.n_checked > 0

    @property
    def n_wrong(self) -> int:
        """The number of wrong entries."""
        return self._count("wrong")

    @property
    def n_checked(self) -> int:
        """The number of judged entries: those that are right or wrong."""
        return self._count("right") + self.n_wrong

    @property
    def n_kinks(self) -> int:
        """The number of entries not judged because their step crosses a kink."""
        return self._count("kink")

    @property
    def n_unsettled(self) -> int:
        """The number of entries not judged because their numerical derivative does not settle."""
        return self._count("unsettled")

    @property
    def worst(self) -> GradientEntry | None:
        """The judged entry whose difference is largest in multiples of its tolerance."""
        judged = [entry for entry in self.table if entry.verdict in ("right", "wrong")]
        return max(judged, key=lambda entry: entry.excess, default=None)

    @property
    def sensitivity(self) -> float:
        """The smallest relative error, common to all entries, that this check would notice."""
        return min(
            (
                entry.tolerance / abs(entry.numerical)
                for entry in self.table
                if entry.verdict in ("right", "wrong") and entry.numerical
            ),
            default=math.inf,
        )

    @property
    def verdict(self) -> str:
        """The outcome in words."""
        total, judged = len(self.table), self.n_checked
        worst = self.worst
        if worst is None:
            words = f"NOTHING JUDGED: none of the {total} entries could be."
        elif self.passed:
            count = f"all {total}" if judged == total else f"{judged} of {total}"
            words = f"PASSED: {count} entries agree; {self._precision()}."
        else:
            words = f"FAILED: {self._failure(worst)}"
        if self.n_kinks:
            words += (
                f" Not judged: {self.n_kinks} whose step crosses a kink of an activation, however small."
            )
        if self.n_unsettled:
            words += f" Not judged: {self.n_unsettled} whose numerical derivative does not settle."
        smaller = [e.epsilon for e in self.table if e.epsilon < self.epsilon and e.verdict == "right"]
        if smaller:
            words += (
                f" {len(smaller)} needed a smaller step, down to {min(smaller):g}, to stay clear of a "
                f"kink or of strong curvature."
            )
        return words

    def raise_if_failed(self) -> "GradientCheck":
        """Return this check where it passed, else raise a GradientError in words."""
        if not self.passed:
            raise GradientError(f"The gradient check of {self.network} {self.verdict}")
        return self

    def __repr__(self) -> str:
        return f"GradientCheck of {self.network}\n  {self.verdict}"

    def _repr_html_(self) -> str:
        color = GOOD if self.passed else BAD
        verdict = tag("span", self.verdict, style=f"color:{color};font-weight:bold")
        judged = [entry for entry in self.table if entry.verdict in ("right", "wrong")] or self.table
        worst = sorted(judged, key=lambda entry: (entry.verdict != "wrong", -entry.excess))[:_WORST]
        head = ("entry", "numerical", "backpropagated", "relative error", "verdict")
        count = f"the worst {len(worst)} of {len(judged):,} entries:"
        return cell_output(
            f"Gradient check of {self.network}",
            [self._setup, verdict, count if len(worst) < len(judged) else ""],
            cell_table(head, map(_cells, worst), left=(0, 4)),
        )

    @property
    def _setup(self) -> str:
        """What was checked, and by which numbers."""
        samples = f"{self.n_samples} sample{'s' if self.n_samples > 1 else ''}"
        kind = "summed" if self.reduction == "sum" else "mean"
        whose = "a gradient handed in" if self.engine == "given" else f"the {self.engine} engine"
        return f"{whose}, {self.dtype.name}, {samples}, {kind} loss, epsilon {self.epsilon:g}"

    def __str__(self) -> str:
        lines = [f"Gradient check of {self.network}", self._setup]
        for layer, rows in groupby(self.table, key=lambda entry: entry.layer):
            lines += ["", *_layer_table(layer, list(rows))]
        return "\n".join([*lines, "", self.verdict])

    def to_dict(self) -> dict[str, Any]:
        """Everything as strings, numbers and lists for JSON; numbers that are not finite are None."""
        said = ("epsilon", "reduction", "n_samples", "passed", "verdict")
        counts = ("n_checked", "n_wrong", "n_kinks", "n_unsettled", "sensitivity")
        document = {
            "network": str(self.network),
            "engine": self.engine,
            "dtype": self.dtype.name,
            **{name: getattr(self, name) for name in said},
            "n_entries": len(self.table),
            **{name: getattr(self, name) for name in counts},
            "findings": [finding._asdict() for finding in self.findings],
            "table": [entry._asdict() for entry in self.table],
        }
        answer: dict[str, Any] = plain(document, "check", omit)
        return answer

    def _count(self, verdict: Verdict) -> int:
        return sum(entry.verdict == verdict for entry in self.table)

    def _precision(self) -> str:
        """How closely the entries well above rounding agree: the others may be off by 100 %."""
        right = [entry for entry in self.table if entry.verdict == "right"]
        limit = _NEARLY * self.sensitivity
        telling = [e for e in right if e.numerical and e.tolerance <= limit * abs(e.numerical)]
        if not telling or self.sensitivity >= 1:
            return "none of them stands above rounding"
        largest = max(entry.relative_error for entry in telling)
        which = "" if len(telling) == len(right) else f" of the {len(telling)} well above rounding"
        return (
            f"the largest relative error{which} is {largest:.1e}, and one of {self.sensitivity:.1e} common "
            f"to all of them would have been noticed"
        )

    def _failure(self, worst: GradientEntry) -> str:
        hints = [
            f"{', '.join(finding.names)}: {finding.words}."
            for finding in self.findings
            if finding.kind not in _NOT_WRONG and finding.words
        ]
        hint = " ".join(hints)
        return (
            f"{self.n_wrong} of {len(self.table)} entries are wrong. The worst is in layer "
            f"{worst.layer}, {worst.label}: numerical {worst.numerical:.10g}, backpropagated "
            f"{worst.backpropagated:.10g}, relative error {worst.relative_error:.1e} where "
            f"{worst.tolerance / (abs(worst.numerical) or 1):.1e} is allowed."
            f"{' ' + hint if hint else ''}"
        )


# ---- Words --------------------------------------------------------------------------------------


def _layer_table(layer: int, rows: list[GradientEntry]) -> list[str]:
    """The entries of one layer, or the worst of them where there are many."""
    shown, rest = rows, ""
    if len(rows) > _WHOLE_LAYER:
        bad = sorted(rows, key=lambda e: (e.verdict != "wrong", -e.excess))[:_WORST]
        shown = [entry for entry in rows if entry in bad]
        others = [e.verdict for e in rows if e not in bad]
        counts = [f"{others.count(verdict)} {verdict}" for verdict in sorted(set(others), reverse=True)]
        rest = f"  ... and {len(others)} more: {', '.join(counts)}"
    width = max(len("entry"), *(len(entry.label) for entry in shown))
    lines = [
        f"Layer {layer}",
        f"  {'entry':<{width}}  {'numerical':>17}  {'backpropagated':>17}  {'relative error':>14}  verdict",
    ]
    for entry in shown:
        label, numerical, backpropagated, relative, verdict = _cells(entry)
        lines.append(
            f"  {label:<{width}}  {numerical:>17}  {backpropagated:>17}  {relative:>14}  {verdict}"
        )
    return [*lines, rest] if rest else lines


def _cells(entry: GradientEntry) -> tuple[str, ...]:
    """An entry as a row of a table."""
    numbers = f"{entry.numerical:.9e}", f"{entry.backpropagated:.9e}"
    return entry.label, *numbers, _relative(entry), entry.verdict


def _relative(entry: GradientEntry) -> str:
    """The relative error, "-" where both values are below rounding and it means nothing."""
    noise = max(abs(entry.numerical), abs(entry.backpropagated)) <= entry.tolerance
    return "-" if noise and entry.verdict == "right" else f"{entry.relative_error:.1e}"


def findings_of(table: Sequence[GradientEntry], mistakes: Sequence[Finding] = ()) -> tuple[Finding, ...]:
    """What a check has found: the mistakes, and the entries that match, or that cannot be judged."""
    entries: dict[Kind, list[GradientEntry]] = {kind: [] for kind in _NOT_WRONG}
    for entry in table:
        if entry.verdict == "right":
            entries["rounding" if _relative(entry) == "-" else "match"].append(entry)
        elif entry.verdict != "wrong":
            entries[entry.verdict].append(entry)
    rest = [
        Finding(
            kind,
            None,
            tuple(dict.fromkeys(entry.name for entry in some)),
            f"{len(some):,} of {len(table):,} entries {_NOT_WRONG[kind]}",
        )
        for kind, some in entries.items()
        if some
    ]
    return (*mistakes, *rest)


_NOT_WRONG: dict[Kind, str] = {
    "match": "agree with the central difference",
    "rounding": "are below rounding, on both sides",
    "kink": "cannot be judged: their step crosses a kink, however small",
    "unsettled": "cannot be judged: their numerical derivative does not settle",
}
