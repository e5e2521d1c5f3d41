"""Commands that look at a session and change nothing: the samples, a place of the map, all settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glassnet.lab.commands.schema import Field, command, many, number
from glassnet.lab.frame import finite

if TYPE_CHECKING:
    from glassnet.lab.live import Live

_FAR = 1e12


@command()
def setup(session: Live) -> dict[str, Any]:
    """The data, the network and the settings, as a page shows them."""
    return session.setup()


@command()
def samples(session: Live) -> dict[str, Any]:
    """The samples that the page draws, with where they lie and which are held out."""
    return session.samples()


@command(place=Field(many(number(-_FAR, _FAR), 2)))
def value_at(session: Live, place: list[float]) -> dict[str, Any]:
    """The exact outputs of every layer at a place of the picture."""
    run, scene = session.shown()
    row = scene.lifted(place)
    layers = run.forward(row)
    return {
        "iteration": run.iterations,
        "inputs": row[0].tolist(),
        "layers": [[finite(value) for value in layer[0].tolist()] for layer in layers],
    }
