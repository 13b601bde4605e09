"""Writes a data set as a folder: data.jsonl, splits.json, SOURCE.md and checksums.txt, all or nothing.

The same data set gives the same bytes, whenever and wherever it is written.
"""

import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fewshot.errors import InputError, listing
from fewshot.files import whole
from fewshot.releases.dataset import DataSet, Row
from fewshot.releases.describe import source_md

LARGEST_PLAIN = 2_000_000  # bytes of text; beyond it the data file is packed


@dataclass(frozen=True)
class Written:
    """What was written.

    Args:
        folder: where.
        rows: how many.
        classes: distinct labels.
        tasks: how many; 0 where the rows have none.
        sha256: of the data file.
    """

    folder: Path
    rows: int
    classes: int
    tasks: int
    sha256: str

    def __str__(self) -> str:
        tasks = f"{self.tasks} tasks, " if self.tasks else ""
        return f"{self.folder.name}: {self.rows} rows, {tasks}{self.classes} classes, sha256 {self.sha256}"


def check_free(out: Path, names: Sequence[str], overwrite: bool) -> None:
    """Whether these folders may be written below `out`; to be asked before any work is done.

    Raises:
        InputError: a file in the place of a folder, a folder that is there already, or one that is to be
            replaced but is no data set.
    """
    if out.exists() and not out.is_dir():
        raise InputError(
            "a file stands where the folder of data sets should be", where=out, needed="a folder"
        )
    there = [out / name for name in names if (out / name).exists()]
    if there and not overwrite:
        raise InputError(
            "the output exists already",
            where=listing(there),
            needed="names that are free",
            fix="choose another --out, or add --overwrite",
        )
    for folder in there:
        if not (folder / "splits.json").is_file():
            raise InputError(
                "what would be overwritten is no data set",
                where=folder,
                needed="a folder with splits.json",
                fix="choose another --out, or remove it yourself",
            )


def write(data: DataSet, out: Path) -> Written:
    """Writes the folder `out / data.name`; one that is there is replaced.

    Raises:
        FewshotError: the disk is full or cannot be written.
    """
    with whole(out / data.name) as folder:
        folder.mkdir()
        file = _write_rows(folder, data.rows)
        _write(folder / "splits.json", json.dumps(data.splits, indent=1, ensure_ascii=False))
        for name, value in data.extra.items():
            _write(folder / name, json.dumps(value, ensure_ascii=False))
        rows = read_rows(file)
        (folder / "SOURCE.md").write_bytes(source_md(data, rows, file.name).encode("utf-8"))
        sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
        _write(folder / "checksums.txt", "\n".join(f"{digest}  {name}" for name, digest in sums.items()))
    tasks = {row["task"] for row in rows if "task" in row}
    return Written(
        out / data.name, len(rows), len({row["label"] for row in rows}), len(tasks), sums[file.name]
    )


def _write(path: Path, text: str) -> None:
    path.write_bytes(f"{text}\n".encode())


def _write_rows(folder: Path, rows: Sequence[Row]) -> Path:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8")
    if len(text) <= LARGEST_PLAIN:
        path = folder / "data.jsonl"
        path.write_bytes(text)
        return path
    path = folder / "data.jsonl.gz"
    with path.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        packed.write(text)
    return path


def read_rows(file: Path) -> list[Any]:
    """The rows of a data file, packed or not."""
    content = file.read_bytes()
    content = gzip.decompress(content) if file.suffix == ".gz" else content
    return [json.loads(line) for line in content.split(b"\n") if line]
