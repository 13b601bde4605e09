"""Intent detection with five published class splits.

Thomas Dopierre, Christophe Gravier, Wilfried Logerais. ProtAugment: Unsupervised diverse short-texts
paraphrasing for intent detection meta-learning. ACL 2021. https://arxiv.org/abs/2105.12995

Of each data set: `full.jsonl`, one object a line with `sentence` and `label`; for each fold the classes of a
side, one a line, in `few_shot/FOLD/labels.SIDE.txt`; and `few_shot/FOLD/train.10samples.jsonl`, ten rows of
each meta-training class (the paper's "low" profile), which become the row numbers of `low10.json`.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from fewshot.releases.dataset import About, DataSet, Row, cleaned, has_text, keep
from fewshot.releases.reading import Reader, shown
from fewshot.releases.release import Release
from fewshot.releases.tree import Tree

REPOSITORY = "tdopierre/ProtAugment"
SIDES = ("train", "valid", "test")
NEEDED = '{"sentence": "a text", "label": "a class"}'


@dataclass(frozen=True)
class _Set:
    """Where a data set lies below `data`, and where its texts come from."""

    folder: str
    title: str
    original: str


_LIU = (
    "Liu et al., Benchmarking Natural Language Understanding Services for building Conversational Agents, "
    "IWSDS 2019 (CC BY 4.0 in xliuhw/NLU-Evaluation-Data)"
)
SETS = {
    "banking77": _Set(
        "BANKING77",
        "BANKING77",
        "Casanueva et al., Efficient Intent Detection with Dual Sentence Encoders, NLP4ConvAI 2020 (CC BY "
        "4.0 in PolyAI-LDN/task-specific-datasets)",
    ),
    "hwu64": _Set("HWU64", "HWU64", _LIU),
    "clinic150": _Set(
        "OOS",
        "OOS (Clinic150)",
        "Larson et al., An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction, EMNLP "
        "2019 (CC BY 3.0 in clinc/oos-eval)",
    ),
    "liu": _Set("Liu", "Liu", _LIU),
}


def _convert(tree: Tree, name: str, most: int | None) -> DataSet:
    folder = SETS[name].folder
    reader = Reader(tree)
    given = [_row(reader, f"{folder}/full.jsonl", *each) for each in _objects(reader, f"{folder}/full.jsonl")]
    rows = [row for row in given if has_text(row)]
    kept = keep(rows, most)
    names = _folds(tree, folder)
    folds = {fold: _sides(reader, folder, fold, kept) for fold in names}
    return DataSet(
        name=name,
        rows=kept,
        splits={
            "name": name,
            "kind": "class",
            "source": f"{REPOSITORY} data/{folder}/few_shot/{names[0]}..{names[-1]}/"
            "labels.{train,valid,test}.txt",
            "folds": folds,
        },
        about=_about(SETS[name], most),
        # with rows left out, some of the ten are gone
        extra={} if most else {"low10.json": {fold: _low(reader, folder, fold, rows) for fold in names}},
        digests=reader.digests,
        empty=len(given) - len(rows),
        left_out=len(rows) - len(kept),
    )


def _objects(reader: Reader, file: str) -> list[tuple[int, dict[str, object]]]:
    return list(reader.objects(file, NEEDED))


def _row(reader: Reader, file: str, line: int, given: dict[str, object]) -> Row:
    text, label = given.get("sentence"), given.get("label")
    if not isinstance(text, str) or not isinstance(label, str):
        raise reader.malformed(file, f"line {line}", shown(given), NEEDED)
    return {"text": cleaned(text), "label": cleaned(label)}


def _folds(tree: Tree, folder: str) -> list[str]:
    start = f"{folder}/few_shot/"
    paths = [name.removeprefix(start).split("/") for name in tree.names if name.startswith(start)]
    # without any, the first is what is missing
    return sorted({path[0] for path in paths if len(path) == 2}) or ["01"]


def _sides(reader: Reader, folder: str, fold: str, rows: Sequence[Row]) -> dict[str, list[str]]:
    present = {str(row["label"]) for row in rows}
    sides = {}
    for side in SIDES:
        file = f"{folder}/few_shot/{fold}/labels.{side}.txt"
        sides[side] = reader.words(file)
        reader.check_present(sides[side], present, file)
    return sides


def _low(reader: Reader, folder: str, fold: str, rows: Sequence[Row]) -> list[int]:
    """The rows of a fold's ten samples a class; of equal rows each is taken once."""
    free = defaultdict(list)
    for number, row in enumerate(rows):
        free[row["text"], row["label"]].append(number)
    file, numbers = f"{folder}/few_shot/{fold}/train.10samples.jsonl", []
    for line, given in _objects(reader, file):
        row = _row(reader, file, line, given)
        places = free[row["text"], row["label"]]
        if not places:
            raise reader.malformed(file, f"line {line}", shown(given), f"a row of {folder}/full.jsonl")
        numbers.append(places.pop(0))
    return numbers


def _about(chosen: _Set, most: int | None) -> About:
    start = f"data/{chosen.folder}"
    low = (
        "`low10.json`: for each fold, the 0-based row numbers in the data file of the published "
        '`train.10samples.jsonl` (10 labelled rows per meta-train class: the paper\'s "low" profile; '
        'the "full" profile uses every row)'
    )
    lists = "`splits.json`: of each fold the published class names of meta-train, meta-valid and meta-test"
    capped = f"; at most {most} rows per class kept: the smallest SHA-1 of the text"
    samples = f", `{start}/few_shot/0[1-5]/train.10samples.jsonl`"
    return About(
        title=f"{chosen.title} with the published class splits of the ProtAugment paper. Original data: "
        f"{chosen.original}.",
        repository=REPOSITORY,
        files=f"`{start}/full.jsonl`, `{start}/few_shot/0[1-5]/labels.{{train,valid,test}}.txt`"
        + ("" if most else samples),
        licence="Apache License, Version 2.0 (the repository's LICENSE; it says nothing separate of the "
        "data)",
        paper="Dopierre, Gravier, Logerais. ProtAugment: Unsupervised diverse short-texts paraphrasing for "
        "intent detection meta-learning. ACL 2021 (arXiv:2105.12995)",
        converted="`full.jsonl`: `sentence` renamed `text`, outer spaces stripped, order kept"
        + (capped if most else "")
        + ".",
        splits=[lists] if most else [lists, low],
        notes=["Rows that repeat a text are kept, as upstream has them."],
    )


PROTAUGMENT = Release(
    REPOSITORY, {name: (f"{each.folder}/full.jsonl",) for name, each in SETS.items()}, _convert
)
