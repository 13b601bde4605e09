"""Frozen states on disk: in a file of this process, or in one that processes share."""

import contextlib
import hashlib
import os
import sqlite3
import tempfile
import time
import weakref
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from fewshot.errors import FewshotError, UnwritableError

WAIT = 60.0  # seconds for another process to end its transaction
PAGE = 16384  # bytes: a text of a few dozen tokens has some 10 to 400 thousand
DAMAGED = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
TABLES = (
    "CREATE TABLE IF NOT EXISTS about (content TEXT)",
    "CREATE TABLE IF NOT EXISTS states "
    "(key BLOB UNIQUE, dtype TEXT, tokens INTEGER, width INTEGER, checksum INTEGER, content BLOB)",
    "INSERT INTO about SELECT ? WHERE NOT EXISTS (SELECT * FROM about)",
)
READ = "SELECT dtype, tokens, width, checksum, content FROM states WHERE key = ?"
WRITE = "INSERT OR IGNORE INTO states VALUES (?, ?, ?, ?, ?, ?)"


class Store(ABC):
    """States of keys on disk."""

    @abstractmethod
    def read(self, keys: Sequence[bytes]) -> dict[bytes, Tensor]:
        """What is there of the keys, on the host."""

    @abstractmethod
    def write(self, states: Mapping[bytes, Tensor]) -> None:
        """Adds states (L, W).

        Raises:
            FewshotError: the disk is full or cannot be written.
        """


class PrivateFile(Store):
    """A file without a name: nobody else can read it, and nobody has to remove it.

    Args:
        folder: where it lies; made with the first write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._places: dict[bytes, tuple[int, str, tuple[int, ...], int]] = {}

    def read(self, keys: Sequence[bytes]) -> dict[bytes, Tensor]:
        """What is there of the keys, on the host."""
        return {key: self._one(key) for key in keys if key in self._places}

    def write(self, states: Mapping[bytes, Tensor]) -> None:
        """Adds states behind those that are there."""
        for key, value in states.items():
            content = _bytes(value)
            try:
                start = self._append(content)
            except OSError as error:
                raise _unwritable(self._folder, error.strerror) from error
            self._places[key] = (start, _name(value.dtype), tuple(value.shape), len(content))

    def _append(self, content: bytes) -> int:
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - as long as the cache lives
            weakref.finalize(self, self._file.close)
        start = self._file.seek(0, 2)
        self._file.write(content)
        self._file.flush()
        return start

    def _one(self, key: bytes) -> Tensor:
        assert self._file is not None
        start, dtype, shape, size = self._places[key]
        self._file.seek(start)
        return _tensor(self._file.read(size), dtype, shape)


class SharedFile(Store):
    """A database that processes read and write at the same time; whole transactions survive any of them.

    Args:
        folder: where it lies; made with the first access.
        about: what its states depend on beside the keys; each has a file of its own.
    """

    def __init__(self, folder: Path, about: str) -> None:
        self._about = about
        digest = hashlib.sha256(about.encode()).hexdigest()
        self.path = folder / f"frozen-states-{digest[:32]}.sqlite"
        self._database: sqlite3.Connection | None = None
        self._process = 0

    def read(self, keys: Sequence[bytes]) -> dict[bytes, Tensor]:
        """What is there of the keys, on the host.

        Raises:
            FewshotError: the file is damaged, or cannot be opened.
        """
        with self._reported():
            database = self._open()
            rows = {key: database.execute(READ, (_hashed(key),)).fetchone() for key in keys}
        return {key: self._checked(*row) for key, row in rows.items() if row}

    def write(self, states: Mapping[bytes, Tensor]) -> None:
        """Adds those that nobody has added in the meantime, in one transaction.

        Raises:
            FewshotError: the disk is full, the file damaged.
        """
        rows = [
            (_hashed(key), _name(value.dtype), *value.shape, zlib.crc32(content), content)
            for key, value in states.items()
            for content in (_bytes(value),)
        ]
        with self._reported(), self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(WRITE, rows)

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None, check_same_thread=False)
            weakref.finalize(self, _close, database, os.getpid())
            self._prepare(database)
            self._database, self._process = database, os.getpid()
        if self._process != os.getpid():  # its locks stayed behind
            raise FewshotError(
                "a shared cache of frozen states was opened before a fork",
                where=self.path,
                needed="a learner that is used in one process alone",
                fix="build it in each process, or start processes by 'spawn'",
            )
        return self._database

    def _prepare(self, database: sqlite3.Connection) -> None:
        database.execute(f"PRAGMA page_size = {PAGE}")
        _log_ahead(database)
        database.execute("PRAGMA synchronous = NORMAL")
        about, states, first = TABLES
        with database:
            database.execute("BEGIN IMMEDIATE")
            database.execute(about)
            database.execute(states)
            database.execute(first, (self._about,))
        if database.execute("SELECT content FROM about").fetchone() != (self._about,):
            raise _damaged(self.path, "a file of states that were made otherwise")

    def _checked(self, dtype: str, tokens: int, width: int, checksum: int, content: bytes) -> Tensor:
        if zlib.crc32(content) != checksum:
            raise _damaged(self.path, "a state that was changed after it had been written")
        return _tensor(content, dtype, (tokens, width))

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if _code(error) in DAMAGED:
                raise _damaged(self.path, str(error)) from error
            raise _unwritable(self.path.parent, str(error)) from error
        except OSError as error:
            raise _unwritable(self.path.parent, error.strerror) from error


def _log_ahead(database: sqlite3.Connection) -> None:
    """Switches to a log that readers and a writer share; two that do so at once refuse each other unasked."""
    end = time.monotonic() + WAIT
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without its details


def _close(database: sqlite3.Connection, process: int) -> None:
    if process == os.getpid():
        database.close()


def _hashed(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _bytes(value: Tensor) -> bytes:
    return value.cpu().contiguous().view(torch.uint8).numpy().tobytes()


def _tensor(content: bytes, dtype: str, shape: tuple[int, ...]) -> Tensor:
    return torch.frombuffer(bytearray(content), dtype=getattr(torch, dtype)).view(shape)


def _unwritable(folder: Path, reason: str | None) -> UnwritableError:
    return UnwritableError(
        "the cache of frozen states could not be written",
        where=folder,
        got=reason,
        needed="a writable disk with space left",
        fix="free some space, or leave model.cache.folder out, and those states are computed again",
    )


def _damaged(path: Path, reason: str) -> FewshotError:
    return FewshotError(
        "the shared cache of frozen states is damaged",
        where=path,
        got=reason,
        needed="the file as fewshot wrote it",
        fix="end what still uses it and remove the file; its states are computed again",
    )
