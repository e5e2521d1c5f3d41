"""The cases of `same_numbers.py`, by kind: importing them registers them."""

from same_cases import commands, functions, models, streams, sweeps, training

__all__ = ["commands", "functions", "models", "streams", "sweeps", "training"]
