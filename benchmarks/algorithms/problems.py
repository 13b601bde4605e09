"""What the members are compared on: a family, a model and settings of the outer loop, the same for all.

A quick run has every part smaller: sentences of three mentions, one adapted layer, one episode a step.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from fewshot.data.split import ClassSplit
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.lora_settings import Lora
from fewshot.outer import Training, Validation
from fewshot.tasks.attributes import Attributes
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.nway import NWayKShot

WAY, QUERIES, SHOTS = 5, 5, (1, 5)


@dataclass(frozen=True)
class Problem:
    """One data set at one shot.

    Args:
        data: 'attributes' or 'banking77'.
        shot: support examples a class.
        family: makes the family.
        lora: where the adapter goes.
        training: the outer loop.
        validation: which meta-parameters are kept.
    """

    data: str
    shot: int
    family: Callable[[], TaskFamily]
    lora: Lora
    training: Training
    validation: Validation

    @property
    def name(self) -> str:
        """Such as 'banking77-1shot'."""
        return f"{self.data}-{self.shot}shot"

    def model(self, compute: Compute) -> LoraEncoder:
        """MiniLM with a fresh adapter."""
        return LoraEncoder(lora=self.lora, compute=compute)


def problems(quick: bool = False) -> dict[str, Problem]:
    """By name. BANKING77 in its first published fold is looked for in the folder FEWSHOT_DATA."""
    made = {"attributes": _attributes, "banking77": _banking77}
    found = [made[data](shot) for data in made for shot in SHOTS]
    return {problem.name: _smaller(problem) if quick else problem for problem in found}


def _attributes(shot: int, mentions: int | None = None) -> Problem:
    return Problem(
        "attributes",
        shot,
        lambda: Attributes(way=WAY, shot=shot, queries=QUERIES, mentions=mentions),
        Lora(),
        Training(),
        Validation(),
    )


def _banking77(shot: int) -> Problem:
    fold = ClassSplit(fold="01")
    return Problem(
        "banking77",
        shot,
        lambda: NWayKShot(source="banking77", way=WAY, shot=shot, queries=QUERIES, split=fold),
        Lora(layers="last:2"),
        Training(steps=80, meta_batch=4, lr=5e-4),
        Validation(every=40, episodes=40),
    )


def _smaller(problem: Problem) -> Problem:
    short = _attributes(problem.shot, mentions=3).family
    return replace(
        problem,
        family=short if problem.data == "attributes" else problem.family,
        lora=Lora(layers="last:1"),
        training=replace(problem.training, meta_batch=1),
        validation=Validation(every=0),
    )
