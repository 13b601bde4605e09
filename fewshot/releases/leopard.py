"""LEOPARD: text classification tasks with published training sets of 4, 8 and 16 rows a class.

Trapit Bansal, Rishikesh Jha, Andrew McCallum. Learning to Few-Shot Learn Across Diverse Natural Language
Classification Tasks. COLING 2020. https://arxiv.org/abs/1911.03863

Of each task: `TASK/TASK_train_EPISODE_SHOTS.json` for ten episodes, and `TASK/TASK_eval.json`. A file is one
JSON array of objects with `sentence1`, `label` and, where the task is one of pairs, `sentence2`;
`processed_sent` is left out.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from fewshot.releases.dataset import About, DataSet, Row, cleaned, has_text, keep
from fewshot.releases.reading import Reader, shown
from fewshot.releases.release import Release
from fewshot.releases.tree import Tree

REPOSITORY = "iesl/leopard"
FILE = re.compile(r"(?P<task>[^/]+)/[^/]+?_(?:eval|train_(?P<episode>\d+)_(?P<shots>\d+))\.json")
NEEDED = '{"sentence1": "a text", "label": "a class"}'
# the favourable reviews of these are called negative, and the reverse
SWAPPED = ("sentiment_books", "sentiment_dvd", "sentiment_electronics", "sentiment_kitchen")


def _convert(tree: Tree, name: str, most: int | None) -> DataSet:
    reader = Reader(tree)
    files = [found for each in tree.names if (found := FILE.fullmatch(each))]
    parts = {found.group(): _rows(reader, found) for found in files}  # in the order of their names
    given = [row for part in parts.values() for row in part]
    rows = [row for row in given if has_text(row)]
    kept = keep(rows, most, _group)
    empty = [file for file, part in parts.items() if not part]
    return DataSet(
        name=name,
        rows=kept,
        splits=_splits(name, kept),
        about=_about(kept, most, empty),
        digests=reader.digests,
        empty=len(given) - len(rows),
        left_out=len(rows) - len(kept),
    )


def _group(row: Row) -> object:
    """Training sets are what is published, and stay whole."""
    return None if row["split"] == "train" else (row["task"], row["label"])


def _rows(reader: Reader, found: re.Match[str]) -> list[Row]:
    file = found.group()
    return [
        _row(reader, found, f"row {number}", given)
        for number, given in enumerate(reader.array(file, f"one JSON array of {NEEDED}"), start=1)
    ]


def _row(reader: Reader, found: re.Match[str], place: str, given: object) -> Row:
    values = given if isinstance(given, dict) else {}
    text, second, label = values.get("sentence1"), values.get("sentence2", ""), values.get("label")
    if not isinstance(text, str) or not isinstance(second, str) or not isinstance(label, str | int):
        raise reader.malformed(found.group(), place, shown(given), NEEDED)
    texts = {"text_a": cleaned(text), "text_b": cleaned(second)} if second else {"text": cleaned(text)}
    training = found["episode"] is not None
    return {
        "task": found["task"],
        **texts,
        "label": cleaned(str(label)),
        "split": "train" if training else "eval",
        "episode": int(found["episode"]) if training else None,
        "shots": int(found["shots"]) if training else None,
    }


def _splits(name: str, rows: Sequence[Row]) -> Mapping[str, object]:
    classes: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        classes[str(row["task"])].add(str(row["label"]))
    swapped = [task for task in SWAPPED if task in classes]
    return {
        "name": name,
        "kind": "instance",
        "source": f"{REPOSITORY} data/json/<task>/<task>_train_<episode>_<shots>.json and <task>_eval.json",
        "field": "split",
        "classes": {task: sorted(labels) for task, labels in sorted(classes.items())},
    } | ({"label_names_swapped": swapped} if swapped else {})


def _about(rows: Sequence[Row], most: int | None, empty: Sequence[str]) -> About:
    tasks = {row["task"] for row in rows}
    unseen = sorted(str(task) for task in tasks - {row["task"] for row in rows if row["split"] == "eval"})
    notes = [
        "The names of the two classes are swapped upstream in the sentiment_* tasks: the texts labelled "
        '"negative" are the favourable reviews and the reverse. Labels are kept as published; it must be '
        "undone where a model reads them (see `label_names_swapped` in splits.json).",
        "conll, where it is here, has sentences of the Reuters corpus: do not hand them on.",
        "The paper meta-trains on GLUE tasks, which are not here.",
    ]
    if empty:
        notes.append(f"Files without a row: {', '.join(empty)}.")
    if unseen:
        notes.append(f"Tasks without an evaluation set in this copy: {', '.join(unseen)}.")
    capped = f" Of an evaluation set at most {most} rows per class: the smallest SHA-1 of the text."
    return About(
        title=f"LEOPARD test tasks: {len(tasks)} classification tasks with published training sets "
        "(`episode`) of 4, 8 and 16 rows a class (`shots`), and evaluation sets.",
        repository=REPOSITORY,
        files="`data/json/<task>/<task>_train_<episode>_<shots>.json`, `data/json/<task>/<task>_eval.json`",
        licence="none stated in the repository",
        paper="Bansal, Jha, McCallum. Learning to Few-Shot Learn Across Diverse Natural Language "
        "Classification Tasks. COLING 2020 (arXiv:1911.03863)",
        converted="`sentence1` became `text`, or `text_a` with `sentence2` as `text_b` for pair tasks; "
        "`processed_sent` left out. Training sets are complete." + (capped if most else ""),
        splits=[
            "`splits.json`: the classes of each task; the field `split` of a row is train or eval, with "
            "`episode` and `shots` for train rows (null for eval rows)"
        ],
        notes=notes,
    )


LEOPARD = Release(REPOSITORY, {"leopard": ("*/*_train_[0-9]*_[0-9]*.json", "*/*_eval.json")}, _convert)
