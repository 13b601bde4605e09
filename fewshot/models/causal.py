"""A causal language model with LoRA on a task axis: classes are answered by their names, texts are written.

Scores of label words, calibrated by what the model says without a text: Schick, Schuetze: Exploiting Cloze
Questions for Few Shot Text Classification and Natural Language Inference, EACL 2021,
https://arxiv.org/abs/2001.07676 (verbalisers); Zhao, Wallace, Feng, Klein, Singh: Calibrate Before Use,
ICML 2021, https://arxiv.org/abs/2102.09690; Holtzman, West, Shwartz, Choi, Zettlemoyer: Surface Form
Competition, EMNLP 2021, https://arxiv.org/abs/2104.08315 (the ratio to the likelihood without the text).

    score(n | x) = sum over tokens of log p(name_n | prompt(x))  -  the same after prompt('')

Of a text that is to be written, the loss is the mean of -log p over its tokens and the end, and nothing of
the prompt; what is written is decoded greedily.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from fewshot.models.asking import Asking
from fewshot.models.batch import Answered, Rows, TaskBatch
from fewshot.models.cache import Cache
from fewshot.models.choices import Asked, asked
from fewshot.models.compute import Compute
from fewshot.models.heads import LikelihoodHead
from fewshot.models.inputs import Part, TextInputs
from fewshot.models.lora_learner import LoraLearner, check_positive
from fewshot.models.lora_settings import Lora
from fewshot.models.prompt_tokens import PromptTokens
from fewshot.models.prompts import Prompt
from fewshot.models.stack import Stack

LORA = Lora(modules=("auto",), layers="all")
LIKELIHOOD, LIKELIEST = 0, 1  # of an answer that is to be written: columns of its row


@dataclass(frozen=True)
class Inputs:
    """The rows of a batch as a language model takes them.

    Args:
        asked: the sequences, and what is scored.
        lengths: scored tokens of each row that is written, (R,); else empty.
        prompts: of each row that is written; else empty.
        neutral: of each row, the number of the row that it is calibrated by, (R,); else empty.
        cut: prompts of which something was left out.
    """

    asked: Asked
    lengths: Tensor
    prompts: list[list[int]]
    neutral: Tensor
    cut: int


class LoraCausal(LoraLearner):
    """Any model that transformers' AutoModelForCausalLM loads, frozen, with stacked LoRA.

    Args:
        backbone: a folder, a hub id, or 'shape:llama-1b' and the like: random weights, to measure.
        lora: rank, targets and layers of the adapter.
        prompt: what the model reads before it answers.
        calibrated: a name's score is its log-likelihood after the text less that after no text.
        scale: initial factor before the scores; meta-learned from there.
        max_length: tokens of a prompt with its answer; examples that are too many are left out, then a text
            that is too long is cut from the left.
        max_new_tokens: tokens that are written at most, or as many as the right answer has.
        compute: device, precision and attention of the backbone.
        cache: how the frozen states of texts are kept between batches.
    """

    reads_names = True
    writes = True
    has_space = False

    def __init__(
        self,
        backbone: str,
        lora: Lora = LORA,
        prompt: Prompt = Prompt(),
        calibrated: bool = True,
        scale: float = 1.0,
        max_length: int = 256,
        max_new_tokens: int = 32,
        compute: Compute = Compute(),
        cache: Cache = Cache(),
    ) -> None:
        check_positive(scale=scale, max_length=max_length, max_new_tokens=max_new_tokens)
        super().__init__(backbone, lora, max_length, compute, cache, kind="causal")
        from fewshot.models.decoding import Decoder
        from fewshot.models.likelihood import NextToken

        tokens = PromptTokens(self.tokenizer, prompt, max_length)
        self._prompts, self._asking = (
            tokens,
            Asking(tokens, calibrated, max_new_tokens, branching=self._body.packs),
        )
        self._next = NextToken(self.peft.get_base_model())
        self._pad = self.tokenizer.pad_token_id or 0
        self._decoder = Decoder(self._body, self._next, tokens.ends(self._ends()), self._pad)
        self.calibrated, self.max_new_tokens = calibrated, max_new_tokens
        self._read, self._cut = Counter[int](), Counter[int]()  # prompts by task, see `take_prompts`
        self.head = LikelihoodHead(self.width, scale).to(self.peft.device)

    def _ends(self) -> Collection[int]:
        """What the model's configuration says that ends an answer."""
        settings = getattr(self.peft.get_base_model(), "generation_config", None)
        own = getattr(settings, "eos_token_id", None)
        return own if isinstance(own, list) else [] if own is None else [own]

    def text_inputs(self, batch: TaskBatch) -> TextInputs:
        """The prompts with what is scored after them."""
        inputs: Inputs = batch.inputs
        return inputs.asked.text

    def foresee(self, names: Iterable[Sequence[str]], answers: Iterable[str]) -> None:
        """Class names and answers without tokens, not told apart, or beside which no text has room."""
        self._asking.foresee(names, answers)

    def batch(self, rows: Rows) -> TaskBatch:
        """Prompts, names and answers as tokens.

        Raises:
            InputError: see `Asking.question`.
        """
        found = self._asking.question(rows)
        tasks = len(rows.ways)
        text = self._body.inputs(
            found.choices.rows(), found.choices.task, tasks, self.rows_at_once, self._pad
        )
        scored = asked(text, found.choices.scored, found.slots)
        lengths, neutral = torch.tensor(found.lengths), torch.tensor(found.neutral, dtype=torch.long)
        self._read, self._cut = self._read + found.read, self._cut + found.cut
        return rows.batch(Inputs(scored, lengths, found.prompts, neutral, found.cut.total()))

    def take_prompts(self) -> dict[int, tuple[int, int]]:
        """Of each task the prompts that were made since the last call, and those that were cut."""
        read, cut = self._read, self._cut
        self._read, self._cut = Counter(), Counter()
        return {task: (count, cut[task]) for task, count in read.items()}

    def place(self, batch: TaskBatch) -> TaskBatch:
        """The batch on the device, with the frozen states of its prompts."""
        inputs: Inputs = batch.inputs
        placed = super().place(batch)
        on_device = replace(
            inputs,
            asked=inputs.asked.to(self.device, placed.inputs),
            lengths=inputs.lengths.to(self.device),
            neutral=inputs.neutral.to(self.device),
        )
        return replace(placed, inputs=on_device)

    def cost(self, *batches: TaskBatch) -> dict[str, int]:
        """Tokens and padding, and the prompts of which something was left out."""
        return super().cost(*batches) | {"cut_prompts": sum(batch.inputs.cut for batch in batches)}

    def features(self, stack: Stack, batch: TaskBatch) -> Tensor:
        """Log-likelihoods, in nats.

        Of class names, calibrated: (R, max way); 0 for what a task lacks. Of answers to be written: (R, 2),
        beside them whether each token of the answer is the likeliest one, 1 or 0.
        """
        inputs: Inputs = batch.inputs
        scored = inputs.asked
        parts = zip(scored.text.parts, scored.picks, strict=True)
        states = torch.cat([self._picked(stack, part, pick) for part, pick in parts])
        likelihoods, likeliest = self._next.log_likelihoods(states, scored.position, scored.token)
        sums = likelihoods.new_zeros(scored.slots).index_add(0, scored.slot, likelihoods)
        if batch.written:
            missed = torch.zeros_like(sums).index_add(0, scored.slot, (~likeliest).to(sums))
            return torch.stack([sums, (missed == 0).to(sums)], dim=1)
        by_class = sums.view(-1, max(batch.ways))
        rows = by_class[: len(batch.labels)]
        return rows - by_class[inputs.neutral] if len(inputs.neutral) else rows

    def logits(self, stack: Stack, batch: TaskBatch) -> Tensor:
        """Class scores (R, max way); of answers to be written what `features` gives."""
        return self.features(stack, batch) if batch.written else super().logits(stack, batch)

    def losses(self, scores: Tensor, batch: TaskBatch) -> Tensor:
        """Each task's loss, (T,): cross-entropy of the classes, or -log p a token of the answers."""
        if not batch.written:
            return super().losses(scores, batch)
        lengths = batch.inputs.lengths.to(scores)
        return -batch.mean_by_task(scores[:, LIKELIHOOD]) / batch.mean_by_task(lengths)

    def answered(self, scores: Tensor, batch: TaskBatch) -> Answered:
        """What the scores say; class 0 where the right answer would be written, 1 where another one."""
        if not batch.written:
            return super().answered(scores, batch)
        likelihood, likeliest = scores.unbind(1)
        other = 1 - likelihood.exp()
        return Answered(
            (likeliest == 0).long(), torch.where(likeliest == 1, likelihood.exp(), other), likelihood
        )

    def write(self, stack: Stack, batch: TaskBatch) -> list[str]:
        """What is likeliest after each prompt, token by token, R texts."""
        inputs: Inputs = batch.inputs
        # there is room for no more behind a prompt
        most, task = inputs.lengths.clamp(min=self.max_new_tokens).tolist(), batch.task.tolist()
        written = self._decoder.write(stack, inputs.prompts, task, most, self.rows_at_once)
        return [self._prompts.text_of(tokens) for tokens in written]

    def _picked(self, stack: Stack, part: Part, pick: Tensor) -> Tensor:
        if not self._again_in_parts:
            return self._states(stack, part, pick)
        # computed again in the backward pass, so that one part's activations are in memory at a time
        states: Tensor = checkpoint(
            self._states, stack, part, pick, use_reentrant=False, preserve_rng_state=False
        )
        return states

    def _states(self, stack: Stack, part: Part, pick: Tensor) -> Tensor:
        """The states after which something is scored, (P, H)."""
        return self._body.hidden(stack, part).flatten(0, 1).index_select(0, pick)
