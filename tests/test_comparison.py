import pytest
from conftest import LearnerMaker

from fewshot import MAML, Attributes, Evaluation
from fewshot.algorithms.prototypes import FrozenPrototypes
from fewshot.comparison import BEFORE, Contestant, compare, comparison
from fewshot.metrics import mean_interval


def test_differences_are_paired_on_the_same_episodes(make_learner: LearnerMaker) -> None:
    learner, algorithm = make_learner(), MAML(inner_steps=2)
    algorithm.prepare(learner)
    contestants = [Contestant("frozen", learner, FrozenPrototypes()), Contestant("ours", learner, algorithm)]
    family = Attributes(way=3, shot=2, queries=2, mentions=3)
    results = compare(family, contestants, Evaluation(episodes=10))
    assert [r.episode for r in results["frozen"]] == [r.episode for r in results["ours"]]
    content = comparison(results, reference="ours", seed=0)
    pairs = zip(results["ours"], results["frozen"], strict=True)
    mean, std, low, high = mean_interval([a.after.f1 - b.after.f1 for a, b in pairs])
    assert content["differences"]["frozen"]["f1"] == {"mean": mean, "std": std, "ci95": [low, high]}
    gained = mean_interval([r.after.accuracy - r.before.accuracy for r in results["ours"]])[0]
    assert content["differences"][BEFORE]["accuracy"]["mean"] == pytest.approx(gained)
    assert content["methods"]["ours"]["episodes"] == content["episodes"] == 10
