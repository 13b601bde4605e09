"""Kills trainings at random, goes on with each, and counts those that end as if they had not been killed.

    python -m benchmarks.faults --kills 100 [--seed 0] [--out FILE]

By SIGKILL, a third each: at any moment, before a file of the run directory is touched, and when a part of a
file or of a line of the log is written. Each training is killed up to four times before it may end; the
weights, the log, the answers, the summary and the last state are compared byte for byte with those of a run
that was not killed, but for times. The backbone has three narrow layers with random weights; but for the
recipe whose texts come again, which is on MiniLM, since the last bits of its products depend on the batch.
"""

import argparse
import json
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
from fewshot.tasks.attributes import Attributes

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
AGAIN = "texts that come again"
# one or two short texts at a time are new, then products depend on which they are
FEW = (
    *("--family.way=2", "--family.queries=1", "--training.meta_batch=1", "--training.lr=0.001"),
    *("--training.steps=24", "--training.save=3", "--validation.every=9"),
)


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
    words = {name: [*begin, *options] for name, options in RECIPES.items()} | {AGAIN: again(scratch)}
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


def again(scratch: Path) -> list[str]:
    """The command of a training on few texts, each of them in many episodes."""
    generator = np.random.Generator(np.random.Philox(0))
    family = Attributes(way=4, shot=3, queries=3, mentions=2).split("train")
    drawn = [family.episode(number, generator) for number in range(4)]
    rows = {e.text: f"{n} {e.label}" for n, each in enumerate(drawn) for e in each.support + each.query}
    lines = [json.dumps({"text": text, "label": label}) for text, label in rows.items()]
    (scratch / "texts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = [word for word in SETTINGS if not word.startswith("--family.mentions")]
    data = [f"--family.source={scratch / 'texts.jsonl'}", "--family.split.fractions=[0.4, 0.3, 0.3]"]
    return ["train", *settings, "--family=NWayKShot", *data, *FEW]


def _one(
    number: int, kills: int, seed: int, words: dict[str, list[str]], targets: dict[str, Whole], scratch: Path
) -> Chain:
    name = list(words)[number % len(words)]
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
