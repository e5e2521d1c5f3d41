"""Trained networks in other languages, proven to compute the same."""

from glassnet.utils.callable_packages import make_callable

make_callable(__name__, "glassnet.export.exporting")
