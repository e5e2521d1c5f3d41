"""Commands that change how a network learns: its optimizer, penalties, layers, and single weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from glassnet.errors import InputError
from glassnet.lab.commands.schema import Field, command, many, number, record, text, whole
from glassnet.lab.lessons.events import settings_of
from glassnet.lab.study import MOST_LAYERS, MOST_PARAMETERS, MOST_UNITS
from glassnet.nn.activations import ACTIVATIONS
from glassnet.nn.network import Network, count_parameters
from glassnet.utils.settings_checks import as_flag, one_of, or_none

if TYPE_CHECKING:
    from glassnet.lab.live import Live

_AS_IT_IS: Any = object()
_LARGEST = 1e6


@command(
    optimizer=Field(record, _AS_IT_IS),
    batch_size=Field(or_none(whole(1, 10_000_000)), _AS_IT_IS),
    l1=Field(number(0, _LARGEST), _AS_IT_IS),
    l2=Field(number(0, _LARGEST), _AS_IT_IS),
    dropout=Field(number(0, 0.95), _AS_IT_IS),
    freeze=Field(many(whole(1, MOST_LAYERS + 1), MOST_LAYERS + 1), _AS_IT_IS),
    standardize=Field(as_flag, _AS_IT_IS),
)
def train_with(session: Live, **given: Any) -> dict[str, Any]:
    """Train on with another optimizer or other settings of it, batches, penalties, dropout, frozen layers.

    `optimizer` is a mapping of its name and its settings. Training goes on from the state that is shown. It
    starts over between the full batch and batches, which count epochs, and where X and y are standardized.
    """
    plain = {name: value for name, value in given.items() if value is not _AS_IT_IS}
    if not plain:
        raise InputError(f"train_with takes at least one of {', '.join(given)}.")
    return change_training(session, plain)


def change_training(session: Live, plain: dict[str, Any]) -> dict[str, Any]:
    """Change settings by their plain values, as a page and a lesson have them."""
    with session.still():
        on_batches = session.shown_run().batch_size is not None
        if "standardize" in plain:
            session.halt()
            session.begin(session.study.restarted().with_settings(**plain), end=session.end)
            what = "standardized columns" if plain["standardize"] else "the columns as they are"
            return {**session.brief(), "note": f"The network now learns {what}: training starts over."}
        if "batch_size" in plain and (plain["batch_size"] is not None) != on_batches:
            changed = session.study.with_settings(**settings_of(plain))
            session.halt()
            session.begin(changed, end=session.end)
            kind = "updates on all samples" if on_batches else "epochs of batches"
            return {**session.brief(), "note": f"Training now counts {kind}, so it starts over."}
        plain = {name: value for name, value in plain.items() if value is not None}
        if plain:
            session.change({"training": plain})
    return session.brief()


@command(
    units=Field(many(whole(1, MOST_UNITS), MOST_LAYERS)),
    hidden=Field(many(one_of(ACTIVATIONS), MOST_LAYERS)),
)
def network(session: Live, units: list[int], hidden: list[str]) -> dict[str, Any]:
    """Other hidden layers: where only activations change, training goes on, else it starts over."""
    return change_network(session, units, hidden)


def change_network(session: Live, units: list[int], hidden: list[str]) -> dict[str, Any]:
    """Change the hidden layers to these widths and activations."""
    with session.still():
        study = session.study
        before = study.network
        sizes = (before.sizes[0], *units, before.sizes[-1])
        if (size := count_parameters(sizes)) > MOST_PARAMETERS:
            raise InputError(
                f"This network has {size:,} parameters; the lab draws up to {MOST_PARAMETERS:,}. "
                f"Take fewer units, or train it in Python: gn.train."
            )
        made = Network(sizes, hidden, before.output.name, before.loss)
        if sizes == before.sizes:
            session.change({"network": {"units": units, "hidden": hidden}})
            return {**session.brief(), "note": "The parameters go on with the other activations."}
        session.halt()
        session.begin(replace(study.restarted(), network=made, own=False), end=session.end)
    note = f"{'-'.join(map(str, sizes))} has other parameters: training starts over."
    return {**session.brief(), "note": note}


@command(index=Field(whole(0, 10_000_000)), value=Field(number(-1e9, 1e9)))
def edit(session: Live, index: int, value: float) -> dict[str, Any]:
    """Set one weight or bias, by its place in the flat vector; training goes on from there."""
    with session.still():
        session.change({"edit": [index, value]})
    return session.brief()


@command(name=Field(text(40)))
def start_with(session: Live, name: str) -> dict[str, Any]:
    """Draw the first parameters by another scheme, and start over."""
    with session.still():
        session.halt()
        session.begin(session.study.restarted().with_settings(scheme=name), end=session.end)
    return session.brief()
