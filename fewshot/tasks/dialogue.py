"""Dialogue: the turns of a conversation so far to the reply; an episode is one speaker, user or persona."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, groupby
from typing import Any

import numpy as np

from fewshot.data.augment import Augmentation
from fewshot.data.example import Example
from fewshot.data.find import Columns
from fewshot.data.pool import Pool
from fewshot.data.reading import Reading
from fewshot.data.rows import read_rows
from fewshot.data.sources import Source
from fewshot.data.split import ClassSplit, Side
from fewshot.errors import InputError
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.records import answers_of, check_counts, pools_by_task
from fewshot.tasks.sided import Sided
from fewshot.tasks.tasklist import split_tasks

TURNS = Columns(text="text", label="speaker")
Talk = Sequence[Example]  # the replies of one speaker in one conversation


class Dialogue(Sided):
    """K support and Q query replies of one speaker; `label` is the reply, and there are no classes.

    Support and query are of different conversations: else a reply could stand in the context of another.

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
        InputError: a context below 1, no column of speakers, a speaker with too few replies: K - 1 + Q
            beside those of the longest conversation.
    """

    writes = True
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
        found = replies(rows.to_list(), conversation, context)
        pool = Pool.of([example for _, example in found], rows.origin.name, rows.origin, rows.cleaned)
        by_speaker = grouped(found)
        sides: dict[Side, TaskFamily] = {
            side: Speakers(pool.only(speakers), {name: by_speaker[name] for name in speakers}, shot, queries)
            for side, speakers in split_tasks(split, pool.classes, pool.name).items()
        }
        super().__init__(sides, pool.name, augmentation, {"source": pool})


class Speakers(TaskFamily):
    """Replies of one speaker, drawn: the support set from some conversations, the query set from others.

    Args:
        pool: all replies, by speaker.
        talks: the replies of each speaker, conversation by conversation.
        shot: support replies (K).
        queries: query replies (Q).

    Raises:
        InputError: counts below 1, a speaker with too few replies.
    """

    def __init__(self, pool: Pool, talks: Mapping[str, Sequence[Talk]], shot: int, queries: int) -> None:
        check_counts(shot, queries)
        for speaker, own in talks.items():
            # the support set may use up the longest conversation for its last reply
            most = sum(map(len, own)) - max(map(len, own))
            if most < shot - 1 + queries:
                raise InputError(
                    "a speaker has too few replies in different conversations",
                    where=f"{pool.name}/{speaker}",
                    got=f"{most} beside those of the longest conversation",
                    needed=str(shot - 1 + queries),
                    fix="lower shot or queries, or leave the speaker out of the split",
                )
        self._pool, self._talks, self._shot, self._queries = pool, talks, shot, queries

    def pools(self) -> Sequence[Pool]:
        """One a speaker."""
        return pools_by_task(self._pool)

    def answers(self) -> Iterable[str]:
        """The replies."""
        return answers_of(self._pool)

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        """Replies of a speaker."""
        return self._of(list(self._talks)[generator.integers(len(self._talks))], generator)

    def again(self, episode: Episode, generator: np.random.Generator) -> Episode:
        """Of the same speaker."""
        return self._of(episode.source.removeprefix(f"{self._pool.name}/"), generator)

    def _of(self, speaker: str, generator: np.random.Generator) -> Episode:
        talks = [self._talks[speaker][n] for n in generator.permutation(len(self._talks[speaker]))]
        sizes = accumulate(map(len, talks))
        cut = next(n for n, size in enumerate(sizes, start=1) if size >= self._shot)
        support = _some(talks[:cut], self._shot, generator)
        query = _some(talks[cut:], self._queries, generator)
        return Episode(support, query, (), f"{self._pool.name}/{speaker}")


def _some(talks: Sequence[Talk], count: int, generator: np.random.Generator) -> tuple[Example, ...]:
    """So many replies of some conversations."""
    all_of_them = [Example(each.text, each.text_pair or "") for talk in talks for each in talk]
    chosen = generator.choice(len(all_of_them), count, replace=False)
    return tuple(all_of_them[n] for n in chosen)


def grouped(found: Iterable[tuple[Any, Example]]) -> dict[str, list[Talk]]:
    """The replies of each speaker, conversation by conversation; of equal contexts the first counts."""
    talks: dict[str, dict[Any, list[Example]]] = {}
    seen: set[tuple[str, str]] = set()
    for conversation, example in found:
        if (example.label, example.text) not in seen:
            seen.add((example.label, example.text))
            talks.setdefault(example.label, {}).setdefault(conversation, []).append(example)
    return {speaker: list(own.values()) for speaker, own in talks.items()}


def replies(turns: Iterable[dict[str, Any]], conversation: str, context: int) -> list[tuple[Any, Example]]:
    """Every turn but the first, with its conversation: what was said before it, the speaker, the turn itself.

    Args:
        turns: rows with text, label (who says it) and the conversation.
        conversation: its column.
        context: turns before the reply, at most.
    """
    found = []
    for talk, said in groupby(turns, key=lambda turn: turn[conversation]):
        lines = list(said)
        for n, turn in enumerate(lines[1:], start=1):
            before = lines[max(0, n - context) : n]
            text = "\n".join(f"{each['label']}: {each['text']}" for each in before)
            found.append((talk, Example(text, turn["label"], turn["text"])))
    return found
