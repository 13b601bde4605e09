"""SCAN with a letter for each action, so that a model of bytes writes tens of tokens and not hundreds.

Lake, Baroni: Generalization without Systematicity: On the Compositional Skills of Sequence-to-Sequence
Recurrent Networks, ICML 2018, https://arxiv.org/abs/1711.00350. Each action has its own letter, so what is
right stays so.
"""

from fewshot.data.example import Example
from fewshot.data.pool import Pool
from fewshot.data.reading import Reading
from fewshot.data.split import ClassSplit
from fewshot.tasks.records import RECORDS, Records, load_records

LETTERS = {"I_TURN_LEFT": "L", "I_TURN_RIGHT": "R", "I_WALK": "w", "I_RUN": "r", "I_JUMP": "j", "I_LOOK": "l"}
SPLIT = ClassSplit(fractions=(0.5, 0.25, 0.25))  # of eight tasks


def scan(shot: int, queries: int) -> Records:
    """Commands of one of SCAN's splits and their actions in letters: 'jump twice' -> 'jj'."""
    rows = load_records("gen_scan", RECORDS, Reading())
    written = [in_letters(example) for task in rows.classes for example in rows.all_of(task)]
    return Records(Pool.of(written, rows.name, rows.origin, rows.cleaned), shot, queries, split=SPLIT)


def in_letters(example: Example) -> Example:
    """A command with the letters of its actions."""
    actions = (example.text_pair or "").split()
    return Example(example.text, example.label, "".join(LETTERS[action] for action in actions))
