import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import LearnerMaker, attribute_episodes
from sklearn.linear_model import Ridge

from fewshot.algorithms.algorithm import ready
from fewshot.algorithms.prototypes import FrozenPrototypes
from fewshot.algorithms.ridge import FrozenRidge, ridge
from fewshot.errors import InputError
from fewshot.models.stack import Stack


def test_ridge_is_scikit_learns() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(12, 7, generator=generator, dtype=torch.float64)
    targets = torch.randn(12, 3, generator=generator, dtype=torch.float64)
    weight, bias = ridge(features, targets, 0.3)
    theirs = Ridge(alpha=0.3).fit(features.numpy(), targets.numpy())
    np.testing.assert_allclose(weight.T.numpy(), theirs.coef_, rtol=1e-9)
    np.testing.assert_allclose(bias.numpy(), theirs.intercept_, rtol=1e-9)


def test_the_ridge_baseline_decides_as_scikit_learn_does(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    support, query = ready(learner, attribute_episodes(2))
    decided = FrozenRidge(0.2).adapt(learner, support)(query).argmax(-1)
    with torch.no_grad():
        seen, asked = (F.normalize(learner.features(Stack({}), batch), dim=-1) for batch in (support, query))
    for task in range(2):
        rows, labels = support.task == task, support.labels[support.task == task]
        model = Ridge(alpha=0.2).fit(seen[rows].numpy(), np.eye(3)[labels.numpy()])
        expected = model.predict(asked[query.task == task].numpy()).argmax(-1)
        assert decided[query.task == task].tolist() == expected.tolist()


def test_prototypes_take_the_largest_cosine_to_a_class_mean(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    (episode,) = attribute_episodes(1)
    support, query = ready(learner, [episode])
    decided = FrozenPrototypes().adapt(learner, support)(query).argmax(-1)
    with torch.no_grad():
        seen, asked = (F.normalize(learner.features(Stack({}), batch), dim=-1) for batch in (support, query))
    means = torch.stack([seen[support.labels == n].mean(0) for n in range(3)])
    assert decided.tolist() == F.cosine_similarity(asked[:, None], means[None], dim=-1).argmax(-1).tolist()


def test_baselines_ignore_the_adapter(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    support, query = ready(learner, attribute_episodes(1))
    before = FrozenPrototypes().adapt(learner, support)(query)
    with torch.no_grad():
        for value in learner.adapter().values():
            value.mul_(5)
    assert torch.equal(before, FrozenPrototypes().adapt(learner, support)(query))


def test_a_penalty_of_zero_is_refused() -> None:
    with pytest.raises(InputError, match="the penalty is not positive"):
        FrozenRidge(0.0)
