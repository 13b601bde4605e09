import pytest
import torch
from conftest import CausalMaker, LearnerMaker

from fewshot import MAML, Attributes, Evaluation
from fewshot.algorithms.algorithm import Predictor
from fewshot.algorithms.anil import ANIL
from fewshot.algorithms.incontext import InContext
from fewshot.algorithms.mamladam import MAMLAdam
from fewshot.algorithms.prototypes import FrozenPrototypes
from fewshot.algorithms.ridge import FrozenRidge
from fewshot.algorithms.zeroshot import ZeroShot
from fewshot.comparison import BEFORE, Contestant, adapted_by, compare, comparison, like
from fewshot.errors import InputError
from fewshot.metrics.generation import GENERATION
from fewshot.metrics.intervals import mean_interval
from fewshot.metrics.scores import SCORES
from fewshot.models.batch import TaskBatch
from fewshot.models.learner import Learner
from fewshot.tasks.strings import StringTasks


def test_differences_are_paired_on_the_same_episodes(make_learner: LearnerMaker) -> None:
    learner, algorithm = make_learner(), MAML(inner_steps=2)
    algorithm.prepare(learner)
    contestants = [
        Contestant("frozen", learner, FrozenPrototypes(), baseline=True),
        Contestant("ours", learner, algorithm),
    ]
    family = Attributes(way=3, shot=2, queries=2, mentions=3)
    results = compare(family, contestants, Evaluation(episodes=10))
    assert [r.episode for r in results["frozen"]] == [r.episode for r in results["ours"]]
    content = comparison(results, contestants, reference="ours", seed=0)
    pairs = zip(results["ours"], results["frozen"], strict=True)
    mean, std, low, high = mean_interval([a.after.f1 - b.after.f1 for a, b in pairs])
    found = content["differences"]["frozen"]["f1"]
    assert (found["mean"], found["std"], found["ci95"]) == (mean, std, [low, high])
    assert found["wins"] + found["ties"] + found["losses"] == 10
    assert found["p"] <= found["p_holm"] <= 2 * found["p"]
    gained = mean_interval([r.after.accuracy - r.before.accuracy for r in results["ours"]])[0]
    assert content["differences"][BEFORE]["accuracy"]["mean"] == pytest.approx(gained)
    over = content["over_best_baseline"]
    assert content["best_baseline"] == "frozen"
    assert set(over) == {"ours", BEFORE}
    assert over["ours"]["f1"]["mean"] == pytest.approx(mean)
    methods = content["methods"]
    assert methods["frozen"]["trainable_parameters"] == 0
    meta = [*learner.adapter().values(), *learner.head.parameters(), *algorithm.parameters()]
    assert methods["ours"]["trainable_parameters"] == sum(value.numel() for value in meta)
    assert methods["ours"]["seconds_per_task"] > 0
    assert content["methods"]["ours"]["episodes"] == content["episodes"] == 10


def test_scores_of_what_was_written_are_paired_too(make_causal: CausalMaker) -> None:
    model = make_causal(max_new_tokens=3)
    contestants = [
        Contestant("in context", model, InContext(), baseline=True),
        Contestant("ours", model, MAMLAdam(1)),
    ]
    contestants[1].algorithm.prepare(model)
    results = compare(StringTasks(2, 2), contestants, Evaluation(episodes=3))
    content = comparison(results, contestants, reference="ours", seed=0)
    ours, theirs = (
        [result.written.scores for result in results[name] if result.written]
        for name in ("ours", "in context")
    )
    assert len(ours) == len(theirs) == 3
    for place, name in (("differences", "in context"), ("over_best_baseline", "ours")):
        found = content[place][name]
        assert list(found) == [*SCORES, *GENERATION]
        for score in GENERATION:
            pairs = zip(ours, theirs, strict=True)
            expected = [getattr(a, score) - getattr(b, score) for a, b in pairs]
            assert found[score]["mean"] == pytest.approx(sum(expected) / 3)
    assert any(own["chrf"]["mean"] for own in content["differences"].values() if "chrf" in own)
    before = content["differences"][BEFORE]
    assert list(before) == [*SCORES, *GENERATION]
    written = [each for result in results["ours"] if (each := result.written)]
    expected = [each.scores.chrf - each.before.chrf for each in written]
    assert before["chrf"]["mean"] == pytest.approx(sum(expected) / 3)
    alike = [each for result in results["in context"] if (each := result.written)]
    assert all(each.before == each.scores for each in alike), "what does not adapt writes the same"


def test_the_best_baseline_is_the_one_with_the_highest_accuracy(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    contestants = [
        Contestant(name, learner, algorithm, baseline=True)
        for name, algorithm in (("one", FrozenPrototypes()), ("two", FrozenRidge()), ("three", ZeroShot()))
    ]
    family = Attributes(way=3, shot=2, queries=2, mentions=3)
    content = comparison(compare(family, contestants, Evaluation(episodes=6)), contestants, "one", seed=0)
    accuracy = {name: own["accuracy"]["mean"] for name, own in content["methods"].items()}
    assert accuracy[content["best_baseline"]] == max(accuracy.values())
    assert content["best_baseline"] not in content["over_best_baseline"]


def test_without_a_baseline_there_is_no_best_one(make_learner: LearnerMaker) -> None:
    contestants = [Contestant("ours", make_learner(), MAML(inner_steps=1))]
    family = Attributes(way=3, shot=2, queries=2, mentions=3)
    content = comparison(compare(family, contestants, Evaluation(episodes=2)), contestants, "ours", seed=0)
    assert content["best_baseline"] is None
    assert content["over_best_baseline"] == {}


def test_another_inner_method_takes_the_rates_that_both_learn(make_learner: LearnerMaker) -> None:
    learner, algorithm = make_learner(), MAML(inner_steps=2)
    algorithm.prepare(learner)
    with torch.no_grad():
        algorithm.log_rates["head/weight"].fill_(-5.0)
    found = adapted_by(Contestant("run", learner, algorithm), ANIL(inner_steps=2), "ANIL")
    assert found.name == "run by ANIL"
    assert found.model is learner
    rates = {name: value.item() for name, value in found.algorithm.named_parameters()}
    assert rates["log_rates.head/weight"] == -5.0
    assert "log_rates.head/bias" in rates


def test_a_rate_of_sgd_is_none_of_adam(make_learner: LearnerMaker) -> None:
    learner, algorithm = make_learner(), MAML()
    algorithm.prepare(learner)
    run = Contestant("run", learner, algorithm)
    found = adapted_by(run, like("MAMLAdam", algorithm), "MAMLAdam").algorithm
    rates = [value.exp().item() for _, value in found.named_parameters()]
    assert rates == pytest.approx([0.003] * len(rates))
    alike = adapted_by(run, like("BOIL", algorithm), "BOIL").algorithm
    assert [value.exp().item() for _, value in alike.named_parameters()] == pytest.approx(
        [0.2] * (len(rates) - 2)
    )
    assert like("BOIL", MAMLAdam(inner_lr=0.01)).inner_lr == 0.01
    assert like("MetaCurvature", MAMLAdam()).inner_lr == 0.2


def test_what_a_method_cannot_do_is_said_before_the_others_begin(make_causal: CausalMaker) -> None:
    model, asked = make_causal(max_new_tokens=2), []

    class Counted(InContext):
        def adapt(self, learner: Learner, support: TaskBatch) -> Predictor:
            asked.append(support.tasks)
            return super().adapt(learner, support)

    contestants = [Contestant("can", model, Counted()), Contestant("cannot", model, InContext(channel=True))]
    with pytest.raises(InputError, match="cannot write one"):
        compare(StringTasks(2, 2), contestants, Evaluation(20))
    assert asked == [1]
