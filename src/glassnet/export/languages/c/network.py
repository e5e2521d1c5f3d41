"""The functions of a C file that compute a network, and its derivatives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

import numpy as np

from glassnet.export.languages.c.arithmetic import FIXED
from glassnet.export.languages.c.inputs import input_statements, slope_statements
from glassnet.export.languages.c.texts import behind, number, rows
from glassnet.export.languages.language import Options
from glassnet.export.model import Member, Model


def mode_of(options: Options) -> str:
    """The mode, "fixed" for whole numbers, which have no other."""
    return "fixed" if options.precision in FIXED else options.mode


def has_gradient(options: Options) -> bool:
    """Whether the file has the derivatives too."""
    return bool(options.settings.get("gradient"))


def has_slopes(options: Options) -> bool:
    """Whether the file's activations give their derivatives too."""
    return has_gradient(options) or trains(options)


def trains(options: Options) -> bool:
    """Whether the file trains too."""
    return bool(options.settings.get("train"))


def functions_of(model: Model) -> list[str]:
    """The name of each member's function; members that differ in their parameters alone have the same."""
    kinds = [
        (member.columns, member.network.sizes, member.network.hidden, member.mean, member.scale)
        for member in model.members
    ]
    distinct = list(dict.fromkeys(kinds))
    several = len(distinct) > 1
    return [f"N_member{f'_{distinct.index(kind) + 1}' * several}" for kind in kinds]


def network_functions(model: Model, options: Options) -> Iterator[str]:
    """A function for each kind of network: from the features' numbers to its outputs."""
    for name, member in dict(zip(functions_of(model), model.members, strict=True)).items():
        yield _member(model, member, options, name)
        if has_gradient(options):
            yield _gradient(model, member, name)


def starts_of(sizes: Sequence[int]) -> list[int]:
    """Where each layer's parameters begin, and where the last one's end."""
    return [0, *accumulate((before + 1) * after for before, after in pairwise(sizes))]


def unit_tables(member: Member, *names: str) -> list[str]:
    """The mean and the scale of the outputs' unit as tables, where there is one."""
    tables = ((name, getattr(member, name)) for name in names)
    return [
        f"  static const double {name}[] = {{{', '.join(map(number, values))}}};"
        for name, values in tables
        if values is not None
    ]


def _member(model: Model, member: Member, options: Options, name: str) -> str:
    sizes, starts, kept = member.network.sizes, starts_of(member.network.sizes), has_gradient(options)
    none = ", 0" * has_slopes(options)
    widest, fixed = max(sizes), options.precision in FIXED
    parameters = "const N_integer *weights, const float *scales" if fixed else "const N_real *theta"
    lines = [
        f"static void {name}({parameters}, const double *x, double *y{', N_real *kept' * kept}) {{",
        *unit_tables(member, "mean", "scale"),
        f"  N_real h[{widest}], z[{widest}];",
        *[f"  N_integer q[{widest}];"] * fixed,
        "  int i;",
        *input_statements(member.columns),
    ]
    source, target = "h", "z"
    functions = [record.name for record in member.network.hidden]
    for layer, (before, after) in enumerate(pairwise(sizes)):
        at, units = starts[layer], sum(sizes[1 : layer + 1])
        place = behind("theta", at)
        if fixed:
            place = f"{behind('weights', at - units)}, {behind('scales', 2 * units)}"
        lines.append(f"  N_layer({place}, {before}, {after}, {source}{', q' * fixed}, {target});")
        if layer < len(functions) and (kept or functions[layer] != "identity"):
            slope = f", kept ? {behind('kept + i', units)} : 0" if kept else none
            lines += each(after, f"{target}[i] = N_{functions[layer]}({target}[i]{slope});")
        source, target = target, source
    lines += _link(model, source, none)
    if kept:
        lines += ["  if (kept)", f"  {each(sizes[-1], f'kept[i + {sum(sizes[1:-1])}] = {source}[i];')[0]}"]
    if model.pair:
        return "\n".join([*lines, f"  y[0] = 1 - {source}[0];", f"  y[1] = {source}[0];", "}"])
    end = f"{source}[i]"
    if member.scale is not None:
        end = f"N_product({end}, scale[i]) + mean[i]"
        end = end if model.wide else f"N_rounded({end})"
    return "\n".join([*lines, *each(sizes[-1], f"y[i] = {end};"), "}"])


def each(count: int | str, statement: str) -> list[str]:
    """A statement for each i."""
    return [f"  for (i = 0; i < {count}; ++i) {statement}"]


def _link(model: Model, z: str, slope: str) -> list[str]:
    outputs = model.members[0].network.sizes[-1]
    match model.link:
        case "softmax" | "softmaxes":
            widths = model.softmaxes or (outputs,)
            starts = accumulate(widths[:-1], initial=0)
            return [f"  N_softmax({behind(z, at)}, {n});" for at, n in zip(starts, widths, strict=True)]
        case "identity":
            return []
        case "exp":
            return each(outputs, f"{z}[i] = N_exp_link({z}[i]);")
    return each(outputs, f"{z}[i] = N_{model.link}({z}[i]{slope});")


def _gradient(model: Model, member: Member, name: str) -> str:
    """A function that adds the derivatives of a network's outputs by the features' numbers to dy."""
    sizes, starts = member.network.sizes, starts_of(member.network.sizes)
    hidden, outputs, widest = sum(sizes[1:-1]), sizes[-1], max(sizes)
    places = [column.feature for column in member.columns]
    where, tables = "i", unit_tables(member, "scale")
    if places != [*range(len(places))]:
        where = "from[i]"
        tables.append(f"  static const int from[] = {{\n{rows(list(map(str, places)), '    ')}}};")
    inner = _link_row(model, hidden, outputs)
    if member.scale is not None:
        inner += each(outputs, "g[i] = (N_real)(g[i] * scale[o]);")
    source, target = "g", "b"
    for layer in reversed(range(len(sizes) - 1)):
        before, after = sizes[layer : layer + 2]
        inner.append(f"  N_back({behind('theta', starts[layer])}, {before}, {after}, {source}, {target});")
        if layer:
            slope = f"kept[{behind('i', sum(sizes[1:layer]))}]"
            inner += each(before, f"{target}[i] = N_times({target}[i], {slope});")
        source, target = target, source
    inner += each(sizes[0], f"dy[{where}] += (double){source}[i] * d[i];")
    lines = [
        f"static void {name}_gradient(const N_real *theta, const double *x, double *dy) {{",
        *tables,
        f"  N_real kept[{hidden + outputs}], g[{widest}], b[{widest}], d[{sizes[0]}];",
        "  double y[N_OUTPUTS];",
        "  int i, o;",
        f"  {name}(theta, x, y, kept);",
        *each(sizes[0], "d[i] = 1;"),
        *slope_statements(member.columns),
        "  for (o = 0; o < N_OUTPUTS; ++o, dy += N_INPUTS) {",
        *(f"  {line}" for line in inner),
    ]
    return "\n".join([*lines, "  }", "}"])


def _link_row(model: Model, hidden: int, outputs: int) -> list[str]:
    """Statements that give g the derivatives of output o by the output layer's Z, from the outputs."""
    of_i, of_o = f"kept[i + {hidden}]", f"kept[o + {hidden}]"
    match model.link:
        case "softmax":
            return each(outputs, f"g[i] = {of_o} * ((i == o) - {of_i});")
        case "softmaxes":
            stops = np.cumsum(model.softmaxes).tolist()
            part = "".join(f" + (i >= {stop})" for stop in stops[:-1])
            other = part.replace("i", "o")
            return each(outputs, f"g[i] = (0{part}) == (0{other}) ? {of_o} * ((i == o) - {of_i}) : 0;")
        case "logistic" if model.pair:
            return [f"  g[0] = (o ? 1 : -1) * kept[{hidden}] * (1 - kept[{hidden}]);"]
    slope = {"logistic": f"{of_i} * (1 - {of_i})", "exp": of_i, "identity": "1"}[model.link]
    return each(outputs, f"g[i] = i == o ? {slope} : 0;")
