"""The learners that are known by name. A new one is one file and one line here."""

from fewshot.models.causal import LoraCausal
from fewshot.models.encoder import LoraEncoder
from fewshot.models.learner import Learner
from fewshot.models.lstm import LstmEncoder

LEARNERS: dict[str, type[Learner]] = {
    "LoraEncoder": LoraEncoder,
    "LoraCausal": LoraCausal,
    "LstmEncoder": LstmEncoder,
}
