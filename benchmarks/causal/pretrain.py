"""Pretrains a small Llama-shaped language model on texts, with a byte-level BPE of its own.

For machines without a hub: minutes on two cores give a model of some million parameters that knows the words
and forms of its texts. The folder that is written is a backbone for --model LoraCausal or LoraEncoder.

BPE: Sennrich, Haddow, Birch: Neural Machine Translation of Rare Words with Subword Units, ACL 2016,
https://arxiv.org/abs/1508.07909; on bytes: Radford et al.: Language Models are Unsupervised Multitask
Learners, 2019. The shape: Touvron et al.: LLaMA, 2023, https://arxiv.org/abs/2302.13971.
Large models learn from much text to copy what stands before, by induction heads (Olsson et al.: In-context
Learning and Induction Heads, 2022, https://arxiv.org/abs/2209.11895); so that a small one does from little,
some tokens of what it reads are made copies.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import machine, provenance
from fewshot.data.find import Columns
from fewshot.data.pool import Pool
from fewshot.errors import FewshotError, InputError
from fewshot.files import whole, write_json
from fewshot.run import check_free

BEGIN, END, PAD = "<s>", "</s>", "<pad>"
HELD_OUT, MOST = 50, 256  # one in so many blocks, and no more, tells the loss on what was not read
CURVE = "pretraining.json"  # in the folder: settings, losses, sources


@dataclass(frozen=True)
class Recipe:
    """How large the model is, and how long it reads.

    Args:
        vocabulary: tokens of the BPE.
        width: of the hidden states.
        layers: blocks.
        heads: of attention; the width is a multiple of twice as many.
        length: tokens of a block of text.
        batch: blocks of a step.
        steps: of AdamW.
        lr: its highest rate; linear warm-up over a twentieth, cosine to 0.
        copied: share of the tokens of a block that are copies of what stands before them, from single tokens
            to spans of a quarter of the block; of what is held out none is.
        seed: of the weights, of the order and of the copies.
    """

    vocabulary: int = 8192
    width: int = 256
    layers: int = 6
    heads: int = 4
    length: int = 512
    batch: int = 8
    steps: int = 1500
    lr: float = 1e-3
    copied: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        free = ("seed", "copied")  # may be 0
        wrong = [name for name, value in vars(self).items() if name not in free and not value > 0]
        wrong += [] if 0 <= self.copied < 1 else ["copied"]
        if wrong or self.width % (2 * self.heads):
            raise InputError(
                "such a model cannot be made",
                where=f"--{wrong[0]}" if wrong else "--width",
                got=getattr(self, wrong[0]) if wrong else f"{self.width} for {self.heads} heads",
                needed="numbers above 0, a width that is a multiple of twice the heads, copied below 1",
            )


def pretrain(texts: Sequence[str], recipe: Recipe, out: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Trains tokenizer and model, and writes both with the curve of the losses.

    Args:
        texts: what is read, each from its begin to its end.
        recipe: sizes and steps.
        out: the folder; whole or not at all.
        about: what the curve's file says beside.

    Returns:
        What the file says.

    Raises:
        InputError: too little text for a batch.
    """
    import transformers

    tokenizer = _tokenizer(texts, recipe.vocabulary)
    blocks = _blocks(tokenizer, texts, recipe.length)
    held = blocks[::HELD_OUT][:MOST]
    read = np.delete(blocks, np.s_[: len(held) * HELD_OUT : HELD_OUT], axis=0)
    generator = np.random.Generator(np.random.Philox(recipe.seed))
    for block in read:
        copy_spans(block, recipe.copied, generator)
    if len(read) < recipe.batch:
        raise InputError(
            "too little text",
            where="the sources",
            got=f"{len(read)} blocks of {recipe.length} tokens",
            needed=f"at least {recipe.batch}",
            fix="name more texts, or lower --batch or --length",
        )
    transformers.set_seed(recipe.seed)
    model: Any = transformers.LlamaForCausalLM(_config(recipe, len(tokenizer), tokenizer))
    with tempfile.TemporaryDirectory() as scratch:
        trainer: Any = transformers.Trainer(
            model=model,
            args=_arguments(recipe, scratch),
            train_dataset=_rows(read),
            eval_dataset=_rows(held),
        )
        trainer.train()
        found = trainer.evaluate()
    result = about | {
        "recipe": vars(recipe),
        "parameters": sum(value.numel() for value in model.parameters()),
        "tokens": {"read": int(read.size), "held_out": int(held.size)},
        "held_out_loss": found["eval_loss"],
        "curve": [
            {name: line[name] for name in ("step", "loss", "eval_loss") if name in line}
            for line in trainer.state.log_history
            if "loss" in line or "eval_loss" in line
        ],
        **provenance(),
        "machine": machine(model.device),
    }
    with whole(out) as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        write_json(folder / CURVE, result)
    return result


def _tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
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


def _blocks(tokenizer: Any, texts: Sequence[str], length: int) -> np.ndarray[Any, np.dtype[np.int32]]:
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


def copy_spans(
    block: np.ndarray[Any, np.dtype[np.int32]], share: float, generator: np.random.Generator
) -> None:
    """Overwrites spans of a block (L,) by what stands somewhere before them, in place.

    Args:
        block: token numbers.
        share: of its tokens that are overwritten, about.
        generator: of lengths and places.
    """
    done, longest = 0, max(1, len(block) // 4)
    while done < share * len(block):
        span = int(longest ** generator.random())  # each order of size as often
        to = int(generator.integers(span, len(block) - span + 1))
        source = int(generator.integers(0, to - span + 1))
        block[to : to + span] = block[source : source + span]
        done += span


def _rows(blocks: np.ndarray[Any, np.dtype[np.int32]]) -> list[dict[str, Any]]:
    return [{"input_ids": row, "labels": row} for row in torch.from_numpy(blocks.astype(np.int64))]


def _config(recipe: Recipe, vocabulary: int, tokenizer: Any) -> Any:
    import transformers

    return transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=recipe.width,
        intermediate_size=3 * recipe.width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _arguments(recipe: Recipe, scratch: str) -> Any:
    import transformers

    return transformers.TrainingArguments(
        output_dir=scratch,
        max_steps=recipe.steps,
        per_device_train_batch_size=recipe.batch,
        per_device_eval_batch_size=recipe.batch,
        learning_rate=recipe.lr,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, recipe.steps // 20),
        weight_decay=0.1,
        adam_beta2=0.95,
        bf16=torch.cuda.is_available(),
        logging_steps=max(1, recipe.steps // 30),
        eval_strategy="steps",
        eval_steps=max(1, recipe.steps // 5),
        save_strategy="no",
        report_to=[],
        seed=recipe.seed,
        data_seed=recipe.seed,
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def main(arguments: Sequence[str]) -> int:
    """The command; exit codes as those of `fewshot`."""
    given = _parser().parse_args(list(arguments))
    try:
        sizes = {name: getattr(given, name) for name in vars(Recipe())}
        recipe, out = Recipe(**sizes), Path(given.out)
        check_free(out)
        columns = Columns(text=given.text, label=None)
        pools = [Pool.load(each, columns) for each in given.sources]
        sources = [{"source": pool.origin.pinned, "sha256": pool.origin.sha256} for pool in pools]
        texts = [text for pool in pools for text in pool.texts()]
        result = pretrain(texts, recipe, out, {"sources": sources, "texts": len(texts)})
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    loss = result["held_out_loss"]
    print(f"{result['parameters']:,} parameters, loss on held-out text {loss:.3f} nats a token")
    print(f"written to {out}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.causal.pretrain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sources", nargs="+", help="files, folders, names inside FEWSHOT_DATA, hub ids")
    parser.add_argument("--out", required=True, help="the folder to write")
    parser.add_argument("--text", default="text", help="the column with the text")
    for name, value in vars(Recipe()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value, help=f"{value} by default")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
