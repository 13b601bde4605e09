"""The table of a result: on the console, and in the README.

`python -m benchmarks.speed.table RESULT.json [README.md]` prints it as Markdown, or writes it between the
README's marks.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.readme import into_readme
from benchmarks.speed.peers import PEERS

NAMES = {
    "a": "LoRA in all layers, float32",
    "b": "LoRA in the last two layers, float32",
    "c": "LoRA in the last two layers, bfloat16",
}
ORDERS = {1: "first", 2: "second"}
MEGABYTE = 1e6


def markdown(result: dict[str, Any]) -> str:
    """The table, and what it was measured on."""
    head, *rows = cells(result)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join([*("| " + " | ".join(line) + " |" for line in lines), "", *_notes(result)])


def cells(result: dict[str, Any]) -> list[list[str]]:
    """The table's lines, the head first."""
    peers = list(dict.fromkeys(name for entry in result["settings"] for name in _tried(entry)))
    head = ["setting", "order", "fewshot, steps/s", *peers, "gradient", "product rate", "memory, 10 steps"]
    return [head, *(_row(entry, peers) for entry in result["settings"])]


def _tried(entry: dict[str, Any]) -> list[str]:
    return [*(name for name in entry["ratio"] if name in PEERS), *entry["errors"], *entry["ratio"]]


def _row(entry: dict[str, Any], peers: list[str]) -> list[str]:
    error, memory = entry["grad_rel_error"], entry.get("peak_memory_step") or {}
    return [
        f"({entry['name']}) {NAMES[entry['name']]}",
        ORDERS[entry["order"]],
        f"{entry['ours']:.2f}",
        *(_ratio(entry, peer) for peer in peers),
        "" if error is None else f"{error:.0e}",
        f"{entry['gemm_fraction']:.0%}",
        _grown(memory.get("1"), memory.get("10")),
    ]


def _ratio(entry: dict[str, Any], peer: str) -> str:
    if peer in entry["ratio"]:
        return f"{entry['ratio'][peer]:.1f}x"
    return "fails" if peer in entry["errors"] else ""


def _grown(one: Any, ten: Any) -> str:
    """Memory at 10 inner steps, and how it compares with 1; empty where either was not measured."""
    if not isinstance(one, int) or not isinstance(ten, int):
        return ""
    return f"{ten / MEGABYTE:.0f} MB, {ten / one:.2f}x of 1"


def _notes(result: dict[str, Any]) -> list[str]:
    entries, where = result["settings"], result["machine"]
    processor = f"{where['gpu'] or where['processor']} ({where['instructions']}, {where['threads']} threads)"
    notes = [
        f"Model {result['model']}, {result['episodes']} episodes, meta-batch 8, 5-way 1-shot, 5 queries, 5"
        f" inner steps; {processor}; commit {result['commit']}. A peer's column says how many times as fast"
        f" fewshot is, the median of {entries[0]['rounds']} alternating rounds; in first order a peer runs"
        " with the attention that transformers loads by default, and once more with eager attention."
        " Gradient: relative error against learn2learn; product rate: linear maps on real tokens, per"
        " second, over the best square float32 product; memory: what a second-order step of 10 inner steps"
        " takes beyond the loaded model."
    ]
    fill = result["prefix_fill"]
    notes.append(
        f"The frozen prefix of the {fill['texts']} training texts was filled once in {fill['seconds']:.1f} s,"
        f" {1000 * fill['per_step_over_500']:.0f} ms a step over 500 steps; that is not in the figures above."
    )
    if any(entry["emulated"] for entry in entries):
        notes.append(
            "This processor has no bfloat16 arithmetic. In (c) fewshot rounds the weights to bfloat16 and"
            " multiplies in float32 (`model.compute.emulate`), while the peers' bfloat16 models run as torch"
            " runs them, in software; their ratio says that, not more. Against peers in float32, see (b)."
        )
    if "remark" in result:
        notes.append(result["remark"])
    failed = {name: text for entry in entries for name, text in entry["errors"].items()}
    notes += [f"{name} does not run on this model: `{text}`" for name, text in failed.items()]
    return [line for note in notes for line in (note, "")][:-1]


def main() -> None:
    """Prints the table of a result, or writes it into a README."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.table", description=__doc__)
    parser.add_argument("result", type=Path)
    parser.add_argument("readme", type=Path, nargs="?")
    given = parser.parse_args()
    result = json.loads(given.result.read_text(encoding="utf-8"))
    if result["quick"] and given.readme:
        sys.exit("a quick result enters no table; run python -m benchmarks.speed without --quick")
    table = markdown(result)
    if given.readme:
        into_readme(given.readme, "speed", table)
    else:
        print(table)


if __name__ == "__main__":
    main()
