"""Trains the adapter that comes with the package, by the recipe of the intent tables.

BANKING77, HWU64 and CLINC150 together: the training classes of the first published fold of each, and in three
of four episodes clusters of all its texts without labels, as in the published methods. Validation chooses the
step on the validation classes of BANKING77. Data sets are looked for in FEWSHOT_DATA.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.tables.training import RECIPE, cluster_counts, clustered, merged
from fewshot.cli import main as fewshot
from fewshot.data.split import ClassSplit
from fewshot.errors import FewshotError
from fewshot.files import write_text
from fewshot.tasks.nway import NWayKShot

SETS = ("banking77", "hwu64", "clinic150")
FOLD = "01"


def main(arguments: Sequence[str]) -> int:
    """Writes the texts, the clusters and the run; exit codes as those of `fewshot`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ready", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/ready"), help="the run directory to write")
    parser.add_argument("--steps", type=int, default=300, help="outer steps")
    given = parser.parse_args(list(arguments))
    try:
        made = {name: _made(name, given.out.with_name(f"{given.out.name}-data")) for name in SETS}
        config = given.out.with_name(f"{given.out.name}.yaml")
        write_text(config, yaml.safe_dump(_config(made, given.steps), sort_keys=False))
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return fewshot(["train", "--config", str(config), "--out", str(given.out)])


def _made(name: str, folder: Path) -> list[str]:
    """The training classes of a data set, and clusters of all its texts.

    Returns:
        The file with labels, then the folders of clusters.

    Raises:
        FewshotError: the texts could not be clustered.
    """
    split = ClassSplit(fold=FOLD)
    (pool,) = NWayKShot(name, 2, 1, 1, split=split).split("train").pools()
    file = folder / f"{name}.jsonl"
    examples = [example for label in pool.classes for example in pool.all_of(label)]
    rows = [{"text": example.text, "label": example.label} for example in examples]
    write_text(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return [str(file), *(str(clustered(name, count, folder)) for count in cluster_counts(name, split))]


def _config(made: dict[str, list[str]], steps: int) -> dict[str, Any]:
    """The recipe on all data sets; the first is the family's own source, whose classes validate and test."""
    recipe = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    own, *others = SETS
    further = {
        "sources": [made[name][0] for name in others],
        "share": 1 / len(SETS),
        "unlabelled": [folder for name in SETS for folder in made[name][1:]],
    }
    return merged(
        recipe,
        {
            "family": {
                "init_args": {"source": own, "split": {"fold": FOLD}, "meta_training": further},
            },
            "training": {"steps": steps},
        },
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
