"""Streamed rows: Parquet, memory maps, arrays in blocks, Dask."""

import contextlib
import itertools
import json
import os

import numpy as np

import glassnet as gn
from same_cases.common import (
    case,
    classes_of,
    folder,
    held_out,
    inputs,
    of_run,
    saved_and_loaded,
    tell,
    trained,
    values_of,
)
from same_cases.functions import of_curvature

NAMES = [f"x{k}" for k in range(4)]
NETWORK = gn.Network((4, 5, 3), hidden="tanh")


def streamed_rows(n=1003):
    """Inputs, classes and weights."""
    X = inputs(n, 4, seed=6) * [1.0, 2.0, 5.0, 0.5] + [0.0, 3.0, -1.0, 0.0]
    return X, classes_of(inputs(n, 4, seed=6)), np.arange(n) % 7 * 0.5 + 0.5


def columns_of_rows(n=1003):
    """The same as columns, with targets of each kind."""
    X, y, w = streamed_rows(n)
    labels = np.array(["ash", "fir", "oak"])[y]
    columns = {name: X[:, k] for k, name in enumerate(NAMES)}
    return {**columns, "class": y, "tree": labels, "weight": w, "value": values_of(X)[:, 0]}


def write_parquet(here, columns, edges, row_group):
    """A folder of Parquet files, cut at the edges."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    here.mkdir(exist_ok=True)
    for part, (start, stop) in enumerate(itertools.pairwise(edges)):
        table = pa.table({name: values[start:stop] for name, values in columns.items()})
        pq.write_table(table, here / f"part-{part}.parquet", row_group_size=row_group)
    return here


@contextlib.contextmanager
def parquet(n=1003):
    """A folder of three Parquet files of several row groups."""
    with folder() as here:
        yield write_parquet(here / "rows", columns_of_rows(n), [0, 400, 401, n], 150)


def weighted(n=1003, **settings):
    """Arrays in blocks."""
    X, y, w = streamed_rows(n)
    return gn.stream(X, y, sample_weight=w, **settings)


STREAMED = {
    "full": {},
    "float32": {"dtype": "float32", "l2": 0.01, "average": 0.5},
    "batches": {"batch_size": 64, "iterations": 3},
    "dropout": {"batch_size": 64, "iterations": 3, "dropout": 0.2, "max_norm": 1.0},
    "balanced": {"class_weight": "balanced", "reduction": "sum", "optimizer": gn.SGD(1e-4)},
    "stopping": {"validation": held_out(), "stopping": gn.EarlyStopping(2), "iterations": 30},
    "lbfgs": {"optimizer": gn.LBFGS()},
    "newton_cg": {"optimizer": gn.NewtonCG(), "iterations": 4},
    "levenberg_marquardt": {"optimizer": gn.LevenbergMarquardt(), "iterations": 4},
    "bayesian": {"optimizer": gn.BayesianRegularization(), "iterations": 4},
}


@case("stream", ("parquet", "array"), STREAMED)
def _(source, name):
    with parquet() as here:
        rows = weighted(memory="128 MiB")
        if source == "parquet":
            rows = gn.stream(here, "class", features=NAMES, sample_weight="weight", memory="128 MiB")
        run = trained((NETWORK, rows), **{"iterations": 6, **STREAMED[name]})
        numbers = [of_run(run), run.score(rows), run.predict(rows), run.predict_proba(rows)]
        return numbers if name == "stopping" else [*numbers, of_run(run.resume(2))]


@case("stream-standardize", ("parquet", "array", "batches"))
def _(kind):
    X, y, _ = streamed_rows()
    with parquet() as here:
        rows = gn.stream(X, y, standardize=True)
        if kind == "parquet":
            rows = gn.stream(here, "class", features=NAMES, standardize=True)
        settings = {"batch_size": 50, "iterations": 2} if kind == "batches" else {"iterations": 5}
        run = trained((NETWORK, rows), **settings)
        new = gn.stream(X[:200], standardize=(rows.mean, rows.scale))
        numbers = [of_run(run), rows.mean, rows.scale, run.predict_proba(new), run.score(rows)]
        extra = json.loads(json.dumps(run.extra, default=lambda value: np.asarray(value).tolist()))
        return [*numbers, extra, of_run(saved_and_loaded(run))]


@case("stream-mapped", ("full", "batches"))
def _(way):
    X, y, w = streamed_rows(5003)
    settings = {"batch_size": 500, "iterations": 2} if way == "batches" else {"iterations": 4}
    with folder() as here:
        np.save(here / "X.npy", X)
        rows = gn.stream(np.load(here / "X.npy", mmap_mode="r"), y, sample_weight=w)
        run = trained((NETWORK, rows), **settings)
        return [of_run(run), run.predict_proba(rows)]


@case("stream-windows", ("parquet", "array"), ("shuffled", "unshuffled"))
def _(source, order):
    """More rows than fit into a window, which batches are drawn from."""
    n, width = 60_000, 16
    X = np.round(np.random.RandomState(8).uniform(-1, 1, (n, width)), 3)
    y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)
    network = gn.Network((width, 4, 2), hidden="relu")
    with folder() as here:
        rows = gn.stream(X, y, memory="96 MiB")
        if source == "parquet":
            columns = {f"x{k:02}": X[:, k] for k in range(width)}
            write_parquet(here / "rows", {**columns, "class": y}, [0, 25_000, n], 8_000)
            rows = gn.stream(here / "rows", "class", memory="96 MiB")
        run = trained((network, rows), batch_size=1500, iterations=1, shuffle=order == "shuffled")
        return [of_run(run), of_run(run.resume(1))]


@case("stream-values", ("one", "two", "lists"))
def _(kind):
    X, _, w = streamed_rows()
    Y = values_of(X, 2 if kind == "two" else 1)
    with folder() as here:
        rows = gn.stream(X, Y, sample_weight=w)
        if kind == "lists":
            columns = {name: X[:, k] for k, name in enumerate(NAMES)} | {"value": Y[:, 0]}
            write_parquet(here / "a", columns, [0, 600], 100)
            write_parquet(here / "b", {name: one[600:] for name, one in columns.items()}, [0, 403], 200)
            rows = gn.stream([here / "b", here / "a" / "part-0.parquet"], "value")
        run = trained((gn.Network((4, 5, Y.shape[1]), output="identity"), rows), iterations=4)
        return [of_run(run), run.predict(rows), run.score(rows)]


@case("stream-path")
def _():
    """A path as `train` itself takes it, and predictions for files without targets."""
    with folder() as here:
        columns = {name: one for name, one in columns_of_rows().items() if name in (*NAMES, "class")}
        write_parquet(here / "rows", columns, [0, 500, 1003], 200)
        run = trained((NETWORK, str(here / "rows"), "class"), iterations=4)
        return [of_run(run), run.predict(gn.stream(here / "rows", features=NAMES))]


case("stream-curvature", by_numpy=True)(
    lambda: of_curvature(gn.curvature(NETWORK, NETWORK.initialize(2), weighted(400)))
)
case("stream-numpy", by_numpy=True)(lambda: tell((NETWORK, weighted(300)), engine="numpy", iterations=4))


def frame_on_dask(*names):
    """Columns as a frame of Dask's in three partitions."""
    import dask.dataframe as dd
    import pandas as pd

    columns = columns_of_rows()
    frame = pd.DataFrame({name: columns[name] for name in (*NAMES, *names)})
    return dd.from_pandas(frame, npartitions=3)


@case("dask", ("arrays", "dataframe"))
def _(kind):
    """On a cluster of threads in this process."""
    import dask
    import dask.array as da

    X, y, w = streamed_rows()
    with dask.config.set(scheduler="threads"):
        if kind == "arrays":
            on_dask = da.from_array(X, chunks=(300, 2)), da.from_array(y, chunks=250)
            rows = gn.stream(*on_dask, sample_weight=w)
        else:
            rows = gn.stream(frame_on_dask("class", "weight"), "class", sample_weight="weight")
        run = trained((NETWORK, rows), iterations=3)
        batches = tell((NETWORK, rows), iterations=2, batch_size=100)
        return [of_run(run), run.predict_proba(rows), run.score(rows), batches]


@contextlib.contextmanager
def cores(count):
    """As if there were so many cores, for worker processes too."""
    before = os.environ.get("GLASSNET_THREADS")
    os.environ["GLASSNET_THREADS"] = str(count)
    try:
        yield
    finally:
        del os.environ["GLASSNET_THREADS"]
        if before is not None:
            os.environ["GLASSNET_THREADS"] = before


@case("dask-local")
def _():
    """Files that worker processes read."""
    with parquet() as here, cores(2):
        rows = gn.stream(here, "class", features=NAMES, sample_weight="weight", dask="local")
        run = trained((NETWORK, rows), iterations=3)
        return [of_run(run), run.predict(rows), run.score(rows)]
