"""A small language model, pretrained and used."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.causal import pretrain
from benchmarks.causal.blocks import BEGIN, SPECIAL, changed, renamed, spelled, stammered
from benchmarks.causal.recipe import CURVE, Recipe
from fewshot.models.causal import LoraCausal
from fewshot.models.compute import Compute

SMALL = ["--vocabulary", "300", "--width", "32", "--layers", "2", "--heads", "2", "--length", "16"]
SMALL += ["--batch", "4", "--steps", "30", "--lr", "0.01"]


@pytest.fixture
def texts(tmp_path: Path) -> str:
    """Sentences of a few words, over and over."""
    path = tmp_path / "texts.txt"
    lines = [f"the river runs to the sea number {n}\n" for n in range(400)]
    path.write_text("".join(lines), encoding="utf-8")
    return str(path)


def test_the_model_learns_its_texts_and_is_a_backbone(
    texts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model"
    assert pretrain.main([texts, "--out", str(out), *SMALL]) == 0
    found = json.loads((out / CURVE).read_text(encoding="utf-8"))
    losses = [line["loss"] for line in found["curve"] if "loss" in line]
    assert losses[-1] < 0.5 * losses[0]
    assert found["held_out_loss"] < 0.5 * losses[0]
    assert f"{found['parameters']:,} parameters" in capsys.readouterr().out
    learner = LoraCausal(str(out), compute=Compute(dtype="float32", products="blas"))
    ids = learner.tokenizer("the river", add_special_tokens=False)["input_ids"]
    assert learner.tokenizer.decode(ids) == "the river"
    assert learner.tokenizer.bos_token == BEGIN


def test_the_same_seed_gives_the_same_model(texts: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert pretrain.main([texts, "--out", str(tmp_path / name), *SMALL, "--steps", "3"]) == 0
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


def test_spans_stand_two_or_three_times_one_behind_the_other() -> None:
    generator = np.random.Generator(np.random.Philox(0))
    found = stammered(np.arange(200, dtype=np.int32), generator, longest=15)
    assert found.shape == (200,)
    times = np.unique(found, return_counts=True)[1][:-20]  # the last span is cut
    assert set(times) == {2, 3}
    assert (found[:-1] + 1 == found[1:]).mean() > 0.8, "spans, not single tokens"


def test_tokens_stand_for_one_another() -> None:
    generator = np.random.Generator(np.random.Philox(0))
    block = np.array([0, 5, 6, 7, 5, 6, 7, 1, 2], dtype=np.int32)
    found = [renamed(block, generator, 50) for _ in range(200)]
    assert all(each.dtype == block.dtype for each in found)
    assert all((each[1:4] == each[4:7]).all() for each in found), "what was the same is the same"
    assert all((each[[0, 7, 8]] == [0, 1, 2]).all() for each in found), "special tokens stay"
    assert {token for each in found for token in each[1:4]} == set(range(SPECIAL, 50))


def test_tokens_have_others_before_them_that_say_nothing_of_them() -> None:
    generator = np.random.Generator(np.random.Philox(0))
    block = np.array([0, *range(5, 25), 1, 2, *range(30, 60)], dtype=np.int32)
    found = [spelled(block, generator, 5000) for _ in range(200)]
    assert all(each.dtype == block.dtype and each.shape == block.shape for each in found)
    assert all(each[0] == 0 for each in found), "special tokens stand alone"
    widths = [2 if each[2] == 5 else 3 for each in found]
    assert set(widths) == {2, 3}
    for each, width in zip(found, widths, strict=True):
        letters = each[1 : 1 + 16 * width].reshape(-1, width)[:, -1]
        assert (letters == block[1 : 1 + len(letters)]).all(), "a letter comes last"
    first = [len(set(each[1 : 1 + 10 * width : width])) for each, width in zip(found, widths, strict=True)]
    assert set(first) == {1, 2, 3, 4}


def test_blocks_are_changed_by_the_shares_of_the_recipe() -> None:
    block = np.arange(3, 103, dtype=np.int32)

    def tokens(recipe: Recipe) -> set[int]:
        return set(changed(block, np.random.Generator(np.random.Philox(0)), recipe, 5000).tolist())

    assert tokens(Recipe()) < set(block)
    renamed_ones = tokens(Recipe(renamed=1))
    assert max(renamed_ones) > 1000
    both = tokens(Recipe(renamed=1, spelled=1))
    assert both - renamed_ones
    assert both & renamed_ones


def test_a_model_goes_on_and_says_from_what(texts: str, tmp_path: Path) -> None:
    first, then = tmp_path / "first", tmp_path / "then"
    assert pretrain.main([texts, "--out", str(first), *SMALL]) == 0
    words = [
        "--start",
        str(first),
        "--steps",
        "2",
        "--repeated",
        "1",
        "--renamed",
        "0",
        "--width",
        "64",
        "--length",
        "24",
    ]
    assert pretrain.main([texts, "--out", str(then), *SMALL, *words]) == 0
    before, after = (json.loads((each / CURVE).read_text()) for each in (first, then))
    assert after["start"] == before
    assert after["parameters"] == before["parameters"]
    assert after["curve"][0]["loss"] < 0.7 * before["curve"][0]["loss"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--width", "30"], "a multiple of twice the heads"),
        (["--steps", "0"], "numbers above 0"),
        (["--repeated", "2"], "shares from 0 to 1"),
        (["--renamed", "-1"], "shares from 0 to 1"),
        (["--spelled", "1.5"], "shares from 0 to 1"),
        (["--start", "nowhere"], "no model to go on from"),
        (["--batch", "5000"], "too little text"),
    ],
)
def test_what_cannot_be_made_is_refused(
    words: list[str], said: str, texts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pretrain.main([texts, "--out", str(tmp_path / "model"), *SMALL, *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
