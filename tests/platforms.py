"""What only some systems can do."""

import sys

import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can do this")
