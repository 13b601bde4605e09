"""Makes of a run what comes with the package: a small adapter that computes in float32 on any machine.

python -m benchmarks.ready.package runs/ready
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from fewshot.classify.compress import compressed
from fewshot.classify.learned import FOLDER
from fewshot.errors import FewshotError
from fewshot.files import write_text

RANK = 4  # half of what is trained, in bfloat16: a quarter of the bytes, and PEFT reads it


def main(arguments: Sequence[str]) -> int:
    """Writes the adapter; the card that is there stays."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ready.package", description=__doc__)
    parser.add_argument("run", type=Path, help="what `python -m benchmarks.ready` trained")
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder of the package's adapter")
    given = parser.parse_args(list(arguments))
    card = given.out / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    try:
        _, size = compressed(given.run, given.out, RANK, "bfloat16")
        _any_machine(given.out / "config.yaml")
        if text:
            write_text(card, text)
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{size:,} bytes of adapter in {given.out}")
    return 0


def _any_machine(config: Path) -> None:
    """What was measured on the machine of the training is measured anew where the adapter is used."""
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    content["model"]["init_args"]["compute"] = {"device": "auto", "dtype": "float32"}
    write_text(config, yaml.safe_dump(content, sort_keys=False))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
