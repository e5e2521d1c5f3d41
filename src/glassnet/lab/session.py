"""A session of the live lab: data, a network and its training, which a page commands and sees by frames."""

from __future__ import annotations

from typing import Any

from glassnet.errors import GlassnetError
from glassnet.lab.commands import COMMANDS, check_command
from glassnet.lab.commands.sharing import text_of
from glassnet.lab.lessons.lesson import read_lesson
from glassnet.lab.live import Live


class Session(Live):
    """Data, a network and its training in a thread of its own, which a page commands and is shown.

    ``command({"do": "play"})`` does what a page asks and answers it; ``frame()`` is the newest state, and
    ``wait(number)`` waits for one that is newer than a frame's `number`. All of them may be
    called from any thread.

    Parameters
    ----------
    X, y : as `train` takes them, or X a `Data`, a `Study` or a `Lesson`.
    network : None takes one of 8 tanh units that suits y.
    iterations : where playing ends, for the first time.
    name : what the page calls the data.
    features, classes : the names of the inputs and of the classes.
    settings : those of `train`, but callbacks, progress and checkpoints. `random_state` is 0 unless it is
        there, so that the start is the same each time.

    >>> from glassnet.lab.session import Session
    >>> with Session([[0.0], [1.0]], [0, 1], optimizer="adam") as session:
    ...     answer = session.command({"do": "step", "n": 3})
    ...     wrong = session.command({"do": "step", "n": -1})
    >>> answer["iteration"], wrong
    (3, {'error': 'n is -1; expected a whole number from 1 to 100,000.'})
    """

    def command(self, message: object) -> dict[str, Any]:
        """Do what a message asks, and answer it; ``{"error": words}`` where it cannot be done."""
        try:
            name, arguments = check_command(message)
            return dict(COMMANDS[name].function(self, **arguments) or {})
        except GlassnetError as error:
            return {"error": str(error)}
        except (ArithmeticError, MemoryError, LookupError, TypeError, ValueError) as error:
            # A library's own refusal, such as that of a table without rows.
            return {"error": f"{type(error).__name__}: {error}"[:500]}

    def lesson(self) -> str:
        """The branch that is shown as a lesson, a TOML file that `open_lesson` plays with the same bits."""
        return text_of(self)

    def open_lesson(self, text: str) -> None:
        """Play a lesson from its start; InputError, and nothing changes, where it cannot be played."""
        read = read_lesson(text)
        with self.still():
            self.halt()
            self.play_lesson(read)
