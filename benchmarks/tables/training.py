"""The trainings that cells share: a run directory each, made once."""

import copy
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from benchmarks.tables.cell import Cell, Corpus
from benchmarks.tables.methods import EVERY
from fewshot.checkpoint import load_meta
from fewshot.cli import main as fewshot
from fewshot.config import Parts, build, parse_values
from fewshot.data.find import Columns
from fewshot.data.pool import Pool
from fewshot.data.split import ClassSplit
from fewshot.errors import FewshotError
from fewshot.files import write_json
from fewshot.tasks.nway import NWayKShot
from fewshot.training import Trainer

RECIPE = Path(__file__).parents[1] / "configs" / "few-shot.yaml"
FINER = (1.3, 4)  # pseudo-classes to a class: one that joins two of them would teach to confuse them
LEAST = 5  # texts that a pseudo-class should have at least, on average
COST = "cost.json"  # of a training, beside its run; the last that is written


@dataclass(frozen=True)
class Effort:
    """How much is spent.

    Args:
        quick: said in every result; a quick result enters no table.
        episodes: of the test side.
        steps: outer steps; None for those of the recipe.
    """

    quick: bool
    episodes: int
    steps: int | None = None


def merged(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with some of its values changed; another class brings all its arguments."""
    found = dict(config)
    for name, value in changes.items():
        inner = found.get(name)
        deeper = isinstance(value, Mapping) and isinstance(inner, Mapping) and "class_path" not in value
        found[name] = merged(inner, value) if deeper else value  # type: ignore[arg-type]
    return found


class Trainings:
    """Run directories below one folder.

    Args:
        folder: where they lie.
        effort: how much is spent on each.
        keep: leave those that are there as they are; else each is made anew, once.
    """

    def __init__(self, folder: Path, effort: Effort, keep: bool) -> None:
        self._folder, self._effort, self._keep = folder, effort, keep
        self._made: set[Path] = set()

    def parts(self, cell: Cell) -> tuple[Parts, dict[str, Any]]:
        """The parts with the meta-parameters of a cell's training, and what that cost; trains if need be."""
        method = EVERY[cell.method]
        taken = method.of or cell.method
        config = self._config(replace(cell, method=taken))
        out = self._folder / f"{cell.corpus.name}-{taken}-{cell.seed}"
        if not self._is_there(out):
            self._train(config, out)
        self._made.add(out)
        config = merged(config, method.config) if method.of else config
        parts = build(*parse_values(config | {"family": dict(cell.family)}))
        parts.algorithm.prepare(parts.model)
        load_meta(out, parts.model, parts.algorithm)
        cost: dict[str, Any] = json.loads((out / COST).read_text(encoding="utf-8"))
        return parts, cost

    def _is_there(self, out: Path) -> bool:
        return (out / COST).is_file() and (self._keep or out in self._made)

    def _train(self, config: Mapping[str, Any], out: Path) -> None:
        shutil.rmtree(out, ignore_errors=True)
        parser, parsed = parse_values(config)
        parts = build(parser, parsed)
        text = yaml.safe_dump(dict(config), sort_keys=False)
        trainer = Trainer(**vars(parts), out=out, config=lambda: text, title=out.name)
        kept = trainer.train()
        lines = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        cost = {
            "seconds": sum(line.get("seconds", 0.0) for line in lines),
            "outer_steps": parts.training.steps,
            "kept_step": kept.step if kept else None,
            "validation_accuracy": kept.accuracy if kept else None,
        }
        write_json(out / COST, cost)

    def _config(self, cell: Cell) -> dict[str, Any]:
        """The recipe on the cell's corpus, with what its method changes."""
        method, recipe = EVERY[cell.method], yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
        corpus, family = cell.corpus, copy.deepcopy(dict(cell.corpus.family))
        arguments = family["init_args"]
        if family["class_path"] == "NWayKShot":
            arguments["meta_training"] = recipe["family"]["init_args"]["meta_training"] | {
                **method.meta_training,
                "sources": list(corpus.further) if method.further or not corpus.texts else [],
                "unlabelled": self._clusters(corpus) if method.unlabelled and corpus.texts else [],
            }
        config: dict[str, Any] = recipe | {"family": family}
        config = merged(config, method.config)
        steps = {"steps": self._effort.steps} if self._effort.steps else {}
        config["training"] = config["training"] | dict(corpus.training) | {"seed": cell.seed} | steps
        config["model"]["init_args"]["lora"]["seed"] = cell.seed
        return config

    def _clusters(self, corpus: Corpus) -> list[str]:
        """The folders of pseudo-classes made from all texts of a data set.

        Raises:
            FewshotError: they could not be made.
        """
        split = ClassSplit(**corpus.family["init_args"]["split"])
        counts = cluster_counts(corpus.texts, split)
        return [str(clustered(corpus.texts, count, self._folder / "clusters")) for count in counts]


def cluster_counts(source: str, split: ClassSplit) -> list[int]:
    """How many pseudo-classes all texts of a data set are made into.

    Some more than it would have classes if all were as large as those of its training side, and four times as
    many; to one digit, so that folds share them.
    """
    texts = len(Pool.load(source, Columns(label=None)))
    (known,) = NWayKShot(source, 2, 1, 1, split=split).split("train").pools()
    classes = texts * len(known.classes) / len(known)
    return sorted({min(int(float(f"{finer * classes:.0e}")), texts // LEAST) for finer in FINER})


def clustered(source: str, count: int, folder: Path) -> Path:
    """The folder of so many pseudo-classes, which is made where it is not there.

    Raises:
        FewshotError: they could not be made.
    """
    out = folder / f"{Path(source).stem}-{count}"
    if not out.is_dir() and fewshot(["cluster", source, "--clusters", str(count), "--out", str(out)]):
        raise FewshotError("the texts could not be clustered", where=source)
    return out
