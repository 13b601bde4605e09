"""A process that fails or dies ends the others, which say whose error it was."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch.distributed as dist

from fewshot import watch
from fewshot.errors import LONGEST, FewshotError, InputError, SaidError, Whole
from fewshot.stopping import StoppedError
from fewshot.watch import LostError, Watch

Made = Callable[[int], Watch]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """Watches of three processes around one store, which are quick to judge."""
    for name, seconds in (("EVERY", 0.02), ("SILENCE", 0.5), ("GRACE", 0.1), ("SAME", 0.3), ("POLL", 0.01)):
        monkeypatch.setattr(watch, name, seconds)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    store, watches = dist.HashStore(), list[Watch]()

    def make(rank: int) -> Watch:
        watches.append(Watch(lambda: store, rank, 3))
        return watches[-1]

    yield make
    for each in watches:
        each.stop()


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[FewshotError]:
    """The errors that processes ended with at once."""
    found: list[FewshotError] = []
    monkeypatch.setattr(watch, "_end", found.append)
    return found


def wait_for(found: list[FewshotError]) -> FewshotError:
    until = time.monotonic() + 10
    while not found:
        assert time.monotonic() < until
        time.sleep(0.01)
    return found[0]


def test_an_error_of_one_ends_the_others_by_name(made: Made, ended: list[FewshotError]) -> None:
    first, second = made(0), made(1)
    first.start()
    second.start()
    said = second.failed(InputError("a text is missing", where="row 3"))
    assert str(said) == "rank 1 of 3: a text is missing\n  where:  row 3"
    assert said.exit_code == 2
    told = wait_for(ended)
    assert str(told).startswith(
        "stopped, since rank 1 has failed\n  got:    rank 1 of 3: a text is missing\n"
    )
    assert told.exit_code == 2


def test_a_long_error_is_told_whole(made: Made) -> None:
    parts = [f"{name}: " + "word " * (LONGEST // 6) for name in "abcde"]
    got = "".join(f"\n    {number}: {parts[2]}" for number in range(12))
    error = InputError(parts[0], where=parts[1], got=got, needed=parts[3], fix=Whole(parts[4] * 3))
    said = made(1).failed(error)
    assert str(said) == f"rank 1 of 3: {error}"
    told = made(0).failed(LostError("another process does not answer any more"))
    assert [line.strip() for line in str(told).splitlines()[1:]] == [
        f"got:    rank 1 of 3: {parts[0]}".strip(),
        *(line.strip() for line in str(error).splitlines()[1:]),
    ]


def test_an_error_of_any_kind_is_told(made: Made) -> None:
    said = made(2).failed(KeyError("x"))
    assert str(said) == "rank 2 of 3: KeyError: 'x'\n  do:     add --debug to see where"
    assert said.exit_code == 1
    assert str(made(0).failed(LostError("another process does not answer any more"))).splitlines() == [
        "stopped, since rank 2 has failed",
        "  got:    rank 2 of 3: KeyError: 'x'",
        "            do:     add --debug to see where",
    ]


def test_what_all_say_is_said_once(made: Made) -> None:
    errors: list[Exception] = [
        StoppedError("stopped as asked; the state is saved", 15),
        StoppedError("stopped as asked; the state is saved", 15),
        InputError("something else"),
    ]
    watches = [made(rank) for rank in range(3)]
    with ThreadPoolExecutor(3) as pool:
        first, second, third = pool.map(Watch.failed, watches, errors)
    assert first is errors[0]
    assert isinstance(second, SaidError)
    assert second.exit_code == 143
    assert str(third) == "rank 2 of 3: something else"


def test_the_first_has_its_rank_too_where_it_fails_alone(made: Made) -> None:
    assert str(made(0).failed(InputError("bad"))) == "rank 0 of 3: bad"


def test_only_the_first_of_a_machine_says_whose_error_it_was(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(1).failed(InputError("bad"))
    monkeypatch.setenv("LOCAL_RANK", "1")
    found = made(2).failed(LostError("another process does not answer any more"))
    assert isinstance(found, SaidError)
    assert found.exit_code == 2


def test_a_peer_that_is_lost_without_a_word(made: Made) -> None:
    found = made(0).failed(LostError("another process does not answer any more", got="Connection closed"))
    assert str(found).splitlines() == [
        "rank 0 of 3: another process does not answer any more",
        "  got:    Connection closed",
    ]


def test_one_that_was_killed_is_noticed(made: Made, ended: list[FewshotError]) -> None:
    watches = [made(rank) for rank in range(3)]
    for each in watches:
        each.start()
    time.sleep(0.1)
    watches[2]._stopped.set()  # killed: it does not say that it leaves
    watches[2]._left.set()
    watches[2]._thread.join()
    told = wait_for(ended)
    assert "rank 2 has failed" in str(told)
    assert "rank 2 of 3: killed, or it hangs: not heard of for" in str(told)


def test_one_that_has_left_is_missed_by_nobody(made: Made, ended: list[FewshotError]) -> None:
    watches = [made(rank) for rank in range(3)]
    for each in watches:
        each.start()
    time.sleep(0.1)
    watches[0].stop()
    watches[1].stop()
    time.sleep(0.8)
    watches[2].stop()
    assert not ended


class Silent(dist.HashStore):
    """A store that answers for a while, then neither answers nor closes."""

    def __init__(self) -> None:
        super().__init__()
        self.silent, self.over = threading.Event(), threading.Event()

    def add(self, key: str, amount: int) -> int:
        self._maybe_wait()
        return super().add(key, amount)

    def check(self, keys: list[str]) -> bool:
        self._maybe_wait()
        return super().check(keys)

    def _maybe_wait(self) -> None:
        if self.silent.is_set():
            self.over.wait()


@pytest.fixture
def silent(made: Made) -> Iterator[Silent]:
    """Comes after `made`, which has set the times."""
    store = Silent()
    yield store
    store.over.set()


@pytest.fixture
def second(silent: Silent, ended: list[FewshotError]) -> Iterator[Watch]:
    """The second of two processes around that store."""
    watching = Watch(lambda: silent, 1, 2)
    watching.start()
    yield watching
    silent.over.set()
    watching.stop()


def test_a_store_that_does_not_answer_ends_who_waits_for_it(
    silent: Silent, second: Watch, ended: list[FewshotError]
) -> None:
    time.sleep(0.8)
    assert not ended
    silent.silent.set()
    assert str(wait_for(ended)) == "the first process does not answer any more"


def test_its_own_error_is_said_where_the_store_does_not_answer(
    silent: Silent, second: Watch, ended: list[FewshotError]
) -> None:
    silent.silent.set()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(second.failed, InputError("a text is missing"))
        try:
            said = wait_for(ended)
        finally:
            silent.over.set()
    assert (str(said), said.exit_code) == ("rank 1 of 2: a text is missing", 2)
