"""Frozen states that processes share: the same bits, whoever computed them and beside which texts."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers
from conftest import LearnerMaker, attribute_episodes
from torch import Tensor

from fewshot.algorithms.algorithm import ready
from fewshot.algorithms.maml import MAML
from fewshot.models.batch import Rows
from fewshot.models.cache import Cache, StateCache
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.inputs import Packed
from fewshot.models.lora_settings import Lora
from fewshot.models.prefix import FrozenPrefix
from fewshot.models.products import has_onednn

TEXTS = [
    "a short one",
    "one that has a few more words in it than the one before",
    "card",
    "i still have not received my new card, and i ordered it over a week ago; what should i do about it now?",
    "why was i charged?",
    "a short two",
    "the music was loud, the room was cold, and the long film about trains ended before anybody had come",
    "",
]
EXACT = Compute(dtype="float32", products="blas")


def states(learner: LoraEncoder, texts: list[str]) -> dict[str, Tensor]:
    """The frozen states of texts that come in one batch."""
    (part,) = learner.place(learner.batch(Rows.of(texts))).inputs.parts
    assert isinstance(part, Packed)
    assert part.states is not None
    each = torch.split(part.states[0, : part.packing.tokens], list(part.packing.lengths))
    return dict(zip(texts, each, strict=True))


def in_other_batches(learner: LoraEncoder, sizes: list[int]) -> dict[str, Tensor]:
    """The same from the last text to the first, in batches of these sizes."""
    texts = TEXTS[::-1]
    found: dict[str, Tensor] = {}
    for size in sizes:
        found |= states(learner, texts[:size])
        texts = texts[size:]
    assert not texts
    return found


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return all(torch.equal(found[text], expected[text]) for text in TEXTS)


@pytest.fixture
def shared(tmp_path: Path) -> Callable[..., Cache]:
    """A cache in a folder; 'memory_gb' and the like change it."""

    def make(folder: str = "states", **changes: float | bool) -> Cache:
        return replace(Cache(folder=str(tmp_path / folder), shared=True), **changes)  # type: ignore[arg-type]

    return make


@pytest.fixture(params=["tiny", "minilm"])
def learner(request: pytest.FixtureRequest, make_learner: LearnerMaker) -> LoraEncoder:
    """A learner on one of the backbones."""
    return make_learner(**({} if request.param == "tiny" else {"backbone": "minilm"}))


def test_the_bits_of_a_text_are_its_own(learner: LoraEncoder, shared: Callable[..., Cache]) -> None:
    def use(cache: Cache) -> StateCache:
        learner._body.frozen.cache = StateCache(cache)
        return learner._body.frozen.cache

    cold = use(shared())
    expected = states(learner, TEXTS)
    assert (cold.misses, cold.hits) == (len(TEXTS), 0)
    assert same(states(learner, TEXTS), expected)  # from memory
    for memory_gb in (1.0, 0.0, 5e-5):
        warm = use(shared(memory_gb=memory_gb))
        assert same(in_other_batches(learner, [3, 1, 2, 2]), expected)
        assert same(states(learner, TEXTS), expected)
        assert (warm.misses, warm.hits) == (0, 2 * len(TEXTS))
    use(shared("elsewhere"))
    assert same(in_other_batches(learner, [1, 2, 5]), expected)
    assert same(states(learner, TEXTS), expected)
    for memory_gb in (1.0, 0.0):
        use(Cache(memory_gb=memory_gb, alone=True))
        assert same(in_other_batches(learner, [3, 1, 2, 2]), expected)
        assert same(states(learner, TEXTS), expected)
    use(Cache())  # what they are is what they were, but for rounding
    alike = states(learner, TEXTS)
    assert all(torch.allclose(alike[text], expected[text], atol=1e-4) for text in TEXTS)


def gradient(learner: LoraEncoder, number: int) -> list[Tensor]:
    """Of an outer step."""
    algorithm = MAML()
    algorithm.prepare(learner)
    loss = algorithm.meta_step(learner, *ready(learner, attribute_episodes(4)[number:])).losses.sum()
    return list(torch.autograd.grad(loss, list(learner.adapter().values())))


def test_an_outer_step_has_the_same_bits_whoever_filled_the_cache(
    make_learner: LearnerMaker, shared: Callable[..., Cache]
) -> None:
    cold = gradient(make_learner(cache=shared()), 2)
    gradient(make_learner(cache=shared("other")), 0)  # the same texts beside others
    found = {}
    for name in ("states", "other"):
        learner = make_learner(cache=shared(name))
        found[name] = gradient(learner, 2)
        assert learner._body.frozen.cache.misses == 0
    assert all(torch.equal(a, b) for warm in found.values() for a, b in zip(cold, warm, strict=True))


@pytest.fixture
def other_backbone(tiny_backbone: str, tmp_path: Path) -> str:
    """The tiny one with one weight changed a little."""
    model = transformers.AutoModel.from_pretrained(tiny_backbone)
    with torch.no_grad():
        model.encoder.layer[0].output.dense.weight[3, 5] += 1e-3
    model.save_pretrained(tmp_path / "backbone")
    transformers.AutoTokenizer.from_pretrained(tiny_backbone).save_pretrained(tmp_path / "backbone")
    return str(tmp_path / "backbone")


@pytest.fixture
def copied_backbone(tiny_backbone: str, tmp_path: Path) -> str:
    """The tiny one elsewhere."""
    return str(shutil.copytree(tiny_backbone, tmp_path / "copied"))


def files(tmp_path: Path) -> int:
    return len(list((tmp_path / "states").glob("*.sqlite")))


def test_what_gives_other_states_is_not_mixed_up(
    make_learner: LearnerMaker, other_backbone: str, shared: Callable[..., Cache], tmp_path: Path
) -> None:
    variants: list[tuple[dict[str, object], Cache]] = [
        ({}, shared()),
        ({"backbone": other_backbone}, shared()),
        ({"lora": Lora(layers="last:1")}, shared()),
        ({"lora": Lora(layers="last:2", modules=("dense",))}, shared()),  # one more product is constant
        ({"compute": replace(EXACT, dtype="bfloat16", emulate=True)}, shared()),
        ({"compute": replace(EXACT, attention="sdpa")}, shared()),
        ({}, shared(projections=False)),
    ]
    if has_onednn():
        variants.append(({"compute": replace(EXACT, products="onednn")}, shared()))
    for number, (options, cache) in enumerate(variants):
        elsewhere = replace(cache, folder=str(tmp_path / str(number)))
        expected = states(make_learner(**options, cache=elsewhere), TEXTS)
        learner = make_learner(**options, cache=cache)
        assert same(states(learner, TEXTS), expected)
        assert learner._body.frozen.cache.misses == len(TEXTS)
    assert files(tmp_path) == len(variants)


def test_what_gives_the_same_states_has_them_together(
    make_learner: LearnerMaker, copied_backbone: str, shared: Callable[..., Cache], tmp_path: Path
) -> None:
    expected = states(make_learner(cache=shared()), TEXTS)
    variants: list[dict[str, object]] = [
        {"backbone": copied_backbone},
        {"lora": Lora(layers="last:2", modules=("query",), rank=2, seed=5)},
        {"head": "shared", "pooling": "cls", "scale": 3.0, "max_length": 64},
    ]
    for options in variants:
        learner = make_learner(**options, cache=shared())
        assert same(states(learner, TEXTS), expected)
        assert learner._body.frozen.cache.misses == 0
    assert files(tmp_path) == 1


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_states_of_another_number_of_threads_lie_apart(
    make_learner: LearnerMaker, shared: Callable[..., Cache], tmp_path: Path
) -> None:
    learner = make_learner(cache=shared())
    states(learner, TEXTS)
    torch.set_num_threads(1)  # as a learner that is built later may
    states(learner, TEXTS)
    assert learner._body.frozen.cache.misses == 2 * len(TEXTS)
    assert files(tmp_path) == 2


def test_what_is_not_shared_is_not_hashed(
    make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(FrozenPrefix, "about", None)
    states(make_learner(cache=Cache(folder=str(tmp_path))), TEXTS)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_reads_what_a_gpu_wrote(make_learner: LearnerMaker, shared: Callable[..., Cache]) -> None:
    found = []
    for memory_gb in (1.0, 0.0):
        learner = make_learner(compute=Compute(device="cuda"), cache=shared(memory_gb=memory_gb))
        found += [states(learner, TEXTS), in_other_batches(learner, [3, 5])]
    assert learner._body.frozen.cache.misses == 0
    assert all(value.device.type == "cuda" for value in found[-1].values())
    assert all(same(each, found[0]) for each in found)
