"""What the members differ in: learned meta-parameters, schedules, refusals."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from algorithms.regression import Regressor, linear_tasks
from conftest import attribute_episodes
from torch import Tensor, nn

from fewshot.algorithms import learn2learn
from fewshot.algorithms.algorithm import Algorithm, ready
from fewshot.algorithms.anil import ANIL
from fewshot.algorithms.boil import BOIL
from fewshot.algorithms.finetune import FineTune
from fewshot.algorithms.imaml import IMAML
from fewshot.algorithms.logistic import FrozenLogistic
from fewshot.algorithms.maml import MAML
from fewshot.algorithms.mamlplusplus import MAMLPlusPlus
from fewshot.algorithms.metacurvature import MetaCurvature
from fewshot.algorithms.metasgd import MetaSGD
from fewshot.algorithms.multitask import MultiTask
from fewshot.algorithms.protomaml import ProtoMAML
from fewshot.algorithms.prototypes import FrozenPrototypes, ProtoNet
from fewshot.algorithms.ridge import R2D2, FrozenRidge
from fewshot.algorithms.zeroshot import ZeroShot
from fewshot.checkpoint import load_meta, save_meta
from fewshot.data.example import Example
from fewshot.errors import InputError
from fewshot.models.batch import TaskBatch
from fewshot.models.lstm import LstmEncoder
from fewshot.models.stack import Stack
from fewshot.tasks.episode import Episode

EXACT: dict[str, Algorithm] = {
    "MAML": MAML(2, 2, 0.1),
    "Adam": MAML(2, 2, 0.01, inner_optimiser="adam"),
    "anchor": MAML(2, 2, 0.1, anchor=0.5),
    "ANIL": ANIL(2, 2, 0.1),
    "BOIL": BOIL(2, 2, 0.1),
    "MetaSGD": MetaSGD(2, 2, 0.1),
    "MAMLPlusPlus": MAMLPlusPlus(2, 2, 0.1, first_order_until=0.0),
    "ProtoMAML": ProtoMAML(2, 2, 0.1),
    "MetaCurvature": MetaCurvature(2, 2, 0.1),
    "ProtoNet": ProtoNet(),
    "R2D2": R2D2(),
    "MultiTask": MultiTask(),
}


def small_lstm(**options: object) -> LstmEncoder:
    return LstmEncoder(embedding=6, hidden=8, features=7, rows=40, **options)  # type: ignore[arg-type]


def sides(learner: LstmEncoder, count: int = 2) -> tuple[TaskBatch, TaskBatch]:
    return ready(learner, attribute_episodes(count))


def classes_of(drawn: list[Episode]) -> dict[str, list[str]]:
    """All classes by source, and one that is in no episode."""
    sources = {episode.source for episode in drawn}
    return {s: ["other", *sorted({c for e in drawn if e.source == s for c in e.classes})] for s in sources}


@pytest.mark.parametrize("name", EXACT)
def test_every_learned_parameter_has_its_finite_difference(name: str) -> None:
    learner, algorithm = small_lstm(), EXACT[name]
    algorithm.meet(classes_of(attribute_episodes(2)))
    algorithm.prepare(learner)
    learner, algorithm = learner.double(), algorithm.double()
    support, query = sides(learner)

    def loss() -> Tensor:
        step = algorithm.meta_step(learner, support, query)
        return (step.losses if step.surrogate is None else step.surrogate).sum()

    named = dict([*learner.named_parameters(), *algorithm.named_parameters()])
    grads = torch.autograd.grad(loss(), list(named.values()), allow_unused=True)
    learned = {n for n, _ in algorithm.named_parameters()}
    for (parameter_name, parameter), grad in zip(named.items(), _or_none(grads), strict=True):
        if grad is None:
            assert parameter_name not in learned
            continue
        place = int(grad.abs().argmax())
        values = []
        for shift in (1e-5, -1e-5):
            with torch.no_grad():
                parameter.view(-1)[place] += shift
            values.append(loss().item())
            with torch.no_grad():
                parameter.view(-1)[place] -= shift
        expected = (values[0] - values[1]) / 2e-5
        assert grad.view(-1)[place].item() == pytest.approx(expected, rel=1e-4, abs=1e-8), parameter_name


def _or_none(grads: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    """What `allow_unused` gives, which its type does not say."""
    return grads


RATE = 0.0625  # the same number in single and in double precision


class OneTask(nn.Module):
    """A regressor of one task, as learn2learn's users write it."""

    def __init__(self, learner: Regressor) -> None:
        super().__init__()
        for name, value in learner.layers.items():
            self.register_parameter(name, nn.Parameter(value.detach().clone()))
        self.depth = learner.depth

    def forward(self, inputs: Tensor) -> Tensor:
        for number in range(self.depth):
            inputs = inputs @ getattr(self, f"w{number}").T + getattr(self, f"b{number}")
            inputs = torch.relu(inputs) if number + 1 < self.depth else inputs
        return inputs[:, 0]


def of_task(batch: TaskBatch, task: int) -> tuple[Tensor, Tensor]:
    return batch.inputs[batch.task == task], batch.labels[batch.task == task]


@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("member", ["MetaSGD", "MetaCurvature"])
def test_learned_updates_are_those_of_learn2learn_task_by_task(member: str, first_order: bool) -> None:
    learner = Regressor(4, 5, 1, seed=1).double()
    support, query = linear_tasks()
    order = 1 if first_order else 2
    made: dict[str, MAML] = {
        "MetaSGD": MetaSGD(order, 3, RATE),
        "MetaCurvature": MetaCurvature(order, 3, RATE),
    }
    algorithm = made[member]
    algorithm.prepare(learner)
    algorithm.double()
    losses = algorithm.meta_step(learner, support, query).losses
    ours = torch.autograd.grad(losses.sum(), [*learner.layers.values(), *algorithm.parameters()])
    l2l: Any = learn2learn.load()
    model: Any = OneTask(learner)
    if member == "MetaSGD":
        peer = l2l.MetaSGD(model, lr=RATE, first_order=first_order).double()
    else:
        transform = learn2learn.optim().transforms.MetaCurvatureTransform
        peer = l2l.GBML(model, transform, lr=RATE, first_order=first_order).double()
    total = torch.zeros((), dtype=torch.float64)
    for task in range(support.tasks):
        clone = _clone(peer)
        for _ in range(3):
            inputs, targets = of_task(support, task)
            clone.adapt((clone(inputs) - targets).square().mean())
        inputs, targets = of_task(query, task)
        loss = (clone(inputs) - targets).square().mean()
        assert loss.item() == pytest.approx(losses[task].item(), rel=1e-10)
        total = total + loss
    beside = peer.lrs if member == "MetaSGD" else peer.compute_update.parameters()
    theirs = torch.autograd.grad(total, [*model.parameters(), *beside])
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, other, atol=1e-9)


def _clone(peer: Any) -> Any:
    """`peer.clone()`; that of GBML reaches for parts of the package that are not imported here."""
    l2l = learn2learn.load()
    if not isinstance(peer, l2l.GBML):
        return peer.clone()
    copy = OneTask.__new__(OneTask)
    nn.Module.__init__(copy)
    copy.depth = peer.module.depth
    copy._parameters.update({n: p.clone() for n, p in peer.module.named_parameters()})
    return l2l.GBML(copy, None, lr=peer.lr, first_order=peer.first_order, compute_update=peer.compute_update)


def test_anil_leaves_the_body_and_boil_the_head() -> None:
    learner = small_lstm()
    support, _ = sides(learner)
    for algorithm, still in ((ANIL(), learner.adapter()), (BOIL(), learner.head.names)):
        algorithm.prepare(learner)
        start, *_, last = algorithm.path(learner, learner.start(support), support, first_order=True)
        changed = {name for name, value in start.items() if not torch.equal(value, last[name])}
        assert changed == {name for name, _ in start.items()} - set(still)


def test_anil_computes_the_features_once(monkeypatch: pytest.MonkeyPatch) -> None:
    learner, real, calls = small_lstm(), LstmEncoder.features, []
    support, _ = sides(learner)
    algorithm = ANIL(inner_steps=7)
    algorithm.prepare(learner)

    def counted(*given: Any) -> Tensor:
        calls.append(1)
        return real(*given)

    monkeypatch.setattr(LstmEncoder, "features", counted)
    algorithm.adapt(learner, support)
    assert len(calls) == 2  # for the prototypes, and for all inner steps


def test_boil_refuses_a_head_that_never_tells_classes_apart() -> None:
    with pytest.raises(InputError, match="starts alike for all classes"):
        BOIL().prepare(small_lstm(head="shared"))


def test_maml_plus_plus_anneals_its_losses_and_its_order() -> None:
    learner = small_lstm()
    support, query = sides(learner)
    algorithm = MAMLPlusPlus(2, 4, 0.1, first_order_until=0.5, every_loss_until=0.4)
    algorithm.prepare(learner)
    assert all(rates.shape == (4,) for rates in algorithm.log_rates.values())
    assert algorithm.weights == pytest.approx([0.25] * 4)
    algorithm.at(0.2)
    assert algorithm.weights == pytest.approx([0.125] * 3 + [0.625])
    algorithm.at(0.4)
    assert algorithm.weights == pytest.approx([0, 0, 0, 1])

    def gradient(algorithm: MAML) -> Tensor:
        step = algorithm.meta_step(learner, support, query)
        found = step.losses if step.surrogate is None else step.surrogate
        return torch.autograd.grad(found.sum(), learner.adapter()["dense.weight"])[0]

    plain = {order: gradient(MAML(order, 4, 0.1, learn_inner_lr=False)) for order in (1, 2)}
    assert torch.allclose(gradient(algorithm), plain[1], rtol=1e-3)
    algorithm.at(0.5)
    assert torch.allclose(gradient(algorithm), plain[2], rtol=1e-3)
    assert not torch.allclose(plain[1], plain[2], rtol=1e-2)


def test_more_steps_than_were_trained_take_the_last_rate() -> None:
    learner = small_lstm()
    support, query = sides(learner)
    algorithm = MAMLPlusPlus(inner_steps=2)
    algorithm.prepare(learner)
    algorithm.inner_steps = 5
    assert bool(torch.isfinite(algorithm.adapt(learner, support)(query)).all())


def test_protomaml_starts_as_the_nearest_prototype() -> None:
    learner = small_lstm(head="shared")
    support, query = sides(learner)
    ours = ProtoMAML().before(learner, support)(query)
    theirs = ProtoNet("euclidean").adapt(learner, support)(query)
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_euclidean_scores_are_squared_distances() -> None:
    learner = small_lstm()
    support, query = sides(learner, 1)
    scores = ProtoNet("euclidean").adapt(learner, support)(query)
    stack = learner.start_body(1)
    unit, asked = (
        nn.functional.normalize(learner.features(stack, each), dim=-1) for each in (support, query)
    )
    means = torch.stack([unit[support.labels == n].mean(0) for n in range(3)])
    distances = -learner.head.log_scale.exp() * torch.cdist(asked, means).square()
    difference = scores - distances
    assert torch.allclose(difference, difference[:, :1].expand_as(difference), atol=1e-4)


def test_metrics_that_are_not_known_are_refused() -> None:
    for kind in (ProtoNet, FrozenPrototypes):
        with pytest.raises(InputError, match="unknown metric"):
            kind("manhattan")  # type: ignore[arg-type]


def test_frozen_baselines_do_not_see_the_trained_adapter() -> None:
    learner = small_lstm()
    support, query = sides(learner)
    baselines: tuple[Algorithm, ...] = (
        FrozenPrototypes(),
        FrozenRidge(),
        FrozenLogistic(),
        ZeroShot(),
        FineTune(3),
    )
    before = []
    for baseline in baselines:
        baseline.prepare(learner)
        before.append(baseline.adapt(learner, support)(query))
    with torch.no_grad():
        for value in learner.adapter().values():
            value.add_(0.3)
    for baseline, scores in zip(baselines, before, strict=True):
        assert torch.allclose(baseline.adapt(learner, support)(query), scores, atol=1e-6), type(baseline)


def test_logistic_is_that_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    learner = small_lstm()
    for way in (2, 4):
        (episode,) = attribute_episodes(1, way=way, shot=4)
        support, query = ready(learner, [episode])
        scores = FrozenLogistic(10.0).adapt(learner, support)(query)
        rows = [
            nn.functional.normalize(learner.features(Stack({}), each), dim=-1).detach().double().numpy()
            for each in (support, query)
        ]
        model = LogisticRegression(C=10.0, max_iter=1000).fit(rows[0], support.labels.numpy())
        assert torch.softmax(scores, -1).numpy() == pytest.approx(model.predict_proba(rows[1]), abs=1e-4)


def test_zero_shot_knows_classes_by_their_names() -> None:
    learner = small_lstm()
    examples = tuple(Example(f"{label} again", label) for label in ("lost_card", "top-up"))
    asked = (Example("lost card", "lost_card"), Example("top up", "top-up"))
    support, query = ready(learner, [Episode(examples, asked, ("lost_card", "top-up"))])
    scores = ZeroShot().adapt(learner, support)(query)
    assert scores.argmax(-1).tolist() == [0, 1]
    assert scores.diagonal().tolist() == pytest.approx([learner.head.log_scale.exp().item()] * 2, rel=1e-5)


def test_zero_shot_needs_names() -> None:
    learner = small_lstm()
    examples = tuple(Example(f"text {n}", str(n)) for n in range(2))
    asked = tuple(Example(f"query {n}", str(n)) for n in range(2))
    support, _ = ready(learner, [Episode(examples, asked, ("0", "1"), "numbers.jsonl")])
    with pytest.raises(InputError) as error:
        ZeroShot().adapt(learner, support)
    assert "zero-shot needs label names" in str(error.value)
    assert "numbers.jsonl" in str(error.value)
    with pytest.raises(InputError, match="no place for the name"):
        ZeroShot("this is about")


def test_ridge_needs_examples() -> None:
    learner = small_lstm()
    support, _ = sides(learner, 2)
    keep = support.task == 0
    inputs = type(support.inputs)(support.inputs.ids[keep], support.inputs.lengths[keep])
    empty = TaskBatch(inputs, support.labels[keep], support.task[keep], support.ways)
    with pytest.raises(InputError, match="ridge regression needs examples"):
        FrozenRidge().adapt(learner, empty)


def test_multi_task_training_learns_its_classes_and_keeps_no_vectors(tmp_path: Path) -> None:
    learner, drawn = small_lstm(), attribute_episodes(4)
    algorithm = MultiTask(then="adapter")
    algorithm.meet(classes_of(drawn))
    algorithm.prepare(learner)
    support, query = ready(learner, drawn)
    optimiser = torch.optim.Adam([*learner.parameters(), *algorithm.parameters()], lr=0.02)
    losses = []
    for _ in range(30):
        optimiser.zero_grad()
        step = algorithm.meta_step(learner, support, query)
        torch.autograd.backward(step.losses.sum())
        optimiser.step()
        losses.append(step.losses.mean().item())
    assert losses[-1] < 0.3 * losses[0]
    save_meta(tmp_path, learner, algorithm)
    other, fresh = small_lstm(seed=5), MultiTask(then="adapter")
    fresh.prepare(other)
    load_meta(tmp_path, other, fresh)  # without the classes, as on another data set
    assert torch.equal(other.adapter()["dense.weight"], learner.adapter()["dense.weight"])


def test_multi_task_training_needs_the_classes() -> None:
    algorithm = MultiTask()
    algorithm.meet({})
    with pytest.raises(InputError, match="needs to know all classes"):
        algorithm.prepare(small_lstm())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MAML(inner_optimiser="rprop"), "unknown optimiser"),  # type: ignore[arg-type]
        (lambda: MAML(anchor=-1.0), "the penalty is negative"),
        (lambda: IMAML(anchor=0.0), "needs a penalty"),
        (lambda: IMAML(cg_steps=0), "too few steps"),
        (lambda: MAMLPlusPlus(first_order_until=1.5), "no share of the training"),
        (lambda: MultiTask(then="both"), "unknown transfer"),  # type: ignore[arg-type]
        (lambda: MultiTask(strength=0.0), "the penalty is not positive"),
        (lambda: R2D2(strength=-1.0), "the penalty is not positive"),
        (lambda: FrozenLogistic(strength=0.0), "C is not positive"),
    ],
)
def test_impossible_arguments_are_refused(make: type[Algorithm], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
