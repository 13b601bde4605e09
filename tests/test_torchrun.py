"""`fewshot train` under torchrun, by gloo: the numbers of one process, signals, errors, resuming."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli
from fellows import environment, forked, of_rank
from killing import killed_at

from fewshot.processes import Processes
from fewshot.untrusted.tensors import read_tensors

SETTINGS = [
    "--family.way=3", "--family.shot=1", "--family.queries=1", "--family.mentions=3",
    "--training.multitask_steps=2", "--training.steps=12", "--training.meta_batch=3",
    "--training.tasks_at_once=1", "--training.save=4",
    "--validation.every=6", "--validation.episodes=3", "--evaluation.episodes=5",
    "--evaluation.tasks_at_once=2", "--evaluation.inspected=0", "--evaluation.influence=0",
    "--algorithm=MAML", "--algorithm.inner_steps=1",
    "--model.compute.dtype=float32", "--model.compute.products=blas",
]  # fmt: skip
TIMES = {"seconds", "tasks_per_second", "tokens_per_second", "peak_memory", "matmul_share"}
SCRIPT = """
import os, signal, sys
import torch
from fewshot import cli, watch
from fewshot.errors import InputError
from fewshot.processes import together

def work(words):
    if words == ["is suspended"]:
        watch.EVERY, watch.SILENCE = 0.5, 4.0
    with together() as processes:
        for step in range(100):
            if processes.rank == 0 and step == 3 and words == ["is suspended"]:
                os.kill(os.getpid(), signal.SIGSTOP)
            if processes.rank == 1 and step == 3 and words != ["is suspended"]:
                if words == ["is killed"]:
                    os.kill(os.getpid(), signal.SIGKILL)
                raise InputError("a text is missing", where="row 3", fix="write one")
            processes.sum(torch.ones(1))

cli._command = lambda name: work
sys.exit(cli.main(["train", *sys.argv[1:]]))
"""
Start = Callable[..., list[str]]
Started = subprocess.Popen[str]


@pytest.fixture
def start(tiny_backbone: str) -> Start:
    """The words that start a run."""

    def words(out: Path, *options: str) -> list[str]:
        return ["train", *SETTINGS, "--model.backbone", tiny_backbone, *options, "--out", str(out)]

    return words


def torchrun(*words: str) -> Started:
    """Two processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return started([*command, *words])


def started(command: list[str], **options: Any) -> Started:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def assert_same(run: Path, whole: Path) -> None:
    """Meta-parameters, rows and log to 1e-6, but for times."""
    for name in ("meta.safetensors", "adapter/adapter_model.safetensors"):
        found, wanted = read_tensors(run / name), read_tensors(whole / name)
        assert found.keys() == wanted.keys()
        assert all((found[n] - value).abs().max() <= 1e-6 for n, value in wanted.items())
    assert rows(run) == [pytest.approx(row, abs=1e-6) for row in rows(whole)]
    assert lines(run) == [pytest.approx(line, abs=1e-6) for line in lines(whole)]
    assert (run / "config.yaml").read_text() == (whole / "config.yaml").read_text()
    assert (run / "manifest.json").read_text() == (whole / "manifest.json").read_text()


def rows(run: Path) -> list[dict[str, Any]]:
    with (run / "tasks.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    words = {"source", "classes"}
    return [{n: v if n in words else float(v) for n, v in row.items() if n != "seconds"} for row in read]


def lines(run: Path) -> list[dict[str, Any]]:
    read = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in TIMES} for line in read]


def test_it_is_stopped_in_two_processes_then_in_one_and_ends_in_two(
    cli: Cli, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    assert cli(*start(whole))[0] == 0
    resume = ["train", "--resume", str(run)]
    stopped_by_a_signal(torchrun("-m", "fewshot", *start(run)), run)
    killed_at(10, monkeypatch, lambda: cli(*resume))
    for name, value in environment(0).items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "fewshot", *resume]
    with started(command, env=os.environ | of_rank(1)) as second:
        code, out, err = cli(*resume)
        silent = second.communicate(timeout=120)
    assert code == second.returncode == 0, (err, silent)
    assert "going on after outer step" in err
    assert f"written to {run}" in out
    assert silent[0] == ""  # the first one speaks
    assert "outer step" not in silent[1]
    assert_same(run, whole)


def stopped_by_a_signal(process: Started, run: Path) -> None:
    log = run / "log.jsonl"  # after multi-task training, in which a signal has its usual effect
    while not log.exists() or '{"step": 1,' not in log.read_text():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    assert err.count("error: stopped as asked; the state is saved") == 1, err
    assert f"to go on: fewshot train --resume {run}" in err
    assert "fewshot/cli.py" not in err  # no traceback of ours
    assert len(lines(run)) < 11, "the signal came too late for what follows"


@pytest.fixture
def script(tmp_path: Path) -> str:
    """A file with `SCRIPT`."""
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    return str(file)


def test_an_error_in_one_process_ends_both(script: str) -> None:
    process = torchrun(script, "raises")
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "fewshot/processes.py" not in err  # no traceback of ours
    message = "rank 1 of 2: a text is missing\n  where:  row 3\n  do:     write one\n"
    assert err.count(f"error: {message}") == 1, err
    assert "error: stopped, since rank 1 has failed\n" in err


def test_one_process_that_is_killed_ends_the_other(script: str) -> None:
    """Without torchrun, which would end it as well."""
    command, place = [sys.executable, script, "is killed"], os.environ | environment(0)
    with (
        started(command, env=place) as first,
        started(command, env=place | of_rank(1)) as second,
    ):
        began = time.monotonic()
        second.communicate(timeout=60)
        _, err = first.communicate(timeout=60)
    assert time.monotonic() - began < 60
    assert (first.returncode, second.returncode) == (1, -signal.SIGKILL)
    assert err.startswith("error: rank 0 of 2: another process does not answer any more\n"), err
    assert "Traceback" not in err


def test_a_first_process_that_neither_answers_nor_closes_ends_the_other(script: str) -> None:
    """Without torchrun, so that it holds the store as well; as a machine that vanishes."""
    command, place = [sys.executable, script, "is suspended"], os.environ | environment(0)
    first, second = started(command, env=place), started(command, env=place | of_rank(1))
    try:
        _, err = second.communicate(timeout=60)
        assert first.poll() is None
    finally:
        for process in (first, second):
            process.kill()
            process.communicate()
    assert (first.returncode, second.returncode) == (-signal.SIGKILL, 1)
    assert err == "error: the first process does not answer any more\n"


@pytest.mark.parametrize("meta_batch", [3, 5])  # one has no episode; one has two
def test_four_processes_write_what_one_does(meta_batch: int, cli: Cli, start: Start, tmp_path: Path) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    options = [f"--training.meta_batch={meta_batch}", "--training.steps=4", "--validation.every=2"]
    assert cli(*start(whole, *options))[0] == 0
    ends = forked(4, start(run, *options), tmp_path)
    assert [code for code, _ in ends] == [0] * 4, ends
    assert_same(run, whole)


def test_other_commands_are_for_one_process(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(0).items():
        monkeypatch.setenv(name, value)
    code, _, err = cli("compare", "runs/demo")
    assert code == 2
    assert err.startswith("error: `fewshot compare` is for one process\n  where:  WORLD_SIZE\n  got:    2\n")
    monkeypatch.setenv("RANK", "1")
    assert cli("compare", "runs/demo") == (2, "", "")


def test_the_second_process_of_an_evaluation_writes_nothing(
    cli: Cli, runs: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Second(Processes):
        rank, size = 1, 2

    @contextlib.contextmanager
    def second() -> Iterator[Processes]:
        yield Second()

    run = runs("ProtoNet")
    monkeypatch.setattr("fewshot.commands.together", second)
    assert cli("evaluate", run, "--episodes", "2", "--name", "second") == (0, "", "")
    assert not (Path(run) / "evaluations" / "second").exists()
