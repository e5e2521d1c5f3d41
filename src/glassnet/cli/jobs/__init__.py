"""Whole jobs: an experiment in, a folder of results out; and predictions from it."""
