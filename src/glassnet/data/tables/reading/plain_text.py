"""Any text file as one in UTF-8 that lies on disk: unpacked, decoded, and looked through."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from glassnet.errors import FileError, InputError
from glassnet.utils.libraries import require
from glassnet.utils.paths import opened

_CHUNK = 1 << 20

_BLOCK = 1 << 18
"""Bytes that NumPy looks through at once: they stay in a core's own memory."""

LONGEST_LINE = 1 << 20
"""The most bytes of a line: more is no table of cells, or a quote that is not closed."""

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

_PACKED: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}

_NO_TEXT = {
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"%PDF": "a PDF document",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
    b"\x80\x04\x95": "a pickle",
    b"\x80\x05\x95": "a pickle",
    b"\x7fELF": "a program",
    b"SQLite format 3": "an SQLite database",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
}


@contextmanager
def plain_text(path: Path, encoding: str | None, shown: Path | str) -> Iterator[tuple[Path, list[str]]]:
    """The path of the same text in UTF-8, and notes; a temporary file where `path` is packed or encoded.

    Raises FileError for what is no text, with the line where it is known.
    """
    with tempfile.TemporaryDirectory(prefix="glassnet-") as folder, opened(path) as file:
        source, notes = _unpacked(file, path, shown, Path(folder, "unpacked"))
        with source.open("rb") as stream:
            found = _encoding(stream, shown, encoding)
        if encoding is None and found not in ("utf-8", "utf-8-sig"):
            notes.append(f"Encoding {found}.")
        if found not in ("utf-8", "utf-8-sig") or not _is_plain_name(source):
            source = _decoded(source, shown, found, Path(folder, "decoded"))
        yield source, notes


def _is_plain_name(path: Path) -> bool:
    """Whether DuckDB takes the path for one file: it fills in patterns, and knows no bytes."""
    text = str(path)
    return not any(mark in text for mark in "*?[\\") and text.isprintable() and path.is_file()


def _unpacked(file: IO[bytes], path: Path, shown: Path | str, target: Path) -> tuple[Path, list[str]]:
    """The file itself, or what is packed in it."""
    start = file.read(16)
    file.seek(0)
    try:
        for magic, unpack in _PACKED.items():
            if start.startswith(magic):
                with unpack(file) as content, target.open("wb") as out:
                    shutil.copyfileobj(content, out, _CHUNK)
                return target, []
        if start.startswith(b"PK\x03\x04"):
            return _member(file, shown, target)
        if start.startswith(b"\x28\xb5\x2f\xfd"):
            return _zstandard(file, shown, target), []
    except (
        OSError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise FileError(
            f"{shown} cannot be unpacked: {error or type(error).__name__}. It may be cut short."
        ) from error
    if not path.is_file():  # a pipe: it can be read once
        with target.open("wb") as out:
            shutil.copyfileobj(file, out, _CHUNK)
        return target, []
    return path, []


def _member(file: IO[bytes], shown: Path | str, target: Path) -> tuple[Path, list[str]]:
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
        if len(names) != 1:
            raise FileError(
                f"{shown} is a zip archive of {len(names)} files; expected one. Unpack it and give the "
                "file, or several."
            )
        with archive.open(names[0]) as content, target.open("wb") as out:
            shutil.copyfileobj(content, out, _CHUNK)
    return target, [f"Unpacked {names[0]}."]


def _zstandard(file: IO[bytes], shown: Path | str, target: Path) -> Path:
    zstandard = require("zstandard")
    with target.open("wb") as out:
        zstandard.ZstdDecompressor().copy_stream(file, out)
    return target


def _encoding(stream: IO[bytes], shown: Path | str, encoding: str | None) -> str:
    """The encoding of a text that was looked through whole; FileError where it is no text."""
    start = stream.read(1 << 16)
    stream.seek(0)
    for magic, kind in _NO_TEXT.items():
        if start.startswith(magic):
            raise FileError(f"{shown} is not a table but {kind}.")
    if start.lstrip()[:400].lower().startswith((b"<!doctype", b"<html", b"<table", b"<?xml")):
        raise FileError(
            f"{shown} is a web page or XML, whatever its name says; expected a table. Download the file "
            "itself, or open the page and save its table as CSV."
        )
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise InputError(
                f"Unknown encoding {encoding!r}; expected a name such as utf-8, latin-1 or cp1252."
            ) from error
        return encoding
    for mark, name in _MARKS.items():
        if start.startswith(mark):
            return _checked(stream, shown) if name == "utf-8-sig" else name
    if found := _utf_16(start):
        return found
    return _checked(stream, shown)


def _utf_16(start: bytes) -> str:
    """UTF-16 without a mark: every other byte of Latin text is zero."""
    even, odd = start[::2].count(0), start[1::2].count(0)
    half = len(start) // 2
    if half and max(even, odd) > 0.6 * half and min(even, odd) < 0.05 * half:
        return "utf-16-le" if odd > even else "utf-16-be"
    return ""


def _checked(stream: IO[bytes], shown: Path | str) -> str:
    """UTF-8 where all of it is; else what a detector finds."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    done = rest = 0
    bad: tuple[int, int, bytes] | None = None
    zeros = False
    while True:
        chunk = stream.read(_CHUNK)
        done += len(chunk)
        if not zeros and b"\0" in chunk:
            _refuse_zero_bytes(stream, shown)
            zeros = True
        end = chunk.rfind(b"\n") if b"\n" in chunk else chunk.rfind(b"\r")
        rest = len(chunk) - 1 - end + (rest if end < 0 else 0)
        if rest > LONGEST_LINE:
            _refuse_long_line(chunk, _line(stream, done), shown)
        if bad is None and not (chunk.isascii() and chunk and not decoder.getstate()[0]):
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                line = _line(stream, done - len(error.object) + error.start)
                bad = (line, error.object[error.start], error.object)
        if not chunk:
            return "utf-8" if bad is None else _detected(shown, *bad)


def _line(stream: IO[bytes], place: int) -> int:
    """The line on which the byte at `place` lies, from 1."""
    here = stream.tell()
    stream.seek(0)
    chunks = (stream.read(min(_CHUNK, place - start)) for start in range(0, place, _CHUNK))
    line = 1 + sum(chunk.count(b"\n") for chunk in chunks)
    stream.seek(here)
    return line


def _refuse_long_line(chunk: bytes, line: int, shown: Path | str) -> None:
    cells = 1 + max(chunk.count(mark) for mark in (b",", b";", b"\t", b"|"))
    if cells > 1000:
        raise FileError(
            f"Line {line} of {shown} has more than {cells:,} columns; expected a table with one row a "
            "line. Perhaps rows and columns are the wrong way round."
        )
    raise FileError(
        f"Line {line} of {shown} is longer than {LONGEST_LINE:,} bytes: this is no table of rows, or a "
        "double quote is not closed."
    )


def _refuse_zero_bytes(stream: IO[bytes], shown: Path | str) -> None:
    """Zero bytes between double quotes are characters like any other; elsewhere they mean no text."""
    here = stream.tell()
    stream.seek(0)
    line, quotes = 1, 0
    while chunk := stream.read(_CHUNK):
        for number, part in enumerate(chunk.split(b'"'), quotes):
            if number % 2 == 0 and b"\0" in part:
                line += part.count(b"\n", 0, part.index(b"\0"))
                raise FileError(f"{shown} is not a text file: line {line} holds a zero byte.")
            line += part.count(b"\n")
        quotes = number
    stream.seek(here)


def may_hold_odd_numbers(path: Path, delimiter: str, quote: str) -> bool:
    """Whether a cell may be what DuckDB takes for a number, but is none here: 007, or 1_000."""
    rest = b"\n"
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            text = np.frombuffer(rest + block.removeprefix(codecs.BOM_UTF8), np.uint8)
            before, middle = text[:-2], text[1:-1]
            digit = text - np.uint8(ord("0")) < 10
            begins = before == ord(delimiter)
            begins |= before <= ord("\r")
            if quote.encode() in block:
                begins |= before == ord(quote)
            begins &= middle == ord("0")
            begins &= digit[2:]
            if begins.any():
                return True
            if b"_" in block and np.any((middle == ord("_")) & digit[:-2] & digit[2:]):
                return True
            rest = block[-2:]
    return False


_ENCODINGS = [
    "cp1252",
    "latin_1",
    "cp1250",
    "cp1251",
    "koi8_r",
    "cp1253",
    "cp1254",
    "shift_jis",
    "euc_kr",
    "big5",
]
_ENCODINGS += ["gb18030", "euc_jp", "cp1255", "cp1256", "cp437", "mac_roman"]


def _detected(shown: Path | str, line: int, byte: int, chunk: bytes) -> str:
    """The encoding of a text that is not UTF-8 from this line on."""
    read = chunk.decode("utf-8", "surrogateescape")
    odd = sum("\udc80" <= character <= "\udcff" for character in read)
    if sum(character > "\x7f" for character in read) - odd > odd:
        raise FileError(
            f"{shown} is text in UTF-8, but byte 0x{byte:02x} on line {line} is not: two encodings are "
            "mixed. Mend that line, or give the encoding of the whole file (--encoding)."
        )
    import charset_normalizer

    telling = b"\n".join(part for part in chunk.split(b"\n") if not part.isascii())[: 1 << 15]
    matches = charset_normalizer.from_bytes(telling, cp_isolation=_ENCODINGS, enable_fallback=False)
    best = matches.best()
    western = next(
        (match for match in matches if "cp1252" in (match.encoding, *match.could_be_from_charset)), None
    )
    if best is None or (western is not None and western.chaos <= best.chaos + 0.02):
        return "cp1252"
    return best.encoding


def _decoded(source: Path, shown: Path | str, encoding: str, target: Path) -> Path:
    """The text in UTF-8, written to `target`."""
    done = 0
    try:
        with (
            source.open(encoding=encoding, newline="") as text,
            target.open("w", encoding="utf-8", newline="") as out,
        ):
            while part := text.read(_CHUNK):
                out.write(part)
                done += part.count("\n")
    except (UnicodeError, LookupError) as error:
        raise FileError(
            f"{shown} is not text in {encoding}, from line {done + 1} on at the latest: {error}. Give the "
            "encoding that it was written in (--encoding)."
        ) from error
    return target
