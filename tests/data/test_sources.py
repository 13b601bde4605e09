import gzip
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fewshot.data.find import Columns
from fewshot.data.rows import read_rows
from fewshot.errors import InputError, with_article

Row = dict[str, object]
ROWS: list[Row] = [
    {"text": "where is my card?", "label": "card"},
    {"text": "naïve, «quoted» and\ttabbed", "label": "other"},
    {"text": "two\nlines", "label": "card"},
]
TWENTY = [json.dumps({"text": f"text {n}", "label": "ab"[n % 2]}) for n in range(1, 21)]


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FEWSHOT_DATA", raising=False)


def write(file: Path, content: str | bytes) -> Path:
    """Writes a file as it stands, gzipped where the name asks for it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    raw = content.encode() if isinstance(content, str) else content
    file.write_bytes(gzip.compress(raw) if file.suffix == ".gz" else raw)
    return file


def jsonl(rows: Sequence[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_parquet(file: Path, **columns: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), file)
    return file


def read(source: Path | str, columns: Columns | None = None) -> list[Row]:
    return read_rows(str(source), columns).to_list()


def complaint(source: Path | str, columns: Columns | None = None) -> str:
    with pytest.raises(InputError) as caught:
        read_rows(str(source), columns)
    assert caught.value.exit_code == 2
    return str(caught.value)


# What can be read


def as_jsonl(folder: Path) -> Path:
    return write(folder / "rows.jsonl", jsonl(ROWS))


def as_jsonl_gz(folder: Path) -> Path:
    return write(folder / "rows.jsonl.gz", jsonl(ROWS))


def as_json_list(folder: Path) -> Path:
    return write(folder / "rows.json", json.dumps(ROWS, indent=1))


def as_csv(folder: Path) -> Path:
    cells = [f'"{row["text"]}",{row["label"]}\n' for row in ROWS]
    return write(folder / "rows.csv", "text,label\n" + "".join(cells))


def as_tsv(folder: Path) -> Path:
    cells = [f'"{row["text"]}"\t{row["label"]}\n' for row in ROWS]
    return write(folder / "rows.tsv", "text\tlabel\n" + "".join(cells))


def as_parquet(folder: Path) -> Path:
    texts, labels = [row["text"] for row in ROWS], [row["label"] for row in ROWS]
    return write_parquet(folder / "rows.parquet", text=texts, label=labels)


def as_folder(folder: Path) -> Path:
    write(folder / "rows" / "splits.json", '{"kind": "class", "folds": {}}')
    return write(folder / "rows" / "data.jsonl", jsonl(ROWS)).parent


def as_folder_gz(folder: Path) -> Path:
    return write(folder / "rows" / "data.jsonl.gz", jsonl(ROWS)).parent


def as_folder_of_parquet(folder: Path) -> Path:
    write_parquet(folder / "set" / "train.parquet", text=["one", "two"], label=["a", "b"])
    return write_parquet(folder / "set" / "test.parquet", text=["three"], label=["c"]).parent


def as_name_with_brackets(folder: Path) -> Path:
    return write(folder / "rows[1]*.jsonl", jsonl(ROWS))


def as_jsonl_with_byte_order_mark(folder: Path) -> Path:
    return write(folder / "rows.jsonl", "\ufeff" + jsonl(ROWS))


LAYOUTS = [
    as_jsonl,
    as_jsonl_gz,
    as_json_list,
    as_csv,
    as_tsv,
    as_parquet,
    as_folder,
    as_folder_gz,
    as_name_with_brackets,
    as_jsonl_with_byte_order_mark,
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_rows(layout: Callable[[Path], Path], tmp_path: Path) -> None:
    assert read(layout(tmp_path)) == ROWS


def test_a_folder_of_parquet_files_is_read_whole(tmp_path: Path) -> None:
    texts = [str(row["text"]) for row in read(as_folder_of_parquet(tmp_path))]
    assert sorted(texts) == ["one", "three", "two"]


def test_a_bare_name_is_found_in_fewshot_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "home" / "birds" / "data.jsonl", jsonl(ROWS))
    monkeypatch.setenv("FEWSHOT_DATA", str(tmp_path / "home"))
    assert read("birds") == ROWS


def test_a_name_in_fewshot_data_comes_before_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "home" / "birds" / "data.jsonl", jsonl(ROWS[:1]))
    write(tmp_path / "here" / "birds" / "data.jsonl", jsonl(ROWS[1:]))
    monkeypatch.setenv("FEWSHOT_DATA", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    assert read("birds") == ROWS[:1]
    assert read("./birds") == ROWS[1:]


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    rows: list[Row] = [{"utterance": "hello", "intent": "greet", "text": "no", "label": "no"}]
    columns = Columns(text="utterance", label="intent")
    assert read(write(tmp_path / "a.jsonl", jsonl(rows)), columns) == [{"text": "hello", "label": "greet"}]


def test_columns_may_swap_their_names(tmp_path: Path) -> None:
    rows: list[Row] = [{"text": "greet", "label": "hello"}]
    columns = Columns(text="label", label="text")
    assert read(write(tmp_path / "a.jsonl", jsonl(rows)), columns) == [{"text": "hello", "label": "greet"}]


def test_pairs_of_texts_are_read(tmp_path: Path) -> None:
    rows: list[Row] = [{"a": "it rains", "b": "it is wet", "label": "yes"}]
    columns = Columns(text="a", text_pair="b")
    assert read(write(tmp_path / "a.jsonl", jsonl(rows)), columns) == [
        {"text": "it rains", "label": "yes", "text_pair": "it is wet"}
    ]


def test_other_columns_may_miss_or_change_their_kind(tmp_path: Path) -> None:
    rows: list[Row] = [row | {"note": note} for row, note in zip(ROWS, (1, "x", None), strict=True)]
    assert read(write(tmp_path / "a.jsonl", jsonl([*rows, ROWS[0]]))) == [*ROWS, ROWS[0]]


def test_saved_class_names_come_back(tmp_path: Path) -> None:
    features = datasets.Features(
        {"label": datasets.ClassLabel(names=["no", "yes"]), "text": datasets.Value("string")}
    )
    file = tmp_path / "named.parquet"
    datasets.Dataset.from_dict({"label": [1, 0, 1], "text": list("abc")}, features=features).to_parquet(file)
    assert [(row["text"], row["label"]) for row in read(file)] == [("a", "yes"), ("b", "no"), ("c", "yes")]


def test_numbers_without_names_become_strings(tmp_path: Path) -> None:
    rows: list[Row] = [{"text": "a", "label": 7}, {"text": "b", "label": 12}]
    assert [row["label"] for row in read(write(tmp_path / "a.jsonl", jsonl(rows)))] == ["7", "12"]


@pytest.mark.parametrize(
    "cells",
    [
        ("NA", "null", "nan"),
        ("007", "07", "7"),
        ("1.50", "2", "1e3"),
        ("True", "False", "True"),
        ("1", "x", "NA"),
    ],
)
def test_csv_cells_are_kept_as_they_stand(cells: tuple[str, ...], tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "text,label\n" + "".join(f"{cell},{cell}\n" for cell in cells))
    assert read(file) == [{"text": cell, "label": cell} for cell in cells]


def test_a_nameless_column_of_a_csv_file_is_ignored(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.csv", ",text,label\n0,hi,greet\n")) == [{"text": "hi", "label": "greet"}]


def test_a_file_written_anew_is_read_anew(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", jsonl([{"text": "old", "label": "x"}]))
    assert read(file) == [{"text": "old", "label": "x"}]
    write(file, jsonl([{"text": "new", "label": "x"}]))
    assert read(file) == [{"text": "new", "label": "x"}]


def test_reading_prints_and_logs_nothing(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger("datasets"), "handlers", [caplog.handler])
    read(as_jsonl(tmp_path))
    complaint(write(tmp_path / "broken.csv", "text,label\none,a\ntwo, three,b\n"))
    assert capfd.readouterr() == ("", "")
    assert caplog.messages == []


@pytest.mark.parametrize("layout", [as_jsonl_gz, as_parquet, as_folder_of_parquet])
def test_reading_local_files_asks_nobody(
    layout: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refuse(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise OSError("there is no network in tests")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_UPDATE_DOWNLOAD_COUNTS", True)
    assert read(layout(tmp_path))
    assert asked == []


def test_reading_leaves_the_settings_of_datasets_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("datasets"), "level", logging.INFO)
    monkeypatch.setattr(datasets.config, "HF_UPDATE_DOWNLOAD_COUNTS", True)

    def settings() -> tuple[object, ...]:
        told = datasets.config.HF_UPDATE_DOWNLOAD_COUNTS
        return told, datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()

    before = settings()
    read(as_jsonl(tmp_path))
    complaint(write(tmp_path / "broken.jsonl", "{\n"))
    assert settings() == before


# Rows without text or label


def without(field: str, line: int) -> list[str]:
    """Twenty lines of JSON, one of which lacks a field."""
    row = {"text": "x", "label": "a"}
    del row[field]
    return [*TWENTY[: line - 1], json.dumps(row), *TWENTY[line:]]


def missing(file: Path, place: str, field: str) -> str:
    return (
        f"a row without {with_article(field)}\n"
        f"  where:  {file}, {place}\n"
        "  got:    nothing\n"
        f"  needed: {with_article(field)} that is not empty in every row\n"
        "  do:     fill it in or remove the row"
    )


def blank(file: Path, place: str, field: str, got: str) -> str:
    return (
        f"a row with an empty {field}\n"
        f"  where:  {file}, {place}\n"
        f"  got:    {got}\n"
        f"  needed: {with_article(field)} that is not empty in every row\n"
        "  do:     fill it in or remove the row"
    )


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
@pytest.mark.parametrize("field", ["text", "label"])
def test_a_missing_field_on_line_17_is_named(name: str, field: str, tmp_path: Path) -> None:
    file = write(tmp_path / name, "\n".join(without(field, 17)))
    assert complaint(file) == missing(file, "line 17", field)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_blank_lines_count_as_lines(name: str, tmp_path: Path) -> None:
    lines = without("label", 15)
    file = write(tmp_path / name, "\n".join([*lines[:3], "", *lines[3:9], "  ", *lines[9:]]))
    assert complaint(file) == missing(file, "line 17", "label")


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path: Path) -> None:
    rows: list[Row] = [{"text": "one\u2028two\x85three", "label": "a"}, {"text": "x"}]
    file = write(tmp_path / "a.jsonl", jsonl(rows))
    assert complaint(file) == missing(file, "line 2", "label")


def test_null_is_a_missing_value(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", jsonl([*ROWS, {"text": None, "label": "a"}]))
    assert complaint(file) == missing(file, "line 4", "text")


def test_a_folder_names_its_data_file(tmp_path: Path) -> None:
    file = write(tmp_path / "set" / "data.jsonl", jsonl([*ROWS, {"text": "x"}]))
    assert complaint(file.parent) == missing(file, "line 4", "label")


def test_a_class_of_minus_one_is_a_missing_label(tmp_path: Path) -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
    )
    file = tmp_path / "a.parquet"
    datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, -1]}, features=features).to_parquet(file)
    assert complaint(file) == missing(file, "row 2", "label")


def test_the_users_name_of_the_column_is_said(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", jsonl([{"q": "x", "text": "t", "intent": "a"}, {"q": "y"}]))
    assert complaint(file, Columns(text="q", label="intent")) == missing(file, "line 2", "intent")


@pytest.mark.parametrize(
    ("name", "content", "place", "got"),
    [
        ("a.jsonl", jsonl([*ROWS, {"text": " \t", "label": "a"}]), "line 4", r"' \t'"),
        ("a.csv", 'text,label\n"one\ntwo, three",a\n,b\n', "line 4", "''"),
        ("a.csv", 'text,label\r\n"one\r\ntwo, three",a\r\n\r\n"  ",b\r\n', "line 5", "'  '"),
        ("a.csv", "\n \ntext,label\none,a\n\n  \n,b\n", "line 7", "''"),
        ("a.csv.gz", "text,label\none,a\n,b\n", "line 3", "''"),
        ("a.jsonl.csv", "text,label\none,a\n,b\n", "line 3", "''"),
        ("a.tsv", 'text\tlabel\n"one\ntwo, three"\ta\n\tb\n', "line 4", "''"),
        ("a.json", json.dumps([*ROWS, {"text": "", "label": "a"}]), "row 4", "''"),
    ],
)
def test_the_line_of_an_empty_text_is_named(
    name: str, content: str, place: str, got: str, tmp_path: Path
) -> None:
    file = write(tmp_path / name, content)
    assert complaint(file) == blank(file, place, "text", got)


def test_the_row_of_an_empty_text_in_parquet_is_named(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "a.parquet", text=["one", "two", " "], label=["a", "b", "a"])
    assert complaint(file) == blank(file, "row 3", "text", "' '")


def test_a_very_long_cell_is_no_obstacle(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", f"text,label\n{'x' * 200_000},a\ny,\n")
    assert complaint(file) == blank(file, "line 3", "label", "''")


def test_an_empty_second_text_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", jsonl([{"a": "x", "b": "", "label": "y"}]))
    assert complaint(file, Columns(text="a", text_pair="b")) == blank(file, "line 1", "b", "''")


# Files that cannot be read

A_JSON_LINE = "one JSON object a line, the same fields of the same kinds in each"


@pytest.mark.parametrize(
    ("line", "got"),
    [
        ('{"text": "x", "label": ', """Expecting value at column 24: '{"text": "x", "label":'"""),
        ('{"text": "x" "label": 1}', """Expecting ',' delimiter at column 14: '{"text": "x" "label": 1}'"""),
        ("hello", "Expecting value at column 1: 'hello'"),
        ('["x", "a"]', """not an object: '["x", "a"]'"""),
        (b'{"text": "caf\xe9", "label": "a"}', "bytes that are not UTF-8"),
    ],
)
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_the_broken_line_is_named(name: str, line: str | bytes, got: str, tmp_path: Path) -> None:
    bad = line if isinstance(line, bytes) else line.encode()
    lines = [text.encode() for text in ["\ufeff" + TWENTY[0], "", '{"text": "\ufffd", "label": "a"}']]
    file = write(tmp_path / name, b"\n".join([*lines, bad, TWENTY[3].encode(), b""]))
    assert complaint(file) == (
        "the data file cannot be read\n"
        f"  where:  {file}, line 4\n"
        f"  got:    {got}\n"
        f"  needed: {A_JSON_LINE}\n"
        "  do:     mend or remove that line"
    )


@pytest.mark.parametrize(
    ("name", "content", "line", "got"),
    [
        ("a.csv", b'text,label\n"one\ntwo",a\ncaf\xe9,b\n', 4, "bytes that are not UTF-8"),
        ("a.csv", b"text,label\none,a\ntwo, three,b\n", 3, "3 cells under a header of 2"),
        ("a.csv", b"text,label\none, two,a\nthree, four,b\n", 2, "3 cells under a header of 2"),
        ("a.tsv", b"text\tlabel\none\ttwo\ta\n", 2, "3 cells under a header of 2"),
    ],
)
def test_the_broken_row_of_a_table_is_named(
    name: str, content: bytes, line: int, got: str, tmp_path: Path
) -> None:
    file = write(tmp_path / name, content)
    assert complaint(file) == (
        "the data file cannot be read\n"
        f"  where:  {file}, line {line}\n"
        f"  got:    {got}\n"
        f"  needed: a well-formed {file.suffix[1:]} file in UTF-8\n"
        "  do:     mend or remove that line"
    )


@pytest.mark.parametrize(
    ("name", "content", "got", "needed"),
    [
        (
            "a.parquet",
            b"no parquet file",
            "Parquet magic bytes not found in footer. Either the file is corrupted or this is not a "
            "parquet file.",
            "a well-formed parquet file in UTF-8",
        ),
        (
            "a.csv",
            b'text,label\n"one,a\n',
            "Error tokenizing data. C error: EOF inside string starting at row 1",
            "a well-formed csv file in UTF-8",
        ),
    ],
)
def test_a_file_broken_as_a_whole_is_named(
    name: str, content: bytes, got: str, needed: str, tmp_path: Path
) -> None:
    file = write(tmp_path / name, content)
    assert complaint(file) == (
        f"the data file cannot be read\n  where:  {file}\n  got:    {got}\n  needed: {needed}\n"
        "  do:     write the file again"
    )


@pytest.mark.parametrize(
    ("raw", "got"),
    [
        (
            gzip.compress(jsonl(ROWS).encode(), mtime=0)[:-20],
            "Compressed file ended before the end-of-stream marker was reached",
        ),
        (b"plain", "Not a gzipped file (b'pl')"),
    ],
)
def test_a_damaged_archive_is_named(raw: bytes, got: str, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(raw)
    assert complaint(file) == (
        f"the data file cannot be read\n  where:  {file}\n  got:    {got}\n  needed: {A_JSON_LINE}\n"
        "  do:     write the file again"
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", ""),
        ("a.jsonl", "\n  \n"),
        ("a.jsonl.gz", ""),
        ("a.csv", ""),
        ("a.csv", "text,label\n"),
        ("a.tsv", "text\tlabel\n\n"),
        ("a.json", ""),
    ],
)
def test_a_file_without_rows_is_empty(name: str, content: str, tmp_path: Path) -> None:
    file = write(tmp_path / name, content)
    assert complaint(file) == (
        f"the data file is empty\n  where:  {file}\n  got:    no rows\n  needed: at least one row"
    )


def test_a_parquet_file_without_rows_is_empty(tmp_path: Path) -> None:
    nothing = pa.array([], pa.string())
    file = write_parquet(tmp_path / "a.parquet", text=nothing, label=nothing)
    assert complaint(file) == (
        f"the data file is empty\n  where:  {file}\n  got:    no rows\n  needed: at least one row"
    )


@pytest.mark.parametrize(
    ("name", "got"),
    [
        ("a.doc", "a file that ends in '.doc'"),
        ("a.xlsx.gz", "a file that ends in '.xlsx'"),
        ("a.JSONL", "a file that ends in '.JSONL'"),
        ("rows", "a file without an ending"),
    ],
)
def test_an_unknown_ending_is_refused(name: str, got: str, tmp_path: Path) -> None:
    file = write(tmp_path / name, jsonl(ROWS))
    assert complaint(file) == (
        "this kind of file cannot be read\n"
        f"  where:  {file}\n"
        f"  got:    {got}\n"
        "  needed: one of .jsonl, .json, .csv, .tsv, .parquet, .txt (jsonl also as .jsonl.gz)\n"
        "  do:     convert it, or name another file"
    )


# Columns


def test_an_unknown_column_gets_the_nearest_suggested(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", jsonl([{"text": "x", "category": "a", "id": 1}]))
    assert complaint(file, Columns(label="categry")) == (
        "unknown column 'categry'\n"
        f"  where:  {file}\n"
        "  got:    the columns text, category, id\n"
        "  needed: the columns text, categry\n"
        "  do:     name it by columns.text, columns.label: did you mean 'category'?"
    )


def test_an_unknown_column_like_no_other_gets_all_listed(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "question,skill\nhi,greet\n")
    assert complaint(file) == (
        "unknown column 'text', 'label'\n"
        f"  where:  {file}\n"
        "  got:    the columns question, skill\n"
        "  needed: the columns text, label\n"
        "  do:     name it by columns.text, columns.label: choose one of: question, skill"
    )


def test_one_column_cannot_be_two_fields(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", jsonl(ROWS))
    assert complaint(file, Columns(label="text")) == (
        "one column is named for two fields\n"
        f"  where:  {file}\n"
        "  got:    text: text, label: text\n"
        "  needed: a column of its own for each field"
    )


@pytest.mark.parametrize(
    ("values", "line", "got"),
    [
        (["a", "b", 5], 3, "5"),
        ([1, 2.5, "b"], 3, '"b"'),
        ([True, 1, 1], 2, "1"),
        (["a", {"name": "é"}, "b"], 2, '{"name": "é"}'),
        ([["a"], ["b"], ["c"]], 1, '["a"]'),
        ([None, "a", 5], 3, "5"),
    ],
)
def test_a_value_of_another_kind_is_named(values: list[object], line: int, got: str, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", jsonl([{"text": "x", "label": value} for value in values]))
    assert complaint(file) == (
        "the column 'label' holds values of several kinds, or lists or objects\n"
        f"  where:  {file}, line {line}\n"
        f"  got:    {got}\n"
        "  needed: texts only, or numbers only\n"
        "  do:     write the same kind of value in every row"
    )


def test_lists_in_parquet_are_refused(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "a.parquet", text=["a b"], label=[["x"]])
    assert complaint(file) == (
        "the column 'label' holds values of several kinds, or lists or objects\n"
        f"  where:  {file}\n"
        "  got:    list<item: string>\n"
        "  needed: texts only, or numbers only\n"
        "  do:     write the same kind of value in every row"
    )


def test_tokens_become_a_text(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "a.parquet", text=[["my", "card"], ["no"]], label=["x", "y"])
    assert [row["text"] for row in read(file)] == ["my card", "no"]


# Sources that are not there


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("bankng77", "did you mean 'banking77'?"),
        (
            "zzz",
            "give a path that exists, or set FEWSHOT_DATA to a folder that has it",
        ),
    ],
)
def test_an_unknown_name_gets_a_known_one_suggested(
    name: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for known in ("hwu64", "banking77"):
        write(tmp_path / "home" / known / "data.jsonl", jsonl(ROWS))
    write(tmp_path / "home" / "bankng77.md", "no folder")
    monkeypatch.setenv("FEWSHOT_DATA", str(tmp_path / "home"))
    assert complaint(name) == (
        "there is no such data source\n"
        f"  where:  source '{name}'\n"
        f"  got:    Couldn't reach '{name}' on the Hub (OfflineModeIsEnabled)\n"
        f"  needed: a file, a folder with data.jsonl, a name inside FEWSHOT_DATA ({tmp_path / 'home'}), "
        "a name of the catalogue, or a reachable hub id\n"
        f"  do:     {advice}"
    )


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("home", [None, "nowhere"])
def test_an_unknown_name_without_a_home_asks_for_one(
    home: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if home:
        monkeypatch.setenv("FEWSHOT_DATA", home)
    assert complaint("bankng77") == (
        "there is no such data source\n"
        "  where:  source 'bankng77'\n"
        "  got:    Couldn't reach 'bankng77' on the Hub (OfflineModeIsEnabled)\n"
        f"  needed: a file, a folder with data.jsonl, a name inside FEWSHOT_DATA ({home or 'not set'}), "
        "a name of the catalogue, or a reachable hub id\n"
        "  do:     did you mean 'banking77'?"
    )


def test_a_path_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    file = tmp_path / "gone.jsonl"
    assert complaint(file) == (
        "there is no such data source\n"
        f"  where:  source '{file}'\n"
        f"  got:    Couldn't find any data file at {file}.\n"
        "  needed: a file, a folder with data.jsonl, a name inside FEWSHOT_DATA (not set), "
        "a name of the catalogue, or a reachable hub id\n"
        "  do:     give a path that exists, or set FEWSHOT_DATA to a folder that has it"
    )


def test_a_folder_without_data_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    assert complaint(folder) == (
        "the folder cannot be read\n"
        f"  where:  {folder}\n"
        f"  got:    The directory at {folder} doesn't contain any data files\n"
        "  needed: a folder with data.jsonl, or with files that load_dataset understands"
    )


def test_a_folder_of_files_that_are_not_utf8_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "set" / "train.jsonl", b'{"text": "caf\xe9", "label": "a"}\n').parent
    assert complaint(folder) == (
        "the folder cannot be read\n"
        f"  where:  {folder}\n"
        "  got:    Column 0: In chunk 0: Invalid: Invalid UTF8 sequence at string index 0\n"
        "  needed: a folder with data.jsonl, or with files that load_dataset understands"
    )
