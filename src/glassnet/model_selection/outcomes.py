"""What a network's loss curve says of how its training ended."""

from __future__ import annotations

import numpy as np

from glassnet.training.run import TrainingRun

CONVERGED_BELOW = 0.1
FELL, ROSE = 0.01, 0.05  # shares of the baseline that count as falling and as rising

STATUSES: dict[str, str] = {
    "converged": "the loss has settled, low",
    "falling": "the loss was still falling at the end",
    "plateau": "the loss has settled, high",
    "unstable": "the loss jumps up and down, or ended above where it started",
    "diverged": "the loss blew up",
    "dropped": "successive halving left it behind, since others did better with as many iterations",
    "interrupted": "Ctrl-C came before the end",
}
"""What can be said of each network of a sweep; `assess` tells how it is decided."""


def rules(converged_below: float = CONVERGED_BELOW) -> dict[str, str]:
    """How the statuses that a loss curve decides are decided, in words; `assess` has it in full."""
    low, fell, rose = (f"{100 * share:g} %" for share in (converged_below, FELL, ROSE))
    return {
        "converged": f"ended at or below {low} of the best constant answer's loss, and fell by at most "
        f"{fell} of that loss over the last tenth of the iterations; it may still be falling slowly",
        "falling": f"fell over the last tenth of the iterations by more than {fell} of the best constant "
        f"answer's loss, or, while above {low} of it, by more than {fell} of all that it fell",
        "plateau": f"ended above {low} of the best constant answer's loss, and fell over the last tenth of "
        f"the iterations by at most {fell} of all that it fell",
        "unstable": f"rose by more than {rose} of the best constant answer's loss in the last tenth, or "
        f"ended above both that loss and the start",
    }


def assess(
    run: TrainingRun, baseline: float, converged_below: float = CONVERGED_BELOW, floor: float = 0.0
) -> str:
    """The name from `STATUSES` for a finished run, by the last tenth of its iterations.

    Everything is measured from `floor`, what the perfect answer pays, in shares of the way from there
    to `baseline`, what the best constant answer pays. After runs
    that diverged or were interrupted, and in this order:

    - "unstable": within the last tenth the loss rose from an earlier value by more than `ROSE`, or
      it ended above both its first value and the baseline;
    - "falling": over the last tenth it fell by more than `FELL`, or, while it is high, by more than
      that share of all that it fell: a rate far too small gives a slope, not a plateau;
    - "converged": it ended at or below `converged_below`;
    - "plateau": it ended above.

    A flat curve cannot tell a plateau, which a longer run may leave, from the best that the network
    can do on noisy data; only its height can.
    """
    if run.status in ("diverged", "interrupted"):
        return run.status
    if not len(run.losses):
        return "falling"
    losses, baseline = run.losses - floor, baseline - floor
    stretch = losses[-max(run.iterations // 10, 1) - 1 :]
    first, last = float(losses[0]), float(stretch[-1])
    rise = float((stretch - np.minimum.accumulate(stretch)).max())
    if rise > ROSE * baseline or last > max(first, baseline):
        return "unstable"
    high = last > converged_below * baseline
    whole = min(baseline, float(losses.max()) - last) if high else baseline
    if stretch[0] - last > FELL * whole:
        return "falling"
    return "plateau" if high else "converged"
