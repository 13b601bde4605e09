"""Files of strangers: data, cards, manifests, splits, archives, runs, tasks. Each gets one message."""

import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from asked import LABELS, TEXTS
from conftest import Cli
from releases.samples import protaugment, zipped

from fewshot.classify.compress import compressed
from fewshot.classify.examples import labelled
from fewshot.classify.learned import learned
from fewshot.classify.reading import LONGEST, read_texts
from fewshot.classify.store import load_task, save_task
from fewshot.classify.task import adapted
from fewshot.data import limits
from fewshot.data.limits import deepest
from fewshot.data.rows import read_rows
from fewshot.data.split import ClassSplit, split_classes
from fewshot.errors import InputError
from fewshot.push import uploaded
from fewshot.releases import fetch, tree
from fewshot.releases.tree import open_tree
from fewshot.reopening import reopen
from fewshot.run import RunFolder
from fewshot.tasks.manifest import Manifest
from fewshot.versions import SCHEMA

pytestmark = pytest.mark.bad_input
DEEP_LINE = "got:    lists and objects in each other, more than 64"
NESTED = '{"text": "a", "label": "b", "x": ' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}\n"
GOOD = '{"text": "a b", "label": "x"}\n'
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{one}: &{one} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, one in zip("abcdefgh", "bcdefghi", strict=True)
)
MANY = "more than 200,000 values, by aliases of aliases or by themselves"


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, with a cache of its own, without the hub."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.delenv("FEWSHOT_DATA", raising=False)


def said(call: Callable[[], object]) -> list[str]:
    """The lines of the message: what, where, got, needed, do."""
    with pytest.raises(InputError) as raised:
        call()
    return [line.strip() for line in str(raised.value).split("\n")]


def put(name: str, content: bytes | str) -> str:
    file = Path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return name


# Data files

ROWS: list[tuple[str, bytes, list[str]]] = [
    (
        "lists in lists",
        (GOOD + '{"text": ' + "[" * 100_000 + "]" * 100_000 + ', "label": "x"}\n').encode(),
        ["a line is nested too deep", "where:  a.jsonl, line 2", DEEP_LINE],
    ),
    (
        "objects in objects, at which Arrow ends the process",
        (GOOD * 2 + NESTED).encode(),
        ["a line is nested too deep", "where:  a.jsonl, line 3", DEEP_LINE],
    ),
    (
        "5000 digits",
        (GOOD + '{"text": "a", "label": ' + "9" * 5000 + "}\n").encode(),
        [
            "the data file cannot be read",
            "where:  a.jsonl, line 2",
            'got:    a number of more than 64 bits: \'{"text": "a", "label": ' + "9" * 37 + "'",
        ],
    ),
    (
        "a key twice",
        (GOOD + '{"text": "a", "text": "b", "label": "x"}\n').encode(),
        [
            "the data file cannot be read",
            "where:  a.jsonl, line 2",
            "got:    the key 'text' stands twice in one object: "
            '\'{"text": "a", "text": "b", "label": "x"}\'',
        ],
    ),
    (
        "a label that is no number",
        (GOOD + '{"text": "a", "label": NaN}\n').encode(),
        [
            "the column 'label' holds values of several kinds, or lists or objects",
            "where:  a.jsonl, line 2",
            "got:    NaN",
        ],
    ),
]


@pytest.mark.parametrize(("content", "lines"), [each[1:] for each in ROWS], ids=[each[0] for each in ROWS])
@pytest.mark.parametrize("packed", [False, True])
def test_rows(content: bytes, lines: list[str], packed: bool) -> None:
    name = put("a.jsonl.gz" if packed else "a.jsonl", gzip.compress(content) if packed else content)
    found = said(lambda: read_rows(name))
    assert found[:3] == [line.replace("a.jsonl", name) for line in lines]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv", "txt"])
def test_a_line_without_end(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LONGEST_LINE", 1 << 20)
    name = put(f"a.{kind}.gz" if kind == "jsonl" else f"a.{kind}", b"")
    content = b"text,label\n" + b"a" * (2 << 20)
    Path(name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert said(lambda: read_rows(name)) == [
        "a line is too long",
        f"where:  {name}, line 2",
        "got:    more than 1,048,576 bytes",
        "needed: one row a line",
    ]


def test_a_data_file_that_unpacks_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_UNPACKED", 1 << 20)
    name = put("a.jsonl.gz", gzip.compress(GOOD.encode() * 200_000))
    lines = said(lambda: read_rows(name))
    assert lines[0] == "the file unpacks to more than data can be"
    assert lines[2].endswith(" bytes that become more than 1,048,576")
    assert lines[3] == "needed: at most 1,048,576"


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "csv.gz": gzip.compress,
    "csv.bz2": bz2.compress,
    "csv.xz": lzma.compress,
}


@pytest.mark.parametrize("kind", [*PACKERS, "zip"])
def test_a_folder_whose_files_unpack_without_end(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_UNPACKED", 1 << 20)
    content = b"text,label\n" + b"a,b\n" * 500_000
    if kind == "zip":
        zipped({"train.csv": content}, Path("set/train.zip"))
    else:
        put(f"set/train.{kind}", PACKERS[kind](content))
    assert said(lambda: read_rows("./set"))[:2] == [
        "the file unpacks to more than data can be",
        f"where:  set/train.{kind}",
    ]


@pytest.mark.parametrize(
    ("line", "depth"),
    [
        (b"[[1], [2]]", 2),
        (b'{"a": "[[[["}', 1),
        (b'["\\"[", ["\\\\"]]', 2),
        (b"[" * 100, 65),
        (b"", 0),
        (b"]]", 0),
    ],
)
def test_how_deep_a_line_is(line: bytes, depth: int) -> None:
    assert deepest(line) == depth


def test_many_brackets_in_a_text_are_no_depth() -> None:
    name = put("a.jsonl", json.dumps({"text": "[{" * 200 + '"', "label": "x"}) + "\n")
    assert read_rows(name).to_list() == [{"text": "[{" * 200 + '"', "label": "x"}]


# Cards of data

NAMES = [
    "../secret.csv",
    "/secret.csv",
    "a/../../secret.csv",
    "http://localhost/x.csv",
    "zip://a::/b",
    "~/a.csv",
    "..\\a",
    "a\0",
]
SHAPES: dict[str, Callable[[str], Any]] = {
    "a name": lambda name: name,
    "a list": lambda name: ["train.csv", name],
    "parts": lambda name: [{"split": "train", "path": "train.csv"}, {"split": "test", "path": [name]}],
    "by part": lambda name: {"train": name},
}


@pytest.mark.parametrize("name", NAMES, ids=repr)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("card", ["README.md", ".huggingface.yaml"])
def test_a_card_that_names_files_elsewhere(name: str, shape: str, card: str) -> None:
    put("secret.csv", "text,label\nsecret,x\n")
    put("set/train.csv", "text,label\na,b\n")
    head = json.dumps({"configs": [{"config_name": "default", "data_files": SHAPES[shape](name)}]})
    put(f"set/{card}", f"---\r\n{head}\r\n---\r\n" if card == "README.md" else head)
    assert said(lambda: read_rows("./set"))[:3] == [
        "the card of the data names files that lie elsewhere",
        f"where:  set/{card}",
        f"got:    {name!r}",
    ]


@pytest.mark.parametrize(
    ("head", "got"),
    [
        (LAUGHS, MANY),
        (
            "configs: !!python/object/apply:os.system ['true']",
            "could not determine a constructor for the tag",
        ),
        ("a: " + "[" * 2000, "values nested deeper than 64"),
        ("a: 1\na: 2", "line 2: the key 'a' stands twice"),
        ("a: " + "9" * 5000, "a number of more than 64 bits"),
        ("#" * (1 << 20), "YAML of more than 524,288 characters"),
    ],
    ids=["laughs", "tag", "deep", "twice", "digits", "large"],
)
def test_a_card_beyond_yaml(head: str, got: str) -> None:
    put("set/train.csv", "text,label\na,b\n")
    put("set/README.md", f"---\n{head}\n---\n")
    lines = said(lambda: read_rows("./set"))
    assert lines[:2] == ["the card of the data cannot be read", "where:  set/README.md"]
    assert lines[2].startswith(f"got:    {got}")


def test_a_card_that_names_its_own_files() -> None:
    put("set/data/train.csv", "text,label\na,b\n")
    put("set/README.md", "---\nconfigs:\n- config_name: default\n  data_files: data/*.csv\n---\n# set\n")
    assert read_rows("./set").to_list() == [{"text": "a", "label": "b"}]


# Folders


@pytest.mark.parametrize("name", ["train.jsonl", "part.json"])
def test_lines_of_a_folder_are_looked_at(name: str) -> None:
    put(f"set/{name}", GOOD + NESTED)
    assert said(lambda: read_rows("./set"))[:3] == [
        "a line is nested too deep",
        f"where:  set/{name}, line 2",
        DEEP_LINE,
    ]


@pytest.mark.parametrize("begin", ["\n---\n", "  \n---\n", "---\na: 'x\u2028---'\n", "---\na: 'x\x0b---'\n"])
def test_the_head_of_a_card_is_found_as_the_hub_finds_it(begin: str) -> None:
    put("secret.csv", "text,label\nsecret,x\n")
    put("set/data.csv", "text,label\nopen,x\n")
    put("set/README.md", begin + "configs:\n- config_name: default\n  data_files: ../secret.csv\n---\n")
    first = said(lambda: read_rows("./set"))[0]
    assert first in (
        "the card of the data names files that lie elsewhere",
        "the card of the data cannot be read",
    )


# Splits, coarse classes, manifests

SPLITS: list[tuple[str, str, str]] = [
    ("deep", "[" * 100_000, "values nested deeper than 64"),
    ("digits", '{"kind": ' + "9" * 5000 + "}", "a number of more than 64 bits"),
    ("twice", '{"kind": "class", "kind": "class"}', "the key 'kind' stands twice in one object"),
    ("NaN", '{"kind": NaN}', "a number that is not finite"),
    (
        "a text for a list",
        '{"kind": "class", "folds": {"1": {"train": "abc"}}}',
        "abc where a list of class names should stand",
    ),
    (
        "numbers",
        '{"kind": "class", "folds": {"1": {"train": [1]}}}',
        "[1] where a list of class names should stand",
    ),
    ("a list of folds", '{"kind": "class", "folds": []}', "'list' object has no attribute 'values'"),
    ("a list", "[]", "list indices must be integers or slices, not str"),
]


@pytest.mark.parametrize(("content", "got"), [each[1:] for each in SPLITS], ids=[each[0] for each in SPLITS])
def test_splits(content: str, got: str) -> None:
    put("set/splits.json", content)
    lines = said(lambda: split_classes(ClassSplit(), ["a"], Path("set"), "set"))
    assert lines[:3] == ["the file of splits cannot be read", "where:  set/splits.json", f"got:    {got}"]


ENTRY = {"source": "s", "classes": ["a"], "support": ["0"], "query": ["1"]}
MANIFEST = {"schema": 1, "side": "test", "seed": 0, "repeats": 1, "sources": [], "episodes": [ENTRY]}
SOURCE = {"name": "s", "revision": None, "sha256": "0"}
MANIFESTS: list[tuple[str, dict[str, Any], str]] = [
    (
        "hashes that are numbers",
        {"episodes": [ENTRY, ENTRY | {"query": [1]}]},
        "TypeError: episode 1: query holds something else than texts",
    ),
    (
        "hashes in a text",
        {"episodes": [ENTRY | {"support": "abc"}]},
        "TypeError: episode 0: support holds something else than texts",
    ),
    (
        "augmented texts in a number",
        {"episodes": [ENTRY | {"augmented": 3}]},
        "TypeError: episode 0: augmented holds something else than texts",
    ),
    (
        "classes that are lists",
        {"episodes": [ENTRY | {"classes": [[]]}]},
        "TypeError: episode 0: classes holds something else than texts",
    ),
    (
        "a source that is a list",
        {"episodes": [ENTRY | {"source": []}]},
        "TypeError: episode 0: source holds something else than texts",
    ),
    (
        "an episode that is a text",
        {"episodes": ["a"]},
        "TypeError: string indices must be integers, not 'str'",
    ),
    ("a source without a name", {"sources": [{}]}, "KeyError: 'name'"),
    (
        "a checksum that is a number",
        {"sources": [SOURCE | {"sha256": 1}]},
        "TypeError: a source whose name or checksum is no text",
    ),
    ("a negative seed", {"seed": -1}, "ValueError: seed -1, repeats 1"),
    ("no repeats", {"repeats": 0}, "ValueError: seed 0, repeats 0"),
    (
        "a seed that is a list",
        {"seed": []},
        "TypeError: int() argument must be a string, a bytes-like object or a real number, not 'list'",
    ),
    ("a seed of 100 bits", {"seed": 2**100}, "MalformedError: a number of more than 64 bits"),
    ("a seed that is not finite", {"seed": float("inf")}, "MalformedError: a number that is not finite"),
]


@pytest.mark.parametrize(
    ("changed", "got"), [each[1:] for each in MANIFESTS], ids=[each[0] for each in MANIFESTS]
)
def test_manifests(changed: dict[str, Any], got: str) -> None:
    file = Path(put("manifest.json", json.dumps(MANIFEST | changed)))
    assert said(lambda: Manifest.read(file)) == [
        "this is no manifest of episodes",
        "where:  manifest.json",
        f"got:    {got}",
        "needed: the manifest.json of an evaluation",
    ]


def test_a_manifest_that_is_one() -> None:
    assert Manifest.read(Path(put("manifest.json", json.dumps(MANIFEST | {"sources": [SOURCE]})))).seed == 0


# Archives of releases


def member(
    name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, link
    return info, content


def test_members_that_lead_elsewhere_are_not_there() -> None:
    odd = ["../out", "/etc/passwd", "a/../../out", "a\\..\\..\\out", "C:/out", "./.hidden", "a/./../b"]
    with tarfile.open("a.tar", "w") as archive:
        for name in [*odd, "good.txt"]:
            info, content = member(name)
            archive.addfile(info, io.BytesIO(content))
        for kind, link in (
            (tarfile.SYMTYPE, "/etc/passwd"),
            (tarfile.LNKTYPE, "../x"),
            (tarfile.FIFOTYPE, ""),
            (tarfile.CHRTYPE, ""),
        ):
            archive.addfile(member(f"kind-{kind!r}", b"", kind, link)[0])
    zipped(dict.fromkeys([*odd, "good.txt"], b"x"), Path("a.zip"))
    for name in ("a.tar", "a.zip"):
        with open_tree(name) as found:
            assert found.names == ("good.txt",)
            assert found.read("good.txt") == b"x"


def test_links_of_a_folder_that_lead_elsewhere_are_not_there() -> None:
    put("secret", "x")
    put("release/good.txt", "x")
    os.symlink("../secret", "release/link")
    os.symlink("..", "release/folder")
    os.symlink("good.txt", "release/own")
    os.mkfifo("release/pipe")
    with open_tree("release") as found:
        assert found.names == ("good.txt", "own")


@pytest.mark.parametrize("form", ["zip", "tar.gz"])
def test_a_member_that_unpacks_without_end(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MOST", 1 << 20)
    if form == "zip":
        zipped({"a.txt": bytes(2 << 20)}, Path("a.zip"))
    else:
        with tarfile.open("a.tar.gz", "w:gz") as archive:
            archive.addfile(member("a.txt", bytes(2 << 20))[0], io.BytesIO(bytes(2 << 20)))
    assert Path(f"a.{form}").stat().st_size < 10_000
    with open_tree(f"a.{form}") as found:
        assert said(lambda: found.read("a.txt")) == [
            "a file of the release is too large",
            f"where:  a.{form}: a.txt",
            "got:    2,097,152 bytes, unpacked",
            "needed: at most 1,048,576",
            "do:     look into it before you trust it",
        ]


def test_a_zip_that_lies_about_its_sizes() -> None:
    """What is said to be small is cut there and found to be damaged."""
    zipped({"a.txt": b"a" * 1000}, Path("a.zip"))
    content = Path("a.zip").read_bytes()
    size = (1000).to_bytes(4, "little")
    assert content.count(size) == 2
    Path("a.zip").write_bytes(content.replace(size, (10).to_bytes(4, "little")))
    with open_tree("a.zip") as found:
        lines = said(lambda: found.read("a.txt"))
    assert lines[0] == "a file of the release cannot be read"
    assert lines[2].startswith("got:    Bad CRC-32")


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz"])
def test_an_archive_that_unpacks_without_end(packing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "MOST", 1 << 20)
    with tarfile.open(f"a.tar.{packing}", f"w:{packing}") as archive:  # type: ignore[call-overload]
        archive.addfile(member("a.txt", bytes(4 << 20))[0], io.BytesIO(bytes(4 << 20)))

    def opened() -> None:
        with open_tree(f"a.tar.{packing}"):
            pass

    lines = said(opened)
    assert lines[:2] == ["the archive unpacks to more than a release can be", f"where:  a.tar.{packing}"]
    assert lines[3] == "needed: at most 1,048,576"


@pytest.mark.parametrize(
    ("line", "got"),
    [
        ("[" * 100_000, "values nested deeper than 64"),
        ('{"sentence": ' + "9" * 5000 + "}", "a number of more than 64 bits"),
        ('{"sentence": "a", "sentence": "b", "label": "a"}', "the key 'sentence' stands twice in one object"),
        ('{"sentence": NaN, "label": "a"}', "a number that is not finite"),
    ],
    ids=["deep", "digits", "twice", "NaN"],
)
def test_rows_of_a_release(line: str, got: str, capsys: pytest.CaptureFixture[str]) -> None:
    from fewshot.releases.__main__ import main

    files = protaugment()
    files["data/BANKING77/full.jsonl"] += line.encode() + b"\n"
    zipped(files, Path("a.zip"))
    assert main(["protaugment", "a.zip", "--out", "out"]) == 2
    lines = capsys.readouterr().err.split("\n")
    assert lines[0] == "error: a part of the release cannot be read"
    assert lines[1].endswith("full.jsonl, line 14")
    assert lines[2] == f"  got:    {got}"
    assert not Path("out").exists()


# Texts to be labelled

TEXT_LINES: list[tuple[str, str, str]] = [
    ("deep", "[" * 100_000, "values nested deeper than 64"),
    ("digits", '{"text": ' + "9" * 5000 + "}", "a number of more than 64 bits"),
    ("twice", '{"text": "a", "text": "b"}', "the key 'text' stands twice in one object"),
    ("long", '{"text": "' + "a" * LONGEST + '"}', "a line of more than 1,000,000 signs"),
]


@pytest.mark.parametrize(
    ("line", "got"), [each[1:] for each in TEXT_LINES], ids=[each[0] for each in TEXT_LINES]
)
def test_lines_of_texts(line: str, got: str) -> None:
    put("a.jsonl", f"{GOOD}{line}\n{GOOD}")
    wrong: list[InputError] = []
    assert [each.number for each in read_texts("a.jsonl", "jsonl", "text", wrong.append)] == [1, 3]
    (error,) = wrong
    assert [line.strip() for line in str(error).split("\n")][:3] == [
        "this line is no JSON",
        "where:  a.jsonl, line 2",
        f"got:    {got}",
    ]


# Runs and tasks


@pytest.fixture
def pushed() -> Path:
    """A run, as far as `push` looks."""
    for name in ("README.md", "config.yaml", "summary.json", "tasks.csv", "meta.safetensors", "log.jsonl"):
        put(f"run/{name}", "x")
    put("run/run.json", json.dumps({"schema": SCHEMA}))
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        put(f"run/adapter/{name}", "{}")
    return Path("run")


@pytest.mark.parametrize("name", ["README.md", "tasks.csv", "adapter/adapter_config.json"])
def test_a_link_in_a_run_is_not_uploaded(name: str, pushed: Path) -> None:
    put("secret", "a key")
    (pushed / name).unlink()
    (pushed / name).symlink_to(Path("secret").resolve())
    assert said(lambda: uploaded(pushed))[:3] == [
        "a file is named that lies elsewhere",
        "where:  run",
        f"got:    'run/{name}', a symbolic link that leads out of the folder",
    ]


def test_a_link_within_a_run_is(pushed: Path) -> None:
    (pushed / "README.md").rename(pushed / "card.md")
    (pushed / "README.md").symlink_to("card.md")
    assert "README.md" in uploaded(pushed)


def test_a_log_that_is_a_link_is_not_written_to(pushed: Path) -> None:
    put("precious", "x")
    (pushed / "summary.json").unlink()
    (pushed / "log.jsonl").unlink()
    (pushed / "log.jsonl").symlink_to(Path("precious").resolve())
    assert said(lambda: reopen(RunFolder(pushed), "x", None))[0] == "a file is named that lies elsewhere"
    assert Path("precious").read_text() == "x"


RUNS: list[tuple[str, str, str]] = [
    ("deep", "[" * 100_000, "this is no run directory"),
    ("digits", '{"schema": ' + "9" * 5000 + "}", "this is no run directory"),
    ("a text", '"schema"', "this is no run directory"),
    ("another schema", '{"schema": 0}', "the run was written by another version"),
]


@pytest.mark.parametrize(("content", "what"), [each[1:] for each in RUNS], ids=[each[0] for each in RUNS])
def test_what_is_no_run(content: str, what: str) -> None:
    put("run/run.json", content)
    assert said(RunFolder(Path("run")).check_readable)[:2] == [what, "where:  run"]


@pytest.mark.parametrize("name", ["../../out", "/out", "a/../../../out", "a\\b"])
def test_an_evaluation_of_a_name_elsewhere(name: str, cli: Cli, run: str) -> None:
    code, _, err = cli("evaluate", run, "--name", name)
    assert code == 2
    assert err.split("\n")[:2] == ["error: a file is named that lies elsewhere", "  where:  --name"]


@pytest.fixture
def stored(run: str, tmp_path: Path) -> Path:
    """A task that a test may spoil."""
    meta = learned(run)
    save_task(tmp_path / "task", adapted(meta, labelled(TEXTS, LABELS)), meta)
    return tmp_path / "task"


def changed(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


TASKS: list[tuple[str, Callable[[dict[str, Any]], object], str, str]] = [
    (
        "a model that is a text",
        lambda a: a.update(model="x"),
        "the model is not described as a run describes it",
        "got:    model: x",
    ),
    (
        "arguments that are a list",
        lambda a: a["model"].update(init_args=[]),
        "the model is not described as a run describes it",
        "got:    model:",
    ),
    (
        "seconds that are a text",
        lambda a: a.update(seconds="1"),
        "the task is damaged",
        "got:    seconds: '1'",
    ),
    (
        "seconds that are not finite",
        lambda a: a.update(seconds=float("nan")),
        "this is no adapted task",
        "got:    a folder without a readable task.json: a number that is not finite",
    ),
    (
        "another backbone",
        lambda a: a.update(backbone="minilm"),
        "the task names two backbones",
        "got:    'minilm' and '",
    ),
    (
        "a model of another package",
        lambda a: a["model"].update(class_path="os.system"),
        "the run names code that is neither fewshot's nor your own",
        "got:    os.system",
    ),
    (
        "a huge rank",
        lambda a: a["model"]["init_args"]["lora"].update(rank=10**9),
        "model.lora.rank is too large",
        "got:    1000000000",
    ),
    (
        "another rank",
        lambda a: a["model"]["init_args"]["lora"].update(rank=3),
        "the saved adapter has another rank than model.lora asks for",
        "got:    8",
    ),
    (
        "more layers",
        lambda a: a["model"]["init_args"]["lora"].update(layers="all"),
        "the saved adapter is another than model.lora asks for",
        "got:    no such tensor; 9 more differ",
    ),
    (
        "layers without end",
        lambda a: a["model"]["init_args"]["lora"].update(layers="last:99999999999"),
        "these layers cannot be adapted",
        "got:    'last:99999999999'",
    ),
]


@pytest.mark.parametrize(
    ("change", "what", "got"), [each[1:] for each in TASKS], ids=[each[0] for each in TASKS]
)
def test_tasks(change: Callable[[dict[str, Any]], object], what: str, got: str, stored: Path) -> None:
    changed(stored / "task.json", change)
    lines = said(lambda: load_task(stored))
    assert lines[0] == what
    assert any(line.startswith(got) for line in lines)


def test_a_link_in_a_task_is_not_copied(stored: Path, tmp_path: Path) -> None:
    put("secret", "a key")
    (stored / "support.jsonl").unlink()
    (stored / "support.jsonl").symlink_to(Path("secret").resolve())
    assert (
        said(lambda: compressed(stored, tmp_path / "small", None, "int8"))[0]
        == "a file is named that lies elsewhere"
    )
    assert not (tmp_path / "small").exists()


def test_the_meta_parameters_of_another_model(run: str, runs: Callable[[str], str], cli: Cli) -> None:
    copy = Path(shutil.copytree(run, "copy"))
    own, other = Path(run).name, runs("MetaSGD")
    shutil.copy(Path(other) / "meta.safetensors", copy)
    code, _, err = cli("evaluate", copy)
    lines = err.split("\n")
    assert (code, lines[0]) == (2, "error: these meta-parameters belong to another model or algorithm")
    assert lines[1].startswith("  where:  copy/meta.safetensors, tensor algorithm.")
    assert lines[2].startswith(
        "  got:    F32 of shape (" if own == "ProtoNet" else "  got:    no such tensor"
    )
    assert lines[3].startswith(
        "  needed: no such tensor, but " if own == "ProtoNet" else "  needed: floats of shape ("
    )
