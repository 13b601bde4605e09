import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import torch
from conftest import LearnerMaker, attribute_episodes
from torch import Tensor

from fewshot.algorithms.algorithm import ready
from fewshot.errors import FewshotError, InputError
from fewshot.models.batch import Rows
from fewshot.models.cache import Cache, StateCache
from fewshot.models.encoder import LoraEncoder
from fewshot.models.stack import Stack

ROW = 3 * 4 * 4  # bytes of a state below
TEXTS = ["a short one", "one that has a few more words in it", "a third", "a short one"]


def state(key: bytes, dtype: torch.dtype = torch.float32) -> Tensor:
    """What is computed of a key, (3, 4)."""
    return torch.randn(3, 4, generator=torch.Generator().manual_seed(sum(key))).to(dtype)


def asked(
    cache: StateCache, keys: list[bytes], dtype: torch.dtype = torch.float32
) -> tuple[list[bytes], list[Tensor]]:
    """The keys that were computed, and the states."""
    computed: list[bytes] = []

    def compute(wanted: list[int]) -> list[Tensor]:
        computed.extend(keys[n] for n in wanted)
        # slices of one tensor, as those of a batch are
        return list(torch.stack([state(keys[n], dtype) for n in wanted]))

    found = cache.states(keys, compute)
    assert all(torch.equal(value, state(key, dtype)) for key, value in zip(keys, found, strict=True))
    assert all(value.dtype == dtype for value in found)
    return computed, found


def test_a_key_is_computed_once() -> None:
    cache = StateCache()
    assert asked(cache, [b"a", b"b"])[0] == [b"a", b"b"]
    assert asked(cache, [b"b", b"c", b"a"])[0] == [b"c"]
    assert asked(cache, [b"c", b"b"])[0] == []
    assert (cache.misses, cache.hits) == (3, 4)


def test_a_key_twice_in_one_call_is_computed_once() -> None:
    cache = StateCache(Cache(memory_gb=0))
    assert asked(cache, [b"b", b"a", b"b", b"b"])[0] == [b"b", b"a"]
    assert (cache.misses, cache.hits) == (2, 2)


def test_no_key_computes_nothing() -> None:
    cache = StateCache()
    assert asked(cache, []) == ([], [])
    assert (cache.misses, cache.hits) == (0, 0)


def test_without_memory_nothing_is_kept() -> None:
    cache = StateCache(Cache(memory_gb=0))
    assert [asked(cache, [b"a", b"b"])[0] for _ in range(3)] == [[b"a", b"b"]] * 3
    assert (cache.misses, cache.hits) == (6, 0)


def test_what_came_first_stays_within_the_budget() -> None:
    cache = StateCache(Cache(memory_gb=2.5 * ROW / 1e9))
    assert asked(cache, [b"a", b"b", b"c", b"d"])[0] == [b"a", b"b", b"c", b"d"]
    for _ in range(2):
        assert asked(cache, [b"d", b"c", b"b", b"a"])[0] == [b"d", b"c"]
    assert (cache.misses, cache.hits) == (8, 4)


def test_a_kept_state_does_not_keep_its_batch() -> None:
    cache = StateCache()
    asked(cache, [b"a", b"b", b"c"])
    _, (found,) = asked(cache, [b"b"])
    assert found.untyped_storage().nbytes() == ROW


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_what_is_beyond_the_budget_comes_back_from_disk_bit_by_bit(
    dtype: torch.dtype, tmp_path: Path
) -> None:
    folder = tmp_path / "not there" / "yet"
    cache = StateCache(Cache(memory_gb=1.5 * 12 * dtype.itemsize / 1e9, folder=str(folder)))
    keys = [b"a", b"b", b"c"]
    assert asked(cache, keys, dtype)[0] == keys
    for _ in range(2):
        assert asked(cache, keys[::-1], dtype)[0] == []
    assert asked(cache, [b"d", b"b"], dtype)[0] == [b"d"]
    assert asked(cache, [b"d", b"c", b"b", b"a"], dtype)[0] == []
    assert folder.is_dir()
    assert list(folder.iterdir()) == []  # nobody can read it, and nobody has to remove it


def test_states_of_different_length_lie_on_disk_together(tmp_path: Path) -> None:
    cache = StateCache(Cache(memory_gb=0, folder=str(tmp_path)))
    values = [torch.randn(length, 2, generator=torch.Generator().manual_seed(length)) for length in (3, 1, 5)]
    keys = [b"3", b"1", b"5"]
    cache.states(keys, lambda wanted: [values[n] for n in wanted])
    found = cache.states(keys[::-1], lambda wanted: [])
    assert all(torch.equal(a, b) for a, b in zip(found, values[::-1], strict=True))


def test_within_the_budget_nothing_is_written(tmp_path: Path) -> None:
    cache = StateCache(Cache(folder=str(tmp_path / "unused")))
    asked(cache, [b"a", b"b"])
    assert not (tmp_path / "unused").exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "states"
    with pytest.raises(FewshotError) as error:
        asked(StateCache(Cache(memory_gb=0, folder=str(folder))), [b"a"])
    assert str(error.value) == (
        "the cache of frozen states could not be written\n"
        f"  where:  {folder}\n"
        "  got:    Not a directory\n"
        "  needed: a writable disk with space left\n"
        "  do:     free some space, or leave model.cache.folder out, and those states are computed again"
    )
    assert error.value.exit_code == 1


def test_a_negative_budget_is_refused() -> None:
    with pytest.raises(InputError) as error:
        Cache(memory_gb=-1)
    assert str(error.value) == "model.cache.memory_gb is too small\n  got:    -1\n  needed: 0 or more"


def test_a_shared_cache_needs_a_folder() -> None:
    with pytest.raises(InputError) as error:
        Cache(shared=True)
    assert str(error.value) == (
        "a shared cache needs a folder\n"
        "  where:  model.cache.shared\n"
        "  needed: model.cache.folder, on a disk of this machine\n"
        "  do:     set model.cache.folder, or model.cache.shared to false"
    )


def test_a_shared_cache_has_all_on_disk_and_what_fits_in_memory(tmp_path: Path) -> None:
    first = StateCache(Cache(folder=str(tmp_path), shared=True))
    assert asked(first, [b"a", b"b"])[0] == [b"a", b"b"]
    second = StateCache(Cache(memory_gb=2.5 * ROW / 1e9, folder=str(tmp_path), shared=True))
    assert asked(second, [b"b", b"c", b"a"])[0] == [b"c"]
    (file,) = tmp_path.glob("*.sqlite")
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT count(*) FROM states").fetchone() == (3,)
        database.execute("DELETE FROM states")
        database.commit()
    assert asked(second, [b"a", b"b", b"c"])[0] == [b"c"]  # two fit
    assert (second.misses, second.hits) == (2, 4)


def test_shared_states_of_another_origin_are_others(tmp_path: Path) -> None:
    cache = StateCache(Cache(folder=str(tmp_path), shared=True))
    made = {name: torch.full((2, 2), float(n)) for n, name in enumerate(("one", "two"))}
    for _ in range(2):
        for name, value in made.items():
            (found,) = cache.states([b"a"], lambda wanted, v=value: [v], about=lambda n=name: n)  # type: ignore[misc]
            assert torch.equal(found, value)
    assert (cache.misses, cache.hits) == (2, 2)


CACHES: dict[str, Callable[[Path], Cache]] = {
    "memory": lambda folder: Cache(),
    "disk": lambda folder: Cache(memory_gb=0, folder=str(folder)),
    "none": lambda folder: Cache(memory_gb=0),
    "shared": lambda folder: Cache(folder=str(folder), shared=True),
}


def features(learner: LoraEncoder, texts: list[str]) -> Tensor:
    batch = learner.place(learner.batch(Rows.of(texts)))
    with torch.no_grad():
        stack = Stack({name: value[None] for name, value in learner.adapter().items()})
        return learner.features(stack, batch)


def test_features_are_the_same_bits_whatever_the_cache(make_learner: LearnerMaker, tmp_path: Path) -> None:
    for texts in (TEXTS, TEXTS[:1]):
        found = []
        for name in ("memory", "disk", "none"):
            learner = make_learner(cache=CACHES[name](tmp_path / name))
            found += [features(learner, texts) for _ in range(2)]
        assert all(torch.equal(found[0], other) for other in found[1:])


@pytest.mark.parametrize(
    ("name", "misses", "hits"), [("memory", 4, 4), ("disk", 4, 4), ("none", 6, 2), ("shared", 4, 4)]
)
def test_texts_are_known_again_in_the_next_batch(
    name: str, misses: int, hits: int, make_learner: LearnerMaker, tmp_path: Path
) -> None:
    learner = make_learner(cache=CACHES[name](tmp_path))
    first = features(learner, TEXTS)
    second = features(learner, [TEXTS[1], "something new", TEXTS[0], TEXTS[1]])
    cache = learner._body.frozen.cache
    assert (cache.misses, cache.hits) == (misses, hits)
    assert torch.allclose(second[[0, 2, 3]], first[[1, 0, 1]], atol=1e-5)


def test_a_text_and_a_pair_of_the_same_tokens_are_two(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    rows = [("one two", "three"), ("one", "two three")]
    for row in rows:
        learner.place(learner.batch(Rows.of([row, row])))
    cache = learner._body.frozen.cache
    assert (cache.misses, cache.hits) == (2, 2)


def test_a_learner_may_keep_its_states_with_another(make_learner: LearnerMaker) -> None:
    drawn = attribute_episodes(2)
    alone = make_learner()
    expected = alone.features(alone.start_body(2), ready(alone, drawn)[1])
    first, second = make_learner(), make_learner()
    second.share_states(first)
    ready(first, drawn)
    cache = second._body.frozen.cache
    misses = cache.misses
    found = second.features(second.start_body(2), ready(second, drawn)[1])
    assert cache is first._body.frozen.cache
    assert cache.misses == misses > 0
    assert torch.equal(found, expected)
