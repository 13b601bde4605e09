"""Topics, relations and products with the class splits of Bao et al.

Yujia Bao, Menghua Wu, Shiyu Chang, Regina Barzilay. Few-shot Text Classification with Distributional
Signatures. ICLR 2020. https://arxiv.org/abs/1908.06039

Of each data set one file with an object a line: `text`, a list of tokens; `label`, a number from 0; and in
some copies `raw`, the text before it was tokenised. RCV1 has `path` in place of the text, for its licence: it
can be converted only where somebody who has the collection has put the texts in. Which numbers are for
meta-training, validation and test stands in `src/dataset/loader.py`, and here in `bao_classes.py`.
"""

from collections.abc import Sequence

from fewshot.releases.bao_classes import SETS, Classes
from fewshot.releases.dataset import About, DataSet, Row, cleaned, has_text, keep
from fewshot.releases.reading import Reader, shown
from fewshot.releases.release import NoTextsError, Release
from fewshot.releases.tree import Tree

REPOSITORY = "YujiaBao/Distributional-Signatures"
FOLD = "bao2020"


def _convert(tree: Tree, name: str, most: int | None) -> DataSet:
    known, reader = SETS[name], Reader(tree, lenient=True)
    given = [_row(reader, known, line, each) for line, each in reader.objects(known.file, _needed(known))]
    rows = [row for row in given if has_text(row)]
    folds = {side: known.labels(numbers) for side, numbers in known.sides().items()}
    for labels in folds.values():
        reader.check_present(labels, {str(row["label"]) for row in rows}, known.file)
    kept = keep(rows, most)
    return DataSet(
        name=name,
        rows=kept,
        splits={
            "name": name,
            "kind": "class",
            "source": f"{REPOSITORY} src/dataset/loader.py: {known.rule}",
            "folds": {FOLD: folds},
        },
        about=_about(known, most, reader.notes()),
        digests=reader.digests,
        empty=len(given) - len(rows),
        left_out=len(rows) - len(kept),
    )


def _needed(known: Classes) -> str:
    return f'{{"text": ["a", "list", "of", "tokens"], "label": a number from 0 to {known.count - 1}}}'


def _row(reader: Reader, known: Classes, line: int, given: dict[str, object]) -> Row:
    if "path" in given and not {"text", "raw"} & set(given):
        raise NoTextsError(
            f"{known.file} names documents by their path and has no texts",
            where=reader.tree.where(known.file, f"line {line}"),
            got=shown(given),
            needed=_needed(known),
            fix="put the tokens of each document in as `text`: its licence lets nobody hand them out",
        )
    text, label = _text(given), given.get("label")
    # a label may be a number in quotes, as upstream reads it too
    number = int(label) if isinstance(label, int) or (isinstance(label, str) and label.isdecimal()) else -1
    if text is None or not 0 <= number < known.count:
        raise reader.malformed(known.file, f"line {line}", shown(given), _needed(known))
    return {"text": text, "label": known.label(number), "label_id": number}


def _text(given: dict[str, object]) -> str | None:
    """`raw` where there is one, else the tokens, one blank between; runs of blanks become one."""
    value = given.get("raw", given.get("text"))
    if isinstance(value, list) and all(isinstance(token, str) for token in value):
        value = " ".join(value)
    return cleaned(" ".join(value.split())) if isinstance(value, str) else None


def _about(known: Classes, most: int | None, read: Sequence[str]) -> About:
    sizes = " / ".join(str(len(side)) for side in known.sides().values())
    named = "its name" if known.names else "the same as text, for no names are published"
    capped = f" At most {most} rows per class kept: the smallest SHA-1 of the text."
    return About(
        title=f"{known.title}, with the class split of Bao et al.",
        repository=REPOSITORY,
        files=f"`data/{known.file}` of the archive that its README links, or a copy of that file; "
        "`src/dataset/loader.py` (the class lists only)",
        licence="MIT License (the repository's LICENSE; it says nothing separate of the data)",
        paper="Bao, Wu, Chang, Barzilay. Few-shot Text Classification with Distributional Signatures. ICLR "
        f"2020 (arXiv:1908.06039). Original: {known.original}",
        converted="`raw` taken as `text` where a row has it, else the tokens of `text` joined by blanks; "
        f"runs of blanks folded to one, order kept. `label_id` is the number in the file, `label` {named}."
        + (capped if most else ""),
        splits=[f"`splits.json`: one fold, `{FOLD}`: {sizes} classes by Bao et al.'s label ids"],
        notes=["Bao et al. cut every text at 500 tokens; here it is whole.", *known.notes, *read],
    )


BAO = Release(REPOSITORY, {name: (known.file,) for name, known in SETS.items()}, _convert)
