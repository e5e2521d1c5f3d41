"""TOML files, read and written: Python itself only reads them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glassnet.errors import FileError
from glassnet.utils.paths import read_bytes

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's content, or FileError."""
    data = read_bytes(path)
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not text in UTF-8. Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise FileError(f"{path} is not valid TOML: {error}. See https://toml.io.") from error


def to_toml(document: Mapping[str, Any], comment: str = "") -> str:
    """A document of text, numbers, truth values, lists and sections as TOML that reads back equal.

    >>> from glassnet.cli.experiments.toml import to_toml
    >>> print(to_toml({"name": "moons", "train": {"iterations": 10, "momentum": 0.5}}), end="")
    name = "moons"
    <BLANKLINE>
    [train]
    iterations = 10
    momentum = 0.5
    """
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    lines += [""] if lines else []
    lines += _section(document, ())
    return "\n".join(lines).strip("\n") + "\n"


def _section(content: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    values = {key: value for key, value in content.items() if not isinstance(value, Mapping)}
    sections = {key: value for key, value in content.items() if isinstance(value, Mapping)}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in values.items()]
    if path and (lines or not sections):
        lines = ["", f"[{'.'.join(map(_key, path))}]", *lines]
    for key, value in sections.items():
        lines += _section(value, (*path, key))
    return lines


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    # A TOML string is a JSON string, save that it must also escape DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(key)} = {_value(one)}' for key, one in value.items())}}}"
    return repr(value)
