"""Dialogue: the turns of a conversation so far to the reply; an episode is one speaker, user or persona."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from fewshot.data.augment import Augmentation
from fewshot.data.example import Example
from fewshot.data.find import Columns
from fewshot.data.pool import Pool
from fewshot.data.reading import Reading
from fewshot.data.rows import read_rows
from fewshot.data.sources import Source
from fewshot.data.split import ClassSplit, Side
from fewshot.errors import InputError
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.records import RecordTasks
from fewshot.tasks.sided import Sided
from fewshot.tasks.tasklist import split_tasks

TURNS = Columns(text="text", label="speaker")


class Dialogue(Sided):
    """K support and Q query replies of one speaker; `label` is the reply, and there are no classes.

    Args:
        source: as for NWayKShot, a turn a row, the turns of a conversation one after another.
        shot: support replies of an episode (K).
        queries: query replies of an episode (Q).
        context: turns before the reply that are read, at most.
        conversation: the column that names the conversation.
        columns: which columns hold the turn (`text`) and who says it (`label`): who learns to reply.
        split: which speakers are for meta-training, validation and test.
        reading: which rows are read, and how they are cleaned.
        augmentation: of the contexts of support sets.

    Raises:
        InputError: a context below 1, no column of speakers, a speaker with fewer than K + Q replies.
    """

    differs = "tasks"

    def __init__(
        self,
        source: Source,
        shot: int = 5,
        queries: int = 10,
        context: int = 3,
        conversation: str = "conversation",
        columns: Columns = TURNS,
        split: ClassSplit = ClassSplit(),
        reading: Reading = Reading(),
        augmentation: Augmentation = Augmentation(),
    ) -> None:
        if context < 1:
            raise InputError("family.context is too small", got=context, needed="1 or more")
        if columns.label is None:
            raise InputError("a dialogue needs its speakers", where="family.columns.label", needed="a column")
        rows = read_rows(source, columns, reading, [conversation])
        pool = Pool.of(replies(rows.to_list(), conversation, context), rows.origin.name)
        pool.origin = rows.origin
        sides: dict[Side, TaskFamily] = {
            side: RecordTasks(pool.only(speakers), shot, queries)
            for side, speakers in split_tasks(split, pool.classes, pool.name).items()
        }
        super().__init__(sides, pool.name, augmentation, {"source": pool})


def replies(turns: Iterable[dict[str, Any]], conversation: str, context: int) -> list[Example]:
    """Every turn but the first of a conversation: what was said before it, the speaker, the turn itself.

    Args:
        turns: rows with text, label (who says it) and the conversation.
        conversation: its column.
        context: turns before the reply, at most.
    """
    found = []
    for _, said in groupby(turns, key=lambda turn: turn[conversation]):
        lines = list(said)
        for n, turn in enumerate(lines[1:], start=1):
            before = lines[max(0, n - context) : n]
            text = "\n".join(f"{each['label']}: {each['text']}" for each in before)
            found.append(Example(text, turn["label"], turn["text"]))
    return found
