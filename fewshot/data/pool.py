"""Examples indexed by class."""

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fewshot.data.example import Example
from fewshot.data.find import Columns
from fewshot.data.sources import read_rows
from fewshot.errors import InputError, listing, suggestion

Indices = npt.NDArray[np.int64]


class Rows(Protocol):
    """A table read one row at a time, as the fields of `Example`."""

    def __getitem__(self, index: int, /) -> Mapping[str, str | None]: ...


class Pool:
    """Examples indexed by class; rows stay where they are (memory-mapped), only indices are held.

    Args:
        rows: the table.
        by_class: class name -> row numbers, in the order of the source.
        name: what to call this pool in messages and reports.
    """

    def __init__(self, rows: Rows, by_class: Mapping[str, Indices], name: str) -> None:
        self._rows = rows
        self._by_class = dict(by_class)
        self.name = name
        self.classes: tuple[str, ...] = tuple(self._by_class)

    @classmethod
    def load(cls, source: str, columns: Columns | None = None) -> "Pool":
        """The pool of a source (see `read_rows`); a text that repeats inside a class counts once."""
        rows = read_rows(source, columns)
        frame = rows.with_format("pandas")[:]
        kept = frame[~frame.duplicated()]
        groups = kept.groupby("label", sort=True).indices
        positions = kept.index.to_numpy()
        return cls(rows, {str(label): positions[where] for label, where in groups.items()}, source)

    @classmethod
    def of(cls, examples: Iterable[Example], name: str = "memory") -> "Pool":
        """A pool of examples that are already in memory."""
        unique = list(dict.fromkeys(examples))
        numbers: dict[str, list[int]] = {}
        for number, example in enumerate(unique):
            numbers.setdefault(example.label, []).append(number)
        rows = [
            {"text": example.text, "label": example.label, "text_pair": example.text_pair}
            for example in unique
        ]
        return cls(rows, {label: np.array(numbers[label], dtype=np.int64) for label in sorted(numbers)}, name)

    def __len__(self) -> int:
        return sum(len(indices) for indices in self._by_class.values())

    def size(self, label: str) -> int:
        """How many examples a class has."""
        return len(self._by_class[label])

    def example(self, label: str, position: int) -> Example:
        """Example number `position` of a class."""
        row = self._rows[int(self._by_class[label][position])]
        text = row["text"]
        assert text is not None
        return Example(text=text, label=label, text_pair=row.get("text_pair"))

    def only(self, classes: Iterable[str], side: str = "") -> "Pool":
        """The pool of some of the classes, in the given order.

        Raises:
            InputError: a class that the pool does not have.
        """
        wanted = list(classes)
        absent = [label for label in wanted if label not in self._by_class]
        if absent:
            raise InputError(
                f"the {side or 'wanted'} classes name {len(absent)} that the data does not have",
                where=self.name,
                got=listing(map(repr, absent)),
                needed=f"classes among the {len(self.classes)} of the data",
                fix=suggestion(absent[0], self.classes),
            )
        name = f"{self.name} ({side})" if side else self.name
        return Pool(self._rows, {label: self._by_class[label] for label in wanted}, name)
