"""What goes wrong from outside while a training runs: it is said, nothing is lost, and it goes on."""

import errno
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from conftest import Cli, LearnerMaker
from killing import KilledError, at_step, dies

from benchmarks.faults import __main__ as faults
from benchmarks.faults.chain import Chain
from benchmarks.faults.content import content_of
from benchmarks.tiny import TINY_RUN
from fewshot import MAMLAdam, Trainer, Training, Validation
from fewshot.engine import DivergedError, Engine, MetaBatch, Outcome
from fewshot.errors import InputError, UnwritableError
from fewshot.evaluation import Evaluation
from fewshot.files import settle, whole, write_text
from fewshot.tasks.attributes import Attributes

SETTINGS = [*TINY_RUN, "--training.steps=9", "--training.save=2", "--validation.every=0"]
Words = Callable[[Path], list[object]]


@pytest.fixture
def words(tiny_backbone: str) -> Words:
    """The words that start a run."""
    return lambda out: ["train", *SETTINGS, "--model.backbone", tiny_backbone, "--out", out]


@contextmanager
def small_files() -> Iterator[Callable[[], None]]:
    """A limit of the size of files, as a disk that is full, once it is called."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_stops_it_and_it_goes_on(
    words: Words, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli(*words(tmp_path / "whole"))[0] == 0
    run = tmp_path / "stopped"
    with small_files() as fills_up, at_step(monkeypatch, 6, fills_up):
        code, _, err = cli(*words(run))
    assert code == 1
    assert "error: a file could not be written" in err
    assert os.strerror(errno.EFBIG) in err
    assert "Traceback" not in err
    assert cli("train", "--resume", run)[0] == 0
    assert content_of(run) == content_of(tmp_path / "whole")


def test_a_folder_that_is_read_only_by_then(
    words: Words, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    with at_step(monkeypatch, 5, dies), pytest.raises(KilledError):
        cli(*words(run))

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    for name in (
        "truncate",
        "fsync",
    ):  # of the log, then of the first file; root may write where others may not
        with monkeypatch.context() as patch:
            patch.setattr(os, name, refused)
            code, _, err = cli("train", "--resume", run)
        assert code == 1
        assert "error: a file could not be written" in err
        assert "Permission denied" in err
    assert cli("train", "--resume", run)[0] == 0


def test_a_task_that_is_not_finite_is_skipped_the_same_after_a_stop(
    words: Words, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Engine.gradient

    def breaks(engine: Engine, batch: MetaBatch, step: int = 0) -> Outcome:
        if step in (2, 3, 6):
            raise DivergedError("task 1 of 2, inner step 1: its support loss")
        return real(engine, batch, step)

    monkeypatch.setattr(Engine, "gradient", breaks)
    assert cli(*words(tmp_path / "whole"))[0] == 0
    run = tmp_path / "stopped"
    with at_step(monkeypatch, 6, dies), pytest.raises(KilledError):
        cli(*words(run))
    assert cli("train", "--resume", run)[0] == 0
    assert content_of(run) == content_of(tmp_path / "whole")
    assert json.loads((run / "summary.json").read_text())["skipped_steps"] == 3


def test_memory_that_ran_out_once_is_remembered_after_a_stop(
    words: Words, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Engine._accumulate
    tries: list[int] = []

    def too_much(engine: Engine, batch: MetaBatch, number: int, check: bool = True) -> Outcome:
        tries.append(engine.chunks.tasks)
        if number >= 3 and engine.chunks.tasks > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(engine, batch, number, check)

    monkeypatch.setattr(Engine, "_accumulate", too_much)
    assert cli(*words(tmp_path / "whole"), "--training.tasks_at_once=2")[0] == 0
    run = tmp_path / "stopped"
    with at_step(monkeypatch, 6, dies), pytest.raises(KilledError):
        cli(*words(run), "--training.tasks_at_once=2")
    tries.clear()
    assert cli("train", "--resume", run)[0] == 0
    assert set(tries[1:]) == {1}, "the first of them measures"
    assert content_of(run) == content_of(tmp_path / "whole")


def test_a_clock_that_jumps_changes_nothing(
    words: Words, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli(*words(tmp_path / "whole"))[0] == 0
    now = iter([1e9 * (-1) ** n for n in range(10**6)])
    monkeypatch.setattr(time, "time", lambda: next(now))
    assert cli(*words(tmp_path / "jumped"))[0] == 0
    assert content_of(tmp_path / "jumped") == content_of(tmp_path / "whole")
    lines = [json.loads(line) for line in (tmp_path / "jumped" / "log.jsonl").read_text().splitlines()]
    assert all(0 < line["seconds"] < 100 for line in lines)


def test_a_trainer_goes_on(
    make_learner: LearnerMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trainer(name: str, resume: bool = False) -> Trainer:
        return Trainer(
            Attributes(way=3, shot=1, queries=2, mentions=3),
            make_learner(),
            MAMLAdam(),
            Training(steps=8, meta_batch=2, save=2, lr=0.01),
            Validation(every=3, episodes=2),
            Evaluation(episodes=2, inspected=0, influence=0),
            out=tmp_path / name,
            resume=resume,
        )

    expected = trainer("whole").fit()
    with at_step(monkeypatch, 6, dies), pytest.raises(KilledError):
        trainer("stopped", resume=True).fit()  # it begins where there is nothing to go on with
    run = trainer("stopped", resume=True).fit()
    assert content_of(tmp_path / "stopped") == content_of(tmp_path / "whole")
    assert run.summary["accuracy"] == expected.summary["accuracy"]
    with pytest.raises(InputError, match="the run is finished"):
        trainer("stopped", resume=True).fit()


def test_a_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, replace = os.fsync, Path.replace

    def synced(number: int) -> None:
        done.append(f"sync {Path(os.readlink(f'/proc/self/fd/{number}')).name.split('.')[-1]}")
        sync(number)

    def replaced(path: Path, target: Path) -> Path:
        done.append("name")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    write_text(tmp_path / "one", "text")
    assert done == ["sync part", "name", f"sync {tmp_path.name}"]
    done.clear()
    with whole(tmp_path / "folder") as folder:
        folder.mkdir()
        (folder / "a.txt").write_text("a")
    assert done == ["sync txt", "sync part", "name", f"sync {tmp_path.name}"]


def filled(path: Path, text: str) -> None:
    with whole(path) as folder:
        folder.mkdir()
        (folder / "a").write_text(text)


def test_what_cannot_be_put_on_the_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(number: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    file = tmp_path / "file"
    file.write_text("text")
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="Input/output error"):
        settle(file)
    with pytest.raises(UnwritableError, match="a file could not be written"):
        write_text(file, "other")
    assert file.read_text() == "text"
    monkeypatch.undo()
    filled(tmp_path / "folder", "before")
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(UnwritableError):
        filled(tmp_path / "folder", "after")
    monkeypatch.undo()
    assert (tmp_path / "folder" / "a").read_text() == "before"
    replace = Path.replace

    def fails_once(path: Path, target: Path) -> Path:
        if target == tmp_path / "folder" and path.name.count(".") == 3:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fails_once)
    with pytest.raises(UnwritableError):
        filled(tmp_path / "folder", "after")
    monkeypatch.undo()
    assert (tmp_path / "folder" / "a").read_text() == "before"
    with whole(tmp_path / "folder") as folder:
        folder.mkdir()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_kills_are_counted_and_go_on_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(faults, "RECIPES", {"MAMLAdam": ("--training.steps=6", "--validation.every=0")})
    assert faults.main(["--kills", "3", "--workers", "2", "--out", str(tmp_path / "faults.json")]) == 0
    found = json.loads((tmp_path / "faults.json").read_text())
    assert (found["kills"], found["identical"]) == (3, 3)
    assert "all: 3 of 3" in capsys.readouterr().out


def test_a_run_that_differs_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = Chain("MAMLAdam", ["torn at 3", "moment after 0.20 s"], "log, summary")
    monkeypatch.setattr(faults, "tally", lambda *_: faults._counted([chain, Chain("x", ["before at 1"])]))
    assert faults.main(["--kills", "3", "--out", str(tmp_path / "faults.json")]) == 1
    out, err = capsys.readouterr()
    assert "torn: 0 of 1 kills" in out
    assert "before: 1 of 1 kills" in out
    assert err == "MAMLAdam, torn at 3; moment after 0.20 s: log, summary\n"


def test_the_documented_kills_are_those_that_were_measured() -> None:
    found = json.loads(faults.RESULT.read_text())
    page = (faults.RESULT.parents[2] / "docs" / "trust.md").read_text()
    counts = [found["by_place"][place]["kills"] for place in ("moment", "before", "torn")]
    assert f"{found['identical']} of {found['kills']}" in page
    assert "{} at any moment, {} before a file is touched, {} in the middle".format(*counts) in page
    assert sum(len(training["kills"]) for training in found["trainings"]) == found["kills"]
    log = (faults.RESULT.parents[1] / "LOG.md").read_text()
    assert f"*{found['kills']} kills* of {len(found['trainings'])} trainings" in log
