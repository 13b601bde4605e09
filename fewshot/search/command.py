"""The command `fewshot search`."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from fewshot.config import GROUPS, command_parser, parse, parse_values, values
from fewshot.errors import InputError
from fewshot.run import check_free
from fewshot.search.lead import STATES, TRIALS, Job, lead
from fewshot.search.reading import read_space
from fewshot.search.settings import Search
from fewshot.search.space import Space
from fewshot.search.study import make_pruner, make_sampler, open_storage, open_study
from fewshot.search.worker import Plan, Worker

SEARCH = """Search settings and select models: train, validate, adjust, until it is good enough.

Trials train on the meta-training side and are judged on validation episodes by S, the loss in units of that
of guessing (lower is better, 1 is chance). At the end the best settings and the default ones are trained
with several seeds, and the test side is drawn from for the first time. What is searched stands in the section
`search` of a configuration; without one, the embedded default is searched. The same command goes on where
an earlier one was stopped."""
USAGE = "[--config FILE] [--trials N] [--target METRIC=VALUE] [--budget TIME] [--storage URL] --out DIR"
EXAMPLE = "--config space.yaml --target recall=0.9 --budget 2h --workers 2 --out runs/search"
DEFAULT = Path(__file__).with_name("default.yaml")


def search(arguments: Sequence[str]) -> int:
    """`fewshot search`."""
    parser = _parser()
    parsed = parse(parser, _with_default(arguments))
    out = Path(parsed.out)
    settings = Search(**{field.name: parsed[field.name] for field in fields(Search)})
    base = values(parser, parsed)
    plan = _plan(base, parsed.search, settings)
    _check_out(out)
    storage = open_storage(parsed.storage or f"sqlite:///{_made(out) / TRIALS}")
    pruner = make_pruner(settings, base["validation"]["every"])
    study = open_study(storage, parsed.study, _identity(base, parsed.search, settings), pruner)
    plan = _sharing(plan, out)
    job = Job(out, plan, study, time.monotonic() + (settings.budget_seconds() or math.inf))
    if parsed.join:
        Worker(study, plan, job.deadline).work()
        return 0
    lead(job, arguments)
    return 0


def _parser() -> ArgumentParser:
    parser = command_parser("search", USAGE, SEARCH, EXAMPLE)
    parser.add_class_arguments(Search)
    space = "by argument its values: [low, high], [low, high, log] or {choices: [...]}"
    parser.add_argument("--search", type=dict[str, Any], default={}, help=space)
    parser.add_argument("--out", type=str, required=True, help="the folder to write, or to go on in")
    storage = "where workers share trials: a database URL or a .journal file; by default a file in --out"
    parser.add_argument("--storage", type=str, metavar="URL", help=storage)
    parser.add_argument("--study", type=str, default="search", help="name of this search in the storage")
    join = "only take trials of a search that another process leads, here or on another machine"
    parser.add_argument("--join", action="store_true", help=join)
    return parser


def _with_default(arguments: Sequence[str]) -> list[str]:
    named = any(word.partition("=")[0] in ("--config", "--search") for word in arguments)
    return list(arguments) if named else ["--config", str(DEFAULT), *arguments]


def _plan(base: Mapping[str, Any], content: Mapping[str, Any], settings: Search) -> Plan:
    """What is searched, checked.

    Raises:
        InputError: a space that does not work, a search without validation.
    """
    _check_groups(base)
    if base["validation"]["every"] < 1:
        raise InputError(
            "a search needs validation",
            where="validation.every",
            got=0,
            needed="1 or more: trials are judged by it",
        )
    space = read_space(content, base)
    _check_values(space, base)
    make_sampler(settings, 0, space)
    points = tuple(space.grid()) if settings.sampler == "grid" else ()
    points = tuple(point for point in points if point != space.default(base))  # that is trial 0
    if points and settings.trials is not None:
        raise InputError(
            "a grid has its own number of trials",
            where="--trials",
            got=settings.trials,
            needed=f"all {len(points)} combinations",
            fix="leave --trials out, or take --sampler random",
        )
    return Plan(base, space, settings, points)


def _check_groups(config: Mapping[str, Any]) -> None:
    """Refuses settings that are out of range, before anything is written."""
    for name, group in GROUPS.items():
        group(**config[name])


def _check_values(space: Space, base: Mapping[str, Any]) -> None:
    """Tries the ends of every range and every choice on the parser.

    Raises:
        InputError: values of the wrong type, all at once.
    """
    wrong = []
    for parameter in space.parameters:
        names = parameter.choices or parameter.ends()
        given = {parameter.when[0]: min(parameter.when[1])} if parameter.when else {}
        for name in names:
            chosen = given | {parameter.name: name}
            try:
                config = space.config(base, space.needed(chosen) | chosen)
                parse_values(config)
                _check_groups(config)
            except InputError as error:
                wrong.append(f"{parameter.name}: {parameter.value(name)!r}: {_got(error)}")
    if wrong:
        raise InputError(
            "the search space has values that their arguments do not take",
            where="search",
            got="".join(f"\n    {line}" for line in wrong),
            needed="values of the type that `fewshot search --help` shows",
        )


def _got(error: InputError) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line.removeprefix("got:").strip() for line in lines if line.startswith("got:")), lines[0])


def _check_out(out: Path) -> None:
    """Refuses a folder that no search wrote, or that of one that has ended."""
    file = out / "search.json"
    if not file.is_file():
        if out.exists() and not (out / TRIALS).exists():
            check_free(out)
        return
    ended = json.loads(file.read_text(encoding="utf-8"))
    if ended.get("test"):
        raise InputError(
            "this search has ended, and the test side has been drawn from",
            where=out,
            got=f"a search that ended since {ended['ended']}",
            needed="a folder for another search",
            fix="choose another --out; to search on with the same test side would be to choose by it",
        )


def _made(out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    return out


def _identity(base: Mapping[str, Any], content: Mapping[str, Any], settings: Search) -> dict[str, Any]:
    """What makes trials comparable, as JSON would give it back."""
    found = {"configuration": base, "space": content, "sampler": settings.sampler, "seed": settings.seed}
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


def _sharing(plan: Plan, out: Path) -> Plan:
    """With a cache of frozen states on disk that all trials share, unless the user has set one."""
    base = json.loads(json.dumps(plan.base))
    cache = base["model"].get("init_args", {}).get("cache")
    if cache and cache["folder"] is None:
        cache |= {"folder": str(out / STATES), "shared": True}
    return Plan(base, plan.space, plan.settings, plan.points)
