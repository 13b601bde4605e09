"""Trackers get what the log has, cost nothing where they are off, and never end a training."""

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Cli, LearnerMaker

from fewshot import MAML, Attributes, Evaluation, Trainer, Training, Validation
from fewshot.checkpoint import meta_parameters, snapshot
from fewshot.errors import InputError, MissingPartError
from fewshot.trackers import Trackers, flat, grouped

FAMILY = Attributes(way=3, shot=2, queries=2, mentions=3)
BLOCK = 2**15  # bytes
TIMES = {"cost/seconds", "cost/tasks_per_second", "cost/tokens_per_second", "cost/matmul_share"}


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a tracker keeps for its user stays in the test's folder; no variable turns it on."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


def trainer(learner: Any, out: Path | None, *trackers: str, title: str = "") -> Trainer:
    return Trainer(
        FAMILY,
        learner,
        MAML(inner_steps=1),
        Training(steps=4, meta_batch=2, multitask_steps=0),
        Validation(every=2, episodes=2),
        Evaluation(episodes=3, inspected=0),
        out=out,
        title=title,
        trackers=trackers,
    )


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every scalar of the event files right in a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder))
    read.Reload()
    return {tag: [(e.step, e.value) for e in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


def test_tensorboard_has_every_figure_of_the_log(make_learner: LearnerMaker, tmp_path: Path) -> None:
    run = trainer(make_learner(), tmp_path / "run", "tensorboard").fit()
    found = scalars(tmp_path / "run" / "trackers" / "tensorboard")
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    expected: dict[str, list[tuple[int, float]]] = {}
    for number, line in enumerate(lines, 1):
        for tag, value in grouped(line).items():
            expected.setdefault(tag, []).append((number, value))
    test = {tag: found.pop(tag) for tag in list(found) if tag.startswith(("test/", "before/"))}
    assert {tag: [step for step, _ in values] for tag, values in found.items()} == {
        tag: [step for step, _ in values] for tag, values in expected.items()
    }
    for tag, values in expected.items():
        assert [value for _, value in found[tag]] == pytest.approx([value for _, value in values], rel=1e-6)
    assert {"train/loss", "train/lr", "valid/accuracy", "cost/seconds"} <= set(found)
    for tag, value in (
        ("test/accuracy", run.summary["accuracy"]["mean"]),
        ("test/f1_low", run.summary["f1"]["ci95"][0]),
        ("before/recall", run.summary["before"]["recall"]["mean"]),
    ):
        ((step, kept),) = test[tag]
        assert step == 4
        assert kept == pytest.approx(value)


def test_a_tracked_training_is_the_same_training(make_learner: LearnerMaker, tmp_path: Path) -> None:
    found = []
    for names in ((), ("tensorboard",)):
        learner = make_learner()
        made = trainer(learner, tmp_path / f"run{len(names)}", *names)
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
        made.fit()
        state = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # type: ignore[index]
        torch_has = (torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled())
        lines = (tmp_path / f"run{len(names)}" / "log.jsonl").read_text().splitlines()
        steps = [{k: v for k, v in grouped(json.loads(line)).items() if k not in TIMES} for line in lines]
        for each in steps:
            each.pop("cost/peak_memory", None)
        found.append((snapshot(meta_parameters(learner, made.algorithm)), steps, state, torch_has))
    (ours, *rest), (theirs, *others) = found
    assert rest == others
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_off_by_default(make_learner: LearnerMaker, tmp_path: Path) -> None:
    trainer(make_learner(), tmp_path / "run").fit()
    assert not (tmp_path / "run" / "trackers").exists()


def test_on_the_command_line(cli: Cli, tiny_backbone: str, tmp_path: Path) -> None:
    small = [
        "--training.steps=2",
        "--training.meta_batch=2",
        "--validation.every=0",
        "--evaluation.episodes=2",
    ]
    out = tmp_path / "run"
    words = ["train", f"--model.backbone={tiny_backbone}", *small, "--trackers", "tensorboard", "--out", out]
    assert cli(*words)[0] == 0
    found = scalars(out / "trackers" / "tensorboard")
    assert [step for step, _ in found["train/loss"]] == [1, 2]


@pytest.mark.slow
def test_wandb_writes_offline_and_asks_nobody(
    make_learner: LearnerMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer(make_learner(), tmp_path / "run", "wandb", title="training").fit()
    kept = tmp_path / "run" / "trackers" / "wandb"
    (run,) = kept.glob("offline-run-*")
    assert list(run.glob("run-*.wandb"))
    said = capsys.readouterr().err
    assert f"wandb is offline; send the run with: wandb sync {kept}/offline-run-*" in said
    assert "failed" not in said
    history = finished(next(run.glob("run-*.wandb")))
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    losses = [row["train/loss"] for row in history if "train/loss" in row]
    assert losses == pytest.approx([line["loss"] for line in lines])
    assert [row for row in history if "test/accuracy" in row]


def finished(file: Path, seconds: float = 30.0) -> list[dict[str, float]]:
    """The history once the test's figures are in it: another process writes, on a busy machine a while."""
    end = time.monotonic() + seconds
    history = recorded(file)
    while not any("test/accuracy" in row for row in history) and time.monotonic() < end:
        time.sleep(0.2)
        history = recorded(file)
    return history


def recorded(file: Path) -> list[dict[str, float]]:
    """The history of a file of Weights & Biases: records of protobuf in the log format of LevelDB.

    A last record that is not whole yet is left out.
    """
    from wandb.proto import wandb_internal_pb2 as protocol

    content, at, whole, rows = file.read_bytes(), 7, b"", []
    while at + 7 <= len(content):
        if BLOCK - at % BLOCK < 7:  # what is left of a block is filled up
            at += BLOCK - at % BLOCK
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        if at + 7 + length > len(content):
            break
        whole += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = protocol.Record()  # type: ignore[attr-defined]
            record.ParseFromString(whole)
            whole = b""
            if items := record.history.item:
                rows.append({i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in items})
    return rows


class Broken:
    """Fails at the second line."""

    lines = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def start(self) -> None:
        pass

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        assert values["training.steps"] == 4

    def log(self, values: dict[str, float], step: int) -> None:
        Broken.lines += 1
        if Broken.lines == 2:
            raise RuntimeError("the disk of the tracker is full\nmore")

    def finish(self) -> None:
        raise AssertionError("it was left out")


def test_a_tracker_that_fails_is_left_out(
    make_learner: LearnerMaker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("accelerate.tracking.TensorBoardTracker", Broken)
    trainer(make_learner(), tmp_path / "run", "tensorboard", title="training").fit()
    said = capsys.readouterr().err
    assert said.count("the tracker tensorboard failed and is left out") == 1
    assert "RuntimeError: the disk of the tracker is full" in said
    assert Broken.lines == 2
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 4


def test_wrong_trackers_are_refused_before_anything_is_written(
    make_learner: LearnerMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = make_learner()
    with pytest.raises(InputError, match=r"unknown tracker 'tensorbord'(.|\n)*did you mean 'tensorboard'\?"):
        trainer(learner, tmp_path / "run", "tensorbord")
    with pytest.raises(InputError, match="trackers need a run directory"):
        trainer(learner, None, "wandb")
    monkeypatch.setattr("fewshot.trackers.find_spec", lambda name: None)
    with pytest.raises(
        MissingPartError, match=r"wandb is not installed(.|\n)*pip install 'fewshot\[trackers\]'"
    ):
        Trackers(["wandb"], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_lines_are_grouped_and_settings_flat() -> None:
    line = {"stage": "multi-task", "step": 3, "loss": 1.5, "seconds": 2, "note": "text", "flag": True}
    assert grouped(line) == {"multi-task/step": 3, "multi-task/loss": 1.5, "cost/seconds": 2}
    assert grouped({"valid_score": 0.5}) == {"valid/score": 0.5}
    nested = {"a": {"b": 1, "c": {"d": None}}, "e": [1, 2], "f": True}
    assert dict(flat(nested)) == {"a.b": 1, "a.c.d": "None", "e": "[1, 2]", "f": True}
    assert dict(flat(None)) == {}
