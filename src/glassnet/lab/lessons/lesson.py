"""Lessons: a whole session as a TOML file, with notes at its iterations and controls that are put away."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from glassnet.errors import GlassnetError, InputError, prefixed, unknown_name
from glassnet.experiments.library import to_toml
from glassnet.lab.lessons.recipe import study_of
from glassnet.lab.study import Study
from glassnet.utils.settings_checks import one_of

VERSION = 1
MOST_EVENTS, MOST_NOTES, MOST_ITERATIONS = 10_000, 500, 10_000_000
MOST_BESIDE, MOST_AT_ONCE = 4, 5_000

CONTROLS = (
    "data",
    "layers",
    "training",
    "numbers",
    "inspector",
    "why",
    "branches",
    "results",
    "hidden layer",
)
"""The parts of a page that a lesson may put away."""

EVENTS = ("training", "network", "edit", "label", "point", "erase")
"""The changes that a lesson makes at an iteration; see `glassnet.lab.lessons.events.change_of`."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """A lesson that was read: what it learns, what changes when, and what its author says where.

    `events` are in the order of their iterations, `beside` are branches that are trained at once, `notes`
    are by iteration. `hidden` names the parts of the page that are put away, `opens` the tab that is open.
    """

    title: str
    study: Study
    iterations: int
    events: tuple[Mapping[str, Any], ...] = ()
    beside: tuple[Mapping[str, Any], ...] = ()
    notes: Mapping[int, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    opens: str = ""
    pace: int | None = None


def shipped() -> dict[str, str]:
    """The text of every lesson that ships, by name.

    >>> from glassnet.lab.lessons.lesson import shipped
    >>> sorted(shipped())
    ['backpropagation', 'plateau', 'stuck']
    """
    files = [one for one in resources.files(__package__).iterdir() if one.name.endswith(".toml")]
    files.sort(key=lambda one: one.name)
    return {one.name.removesuffix(".toml"): one.read_text("utf-8") for one in files}


def find_lesson(name: str) -> str:
    """The text of a lesson that ships; InputError for an unknown name."""
    known = shipped()
    if name not in known:
        raise unknown_name("lesson", name, known)
    return known[name]


def read_title(text: str) -> str:
    """The title of a lesson's text."""
    return str(tomllib.loads(text).get("title", ""))


def is_lesson(text: str) -> bool:
    """Whether the text of a TOML file is a lesson's, and not an experiment's."""
    try:
        return "lesson" in tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False


def read_lesson(text: str) -> Lesson:
    """The lesson of a text; InputError that says what in it cannot be used."""
    try:
        known = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"This is no lesson: it is not valid TOML, {error}.") from None
    if known.get("lesson") != VERSION:
        raise InputError(
            f"This is no lesson that this version can play: expected lesson = {VERSION}, not "
            f"{known.get('lesson')!r:.40}."
        )
    sections = ("lesson", "title", "iterations", "hidden", "opens", "pace", "data", "network", "training")
    for key in known:
        if key not in (*sections, "events", "beside", "notes"):
            raise InputError(f"A lesson has no {key!r:.40}; expected {', '.join(sections)}, events, notes.")
    try:
        return _lesson(known)
    except GlassnetError as error:
        raise InputError(f"This lesson cannot be played: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise InputError(
            f"This lesson cannot be played: {type(error).__name__}: {error!s:.200}."
        ) from error


def _lesson(known: Mapping[str, Any]) -> Lesson:
    iterations = _whole(known.get("iterations", 1000), "iterations", 1)
    study = study_of(known, iterations)
    events = _entries(known, "events", MOST_EVENTS)
    for event in events:
        _whole(event.get("iteration"), "an event's iteration", 0)
        what = [key for key in event if key != "iteration"]
        if len(what) != 1 or what[0] not in EVENTS:
            raise InputError(f"An event is an iteration and one of {', '.join(EVENTS)}, not {event!r:.80}.")
    beside = _entries(known, "beside", MOST_BESIDE)
    for one in beside:
        if _whole(one.get("iterations", 100), "a branch's iterations", 1) > MOST_AT_ONCE:
            raise InputError(f"A branch beside trains at most {MOST_AT_ONCE:,} iterations at once.")
    notes = _entries(known, "notes", MOST_NOTES)
    check = one_of(CONTROLS)
    opens, pace = known.get("opens", ""), known.get("pace")
    return Lesson(
        str(known.get("title", ""))[:200],
        study,
        iterations,
        tuple(sorted(events, key=lambda event: event["iteration"])),
        tuple(beside),
        {_whole(note["iteration"], "a note's iteration", 0): str(note["text"])[:4000] for note in notes},
        tuple(check(name, "part to hide") for name in known.get("hidden", ())),
        check(opens, "tab to open") if opens else "",
        None if pace is None else _whole(pace, "pace", 1),
    )


def _entries(known: Mapping[str, Any], name: str, most: int) -> list[Any]:
    entries: list[Any] = known.get(name, [])
    if len(entries) > most:
        raise InputError(f"It has {len(entries):,} entries in [[{name}]]; expected at most {most:,}.")
    return entries


def _whole(value: Any, name: str, low: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= MOST_ITERATIONS:
        raise InputError(f"{name} is {value!r:.40}; expected a whole number from {low} on.")
    return value


def lesson_text(
    title: str,
    recipe: Mapping[str, Any],
    iterations: int,
    events: list[dict[str, Any]],
    beside: list[dict[str, Any]],
    notes: Mapping[int, str],
    hidden: tuple[str, ...],
    opens: str = "",
    pace: int | None = None,
) -> str:
    """A lesson as `read_lesson` takes it."""
    head: dict[str, Any] = {"lesson": VERSION, "title": title, "iterations": iterations}
    if hidden:
        head["hidden"] = list(hidden)
    if opens:
        head["opens"] = opens
    if pace is not None:
        head["pace"] = pace
    words = "A lesson of the live lab: glassnet lab FILE plays it."
    text = to_toml({**head, **{key: value for key, value in recipe.items() if value}}, words)
    for section, entries in (("events", events), ("beside", beside)):
        text += "".join(f"\n[[{section}]]\n{_dotted(entry)}" for entry in entries)
    for k, note in sorted(notes.items()):
        text += "\n[[notes]]\n" + _dotted({"iteration": k, "text": note})
    with prefixed("The lesson cannot be written"):
        read_back = tomllib.loads(text)
        if read_back.get("events", []) != events:
            raise InputError("an event does not read back as it was.")
    return text


def _dotted(content: Mapping[str, Any], before: str = "") -> str:
    """Lines of dotted keys, so that each event stays together."""
    lines = []
    for key, value in content.items():
        if isinstance(value, Mapping):
            lines.append(_dotted(value, f"{before}{key}."))
        else:
            lines.append(f"{before}{to_toml({key: value})}")
    return "".join(lines)
