"""Tapes: runs with their whole past, which can be wound back and branched."""
