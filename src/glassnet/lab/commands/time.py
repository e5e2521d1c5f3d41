"""Commands that move a session through time: play, pause, step, back, to any iteration, along branches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glassnet.errors import InputError, unknown_name
from glassnet.lab.commands.schema import MOST_ITERATIONS, Field, command, text, whole
from glassnet.utils.settings_checks import or_none

MOST_STEPS = 100_000
"""Iterations of one step, which no pause cuts short."""

if TYPE_CHECKING:
    from glassnet.lab.branch import Branch
    from glassnet.lab.live import Live


@command()
def play(session: Live) -> dict[str, Any]:
    """Train until the end, a pause, or what ends training by itself; from the end, as far again.

    Where the page shows the past, it is shown again up to the newest state, and training goes on there.
    """
    with session.still():
        session.go()
    return session.brief()


@command()
def pause(session: Live) -> dict[str, Any]:
    """Stop after the iteration in progress."""
    with session.still():
        session.halt()
    return session.brief()


@command(n=Field(whole(1, MOST_STEPS), 1))
def step(session: Live, n: int) -> dict[str, Any]:
    """Make n iterations and pause; the answer comes when they are made."""
    with session.still():
        session.halt()
        session.walk(n)
    return session.brief()


@command(n=Field(whole(1, MOST_ITERATIONS), 1))
def step_back(session: Live, n: int) -> dict[str, Any]:
    """Go n iterations back, to the very state that training had there, and pause."""
    with session.still():
        session.halt()
        session.seek(max(0, session.shown_run().iterations - n))
    return session.brief()


@command(iteration=Field(whole(0, MOST_ITERATIONS)))
def seek(session: Live, iteration: int) -> dict[str, Any]:
    """Show the state that training had at an iteration, bit for bit, and pause."""
    with session.still():
        session.halt()
        session.seek(iteration)
    return session.brief()


@command(seed=Field(or_none(whole(0, 2**32 - 1)), None))
def reset(session: Live, seed: int | None) -> dict[str, Any]:
    """Back to the start, from the same parameters; a seed draws others. The past and its branches go."""
    with session.still():
        session.halt()
        study = session.study if seed is None else session.study.with_seed(seed)
        session.begin(study, end=session.end)
    return session.brief()


@command(iterations=Field(or_none(whole(1, MOST_ITERATIONS))))
def pace(session: Live, iterations: int | None) -> dict[str, Any]:
    """How many iterations are made from one frame to the next while playing; None is as many as can be."""
    with session.still():
        session.pace = iterations
        session.news(setup=True)
    return session.brief()


@command(iteration=Field(whole(1, MOST_ITERATIONS)))
def end_at(session: Live, iteration: int) -> dict[str, Any]:
    """Let playing end at an iteration."""
    with session.still():
        session.end = iteration
        session.news(setup=True)
    return session.brief()


@command(name=Field(text(40), ""))
def branch(session: Live, name: str) -> dict[str, Any]:
    """Go on from the iteration that is shown along a line of its own; the line so far stays as it is."""
    with session.still():
        session.branch(name.strip())
    return session.brief()


@command(name=Field(text(40)))
def turn_to(session: Live, name: str) -> dict[str, Any]:
    """Show another branch, at its end, and pause."""
    with session.still():
        session.halt()
        session.turn_to(_branch_named(session, name))
    return session.brief()


@command(name=Field(text(40)))
def drop_branch(session: Live, name: str) -> dict[str, Any]:
    """Forget a branch that is not shown."""
    with session.still():
        found = _branch_named(session, name)
        if found is session.current:
            raise InputError(f"{name} is shown: turn to another branch first.")
        session.drop(found)
    return session.brief()


@command(name=Field(text(40)))
def compare(session: Live, name: str) -> dict[str, Any]:
    """Where the branch that is shown and another one part, and by what."""
    other = _branch_named(session, name)
    with session.still():
        difference = session.current.tape.diff(other.tape)
    if difference is None:
        return {"iteration": None, "what": []}
    return {"iteration": difference.iteration, "what": list(difference.what)}


def _branch_named(session: Live, name: str) -> Branch:
    found = next((branch for branch in session.branches if branch.name == name), None)
    if found is None:
        raise unknown_name("branch", name, [branch.name for branch in session.branches])
    return found
