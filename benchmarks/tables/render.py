"""The tables from their cells."""

import json
from pathlib import Path

from fewshot.errors import InputError


def render(table: str, folder: Path, readme: Path | None) -> str:
    """One line a cell.

    Raises:
        InputError: no cells there.
    """
    cells = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    if not cells:
        raise InputError("there are no results", where=folder, needed=f"python -m benchmarks.tables {table}")
    return "\n".join(
        f"{c['dataset']} {c['fold']} {c['shot']} {c['method']} {c['accuracy']['mean']:.4f}" for c in cells
    )
