"""Speed and memory of outer steps on language models of known sizes with random weights.

Each shape and order is measured in a process of its own: T tasks whose answers are written, rows of a given
number of tokens, LoRA on all linear maps, the base in bfloat16 where the device multiplies it. Operations are
counted by torch while a step of one task runs, those of blocks that are computed again in the backward pass
(first order) among them; the matrix rate is that of a large square product in the same
type. Results are JSON with the device named.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import ROOT, machine, provenance
from fewshot.algorithms.maml import MAML
from fewshot.chunks import Chunks
from fewshot.data.example import Example
from fewshot.engine import Engine
from fewshot.errors import FewshotError, InputError
from fewshot.files import write_json
from fewshot.memory import growth, peak_memory
from fewshot.models.causal import LoraCausal
from fewshot.models.compute import Compute
from fewshot.models.lora_settings import Lora
from fewshot.models.rates import product_rate
from fewshot.models.shapes import SHAPES
from fewshot.tasks.episode import Episode
from fewshot.tasks.strings import LEXICON

SCALES = ("qwen-0.5b", "llama-1b", "llama-3b", "llama-7b", "qwen-14b")
QUICK = ("llama-tiny",)
RESULTS = Path(__file__).parent / "results" / "llm-scale.json"
ANSWER = 8  # words of an answer; the rest of a row is the prompt


@dataclass(frozen=True)
class Case:
    """One outer step that is measured.

    Args:
        shape: of the model.
        order: 1 or 2; memory of the second is flat.
        tasks: of a meta-batch, adapted together.
        rows: support rows of a task, and as many queries.
        length: tokens of a row.
        rank: of the adapter.
        inner_steps: K.
        tasks_at_once: tasks of a chunk; fewer where memory runs out.
        rows_at_once: rows that are computed at once in first order; 0 for all of a chunk.
        repeats: steps that are timed, after one that warms up.
        device: 'auto', 'cpu' or 'cuda'.
    """

    shape: str
    order: int = 1
    tasks: int = 8
    rows: int = 4
    length: int = 256
    rank: int = 16
    inner_steps: int = 1
    tasks_at_once: int = 4
    rows_at_once: int = 0
    repeats: int = 5
    device: Any = "auto"


def measured(case: Case) -> dict[str, Any]:
    """Seconds of a step, tokens a second, share of the matrix rate, bytes over those of the base."""
    first = case.order == 1
    compute = Compute(device=case.device, rows_at_once=case.rows_at_once if first else 0, recompute=first)
    lora = Lora(rank=case.rank, alpha=2 * case.rank, modules=("all-linear",), layers="all")
    learner = LoraCausal(
        f"shape:{case.shape}", lora, max_length=case.length, max_new_tokens=1, compute=compute
    )  # no room is kept for more than the answers need
    learner._prompts.end = learner.tokenizer.sep_token_id
    algorithm = MAML(case.order, case.inner_steps, 0.1, learn_inner_lr=False)
    algorithm.prepare(learner)
    engine = Engine(learner, algorithm, Chunks(learner, case.tasks_at_once, first))
    drawn = episodes(case)
    engine.measure(drawn[0], None)
    batch = engine.collate(drawn)
    engine.gradient(batch)
    seconds = [_seconds(engine, batch, learner.device) for _ in range(case.repeats)]
    cost = engine.gradient(batch).cost
    took = growth(learner.device, lambda: engine.gradient(batch))
    base = sum(p.numel() * p.element_size() for p in learner.peft.get_base_model().parameters())
    step, tokens = statistics.median(seconds), int(cost["tokens"])
    rate = product_rate(learner.device, learner.dtype)
    return asdict(case) | {
        "parameters": sum(p.numel() for p in learner.peft.get_base_model().parameters()),
        "trainable_parameters": sum(value.numel() for value in learner.adapter().values()),
        "dtype": str(learner.dtype).removeprefix("torch."),
        "seconds": step,
        "all_seconds": seconds,
        "tokens": tokens,
        "tokens_per_second": tokens / step,
        "matrix_rate": rate,
        "share_of_matrix_rate": engine.operations_per_token * tokens / step / rate,
        "base_bytes": base,
        "step_bytes": took,
        "peak_bytes": peak_memory(learner.device),
        "memory_over_base": None if took is None else (base + took) / base,
        "ran": learner.note(),
        "machine": machine(learner.device),
    }


def episodes(case: Case) -> list[Episode]:
    """Tasks of random words, each row as long as it may be."""
    generator = np.random.Generator(np.random.Philox(0))

    def example() -> Example:
        words = [LEXICON[n] for n in generator.integers(len(LEXICON), size=case.length)]
        return Example(" ".join(words), " ".join(words[:ANSWER]))

    def rows() -> tuple[Example, ...]:
        return tuple(example() for _ in range(case.rows))

    return [Episode(rows(), rows(), (), f"task {n}") for n in range(case.tasks)]


def _seconds(engine: Engine, batch: Any, device: torch.device) -> float:
    started = time.perf_counter()
    engine.gradient(batch)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def alone(case: Case, timeout: float) -> dict[str, Any]:
    """What a process of its own measures; {'error'} where it fails."""
    words = [sys.executable, "-W", "ignore", "-m", "benchmarks.llm_scale", "--case", json.dumps(asdict(case))]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, cwd=ROOT, check=False)
    except subprocess.TimeoutExpired:
        return asdict(case) | {"error": f"took more than {timeout:.0f} s"}
    if done.returncode:
        reason = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return asdict(case) | {"error": reason[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(found: Sequence[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = [
        "| shape | order | parameters | s a step | tokens/s | share of the matrix rate | memory over base |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for each in found:
        head = f"| {each['shape']} | {each['order']} |"
        if "error" in each:
            lines.append(f"{head} {each['error']} | | | | |")
            continue
        over = each["memory_over_base"]
        lines.append(
            f"{head} {each['parameters'] / 1e9:.2f} B | {each['seconds']:.2f} | "
            f"{each['tokens_per_second']:,.0f} | {100 * each['share_of_matrix_rate']:.0f}% | "
            + ("|" if over is None else f"{over:.2f} |")
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Measures, writes JSON after every case, prints the table; exit codes as those of `fewshot`."""
    given = _parser().parse_args(list(arguments))
    try:
        if given.case:
            print(json.dumps(measured(Case(**json.loads(given.case)))))
            return 0
        sizes = {each.name: getattr(given, each.name) for each in fields(Case)[2:]}
        shapes = QUICK if given.quick else given.shapes
        for shape in shapes:
            if shape not in SHAPES:
                raise InputError("unknown shape", where="--shapes", got=shape, needed=", ".join(SHAPES))
        found: list[dict[str, Any]] = []
        for shape in shapes:
            for order in given.orders:
                found.append(alone(Case(shape, order, **sizes), given.timeout))
                print(f"{shape}, order {order}: {_said(found[-1])}", file=sys.stderr, flush=True)
                write_json(given.json, {"schema": 1, "found": found} | provenance())
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(table(found))
    return 1 if all("error" in each for each in found) else 0


def _said(each: dict[str, Any]) -> str:
    return str(each.get("error") or f"{each['seconds']:.2f} s a step")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.llm_scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--shapes", nargs="+", default=list(SCALES), help="sizes, see fewshot.models.shapes")
    parser.add_argument("--orders", nargs="+", type=int, default=[1, 2], help="1 and 2 by default")
    parser.add_argument("--quick", action="store_true", help="a tiny shape: only to see it run")
    parser.add_argument("--json", type=Path, default=RESULTS, help="the file to write")
    parser.add_argument("--timeout", type=float, default=900, help="seconds of a case (900)")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    for each in fields(Case)[2:]:
        kind = str if each.name == "device" else int
        parser.add_argument(
            f"--{each.name.replace('_', '-')}", dest=each.name, type=kind, default=each.default
        )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
