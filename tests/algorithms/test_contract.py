"""What every algorithm and baseline owes."""

import pytest
import torch
from conftest import LearnerMaker, attribute_episodes
from torch import Tensor

from fewshot.algorithms.algorithm import Algorithm, ready
from fewshot.algorithms.algorithms import ALGORITHMS, BASELINES
from fewshot.models.batch import task_losses
from fewshot.models.encoder import LoraEncoder
from fewshot.tasks.episode import Episode

EVERY = {**ALGORITHMS, **BASELINES}
every_algorithm = pytest.mark.parametrize("name", EVERY)


def prepared(name: str, learner: LoraEncoder) -> Algorithm:
    algorithm = EVERY[name]()
    algorithm.prepare(learner)
    return algorithm


def scores(algorithm: Algorithm, learner: LoraEncoder, drawn: list[Episode]) -> Tensor:
    support, query = ready(learner, drawn)
    return algorithm.adapt(learner, support)(query)


@every_algorithm
def test_adapting_leaves_the_meta_parameters_alone(name: str, make_learner: LearnerMaker) -> None:
    learner = make_learner()
    algorithm = prepared(name, learner)
    before = {n: p.detach().clone() for n, p in [*learner.named_parameters(), *algorithm.named_parameters()]}
    scores(algorithm, learner, attribute_episodes(2))
    after = dict([*learner.named_parameters(), *algorithm.named_parameters()])
    assert all(torch.equal(before[n], after[n]) for n in before)
    assert all(p.grad is None for p in after.values())


@every_algorithm
def test_the_same_twice(name: str, make_learner: LearnerMaker) -> None:
    learner, drawn = make_learner(), attribute_episodes(2)
    algorithm = prepared(name, learner)
    assert torch.equal(scores(algorithm, learner, drawn), scores(algorithm, learner, drawn))


@every_algorithm
def test_tasks_together_are_tasks_alone(name: str, make_learner: LearnerMaker) -> None:
    learner = make_learner().double()
    algorithm = prepared(name, learner)
    drawn = attribute_episodes(4)
    alone = torch.cat([scores(algorithm, learner, [episode]) for episode in drawn])
    assert torch.allclose(scores(algorithm, learner, drawn), alone, atol=1e-9)


@every_algorithm
def test_tasks_of_different_way_and_shot_go_together(name: str, make_learner: LearnerMaker) -> None:
    learner = make_learner().double()
    algorithm = prepared(name, learner).double()
    drawn = attribute_episodes(2, way=2, shot=3) + attribute_episodes(1, way=4, shot=1, queries=3)
    support, query = ready(learner, drawn)
    together = algorithm.adapt(learner, support)(query)
    for number, episode in enumerate(drawn):
        mine = together[query.task == number]
        assert torch.allclose(mine[:, : episode.way], scores(algorithm, learner, [episode]), atol=1e-9)
        assert bool((mine[:, episode.way :] == -torch.inf).all())


@every_algorithm
def test_the_order_of_the_support_set_does_not_matter(name: str, make_learner: LearnerMaker) -> None:
    learner = make_learner()
    algorithm = prepared(name, learner)
    (episode,) = attribute_episodes(1)
    turned = Episode(episode.support[::-1], episode.query, episode.classes)
    assert torch.allclose(
        scores(algorithm, learner, [episode]), scores(algorithm, learner, [turned]), atol=1e-5
    )


@every_algorithm
def test_permuting_the_classes_permutes_the_scores(name: str, make_learner: LearnerMaker) -> None:
    learner = make_learner()
    algorithm = prepared(name, learner)
    (episode,) = attribute_episodes(1)
    turned = Episode(episode.support, episode.query, episode.classes[::-1])
    ours, theirs = scores(algorithm, learner, [episode]), scores(algorithm, learner, [turned])
    assert torch.allclose(ours, theirs.flip(-1), atol=1e-5)


@pytest.mark.parametrize("head", ["prototype", "shared", "per_class"])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_support_loss_falls(name: str, head: str, make_learner: LearnerMaker) -> None:
    learner = make_learner(head=head)
    algorithm = ALGORITHMS[name](inner_lr=0.01)
    algorithm.prepare(learner)
    support, _ = ready(learner, attribute_episodes(4))
    before = task_losses(algorithm.before(learner, support)(support), support)
    after = task_losses(algorithm.adapt(learner, support)(support), support)
    assert bool((after < before)[before > 0.1].all())
    assert bool((before > 0.1).any())


@pytest.mark.parametrize("name", ALGORITHMS)
def test_no_inner_step_is_the_initialisation(name: str, make_learner: LearnerMaker) -> None:
    learner = make_learner()
    algorithm = ALGORITHMS[name](inner_steps=0)
    algorithm.prepare(learner)
    support, query = ready(learner, attribute_episodes(2))
    assert torch.equal(algorithm.adapt(learner, support)(query), algorithm.before(learner, support)(query))
