"""The pictures that set runs beside each other."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fewshot.report.parsing import Row
from fewshot.report.reading import ReportedRun
from fewshot.report.svg import DASHES, MUTED, SERIES, picture

WIDE = 9.4  # inches
POINTS = 300  # of a curve of outer steps


def styled(
    runs: Sequence[ReportedRun], known: Sequence[ReportedRun]
) -> Iterator[tuple[ReportedRun, dict[str, Any]]]:
    """Every known run with the colour and the dashes of its lines, which are its own in all pictures."""
    for run, colour, dashes in zip(runs, cycle(SERIES), cycle(DASHES)):
        if any(run is each for each in known):
            yield run, {"color": colour, "linestyle": dashes, "label": _named(run.name)}


def _named(name: str) -> str:
    """A name for a legend: matplotlib leaves those out that begin with _, and reads dollars as maths."""
    shown = f" {name}" if name.startswith("_") else name
    return shown.replace("$", r"\$")


def curves(runs: Sequence[ReportedRun]) -> str | None:
    """Accuracy and log loss after every inner step, with their 95% intervals."""
    known = [run for run in runs if run.finished and len(run.figures.get("curve", ())) > 1]
    if not known:
        return None

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for run, style in styled(runs, known):
            _band(left, run.figures["curve"], "accuracy", 100, style)
            _band(right, run.figures["curve"], "log_loss", 1, style)
        left.set(title="accuracy, %", xlabel="inner steps")
        right.set(title="log loss, nats", xlabel="inner steps")
        right.set_ylim(bottom=0)
        for axes in (left, right):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _legend(left, known)

    return picture("curves", "accuracy and log loss by inner step", WIDE, 3.0, draw)


def _band(axes: Axes, curve: Sequence[Row], score: str, factor: float, style: dict[str, Any]) -> None:
    steps = [row["step"] for row in curve]
    axes.plot(steps, [factor * row[score]["mean"] for row in curve], marker="o", markersize=3.5, **style)
    low, high = (np.array([row[score]["ci95"][end] for row in curve]) * factor for end in (0, 1))
    axes.fill_between(steps, low, high, color=style["color"], alpha=0.16, linewidth=0)


def distribution(runs: Sequence[ReportedRun]) -> str | None:
    """The share of tasks below an accuracy, after adaptation and, of a run alone, before it."""
    known = [run for run in runs if run.finished]
    if not known:
        return None

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for run, style in styled(runs, known):
            _steps(axes, run.values("accuracy"), style)
            if len(known) == 1:
                _steps(
                    axes,
                    run.values("accuracy_before"),
                    {"color": MUTED, "linestyle": "--", "label": "before"},
                )
        axes.set(xlabel="accuracy of a task, %", ylabel="tasks at or below, %", ylim=(0, 101))
        if len(known) == 1:
            axes.get_lines()[0].set_label("after adaptation")
        axes.legend(loc="upper left")

    return picture("distribution", "distribution of the accuracy over tasks", WIDE, 3.0, draw)


def _steps(axes: Axes, values: Sequence[float], style: dict[str, Any]) -> None:
    """The cumulative distribution."""
    found, counts = np.unique(np.round(values, 6), return_counts=True)
    share = 100 * np.cumsum(counts) / len(values)
    axes.step([100 * found[0], *100 * found, 100], [0, *share, 100], where="post", **style)


def reliability(runs: Sequence[ReportedRun]) -> str | None:
    """Accuracy against confidence, all queries in bins; the area of a mark says how many they are."""
    known = [run for run in runs if run.finished and run.figures.get("calibration")]
    if not known:
        return None

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([0, 100], [0, 100], color=MUTED, linewidth=0.8, linestyle=":", label="as it should be")
        for run, style in styled(runs, known):
            bins = run.figures["calibration"]["bins"]
            sure, right = ([100 * each[name] for each in bins] for name in ("confidence", "accuracy"))
            total = sum(each["queries"] for each in bins)
            axes.plot(sure, right, **style)
            sizes = [8 + 160 * each["queries"] / total for each in bins]
            axes.scatter(sure, right, s=sizes, color=style["color"], alpha=0.6, linewidth=0)
        axes.set(xlabel="confidence, %", ylabel="right answers, %", xlim=(0, 102), ylim=(0, 102))
        axes.legend(loc="upper left")

    return picture("reliability", "accuracy against confidence", 5.6, 4.0, draw)


def similarity(runs: Sequence[ReportedRun]) -> str | None:
    """CKA of the queries' representations before and after adaptation, by layer."""
    known = [run for run in runs if run.inspection and run.inspection["similarity"]]
    if not known:
        return None

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for run, style in styled(runs, known):
            assert run.inspection
            rows = run.inspection["similarity"]
            names = [row["layer"] for row in rows]
            axes.errorbar(
                names,
                [row["cka"] for row in rows],
                [row["std"] for row in rows],
                marker="o",
                capsize=3,
                **style,
            )
        axes.set(ylabel="CKA", ylim=(min(0, axes.get_ylim()[0]), 1.05))
        axes.margins(x=0.15)
        axes.tick_params("x", rotation=0 if len(names) < 10 else 60)
        _legend(axes, known)

    return picture("similarity", "similarity of representations by layer", 5.6, 2.8, draw)


def training(runs: Sequence[ReportedRun]) -> str | None:
    """Loss and accuracy of the outer steps, validation as marks."""
    known = [run for run in runs if any("loss" in line for line in run.log)]
    if not known:
        return None

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for run, style in styled(runs, known):
            for stage, dim in (("multi-task", 0.45), (None, 1.0)):
                lines = [line for line in run.log if line.get("stage") == stage and "loss" in line]
                own = style | {"alpha": dim} | ({"label": None} if stage else {})
                _smooth(left, lines, "loss", 1, own)
                _smooth(right, lines, "accuracy", 100, own)
            checked = [line for line in run.log if "valid_accuracy" in line]
            right.plot(
                [line["step"] for line in checked],
                [100 * line["valid_accuracy"] for line in checked],
                color=style["color"],
                marker="D",
                markersize=4,
                linestyle="none",
            )
        left.set(title="query loss, nats", xlabel="outer steps")
        right.set(title="query accuracy, % (validation: diamonds)", xlabel="outer steps")
        _legend(left, known)

    return picture("training", "loss and accuracy by outer step", WIDE, 3.0, draw)


def _smooth(axes: Axes, lines: Sequence[Row], name: str, factor: float, style: dict[str, Any]) -> None:
    """A value by outer step: the mean of some steps where there are many."""
    values = [(line["step"], factor * line[name]) for line in lines if name in line]
    if values:
        parts = np.array_split(np.array(values), min(len(values), POINTS))
        axes.plot(*np.array([part.mean(0) for part in parts]).T, **style)


def _legend(axes: Axes, runs: Sequence[ReportedRun]) -> None:
    """Where there is more than one run."""
    if len(runs) > 1:
        axes.legend(loc="best")
