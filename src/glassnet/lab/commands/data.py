"""Commands that change what is learned: built-in sets, points and labels by hand, tables, and the view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glassnet.errors import InputError
from glassnet.lab.commands.schema import MOST_TEXT, Field, command, many, number, record, text, whole
from glassnet.lab.sources import study_of_points, study_of_set, study_of_text
from glassnet.utils.settings_checks import or_none

if TYPE_CHECKING:
    from glassnet.lab.session import Session

_FAR = 1e9
_MOST_DRAWN = 5_000


@command(
    name=Field(text(40)),
    settings=Field(record, {}),
    seed=Field(or_none(whole(0, 2**32 - 1)), None),
    held_out=Field(or_none(number(0, 0.9)), None),
)
def data(
    session: Session, name: str, settings: dict[str, Any], seed: int | None, held_out: float | None
) -> None:
    """A built-in set, with its own network and settings; of the same set, the network stays as it is."""
    study, end, before = study_of_set(name, settings, seed, held_out), None, session.study
    if before.data.source.get("set") == name and not before.own:
        study, end = study.with_choices_of(before), session.end
    session.begin(study, end)


@command(points=Field(many(many(number(-_FAR, _FAR), 3), _MOST_DRAWN)))
def points(session: Session, points: list[list[float]]) -> None:
    """Samples drawn by hand, each x, y and the number of its class, in place of the data so far."""
    if any(len(point) != 3 or point[2] not in range(8) for point in points):
        raise InputError("A point is x, y and the number of its class, from 0 to 7.")
    if len(points) < 2 or len({point[2] for point in points}) < 2:
        raise InputError(
            "Draw at least two points, of two classes: with one class there is nothing to learn."
        )
    session.begin(study_of_points(points))


@command(place=Field(many(number(-_FAR, _FAR), 2)), target=Field(whole(0, 1_000)))
def add_point(session: Session, place: list[float], target: int) -> None:
    """One more sample at a place of the picture; training goes on with it."""
    if not session.current.scene.projection.whole:
        raise InputError("Points can be drawn where the picture shows every input, and for classes.")
    session.change({"point": [*place, target]})


@command(row=Field(whole(0, 10_000_000)))
def erase_point(session: Session, row: int) -> None:
    """Take a sample away; training goes on without it."""
    session.change({"erase": row})


@command(row=Field(whole(0, 10_000_000)), target=Field(whole(0, 1_000)))
def label(session: Session, row: int, target: int) -> None:
    """Another class for a sample; training goes on with it."""
    session.change({"label": [row, target]})


@command(name=Field(text(200)), text=Field(text(MOST_TEXT)))
def open_table(session: Session, name: str, text: str) -> dict[str, Any]:
    """A table of text that was dropped on the page; at first the network predicts its last column."""
    return _learn_table(session, name, text)


@command(column=Field(text(200)), held_out=Field(number(0, 0.9), 0.25))
def predict_column(session: Session, column: str, held_out: float) -> dict[str, Any]:
    """Another column of the open table to predict."""
    source = session.study.data.source
    if "table" not in source:
        raise InputError("There is no open table: open one first.")
    return _learn_table(session, source["table"], source["text"], column, held_out)


def _learn_table(
    session: Session, name: str, text: str, column: str | None = None, held_out: float = 0.25
) -> dict[str, Any]:
    study = study_of_text(name, text, column, held_out)
    session.begin(study)
    return {"columns": study.data.source["columns"], "target": study.data.target}


@command(inputs=Field(or_none(many(text(200), 2)), None))
def axes(session: Session, inputs: list[str] | None) -> None:
    """The two inputs that the picture shows; None takes the directions in which the samples vary most."""
    session.look_along(inputs)
