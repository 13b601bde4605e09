"""Words and word vectors, for a model that begins from nothing."""

import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fewshot.errors import InputError

WORD = re.compile(r"\w+|[^\w\s]")


def words(text: str) -> list[str]:
    """Lower-case words and punctuation marks, in their order."""
    return WORD.findall(text.lower())


def hashed(word: str, rows: int) -> int:
    """The row of a word in a table without a vocabulary; the same on every machine.

    Weinberger, Dasgupta, Langford, Smola, Attenberg: Feature Hashing for Large Scale Multitask
    Learning, 2009.
    """
    return zlib.crc32(word.encode("utf-8")) % rows


@dataclass(frozen=True)
class WordVectors:
    """Vectors of known words.

    Args:
        row: of each word.
        table: (words + 1, E); the last row, 0, is for words that are not known.
    """

    row: dict[str, int]
    table: Tensor

    @classmethod
    def read(cls, path: Path) -> "WordVectors":
        """Reads a text file of GloVe, word2vec or fastText: a word and its numbers a line.

        The first line may count words and numbers, as word2vec and fastText write it.

        Raises:
            InputError: not readable, a line whose numbers are not as many as the first's, no word at all.
        """
        row: dict[str, int] = {}
        vectors: list[list[float]] = []
        try:
            with path.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, 1):
                    word, *values = line.rstrip().split(" ")
                    if number == 1 and len(values) == 1:
                        continue
                    if vectors and len(values) != len(vectors[0]):
                        raise _wrong(path, number, f"{len(values)} numbers", f"{len(vectors[0])}")
                    if word not in row:
                        row[word] = len(vectors)
                        vectors.append([float(value) for value in values])
        except OSError as error:
            raise InputError("the word vectors cannot be read", where=path, got=str(error)) from error
        except ValueError as error:
            raise _wrong(path, number, str(error), "numbers after the word, in UTF-8") from error
        if not vectors or not vectors[0]:
            raise InputError(
                "the file has no word vectors", where=path, needed="a word and its numbers a line"
            )
        return cls(row, torch.tensor([*vectors, [0.0] * len(vectors[0])]))


def _wrong(path: Path, line: int, got: str, needed: str) -> InputError:
    return InputError(
        "a line of the word vectors is wrong", where=f"{path}, line {line}", got=got, needed=needed
    )
