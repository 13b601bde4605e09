import gc
import sys
import tracemalloc
from collections.abc import Sequence

import pytest
from transformers import AutoTokenizer

from fewshot.models import tokens
from fewshot.models.tokens import TextTokens


class Words:
    """A tokenizer that counts letters, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(
        self, firsts: Sequence[str], seconds: Sequence[str] | None, truncation: bool, max_length: int
    ) -> dict[str, list[list[int]]]:
        self.asked.append(list(firsts))
        pairs = zip(firsts, seconds or [""] * len(firsts), strict=True)
        return {"input_ids": [[len(w) for w in f"{a} {b}".split()][:max_length] for a, b in pairs]}


def test_a_text_is_tokenised_once() -> None:
    words = Words()
    reader = TextTokens(words, 3)
    rows = reader.rows([("one three", None), ("seven", None), ("one three", None)])
    assert [row["input_ids"] for row in rows] == [[3, 5], [5], [3, 5]]
    assert reader.rows([("seven", None), ("a b c d", None)])[1]["input_ids"] == [1, 1, 1]
    assert words.asked == [["one three", "seven"], ["a b c d"]]


def test_a_text_alone_is_another_row_than_in_a_batch_of_pairs() -> None:
    words = Words()
    reader = TextTokens(words, 9)
    reader.rows([("one", None)])
    rows = reader.rows([("one", None), ("one", "seven")])
    assert [row["input_ids"] for row in rows] == [[3], [3, 5]]
    assert words.asked == [["one"], ["one", "one"]]


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        tokens, "MOST", 2 * (tokens.BESIDE + sys.getsizeof("a") + 4)
    )  # two texts of a letter and a token
    words = Words()
    reader = TextTokens(words, 9)
    for text in ("a", "b", "c", "b", "a"):
        assert reader.rows([(text, None)])[0]["input_ids"] == [1]
    assert words.asked == [["a"], ["b"], ["c"], ["a"]]
    assert len(reader.rows([(str(n), None) for n in range(5)])) == 5
    reader.rows([("3", None), ("4", None)])
    assert words.asked[-1] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("word", ["word ", "词 ", "🙂 "])
def test_a_text_takes_about_as_much_memory_as_is_counted(word: str, tiny_backbone: str) -> None:
    reader = TextTokens(AutoTokenizer.from_pretrained(tiny_backbone), 128)
    texts = [(f"how many words has number {n} " + word * (n % 100), None) for n in range(2000)]
    reader.rows(texts[:1])
    tracemalloc.start()
    try:
        reader.rows(texts)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    taken += sum(sys.getsizeof(first) for first, _ in texts)
    assert taken == pytest.approx(reader._bytes, rel=0.25)
