"""Which token sequences tell how likely each of a task's class names is after a text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fewshot.models.branches import BRANCHES
from fewshot.models.inputs import TextInputs, Tokens

Place = tuple[int, int]  # a sequence, and one of its tokens: the one before the token that is scored


@dataclass(frozen=True)
class Scored:
    """A token whose likelihood is asked for.

    Args:
        place: where the model has read all that comes before it.
        token: its number in the vocabulary.
        slot: to whose likelihood it belongs.
    """

    place: Place
    token: int
    slot: int


class Choices:
    """Collects what has to be read, and what is scored after it.

    An answer needs the prompt with all of the answer but its last token. Of such sequences those that another
    one begins with are left out: where every answer is one token, the prompt alone is read.

    Args:
        branching: the prompt is read once for all answers, which branch off behind it; else once for each.
    """

    def __init__(self, branching: bool) -> None:
        self._branching = branching
        self._branches: list[tuple[int, ...]] = []  # of each sequence, where they branch
        self.sequences: list[list[int]] = []
        self.task: list[int] = []  # of each sequence
        self.scored: list[Scored] = []

    def add(self, prompt: Sequence[int], answers: Sequence[Sequence[int]], task: int, slot: int) -> None:
        """Answers after a prompt.

        Args:
            prompt: token numbers.
            answers: token numbers of each.
            task: whose adapter reads it.
            slot: of the first answer's likelihood; the others follow.
        """
        longest = _longest([tuple(answer[:-1]) for answer in answers])
        homes = self._read(prompt, longest, task)
        for number, answer in enumerate(answers):
            before = tuple(answer[:-1])
            row, start = next(
                home for home, each in zip(homes, longest, strict=True) if each[: len(before)] == before
            )
            for n, token in enumerate(answer):
                place = (row, start + n - 1) if n else (row, len(prompt) - 1)
                self.scored.append(Scored(place, token, slot + number))

    def _read(self, prompt: Sequence[int], ends: Sequence[tuple[int, ...]], task: int) -> list[Place]:
        """Has a prompt read with each of its ends; where these begin."""
        first, behind = len(self.sequences), len(prompt)
        if not self._branching:
            self.sequences += [[*prompt, *each] for each in ends]
            self.task += [task] * len(ends)
            return [(first + n, behind) for n in range(len(ends))]
        self.sequences.append([*prompt, *(token for each in ends for token in each)])
        self.task.append(task)
        self._branches.append((behind, *(len(each) for each in ends if each)))
        return [(first, behind + sum(map(len, ends[:n]))) for n in range(len(ends))]

    def rows(self) -> list[Tokens]:
        """The sequences as a tokenizer gives them, with their branches."""
        plain = [{"input_ids": row, "attention_mask": [1] * len(row)} for row in self.sequences]
        if all(len(sizes[1:]) <= 1 for sizes in self._branches):  # one end goes on where its prompt ends
            return list(plain)
        return [row | {BRANCHES: list(sizes)} for row, sizes in zip(plain, self._branches, strict=True)]


def _longest(beginnings: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Those that no other one begins with."""
    kept: list[tuple[int, ...]] = []
    for each in sorted(set(beginnings), key=lambda found: (-len(found), found)):
        if not any(longer[: len(each)] == each for longer in kept):
            kept.append(each)
    return kept


@dataclass(frozen=True)
class Asked:
    """The rows of a batch, and which tokens are scored where.

    Args:
        text: the sequences, as a backbone takes them.
        picks: of every part, the tokens (of `ids` as one list) after which something is scored.
        position: of each scored token, the number of its pick among those of all parts, ascending, (M,).
        token: its number in the vocabulary, (M,).
        slot: whose likelihood it adds to, (M,).
        slots: how many there are.
    """

    text: TextInputs
    picks: tuple[Tensor, ...]
    position: Tensor
    token: Tensor
    slot: Tensor
    slots: int

    def to(self, device: torch.device, text: TextInputs) -> "Asked":
        """The same on a device, with the sequences placed."""
        return replace(
            self,
            text=text,
            picks=tuple(pick.to(device) for pick in self.picks),
            position=self.position.to(device),
            token=self.token.to(device),
            slot=self.slot.to(device),
        )


def asked(text: TextInputs, tokens: Sequence[Scored], slots: int) -> Asked:
    """Brings what is scored into the order of the parts.

    Args:
        text: the sequences.
        tokens: what is scored.
        slots: how many likelihoods there are.
    """
    starts = [(number, start) for number, part in enumerate(text.parts) for start in part.starts]
    homes = [starts[position] for position in text.restore.tolist()]  # of each sequence
    flat = [(homes[s][0], homes[s][1] + at) for s, at in (each.place for each in tokens)]
    places = sorted(set(flat))
    number = {place: n for n, place in enumerate(places)}
    order = sorted(range(len(tokens)), key=lambda n: (number[flat[n]], n))
    return Asked(
        text,
        tuple(torch.tensor([at for part, at in places if part == n]) for n in range(len(text.parts))),
        torch.tensor([number[flat[n]] for n in order]),
        torch.tensor([tokens[n].token for n in order]),
        torch.tensor([tokens[n].slot for n in order]),
        slots,
    )
