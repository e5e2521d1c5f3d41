"""Trained networks in other languages, proven to compute the same."""
