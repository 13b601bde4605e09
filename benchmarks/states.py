"""What frozen states of texts cost one by one, and what a shared folder of them saves.

`python -m benchmarks.states [--quick] [--json FILE]`. MiniLM in float32 on the CPU; processor time, so that
other work on the machine counts little. A quick run takes few texts and steps, and says so in itself.
"""

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import machine, provenance
from fewshot.algorithms.mamladam import MAMLAdam
from fewshot.chunks import Chunks
from fewshot.engine import Engine
from fewshot.files import write_json
from fewshot.models.batch import Rows
from fewshot.models.cache import Cache
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.tasks.attributes import Attributes
from fewshot.tasks.family import TaskFamily, episodes
from fewshot.tasks.nway import NWayKShot

TOGETHER = 200  # texts in a batch
META_BATCH = 4


def learner(cache: Cache) -> LoraEncoder:
    """The default learner in float32."""
    return LoraEncoder(compute=Compute(device="cpu", dtype="float32"), cache=cache)


def texts_of(family: TaskFamily, count: int) -> list[str]:
    """The first different texts of a family's meta-training episodes."""
    drawn = episodes(family, "train", 0, itertools.count())
    every = (example.text for episode in drawn for example in (*episode.support, *episode.query))
    found: dict[str, None] = {}
    while len(found) < count:
        found[next(every)] = None
    return list(found)


def milliseconds(texts: Sequence[str], alone: bool) -> float:
    """Of a text, the median over batches."""
    model, times = learner(Cache(memory_gb=0, alone=alone)), []
    for first in range(0, len(texts), TOGETHER):
        group = texts[first : first + TOGETHER]
        batch = model.batch(Rows.of(group))
        started = time.process_time()
        model.place(batch)
        times.append(1e3 * (time.process_time() - started) / len(group))
    return statistics.median(times)


def step_seconds(cache: Cache, steps: int) -> float:
    """Of an outer step of the default training, the median but for the first."""
    model, algorithm = learner(cache), MAMLAdam()
    algorithm.prepare(model)
    engine = Engine(model, algorithm, Chunks(model, META_BATCH, algorithm.takes_parts))
    times = []
    for step in range(steps):
        numbers = range(META_BATCH * step, META_BATCH * (step + 1))
        batch = engine.collate(list(episodes(Attributes(), "train", 0, numbers)))
        started = time.process_time()
        engine.gradient(batch)
        times.append(time.process_time() - started)
    return statistics.median(times[1:])


def families() -> Iterator[tuple[str, TaskFamily]]:
    """The attribute tasks and, where the data is, BANKING77."""
    yield "attributes", Attributes()
    if os.environ.get("FEWSHOT_DATA"):
        yield "banking77", NWayKShot(source="banking77")


def measure(quick: bool) -> dict[str, Any]:
    """All figures."""
    count, steps = (TOGETHER, 2) if quick else (800, 6)
    found: dict[str, Any] = {"quick": quick, "texts": {}}
    for name, family in families():
        texts = texts_of(family, count)
        together, alone = milliseconds(texts, False), milliseconds(texts, True)
        tokens = statistics.mean(map(len, learner(Cache()).tokenizer(texts)["input_ids"]))
        figures = {"tokens": tokens, "together_ms": together, "alone_ms": alone, "ratio": alone / together}
        found["texts"][name] = figures
        print(name, figures, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        shared = Cache(folder=folder, shared=True)
        ways = {"private": Cache(), "shared, empty": shared, "shared, filled": shared}
        found["step_seconds"] = {name: step_seconds(cache, steps) for name, cache in ways.items()}
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    found["bytes_a_text"] = size / len(texts_of_steps(steps))
    return found | {"machine": machine(torch.device("cpu"))} | provenance()


def texts_of_steps(steps: int) -> set[str]:
    """The texts of so many outer steps."""
    drawn = episodes(Attributes(), "train", 0, range(META_BATCH * steps))
    return {example.text for episode in drawn for example in (*episode.support, *episode.query)}


def main(arguments: Sequence[str]) -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.states", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(list(arguments))
    found = measure(given.quick)
    print(json.dumps({name: found[name] for name in ("texts", "step_seconds", "bytes_a_text")}, indent=2))
    if given.json:
        write_json(given.json, found)


if __name__ == "__main__":
    main(sys.argv[1:])
