"""Kills trainings at random, goes on with each, and counts those that end as if they had not been killed.

    python -m benchmarks.faults --kills 100 [--seed 0] [--out FILE]

By SIGKILL, a third each: at any moment, before a file of the run directory is touched, and when a part of a
file or of a line of the log is written. Each training is killed up to four times before it may end; the
weights, the log, the answers, the summary and the last state are compared byte for byte with those of a run
that was not killed, but for times. The backbone has three narrow layers with random weights.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.faults.chain import MOMENTS, Chain, Whole, killed, whole
from benchmarks.machine import machine, provenance
from benchmarks.tiny import TINY_RUN, save_tiny
from fewshot.errors import FewshotError, require_at_least
from fewshot.files import write_json
from fewshot.progress import Progress

RESULT = Path(__file__).parents[1] / "results" / "faults.json"
CHAIN = 4  # kills of a training
SETTINGS = [*TINY_RUN, "--training.steps=30", "--training.save=4", "--validation.every=6"]
RECIPES = {
    "MAMLAdam": (),
    "second order": ("--algorithm=MAML", "--algorithm.order=2"),
    "ProtoNet, averaged": ("--algorithm=ProtoNet", "--training.average=0.5", "--training.schedule=linear"),
    "early stopping": ("--validation.patience=1", "--training.lr=0"),
    "multi-task start": ("--training.multitask_steps=4",),
}


def tally(kills: int, seed: int, workers: int, scratch: Path) -> dict[str, Any]:
    """Kills that many times.

    Args:
        kills: in all.
        seed: of where.
        workers: trainings beside one another.
        scratch: where runs are written.

    Raises:
        FewshotError: a run fails that is not killed.
    """
    save_tiny(scratch / "tiny")
    begin = ["train", *SETTINGS, "--model.backbone", str(scratch / "tiny")]
    words = {name: [*begin, *options] for name, options in RECIPES.items()}
    targets = {
        name: whole(each, scratch / f"whole-{number}") for number, (name, each) in enumerate(words.items())
    }
    chains: list[Chain] = []
    with Progress("kills", kills) as progress, ThreadPoolExecutor(workers) as pool:
        while (done := sum(len(chain.kills) for chain in chains)) < kills:
            first, left = len(chains), kills - done
            sizes = [min(CHAIN, left - CHAIN * n) for n in range(min(workers, -(-left // CHAIN)))]
            made = [
                pool.submit(_one, first + n, size, seed, words, targets, scratch)
                for n, size in enumerate(sizes)
            ]
            for each in made:
                chains.append(each.result())
                progress.advance(len(chains[-1].kills), chains[-1].recipe)
    return _counted(chains)


def _one(
    number: int, kills: int, seed: int, words: dict[str, list[str]], targets: dict[str, Whole], scratch: Path
) -> Chain:
    name = list(RECIPES)[number % len(RECIPES)]
    generator = np.random.Generator(np.random.Philox([seed, number]))
    return killed(name, words[name], scratch / f"run-{number}", targets[name], kills, generator)


def _counted(chains: Sequence[Chain]) -> dict[str, Any]:
    every = [(kill.split()[0], not chain.wrong) for chain in chains for kill in chain.kills]
    by = Counter(place for place, _ in every)
    same = Counter(place for place, right in every if right)
    return {
        "kills": len(every),
        "identical": sum(right for _, right in every),
        "by_place": {place: {"kills": by[place], "identical": same[place]} for place in MOMENTS},
        "trainings": [vars(chain) for chain in chains],
    }


def main(arguments: Sequence[str]) -> int:
    """Kills, prints the tally, writes it; 1 where a run did not end as it should."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="trainings beside one another"
    )
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args(list(arguments))
    try:
        require_at_least("benchmarks.faults", given, kills=1, workers=1)
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        with tempfile.TemporaryDirectory() as scratch:
            found = tally(given.kills, given.seed, given.workers, Path(scratch))
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    about = {"schema": 1, "seed": given.seed, "recipes": {n: list(o) for n, o in RECIPES.items()}}
    write_json(given.out, about | found | provenance() | {"machine": machine(torch.device("cpu"))})
    for place, count in found["by_place"].items():
        print(f"{place}: {count['identical']} of {count['kills']} kills went on to the same bytes")
    for chain in found["trainings"]:
        if chain["wrong"]:
            print(f"{chain['recipe']}, {'; '.join(chain['kills'])}: {chain['wrong']}", file=sys.stderr)
    print(f"all: {found['identical']} of {found['kills']}")
    return int(found["identical"] != found["kills"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
