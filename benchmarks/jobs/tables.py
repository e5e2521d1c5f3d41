"""The default settings on tables as people have them, against scikit-learn's MLPs behind a pipeline.

A table is written as CSV and goes the way of ``glassnet train FILE --target COLUMN --task TASK``, without a
word on settings. scikit-learn's classes with their own defaults learn from the same rows, behind
a pipeline that fills gaps in, scales and encodes. Both predict the same rows held out.
"""

from __future__ import annotations

import csv
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.charts import OTHERS, OURS, set_axis_labels, set_heading
from benchmarks.contest import BenchmarkError
from benchmarks.jobs.options import Options
from benchmarks.record import FORMAT, columns
from benchmarks.tables import TABLES, Table
from glassnet.cli.jobs.judgement import answer_of
from glassnet.experiments import Override, find_experiment
from glassnet.experiments.preparation import Draws
from glassnet.plots.style import FAINT, GRID, flat_axes, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Rows = NDArray[np.intp]
Answer = NDArray[np.float64]
"""Probabilities of the sorted classes (rows, classes), or values (rows,)."""

PART = "part_of_benchmark"

QUICK = ("iris", "cars")

FIRST_SPLIT = 100
"""The seed of the first split: the settings were chosen by those of seeds 0 to 4."""

TICKS = (-0.2, -0.1, -0.05, -0.02, 0, 0.02, 0.05, 0.1, 0.2)


def measure_tables(options: Options) -> dict[str, Any]:
    """Scores and seconds of processor time on each table: a split for each of the rounds."""
    rows = []
    for name in QUICK if options.quick else TABLES:
        table, found = TABLES[name](), list[dict[str, Any]]()
        for split in range(1 if options.quick else options.rounds):
            found.append(_measured(table, FIRST_SPLIT + split))
        row = {
            "name": name,
            "rows": table.n_rows,
            "columns": len(table.features),
            "score": "accuracy" if table.classifies else "R2",
            "splits": found,
        }
        rows.append(row | _compared(found))
        options.say(_line(rows[-1]))
    import sklearn

    return {"format": FORMAT, "scikit_learn": sklearn.__version__, "tables": rows}


def _measured(table: Table, split: int) -> dict[str, Any]:
    """Each contestant's score, log loss and seconds on one split, a quarter of the rows held out."""
    from sklearn.model_selection import train_test_split

    rows = np.arange(table.n_rows)
    strata = table.y if table.classifies else None
    train, test = train_test_split(rows, test_size=0.25, random_state=split, stratify=strata)
    result: dict[str, Any] = {}
    for name, way in ways(table).items():
        began = time.process_time()
        answer = way(table, train, test, split)
        seconds = time.process_time() - began
        result[name] = {**_scores(table, test, answer, name), "seconds": seconds}
    return result


def ways(table: Table) -> dict[str, Callable[[Table, Rows, Rows, int], Answer]]:
    """Who takes part: of quantities scikit-learn twice, with y as it is and with y scaled."""
    if table.classifies:
        return {"glassnet": by_glassnet, "scikit-learn": by_sklearn}
    return {
        "glassnet": by_glassnet,
        "scikit-learn": by_sklearn,
        "scikit-learn, y scaled": partial(by_sklearn, scaled=True),
    }


def by_glassnet(table: Table, train: Rows, test: Rows, seed: int) -> Answer:
    """As ``glassnet train FILE --target COLUMN --task TASK --split PART`` reads, prepares and trains.

    What it tells of the network once it is trained is left out, and so is the gradient check.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        _write(path, table, train, test)
        said = {
            "data.target": table.target,
            "data.split": PART,
            "data.task": "classification" if table.classifies else "regression",  # as a class says it there
            "random_state": seed,
        }
        experiment = find_experiment(str(path), {key: Override(v, key) for key, v in said.items()})
        draws = Draws(experiment)
    draws.check_point()  # the stream goes on as in the command
    run, held_out = draws.train(draws.start()), draws.samples.held_out
    if held_out is None or held_out.n_rows != len(test):
        raise BenchmarkError(f"glassnet held out other rows than the {len(test)} that it was given.")
    answer = np.asarray(answer_of(draws.samples, run)(held_out.read_all().X), np.float64)
    return answer if table.classifies else answer.ravel()


def _write(path: Path, table: Table, train: Rows, test: Rows) -> None:
    order = np.concatenate([train, test])
    parts = ["train"] * len(train) + ["test"] * len(test)
    texts: dict[str, list[str]] = {name: _texts(values) for name, values in table.taken(order).items()}
    texts[PART] = parts
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(texts)
        writer.writerows(zip(*texts.values(), strict=True))


def _texts(values: NDArray[Any]) -> list[str]:
    if values.dtype.kind == "f":
        return ["" if np.isnan(value) else f"{value:.15g}" for value in values]
    return ["" if value is None else str(value) for value in values]


def by_sklearn(table: Table, train: Rows, test: Rows, seed: int, scaled: bool = False) -> Answer:
    """MLPClassifier or MLPRegressor as they are, behind a scaler, an encoder and what fills gaps in."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    frame, y = _with_parts_of_dates(table.frame()), table.y
    network: Any = (MLPClassifier if table.classifies else MLPRegressor)(random_state=seed)
    if scaled:
        network = TransformedTargetRegressor(network, transformer=StandardScaler())
    model = make_pipeline(_encoder(frame), network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is not there after its 200 epochs
        model.fit(frame.iloc[train], y[train].astype(str) if table.classifies else y[train])
        predict = model.predict_proba if table.classifies else model.predict
        return np.asarray(predict(frame.iloc[test]), np.float64)


def _encoder(frame: pd.DataFrame) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [name for name in frame if frame[name].dtype.kind in "fiu"]
    words = [name for name in frame if name not in numbers]
    one_hot = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=5, max_categories=30, sparse_output=False
    )
    return ColumnTransformer(
        [
            (
                "numbers",
                make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()),
                numbers,
            ),
            (
                "words",
                make_pipeline(SimpleImputer(strategy="constant", fill_value="missing"), one_hot),
                words,
            ),
        ]
    )


def _with_parts_of_dates(frame: pd.DataFrame) -> pd.DataFrame:
    """Dates as days since the first, and day of the year, of the week and hour on their circles."""
    result = frame.copy()
    for name in frame:
        if frame[name].dtype.kind != "M":
            continue
        dates = result.pop(name).dt
        days = (frame[name] - frame[name].min()).dt.total_seconds() / 86_400
        result[f"{name}_days"] = days
        for part, share in {
            "year": dates.dayofyear / 365.25,
            "week": dates.dayofweek / 7,
            "hour": dates.hour / 24,
        }.items():
            result[f"{name}_{part}_sin"] = np.sin(2 * np.pi * share)
            result[f"{name}_{part}_cos"] = np.cos(2 * np.pi * share)
    return result


def _scores(table: Table, test: Rows, answer: Answer, who: str) -> dict[str, float]:
    """Accuracy and log loss, or R2; BenchmarkError for an answer that is none."""
    from sklearn.metrics import accuracy_score, log_loss, r2_score

    if len(answer) != len(test) or not np.isfinite(answer).all():
        raise BenchmarkError(f"{who} gives no finite answer for each of the {len(test)} rows held out.")
    if not table.classifies:
        return {"score": float(r2_score(table.y[test], answer))}
    classes = np.unique(table.y.astype(str))
    labels = table.y[test].astype(str)
    if answer.shape[1] != len(classes) or np.abs(answer.sum(axis=1) - 1).max() > 1e-6:
        raise BenchmarkError(f"{who} gives no probability for each of the classes {list(classes)}.")
    safe = np.clip(answer, 1e-7, 1)
    return {
        "score": float(accuracy_score(labels, classes[answer.argmax(axis=1)])),
        "log_loss": float(log_loss(labels, safe / safe.sum(axis=1, keepdims=True), labels=list(classes))),
    }


def _compared(splits: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the splits, and how far ahead glassnet is of scikit-learn's better way."""
    means = {
        who: {key: float(np.mean([one[who][key] for one in splits])) for key in splits[0][who]}
        for who in splits[0]
    }
    rival = max((who for who in means if who != "glassnet"), key=lambda who: means[who]["score"])
    ahead = np.array([one["glassnet"]["score"] - one[rival]["score"] for one in splits])
    error = float(ahead.std(ddof=1) / np.sqrt(len(ahead))) if len(ahead) > 1 else 0.0
    mean = float(ahead.mean())
    verdict = "better" if mean > error else "worse" if mean < -error else "equal"
    return {"means": means, "rival": rival, "ahead": mean, "error": error, "verdict": verdict}


def _line(row: Mapping[str, Any]) -> str:
    ours, theirs = row["means"]["glassnet"], row["means"][row["rival"]]
    return f"{row['name']}: {ours['score']:.4f}, {row['rival']} {theirs['score']:.4f}, {row['verdict']}"


def tables_table(record: dict[str, Any]) -> str:
    """The record for a terminal."""
    head = ["table", "rows", "columns", "score", "glassnet", "scikit-learn", "", "ahead", "error", ""]
    lines = [[*head, "log loss", "its", "seconds", "its"]]
    for row in record["tables"]:
        ours, theirs = row["means"]["glassnet"], row["means"][row["rival"]]
        losses = [f"{one['log_loss']:.3f}" if "log_loss" in one else "" for one in (ours, theirs)]
        lines.append(
            [
                *(row["name"], f"{row['rows']:,}", str(row["columns"]), row["score"]),
                *(f"{ours['score']:.4f}", f"{theirs['score']:.4f}"),
                "y scaled" if row["rival"].endswith("scaled") else "",
                *(f"{row['ahead']:+.4f}", f"{row['error']:.4f}", row["verdict"]),
                *losses,
                *(f"{one['seconds']:.2f}" for one in (ours, theirs)),
            ]
        )
    verdicts = [row["verdict"] for row in record["tables"]]
    counts = ", ".join(f"{verdicts.count(word)} {word}" for word in ("better", "equal", "worse"))
    seconds = [
        sum(row["means"][row["rival"] if theirs else "glassnet"]["seconds"] for row in record["tables"])
        for theirs in (False, True)
    ]
    splits = len(record["tables"][0]["splits"])
    return "\n".join(
        [
            f"tables: default settings against scikit-learn {record['scikit_learn']}'s, means of "
            f"{splits} split{'s' if splits != 1 else ''}",
            *columns(lines, 1),
            f"Of {len(verdicts)} tables: {counts}; equal is within one standard error of the splits.",
            f"Processor time of a split of all: {seconds[0]:.3g} s, and scikit-learn's {seconds[1]:.3g} s.",
        ]
    )


def draw_tables(document: Mapping[str, Any]) -> Figure:
    """How far ahead on each split, a dot each, and the mean as a bar; the best table on top."""
    rows = sorted(document["tables"], key=lambda row: -row["ahead"])
    figure = new_figure(8.6, 1.6 + 0.26 * len(rows))
    axes = flat_axes(figure, grid=False)
    for place, row in enumerate(rows):
        values = [one["glassnet"]["score"] - one[row["rival"]]["score"] for one in row["splits"]]
        color = OURS if row["ahead"] >= 0 else OTHERS
        axes.plot(values, np.full(len(values), place), "o", color=color, markersize=4, alpha=0.4)
        axes.plot([row["ahead"]] * 2, [place - 0.32, place + 0.32], color=color, linewidth=2.5)
    axes.axvline(0, color=FAINT, linewidth=1)
    axes.set_xscale("symlog", linthresh=0.05)
    axes.minorticks_off()
    axes.set_xticks(TICKS, [f"{tick:+g}" if tick else "0" for tick in TICKS])
    axes.set_yticks(
        range(len(rows)), [f"{row['name']} ({row['score'].replace('R2', 'R²')})" for row in rows]
    )
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="x", color=GRID, linewidth=0.7)
    set_axis_labels(axes, "accuracy or R² on the rows held out, glassnet's less scikit-learn's")
    notes = ["a dot for each split, a bar at the mean", "linear up to 0.05, logarithmic beyond"]
    set_heading(
        figure, "Default settings on tables, right of 0 glassnet's are better", notes, document["machine"]
    )
    return figure
