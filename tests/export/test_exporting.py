"""`gn.export`: options by language, proof before a file is kept, errors that leave nothing behind."""

import numpy as np
import pytest

import glassnet as gn
from glassnet.export.languages import MODULES, language_of
from glassnet.export.languages.language import MissingToolError

X = np.random.default_rng(0).normal(0, 2, (50, 2))


def names(folder):
    return [path.name for path in folder.iterdir()]


@pytest.fixture(scope="module")
def run():
    return gn.train(
        gn.Network((2, 3, 2)), X, (X[:, 0] > X[:, 1]).astype(int), random_state=0, iterations=50
    )


@pytest.mark.parametrize("suffix", MODULES)
def test_export_proves_each_language_whose_tool_is_here(run, suffix, tmp_path):
    if suffix == ".pt2":
        pytest.importorskip("torch")
    path = tmp_path / f"net{suffix}"
    try:
        found = gn.export(run, path, verify=X)
    except gn.InputError as error:
        if not isinstance(error.__cause__, MissingToolError):
            raise
        pytest.skip(str(error))
    assert found.passed
    assert (found.data.labels, found.data.rows) == (0, len(X))
    assert gn.verify_export(run, path, X).passed
    assert names(tmp_path) == [path.name]


def test_export_writes_nothing_where_the_file_computes_something_else(run, tmp_path, monkeypatch):
    language = language_of(".py")
    other = gn.train(gn.Network((2, 3, 2)), X, np.arange(50) % 2, random_state=1, iterations=50)

    def wrong(model, options):
        from glassnet.export.sources import source_of

        return language.write(source_of(other).model, options)

    monkeypatch.setattr(
        "glassnet.export.exporting.language_of", lambda suffix: language._replace(write=wrong)
    )
    path = tmp_path / "net.py"
    path.write_text("earlier")
    with pytest.raises(gn.InputError, match=r"(?s)Nothing was written.*FAILED.*50 rows of data"):
        gn.export(run, path, verify=X)
    assert (names(tmp_path), path.read_text()) == (["net.py"], "earlier")


def test_export_says_all_that_its_options_lack_at_once(run):
    with pytest.raises(gn.InputError) as raised:
        gn.export(run, "net.py", name="2-3-2", precision="int8", mode="fast", speed=3)
    for words in ("name is '2-3-2'", "precision is 'int8'; Python has", "mode is 'fast'", "'speed'"):
        assert words in str(raised.value)


def test_export_says_what_its_settings_take(run):
    for path, settings in (("net.c", {"gradient": "no", "train": 1}), ("net.sql", {"table": 5, "key": ""})):
        with pytest.raises(gn.InputError) as raised:
            gn.export(run, path, **settings)
        assert all(f"{key} is {value!r}; expected" in str(raised.value) for key, value in settings.items())


def test_export_names_the_suffixes_that_there_are(run):
    with pytest.raises(gn.InputError) as raised:
        gn.export(run, "net.cobol")
    assert all(repr(suffix) in str(raised.value) for suffix in MODULES)


def test_export_takes_a_name_from_a_path_that_begins_with_a_digit(run, tmp_path):
    gn.export(run, tmp_path / "2-3-2.py")


def test_export_refuses_what_is_no_network():
    with pytest.raises(gn.InputTypeError, match="A dict cannot be exported; expected a run"):
        gn.export({}, "net.py")


def test_export_refuses_functions_that_no_file_has_by_name(tmp_path):
    square = gn.Activation("square", lambda z: z * z, lambda z, h: 2 * z, "z^2", "2z")
    network = gn.Network((2, 3, 1), hidden=square, output="tanh")
    run = gn.train(network, X, np.tanh(X[:, :1]), random_state=0, iterations=1)
    words = r"no exported file has, 'square', 'tanh'.*outputs: softmax, logistic.*'identity' in its place"
    with pytest.raises(gn.InputError, match=words):
        gn.export(run, tmp_path / "net.py")
    assert not names(tmp_path)


def test_export_refuses_a_folder_that_is_not_there(run, tmp_path):
    with pytest.raises(gn.FileError, match=r"does not exist\. Create it first"):
        gn.export(run, tmp_path / "none" / "net.py")


def test_verify_export_refuses_a_file_that_is_not_there(run, tmp_path):
    with pytest.raises(gn.FileError):
        gn.verify_export(run, tmp_path / "net.py", X)


def test_verify_export_refuses_the_file_of_a_network_with_other_outputs(run, tmp_path):
    gn.export(gn.train(gn.Network((2, 3, 3)), X, np.arange(50) % 3, iterations=1), tmp_path / "net.onnx")
    with pytest.raises(gn.InputError, match=r"outputs of shape \(50, 3\); expected \(50, 2\)"):
        gn.verify_export(run, tmp_path / "net.onnx", X)


@pytest.mark.parametrize("suffix", [".c", ".onnx", ".py", ".sql"])
def test_verify_export_refuses_a_damaged_file(run, suffix, tmp_path):
    path = tmp_path / f"net{suffix}"
    path.write_text("damaged (")
    with pytest.raises(gn.InputError, match=r"does not run(: | the file:)"):
        gn.verify_export(run, path, X)


def test_export_verifies_on_rows_alone(run, tmp_path):
    for rows, message in ((X[:0], "X has no rows"), (True, "rows to verify on are True")):
        with pytest.raises(gn.InputError, match=message):
            gn.export(run, tmp_path / "net.py", verify=rows)
    assert not names(tmp_path)


def test_verify_export_sees_a_changed_weight(run, tmp_path):
    path = tmp_path / "net.py"
    gn.export(run, path)
    weight = repr(float(run.theta.weights[0][0, 0]))
    text = path.read_text()
    assert weight in text
    path.write_text(text.replace(weight, repr(float(weight) * (1 + 1e-9))))
    found = gn.verify_export(run, path, X)
    assert not found.passed
    assert found.data.ulps > 1000


def test_verify_compares_hard_rows_of_a_float32_run_in_the_precision_of_the_file(tmp_path):
    X = np.random.default_rng(0).normal(0, 3, (60, 4)).astype(np.float32)
    network = gn.Network((4, 6, 3), hidden="softplus", output="identity")
    run = gn.train(network, X, X[:, :3], iterations=5, random_state=0)
    run.theta.flat[:] *= 3  # 1e308 is infinite in float32, and its products are in float64
    assert gn.export(run, tmp_path / "net.py", verify=X).passed
