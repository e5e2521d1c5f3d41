import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from glassnet.data.tables import read_table
from glassnet.data.tables.reading.text_files import DELIMITERS
from glassnet.data.tables.table import TextColumn
from glassnet.data.tables.words import MISSING, is_number
from glassnet.errors import FileError, InputError
from glassnet.utils.storage import write_csv


@pytest.fixture
def read(tmp_path):
    """read_table on text or bytes."""

    def read(content, name="a.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_table(path)

    return read


# ---- CSV -----------------------------------------------------------------------------------------


def test_read_table_gives_each_column_the_type_of_its_values(read):
    table = read("whole,real,truth,text,mixed\n1,1.5,true,a,1\n-2,2,False,b,x\n+3,-.5e3,TRUE,1x,2\n")
    assert table.names == ("whole", "real", "truth", "text", "mixed")
    assert table.n_rows == 3
    kinds = {name: getattr(table[name], "dtype", "text") for name in table.names}
    assert kinds == {
        "whole": "int64",
        "real": "float64",
        "truth": "bool",
        "text": "text",
        "mixed": "text",
    }
    assert table["whole"].tolist() == [1, -2, 3]
    assert table["real"].tolist() == [1.5, 2, -500]
    assert table["truth"].tolist() == [True, False, True]
    assert table["mixed"].texts().tolist() == ["1", "x", "2"]


@pytest.mark.parametrize("delimiter", sorted(set(DELIMITERS) - {" "}))
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_read_table_finds_the_delimiter(read, delimiter, ending):
    rows = [["a", "b", "c"], ["1", '"x, y; z\t|"', "2"], ["3", "w", "4"]]
    table = read(ending.join(delimiter.join(row) for row in rows))
    assert table.names == ("a", "b", "c")
    assert table["b"].texts().tolist() == ["x, y; z\t|", "w"]


def test_read_table_prefers_the_delimiter_that_cuts_rows_alike(read):
    table = read("length, m;width, m;kind\n1;2;a\n")
    assert table.names == ("length, m", "width, m", "kind")


@pytest.mark.parametrize("delimiter", sorted(set(DELIMITERS) - {" "}))
def test_a_short_first_row_does_not_hide_the_delimiter(read, delimiter):
    text = "a,b,k\n1,2\n3,4,5\n".replace(",", delimiter)
    with pytest.raises(FileError, match=r"Line 2 of .* has 2 value.*names 3 columns"):
        read(text)


def test_read_table_takes_one_column(read):
    assert read("a\n1\n2\n")["a"].tolist() == [1, 2]


def test_read_table_tolerates_a_byte_order_mark_blank_lines_and_spaces(read):
    table = read(b"\xef\xbb\xbf a , b\n\n 1, x\n\n 2 , y\n\n")
    assert table.names == ("a", "b")
    assert table["a"].tolist() == [1, 2]
    assert table["b"].texts().tolist() == ["x", "y"]
    assert [table.where(row) for row in range(2)] == ["line 3", "line 5"]


def test_read_table_counts_lines_where_text_has_several(read):
    table = read('a,b\n1,"one\ntwo"\n2,x\n')
    assert [table.where(row) for row in range(2)] == ["line 2", "line 4"]


@pytest.mark.parametrize("word", [*sorted(MISSING), "NaN", "NULL"])
def test_read_table_makes_a_gap_of_every_word_for_missing(read, word):
    table = read(
        f"number,text,truth,date,id\n1,a,true,2024-01-02,5\n{word},{word},{word},{word},3\n2,,true,,4\n"
    )
    np.testing.assert_array_equal(table["number"], [1, np.nan, 2])
    np.testing.assert_array_equal(table["truth"], [1, np.nan, 1])
    np.testing.assert_array_equal(table["date"], np.array(["2024-01-02", "NaT", "NaT"], "M8[us]"))
    assert table["text"].texts().tolist() == ["a", "", ""]
    assert table.truths == {"truth"}


def test_read_table_makes_a_gap_of_other_languages_words_in_columns_of_numbers(read):
    table = read("number,text\n1,k. A.\nk. A.,b\n")
    np.testing.assert_array_equal(table["number"], [1, np.nan])
    assert table["text"].texts().tolist() == ["k. A.", "b"]


def test_read_table_leaves_out_a_last_row_of_totals_and_says_so(read):
    text = "id,member,n\n1,true,2\n2,false,3\n"
    table = read(f"{text}Grand Total:,,5\nAverage,,2.5\n")
    assert {name: getattr(table[name], "dtype", "text") for name in table.names} == {
        "id": "int64",
        "member": "bool",
        "n": "int64",
    }
    assert table.n_rows == 2
    assert not table.truths
    assert table.notes[-1] == (
        "Left out the last 2 rows ('Grand Total:', 'Average'), of totals. "
        "To keep it, write another word there."
    )


def test_read_table_understands_rows_above_totals_as_without_them(read):
    rows = "day;price;n\n03.04.2024;1,200;1\n04.04.2024;2,500;5\n05.04.2024;;2\n"
    alone, table = read(rows), read(f"{rows}Summe;3,7;8\n")
    assert [*alone.columns] == [*table.columns]
    for name in alone.names:
        np.testing.assert_array_equal(table[name], alone[name])
    assert len(table.notes) == len(alone.notes) + 1


def test_read_table_leaves_out_remarks_below_the_table_and_totals(read):
    rows = "kind,n,m\nred oak,1,2\nelm,,3\n"
    table = read(f"{rows}Total,1,5\n* without seedlings,,\nSource: own count,,\n")
    assert table["kind"].texts().tolist() == ["red oak", "elm"]
    assert table["m"].tolist() == [2, 3]
    assert "Left out 2 remarks below the table, such as '* without seedlings'." in table.notes
    assert read(f"{rows}fir,,\n").n_rows == 3  # one word may be an id
    assert read("kind,n\nred oak,1\nelm,2\nsilver fir,\n").n_rows == 3  # the next one to be predicted


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("Total,1,\nb,2,\nc,3,\n", False),  # not the last
        ("Total,1,\nb,2,\nTotal,3,\n", False),  # a category
        ("a,1,x\nb,2,y\nTotal,3,z\n", False),  # text beside it
        ("a,1,\nb,2,\nTotals of b,3,\n", False),  # another word
        ("a,1,\nb,2,\nTotal,4,\n", True),  # no sum
        ("low,2,\nhigh,2,\naverage,2,\n", True),  # the mean of what is all the same
    ],
)
def test_read_table_keeps_rows_that_are_no_totals_and_says_where_one_may_be(read, rows, said):
    table = read(f"kind,n,text\n{rows}")
    assert table.n_rows == 3
    assert any("may hold totals" in note for note in table.notes) == said


@pytest.mark.parametrize(
    ("texts", "numbers", "unit"),
    [
        (["12 m²", "1,234.5 m²", "-3 m²"], [12, 1234.5, -3], "m²"),
        (["5 sq ft", "7 sq ft"], [5, 7], "sq ft"),
        (["23.4 kmpl", "", "19 kmpl"], [23.4, np.nan, 19], "kmpl"),
        (["5m2", "6m2"], [5, 6], "m2"),
        (["5%", "% 7.5"], [5, 7.5], "%"),
        (["€ 5", "7"], [5, 7], "€"),
        (["5 €/month", "7.5 €/month"], [5, 7.5], "€/month"),
    ],
)
def test_read_table_reads_numbers_of_one_unit_and_says_so(read, texts, numbers, unit):
    table = read("a,b\n" + "".join(f'"{text}",x\n' for text in texts))
    np.testing.assert_array_equal(table["a"], numbers)
    assert any(note.startswith(f"Read 'a' with {unit} left out") for note in table.notes)


@pytest.mark.parametrize(
    "texts",
    [
        ["5 m", "3 km"],
        ["5 m", "3"],
        ["5%", "0.5"],
        ["00123A", "00456A"],
        ["1st", "2nd"],
        ["5-10 years", "1-4 years"],
        ["5 May 2021", "7 May 2021"],
    ],
)
def test_read_table_leaves_out_no_unit_that_numbers_may_differ_in(read, texts):
    table = read("a;b\n" + "".join(f"{text};x\n" for text in texts))
    assert isinstance(table["a"], TextColumn) or table["a"].dtype.kind == "M"


def test_read_table_takes_names_with_a_unit_for_a_header(read):
    assert read("5 km,10 km\n20,43\n19,41\n").names == ("5 km", "10 km")
    assert read("5 km,10 km\n6 km,12 km\n7 km,9 km\n").names == ("1", "2")


def test_read_table_gives_the_same_example_each_time(read):
    table = read('a\n"1,200.5"\n"2,300.5"\n"3,400.5"\n"4,500.5"\n')
    assert table.notes == ("Read 'a' with commas between thousands, such as '1,200.5'.",)


def test_read_table_keeps_whole_numbers_exact_up_to_64_bits(read):
    table = read(f"a,b\n{2**63 - 1},{2**63}\n{-(2**63)},1\n")
    assert table["a"].tolist() == [2**63 - 1, -(2**63)]
    assert table["b"].tolist() == [2.0**63, 1.0]


@pytest.mark.parametrize(
    ("others", "cell"),
    [
        *(("1.5", cell) for cell in ("007", '"01.5"', "1_000", "NA", "", " ", "x", "1e400", "-007", "inf")),
        *(("1", cell) for cell in ("007", "1.0", "1e3", "-0", "+1", " 1", "1_0", "?", "", "x", str(2**63))),
        *(("true", cell) for cell in ("1", "t", " False", "none", "")),
        *(("2024-01-02", cell) for cell in ("20", "x", "n/a", "", "2024-01-02T03:04:05Z", "2024-02-30")),
        *(("1,200", cell) for cell in ("1.200", "12", "-", "x")),
    ],
)
def test_a_cell_means_the_same_behind_the_rows_that_a_guess_is_from_as_among_them(read, others, cell):
    rows = [f"{others};k\n"] * 1_200
    early = read("".join(["a;b\n", f"{cell};k\n", *rows]))["a"]
    late = read("".join(["a;b\n", *rows, f"{cell};k\n"]))["a"]
    assert type(late) is type(early)
    assert getattr(late, "dtype", None) == getattr(early, "dtype", None)
    np.testing.assert_array_equal(np.asarray(late)[[0, -1]], np.asarray(early)[[-1, 0]])


@pytest.mark.parametrize(
    ("begin", "cell"), [("a,b\n", "007"), ("a,b\n", '"01.5"'), ("a,b\n", "1_000"), ("\ufeff", "01.5")]
)
def test_what_duckdb_takes_for_a_number_stays_text(read, begin, cell):
    first, last = read(f"{begin}{cell},k\n1.5,k\n2.5,k\n"), read(f"{begin}1.5,k\n2.5,k\n{cell},k\n")
    for table, row in ((first, 0), (last, -1)):
        assert np.asarray(table[table.names[0]])[row] == cell.strip('"')


def test_a_file_may_end_with_a_letter_of_another_encoding(read):
    assert read(b"a,b\n1,x\n2,caf\xe9")["b"].texts().tolist() == ["x", "caf\u00e9"]


def test_timestamps_in_the_short_form_of_iso_8601_are_dates(read):
    table = read("a,b\n20140308T000000,20140308T1530Z\n20141013T123456,\n20141013T235959,20140309T0000Z\n")
    days = ["2014-03-08T00:00:00", "2014-10-13T12:34:56", "2014-10-13T23:59:59"]
    np.testing.assert_array_equal(table["a"], np.array(days, "M8[us]"))
    np.testing.assert_array_equal(
        table["b"], np.array(["2014-03-08T15:30", "NaT", "2014-03-09T00:00"], "M8[us]")
    )
    assert read("a,b\n20140308T000000,1\n20149908T000000,2\n")["a"].texts()[1] == "20149908T000000"


def test_words_for_missing_values_are_counted_where_the_first_rows_have_none(read):
    table = read("".join(["a,b\n", *["1.5,k\n"] * 1_200, "NA,k\n", "?,k\n", " NA,k\n"]))
    assert table.notes == ("Taken for missing: 'NA' (2), '?' (1).",)


def test_read_table_names_columns_that_have_no_name(read):
    assert read(",a\n0,1\n").names == ("unnamed 1", "a")


@pytest.mark.parametrize("text", ["1_000", "0x10", "1d5", "٣", "one", "", "1.2.3", "1,5", "nan", "--1"])
def test_is_number_refuses_what_pythons_float_may_take(text):
    assert not is_number(text)


@pytest.mark.parametrize("text", ["1", "-1.", ".5", "+1e-5", " 2 ", "inf", "-Infinity", "1E5"])
def test_is_number_takes_what_float_takes_too(text):
    assert is_number(text)
    float(text)


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ("", FileError, "is empty; expected a row of column names"),
        ("\n\n", FileError, "is empty"),
        ("a,b\n", InputError, "no rows"),
        ("a,b\n1,2\n\n3\n4,5\n", FileError, r"Line 4 of .* has 1 value.* names 2 columns"),
        ("a,b\n1,2\n1,2,3\n", FileError, "Line 3 of .* has 3 value"),
        ('a,b\n1,2\n3,"x\n4,5\n', FileError, "begins on line 3 cannot be read.*quote"),
        ("a,b\n1," + "x" * 200_000, FileError, "Line 2 of .* has a text of 200,000 characters in column 2"),
        ("a,b\ncafé,2\nmüde,3\n".encode() + b"caf\xe9,3\n", FileError, "byte 0xe9 on line 4 is not"),
        ("a,b\n1,\0\n", FileError, "line 2 holds a zero byte"),
        ('a,b\n"\0\n",\0\n', FileError, "line 3 holds a zero byte"),
        ("a,b\n" + "café,2\n" * 3 + "x\0,3\n", FileError, "line 5 holds a zero byte"),
        (b"PK\x03\x04...", FileError, "cannot be unpacked"),
        (b"\x1f\x8b...", FileError, "cannot be unpacked"),
        (b"PAR1...", FileError, "cannot be read as Parquet"),
    ],
)
def test_read_table_says_what_is_wrong_with_a_file(read, content, error, words):
    with pytest.raises(error, match=words):
        read(content)


def test_read_table_names_a_missing_file(tmp_path):
    with pytest.raises(FileError, match="no file"):
        read_table(tmp_path / "a.csv")
    with pytest.raises(FileError, match="no file"):
        read_table(tmp_path / "a.parquet")


def test_table_suggests_the_nearest_column(read):
    with pytest.raises(InputError, match=r"column of .*a\.csv: 'specis'.*Did you mean 'species'"):
        read("width,species\n1,a\n")["specis"]


@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 6), data=st.data())
def test_read_table_gives_back_what_write_csv_wrote(tmp_path_factory, n, data):
    path = tmp_path_factory.getbasetemp() / "tables.csv"
    letters = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    columns = {
        "real": data.draw(hnp.arrays(np.float64, n)),
        "single": data.draw(hnp.arrays(np.float32, n, elements=st.floats(width=32, allow_nan=False))),
        "whole": data.draw(hnp.arrays(np.int64, n)),
        "truth": data.draw(hnp.arrays(bool, n)),
        # Letters around it: numbers come back as such, and blanks and line breaks at the ends are left out.
        "text": np.array([f"t{t}t" for t in data.draw(st.lists(letters, min_size=n, max_size=n))], object),
    }
    write_csv(path, columns)
    table = read_table(path)
    assert table.names == tuple(columns)
    assert np.array_equal(table["single"].astype(np.float32), columns.pop("single"))
    for name, column in columns.items():
        if column.dtype.kind != "f":
            assert getattr(table[name], "dtype", object) == column.dtype
            assert np.asarray(table[name]).tolist() == column.tolist()
        elif np.isnan(column).all():  # nothing says that the cells were numbers
            assert set(np.asarray(table[name]).tolist()) == {""}
        else:
            assert np.array_equal(table[name], column, equal_nan=True)


# ---- Parquet -------------------------------------------------------------------------------------


def write_parquet(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("ending", [".parquet", ".pq", ".PARQUET"])
def test_read_table_reads_parquet_of_every_kind_of_column(tmp_path, ending):
    path = write_parquet(
        tmp_path / f"a{ending}",
        whole=pa.array([1, 2], pa.int8()),
        huge=pa.array([1, 2**64 - 1], pa.uint64()),
        gap=pa.array([2**62 + 1, None], pa.int64()),
        single=pa.array([0.1, None], pa.float32()),
        half=pa.array(np.array([0.5, 1.5], np.float16)),
        money=pa.array([1, 2]).cast(pa.decimal128(22, 2)),
        truth=pa.array([True, False]),
        doubt=pa.array([True, None]),
        text=pa.array(["a", None]),
        category=pa.array(["x", "y"]).dictionary_encode(),
        level=pa.array([3, 4]).dictionary_encode(),
        nothing=pa.nulls(2),
        time=pa.array([0, 1], pa.timestamp("s")),
        list=pa.array([[1], [2, 3]]),
    )
    table = read_table(path)
    assert table.n_rows == 2
    assert table.where(1) == "row 2"
    expected = {
        "whole": np.array([1, 2], np.int64),
        "huge": np.array([1, 2.0**64]),
        "gap": np.array([2.0**62, np.nan]),
        "single": np.array([np.float32(0.1), np.nan], np.float64),
        "half": np.array([0.5, 1.5]),
        "money": np.array([1.0, 2.0]),
        "truth": np.array([True, False]),
        "doubt": np.array([1, np.nan]),
        "text": np.array(["a", ""], object),
        "category": np.array(["x", "y"], object),
        "level": np.array([3, 4], np.int64),
        "nothing": np.array([np.nan, np.nan]),
        "time": np.array(["1970-01-01 00:00:00", "1970-01-01 00:00:01"], "M8[us]"),
        "list": np.array(["[1]", "[2, 3]"], object),
    }
    assert table.names == tuple(expected)
    for name, column in expected.items():
        assert getattr(table[name], "dtype", object) == column.dtype, name
        np.testing.assert_array_equal(table[name], column, err_msg=name)


def test_read_table_ignores_what_a_folders_name_would_mean_to_pyarrow(tmp_path):
    (tmp_path / "year=2020").mkdir()
    path = write_parquet(tmp_path / "year=2020" / "a.parquet", x=[1.0])
    assert read_table(path).names == ("x",)


def test_read_table_says_what_is_wrong_with_a_parquet_file(read, tmp_path):
    good = write_parquet(tmp_path / "good.parquet", x=np.arange(100.0)).read_bytes()
    for content in (b"", b"a,b\n1,2\n", good[:-20], good[:8] + bytes(len(good) - 16) + good[-8:]):
        with pytest.raises(FileError, match="cannot be read as Parquet"):
            read(content, "a.parquet")
    with pytest.raises(InputError, match="no rows"):
        read_table(write_parquet(tmp_path / "none.parquet", x=pa.array([], pa.float64())))
    pq.write_table(pa.Table.from_arrays([pa.array([1])] * 2, ["x", "x"]), tmp_path / "twice.parquet")
    with pytest.raises(InputError, match="more than one column called 'x'"):
        read_table(tmp_path / "twice.parquet")
    with pytest.raises(FileError, match="at least one non-root column"):
        read_table(write_parquet(tmp_path / "empty.parquet"))


# ---- A frame's index -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "numbers", "index"),
    [
        ("", [0, 1, 2], ("unnamed 1",)),
        ("", [5, 6, 7], ("unnamed 1",)),
        ("Unnamed: 0", [0, 1, 2], ("Unnamed: 0",)),
        ("", [0, 2, 3], ()),  # of rows that were chosen: it may be an index, or a measurement
        ("", [0.0, 1.5, 2.5], ()),
        ("n", [0, 1, 2], ()),
    ],
)
def test_read_table_tells_an_index_from_a_column(read, header, numbers, index):
    rows = "\n".join(f"{number},{2 * number}" for number in numbers)
    assert read(f"{header},a\n{rows}\n").index == index


def test_read_table_tells_the_index_that_pandas_keeps_in_parquet(tmp_path):
    frame = pd.DataFrame({"a": np.arange(6.0), "b": 1.0}, index=[f"r{i}" for i in range(6)])
    for name, made, index in [
        ("range", frame.reset_index(drop=True), ()),
        ("filtered", frame.reset_index(drop=True)[frame["a"].to_numpy() % 3 > 0], ("__index_level_0__",)),
        ("named", frame.rename_axis("row"), ("row",)),
    ]:
        made.to_parquet(tmp_path / f"{name}.parquet")
        assert read_table(tmp_path / f"{name}.parquet").index == index
    pq.write_table(pa.table({"__index_level_0__": [3, 4], "a": [0, 1]}), tmp_path / "bare.parquet")
    assert read_table(tmp_path / "bare.parquet").index == ("__index_level_0__",)


def test_a_category_of_a_frame_may_have_no_value_at_all():
    frame = pd.DataFrame({"a": pd.Series([np.nan, np.nan]).astype("category"), "b": [1, 2]})
    np.testing.assert_array_equal(read_table(frame)["a"], [np.nan, np.nan])


# ---- Several files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("values", ["1 2", "1.5 2", "true false", "2024-01-02 2024-01-03", "a b"])
@pytest.mark.parametrize("turn", [1, -1])
def test_a_column_may_be_empty_in_one_of_several_files(tmp_path, values, turn):
    for name, cells in (("full", values.split()), ("empty", ["", ""])):
        (tmp_path / f"{name}.csv").write_text("".join(["k,v\n", *(f"x,{cell}\n" for cell in cells)]))
    table = read_table([tmp_path / f"{name}.csv" for name in ("full", "empty")[::turn]])
    full, empty = np.split(np.asarray(table["v"]), 2)[::turn]
    np.testing.assert_array_equal(full, np.asarray(read_table(tmp_path / "full.csv")["v"]))
    assert {*map(str, empty)} <= {"nan", "NaT", ""}
    assert table.truths == ({"v"} if values == "true false" else set())


def test_files_whose_columns_hold_other_kinds_of_values_are_refused(tmp_path):
    for name, cell in (("a", "2024-01-02"), ("b", "7"), ("c", "")):
        (tmp_path / f"{name}.csv").write_text(f"k,v\nx,{cell}\n")
    with pytest.raises(InputError, match=r"'v' holds dates in .*a\.csv and numbers in .*b\.csv\. Files"):
        read_table([tmp_path / f"{name}.csv" for name in "cab"])


# ---- What is not guessed wrongly -------------------------------------------------------------------


def test_rows_that_begin_with_a_word_for_missing_are_no_comments(read):
    table = read("# by hand\nx,y\n1,2\n#N/A,3\n4,5\n")
    np.testing.assert_array_equal(table["x"], [1, np.nan, 4])


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n1,2,3\n", "a,b\n1,2\n" + "1,2,3\n" * 9, "a,b,c\n1,2,3\n1\n1,2,3\n"]
)
def test_rows_of_other_lengths_are_an_error_and_no_preamble(read, text):
    with pytest.raises(FileError, match="value"):
        read(text)
