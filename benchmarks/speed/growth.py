"""How the time of an outer step grows with meta-batch, inner steps and text length."""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.speed.case import SETTINGS, Case, draw
from benchmarks.speed.ours import Ours
from fewshot.data.example import Example
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily

AXES: dict[str, Sequence[int]] = {
    "meta_batch": (1, 2, 4, 8, 16, 32),
    "inner_steps": (1, 2, 3, 5, 7, 10),
    "max_length": (16, 32, 64, 128, 256),
}
TITLES = {"meta_batch": "episodes a step", "inner_steps": "inner steps", "max_length": "tokens a text"}
LENGTH = "max_length"


def grow(model: str, device: Any, family: TaskFamily, rounds: int) -> Iterator[dict[str, Any]]:
    """A line a point: {axis, value, order, seconds}; setting b, the other values at their defaults."""
    for order in (1, 2):
        for axis, values in AXES.items():
            for value in values:
                case = Case(**vars(Case(SETTINGS[1], order, model, device)) | {axis: value})
                drawn = draw(family, 0, case.meta_batch)
                if axis == LENGTH:
                    drawn = [_lengthened(episode) for episode in drawn]
                ours = Ours(case)
                ours.step(drawn)
                times = []
                for _ in range(rounds):
                    started = time.perf_counter()
                    ours.step(drawn)
                    times.append(time.perf_counter() - started)
                yield {"axis": axis, "value": value, "order": order, "seconds": statistics.median(times)}


def plot(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """One panel an axis, one line an order, as SVG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(AXES), figsize=(11, 3.4), layout="constrained")
    for panel, axis in zip(panels, AXES, strict=True):
        for order, style in ((1, "o-"), (2, "s--")):
            points = [(x["value"], x["seconds"]) for x in lines if (x["axis"], x["order"]) == (axis, order)]
            if points:
                panel.plot(*zip(*points, strict=True), style, label=f"order {order}")
        panel.set(xlabel=TITLES[axis], ylabel="seconds an outer step", ylim=(0, None))
        panel.grid(alpha=0.3)
    panels[0].legend()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _lengthened(episode: Episode) -> Episode:
    """Every text repeated until no length cuts it short of its tokens."""

    def longer(examples: tuple[Example, ...]) -> tuple[Example, ...]:
        return tuple(example._replace(text=" ".join([example.text] * 256)) for example in examples)

    return replace(episode, support=longer(episode.support), query=longer(episode.query))
