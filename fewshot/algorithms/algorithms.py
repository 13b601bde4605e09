"""The algorithms that are known by name. A new one is one file and one line here."""

from collections.abc import Callable
from functools import partial

from fewshot.algorithms.algorithm import Algorithm
from fewshot.algorithms.anil import ANIL
from fewshot.algorithms.boil import BOIL
from fewshot.algorithms.finetune import FineTune
from fewshot.algorithms.imaml import IMAML
from fewshot.algorithms.incontext import InContext, InContextMAML, MetaICL
from fewshot.algorithms.logistic import FrozenLogistic
from fewshot.algorithms.maml import MAML
from fewshot.algorithms.mamladam import MAMLAdam
from fewshot.algorithms.mamlplusplus import MAMLPlusPlus
from fewshot.algorithms.metacurvature import MetaCurvature
from fewshot.algorithms.metasgd import MetaSGD
from fewshot.algorithms.multitask import MultiTask
from fewshot.algorithms.protomaml import ProtoMAML
from fewshot.algorithms.prototypes import FrozenPrototypes, ProtoNet
from fewshot.algorithms.reptile import Reptile
from fewshot.algorithms.ridge import R2D2, FrozenRidge
from fewshot.algorithms.zeroshot import ZeroShot

# what is meta-trained
ALGORITHMS: dict[str, type[Algorithm]] = {
    "MAML": MAML,
    "MAMLAdam": MAMLAdam,
    "ANIL": ANIL,
    "BOIL": BOIL,
    "MetaSGD": MetaSGD,
    "MAMLPlusPlus": MAMLPlusPlus,
    "ProtoMAML": ProtoMAML,
    "MetaCurvature": MetaCurvature,
    "IMAML": IMAML,
    "Reptile": Reptile,
    "ProtoNet": ProtoNet,
    "R2D2": R2D2,
    "MultiTask": MultiTask,
    "MetaICL": MetaICL,
    "InContextMAML": InContextMAML,
}

# what needs no meta-training
BASELINES: dict[str, Callable[[], Algorithm]] = {
    "zero-shot": ZeroShot,
    "prototypes": FrozenPrototypes,
    "prototypes-euclidean": partial(FrozenPrototypes, metric="euclidean"),
    "ridge": FrozenRidge,
    "logistic": FrozenLogistic,
    "fine-tune": FineTune,
    "in-context": InContext,
    "in-context-channel": partial(InContext, channel=True),
}

# those of both that put the support set into a prompt: for language models alone
IN_PROMPTS = frozenset({"MetaICL", "InContextMAML", "in-context", "in-context-channel"})
