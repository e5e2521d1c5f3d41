"""Whole experiments: settings in, a folder of results out."""

from glassnet.cli.experiments.library import built_in, find_experiment, parse_assignment
from glassnet.cli.experiments.settings import Experiment, Override

__all__ = ["Experiment", "Override", "built_in", "find_experiment", "parse_assignment"]
