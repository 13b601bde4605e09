"""Which rows of a source are read."""

from dataclasses import dataclass, field
from typing import Literal

from fewshot.data.clean import Cleaning
from fewshot.errors import InputError, require_at_least


@dataclass(frozen=True)
class Reading:
    """Which rows of a source are read, and how their texts are cleaned.

    Args:
        only: rows are kept whose column has one of the values, such as {task: [scitail]}.
        before: of a column what stands before a sign is taken, such as {task: '.'} for books.t2, books.t4.
        parts: parts of a folder or of a hub data set, such as [train, test]; by default all.
        stream: read no more than so many rows of a part, one after another, and store nothing on disk.
        per_class: keep no more than the first so many rows of a class.
        gaps: what becomes of rows without text or label: 'refuse' says where the first one is, 'skip' leaves
            them out and counts them, as for the data sets of the catalogue.
        cleaning: what is done to every text.
    """

    only: dict[str, list[str]] | None = None
    before: dict[str, str] | None = None
    parts: list[str] | None = None
    stream: int | None = None
    per_class: int | None = None
    gaps: Literal["refuse", "skip"] = "refuse"
    cleaning: Cleaning = field(default_factory=Cleaning)

    def __post_init__(self) -> None:
        if self.gaps not in ("refuse", "skip"):
            raise InputError(
                "unknown setting", where="reading.gaps", got=repr(self.gaps), needed="'refuse' or 'skip'"
            )
        for name in ("stream", "per_class"):
            if getattr(self, name) is not None:
                require_at_least("reading", self, **{name: 1})
