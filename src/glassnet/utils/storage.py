"""Files that are whole or absent: written atomically, and checked when they are read."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glassnet.errors import FileError, InputError, InputTypeError
from glassnet.utils.folders import flush
from glassnet.utils.json_documents import canonical, plain, refuse, spell
from glassnet.utils.paths import as_path, explain, read_bytes

FORMAT = 1
"""The version of the envelope that `write_arrays` puts around a document."""

_KEY = "glassnet"  # the one metadata key: safetensors writes several in random order
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

PathLike = str | os.PathLike[str]


# ---- Writing: all or nothing ---------------------------------------------------------------------


@contextlib.contextmanager
def atomic_write(path: PathLike) -> Iterator[Path]:
    """Give a temporary path in the same folder, whose content becomes `path` wholly or not at all.

    The temporary file exists, is empty and has the ending of `path`, for libraries that go by the ending.
    When the block ends, it is flushed to the disk and moved over `path` in one step: a reader sees the
    earlier file or the new one, after a power cut too. When the block fails, the temporary file is removed
    and the earlier file stays. Symbolic links are followed, and an earlier file keeps its permissions. The
    folder must exist: see `results_folder`.

    Raises FileError where the folder is missing or cannot be written, where a folder or a device
    stands at `path`, and where the disk is full. Other errors of the block pass through.

    >>> import os, tempfile
    >>> from glassnet.utils.storage import atomic_write
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(f"{folder}/notes.txt") as temporary:
    ...         _ = temporary.write_text("all of it")
    ...     os.listdir(folder)
    ['notes.txt']
    """
    given = as_path(path)
    target = Path(os.path.realpath(given))
    try:
        earlier = _earlier(given)
        # As short as possible: a name that just fits must not fail because of its temporary file.
        ending = target.suffix if len(target.suffix) <= 16 else ""
        temporary = target.parent / f".{secrets.token_hex(6)}{ending}"
        # 0o666 as open() does, so that the umask decides; tempfile would make it private.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise _unwritable(given, error) from error
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if earlier is not None:
            temporary.chmod(stat.S_IMODE(earlier.st_mode))
        temporary.replace(target)
    except BaseException as error:
        written = 0
        with contextlib.suppress(OSError):
            written = temporary.stat().st_size
            temporary.unlink()
        # Other errors of the block are its own; the error of a full disk names no file.
        if isinstance(error, OSError) and (
            error.filename in (temporary, str(temporary))
            or (error.filename is None and error.errno in {*_FULL, errno.EIO})
        ):
            raise _unwritable(given, error, written, earlier is not None) from error
        raise
    flush(target.parent)


def _write(path: PathLike, data: bytes) -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def _earlier(path: Path) -> os.stat_result | None:
    """The status of a file at `path`, or None; FileError where it must not be replaced."""
    try:
        earlier = path.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(earlier.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(earlier.st_mode):
        raise FileError(f"{path} is a device or a pipe, which cannot be replaced. Give the path of a file.")
    # A rename needs no permission on the file, but its owner meant to protect it.
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "the file there is protected against writing")
    return earlier


def _unwritable(path: Path, error: OSError, written: int = 0, replacing: bool = False) -> FileError:
    folder, untouched = path.parent, " The earlier file is untouched." if replacing else ""
    if error.errno in _FULL:
        free = "an unknown amount of room"
        with contextlib.suppress(OSError):
            free = _size(shutil.disk_usage(folder).free)
        why = {
            errno.ENOSPC: "the disk is full",
            errno.EDQUOT: "your quota on this disk is used up",
            errno.EFBIG: "the file is larger than this system or its limits allow (see ulimit -f)",
        }[error.errno]
        return FileError(
            f"{path} cannot be written: {why}. {_size(written)} of it were written and are removed "
            f"again, which leaves {free} free in {folder}.{untouched} Make room, or choose a folder on "
            f"another disk."
        )
    if error.errno == errno.ENOENT and not folder.exists():
        return FileError(f"{path} cannot be written: the folder {folder} does not exist. Create it first.")
    return FileError(f"{path} cannot be written: {explain(error, True)}.{untouched}")


def _size(n_bytes: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.4g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.4g} GB"


def results_folder(path: PathLike) -> Path:
    """Make a folder, with its parents, and prove by a trial file that results can be written into it.

    Call it before the work that makes the results. Raises FileError where a file stands there
    or above it, where permission or room is missing, or where the file system takes no files.

    >>> import os, tempfile
    >>> from glassnet.utils.storage import results_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results_folder(os.path.join(folder, "results", "circles")).name
    'circles'
    """
    folder = as_path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        for part in (folder, *folder.parents):
            if part.exists() and not part.is_dir():
                raise FileError(
                    f"The results folder {folder} cannot be made: {part} is a file. Choose another "
                    f"folder, or move that file away."
                ) from error
        raise FileError(f"The results folder {folder} cannot be made: {explain(error, True)}.") from error
    try:
        with tempfile.TemporaryFile(dir=folder) as trial:  # which has no name that a kill could leave
            trial.write(bytes(4096))  # an empty file fits on a full disk
    except OSError as error:
        why = "the disk is full. Make room first" if error.errno in _FULL else explain(error, True)
        raise FileError(f"The folder {folder} cannot be written into: {why}.") from error
    return folder


# ---- Arrays and a document in one safetensors file -----------------------------------------------


def write_arrays(path: PathLike, arrays: Mapping[str, NDArray[Any]], document: Mapping[str, Any]) -> None:
    """Write named arrays and a JSON document to one safetensors file, byte for byte the same each time.

    Arrays are of bool, integer or floating type (up to 64 bits), of any shape, order and strides.
    The document is what JSON can hold; NumPy's scalars and arrays in it become numbers and lists,
    tuples lists, and keys come back sorted. A SHA-256, which the format lacks, covers everything:
    ``sha256(json([document, format]) + for each array by name: json([name, dtype, shape]) + bytes)``.

    Raises InputTypeError for arrays or values of other types, InputError for a NaN or an infinity in
    the document (put those into an array), FileError where the file cannot be written.

    >>> import os, tempfile
    >>> import numpy as np
    >>> from glassnet.utils.storage import read_arrays, write_arrays
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_arrays(f"{folder}/a.safetensors", {"W": np.eye(2)}, {"name": "identity"})
    ...     arrays, document = read_arrays(f"{folder}/a.safetensors")
    >>> arrays["W"].tolist(), document
    ([[1.0, 0.0], [0.0, 1.0]], {'name': 'identity'})
    """
    _write(path, arrays_as_bytes(arrays, document))


def arrays_as_bytes(arrays: Mapping[str, NDArray[Any]], document: Mapping[str, Any]) -> bytes:
    """The content of the file that `write_arrays` writes; raises as it does."""
    from safetensors.numpy import save

    if not isinstance(document, Mapping):
        raise InputTypeError(f"document is a mapping, not {document!r} ({type(document).__name__}).")
    for name in arrays:
        if not isinstance(name, str):
            raise InputTypeError(f"An array's name is text, not {name!r}.")
        if name == "__metadata__" or any("\ud800" <= character <= "\udfff" for character in name):
            raise InputError(f"An array cannot have the name {name!r} in a safetensors file.")
    dense = {name: _dense(name, array) for name, array in arrays.items()}
    content = plain(document, "document", refuse)
    envelope = {"document": content, "format": FORMAT, "sha256": _digest(content, dense)}
    return save(dense, {_KEY: canonical(envelope)})


def read_arrays(path: PathLike) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays, writable and in memory of their own, and the document that `write_arrays` wrote.

    Raises FileError for a file that is missing, unreadable, empty, cut short, changed in any bit, of
    another kind, or written by a later glassnet. See `write_arrays` for an example.
    """
    path = as_path(path)
    return arrays_from_bytes(read_bytes(path), path)


def arrays_from_bytes(data: bytes, path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """As `read_arrays`, from the content of a file; `path` is its name in errors."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    header = _header(data, path)
    metadata = header.get("__metadata__")
    text = metadata.get(_KEY) if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise FileError(
            f"{path} is a safetensors file, but not one that glassnet wrote: its metadata has no "
            f"{_KEY!r} entry. Read it with safetensors.numpy.load_file."
        )
    envelope = _envelope(text, path)
    try:
        arrays = {name: np.array(array) for name, array in load(data).items()}
    except (SafetensorError, KeyError, ValueError) as error:
        raise _damaged(path, f"its arrays cannot be read ({error})") from error
    if envelope["sha256"] != _digest(envelope["document"], arrays):
        raise _damaged(path, "its content does not match its SHA-256 checksum")
    return arrays, envelope["document"]


def _header(data: bytes, path: Path) -> dict[str, Any]:
    """The JSON that a safetensors file begins with: 8 bytes of length, the header, the arrays' bytes."""
    expected = "expected a safetensors file that glassnet wrote"
    if not data:
        raise FileError(f"{path} is empty; {expected}. Restore it from a copy, or write it again.")
    length = int.from_bytes(data[:8], "little")
    stop = 8 + length
    if len(data) < 8 or data[8:9] not in (b"{", b"") or length > 100_000_000:
        raise FileError(f"{path} is not a safetensors file, or its first bytes are damaged; {expected}.")
    if len(data) < stop:
        raise _damaged(
            path, f"it is cut short: its header alone takes {stop} bytes, but the file has {len(data)}"
        )
    try:
        header: dict[str, Any] = json.loads(data[8:stop])
        ends = [info["data_offsets"][1] for name, info in header.items() if name != "__metadata__"]
        total = stop + max(ends, default=0)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise _damaged(path, "its header cannot be read as safetensors") from error
    if not data[8:stop].rstrip(b" ").endswith(b"}"):
        raise _damaged(path, "its header is not padded with spaces")
    if len(data) != total:
        problem = "it is cut short" if len(data) < total else "something was appended to it"
        raise _damaged(path, f"{problem}: its header says {total} bytes, but the file has {len(data)}")
    return header


def _envelope(text: str, path: Path) -> dict[str, Any]:
    try:
        envelope = json.loads(text)
        version = envelope["format"]
        # Compared with its canonical form: a change that JSON forgives is a change too.
        same = canonical(envelope) == text
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, "its document is not the JSON that glassnet writes") from error
    if type(version) is int and version > FORMAT:
        raise FileError(
            f"{path} has file format {version}, but this glassnet reads formats up to {FORMAT}. It was "
            f"written by a later glassnet: upgrade with pip install --upgrade glassnet."
        )
    whole = same and version == FORMAT and set(envelope) == {"document", "format", "sha256"}
    if not whole or not isinstance(envelope["document"], dict):
        raise _damaged(path, "its document is not the JSON that glassnet writes")
    return dict(envelope)


def _damaged(path: Path, why: str) -> FileError:
    return FileError(f"{path} is damaged: {why}. Restore it from a copy, or write it again.")


def _dense(name: str, array: NDArray[Any]) -> NDArray[Any]:
    array = np.asarray(array)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise InputTypeError(
            f"The array {name!r} has dtype {array.dtype.name}; expected bool, integers or floats of up to "
            f"64 bits."
        )
    # safetensors copies memory as it lies: C order and native byte order, or it writes nonsense.
    # (np.ascontiguousarray would turn shape () into (1,).)
    return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")


def _digest(document: Any, arrays: Mapping[str, NDArray[Any]]) -> str:
    sha = hashlib.sha256(canonical([document, FORMAT]).encode())
    for name, array in sorted(arrays.items()):
        sha.update(canonical([name, array.dtype.name, list(array.shape)]).encode())
        sha.update(array.reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


# ---- Text files ----------------------------------------------------------------------------------


def write_json(path: PathLike, document: Mapping[str, Any]) -> None:
    """Write a document as indented JSON in UTF-8, for people and other programs to read.

    NumPy scalars and arrays become numbers and lists. JSON has no NaN and no infinities: they are
    written as the text "NaN", "Infinity" and "-Infinity", which float() turns back into numbers (and
    so does Number() in JavaScript); Python's json would write them bare, which other readers refuse.

    Raises InputTypeError for a value that JSON cannot hold, naming where it is, and FileError where
    the file cannot be written.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from glassnet.utils.storage import write_json
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "run.json")
    ...     write_json(path, {"loss": np.float64(7.5), "gap": float("nan")})
    ...     print(path.read_text())
    {
      "loss": 7.5,
      "gap": "NaN"
    }
    <BLANKLINE>
    """
    content = plain(document, "document", spell)
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    # Half of a surrogate pair is no character; as \udc80 it is JSON all the same.
    _write(path, f"{text}\n".encode(errors="backslashreplace"))


def write_csv(path: PathLike, columns: Mapping[str, ArrayLike]) -> None:
    """Write columns of equal length as CSV: UTF-8, a header row, commas, lines that end in a newline.

    Numbers are written with as many digits as give the same number back, in float32 too; NaN as
    ``nan``, None as nothing. Text is quoted where a reader could take it apart.

    Raises InputError for columns of unequal length, of more than one dimension or without one,
    FileError where the file cannot be written.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from glassnet.utils.storage import write_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "points.csv")
    ...     write_csv(path, {"x": [0.1, 2.0], "label": ["red", "dark, red"]})
    ...     print(path.read_text())
    x,label
    0.1,red
    2.0,"dark, red"
    <BLANKLINE>
    """
    _write(path, csv_text(columns).encode(errors="backslashreplace"))


def csv_text(columns: Mapping[str, ArrayLike], header: bool = True) -> str:
    """The text that `write_csv` writes, or the rows alone."""
    if not columns:
        raise InputError("write_csv was given no columns; expected at least one.")
    cells = {name: _cells(name, values) for name, values in columns.items()}
    first = next(iter(cells))
    for name, column in cells.items():
        if len(column) != len(cells[first]):
            raise InputError(
                f"Column {name!r} has {len(column)} values, column {first!r} has {len(cells[first])}; "
                f"all columns of a table are of one length."
            )
    rows = [",".join(_quoted(str(name)) for name in cells)] if header else []
    rows += map(",".join, zip(*cells.values(), strict=True))
    return "".join(f"{row}\n" for row in rows)


def _cells(name: str, values: ArrayLike) -> list[str]:
    array = np.asarray(values)
    if array.dtype.kind == "U":  # NumPy takes zero bytes at the end of its own text for padding
        array = np.asarray(values, dtype=object)
    if array.ndim != 1:
        raise InputError(f"Column {name!r} has shape {array.shape}; expected one dimension, (rows,).")
    if array.dtype.kind == "f":
        # NumPy's str is the shortest text that gives the number back in its own precision.
        return [str(value) for value in (array.tolist() if array.dtype == np.float64 else array)]
    if array.dtype.kind in "biu":
        return [str(value) for value in array.tolist()]
    return ["" if value is None else _quoted(str(value)) for value in array.tolist()]


def _quoted(text: str) -> str:
    bare = text and text == text.strip() and not any(character in text for character in ',;\t"\r\n\0')
    return text if bare else '"' + text.replace('"', '""') + '"'
