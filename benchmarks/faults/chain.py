"""One training that is killed several times, and what it ends with."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults.content import content_of
from fewshot.errors import FewshotError

MOMENTS = ("moment", "before", "torn")  # any moment; before a file is touched; when a part of it is written


@dataclass(frozen=True)
class Whole:
    """The run that is not killed.

    Args:
        content: what it says.
        seconds: from when the program is there to its end.
        places: how often a kill of each kind could have been.
    """

    content: dict[str, Any]
    seconds: float
    places: dict[str, int]


@dataclass
class Chain:
    """What came of a training that was killed and went on.

    Args:
        recipe: its name.
        kills: where each was, in words.
        wrong: what differs in the end; empty where nothing does.
    """

    recipe: str
    kills: list[str] = field(default_factory=list)
    wrong: str = ""


def whole(words: Sequence[str], folder: Path) -> Whole:
    """Runs a command once without a kill.

    Raises:
        FewshotError: it fails.
    """
    process = _started(folder, "never", 0, [*words, "--out", str(folder)])
    started = time.perf_counter()
    said, complaints = process.communicate()
    if process.returncode:
        raise FewshotError("the run that is not killed failed", got=complaints[-2000:])
    counts = next(line.split()[1:] for line in said.splitlines() if line.startswith("places"))
    places = dict(zip(MOMENTS[1:], map(int, counts), strict=True))
    return Whole(content_of(folder), time.perf_counter() - started, places)


def killed(
    recipe: str, words: Sequence[str], folder: Path, target: Whole, kills: int, generator: np.random.Generator
) -> Chain:
    """Runs a command that is killed so many times and goes on each time, then ends.

    Args:
        recipe: its name, for the report.
        words: of the command.
        folder: its run directory.
        target: the same run, not killed.
        kills: how many; fewer where a life ends before its kill.
        generator: of the places.
    """
    chain = Chain(recipe)
    for _ in range(kills):
        place = str(generator.choice(MOMENTS))
        if place == "moment":
            died, at = _killed_after(words, folder, generator.random() * target.seconds)
        else:
            number = int(generator.integers(1, target.places[place] + 1))
            died, at = _killed_at(words, folder, place, number), f"at {number}"
        if not died:
            break
        chain.kills.append(f"{place} {at}")
    process = _started(folder, "never", 0, _go_on(words, folder))
    _, complaints = process.communicate()
    if process.returncode and "the run is finished" not in complaints:
        chain.wrong = complaints[-2000:]
        return chain
    try:
        found = content_of(folder)
    except (OSError, ValueError) as error:
        chain.wrong = str(error)
        return chain
    chain.wrong = ", ".join(name for name in target.content if found[name] != target.content[name])
    return chain


def _killed_after(words: Sequence[str], folder: Path, seconds: float) -> tuple[bool, str]:
    """Whether the process was killed, and when."""
    with _started(folder, "never", 0, _go_on(words, folder)) as process:
        try:
            process.communicate(timeout=seconds)
            return False, ""
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    return True, f"after {seconds:.2f} s"


def _killed_at(words: Sequence[str], folder: Path, place: str, number: int) -> bool:
    process = _started(folder, place, number, _go_on(words, folder))
    process.communicate()
    return process.returncode < 0


def _go_on(words: Sequence[str], folder: Path) -> list[str]:
    """The command that begins the run, or goes on with it where there is something to go on with."""
    return ["train", "--resume", str(folder)] if folder.exists() else [*words, "--out", str(folder)]


def _started(folder: Path, place: str, at: int, words: Sequence[str]) -> "subprocess.Popen[str]":
    """A process that has the program imported."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.faults.victim", str(folder), place, str(at), "--", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    process.stdout.readline()
    return process
