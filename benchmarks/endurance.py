"""Whether a long training holds on to memory or files: many outer steps on a tiny backbone.

    python -m benchmarks.endurance [--steps 50000] [--out FILE]

Memory (resident, of the process) and open files are looked at a hundred times; growth is from the median of
the third tenth of the steps, when all is warm, to that of the last tenth. The run directory is written as
always: a line of the log for each step, a state every 500, a validation every 1,000. The caches of token
numbers and of frozen states fill up to what they may take; the second is given 10 MB, so that both are full
by then. The exit code is 1 where memory grows by 1% or more, or where files stay open.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import psutil
import torch

from benchmarks.machine import machine, provenance
from benchmarks.tiny import save_tiny
from fewshot.algorithms.mamladam import MAMLAdam
from fewshot.errors import FewshotError, require_at_least
from fewshot.evaluation import Evaluation
from fewshot.files import write_json
from fewshot.log import Log
from fewshot.models.cache import Cache
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.lora_settings import Lora
from fewshot.outer import Training, Validation
from fewshot.tasks.attributes import Attributes
from fewshot.training import Trainer

RESULT = Path(__file__).parent / "results" / "endurance.json"
LOOKS = 100
MOST = 0.01  # growth of memory


class Watch:
    """Looks at this process as its training goes on.

    Args:
        every: outer steps between two looks.
    """

    def __init__(self, every: int) -> None:
        self._every, self._process = every, psutil.Process()
        self.steps: list[int] = []
        self.memory: list[int] = []
        self.files: list[int] = []

    def line(self, line: dict[str, Any]) -> None:
        """Takes a line of the log."""
        if line["step"] % self._every == 0:
            self.steps.append(line["step"])
            self.memory.append(self._process.memory_info().rss)
            self.files.append(self._process.num_fds())

    def growth(self) -> dict[str, float]:
        """From the third tenth of the looks to the last: a share of the memory, a number of files."""
        tenth = max(1, len(self.steps) // 10)

        def ends(values: Sequence[int]) -> tuple[float, float]:
            return median(values[2 * tenth : 3 * tenth]), median(values[-tenth:])

        (small, large), (few, many) = ends(self.memory), ends(self.files)
        return {"memory": large / small - 1, "files": many - few}


def measured(steps: int, scratch: Path) -> dict[str, Any]:
    """Trains for so many steps."""
    save_tiny(scratch / "tiny")
    compute = Compute(device="cpu", dtype="float32", products="blas", threads=1)
    trainer = Trainer(
        Attributes(way=2, shot=1, queries=1, mentions=3),
        LoraEncoder(
            str(scratch / "tiny"), Lora(layers="last:2"), compute=compute, cache=Cache(memory_gb=0.01)
        ),
        MAMLAdam(inner_steps=2),
        Training(steps=steps, meta_batch=1, save=500),
        Validation(every=1000, episodes=4, patience=0),
        Evaluation(episodes=2, inspected=0, influence=0),
        out=scratch / "run",
    )
    watch, add = Watch(max(1, steps // LOOKS)), Log.add

    def watched(log: Log, line: dict[str, Any]) -> None:
        add(log, line)
        watch.line(line)

    started = time.perf_counter()
    with mock.patch.object(Log, "add", watched):  # once a step, beside what a training does anyway
        trainer.fit()
    seconds = time.perf_counter() - started
    looks = {"steps": watch.steps, "memory": watch.memory, "files": watch.files}
    return {"steps": steps, "seconds": seconds, "growth": watch.growth(), "looks": looks}


def main(arguments: Sequence[str]) -> int:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.endurance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args(list(arguments))
    try:
        require_at_least("benchmarks.endurance", given, steps=20)
        with tempfile.TemporaryDirectory() as scratch:
            found = measured(given.steps, Path(scratch))
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    write_json(given.out, {"schema": 1} | found | provenance() | {"machine": machine(torch.device("cpu"))})
    growth, memory = found["growth"], found["looks"]["memory"][-1] / 2**20
    said = f"memory {100 * growth['memory']:+.2f}% (to {memory:.0f} MB), open files {growth['files']:+.0f}"
    print(f"{given.steps} outer steps in {found['seconds'] / 60:.1f} minutes: {said}")
    return int(growth["memory"] >= MOST or growth["files"] > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
