"""Commands that ask for an explanation: of a number, and of why a network does not learn."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from glassnet.diagnostics.diagnosis.diagnosing import diagnose as diagnose_run
from glassnet.diagnostics.diagnosis.remedies import as_changed, as_keywords
from glassnet.diagnostics.explain.asking import NEEDED
from glassnet.diagnostics.explain.asking import explain as explain_number
from glassnet.diagnostics.explain.subject import Subject
from glassnet.errors import InputError
from glassnet.lab.branch import free_name
from glassnet.lab.commands.schema import Field, command, question, whole
from glassnet.lab.frame import finites
from glassnet.lab.study import MOST_LAYERS, MOST_UNITS, Data
from glassnet.nn.reference import output_activations
from glassnet.utils.settings_checks import one_of, or_none
from glassnet.utils.warn import collected

if TYPE_CHECKING:
    from glassnet.lab.session import Session

_MOST_ROWS = 10_000_000
_SECONDS = 6.0


@question(
    what=Field(one_of(NEEDED)),
    sample=Field(or_none(whole(0, _MOST_ROWS)), None),
    layer=Field(or_none(whole(1, MOST_LAYERS + 1)), None),
    unit=Field(or_none(whole(0, MOST_UNITS)), None),
    input=Field(or_none(whole(0, _MOST_ROWS)), None),
)
def explain(session: Session, what: str, **place: Any) -> dict[str, Any]:
    """A number at the iteration that is shown: its formula, the same with numbers, the result, a check.

    The arguments are those of `glassnet.explain`.
    """
    moment = session.moment()
    run, data = moment.run, moment.study.data
    if place["sample"] is not None:
        _check_sample(data, place["sample"])
    with collected():
        found = explain_number(run, data.X, data.y, what=what, **place)
    return {"iteration": run.iterations, **found.to_dict()}


@question(row=Field(whole(0, _MOST_ROWS)))
def sample(session: Session, row: int) -> dict[str, Any]:
    """What every unit answers for a sample, and the deltas of the sample's loss, layer by layer.

    The numbers are those of `explain`. The first of the lists are the inputs', which have no deltas.
    """
    moment = session.moment()
    data = moment.study.data
    _check_sample(data, row)
    with collected():
        subject = Subject(moment.run, data.X, data.y, None, dropout=True)
        way = subject.forward_and_back(subject.sample(row))
    return {
        "iteration": moment.run.iterations,
        "activations": [
            finites(H[0]) for H in (*way.Hs, output_activations(way.Zs[-1], subject.network.output))
        ],
        "deltas": [[], *(finites(delta[0]) for delta in way.deltas)],
    }


def _check_sample(data: Data, row: int) -> None:
    if row >= len(data.X):
        raise InputError(
            f"Sample {row} is not one of those that are learned from: take one from 0 to {len(data.X) - 1}."
        )


@question()
def diagnose(session: Session) -> dict[str, Any]:
    """Begin to look for why the network does not learn; `findings` has the answer once it is there."""
    moment = session.moment()
    if session.diagnosing:
        return {"looking": True}
    session.diagnosing, session.diagnosis, session.looked_at = True, None, session.current
    session.news()

    def look() -> None:
        try:
            with collected():
                data = moment.study.data
                found = diagnose_run(
                    moment.run, data.X, data.y, validation=data.held_out, seconds=_SECONDS
                ).to_dict()
        except Exception as error:
            found = {"error": str(error)}
        where = {"branch": moment.document["branch"], "iteration": moment.run.iterations}
        session.diagnosis = {**where, **found}
        session.diagnosing = False
        session.news()

    threading.Thread(target=look, name="glassnet lab diagnosis", daemon=True).start()
    return {"looking": True}


@question()
def findings(session: Session) -> dict[str, Any]:
    """What `diagnose` found: findings with evidence and remedies, and what came of trying them."""
    if session.diagnosing:
        return {"looking": True}
    if session.diagnosis is None:
        raise InputError("Nothing was looked for yet: ask diagnose first.")
    return session.diagnosis


@command(finding=Field(whole(0, 100)))
def try_remedy(session: Session, finding: int) -> None:
    """Train with the remedy of a finding, on a branch of its own beside the one that was looked at."""
    found, looked_at = (session.diagnosis or {}).get("findings", []), session.looked_at
    if finding >= len(found):
        raise InputError(f"There is no finding {finding}; there are {len(found)}.")
    remedy = found[finding]["remedy"]
    changes = remedy["changes"]
    if not changes:
        raise InputError(f"No setting does this: {remedy['words']}")
    if looked_at not in session.branches:
        raise InputError("The branch that was looked at is gone: look for reasons again.")
    name = f"Mend {found[finding]['name'].replace('_', ' ')}"[:40]
    if remedy["anew"]:
        study = looked_at.study
        if "network" in changes:
            study = study.with_network(as_changed(study.network, changes))
        if "random_state" in changes or "scheme" in changes:
            study = study.restarted()
        session.begin_beside(study.with_settings(**as_keywords(changes)), name)
    else:
        if looked_at is not session.current:
            free_name(name, session.branches)  # raises InputError before anything is another
            session.turn_to(looked_at)
        session.change({"training": changes}, beside=name)
    session.go()
