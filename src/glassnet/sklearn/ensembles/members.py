"""Members of an ensemble: fitted side by side, or trained networks that predict so; and their file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context, get_config

from glassnet._types import Array
from glassnet.data.encoding import PLAIN, Encoding
from glassnet.data.standardization import Scaling
from glassnet.engine.predict import predict, warn_of_raw_rows
from glassnet.errors import FileError, InputError, InputTypeError
from glassnet.model_selection import SweepResult
from glassnet.nn.activations import ACTIVATIONS
from glassnet.nn.network import Network, Parameters
from glassnet.sklearn.base import BaseMLP
from glassnet.sklearn.labels import both_classes
from glassnet.sklearn.samples import samples_of
from glassnet.training.run import TrainingRun
from glassnet.utils.array_checks import FLOATS
from glassnet.utils.interrupts import stop_on_interrupt
from glassnet.utils.settings_checks import as_count
from glassnet.utils.storage import read_arrays, write_arrays
from glassnet.utils.threads import as_they_end, thread_count
from glassnet.utils.warn import Collected, collected


@dataclass(frozen=True, eq=False)
class Member:
    """A network, its parameters, and the classes that its outputs stand for (None for values).

    `encoding` says how X goes in and how values come out.
    """

    network: Network
    theta: Parameters
    classes_: NDArray[Any] | None
    encoding: Encoding = PLAIN

    @property
    def n_features_in_(self) -> int:
        """The network's inputs."""
        return self.network.sizes[0]

    @property
    def is_classifier(self) -> bool:
        """Whether it predicts classes or labels."""
        return self.network.loss.target in ("class", "label")

    @property
    def is_multilabel(self) -> bool:
        """Whether it predicts several labels, each 0 or 1."""
        return self.network.loss.target == "label" and self.network.sizes[-1] > 1

    def predict(self, X: object) -> NDArray[Any]:
        """Values (n,), or (n, outputs) where there are several."""
        Y_hat = predict(self.network, self.theta, X, "predict", {}, self.encoding)
        if self.encoding.scaling is not None:
            Y_hat = self.encoding.scaling.values(Y_hat)
        return Y_hat.ravel() if Y_hat.ndim == 2 and Y_hat.shape[1] == 1 else Y_hat

    def predict_proba(self, X: object) -> Array:
        """The probability of each class or label, (n, classes)."""
        return both_classes(predict(self.network, self.theta, X, "predict_proba", {}, self.encoding))

    def __getstate__(self) -> dict[str, Any]:
        # Names in the place of functions, which skops does not write; functions of one's own stay.
        plain = not _own_functions(self.network)
        network = _network_document(self.network) if plain else self.network
        return {**vars(self), "network": network, "theta": self.theta.flat}

    def __setstate__(self, state: dict[str, Any]) -> None:
        network = state["network"]
        if isinstance(network, dict):
            network = Network(**network)
        self.__dict__.update(state, network=network, theta=Parameters(network.sizes, state["theta"]))


# ---- Fits ------------------------------------------------------------------------------------------


def fit_members(
    members: list[Any], n_threads: int | None, X: Any, y: Any, params: Mapping[str, Any]
) -> tuple[list[Any], list[list[Collected]]]:
    """The members fitted to the same samples, and the warnings of each fit; after Ctrl-C of those finished.

    Under an active `joblib.parallel_config` its backend fits them, else threads of this process.
    """
    if _has_joblib_backend():
        from sklearn.utils.parallel import Parallel, delayed

        fits: list[Fit] = Parallel(prefer="threads")(
            delayed(_fit)(member, None, X, y, params) for member in members
        )
        return [fit.model for fit in fits], [fit.warnings for fit in fits]
    workers = samples_of(members[0], X).readers(min(thread_count(n_threads), len(members)))
    # Cores without a member of their own help the others; the numbers are the same.
    threads = thread_count(n_threads) // workers
    config = get_config()  # scikit-learn keeps one for each thread
    with stop_on_interrupt() as interrupts:
        stop = interrupts.stop

        def fit(member: Any) -> Fit | None:
            if stop[0]:
                return None
            with config_context(**config):
                done = _fit(member, threads, X, y, params)
            return None if stop[0] else done

        with ThreadPoolExecutor(workers, thread_name_prefix="glassnet-ensemble") as pool:
            try:
                futures = [pool.submit(fit, member) for member in members]
                for future in as_they_end(futures):
                    future.result()  # raises what a member raised
            except BaseException:
                stop[0] = 1  # the others need not finish
                raise
        fits = [done for future in futures if (done := future.result()) is not None]
    return [fit.model for fit in fits], [fit.warnings for fit in fits]


class Fit(NamedTuple):
    """A fitted member, and the warnings that its fit would have given."""

    model: Any
    warnings: list[Collected]


def _fit(member: Any, threads: int | None, X: Any, y: Any, params: Mapping[str, Any]) -> Fit:
    """The member fitted, on so many threads where it takes their number; its settings stay as they were."""
    unset = [name for name in _names_of("n_threads", member) if member.get_params()[name] is None]
    if threads is not None:
        member.set_params(**dict.fromkeys(unset, threads))
    with collected() as warnings:
        member.fit(X, y, **params)
    if threads is not None:
        member.set_params(**dict.fromkeys(unset))
    return Fit(member, warnings)


def _names_of(setting: str, member: Any) -> list[str]:
    """The names under which a setting of the member, or of what it is made of, goes."""
    return sorted(name for name in member.get_params() if name == setting or name.endswith(f"__{setting}"))


def _has_joblib_backend() -> bool:
    """Whether the caller has chosen where joblib computes."""
    from joblib.parallel import SequentialBackend, ThreadingBackend, get_active_backend

    backend, n_jobs = get_active_backend(prefer="threads")
    here = isinstance(backend, (SequentialBackend, ThreadingBackend)) and n_jobs in (None, 1)
    return not here and backend.nesting_level == 0


def draw_seeds(members: list[Any], random: np.random.RandomState) -> None:
    """Give each member seeds of its own, for whatever in it is drawn."""
    for member in members:
        names = _names_of("random_state", member)
        seeds = random.randint(np.iinfo(np.int32).max, size=len(names))
        member.set_params(**dict(zip(names, seeds.tolist(), strict=True)))


# ---- Runs ------------------------------------------------------------------------------------------


def members_of_runs(runs: Iterable[TrainingRun], classes: Sequence[Any] | None) -> list[Member]:
    """The runs' networks with the parameters that they predict with, checked to go together."""
    if isinstance(runs, TrainingRun) or not isinstance(runs, Iterable):
        raise InputTypeError(f"runs is a list of training runs, not {type(runs).__name__}.")
    runs = list(runs)
    if not runs:
        raise InputError("runs is empty; expected at least one training run.")
    for i, run in enumerate(runs):
        if not isinstance(run, TrainingRun):
            raise InputTypeError(f"runs[{i}] is a {type(run).__name__}; expected what gn.train returns.")
        if run.status == "diverged":
            raise InputError(
                f"runs[{i}] diverged at iteration {run.diverged_at}; its predictions would spoil the mean. "
                f"Leave it out: [run for run in runs if run.status != 'diverged']."
            )
        if _interface(run.network) != _interface(runs[0].network):
            raise InputError(
                f"runs[{i}] is of the network {run.network}, runs[0] of {runs[0].network}; expected "
                f"the same inputs, outputs and kind of output, whatever lies between."
            )
        if run.encoding.classes != runs[0].encoding.classes:
            raise InputError(
                f"runs[{i}] has the classes {run.encoding.classes}, runs[0] {runs[0].encoding.classes}; "
                f"expected the same."
            )
    labels = _classes(runs[0].network, runs[0].encoding.classes if classes is None else classes)
    if runs[0].encoding.scaling is None:
        warn_of_raw_rows(runs[0].extra)  # the means and scales of its table stay with the run
    return [Member(run.network, run.theta, labels, run.encoding) for run in runs]


def best_runs(result: SweepResult, n_best: int, fold: int | None) -> list[TrainingRun]:
    """The runs of a sweep's best settings, on one fold where there are folds."""
    if not isinstance(result, SweepResult):
        raise InputTypeError(f"result is what gn.sweep returned, not {type(result).__name__}.")
    count, rows = as_count(n_best, "n_best"), result.summary
    if not 1 <= count <= len(rows):
        raise InputError(f"n_best is {count}; the sweep has {len(rows)} settings to choose from.")
    whole = [row["setting"] for row in rows if not row["dropped"]]
    if count > len(whole):
        raise InputError(
            f"n_best is {count}, and halving trained {len(whole)} settings to the end; the others are "
            f"hardly trained. Lower n_best, or halving's factor."
        )
    folds = sorted({cell.fold for cell in result.cells if cell.fold is not None})
    if (fold is None) != (not folds):
        has = f"folds 0 to {folds[-1]}; fold=-1 takes the last one's networks" if folds else "no folds"
        raise InputError(f"fold is {fold}, and the sweep has {has}.")
    if fold is not None:
        if isinstance(fold, bool) or not isinstance(fold, (int, np.integer)):
            raise InputTypeError(f"fold is a whole number, not {fold!r}.")
        if not -len(folds) <= fold < len(folds):
            raise InputError(f"fold is {fold}; the sweep has folds 0 to {folds[-1]}.")
        fold = folds[fold]
    # On this fold: a setting may have diverged on another one.
    diverged = {cell.setting for cell in result.cells if cell.fold == fold and cell.status == "diverged"}
    if not diverged.isdisjoint(whole[:count]):
        raise InputError(
            f"n_best is {count}, and of {len(diverged.intersection(whole))} of {len(whole)} settings a "
            f"network diverged, whose predictions would spoil the mean. Lower n_best, or sweep over "
            f"smaller learning rates."
        )
    runs: dict[Any, list[TrainingRun]] = {setting: [] for setting in whole[:count]}
    for cell in result.cells:
        if cell.fold == fold and cell.setting in runs:
            runs[cell.setting].append(cell.run)
    return [run for of_setting in runs.values() for run in of_setting]


def _interface(network: Network) -> tuple[Any, ...]:
    return network.sizes[0], network.sizes[-1], network.output.name, network.loss.target


def _classes(network: Network, classes: Sequence[Any] | None) -> NDArray[Any] | None:
    if network.loss.target not in ("class", "label"):
        if classes is not None:
            raise InputError(f"classes are for networks of classes; these predict {network.output.name}.")
        return None
    outputs = network.sizes[-1]
    expected = 2 if network.loss.target == "label" and outputs == 1 else outputs
    labels = np.arange(expected) if classes is None else np.asarray(classes)
    if labels.shape != (expected,):
        raise InputError(
            f"classes has shape {labels.shape}; expected ({expected},), one for each output of the "
            f"networks, in the order of the class numbers that they were trained on."
        )
    return labels


# ---- Files -----------------------------------------------------------------------------------------

FORMAT = "glassnet ensemble"
VERSIONS = (1, 2)
"""Those of networks that take X as it is, and of networks that scale it."""


def write_members(path: str | os.PathLike[str], members: Sequence[Any]) -> None:
    """Networks, parameters and classes; all members have the same classes."""
    networks = [_as_member(member) for member in members]
    scalings = [member.encoding.scaling for member in networks]
    document = {
        "format": FORMAT,
        "version": VERSIONS[any(scaling is not None for scaling in scalings)],
        "networks": [_network_document(member.network) for member in networks],
        "classes": _classes_document(networks[0].classes_),
    }
    arrays = {f"parameters_{i}": member.theta.flat for i, member in enumerate(networks)}
    for i, scaling in enumerate(scalings):
        if scaling is not None:
            arrays |= {f"{name}_{i}": values for name, values in scaling.as_arrays().items()}
    write_arrays(path, arrays, document)


def read_members(path: str | os.PathLike[str]) -> list[Member]:
    """What `write_members` wrote."""
    arrays, document = read_arrays(path)
    if document.get("format") != FORMAT:
        raise FileError(
            f"{os.fspath(path)} is not an ensemble; Ensemble.load reads what Ensemble.save wrote, and "
            f"gn.load a training run."
        )
    if document.get("version") not in VERSIONS:
        raise FileError(
            f"{os.fspath(path)} has format version {document.get('version')}; this glassnet reads "
            f"versions {VERSIONS[0]} and {VERSIONS[-1]}."
        )
    try:
        classes = document["classes"]
        labels = None if classes is None else np.array(classes["values"], dtype=classes["dtype"])
        members = []
        for i, settings in enumerate(document["networks"]):
            network, flat = Network(**settings), arrays[f"parameters_{i}"]
            if flat.dtype not in FLOATS:
                raise InputError(f"the parameters of network {i} are {flat.dtype.name}")
            theta = network.check_parameters(Parameters(network.sizes, flat))
            encoding = PLAIN
            if f"scaling_inputs_{i}" in arrays:
                scaled = (arrays[f"scaling_{name}_{i}"] for name in ("inputs", "y"))
                encoding = Encoding(Scaling.from_arrays(network, *scaled))
            members.append(Member(network, theta, labels, encoding))
        if not members:
            raise InputError("there are no networks")
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"{os.fspath(path)} does not describe an ensemble: {error}.") from error
    return members


def _as_member(member: Any) -> Member:
    if isinstance(member, Member):
        return member
    if not isinstance(member, BaseMLP):
        raise InputError(
            f"A file holds networks, and {type(member).__name__} is more than one: keep the ensemble with "
            f"pickle or joblib."
        )
    run = member.to_run()
    if "_preprocessing" in vars(member):
        raise InputError(
            "A file of an ensemble holds networks, and the columns of a table are encoded before these: "
            "keep the ensemble with pickle or joblib, or each member with gn.save."
        )
    return Member(run.network, run.theta, getattr(member, "classes_", None))


def _own_functions(network: Network) -> list[str]:
    own = [hidden.name for hidden in network.hidden if ACTIVATIONS.get(hidden.name) != hidden]
    return own + ([] if network.loss.is_built_in else [network.loss.name])


def _network_document(network: Network) -> dict[str, Any]:
    if own := _own_functions(network):
        raise InputError(
            f"A file cannot hold functions of your own ({', '.join(own)}): keep the ensemble with pickle "
            f"or joblib, or each run with gn.save."
        )
    return {
        "sizes": list(network.sizes),
        "hidden": [hidden.name for hidden in network.hidden],
        "output": network.output.name,
        "loss": network.loss.to_plain(),
    }


def _classes_document(classes: NDArray[Any] | None) -> Mapping[str, Any] | None:
    if classes is None:
        return None
    values = classes.tolist()
    if not all(isinstance(value, (bool, int, float, str)) for value in values):
        raise InputError(
            "A file holds classes that are numbers or text: keep the ensemble with pickle or joblib."
        )
    return {"values": values, "dtype": classes.dtype.str}
