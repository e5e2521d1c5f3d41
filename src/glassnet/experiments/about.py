"""What each built-in experiment is, read from its file, without drawing its data."""

from __future__ import annotations

import re
from typing import NamedTuple

from glassnet.data.generators import GENERATORS
from glassnet.experiments.library import built_in, find_experiment


class About(NamedTuple):
    """A built-in experiment: `rows` are all its rows, `outputs` classes or quantities.

    `network` has the widths of the layers and the hidden ones' activation, and `expected` the score that a
    run of these settings reached, of the rows held out where there are some.
    """

    name: str
    title: str
    description: str
    rows: int
    inputs: int
    outputs: int
    network: str
    expected: str


def about(name: str) -> About:
    """What the built-in experiment of a name is.

    >>> from glassnet.experiments import about
    >>> moons = about("moons")
    >>> moons.title, moons.rows, moons.network, moons.expected
    ('Two moons', 2000, '2-8-2 tanh', 'accuracy 1')
    """
    text, experiment = built_in()[name], find_experiment(name)
    data = experiment.of_named("data")
    inputs, outputs = GENERATORS[experiment["data.generator"]].width(data)
    sizes = "-".join(map(str, (inputs, *experiment["network.hidden"], outputs)))
    expected = re.search(r"^# Expected: (.*) of the .*\.$", text, re.MULTILINE)
    return About(
        name,
        experiment.title,
        _description(text),
        data["n_samples"],
        inputs,
        outputs,
        f"{sizes} {experiment['network.activation']}",
        expected[1] if expected else "",
    )


def _description(text: str) -> str:
    """The sentence at the head of a file, up to what is expected of it."""
    words = " ".join(line.removeprefix("# ") for line in text.partition("\n# Expected")[0].splitlines())
    return words.removeprefix("#").strip()
