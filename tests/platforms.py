"""What only some systems can do."""

import sys

import pytest


def linux(what):
    """A mark that skips a test on other systems, which lack `what`."""
    return pytest.mark.skipif(sys.platform != "linux", reason=f"only Linux has {what}")
