"""Amounts of memory as people write them."""

from __future__ import annotations

import ctypes
import re
import sys

import numpy as np

from glassnet.errors import InputError, InputTypeError

DEFAULT_MEMORY = 1 << 30

LEAST = 96 << 20
"""About what buffers, threads and a Parquet reader take, whatever the data."""

RESERVED = 64 << 20
"""The memory that batches from windows leave to buffers, threads and readers."""

_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}
_UNITS |= {f"{unit}i": 1024**power for power, unit in enumerate("kmgt", 1)}
_AMOUNT = re.compile(r"\s*(\d+(?:\.\d*)?)\s*([kmgt]i?|)b?\s*", re.IGNORECASE)


def as_memory(memory: object) -> int:
    """An amount of memory in bytes: a whole number of them, or text such as "256 MiB" or "2 GB".

    >>> from glassnet.utils.memory import as_memory
    >>> as_memory("256 MiB"), as_memory("2GB")
    (268435456, 2000000000)
    """
    amount = bytes_of(memory, "memory")
    if amount < LEAST:
        raise InputError(
            f"memory is {amount:,} bytes; expected {LEAST >> 20} MiB or more, the least that reading takes."
        )
    return amount


def bytes_of(amount: object, name: str) -> int:
    """An amount in bytes, from a whole number of them or from text such as "256 MiB" or "2 GB"."""
    if isinstance(amount, str):
        match = _AMOUNT.fullmatch(amount)
        if match is None:
            raise InputError(f'{name} is {amount!r}; expected bytes, or text such as "256 MiB" or "2 GB".')
        return int(float(match[1]) * _UNITS[match[2].lower()])
    if isinstance(amount, bool) or not isinstance(amount, (int, np.integer)):
        raise InputTypeError(f'{name} is bytes, or text such as "256 MiB", not {amount!r}.')
    if amount < 0:
        raise InputError(f"{name} is {amount:,} bytes; expected 0 or more.")
    return int(amount)


def release_memory() -> None:
    """Give free memory back to the system; glibc keeps it for each thread otherwise."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:  # other C libraries have none
            trim(0)


def size_text(amount: float) -> str:
    """A number of bytes for people to read."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.3g} {unit}"
        amount /= 1024
    return f"{amount:.3g} TiB"
