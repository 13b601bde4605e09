"""The algorithms that are known by name. A new one is one file and one line here."""

from fewshot.algorithms.algorithm import Algorithm
from fewshot.algorithms.maml import MAML
from fewshot.algorithms.prototypes import FrozenPrototypes
from fewshot.algorithms.ridge import FrozenRidge

ALGORITHMS: dict[str, type[Algorithm]] = {"MAML": MAML}
BASELINES: dict[str, type[Algorithm]] = {"prototypes": FrozenPrototypes, "ridge": FrozenRidge}
