"""What only some systems can do."""

import sys

import pytest

exchanges_folders = pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges folders")
