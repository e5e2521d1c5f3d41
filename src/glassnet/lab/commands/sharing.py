"""Commands that share a session: as a lesson with notes, as a program in Python, and as a report."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassnet.errors import InputError
from glassnet.lab.commands.schema import (
    MOST_ITERATIONS,
    MOST_TEXT,
    Field,
    command,
    many,
    question,
    text,
    whole,
)
from glassnet.lab.lessons.code import as_python
from glassnet.lab.lessons.lesson import CONTROLS, find_lesson, lesson_text, read_lesson
from glassnet.lab.lessons.recipe import recipe_of
from glassnet.plots.report import write_report
from glassnet.utils.settings_checks import one_of
from glassnet.utils.warn import collected

if TYPE_CHECKING:
    from glassnet.lab.session import Session


@question(title=Field(text(200), ""), hidden=Field(many(one_of(CONTROLS), len(CONTROLS)), ()))
def lesson(session: Session, title: str, hidden: list[str]) -> dict[str, Any]:
    """The session as a lesson, a TOML file: its start, each change in its place, and the notes.

    It is the branch that is shown. `title` and the parts of the page to put away, `hidden`, take the place
    of those of the lesson that was opened.
    """
    with session.still():
        branch = session.current
        toml = lesson_text(
            title or session.title or branch.study.data.name,
            recipe_of(branch.start),
            max(branch.tape.iterations, 1),
            [dict(event) for event in branch.events],
            session.notes,
            tuple(hidden) or session.hidden,
            session.opens,
            session.pace,
        )
    return {"text": toml}


@command(text=Field(text(MOST_TEXT), ""), name=Field(text(40), ""))
def open_lesson(session: Session, text: str, name: str) -> None:
    """Play a lesson from its start: its text, or the name of one that ships."""
    if bool(text) == bool(name):
        raise InputError("open_lesson takes the text of a lesson, or the name of one that ships.")
    session.play_lesson(read_lesson(text or find_lesson(name)))


@command(iteration=Field(whole(0, MOST_ITERATIONS)), text=Field(text(4_000)))
def note(session: Session, iteration: int, text: str) -> None:
    """Write a note at an iteration, at which playing pauses; an empty one takes it away."""
    if text.strip():
        session.notes[iteration] = text.strip()
    else:
        session.notes.pop(iteration, None)
    session.news(setup=True)


@command()
def leave_lesson(session: Session) -> None:
    """Show all parts of the page again, without the lesson's title and notes."""
    session.title, session.hidden, session.opens = "", (), ""
    session.notes.clear()
    session.news(setup=True)


@question()
def python(session: Session) -> dict[str, Any]:
    """A program in Python that gives the bits of the branch that is shown."""
    with session.still():
        branch = session.current
        return {"text": as_python(branch.start, branch.events, branch.tape.iterations)}


@question()
def report(session: Session) -> dict[str, Any]:
    """The state that is shown as a report: an HTML file with its pictures, scores and settings.

    Training goes on meanwhile; the report's slider goes over the branch as it was when it was asked for.
    """
    with session.still():
        moment, tape = session.moment(), session.current.tape.branch()
    data = moment.study.data
    with tempfile.TemporaryDirectory() as folder, collected():
        path = write_report(
            Path(folder, "report.html"),
            run=moment.run,
            X=data.X,
            y=data.y,
            title=session.title or data.name,
            class_names=data.classes or None,
            feature_names=data.features,
            held_out=data.held_out,
            axes=moment.scene.axes,
            film=tape,
        )
        return {"text": path.read_text("utf-8")}
