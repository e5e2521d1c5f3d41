"""The progress line of a training run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_line(
    show: bool, first: int, last: int, cut_short: Callable[[], bool]
) -> Iterator[Callable[[int, float], None]]:
    """A function of (iteration, loss) that updates a line of tqdm on stderr, or does nothing.

    The line shows the iteration, the loss, the speed and the time left. Where training ended by itself
    before the `last` iteration it ends at 100 %, but after an error or `cut_short` where it stands.
    """
    if not show:
        yield lambda iteration, loss: None
        return
    from tqdm import tqdm

    with tqdm(total=last, initial=first, unit=" iterations", file=sys.stderr, dynamic_ncols=True) as line:

        def update(iteration: int, loss: float) -> None:
            line.set_postfix_str(f"loss {loss:.6g}", refresh=False)
            line.update(iteration - line.n)

        yield update
        if not cut_short():
            line.total = line.n
            line.refresh()
