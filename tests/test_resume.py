"""A training that was stopped goes on, and ends as if it had not been."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from conftest import Cli
from killing import killed_at
from torch import Tensor

from benchmarks.faults.content import content_of
from benchmarks.tiny import TINY_RUN
from fewshot.metatraining import CHECKPOINTS
from fewshot.models.frozen import FrozenStates
from fewshot.models.inputs import Tokens

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


@pytest.fixture
def in_company(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a batch does to the last bits of its texts, so large that it always shows."""
    together = FrozenStates._together

    def swayed(states: FrozenStates, rows: Sequence[Tokens], device: torch.device) -> list[Tensor]:
        company = 1 + sum(len(row["input_ids"]) for row in rows) / 1e7
        return [state * company for state in together(states, rows, device)]

    monkeypatch.setattr(FrozenStates, "_together", swayed)


@pytest.mark.usefixtures("in_company")
@pytest.mark.parametrize("cache", [(), ("--model.cache.memory_gb=5e-6",), ("--model.cache.alone=true",)])
def test_texts_that_come_again_have_the_bits_of_the_batch_they_were_in_first(
    cache: tuple[str, ...], cli: Cli, start: Start, killed: Callable[..., None], tmp_path: Path
) -> None:
    texts = [{"text": f"{label} " * n, "label": label} for label in "abcdefghijkl" for n in range(1, 6)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(each) + "\n" for each in texts))
    data = [f"--family.source={tmp_path / 'data.jsonl'}", "--family.split.fractions=[0.34, 0.33, 0.33]"]
    _, *settings, _, _ = start(tmp_path)
    settings = [word for word in settings if "mentions" not in str(word)]
    words = ["train", "--family=NWayKShot", *data, *settings, *cache]
    code, _, err = cli(*words, "--out", tmp_path / "whole")
    assert code == 0, err
    run = tmp_path / "stopped"
    killed(4, *words, "--out", run)
    killed(8, "train", "--resume", run)
    assert cli("train", "--resume", run)[0] == 0
    assert content_of(run) == content_of(tmp_path / "whole")


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


def test_damaged_states_do_not_push_out_those_that_come_after(
    cli: Cli, start: Start, killed: Callable[..., None], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    killed(10, *start(run, "--training.keep=3"))
    first, *later = sorted((run / CHECKPOINTS).glob("step-*"))
    for path in later:
        path.write_bytes(b"spoilt")
    killed(8, "train", "--resume", run)
    steps = [path.name[:13] for path in sorted((run / CHECKPOINTS).glob("step-*"))]
    assert steps == ["step-00000003", "step-00000006"]
    assert first.exists()
    for path in (run / CHECKPOINTS).glob("step-*"):
        path.write_bytes(b"spoilt")
    log = (run / "log.jsonl").read_bytes()
    code, _, err = cli("train", "--resume", run)
    assert code == 2
    assert err.count("error: a saved state is damaged") == 0
    assert "no saved state is as it was written" in err
    assert (run / "log.jsonl").read_bytes() == log


def test_a_state_that_the_disk_does_not_give_is_not_passed_over(
    cli: Cli, start: Start, killed: Callable[..., None], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    killed(8, *start(run))
    *_, last = sorted((run / CHECKPOINTS).glob("step-*"))
    last.unlink()
    last.mkdir()  # reading it is an error of the system
    code, _, err = cli("train", "--resume", run)
    assert code == 2
    assert f"error: a saved state cannot be read\n  where:  {last}\n  got:    Is a directory" in err


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
