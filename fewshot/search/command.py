"""The command `fewshot search`."""

import contextlib
import json
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import FrameType
from typing import Any

import optuna
from jsonargparse import ArgumentParser

from fewshot.config import command_parser, parse, values
from fewshot.errors import InputError
from fewshot.search.lead import STATES, TRIALS, Job, lead
from fewshot.search.plan import Plan
from fewshot.search.planning import make_plan
from fewshot.search.settings import Search
from fewshot.search.study import make_pruner, open_storage, open_study
from fewshot.search.worker import Worker
from fewshot.untrusted.values import read_json

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
    plan = make_plan(base, parsed.search, settings)
    _check_workers(settings, parsed.config)
    if not parsed.join:
        _check_out(out)
    storage = open_storage(parsed.storage or f"sqlite:///{_made(out) / TRIALS}")
    pruner = make_pruner(settings, base["validation"]["every"])
    study = open_study(storage, parsed.study, _identity(base, parsed.search, settings), pruner)
    plan = _sharing(plan, out)
    with _ending_on_request():
        if parsed.join:
            _join(study, plan, out)
        else:
            lead(Job(out, plan, study), arguments)
    return 0


def _join(study: optuna.Study, plan: Plan, out: Path) -> None:
    """Takes trials; the frozen states are the leader's to remove, where it has the same folder."""
    try:
        Worker(study, plan).work()
    finally:
        if not (out / "search.json").exists():
            shutil.rmtree(out / STATES, ignore_errors=True)


@contextlib.contextmanager
def _ending_on_request() -> Iterator[None]:
    """SIGTERM ends the process as an interruption does: trials are given back, children ended."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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


def _check_out(out: Path) -> None:
    """Refuses a folder that no search wrote, or that of one that has ended."""
    file = out / "search.json"
    if not file.is_file():
        if out.exists() and not (out / TRIALS).exists():
            raise InputError(
                "the output exists already, and no search wrote it",
                where=out,
                needed="a name that is free, or the folder of a search to go on with",
                fix="choose another --out",
            )
        return
    try:
        ended = read_json(file, numbers=False)
        tested = ended.get("test")
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            "this is no folder of a search", where=file, got=error, needed="the search.json that it wrote"
        ) from error
    if tested:
        raise InputError(
            "this search has ended, and the test side has been drawn from",
            where=out,
            got=f"a search that ended since {ended['ended']}",
            needed="a folder for another search",
            fix="choose another --out; to search on with the same test side would be to choose by it",
        )


def _check_workers(settings: Search, configs: Sequence[Any] | None) -> None:
    """Refuses a configuration that further processes could not read again."""
    pipes = [str(each) for each in configs or () if each and not Path(str(each)).is_file()]
    if settings.workers > 1 and pipes:
        raise InputError(
            "several workers read the configuration, each for itself",
            where="--config",
            got=f"{pipes[0]}, which can be read once",
            needed="a file",
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
