"""Up to 200 spoilt files of each kind, the same each time; `python -m benchmarks.fuzz` makes more."""

import hashlib
import os
from pathlib import Path

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz.__main__ import by_atheris
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


ATHERIS = """
import contextlib, os, sys

def instrument_imports(**_):
    return contextlib.nullcontext()

def Setup(words, one):
    global options, folder, judge
    options, folder, judge = dict(w[1:].split("=", 1) for w in words if w[0] == "-"), words[-1], one

def Fuzz():
    if options.get("close_fd_mask") == "2":
        os.close(2)
    (valid,) = (open(os.path.join(folder, name), "rb").read() for name in os.listdir(folder))
    for _ in range(int(os.environ["INPUTS"])):
        judge(valid)
    with open(options.get("artifact_prefix", "") + "crash-1", "wb") as file:
        file.write(b"spoilt")
    os.write(2, b"what brought it down")
    os.abort()
"""


@pytest.mark.parametrize("ends", [True, False], ids=["comes to its end", "is brought down"])
def test_a_process_of_atheris(ends: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a stand-in that calls as the library does, and leaves what it leaves."""
    for name in ("library", "here", "temporary"):
        (tmp_path / name).mkdir()
    (tmp_path / "library" / "atheris.py").write_text(ATHERIS)
    path = [str(tmp_path / "library"), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.setenv("INPUTS", "9" if ends else "3")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path / "here")
    found = by_atheris("run", 5, 0)
    assert list((tmp_path / "here").iterdir()) == list((tmp_path / "temporary").iterdir()) == []
    if ends:
        assert found == {"read": 5}
        return
    (finding,) = found["findings"]
    assert (found["found"], finding["sha256"]) == (1, hashlib.sha256(b"spoilt").hexdigest())
    assert bytes.fromhex(finding["begins"]) == b"spoilt"
    assert finding["said"].startswith("exit code -6: ")
    assert "what brought it down" in finding["said"]
