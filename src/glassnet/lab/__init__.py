"""The live lab: a network that learns before your eyes, each number with its formula, time to wind back."""

from glassnet.utils.callable_packages import make_callable

make_callable(__name__, "glassnet.lab.opening")
