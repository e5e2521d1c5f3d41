"""Who can take part, by name: the notebook, scikit-learn, PyTorch, JAX and glassnet itself."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.contest import Contestant, Say, UnavailableError
from benchmarks.peers import notebook, ours, plain, pytorch, scikit_learn, xla
from benchmarks.tasks import NotebookTask, Task
from benchmarks.timing import Entry
from glassnet.errors import InputTypeError, unknown_name

INSTALL = 'pip install "glassnet[bench]"'


@dataclass(frozen=True)
class Peer:
    """A library, the module that shows it is there, and its contestants.

    Those of the notebook's iteration come in both precisions; those of a workload depend on the task.
    """

    name: str
    module: str
    iteration: Callable[[], list[Contestant[NotebookTask]]]
    workload: Callable[[Task], list[Contestant[Task]]]

    def why_missing(self) -> str | None:
        """Why it cannot take part, or None where it can."""
        try:
            importlib.import_module(self.module)
        except ModuleNotFoundError:
            return f"not installed: {INSTALL}"
        except ImportError as error:
            return f"cannot be imported ({error}): {INSTALL}"
        return None


PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("numpy", "numpy", notebook.iteration, plain.workload),
        Peer("scikit-learn", "sklearn", scikit_learn.iteration, scikit_learn.workload),
        Peer("torch", "torch", pytorch.iteration, pytorch.workload),
        Peer("jax", "jax", xla.iteration, xla.workload),
        Peer("glassnet", "glassnet", ours.iteration, ours.workload),
    )
}
"""Everybody, by name. "numpy" is the notebook, "glassnet" is this engine: both always take part."""

ALWAYS = ("numpy", "glassnet")


def names_in_order(kind: str, names: Iterable[str] | None, known: Iterable[str]) -> list[str]:
    """The names that are wanted in the order of those that are known; None is all of them."""
    known = list(known)
    if names is None:
        return known
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise InputTypeError(f"{kind}s is a list of names, not {names!r}. Choose from: {', '.join(known)}.")
    wanted = list(names)
    for name in wanted:
        if name not in known:
            raise unknown_name(kind, name, known)
    return [name for name in known if name in wanted]


def choose_peers(names: Iterable[str] | None) -> list[Peer]:
    """The peers of these names besides those that always take part; None is everybody."""
    wanted = names_in_order("peer", names, PEERS)
    return [peer for peer in PEERS.values() if peer.name in wanted or peer.name in ALWAYS]


def installed(peers: Iterable[Peer]) -> list[str]:
    """Names of those that can take part here."""
    return [peer.name for peer in peers if peer.why_missing() is None]


def gather(
    peers: Sequence[Peer],
    contestants: Callable[[Peer], Iterable[Contestant[Any]]],
    enter: Callable[[Contestant[Any]], Entry],
    say: Say,
) -> tuple[list[Entry], list[tuple[str, str]]]:
    """Every contestant with its data in place and its answer compared; and who cannot run, with the reason.

    `enter` does both for one contestant. Raises BenchmarkError for a wrong answer.
    """
    entries: list[Entry] = []
    missing: list[tuple[str, str]] = []
    for peer in peers:
        why = peer.why_missing()
        if why is not None:
            missing.append((peer.name, why))
            continue
        for who in contestants(peer):
            try:
                entries.append(enter(who))
            except UnavailableError as reason:
                missing.append((who.title, str(reason)))
            else:
                say(f"  {who.title}: the same, to {entries[-1].error:.1g}")
    return entries, missing
