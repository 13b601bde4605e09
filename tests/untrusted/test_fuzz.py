"""Up to 200 spoilt files of each kind, the same each time; `python -m benchmarks.fuzz` makes more."""

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz.judge import FoundError, judged
from benchmarks.fuzz.kinds import Kind, kinds
from fewshot.errors import InputError

KINDS = kinds()
SLOW = {"options": 20, "rows": 40, "config": 60, "card": 100}


@pytest.mark.parametrize("name", KINDS)
def test_nothing_but_clear_errors(
    name: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))
    kind, seen = KINDS[name], set()

    @settings(
        max_examples=SLOW.get(name, 200),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(kind.spoilt)
    def check(content: bytes) -> None:
        seen.add(judged(kind, content))

    check()
    assert "refused" in seen


def wrong(error: BaseException) -> Kind:
    def read(*_: object) -> None:
        raise error

    return Kind([b""], st.binary(), read)


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), RecursionError(), MemoryError()], ids=repr)
def test_other_errors_are_found(error: BaseException) -> None:
    with pytest.raises(FoundError, match=type(error).__name__):
        judged(wrong(error), b"")


def test_a_message_that_fills_the_screen_is_found() -> None:
    lines = "\n".join(["a line of a file " * 20] * 20)
    assert judged(wrong(InputError("it cannot be read", got=lines.replace("\n", " "))), b"") == "refused"
    with pytest.raises(FoundError, match="a message of"):
        judged(wrong(InputError("it cannot be read", got=lines)), b"")


def test_a_hang_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.fuzz.judge.SECONDS", 0.05)

    def read(*_: object) -> None:
        while True:
            pass

    with pytest.raises(FoundError, match="no end"):
        judged(Kind([b""], st.binary(), read), b"")
