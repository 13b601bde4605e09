"""One training that is killed several times, and what it ends with."""

import multiprocessing
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults.content import content_of
from benchmarks.faults.victim import live
from fewshot.errors import FewshotError

LIVES = multiprocessing.get_context("forkserver")
IMPORTED = ("fewshot.commands", "fewshot.models.encoder", "fewshot.models.lora")
BERT = "transformers.models.bert"
LIVES.set_forkserver_preload(
    ["benchmarks.faults.victim", *IMPORTED, f"{BERT}.modeling_bert", f"{BERT}.tokenization_bert"]
)
FINISHED = "the run is finished"
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
    started = time.perf_counter()
    code, said = _lived(folder, "never", 0, [*words, "--out", str(folder)])
    seconds = time.perf_counter() - started
    if code:
        raise FewshotError("the run that is not killed failed", got=said[-2000:])
    counts = next(line.split()[1:] for line in said.splitlines() if line.startswith("places"))
    places = dict(zip(MOMENTS[1:], map(int, counts), strict=True))
    return Whole(content_of(folder), seconds, places)


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
            seconds = generator.random() * target.seconds
            code, said = _lived(folder, "never", 0, _go_on(words, folder), seconds)
            where = f"after {seconds:.2f} s"
        else:
            number = int(generator.integers(1, target.places[place] + 1))
            code, said = _lived(folder, place, number, _go_on(words, folder))
            where = f"at {number}"
        if code not in (0, -signal.SIGKILL) and FINISHED not in said:  # going on must not fail even once
            chain.wrong = said[-2000:]
            return chain
        if code != -signal.SIGKILL:
            break
        chain.kills.append(f"{place} {where}")
    code, said = _lived(folder, "never", 0, _go_on(words, folder))
    if code and FINISHED not in said:
        chain.wrong = said[-2000:]
        return chain
    try:
        found = content_of(folder)
    except (OSError, ValueError) as error:
        chain.wrong = str(error)
        return chain
    chain.wrong = ", ".join(name for name in target.content if found[name] != target.content[name])
    return chain


def _go_on(words: Sequence[str], folder: Path) -> list[str]:
    """The command that begins the run, or goes on with it where there is something to go on with."""
    return ["train", "--resume", str(folder)] if folder.exists() else [*words, "--out", str(folder)]


def _lived(
    folder: Path, place: str, at: int, words: Sequence[str], seconds: float | None = None
) -> tuple[int, str]:
    """A process to its end, which comes after so many seconds at the latest: exit code and output."""
    said = folder.with_name(f"{folder.name}.said")
    process = LIVES.Process(target=live, args=(folder, place, at, list(words), said))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    code = process.exitcode
    assert code is not None
    return code, said.read_text(encoding="utf-8") if said.is_file() else ""
