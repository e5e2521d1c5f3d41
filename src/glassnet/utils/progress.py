"""The progress line of a training run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_line(show: bool, first: int, last: int) -> Iterator[Callable[[int, float], None]]:
    """A function of (iteration, loss) that updates a line of tqdm on stderr, or does nothing.

    The line shows the iteration, the loss, the speed and the time left.
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
