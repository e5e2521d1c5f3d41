"""Floor 9: whole experiments: settings in, a folder of results out."""

from glassnet.experiments.library import built_in, find_experiment, parse_assignment
from glassnet.experiments.settings import Experiment, Override

__all__ = ["Experiment", "Override", "built_in", "find_experiment", "parse_assignment"]
