"""A text encoder from scratch: embedding, LSTM, dropout, dense. No pretrained model is needed.

Hochreiter, Schmidhuber: Long Short-Term Memory, Neural Computation 1997. All weights have a task axis:
here the adapter is the model. It meta-trains in seconds, for tests and teaching.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import safetensors.torch
import torch
from torch import Tensor, nn

from fewshot.errors import InputError
from fewshot.models.batch import Rows, TaskBatch, Text
from fewshot.models.heads import HEADS, PerClassHead
from fewshot.models.learner import Learner
from fewshot.models.recurrence import WordInputs, dropout_masks, last_state, slots
from fewshot.models.stack import Stack
from fewshot.models.words import WordVectors, hashed, words
from fewshot.untrusted.tensors import Wanted, read_tensors

FILE = "adapter.safetensors"
EMBEDDING = "embedding"
MOST = 1 << 30  # weights; a file may ask for any


class LstmEncoder(Learner):
    """An LSTM over word embeddings, whose last state goes through a dense layer.

    Args:
        embedding: width of the word embeddings (E); with `vectors` that of the file.
        hidden: width of the LSTM's state (H).
        features: width of the dense layer's output.
        rows: of the embedding table, which words are hashed to; no vocabulary has to be known.
        vectors: a text file of GloVe, word2vec or fastText; its embeddings are not adapted.
        dropout: share of the LSTM's last state that is dropped in outer steps; the same all through
            the inner loop.
        head: as for LoraEncoder, and so the next two.
        head_ways: the class vectors of the head 'per_class'.
        scale: initial factor before the cosine scores.
        max_length: words of a text that are read.
        seed: of the initial weights and of dropout.

    Raises:
        InputError: a width that is not positive, more weights than any use has, a dropout outside of 0 to 1.
    """

    def __init__(
        self,
        embedding: int = 50,
        hidden: int = 64,
        features: int = 64,
        rows: int = 4096,
        vectors: str | None = None,
        dropout: float = 0.0,
        head: Literal["prototype", "shared", "per_class"] = "prototype",
        head_ways: int = 5,
        scale: float = 10.0,
        max_length: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__()
        sizes = {"embedding": embedding, "hidden": hidden, "features": features, "rows": rows}
        for name, value in (
            sizes | {"max_length": max_length, "head_ways": head_ways, "scale": scale}
        ).items():
            if value <= 0:
                raise InputError(f"model.{name} is too small", got=value, needed="a number above 0")
        if not 0 <= dropout < 1:
            raise InputError("model.dropout is no share", got=dropout, needed="0 or more, below 1")
        self._vectors = WordVectors.read(Path(vectors).expanduser()) if vectors else None
        self._table: Tensor | None
        self.register_buffer("_table", self._vectors.table if self._vectors else None, persistent=False)
        width = self._vectors.table.shape[1] if self._vectors else embedding
        self._shapes: dict[str, tuple[int, ...]] = {
            "lstm.input": (4 * hidden, width),
            "lstm.state": (4 * hidden, hidden),
        }
        self._shapes |= {
            "lstm.bias": (4 * hidden,),
            "dense.weight": (features, hidden),
            "dense.bias": (features,),
        }
        if not self._vectors:
            self._shapes |= {EMBEDDING: (rows, width)}
        if (count := sum(map(math.prod, self._shapes.values())) + head_ways * features) > MOST:
            raise InputError("the model is too large", got=f"{count:,} weights", needed=f"at most {MOST:,}")
        self.rows, self.hidden, self.max_length = rows, hidden, max_length
        self.dropout, self.seed = dropout, seed
        self._weights = nn.ParameterDict(
            {name.replace(".", "/"): nn.Parameter(value) for name, value in self.fresh_adapter().items()}
        )
        kind = HEADS[head]
        self.head = kind(features, scale, **({"way": head_ways} if kind is PerClassHead else {}))
        self._step: int | None = None  # the outer step, while it lasts

    def batch(self, rows: Rows) -> TaskBatch:
        """Words as numbers."""
        numbers = [[self._number(word) for word in self._words(text)] for text in rows.texts]
        longest = max(len(row) for row in numbers)
        inputs = WordInputs(
            ids=torch.tensor([row + [0] * (longest - len(row)) for row in numbers]),
            lengths=torch.tensor([len(row) for row in numbers]),
        )
        return rows.batch(inputs)

    def place(self, batch: TaskBatch) -> TaskBatch:
        """The batch on the device; in an outer step with what dropout leaves of it."""
        inputs: WordInputs = batch.inputs
        dropped = None
        if self._step is not None and self.dropout:
            masks = dropout_masks(inputs, self.dropout, self.hidden, self.seed, self._step)
            dropped = masks.to(self.device)
        placed = WordInputs(inputs.ids.to(self.device), inputs.lengths.to(self.device), dropped)
        labels, task = batch.labels.to(self.device), batch.task.to(self.device)
        return replace(batch, inputs=placed, labels=labels, task=task)

    def learning(self, step: int | None) -> None:
        """Dropout is for outer steps."""
        self._step = step

    def adapter(self) -> Mapping[str, nn.Parameter]:
        """Embedding, LSTM and dense layer."""
        return {name: self._weights[name.replace(".", "/")] for name in self._shapes}

    def fresh_adapter(self) -> dict[str, Tensor]:
        """Random weights, drawn from the seed; the forget gate begins open."""
        generator = torch.Generator().manual_seed(self.seed)
        fresh = {name: torch.zeros(shape) for name, shape in self._shapes.items()}
        for name, value in fresh.items():
            if value.dim() == 2:
                limit = 1.0 if name == EMBEDDING else value.shape[1] ** -0.5
                value.uniform_(-limit, limit, generator=generator)
        fresh["lstm.bias"][self._forget] = 1.0
        return fresh

    def features(self, stack: Stack, batch: TaskBatch) -> Tensor:
        """The dense layer's output for each row, (R, F); without weights in the stack, of the fresh ones."""
        inputs: WordInputs = batch.inputs
        weights = self._of_tasks(stack, batch.tasks)
        slot, width = slots(batch)
        grid = torch.zeros(batch.tasks * width, inputs.ids.shape[1], dtype=torch.long, device=slot.device)
        lengths = torch.zeros(batch.tasks * width, dtype=torch.long, device=slot.device)
        grid[slot], lengths[slot] = inputs.ids, inputs.lengths
        embedded = self._embed(weights, grid.view(batch.tasks, -1)).view(batch.tasks, -1, self._width)
        gates = embedded @ weights["lstm.input"].mT + weights["lstm.bias"][:, None]
        gates = gates.view(batch.tasks, width, -1, 4 * self.hidden)
        last = last_state(gates, weights, lengths.view(-1, width))
        rows = last.reshape(-1, self.hidden)
        if inputs.dropped is not None:
            rows = rows.index_copy(0, slot, rows[slot] * inputs.dropped.to(rows))
        dense = (
            rows.view(batch.tasks, width, -1) @ weights["dense.weight"].mT + weights["dense.bias"][:, None]
        )
        return dense.reshape(batch.tasks * width, -1)[slot]

    def save_adapter(self, folder: Path) -> None:
        """`adapter.safetensors` with all weights."""
        values = {name: value.detach().cpu().contiguous() for name, value in self.adapter().items()}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_bytes(safetensors.torch.save(values))

    def load_adapter(self, folder: Path) -> None:
        """Reads what `save_adapter` wrote.

        Raises:
            InputError: no such file, or weights of other widths.
        """
        values = read_tensors(
            folder / FILE,
            {name: Wanted(shape) for name, shape in self._shapes.items()},
            what="the saved weights cannot be read",
            other="the saved weights are others than the configuration asks for",
            fix="take the widths that they were trained with",
        )
        with torch.no_grad():
            for name, parameter in self.adapter().items():
                parameter.copy_(values[name])

    def _words(self, text: Text) -> list[str]:
        first, second = text
        return (words(first) + (["[sep]", *words(second)] if second else []))[: self.max_length] or [
            "[empty]"
        ]

    def _number(self, word: str) -> int:
        if self._vectors:
            return self._vectors.row.get(word, len(self._vectors.row))
        return hashed(word, self.rows)

    @property
    def _forget(self) -> slice:
        """The rows of the forget gate; input, forget, cell, output one after another."""
        return slice(self.hidden, 2 * self.hidden)

    @property
    def _width(self) -> int:
        return self._shapes["lstm.input"][1]

    def _of_tasks(self, stack: Stack, tasks: int) -> dict[str, Tensor]:
        """Every weight of every task, (T, ...)."""
        missing = [name for name in self._shapes if name not in stack]
        fresh = self.fresh_adapter() if missing else {}
        like = self.head.log_scale
        filled = {name: fresh[name].to(like).expand(tasks, *fresh[name].shape) for name in missing}
        return filled | {name: stack[name] for name in self._shapes if name in stack}

    def _embed(self, weights: Mapping[str, Tensor], ids: Tensor) -> Tensor:
        """Embeddings of word numbers (T, n): (T, n, E)."""
        if self._table is not None:
            return self._table[ids].to(weights["dense.bias"])
        table = weights[EMBEDDING]
        first = torch.arange(len(table), device=ids.device)[:, None] * table.shape[1]
        return table.reshape(-1, table.shape[2])[ids + first]
