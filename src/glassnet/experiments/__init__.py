"""Experiments: data, a network and the settings of its training, built in, of a TOML file or a table."""

from glassnet.experiments.about import About, about
from glassnet.experiments.library import built_in, find_experiment, parse_assignment
from glassnet.experiments.loading import LoadedExperiment, load_experiment
from glassnet.experiments.settings import Experiment, Override

__all__ = [
    "About",
    "Experiment",
    "LoadedExperiment",
    "Override",
    "about",
    "built_in",
    "find_experiment",
    "load_experiment",
    "parse_assignment",
]
