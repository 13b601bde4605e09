from collections.abc import Sequence

import pytest

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


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST", 2)
    words = Words()
    reader = TextTokens(words, 9)
    for text in ("a", "b", "c", "a"):
        assert reader.rows([(text, None)])[0]["input_ids"] == [1]
    assert words.asked == [["a"], ["b"], ["c"], ["a"]]
    assert len(reader.rows([(str(n), None) for n in range(5)])) == 5
