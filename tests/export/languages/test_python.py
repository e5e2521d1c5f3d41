"""Python files: their labels, and what they import."""

import ast
import runpy

import numpy as np
import pytest

import glassnet as gn
from glassnet.export.exporting import export

X = np.random.default_rng(0).normal(0, 3, (60, 3))
LABELS = np.array(["no", 'a "quote"'])[(X[:, 0] > 0).astype(int)]


@pytest.mark.parametrize("mode", ["numpy", "plain"])
def test_file_predicts_labels_with_no_other_library(mode, tmp_path):
    run = gn.train(gn.Network((3, 4, 2)), X, LABELS, iterations=20, random_state=0)
    export(run, tmp_path / "net.py", mode=mode)
    tree = ast.parse((tmp_path / "net.py").read_text())
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert imported == {"numpy" if mode == "numpy" else "math"}
    predict = runpy.run_path(str(tmp_path / "net.py"))["predict"]
    found = predict(X) if mode == "numpy" else [predict(row) for row in X.tolist()]
    assert list(found) == list(run.predict(X))
