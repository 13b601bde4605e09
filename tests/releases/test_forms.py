"""A release gives the same bytes in whatever form it comes, and whenever it is converted."""

import gzip
import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from releases.samples import (
    FORMS,
    Files,
    arsc,
    bao,
    convert,
    folder,
    leopard,
    lines,
    packed,
    protaugment,
    tarred,
    zipped,
)

from fewshot.releases.__main__ import main

RELEASES: dict[str, Callable[[], Files]] = {
    "protaugment": protaugment,
    "bao": bao,
    "leopard": leopard,
    "arsc": arsc,
}


@pytest.mark.parametrize("release", RELEASES)
def test_every_form_gives_the_same_bytes(release: str, tmp_path: Path) -> None:
    files = RELEASES[release]()
    forms = [form for form in FORMS if release != "arsc" or form != "data"]  # its files lie elsewhere
    written = {
        form: convert(release, packed(files, tmp_path / form, form), tmp_path / f"{form}-out")
        for form in forms
    }
    assert len(written["folder"]) >= 4
    for form, content in written.items():
        assert content == written["folder"], form


def test_twice_gives_the_same_bytes_packed_too(tmp_path: Path) -> None:
    rows = [{"sentence": f"{n} " + "word " * 40, "label": "abc"[n % 3]} for n in range(9000)]
    files = protaugment() | {"data/BANKING77/full.jsonl": lines(rows)}
    files["data/BANKING77/few_shot/01/train.10samples.jsonl"] = lines(rows[8:9])
    source = folder(files, tmp_path / "in")
    first, second = (convert("protaugment", source, tmp_path / name) for name in ("one", "two"))
    assert first == second
    content = first["banking77/data.jsonl.gz"]
    assert content[3:8] == b"\0\0\0\0\0"  # no name, no time
    assert gzip.decompress(content).count(b"\n") == 9000
    assert b"`data.jsonl.gz`: 9000 rows" in first["banking77/SOURCE.md"]


def test_checksums_are_of_every_other_file(tmp_path: Path) -> None:
    written = convert("protaugment", folder(protaugment(), tmp_path / "in"), tmp_path / "out")
    listed = dict(line.split("  ")[::-1] for line in written["banking77/checksums.txt"].decode().splitlines())
    assert listed == {
        name.removeprefix("banking77/"): hashlib.sha256(content).hexdigest()
        for name, content in written.items()
        if name != "banking77/checksums.txt"
    }
    assert sorted(listed) == ["SOURCE.md", "data.jsonl", "low10.json", "splits.json"]


def test_the_files_that_were_read_are_named_with_their_checksums(tmp_path: Path) -> None:
    files = protaugment()
    written = convert("protaugment", folder(files, tmp_path / "in"), tmp_path / "out")
    said = written["banking77/SOURCE.md"].decode()
    for name, content in files.items():
        line = f"\n{hashlib.sha256(content).hexdigest()}  {name.removeprefix('data/')}\n"
        assert (line in said) == (name != "README.md")


def test_overwrite_replaces_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = folder(protaugment(), tmp_path / "in"), tmp_path / "out"
    first = convert("protaugment", source, out)
    (out / "banking77/old").touch()
    assert convert("protaugment", source, out, "--overwrite") == first
    said = capsys.readouterr()
    digest = hashlib.sha256(first["banking77/data.jsonl"]).hexdigest()
    assert said.out == f"banking77: 13 rows, 3 classes, sha256 {digest}\n" * 2
    assert said.err == ""


def test_a_checksum_that_is_right_is_taken(tmp_path: Path) -> None:
    archive = zipped(protaugment(), tmp_path / "release.zip")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest().upper()
    assert convert("protaugment", archive.as_uri(), tmp_path / "out", "--sha256", digest)


def test_names_that_lead_out_of_an_archive_are_passed_over(tmp_path: Path) -> None:
    files = protaugment() | {"../evil": b"", "/evil": b"", "data/../../evil": b""}
    for source in (zipped(files, tmp_path / "in/a.zip"), tarred(files, tmp_path / "in/a.tar")):
        assert convert("protaugment", source, tmp_path / "out", "--overwrite")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_members_without_a_name_are_passed_over(tmp_path: Path) -> None:
    archive = zipped(protaugment() | {"??": b"x"}, tmp_path / "a.zip")
    archive.write_bytes(archive.read_bytes().replace(b"??", b"\0?"))  # a name ends where a zero stands
    assert convert("protaugment", archive, tmp_path / "out")


def test_the_root_is_where_most_of_the_files_lie(tmp_path: Path) -> None:
    stray = {f"a/{name}": content for name, content in bao("reuters", label=0).items()}
    both = {f"b/{name}": content for name, content in (bao("reuters") | bao("huffpost")).items()}
    written = convert("bao", folder(stray | both, tmp_path / "in"), tmp_path / "out")
    assert {name.split("/")[0] for name in written} == {"reuters", "huffpost"}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A web server of this machine that hands out the folder tmp_path."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type]

        def do_GET(self) -> None:
            if self.path != "/short.zip":
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"PK")

        def log_message(self, *args: object) -> None:
            pass

    monkeypatch.setenv("no_proxy", "*")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_an_archive_is_downloaded(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tarred(protaugment(), tmp_path / "release.tar.gz", "gz")
    written = convert("protaugment", f"{server}/release.tar.gz", tmp_path / "out")
    assert json.loads(written["banking77/splits.json"])["folds"]["01"]["valid"] == ["a"]
    assert "MiB downloaded 1/1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("page", "got"), [("none", "HTTP Error 404: File not found"), ("short", "2 of 100 bytes")]
)
def test_a_download_that_fails(
    page: str, got: str, server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bao", f"{server}/{page}.zip", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said[said.index("error: ") :] == (
        "error: the URL cannot be fetched\n"
        f"  where:  {server}/{page}.zip\n"
        f"  got:    {got}\n"
        "  needed: a URL that answers with an archive\n"
        "  do:     check the address and the network, or download it by hand and give the file\n"
    )
