"""Commands that share a session: as a lesson with notes, as a program in Python, and as a report."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassnet.errors import InputError
from glassnet.lab.commands.schema import MOST_TEXT, Field, command, many, question, text, whole
from glassnet.lab.lessons.code import as_python
from glassnet.lab.lessons.events import OF_TRAINING
from glassnet.lab.lessons.lesson import (
    CONTROLS,
    MOST_AT_ONCE,
    MOST_BESIDE,
    MOST_ITERATIONS,
    find_lesson,
    lesson_text,
    read_lesson,
)
from glassnet.lab.lessons.recipe import plain_settings, recipe_of
from glassnet.plots.report import write_report
from glassnet.utils.settings_checks import one_of
from glassnet.utils.warn import collected

if TYPE_CHECKING:
    from glassnet.lab.session import Session


@question(title=Field(text(200), ""), hidden=Field(many(one_of(CONTROLS), len(CONTROLS)), ()))
def lesson(session: Session, title: str, hidden: list[str]) -> dict[str, Any]:
    """The session as a lesson, a TOML file: its start, each change in its place, and the notes.

    It is the branch that is shown, with what an opened lesson has in store for it, and beside it those that
    began with other settings of training. `title` and the parts of the page to put away, `hidden`, take the
    place of those of the lesson that was opened.
    """
    with session.still():
        branch = session.current
        trained, notes = branch.tape.iterations, session.notes
        more = not trained or branch.script or max(notes, default=0) > trained
        toml = lesson_text(
            title or session.title or branch.study.data.name,
            recipe_of(branch.start),
            session.end if more else trained,
            [dict(event) for event in (*branch.events, *branch.script)],
            _beside(session),
            notes,
            tuple(hidden) or session.hidden,
            session.opens,
            session.pace,
        )
    return {"text": toml}


def _beside(session: Session) -> list[dict[str, Any]]:
    """The other branches that have the start of the one that is shown, but for settings of training."""
    start = session.current.start
    known, found = plain_settings(start.settings), []
    for branch in session.branches:
        study = branch.study
        settings = plain_settings(study.settings)
        other = {name: value for name, value in settings.items() if value != known.get(name)}
        same_start = study.data is start.data and study.network is start.network
        whole = all(event["iteration"] == 0 and "training" in event for event in branch.events)
        if branch is session.current or not (same_start and whole and branch.tape.iterations):
            continue
        if other.keys() <= {*OF_TRAINING} and known.keys() <= settings.keys():
            iterations = min(branch.tape.iterations, MOST_AT_ONCE)
            found.append({"name": branch.name, "iterations": iterations, "training": other})
    return found[:MOST_BESIDE]


@command(text=Field(text(MOST_TEXT), ""), name=Field(text(40), ""))
def open_lesson(session: Session, text: str, name: str) -> None:
    """Play a lesson from its start: its text, or the name of one that ships."""
    if bool(text) == bool(name):
        raise InputError("There is no lesson in this: expected its text, or the name of one that ships.")
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
