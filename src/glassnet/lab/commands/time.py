"""Commands that move a session through time: play, pause, step, and from the start again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glassnet.lab.commands.schema import MOST_ITERATIONS, Field, command, whole
from glassnet.utils.settings_checks import or_none

if TYPE_CHECKING:
    from glassnet.lab.live import Live


@command()
def play(session: Live) -> dict[str, Any]:
    """Train until the end, a pause, or what ends training by itself; from the end, as far again."""
    with session.still():
        session.go()
    return session.brief()


@command()
def pause(session: Live) -> dict[str, Any]:
    """Stop after the iteration in progress."""
    with session.still():
        session.halt()
    return session.brief()


@command(n=Field(whole(1, MOST_ITERATIONS), 1))
def step(session: Live, n: int) -> dict[str, Any]:
    """Make n iterations and pause; the answer comes when they are made."""
    with session.still():
        session.halt()
        session.walk(n)
    return session.brief()


@command(seed=Field(or_none(whole(0, 2**32 - 1)), None))
def reset(session: Live, seed: int | None) -> dict[str, Any]:
    """Back to the start, from the same parameters; a seed draws others."""
    with session.still():
        session.halt()
        session.begin(settings=None if seed is None else {**session.settings, "random_state": seed})
    return session.brief()


@command(iterations=Field(or_none(whole(1, MOST_ITERATIONS))))
def pace(session: Live, iterations: int | None) -> dict[str, Any]:
    """How many iterations are made from one frame to the next while playing; None is as many as can be."""
    with session.still():
        session.pace = iterations
    return session.brief()


@command(iteration=Field(whole(1, MOST_ITERATIONS)))
def end_at(session: Live, iteration: int) -> dict[str, Any]:
    """Let playing end at an iteration."""
    with session.still():
        session.end = iteration
        session.news(setup=True)
    return session.brief()
