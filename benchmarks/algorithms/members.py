"""The members that are compared, by the names of the table."""

from collections.abc import Callable
from functools import partial

from fewshot.algorithms.algorithm import Algorithm
from fewshot.algorithms.algorithms import ALGORITHMS, BASELINES, IN_PROMPTS
from fewshot.algorithms.maml import MAML
from fewshot.algorithms.multitask import MultiTask

# a name that ALGORITHMS does not have is a member with other arguments
TRAINED: dict[str, Callable[[], Algorithm]] = {
    **{name: made for name, made in ALGORITHMS.items() if name not in {"MultiTask", *IN_PROMPTS}},
    "MAML, second order": partial(MAML, order=2),
    "MultiTask, ridge head": partial(MultiTask, then="features"),
    "MultiTask, fine-tuned": partial(MultiTask, then="adapter"),
}
FROZEN = {name: made for name, made in BASELINES.items() if name not in IN_PROMPTS}
MEMBERS: dict[str, Callable[[], Algorithm]] = {**FROZEN, **TRAINED}
