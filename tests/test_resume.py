"""A training that was stopped goes on, and ends as if it had not been."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Cli
from killing import killed_at

from benchmarks.faults.content import content_of
from benchmarks.tiny import TINY_RUN
from fewshot.metatraining import CHECKPOINTS

SETTINGS = [*TINY_RUN, "--training.steps=10", "--training.save=3", "--validation.every=4"]
Start = Callable[..., list[object]]


@pytest.fixture
def start(tiny_backbone: str) -> Start:
    """The words that start a run."""

    def words(out: Path, *options: str) -> list[object]:
        return ["train", *SETTINGS, "--model.backbone", tiny_backbone, *options, "--out", out]

    return words


@pytest.fixture
def killed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs a command that is killed as a line of the log is written."""

    def run(at: int, *words: object) -> None:
        killed_at(at, monkeypatch, lambda: cli(*words))

    return run


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--algorithm=ProtoNet", "--training.average=0.5", "--training.schedule=linear"),
        ("--validation.patience=1", "--training.lr=0"),
        ("--training.multitask_steps=2", "--algorithm.order=2"),
        ("--training.save=0", "--validation.every=0"),
    ],
)
def test_it_ends_as_if_it_had_not_been_stopped(
    options: tuple[str, ...], cli: Cli, start: Start, killed: Callable[..., None], tmp_path: Path
) -> None:
    assert cli(*start(tmp_path / "whole", *options))[0] == 0
    run = tmp_path / "stopped"
    resume: list[object] = ["train", "--resume", run]
    patient = "--validation.patience=1" in options
    if "--validation.every=0" in options or patient:
        killed(2, *start(run, *options))
    else:
        killed(1, *start(run, *options))
        killed(6, *resume)
        killed(9, *resume)
    code, out, err = cli(*resume)
    assert code == 0, err
    assert "going on after outer step" in err
    assert f"written to {run}" in out
    if patient:
        logs = [each / "log.jsonl" for each in (run, tmp_path / "whole")]
        ends = [json.loads(log.read_text().splitlines()[-1])["step"] for log in logs]
        assert ends == [8, 8]
    elif "--validation.every=0" in options:
        for name in ("meta.safetensors", "adapter/adapter_model.safetensors", "answers.safetensors"):
            assert (run / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    else:
        assert content_of(run) == content_of(tmp_path / "whole")
    code, _, err = cli(*resume)
    assert code == 2
    assert "the run is finished" in err


@pytest.mark.parametrize("damage", ["cut", "changed", "swapped"])
def test_a_damaged_state_is_said_and_the_one_before_is_taken(
    damage: str, cli: Cli, start: Start, killed: Callable[..., None], tmp_path: Path
) -> None:
    assert cli(*start(tmp_path / "whole"))[0] == 0
    run = tmp_path / "stopped"
    killed(8, *start(run))
    before, last = sorted((run / CHECKPOINTS).glob("step-*"))
    assert [path.name[:13] for path in (before, last)] == ["step-00000003", "step-00000006"]
    found = last.read_bytes()
    if damage == "cut":
        last.write_bytes(found[: len(found) // 2])
    elif damage == "changed":
        last.write_bytes(found[:-1] + bytes([found[-1] ^ 1]))
    else:
        last.unlink()
        last = before.with_name(before.name.replace("00000003", "00000006"))
        last.write_bytes(before.read_bytes())
    (run / CHECKPOINTS / ".step.123.part").write_bytes(b"half")
    code, _, err = cli("train", "--resume", run)
    assert code == 0
    said = "has the name of another" if damage == "swapped" else "is damaged"
    assert f"a saved state {said}\n  where:  {last}" in err
    assert "going on after outer step 3" in err
    assert content_of(run) == content_of(tmp_path / "whole")
    assert not list(run.rglob("*.part"))


def test_killed_before_the_first_state_it_begins_again(
    cli: Cli, start: Start, killed: Callable[..., None], tmp_path: Path
) -> None:
    options = "--training.multitask_steps=3"
    assert cli(*start(tmp_path / "whole", options))[0] == 0
    run = tmp_path / "stopped"
    killed(2, *start(run, options))
    code, _, err = cli("train", "--resume", run)
    assert code == 0
    assert "beginning again: no state was saved" in err
    assert content_of(run) == content_of(tmp_path / "whole")


def test_what_cannot_go_on(cli: Cli, start: Start, killed: Callable[..., None], tmp_path: Path) -> None:
    def refused(*words: object) -> str:
        code, _, err = cli("train", *words)
        assert code == 2
        assert "Traceback" not in err
        return err

    run = tmp_path / "my run"
    killed(2, *start(run))
    assert f"or go on with it: fewshot train --resume '{run}'" in refused(*start(run)[1:])
    assert "a training goes on with its own settings" in refused("--resume", run, "--training.steps=3")
    assert "got:    no run" in refused("--resume")
    assert "this is no run directory" in refused("--resume", tmp_path / "none")
    assert "--out is missing" in refused("--family.way=3")
    kept = (run / "data.json").read_text()
    (run / "data.json").write_text(kept.replace('"complete": true', '"complete": false'))
    assert "the data are not those that the run was started with" in refused("--resume", run)
    (run / "data.json").write_text(kept)
    killed(5, "train", "--resume", run)
    log = (run / "log.jsonl").read_text()
    (run / "log.jsonl").write_text(log.splitlines(keepends=True)[0])
    assert "the log is shorter than it was" in refused("--resume", run)
    (run / "log.jsonl").write_text(log)
    assert cli("train", "--resume", run)[0] == 0


def test_changed_data_are_refused(
    cli: Cli, start: Start, killed: Callable[..., None], tmp_path: Path
) -> None:
    rows = [{"text": f"text {n} of {name}", "label": name} for name in "abcdefghi" for n in range(4)]
    file, run = tmp_path / "rows.jsonl", tmp_path / "run"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = [word for word in start(run) if word != "--family.mentions=3"]
    options = ["--family=NWayKShot", f"--family.source={file}", "--family.split.fractions=[0.34, 0.33, 0.33]"]
    killed(5, words[0], *options, *words[1:])
    file.write_text(file.read_text().replace("text 1 of a", "another"))
    code, _, err = cli("train", "--resume", run)
    assert code == 2
    assert "are not those that the run was started with" in err
    assert "sha256" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_step_and_says_how_to_go_on(
    number: signal.Signals, cli: Cli, start: Start, tmp_path: Path
) -> None:
    assert cli(*start(tmp_path / "whole"))[0] == 0
    run = tmp_path / "it is stopped"
    with subprocess.Popen(
        [sys.executable, "-m", "fewshot", *map(str, start(run))], stderr=subprocess.PIPE, text=True
    ) as process:
        while not (run / "log.jsonl").exists():
            assert process.poll() is None
        os.kill(process.pid, number)
        _, err = process.communicate()
    assert process.returncode == 128 + number
    assert f"{number.name} after outer step" in err
    assert f"to go on: fewshot train --resume '{run}'; from Python" in err
    assert cli("train", "--resume", run)[0] == 0
    assert content_of(run) == content_of(tmp_path / "whole")
