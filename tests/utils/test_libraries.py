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


def test_require_says_of_a_library_that_does_not_load_what_it_says(tmp_path, monkeypatch):
    (tmp_path / "old_library_of_a_test.py").write_text("from numpy import multiarray_of_before")
    monkeypatch.syspath_prepend(tmp_path)
    words = (
        r"needs old_library_of_a_test, which does not load \(cannot import .*\): pip install --upgrade old_"
    )
    with pytest.raises(gn.InputError, match=words):
        require("old_library_of_a_test")


def test_require_names_the_library_that_another_one_lacks(tmp_path, monkeypatch):
    (tmp_path / "distributed_of_a_test.py").write_text("import no_such_library")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(gn.InputError, match="no_such_library, which is not installed"):
        require("distributed_of_a_test")
