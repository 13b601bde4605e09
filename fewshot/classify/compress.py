"""The command `fewshot compress`: an adapter of fewer bytes, by rank and by bits."""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from rich.console import Console

from fewshot.errors import InputError
from fewshot.files import whole, write_json, write_text
from fewshot.models.adapter_files import (
    EIGHT_BITS,
    WEIGHTS,
    Kept,
    lower_rank,
    read_adapter,
    read_config,
    write_adapter,
    write_config,
)
from fewshot.run import check_free
from fewshot.untrusted.paths import stays
from fewshot.untrusted.values import read_json
from fewshot.untrusted.yaml_files import read_yaml

COMPRESS = """Write a run or an adapted task with an adapter of fewer bytes.

A lower rank keeps the largest singular values of every product; bfloat16 halves the bytes, and both stay an
adapter that PEFT loads. int8 quarters them, and is read here alone."""
RUN_FILES = (
    "config.yaml",
    "meta.safetensors",
    "run.json",
    "data.json",
)  # its figures are of the whole adapter
TASK_FILES = ("task.json", "head.safetensors", "support.jsonl")


def compress(arguments: Sequence[str]) -> int:
    """`fewshot compress`."""
    parser = argparse.ArgumentParser(
        prog="fewshot compress",
        description=COMPRESS,
        epilog="example: fewshot compress runs/demo --rank 4 --dtype bfloat16 --out runs/demo-small",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dir", type=Path, help="a run, or what `fewshot adapt` wrote")
    parser.add_argument("--rank", type=int, help="of the smaller adapter; by default the rank that is there")
    parser.add_argument("--dtype", choices=get_args(Kept), default="float32", help="of its numbers")
    parser.add_argument("--out", type=Path, required=True, help="the directory to write")
    given = parser.parse_args(list(arguments))
    check_free(given.out)
    before, after = compressed(given.dir, given.out, given.rank, given.dtype)
    console = Console(highlight=False)
    console.print(f"{before:,} bytes of adapter before, {after:,} after")
    console.print(f"written to {given.out}", soft_wrap=True, markup=False)
    return 0


def compressed(source: Path, out: Path, rank: int | None, kept: Kept) -> tuple[int, int]:
    """Writes a smaller copy of a run or of an adapted task, whole or not at all.

    Args:
        source: its directory.
        out: the directory to write.
        rank: of the smaller adapter; None for the one that is there.
        kept: the type of its numbers.

    Returns:
        The bytes of the weights before and after.

    Raises:
        InputError: neither a run nor a task, a rank that is not there.
    """
    is_task = (source / "task.json").is_file()
    if not is_task and not (source / "meta.safetensors").is_file():
        raise InputError(
            "this is neither a finished run nor an adapted task",
            where=source,
            needed="what `fewshot train --out` or `fewshot adapt --out` writes",
        )
    adapter = source if is_task else source / "adapter"
    config, values = read_config(adapter), read_adapter(adapter)
    if rank is not None:
        # the product is scaled by alpha / rank; what whole numbers cannot keep of that goes into the matrices
        alpha = max(1, round(config["lora_alpha"] * rank / config["r"]))
        factor = config["lora_alpha"] / config["r"] * rank / alpha
        values = {n: v * factor if ".lora_B." in n else v for n, v in lower_rank(values, rank).items()}
        config |= {"lora_alpha": alpha, "r": rank}
    with whole(out) as folder:
        own = folder if is_task else folder / "adapter"
        own.mkdir(parents=True)
        for name in TASK_FILES if is_task else RUN_FILES:
            if (source / name).is_file():
                shutil.copy(stays(source, source / name, source), folder)
        write_config(own, config)
        write_adapter(own, values, kept)
        if rank is not None:
            _settle(folder, config["r"], config["lora_alpha"])
        after = _bytes(own)
    return _bytes(adapter), after


def _settle(folder: Path, rank: int, alpha: int) -> None:
    """Writes the new rank where the model is described."""
    task, run = folder / "task.json", folder / "config.yaml"
    if task.is_file():
        write_json(task, _ranked(read_json(task), rank, alpha))
    else:
        content = _ranked(read_yaml(run), rank, alpha)
        write_text(run, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _ranked(content: dict[str, Any], rank: int, alpha: int) -> dict[str, Any]:
    lora = content["model"].setdefault("init_args", {}).setdefault("lora", {})
    lora |= {"rank": rank, "alpha": alpha}
    return content


def _bytes(folder: Path) -> int:
    """Of the weights, whichever file they are in."""
    files = [folder / name for name in (WEIGHTS, EIGHT_BITS)]
    return sum(path.stat().st_size for path in files if path.is_file())
