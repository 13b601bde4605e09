"""Inflections: from a lemma to one of its forms, such as a plural; an episode is one cell of a paradigm.

A wug test (J. Berko: The Child's Learning of English Morphology, Word 14, 1958): which form is asked for, the
examples alone show. As data: Cotterell et al.: The CoNLL-SIGMORPHON 2018 Shared Task: Universal Morphological
Reinflection, CoNLL 2018, https://arxiv.org/abs/1810.07125.
"""

from collections.abc import Mapping

from fewshot.data.augment import Augmentation
from fewshot.data.example import Example
from fewshot.data.find import Columns
from fewshot.data.pool import Given, Pool
from fewshot.data.reading import Reading
from fewshot.data.split import ClassSplit, Side
from fewshot.errors import InputError
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.records import RECORDS, RecordTasks, check_counts, load_records
from fewshot.tasks.sided import Sided
from fewshot.tasks.tasklist import split_tasks


class Inflections(Sided):
    """K support and Q query lemmas of one language, all with the same features; `label` is the form.

    Cells with fewer lemmas than K + Q are left out, and those where half of the forms or more are the lemmas
    themselves: to copy is no inflection.

    Args:
        source: as for NWayKShot; an input is a lemma, a blank and its features in one word: 'walk V;PST'.
        shot: support lemmas of an episode (K).
        queries: query lemmas of an episode (Q).
        columns: which columns hold the input (`text`), the form (`text_pair`) and the language (`label`).
        split: which languages are for meta-training, validation and test.
        reading: which rows are read, and how they are cleaned.
        augmentation: of the lemmas of support sets.

    Raises:
        InputError: a count below 1, an input without features, no cell with enough lemmas.
    """

    writes = True
    differs = "tasks"

    def __init__(
        self,
        source: Given = "gen_inflection",
        shot: int = 5,
        queries: int = 5,
        columns: Columns = RECORDS,
        split: ClassSplit = ClassSplit(),
        reading: Reading = Reading(),
        augmentation: Augmentation = Augmentation(),
    ) -> None:
        check_counts(shot, queries)
        rows = load_records(source, columns, reading)
        sides: dict[Side, TaskFamily] = {
            side: RecordTasks(cells_of(rows.only(languages), side, shot + queries), shot, queries)
            for side, languages in split_tasks(split, rows.classes, rows.name).items()
        }
        super().__init__(sides, rows.name, augmentation, {"source": rows})


def cells_of(rows: Pool, side: Side, needed: int) -> Pool:
    """The cells of one side that have as many lemmas as needed, as classes: a language and its features.

    Raises:
        InputError: an input without features, no such cell.
    """
    kept: list[Example] = []
    largest, copied = 0, 0
    for language in rows.classes:
        for cell in _by_cell(rows, language).values():
            copies = sum(example.text_pair == example.text for example in cell.values())
            if 2 * copies >= len(cell):
                copied += 1
                continue
            largest = max(largest, len(cell))
            kept += cell.values() if len(cell) >= needed else ()
    if not kept:
        raise InputError(
            f"no cell of a paradigm has enough lemmas on the {side} side",
            where=rows.name,
            got=f"at most {largest}, in {len(rows.classes)} languages, beside {copied} cells of copies",
            needed=str(needed),
            fix="lower shot or queries, or give this side more languages",
        )
    return Pool.of(kept, rows.name, rows.origin, rows.cleaned)


def _by_cell(rows: Pool, language: str) -> Mapping[str, Mapping[str, Example]]:
    """Features -> lemma -> the example, of one language; of a lemma with two forms the first one stays."""
    found: dict[str, dict[str, Example]] = {}
    for example in rows.all_of(language):
        lemma, *features = example.text.rsplit(maxsplit=1)
        if not features:
            raise InputError(
                "an input has no features",
                where=f"{rows.name}/{language}",
                got=repr(example.text),
                needed="a lemma, a blank and its features in one word, such as 'walk V;PST'",
            )
        made = Example(lemma, f"{language} {features[0]}", example.text_pair)
        found.setdefault(features[0], {}).setdefault(lemma, made)
    return found
