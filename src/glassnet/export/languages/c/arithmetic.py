"""The functions that a C file is made of: texts with names that begin with N_, of which the writer takes
those that a network needs."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

# The numbers of src/glassnet/native/kernels/math.hpp, special.hpp and functions_of_z.hpp, digit for digit.
_FLOAT64 = {
    "real": "double",
    "whole": "uint64_t",
    "abs": "fabs",
    "EXP": "exp",
    "EXP_LESS_1": "expm1",
    "LOG_1_PLUS": "log1p",
    "TANH": "tanh",
    "ERFC": "erfc",
    "LEAST": "2.2250738585072014e-308",
    "MANTISSA": "52",
    "LANES": "8",
    "ROUNDER": "6755399441056767.0",
    "LOG2E": "1.4426950408889634",
    "LN2_HIGH": "0.69314718055994529",
    "LN2_LOW": "2.3190468138462996e-17",
    "LARGEST": "708",
    "LIFT": "64",
    "UP": "18446744073709551616.0",
    "DOWN": "5.4210108624275222e-20",
    "LOWEST": "-752",
    "HIGHEST": "710",
    "HUGE": "1.0715086071862673e+301",
    "LAST_NORMAL": "38.75",
    "LAST_TANH": "21.75",
    "HALF": "0.5",
    "LEAK": "0.01",
    "ROOT2_LESS_1": "0.41421356237309505",
    "ROOT_HALF": "0.70710678118654752",
    "SELU_RISE": "1.0507009873554804934193349852946",
    "SELU_FALL": "1.7580993408473768599402175208123",
    "ROOT_2_PI": "0.39894228040143267794",
    "LINEAR": "1.5957691216057308",
    "LINEAR_LOW": "-9.96930880911092e-17",
    "CUBIC": "0.07135481627260025",
    "CUBIC_LOW": "-6.175149918155315e-19",
    "EXPM1": "0.50000000000000010221, 0.16666666666666667453, 0.041666666666624127873, "
    "0.0083333333333300618325, 0.0013888888917213716901, 0.00019841269863053616878, "
    "0.000024801521295954375131, 2.7557268459997064772e-6, 2.7620088445409748161e-7, "
    "2.5100385495510319078e-8",
    "COTH": "0.16666666666666661543, -0.0027777777777564486538, 0.000066137564716653568171, "
    "-1.6534060099911120064e-6, 4.1437694230358818004e-8",
    "LOG": "0.66666666666666697077, 0.39999999999898890514, 0.28571428626253837606, "
    "0.22222211089379496214, 0.18182892432536871201, 0.15331611722055007885, 0.14617807153417324964",
    "TAIL": "0.75528513041575149325, -0.60789664197189210796, 0.38713740074221454721, "
    "-0.18652185795965720076, 0.060396574890936264282, -0.0075401889667284498713, "
    "-0.0034796923673883844162, 0.0016308184576158087701, 0.00013334431236708112847, "
    "-0.00023109493541021952892, -1.9082583174347645229e-6, 0.000035144687320663269164, "
    "7.1666619378219320311e-7, -5.9201774301040393075e-6, -6.2969778280402463192e-7, "
    "1.0215622012930907094e-6, 2.7180954941831504981e-7, -1.5497431587308392032e-7, "
    "-8.5417149459131429901e-8, 1.3285909329606024256e-8, 1.9627084481329454024e-8, "
    "1.9182297145703236588e-9, -2.5246704210551829426e-9, -7.2705429108152281642e-10",
}
_SHARED = (
    *("abs", "EXP", "EXP_LESS_1", "LOG_1_PLUS", "TANH", "ERFC"),
    *("HALF", "LEAK", "ROOT2_LESS_1", "ROOT_HALF", "SELU_RISE", "SELU_FALL", "ROOT_2_PI"),
)
_FLOAT32 = {
    **{name: f"{_FLOAT64[name]}f" for name in _SHARED},
    "real": "float",
    "whole": "uint32_t",
    "LEAST": "1.17549435e-38f",
    "ROUNDER": "12583039.0f",
    "LOG2E": "1.44269504f",
    "LN2_HIGH": "0.693147182f",
    "LN2_LOW": "-1.90465430e-9f",
    "UP": "4294967296.0f",
    "DOWN": "2.32830644e-10f",
    "HUGE": "1.26765060e+30f",
    "LAST_NORMAL": "14.6f",
    "LINEAR": "1.5957692f",
    "LINEAR_LOW": "-4.534068e-08f",
    "CUBIC": "0.071354814f",
    "CUBIC_LOW": "2.3988325e-09f",
    "EXPM1": "0.5f, 0.1666657699f, 0.041666554617f, 0.0083631790527f, 0.0013926183588f",
    "COTH": "0.16666654769f, -0.0027698538078f",
    "LOG": "0.66666685095f, 0.39988757717f, 0.2958098593f",
    "TAIL": "0.75528513051f, -0.60789665804f, 0.38713737952f, -0.18652130171f, 0.060397341425f, "
    "-0.0075452727324f, -0.0034883282636f, 0.0016460881936f, 0.00016971247762f, -0.00023404601875f, "
    "-5.2425462612e-5f",
    "MANTISSA": "23",
    "LANES": "16",
    "LARGEST": "87",
    "LIFT": "32",
    "LOWEST": "-109",
    "HIGHEST": "89",
    "LAST_TANH": "11",
}
NUMBERS = {
    "float64": _FLOAT64,
    "float32": _FLOAT32,
    "int16": {**_FLOAT32, "integer": "int16_t", "total": "int64_t", "MOST": "32767"},
    "int8": {**_FLOAT32, "integer": "int8_t", "total": "int32_t", "MOST": "127"},
}
"""What stands for N_real, N_abs, N_LOG2E and so on in each precision."""

FIXED = {name: int(numbers["MOST"]) for name, numbers in NUMBERS.items() if "MOST" in numbers}
"""The largest whole number of each precision of fixed point."""

_PARTS = {
    "bits": ("bits", "floating", "train", "shared"),
    "small": ("small", "floating", "shared"),
    "fixed": ("small", "fixed", "shared"),
}


@cache
def _functions(mode: str) -> dict[str, str]:
    """Every function of a mode, or of fixed point, by name, in the order in which they stand."""
    found = {}
    text = "\n\n".join(map(part, _PARTS[mode]))
    for function in text.split("\n\n"):
        name = re.search(r"^static \w+ N_(\w+)\(", function, re.MULTILINE)
        assert name
        found[name[1]] = function
    return found


def part(name: str) -> str:
    """The text of a file beside this one."""
    return (files(__package__) / f"{name}.c").read_text("utf-8").strip()


def arithmetic(text: str, mode: str, precision: str, name: str, slopes: bool) -> str:
    """The functions that a text calls, and the text: every N_ becomes the model's name, or a number.

    Without slopes, what gives a derivative is left out.
    """
    functions = _functions(mode)
    taken: dict[str, str] = {}

    def take(text: str) -> None:
        for called in re.findall(r"N_([a-z]\w*)", text):
            if called in functions and called not in taken:
                taken[called] = functions[called] if slopes else _without_slopes(functions[called])
                take(taken[called])

    take(text)
    whole = "\n\n".join([*(taken[one] for one in functions if one in taken), text])
    numbers = NUMBERS[precision]

    def replaced(match: re.Match[str]) -> str:
        known = numbers.get(match[1])
        if known is None:
            return f"{name}_{match[1]}"
        return f"{{{known}}}" if ", " in known else known

    return re.sub(r"\bN_(\w+)", replaced, whole)


def _without_slopes(function: str) -> str:
    body = re.sub(r"  if \(slope\) (\{.*?\n  \}|[^\n]*)\n", "", function, flags=re.DOTALL)
    return re.sub(r", N_real \*slope\b|, slope\b", "", body)
