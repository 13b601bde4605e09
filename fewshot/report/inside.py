"""The pictures of what adaptation does inside one run's model."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from fewshot.report.parsing import Row
from fewshot.report.reading import ReportedRun
from fewshot.report.svg import INK, MUTED, SERIES, picture

MOST = 36  # rows of a picture; more tensors are taken together by layer


def movement(run: ReportedRun, number: int) -> str | None:
    """How far each tensor moves, relative to where it starts, and how alike the moves of two tasks are."""
    rows = _together(run.inspection["movement"] if run.inspection else [])
    if not rows:
        return None

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
        places = np.arange(len(rows))[::-1]
        sizes = [row["relative"] if row["relative"] is not None else row["norm"] for row in rows]
        colours = [SERIES[0] if row["relative"] is not None else MUTED for row in rows]
        left.barh(places, sizes, height=0.7, color=colours)
        left.set(title="length of the move / of the start", yticks=places)
        left.set_yticklabels([row["tensor"] for row in rows], fontsize=7.5)
        known = [
            (place, row["shared"])
            for place, row in zip(places, rows, strict=True)
            if row["shared"] is not None
        ]
        right.axvline(0, color=MUTED, linewidth=0.8)
        for place, shared in known:
            right.plot([0, shared], [place, place], color=SERIES[1], linewidth=1.2)
        right.plot([s for _, s in known], [p for p, _ in known], "o", color=SERIES[1], markersize=4)
        right.set(title="cosine of two tasks' moves", xlim=(min(-0.1, *(s for _, s in known), 0), 1))
        for axes in (left, right):
            axes.grid(visible=False, axis="y")

    return picture(f"movement-{number}", "moves of the adapted tensors", 9.4, 0.9 + 0.19 * len(rows), draw)


def _together(rows: Sequence[Row]) -> list[Row]:
    """The rows for the picture: a tensor each, or the means of a layer where they are too many."""
    short = [
        {"tensor": shortened(row["tensor"]), "norm": row["norm"]["mean"]}
        | {name: row[name] for name in ("relative", "shared")}
        for row in rows
    ]
    if len(short) <= MOST:
        return short
    layers: dict[str, list[Row]] = {}
    for row in short:
        layers.setdefault(row["tensor"].split(".")[0], []).append(row)
    return [
        {"tensor": name} | {key: _mean(own, key) for key in ("norm", "relative", "shared")}
        for name, own in layers.items()
    ]


def _mean(rows: Sequence[Row], key: str) -> float | None:
    values = [row[key] for row in rows if row[key] is not None]
    return float(np.mean(values)) if values else None


def shortened(tensor: str) -> str:
    """'encoder.layer.4.attention.self.query.A' as '4.attention.self.query.A'."""
    parts = tensor.split(".")
    at = next((n for n, part in enumerate(parts) if part.isdigit()), 0)
    return ".".join(parts[at:])


def rates(run: ReportedRun, number: int) -> str | None:
    """The learned inner rate of each tensor: a dot a step, with the range of a tensor's own numbers."""
    rows = run.inspection["rates"] if run.inspection else []
    names = list(dict.fromkeys(row["tensor"] for row in rows))
    if not rows or len(names) > 4 * MOST:
        return None
    steps = sorted({row["step"] for row in rows if row["step"] is not None})

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        place = {name: len(names) - n for n, name in enumerate(names)}
        for row in rows:
            late = (row["step"] or 0) / max(1, len(steps) - 1)
            y = place[row["tensor"]] + (0.3 * (0.5 - late) if steps else 0)
            axes.plot([row["low"], row["high"]], [y, y], color=MUTED, linewidth=1)
            axes.plot(
                row["rate"], y, "o", color=SERIES[0], alpha=0.35 + 0.65 * late if steps else 1, markersize=4
            )
        axes.set_yticks(list(place.values()), [shortened(name) for name in place], fontsize=7.5)
        if min(row["low"] for row in rows) > 0:
            axes.set_xscale("log")
        axes.tick_params("x", colors=INK)
        axes.grid(visible=False, axis="y")
        later = f", steps 1 to {len(steps)} from pale to full" if steps else ""
        axes.set(title=f"inner rate{later}")

    return picture(f"rates-{number}", "learned inner rates by tensor", 9.4, 0.9 + 0.19 * len(names), draw)
