"""How likely tokens are, from the states of a language model; the vocabulary's scores are never kept."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fewshot.errors import InputError

AT_ONCE = 2**24  # scores of the vocabulary that are in memory at a time
PROBE = ((1, 2, 3),)
CLOSE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}  # relative to the norm


class NextToken:
    """The head of a causal language model.

    Args:
        model: as transformers' AutoModelForCausalLM gives it.

    Raises:
        InputError: a head that does more to the states than is known here.
    """

    def __init__(self, model: Any) -> None:
        config = model.config.get_text_config()
        self._head: nn.Linear = model.get_output_embeddings()
        self._cap = getattr(config, "final_logit_softcapping", None)
        divisor = getattr(config, "logits_scaling", None) or 1.0
        self._factor = float(getattr(config, "logit_scale", None) or 1 / divisor)
        with torch.no_grad():
            ids = torch.tensor(PROBE, device=self._head.weight.device)
            wanted = model(input_ids=ids, use_cache=False).logits.float()
            found = self._scores(model.base_model(input_ids=ids, use_cache=False).last_hidden_state)
        if (found - wanted).norm() > CLOSE.get(self._head.weight.dtype, 1e-4) * wanted.norm():
            raise InputError(
                "the head of this language model does more than is known here",
                where=f"model.backbone, {type(model).__name__}",
                needed="a linear map of the last states, with a factor or a soft cap at most",
            )

    def best(self, states: Tensor) -> Tensor:
        """The likeliest token after each of P states, (P,)."""
        return self._scores(states).argmax(-1)

    def log_likelihoods(self, states: Tensor, position: Tensor, token: Tensor) -> tuple[Tensor, Tensor]:
        """Of tokens after the states that come before them, (M,), in nats, and which are the likeliest, (M,).

        Args:
            states: last hidden states, (P, H).
            position: of each token, the number of its state, ascending, (M,).
            token: its number in the vocabulary, (M,).
        """
        size = max(1, AT_ONCE // self._head.weight.shape[0])
        found = []
        for at in range(0, len(states), size):
            bounds = torch.tensor([at, at + size], device=position.device)
            first, last = torch.searchsorted(position, bounds).tolist()
            part = (states[at : at + size], position[first:last] - at, token[first:last])
            if torch.is_grad_enabled() and len(states) > size:
                found.append(checkpoint(self._picked, *part, use_reentrant=False, preserve_rng_state=False))
            else:
                found.append(self._picked(*part))
        likelihoods, likeliest = zip(*found, strict=True)
        return torch.cat(likelihoods), torch.cat(likeliest)

    def _picked(self, states: Tensor, position: Tensor, token: Tensor) -> tuple[Tensor, Tensor]:
        scores = self._scores(states)
        likeliest = scores.detach().argmax(-1)[position] == token
        return scores[position, token] - torch.logsumexp(scores, -1)[position], likeliest

    def _scores(self, states: Tensor) -> Tensor:
        """Of the vocabulary, (..., V), float32."""
        weight = self._head.weight
        scores = F.linear(states.to(weight.dtype), weight, self._head.bias).float() * self._factor
        return scores if self._cap is None else self._cap * torch.tanh(scores / self._cap)
