"""Pretrains a small Llama-shaped language model on texts, with a byte-level BPE of its own.

For machines without a hub: minutes on two cores give a model of some million parameters that knows the words
and forms of its texts. The folder that is written is a backbone for --model LoraCausal or LoraEncoder.

BPE: Sennrich, Haddow, Birch: Neural Machine Translation of Rare Words with Subword Units, ACL 2016,
https://arxiv.org/abs/1508.07909; on bytes: Radford et al.: Language Models are Unsupervised Multitask
Learners, 2019. The shape: Touvron et al.: LLaMA, 2023, https://arxiv.org/abs/2302.13971.
Large models learn from much text to copy what stands before, by induction heads (Olsson et al.: In-context
Learning and Induction Heads, 2022, https://arxiv.org/abs/2209.11895); a small one does from little, where it
goes on with short blocks in which spans of the texts stand several times (--start, --repeated).
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.causal.blocks import blocks_of, byte_level_bpe, changed
from benchmarks.causal.recipe import CURVE, Recipe, about_model
from benchmarks.machine import machine, provenance
from fewshot.data.find import Columns
from fewshot.data.pool import Pool
from fewshot.errors import FewshotError, InputError
from fewshot.files import whole, write_json
from fewshot.models.compute import Compute
from fewshot.run import check_free

HELD_OUT, MOST = 50, 256  # one in so many blocks, and no more, tells the loss on what was not read


def pretrain(
    texts: Sequence[str], recipe: Recipe, out: Path, about: dict[str, Any], start: Path | None = None
) -> dict[str, Any]:
    """Trains tokenizer and model, and writes both with the curve of the losses.

    Args:
        texts: what is read, each from its begin to its end.
        recipe: sizes and steps.
        out: the folder; whole or not at all.
        about: what the curve's file says beside.
        start: a folder that was written so, whose model and tokenizer go on; then vocabulary, width, layers
            and heads of the recipe are not looked at.

    Returns:
        What the file says.

    Raises:
        InputError: too little text for a batch, a folder to go on from that is no such model.
    """
    import transformers

    transformers.set_seed(recipe.seed)
    model, tokenizer = _continued(start) if start else _new(texts, recipe)
    blocks = blocks_of(tokenizer, texts, recipe.length)
    held = blocks[::HELD_OUT][:MOST]
    read = np.delete(blocks, np.s_[: len(held) * HELD_OUT : HELD_OUT], axis=0)
    generator = np.random.Generator(np.random.Philox(recipe.seed))
    for number in np.flatnonzero(generator.random(len(read)) < recipe.repeated):
        read[number] = changed(read[number], generator, recipe, len(tokenizer))
    if len(read) < recipe.batch:
        raise InputError(
            "too little text",
            where="the sources",
            got=f"{len(read)} blocks of {recipe.length} tokens",
            needed=f"at least {recipe.batch}",
            fix="name more texts, or lower --batch or --length",
        )
    with tempfile.TemporaryDirectory() as scratch:
        trainer: Any = transformers.Trainer(
            model=model,
            args=_arguments(recipe, scratch),
            train_dataset=_rows(read),
            eval_dataset=_rows(held),
        )
        trained = trainer.train()
        found = trainer.evaluate()
    result = about | {
        "recipe": vars(recipe),
        "parameters": sum(value.numel() for value in model.parameters()),
        "tokens": {"read": int(read.size), "held_out": int(held.size)},
        "held_out_loss": found["eval_loss"],
        "seconds": trained.metrics["train_runtime"],
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


def _new(texts: Sequence[str], recipe: Recipe) -> tuple[Any, Any]:
    """A model with random weights, and its tokenizer."""
    import transformers

    tokenizer = byte_level_bpe(texts, recipe.vocabulary)
    return transformers.LlamaForCausalLM(_config(recipe, len(tokenizer), tokenizer)), tokenizer


def _continued(start: Path) -> tuple[Any, Any]:
    """The model and the tokenizer of a folder that was written here.

    Raises:
        InputError: no such folder.
    """
    import transformers

    if not (start / CURVE).is_file():
        raise InputError(
            "there is no model to go on from",
            where="--start",
            got=str(start),
            needed="a folder that this command wrote",
        )
    model: Any = transformers.LlamaForCausalLM
    return model.from_pretrained(start), transformers.AutoTokenizer.from_pretrained(start)


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

    device = Compute().chosen_device()
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
        use_cpu=device.type == "cpu",
        bf16=Compute().chosen_dtype() == torch.bfloat16,
        torch_compile=recipe.compile,
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
    try:
        run(arguments)
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def recipe_of(arguments: Sequence[str]) -> Recipe:
    """The recipe that such a command asks for.

    Raises:
        InputError: see `Recipe`.
    """
    given = _parser().parse_args(list(arguments))
    return Recipe(**{name: getattr(given, name) for name in vars(Recipe())})


def run(arguments: Sequence[str]) -> None:
    """What the command does.

    Raises:
        InputError: see `Recipe` and `pretrain`; a folder that is there, a source that cannot be read.
    """
    given, recipe = _parser().parse_args(list(arguments)), recipe_of(arguments)
    out = Path(given.out)
    check_free(out)
    columns = Columns(text=given.text, label=None)
    pools = [Pool.load(each, columns) for each in given.sources]
    sources = [{"source": pool.origin.pinned, "sha256": pool.origin.sha256} for pool in pools]
    texts = [text for pool in pools for text in pool.texts()]
    start = Path(given.start) if given.start else None
    before = {"start": about_model(start)} if start else {}
    result = pretrain(texts, recipe, out, {"sources": sources, "texts": len(texts)} | before, start)
    loss = result["held_out_loss"]
    print(f"{result['parameters']:,} parameters, loss on held-out text {loss:.3f} nats a token")
    print(f"written to {out}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.causal.pretrain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sources", nargs="+", help="files, folders, names inside FEWSHOT_DATA, hub ids")
    parser.add_argument("--out", required=True, help="the folder to write")
    start = "a folder that this command wrote: go on from its model; its sizes and vocabulary stay"
    parser.add_argument("--start", help=start)
    parser.add_argument("--text", default="text", help="the column with the text")
    for name, value in vars(Recipe()).items():
        if isinstance(value, bool):
            about = "by torch.compile: faster, after a minute"
            parser.add_argument(f"--{name}", action="store_true", help=about)
        else:
            parser.add_argument(f"--{name}", type=type(value), default=value, help=f"{value} by default")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
