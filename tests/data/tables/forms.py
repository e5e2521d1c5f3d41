"""One small table of people, written in every form in which people keep tables.

`PEOPLE` is the plain table. Each function of `FORMS` writes it into a folder, and returns what to
read and the options that reading needs; the columns come back as `expected()`, whatever the form.
"""

import bz2
import csv
import gzip
import io
import json
import lzma
import random
import zipfile

import numpy as np

N = 60
DATES = [f"2023-{1 + i % 12:02}-{1 + (7 * i) % 28:02}" for i in range(N)]
_random = random.Random(0)
AGE = [round(18 + 50 * _random.random(), 1) if i % 17 != 5 else None for i in range(N)]
INCOME = [round(900 + 3600 * _random.random(), 2) for _ in range(N)]
CHILDREN = [_random.randrange(4) for _ in range(N)]
CITY = [_random.choice(["Köln", "Berlin", "São Paulo", "Oslo"]) if i % 19 != 3 else None for i in range(N)]
MEMBER = [_random.random() < 0.5 for _ in range(N)]
BOUGHT = ["yes" if (age or 40) + 8 * kids > 50 else "no" for age, kids in zip(AGE, CHILDREN, strict=True)]

PEOPLE = {
    "id": list(range(1001, 1001 + N)),
    "age": AGE,
    "income": INCOME,
    "children": CHILDREN,
    "city": CITY,
    "member": MEMBER,
    "joined": DATES,
    "bought": BOUGHT,
}


def expected():
    """The columns as `read_table` gives them, with "" for missing text."""
    return {
        "id": np.array(PEOPLE["id"], np.int64),
        "age": np.array([np.nan if age is None else age for age in AGE]),
        "income": np.array(INCOME),
        "children": np.array(CHILDREN, np.int64),
        "city": np.array([city or "" for city in CITY], object),
        "member": np.array(MEMBER),
        "joined": np.array(DATES, "M8[us]"),
        "bought": np.array(BOUGHT, object),
    }


def cells(missing="", number=str, date=str, truth=("True", "False"), text=str):
    """The rows as text."""
    rows = []
    for row in zip(*PEOPLE.values(), strict=True):
        cells = []
        for name, value in zip(PEOPLE, row, strict=True):
            if value is None:
                cells.append(missing)
            elif isinstance(value, bool):
                cells.append(truth[0] if value else truth[1])
            elif name == "joined":
                cells.append(date(value))
            elif isinstance(value, str):
                cells.append(text(value))
            else:
                cells.append(number(value) if isinstance(value, float) else str(value))
        rows.append(cells)
    return rows


def lines(rows, delimiter=",", header=True, quoting=csv.QUOTE_MINIMAL, end="\n", names=tuple(PEOPLE)):
    """The text of a file."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([names, *rows] if header else rows)
    return stream.getvalue()


def dated(pattern):
    """A date in another order, by the names of its parts."""

    def written(date):
        year, month, day = date.split("-")
        months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        return pattern.format(y=year, m=month, d=day, M=months[int(month) - 1], D=int(day), yy=year[2:])

    return written


def grouped(decimal, thousands):
    """A number with separators of thousands."""

    def written(value):
        text = f"{value:,.2f}".rstrip("0")
        text += "0" if text.endswith(".") else ""
        return text.replace(",", "\0").replace(".", decimal).replace("\0", thousands)

    return written


def put(name, text, encoding="utf-8"):
    """A form that is a file of this text."""

    def write(folder):
        path = folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path, {}

    return write


PLAIN = lines(cells())


def _with(form, **options):
    def write(folder):
        return form(folder)[0], options

    return write


def _zipped(folder):
    with zipfile.ZipFile(folder / "people.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("people.csv", PLAIN)
    return folder / "people.zip", {}


def _trailing(text):
    return "".join(f"{line},\n" for line in text.splitlines())


def _blank_separated():
    rows = [[f'"{cell}"' if " " in cell else cell for cell in row] for row in [list(PEOPLE), *cells("NA")]]
    return "".join("  ".join(cell.ljust(11) for cell in row).rstrip() + "\n" for row in rows)


TEXT_FORMS = {
    "plain": put("people.csv", PLAIN),
    "crlf": put("people.csv", lines(cells(), end="\r\n")),
    "carriage-returns": put("people.csv", lines(cells(), end="\r")),
    "no-last-newline": put("people.csv", PLAIN.rstrip("\n")),
    "byte-order-mark": put("people.csv", PLAIN, "utf-8-sig"),
    "semicolons": put("people.csv", lines(cells(), ";")),
    "decimal-commas": put("people.csv", lines(cells(number=lambda v: str(v).replace(".", ",")), ";")),
    "european": put("people.csv", lines(cells(number=grouped(",", "."), date=dated("{d}.{m}.{y}")), ";")),
    "thousands": put("people.csv", lines(cells(number=grouped(".", ",")))),
    "blank-thousands": put("people.csv", lines(cells(number=grouped(",", " ")), ";")),
    "hard-blank-thousands": put("people.csv", lines(cells(number=grouped(",", "\u202f")), ";")),
    "swiss": put("people.csv", lines(cells(number=grouped(".", "'")), ";")),
    "dollars": put("people.csv", lines(cells(number=lambda v: "$" + grouped(".", ",")(v)))),
    "euros": put("people.csv", lines(cells(number=lambda v: grouped(",", ".")(v) + " €"), ";")),
    "tabs": put("people.tsv", lines(cells(), "\t")),
    "tabs-in-txt": put("people.txt", lines(cells(), "\t")),
    "pipes": put("people.txt", lines(cells(), "|")),
    "blank-separated": put("people.data", _blank_separated()),
    "all-quoted": put("people.csv", lines(cells(), quoting=csv.QUOTE_ALL)),
    "r-writes": put("people.csv", lines(cells("NA"), quoting=csv.QUOTE_NONNUMERIC)),
    "padded": put("people.csv", lines([[f" {cell} " for cell in row] for row in cells()])),
    "blank-after-comma": put("people.csv", PLAIN.replace(",", ", ")),
    "utf-16": put("people.txt", lines(cells(), "\t"), "utf-16"),
    "utf-16-without-mark": put("people.csv", PLAIN, "utf-16-le"),
    "latin-1": put("people.csv", PLAIN, "latin-1"),
    "windows-1252": put("people.csv", lines(cells(number=lambda v: f"{v} €")), "cp1252"),
    "gzip": put("people.csv.gz", gzip.compress(PLAIN.encode())),
    "bz2": put("people.csv.bz2", bz2.compress(PLAIN.encode())),
    "xz": put("people.csv.xz", lzma.compress(PLAIN.encode())),
    "zip": _zipped,
    "comments": put("people.csv", "# people of 2023\n# by hand\n" + PLAIN + "# the end\n"),
    "preamble": put("people.csv", "Report of customers\nWritten on 2024-01-01\n\n" + PLAIN),
    "sep-line": put("people.csv", "sep=;\n" + lines(cells(), ";")),
    "trailing-comma": put("people.csv", _trailing(PLAIN)),
    "header-without-index-name": put("people.csv", PLAIN),
    "empty-records": put("people.csv", PLAIN + ",,,,,,,\n" * 3),
    "blank-lines": put("people.csv", PLAIN.replace("\n", "\n\n")),
    "no-header": _with(put("people.csv", lines(cells(), header=False)), header=False),
    "no-header-guessed": put("people.csv", lines(cells(), header=False)),
    "question-marks": put("people.csv", lines(cells("?"))),
    "na-words": put("people.csv", lines(cells("#N/A"))),
    "dashes": put("people.csv", lines(cells("-"))),
    "pandas-na": put("people.csv", lines(cells("<NA>"))),
    "days-first": put("people.csv", lines(cells(date=dated("{d}/{m}/{y}")))),
    "months-first": put("people.csv", lines(cells(date=dated("{m}/{d}/{y}")))),
    "short-years": put("people.csv", lines(cells(date=dated("{D}.{m}.{yy}")), ";")),
    "month-names": put("people.csv", lines(cells(date=dated("{D} {M} {y}")))),
    "american-dates": put("people.csv", lines(cells(date=dated("{M} {D}, {y}")))),
    "times": put("people.csv", lines(cells(date=lambda day: f"{day} 00:00:00"))),
    "iso-times": put("people.csv", lines(cells(date=lambda day: f"{day}T00:00:00Z"))),
    "shouted-truths": put("people.csv", lines(cells(truth=("TRUE", "FALSE")))),
    "json-lines": put(
        "people.jsonl",
        "\n".join(
            json.dumps(dict(zip(PEOPLE, row, strict=True))) for row in zip(*PEOPLE.values(), strict=True)
        ),
    ),
    "json": put(
        "people.json",
        json.dumps([dict(zip(PEOPLE, row, strict=True)) for row in zip(*PEOPLE.values(), strict=True)]),
    ),
    "json-columns": put("people.json", json.dumps(PEOPLE)),
}


def _frame():
    import pandas as pd

    frame = pd.DataFrame(PEOPLE)
    return frame.assign(joined=pd.to_datetime(frame["joined"]))


TOTALS = ["Total", None, sum(INCOME), sum(CHILDREN), None, None, None, None]
"""As a spreadsheet program sums up columns below their rows."""


def _workbook(name, notes="", totals=False, **options):
    def write(folder):
        with_python(folder / name)
        return folder / name, options

    def with_python(path):
        import openpyxl

        book = openpyxl.Workbook()
        sheet = book.active
        if name == "titled.xlsx":
            sheet.append(["Customers of 2023"])
            sheet.append([])
        if notes:
            sheet.append([notes])
            sheet.append(["written in 2023"])
            sheet = book.create_sheet("people")
        sheet.append(list(PEOPLE))
        frame = _frame()
        for row in zip(*PEOPLE.values(), strict=True):
            sheet.append(list(row))
        for i, day in enumerate(frame["joined"]):
            cell = sheet.cell(sheet.max_row - N + 1 + i, 7)
            cell.value = day.to_pydatetime()
        if totals:
            sheet.append(TOTALS)
        book.save(path)

    return write


def _parquet(change=lambda frame: frame, **options):
    def write(folder):
        change(_frame()).to_parquet(folder / "people.parquet", index=False, **options)
        return folder / "people.parquet", {}

    return write


def _feather(folder):
    from pyarrow import Table, feather

    feather.write_feather(Table.from_pandas(_frame(), preserve_index=False), folder / "people.feather")
    return folder / "people.feather", {}


def _several(folder):
    rows = cells()
    (folder / "a.csv").write_text(lines(rows[:25]), "utf-8")
    (folder / "b.csv").write_text(lines(rows[25:]), "utf-8")
    return [folder / "a.csv", folder / "b.csv"], {}


def _pattern(folder):
    _several(folder)
    return str(folder / "*.csv"), {}


def _structured():
    frame = _frame()
    kinds = {"city": object, "bought": "U3", "joined": "M8[s]"}
    array = np.empty(N, [(name, kinds.get(name, frame[name].dtype)) for name in PEOPLE])
    for name in PEOPLE:
        array[name] = frame[name].to_numpy(kinds.get(name))
    return array


def _polars(kind=None):
    import polars as pl

    frame = pl.DataFrame(PEOPLE)
    return frame.with_columns(
        pl.col("joined").str.to_date(), *([pl.col("city").cast(kind)] if kind else [])
    )


def _arrow():
    import pyarrow as pa

    return pa.Table.from_pandas(_frame().astype({"city": "category"}), preserve_index=False)


FORMS = {
    **TEXT_FORMS,
    "json-under-a-name": put(
        "people.json",
        json.dumps(
            {"people": [dict(zip(PEOPLE, row, strict=True)) for row in zip(*PEOPLE.values(), strict=True)]}
        ),
    ),
    "workbook": _workbook("people.xlsx"),
    "workbook-with-a-title": _workbook("titled.xlsx"),
    "workbook-sheet": _workbook("sheets.xlsx", "nothing here", sheet="people"),
    "workbook-behind-notes": _workbook("sheets.xlsx", "What the columns mean"),
    "workbook-with-totals": _workbook("totals.xlsx", totals=True),
    "totals": put("people.csv", lines([*cells(), [*TOTALS[:1], "", *TOTALS[2:4], "", "", "", ""]])),
    "units": put("people.csv", lines(cells(number=lambda value: f"{value} m²"))),
    "parquet": _parquet(),
    "parquet-categories": _parquet(lambda frame: frame.astype({"city": "category", "bought": "category"})),
    "feather": _feather,
    "several-files": _several,
    "pattern": _pattern,
    "pandas": lambda folder: (_frame(), {}),
    "pandas-categories": lambda folder: (_frame().astype({"city": "category", "bought": "category"}), {}),
    "pandas-objects": lambda folder: (_frame().astype(object), {}),
    "pandas-extension": lambda folder: (_frame().convert_dtypes(), {}),
    "pandas-of-text": lambda folder: (_frame().astype(str), {}),
    "polars": lambda folder: (_polars(), {}),
    "pyarrow": lambda folder: (_arrow(), {}),
    "structured": lambda folder: (_structured(), {}),
    "dict": lambda folder: (PEOPLE, {}),
    "binary-file": lambda folder: (io.BytesIO(PLAIN.encode()), {}),
}
