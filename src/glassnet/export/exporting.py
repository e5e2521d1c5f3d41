"""Trained networks as files of other languages, and the proof that these files compute the same."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.data.holdout import listed
from glassnet.errors import InputError
from glassnet.export.languages import language_at
from glassnet.export.languages.language import Language, MissingToolError, Options
from glassnet.export.model import hard_rows
from glassnet.export.sources import source_of
from glassnet.export.sources.source import Source
from glassnet.export.verification import Verification, distance, furthest, near_as_equal
from glassnet.utils.paths import as_path
from glassnet.utils.storage import atomic_write

PRECISIONS = ("float64", "float32", "int16", "int8")


def export(
    subject: object,
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    precision: str | None = None,
    mode: str | None = None,
    verify: object = None,
    **settings: Any,
) -> Verification | None:
    """Write a trained network as a file of another language, which the path's suffix names.

    (TODO)
    """
    target = as_path(path)
    language = language_at(target)
    source = source_of(subject)
    options = _options(language, source, target, name, precision, mode, settings)
    data = language.write(source.model, options)
    with atomic_write(target) as temporary:
        temporary.write_bytes(data)
        if verify is None:
            return None
        found = _verified(source, language, options, temporary, verify)
        if not found.passed:
            raise InputError(f"Nothing was written, because the file does not compute the same:\n{found}")
    return found


def verify_export(
    subject: object,
    path: str | os.PathLike[str],
    X: object,
    **options: Any,
) -> Verification:
    """Run an exported file, and compare what it gives with what was exported.

    (TODO)
    """
    target = as_path(path)
    language = language_at(target)
    source = source_of(subject)
    name, precision, mode = (options.pop(key, None) for key in ("name", "precision", "mode"))
    return _verified(
        source, language, _options(language, source, target, name, precision, mode, options), target, X
    )


def _options(
    language: Language,
    source: Source,
    path: Path,
    name: str | None,
    precision: str | None,
    mode: str | None,
    settings: Mapping[str, Any],
) -> Options:
    """The options of a language; InputError, which names all that it does not have."""
    problems = []
    chosen = name if name is not None else re.sub(r"\W", "_", path.stem, flags=re.ASCII)
    if not isinstance(chosen, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", chosen):
        problems.append(f"name is {chosen!r}; expected letters, digits and _, and no digit in front")
    own = source.model.dtype.name
    default = own if own in language.precisions else language.precisions[0]
    if precision is not None and precision not in language.precisions:
        problems.append(f"precision is {precision!r}; {language.name} has {listed(language.precisions)}")
    if mode is not None and mode not in language.modes:
        has = listed(language.modes) if language.modes != ("",) else "none"
        problems.append(f"mode is {mode!r}; {language.name} has {has}")
    unknown = [key for key in settings if key not in language.settings]
    if unknown:
        has = listed(language.settings) if language.settings else "none"
        problems.append(f"unknown settings {listed(unknown)}; {language.name} has {has}")
    if problems:
        raise InputError(f"{path}: {'; '.join(problems)}.")
    chosen_settings = {**language.settings, **settings}
    return Options(chosen, precision or default, mode or language.modes[0], chosen_settings)


def _verified(source: Source, language: Language, options: Options, path: Path, X: object) -> Verification:
    values, expected = source.values(X), source.outputs(X)
    hard = hard_rows(source.model)
    model, promised = source.model, language.promises(source.model, options)
    try:
        ran = language.run(path, model, options, np.vstack([values, hard]))
    except MissingToolError as error:
        raise InputError(f"{path} cannot be verified here: {error}.") from error
    n, near = len(values), promised or 0.0
    expected_hard = model.outputs(hard)
    found_hard = near_as_equal(expected_hard, ran.outputs[n:], ~model.finite(hard))
    numbers = [None, None] if ran.numbers is None else [ran.numbers[:n], ran.numbers[n:]]
    return Verification(
        str(path),
        language.name,
        distance(expected, ran.outputs[:n], model.numbers(expected), numbers[0], near),
        distance(expected_hard, found_hard, model.numbers(expected_hard), numbers[1], near),
        None if ran.gradients is None else furthest(model.gradients(values), ran.gradients[:n]),
        promised,
    )
