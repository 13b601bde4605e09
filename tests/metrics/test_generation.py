"""Scores of written outputs, against the libraries themselves and by hand."""

from typing import Any

import numpy as np
import pytest
import sacrebleu
from rouge_score import rouge_scorer

from fewshot.errors import InputError
from fewshot.metrics.generation import (
    GENERATION,
    exact_match,
    generation_scores,
    mean_overlap,
    normalised,
    overlap,
    token_f1,
)

WORDS = ("the", "cat", "sat", "on", "a", "mat", "while", "rain", "fell", "outside", "slowly", "again")


def sentences(seed: int, count: int) -> list[str]:
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(WORDS, generator.integers(2, 12))) for _ in range(count)]


def test_one_reference_each_is_what_the_libraries_say() -> None:
    outputs, references = sentences(0, 20), sentences(1, 20)
    found = generation_scores(outputs, [[each] for each in references])
    assert found.bleu == pytest.approx(
        sacrebleu.BLEU(effective_order=True).corpus_score(outputs, [references]).score / 100
    )
    assert found.chrf == pytest.approx(sacrebleu.corpus_chrf(outputs, [references]).score / 100)
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])
    each = [scorer.score(theirs, ours) for ours, theirs in zip(outputs, references, strict=True)]
    for name, kind in (("rouge1", "rouge1"), ("rouge2", "rouge2"), ("rouge_l", "rougeL")):
        assert getattr(found, name) == pytest.approx(np.mean([score[kind].fmeasure for score in each]))


def test_of_several_references_the_best_counts() -> None:
    outputs = ["the cat sat on the mat", "rain fell"]
    several = [["outside", "the cat sat on a mat", "slowly"], ["rain fell"]]
    found = generation_scores(outputs, several)
    assert found.exact_match == 1  # articles are passed over
    alone = generation_scores(outputs, [["the cat sat on a mat"], ["rain fell"]])
    assert (found.token_f1, found.rouge_l) == (alone.token_f1, alone.rouge_l)
    columns: Any = [
        ["outside", "rain fell"], ["the cat sat on a mat", None], ["slowly", None]
    ]  # fmt: skip
    expected = sacrebleu.BLEU(effective_order=True).corpus_score(outputs, columns).score
    assert found.bleu == pytest.approx(expected / 100)


def by_counting(output: str, reference: str) -> float:
    """Token F1 through precision and recall, matching word by word."""
    ours, theirs = normalised(output).split(), normalised(reference).split()
    left, shared = list(theirs), 0
    for word in ours:
        if word in left:
            left.remove(word)
            shared += 1
    if not shared:
        return float(ours == theirs)
    precision, recall = shared / len(ours), shared / len(theirs)
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize("seed", range(5))
def test_token_f1_is_that_of_shared_words(seed: int) -> None:
    for ours, theirs in zip(sentences(seed, 30), sentences(100 + seed, 30), strict=True):
        assert token_f1(ours, theirs) == pytest.approx(by_counting(ours, theirs))


@pytest.mark.parametrize(
    ("output", "reference", "match", "f1"),
    [
        ("The Cat.", "cat", 1, 1),
        ("cat cat", "cat", 0, 2 / 3),
        ("", "", 1, 1),
        ("", "cat", 0, 0),
        ("the", "a", 1, 1),  # nothing but articles is nothing
        ("dog", "cat", 0, 0),
        ("ÉTÉ", "été", 1, 1),
        ("猫", "猫", 1, 1),
    ],
)
def test_words_by_hand(output: str, reference: str, match: float, f1: float) -> None:
    assert exact_match(output, reference) == match
    assert token_f1(output, reference) == pytest.approx(f1)


def test_the_same_is_all_and_nothing_shared_is_nothing() -> None:
    texts = ["rain fell outside slowly again", "cat sat"]
    same = generation_scores(texts, [[text] for text in texts])
    assert [getattr(same, name) for name in GENERATION] == pytest.approx([1.0] * len(GENERATION))
    other = generation_scores(["xyz", "qqq"], [["ab"], ["cd"]])
    assert [getattr(other, name) for name in GENERATION] == pytest.approx([0.0] * len(GENERATION))


def test_an_empty_output_is_scored() -> None:
    found = generation_scores([""], [["cat"]])
    assert [getattr(found, name) for name in GENERATION] == [0.0] * len(GENERATION)


@pytest.mark.parametrize(
    ("outputs", "references"), [([], []), (["a"], []), (["a"], [[]]), (["a"], [["a"], ["b"]])]
)
def test_what_cannot_be_scored_is_refused(outputs: list[str], references: list[list[str]]) -> None:
    with pytest.raises(InputError) as error:
        generation_scores(outputs, references)
    empty = "" if all(references) else ", an empty one among them"
    assert str(error.value) == (
        "outputs cannot be scored without references\n"
        f"  where:  {'output 0' if empty else 'generation_scores'}\n"
        f"  got:    {len(outputs)} outputs, {len(references)} lists of references{empty}\n"
        "  needed: at least one output, and at least one reference for each"
    )


def test_bleu_of_short_outputs_counts_the_words_that_they_have() -> None:
    found = generation_scores(["rain fell", "cat"], [["rain fell"], ["dog"]])
    # two of three words, one of one pair: no trigrams, so the mean is over two orders
    assert found.bleu == pytest.approx((2 / 3) ** 0.5)


def test_bleu_and_chrf_count_over_all_outputs_together() -> None:
    outputs, references = sentences(3, 6), [[each] for each in sentences(4, 6)]
    found = generation_scores(outputs, references)
    each = [generation_scores([ours], [theirs]) for ours, theirs in zip(outputs, references, strict=True)]
    assert found.rouge1 == pytest.approx(np.mean([one.rouge1 for one in each]))
    assert found.token_f1 == pytest.approx(np.mean([one.token_f1 for one in each]))
    assert found.chrf != pytest.approx(np.mean([one.chrf for one in each]))


def test_overlap_by_hand() -> None:
    found = overlap("the cat sat sat", "a cat on sat mat rain")
    assert found == pytest.approx((2 / 3, 2 / 5, 2 * 2 / 8))
    assert found == (found.precision, found.recall, found.f1)
    assert overlap("", "a") == (1, 1, 1)
    assert overlap("cat", "") == overlap("", "cat") == (0, 0, 0)


def test_the_mean_overlap_is_over_outputs() -> None:
    found = mean_overlap(["cat sat", "rain"], ["cat", "snow"])
    assert found == pytest.approx((0.25, 0.5, 1 / 3))
    assert {type(value) for value in found} == {float}
    with pytest.raises(ValueError, match="zip"):
        mean_overlap(["cat"], [])


def test_normalised_by_hand() -> None:
    assert normalised("  An  apple,\tTHE theatre: a-b\nand a c!  ") == "apple theatre ab and c"
