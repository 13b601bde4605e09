"""The commands that need a model: train, evaluate, compare."""

import re
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from jsonargparse import ArgumentParser
from rich.console import Console

from fewshot.algorithms.algorithm import foresee
from fewshot.algorithms.algorithms import ALGORITHMS, BASELINES
from fewshot.comparison import Contestant, adapted_by, compare, comparison, like
from fewshot.config import build, command_parser, parse, read_config, resolved
from fewshot.errors import InputError, suggestion
from fewshot.evaluation import Evaluation, evaluate
from fewshot.files import write_json, write_text
from fewshot.inspection.inspect import inspect
from fewshot.loading import LoadedRun, load_run
from fewshot.models.rates import agree
from fewshot.processes import Processes, together
from fewshot.report.tables import print_comparison, print_summary
from fewshot.report.worked import print_episode
from fewshot.run import RunFolder, check_free
from fewshot.tasks.family import TaskFamily, episodes
from fewshot.tasks.manifest import Manifest, Replayed
from fewshot.trackers import TRACKERS
from fewshot.training import Trainer
from fewshot.untrusted.code import check_place
from fewshot.untrusted.paths import inside

TRAIN = """Meta-train, evaluate on the test side, write a run directory.

With no configuration: the attribute tasks on MiniLM, 5-way 5-shot. Several GPUs or machines:
`torchrun --nproc-per-node 8 -m fewshot train ...`; the episodes are shared out (docs/processes.md)."""
EVALUATE = """Adapt the model of a run to test episodes and score every one, also under torchrun.

Takes every option of `fewshot train` too, to change what is evaluated (--family.shot 5)."""
COMPARE = """Runs and baselines on the same test episodes, with paired differences task by task.

Takes every option of `fewshot train` too, to change what is evaluated (--family.shot 5)."""


def train(arguments: Sequence[str]) -> int:
    """`fewshot train`, in one process or in each of those that torchrun started."""
    with together() as processes:
        return _train(arguments, processes)


def _train(arguments: Sequence[str], processes: Processes) -> int:
    example = "--family NWayKShot --family.source questions.jsonl --out runs/questions"
    parser = command_parser("train", "[--config FILE] [--key value ...] --out RUN", TRAIN, example)
    parser.add_argument("--out", type=str, help="the run directory to write; needed, but for --resume")
    parser.add_argument("--overwrite", action="store_true", help="replace a run directory that exists")
    strict = "refuse data whose sides share classes, texts or near-duplicates; else they are reported"
    parser.add_argument("--strict", action="store_true", help=strict)
    shown = f"write the lines of the log for these too, into OUT/trackers: {', '.join(TRACKERS)}"
    parser.add_argument("--trackers", nargs="*", default=[], help=shown)
    going_on = "go on with a training that was stopped, with its own settings; --trackers alone may follow"
    parser.add_argument("--resume", type=str, metavar="RUN", help=going_on)
    parsed = parse(parser, _those_of_the_run(arguments))
    if parsed.out is None:
        raise InputError("--out is missing", needed="the run directory to write", fix="add --out runs/NAME")
    out = Path(parsed.out)
    if processes.first and not parsed.overwrite and not parsed.resume:
        check_free(out)
    agree(processes)
    parts = build(parser, parsed)
    trainer = Trainer(
        **vars(parts),
        out=out,
        config=lambda: resolved(parser, parsed, parts, trainer.resolved()),
        strict=parsed.strict,
        trackers=parsed.trackers,
        resume=parsed.resume is not None,
        processes=processes,
    )
    trainer.check()
    if processes.first and out.exists() and not parsed.resume:
        RunFolder(out).remove()
    run = trainer.fit()
    if not processes.first:
        return 0
    console = Console()
    print_summary(run.summary, console)
    console.print(f"written to {out}", soft_wrap=True, highlight=False, markup=False)
    return 0


def _those_of_the_run(arguments: Sequence[str]) -> list[str]:
    """The arguments; of `--resume RUN` those that the run was started with.

    Raises:
        InputError: other options beside it, no run to go on with, or one that names code in a run.
    """
    words = [part for word in arguments for part in (word.split("=", 1) if word.startswith("--") else [word])]
    if "--resume" not in words:
        return list(arguments)
    place = words.index("--resume")
    given, others = words[place + 1 : place + 2], words[:place] + words[place + 2 :]
    if not given or (others and others[0] != "--trackers"):
        raise InputError(
            "a training goes on with its own settings",
            where="--resume",
            got=" ".join(others) or "no run",
            needed="the run directory, and no other options but --trackers",
            fix="fewshot train --resume RUN",
        )
    folder = RunFolder(Path(given[0]))
    folder.check_is_run()
    config = folder.path / "config.yaml"
    check_place(read_config(config), config)
    return ["--config", str(config), "--out", *given, "--resume", *given, *others]


def evaluate_run(arguments: Sequence[str]) -> int:
    """`fewshot evaluate`, in one process or in each of those that torchrun started."""
    with together() as processes:
        return _evaluate(arguments, processes)


def _evaluate(arguments: Sequence[str], processes: Processes) -> int:
    parser = command_parser(
        "evaluate", "RUN [--episodes N] [--name NAME]", EVALUATE, "runs/demo --episodes 600"
    )
    parser.add_argument("--episodes", type=int, help="short for --evaluation.episodes")
    parser.add_argument("--name", type=str, help="folder in RUN/evaluations; by default episodes-N-seed-S")
    parser.add_argument("--overwrite", action="store_true", help="replace an evaluation of that name")
    replay = "draw the episodes of this manifest.json again, of an evaluation here or elsewhere"
    parser.add_argument("--manifest", type=str, metavar="FILE", help=replay)
    agree(processes)
    (run,), _ = _load_runs(parser, arguments, most=1)
    family, settings = run.parts.family, run.parts.evaluation
    if run.parsed.manifest:
        family, settings = replayed(Path(run.parsed.manifest), family, settings)
    name = run.parsed.name or f"episodes-{settings.episodes}-seed-{settings.seed}"
    folder = inside(run.folder.path, f"evaluations/{name}", "--name")
    if processes.first and not run.parsed.overwrite:
        check_free(folder)
    parts, started = run.parts, time.perf_counter()
    asked = replace(settings, repeats=1) if run.parsed.manifest else settings  # it lists every draw
    learned = parts.model, parts.algorithm
    foresee(parts.model, family.split("test"))
    results = evaluate(family, *learned, asked, title="test episodes", processes=processes)
    if not processes.first:
        return 0
    seconds = time.perf_counter() - started
    summary = RunFolder.summary(results, settings, *learned, seconds, parts.validation.baseline_loss)
    inspection = inspect(*learned, results, settings, title="inspection")
    RunFolder.write_results(folder, results, summary, parts.family, inspection)
    write_text(folder / "config.yaml", resolved(parser, run.parsed, parts))
    console = Console()
    print_summary(summary, console)
    console.print(f"written to {folder}", soft_wrap=True, highlight=False, markup=False)
    return 0


def replayed(file: Path, family: TaskFamily, settings: Evaluation) -> tuple[TaskFamily, Evaluation]:
    """The episodes of a manifest, all of them or as many as are asked for, under its seed."""
    content = Manifest.read(file)
    count = min(settings.episodes, len(content.entries))
    asked = replace(settings, episodes=count, seed=content.seed, repeats=content.repeats)
    return Replayed(family, content), asked


def compare_runs(arguments: Sequence[str]) -> int:
    """`fewshot compare`."""
    usage = "RUN... [--baselines NAME ...] [--algorithms NAME ...] [--episodes N] [--out FILE]"
    parser = command_parser(
        "compare", usage, COMPARE, "runs/demo --baselines prototypes ridge --episodes 200"
    )
    parser.add_argument("--baselines", nargs="*", default=[], help=f"any of {', '.join(BASELINES)}")
    adapts = "adapt each RUN's meta-parameters by these inner methods too, any of"
    parser.add_argument("--algorithms", nargs="*", default=[], help=f"{adapts} {', '.join(ALGORITHMS)}")
    parser.add_argument("--episodes", type=int, help="short for --evaluation.episodes")
    parser.add_argument("--out", type=str, help="the file to write; by default compare.json in the first RUN")
    parser.add_argument("--example", type=int, help="also show the episode of this number in words")
    runs, names = _load_runs(parser, arguments)
    first = runs[0]
    _check_same_tasks(runs, names)
    out = Path(first.parsed.out) if first.parsed.out else first.folder.path / "compare.json"
    if out.is_dir():
        raise InputError("--out names a folder", where=out, needed="the name of a file, such as compare.json")
    contestants = _contestants(runs, names)
    settings = first.parts.evaluation
    results = compare(first.parts.family, contestants, settings)
    content = comparison(results, contestants, names[0], settings.seed)
    write_json(out, content)
    console = Console()
    if first.parsed.example is not None:
        (episode,) = episodes(first.parts.family, "test", settings.seed, [first.parsed.example])
        print_episode(episode, first.parts.model, first.parts.algorithm, console)
    print_comparison(content, console)
    console.print(f"written to {out}", soft_wrap=True, highlight=False, markup=False)
    return 0


def _load_runs(
    parser: ArgumentParser, arguments: Sequence[str], most: int = 100
) -> tuple[list[LoadedRun], list[str]]:
    """The runs that a command line starts with, under its other options, and their names."""
    count = next((n for n, word in enumerate(arguments) if word.startswith("-")), len(arguments))
    paths, options = list(arguments[:count]), list(arguments[count:])
    if {"-h", "--help"} & set(options):
        parser.parse_args(["--help"])
    if not 1 <= count <= most:
        raise InputError(
            "the run to read is not clear",
            where=parser.prog,
            got=f"{count} run directories before the first option",
            needed="one" if most == 1 else "at least one",
            fix=f"usage: {parser.usage}",
        )
    options = [re.sub("^--episodes(?==|$)", "--evaluation.episodes", word) for word in options]
    return [load_run(path, parser, options) for path in paths], [Path(path).name for path in paths]


def _contestants(runs: Sequence[LoadedRun], names: Sequence[str]) -> list[Contestant]:
    """The baselines, the runs, and the runs under other inner methods."""
    asked, model = runs[0].parsed, runs[0].parts.model
    _check_known("baseline", asked.baselines, BASELINES)
    _check_known("algorithm", asked.algorithms, ALGORITHMS)
    baselines = [Contestant(name, model, BASELINES[name](), baseline=True) for name in asked.baselines]
    for each in baselines:
        each.algorithm.prepare(model)
    own = [Contestant(n, run.parts.model, run.parts.algorithm) for n, run in zip(names, runs, strict=True)]
    others = [adapted_by(run, like(name, run.algorithm), name) for run in own for name in asked.algorithms]
    return [*baselines, *own, *others]


def _check_known(kind: str, names: Sequence[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"unknown {kind} {name!r}", where=f"--{kind}s", fix=suggestion(name, known))


def _check_same_tasks(runs: Sequence[LoadedRun], names: Sequence[str]) -> None:
    asked = runs[0].parsed
    rows = [*names, *asked.baselines, *asked.algorithms]
    if len(set(rows)) < len(rows):
        raise InputError("two rows would have the same name", got=", ".join(rows), needed="a name for each")
    for run, name in zip(runs, names, strict=True):
        if run.parsed.family != runs[0].parsed.family:
            raise InputError(
                "the runs were made for different tasks",
                where=f"family of {names[0]} and {name}",
                needed="the same family, so that the episodes are the same",
                fix="give the family on the command line, it then holds for all runs",
            )
