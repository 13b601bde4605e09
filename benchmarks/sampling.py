"""Sampling at scale: 10,000 episodes from pools of up to ten million rows and 100,000 classes.

    python -m benchmarks.sampling [--quick] [--rows N ...] [--json FILE] [--folder DIR]

The rows are generated, written as parquet and loaded as a user's file would be. Each size is measured in a
process of its own, so that its memory is its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from fewshot.data.pool import Pool
from fewshot.files import write_json
from fewshot.tasks.family import episode_generator
from fewshot.tasks.sampler import PoolTasks

ROWS = (10_000, 100_000, 1_000_000, 10_000_000)
EPISODES, WAY, SHOT, QUERIES = 10_000, 5, 5, 5
PER_CLASS = 100
AT_ONCE = 250_000  # rows that are generated and written together
WORDS = np.array([f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "lmnrst"])


def main(arguments: Sequence[str]) -> int:
    """Measures every size and prints a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sampling", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="up to a million rows")
    parser.add_argument("--rows", type=int, nargs="+", help="sizes of the pool, a hundredth of it classes")
    parser.add_argument("--json", type=Path, help="the file to write")
    parser.add_argument("--folder", type=Path, help="where the rows are written; by default a temporary one")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.measure:
        print(json.dumps(measure(given.measure)))
        return 0
    console = Console(stderr=True, highlight=False)
    found = []
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for rows in given.rows or (ROWS[:-1] if given.quick else ROWS):
            console.print(f"{rows:,} rows")
            file = Path(folder) / f"{rows}.parquet"
            generate(file, rows, np.random.default_rng(0))
            found.append({"rows": rows} | in_its_own_process(file, Path(folder)))
            file.unlink()
    if given.json:
        write_json(given.json, {"schema": 1, "quick": given.quick, "sizes": found, **_where()})
    Console().print(table(found))
    return 0


def _where() -> dict[str, Any]:
    import torch  # here, not above: the processes that are measured do without

    from benchmarks.machine import machine, provenance

    return {**provenance(), "machine": machine(torch.device("cpu"))}


def generate(file: Path, rows: int, generator: np.random.Generator) -> None:
    """Writes rows of eight words, each class a hundred of them, in no order."""
    classes = max(WAY, rows // PER_CLASS)
    schema = pa.schema({"text": pa.string(), "label": pa.string()})
    with pq.ParquetWriter(file, schema) as writer:
        for first in range(0, rows, AT_ONCE):
            count = min(AT_ONCE, rows - first)
            words = WORDS[generator.integers(len(WORDS), size=(count, 7))]
            texts = [f"{' '.join(line)} {first + n}" for n, line in enumerate(words.tolist())]
            numbers = (np.arange(first, first + count) * 7919) % classes
            labels = [f"class {n}" for n in numbers.tolist()]
            writer.write_table(pa.table({"text": texts, "label": labels}, schema=schema))


def in_its_own_process(file: Path, cache: Path) -> dict[str, Any]:
    """What `measure` finds, with a cache of Arrow files that goes when the run ends."""
    command = [sys.executable, "-m", "benchmarks.sampling", "--measure", str(file)]
    root = Path(__file__).parent.parent
    environment = {"HF_DATASETS_CACHE": str(cache / "cache"), "PATH": "", "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(file: Path) -> dict[str, Any]:
    """Seconds to index and to draw, and the memory of the process, its own and with mapped files."""
    started = time.perf_counter()
    pool = Pool.load(str(file))
    indexed = time.perf_counter() - started
    after = own_memory()
    tasks = PoolTasks(pool, WAY, SHOT, QUERIES)
    started = time.perf_counter()
    for index in range(EPISODES):
        tasks.episode(index, episode_generator(0, "train", index))
    drawn = time.perf_counter() - started
    return {
        "classes": len(pool.classes),
        "episodes": EPISODES,
        "seconds_to_index": indexed,
        "seconds_to_draw": drawn,
        "microseconds_per_episode": drawn / EPISODES * 1e6,
        "own_bytes": own_memory(),
        "own_bytes_after_indexing": after,
        "resident_bytes": psutil.Process().memory_info().rss,
        "peak_resident_bytes": peak(),
    }


def own_memory() -> int:
    """Memory that no file backs: pages of a mapped file are given up when others need them. Linux only."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def peak() -> int:
    """The most that the process had in memory, mapped pages of files included."""
    import resource  # not on every system; the figure is for Linux

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def table(found: Sequence[dict[str, Any]]) -> Table:
    """A line a size."""
    made = Table(title=f"{EPISODES:,} episodes, {WAY}-way {SHOT}-shot, {QUERIES} queries a class")
    for column in (
        "rows",
        "classes",
        "index, s",
        "draw, s",
        "us an episode",
        "own MB",
        "resident MB",
        "peak MB",
    ):
        made.add_column(column, justify="right")
    for line in found:
        made.add_row(
            f"{line['rows']:,}",
            f"{line['classes']:,}",
            f"{line['seconds_to_index']:.1f}",
            f"{line['seconds_to_draw']:.2f}",
            f"{line['microseconds_per_episode']:.0f}",
            *(f"{line[name] / 1e6:.0f}" for name in ("own_bytes", "resident_bytes", "peak_resident_bytes")),
        )
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
