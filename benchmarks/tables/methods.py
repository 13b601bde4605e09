"""The methods of the tables, by name: baselines, the recipe, and what it is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CHOSEN = "chosen"  # by validation accuracy, see the part on tables of the README
PLAIN = {"way": None, "shot": None, "queries": None}


@dataclass(frozen=True)
class Method:
    """A row of a table.

    Args:
        about: for the table.
        baseline: its name among the baselines of `fewshot compare`; None where it is meta-trained.
        config: what differs from the recipe, in the form of a configuration.
        meta_training: what differs in the recipe's `family.meta_training`.
        further: whether further labelled data sets are trained on.
        unlabelled: whether clusters of unlabelled texts are trained on.
    """

    about: str
    baseline: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    meta_training: Mapping[str, Any] = field(default_factory=dict)
    further: bool = False
    unlabelled: bool = True


def _by(algorithm: str, **arguments: Any) -> dict[str, Any]:
    return {"algorithm": {"class_path": algorithm, "init_args": arguments}}


METHODS: dict[str, Method] = {
    "prototypes": Method("frozen prototypes", baseline="prototypes"),
    "ridge": Method("frozen ridge", baseline="ridge"),
    "logistic": Method("frozen logistic regression", baseline="logistic"),
    "fine-tune": Method("fine-tuned from nothing", baseline="fine-tune"),
    CHOSEN: Method("the recipe"),
    "labelled": Method("the recipe without unlabelled texts", unlabelled=False),
    "further": Method("the recipe with further labelled data sets", further=True),
    "episodic": Method(
        "episodic prototypes: 5 ways, own classes",
        config={"training": {"meta_batch": 4, "lr": 3e-4}},
        meta_training=PLAIN | {"queries": 5},
        unlabelled=False,
    ),
    "multi-task": Method("multi-task transfer, ridge head", config=_by("MultiTask")),
    "r2d2": Method("R2-D2 in the recipe", config=_by("R2D2", both_ways=True)),
    "maml": Method("MAML in the recipe", config=_by("MAML", inner_steps=2, inner_lr=0.05)),
}
