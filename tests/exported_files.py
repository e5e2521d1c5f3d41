"""What an exported file gives, compared with its model."""

import numpy as np

from glassnet.export.languages.language import Options
from glassnet.export.model import Column, hard_rows
from glassnet.export.verification import distance


def keeps_promise(language, model, path, rows, precision, **settings):
    """Whether the file keeps its promise on the rows and on hard ones."""
    options = Options("net", precision, "", {**language.settings, **settings})
    path.write_bytes(language.write(model, options))
    values = np.vstack([rows, hard_rows(model)])
    expected, ran = model.outputs(values), language.run(path, model, options, values)
    near = language.promises(model, options)
    found = distance(expected, ran.outputs, model.numbers(expected), ran.numbers, near)
    assert ran.numbers is None or ran.numbers.min() >= 0
    return found.error <= near and not found.labels


def plain_columns(names):
    """A column of each feature, as it is."""
    return tuple(Column(name, place, ()) for place, name in enumerate(names))
