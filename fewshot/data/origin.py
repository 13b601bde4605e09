"""Where rows come from, so that a later reader can tell whether they are still the same."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

BLOCK = 1 << 20


@dataclass(frozen=True)
class Origin:
    """A source as it was read.

    Args:
        name: as it was given: a path, a name inside FEWSHOT_DATA, a hub id without its revision.
        revision: the commit of a data set of the hub; None for others, or where the hub was not reached.
        sha256: of the data files on this disk; None for others.
    """

    name: str
    revision: str | None = None
    sha256: str | None = None

    @property
    def pinned(self) -> str:
        """The source that names exactly what was read, where its own name leaves that open."""
        return f"{self.name}@{self.revision}" if self.revision else self.name


def digest(files: Iterable[Path]) -> str:
    """SHA-256 of the contents of files, in the given order."""
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            while block := content.read(BLOCK):
                total.update(block)
    return total.hexdigest()
