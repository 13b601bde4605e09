"""Wrong input is answered with one message, word for word, and nothing is written."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from releases.samples import Files, arsc, bao, folder, leopard, lines, protaugment, tarred, zipped

from fewshot.releases.__main__ import main

Say = Callable[..., str]
pytestmark = pytest.mark.bad_input


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """What is said of a command that is refused; `IN` stands for the folder of the test's files."""

    def refused(*arguments: str) -> str:
        given = [argument.replace("IN", str(tmp_path)) for argument in arguments]
        assert main([*given, "--out", str(tmp_path / "out")]) == 2
        assert not (tmp_path / "out").exists()
        said = capsys.readouterr()
        assert said.out == ""
        return said.err.replace(str(tmp_path), "IN")

    return refused


def test_an_unknown_release(say: Say) -> None:
    assert say("protaugmnt", "IN") == (
        "error: unknown release 'protaugmnt'\n"
        "  needed: a distribution that can be converted\n"
        "  do:     did you mean 'protaugment'?\n"
    )


def test_a_path_that_does_not_exist(say: Say) -> None:
    assert say("bao", "IN/none") == (
        "error: the release does not exist\n"
        "  where:  IN/none\n"
        "  needed: a folder, an archive (.zip or .tar, plain or packed), or the URL of an archive\n"
    )


def no_archive(where: str, got: str) -> str:
    return (
        "error: this file is no archive, or a damaged one\n"
        f"  where:  {where}\n"
        f"  got:    {got}\n"
        "  needed: a whole .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz\n"
        "  do:     fetch it again; GitHub has https://github.com/OWNER/NAME/archive/COMMIT.zip\n"
    )


def test_a_file_that_is_no_archive(say: Say, tmp_path: Path) -> None:
    (tmp_path / "page.zip").write_text("<!DOCTYPE html>" * 100)
    assert say("bao", "IN/page.zip") == no_archive("IN/page.zip", "invalid header")
    (tmp_path / "empty.zip").touch()
    assert say("bao", "IN/empty.zip") == no_archive("IN/empty.zip", "empty file")


def test_an_archive_that_was_cut_off(say: Say, tmp_path: Path) -> None:
    whole = tarred(protaugment(), tmp_path / "a.tar.gz", "gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[:-40])
    got = "Compressed file ended before the end-of-stream marker was reached"
    assert say("bao", "IN/cut.tar.gz") == no_archive("IN/cut.tar.gz", got)
    whole = zipped(protaugment(), tmp_path / "a.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:-40])
    assert say("bao", "IN/cut.zip") == no_archive("IN/cut.zip", "File is not a zip file")


def test_an_archive_with_a_name_in_no_encoding(say: Say, tmp_path: Path) -> None:
    archive = zipped(protaugment() | {"é": b"x"}, tmp_path / "a.zip")
    archive.write_bytes(archive.read_bytes().replace("é".encode(), b"\x90\x90"))
    got = "'utf-8' codec can't decode byte 0x90 in position 0: invalid start byte"
    assert say("protaugment", "IN/a.zip") == no_archive("IN/a.zip", got)


def test_a_member_that_is_damaged(say: Say, tmp_path: Path) -> None:
    files = protaugment()
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    content = (tmp_path / "a.zip").read_bytes().replace(b'{"sentence": " b 0', b'{"sentence": " B 0', 1)
    (tmp_path / "a.zip").write_bytes(content)
    assert say("protaugment", "IN/a.zip") == (
        "error: a file of the release cannot be read\n"
        "  where:  IN/a.zip: data/BANKING77/full.jsonl\n"
        "  got:    Bad CRC-32 for file 'data/BANKING77/full.jsonl'\n"
        "  needed: a whole file, without a password\n"
        "  do:     fetch the release again\n"
    )


def test_a_folder_without_any_of_the_files(say: Say, tmp_path: Path) -> None:
    folder({"in/a": b"", "in/b/c": b""}, tmp_path)
    assert say("protaugment", "IN/in") == (
        "error: no files of banking77, hwu64, clinic150, liu were found\n"
        "  where:  IN/in\n"
        "  got:    2 files: a, b/c\n"
        "  needed: files such as BANKING77/full.jsonl, HWU64/full.jsonl, OOS/full.jsonl, Liu/full.jsonl, "
        "at any depth\n"
        "  do:     give a copy of tdopierre/ProtAugment, or a folder that holds one\n"
    )


def test_a_data_set_that_is_not_there(say: Say, tmp_path: Path) -> None:
    folder(protaugment(), tmp_path / "in")
    assert say("protaugment", "IN/in", "--only", "hwu64", "banking77") == (
        "error: no files of hwu64 were found\n"
        "  where:  IN/in\n"
        "  got:    6 files: README.md, data/BANKING77/few_shot/01/labels.test.txt, "
        "data/BANKING77/few_shot/01/labels.train.txt, and 3 more\n"
        "  needed: files such as HWU64/full.jsonl, at any depth\n"
        "  do:     give a copy of tdopierre/ProtAugment, or a folder that holds one\n"
    )


def test_an_unknown_data_set(say: Say, tmp_path: Path) -> None:
    folder(protaugment(), tmp_path / "in")
    assert say("protaugment", "IN/in", "--only", "banking") == (
        "error: unknown data set 'banking'\n"
        "  where:  --only\n"
        "  needed: one that tdopierre/ProtAugment has\n"
        "  do:     did you mean 'banking77'?\n"
    )


def malformed(where: str, got: str, needed: str) -> str:
    return (
        "error: a part of the release cannot be read\n"
        f"  where:  IN/in: {where}\n"
        f"  got:    {got}\n"
        f"  needed: {needed}\n"
        "  do:     fetch the release again; this copy was changed or cut off\n"
    )


SENTENCE = '{"sentence": "a text", "label": "a class"}'
TOKENS = '{"text": ["a", "list", "of", "tokens"], "label": a number from 0 to 30}'
REVIEW = '{"sentence1": "a text", "label": "a class"}'
FULL = "data/BANKING77/full.jsonl"
NEWS = "data/reuters.json"
BOOKS = "Amazon_few_shot/books.t2.test"
SAMPLES = "data/BANKING77/few_shot/01/train.10samples.jsonl"
EVAL = "data/json/sentiment_dvd/sentiment_dvd_eval.json"
# release, its files, the file, what stands in its second line (or in all of it), where, got, needed
LINES: list[tuple[str, Callable[[], Files], str, bytes, str, str, str]] = [
    ("protaugment", protaugment, FULL, b'{"sentence": "cut of', "line 2",
     '{"sentence": "cut of', SENTENCE),
    ("protaugment", protaugment, FULL, b"[1, 2]", "line 2", "[1, 2]", SENTENCE),
    ("protaugment", protaugment, FULL, b'{"sentence": "a"}', "line 2", '{"sentence": "a"}', SENTENCE),
    ("protaugment", protaugment, FULL, b"caf\xe9", "line 2", "the byte 0xe9", "UTF-8"),
    ("protaugment", protaugment, SAMPLES, b'{"sentence": "new", "label": "b"}', "line 2",
     '{"sentence": "new", "label": "b"}', "a row of BANKING77/full.jsonl"),
    ("bao", bao, NEWS, b'{"text": ["a"], "label": 31}', "line 2", '{"text": ["a"], "label": 31}', TOKENS),
    ("bao", bao, NEWS, b'{"text": [1], "label": 3}', "line 2", '{"text": [1], "label": 3}', TOKENS),
    ("bao", bao, NEWS, b'{"text": "a", "label": "retail"}', "line 2",
     '{"text": "a", "label": "retail"}', TOKENS),
    ("arsc", arsc, BOOKS, b"no label", "line 2", "no label", "a text, a tab, and 1 or -1"),
    ("arsc", arsc, BOOKS, b"long " * 20 + b"\t2", "line 2",
     "..." + ("long " * 20 + "\t2")[-57:], "a text, a tab, and 1 or -1"),
    ("leopard", leopard, EVAL, b'[{"sentence1": "cut', "line 1",
     'Unterminated string starting at: [{"sentence1": "cut',
     f"one JSON array of {REVIEW}"),
    ("leopard", leopard, EVAL, b'{"a": 1}', "line 1", '{"a": 1}', f"one JSON array of {REVIEW}"),
    ("leopard", leopard, EVAL, b'[{"sentence1": "a", "label": 1}, {"label": 1}]', "row 2",
     '{"label": 1}', REVIEW),
]  # fmt: skip


@pytest.mark.parametrize(("release", "make", "file", "broken", "place", "got", "needed"), LINES)
def test_a_malformed_line(
    release: str, make: Callable[[], Files], file: str, broken: bytes, place: str, got: str, needed: str,
    say: Say, tmp_path: Path,
) -> None:  # fmt: skip
    files = make()
    kept = files[file].split(b"\n")
    files[file] = broken if file == EVAL else b"\n".join([kept[0], broken, *kept[2:]])
    folder(files, tmp_path / "in")
    assert say(release, "IN/in") == malformed(f"{file}, {place}", got, needed)


def test_another_checksum(say: Say, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"")
    got = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert say("bao", "IN/a.zip", "--sha256", "A" * 64) == (
        "error: the archive has another checksum\n"
        "  where:  IN/a.zip\n"
        f"  got:    {got}\n"
        f"  needed: {'a' * 64}\n"
        "  do:     fetch it again, or leave out --sha256 if you trust this one\n"
    )
    assert say("bao", "IN/a.zip", "--sha256", "abc") == (
        "error: --sha256 is no checksum\n  got:    abc\n  needed: 64 hexadecimal digits\n"
    )
    assert say("bao", "IN", "--sha256", "a" * 64) == (
        "error: a folder has no checksum\n  where:  IN\n  needed: --sha256 with an archive or a URL\n"
    )


def test_a_list_of_absent_classes(say: Say, tmp_path: Path) -> None:
    files = protaugment() | {"data/BANKING77/few_shot/01/labels.test.txt": b"c\nnew\n"}
    folder(files, tmp_path / "in")
    assert say("protaugment", "IN/in") == (
        "error: classes are listed that have no rows\n"
        "  where:  IN/in: data/BANKING77/few_shot/01/labels.test.txt\n"
        "  got:    new\n"
        "  needed: classes that the data file has\n"
        "  do:     fetch the release again; its lists and its data are not of one version\n"
    )
    files = bao()
    files["data/reuters.json"] = lines([{"text": ["a"], "label": n} for n in range(30)])
    folder(files, tmp_path / "short")
    assert say("bao", "IN/short") == (
        "error: classes are listed that have no rows\n"
        "  where:  IN/short: data/reuters.json\n"
        "  got:    wholesale price index\n"
        "  needed: classes that the data file has\n"
        "  do:     fetch the release again; its lists and its data are not of one version\n"
    )


def unreachable(url: str, got: str) -> str:
    return (
        "error: the URL cannot be fetched\n"
        f"  where:  {url}\n"
        f"  got:    {got}\n"
        "  needed: a URL that answers with an archive\n"
        "  do:     check the address and the network, or download it by hand and give the file\n"
    )


def test_a_url_that_does_not_answer(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    got = "[Errno 111] Connection refused"
    assert say("bao", "http://127.0.0.1:1/a.zip") == unreachable("http://127.0.0.1:1/a.zip", got)
    got = "[Errno 2] No such file or directory: 'IN/a.zip'"
    assert say("bao", "file://IN/a.zip") == unreachable("file://IN/a.zip", got)


def test_another_kind_of_url(say: Say) -> None:
    assert say("bao", "ftp://example.org/a.zip") == (
        "error: this kind of URL cannot be fetched\n"
        "  where:  ftp://example.org/a.zip\n"
        "  needed: http://, https:// or file://, and an archive\n"
    )


def test_a_file_that_is_missing(say: Say, tmp_path: Path) -> None:
    files = protaugment()
    del files["data/BANKING77/few_shot/01/labels.valid.txt"]
    folder(files, tmp_path / "in")
    assert say("protaugment", "IN/in") == (
        "error: a file of the release is missing\n"
        "  where:  IN/in\n"
        "  needed: data/BANKING77/few_shot/01/labels.valid.txt\n"
        "  do:     fetch the release again; this copy is not complete\n"
    )


def test_rcv1_without_texts(say: Say, tmp_path: Path) -> None:
    folder(bao() | {"data/rcv1.json": lines([{"path": "1/2.xml", "label": 3}])}, tmp_path / "in")
    assert say("bao", "IN/in", "--only", "rcv1", "reuters") == (
        "error: rcv1.json names documents by their path and has no texts\n"
        "  where:  IN/in: data/rcv1.json, line 1\n"
        '  got:    {"path": "1/2.xml", "label": 3}\n'
        '  needed: {"text": ["a", "list", "of", "tokens"], "label": a number from 0 to 70}\n'
        "  do:     put the tokens of each document in as `text`: its licence lets nobody hand them out\n"
    )


def test_a_data_set_without_rows(say: Say, tmp_path: Path) -> None:
    files = {name: content for name, content in arsc().items() if name.endswith(".list")}
    folder(files, tmp_path / "in")
    assert say("arsc", "IN/in") == (
        "error: arsc has no rows\n"
        "  where:  IN/in\n"
        "  needed: at least one\n"
        "  do:     fetch the release again\n"
    )


def test_too_few_rows(say: Say) -> None:
    assert say("bao", "IN", "--rows-per-class", "0") == (
        "error: --rows-per-class is too small\n  got:    0\n  needed: 1 or more\n"
    )


def test_no_output_folder(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["bao", "somewhere"])
    assert stopped.value.code == 2
    assert "the following arguments are required: --out" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_what_stands_in_the_way_stays(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(protaugment() | protaugment("HWU64"), tmp_path / "in")
    (tmp_path / "out/hwu64").mkdir(parents=True)
    (tmp_path / "out/hwu64/mine").touch()
    assert main(["protaugment", str(tmp_path / "in"), "--out", str(tmp_path / "out"), *more]) == 2
    assert capsys.readouterr().err == (
        "error: what would be overwritten is no data set\n"
        f"  where:  {tmp_path}/out/hwu64\n"
        "  needed: a folder with splits.json\n"
        "  do:     choose another --out, or remove it yourself\n"
        if more
        else "error: the output exists already\n"
        f"  where:  {tmp_path}/out/hwu64\n"
        "  needed: names that are free\n"
        "  do:     choose another --out, or add --overwrite\n"
    )
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["hwu64", "mine"]


def test_a_file_in_the_place_of_the_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(protaugment(), tmp_path / "in")
    (tmp_path / "out").touch()
    assert main(["protaugment", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        "error: a file stands where the folder of data sets should be\n"
        f"  where:  {tmp_path}/out\n"
        "  needed: a folder\n"
    )
