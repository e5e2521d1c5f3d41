"""Trained networks as files of other languages, and the proof that these files compute the same."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.data.holdout import listed
from glassnet.errors import InputError
from glassnet.export.languages import language_of
from glassnet.export.languages.language import Language, MissingToolError, Options
from glassnet.export.model import hard_rows
from glassnet.export.sources import source_of
from glassnet.export.sources.source import Source
from glassnet.export.verification import Verification, distance, furthest
from glassnet.utils.paths import as_path, require_there
from glassnet.utils.storage import atomic_write


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
    """Write a trained network as a file of another language, whose kind the suffix of `path` names.

    The file computes ``proba = link(... phi(scale(x) W_1 + b_1) ... W_L + b_L)`` with all that stands
    before and behind the network: scaling, categories, dates, labels, the target's unit. Its functions take
    the features' numbers, NaN for a missing value, places of categories, and microseconds since 1970-01-01
    of dates; the file says so and names them.

    ``.c`` one C99 file, by default with the bits of `TrainingRun.predict_proba`; ``.onnx``; ``.py`` for
    NumPy, or for Python alone; ``.js`` one ES module; ``.sql`` one query; ``.m`` for Octave and MATLAB;
    and more: ``glassnet export --help`` lists them all.

    Parameters
    ----------
    subject : a run of `train`, a fitted estimator of glassnet or a network of scikit-learn, a pipeline of
        scikit-learn that ends in one, an `Ensemble`, or an `Imported` network.
    path : the file; an earlier one is replaced, once the new one is whole.
    name : what the file calls the model, with which its functions begin; the path's stem by default.
    precision : of the numbers in the file: "float64" or "float32", by default the network's; for C also
        "int16" and "int8", fixed point, whose error `verify_export` measures.
    mode : "bits" (default) or "small" for C; "numpy" (default) or "plain", without any library, for Python.
    verify : rows X as ``subject.predict`` takes them. The file is then run on them, and on rows that are
        hard to get right, as by `verify_export`, and is written only where it keeps its promise.
    **settings : of the language: for C ``gradient=True``, dy/dx as a function, and ``train=True``, a step
        of training on the device; for SQL ``table="samples"``, which the query reads, and ``key="id"``, the
        column that names a row; for ONNX ``zipmap=True``, a dictionary of probabilities for each row.

    Returns the `Verification` where `verify` asks for one, else None.

    Raises InputError, which names all that is wrong, for a suffix or an option that there is not, for
    functions of a user's own, for preprocessing that the language has no equal for, for a file that does
    not compute the same, and where `verify` cannot run the file because a tool is missing; FileError where
    the file cannot be written. Nothing is then written.

    >>> import glassnet as gn
    >>> X, y = [[0.0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> run = gn.train(gn.Network((2, 3, 2)), X, y, random_state=0, iterations=10)
    >>> print(gn.export(run, "xor.py", verify=X))  # doctest: +ELLIPSIS
    xor.py (Python; promises ...): verified
      4 rows of data: ...

    skl2onnx and sklearn2pmml export scikit-learn's networks and do not run what they write; MATLAB's
    ``genFunction`` writes MATLAB alone.
    """
    target = as_path(path)
    language = language_of(target.suffix)
    source = source_of(subject)
    options = _options(language, source, target, name, precision, mode, **settings)
    data = language.write(source.model, options)
    with atomic_write(target) as temporary:
        temporary.write_bytes(data)
        if verify is None:
            return None
        found = _verified(source, language, options, temporary, verify, target)
        if not found.passed:
            raise InputError(f"Nothing was written, because the file does not compute the same:\n{found}")
    return found


def verify_export(
    subject: object,
    path: str | os.PathLike[str],
    X: object,
    **options: Any,
) -> Verification:
    """Run an exported file on rows of X, and compare what it gives with what was exported.

    ``ulps = max |place(file(x)) - place(subject(x))|``, where `place` counts the numbers of the
    subject's precision from 0: units in the last place. Beside the rows of X the file runs on rows of NaN,
    infinities, numbers near the largest and smallest, and categories that training never saw.

    Parameters
    ----------
    subject, path, X : as for `export`.
    **options : the `name`, `precision`, `mode` and settings with which the file was exported.

    Returns a `Verification`, which prints itself; its `passed` says whether the file keeps its promise.

    Raises InputError where the tool that runs the file (a compiler, ONNX Runtime, Node, ...) is not
    installed, and says which, and where the file does not run or X has no rows; FileError where there is
    no file.

    >>> import glassnet as gn
    >>> X, y = [[0.0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> run = gn.train(gn.Network((2, 3, 2)), X, y, random_state=0, iterations=10)
    >>> gn.export(run, "xor.py")
    >>> gn.verify_export(run, "xor.py", X).passed
    True
    """
    target = as_path(path)
    language = language_of(target.suffix)
    source = source_of(subject)
    require_there(target)
    return _verified(source, language, _options(language, source, target, **options), target, X, target)


def _options(
    language: Language,
    source: Source,
    path: Path,
    name: str | None = None,
    precision: str | None = None,
    mode: str | None = None,
    **settings: Any,
) -> Options:
    """The options of a language; InputError, which names all that it does not have."""
    problems = []
    stem = re.sub(r"\W", "_", path.stem, flags=re.ASCII)
    chosen = name if name is not None else f"model_{stem}" if stem[0].isdigit() else stem
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
    for key, usual in language.settings.items():
        value, flag = settings.get(key, usual), isinstance(usual, bool)
        if type(value) is not type(usual) or value == "":
            problems.append(f"{key} is {value!r}; expected {'True or False' if flag else 'a text'}")
    if problems:
        raise InputError(f"{path}: {'; '.join(problems)}.")
    chosen_settings = {**language.settings, **settings}
    return Options(chosen, precision or default, mode or language.modes[0], chosen_settings)


def _verified(
    source: Source, language: Language, options: Options, file: Path, X: object, path: Path
) -> Verification:
    """What running `file`, which becomes `path`, on X gives."""
    if isinstance(X, bool):
        raise InputError(f"The rows to verify on are {X}; expected X as subject.predict takes it.")
    values, expected = source.values(X), source.outputs(X)
    if not len(values):
        raise InputError("X has no rows; expected at least one to verify on.")
    model, promised = source.model, language.promises(source.model, options)
    hard, as_written = hard_rows(model), model.in_precision(options.precision)
    if promised != 0:
        hard = hard[~as_written.overflows(hard)]
    try:
        ran = language.run(file, model, options, np.vstack([values, hard]))
    except MissingToolError as error:
        raise InputError(f"{path} cannot be verified here: {error}.") from error
    except InputError:
        raise
    except Exception as error:  # of the file, which this process runs
        raise InputError(f"{path} does not run: {type(error).__name__}: {error}") from error
    n, near = len(values), promised or 0.0
    expected_hard, refused = as_written.outputs(hard), ~as_written.finite(hard)
    numbers = [None, None] if ran.numbers is None else [ran.numbers[:n], ran.numbers[n:]]
    return Verification(
        str(path),
        language.name,
        distance(expected, ran.outputs[:n], model.numbers(expected), numbers[0], near),
        distance(expected_hard, ran.outputs[n:], model.numbers(expected_hard), numbers[1], near, refused),
        None if ran.gradients is None else furthest(model.gradients(values), ran.gradients[:n]),
        promised,
    )
