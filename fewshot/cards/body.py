"""The text of a model card below its metadata. What it says follows from the run."""

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fewshot.cards.facts import NOT_STATED, Facts
from fewshot.cards.licences import common
from fewshot.checkpoint import beside_scaffold, meta_parameters
from fewshot.data.leaks import WORDS
from fewshot.data.split import SIDES
from fewshot.errors import InputError
from fewshot.metrics.scores import SCORES
from fewshot.models.lora_learner import LoraLearner
from fewshot.models.shapes import PREFIX
from fewshot.versions import PACKAGE

MARKS = re.compile(r"([\\`*_\[\]<>|~&$#])")  # of Markdown and HTML


def flat(text: object) -> str:
    """A text on one line."""
    return " ".join(str(text).split())


def plain(text: object) -> str:
    """A text on one line that Markdown shows as it stands, in a cell of a table too."""
    return MARKS.sub(r"\\\1", flat(text))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown; the cells may be any text."""
    lines = [head, ["---"] * len(head), *([plain(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def body(facts: Facts) -> str:
    """The whole text."""
    answers = "to answer in words" if facts.writes else "to classify texts"
    what = "A LoRA adapter" if facts.adapter.lora else "A model"
    how = "meta-trained" if facts.trained else "not meta-trained"
    parts = {
        "What it is": table(("part", "what"), _parts(facts)),
        "Data": _data(facts),
        "Test results": _results(facts),
        "Use": _use(facts),
        "Limits": "".join(f"- {line}\n" for line in _limits(facts)),
        "Licence": _licence(facts),
        "Versions": _versions(facts),
    }
    intro = (
        f"# {plain(facts.name)}\n\n{what}, {how} by {PACKAGE}, that learns {answers} from a few examples.\n"
    )
    return intro + "".join(f"\n## {title}\n\n{text}" for title, text in parts.items())


def _parts(facts: Facts) -> Iterator[tuple[str, str]]:
    model, algorithm = facts.run.model, facts.run.algorithm
    yield "model", type(model).__name__
    if facts.adapter.backbone:
        yield "backbone, frozen", facts.adapter.backbone
    order = facts.summary["order"]
    yield "algorithm", type(algorithm).__name__ + (f", order {order}" if order else "")
    numbers = sum(value.numel() for value in model.adapter().values())
    rank = f"rank {(facts.adapter.config or {})['r']}, " if facts.adapter.lora else ""
    yield "adapter", f"{rank}{numbers:,} parameters, {facts.adapter.size:,} bytes"
    learned = beside_scaffold(meta_parameters(model, algorithm), algorithm)
    others = sum(value.numel() for value in learned.values()) - numbers
    yield "meta.safetensors", f"{others:,} further meta-parameters, {facts.beside:,} bytes"
    yield "training", _training(facts)
    if facts.summary["ran"]:
        yield "computed with", facts.summary["ran"]


def _training(facts: Facts) -> str:
    training, kept = facts.training, facts.summary["validation"]
    stages = (
        [f"{training.multitask_steps:,} steps on all classes at once"] if training.multitask_steps else []
    )
    if not facts.trained:
        return "; ".join(stages) or "none"
    tasks = "task" if training.meta_batch == 1 else "tasks"
    stages += [
        f"at most {training.steps:,} outer steps of {training.meta_batch} {tasks}, seed {training.seed}"
    ]
    stages += [f"kept is step {kept['step']:,}, the best in validation"] if kept and kept["step"] else []
    return "; ".join(stages)


def _data(facts: Facts) -> str:
    family = f"Tasks are drawn by the family `{type(facts.family).__name__}`"
    if not facts.sources:
        return f"{family}, which names no data set that it reads.\n"
    head = ("source", "what was read", *SIDES, "licence, as stated there")
    rows = (source.row(facts.writes) for source in facts.sources)
    return f"{family}.\n\n{table(head, rows)}\n{_leaks(facts)}"


def _leaks(facts: Facts) -> str:
    """What two sides share."""
    words = WORDS | ({"class": "tasks"} if facts.family.differs == "tasks" else {})
    found = [
        f"{leak['count']:,} {words[leak['kind']]} ({' and '.join(leak['sides'])})"
        for leak in facts.data.get("leaks", ())
    ]
    said = (
        f"On two sides: {', '.join(found)}" if found else "No text or near-duplicate was found on two sides"
    )
    return f"{said}{'' if facts.data.get('complete', True) else '; not all texts were compared'}.\n"


def _results(facts: Facts) -> str:
    summary = facts.summary
    tasks = f"{summary['episodes']:,} test tasks, {facts.setting}, seed {summary['seed']}"
    again = f", each set of classes drawn {summary['repeats']} times" if summary["repeats"] > 1 else ""
    rows = [[name, _number(summary["before"][name]["mean"]), *_after(summary[name])] for name in SCORES] + [
        [name, _before(summary, name), *_after(value)]
        for name, value in summary.get("generation", {}).items()
    ]
    if "auroc" in summary:
        rows.append(["AUROC of rejection", "", *_after(summary["auroc"])])
    head = ("score", "before adaptation", "after", "95% interval of the mean")
    return f"{tasks}{again}.\n\n{table(head, rows)}\n{_meaning(facts)}"


def _before(summary: Mapping[str, Any], name: str) -> str:
    """The mean before adaptation; runs that were evaluated earlier may not have it of what was written."""
    found = summary["before"].get(name)
    return _number(found["mean"]) if found else ""


def _after(score: Mapping[str, Any]) -> tuple[str, str]:
    low, high = score["ci95"]
    return _number(score["mean"]), f"{_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    return f"{value:.4f}"


def _meaning(facts: Facts) -> str:
    if facts.writes:
        return "Means over tasks; precision, recall and F1 are of the words that were written.\n"
    return "Means over tasks, fractions from 0 to 1; precision, recall and F1 are macro averages of a task.\n"


def _use(facts: Facts) -> str:
    """Commands and code, as far as this run can be used by them."""
    algorithm = facts.run.algorithm
    parts = []
    if facts.again:
        parts.append(_code("bash", "# the figures above, again; RUN is this directory\nfewshot evaluate RUN"))
        alone = algorithm.takes_parts or not algorithm.shares_body  # answers a text at a time
        if alone and not facts.writes and isinstance(facts.run.model, LoraLearner):
            said = "# a task of your own: a file of texts with their classes"
            parts.append(_code("bash", f"{said}\nfewshot adapt RUN --support FILE --out DIR"))
    if facts.adapter.base and not facts.adapter.base.startswith(PREFIX):
        parts.append(_peft(facts))
    return "\n".join(parts) or "The run was started from Python, with parts that it does not name.\n"


def _peft(facts: Facts) -> str:
    """The initialisation with nothing but PEFT."""
    loader, base = facts.adapter.loader, facts.adapter.backbone
    lines = [
        "from peft import PeftModel",
        f"from transformers import {loader}",
        "",
        f"base = {json.dumps(base)}" + ("" if facts.adapter.hub_base else "  # a folder, by its last part"),
        f'model = PeftModel.from_pretrained({loader}.from_pretrained(base), "adapter")',
    ]
    said = (
        "In a repository of the hub the adapter's files stand at the top: its id takes the place of "
        '`"adapter"`. This is the adapter before it has learned a task; the head, and what else was '
        "meta-learned, is in `meta.safetensors`.\n"
    )
    return f"{_code('python', chr(10).join(lines))}\n{said}"


def _code(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```\n"


def _limits(facts: Facts) -> Iterator[str]:
    summary = facts.summary
    yield _tested(facts)
    size = f"tasks of another size than {facts.setting}"
    yield f"Nothing was measured on other data, in other languages, or for {size}."
    if facts.trained:
        seed = facts.training.seed
        yield f"It was trained once, with seed {seed}: what another seed changes was not measured."
    if skipped := summary.get("skipped_steps"):
        yield f"{skipped:,} outer steps were left out, since a loss or a gradient was not finite."
    sets = summary["episodes"] // summary["repeats"]
    what = "sets of classes" if summary["repeats"] > 1 else "test tasks"
    if sets == 1:
        yield f"There is one of the {what}: its score is all that is known, and nothing of the spread."
    else:
        yield (
            f"The intervals are Student's over {sets:,} {what}: how well the mean over such tasks is known. "
            "They hold nothing of the spread over seeds or data sets."
        )


def _tested(facts: Facts) -> str:
    """What the test tasks were of, and whether training had seen it."""
    family, drawn = facts.family, [result.episode for result in facts.run.results]
    of_tasks = facts.writes or family.differs == "tasks"
    classes = {(each.source, name) for each in drawn for name in each.classes}
    count = len({each.source for each in drawn}) if of_tasks else len(classes)
    said = f"Tested on {count:,} {'tasks' if of_tasks else 'classes'}"
    if not facts.trained:
        return f"{said}; nothing was meta-trained."
    if _one_side(facts):
        return f"{said} of a family that keeps no side apart: training may have seen them."
    if family.differs == "rows":
        return f"{said} that training knows too, with other texts."
    if any(leak["kind"] == "class" and "test" in leak["sides"] for leak in facts.data.get("leaks", ())):
        return f"{said} of the test side; some are on another side too."
    return f"{said} of the test side alone, not seen in training."


def _one_side(facts: Facts) -> bool:
    """Whether test tasks are drawn from what training is drawn from."""
    with contextlib.suppress(InputError):  # a side that is not there
        return facts.family.split("train") is facts.family.split("test")
    return False


def _licence(facts: Facts) -> str:
    stated = facts.backbone_licence
    backbone = f"The backbone: {plain(stated.text) if stated else NOT_STATED}. " if facts.adapter.base else ""
    data = "The data: see above. " if facts.sources else ""
    own = common(facts.licences)
    known = f"{own}, which all that they were made from states"
    unknown = "not stated by the run; `license` at the head of this file is the place for it"
    return f"{backbone}{data}These weights: {known if own else unknown}.\n"


def _versions(facts: Facts) -> str:
    found = [f"{name}=={version}" for name, version in facts.summary["versions"].items() if version]
    return _code("text", "\n".join(found))
