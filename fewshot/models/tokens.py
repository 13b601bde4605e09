"""Texts as token numbers, each text tokenised once."""

import threading
from collections.abc import Sequence
from typing import Any

from fewshot.models.batch import Text
from fewshot.models.inputs import Tokens

MOST = 200_000  # texts that are remembered, about 500 bytes each


class TextTokens:
    """A tokenizer that remembers.

    Args:
        tokenizer: of transformers.
        max_length: tokens of a text that are read.
    """

    def __init__(self, tokenizer: Any, max_length: int) -> None:
        self._tokenizer, self._max_length = tokenizer, max_length
        self._known: dict[tuple[Text, bool], Tokens] = {}
        self._lock = threading.Lock()  # a fast tokenizer cannot be used by two threads at a time

    def rows(self, texts: Sequence[Text]) -> list[Tokens]:
        """`input_ids`, `attention_mask` and, for some models, `token_type_ids` of each text."""
        paired = any(second for _, second in texts)  # then all rows are pairs, some of an empty second text
        with self._lock:
            missing = [text for text in dict.fromkeys(texts) if (text, paired) not in self._known]
            if len(self._known) + len(missing) > MOST:
                self._known.clear()
                missing = list(dict.fromkeys(texts))
            if missing:
                self._read(missing, paired)
            return [self._known[text, paired] for text in texts]

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

    def _read(self, texts: Sequence[Text], paired: bool) -> None:
        firsts = [first for first, _ in texts]
        seconds = [second or "" for _, second in texts] if paired else None
        tokens = self._tokenizer(firsts, seconds, truncation=True, max_length=self._max_length)
        for row, text in enumerate(texts):
            self._known[text, paired] = {name: tokens[name][row] for name in tokens}
