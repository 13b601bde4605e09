"""What the name of a source stands for, and which of its columns are wanted."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Columns:
    """Which columns of the source hold the fields of an example.

    Args:
        text: the column with the text.
        label: the column with the name (or the number) of the class.
        text_pair: the column with the second text, for tasks on pairs.
    """

    text: str = "text"
    label: str = "label"
    text_pair: str | None = None

    def fields(self) -> dict[str, str]:
        """Field of `Example` -> column of the source."""
        pair = {} if self.text_pair is None else {"text_pair": self.text_pair}
        return {"text": self.text, "label": self.label} | pair


def find_source(source: str) -> Path | None:
    """The file or folder that `source` names; None where it can only be a hub id.

    A bare name is looked for in the folder that the environment variable FEWSHOT_DATA names.
    """
    home = os.environ.get("FEWSHOT_DATA")
    if home and "/" not in source and (Path(home) / source).exists():
        return Path(home) / source
    path = Path(source).expanduser()
    return path if path.exists() else None


def data_file(path: Path) -> Path | None:
    """The one data file behind a path: itself, or `data.jsonl[.gz]` in a folder; None if there is none."""
    if path.is_file():
        return path
    candidates = (path / "data.jsonl", path / "data.jsonl.gz")
    return next((file for file in candidates if file.is_file()), None)
