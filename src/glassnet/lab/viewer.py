"""One page that looks at a session: its commands in order, and frames as fast as it takes them."""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from glassnet.errors import GlassnetError, InputError, InputTypeError
from glassnet.lab.branch import FRAME_SECONDS
from glassnet.lab.frame import Frame

if TYPE_CHECKING:
    from glassnet.lab.session import Session

MOST_BYTES = 9_000_000
"""The longest message of a page; socket.js has the same number."""
MOST_WAITING = 32
"""Commands of one page that may wait for the one before them."""
SHARE = 1 / 7
"""The share of one processor's time that making frames may take, however many pages look on."""
_SHORT = 1_000
"""Characters of a message that is read at once; a longer one is read by the thread that answers."""

_logger = logging.getLogger(__name__)


class Frames:
    """The newest frame of a session, made once for all pages that wait for one."""

    def __init__(self, session: Session) -> None:
        self._session, self._newest = session, Frame(-1, {})
        self._making, self._next = threading.Lock(), 0.0

    def after(self, seen: int, closed: threading.Event) -> Frame | None:
        """A frame newer than the one of the number `seen`, once there is one; None when `closed` is set."""
        while not closed.is_set():
            number = self._session.wait(seen, 0.25)
            if number <= seen:
                closed.wait(0.02)  # a session that is closed waits for nothing
                continue
            with self._making:
                if self._newest.number < number:
                    closed.wait(self._next - time.monotonic())
                    # Of the processor's time: waiting for a core that training has costs training nothing.
                    began, spent = time.monotonic(), time.thread_time()
                    self._newest = self._session.frame()
                    self._next = began + max(FRAME_SECONDS, (time.thread_time() - spent) / SHARE)
                if self._newest.number != seen:
                    return self._newest
        return None


class Viewer:
    """Carries messages between a session and one page.

    The page says ``{"do": "taken"}`` once it listens, and again after each frame that it has drawn: only
    then does the newest one follow. `send(text, payload)` takes a JSON document and, with a frame, its
    bytes; it may block as long as the page is slow, and raises once the page is gone. Commands run one
    after the other in a thread of their own, frames go out by another: neither waits for the other, and
    training for none of them.
    """

    def __init__(self, session: Session, frames: Frames, send: Callable[[str, bytes | None], None]) -> None:
        self._session, self._frames, self._send = session, frames, send
        self._commands: queue.Queue[object] = queue.Queue()
        self._waiting, self._counting = 0, threading.Lock()
        self._taken = threading.Event()
        self.closed = threading.Event()
        works = {"answers": self._answer_commands, "frames": self._send_frames}
        self.threads = [
            threading.Thread(target=work, name=f"glassnet lab {name}", daemon=True)
            for name, work in works.items()
        ]
        for thread in self.threads:
            thread.start()

    @property
    def full(self) -> bool:
        """Whether so much waits that the page's next messages should wait in its own machine."""
        return self._commands.qsize() >= MOST_WAITING or self._waiting >= MOST_BYTES

    def receive(self, message: object) -> None:
        """Take a message of the page: its text, or the document that was in it. Returns at once."""
        if isinstance(message, str) and len(message) <= _SHORT:
            with suppress(InputError):  # the thread that answers says so
                message = document_of(message)
        if isinstance(message, Mapping) and message.get("do") == "taken":
            self._taken.set()
        elif self.full:
            self._commands.put(InputError(f"{MOST_WAITING} commands wait already; this one is left out."))
        else:
            self._count(message, 1)
            self._commands.put(message)

    def _count(self, message: object, sign: int) -> None:
        with self._counting:
            self._waiting += sign * (len(message) if isinstance(message, str) else 0)

    def close(self) -> None:
        """Forget the page."""
        self.closed.set()
        self._taken.set()
        self._commands.put(None)

    def _answer_commands(self) -> None:
        while not self.closed.is_set():
            message = self._commands.get()
            self._count(message, -1)
            if self.closed.is_set():
                return
            sender = None
            try:
                if isinstance(message, str):
                    message = document_of(message)
                sender = _id_of(message)
                answer = self._answer(message)
            except GlassnetError as error:
                answer = {"error": str(error)}
            except Exception as error:
                _logger.exception("The lab's session failed to do what its page asked for")
                answer = {"error": _defect(error)}
            self._deliver({"id": sender, "answer": answer}, None)

    def _answer(self, message: object) -> Mapping[str, Any]:
        if isinstance(message, GlassnetError):
            raise message
        if not isinstance(message, Mapping):
            raise InputTypeError(f"A command is a JSON object, not {type(message).__name__}.")
        return self._session.command(message)

    def _send_frames(self) -> None:
        seen = -1
        while not self.closed.is_set():
            self._taken.wait()
            self._taken.clear()
            try:
                frame = self._frames.after(seen, self.closed)
            except Exception as error:
                _logger.exception("The lab's session failed to make a frame")
                self._deliver({"id": None, "answer": {"error": _defect(error)}}, None)
                self.closed.wait(1.0)
                self._taken.set()
                continue
            if frame is not None:
                seen = frame.number
                self._deliver(frame.header(), frame.payload())

    def _deliver(self, message: Mapping[str, Any], payload: bytes | None) -> None:
        if self.closed.is_set():
            return
        try:
            text = json.dumps(message, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError) as error:
            _logger.exception("The lab's session said what JSON cannot hold")
            answer = {"id": _id_of(message), "answer": {"error": _defect(error)}}
            text, payload = json.dumps(answer), None
        try:
            self._send(text, payload)
        except Exception:  # the page is gone, in whatever way its carrier says so
            self.close()


def document_of(text: str) -> object:
    """The document of a JSON text; raises InputError where it is none, or holds NaN or an infinity."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        if isinstance(error, GlassnetError):
            raise
        raise InputError(f"A message of a page is JSON, and this one is not: {error!s:.200}.") from error


def _refuse_constant(name: str) -> None:
    raise InputError(f"A message has the number {name}; expected finite numbers.")


def _id_of(message: object) -> object:
    given = message.get("id") if isinstance(message, Mapping) else None
    return given if isinstance(given, int) else None


def _defect(error: Exception) -> str:
    return (
        f"The lab itself failed here: {type(error).__name__}: {error!s:.300}. Nothing else is lost; please "
        f"report it with the lines that Python printed."
    )
