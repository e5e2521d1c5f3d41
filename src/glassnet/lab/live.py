"""What is behind a session: data, a network, its training in a thread, and frames of the newest state."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.engine.full_batch import Problem
from glassnet.engine.prepare import prepare
from glassnet.errors import GlassnetError
from glassnet.lab.frame import Frame, finite, thinned
from glassnet.lab.scene import Scene
from glassnet.lab.study import Data, as_data, first_network
from glassnet.nn.network import Network
from glassnet.training.hooks import Hook, Hooks
from glassnet.training.run import TrainingRun
from glassnet.training.run_policy import continue_run
from glassnet.training.state import at_end
from glassnet.training.train import train
from glassnet.utils.warn import collected

FRAME_SECONDS = 1 / 30
"""How often training is looked at while it goes on."""
MANY = 100_000
"""Iterations of one call of the engine's loop; a page sees them as they come."""
MOST_GRADIENT = 20_000
"""Parameters up to which a frame holds them all, with their gradient."""


class Live:
    """Data, a network and its training in a thread of its own; `Session` has the commands, and the docs."""

    def __init__(
        self,
        X: object,
        y: object = None,
        network: Network | None = None,
        *,
        iterations: int = 1000,
        name: str = "Your data",
        features: Any = None,
        classes: Any = None,
        **settings: Any,
    ) -> None:
        self.data = X if isinstance(X, Data) else as_data(X, y, name, features, classes)
        self.network = network or first_network(self.data)
        self.settings: dict[str, Any] = {"random_state": 0, **settings}
        self.end, self.pace = iterations, None  # type: tuple[int, int | None]
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._training = threading.Lock()  # held while the run moves on
        self._waiting = 0  # commands that want it
        self._goal: int | None = None  # where training in progress ends
        self._number = self._setup = 0
        self._closed, self._trouble, self._speed = False, "", 0.0
        self._frame: Frame | None = None
        self._framing = threading.Lock()
        self._scene: Scene | None = None
        self.begin()
        self._worker = threading.Thread(target=self._work, name="glassnet lab", daemon=True)
        self._worker.start()

    def wait(self, seen: int, timeout: float | None = None) -> int:
        """The number of the newest state, once it is above `seen`, the session closes, or time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > seen or self._closed, timeout)
            return self._number

    def close(self) -> None:
        """End training, and its thread."""
        with self._changed:
            self._closed, self._goal = True, None
            self._changed.notify_all()
        if threading.current_thread() is not self._worker:
            self._worker.join()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # ---- What commands are made of ----------------------------------------------------------------

    @contextmanager
    def still(self) -> Iterator[None]:
        """Training rests meanwhile, between two iterations, and then goes on as it is asked to."""
        with self._changed:
            self._waiting += 1
        try:
            with self._training:
                yield
        finally:
            with self._changed:
                self._waiting -= 1
                self._changed.notify_all()

    def begin(
        self,
        data: Data | None = None,
        network: Network | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Start anew, with other data, network or settings; nothing changes where that fails."""
        data, network = data or self.data, network or self.network
        settings = dict(self.settings if settings is None else settings)
        with collected():
            run = train(network, data.X, data.y, iterations=0, **settings)
        known = self._scene
        scene = known if known is not None and known.data is data else Scene(data)
        with self._lock:
            self.data, self.network, self.settings, self._scene = data, network, settings, scene
            self._run, self._trouble, self._speed = run, "", 0.0
            self._judge: Problem | None = None
        self.news(setup=True)

    def go(self) -> None:
        """Let training go on, to the end or, from there, as far again."""
        with self._changed:
            at = self._run.iterations
            if at >= self.end:
                self.end = at + self.end
                self._setup += 1
            self._goal, self._trouble = self.end, ""
            self.news()

    def halt(self) -> None:
        """Let training rest."""
        with self._changed:
            self._goal = None
            self.news()

    def walk(self, n: int) -> None:
        """Make n iterations at once; training must be `still`."""
        self._advance(n, stops=False)

    def news(self, setup: bool = False) -> None:
        """Say that there is a new state; with `setup`, that data, network or settings are others."""
        with self._changed:
            self._number += 1
            self._setup += setup
            self._changed.notify_all()

    def shown(self) -> tuple[TrainingRun, Scene]:
        """The run that the page shows, and the plane it shows it on."""
        with self._lock:
            assert self._scene is not None
            return self._run, self._scene

    def brief(self) -> dict[str, Any]:
        """The state in short, for answers: what it does, iteration, loss, and what went wrong."""
        with self._lock:
            run, goal, trouble = self._run, self._goal, self._trouble
        state = "playing" if goal is not None else "diverged" if run.status == "diverged" else "paused"
        losses = run.losses
        return {
            "state": state,
            "iteration": run.iterations,
            "loss": finite(losses[-1]) if len(losses) else None,
            "end": self.end,
            "trouble": trouble,
        }

    def setup(self) -> dict[str, Any]:
        """The data, the network and the settings, as a page shows them."""
        with self._lock:
            data, network, run, number = self.data, self.network, self._run, self._setup
        return {
            "setup": number,
            "data": {
                "name": data.name,
                "samples": len(data.X),
                "features": list(data.features),
                "classes": list(data.classes),
                "target": data.target,
            },
            "network": {
                "sizes": list(network.sizes),
                "hidden": [record.name for record in network.hidden],
                "output": network.output.name,
                "loss": str(network.loss),
                "parameters": network.n_parameters,
            },
            "training": {
                "optimizer": run.optimizer.to_dict(),
                "batch_size": run.batch_size,
                "reduction": run.reduction,
                "l1": run.penalties.l1,
                "l2": run.penalties.l2,
                "dropout": list(run.dropout),
                "engine": run.engine,
            },
            "pace": self.pace,
            "end": self.end,
        }

    def samples(self) -> dict[str, Any]:
        """The samples that a page draws."""
        run, scene = self.shown()
        rows = None if run.validation is None else run.validation.validation_rows
        return scene.samples(np.empty(0, np.intp) if rows is None else rows)

    # ---- What a page is shown ---------------------------------------------------------------------

    def frame(self) -> Frame:
        """The newest state; pages that ask at once share the work."""
        with self._framing:
            with self._lock:
                number, setup, (run, scene) = self._number, self._setup, self.shown()
                document = {**self.brief(), "setup": setup, "speed": self._speed}
            if self._frame is None or self._frame.number != number:
                self._frame = self._made(number, document, run, scene)
            return self._frame

    def _made(self, number: int, document: dict[str, Any], run: TrainingRun, scene: Scene) -> Frame:
        kind, arrays = scene.maps(run)
        first = run.iterations + 1 - len(run.losses)
        x, losses = np.arange(first, run.iterations + 1), np.asarray(run.losses, np.float64)
        arrays["losses"], arrays["losses_log"] = thinned(x, losses), thinned(x, losses, log=True)
        held = run.validation_losses
        if len(held):
            at = run.validation_iterations
            arrays["held_out"], arrays["held_out_log"] = thinned(at, held), thinned(at, held, log=True)
            document["held_out_loss"] = finite(held[-1])
        if run.network.n_parameters <= MOST_GRADIENT:
            arrays["parameters"] = np.asarray(run.theta.flat, np.float64)
            arrays["gradient"] = np.asarray(self._gradient(run), np.float64)
        return Frame(number, {**document, "map": kind}, arrays)

    def _gradient(self, run: TrainingRun) -> Array:
        """The gradient of the training loss at a run's parameters, of all rows and without dropout."""
        if self._judge is None:
            self._judge = self._problem(run)
        _, gradient = self._judge.loss_and_gradient(run.theta.flat)
        return gradient

    def _problem(self, run: TrainingRun) -> Problem:
        """The rows trained on, as a page looks at them while training has its own."""
        X, y = self.training_rows(run)
        kept = run.penalties
        return prepare(
            run.network, X, y, dtype=run.dtype, reduction=run.reduction, threads=1, l1=kept.l1, l2=kept.l2,
            class_weight=run.class_weight, engine=run.engine,
        )  # fmt: skip

    def training_rows(self, run: TrainingRun) -> tuple[NDArray[Any], NDArray[Any]]:
        """X and y as the network has them, of the rows trained on."""
        X, y = self.data.X, self.data.y
        rows = None if run.validation is None else run.validation.training_rows
        if rows is not None:
            X, y = X[rows], y[rows]
        scaling = run.encoding.scaling
        if scaling is not None:
            X, y = scaling.inputs(X), np.asarray(run.encoding.targets(y))
        return X, y

    # ---- Training, in a thread of its own ---------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closed or (self._goal is not None and not self._waiting)
                )
                if self._closed:
                    return
            began = time.perf_counter()
            with self._training:
                goal = self._goal  # a command may have come first
                if goal is not None:
                    ahead = min(goal - self._run.iterations, self.pace or MANY)
                    self._advance(ahead)
            if self.pace is not None:
                rest = FRAME_SECONDS - (time.perf_counter() - began)
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or self._goal is None, max(rest, 0))

    def _advance(self, n: int, stops: bool = True) -> None:
        """Make n iterations; a command that waits ends them early, where it may."""
        watch = _Watch(self, stops)
        start = self._run
        try:
            with collected():
                run = continue_run(at_end(start), n, Hooks([watch]))
        except BaseException as error:
            with self._changed:
                self._goal, self._trouble = None, _words(error)
                self.news()
            if not isinstance(error, Exception):
                raise
            return
        with self._changed:
            self._run = run
            if run.status == "diverged":
                self._goal = None
                self._trouble = _diverged(run)
            elif run.iterations < start.iterations + n and not watch.asked:
                self._goal = None  # training has ended by itself
                self._trouble = run.reason
            elif self._goal is not None and run.iterations >= self._goal:
                self._goal = None
            self.news()

    def look(self, run: TrainingRun, speed: float) -> None:
        """Called by the watch: training has come to this run."""
        with self._changed:
            self._run, self._speed = run, speed
            self.news()

    def wanted(self) -> bool:
        """Whether a command, or the end, waits for training to rest."""
        return self._waiting > 0 or self._closed


class _Watch(Hook[TrainingRun]):
    """Shows a session the run about 30 times a second, however long an iteration takes."""

    def __init__(self, session: Live, stops: bool) -> None:
        self._session, self._stops, self.asked = session, stops, False
        self._last, self._at = time.perf_counter(), 0

    def on_train_begin(self, run: TrainingRun) -> None:
        self._at = run.iterations

    def on_iteration(self, run: TrainingRun) -> bool:
        now = time.perf_counter()
        took, made = now - self._last, run.iterations - self._at
        if took < FRAME_SECONDS / 2:
            self.every = min(2 * self.every, 2**20)
        elif took > 2 * FRAME_SECONDS:
            self.every = max(1, self.every // 2)
        self._session.look(run, made / took if took > 0 else 0.0)
        self._last, self._at = now, run.iterations
        self.asked = self._stops and self._session.wanted()
        return self.asked


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, GlassnetError) else f"{type(error).__name__}: {error}"


def _diverged(run: TrainingRun) -> str:
    return (
        f"Training blew up at iteration {run.diverged_at:,}: its loss was no longer finite, or a hundred "
        f"times what it began with. The network is that of iteration {run.iterations:,}. "
        f"Take a smaller learning rate."
    )
