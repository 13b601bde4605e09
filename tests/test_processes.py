"""Several processes do what one does: the same meta-parameters, rows, skipped steps."""

import math
import signal
from dataclasses import asdict
from typing import Any

import pytest
import torch
from conftest import LearnerMaker
from fellows import Threads, in_all
from torch import Tensor, nn

from fewshot.algorithms.algorithm import Algorithm, MetaStep
from fewshot.algorithms.maml import MAML
from fewshot.algorithms.prototypes import ProtoNet
from fewshot.best import Validated
from fewshot.checkpoint import snapshot
from fewshot.chunks import Chunks
from fewshot.engine import Engine
from fewshot.errors import InputError
from fewshot.evaluation import Evaluation, TaskResult, evaluate
from fewshot.gradients import Gradients
from fewshot.log import Log
from fewshot.loop import OuterLoop
from fewshot.metatraining import MetaTraining
from fewshot.models.batch import TaskBatch
from fewshot.models.learner import Learner
from fewshot.outer import Training, Validation
from fewshot.processes import Processes, together
from fewshot.results import task_rows
from fewshot.stopping import StoppedError, Stopping
from fewshot.tasks.attributes import Attributes
from fewshot.trackers import Trackers

FAMILY = Attributes(way=3, shot=1, queries=1, mentions=3)
SIZES = (1, 2, 4)


class Poisoned(MAML):
    """Goes to NaN in the third task of the second step."""

    def __init__(self) -> None:
        super().__init__(inner_steps=1)
        self.step = 0

    def at(self, done: float) -> None:
        self.step, self.task = self.step + 1, 0

    def meta_step(self, learner: Learner, support: TaskBatch, query: TaskBatch) -> MetaStep:
        found = super().meta_step(learner, support, query)
        third = self.first + self.task == 2  # tasks are taken one by one
        self.task += 1
        wrong = math.nan if self.step == 2 and third else 1.0
        return MetaStep(found.losses * wrong, found.scores, found.surrogate, found.trace)

    first = 0


def loop(learner: Learner, processes: Processes, settings: Training, algorithm: Algorithm) -> OuterLoop:
    algorithm.prepare(learner)
    tasks = 2 if settings.tasks_at_once == "auto" else settings.tasks_at_once
    engine = Engine(learner, algorithm, Chunks(learner, tasks, algorithm.takes_parts))
    return OuterLoop(FAMILY, engine, settings, processes)


@pytest.mark.parametrize("size", range(1, 6))
@pytest.mark.parametrize("together", [1, 2, 3, 8])
def test_shares_are_neighbours_and_all_there_is(size: int, together: int) -> None:
    for count in range(1, 20):
        each = [Threads(rank, size, None, []).share(count, together) for rank in range(size)]  # type: ignore[arg-type]
        assert [number for share in each for number in share] == list(range(count))
        group = min(together, -(-count // size))
        assert max(map(len, each)) - min(map(len, each)) < 2 * group
        if count >= together * size:
            assert all(share.start % together == 0 for share in each if share)


@pytest.mark.parametrize(("meta_batch", "algorithm"), [(3, MAML), (5, ProtoNet)])
def test_any_number_of_processes_gives_the_same_meta_parameters(
    meta_batch: int, algorithm: type[Algorithm], make_learner: LearnerMaker
) -> None:
    settings = Training(steps=20, meta_batch=meta_batch, lr=3e-3, tasks_at_once=1)

    def work(processes: Processes, learner: Learner) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
        given = {"inner_steps": 1} if algorithm is MAML else {}
        outer = loop(learner, processes, settings, algorithm(**given))
        lines = list(outer.lines())
        assert not isinstance(processes, Threads) or processes.sums == settings.steps
        return snapshot(dict(outer.parameters)), lines

    one, *others = (in_all(size, make_learner, work) for size in SIZES)
    ((whole, log),) = one
    names = ("step", "loss", "objective", "accuracy", "gradient_norm", "lr", "tokens")
    for found in others:
        for parameters, lines in found:
            assert all(torch.equal(found[0][0][name], value) for name, value in parameters.items())
            for name, value in whole.items():
                torch.testing.assert_close(parameters[name], value, rtol=0, atol=1e-6)
            for line, expected in zip(lines, log, strict=True):
                wanted = {name: expected[name] for name in names}
                assert {name: line[name] for name in names} == pytest.approx(wanted, rel=1e-6)


def test_chunks_are_not_taken_apart_where_there_are_enough(make_learner: LearnerMaker) -> None:
    def work(processes: Processes, learner: Learner) -> list[int]:
        outer = loop(learner, processes, Training(steps=1, meta_batch=8), MAML(inner_steps=1))
        list(outer.lines())
        return list(outer._share)

    assert in_all(2, make_learner, work) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert in_all(3, make_learner, work) == [[0, 1], [2, 3], [4, 5, 6, 7]]


def test_a_sum_in_float64_is_the_same_in_any_order() -> None:
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(10_000, generator=generator) for _ in range(7)]

    def total(order: list[int]) -> Tensor:
        parameter, gradients = nn.Parameter(torch.zeros(10_000)), Gradients()
        for number in order:
            parameter.grad = parts[number]
            gradients.take([parameter])
        gradients.put()
        assert parameter.grad is not None
        return parameter.grad

    assert torch.equal(total(list(range(7))), total([6, 2, 4, 0, 5, 1, 3]))
    plain = [sum(parts[n] for n in order) for order in ([0, 1, 2, 3, 4, 5, 6], [6, 2, 4, 0, 5, 1, 3])]
    assert not torch.equal(*plain)  # type: ignore[arg-type]  # in float32 it is not


def test_a_step_that_is_not_finite_in_one_process_is_skipped_in_all(make_learner: LearnerMaker) -> None:
    def work(processes: Processes, learner: Learner) -> tuple[dict[str, Tensor], list[str]]:
        algorithm = Poisoned()
        algorithm.first = processes.share(3).start
        outer = loop(learner, processes, Training(steps=3, meta_batch=3, tasks_at_once=1, lr=3e-3), algorithm)
        said = [line.get("skipped", "") for line in outer.lines()]
        return snapshot(dict(outer.parameters)), said

    one, two, four = (in_all(size, make_learner, work) for size in SIZES)
    assert one[0][1] == ["", "task 3 of 3, after adaptation: its query loss", ""]
    for parameters, said in (*two, *four):
        assert said == one[0][1]
        for name, value in one[0][0].items():
            torch.testing.assert_close(parameters[name], value, rtol=0, atol=1e-6)


@pytest.mark.parametrize("episodes", [3, 9])
def test_an_evaluation_has_the_same_rows(episodes: int, make_learner: LearnerMaker) -> None:
    settings = Evaluation(episodes=episodes, tasks_at_once=2)

    def work(processes: Processes, learner: Learner) -> list[TaskResult]:
        algorithm = MAML(inner_steps=1)
        algorithm.prepare(learner)
        return evaluate(FAMILY, learner, algorithm, settings, processes=processes)

    ((whole,), *others) = (in_all(size, make_learner, work) for size in SIZES)
    wanted = [{n: v for n, v in row.items() if n != "seconds"} for row in task_rows(whole)]
    for found in others:
        for results in found:
            rows = [{n: v for n, v in row.items() if n != "seconds"} for row in task_rows(results)]
            for row, expected in zip(rows, wanted, strict=True):
                assert row.pop("loss") == pytest.approx(expected["loss"], abs=1e-6)
                assert row.pop("ece") == pytest.approx(expected["ece"], abs=1e-6)
                assert row == {n: v for n, v in expected.items() if n not in ("loss", "ece")}
            assert [each.episode for each in results] == [each.episode for each in whole]


def test_all_stop_after_the_step_in_which_one_was_asked(
    make_learner: LearnerMaker, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Training(steps=6, meta_batch=2, tasks_at_once=1, save=0)

    def work(processes: Processes, learner: Learner) -> tuple[str, int]:
        algorithm = MAML(inner_steps=1)
        algorithm.prepare(learner)
        engine = Engine(learner, algorithm, Chunks(learner, 1, True))
        log, validation = Log(None, Trackers((), None)), Validation(every=0)
        training = MetaTraining(
            FAMILY, engine, settings, validation, never, log, tmp_path / "run", "", processes
        )
        taken = 0

        def advance(line: dict[str, Any]) -> None:
            nonlocal taken
            taken += 1
            if taken == 2 and processes.rank == 1:
                training._stopping._note(signal.SIGTERM, None)  # seen as the next step is added up

        monkeypatch.setattr(log, "add", advance)
        with pytest.raises(StoppedError) as error:
            training.run((), lambda _: None, None, 0)
        assert error.value.exit_code == 143
        return str(error.value), taken

    (first, taken), second = in_all(2, make_learner, work)
    assert (first, taken) == second
    assert "SIGTERM after outer step 3 of 6" in first
    assert [path.name[:13] for path in (tmp_path / "run" / "checkpoints").glob("step*3.*")] == [
        "step-00000003"
    ]


def test_a_signal_that_comes_twice_at_once_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    clock = iter([10.0, 11.0, 14.0])
    monkeypatch.setattr("fewshot.stopping.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("fewshot.stopping.os.kill", lambda _, number: sent.append(number))
    stopping = Stopping(echo=3.0)
    stopping._note(signal.SIGTERM, None)
    stopping._note(signal.SIGTERM, None)
    assert (stopping.asked, sent) == (signal.SIGTERM, [])
    stopping._note(signal.SIGTERM, None)
    assert sent == [signal.SIGTERM]


def test_without_an_environment_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with together() as processes:
        assert (type(processes), processes.rank, processes.size, processes.first) == (Processes, 0, 1, True)
    assert processes.gather([1, 2]) == [1, 2]
    assert processes.from_first("x") == "x"
    assert asdict(Evaluation())["episodes"] == len(processes.share(Evaluation().episodes, 8))


def test_who_does_not_come_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    monkeypatch.setattr("fewshot.processes.JOIN", timedelta(seconds=1))
    given = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(free_port())}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="the processes of this training did not meet"), together():
        pass


def never(step: int) -> Validated:
    raise AssertionError("nothing is validated")


def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("localhost", 0))
        return int(found.getsockname()[1])
