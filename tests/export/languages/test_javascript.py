"""JavaScript: names, categories and labels as a web page reads them."""

import json
import shutil
import subprocess

import numpy as np
import pytest

import glassnet as gn

HOSTILE = ['"', "a\r\nb", "*/", "</script>", "é\u2028😀", "${x}`", "\\u0022", "\0"]
READ = """\
import * as net from "./net.mjs";
const found = net.CATEGORIES["kind"].map((_, place) => net.predict([place]));
console.log(JSON.stringify([net.FEATURES, net.CATEGORIES, net.CLASSES, found]));
"""


@pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")
def test_module_has_names_categories_and_labels_of_any_text(tmp_path):
    kind = np.array(HOSTILE * 3, object)
    labels = np.array([f"is {text}" for text in kind], object)
    data = gn.prepare_table({"kind": kind, "label": labels}, "label")
    run = gn.train(gn.Network((data.X.shape[1], len(HOSTILE))), data, iterations=300, random_state=0)
    gn.export(run, tmp_path / "net.js")
    (tmp_path / "net.js").rename(tmp_path / "net.mjs")
    (tmp_path / "read.mjs").write_text(READ)
    printed = subprocess.run(["node", "read.mjs"], cwd=tmp_path, capture_output=True, check=True).stdout
    features, categories, classes, found = json.loads(printed)
    assert (features, set(classes[0])) == (["kind"], set(labels))
    assert found == [f"is {text}" for text in categories["kind"]]
