"""The page: one file that opens from a disk, without a network and without a script."""

from collections.abc import Mapping, Sequence
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, UndefinedError
from markupsafe import Markup

from fewshot.report import charts, inside
from fewshot.report.content import cost
from fewshot.report.parsing import Row
from fewshot.report.reading import ReportedRun
from fewshot.report.svg import SERIES
from fewshot.report.tables import half_width, percent
from fewshot.report.views import cost_table, difference_rows, view_of
from fewshot.versions import PACKAGE, version_of

TEMPLATES = "templates"


def page(runs: Sequence[ReportedRun], content: Row) -> str:
    """The report of runs as HTML.

    Args:
        runs: finished ones on the same episodes, and unfinished ones.
        content: of `content_of`.

    Raises:
        ValueError: files of a run that lack something.
    """
    loader = PackageLoader("fewshot.report", TEMPLATES)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {"percent": percent, "half": half_width}
    style = files("fewshot.report").joinpath(TEMPLATES, "report.css").read_text(encoding="utf-8")
    try:
        text = environment.get_template("report.html").render(_context(runs, content), style=Markup(style))
    except UndefinedError as error:
        raise ValueError(str(error)) from error
    return "\n".join(line for line in text.splitlines() if line.strip()) + "\n"


def _context(runs: Sequence[ReportedRun], content: Row) -> Row:
    finished = [run for run in runs if run.finished]
    views = {run.name: view_of(run) | _pictures_of(run, number) for number, run in enumerate(runs, 1)}
    pictures = _pictures(runs)
    shown = {
        "summary": bool(finished),
        "comparison": bool(content["differences"]),
        **{f"methods-{n}": True for n, _ in enumerate((r for r in finished if r.comparison), 1)},
        **dict.fromkeys(("curves", "tasks", "calibration", "layers"), bool(finished)),
        **dict.fromkeys(("training", "data", "reproduce"), True),
    }
    return {
        "title": _title(runs),
        "subtitle": _subtitle(runs, views),
        "contents": [(id_, name) for id_, name in _names(finished).items() if shown.get(id_)],
        "runs": list(views.values()),
        "finished": [views[run.name] for run in finished],
        "unfinished": [views[run.name] for run in runs if not run.finished],
        "compared": [views[run.name] for run in finished if run.comparison],
        "reference": content["reference"],
        "differences": list(difference_rows(content["differences"])),
        "differ_in_words": any(run.written for run in finished),
        "pictures": pictures,
        "calibration": [_calibrated(run) for run in finished if run.figures.get("calibration")],
        "inside": bool(pictures["similarity"]) or any(v["movement"] or v["rates"] for v in views.values()),
        "still": any(run.inspection is not None for run in finished),
        "cost": cost_table([(run.name, cost(run)) for run in runs]),
        "command": content["command"],
        "version": version_of(PACKAGE),
    }


def _names(finished: Sequence[ReportedRun]) -> dict[str, str]:
    """The sections in their order, as the list of contents names them."""
    compared = [run.name for run in finished if run.comparison]
    methods = {f"methods-{n}": f"Methods beside {name}" for n, name in enumerate(compared, 1)}
    return {
        "summary": "Summary",
        "comparison": "Comparison",
        **methods,
        "curves": "Adaptation",
        "tasks": "Tasks",
        "calibration": "Calibration",
        "layers": "Inside the model",
        "training": "Training and cost",
        "data": "Data",
        "reproduce": "Settings, versions, commands",
    }


def _title(runs: Sequence[ReportedRun]) -> str:
    names = [run.name for run in runs]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _subtitle(runs: Sequence[ReportedRun], views: Mapping[str, Row]) -> str:
    """What the figures are of."""
    finished = [run for run in runs if run.finished]
    if not finished:
        return "not finished"
    count = f"{len(finished)} runs on the same " if len(finished) > 1 else ""
    return count + str(views[finished[0].name]["episodes_said"])


def _pictures(runs: Sequence[ReportedRun]) -> dict[str, Markup | None]:
    """Those that set the runs beside each other; None for what was not recorded."""
    drawn = {
        "curves": charts.curves(runs),
        "distribution": charts.distribution(runs),
        "reliability": charts.reliability(runs),
        "similarity": charts.similarity(runs),
        "training": charts.training(runs),
    }
    return {name: Markup(svg) if svg else None for name, svg in drawn.items()}


def _pictures_of(run: ReportedRun, number: int) -> Row:
    drawn = {"movement": inside.movement(run, number), "rates": inside.rates(run, number)}
    marked = {name: Markup(svg) if svg else None for name, svg in drawn.items()}
    return marked | {"colour": (number - 1) % len(SERIES) + 1}


def _calibrated(run: ReportedRun) -> str:
    found = run.figures["calibration"]
    queries = sum(each["queries"] for each in found["bins"])
    return f"{run.name}: expected calibration error {percent(found['ece'])}% over all {queries:,} queries."
