import csv
import errno
import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load, save

from glassnet.errors import FileError, InputError, InputTypeError
from glassnet.utils import storage
from glassnet.utils.storage import (
    arrays_as_bytes,
    arrays_from_bytes,
    atomic_write,
    csv_text,
    read_arrays,
    results_folder,
    write_arrays,
    write_csv,
    write_json,
)


def names_in(folder):
    return [entry.name for entry in folder.iterdir()]


# ---- atomic_write --------------------------------------------------------------------------------


def put(path, text):
    with atomic_write(path) as temporary:
        temporary.write_text(text)


def test_atomic_write_creates_and_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    for text in ("first", "second"):
        put(path, text)
        assert path.read_text() == text
        assert names_in(tmp_path) == ["a.txt"]


def test_atomic_write_gives_a_temporary_beside_the_file_with_its_ending(tmp_path):
    with atomic_write(tmp_path / "picture.png") as temporary:
        assert (temporary.parent, temporary.suffix) == (tmp_path, ".png")
        assert temporary.read_bytes() == b""


def test_atomic_write_keeps_the_earlier_file_until_the_end(tmp_path):
    path = tmp_path / "a"
    path.write_text("earlier")
    with atomic_write(path) as temporary:
        temporary.write_text("later")
        assert path.read_text() == "earlier"
    assert path.read_text() == "later"


@pytest.mark.parametrize("error", [RuntimeError("mine"), KeyboardInterrupt(), TimeoutError("mine")])
def test_atomic_write_undoes_everything_when_the_block_fails(tmp_path, error):
    path = tmp_path / "a"
    path.write_text("earlier")

    def fail_half_way():
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)) as caught:
        fail_half_way()
    assert caught.value is error
    assert path.read_text() == "earlier"
    assert names_in(tmp_path) == ["a"]


def test_atomic_write_lets_errors_about_other_files_pass(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a"):
        (tmp_path / "other").read_text()


def test_atomic_write_flushes_before_it_replaces(tmp_path, monkeypatch):
    order = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append("fsync"), fsync(fd))[1])
    monkeypatch.setattr(Path, "replace", lambda s, t: (order.append("replace"), replace(s, t))[1])
    put(tmp_path / "a", "text")
    assert order[:2] == ["fsync", "replace"]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_atomic_write_gives_a_new_file_the_permissions_that_the_umask_leaves(tmp_path, mask):
    earlier = os.umask(mask)
    try:
        put(tmp_path / "a", "text")
    finally:
        os.umask(earlier)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask


def test_atomic_write_keeps_the_permissions_of_the_earlier_file(tmp_path):
    path = tmp_path / "a"
    path.touch()
    path.chmod(0o640)
    put(path, "text")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_atomic_write_follows_a_symbolic_link(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "there" / "real.txt")
    put(link, "text")
    assert link.is_symlink()
    assert (tmp_path / "there" / "real.txt").read_text() == "text"


def test_atomic_write_takes_a_name_of_the_longest_length(tmp_path):
    put(tmp_path / ("a" * 251 + ".csv"), "text")
    with pytest.raises(FileError, match="name is too long"):
        put(tmp_path / ("a" * 256), "text")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no/a", "folder .*no does not exist. Create it first"),
        ("file/a", "a part of the path is a file"),
        ("folder", "a folder stands there"),
        ("loop", "circles"),
    ],
)
def test_atomic_write_says_why_a_path_cannot_be_written(tmp_path, name, words):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(FileError, match=words):
        put(tmp_path / name, "text")


def test_atomic_write_does_not_replace_a_device():
    with pytest.raises(FileError, match="is a device"):
        put(os.devnull, "text")
    assert not Path(os.devnull).is_file()


def test_atomic_write_honors_a_file_that_is_protected(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("earlier")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everything
    with pytest.raises(FileError, match="permission is denied"):
        put(path, "text")
    assert path.read_text() == "earlier"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EFBIG, "larger than"),
        (errno.EIO, "input/output error"),
    ],
)
def test_atomic_write_survives_a_disk_that_fails_at_any_moment(tmp_path, monkeypatch, number, words):
    path = tmp_path / "model"
    path.write_text("earlier")

    def fail(fd):
        raise OSError(number, os.strerror(number))

    # While the block writes ...
    with pytest.raises(FileError, match=words), atomic_write(path):
        fail(0)
    # ... and when what it wrote goes to the disk.
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(FileError, match=words) as caught:
        put(path, "x" * 1234)
    assert "model cannot be written" in str(caught.value)
    assert "The earlier file is untouched" in str(caught.value)
    assert path.read_text() == "earlier"
    assert names_in(tmp_path) == ["model"]
    if number != errno.EIO:
        assert "1.234 kB of it were written" in str(caught.value)
        assert "free in" in str(caught.value)


def test_atomic_write_meets_a_real_limit_without_harm(tmp_path):
    # The system's limit on a file's size, in a process of its own, fails a write half way through.
    script = """if True:
        import resource, sys
        from glassnet.errors import FileError
        from glassnet.utils.storage import atomic_write
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            with atomic_write(sys.argv[1]) as temporary:
                temporary.write_bytes(bytes(10_000))
        except FileError as error:
            print(error)
    """
    (tmp_path / "a").write_text("earlier")
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a")], capture_output=True, text=True, check=True
    )
    assert "4.096 kB of it were written" in done.stdout
    assert (tmp_path / "a").read_text() == "earlier"
    assert names_in(tmp_path) == ["a"]


# ---- results_folder ------------------------------------------------------------------------------


def test_results_folder_makes_parents_and_is_content_with_what_exists(tmp_path):
    for _ in range(2):
        assert results_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
        assert names_in(tmp_path / "a" / "b") == []


@pytest.mark.parametrize("name", ["file", "file/below", "file/far/below"])
def test_results_folder_names_the_file_that_is_in_the_way(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=f"{tmp_path}/file is a file"):
        results_folder(tmp_path / name)


def test_results_folder_refuses_what_the_system_refuses(tmp_path, monkeypatch):
    def fail(self, *args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(FileError, match="read-only"):
        results_folder(tmp_path / "a")


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EROFS, "read-only"), (errno.EACCES, "denied"), (errno.ENOSPC, "full")]
)
def test_results_folder_proves_that_it_can_be_written(tmp_path, monkeypatch, number, words):
    def fail(**folder):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(storage.tempfile, "TemporaryFile", fail)
    with pytest.raises(FileError, match=f"cannot be written into: .*{words}"):
        results_folder(tmp_path)
    assert names_in(tmp_path) == []


# ---- write_arrays, read_arrays -------------------------------------------------------------------

DTYPES = [np.float32, np.float64, np.float16, np.int64, np.int8, np.uint8, np.uint64, bool]
shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


@st.composite
def laid_out(draw):
    """An array of any type, in any order, strides and byte order."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    array = draw(hnp.arrays(dtype, draw(shapes)))
    layout = draw(st.sampled_from(["C", "F", "transposed", "strided", "reversed", "swapped"]))
    if layout == "F":
        return np.asfortranarray(array) if array.ndim else array
    if layout == "swapped":
        return array.astype(dtype.newbyteorder("S"))
    if array.ndim and layout in ("strided", "reversed"):
        return array[::2] if layout == "strided" else array[::-1]
    return array.T if layout == "transposed" else array


documents = st.dictionaries(
    st.text(),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)
names = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda name: name != "__metadata__")


@settings(deadline=None, max_examples=60)
@given(arrays=st.dictionaries(names, laid_out(), max_size=3), document=documents)
def test_read_arrays_returns_exactly_what_was_written(arrays, document):
    read, described = arrays_from_bytes(arrays_as_bytes(arrays, document), Path("a.safetensors"))
    assert described == document
    assert json.dumps(described, sort_keys=True) == json.dumps(document, sort_keys=True)  # 1 is not 1.0
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype.newbyteorder("=")
        assert read[name].shape == array.shape
        assert read[name].tobytes() == array.astype(array.dtype.newbyteorder("=")).tobytes()
        assert read[name].flags.writeable
        assert read[name].flags.owndata


def test_write_arrays_is_byte_for_byte_the_same_whatever_the_order(tmp_path):
    arrays = {"W": np.eye(3), "b": np.arange(3, dtype=np.float32), "n": np.array(3)}
    document = {"b": 1, "a": {"y": [1.5], "x": "text"}}
    write_arrays(tmp_path / "1", arrays, document)
    turned = {"a": {"x": "text", "y": (np.float64(1.5),)}, "b": np.int32(1)}
    write_arrays(tmp_path / "2", dict(reversed(arrays.items())), turned)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_write_arrays_writes_what_safetensors_itself_reads(tmp_path):
    W = np.arange(6.0).reshape(2, 3).T
    write_arrays(tmp_path / "a", {"W": W}, {})
    np.testing.assert_array_equal(load((tmp_path / "a").read_bytes())["W"], W)


@pytest.mark.parametrize(
    "array", [np.array(["text"]), np.array([None]), np.zeros(2, complex), np.zeros(2, np.longdouble)]
)
def test_write_arrays_refuses_types_that_the_format_lacks(tmp_path, array):
    with pytest.raises(InputTypeError, match="The array 'W' has dtype"):
        write_arrays(tmp_path / "a", {"W": array}, {})
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "error"), [("__metadata__", InputError), ("\ud800", InputError), (1, InputTypeError)]
)
def test_write_arrays_refuses_names_that_the_format_lacks(tmp_path, name, error):
    with pytest.raises(error, match="name"):
        write_arrays(tmp_path / "a", {name: np.zeros(1)}, {})


@pytest.mark.parametrize(
    "bad", [float("nan"), float("inf"), -float("inf"), np.float32("nan"), np.array([np.inf])]
)
def test_write_arrays_names_where_a_document_is_not_finite(tmp_path, bad):
    with pytest.raises(InputError, match=r"document\['extra'\]\[1\].* JSON cannot hold"):
        write_arrays(tmp_path / "a", {}, {"extra": [0.0, bad]})


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([1], "document is a mapping"),
        ({"a": {1: 2}}, r"document\['a'\] has the key 1"),
        ({"a": {3, 4}}, r"document\['a'\] is \{3, 4\} \(set\)"),
        ({"a": 1j}, "complex"),
        ({"a": np.datetime64("2020-01-01")}, "date"),
        ({"a": b"bytes"}, "bytes"),
        ({"a": Path("x")}, "Path"),
    ],
)
def test_write_arrays_names_what_json_cannot_hold(tmp_path, document, words):
    with pytest.raises(InputTypeError, match=words):
        write_arrays(tmp_path / "a", {}, document)


def test_write_arrays_refuses_a_document_that_contains_itself(tmp_path):
    document = {}
    document["self"] = document
    with pytest.raises(InputError, match="contain itself"):
        write_arrays(tmp_path / "a", {}, document)


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.safetensors"
    arrays = {"W": np.arange(6.0).reshape(2, 3), "b": np.zeros((0, 3)), "ok": np.array([True, False])}
    write_arrays(path, arrays, {"text": 'é "quoted" \\ / \n', "numbers": [1, 2.5, -1e300, None, True]})
    return path


@pytest.fixture
def read_data(monkeypatch):
    """read_arrays on bytes in memory."""

    def read(data):
        monkeypatch.setattr(storage, "read_bytes", lambda path: bytes(data))
        return read_arrays("there.safetensors")

    return read


def test_read_arrays_finds_every_flipped_bit(small, read_data):
    data = bytearray(small.read_bytes())
    read_data(data)
    for position in range(len(data)):
        for bit in range(8):
            data[position] ^= 1 << bit
            with pytest.raises(FileError, match=r"there\.safetensors"):
                read_data(data)
            data[position] ^= 1 << bit
    read_data(data)


def test_read_arrays_finds_every_cut_and_every_addition(small, read_data):
    data = small.read_bytes()
    for stop in range(len(data)):
        with pytest.raises(FileError, match=r"empty|cut short|not a safetensors"):
            read_data(data[:stop])
    for more in (b"\0", b" ", data):
        with pytest.raises(FileError, match="appended"):
            read_data(data + more)


@pytest.mark.parametrize("blank", b"\t\n\r")
def test_read_arrays_finds_a_change_that_json_would_forgive(small, read_data, blank):
    data = bytearray(small.read_bytes())
    end = 8 + int.from_bytes(data[:8], "little")
    assert data[end - 1 : end] == b" "  # the header is filled up to a multiple of 8
    data[end - 1] = blank
    with pytest.raises(FileError, match="spaces"):
        read_data(data)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_read_arrays_is_right_or_refuses_whatever_happens_to_a_file(data):
    original = arrays_as_bytes({"W": np.arange(3.0)}, {"a": 1})
    content = bytearray(original)
    start = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(start, min(len(content), start + 20)))
    content[start:stop] = data.draw(st.binary(max_size=20) | st.sampled_from([b" ", b"\n", b"{}", b'"']))
    if content != original:
        with pytest.raises(FileError):
            arrays_from_bytes(bytes(content), Path("a"))


def envelope_of(data):
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length])["__metadata__"]["glassnet"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"abc", "not a safetensors file"),
        (b"x,y,label\n1,2,a\n" * 10, "not a safetensors file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a safetensors file"),
        (b"\x02" + bytes(7) + b"[]", "not a safetensors file"),
        (b"\x02" + bytes(7) + b"{}", "not one that glassnet wrote"),
        (b"\x02" + bytes(7) + b"{!", "damaged"),
        (save({"W": np.zeros(3)}), "not one that glassnet wrote"),
        (save({"W": np.zeros(3)}, {"format": "pt"}), "not one that glassnet wrote"),
        (save({"W": np.zeros(3)}, {"glassnet": "1.0"}), "not the JSON"),
        (save({"W": np.zeros(3)}, {"glassnet": "[" * 100_000}), "not the JSON"),
        (save({"W": np.zeros(3)}, {"glassnet": '{"format":1}'}), "not the JSON"),
        (save({"W": np.zeros(3)}, {"glassnet": '{"format":2,"new":[]}'}), "format 2.*up to 1.*upgrade"),
        (
            save({"W": np.zeros(3)}, {"glassnet": '{"document":{},"format":1,"sha256":"00"}'}),
            "does not match its SHA-256",
        ),
    ],
)
def test_read_arrays_tells_other_files_apart(read_data, data, words):
    with pytest.raises(FileError, match=words):
        read_data(data)


def test_read_arrays_refuses_arrays_swapped_between_names(small, read_data):
    data = small.read_bytes()
    arrays = load(data)
    envelope = {"glassnet": envelope_of(data)}
    read_data(save(arrays, envelope))
    for other in (
        {"V": arrays["W"], "b": arrays["b"], "ok": arrays["ok"]},
        arrays | {"W": arrays["W"].reshape(3, 2)},
        arrays | {"W": arrays["W"].view(np.int64)},
        arrays | {"more": np.zeros(1)},
        {"W": arrays["W"]},
    ):
        with pytest.raises(FileError, match="SHA-256"):
            read_data(save(other, envelope))


def test_read_arrays_names_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(FileError, match="no file"):
        read_arrays(tmp_path / "a")
    with pytest.raises(FileError, match="is a folder"):
        read_arrays(tmp_path)


# ---- write_json, write_csv -----------------------------------------------------------------------


def test_write_json_writes_plain_standard_json(tmp_path):
    path = tmp_path / "a.json"
    document = {
        "é": np.arange(2),
        "nan": np.nan,
        "inf": [np.float32("inf"), -np.inf],
        "true": np.bool_(True),
        "half": "\udc80",
        "none": None,
    }
    write_json(path, document)

    def refuse(constant):
        raise AssertionError(constant)

    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse) == {
        "é": [0, 1],
        "nan": "NaN",
        "inf": ["Infinity", "-Infinity"],
        "true": True,
        "half": "\udc80",
        "none": None,
    }
    assert '\n  "é": [' in path.read_text(encoding="utf-8")
    assert float("NaN") != float("NaN")
    assert float("-Infinity") == -np.inf


def test_write_json_leaves_the_earlier_file_when_the_document_is_bad(tmp_path):
    write_json(tmp_path / "a", {"a": 1})
    with pytest.raises(InputTypeError):
        write_json(tmp_path / "a", {"a": object()})
    assert json.loads((tmp_path / "a").read_text()) == {"a": 1}


@settings(deadline=None, max_examples=60)
@given(n=st.integers(0, 5), data=st.data())
def test_csv_text_gives_every_number_and_text_back(n, data):
    text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    columns = {
        "double": data.draw(hnp.arrays(np.float64, n)),
        "single": data.draw(hnp.arrays(np.float32, n)),
        "whole": data.draw(hnp.arrays(np.int64, n)),
        data.draw(text.filter(lambda name: name not in ("double", "single", "whole"))): data.draw(
            st.lists(text, min_size=n, max_size=n)
        ),
    }
    header, *rows = csv.reader(io.StringIO(csv_text(columns), newline=""), strict=True)
    assert header == list(columns)
    assert len(rows) == n
    double, single, whole, texts = zip(*rows, strict=True) if n else ((),) * 4
    np.testing.assert_array_equal(np.array(double, float), columns["double"])
    np.testing.assert_array_equal(np.array(single, float).astype(np.float32), columns["single"])
    assert [int(value) for value in whole] == columns["whole"].tolist()
    assert list(texts) == columns[header[3]]


def test_write_csv_writes_none_as_nothing_and_the_shortest_digits(tmp_path):
    columns = {"a": [None, "x"], "b": np.array([0.1, np.nan], np.float32), "c": [True, False]}
    write_csv(tmp_path / "a.csv", columns)
    assert (tmp_path / "a.csv").read_bytes() == b"a,b,c\n,0.1,True\nx,nan,False\n"


def test_write_csv_quotes_what_a_reader_could_take_apart(tmp_path):
    texts = [" a", "b ", "c;d", "e\tf", "g\rh", 'i"j', ""]
    write_csv(tmp_path / "a.csv", {"text": texts})
    lines = (tmp_path / "a.csv").read_bytes().decode().split("\n")
    assert lines == ["text", *('"' + text.replace('"', '""') + '"' for text in texts), ""]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, "no columns"),
        ({"a": [1, 2], "b": [1]}, "Column 'b' has 1 values, column 'a' has 2"),
        ({"a": np.zeros((2, 2))}, r"Column 'a' has shape \(2, 2\)"),
        ({"a": 3.0}, r"Column 'a' has shape \(\)"),
    ],
)
def test_write_csv_refuses_what_is_no_table(tmp_path, columns, words):
    with pytest.raises(InputError, match=words):
        write_csv(tmp_path / "a.csv", columns)
    assert names_in(tmp_path) == []
