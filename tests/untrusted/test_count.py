"""How many bad inputs are tested, each with its message."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TWICE = re.compile(r"\[(ProtoNet|MAMLAdam)-?")  # the same input to runs of two algorithms


def test_at_least_200_bad_inputs_are_tested() -> None:
    """As `pytest -m bad_input --collect-only -q` lists them, the same input to another run counted once."""
    words = ["-m", "pytest", "-q", "--collect-only", "-m", "bad_input", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    found = {TWICE.sub("[", line) for line in done.stdout.splitlines() if "::" in line}
    assert len(found) >= 200, done.stdout[-500:] + done.stderr[-500:]
