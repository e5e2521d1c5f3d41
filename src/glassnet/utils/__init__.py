"""Checks of arguments, files, JSON, threads, Ctrl-C and progress: no mathematics."""
