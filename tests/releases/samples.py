"""Tiny releases in the original formats, as file names and contents, and the forms they come in."""

import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from fewshot.releases.__main__ import main
from fewshot.releases.bao_classes import SETS

Files = dict[str, bytes]
FORMS = ("folder", "deeper", "data", "zip", "tar", "tar.gz", "tar.bz2", "tar.xz", "url")


def lines(rows: Iterable[object]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def protaugment(folder: str = "BANKING77") -> Files:
    """Three classes of four rows, one of them twice; one fold."""
    rows = [
        {"sentence": f" {label} {number} é\u2028", "label": label} for number in range(4) for label in "abc"
    ]
    rows.append(rows[0])
    start = f"data/{folder}/few_shot/01"
    return {
        "README.md": b"what it is\n",
        f"data/{folder}/full.jsonl": lines(rows),
        f"{start}/labels.train.txt": b"b\n",
        f"{start}/labels.valid.txt": b"a\n",
        f"{start}/labels.test.txt": b"c\n",
        f"{start}/train.10samples.jsonl": lines([rows[10], rows[1]]),
    }


def bao(name: str = "reuters", **changes: object) -> Files:
    """A row of each class, the last class first."""
    known = SETS[name]
    rows = [
        {"text": ["item", " ", "of", str(n)], "label": n, "raw": f"Item  of {n}. "} | changes
        for n in reversed(range(known.count))
    ]
    return {"LICENSE": b"MIT", f"data/{known.file}": lines(rows)}


def leopard() -> Files:
    """A task of texts and one of pairs; a training set without rows."""
    start, pairs = "data/json/sentiment_dvd/sentiment_dvd", "data/json/scitail/scitail"
    return {
        "README.md": b"",
        "data/tf_record/sentiment_dvd/sentiment_dvd_train_0_4.tf_record": b"\x00",
        f"{start}_eval.json": _array(*(_leopard(f"eval {n}", "positive") for n in range(5))),
        f"{start}_train_10_4.json": _array(_leopard("ten", "negative")),
        f"{start}_train_2_8.json": _array(_leopard("two eight", 5)),
        f"{start}_train_2_16.json": b"",
        f"{pairs}_train_0_4.json": _array(_leopard("first", "neutral") | {"sentence2": "second"}),
    }


def _leopard(text: str, label: object) -> dict[str, object]:
    return {"sentence1": text, "label": label, "processed_sent": f"[CLS] {text} [SEP]"}


def _array(*rows: object) -> bytes:
    return json.dumps(rows).encode()


def arsc() -> Files:
    """Two domains, one of them held out; one file is missing."""
    files = {
        "Amazon_few_shot/workspace.filtered.list": b"baby\nbooks\n",
        "Amazon_few_shot/workspace.target.list": b"books\n",
    }
    for domain in ("books", "baby"):
        for threshold in ("t2", "t4", "t5"):
            for split in ("train", "dev", "test"):
                texts = [f"{domain} {threshold} {split} {n}\t{label}" for label in (-1, 1) for n in range(2)]
                files[f"Amazon_few_shot/{domain}.{threshold}.{split}"] = "\n".join(texts).encode()
    del files["Amazon_few_shot/baby.t4.dev"]
    return files


def folder(files: Files, where: Path) -> Path:
    for name, content in files.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_bytes(content)
    return where


def packed(files: Files, where: Path, form: str) -> str:
    """What to give for a release in one of the forms; archives as GitHub makes them, with hidden files."""
    inside = {f"name-main/{name}": content for name, content in files.items()}
    inside |= {f"__MACOSX/name-main/{name}": b"" for name in files}
    if form in ("folder", "deeper", "data"):
        top = folder({f"some/where/{name}": content for name, content in files.items()}, where)
        folder({f"some/where/.git/{name}": b"" for name in files}, where)
        return str({"folder": top / "some/where", "deeper": top, "data": top / "some/where/data"}[form])
    if form == "zip":
        return str(zipped(inside, where / "release.zip"))
    if form == "url":
        return zipped(inside, where / "release").as_uri()
    return str(tarred(inside, where / "release.bin", form.removeprefix("tar").removeprefix(".")))


def zipped(files: Files, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(files: Files, path: Path, packing: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, f"w:{packing}") as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def convert(release: str, source: str | Path, out: Path, *more: str) -> Files:
    """Runs the command; all files that it wrote."""
    assert main([release, str(source), "--out", str(out), *more]) == 0
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def rows_of(content: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in content.split(b"\n") if line]


def field(rows: Sequence[dict[str, object]], name: str) -> list[object]:
    return [row.get(name) for row in rows]
