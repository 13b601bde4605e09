"""Texts as blocks of tokens: a byte-level BPE of their own, and spans that stand several times."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.causal.recipe import Recipe

BEGIN, END, PAD = "<s>", "</s>", "<pad>"
SPECIAL = 3  # tokens that are no text: those three
SHORTEST = 3  # tokens of what is repeated


def byte_level_bpe(texts: Sequence[str], vocabulary: int) -> Any:
    """A tokenizer of transformers with so many tokens, trained on texts."""
    import tokenizers
    import transformers

    bpe: Any = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[BEGIN, END, PAD],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    made: Any = transformers.PreTrainedTokenizerFast
    return made(tokenizer_object=bpe, bos_token=BEGIN, eos_token=END, pad_token=PAD, padding_side="left")


def blocks_of(tokenizer: Any, texts: Sequence[str], length: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    """All texts one after another, an end behind each, cut to blocks (n, length)."""

    def numbers() -> Iterator[int]:
        for first in range(0, len(texts), 1000):
            for ids in tokenizer(list(texts[first : first + 1000]), add_special_tokens=False)["input_ids"]:
                yield tokenizer.bos_token_id
                yield from ids
                yield tokenizer.eos_token_id

    stream = np.fromiter(numbers(), np.int32)
    # not of the recipe's seed: what is held out stays the same
    order = np.random.Generator(np.random.Philox(0)).permutation(len(stream) // length)
    return stream[: len(order) * length].reshape(-1, length)[order]


def changed(
    block: np.ndarray[Any, np.dtype[np.int32]],
    generator: np.random.Generator,
    recipe: Recipe,
    vocabulary: int,
) -> np.ndarray[Any, np.dtype[np.int32]]:
    """A block (L,) whose spans are repeated, and by the shares of the recipe its tokens renamed, spelled."""
    block = stammered(block, generator, recipe.longest)
    if recipe.renamed and generator.random() < recipe.renamed:
        block = renamed(block, generator, vocabulary)
        if recipe.spelled and generator.random() < recipe.spelled:
            block = spelled(block, generator, vocabulary)
    return block


def stammered(
    block: np.ndarray[Any, np.dtype[np.int32]], generator: np.random.Generator, longest: int
) -> np.ndarray[Any, np.dtype[np.int32]]:
    """A block (L,) whose spans of some tokens stand two or three times, one behind the other, cut to (L,).

    Args:
        block: token numbers.
        generator: of lengths and numbers.
        longest: span, in tokens; lengths are spread evenly in their logarithm.
    """
    pieces, first, written = [], 0, 0
    while written < len(block):
        length = SHORTEST * ((longest + 1) / SHORTEST) ** generator.random()
        span = block[first : first + int(length)]
        pieces += [span] * int(generator.integers(2, 4))
        first, written = first + len(span), sum(map(len, pieces))
    return np.concatenate(pieces)[: len(block)]


def renamed(
    block: np.ndarray[Any, np.dtype[np.int32]], generator: np.random.Generator, vocabulary: int
) -> np.ndarray[Any, np.dtype[np.int32]]:
    """A block (L,) whose tokens stand for one another: what was the same before is the same behind.

    Args:
        block: token numbers.
        generator: of what stands for what.
        vocabulary: tokens that there are; the special ones, which come first, stay.
    """
    names = np.arange(vocabulary, dtype=np.int32)
    names[SPECIAL:] = generator.permutation(names[SPECIAL:])
    return np.take(names, block)


def spelled(
    block: np.ndarray[Any, np.dtype[np.int32]], generator: np.random.Generator, vocabulary: int
) -> np.ndarray[Any, np.dtype[np.int32]]:
    """A block (L,) whose tokens have one or two of a few others before them, cut to (L,).

    As in UTF-8 the letters of most scripts: the first byte says nothing of which letter it is.

    Args:
        block: token numbers.
        generator: of how many stand before a token, and which.
        vocabulary: tokens that there are; the special ones, which come first, stand alone.
    """
    before, kinds = int(generator.integers(1, 3)), int(generator.integers(1, 5))
    first = generator.integers(SPECIAL, vocabulary, size=(before, kinds), dtype=np.int32)
    written = np.concatenate([first[:, block % kinds], block[None]])  # (1 or 2 and itself, L)
    stays = np.ones(written.shape, dtype=bool)
    stays[:-1, block < SPECIAL] = False
    return written.T[stays.T][: len(block)]
