"""`fewshot search` as a whole, on a tiny backbone."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import optuna
import pytest
import yaml
from conftest import Cli
from optuna.trial import TrialState, create_trial

from fewshot.errors import InputError, Whole
from fewshot.search.plan import Plan
from fewshot.search.study import open_storage

SEARCHED = """
family: {class_path: Attributes, init_args: {way: 3, shot: 2, queries: 2, mentions: 3}}
model: {class_path: LoraEncoder, init_args: {backbone: BACKBONE, lora: {rank: 4}}}
training: {steps: 4, meta_batch: 2}
validation: {every: 2, episodes: 6}
evaluation: {episodes: 6}
search:
  algorithm: {MAMLAdam: {inner_lr: [1e-3, 1e-1, log], inner_steps: [1, 6]}, ridge: {}, MultiTask: {}}
  training.lr: [1e-4, 1e-2, log]
  model.lora.rank: {choices: [2, 4]}
"""


@pytest.fixture
def config(tiny_backbone: str, tmp_path: Path) -> Path:
    """A file that searches over algorithms and their settings."""
    file = tmp_path / "space.yaml"
    file.write_text(SEARCHED.replace("BACKBONE", tiny_backbone))
    return file


def read(out: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    with (out / "trials.csv").open(newline="") as file:
        return json.loads((out / "search.json").read_text()), list(csv.DictReader(file))


def test_a_search_ends_with_a_test_of_the_best_beside_the_default(
    cli: Cli, config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "search"
    code, said, progress = cli("search", "--config", config, "--trials", 6, "--seeds", 2, "--out", out)
    assert code == 0
    content, rows = read(out)
    assert [row["trial"] for row in rows] == [str(n) for n in range(6)]
    assert sum(content["trials"].values()) == 6
    assert content["ended"] == "all trials are made"
    best = next(row for row in rows if row["best"] == "True")
    assert content["best"]["trial"] == int(best["trial"])
    assert float(best["score"]) == min(float(row["score"]) for row in rows if row["score"])
    names = ["best", "default"] if best["trial"] != "0" else ["default"]
    for name in names:
        assert len(content["test"][name]["accuracy"]["by_seed"]) == 2
        assert (out / "final" / f"{name}-seed-1" / "adapter").is_dir()
        config_of_run = yaml.safe_load((out / "final" / f"{name}-seed-1" / "config.yaml").read_text())
        assert config_of_run["training"]["seed"] == 1
    assert {"history", "pareto", "validations"} <= {file.stem for file in (out / "plots").glob("*.svg")}
    assert not (out / "states").exists()
    assert "the test side, drawn from once: 6 episodes, mean of 2 trainings" in said
    assert "trial 5:" in progress
    assert said.endswith(f"written to {out}\n")
    repeats_exactly(cli, out, content, tmp_path)
    searches_no_further(cli, config, out)


def repeats_exactly(cli: Cli, out: Path, content: dict[str, Any], folder: Path) -> None:
    """`fewshot train` with best.yaml reaches the score of the trial, to the last digit."""
    assert cli("train", "--config", out / "best.yaml", "--out", folder / "replay")[0] == 0
    found = json.loads((folder / "replay" / "summary.json").read_text())["validation"]
    assert found["valid_score"] == content["best"]["score"]
    assert found["step"] == content["best"]["step"]


def searches_no_further(cli: Cli, config: Path, out: Path) -> None:
    """The test side would be drawn from twice."""
    code, _, err = cli("search", "--config", config, "--trials", 9, "--seeds", 2, "--out", out)
    assert code == 2
    assert err == (
        "error: this search has ended, and the test side has been drawn from\n"
        f"  where:  {out}\n"
        "  got:    a search that ended since all trials are made\n"
        "  needed: a folder for another search\n"
        "  do:     choose another --out; to search on with the same test side would be to choose by it\n"
    )


def test_a_default_that_does_not_work_leaves_nothing_behind(cli: Cli, config: Path, tmp_path: Path) -> None:
    out = tmp_path / "search"
    code, _, err = cli("search", "--config", config, "--model.backbone", tmp_path / "nowhere", "--out", out)
    assert code == 2
    assert str(tmp_path / "nowhere") in err
    assert "Traceback" not in err
    assert not out.exists()


def test_the_error_of_the_default_is_handed_on_whole(tmp_path: Path) -> None:
    from fewshot.search.lead import Job, _finish

    got = "\n".join("a value " * 60 for _ in range(12))
    error = InputError("it does not work", where="here", got=got, fix=Whole("fewshot train " * 60))
    study = optuna.create_study()
    attributes = {"error": str(error), "fatal": True}
    study.add_trial(create_trial(state=TrialState.FAIL, user_attrs=attributes))
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError) as raised:
        _finish(Job(tmp_path / "out", cast(Plan, None), study))
    assert str(raised.value) == str(error)


def test_a_search_does_not_draw_test_episodes_before_its_end(
    cli: Cli, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fewshot.search import lead
    from fewshot.tasks import family

    drawn: list[str] = []
    generator = family.episode_generator

    def note(seed: int, side: Any, index: int) -> Any:
        drawn.append(side)
        return generator(seed, side, index)

    monkeypatch.setattr(family, "episode_generator", note)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lead, "train_finally", stop)
    assert cli("search", "--config", config, "--trials", 3, "--out", tmp_path / "search")[0] == 130
    assert set(drawn) == {"train", "valid"}


def test_a_grid_selects_models_and_needs_no_default_space(cli: Cli, config: Path, tmp_path: Path) -> None:
    space = '{"algorithm": ["prototypes", "ridge", "ProtoNet"], "training.lr": {"choices": [1e-3, 1e-2]}}'
    out = tmp_path / "search"
    words = [
        "search",
        "--config",
        config,
        f"--search={space}",
        "--sampler",
        "grid",
        "--seeds",
        1,
        "--out",
        out,
    ]
    assert cli(*words)[0] == 0
    content, rows = read(out)
    assert [(row["algorithm"], row["training.lr"]) for row in rows] == [
        ("", ""), ("prototypes", ""), ("ridge", ""), ("ProtoNet", "0.001"), ("ProtoNet", "0.01"),
    ]  # fmt: skip
    assert content["pareto"]
    assert {row["bytes"] for row in rows[1:3]} == {"0"}


@pytest.mark.slow
def test_workers_share_the_trials_and_a_killed_one_is_replaced(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "search"
    words = ["--config", str(config), "--trials", "6", "--seeds", "1", "--workers", "2", "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "fewshot", "search", *words],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as leader:  # fmt: skip
        os.kill(worker_at_work(out), signal.SIGKILL)
        said = leader.communicate(timeout=240)[0]
    assert leader.returncode == 0, said
    content, rows = read(out)
    assert sum(content["trials"].values()) == 6
    assert all(row["state"] in ("done", "pruned") for row in rows)
    assert "the test side, drawn from once" in said


def worker_at_work(out: Path) -> int:
    """The process of a trial that is under way, once one trial is finished."""
    import optuna
    from optuna.trial import TrialState

    end = time.monotonic() + 120
    while time.monotonic() < end:
        if (out / "trials.db").exists():
            storage = open_storage(f"sqlite:///{out / 'trials.db'}")
            for summary in optuna.get_all_study_summaries(storage):
                study = optuna.load_study(study_name=summary.study_name, storage=storage)
                running = [
                    t
                    for t in study.get_trials()
                    if t.state == TrialState.RUNNING and "worker" in t.user_attrs
                ]
                if running and any(t.state == TrialState.COMPLETE for t in study.get_trials()):
                    return int(running[0].user_attrs["worker"]["pid"])
        time.sleep(0.05)
    raise AssertionError("no trial has begun")
