"""ARSC: review sentiment in 23 product domains, three binary tasks each.

Mo Yu, Xiaoxiao Guo, Jinfeng Yi, Shiyu Chang, Saloni Potdar, Yu Cheng, Gerald Tesauro, Haoyu Wang, Bowen
Zhou. Diverse Few-Shot Text Classification with Multiple Metrics. NAACL 2018.
https://arxiv.org/abs/1805.07513

Files `DOMAIN.THRESHOLD.SPLIT`, thresholds t2, t4 and t5, splits train, dev and test; a line is a text, a tab,
and 1 or -1. `workspace.filtered.list` names the domains, `workspace.target.list` the held-out ones. Of these
`train` is the support set and `test` the query set; their `dev`, which the authors say is not used, is left
out.
"""

from collections.abc import Sequence

from fewshot.releases.dataset import About, DataSet, Row, cleaned, has_text, keep
from fewshot.releases.reading import Reader
from fewshot.releases.release import Release
from fewshot.releases.tree import Tree

REPOSITORY = "Gorov/DiverseFewShot_Amazon"
DOMAINS, TARGETS = "workspace.filtered.list", "workspace.target.list"
THRESHOLDS, SPLITS = ("t2", "t4", "t5"), ("train", "dev", "test")
LABELS = {"1": "positive", "-1": "negative"}


def _convert(tree: Tree, name: str, most: int | None) -> DataSet:
    reader = Reader(tree, lenient=True)
    targets = reader.words(TARGETS)
    domains = sorted({*reader.words(DOMAINS), *targets})
    held_out = {f"{domain}.{threshold}" for domain in targets for threshold in THRESHOLDS}
    tasks = [f"{domain}.{threshold}" for domain in domains for threshold in THRESHOLDS]
    files = [(task, split) for task in tasks for split in SPLITS if split != "dev" or task not in held_out]
    there = [file for file in files if ".".join(file) in tree.names]
    given = [row for task, split in there for row in _rows(reader, task, split)]
    rows = [row for row in given if has_text(row)]

    def group(row: Row) -> object:
        whole = row["split"] == "train" and row["task"] in held_out  # the published support sets
        return None if whole else (row["task"], row["split"], row["label"])

    kept = keep(rows, most, group)
    return DataSet(
        name=name,
        rows=kept,
        splits=_splits(name, tasks, held_out),
        about=_about(most, [".".join(file) for file in files if file not in there], reader.notes()),
        digests=reader.digests,
        empty=len(given) - len(rows),
        left_out=len(rows) - len(kept),
    )


def _rows(reader: Reader, task: str, split: str) -> list[Row]:
    return [_row(reader, task, split, line, text) for line, text in reader.lines(f"{task}.{split}")]


def _row(reader: Reader, task: str, split: str, line: int, given: str) -> Row:
    parts = given.split("\t")
    if len(parts) != 2 or parts[1].strip() not in LABELS:
        shown = given if len(given) <= 60 else f"...{given[-57:]}"
        raise reader.malformed(f"{task}.{split}", f"line {line}", shown, "a text, a tab, and 1 or -1")
    return {"task": task, "text": cleaned(parts[0]), "label": LABELS[parts[1].strip()], "split": split}


def _splits(name: str, tasks: Sequence[str], held_out: set[str]) -> dict[str, object]:
    return {
        "name": name,
        "kind": "instance",
        "source": f"{REPOSITORY} Amazon_few_shot/{TARGETS} and the .train/.dev/.test files",
        "field": "split",
        "task_split": {
            "train": [task for task in tasks if task not in held_out],
            "test": [task for task in tasks if task in held_out],
        },
    }


def _about(most: int | None, missing: Sequence[str], read: Sequence[str]) -> About:
    capped = (
        f" At most {most} rows of a task, split and label: the smallest SHA-1 of the text; the support sets "
        "of the held-out domains are complete."
    )
    notes = [
        "The threshold tasks of one domain draw on the same reviews, so texts repeat between tasks (t2, t4, "
        "t5) by design.",
        *read,
    ]
    if missing:
        notes.append(f"Not in this copy, hence no rows of theirs: {', '.join(missing)}.")
    return About(
        title="ARSC, Amazon review sentiment for diverse few-shot learning: product domains with three "
        "binary tasks each (review above or below a rating threshold: t2, t4, t5).",
        repository=REPOSITORY,
        files="`Amazon_few_shot/<domain>.t{2,4,5}.{train,dev,test}`, "
        f"`Amazon_few_shot/{DOMAINS}`, `Amazon_few_shot/{TARGETS}`",
        licence="none stated in the repository",
        paper="Yu et al. Diverse Few-Shot Text Classification with Multiple Metrics. NAACL 2018 "
        "(arXiv:1805.07513). Reviews: Blitzer et al., ACL 2007",
        converted="One row a line: text, tab, label (1 positive, -1 negative). The dev files of the held-out "
        "domains, which the authors say are not used, left out." + (capped if most else ""),
        splits=[
            "`splits.json`: `task_split`: the meta-training tasks and the held-out ones; the field `split` "
            "of a row is the file it lay in. For a held-out task `train` is its published support set and "
            "`test` its query set"
        ],
        notes=notes,
    )


ARSC = Release(REPOSITORY, {"arsc": (TARGETS, *(f"*.{each}.train" for each in THRESHOLDS))}, _convert)
