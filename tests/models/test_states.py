import contextlib
import itertools
import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fewshot.errors import FewshotError
from fewshot.models.states import PAGE, SharedFile

KEYS = [bytes([n]) for n in range(24)]
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["fewshot.models.states", "pytest"])  # imported once for all of them


def state(key: bytes) -> Tensor:
    """Of some ten thousand bytes."""
    number = sum(key)
    return torch.randn(2 + number, 256, generator=torch.Generator().manual_seed(number))


def states(keys: Sequence[bytes]) -> dict[bytes, Tensor]:
    return {key: state(key) for key in keys}


def same(found: Mapping[bytes, Tensor], keys: Sequence[bytes]) -> bool:
    return list(found) == list(keys) and all(torch.equal(found[key], state(key)) for key in keys)


def is_whole(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as database:
        found: str = database.execute("PRAGMA integrity_check").fetchone()[0]
    return found == "ok"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of all keys, closed."""
    store = SharedFile(tmp_path, "something")
    store.write(states(KEYS))
    assert store._database is not None
    store._database.close()
    return store.path


def test_what_one_wrote_another_reads(tmp_path: Path) -> None:
    folder = tmp_path / "not there" / "yet"
    one, other = SharedFile(folder, "something"), SharedFile(folder, "something")
    assert one.read(KEYS) == {}
    one.write(states(KEYS[:3]))
    assert same(other.read([KEYS[7], *KEYS[2::-1]]), KEYS[2::-1])
    other.write(states(KEYS[1:5]))
    assert same(one.read(KEYS), KEYS[:5])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_states_come_back_bit_by_bit(dtype: torch.dtype, tmp_path: Path) -> None:
    value = torch.tensor([[0.0, -0.0, torch.inf, 1e-30], [torch.nan, 1 / 3, -2.5, 65504.0]]).to(dtype)
    SharedFile(tmp_path, "something").write({b"a": value.mT})
    found = SharedFile(tmp_path, "something").read([b"a"])[b"a"]
    assert found.dtype == dtype
    assert torch.equal(found.view(torch.uint8), value.mT.contiguous().view(torch.uint8))


def test_what_depends_on_something_else_lies_elsewhere(tmp_path: Path) -> None:
    SharedFile(tmp_path, "something").write(states(KEYS))
    assert SharedFile(tmp_path, "something else").read(KEYS) == {}


def test_the_first_to_write_a_state_wins(tmp_path: Path) -> None:
    store = SharedFile(tmp_path, "something")
    store.write(states(KEYS[:1]))
    store.write({KEYS[0]: torch.zeros(1, 1), **states(KEYS[1:2])})
    assert same(store.read(KEYS), KEYS[:2])


def fill(folder: Path, first: int, start: Any, failed: Any) -> None:
    """Writes all keys but two at a time, and reads all that is there, in an order of its own."""
    order = KEYS[first:] + KEYS[:first]
    start.wait()
    store = SharedFile(folder, "something")
    for at in range(0, len(order), 2):
        store.write(states(order[at : at + 2]))
        found = store.read(order)
        if not same(found, list(found)) or not set(order[: at + 2]) <= set(found):
            failed.value = 1


def test_processes_fill_a_folder_at_the_same_time(tmp_path: Path) -> None:
    start, failed = PROCESSES.Barrier(3), PROCESSES.Value("i", 0)
    workers = [PROCESSES.Process(target=fill, args=(tmp_path, 8 * n, start, failed)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 3
    assert failed.value == 0
    store = SharedFile(tmp_path, "something")
    assert same(store.read(KEYS), KEYS)
    assert is_whole(store.path)
    with closing(sqlite3.connect(store.path)) as database:
        assert database.execute("SELECT count(*), count(DISTINCT key) FROM states").fetchone() == (24, 24)


def die_at(folder: Path, statement: str, number: int) -> None:
    """Writes some states, then others, and is killed while it does."""
    seen = itertools.count(1)

    def trace(said: str) -> None:
        if said.startswith(statement) and next(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    store = SharedFile(folder, "something")
    store.write(states(KEYS[:5]))
    database = store._open()
    database.execute("PRAGMA cache_size = 1")  # so that pages are written before the transaction ends
    database.set_trace_callback(trace)
    store.write(states(KEYS[5:]))


@pytest.mark.parametrize(
    ("statement", "number"), [("BEGIN", 1), ("INSERT", 2), ("INSERT", 15), ("COMMIT", 1)]
)
def test_a_writer_that_is_killed_leaves_a_whole_file(statement: str, number: int, tmp_path: Path) -> None:
    worker = PROCESSES.Process(target=die_at, args=(tmp_path, statement, number))
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    store = SharedFile(tmp_path, "something")
    assert same(store.read(KEYS), KEYS[:5])
    assert is_whole(store.path)
    store.write(states(KEYS[3:]))
    assert same(store.read(KEYS), KEYS)


def write_on(folder: Path, written: Any) -> None:
    """Writes as long as it lives."""
    store = SharedFile(folder, "something")
    for number in itertools.count():
        store.write({number.to_bytes(4, "big"): state(KEYS[number % 24])})
        written.value = number + 1


def test_a_writer_may_be_killed_at_any_moment(tmp_path: Path) -> None:
    for kill in range(3):
        written = PROCESSES.Value("i", 0)
        worker = PROCESSES.Process(target=write_on, args=(tmp_path / str(kill), written))
        worker.start()
        while written.value < 20 * kill + 1:
            assert worker.is_alive()
            time.sleep(0.002)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        store = SharedFile(tmp_path / str(kill), "something")
        keys = [number.to_bytes(4, "big") for number in range(written.value + 2)]
        found = store.read(keys)
        assert list(found) == keys[: len(found)]
        assert len(found) >= written.value
        assert all(torch.equal(value, state(KEYS[n % 24])) for n, value in enumerate(found.values()))
        assert is_whole(store.path)


def damage(file: Path, reason: str) -> str:
    return (
        "the shared cache of frozen states is damaged\n"
        f"  where:  {file}\n"
        f"  got:    {reason}\n"
        "  needed: the file as fewshot wrote it\n"
        "  do:     end what still uses it and remove the file; its states are computed again"
    )


def test_a_file_that_is_no_database_is_refused(file: Path) -> None:
    content = b"this is no database " * 1000
    file.write_bytes(content)
    for _ in range(2):
        with pytest.raises(FewshotError) as error:
            SharedFile(file.parent, "something").read(KEYS)
        assert str(error.value) == damage(file, "file is not a database")
    assert file.read_bytes() == content
    file.unlink()
    assert SharedFile(file.parent, "something").read(KEYS) == {}


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9])
def test_a_file_that_was_cut_off_is_refused(share: float, file: Path) -> None:
    os.truncate(file, int(share * file.stat().st_size))
    with pytest.raises(FewshotError, match="is damaged"):
        SharedFile(file.parent, "something").read(KEYS)
    with pytest.raises(FewshotError, match="is damaged"):
        SharedFile(file.parent, "something").write(states(KEYS))


@pytest.mark.parametrize("page", range(5))
def test_what_is_cut_off_or_changed_is_refused_or_harmless(page: int, file: Path) -> None:
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle + page * PAGE : middle + page * PAGE + 8] = b"whatever"
    file.write_bytes(content[:-3])
    with contextlib.suppress(FewshotError):
        assert same(SharedFile(file.parent, "something").read(KEYS), KEYS)


@pytest.mark.parametrize("size", [0, 1])
def test_an_empty_file_is_filled_again(size: int, file: Path) -> None:
    os.truncate(file, size)
    store = SharedFile(file.parent, "something")
    assert store.read(KEYS) == {}
    store.write(states(KEYS))
    assert same(store.read(KEYS), KEYS)


def test_a_state_that_was_changed_is_refused(file: Path) -> None:
    content = file.read_bytes()
    at = content.index(state(KEYS[15]).numpy().tobytes()[400:500])
    file.write_bytes(content[: at + 50] + bytes([content[at + 50] ^ 1]) + content[at + 51 :])
    store = SharedFile(file.parent, "something")
    assert same(store.read(KEYS[:15]), KEYS[:15])
    with pytest.raises(FewshotError) as error:
        store.read(KEYS)
    assert str(error.value) == damage(file, "a state that was changed after it had been written")


def test_a_file_under_another_name_is_refused(file: Path) -> None:
    other = SharedFile(file.parent, "something else")
    file.rename(other.path)
    with pytest.raises(FewshotError) as error:
        other.read(KEYS)
    assert str(error.value) == damage(other.path, "a file of states that were made otherwise")


def test_a_full_disk_is_said_and_harms_nothing(file: Path) -> None:
    store = SharedFile(file.parent, "something")
    pages = store._open().execute("PRAGMA page_count").fetchone()[0]
    store._open().execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(FewshotError) as error:
        store.write({key + b"more": state(key) for key in KEYS})
    assert str(error.value) == (
        "the cache of frozen states could not be written\n"
        f"  where:  {file.parent}\n"
        "  got:    database or disk is full\n"
        "  needed: a writable disk with space left\n"
        "  do:     free some space, or leave model.cache.folder out, and those states are computed again"
    )
    assert same(store.read(KEYS), KEYS)
    assert same(SharedFile(file.parent, "something").read(KEYS), KEYS)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FewshotError, match=r"could not be written(?s:.*)got:    Not a directory"):
        SharedFile(tmp_path / "file" / "states", "something").read(KEYS)


def test_a_writer_waits_for_another(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fewshot.models.states.WAIT", 0.2)
    store = SharedFile(file.parent, "something")
    store.read(KEYS)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert same(store.read(KEYS), KEYS)  # who reads need not
        with pytest.raises(FewshotError, match="database is locked"):
            store.write(states(KEYS))
    store.write(states(KEYS))


def test_who_opens_a_file_waits_for_who_is_making_it(tmp_path: Path) -> None:
    store = SharedFile(tmp_path, "something")
    with closing(sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")  # the database refuses the change to its log without waiting
        end = threading.Timer(0.1, other.execute, ["ROLLBACK"])
        end.start()
        assert store.read(KEYS) == {}
        end.join()


def test_what_was_opened_before_a_fork_is_refused_behind_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SharedFile(file.parent, "something")
    store.read(KEYS)
    here = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: here + 1)
    with pytest.raises(FewshotError) as error:
        store.read(KEYS)
    assert str(error.value) == (
        "a shared cache of frozen states was opened before a fork\n"
        f"  where:  {file}\n"
        "  needed: a learner that is used in one process alone\n"
        "  do:     build it in each process, or start processes by 'spawn'"
    )
