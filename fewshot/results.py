"""What is said of scored tasks: rows of tables, and the figures over tasks."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from fewshot.evaluation import TaskResult
from fewshot.metrics.answers import Answers, joined
from fewshot.metrics.bootstrap import bootstrap_interval
from fewshot.metrics.calibration import calibration
from fewshot.metrics.intervals import mean_interval, over_tasks, set_means
from fewshot.metrics.needed import episodes_needed
from fewshot.metrics.scores import FURTHER, SCORES, class_scores
from fewshot.metrics.variance import variance_split
from fewshot.score import score

Row = dict[str, Any]
LOSSES = ("log_loss", "ece")  # lower is better
HALF_WIDTHS = (0.01, 0.005, 0.0025)  # of intervals that people ask for


def task_rows(results: Sequence[TaskResult]) -> list[Row]:
    """The rows of `tasks.csv`."""
    rejects = any(result.auroc is not None for result in results)
    return [
        _task_row(result) | ({"auroc": result.auroc} if rejects else {}) | generation_of(result)
        for result in results
    ]


def generation_of(result: TaskResult, before: bool = False) -> dict[str, float]:
    """Scores of what was written after adaptation, or before it; nothing where nothing was."""
    if not result.written:
        return {}
    return asdict(result.written.before if before else result.written.scores)


def output_rows(results: Sequence[TaskResult]) -> list[Row]:
    """The lines of `outputs.jsonl`: every query with what was written; none where nothing was."""
    return [
        {
            "task": result.task,
            "source": result.episode.source,
            "input": example.text,
            "reference": example.label,
            "output": output,
        }
        for result in results
        if result.written
        for example, output in zip(result.episode.query, result.written.outputs, strict=True)
    ]


def _task_row(result: TaskResult) -> Row:
    episode, after = result.episode, asdict(result.after)
    return {
        "task": result.task,
        "source": episode.source,
        "classes": json.dumps(episode.classes, ensure_ascii=False),
        "way": episode.way,
        "shot": _plain(episode.shot),
        "queries": _plain(episode.queries),
        **{name: after[name] for name in SCORES},
        "loss": result.loss,
        "accuracy_before": result.before.accuracy,
        "seconds": result.seconds,
        **{name: after[name] for name in ("balanced_accuracy", "f1_micro")},
        **({} if result.written else {"ece": after["ece"]}),
    }


def curve_rows(results: Sequence[TaskResult]) -> list[Row]:
    """The rows of `curve.csv`: every task at every moment of the inner loop."""
    return [
        {"task": result.task, "step": int(step)} | asdict(moment)
        for result in results
        for step, moment in zip(result.answers.steps, result.moments, strict=True)
    ]


def class_rows(results: Sequence[TaskResult]) -> list[Row]:
    """The rows of `classes.csv`: every class of every task, after adaptation."""
    found = class_scores(joined_answers(results))
    return [
        {
            "task": result.task,
            "class": name,
            "queries": int(found.queries[number, place]),
            "predicted": int(found.predicted[number, place]),
            **{each: float(getattr(found, each)[number, place]) for each in ("precision", "recall", "f1")},
        }
        for number, result in enumerate(results)
        for place, name in enumerate(result.episode.classes)
    ]


def joined_answers(results: Sequence[TaskResult]) -> Answers:
    """The answers of all tasks."""
    return joined([result.answers for result in results])


def summarise(
    results: Sequence[TaskResult], baseline: float | None = None, seed: int = 0, repeats: int = 1
) -> Row:
    """The figures of `summary.json` that follow from the task results.

    Args:
        results: of the tasks.
        baseline: see `fewshot.score.score`; no score where the prior's loss is 0.
        seed: of the bootstrap.
        repeats: how often the same classes were drawn from, one time after another; intervals are over the
            means of these draws then.
    """
    priors = [result.episode.prior_loss for result in results]
    scored = score([result.loss for result in results], priors, baseline) if baseline or any(priors) else None
    rejected = [result.auroc for result in results if result.auroc is not None]
    generation = _generation(results, repeats)
    _, std, *_ = mean_interval(set_means([result.after.accuracy for result in results], repeats))
    return {
        "episodes": len(results),
        "way": _common(result.episode.way for result in results),
        "shot": _common(result.episode.shot for result in results),
        **_scores(results, -1, _names(results), repeats, seed),
        "loss": over_tasks([result.loss for result in results])["mean"],
        "score": scored and scored.plain(),
        "before": _scores(results, 0, SCORES, repeats, seed) | _generation(results, repeats, before=True),
        "curve": _curve(results, repeats),
        "sources": _sources(results),
        "calibration": None if results[0].written else calibration(joined_answers(results)),
        "variance": _variance(results),
        "episodes_needed": {str(half): repeats * episodes_needed(std, half) for half in HALF_WIDTHS},
        **({"auroc": over_tasks(rejected)} if rejected else {}),
        **({"generation": generation} if generation else {}),
        **_prompts(results),
    }


def _prompts(results: Sequence[TaskResult]) -> Row:
    """Prompts that were read, and those of them that were too long; nothing for a model that reads none."""
    read, cut = (sum(each) for each in zip(*(result.prompts for result in results), strict=True))
    return {"prompts": {"read": read, "cut": cut}} if read else {}


def _generation(results: Sequence[TaskResult], repeats: int, before: bool = False) -> Row:
    """The scores of what was written, over the tasks; nothing where nothing was."""
    found = [each for result in results if (each := generation_of(result, before))]
    names = list(found[0]) if found else []
    return {name: over_tasks([row[name] for row in found], False, repeats) for name in names}


def setting_of(summary: Mapping[str, Any]) -> str:
    """The size of a test task, of the content of `summary.json`: '5-way 5-shot', '8 support examples'."""
    way, shot = (summary[name] if summary[name] is not None else "varying" for name in ("way", "shot"))
    if "generation" in summary:  # what is written has no classes
        return f"{'a varying number of' if shot == 'varying' else shot} support examples"
    return f"{way}-way {shot}-shot"


def _scores(
    results: Sequence[TaskResult],
    moment: int,
    names: Iterable[str],
    repeats: int = 1,
    seed: int | None = None,
) -> Row:
    """Each score at one moment of the inner loop, over the tasks; with a seed also bootstrapped."""
    found = {}
    for name in names:
        values = [getattr(result.moments[moment], name) for result in results]
        found[name] = over_tasks(values, name in LOSSES, repeats)
        if seed is not None:
            found[name]["bootstrap95"] = list(bootstrap_interval(set_means(values, repeats), seed))
    return found


def _names(results: Sequence[TaskResult]) -> list[str]:
    """The scores that are summarised; what is written word by word has no confidence to calibrate."""
    return [name for name in (*SCORES, *FURTHER) if not (name == "ece" and results[0].written)]


def _curve(results: Sequence[TaskResult], repeats: int) -> list[Row]:
    """The scores at every moment that was looked at."""
    names, steps = _names(results), results[0].answers.steps
    return [{"step": int(step)} | _scores(results, at, names, repeats) for at, step in enumerate(steps)]


def _sources(results: Sequence[TaskResult]) -> Row:
    """The scores of the tasks of each source."""
    by_source: dict[str, list[TaskResult]] = defaultdict(list)
    for result in results:
        by_source[result.episode.source].append(result)
    names = ("accuracy", "recall", "f1")
    return {
        source: {"episodes": len(own)} | _scores(own, -1, names) for source, own in sorted(by_source.items())
    }


def _variance(results: Sequence[TaskResult]) -> Row | None:
    """Where the spread of the accuracy comes from; None where no set of classes was drawn twice."""
    split = variance_split(
        np.array([result.after.accuracy for result in results]),
        np.array([len(result.episode.query) for result in results]),
        [(result.episode.source, *sorted(result.episode.classes)) for result in results],
    )
    return asdict(split) if split else None


def _common(values: Iterator[float]) -> float | None:
    """The value that all share; None where they differ."""
    distinct = set(values)
    return (_plain(distinct.pop()) or None) if len(distinct) == 1 else None


def _plain(value: float) -> float:
    """5 for 5.0: counts are whole numbers wherever they are."""
    return int(value) if value == int(value) else value
