"""A step of training on the device: gradient descent with momentum, by the engine's arithmetic."""

from __future__ import annotations

from itertools import accumulate, pairwise

from glassnet.data.holdout import listed
from glassnet.errors import InputError
from glassnet.export.languages.c.inputs import input_statements
from glassnet.export.languages.c.network import each, starts_of, unit_tables
from glassnet.export.languages.c.texts import behind, number
from glassnet.export.model import Model
from glassnet.nn.losses import LOSSES
from glassnet.utils.words import counted

STEP = "int N_train_step(const double *x, const double *y, int n, double rate, double momentum)"


def require_trainable(model: Model) -> None:
    """InputError for a model that no step of training is written for."""
    if len(model.members) > 1 or model.softmaxes:
        raise InputError(
            "train=True is of one network with outputs of one kind; export a member of the ensemble, or an "
            "estimator of one target."
        )
    loss = model.members[0].network.loss
    if not loss.is_built_in:
        named = f"{loss.name!r}{' of your own' * (loss.name in LOSSES)}"
        raise InputError(f"train=True: the loss {named} has no step in C; those of {listed(LOSSES)} have.")


def about(model: Model, name: str) -> str:
    """What a file says of its step."""
    labels = model.link == "softmax" or model.pair
    target = "the number of its label" if labels else counted(model.n_outputs, "target")
    return (
        f"{name}_train_step moves the parameters, {name}_theta, by one update of gradient descent with "
        f"momentum on a batch of n samples, up to {name}_BATCH: x has the inputs of one after the other, y "
        f"{target} of each. It gives 1 and does nothing for another n, else 0."
    )


def training_functions(model: Model) -> tuple[str, list[str]]:
    """The pass over one sample, and the lines of the step."""
    member = model.members[0]
    network, sizes, theta = member.network, member.network.sizes, starts_of(member.network.sizes)
    both = network.loss.name == "cross_entropy" and sizes[-1] == 2
    of_two = "_of_two" * both
    widths = [*sizes[:-1], 1 if both else sizes[-1]]
    h = [0, *accumulate(sizes[:-1])]  # where each layer's inputs begin
    d = [0, *accumulate(widths[1:])]  # where each layer's derivatives begin
    lines = [
        "static void N_pass(const double *x, const double *y, N_real *h, N_real *d) {",
        f"  N_real slope[{max(1, sum(sizes[1:-1]))}];",
        "  int i;",
        *input_statements(member.columns),
    ]
    last = len(sizes) - 2
    for layer, (before, after) in enumerate(pairwise(sizes)):
        target = behind("d", d[layer]) if layer == last else behind("h", h[layer + 1])
        given = f"{behind('N_theta', theta[layer])}, {before}, {after}, {behind('h', h[layer])}"
        lines.append(f"  N_layer{of_two * (layer == last)}({given}, {target});")
        if layer < last:
            entry, slope = f"h[{behind('i', h[layer + 1])}]", behind("slope + i", h[layer + 1] - sizes[0])
            lines += each(after, f"{entry} = N_{network.hidden[layer].name}({entry}, {slope});")
    lines += _deltas(model, widths[-1], f"d[{behind('i', d[last])}]", behind("d", d[last]), both)
    for layer in range(last, 0, -1):
        given = f"{behind('N_theta', theta[layer])}, {sizes[layer]}, {sizes[layer + 1]}"
        places = f"{behind('d', d[layer])}, {behind('d', d[layer - 1])}"
        lines.append(f"  N_back{of_two * (layer == last)}({given}, {places});")
        entry, slope = f"d[{behind('i', d[layer - 1])}]", f"slope[{behind('i', h[layer] - sizes[0])}]"
        lines += each(sizes[layer], f"{entry} = N_times({entry}, {slope});")

    H, D, n_targets = h[-1], d[-1], 1 if model.link == "softmax" else sizes[-1]
    step = [
        f"  static N_real velocity[{theta[-1]}], h[N_BATCH * {H}], d[N_BATCH * {D}];",
        "  int s;",
        "  if (n < 1 || n > N_BATCH) return 1;",
        "  for (s = 0; s < n; ++s)",
        f"    N_pass(x + s * N_INPUTS, y + s * {n_targets}, h + s * {H}, d + s * {D});",
    ]
    for layer, after in enumerate(sizes[1:]):
        at, shape = theta[layer], f"{sizes[layer]}, {widths[layer + 1]}, {after}"
        step += [
            f"  N_train_layer({behind('N_theta', at)}, {behind('velocity', at)}, {shape},",
            f"    {behind('h', h[layer])}, {H}, {behind('d', d[layer])}, {D}, "
            "n, (N_real)rate, (N_real)momentum);",
        ]
    return "\n".join([*lines, "}"]), [*step, "  return 0;"]


def _deltas(model: Model, outputs: int, entry: str, place: str, both: bool) -> list[str]:
    """Statements that put the loss's derivatives in place of the last layer's z."""
    member, loss = model.members[0], model.members[0].network.loss
    setting = float(next(iter(loss.settings.values()), 0.0))  # a loss has one at most

    def real(value: float) -> str:
        return f"(N_real){number(value)}"

    if loss.name == "cross_entropy":
        share = setting / member.network.sizes[-1]
        if not both:
            on, off = real(1 - setting + share), real(share)
            return [f"  N_cross_entropy({place}, {outputs}, (int)y[0], {on}, {off});"]
        target = "(N_real)y[0]"
        if setting:
            target = f"N_times({real(1 - setting)}, {target}) + {real(share)}"
        return ["  i = 0;", f"  {entry} = N_binary_cross_entropy({entry}, {target});"]
    tables = unit_tables(member, "mean", "scale")
    target = f"N_real_of({'(y[i] - mean[i]) / scale[i]' if tables else 'y[i]'})"
    further = {
        "absolute_error": ", 1, 1",
        "quantile": f", {real(1 - setting)}, {real(setting)}",
        "huber": f", {real(setting)}",
    }
    function = "pinball" if loss.name in ("absolute_error", "quantile") else loss.name
    call = f"N_{function}({entry}, {target}{further.get(loss.name, '')})"
    body = each(outputs, f"{entry} = {call};")
    return ["  {", *(f"  {line}" for line in [*tables, *body]), "  }"] if tables else body
