"""The commands `fewshot adapt` and `fewshot predict`."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console

from fewshot.classify.examples import check_balance
from fewshot.classify.learned import learned
from fewshot.classify.reading import STANDARD, Line, read_support, read_texts
from fewshot.classify.store import Stored, load_task, save_task
from fewshot.classify.task import Answers, adapted, answer, write
from fewshot.errors import InputError, require_at_least
from fewshot.models.learner import Learner
from fewshot.run import check_free

Row = dict[str, Any]

ADAPT = """Learn one task from labelled examples: a few of each class, in a second.

RUN is the directory of a meta-trained run; without it the one that comes with the package is taken, which
knows English questions and commands best. DIR is an adapter that PEFT loads, with its head beside it."""
PREDICT = (
    """Answer texts with what `fewshot adapt` learned; one JSON object a line out, as the texts come in."""
)


def adapt(arguments: Sequence[str]) -> int:
    """`fewshot adapt`."""
    parser = _parser("adapt", ADAPT, "adapt --support questions.csv --out tasks/questions")
    parser.add_argument("run", nargs="?", help="directory of a run; by default the one of the package")
    parser.add_argument("--support", required=True, help="file of examples, or - for JSON lines")
    parser.add_argument("--out", required=True, help="the directory to write")
    parser.add_argument("--text", default="text", help="the column with the text")
    parser.add_argument("--label", default="label", help="the column with the class, or with the answer")
    answers = "the labels are answers: learn to write such ones; for runs of LoraCausal"
    parser.add_argument("--write", action="store_true", help=answers)
    parser.add_argument("--overwrite", action="store_true", help="replace an adapted task that is there")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="by default the run's own")
    given = parser.parse_args(list(arguments))
    out = Path(given.out)
    if not given.overwrite:
        check_free(out)
    elif out.exists() and not (out / "task.json").is_file():
        raise InputError("only an adapted task is replaced", where=out, needed="a name that is free")
    support = read_support(given.support, given.text, given.label, least=1 if given.write else 2)
    meta = learned(given.run, given.device)
    task = adapted(meta, support, given.write)
    _tell(cut(meta.model, support.texts) + _cut_prompts(meta.model), meta.model)
    save_task(out, task, meta)
    size = (out / "adapter_model.safetensors").stat().st_size
    console = Console(highlight=False)
    kinds = "" if given.write else f" of {len(support.classes)} classes"
    console.print(f"{len(support.texts)} examples{kinds} in {task.seconds:.2f} s")
    if not given.write and (unbalanced := check_balance(support)):
        console.print(unbalanced, soft_wrap=True, markup=False)
    console.print(f"written to {out} ({size / 1024:,.0f} KiB of adapter)", soft_wrap=True, markup=False)
    return 0


def predict(arguments: Sequence[str]) -> int:
    """`fewshot predict`."""
    parser = _parser("predict", PREDICT, "predict tasks/questions --texts new.txt > labels.jsonl")
    parser.add_argument("dir", help="what `fewshot adapt` wrote")
    parser.add_argument("--texts", default=STANDARD, help="a file; by default standard input")
    kinds = "of the texts: a text a line, JSON objects, a table; auto tells them apart"
    parser.add_argument("--format", choices=["auto", "text", "jsonl", "csv"], default="auto", help=kinds)
    parser.add_argument("--text", default="text", help="the field or column with the text")
    parser.add_argument("--explain", type=int, default=0, metavar="N", help="also the N nearest examples")
    far = "label null for a text further than this from every example (0 to 2)"
    parser.add_argument("--max-distance", type=float, metavar="D", help=far)
    wrong = "at a line that cannot be read"
    parser.add_argument("--on-error", choices=["stop", "skip"], default="stop", help=wrong)
    parser.add_argument("--batch", type=int, default=32, help="texts answered together; 1 for each at once")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="by default a GPU where there is one")
    given = parser.parse_args(list(arguments))
    require_at_least("fewshot predict", given, batch=1, explain=0)
    stored = load_task(Path(given.dir), given.device)
    rows = _answering(stored, given.explain, given.max_distance)
    skipped: list[InputError] = []

    def wrong_line(error: InputError) -> None:
        if given.on_error == "stop":
            raise error
        skipped.append(error)
        print(f"left out: {error}", file=sys.stderr)

    lines = read_texts(given.texts, given.format, given.text, wrong_line)
    shortened = 0
    while batch := list(islice(lines, given.batch)):
        for row in rows(batch):
            shortened += "truncated" in row
            print(json.dumps(row, ensure_ascii=False))
        sys.stdout.flush()
        shortened += _cut_prompts(stored.meta.model)
    _tell(shortened, stored.meta.model)
    return 0


def _answering(stored: Stored, explain: int, most: float | None) -> Callable[[Sequence[Line]], Iterator[Row]]:
    """What makes the rows of some lines.

    Raises:
        InputError: distances of a task that writes.
    """
    if not stored.task.writes:
        return partial(_rows, stored, explain=explain, most=most)
    if explain or most is not None:
        raise InputError(
            "a task that writes knows no distances",
            where="--explain, --max-distance",
            needed="a task of classes, learned by a run of LoraEncoder",
            fix="leave them out",
        )
    return partial(_written, stored)


def _written(stored: Stored, batch: Sequence[Line]) -> Iterator[Row]:
    """What is printed of each text that is answered by writing."""
    texts = [line.text for line in batch]
    for text, written in zip(texts, write(stored.meta, stored.task, texts), strict=True):
        yield {"text": text, "written": written}


def _rows(stored: Stored, batch: Sequence[Line], explain: int, most: float | None) -> Iterator[Row]:
    """What is printed of each text."""
    texts, task = [line.text for line in batch], stored.task
    answers = answer(stored.meta, task, texts)
    long = stored.meta.model.cut([(text, None) for text in texts])
    nearest = _nearest(stored, answers, explain)
    for number, (text, place) in enumerate(zip(texts, answers.predicted.tolist(), strict=True)):
        distance = None if answers.distances is None else float(answers.distances[number].min())
        outside = most is not None and distance is not None and distance > most
        scores = zip(task.classes, answers.probabilities[number].tolist(), strict=True)
        yield {
            "text": text,
            "label": None if outside else task.classes[place],
            "scores": {name: round(value, 6) for name, value in scores},
            **({} if distance is None else {"distance": round(distance, 6)}),
            **({"nearest": nearest[number]} if explain else {}),
            **({"truncated": True} if long[number] else {}),
        }


def _nearest(stored: Stored, answers: Answers, count: int) -> list[list[dict[str, Any]]]:
    if not count:
        return []
    support, places = stored.task.support, answers.nearest(count)
    assert answers.distances is not None
    return [
        [
            {"text": support.texts[n], "label": support.labels[n], "distance": round(float(row[n]), 6)}
            for n in own
        ]
        for row, own in zip(answers.distances, places.tolist(), strict=True)
    ]


def cut(model: Any, texts: Sequence[str]) -> int:
    """How many texts are longer than what the model reads."""
    return sum(model.cut([(text, None) for text in texts]))


def _cut_prompts(model: Learner) -> int:
    """How many prompts the model had to cut since it was asked last; 0 where it reads texts alone."""
    return sum(count for _, count in model.take_prompts().values())


def _tell(shortened: int, model: Any) -> None:
    if shortened:
        length = getattr(model, "max_length", 0)
        print(
            f"{shortened} texts are longer than {length} tokens: the rest of them was not read",
            file=sys.stderr,
        )


def _parser(name: str, text: str, example: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=f"fewshot {name}",
        description=text,
        epilog=f"example: fewshot {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
