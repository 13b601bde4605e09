"""A causal language model with LoRA on a task axis; classes are answered by their names.

Scores of label words, calibrated by what the model says without a text: Schick, Schuetze: Exploiting Cloze
Questions for Few Shot Text Classification and Natural Language Inference, EACL 2021,
https://arxiv.org/abs/2001.07676 (verbalisers); Zhao, Wallace, Feng, Klein, Singh: Calibrate Before Use,
ICML 2021, https://arxiv.org/abs/2102.09690; Holtzman, West, Shwartz, Choi, Zettlemoyer: Surface Form
Competition, EMNLP 2021, https://arxiv.org/abs/2104.08315 (the ratio to the likelihood without the text).

    score(n | x) = sum over tokens of log p(name_n | prompt(x))  -  the same after prompt('')
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from fewshot.data.names import in_words
from fewshot.errors import InputError
from fewshot.models.batch import Rows, TaskBatch, Text
from fewshot.models.cache import Cache
from fewshot.models.choices import Asked, Choices, asked
from fewshot.models.compute import Compute
from fewshot.models.heads import LikelihoodHead
from fewshot.models.inputs import Part, TextInputs
from fewshot.models.lora_learner import LoraLearner, check_positive
from fewshot.models.lora_settings import Lora
from fewshot.models.prompts import Prompt, PromptTokens
from fewshot.models.stack import Stack

LORA = Lora(modules=("auto",), layers="all")


class LoraCausal(LoraLearner):
    """Any model that transformers' AutoModelForCausalLM loads, frozen, with stacked LoRA.

    Args:
        backbone: a folder, a hub id, or 'shape:llama-1b' and the like: random weights, to measure.
        lora: rank, targets and layers of the adapter.
        prompt: what the model reads before it answers.
        calibrated: a name's score is its log-likelihood after the text less that after no text.
        scale: initial factor before the scores; meta-learned from there.
        max_length: tokens of a prompt with its answer; a text that is too long is cut from the left.
        compute: device, precision and attention of the backbone.
        cache: how the frozen states of texts are kept between batches.
    """

    reads_names = True
    has_space = False

    def __init__(
        self,
        backbone: str,
        lora: Lora = LORA,
        prompt: Prompt = Prompt(),
        calibrated: bool = True,
        scale: float = 1.0,
        max_length: int = 256,
        compute: Compute = Compute(),
        cache: Cache = Cache(),
    ) -> None:
        check_positive(scale=scale, max_length=max_length)
        super().__init__(backbone, lora, max_length, compute, cache, kind="causal")
        from fewshot.models.likelihood import NextToken

        self._prompts = PromptTokens(self.tokenizer, prompt, max_length)
        self._next = NextToken(self.peft.get_base_model())
        self.calibrated = calibrated
        self.head = LikelihoodHead(self.width, scale).to(self.peft.device)

    def text_inputs(self, batch: TaskBatch) -> TextInputs:
        """The prompts with the names."""
        inputs: Asked = batch.inputs
        return inputs.text

    def batch(self, rows: Rows) -> TaskBatch:
        """Prompts and names as tokens.

        Raises:
            InputError: rows without class names, a name without tokens, two names with the same.
        """
        if not rows.names:
            raise InputError(
                "a model that answers by class names needs them",
                where=type(self).__name__,
                got="rows without class names",
                needed="episodes of named classes",
            )
        names = [self._names(each) for each in rows.names]
        asking = list(zip(rows.texts, rows.task, strict=True))
        asking += [(_empty(rows, t), t) for t in range(len(names))] if self.calibrated else []
        choices, width, cuts = Choices(), max(rows.ways), 0
        for number, (text, task) in enumerate(asking):
            prompt, cut = self._prompts.prompt(text, max(map(len, names[task])))
            cuts += cut
            choices.add(prompt, names[task], task, number * width)
        pad, tasks = self.tokenizer.pad_token_id or 0, len(rows.ways)
        text_inputs = self._body.inputs(choices.rows(), choices.task, tasks, self.rows_at_once, pad)
        return rows.batch(asked(text_inputs, choices.scored, len(asking) * width, cuts))

    def place(self, batch: TaskBatch) -> TaskBatch:
        """The batch on the device, with the frozen states of its prompts."""
        inputs: Asked = batch.inputs
        placed = super().place(batch)
        return replace(placed, inputs=inputs.to(self.device, placed.inputs))

    def cost(self, *batches: TaskBatch) -> dict[str, float]:
        """Tokens and padding, and the prompts whose texts were too long."""
        return super().cost(*batches) | {"cut_prompts": sum(batch.inputs.cut for batch in batches)}

    def features(self, stack: Stack, batch: TaskBatch) -> Tensor:
        """Calibrated log-likelihoods of each row's class names, (R, max way); 0 for what a task lacks."""
        inputs: Asked = batch.inputs
        parts = zip(inputs.text.parts, inputs.picks, strict=True)
        states = torch.cat([self._picked(stack, part, pick) for part, pick in parts])
        likelihoods = self._next.log_likelihoods(states, inputs.position, inputs.token)
        sums = likelihoods.new_zeros(inputs.slots).index_add(0, inputs.slot, likelihoods)
        by_class = sums.view(-1, max(batch.ways))
        rows = len(batch.labels)
        return by_class[:rows] - by_class[rows:][batch.task] if self.calibrated else by_class

    def _picked(self, stack: Stack, part: Part, pick: Tensor) -> Tensor:
        if not self.rows_at_once or not torch.is_grad_enabled():
            return self._states(stack, part, pick)
        # computed again in the backward pass, so that one part's activations are in memory at a time
        states: Tensor = checkpoint(
            self._states, stack, part, pick, use_reentrant=False, preserve_rng_state=False
        )
        return states

    def _states(self, stack: Stack, part: Part, pick: Tensor) -> Tensor:
        """The states after which something is scored, (P, H)."""
        return self._body.hidden(stack, part).flatten(0, 1).index_select(0, pick)

    def _names(self, names: Sequence[str]) -> list[list[int]]:
        """The tokens of a task's class names.

        Raises:
            InputError: a name without tokens, two names with the same.
        """
        answers = [self._prompts.answer(in_words(name)) for name in names]
        seen: dict[tuple[int, ...], str] = {}
        for name, answer in zip(names, answers, strict=True):
            other = seen.setdefault(tuple(answer), name)
            if other != name:
                raise InputError(
                    "two label names have the same tokens",
                    where="the label names",
                    got=f"{other!r} and {name!r}",
                    needed="names that the model can tell apart",
                    fix="give one of the classes another name in the data",
                )
        return answers


def _empty(rows: Rows, task: int) -> Text:
    """No text, or a pair of none where the task's rows are pairs."""
    paired = any(second for (_, second), t in zip(rows.texts, rows.task, strict=True) if t == task)
    return "", "" if paired else None
