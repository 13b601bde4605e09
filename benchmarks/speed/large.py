"""Peak memory of a large base in first order, over the bytes of its weights: ours and learn2learn.

Setting c in all layers: a bfloat16 base of random weights, rank 16, 8 tasks; ours takes them all at once, and
one by one as learn2learn does.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.machine import machine, provenance
from benchmarks.speed.case import LARGE, Case
from benchmarks.speed.peak import peak
from fewshot.errors import FewshotError
from fewshot.files import write_json
from fewshot.models.compute import Compute


def main(arguments: Sequence[str]) -> int:
    """Measures each in a process of its own, writes JSON and prints the ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.large", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="the file to write")
    parser.add_argument("--model", default="shape:llama-7b")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    given = parser.parse_args(arguments)
    try:
        device: torch.device = Compute(device=given.device).chosen_device()
        case = Case(LARGE, 1, given.model, given.device, rank=16)
        found = {
            "ours": peak("ours", case),
            "ours, one by one": peak("ours", replace(case, at_once=1)),
            "learn2learn": peak("learn2learn", case),
        }
        ratios = {who: each["peak"] / each["base"] for who, each in found.items() if "peak" in each}
        result = {"schema": 1, "model": given.model, "found": found, "peak_over_base": ratios}
        write_json(given.json, result | provenance() | {"machine": machine(device)})
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for who, each in found.items():
        print(f"{who}: " + (f"{ratios[who]:.2f} times the base weights" if who in ratios else each["error"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
