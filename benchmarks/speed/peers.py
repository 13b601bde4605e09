"""The same outer step as users of other libraries write it today: a PEFT model, one task after another.

All start from the meta-parameters of ours and compute the same class scores, so that gradients can be
compared. What is done for them: texts are tokenised once a task.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import peft
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.speed.case import RATE, SCALE, Case
from benchmarks.speed.ours import Ours
from fewshot.algorithms import learn2learn
from fewshot.data.example import Example
from fewshot.models.backbone import load_backbone
from fewshot.tasks.episode import Episode

Inputs = tuple[dict[str, Tensor], Tensor]


class PeftClassifier(nn.Module):
    """A PEFT model with mean pooling and a linear head on unit-length features.

    Args:
        case: which model, layers and type.
        attention: 'sdpa' or 'eager'.
        start: where adapter and head come from.
    """

    def __init__(self, case: Case, attention: str, start: Ours) -> None:
        super().__init__()
        device = start.learner.device
        dtype = torch.bfloat16 if case.setting.dtype == "bfloat16" else torch.float32
        model, self.tokenizer = load_backbone(case.model, dtype, device)
        model.set_attn_implementation(attention)
        adapted = sorted({name.rsplit(".", 1)[0] for name in start.learner.adapter()})
        config = peft.LoraConfig(r=case.rank, lora_alpha=16, target_modules=adapted, bias="none")
        self.max_length = case.max_length
        self.accepted = set(inspect.signature(model.forward).parameters)
        self.body = peft.get_peft_model(model, config).eval()
        self.weight = nn.Parameter(start.parameters["head"].detach().clone())
        self.bias = nn.Parameter(torch.zeros(len(self.weight)))
        self.to(device)
        own = dict(self.body.named_parameters())
        self.places = {"head": self.weight}
        for name, value in start.learner.adapter().items():
            layer, letter = name.rsplit(".", 1)
            self.places[name] = own[f"base_model.model.{layer}.lora_{letter}.default.weight"]
            with torch.no_grad():
                self.places[name].copy_(value)

    def inputs(self, episode: Episode, examples: Sequence[Example]) -> Inputs:
        """Texts padded to the longest of them, and their class numbers."""
        texts = [example.text for example in examples]
        found = self.tokenizer(
            texts, padding=True, truncation=True, max_length=self.max_length, return_tensors="pt"
        )
        kept = {name: value.to(self.weight.device) for name, value in found.items()}
        kept = {name: value for name, value in kept.items() if name in self.accepted}
        return kept, torch.tensor(episode.numbers(tuple(examples)), device=self.weight.device)

    def forward(self, tokens: dict[str, Tensor]) -> Tensor:
        """Class scores, (rows, way)."""
        hidden = self.body(**tokens).last_hidden_state.float()
        mask = tokens["attention_mask"][..., None].float()
        unit = F.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
        return SCALE * unit @ self.weight.T + self.bias


Task = Callable[[PeftClassifier, Case, Inputs, Inputs, int], None]


def by_learn2learn(model: PeftClassifier, case: Case, support: Inputs, query: Inputs, tasks: int) -> None:
    """learn2learn's own example of MAML: clone, adapt, backward."""
    maml = learn2learn.load().MAML(model, lr=RATE, first_order=case.order == 1, allow_nograd=True)
    clone = maml.clone()
    for _ in range(case.inner_steps):
        clone.adapt(F.cross_entropy(clone(support[0]), support[1]))
    (F.cross_entropy(clone(query[0]), query[1]) / tasks).backward()  # type: ignore[no-untyped-call]


def by_higher(model: PeftClassifier, case: Case, support: Inputs, query: Inputs, tasks: int) -> None:
    """The inner loop context of higher; in first order the gradient is added up by hand."""
    import higher

    trained = [value for value in model.parameters() if value.requires_grad]
    optimiser = torch.optim.SGD(trained, lr=RATE)
    second = case.order == 2
    with higher.innerloop_ctx(model, optimiser, copy_initial_weights=False, track_higher_grads=second) as (
        inner,
        differentiable,
    ):
        for _ in range(case.inner_steps):
            differentiable.step(F.cross_entropy(inner(support[0]), support[1]))
        loss = F.cross_entropy(inner(query[0]), query[1]) / tasks
        if second:
            loss.backward()  # type: ignore[no-untyped-call]
            return
        flags = [value.requires_grad for value in model.parameters()]
        fast = [value for value, wanted in zip(inner.fast_params, flags, strict=True) if wanted]
        for value, grad in zip(trained, torch.autograd.grad(loss, fast), strict=True):
            value.grad = grad if value.grad is None else value.grad + grad


def by_torchopt(model: PeftClassifier, case: Case, support: Inputs, query: Inputs, tasks: int) -> None:
    """TorchOpt's functional optimiser on the trained parameters alone, with torch's functional_call."""
    import torchopt

    def loss(values: dict[str, Tensor], inputs: Inputs) -> Tensor:
        scores = torch.func.functional_call(model, values, (inputs[0],))
        return F.cross_entropy(scores, inputs[1])

    second = case.order == 2
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    values: dict[str, Tensor] = dict(trained)
    optimiser = torchopt.sgd(lr=RATE)
    state = optimiser.init(values)
    for _ in range(case.inner_steps):
        found = torch.autograd.grad(loss(values, support), list(values.values()), create_graph=second)
        grads = dict(zip(values, found, strict=True))
        updates, state = optimiser.update(grads, state, inplace=False)
        values = torchopt.apply_updates(values, updates, inplace=False)
    (loss(values, query) / tasks).backward()  # type: ignore[no-untyped-call]


PEERS: dict[str, Task] = {"learn2learn": by_learn2learn, "higher": by_higher, "torchopt": by_torchopt}


class Peer:
    """One of the libraries on one case.

    Args:
        name: of the library.
        case: what is measured.
        model: the PEFT model; peers may share one.
    """

    def __init__(self, name: str, case: Case, model: PeftClassifier) -> None:
        self.name, self.case, self.model, self._task = name, case, model, PEERS[name]

    def step(self, drawn: Sequence[Episode]) -> None:
        """The meta-gradient of the episodes, left in the parameters' `grad`."""
        for value in self.model.parameters():
            value.grad = None
        for episode in drawn:
            support = self.model.inputs(episode, episode.support)
            query = self.model.inputs(episode, episode.query)
            self._task(self.model, self.case, support, query, len(drawn))

    def gradient(self) -> dict[str, Tensor]:
        """What `step` left, by our names."""
        return {name: value.grad for name, value in self.model.places.items() if value.grad is not None}


def relative_error(found: dict[str, Any], expected: dict[str, Any]) -> float:
    """Norm of the difference of two gradients over the norm of the second."""
    pairs = [(found[name].double().flatten(), value.double().flatten()) for name, value in expected.items()]
    own, theirs = (torch.cat(values) for values in zip(*pairs, strict=True))
    return float((own - theirs).norm() / theirs.norm())
