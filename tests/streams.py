"""What the tests of streamed rows share: samples, folders of Parquet files, and runs of the same bits."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

N, INPUTS = 5_003, 4
EDGES = [0, 1_300, 1_300, 1_301, 4_000, N]  # one file has no rows, one has a single row
NAMES = [f"x{i}" for i in range(INPUTS)]


def draw(n=N, classes=3):
    """X, class numbers and weights."""
    random = np.random.RandomState(0)
    return random.randn(n, INPUTS), random.randint(0, classes, n), random.uniform(0.5, 2, n)


def write(folder, X, y, w=None, edges=EDGES, group=700, **settings):
    """A folder of files with the columns x0, x1, ..., class and, where there are some, weights."""
    folder.mkdir(exist_ok=True)
    for number, (start, stop) in enumerate(pairwise(edges)):
        columns = {f"x{place}": column[start:stop] for place, column in enumerate(X.T)}
        columns["class"] = y[start:stop]
        if w is not None:
            columns["weight"] = w[start:stop]
        path = folder / f"part-{number}.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=group, **settings)
    return folder


def same(one, other):
    """Whether two runs have the same bits."""
    return (
        np.array_equal(one.losses, other.losses)
        and one.parameters == other.parameters
        and np.array_equal(one.state, other.state)
        and one.averaged == other.averaged
    )
