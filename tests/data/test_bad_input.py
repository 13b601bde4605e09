"""Bad input, a case a line: what a user may hand over by mistake, and the whole message that answers it."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fewshot.data.clean import Cleaning
from fewshot.data.find import Columns
from fewshot.data.reading import Reading
from fewshot.data.split import ClassSplit
from fewshot.errors import InputError
from fewshot.tasks.coarse import CoarseToFine
from fewshot.tasks.crossdomain import CrossDomain
from fewshot.tasks.domains import Domains
from fewshot.tasks.masked import MaskedWords
from fewshot.tasks.matching import Matching
from fewshot.tasks.mixture import Mixture
from fewshot.tasks.nway import NWayKShot
from fewshot.tasks.outofscope import OutOfScope
from fewshot.tasks.pairs import TextPairs
from fewshot.tasks.published import PublishedEpisodes
from fewshot.tasks.records import Records
from fewshot.tasks.variable import VariableWayShot
from fewshot.tasks.views import Views

pytestmark = pytest.mark.bad_input
Row = dict[str, Any]
GOOD: list[Row] = [{"text": f"text {n} of {c}", "label": c} for c in "abcdef" for n in range(12)]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / ".cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.delenv("FEWSHOT_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def lines(*rows: Row | str) -> bytes:
    texts = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    return "".join(text + "\n" for text in texts).encode()


def put(name: str, content: bytes) -> str:
    file = Path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return name


def good(name: str = "good.jsonl", rows: list[Row] = GOOD) -> str:
    return put(name, lines(*rows))


def folder(splits: object) -> str:
    put("set/data.jsonl", lines(*GOOD))
    put("set/splits.json", splits if isinstance(splits, bytes) else json.dumps(splits).encode())
    return "set"


def with_tasks(*tasks: str, per_class: int = 12, **more: object) -> str:
    rows = [
        {"task": task, "text": f"{task} {label} {n}", "label": label} | more
        for task in tasks
        for label in ("no", "yes")
        for n in range(per_class)
    ]
    return good("tasks.jsonl", rows)


def nway(source: Any, way: int = 2, **more: Any) -> Callable[[], object]:
    """Builds a family; what is a function is called inside of the test, in its folder."""

    def build() -> object:
        given = {key: value() if callable(value) else value for key, value in more.items()}
        return NWayKShot(source() if callable(source) else source, way, 2, 2, **given)

    return build


def empty() -> str:
    Path("nothing").mkdir()
    return "nothing"


def cyclic() -> str:
    Path("round").mkdir()
    os.symlink("..", "round/again", target_is_directory=True)
    return "round"


def parquet(**columns: object) -> str:
    pq.write_table(pa.table(columns), "a.parquet")
    return "a.parquet"


SOURCES = (
    "a file, a folder with data.jsonl, a name inside FEWSHOT_DATA (not set), a name of the catalogue, or a "
    "reachable hub id"
)

Case = tuple[str, Callable[[], object], str]
CASES: list[Case] = [
    (
        "an empty file",
        nway(lambda: put("a.jsonl", b"")),
        "the data file is empty\n  where:  a.jsonl\n  got:    no rows\n  needed: at least one row",
    ),
    (
        "blank lines alone",
        nway(lambda: put("a.jsonl", b"\n \n")),
        "the data file is empty\n  where:  a.jsonl\n  got:    no rows\n  needed: at least one row",
    ),
    (
        "a header alone",
        nway(lambda: put("a.csv", b"text,label\n")),
        "the data file is empty\n  where:  a.csv\n  got:    no rows\n  needed: at least one row",
    ),
    (
        "an empty folder",
        nway(empty),
        "the folder cannot be read\n"
        "  where:  nothing\n"
        "  got:    The directory at {here}/nothing doesn't contain any data files\n"
        "  needed: a folder with data.jsonl, or with files that load_dataset understands",
    ),
    (
        "a folder that holds itself",
        nway(cyclic),
        "the folder cannot be read\n"
        "  where:  round\n"
        "  got:    The directory at {here}/round doesn't contain any data files\n"
        "  needed: a folder with data.jsonl, or with files that load_dataset understands",
    ),
    (
        "a file that is not there",
        nway("gone.jsonl"),
        "there is no such data source\n"
        "  where:  source 'gone.jsonl'\n"
        "  got:    Couldn't reach 'gone.jsonl' on the Hub (OfflineModeIsEnabled)\n"
        f"  needed: {SOURCES}\n"
        "  do:     give a path that exists, or set FEWSHOT_DATA to a folder that has it",
    ),
    (
        "a file of another kind",
        nway(lambda: put("a.docx", b"PK")),
        "this kind of file cannot be read\n"
        "  where:  a.docx\n"
        "  got:    a file that ends in '.docx'\n"
        "  needed: one of .jsonl, .json, .csv, .tsv, .parquet, .txt (jsonl also as .jsonl.gz)\n"
        "  do:     convert it, or name another file",
    ),
    (
        "a name that is misspelt",
        nway("bankng77"),
        "there is no such data source\n"
        "  where:  source 'bankng77'\n"
        "  got:    Couldn't reach 'bankng77' on the Hub (OfflineModeIsEnabled)\n"
        f"  needed: {SOURCES}\n"
        "  do:     did you mean 'banking77'?",
    ),
    (
        "a name of the catalogue without the hub",
        nway("banking77"),
        "there is no such data source\n"
        "  where:  source 'banking77', in the catalogue mteb/banking77\n"
        "  got:    Couldn't reach 'mteb/banking77' on the Hub (OfflineModeIsEnabled)\n"
        f"  needed: {SOURCES}\n"
        "  do:     reach the hub, or set FEWSHOT_DATA to a folder that has it",
    ),
    (
        "a path through a file",
        nway(lambda: folder(b"{") and "set/data.jsonl/x"),
        "there is no such data source\n"
        "  where:  source 'set/data.jsonl/x'\n"
        "  got:    Couldn't find any data file at {here}/set/data.jsonl/x.\n"
        f"  needed: {SOURCES}\n"
        "  do:     give a path that exists, or set FEWSHOT_DATA to a folder that has it",
    ),
    (
        "latin-1",
        nway(lambda: put("a.csv", "text,label\ncafé,x\n".encode("latin-1"))),
        "the data file cannot be read\n"
        "  where:  a.csv, line 2\n"
        "  got:    bytes that are not UTF-8\n"
        "  needed: a well-formed csv file in UTF-8\n"
        "  do:     mend or remove that line",
    ),
    (
        "utf-16",
        nway(lambda: put("a.csv", "text,label\ncafe,x\n".encode("utf-16"))),
        "the data file cannot be read\n"
        "  where:  a.csv, line 1\n"
        "  got:    bytes that are not UTF-8\n"
        "  needed: a well-formed csv file in UTF-8\n"
        "  do:     mend or remove that line",
    ),
    (
        "a NUL byte in json",
        nway(lambda: good(rows=[*GOOD[:2], {"text": "a\0b", "label": "a"}])),
        "a text with a NUL byte\n"
        "  where:  good.jsonl, line 3\n"
        "  got:    'a\\x00b'\n"
        "  needed: text without control bytes\n"
        "  do:     remove the byte; a file in UTF-16 is to be converted to UTF-8",
    ),
    (
        "a NUL byte in csv",
        nway(lambda: put("a.csv", b"text,label\none,a\nt\0wo,b\n")),
        "a text with a NUL byte\n"
        "  where:  a.csv, line 3\n"
        "  got:    't\\x00wo'\n"
        "  needed: text without control bytes\n"
        "  do:     remove the byte; a file in UTF-16 is to be converted to UTF-8",
    ),
    (
        "a line of ten megabytes",
        nway(lambda: good(rows=[*GOOD[:2], {"text": "x" * 10_485_760, "label": "a"}])),
        "a text of 10,485,760 signs\n"
        "  where:  good.jsonl, line 3\n"
        "  got:    'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' ...\n"
        "  needed: at most 1,000,000\n"
        "  do:     look for a quote that is not closed, or cut the text",
    ),
    (
        "a gzip file cut short",
        nway(lambda: put("a.jsonl.gz", gzip.compress(lines(*GOOD))[:-9])),
        "the data file cannot be read\n"
        "  where:  a.jsonl.gz\n"
        "  got:    Compressed file ended before the end-of-stream marker was reached\n"
        "  needed: one JSON object a line, the same fields of the same kinds in each\n"
        "  do:     write the file again",
    ),
    (
        "a parquet file that is none",
        nway(lambda: put("a.parquet", b"PAR?")),
        "the data file cannot be read\n"
        "  where:  a.parquet\n"
        "  got:    Parquet file size is 4 bytes, smaller than the minimum file footer (8 bytes)\n"
        "  needed: a well-formed parquet file in UTF-8\n"
        "  do:     write the file again",
    ),
    (
        "broken json",
        nway(lambda: put("a.jsonl", lines(*GOOD[:2], '{"text": "x", "label"'))),
        "the data file cannot be read\n"
        "  where:  a.jsonl, line 3\n"
        '  got:    Expecting \':\' delimiter at column 22: \'{"text": "x", "label"\'\n'
        "  needed: one JSON object a line, the same fields of the same kinds in each\n"
        "  do:     mend or remove that line",
    ),
    (
        "a json list a line",
        nway(lambda: put("a.jsonl", lines(*GOOD[:2], '["x", "a"]'))),
        "the data file cannot be read\n"
        "  where:  a.jsonl, line 3\n"
        '  got:    not an object: \'["x", "a"]\'\n'
        "  needed: one JSON object a line, the same fields of the same kinds in each\n"
        "  do:     mend or remove that line",
    ),
    (
        "a ragged csv",
        nway(lambda: put("a.csv", b"text,label\none,a\ntwo,b,c\n")),
        "the data file cannot be read\n"
        "  where:  a.csv, line 3\n"
        "  got:    3 cells under a header of 2\n"
        "  needed: a well-formed csv file in UTF-8\n"
        "  do:     mend or remove that line",
    ),
    (
        "a quote that is not closed",
        nway(lambda: put("a.csv", b'text,label\n"one,a\ntwo,b\n')),
        "the data file cannot be read\n"
        "  where:  a.csv\n"
        "  got:    Error tokenizing data. C error: EOF inside string starting at row 1\n"
        "  needed: a well-formed csv file in UTF-8\n"
        "  do:     write the file again",
    ),
    (
        "a header with a name twice",
        nway(lambda: put("a.csv", b"text,label,text\none,a,x\n")),
        "the header has the column 'text' twice\n"
        "  where:  a.csv, line 1\n"
        "  got:    text, label, text\n"
        "  needed: a name of its own for each column\n"
        "  do:     rename or remove one of them",
    ),
    (
        "a missing label",
        nway(lambda: good(rows=[*GOOD[:2], {"text": "x", "label": None}])),
        "a row without a label\n"
        "  where:  good.jsonl, line 3\n"
        "  got:    nothing\n"
        "  needed: a label that is not empty in every row\n"
        "  do:     fill it in or remove the row",
    ),
    (
        "an empty text",
        nway(lambda: good(rows=[*GOOD[:2], {"text": "  ", "label": "a"}])),
        "a row with an empty text\n"
        "  where:  good.jsonl, line 3\n"
        "  got:    '  '\n"
        "  needed: a text that is not empty in every row\n"
        "  do:     fill it in or remove the row",
    ),
    (
        "labels of several kinds",
        nway(lambda: good(rows=[*GOOD[:2], {"text": "x", "label": 7}])),
        "the column 'label' holds values of several kinds, or lists or objects\n"
        "  where:  good.jsonl, line 3\n"
        "  got:    7\n"
        "  needed: texts only, or numbers only\n"
        "  do:     write the same kind of value in every row",
    ),
    (
        "labels that are lists",
        nway(lambda: good(rows=[{"text": "x", "label": ["a"]}])),
        "the column 'label' holds values of several kinds, or lists or objects\n"
        "  where:  good.jsonl, line 1\n"
        '  got:    ["a"]\n'
        "  needed: texts only, or numbers only\n"
        "  do:     write the same kind of value in every row",
    ),
    (
        "labels that differ by white space",
        nway(lambda: good(rows=[*GOOD, {"text": "x", "label": "a "}])),
        "two labels differ by white space alone\n"
        "  where:  good.jsonl\n"
        "  got:    'a' and 'a '\n"
        "  needed: one way to write each label\n"
        "  do:     mend the file, or set reading.cleaning.labels to true",
    ),
    (
        "a number without a name",
        nway(lambda: good(rows=[{"text": "x", "label": 2}]), columns=Columns(label_names=["a", "b"])),
        "a label has no name\n"
        "  where:  good.jsonl, line 1\n"
        "  got:    '2'\n"
        "  needed: a number from 0 to 1, one for each of columns.label_names\n"
        "  do:     name all classes, in the order of their numbers, or leave label_names out",
    ),
    (
        "bytes in parquet",
        nway(lambda: parquet(text=[b"x"], label=["a"])),
        "the column 'text' holds values of several kinds, or lists or objects\n"
        "  where:  a.parquet\n"
        "  got:    binary\n"
        "  needed: texts only, or numbers only\n"
        "  do:     write the same kind of value in every row",
    ),
    (
        "a data frame of mixed values",
        nway(pd.DataFrame({"text": ["a", "b"], "label": ["x", 1]})),
        "the rows cannot be read as a table\n"
        "  where:  the rows in memory\n"
        "  got:    Expected bytes, got a 'int' object; Conversion failed for column label with type object\n"
        "  needed: a data frame, or a mapping for each row, with values of the same kind in a column",
    ),
    (
        "rows in memory that are none",
        nway([]),
        "there are no rows\n  where:  the rows in memory\n  needed: at least one row",
    ),
    (
        "objects in memory that are no rows",
        nway(["a", "b"]),
        "this is no row\n"
        "  where:  the rows in memory, row 1\n"
        "  got:    a str\n"
        "  needed: a mapping of columns to values",
    ),
    (
        "an unknown column",
        nway(good, columns=Columns(label="lable")),
        "unknown column 'lable'\n"
        "  where:  good.jsonl\n"
        "  got:    the columns text, label\n"
        "  needed: the columns text, lable\n"
        "  do:     name it by columns.text, columns.label: did you mean 'label'?",
    ),
    (
        "one column for two fields",
        nway(good, columns=Columns(label="text")),
        "one column is named for two fields\n"
        "  where:  good.jsonl\n"
        "  got:    text: text, label: text\n"
        "  needed: a column of its own for each field",
    ),
    (
        "a filter by a column that is not there",
        nway(good, reading=Reading(only={"task": ["x"]})),
        "unknown column 'task'\n"
        "  where:  good.jsonl\n"
        "  got:    the columns text, label\n"
        "  needed: the columns text, label, task\n"
        "  do:     choose one of: label, text",
    ),
    (
        "a filter by a value that is not there",
        nway(good, reading=Reading(only={"label": ["A"]})),
        "no row has the label 'A'\n"
        "  where:  good.jsonl\n"
        "  got:    reading.only label: A\n"
        "  needed: values of that column, of which it has 6\n"
        "  do:     did you mean 'a'?",
    ),
    (
        "a part that is not there",
        nway(good, reading=Reading(parts=["tset"])),
        "there is no part 'tset'\n"
        "  where:  good.jsonl\n"
        "  got:    reading.parts tset\n"
        "  needed: some of train\n"
        "  do:     choose one of: train",
    ),
    (
        "a limit of no rows",
        nway(good, reading=lambda: Reading(stream=0)),
        "reading.stream is too small\n  got:    0\n  needed: 1 or more",
    ),
    (
        "splits that are no json",
        nway(lambda: folder(b"{")),
        "the file of splits cannot be read\n"
        "  where:  set/splits.json\n"
        "  got:    Expecting property name enclosed in double quotes: line 1 column 2 (char 1)\n"
        '  needed: {"kind": "class", "folds": {"01": {"train": [...], "valid": [...], "test": [...]}}}',
    ),
    (
        "splits without folds",
        nway(lambda: folder({"kind": "class"})),
        "the file of splits cannot be read\n"
        "  where:  set/splits.json\n"
        "  got:    'folds'\n"
        '  needed: {"kind": "class", "folds": {"01": {"train": [...], "valid": [...], "test": [...]}}}',
    ),
    (
        "a fold that is not there",
        nway(
            lambda: folder({"kind": "class", "folds": {"01": {"train": ["a"]}}}), split=ClassSplit(fold="02")
        ),
        "unknown fold '02'\n"
        "  where:  splits.json of set\n"
        "  got:    the folds 01\n"
        "  needed: a fold that it names\n"
        "  do:     choose one of: 01",
    ),
    (
        "splits that name absent classes",
        nway(lambda: folder({"kind": "class", "folds": {"01": {"train": ["a", "z"]}}})),
        "the train classes name 1 that the data does not have\n"
        "  where:  set\n"
        "  got:    'z'\n"
        "  needed: classes among the 6 of the data\n"
        "  do:     choose one of: a, b, c, d, e, f",
    ),
    (
        "a class on two sides",
        nway(lambda: folder({"kind": "class", "folds": {"01": {"train": ["a", "b"], "test": ["b", "c"]}}})),
        "the class 'b' stands on two sides\n"
        "  where:  split of set\n"
        "  got:    train and test\n"
        "  needed: disjoint classes: what is tested must not have been trained on",
    ),
    (
        "more ways than classes",
        nway(good, way=5),
        "more ways than classes\n"
        "  where:  good.jsonl (train)\n"
        "  got:    way 5\n"
        "  needed: at most 3, the number of its classes\n"
        "  do:     lower way, or give this side more classes",
    ),
    (
        "classes that are too small",
        nway(lambda: good(rows=GOOD[:14] + GOOD[24:27]), split=ClassSplit(lists={"train": ["a", "b"]})),
        "1 of 2 classes have too few examples\n"
        "  where:  good.jsonl (train)\n"
        "  got:    b: 2\n"
        "  needed: 4 in each class (shot 2 + queries 2)\n"
        "  do:     lower shot or queries, or leave these classes out of the split",
    ),
    (
        "a mixture weighed twice",
        lambda: Mixture([good()], weights=[1.0], temperature=2.0),
        "the shares of the sources are given in two ways at once\n"
        "  where:  family\n"
        "  got:    weights and temperature\n"
        "  needed: one of them",
    ),
    (
        "a weight that is negative",
        lambda: Mixture([good(), good("other.jsonl")], 2, 2, 2, weights=[1.0, -1.0]),
        "the weights are no shares\n"
        "  where:  weights\n"
        "  got:    1, -1\n"
        "  needed: numbers from 0 up, not all of them 0",
    ),
    (
        "too few weights",
        lambda: Mixture([good(), good("other.jsonl")], 2, 2, 2, weights=[1.0]),
        "every source needs a weight\n"
        "  where:  family.weights\n"
        "  got:    1 weights for 2 sources\n"
        "  needed: one for each",
    ),
    (
        "a corpus on two sides",
        lambda: CrossDomain(train=[good()], test=["good.jsonl"]),
        "the source 'good.jsonl' stands on two sides\n"
        "  where:  family\n"
        "  got:    train and test\n"
        "  needed: other sources for each side",
    ),
    (
        "a coarse class for one class twice",
        lambda: CoarseToFine(good(rows=[r | {"coarse": str(n % 2)} for n, r in enumerate(GOOD)]), "coarse"),
        "the class 'a' stands in two coarse ones\n"
        "  where:  good.jsonl\n"
        "  got:    '0' and '1'\n"
        "  needed: one coarse class for each fine one",
    ),
    (
        "a file of coarse classes that is not there",
        lambda: CoarseToFine(folder({"kind": "instance"}), "domains.json"),
        "the file of coarse classes cannot be read\n"
        "  where:  set/domains.json\n"
        "  got:    [Errno 2] No such file or directory: 'set/domains.json'\n"
        '  needed: {"coarse class": ["fine class", ...], ...}',
    ),
    (
        "coarse classes of one fine class",
        lambda: CoarseToFine(
            good(rows=[r | {"coarse": r["label"].upper()} for r in GOOD]), "coarse", 2, 2, 2
        ),
        "no coarse class is large enough\n"
        "  where:  good.jsonl (valid)\n"
        "  got:    E: 1\n"
        "  needed: one with 2 fine classes\n"
        "  do:     lower way, or give this side other coarse classes",
    ),
    (
        "tasks that are not there",
        lambda: Domains(with_tasks("x", "y"), rows=None, split=ClassSplit(lists={"train": ["z"]})),
        "the train tasks name 'z', which the data does not have\n"
        "  where:  tasks.jsonl\n"
        "  needed: some of its 2 tasks\n"
        "  do:     choose one of: x, y",
    ),
    (
        "a task with a single class",
        lambda: Domains([r | {"task": r["label"]} for r in GOOD], 2, 2, rows=None),
        "a task has a single class\n  where:  memory/c\n  got:    c\n  needed: two or more",
    ),
    (
        "pairs without a second text",
        lambda: TextPairs(good(), columns=Columns()),
        "a pair family needs a second text, and what its sides differ by\n"
        "  where:  family\n"
        "  got:    columns.text_pair None, task None, rows split\n"
        "  needed: columns.text_pair, and a column for task or rows",
    ),
    (
        "rows that say no side",
        lambda: TextPairs([r | {"b": "x", "split": "all"} for r in GOOD], columns=Columns(text_pair="b")),
        "the column 'split' does not say which side a row is on\n"
        "  where:  memory\n"
        "  got:    'all'\n"
        "  needed: some of train, valid, validation, val, dev, test, eval\n"
        "  do:     name another column, or a column of tasks",
    ),
    (
        "no support set of that size",
        lambda: PublishedEpisodes(with_tasks("x", episode="0", shots="8"), 4),
        "there are no support sets of 4 examples a class\n"
        "  where:  tasks.jsonl/x\n"
        "  got:    shots 4\n"
        "  needed: one of 8",
    ),
    (
        "no row from outside",
        lambda: OutOfScope(good(), label="other"),
        "no row has the label 'other'\n"
        "  where:  good.jsonl\n"
        "  needed: the label of the rows that belong to no class\n"
        "  do:     choose one of: a, b, c, d, e, f",
    ),
    (
        "too few rows from outside",
        lambda: OutOfScope([*GOOD, {"text": "x", "label": "oos"}], 2, 2, 2),
        "too few rows from outside\n"
        "  where:  memory (train)\n"
        "  got:    0\n"
        "  needed: 10, the queries from outside in an episode",
    ),
    (
        "too few words to mask",
        lambda: MaskedWords(put("a.txt", b"one line\n\nanother line\n")),
        "too few words can be masked\n"
        "  where:  a.txt (train)\n"
        "  got:    0 words that stand in 10 texts\n"
        "  needed: way 5, and at least 2\n"
        "  do:     give more text, lower way, shot or queries, or raise most",
    ),
    (
        "a view of a single value",
        lambda: Views([r | {"view": "v"} for r in GOOD], "view", split=ClassSplit(lists={"train": ["v"]})),
        "the view 'view' has too few values\n"
        "  where:  memory (train)\n"
        "  got:    v\n"
        "  needed: way 2 (at least 2) with 10 examples each\n"
        "  do:     lower way, shot or queries, or give this side more values",
    ),
    (
        "records without a task",
        lambda: Records(good(), columns=Columns()),
        "records need an input, an output and a task\n"
        "  where:  family.columns\n"
        "  got:    text text, text_pair None, label label\n"
        "  needed: the columns of all three",
    ),
    (
        "too few records",
        lambda: Records([{"task": t, "input": "i", "output": "o"} for t in "abcd"]),
        "a task has too few records\n"
        "  where:  memory/a\n"
        "  got:    1 different inputs\n"
        "  needed: 15\n"
        "  do:     lower shot or queries, or leave the task out of the split",
    ),
    (
        "a record without an output",
        lambda: Records([{"task": t, "input": "i", "output": "" if t == "c" else "o"} for t in "abcd"]),
        "a row with an empty output\n"
        "  where:  the rows in memory, row 3\n"
        "  got:    ''\n"
        "  needed: an output that is not empty in every row\n"
        "  do:     fill it in or remove the row",
    ),
    (
        "records with one output",
        lambda: Matching([{"task": t, "input": f"i{n}", "output": "o"} for t in "abcd" for n in range(30)]),
        "an input has no output that is wrong\n"
        "  where:  memory/a\n"
        "  got:    'i0', which has all 1 outputs of the task\n"
        "  needed: an output of another record for every input\n"
        "  do:     leave the task out of the split",
    ),
    (
        "a least way above the most",
        lambda: VariableWayShot(good(), 5, 3),
        "most_way is too small\n  where:  family\n  got:    3\n  needed: at least 5",
    ),
    (
        "a class of one example",
        lambda: VariableWayShot(
            [*GOOD, {"text": "x", "label": "g"}], 2, 2, split=ClassSplit(lists={"train": list("abg")})
        ),
        "1 of 3 classes have a single example\n"
        "  where:  memory (train)\n"
        "  got:    g\n"
        "  needed: two, one to learn from and one to be judged on\n"
        "  do:     leave these classes out of the split",
    ),
    (
        "a side with too few classes",
        lambda: VariableWayShot(good(), 4),
        "fewer classes than least_way\n"
        "  where:  good.jsonl (train)\n"
        "  got:    3 classes\n"
        "  needed: at least 4\n"
        "  do:     lower least_way, or give this side more classes",
    ),
    (
        "cleaning that leaves nothing",
        nway(good, reading=lambda: Reading(cleaning=Cleaning(shortest=50))),
        "no rows are left\n"
        "  where:  good.jsonl\n"
        "  got:    left out: length: 72\n"
        "  needed: rows that reading.only and the limits of reading.cleaning let pass\n"
        "  do:     loosen them",
    ),
]


@pytest.mark.parametrize(("build", "answer"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_bad_input(build: Callable[[], object], answer: str) -> None:
    with pytest.raises(InputError) as caught:
        build()
    assert caught.value.exit_code == 2
    assert str(caught.value).replace(os.getcwd(), "{here}") == answer
