"""Numbers that have to stay the same to the bit while the insides of glassnet change.

The cases in `same_cases/` compute numbers through the public face alone: the names of ``glassnet.__all__``,
what is documented of their objects, and the command line. `digest` makes a short text of them.
``data/same_numbers.json`` has the digests in two sections: "portable" ones, the same on every x86-64
processor and with every BLAS, and those of one "machine", which depend on NumPy's exp and BLAS's sums.
The tests compare the portable ones; on one machine, before and after a change, compare them all:

    python tests/same_numbers.py --write before.json
    python tests/same_numbers.py --compare before.json

--show prints the numbers of a case one by one, to compare them before and after. New cases go into the data
with ``--add tests/data/same_numbers.json``, which leaves the other digests alone and finds out which of the
new ones are portable. Where numbers are meant to change, delete their digests and --add.
"""

import argparse
import hashlib
import json
import math
import os
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import same_cases  # noqa: F401 - its modules register their cases
from same_cases.common import BY_NUMPY_ALONE, CASES

EXPECTED = Path(__file__).resolve().parent / "data" / "same_numbers.json"


def compute(name):
    """The numbers of a case, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CASES[name]()


# ---- Digests ----------------------------------------------------------------------------------------


def digest(value):
    """The SHA-256 of a nested structure: of arrays dtype, shape and bytes, of floats their 8 bytes.

    Lists and tuples are alike, as are NumPy's numbers and Python's of the same kind. All NaNs are one.
    """
    sha = hashlib.sha256()
    _feed(sha.update, value)
    return sha.hexdigest()


def _feed(update, value):
    if isinstance(value, np.generic) and value.dtype.kind in "biuUS" + "f" * (value.dtype == np.float64):
        value = value.item()
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.ascontiguousarray(value)
        if array.dtype.hasobject:
            array = np.asarray([str(one) for one in array.ravel()]).reshape(array.shape)
        if array.dtype.kind == "f":
            array = np.where(np.isnan(array), np.array(np.nan, array.dtype), array)
        update(f"array {array.dtype.str} {np.shape(value)};".encode())
        update(array.tobytes())
    elif isinstance(value, float):
        update(b"float " + struct.pack("<d", math.nan if math.isnan(value) else value))
    elif value is None or isinstance(value, (bool, int)):
        update(f"{type(value).__name__} {value};".encode())
    elif isinstance(value, (str, bytes)):
        data = value.encode() if isinstance(value, str) else value
        update(f"{type(value).__name__} {len(data)};".encode() + data)
    elif isinstance(value, (list, tuple)):
        update(f"list {len(value)};".encode())
        for one in value:
            _feed(update, one)
    elif isinstance(value, dict):
        update(f"dict {len(value)};".encode())
        for item in value.items():
            for one in item:
                _feed(update, one)
    else:
        raise TypeError(f"A case gave {type(value).__name__}: make arrays, numbers or text of it.")


def digests(names):
    """The digest of each case; of a case that fails the error, which is no digest."""
    results = {}
    for name in names:
        try:
            results[name] = digest(compute(name))
        except Exception as error:
            results[name] = f"{type(error).__name__}: {error}"
    return results


def entries(value, place=""):
    """Each array, number and text of a nested structure with its place, for people to compare."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from entries(one, f"{place}.{key}")
    elif isinstance(value, (list, tuple)):
        for number, one in enumerate(value):
            yield from entries(one, f"{place}[{number}]")
    elif isinstance(value, np.ndarray):
        few = ", ".join(repr(one.item()) for one in value.ravel()[:4]) + ", ..." * (value.size > 4)
        yield f"{place} {value.dtype} {value.shape} {digest(value)[:16]} [{few}]"
    else:
        yield f"{place} {value!r}"


# ---- Other machines ---------------------------------------------------------------------------------

SIMD = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])

ENVIRONMENTS = {
    "this machine once more": {},
    "the portable engine": {"GLASSNET_ISA": "portable"},
    "AVX2 alone": {
        "GLASSNET_ISA": "avx2",
        "NPY_DISABLE_CPU_FEATURES": " ".join(one for one in SIMD if "512" in one or "V4" in one),
        "OPENBLAS_CORETYPE": "Haswell",
    },
    "NumPy's baseline": {"NPY_DISABLE_CPU_FEATURES": " ".join(SIMD), "OPENBLAS_CORETYPE": "Sandybridge"},
    "Zen": {"OPENBLAS_CORETYPE": "Zen"},
    "AVX-512, one thread": {
        "GLASSNET_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OPENBLAS_CORETYPE": "SkylakeX",
    },
}
"""Other machines, as far as this one can imitate them."""

THERE = "import json, same_numbers as same; print(json.dumps(same.digests(json.loads(input()))))"


def portable_of(here):
    """The names of those digests that are the same on other machines."""
    portable = set(here) - BY_NUMPY_ALONE
    for words, environment in ENVIRONMENTS.items():
        printed = subprocess.run(
            [sys.executable, "-c", THERE],
            input=json.dumps(list(here)),
            cwd=EXPECTED.parents[1],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        there = json.loads(printed.splitlines()[-1])
        others = {name for name in here if there[name] != here[name]}
        print(f"{words}: {len(others)} of {len(here)} differ", file=sys.stderr)
        portable -= others
    return portable


# ---- The program ------------------------------------------------------------------------------------


def read(file):
    """The sections of a file."""
    return json.loads(Path(file).read_text("utf-8"))


def save(file, sections, computed):
    """Write the sections, unless a case failed; the exit status."""
    failed = {name: text for name, text in computed.items() if len(text) != 64}
    for name, text in failed.items():
        print(f"failed: {name}: {text}")
    if not failed:
        Path(file).write_text(json.dumps(sections, indent=1) + "\n", "utf-8")
    return 1 if failed else 0


def write(file):
    """Write all digests, in the sections of the data; the exit status."""
    computed, portable = digests(CASES), read(EXPECTED)["portable"]
    sections = {"portable": {}, "machine": {}}
    for name, text in computed.items():
        sections["portable" if name in portable else "machine"][name] = text
    return save(file, sections, computed)


def add(file):
    """Add the digests of cases that the file lacks, drop those of no case, change no other."""
    sections = {
        section: {name: text for name, text in known.items() if name in CASES}
        for section, known in read(file).items()
    }
    new = digests(name for name in CASES if not any(name in known for known in sections.values()))
    portable = portable_of(new) if new else set()
    for name, text in new.items():
        sections["portable" if name in portable else "machine"][name] = text
    print(f"{len(new)} new cases")
    return save(file, sections, new)


def compare(file):
    """Print each case that differs from the file's; the exit status."""
    sections = read(file)
    known, computed = {**sections["portable"], **sections["machine"]}, digests(CASES)
    problems = [f"is gone: {name}" for name in known if name not in CASES]
    for name, text in computed.items():
        if name not in known:
            problems.append(f"is new: {name}")
        elif text != known[name]:
            problems.append(f"differs: {name}" + (f" ({text})" if len(text) != 64 else ""))
    print("\n".join(problems))
    equal = sum(known.get(name) == text for name, text in computed.items())
    print(f"{equal} of {len(known)} cases have the same numbers")
    return 1 if problems else 0


def show(name):
    """Print the numbers of a case one by one; the exit status."""
    print("\n".join(entries(compute(name))))
    return 0


def main():
    """The command line of this file; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", metavar="FILE", help="write all digests")
    action.add_argument("--add", metavar="FILE", help="add the digests that a file lacks")
    action.add_argument("--compare", metavar="FILE", help="compare all digests with a file's")
    action.add_argument("--show", metavar="NAME", help="print the numbers of a case one by one")
    [(name, value)] = [item for item in vars(parser.parse_args()).items() if item[1] is not None]
    return {"write": write, "add": add, "compare": compare, "show": show}[name](value)


if __name__ == "__main__":
    sys.exit(main())
