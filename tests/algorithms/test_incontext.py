"""Support sets in the prompt: what is read, what is scored, and what is trained for it."""

import io
from collections.abc import Callable

import pytest
import torch
from conftest import CausalMaker, LearnerMaker
from rich.console import Console

from fewshot.algorithms.algorithm import Algorithm, ready
from fewshot.algorithms.finetune import FineTune
from fewshot.algorithms.incontext import InContext, InContextMAML, MetaICL, examples
from fewshot.algorithms.maml import MAML
from fewshot.algorithms.multitask import MultiTask
from fewshot.algorithms.prototypes import ProtoNet
from fewshot.algorithms.zeroshot import ZeroShot
from fewshot.chunks import Chunks
from fewshot.data.example import Example
from fewshot.engine import Engine
from fewshot.errors import InputError
from fewshot.evaluation import Evaluation, evaluate
from fewshot.metrics.scores import SCORES
from fewshot.models.stack import Stack
from fewshot.report.tables import print_summary
from fewshot.results import output_rows, summarise, task_rows
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import episodes
from fewshot.tasks.strings import StringTasks
from fewshot.testing import CONTRACT

METHODS: dict[str, Callable[[], Algorithm]] = {
    "in-context": InContext,
    "channel": lambda: InContext(channel=True),
    "MetaICL": MetaICL,
    "InContextMAML": lambda: InContextMAML(1, 2),
    "multi-task": lambda: MultiTask("adapter", 2, 1e-2),
}
NAMED = Episode(
    (Example("a blue wall", "colour"), Example("a fat cat", "animal")),
    (Example("a red door", "colour"), Example("the dog", "animal")),
    ("colour", "animal"),
)


@pytest.mark.parametrize("check", CONTRACT)
@pytest.mark.parametrize("name", METHODS)
def test_methods_keep_their_contract_on_language_models(
    name: str, check: str, make_causal: CausalMaker
) -> None:
    CONTRACT[check](METHODS[name], lambda: make_causal(max_length=1024))


@pytest.mark.parametrize("name", [*METHODS, "MAML", "fine-tune", "zero-shot"])
def test_every_method_writes(name: str, make_causal: CausalMaker) -> None:
    methods: dict[str, Callable[[], Algorithm]] = METHODS | {
        "MAML": lambda: MAML(1, 2, 0.05),
        "fine-tune": lambda: FineTune(2, 1e-2),
        "zero-shot": ZeroShot,
    }
    learner, algorithm = make_causal(max_new_tokens=4), methods[name]()
    algorithm.prepare(learner)
    family, settings = StringTasks(2, 3), Evaluation(4, tasks_at_once=3)
    if name == "channel":
        with pytest.raises(InputError, match="cannot write one"):
            evaluate(family, learner, algorithm, settings)
        return
    results = evaluate(family, learner, algorithm, settings)
    summary = summarise(results)
    assert set(summary["generation"]) >= {"exact_match", "token_f1", "bleu", "chrf", "rouge_l"}
    for result, row in zip(results, task_rows(results), strict=True):
        assert result.written is not None
        assert len(result.written.outputs) == 3
        exact = [o == e.label for o, e in zip(result.written.outputs, result.episode.query, strict=True)]
        assert result.after.accuracy == pytest.approx(sum(exact) / 3)
        assert row["f1"] == row["token_f1"]
        assert len(result.moments) == (2 if algorithm.adapts else 1)
    assert len(output_rows(results)) == 12


def test_the_prompt_holds_the_support_set_with_the_names_as_words(make_causal: CausalMaker) -> None:
    learner = make_causal(calibrated=False)
    support, query = ready(learner, [NAMED])
    reader = InContext().adapt(learner, support)
    (part,) = reader.asked(query).inputs.asked.text.parts  # type: ignore[attr-defined]
    first = learner.tokenizer.decode(part.ids[0, : part.packing.lengths[0]])
    assert first == "a blue wall answer : colour [SEP] a fat cat answer : animal [SEP] a red door answer :"


def test_calibration_reads_the_examples_too(make_causal: CausalMaker) -> None:
    learner, plain = make_causal(), make_causal(calibrated=False)
    for each in (learner, plain):
        each.load_state_dict(make_causal().state_dict(), strict=False)
    support, query = ready(learner, [NAMED])
    found = InContext().adapt(learner, support)(query)
    bare = Episode(NAMED.support, (Example("", "colour"),), NAMED.classes)
    text = InContext().adapt(plain, ready(plain, [NAMED])[0])(ready(plain, [NAMED])[1])
    neutral = InContext().adapt(plain, ready(plain, [bare])[0])(ready(plain, [bare])[1])
    torch.testing.assert_close(found, text - neutral, atol=1e-4, rtol=1e-4)


def test_channel_scores_are_likelihoods_of_the_text_after_the_name(make_causal: CausalMaker) -> None:
    learner = make_causal()
    support, query = ready(learner, [NAMED])
    found = InContext(channel=True).adapt(learner, support)(query)

    def ids(text: str) -> list[int]:
        tokens: list[int] = learner.tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens

    shown = "colour\na blue wall\n\nanimal\na fat cat\n\n"
    with torch.no_grad(), learner.peft.disable_adapter():
        for row, example in enumerate(NAMED.query):
            for n, name in enumerate(NAMED.classes):
                prompt, text = ids(f"{shown}{name}\n"), ids(example.text)
                scores = learner.peft(input_ids=torch.tensor([prompt + text])).logits[0].log_softmax(-1)
                wanted = sum(scores[len(prompt) - 1 + n, t].item() for n, t in enumerate(text))
                assert found[row, n].item() == pytest.approx(wanted, abs=1e-3)


def test_each_support_example_stands_behind_the_others(make_causal: CausalMaker) -> None:
    learner = make_causal(calibrated=False)
    support, _ = ready(learner, [NAMED])
    seen: list[str] = []
    batch = learner.batch

    def watched(rows: object) -> object:
        made = batch(rows)  # type: ignore[arg-type]
        (part,) = made.inputs.asked.text.parts
        seen.append(str(learner.tokenizer.decode(part.ids[0, : part.packing.tokens])))
        return made

    learner.batch = watched  # type: ignore[method-assign, assignment]
    algorithm = InContextMAML(1, 1)
    algorithm.prepare(learner)
    list(algorithm.course(learner, support))
    assert seen == [
        "a fat cat answer : animal [SEP] a blue wall answer : "
        "a blue wall answer : colour [SEP] a fat cat answer :"
    ]
    assert [each.answer for each in examples(support)[0]] == ["colour", "animal"]


def test_in_context_training_makes_right_answers_likelier(make_causal: CausalMaker) -> None:
    learner, algorithm = make_causal(), MetaICL()
    algorithm.prepare(learner)
    support, query = ready(learner, list(episodes(StringTasks(2, 2), "train", 0, range(2))))
    optimiser = torch.optim.Adam(list(learner.adapter().values()), lr=0.01)
    losses = []
    for _ in range(10):
        optimiser.zero_grad()
        step = algorithm.meta_step(learner, support, query)
        torch.autograd.backward(step.losses.sum())
        optimiser.step()
        losses.append(step.losses.mean().item())
    assert losses[-1] < 0.9 * losses[0]


def test_in_context_methods_need_a_language_model(make_learner: LearnerMaker) -> None:
    for algorithm in (InContext(), MetaICL(), InContextMAML()):
        with pytest.raises(InputError, match="this model does not read on"):
            algorithm.prepare(make_learner())


def test_multi_task_training_needs_no_classes_where_answers_are_words(
    make_causal: CausalMaker, make_learner: LearnerMaker
) -> None:
    algorithm = MultiTask("adapter")
    algorithm.meet({})
    assert algorithm.prepare(make_causal()) == ""
    with pytest.raises(InputError, match="needs to know all classes"):
        algorithm.prepare(make_learner())


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("algorithm", "name", "instead"),
    [
        (
            MultiTask(),
            "multi-task training with a ridge head (algorithm.then features)",
            "--algorithm.then adapter, which fine-tunes the adapter to a task",
        ),
        (ProtoNet(), "ProtoNet", "take a method that adapts the adapter, such as MAML"),
    ],
)
def test_a_head_on_features_is_refused_with_what_works_instead(
    algorithm: Algorithm, name: str, instead: str, make_causal: CausalMaker
) -> None:
    with pytest.raises(InputError) as error:
        algorithm.prepare(make_causal())
    assert str(error.value) == (
        f"{name} solves for a head on features, and this model has none\n"
        "  where:  model LoraCausal\n"
        "  got:    a model that answers in words, class names or others\n"
        "  needed: a model with features\n"
        f"  do:     {instead}; or for a family of classes LoraEncoder on the same backbone"
    )


def test_in_context_uses_no_adapter(make_causal: CausalMaker) -> None:
    learner = make_causal()
    support, query = ready(learner, [NAMED])
    reader = InContext().adapt(learner, support)
    torch.testing.assert_close(
        reader(query),
        learner.logits(Stack({}), reader.asked(query)),  # type: ignore[attr-defined]
    )


@pytest.mark.parametrize("name", ["in-context", "MetaICL", "InContextMAML", "MAML"])
def test_cut_prompts_are_counted_in_the_test_and_in_training(name: str, make_causal: CausalMaker) -> None:
    methods: dict[str, Callable[[], Algorithm]] = METHODS | {"MAML": lambda: MAML(1, 2, 0.05)}
    family, found = StringTasks(4, 3), {}
    for length in (512, 40):
        learner, algorithm = make_causal(max_new_tokens=4, max_length=length), methods[name]()
        algorithm.prepare(learner)
        results = evaluate(family, learner, algorithm, Evaluation(3, tasks_at_once=2, curve=False))
        found[length] = summarise(results)["prompts"]
        cost = 0.0
        if algorithm.trainable:
            engine = Engine(learner, algorithm, Chunks(learner, 2, algorithm.takes_parts))
            batch = engine.collate(list(episodes(family, "train", 0, range(2))))
            cost = engine.gradient(batch).cost["cut_prompts"]
        reads_all = name == "MAML" or length == 512
        assert (cost > 0) == (not reads_all and algorithm.trainable)
    assert found[512]["cut"] == 0
    assert found[512]["read"] == found[40]["read"] >= 9
    assert (found[40]["cut"] > 0) == (name != "MAML")


def test_what_was_cut_is_told() -> None:
    summary = {"ran": "", "episodes": 2, "seed": 0, "way": 2, "shot": 1, "prompts": {"read": 1200, "cut": 30}}
    spread = {"mean": 0.5, "std": 0.1, "ci95": [0.4, 0.6], "worst_decile": 0.3}
    summary |= dict.fromkeys(SCORES, spread) | {"before": dict.fromkeys(SCORES, spread)}
    said = io.StringIO()
    print_summary(summary, Console(file=said, width=200))
    assert "30 of 1,200 prompts were longer than model.max_length and were cut\n" in said.getvalue()
