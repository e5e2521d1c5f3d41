"""Commands that change how a network learns: its optimizer, penalties, layers, and single weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glassnet.errors import InputError
from glassnet.lab.commands.schema import Field, command, many, number, record, whole
from glassnet.lab.lessons.events import settings_of
from glassnet.lab.study import MOST_LAYERS, MOST_PARAMETERS, check_sizes
from glassnet.nn.activations import ACTIVATIONS
from glassnet.nn.losses import loss_from_plain
from glassnet.nn.schemes import SCHEMES
from glassnet.training.early_stopping import METRICS, EarlyStopping
from glassnet.training.settings import AUTO
from glassnet.utils.settings_checks import as_flag, one_of, or_none

if TYPE_CHECKING:
    from glassnet.lab.session import Session

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
def train_with(session: Session, **given: Any) -> dict[str, Any] | None:
    """Train on with another optimizer or other settings of it, batches, penalties, dropout, frozen layers.

    `optimizer` is a mapping of its name and its settings. Training goes on from the state that is shown. It
    starts over between the full batch and batches, which count epochs, and where X and y are standardized.
    """
    plain = {name: value for name, value in given.items() if value is not _AS_IT_IS}
    if not plain:
        raise InputError(f"train_with takes at least one of {', '.join(given)}.")
    on_batches = session.shown_run().batch_size is not None
    if "standardize" in plain:
        session.begin(session.study.restarted().with_settings(**plain), end=session.end)
        what = "standardized columns" if plain["standardize"] else "the columns as they are"
        return {"note": f"The network now learns {what}: training starts over."}
    if "batch_size" in plain and (plain["batch_size"] is not None) != on_batches:
        session.begin(session.study.with_settings(**settings_of(plain)), end=session.end)
        kind = "updates on all samples" if on_batches else "epochs of batches"
        return {"note": f"Training now counts {kind}, so it starts over."}
    session.change({"training": {name: value for name, value in plain.items() if value is not None}})
    return None


@command(
    units=Field(many(whole(1, MOST_PARAMETERS), MOST_LAYERS)),  # `check_sizes` has more to say
    hidden=Field(many(one_of(ACTIVATIONS), MOST_LAYERS)),
)
def network(session: Session, units: list[int], hidden: list[str]) -> dict[str, Any]:
    """Other hidden layers: where only activations change, training goes on, else it starts over."""
    study = session.study
    before = study.network
    sizes = (before.sizes[0], *units, before.sizes[-1])
    check_sizes(sizes)
    if sizes == before.sizes:
        session.change({"network": {"units": units, "hidden": hidden}})
        return {"note": "The parameters go on with the other activations."}
    session.begin(study.with_layers(units, hidden, before.loss), end=session.end)
    return {"note": f"{'-'.join(map(str, sizes))} has other parameters: training starts over."}


@command(loss=Field(record))
def measure_by(session: Session, loss: dict[str, Any]) -> dict[str, Any]:
    """Another loss, a name with settings: the output layer takes its link, and training starts over."""
    study, made = session.study, loss_from_plain(loss)
    if made.name not in study.data.losses:
        raise InputError(f"{made.name} does not suit these targets: take {' or '.join(study.data.losses)}.")
    hidden = [record.name for record in study.network.hidden]
    session.begin(study.with_layers(study.network.sizes[1:-1], hidden, made), end=session.end)
    return {"note": "Losses of two kinds cannot be compared: training starts over."}


@command(
    patience=Field(or_none(whole(1, 10_000_000)), None),
    tolerance=Field(number(0, _LARGEST), 0.0),
    metric=Field(one_of(METRICS), "loss"),
    restore_best=Field(as_flag, True),
)
def stop_after(session: Session, patience: int | None, **settings: Any) -> dict[str, Any]:
    """End training once it has not improved for `patience` evaluations; None never does. It starts over.

    The arguments are those of `glassnet.EarlyStopping`.
    """
    stopping = None if patience is None else EarlyStopping(patience, **settings)
    session.begin(session.study.with_settings(stopping=stopping), end=session.end)
    return {"note": "A rule that ends training holds from its start: training starts over."}


@command(index=Field(whole(0, 10_000_000)), value=Field(number(-1e9, 1e9)))
def edit(session: Session, index: int, value: float) -> None:
    """Set one weight or bias, by its place in the flat vector; training goes on from there."""
    session.change({"edit": [index, value]})


@command(name=Field(one_of((AUTO, *SCHEMES))))
def start_with(session: Session, name: str) -> None:
    """Draw the first parameters by another scheme, and start over."""
    session.begin(session.study.restarted().with_settings(scheme=name), end=session.end)
