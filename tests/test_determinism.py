"""The same settings give the same bytes, and a change of the code the same numbers."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Cli, LearnerMaker

from benchmarks.faults.content import content_of
from benchmarks.tiny import TINY_RUN
from fewshot import MAML, MAMLAdam
from fewshot.algorithms.algorithm import Algorithm
from fewshot.algorithms.prototypes import ProtoNet
from fewshot.chunks import Chunks
from fewshot.engine import Engine
from fewshot.loop import OuterLoop
from fewshot.outer import Training
from fewshot.tasks.attributes import Attributes

SETTINGS = [*TINY_RUN, "--training.steps=5", "--training.tasks_at_once=2", "--validation.every=2"]
# losses and gradient norms of five outer steps in float64, so that no library's rounding is seen
GOLDEN: dict[str, tuple[Callable[[], Algorithm], list[float], list[float]]] = {
    "MAMLAdam": (
        MAMLAdam,
        [1.0126815925415331, 0.9021568350824183, 1.1001557068774024, 1.0460209742361122, 0.9682639885743831],
        [1.7846249515196244, 1.3053942910574081, 1.1116717801932263, 1.2354687231902826, 0.6788502657605313],
    ),
    "second order": (
        lambda: MAML(order=2),
        [4.234039542789002, 2.5445173266809467, 4.861656860883425, 4.563898681054437, 2.0615091058622945],
        [27.13741485099239, 26.3291074197239, 34.494345307819536, 206.88171273459733, 98.03589132423926],
    ),
    "ProtoNet": (
        ProtoNet,
        [1.027063742352952, 0.9863038021992081, 1.21055603794541, 1.0851461657209691, 1.0258733921610117],
        [0.49374908871955087, 0.7090509670750513, 1.303254748726425, 1.0326193699238158, 0.7250046552047081],
    ),
}


@pytest.mark.parametrize("algorithm", ["MAMLAdam", "ProtoNet"])
def test_two_processes_write_the_same_bytes(
    algorithm: str, cli: Cli, tiny_backbone: str, tmp_path: Path
) -> None:
    words = ["train", *SETTINGS, f"--algorithm={algorithm}", f"--model.backbone={tiny_backbone}"]
    assert cli(*words, "--out", tmp_path / "here")[0] == 0
    other = [sys.executable, "-m", "fewshot", *words, "--out", str(tmp_path / "there")]
    subprocess.run(other, env=os.environ | {"PYTHONHASHSEED": "7"}, check=True, capture_output=True)
    assert content_of(tmp_path / "here") == content_of(tmp_path / "there")


def test_a_run_leaves_the_generators_of_the_process_alone(
    cli: Cli, tiny_backbone: str, tmp_path: Path
) -> None:
    words = ["train", *SETTINGS, f"--model.backbone={tiny_backbone}", "--out", tmp_path / "run"]
    before = torch.get_rng_state(), random.getstate(), np.random.get_state(legacy=False)["state"]["key"]
    assert cli(*words)[0] == 0
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert (np.random.get_state(legacy=False)["state"]["key"] == before[2]).all()


@pytest.mark.parametrize("name", GOLDEN)
def test_five_steps_give_the_numbers_that_they_always_gave(name: str, make_learner: LearnerMaker) -> None:
    made, losses, norms = GOLDEN[name]
    learner, algorithm = make_learner().double(), made()
    algorithm.prepare(learner)
    family = Attributes(way=3, shot=1, queries=2, mentions=3)
    engine = Engine(learner, algorithm, Chunks(learner, 2, algorithm.takes_parts))
    lines = list(OuterLoop(family, engine, Training(steps=5, meta_batch=2, lr=0.01)).lines())
    assert {value.dtype for value in learner.adapter().values()} == {torch.float64}
    assert [line["loss"] for line in lines] == pytest.approx(losses, rel=1e-9, abs=0)
    assert [line["gradient_norm"] for line in lines] == pytest.approx(norms, rel=1e-9, abs=0)
