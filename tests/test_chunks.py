import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from conftest import LearnerMaker, attribute_episodes
from torch import Tensor

from fewshot import MAML, Attributes, Evaluation, Trainer, Training, Validation
from fewshot.chunks import Chunks
from fewshot.engine import Engine, Outcome
from fewshot.errors import InputError
from fewshot.evaluation import evaluate
from fewshot.models.batch import Rows, TaskBatch
from fewshot.models.encoder import LoraEncoder
from fewshot.models.stack import Stack

FAMILY = Attributes(way=3, shot=2, queries=2, mentions=3)
ROWS = 6  # of a support set or a query set of it
PASSES = 3  # of a chunk: prototypes, one inner step, query
OUT_OF_MEMORY = "CUDA out of memory. Tried to allocate 2.00 GiB"

Features = Callable[[Stack, TaskBatch], Tensor]


def prepared(learner: LoraEncoder, order: int = 1) -> MAML:
    algorithm = MAML(order=order, inner_steps=1)
    algorithm.prepare(learner)
    return algorithm.double()


def engine_of(learner: LoraEncoder, tasks: int, order: int = 1, said: list[str] | None = None) -> Engine:
    algorithm = prepared(learner, order)
    said = [] if said is None else said
    return Engine(learner, algorithm, Chunks(learner, tasks, algorithm.takes_parts, said.append))


def gradient(engine: Engine) -> tuple[Outcome, Tensor]:
    outcome = engine.gradient(engine.collate(attribute_episodes(5)))
    parameters = [*engine.learner.adapter().values(), *engine.learner.head.parameters()]
    parameters += engine.algorithm.parameters()
    return outcome, torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])


def assert_same(ours: tuple[Outcome, Tensor], theirs: tuple[Outcome, Tensor]) -> None:
    assert ours[1].shape == theirs[1].shape
    assert float((ours[1] - theirs[1]).norm()) < 1e-9 * float(theirs[1].norm())
    assert ours[0].loss == pytest.approx(theirs[0].loss, rel=1e-9)
    assert ours[0].accuracy == theirs[0].accuracy
    assert ours[0].cost["tokens"] == theirs[0].cost["tokens"]


def largest_part(batch: TaskBatch) -> int:
    return max(len(part.packing.lengths) for part in batch.inputs.parts)


def limit(learner: LoraEncoder, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, more than so many rows at once are out of memory."""
    features: Features = learner.features

    def limited(stack: Stack, batch: TaskBatch) -> Tensor:
        if largest_part(batch) > rows:
            raise torch.OutOfMemoryError(f"{OUT_OF_MEMORY}\nand a long explanation")
        return features(stack, batch)

    monkeypatch.setattr(learner, "features", limited)


def fail_once(
    learner: LoraEncoder, engine: Engine, number: int, in_backward: bool, monkeypatch: pytest.MonkeyPatch
) -> list[bool]:
    """Pass `number` is out of memory; the list tells whether gradients had been added up by then."""
    features: Features = learner.features
    calls: list[int] = []
    added: list[bool] = []

    def fail(_: Tensor | None = None) -> None:
        added.append(any(engine.gradients.of(p) is not None for p in learner.parameters()))
        raise torch.OutOfMemoryError(OUT_OF_MEMORY)

    def failing(stack: Stack, batch: TaskBatch) -> Tensor:
        calls.append(1)
        if len(calls) == number and not in_backward:
            fail()
        found = features(stack, batch)
        if len(calls) == number:
            found.register_hook(fail)  # type: ignore[no-untyped-call]
        return found

    monkeypatch.setattr(learner, "features", failing)
    return added


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("tasks", [1, 2, 3])
def test_the_gradient_of_chunks_is_that_of_all_tasks_together(
    make_learner: LearnerMaker, tasks: int, order: int
) -> None:
    found, whole = (gradient(engine_of(make_learner().double(), n, order)) for n in (tasks, 5))
    assert_same(found, whole)


@pytest.mark.parametrize("head", ["prototype", "shared"])
@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("tasks", [1, 5])
def test_the_gradient_of_rows_in_parts_is_that_of_all_rows(
    make_learner: LearnerMaker, tasks: int, rows: int, head: str
) -> None:
    whole = gradient(engine_of(make_learner(head=head).double(), 5))
    learner = make_learner(head=head).double()
    assert learner.limit_rows(rows)
    assert_same(gradient(engine_of(learner, tasks)), whole)


def test_the_gradient_is_that_of_the_mean_query_loss(make_learner: LearnerMaker) -> None:
    outcome, found = gradient(engine_of(make_learner().double(), 2))
    learner = make_learner().double()
    algorithm = prepared(learner)
    parameters = [*learner.adapter().values(), *learner.head.parameters(), *algorithm.parameters()]
    losses, grads = [], torch.zeros_like(found)
    for episode in attribute_episodes(5):
        support, query = (
            learner.place(
                learner.batch(
                    Rows(
                        [(example.text, None) for example in examples],
                        episode.numbers(examples),
                        [0] * ROWS,
                        [3],
                    )
                )
            )
            for examples in (episode.support, episode.query)
        )
        loss = algorithm.meta_step(learner, support, query).losses.sum() / 5
        losses.append(loss.item())
        grads += torch.cat([grad.flatten() for grad in torch.autograd.grad(loss, parameters)])
    assert outcome.loss == pytest.approx(sum(losses), rel=1e-9)
    assert float((found - grads).norm()) < 1e-9 * float(grads.norm())


def test_the_gradient_of_an_earlier_step_is_not_in_the_next(make_learner: LearnerMaker) -> None:
    engine = engine_of(make_learner().double(), 3)
    assert_same(gradient(engine), gradient(engine))


@pytest.mark.parametrize("order", [1, 2])
def test_out_of_memory_halves_the_chunk_and_says_so(
    make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch, order: int
) -> None:
    whole = gradient(engine_of(make_learner().double(), 5, order))
    learner, said = make_learner().double(), list[str]()
    limit(learner, 2 * ROWS, monkeypatch)
    engine = engine_of(learner, 5, order, said)
    assert_same(gradient(engine), whole)
    assert said == [
        "out of memory: 3 tasks at once from here on",
        "out of memory: 2 tasks at once from here on",
    ]
    assert_same(gradient(engine), whole)
    assert (engine.chunks.tasks, learner.rows_at_once, len(said)) == (2, 0, 2)  # it stays so


@pytest.mark.parametrize("in_backward", [False, True])
@pytest.mark.parametrize("number", [PASSES + 1, PASSES + 2, 2 * PASSES])
def test_what_a_broken_step_had_added_up_is_not_counted_twice(
    make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch, number: int, in_backward: bool
) -> None:
    whole = gradient(engine_of(make_learner().double(), 5))
    learner, said = make_learner().double(), list[str]()
    engine = engine_of(learner, 2, said=said)
    added = fail_once(learner, engine, number, in_backward, monkeypatch)
    assert_same(gradient(engine), whole)
    assert added == [True]  # by the first chunk
    assert said == ["out of memory: 1 task at once from here on"]


def test_below_one_task_rows_are_halved(make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gradient(engine_of(make_learner().double(), 5))
    learner, said = make_learner().double(), list[str]()
    limit(learner, 2, monkeypatch)
    engine = engine_of(learner, 5, said=said)
    assert_same(gradient(engine), whole)
    assert said == [
        "out of memory: 3 tasks at once from here on",
        "out of memory: 2 tasks at once from here on",
        "out of memory: 1 task at once from here on",
        "out of memory: 3 rows of a task at once from here on",
        "out of memory: 2 rows of a task at once from here on",
    ]
    assert learner.rows_at_once == 2


def test_a_row_that_does_not_fit_is_an_error_of_the_input(
    make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, said = make_learner().double(), list[str]()
    limit(learner, 0, monkeypatch)
    with pytest.raises(InputError) as error:
        gradient(engine_of(learner, 2, said=said))
    assert str(error.value) == (
        "not even one row fits into the memory\n"
        "  where:  device cpu\n"
        "  got:    CUDA out of memory. Tried to allocate 2.00 GiB\n"
        "  needed: a device with more memory, or less to compute\n"
        "  do:     shorter texts (model.max_length), fewer adapted layers (model.lora.layers)"
    )
    assert said[-1] == "out of memory: 1 row of a task at once from here on"


def test_a_task_that_does_not_fit_is_one_in_second_order(
    make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, said = make_learner().double(), list[str]()
    limit(learner, ROWS - 1, monkeypatch)
    with pytest.raises(InputError) as error:
        gradient(engine_of(learner, 2, 2, said))
    assert str(error.value) == (
        "not even one task fits into the memory\n"
        "  where:  device cpu\n"
        "  got:    CUDA out of memory. Tried to allocate 2.00 GiB\n"
        "  needed: a device with more memory, or less to compute\n"
        "  do:     shorter texts (model.max_length), fewer adapted layers (model.lora.layers), "
        "fewer shots and queries, or algorithm.order 1, which can cut a task"
    )
    assert said == ["out of memory: 1 task at once from here on"]
    assert learner.rows_at_once == 0


def test_an_error_without_words_is_out_of_memory_too(make_learner: LearnerMaker) -> None:
    chunks = Chunks(make_learner(), 2, in_parts=True)

    def work() -> int:
        if chunks.tasks > 1:
            raise MemoryError
        return chunks.tasks

    assert chunks.run(work, ROWS) == 1


@pytest.mark.parametrize("error", [RuntimeError("the shapes do not fit"), KeyError("name")])
def test_other_errors_pass_through(make_learner: LearnerMaker, error: Exception) -> None:
    said: list[str] = []
    chunks = Chunks(make_learner(), 4, True, said.append)

    def work() -> None:
        raise error

    with pytest.raises(type(error)) as found:
        chunks.run(work, ROWS)
    assert found.value is error
    assert (chunks.tasks, said) == (4, [])


def measured(taken: int | None, free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One task takes so many bytes of those that are free."""

    def growth(_: torch.device, work: Callable[[], object]) -> int | None:
        work()
        return taken

    monkeypatch.setattr("fewshot.chunks.growth", growth)
    monkeypatch.setattr("fewshot.chunks.free_memory", lambda _: free)


@pytest.mark.parametrize(
    ("taken", "free", "most", "tasks"),
    [(100, 1000, 20, 7), (100, 1000, 4, 4), (2000, 1000, 4, 1), (0, 1000, 4, 4), (None, 1000, 4, 4)],
)
def test_a_chunk_is_as_large_as_what_fits(
    make_learner: LearnerMaker,
    monkeypatch: pytest.MonkeyPatch,
    taken: int | None,
    free: int,
    most: int,
    tasks: int,
) -> None:
    measured(taken, free, monkeypatch)
    chunks = Chunks(make_learner(), 3, in_parts=True)
    assert chunks.fit(lambda: f"with {chunks.tasks}", ROWS, most) == "with 1"
    assert chunks.tasks == tasks


def test_measuring_leaves_no_gradient_and_counts_operations(
    make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(100, 1000, monkeypatch)
    engine = engine_of(make_learner().double(), 2)
    (episode,) = attribute_episodes(1)
    engine.measure(episode, most=5)
    assert engine.chunks.tasks == 5
    assert engine.operations_per_token > 0
    assert all(p.grad is None for p in [*engine.learner.parameters(), *engine.algorithm.parameters()])
    engine.measure(episode, most=None)
    assert engine.chunks.tasks == 5  # as it was given


def test_operations_of_a_broken_measurement_are_not_counted(
    make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    (episode,) = attribute_episodes(1)
    counted = []
    for broken in (False, True):
        learner = make_learner().double()
        engine = engine_of(learner, 2)
        engine.measure(episode, most=None)  # from here on the frozen states are known
        if broken:
            fail_once(learner, engine, PASSES, False, monkeypatch)
        engine.measure(episode, most=None)
        counted.append(engine.operations_per_token)
    assert counted[0] == counted[1]


@pytest.mark.parametrize(("rows", "lines"), [(2 * ROWS, ["2 tasks"]), (3, ["2 tasks", "1 task", "3 rows"])])
def test_evaluation_halves_as_well(
    make_learner: LearnerMaker,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rows: int,
    lines: list[str],
) -> None:
    settings = Evaluation(episodes=5, tasks_at_once=4)
    learner = make_learner().double()
    whole = evaluate(FAMILY, learner, prepared(learner), settings)
    learner = make_learner().double()
    limit(learner, rows, monkeypatch)
    found = evaluate(FAMILY, learner, prepared(learner), settings, title="test episodes")
    assert [(r.task, r.episode, r.after, r.before) for r in found] == [
        (r.task, r.episode, r.after, r.before) for r in whole
    ]
    assert [r.loss for r in found] == pytest.approx([r.loss for r in whole], rel=1e-9)
    shown = [line for line in capsys.readouterr().err.splitlines() if line.startswith("out of memory")]
    kinds = {"2 tasks": "2 tasks", "1 task": "1 task", "3 rows": "3 rows of a task"}
    assert shown == [f"out of memory: {kinds[line]} at once from here on" for line in lines]


def recorded(
    learner: LoraEncoder, folder: Path, training: Training, validation: Validation = Validation(every=0)
) -> tuple[object, list[dict[str, object]]]:
    """What config.yaml says of the tasks at once, and the lines of the log."""
    Trainer(
        FAMILY, learner, MAML(inner_steps=1), training, validation, Evaluation(episodes=1), out=folder
    ).fit()
    config = yaml.safe_load((folder / "config.yaml").read_text())
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return config["training"]["tasks_at_once"], log


@pytest.mark.parametrize(("given", "tasks"), [(1, 1), (2, 2), (9, 3)])
def test_a_run_records_the_tasks_at_once(
    make_learner: LearnerMaker, tmp_path: Path, given: int, tasks: int
) -> None:
    training = Training(steps=2, meta_batch=3, tasks_at_once=given)
    said, log = recorded(make_learner(), tmp_path / "run", training)
    assert said == tasks
    assert [(line["tasks_at_once"], line["rows_at_once"]) for line in log] == [(tasks, 0)] * 2


def test_a_run_records_what_auto_became(
    make_learner: LearnerMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(300, 1000, monkeypatch)
    said, log = recorded(make_learner(), tmp_path / "run", Training(steps=1, meta_batch=3))
    assert said == 2
    assert log[0]["tasks_at_once"] == 2


def test_a_run_goes_on_where_memory_runs_out(
    make_learner: LearnerMaker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    measured(None, 0, monkeypatch)
    learner = make_learner()
    limit(learner, 2 * ROWS, monkeypatch)
    said, log = recorded(learner, tmp_path / "run", Training(steps=3, meta_batch=4))
    assert said == 4
    assert [line["tasks_at_once"] for line in log] == [2, 2, 2]
    assert "out of memory: 2 tasks at once from here on" in capsys.readouterr().err.splitlines()


def test_training_without_any_task_at_once_is_refused() -> None:
    with pytest.raises(InputError) as error:
        Training(tasks_at_once=0)
    assert str(error.value) == "training.tasks_at_once is too small\n  got:    0\n  needed: 1 or more"


REAL = """
import math, resource, sys
from pathlib import Path

import torch

from fewshot import MAML, Episode, Example
from fewshot.chunks import Chunks
from fewshot.engine import Engine
from fewshot.memory import is_out_of_memory
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.lora_settings import Lora

torch.set_num_threads(1)
WORDS = "one two three four five six seven eight nine ten".split()


def example(number):
    words = [WORDS[(number * (at + 1) + at * at) % 10] for at in range(330)]
    return Example(f"{number} " + " ".join(words), WORDS[number % 2])


def episode(first):
    rows = [example(first + n) for n in range(8)]
    return Episode(support=tuple(rows[:6]), query=tuple(rows[6:]), classes=("one", "two"))


learner = LoraEncoder(
    sys.argv[1], Lora(layers="last:2"), max_length=400, compute=Compute(device="cpu", dtype="float32")
)
algorithm = MAML(inner_steps=1)
algorithm.prepare(learner)
drawn, said = [episode(20 * n) for n in range(4)], []
parameters = [*learner.adapter().values(), *learner.head.parameters(), *algorithm.parameters()]


def gradient(tasks):
    engine = Engine(learner, algorithm, Chunks(learner, tasks, True, said.append))
    outcome = engine.gradient(engine.collate(drawn))
    assert math.isfinite(outcome.loss)
    grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    return engine.chunks.tasks, torch.cat([grad.flatten() for grad in grads])


def status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


gradient(1)  # the first pass takes more, for kernels and their room
tasks, expected = gradient(4)
assert (tasks, said) == (4, []), said
# three quarters of what they took
small = status("VmSize")
room = (status("VmPeak") - small) * 3 // 4
assert room > 60e6, room
resource.setrlimit(resource.RLIMIT_AS, (small + room, resource.RLIM_INFINITY))
try:
    torch.empty(2 * room, dtype=torch.uint8)
    raise AssertionError("the limit does not hold")
except RuntimeError as error:
    assert is_out_of_memory(error), error
tasks, found = gradient(4)
print(*said, sep="\\n")
assert tasks < 4, tasks
# how far below is the allocator's matter: parts of a task give the same gradient
assert float((found - expected).norm() / expected.norm()) < 1e-4
"""


@pytest.mark.slow
def test_memory_that_really_runs_out_is_survived(tiny_backbone: str) -> None:
    # what is freed goes back at once, and no thread reserves an arena of its own (128 MB of addresses),
    # else it depends on where the allocator has left holes
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(
        [sys.executable, "-c", REAL, tiny_backbone],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "out of memory: 2 tasks at once from here on"
