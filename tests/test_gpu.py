"""What only a CUDA device can show: that it computes what a CPU does, and how its memory is told."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from conftest import LearnerMaker, attribute_episodes
from torch import Tensor

from fewshot.algorithms.algorithm import Algorithm, ready
from fewshot.algorithms.algorithms import ALGORITHMS as KNOWN
from fewshot.algorithms.algorithms import BASELINES, IN_PROMPTS
from fewshot.algorithms.maml import MAML
from fewshot.chunks import Chunks
from fewshot.data.example import Example
from fewshot.engine import Engine
from fewshot.evaluation import Evaluation
from fewshot.memory import free_memory, growth, peak_memory
from fewshot.models.cache import Cache
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.lora_settings import Lora
from fewshot.models.rates import bfloat16_gain, product_rate
from fewshot.outer import Training, Validation
from fewshot.tasks.attributes import Attributes
from fewshot.tasks.episode import Episode
from fewshot.testing import CONTRACT
from fewshot.training import Trainer

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
ALGORITHMS = {name: made for name, made in KNOWN.items() if name not in IN_PROMPTS}
EVERY: dict[str, Callable[[], Algorithm]] = ALGORITHMS | {
    name: made for name, made in BASELINES.items() if name not in IN_PROMPTS
}
CUDA = torch.device("cuda:0")
FAMILY = Attributes(way=3, shot=2, queries=2, mentions=3)
FLOATS = 50_000_000  # 200 MB


def on(device: str, make_learner: LearnerMaker, **options: object) -> LoraEncoder:
    settings: dict[str, object] = {"device": device, "dtype": "float32", "products": "blas"}
    changes = {name: options.pop(name) for name in ("dtype", "attention", "rows_at_once") if name in options}
    return make_learner(compute=Compute(**(settings | changes)), **options)  # type: ignore[arg-type]


def gradient(
    learner: LoraEncoder,
    algorithm: Algorithm,
    drawn: Sequence[Episode] = tuple(attribute_episodes(4)),
    said: list[str] | None = None,
) -> Tensor:
    algorithm.meet(FAMILY.split("train").classes())
    algorithm.prepare(learner)
    say = (lambda _: None) if said is None else said.append
    engine = Engine(learner, algorithm, Chunks(learner, len(drawn), algorithm.takes_parts, say))
    engine.gradient(engine.collate(drawn))
    return torch.cat([p.grad.flatten().cpu() for p in learner.adapter().values() if p.grad is not None])


def long_episode(first: int) -> Episode:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    texts = [
        " ".join(words[(n * (at + 1) + at * at) % 10] for at in range(330)) for n in range(first, first + 8)
    ]
    rows = tuple(Example(text, words[n % 2]) for n, text in enumerate(texts))
    return Episode(support=rows[:6], query=rows[6:], classes=("one", "two"))


def assert_near(found: Tensor, expected: Tensor, tolerance: float) -> None:
    assert found.shape == expected.shape
    assert float((found - expected).norm()) < tolerance * float(expected.norm())


@pytest.mark.parametrize("layers", ["last:2", "all"])
@pytest.mark.parametrize(("order", "attention"), [(1, "sdpa"), (1, "eager"), (2, "auto")])
def test_the_gradient_is_that_of_a_cpu(
    make_learner: LearnerMaker, order: int, attention: str, layers: str
) -> None:
    lora = Lora(layers=layers)
    expected = gradient(on("cpu", make_learner, lora=lora), MAML(order))
    learner = on("cuda", make_learner, attention=attention, lora=lora)
    assert_near(gradient(learner, MAML(order)), expected, 1e-3)
    assert learner.note().startswith("backbone: cuda, float32, ")
    assert "padded" not in learner.note()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_has_the_gradient_of_a_cpu(name: str, make_learner: LearnerMaker) -> None:
    found, expected = (gradient(on(device, make_learner), ALGORITHMS[name]()) for device in ("cuda", "cpu"))
    assert_near(found, expected, 1e-3)


@pytest.mark.parametrize("name", EVERY)
def test_every_algorithm_gives_the_scores_of_a_cpu(name: str, make_learner: LearnerMaker) -> None:
    scores = []
    for device in ("cuda", "cpu"):
        learner, algorithm = on(device, make_learner), EVERY[name]()
        algorithm.prepare(learner)
        support, query = ready(learner, attribute_episodes(2))
        scores.append(algorithm.adapt(learner, support)(query).softmax(-1).cpu())
    assert_near(scores[0], scores[1], 1e-3)


@pytest.mark.parametrize("attention", ["auto", "eager"])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_does_the_same_twice(name: str, attention: str, make_learner: LearnerMaker) -> None:
    found, again = (gradient(on("cuda", make_learner, attention=attention), ALGORITHMS[name]()) for _ in "ab")
    assert torch.equal(found, again)


@pytest.mark.parametrize("check", ["the_same_twice", "no_inner_step_is_the_initialisation"])
@pytest.mark.parametrize("name", EVERY)
def test_the_contract_holds_to_the_last_bit(name: str, check: str, make_learner: LearnerMaker) -> None:
    CONTRACT[check](EVERY[name], lambda: on("cuda", make_learner))


@pytest.mark.parametrize("order", [1, 2])
def test_bfloat16_has_nearly_the_gradient_of_float32(make_learner: LearnerMaker, order: int) -> None:
    found, expected = (
        gradient(on("cuda", make_learner, dtype=dtype), MAML(order)) for dtype in ("bfloat16", "float32")
    )
    assert_near(found, expected, 0.2)


@pytest.mark.parametrize("rows", [1, 4])
def test_rows_in_parts_have_the_gradient_of_all(make_learner: LearnerMaker, rows: int) -> None:
    found, expected = (gradient(on("cuda", make_learner, rows_at_once=n), MAML()) for n in (rows, 0))
    assert_near(found, expected, 1e-3)


def test_states_from_disk_are_those_computed(make_learner: LearnerMaker, tmp_path: Path) -> None:
    learner = on("cuda", make_learner, cache=Cache(memory_gb=0, folder=str(tmp_path)))
    fresh, read = (gradient(learner, MAML(learn_inner_lr=False)) for _ in range(2))
    assert_near(read, fresh, 1e-3)


def test_bfloat16_is_far_faster_than_float32() -> None:
    assert bfloat16_gain(CUDA) > 1.5
    assert product_rate(CUDA) > 1e12
    assert Compute(device="cuda").chosen_dtype() == torch.bfloat16


def test_memory_is_what_was_allocated_at_its_highest() -> None:
    def work() -> None:
        torch.ones(FLOATS, device=CUDA)  # given back at once, and yet it counts

    work()  # the first use of a device takes memory of its own
    before = torch.cuda.memory_allocated(CUDA)
    taken = growth(CUDA, work)
    assert taken is not None
    assert 4 * FLOATS <= taken < 4.1 * FLOATS
    assert peak_memory(CUDA) == before + taken
    assert growth(CUDA, lambda: None) == 0  # the peak before it does not count


def test_what_torch_holds_but_does_not_use_is_free() -> None:
    torch.ones(FLOATS, device=CUDA)
    torch.cuda.empty_cache()
    before = free_memory(CUDA)
    held = torch.ones(FLOATS, device=CUDA)
    assert before - free_memory(CUDA) > 3.9 * FLOATS
    del held
    assert abs(before - free_memory(CUDA)) < FLOATS


@pytest.mark.parametrize("order", [1, 2])
def test_memory_that_really_runs_out_is_survived(make_learner: LearnerMaker, order: int) -> None:
    learner, said = on("cuda", make_learner, attention="eager", max_length=400), list[str]()
    algorithm, drawn = (
        MAML(order, inner_steps=1, learn_inner_lr=False),
        [long_episode(20 * n) for n in range(4)],
    )
    expected = gradient(learner, algorithm, drawn)
    taken = growth(CUDA, lambda: gradient(learner, algorithm, drawn))
    assert taken is not None
    torch.cuda.empty_cache()
    total = torch.cuda.mem_get_info(CUDA)[1]
    allowed = torch.cuda.memory_allocated(CUDA) + taken * 3 // 4  # three quarters of what they took
    torch.cuda.set_per_process_memory_fraction(allowed / total, CUDA)
    try:
        found = gradient(learner, algorithm, drawn, said)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, CUDA)
    assert said
    assert said[0] == "out of memory: 2 tasks at once from here on"
    assert_near(found, expected, 1e-3)


@pytest.mark.parametrize("order", [1, 2])
def test_a_run_on_a_gpu_writes_its_figures(make_learner: LearnerMaker, tmp_path: Path, order: int) -> None:
    learner = on("cuda", make_learner)
    Trainer(
        FAMILY,
        learner,
        MAML(order),
        Training(steps=3, meta_batch=2),
        Validation(every=2, episodes=2),
        Evaluation(episodes=3),
        out=tmp_path / "run",
    ).fit()
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["tasks_at_once"] for line in lines] == [2, 2, 2]
    assert all(line["peak_memory"] > 0 and 0 < line["matmul_share"] < 1 for line in lines)
