"""What the name of a source stands for, and which of its columns are wanted."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

REFERENCE = re.compile(r"(?P<id>[\w.-]+(?:/[\w.-]+)?)(?::(?P<subset>[^@]+))?(?:@(?P<revision>.+))?")


@dataclass(frozen=True)
class Columns:
    """Which columns of the source hold the fields of an example.

    Args:
        text: the column with the text.
        label: the column with the name (or the number) of the class; none for texts without labels.
        text_pair: the column with the second text, for tasks on pairs.
        label_names: the names of numbered labels: the class 0 is called by the first of them.
    """

    text: str = "text"
    label: str | None = "label"
    text_pair: str | None = None
    label_names: list[str] | None = None

    def fields(self) -> dict[str, str]:
        """Field of `Example` -> column of the source."""
        fields = {"text": self.text, "label": self.label, "text_pair": self.text_pair}
        return {field: column for field, column in fields.items() if column is not None}


@dataclass(frozen=True)
class Reference:
    """A data set of the hub: `owner/name`, `owner/name:subset`, `owner/name@revision`.

    Args:
        id: owner and name.
        subset: one of the configurations that it has.
        revision: a commit, a tag or a branch such as refs/convert/parquet.
    """

    id: str
    subset: str | None = None
    revision: str | None = None

    @classmethod
    def parse(cls, source: str) -> "Reference":
        """The parts of a hub id; what does not look like one is all name."""
        found = REFERENCE.fullmatch(source)
        return cls(**found.groupdict()) if found else cls(source)


def find_source(source: str) -> Path | None:
    """The file or folder that `source` names; None where it can only be a hub id.

    A bare name is looked for in the folder that the environment variable FEWSHOT_DATA names.
    """
    home = data_home()
    if home and "/" not in source and (home / source).exists():
        return home / source
    path = Path(source).expanduser()
    return path if path.exists() else None


def folder_of(source: object) -> Path | None:
    """The folder in which a source lies, with what belongs to it; None for one of the hub or in memory."""
    path = find_source(source) if isinstance(source, str) else None
    return path if path is None or path.is_dir() else path.parent


def data_home() -> Path | None:
    """The folder that FEWSHOT_DATA names."""
    home = os.environ.get("FEWSHOT_DATA")
    return Path(home) if home else None


def data_file(path: Path) -> Path | None:
    """The one data file behind a path: itself, or `data.jsonl[.gz]` in a folder; None if there is none."""
    if path.is_file():
        return path
    candidates = (path / "data.jsonl", path / "data.jsonl.gz")
    return next((file for file in candidates if file.is_file()), None)
