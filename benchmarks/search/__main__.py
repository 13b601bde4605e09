"""A search that is kept: `python -m benchmarks.search DIR -- OPTIONS` runs `fewshot search OPTIONS`.

DIR (such as `benchmarks/results/search-banking77`) then holds what the search wrote but for its runs:
`search.json`, with command, minutes, machine and commit, `trials.csv`, `best.yaml`, `default.yaml`, `plots/`.
Run again, it goes on where it was stopped.
"""

import argparse
import json
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.machine import machine, provenance
from fewshot.cli import main as fewshot
from fewshot.files import write_json

KEPT = ("trials.csv", "best.yaml", "default.yaml")
CLOCK = "benchmark.json"  # beside the search, since it may be stopped: minutes and commit so far


def main(arguments: Sequence[str]) -> int:
    """Runs the search and keeps what it found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("options", nargs=argparse.REMAINDER, help="of fewshot search, after --")
    given = parser.parse_args(list(arguments))
    words = ["search", *(word for word in given.options if word != "--")]
    out = _out(words, parser)
    started = time.monotonic()
    code = fewshot(words)
    spent = _spent(out, time.monotonic() - started)
    if code == 0:
        _keep(out, given.folder, words, spent)
    return code


def _out(words: Sequence[str], parser: argparse.ArgumentParser) -> Path:
    """The folder of the search."""
    asked = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    asked.add_argument("--out", type=Path)
    out = asked.parse_known_args(list(words))[0].out
    if out is None:
        parser.error("--out is missing among the options of fewshot search")
    return Path(out)


def _spent(out: Path, seconds: float) -> float:
    """The seconds of this and of earlier runs of the same search."""
    file = out / CLOCK
    before = json.loads(file.read_text(encoding="utf-8"))["seconds"] if file.is_file() else 0.0
    if out.is_dir():
        write_json(file, {"seconds": before + seconds})
    return float(before + seconds)


def _keep(out: Path, folder: Path, words: Sequence[str], seconds: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        if (out / name).exists():  # a default that fails has no configuration, few trials have no plots
            shutil.copyfile(out / name, folder / name)
    if (out / "plots").exists():
        shutil.copytree(out / "plots", folder / "plots", dirs_exist_ok=True)
    content = json.loads((out / "search.json").read_text(encoding="utf-8"))
    about = {"command": shlex.join(["fewshot", *words]), "minutes": seconds / 60}
    write_json(
        folder / "search.json", content | about | {"machine": machine(torch.device("cpu"))} | provenance()
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
