import sys

import pytest

import glassnet as gn
from glassnet.utils.libraries import require


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("matplotlib.figure", r'Pictures need matplotlib, .* pip install "glassnet\[plot\]"'),
        ("pyarrow.feather", r'Parquet and Arrow files need pyarrow, .* pip install "glassnet\[parquet\]"'),
        ("polars", "This needs polars, .* pip install polars"),
    ],
)
def test_require_says_what_installs_a_missing_library(module, words, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(gn.InputError, match=words) as caught:
        require(module)
    assert isinstance(caught.value, ImportError)


def test_require_names_the_library_that_another_one_lacks(tmp_path, monkeypatch):
    (tmp_path / "distributed_of_a_test.py").write_text("import no_such_library")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(gn.InputError, match="no_such_library, which is not installed"):
        require("distributed_of_a_test")
