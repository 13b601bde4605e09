"""What smaller adapters and backbones cost: bytes, seconds and accuracy of a run on the same test tasks.

    python -m benchmarks.compression [--run RUN] [--out FILE]

Adapters of lower rank and of fewer bits, the backbone with the adapter merged into it, and both with weights
of 8 bits. The tasks are the 5-way tasks of `python -m benchmarks.versus` with one example a class.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks.machine import machine, provenance
from benchmarks.readme import into_readme
from benchmarks.versus.cell import PROBLEMS
from fewshot.algorithms.algorithm import Algorithm
from fewshot.algorithms.prototypes import ProtoNet
from fewshot.classify.compress import compressed
from fewshot.classify.learned import FOLDER
from fewshot.config import build_learning, read_config
from fewshot.errors import FewshotError, InputError
from fewshot.evaluation import Evaluation, scored
from fewshot.files import write_json
from fewshot.loading import load_learning
from fewshot.metrics.intervals import mean_interval
from fewshot.models.backbone import find_backbone
from fewshot.models.batch import Rows
from fewshot.models.learner import Learner
from fewshot.models.lora_learner import LoraLearner
from fewshot.models.stack import Stack
from fewshot.progress import Progress

RESULT = Path(__file__).parent / "results" / "compression-cpu.json"
README = Path(__file__).parents[1] / "README.md"
TEXTS, ROUNDS = 64, 5
SMALLER: dict[str, tuple[int | None, Any]] = {
    "float32": (None, "float32"),
    "bfloat16": (None, "bfloat16"),
    "int8": (None, "int8"),
    "rank 4, bfloat16": (4, "bfloat16"),
    "rank 2, bfloat16": (2, "bfloat16"),
    "rank 1, bfloat16": (1, "bfloat16"),
}


class WithoutAdapter(ProtoNet):
    """The method of the run on a backbone that has its adapter merged into it."""

    def body(self, learner: Learner, tasks: int) -> Stack:
        """None: it is in the weights."""
        return Stack({})


@dataclass(frozen=True)
class Variant:
    """A row of the table.

    Args:
        about: what it is.
        adapter: bytes of the adapter on disk.
        backbone: bytes of the backbone's weights in memory.
        model: the learner.
        algorithm: how it learns a task.
    """

    about: str
    adapter: int
    backbone: int
    model: Learner
    algorithm: Algorithm


def variants(run: Path, scratch: Path) -> Iterator[Callable[[], Variant]]:
    """All rows, each made when it is its turn."""
    for name, (rank, kept) in SMALLER.items():
        yield partial(_smaller, run, scratch / name, name, rank, kept)
    yield partial(_quantised, scratch / "bfloat16", "int8")
    if torch.cuda.is_available():
        yield partial(_quantised, scratch / "bfloat16", "4bit")
    for quantised in ("none", "int8"):
        yield partial(_merged, run, scratch / "merged", quantised)


def _smaller(run: Path, folder: Path, name: str, rank: int | None, kept: Any) -> Variant:
    _, size = compressed(run, folder, rank, kept)
    return _variant(f"adapter in {name}", size, *load_learning(folder))


def _quantised(folder: Path, quantised: str) -> Variant:
    """The small adapter on a backbone in few bits."""
    config = folder / "config.yaml"
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    few = {"quantised": quantised, "products": "auto", "emulate": False}
    content["model"]["init_args"]["compute"] |= few
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    size = (folder / "adapter" / "adapter_model.safetensors").stat().st_size
    return _variant(f"adapter in bfloat16, backbone in {quantised}", size, *load_learning(folder))


def _merged(run: Path, folder: Path, quantised: str) -> Variant:
    """The backbone with the adapter in its weights; nothing beside it is computed."""
    import transformers

    model, _ = load_learning(run)
    scale = model.head.log_scale.detach()
    assert isinstance(model, LoraLearner)
    config = read_config(run / "config.yaml")
    arguments = config["model"]["init_args"]
    if not folder.is_dir():
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            find_backbone(arguments.get("backbone", "minilm"))
        )
        merged: Any = model.peft.merge_and_unload()
        merged.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    arguments["backbone"] = str(folder)
    arguments["compute"] |= {"quantised": quantised, "products": "auto", "emulate": False}
    whole, method = build_learning(config, run / "config.yaml")
    with torch.no_grad():
        whole.head.log_scale.copy_(scale)
    assert isinstance(method, ProtoNet)
    without = WithoutAdapter(method.metric, method.both_ways, method.then, method.strength, method.steps)
    bits = "" if quantised == "none" else ", in int8"
    return _variant(f"adapter merged into the backbone{bits}", 0, whole, without)


def _variant(about: str, adapter: int, model: Learner, algorithm: Algorithm) -> Variant:
    assert isinstance(model, LoraLearner)
    names = set(model.adapter())
    own = (v for n, v in model.peft.named_parameters() if "lora_" not in n and n not in names)
    return Variant(about, adapter, sum(_bytes(value) for value in own), model, algorithm)


def _bytes(value: torch.Tensor) -> int:
    """Of a tensor in memory; of 8 bits also the factors."""
    parts = [getattr(value, name) for name in ("qdata", "scale") if hasattr(value, name)]
    return sum(part.numel() * part.element_size() for part in parts or [value])


def measured(variant: Variant, tasks: int) -> dict[str, Any]:
    """Bytes, seconds of 64 texts, accuracies of the tasks."""
    variant.algorithm.prepare(variant.model)
    drawn = [
        episode
        for name, problem in PROBLEMS.items()
        if problem.way and problem.shot == 1
        for episode in PROBLEMS[name].tasks(tasks)
    ]
    with Progress(variant.about, len(drawn)) as progress:
        settings = Evaluation(episodes=len(drawn), curve=False)
        results = scored(variant.model, variant.algorithm, drawn, settings, progress)
    texts = [example.text for episode in drawn for example in episode.query][:TEXTS]
    return {
        "about": variant.about,
        "adapter_bytes": variant.adapter,
        "backbone_bytes": variant.backbone,
        "seconds": _seconds(variant, texts),
        "accuracies": [result.after.accuracy for result in results],
    }


def _seconds(variant: Variant, texts: Sequence[str]) -> float:
    """Of one batch through the model; the median of some, after one that is not counted."""
    method: Any = variant.algorithm
    found = []
    with torch.no_grad():
        for _ in range(1 + ROUNDS):
            batch = variant.model.place(variant.model.batch(Rows.of(texts)))
            started = time.perf_counter()
            variant.model.features(method.body(variant.model, 1), batch)
            found.append(time.perf_counter() - started)
    return sorted(found[1:])[ROUNDS // 2]


def markdown(result: dict[str, Any]) -> str:
    """The table, with differences to the first row on the same tasks."""
    first, lines = result["rows"][0], [
        "| | adapter, bytes | backbone, bytes | 64 texts, s | accuracy | against the first |",
        "| --- | --: | --: | --: | --: | --: |",
    ]  # fmt: skip
    for row in result["rows"]:
        pairs = zip(row["accuracies"], first["accuracies"], strict=True)
        mean, _, low, high = mean_interval([one - two for one, two in pairs])
        accuracy = sum(row["accuracies"]) / len(row["accuracies"])
        against = "" if row is first else f"{100 * mean:+.2f} ± {50 * (high - low):.2f}"
        sizes = f"{row['adapter_bytes']:,} | {row['backbone_bytes']:,}"
        lines.append(
            f"| {row['about']} | {sizes} | {row['seconds']:.2f} | {100 * accuracy:.2f} | {against} |"
        )
    where = result["machine"]
    return "\n".join(lines) + (
        f"\n\n{len(first['accuracies'])} test tasks, 5-way 1-shot; {where['processor']} "
        f"({where['instructions']}), {where['threads']} threads; commit {result['commit']}."
    )


def main(arguments: Sequence[str]) -> int:
    """Measures, writes the file, prints the table or puts it into the README."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compression",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--run", type=Path, default=FOLDER, help="by default the one that comes with the package"
    )
    parser.add_argument("--tasks", type=int, default=20, help="of each of three data sets")
    parser.add_argument("--out", type=Path, default=RESULT, help="the file to write")
    parser.add_argument("--render", action="store_true", help="put the table of that file into the README")
    given = parser.parse_args(list(arguments))
    try:
        if given.render:
            import json

            content = json.loads(given.out.read_text(encoding="utf-8"))
            into_readme(README, "compression", markdown(content), "python -m benchmarks.compression --render")
            return 0
        if given.tasks < 1:
            raise InputError("--tasks is too small", got=given.tasks, needed="1 or more")
        with tempfile.TemporaryDirectory() as scratch:
            rows = [measured(make(), given.tasks) for make in variants(given.run, Path(scratch))]
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    result = {
        "schema": 1,
        "rows": rows,
        **provenance(),
        "machine": machine(torch.device("cuda" if torch.cuda.is_available() else "cpu")),
    }
    write_json(given.out, result)
    print(markdown(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
