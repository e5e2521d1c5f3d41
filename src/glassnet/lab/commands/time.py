"""Commands that move a session through time: play, pause, step, back, to any iteration, along branches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glassnet.errors import InputError, unknown_name
from glassnet.lab.commands.schema import Field, command, question, text, whole
from glassnet.lab.lessons.lesson import MOST_ITERATIONS
from glassnet.utils.settings_checks import or_none

MOST_STEPS = 100_000
"""Iterations of one step, which no pause cuts short."""

if TYPE_CHECKING:
    from glassnet.lab.branch import Branch
    from glassnet.lab.session import Session


@command()
def play(session: Session) -> None:
    """Train until the end, a pause, or what ends training by itself; from the end, as far again.

    Where the page shows the past, it is shown again up to the newest state, and training goes on there.
    """
    session.go()


@command()
def pause(session: Session) -> None:
    """Stop after the iteration in progress."""
    session.halt()


@command(n=Field(whole(1, MOST_STEPS), 1))
def step(session: Session, n: int) -> None:
    """Make n iterations and pause; the answer comes when they are made."""
    session.halt()
    session.walk(n)


@command(n=Field(whole(1, MOST_ITERATIONS), 1))
def step_back(session: Session, n: int) -> None:
    """Go n iterations back, to the very state that training had there, and pause."""
    seek(session, max(0, session.shown_run().iterations - n))


@command(iteration=Field(whole(0, MOST_ITERATIONS)))
def seek(session: Session, iteration: int) -> None:
    """Show the state that training had at an iteration, bit for bit, and pause."""
    session.seek(iteration)
    session.halt()


@command(seed=Field(or_none(whole(0, 2**32 - 1)), None))
def reset(session: Session, seed: int | None) -> None:
    """Back to the start, from the same parameters; a seed draws others. The past and its branches go."""
    study = session.study if seed is None else session.study.with_seed(seed)
    session.begin(study, end=session.end)


@command(iterations=Field(or_none(whole(1, MOST_ITERATIONS))))
def pace(session: Session, iterations: int | None) -> None:
    """How many iterations are made from one frame to the next while playing; None is as many as can be."""
    session.pace = iterations
    session.news(setup=True)


@command(iteration=Field(whole(1, MOST_ITERATIONS)))
def end_at(session: Session, iteration: int) -> None:
    """Let playing end at an iteration."""
    session.end = iteration
    session.news(setup=True)


@command(name=Field(text(40), ""))
def branch(session: Session, name: str) -> None:
    """Go on from the iteration that is shown along a line of its own; the line so far stays as it is."""
    session.branch(name.strip())


@command(name=Field(text(40)))
def turn_to(session: Session, name: str) -> None:
    """Show another branch, at its end, and pause."""
    session.turn_to(_branch_named(session, name))
    session.halt()


@command(name=Field(text(40)))
def drop_branch(session: Session, name: str) -> None:
    """Forget a branch that is not shown."""
    found = _branch_named(session, name)
    if found is session.current:
        raise InputError(f"{name} is shown: turn to another branch first.")
    session.drop(found)


@question(name=Field(text(40)))
def compare(session: Session, name: str) -> dict[str, Any]:
    """Where the branch that is shown and another one part, and by what."""
    other = _branch_named(session, name)
    with session.still():
        difference = session.current.tape.diff(other.tape)
    if difference is None:
        return {"iteration": None, "what": []}
    return {"iteration": difference.iteration, "what": list(difference.what)}


def _branch_named(session: Session, name: str) -> Branch:
    found = next((branch for branch in session.branches if branch.name == name), None)
    if found is None:
        raise unknown_name("branch", name, [branch.name for branch in session.branches])
    return found
