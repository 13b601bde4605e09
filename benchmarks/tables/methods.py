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
        of: the method whose training it takes, where it differs from that in the test alone.
        apart: it is told what the others are not, and stands in a table of its own.
    """

    about: str
    baseline: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    meta_training: Mapping[str, Any] = field(default_factory=dict)
    further: bool = False
    unlabelled: bool = True
    of: str | None = None
    apart: bool = False


def _by(algorithm: str, **arguments: Any) -> dict[str, Any]:
    return {"algorithm": {"class_path": algorithm, "init_args": arguments}}


def _then(way: str) -> dict[str, Any]:
    return {"algorithm": {"init_args": {"then": way}}}


METHODS: dict[str, Method] = {
    "prototypes": Method("frozen prototypes", baseline="prototypes"),
    "ridge": Method("frozen ridge", baseline="ridge"),
    "logistic": Method("frozen logistic regression", baseline="logistic"),
    "fine-tune": Method("fine-tuned from nothing", baseline="fine-tune"),
    CHOSEN: Method("the recipe"),
    "prototype-head": Method("the recipe with prototypes in the test", config=_then("prototypes"), of=CHOSEN),
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
    "transductive": Method(
        "the recipe, queries looked at together", config=_then("k-means"), of=CHOSEN, apart=True
    ),
}


def _training(**changes: Any) -> dict[str, Any]:
    return {"training": changes}


def _lora(**changes: Any) -> dict[str, Any]:
    return {"model": {"init_args": {"lora": changes}}}


def _model(**changes: Any) -> dict[str, Any]:
    return {"model": {"init_args": changes}}


def _augmented(copies: int) -> dict[str, Any]:
    return {"family": {"init_args": {"augmentation": {"copies": copies}}}}


# single changes of the recipe, judged on validation episodes alone
LEVERS: dict[str, Method] = {
    "batch-1": Method("1 episode a step", config=_training(meta_batch=1)),
    "batch-4": Method("4 episodes a step", config=_training(meta_batch=4)),
    "steps-400": Method("400 steps", config=_training(steps=400)),
    "rate-3e-4": Method("outer rate 3e-4", config=_training(lr=3e-4)),
    "rate-2e-3": Method("outer rate 2e-3", config=_training(lr=2e-3)),
    "average": Method("averaged over outer steps, 0.98", config=_training(average=0.98)),
    "average-long": Method(
        "averaged over outer steps, 0.98; 300 of them", config=_training(average=0.98, steps=300)
    ),
    "decay-1": Method("weight decay 1", config=_training(weight_decay=1.0)),
    "attention": Method("LoRA on query and value alone", config=_lora(modules=["query", "value"])),
    "last-3": Method("LoRA on the last three layers", config=_lora(layers="last:3")),
    "rank-32": Method("rank 32", config=_lora(rank=32, alpha=64)),
    "scale-10": Method("temperature 0.05 to begin with", config=_model(scale=10.0)),
    "scale-2": Method("temperature 0.25 to begin with", config=_model(scale=2.0)),
    "cls": Method("the first token's state as feature", config=_model(pooling="cls")),
    "one-way": Method("support to query alone", config=_by("ProtoNet")),
    "cosine": Method("cosine", config=_by("ProtoNet", metric="cosine", both_ways=True)),
    "way-10": Method("10 ways", meta_training={"way": 10}),
    "way-80": Method("80 ways", meta_training={"way": 80}),
    "shot-5": Method("5 shots while training", meta_training={"shot": 5, "queries": 5, "way": 20}),
    "shot-2": Method("2 shots while training, 20 ways", meta_training={"shot": 2, "queries": 2, "way": 20}),
    "share-0.5": Method("half of the episodes from clusters", meta_training={"unlabelled_share": 0.5}),
    "share-0.9": Method("nine of ten episodes from clusters", meta_training={"unlabelled_share": 0.9}),
    "share-1": Method("all episodes from clusters", meta_training={"unlabelled_share": 1.0}),
    "augmented": Method("a changed copy of each support text", config=_augmented(1)),
}
EVERY: dict[str, Method] = METHODS | LEVERS
