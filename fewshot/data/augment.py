"""Augmentation: further support examples made from those that an episode has.

Word dropout, swaps and repetitions are the operations without synonyms of Wei, Zou: EDA: Easy Data
Augmentation Techniques for Boosting Performance on Text Classification Tasks, EMNLP 2019,
https://arxiv.org/abs/1901.11196. Their alpha, the share of the words that change, is `rate`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from fewshot.data.example import Example
from fewshot.data.hooks import function_of
from fewshot.errors import InputError, listing, require_at_least

Operation = Callable[[str, float, np.random.Generator], str]


def drop_words(text: str, rate: float, generator: np.random.Generator) -> str:
    """Leaves out each word with probability `rate`, but never all of them."""
    words = text.split()
    kept = generator.random(len(words)) >= rate
    if not kept.any():
        kept[generator.integers(len(words))] = True
    return " ".join(word for word, stays in zip(words, kept, strict=True) if stays)


def swap_words(text: str, rate: float, generator: np.random.Generator) -> str:
    """Swaps two words, as often as the rate asks for, at least once."""
    words = text.split()
    for _ in range(_times(words, rate) if len(words) > 1 else 0):
        one, other = generator.choice(len(words), 2, replace=False)
        words[one], words[other] = words[other], words[one]
    return " ".join(words)


def repeat_words(text: str, rate: float, generator: np.random.Generator) -> str:
    """Puts a word of the text in another place once more, as often as the rate asks for, at least once."""
    words = text.split()
    for _ in range(_times(words, rate)):
        words.insert(int(generator.integers(len(words) + 1)), words[generator.integers(len(words))])
    return " ".join(words)


OPERATIONS: dict[str, Operation] = {"drop": drop_words, "swap": swap_words, "repeat": repeat_words}


@dataclass(frozen=True)
class Augmentation:
    """Further support examples; query examples are never touched.

    Args:
        copies: changed copies of each support example; 0 makes none.
        operations: of drop, swap, repeat; one is drawn for each copy. Also a function of yours by its import
            path: (text, rate, generator) to text.
        rate: share of the words that an operation changes.
        sides: for the episodes of meta-training alone ('train'), or for those of validation and test too
            ('all').
    """

    copies: int = 0
    operations: list[str] = field(default_factory=lambda: ["drop", "swap", "repeat"])
    rate: float = 0.1
    sides: Literal["train", "all"] = "train"

    def __post_init__(self) -> None:
        require_at_least("augmentation", self, copies=0, rate=0)
        if self.rate > 1:
            raise InputError("augmentation.rate is too large", got=self.rate, needed="a share, 0 to 1")
        if self.sides not in ("train", "all"):
            raise InputError(
                "unknown setting", where="augmentation.sides", got=repr(self.sides), needed="'train' or 'all'"
            )
        if self.copies and not self.operations:
            raise InputError(
                "there are no operations to make copies with",
                where="augmentation.operations",
                needed=f"some of {listing(OPERATIONS)}",
            )
        self.functions()

    def functions(self) -> list[Operation]:
        """The operations.

        Raises:
            InputError: one that is not known and no function.
        """
        return [function_of(n, OPERATIONS, "operation", "augmentation.operations") for n in self.operations]

    def copies_of(self, example: Example, generator: np.random.Generator) -> list[Example]:
        """The changed copies of an example; fewer where an operation leaves the text as it is."""
        operations = self.functions()
        found = []
        for _ in range(self.copies):
            operation = operations[generator.integers(len(operations))]
            text = operation(example.text, self.rate, generator)
            if text != example.text and text.strip():
                found.append(Example(text, example.label, example.text_pair))
        return found


def _times(words: list[str], rate: float) -> int:
    return max(1, round(rate * len(words)))
