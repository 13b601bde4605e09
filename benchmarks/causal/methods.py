"""How a language model learns a task, by name: without meta-training, and with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.causal.problems import Problem
from fewshot.algorithms.algorithm import Algorithm
from fewshot.algorithms.finetune import FineTune
from fewshot.algorithms.incontext import InContext, InContextMAML, MetaICL
from fewshot.algorithms.mamladam import MAMLAdam
from fewshot.algorithms.multitask import MultiTask
from fewshot.algorithms.zeroshot import ZeroShot
from fewshot.models.causal import LoraCausal
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.learner import Learner
from fewshot.models.lora_settings import Lora
from fewshot.models.prompts import Prompt

LORA = Lora(rank=16, alpha=32, modules=("all-linear",), layers="all")
PROMPT = Prompt("Input: {text}\nOutput:")  # a word of the input has a space before it, as in the output
LENGTH = 1024  # tokens of a prompt with its examples and its answer: as many as the small model has


@dataclass(frozen=True)
class Method:
    """A row of the table.

    Args:
        algorithm: makes it, for a problem.
        about: for the table.
        only: the kinds of problem that it can do; empty for all.
        head: the same language model under a head on its states, instead of the names.
    """

    algorithm: Callable[[Problem], Algorithm]
    about: str
    only: tuple[str, ...] = ()
    head: bool = False


def _adapted(algorithm: type[MAMLAdam]) -> Callable[[Problem], Algorithm]:
    return lambda problem: algorithm(inner_lr=problem.inner_lr)


METHODS: Mapping[str, Method] = {
    "zero-shot": Method(lambda _: ZeroShot(), "zero-shot"),
    "in-context": Method(lambda _: InContext(), "in-context learning"),
    "channel": Method(lambda _: InContext(channel=True), "in-context learning, channel", ("classes",)),
    "fine-tune": Method(lambda _: FineTune(), "LoRA from scratch"),
    "multi-task": Method(lambda _: MultiTask("adapter"), "multi-task training, then fine-tuned"),
    "maml": Method(_adapted(MAMLAdam), "meta-learned initialisation (MAMLAdam)"),
    "metaicl": Method(lambda _: MetaICL(), "in-context meta-training (MetaICL)"),
    "both": Method(_adapted(InContextMAML), "meta-learned, and demonstrations in the prompt"),
    "head": Method(_adapted(MAMLAdam), "a head on the same model (MAMLAdam)", ("classes",), head=True),
}


def suits(method: Method, problem: Problem) -> bool:
    """Whether the method can do the problem."""
    return not method.only or problem.kind in method.only


def learner(method: Method, problem: Problem, backbone: str, compute: Compute) -> Learner:
    """The language model of a cell with a fresh adapter."""
    if method.head:
        return LoraEncoder(backbone, LORA, max_length=LENGTH, compute=compute)
    return LoraCausal(backbone, LORA, PROMPT, max_length=LENGTH, max_new_tokens=problem.most, compute=compute)
