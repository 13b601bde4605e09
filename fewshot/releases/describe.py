"""The text of SOURCE.md: where a data set came from, how it was converted, counts and checks."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from fewshot.releases.dataset import DataSet, Row, text_of
from fewshot.versions import PACKAGE, version_of


def source_md(data: DataSet, rows: Sequence[Row], file: str) -> str:
    """The whole text; `rows` are those read back from the data file of that name."""
    about = data.about
    parts = {
        "Where it came from": [
            f"repository `{about.repository}`; files: {about.files}",
            f"licence as stated in that repository: {about.licence}",
            f"paper: {about.paper}",
        ],
        "What is here": [*_counts(rows, file), *about.splits],
        "How it was converted": f"{about.converted} Converted by {PACKAGE} {version_of(PACKAGE)}.",
        "Checks": list(_checks(data, rows)),
        "Notes": about.notes,
    }
    text = f"# {data.name}\n\n{about.title}\n"
    for title, lines in parts.items():
        if lines:
            body = lines if isinstance(lines, str) else "\n".join(f"- {line}" for line in lines)
            text += f"\n## {title}\n\n{body}\n"
    files = "".join(f"{digest}  {name}\n" for name, digest in sorted(data.digests.items()))
    return text + f"\n## Files that were read\n\nTheir SHA-256:\n\n```\n{files}```\n"


def _counts(rows: Sequence[Row], file: str) -> Iterator[str]:
    tasks, labels = {row["task"] for row in rows if "task" in row}, {row["label"] for row in rows}
    what = f"{len(tasks)} tasks, {len(labels)} distinct labels" if tasks else f"{len(labels)} classes"
    yield f"`{file}`: {len(rows)} rows, {what}"
    within = " within a task" if tasks else ""
    per_class = Counter((row.get("task"), row["label"]) for row in rows)
    yield f"rows per class{within}: {_spread(per_class.values())}"
    yield f"whitespace words per text: {_spread(len(text_of(row).split()) for row in rows)}"
    fields = dict.fromkeys(field for row in rows for field in row)
    yield f"fields: {', '.join(f'`{field}`' for field in fields)}"


def _spread(numbers: Iterable[int]) -> str:
    values = sorted(numbers)
    return f"min {values[0]}, median {median(values):g}, max {values[-1]}"


def _checks(data: DataSet, rows: Sequence[Row]) -> Iterator[str]:
    yield f"rows read back and compared equal to what was written: {_yes(list(rows) == list(data.rows))}"
    yield f"rows with an empty text or label (dropped): {data.empty}"
    yield f"rows left out because their class had enough: {data.left_out}"
    within = " within a task" if "task" in rows[0] else ""
    texts = {(_set(row), text_of(row)) for row in rows}
    yield f"rows repeating the exact text of another row{within}: {len(rows) - len(texts)}"
    whole = {(_set(row), text_of(row), row["label"], row.get("split")) for row in rows}
    yield f"rows repeating text, label and split of another row{within}: {len(rows) - len(whole)}"
    labels = defaultdict(set)
    for row in rows:
        labels[row.get("task"), _folded(text_of(row))].add(row["label"])
    several = sum(len(each) > 1 for each in labels.values())
    yield f"distinct texts (case and spacing folded) that carry more than one label{within}: {several}"
    if data.splits["kind"] == "class":
        for fold, sides in data.splits["folds"].items():
            yield f"fold {fold}: {_fold(rows, sides)}"
    else:
        yield from _rows_split(rows, data.splits["field"])


def _set(row: Row) -> tuple[object, ...]:
    """What a row belongs to: its task, and there one of several training sets."""
    return tuple(row.get(key) for key in ("task", "episode", "shots"))


def _fold(rows: Sequence[Row], sides: Mapping[str, Sequence[str]]) -> str:
    side_of = {label: side for side, labels in sides.items() for label in labels}
    listed = [label for labels in sides.values() for label in labels]
    counts = Counter(side_of.get(str(row["label"])) for row in rows)
    present = {row["label"] for row in rows}
    texts = {
        side: {_folded(text_of(row)) for row in rows if side_of.get(str(row["label"])) == side}
        for side in sides
    }
    return "; ".join(
        [
            "classes " + "/".join(f"{side} {len(labels)}" for side, labels in sides.items()),
            "rows " + "/".join(f"{side} {counts[side]}" for side in sides),
            f"class lists disjoint: {_yes(len(listed) == len(set(listed)))}",
            f"classes listed but absent: {len(set(listed) - present)}",
            f"classes in no list: {len(present - set(listed))}",
            f"same text on both sides: {_shared(texts)}",
        ]
    )


def _rows_split(rows: Sequence[Row], field: str) -> Iterator[str]:
    counts = Counter(str(row[field]) for row in rows)
    yield "rows per split: " + ", ".join(f"{side} {count}" for side, count in sorted(counts.items()))
    within = " within a task" if "task" in rows[0] else ""
    texts = {
        side: {(row.get("task"), _folded(text_of(row))) for row in rows if row[field] == side}
        for side in sorted(counts)
    }
    yield f"same text in two splits{within} (case and spacing folded): {_shared(texts)}"


def _shared(texts: Mapping[str, set[Any]]) -> str:
    pairs = itertools.combinations(texts, 2)
    return (
        ", ".join(f"{one}-{other} {len(texts[one] & texts[other])}" for one, other in pairs)
        or "one split only"
    )


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _yes(value: bool) -> str:
    return "yes" if value else "no"
