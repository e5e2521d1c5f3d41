"""Who takes part in the workloads, and everybody ready to run with the answers compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.job import UnavailableError
from benchmarks.peers import Peer
from benchmarks.workloads import learn, ours, plain, pytorch, xla
from benchmarks.workloads.task import Contestant, Task
from benchmarks.workloads.timing import Entry, check

CONTESTANTS: Mapping[str, Callable[[Task], list[Contestant]]] = {
    "numpy": plain.contestants,
    "scikit-learn": learn.contestants,
    "torch": pytorch.contestants,
    "jax": xla.contestants,
    "glassnet": ours.contestants,
}
"""The same peers as of the notebook's iteration."""

Missing = list[tuple[str, str]]
"""Names of those that cannot take part, and why."""


def prepare_entries(
    task: Task,
    peers: Sequence[Peer],
    say: Callable[[str], None],
    wanted: Callable[[Contestant], bool] = lambda who: True,
) -> tuple[list[Entry], Missing]:
    """Every contestant with the data in place and its answer compared, and those that cannot run.

    Raises BenchmarkError for a wrong answer.
    """
    entries: list[Entry] = []
    missing: Missing = []
    truth = {}
    for peer in peers:
        why = peer.why_missing()
        if why is not None:
            missing.append((peer.name, why))
            continue
        for who in filter(wanted, CONTESTANTS[peer.name](task)):
            own = task.with_one_output() if who.one_output else task
            key = who.one_output, who.late_epsilon
            if key not in truth:
                truth[key] = plain.right_answer(own, who.late_epsilon)
            try:
                runner = who.make(own)
            except UnavailableError as reason:
                missing.append((who.title, str(reason)))
                continue
            error = check(who, own, runner, truth[key])
            entries.append(Entry(who, own, runner, error))
            say(f"  {who.title}: the same, to {error:.1g}")
    return entries, missing
