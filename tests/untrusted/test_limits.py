"""JSON, YAML and names of files within their limits; each that is beyond gets its line."""

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli

from fewshot.errors import InputError
from fewshot.untrusted.paths import inside
from fewshot.untrusted.values import MalformedError, bounded_lines, parse_json, read_json, read_text
from fewshot.untrusted.yaml_files import LONGEST_YAML, front_matter, parse_yaml

pytestmark = pytest.mark.bad_input
DEEP = "values nested deeper than 64"
WIDE = "a number of more than 64 bits"

JSON: list[tuple[str, str | bytes, str]] = [
    ("lists in lists", "[" * 65 + "]" * 65, DEEP),
    ("objects in objects", '{"a":' * 65 + "1" + "}" * 65, DEEP),
    ("both", '[{"a":' * 40 + "1" + "}]" * 40, DEEP),
    ("lists beyond Python's calls", "[" * 100_000 + "]" * 100_000, DEEP),
    ("objects beyond Python's calls", '{"a":' * 100_000, DEEP),
    ("an integer of 65 bits", str(2**64), WIDE),
    ("a negative one", str(-(2**63) - 1), WIDE),
    ("5000 digits", "9" * 5000, WIDE),
    ("5000 digits in an object", '{"a": [-' + "9" * 5000 + "]}", WIDE),
    ("NaN", "[NaN]", "a number that is not finite"),
    ("Infinity", "[Infinity]", "a number that is not finite"),
    ("-Infinity", '{"a": -Infinity}', "a number that is not finite"),
    ("an exponent", "1e999", "a number that is not finite"),
    ("a key twice", '{"a": 1, "a": 1}', "the key 'a' stands twice in one object"),
    ("a key twice, escaped", '{"a": 1, "\\u0061": 2}', "the key 'a' stands twice in one object"),
    ("a key twice, deeper", '[{"b": {"a": 1, "c": 2, "a": 3}}]', "the key 'a' stands twice in one object"),
    ("no UTF-8", b'"\xff"', "bytes that are no UTF-8"),
    ("nothing", "", "Expecting value: line 1 column 1 (char 0)"),
    ("more than one", "1 2", "Extra data: line 1 column 3 (char 2)"),
    ("a NUL", '"\0"', "Invalid control character at: line 1 column 2 (char 1)"),
]


@pytest.mark.parametrize(("text", "said"), [each[1:] for each in JSON], ids=[each[0] for each in JSON])
def test_json(text: str | bytes, said: str) -> None:
    with pytest.raises((MalformedError, json.JSONDecodeError)) as raised:
        parse_json(text)
    assert str(raised.value) == said


@pytest.mark.parametrize(
    "value", [2**64 - 1, -(2**63), 1e300, [[[]]], {"a": {"b": None}}, "a", [1] * 1000, {"": ""}]
)
def test_json_within_the_limits(value: object) -> None:
    assert parse_json(json.dumps(value)) == value
    deepest: Any = value
    for _ in range(60):
        deepest = [deepest]
    assert parse_json(json.dumps(deepest).encode()) == deepest


def test_numbers_of_logs_may_be_any() -> None:
    assert parse_json(f"[NaN, 1e999, {10**30}]", numbers=False)[2] == 10**30


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{one}: &{one} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, one in zip("abcdefgh", "bcdefghi", strict=True)
)
KEYS = "a: &a {k0: x, k1: x, k2: x, k3: x, k4: x, k5: x, k6: x, k7: x, k8: x}\n" + LAUGHS.split("\n", 1)[1]
MANY = "more than 200,000 values, by aliases of aliases or by themselves"
TAG = "could not determine a constructor for the tag 'tag:yaml.org,2002:python/"

YAML: list[tuple[str, str, str]] = [
    ("a billion laughs", LAUGHS, MANY),
    ("of objects", KEYS, MANY),
    ("a list in itself", "&a [*a]", "a value that holds itself"),
    ("an object in itself", "&a {b: {c: *a}}", "a value that holds itself"),
    ("lists in lists", "[" * 65 + "]" * 65, DEEP),
    ("lists beyond Python's calls", "[" * 2000, DEEP),
    ("objects beyond Python's calls", "{a: " * 2000, DEEP),
    ("blocks in blocks", "\n".join(" " * n + "a:" for n in range(70)), DEEP),
    ("an integer", "a: " + "9" * 22, WIDE),
    ("5000 digits", "a: " + "9" * 5000, WIDE),
    ("minutes of minutes", "a: " + ":".join(["59"] * 2000), WIDE),
    ("a key twice", "a: 1\nb: 2\na: 3", "line 3: the key 'a' stands twice"),
    ("a key twice, deeper", "x: {a: 1, a: 1}", "line 1: the key 'a' stands twice"),
    ("large", "#" * (LONGEST_YAML + 1), "YAML of more than 524,288 characters"),
    ("a call", "!!python/object/apply:os.system ['true']", TAG + "object/apply:os.system'"),
    (
        "an object",
        "a: !!python/object:fewshot.errors.InputError {}",
        TAG + "object:fewshot.errors.InputError'",
    ),
    ("a module", "!!python/module:os", TAG + "module:os'"),
    ("a name", "!!python/name:os.system", TAG + "name:os.system'"),
    ("a new object", "!!python/object/new:os.system [x]", TAG + "object/new:os.system'"),
    ("a tuple", "!!python/tuple [1]", TAG + "tuple'"),
    ("a tag of its own", "!evil 1", "could not determine a constructor for the tag '!evil'"),
    (
        "no integer",
        "!!int a",
        "a value that is not what its tag says: invalid literal for int() with base 10: 'a'",
    ),
    (
        "no date",
        "!!timestamp a",
        "a value that is not what its tag says: 'NoneType' object has no attribute 'groupdict'",
    ),
    (
        "no float",
        "!!float a",
        "a value that is not what its tag says: could not convert string to float: 'a'",
    ),
    ("a list as a key", "? [a]\n: 1", "while constructing a mapping"),
    ("an alias of nothing", "*a", "found undefined alias 'a'"),
    ("two documents", "a\n---\nb", "expected a single document in the stream"),
    ("a tab", "a:\n\t- b", "while scanning for the next token found character '\\t'"),
    ("a NUL", "a: \0", "unacceptable character #x0000: special characters are not allowed"),
]


@pytest.mark.parametrize(("text", "said"), [each[1:] for each in YAML], ids=[each[0] for each in YAML])
def test_yaml(text: str, said: str) -> None:
    started = time.perf_counter()
    with pytest.raises(MalformedError) as raised:
        parse_yaml(text)
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("a: &x [1, 2]\nb: *x", {"a": [1, 2], "b": [1, 2]}),
        ("a: &x {b: 1}\nc:\n  <<: *x\n  b: 2", {"a": {"b": 1}, "c": {"b": 2}}),
        ("a: 2001-13-45", {"a": "2001-13-45"}),
        ("a: .inf", {"a": float("inf")}),
        ("[" * 60 + "]" * 60, None),
    ],
)
def test_yaml_within_the_limits(text: str, value: object) -> None:
    assert value is None or parse_yaml(text) == value
    parse_yaml(text)


def test_the_head_of_a_card() -> None:
    assert front_matter("---\r\na: 1\r\n---\r\ntext") == {"a": 1}
    assert [front_matter(text) for text in ("", "text", "---\na: 1")] == [None] * 3
    assert front_matter("\n ---\na: 1\n---") == {"a": 1}
    with pytest.raises(MalformedError, match="more than 200,000 values"):
        front_matter(f"---\n{LAUGHS}---\n")


def test_files_of_any_size(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("[" + " " * 100)
    with pytest.raises(MalformedError, match="a file of more than 100 bytes"):
        read_json(file, most=100)
    with pytest.raises(MalformedError, match="a file of more than 1,000 bytes"):
        read_text(Path("/dev/zero"), most=1000)  # has no end


def test_lines_of_any_length() -> None:
    lines = bounded_lines(io.StringIO("ab\n" + "c" * 50 + "\nd\n" + "e" * 50), 4)
    assert list(lines) == ["ab\n", "ccccc", "d\n", "eeeee"]


NAMES = [
    "../a", "a/../../b", "..", ".", "", "/etc/passwd", "//a", "a//b", "a/", "~/a", "a\0b", "a\\b",
    "..\\a", "C:a",
    "C:\\a", "a\nb", "a/./b", "link/a", "link",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_names_that_lead_elsewhere(name: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "link").symlink_to(tmp_path)
    with pytest.raises(InputError) as raised:
        inside(home, name, "a file")
    lines = str(raised.value).split("\n")
    assert lines[:2] == ["a file is named that lies elsewhere", "  where:  a file"]
    by_link = f"'{home / name}', a symbolic link that leads out of the folder"
    assert lines[2] == f"  got:    {by_link if name.startswith('link') else repr(name)}"


@pytest.mark.parametrize("name", [None, 3, ["a"], b"a"], ids=repr)
def test_names_that_are_none(name: object, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a file is named that lies elsewhere"):
        inside(tmp_path, name, "a file")


def test_names_that_stay(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for name in ("a", "a/b.json", "...", "a..b", "link/b", "ä b"):
        assert inside(tmp_path, name, "") == tmp_path / name


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (LAUGHS, MANY),
        ("a: !!python/object/apply:os.system ['true']", TAG),
        ("[" * 2000, DEEP),
        ("algorithm: MAML\nalgorithm: ANIL\n", "line 2: the key 'algorithm' stands twice"),
        ("a: " + "9" * 5000, WIDE),
        ("\xff".encode("latin-1"), "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        ("a: [", "while parsing a flow node"),
    ],
    ids=["laughs", "tag", "deep", "twice", "digits", "bytes", "cut off"],
)
@pytest.mark.parametrize("command", ["train", "search"])
def test_a_configuration(command: str, content: str | bytes, got: str, cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    code, out, err = cli(command, f"--config={file}", "--out", tmp_path / "out")
    lines = err.split("\n")
    assert (code, out) == (2, "")
    assert lines[:2] == ["error: the configuration cannot be read", f"  where:  {file}"]
    assert lines[2].startswith(f"  got:    {got}")
    assert lines[3:] == ["  needed: a YAML file of plain values", ""]
    assert not (tmp_path / "out").exists()
