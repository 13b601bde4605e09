"""Texts as token numbers, each text tokenised once."""

import sys
import threading
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from fewshot.models.batch import Text
from fewshot.models.inputs import Tokens

MOST = 32 << 20  # bytes of what is remembered
BESIDE = 550  # bytes that a text takes beside itself and its token numbers, by measurement
Known = Mapping[str, "array[int]"]


class TextTokens:
    """A tokenizer that remembers.

    Args:
        tokenizer: of transformers.
        max_length: tokens of a text that are read.
    """

    def __init__(self, tokenizer: Any, max_length: int) -> None:
        self._tokenizer, self._max_length = tokenizer, max_length
        self._known: dict[tuple[Text, bool], Known] = {}  # the oldest first
        self._bytes = 0
        self._lock = threading.Lock()  # a fast tokenizer cannot be used by two threads at a time

    def rows(self, texts: Sequence[Text]) -> list[Tokens]:
        """`input_ids`, `attention_mask` and, for some models, `token_type_ids` of each text."""
        paired = any(second for _, second in texts)  # then all rows are pairs, some of an empty second text
        with self._lock:
            missing = [text for text in dict.fromkeys(texts) if (text, paired) not in self._known]
            fresh = self._read(missing, paired) if missing else {}
            found = [fresh[text] if text in fresh else self._known[text, paired] for text in texts]
            for text, row in fresh.items():
                self._remember((text, paired), row)
        return [{name: numbers.tolist() for name, numbers in row.items()} for row in found]

    def cut(self, texts: Sequence[Text]) -> list[bool]:
        """Which texts have more tokens than are read."""
        full = [len(row["input_ids"]) >= self._max_length for row in self.rows(texts)]
        with self._lock:
            return [
                is_full and self._length(text) > self._max_length
                for text, is_full in zip(texts, full, strict=True)
            ]

    def _length(self, text: Text) -> int:
        return len(self._tokenizer(*text, verbose=False, truncation=False)["input_ids"])

    def _read(self, texts: Sequence[Text], paired: bool) -> dict[Text, Known]:
        firsts = [first for first, _ in texts]
        seconds = [second or "" for _, second in texts] if paired else None
        tokens = self._tokenizer(firsts, seconds, truncation=True, max_length=self._max_length)
        return {text: {name: array("i", tokens[name][n]) for name in tokens} for n, text in enumerate(texts)}

    def _remember(self, key: tuple[Text, bool], row: Known) -> None:
        self._known[key] = row
        self._bytes += _size(key, row)
        while self._bytes > MOST:
            oldest = next(iter(self._known))
            self._bytes -= _size(oldest, self._known.pop(oldest))


def _size(key: tuple[Text, bool], row: Known) -> int:
    (first, second), _ = key
    texts = sys.getsizeof(first) + (sys.getsizeof(second) if second else 0)
    return BESIDE + texts + sum(4 * len(numbers) for numbers in row.values())
