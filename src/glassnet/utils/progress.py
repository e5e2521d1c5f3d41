"""Lines of progress: on stderr in a terminal, and as a widget in a notebook that has widgets."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any


class _Lines:
    """A file for tqdm, which writes over its last line: lines on stderr, after so many seconds each."""

    def __init__(self, every: float) -> None:
        self._every, self._last = every, time.monotonic()

    def write(self, text: str) -> None:
        line, now = text.strip("\r\n "), time.monotonic()
        if line and now - self._last >= self._every:
            sys.stderr.write(f"{line}\n")
            self._last = now

    def flush(self) -> None:
        sys.stderr.flush()


@contextmanager
def progress_line(
    show: bool | float, first: int, last: int, cut_short: Callable[[], bool]
) -> Iterator[Callable[[int, float], None]]:
    """A function of (iteration, loss) that updates a line of tqdm on stderr, or does nothing.

    `show` is True, or a float: the seconds after which a log has a line more.
    The line shows the iteration, the loss, the speed and the time left. Where training ended by itself
    before the `last` iteration it ends at 100 %, but after an error or `cut_short` where it stands.
    """
    if not show:
        yield lambda iteration, loss: None
        return
    with shown(show, total=last, initial=first, unit=" iterations") as line:

        def update(iteration: int, loss: float) -> None:
            line.set_postfix_str(f"loss {loss:.6g}", refresh=False)
            line.update(iteration - line.n)

        yield update
        if not cut_short():
            line.total = line.n
            if widget := getattr(line, "container", None):
                widget.children[1].max = line.n
            if not isinstance(show, float):
                line.refresh()


def shown(show: bool | float, **settings: Any) -> Any:
    """A bar that moves; where `show` is a float, lines below each other after so many seconds."""
    if not isinstance(show, float):
        return tqdm_bar(**settings)
    from tqdm import tqdm

    words = "training: {n_fmt} of {total_fmt}{unit}{postfix}, {remaining} left"
    words += "; {desc}" if settings.get("unit_scale") else ""  # of networks
    often = {"mininterval": show, "maxinterval": show, "miniters": 1}
    return tqdm(**settings, file=_Lines(show), bar_format=words, **often)


def tqdm_bar(**settings: Any) -> Any:
    """tqdm's bar on stderr, or the widget that `tqdm.auto` chooses for a notebook.

    Where ipywidgets are missing a notebook has the plain bar: tqdm would warn of them at each import.
    """
    if "ipykernel.zmqshell" in sys.modules and find_spec("ipywidgets") is not None:
        from tqdm.auto import tqdm
    else:
        from tqdm import tqdm
    return tqdm(file=sys.stderr, dynamic_ncols=True, **settings)
