"""What benchmarks that go on where they were stopped ask of a cell's file."""

import json
from pathlib import Path


def is_done(path: Path, quick: bool, episodes: int) -> bool:
    """Whether the result of a cell is there, of the same effort."""
    if not path.is_file():
        return False
    found = json.loads(path.read_text(encoding="utf-8"))
    return bool(found["quick"] == quick and found["episodes"] == episodes)
