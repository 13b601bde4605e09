"""Examples indexed by class."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from fewshot.data.example import Example
from fewshot.data.find import Columns
from fewshot.data.index import Codes, Indices, index_rows
from fewshot.data.origin import Origin
from fewshot.data.reading import Reading
from fewshot.data.rows import read_rows
from fewshot.data.sources import Source
from fewshot.data.table import Table
from fewshot.errors import InputError, listing, suggestion


class Pool:
    """Examples indexed by class; rows stay where they are (memory-mapped), only indices are held.

    Args:
        table: the rows.
        by_class: class name -> row numbers, in the order of the source.
        name: what to call this pool in messages and reports.
        origin: where its rows are from.
        columns: further columns, by which it can be cut.
        cleaned: what reading it changed and left out, with counts.
    """

    def __init__(
        self,
        table: Table,
        by_class: Mapping[str, Indices],
        name: str,
        origin: Origin,
        columns: Mapping[str, Codes],
        cleaned: Mapping[str, int],
    ) -> None:
        self._table, self._by_class, self._columns = table, dict(by_class), columns
        self.name, self.origin, self.cleaned = name, origin, cleaned
        self.classes: tuple[str, ...] = tuple(self._by_class)

    @classmethod
    def load(
        cls,
        source: "Source | Pool",
        columns: Columns | None = None,
        reading: Reading | None = None,
        also: Sequence[str] = (),
    ) -> "Pool":
        """The pool of a source; a text that repeats inside a class counts once.

        Args:
            source: see `open_source`; a pool is given back as it is.
            columns: where text and label are.
            reading: which rows, and how they are cleaned.
            also: further columns, by which the pool can be cut.

        Raises:
            InputError: see `read_rows`.
        """
        if isinstance(source, Pool):
            return source
        reading = reading or Reading()
        rows = read_rows(source, columns, reading, also)
        codes = {column: Codes.of(rows.table.column(column)) for column in also}
        duplicates = reading.cleaning.duplicates
        by_class, left = index_rows(rows.table, rows.kept, codes, duplicates, reading.per_class)
        done = rows.cleaned | left
        if not by_class:
            raise InputError(
                "no rows are left",
                where=rows.origin.name,
                got=listing(f"{what}: {count}" for what, count in done.items()),
                needed="rows that reading.only and the limits of reading.cleaning let pass",
                fix="loosen them",
            )
        made = cls(Table(rows.table), by_class, rows.origin.name, rows.origin, codes, done)
        pa.default_memory_pool().release_unused()
        return made

    @classmethod
    def of(
        cls,
        examples: Iterable[Example],
        name: str = "memory",
        origin: Origin | None = None,
        cleaned: Mapping[str, int] | None = None,
    ) -> "Pool":
        """A pool of examples that are in memory already.

        Args:
            examples: all of them.
            name: what to call the pool.
            origin: where they were made from, if not in memory.
            cleaned: what reading them changed and left out; by default which of them repeat.
        """
        given = list(examples)
        columns = {"text": [e.text for e in given], "label": [e.label for e in given]}
        if any(example.text_pair is not None for example in given):
            columns["text_pair"] = [e.text_pair or "" for e in given]
        table = pa.table({key: pa.array(values, pa.string()) for key, values in columns.items()})
        by_class, left = index_rows(table, None, {})
        told = left if cleaned is None else cleaned
        return cls(Table(table), by_class, name, origin or Origin(name), {}, told)

    def __len__(self) -> int:
        return sum(len(indices) for indices in self._by_class.values())

    def size(self, label: str) -> int:
        """How many examples a class has."""
        return len(self._by_class[label])

    def examples(self, label: str, positions: Sequence[int] | Indices) -> list[Example]:
        """The examples of a class at these positions."""
        return self.examples_of([label], [np.asarray(positions, dtype=np.int64)])

    def examples_of(self, labels: Sequence[str], positions: Sequence[Indices]) -> list[Example]:
        """The examples of several classes, each at its positions, one class after another."""
        rows = np.concatenate(
            [self._by_class[label][own] for label, own in zip(labels, positions, strict=True)]
        )
        names = [label for label, own in zip(labels, positions, strict=True) for _ in range(len(own))]
        return self._table.examples(rows, names)

    def all_of(self, label: str) -> list[Example]:
        """All examples of a class."""
        rows = self._by_class[label]
        return self._table.examples(rows, [label] * len(rows))

    def texts(self, most: int | None = None) -> list[str]:
        """The texts of all examples, or of the first, class by class; pairs joined by a line break."""
        found: list[str] = []
        for rows in self._by_class.values():
            left = len(rows) if most is None else most - len(found)
            found += self._table.texts(rows[:left]) if left > 0 else []
        return found

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
        return self._with({label: self._by_class[label] for label in wanted}, side)

    def at(self, positions: Mapping[str, Sequence[int]], side: str = "") -> "Pool":
        """The examples of each class at these positions."""
        rows = {c: self._by_class[c][np.asarray(own, dtype=np.int64)] for c, own in positions.items()}
        return self._with(rows, side)

    def parts(self, column: str) -> dict[str, "Pool"]:
        """The pool cut by one of its further columns: value -> the rows that have it, in sorted order.

        Rows without a value are in none; a part has the classes that have rows in it.
        """
        codes = self._columns[column]
        found: dict[str, dict[str, Indices]] = {}
        for label, rows in self._by_class.items():
            numbers = codes.numbers[rows]
            for number in np.unique(numbers[numbers >= 0]):
                found.setdefault(codes.values[number], {})[label] = rows[numbers == number]
        return {value: self._with(found[value], value) for value in sorted(found)}

    def missing(self, column: str) -> "Pool":
        """The rows that have no value in one of its further columns."""
        numbers = self._columns[column].numbers
        found = {label: rows[numbers[rows] < 0] for label, rows in self._by_class.items()}
        return self._with({label: rows for label, rows in found.items() if len(rows)}, "")

    def values(self, column: str) -> tuple[str, ...]:
        """The values of a further column, sorted."""
        return self._columns[column].values

    def renamed(self, name: str) -> "Pool":
        """The same pool under another name."""
        return Pool(self._table, self._by_class, name, self.origin, self._columns, self.cleaned)

    def grouped(self, groups: Mapping[str, Iterable[str]]) -> "Pool":
        """Classes joined: new name -> old classes; a text that two of them share counts once."""
        joined = {
            name: np.sort(np.concatenate([self._by_class[label] for label in labels]))
            for name, labels in groups.items()
        }
        return self._with({name: self._first_of_each_text(rows) for name, rows in joined.items()}, "")

    def once(self) -> "Pool":
        """The pool with each text once in a class, whatever its further columns say."""
        return self._with({c: self._first_of_each_text(rows) for c, rows in self._by_class.items()}, "")

    def _first_of_each_text(self, rows: Indices) -> Indices:
        _, first = np.unique(np.array(self._table.texts(rows), dtype=object), return_index=True)
        return rows[np.sort(first)]

    def cut(self, share: float, generator: np.random.Generator) -> "tuple[Pool, Pool]":
        """Two pools with the same classes: of each class so large a share of its rows, and the rest."""
        first, rest = {}, {}
        for label, rows in self._by_class.items():
            order = generator.permutation(len(rows))
            size = round(share * len(rows))
            first[label], rest[label] = rows[np.sort(order[:size])], rows[np.sort(order[size:])]
        return self._with(first, ""), self._with(rest, "")

    def _with(self, by_class: Mapping[str, Indices], side: str) -> "Pool":
        name = f"{self.name} ({side})" if side else self.name
        return Pool(self._table, by_class, name, self.origin, self._columns, self.cleaned)


def named_apart(pools: Iterable[Pool]) -> list[Pool]:
    """Pools under different names; rows in memory are all called alike."""
    found: dict[str, Pool] = {}
    for pool in pools:
        number, name = 1, pool.name
        while name in found:
            number += 1
            name = f"{pool.name} {number}"
        found[name] = pool if number == 1 else pool.renamed(name)
    return list(found.values())


if TYPE_CHECKING:
    Given: TypeAlias = Source | Pool
else:
    Given = str  # what a command line can give; options are made from what stands here
