"""Class names scored by causal language models: against transformers and PEFT themselves."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from causal_models import KINDS
from conftest import CausalMaker as Maker
from conftest import attribute_episodes

from fewshot.algorithms.algorithm import Algorithm, ready
from fewshot.algorithms.anil import ANIL
from fewshot.algorithms.finetune import FineTune
from fewshot.algorithms.maml import MAML
from fewshot.algorithms.multitask import MultiTask
from fewshot.algorithms.protomaml import ProtoMAML
from fewshot.algorithms.prototypes import FrozenPrototypes, ProtoNet
from fewshot.algorithms.zeroshot import ZeroShot
from fewshot.errors import InputError
from fewshot.evaluation import Evaluation, evaluate
from fewshot.models import likelihood
from fewshot.models.batch import Rows
from fewshot.models.causal import LoraCausal
from fewshot.models.compute import Compute
from fewshot.models.lora_settings import Lora
from fewshot.models.prompt_tokens import PromptTokens
from fewshot.models.prompts import Prompt
from fewshot.models.stack import Stack
from fewshot.tasks.attributes import Attributes
from fewshot.tasks.family import episodes
from fewshot.testing import CONTRACT

CAUSAL: Any = transformers.AutoModelForCausalLM
NAMES = ("on hold", "lost card", "card")  # of two tokens each but the last
TEXTS = ("where is it", "a card that was lost somewhere", "please")


def batch(learner: LoraCausal, texts: Sequence[str] = TEXTS, names: Sequence[str] = NAMES) -> Any:
    pairs = [(text, None) for text in texts]
    rows = Rows(pairs, [0] * len(texts), [0] * len(texts), [len(names)], (tuple(names),))
    return learner.place(learner.batch(rows))


def alone(learner: LoraCausal, logits: Callable[[torch.Tensor], torch.Tensor], text: str, name: str) -> float:
    """The log-likelihood of one name after one text, with nothing shared and nothing packed."""

    def ids(words: str) -> list[int]:
        found: list[int] = learner.tokenizer(words, add_special_tokens=False)["input_ids"]
        return found

    prompt, answer = ids(f"{text}\nAnswer:"), ids(f" {name}")
    with torch.no_grad():
        scores = logits(torch.tensor([prompt + answer]))[0].log_softmax(-1)
    return sum(scores[len(prompt) - 1 + n, token].item() for n, token in enumerate(answer))


def expected(learner: LoraCausal, logits: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    rows = [[alone(learner, logits, text, name) for name in NAMES] for text in (*TEXTS, "")]
    return torch.tensor(rows[:-1]) - torch.tensor(rows[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_scores_without_adapter_are_those_of_transformers(
    kind: str, causal_backbone: Callable[[str], str], make_causal: Maker
) -> None:
    learner = make_causal(kind)
    plain = CAUSAL.from_pretrained(causal_backbone(kind), dtype=torch.float32).eval()
    found = learner.features(Stack({}), batch(learner))
    torch.testing.assert_close(found, expected(learner, lambda ids: plain(ids).logits), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_stacked_adapters_score_as_peft_does(kind: str, make_causal: Maker) -> None:
    learner = make_causal(kind)
    found = learner.features(learner.start_body(1), batch(learner))
    ours = expected(learner, lambda ids: learner.peft(input_ids=ids).logits)
    torch.testing.assert_close(found, ours, atol=1e-4, rtol=1e-5)
    bare = learner.features(Stack({}), batch(learner))
    assert (found - bare).abs().max() > 1e-2, "the adapter does something"


def test_every_task_has_its_own_adapter(make_causal: Maker) -> None:
    learner = make_causal()
    other = {name: 2 * value for name, value in learner.adapter().items()}
    stack = Stack({name: torch.stack([value, other[name]]) for name, value in learner.adapter().items()})
    pairs = [(text, None) for text in (*TEXTS, *TEXTS)]
    rows = Rows(pairs, [0] * 6, [0, 1, 0, 1, 0, 1], [3, 3], (NAMES, NAMES))
    found = learner.features(stack, learner.place(learner.batch(rows)))
    singles = [
        learner.features(Stack({n: v[None] for n, v in own.items()}), batch(learner, [text]))[0]
        for text, own in zip([*TEXTS, *TEXTS], [learner.adapter(), other] * 3, strict=True)
    ]
    torch.testing.assert_close(found, torch.stack(singles), atol=1e-4, rtol=1e-4)


def test_names_of_one_token_need_the_prompt_alone(make_causal: Maker) -> None:
    learner = make_causal()
    tokens = [
        len(learner.tokenizer(f"{text}\nAnswer:", add_special_tokens=False)["input_ids"]) for text in TEXTS
    ]
    empty = len(learner.tokenizer("\nAnswer:", add_special_tokens=False)["input_ids"])
    single = batch(learner, names=("lost", "card"))
    assert single.inputs.asked.text.tokens == sum(tokens) + empty
    double = batch(learner, names=("lost card", "lost", "card"))
    assert double.inputs.asked.text.tokens == sum(tokens) + empty + len(TEXTS) + 1, "one more token each"


def test_tasks_of_different_ways(make_causal: Maker) -> None:
    learner = make_causal()
    rows = Rows([(text, None) for text in TEXTS], [0, 0, 0], [0, 1, 1], [2, 3], (NAMES[:2], NAMES))
    placed = learner.place(learner.batch(rows))
    scores = learner.logits(learner.start_body(2), placed)
    assert torch.isinf(scores[0, 2])
    assert torch.isfinite(scores[1:]).all()
    torch.testing.assert_close(
        scores[1:], learner.logits(learner.start_body(1), batch(learner))[1:], atol=1e-4, rtol=1e-4
    )


def gradient(learner: LoraCausal) -> torch.Tensor:
    scores = learner.logits(learner.start_body(1), batch(learner))
    grads = torch.autograd.grad(scores.log_softmax(-1)[:, 0].sum(), list(learner.adapter().values()))
    return torch.cat([grad.flatten() for grad in grads])


@pytest.mark.parametrize("how", ["rows", "vocabulary", "blocks", "rows of blocks"])
def test_what_is_computed_in_parts_is_the_same(
    how: str, make_causal: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = gradient(make_causal())
    if how == "vocabulary":
        monkeypatch.setattr(likelihood, "AT_ONCE", 2 * 30522)
    rows, blocks = 2 if how.startswith("rows") else 0, how.endswith("blocks")
    compute = Compute(dtype="float32", products="blas", rows_at_once=rows, recompute=blocks)
    parts = gradient(make_causal(compute=compute))
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=1e-4)
    assert whole.norm() > 1e-3


def test_uncalibrated_scores_are_log_likelihoods(make_causal: Maker) -> None:
    learner = make_causal(calibrated=False)
    found = learner.features(learner.start_body(1), batch(learner))
    assert (found < 0).all()
    one = alone(learner, lambda ids: learner.peft(input_ids=ids).logits, TEXTS[1], NAMES[0])
    assert found[1, 0].item() == pytest.approx(one, abs=1e-4)


def test_pairs_have_their_own_template(make_causal: Maker) -> None:
    learner = make_causal(prompt=Prompt(pair_template="{text} / {text_pair} ="), calibrated=False)
    rows = Rows([("one two", "three")], [0], [0], [2], (NAMES[:2],))
    (part,) = learner.place(learner.batch(rows)).inputs.asked.text.parts
    assert "one two / three =" in learner.tokenizer.decode(part.ids[0])


@pytest.mark.parametrize("check", CONTRACT)
@pytest.mark.parametrize("name", ["MAML", "second order", "fine-tune", "zero-shot"])
def test_methods_that_adapt_keep_their_contract(name: str, check: str, make_causal: Maker) -> None:
    methods: dict[str, Callable[[], Algorithm]] = {
        "MAML": lambda: MAML(1, 2, 0.05),
        "second order": lambda: MAML(2, 2, 0.05),
        "fine-tune": lambda: FineTune(2, 1e-2),
        "zero-shot": ZeroShot,
    }
    CONTRACT[check](methods[name], make_causal)


@pytest.mark.bad_input
@pytest.mark.parametrize("algorithm", [ANIL(), ProtoNet(), ProtoMAML(), MultiTask(), FrozenPrototypes()])
def test_methods_that_need_features_are_refused(algorithm: Algorithm, make_causal: Maker) -> None:
    with pytest.raises(InputError, match=r"this model has none\n|nothing of this model"):
        algorithm.prepare(make_causal())


def test_zero_shot_is_the_model_without_adapter(make_causal: Maker) -> None:
    learner = make_causal()
    support, query = ready(learner, attribute_episodes(2))
    found = ZeroShot().adapt(learner, support)(query)
    torch.testing.assert_close(found, learner.logits(Stack({}), query))


def test_names_that_cannot_be_told_apart_are_refused(make_causal: Maker) -> None:
    learner = make_causal()
    with pytest.raises(InputError, match="two label names have the same tokens"):
        batch(learner, names=("lost card", "lost_card"))
    with pytest.raises(InputError, match="an answer without tokens"):
        batch(learner, names=("lost", "-_"))
    with pytest.raises(InputError, match="needs them"):
        learner.batch(Rows.of(["one"]))


def test_a_long_text_is_cut_from_the_left_and_the_answer_never(make_causal: Maker) -> None:
    learner = make_causal(max_length=12, calibrated=False)
    text = " ".join(f"word{n}" for n in range(30)) + " the end"
    (part,) = batch(learner, [text], ("lost card", "card")).inputs.asked.text.parts
    read = str(learner.tokenizer.decode(part.ids[0, : sum(part.packing.lengths)]))
    assert "the end" in read
    assert "answer" in read
    assert "word0" not in read.replace(" ", "")
    assert sum(part.packing.lengths) <= 12
    assert learner.cost(batch(learner, [text, "short"], ("lost card", "card")))["cut_prompts"] == 1
    with pytest.raises(InputError, match=r"(?s)an answer leaves no room.*'on hold', 2 tokens.*at most 1"):
        batch(make_causal(max_length=4), ["one two three"])


def test_of_a_pair_the_second_text_is_cut_where_the_first_is_not_enough(make_causal: Maker) -> None:
    learner = make_causal()
    tokens = PromptTokens(learner.tokenizer, Prompt(), 16)
    first, second = ("one two three", " ".join(f"w{n}" for n in range(9)))
    found, cut = tokens.prompt((first, second), 4)
    read = str(learner.tokenizer.decode(found)).replace(" ", "")
    assert (cut, read, len(found)) == (True, "three4w5w6w7w8answer:", 12)
    few, cut = tokens.prompt((first, "w1"), 4)
    assert (cut, learner.tokenizer.decode(few)) == (False, "one two three w1 answer :")
    with pytest.raises(InputError, match=r"(?s)the prompt has no room.*at least 17 tokens"):
        tokens.prompt((first, second), 13)


def test_what_names_are_calibrated_by_is_not_counted_as_read(make_causal: Maker) -> None:
    learner = make_causal(max_length=12)
    text = " ".join(f"word{n}" for n in range(30))
    batch(learner, [text, text], ("lost card", "card"))
    assert learner.take_prompts() == {0: (2, 2)}


@pytest.mark.bad_input
def test_a_base_model_has_no_chat_template(make_causal: Maker) -> None:
    with pytest.raises(InputError) as caught:
        make_causal(prompt=Prompt(chat=True))
    assert str(caught.value) == (
        "the tokenizer has no chat template\n"
        "  where:  model.prompt.chat\n"
        "  got:    true, with the tokenizer of a base model\n"
        "  needed: a tokenizer with a chat template\n"
        "  do:     set model.prompt.chat to false, or take a backbone that was trained to chat"
    )


def test_a_chat_template_is_filled(causal_backbone: Callable[[str], str], tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(causal_backbone("llama"))
    tokenizer.chat_template = "{% for m in messages %}user said {{ m['content'] }} {% endfor %}it said"
    CAUSAL.from_pretrained(causal_backbone("llama")).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    learner = LoraCausal(str(tmp_path), prompt=Prompt("is {text} it", chat=True), calibrated=False)
    (part,) = batch(learner, ["this"], ("lost", "card")).inputs.asked.text.parts
    assert learner.tokenizer.decode(part.ids[0, : part.packing.tokens]) == "user said is this it it said"


def test_lora_modules_are_those_of_peft_or_all(make_causal: Maker) -> None:
    auto = {name.split(".")[-2] for name in make_causal("gpt2").adapter()}
    assert auto == {"c_attn"}
    every = {name.split(".")[-2] for name in make_causal(lora=Lora(modules=("all-linear",))).adapter()}
    assert every == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_an_evaluation_remembers_no_scores_of_names(make_causal: Maker) -> None:
    learner, family = make_causal(), Attributes(way=2, shot=1, queries=1, mentions=2)
    results = evaluate(family, learner, ZeroShot(), Evaluation(3))
    support, query = ready(learner, list(episodes(family, "test", 0, range(3))))
    found = ZeroShot().adapt(learner, support)(query)
    right = (found.argmax(-1) == query.labels).float()
    assert [result.after.accuracy for result in results] == [right[query.task == t].mean() for t in range(3)]
