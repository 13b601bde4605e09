"""What every algorithm and every task family owes, as checks that a user's own can be held to."""

from fewshot.testing.algorithms import CONTRACT, check_algorithm, sample
from fewshot.testing.families import FAMILY_CONTRACT, check_family

__all__ = ["CONTRACT", "FAMILY_CONTRACT", "check_algorithm", "check_family", "sample"]
