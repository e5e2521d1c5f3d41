"""What exported files need beside formulas, in the part of Python that `translation` says in other
languages: numbers, vectors (`list[float]`), places in them, loops and conditions."""

import math


def exp(z: float) -> float:
    """e^z, infinite where it is too large for a number; Python's own raises."""
    return math.inf if z > 709.782712893384 else math.exp(z)


def floor(v: float) -> float:
    """The largest whole number up to v; Python's own raises where v is not finite."""
    return float(math.floor(v)) if math.isfinite(v) else v


def dense(h: list[float], W: list[float], b: list[float]) -> list[float]:
    """b + W h, W by rows, one for each output."""
    z = [0.0] * len(b)
    for j in range(len(b)):
        total = b[j]
        for i in range(len(h)):
            total += W[j * len(h) + i] * h[i]
        z[j] = total
    return z


def softmax(z: list[float], start: int, stop: int) -> list[float]:
    """exp(z) / sum(exp(z)) from start to stop; the rest of z as it is."""
    p = [0.0] * len(z)
    for i in range(len(z)):
        p[i] = z[i]
    largest = z[start]
    for i in range(start, stop):
        if z[i] > largest:
            largest = z[i]
    total = 0.0
    for i in range(start, stop):
        p[i] = exp(z[i] - largest)
        total += p[i]
    for i in range(start, stop):
        p[i] = p[i] / total
    return p


def scaled(y: list[float], scale: list[float], mean: list[float]) -> list[float]:
    """y * scale + mean."""
    moved = [0.0] * len(y)
    for i in range(len(y)):
        moved[i] = y[i] * scale[i] + mean[i]
    return moved


def both(p: list[float]) -> list[float]:
    """1 - p and p."""
    return [1.0 - p[0], p[0]]


def averaged(mean: list[float], y: list[float], number: float) -> list[float]:
    """The mean of `number` vectors, from the mean of those before and the last one, y."""
    moved = [0.0] * len(y)
    for i in range(len(y)):
        moved[i] = mean[i] + (y[i] - mean[i]) / number
    return moved


def label_number(p: list[float], start: int, stop: int) -> int:
    """The place of the largest output, the first of equal ones; of one output, 1 where it is above 0.5."""
    best = start
    for i in range(start, stop):
        if p[i] > p[best]:
            best = i
    if stop - start > 1:
        return best - start
    if p[start] > 0.5:
        return 1
    return 0
