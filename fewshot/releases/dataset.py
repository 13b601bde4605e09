"""A data set as it will be written: rows, splits, and what is to be said of where they came from."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, str | int | None]


@dataclass(frozen=True)
class About:
    """What SOURCE.md says of a data set beside what is counted.

    Args:
        title: what the data set is.
        repository: where it was published.
        files: which of its files were read, in words.
        licence: what the repository says of it.
        paper: authors, title, place, link.
        converted: how the rows were made.
        splits: what splits.json and further files have.
        notes: what else to know.
    """

    title: str
    repository: str
    files: str
    licence: str
    paper: str
    converted: str
    splits: Sequence[str]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class DataSet:
    """One folder of the layout.

    Args:
        name: of the folder.
        rows: in the order of the file, their fields in the order of the line.
        splits: the content of splits.json.
        about: for SOURCE.md.
        digests: file of the release -> SHA-256.
        extra: further json files by name.
        empty: how many rows without text or label were left out.
        left_out: how many rows were left out because their class had enough.
    """

    name: str
    rows: Sequence[Row]
    splits: Mapping[str, Any]
    about: About
    digests: Mapping[str, str]
    extra: Mapping[str, Any] = field(default_factory=dict)
    empty: int = 0
    left_out: int = 0


def text_of(row: Row) -> str:
    """The text of a row, both texts of a pair."""
    return str(row["text"]) if "text" in row else f"{row['text_a']}\n{row['text_b']}"


def has_text(row: Row) -> bool:
    """Whether no text and no label of a row is empty."""
    return all(row[key] != "" for key in ("text", "text_a", "text_b", "label") if key in row)


def keep(
    rows: Sequence[Row], most: int | None, group: Callable[[Row], Hashable] = lambda row: row["label"]
) -> list[Row]:
    """At most `most` rows of each group, in their order: those with the smallest SHA-1 of the text.

    So which rows are kept does not hang on their order. Rows whose group is None are all kept.
    """
    if most is None:
        return list(rows)
    members: dict[Hashable, list[tuple[str, int]]] = defaultdict(list)
    for number, row in enumerate(rows):
        key = group(row)
        digest = hashlib.sha1(text_of(row).encode("utf-8")).hexdigest()
        members[number if key is None else ("group", key)].append((digest, number))
    kept = {number for ranked in members.values() for _, number in sorted(ranked)[:most]}
    return [row for number, row in enumerate(rows) if number in kept]


def cleaned(text: str) -> str:
    """Without blanks around it, and without halves of characters, which no UTF-8 file can hold."""
    return text.strip().encode("utf-16", "surrogatepass").decode("utf-16", "replace")
