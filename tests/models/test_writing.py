"""Answers that are texts: their loss, and how they are decoded, against transformers itself."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import transformers
from causal_models import KINDS
from conftest import CausalMaker, LearnerMaker

from fewshot.algorithms.algorithm import Adapted, collate, ready
from fewshot.algorithms.finetune import FineTune
from fewshot.data.example import Example
from fewshot.errors import InputError
from fewshot.models.batch import Rows, Shown, TaskBatch
from fewshot.models.causal import LoraCausal
from fewshot.models.prompt_tokens import PromptTokens
from fewshot.models.prompts import Prompt
from fewshot.models.stack import Stack
from fewshot.tasks.episode import Episode

CAUSAL: Any = transformers.AutoModelForCausalLM
TEXTS = ("where is it", "a card that was lost somewhere", "please")
ANSWERS = ("in the kitchen", "under a table", "yes")
RECORDS = Episode(
    tuple(Example(text, answer) for text, answer in zip(TEXTS, ANSWERS, strict=True)),
    (Example("something else", "no"),),
    (),
)


def rows(task: Sequence[int] = (0, 0, 0), answers: Sequence[str | None] = ANSWERS, **more: Any) -> Rows:
    return Rows([(t, None) for t in TEXTS], [0] * 3, task, [2] * (max(task) + 1), answers=answers, **more)


def placed(learner: LoraCausal, given: Rows) -> TaskBatch:
    return learner.place(learner.batch(given))


def ids(learner: LoraCausal, text: str) -> list[int]:
    found: list[int] = learner.tokenizer(text, add_special_tokens=False)["input_ids"]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_decoding_is_that_of_transformers_for_every_task_alone(
    kind: str, causal_backbone: Callable[[str], str], make_causal: CausalMaker
) -> None:
    learner = make_causal(kind, max_new_tokens=7)
    fresh = {name: torch.zeros_like(value) for name, value in learner.adapter().items()}
    stack = Stack({name: torch.stack([value, fresh[name]]) for name, value in learner.adapter().items()})
    batch = placed(learner, rows((0, 1, 0)))
    found, most = learner.write(stack, batch), batch.inputs.lengths.clamp(min=7).tolist()
    plain = CAUSAL.from_pretrained(causal_backbone(kind), dtype=torch.float32).eval()
    for text, task, mine, count in zip(TEXTS, (0, 1, 0), found, most, strict=True):
        model = learner.peft if task == 0 else plain
        prompt = torch.tensor([ids(learner, f"{text}\nAnswer:")])
        written = model.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            do_sample=False,
            max_new_tokens=count,
            eos_token_id=learner.tokenizer.sep_token_id,
            pad_token_id=0,
        )[0, prompt.shape[1] :]
        assert mine == learner.tokenizer.decode(written, skip_special_tokens=True)


def test_the_loss_is_that_of_the_answer_and_its_end_alone(make_causal: CausalMaker) -> None:
    learner = make_causal()
    batch = placed(learner, rows())
    found = learner.losses(learner.logits(learner.start_body(1), batch), batch)
    total = count = 0.0
    for text, answer in zip(TEXTS, ANSWERS, strict=True):
        prompt = ids(learner, f"{text}\nAnswer:")
        said = [*ids(learner, f" {answer}"), learner.tokenizer.sep_token_id]
        labels = torch.tensor([[-100] * len(prompt) + said])
        loss = learner.peft(input_ids=torch.tensor([prompt + said]), labels=labels).loss
        total, count = total + loss.item() * len(said), count + len(said)
    assert found.item() == pytest.approx(total / count, abs=1e-5)


def test_what_is_likeliest_is_what_is_written(make_causal: CausalMaker) -> None:
    """A model that learned its support set by heart writes it, and is known to without being asked to."""
    learner = make_causal(max_new_tokens=6)
    support, _ = ready(learner, [RECORDS])
    before, after = FineTune().before(learner, support), FineTune(60, 2e-2).adapt(learner, support)
    assert isinstance(before, Adapted)
    assert isinstance(after, Adapted)
    assert after.write(support) == list(ANSWERS)
    answered = learner.answered(after(support), support)
    assert answered.predicted.tolist() == [0, 0, 0]
    torch.testing.assert_close(answered.confidence, answered.log_right.exp())
    assert (learner.answered(before(support), support).predicted == 1).all()
    assert before.write(support) != list(ANSWERS)


def test_rows_that_end_early_leave_the_others_as_they_are(make_causal: CausalMaker) -> None:
    learner = make_causal(max_new_tokens=9)
    support, _ = ready(learner, [RECORDS])
    adapted = FineTune(60, 2e-2).adapt(learner, support)
    assert isinstance(adapted, Adapted)
    texts = [(text, None) for text in (*TEXTS, "lost", "where", "the last of them")]
    mixed = Rows(texts, [0] * 6, [0] * 6, [2], answers=[*ANSWERS, "a", "b", "c"])
    alone = [adapted.write(placed(learner, Rows([text], [0], [0], [2], answers=["a"])))[0] for text in texts]
    assert adapted.write(placed(learner, mixed)) == alone
    assert len({len(text.split()) for text in alone}) > 1


def test_rows_in_parts_are_written_alike(make_causal: CausalMaker) -> None:
    learner = make_causal(max_new_tokens=5)
    whole = learner.write(learner.start_body(2), placed(learner, rows((0, 1, 1))))
    learner.limit_rows(1)
    assert learner.write(learner.start_body(2), placed(learner, rows((0, 1, 1)))) == whole


def test_examples_stand_before_the_text_and_go_first_where_it_is_too_long(make_causal: CausalMaker) -> None:
    shown = (Shown(("one", None), "1"), Shown(("two words", None), "2"))
    learner = make_causal(max_new_tokens=4, max_length=64)
    prompts = placed(learner, rows(shown=[shown] * 3)).inputs.prompts
    read = learner.tokenizer.decode(prompts[2])
    assert read == "one answer : 1 [SEP] two words answer : 2 [SEP] please answer :"
    short = make_causal(max_new_tokens=4, max_length=16)
    batch = short.batch(rows(shown=[shown] * 3))
    assert short.tokenizer.decode(batch.inputs.prompts[2]) == "two words answer : 2 [SEP] please answer :"
    assert short.tokenizer.decode(batch.inputs.prompts[1]) == "a card that was lost somewhere answer :"
    assert short.cost(batch)["cut_prompts"] == 3


def test_an_answer_is_never_cut(make_causal: CausalMaker) -> None:
    learner = make_causal(max_new_tokens=2, max_length=20)
    long = " ".join(["word"] * 12)
    batch = placed(learner, rows(answers=[long, "b", "c"]))
    assert batch.inputs.lengths.tolist() == [13, 2, 2]
    assert all(len(prompt) <= 7 for prompt in batch.inputs.prompts[:1])
    with pytest.raises(InputError, match=r"(?s)an answer leaves no room.*25 tokens.*at most 17"):
        learner.batch(rows(answers=[long + " " + long, "b", "c"]))


@pytest.mark.bad_input
def test_tokens_that_are_kept_for_answers_are_not_blamed_on_one(make_causal: CausalMaker) -> None:
    learner = make_causal(max_new_tokens=40, max_length=20)
    with pytest.raises(InputError, match=r"(?s)leave no room.*model.max_new_tokens.*at most 17"):
        learner.batch(rows(answers=["a", "b", "c"]))


def test_where_no_answer_is_known_the_prompt_is_the_same(make_causal: CausalMaker) -> None:
    learner = make_causal(max_new_tokens=4, max_length=64)
    known, unknown = (placed(learner, rows(answers=each)).inputs for each in (["a", "b", "c"], [None] * 3))
    assert unknown.prompts == known.prompts
    assert unknown.lengths.tolist() == [1, 1, 1]


def test_an_example_is_a_turn_of_a_chat(make_causal: CausalMaker) -> None:
    learner = make_causal(prompt=Prompt("is {text} it"))
    learner.tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] }} said {{ m['content'] }} {% endfor %}"
    )
    tokens = PromptTokens(learner.tokenizer, Prompt("is {text} it", chat=True), 100)
    found, cut = tokens.prompt(("this", None), 5, [Shown(("that", None), "no")])
    assert learner.tokenizer.decode(found) == "user said is that it assistant said no user said is this it"
    assert not cut


@pytest.mark.parametrize(
    ("behind", "end"),
    [("<turn_end>\n", "<turn_end>"), (" <turn_end>", "<turn_end>"), (" and", "[SEP]"), ("", "[SEP]")],
)
def test_an_answer_of_a_chat_ends_as_its_template_says(
    behind: str, end: str, make_causal: CausalMaker
) -> None:
    tokenizer = make_causal().tokenizer
    tokenizer.add_special_tokens({"additional_special_tokens": ["<turn_end>"]})
    tokenizer.chat_template = "{% for m in messages %}<s>{{ m['content'] }}" + behind + "{% endfor %}"
    tokens = PromptTokens(tokenizer, Prompt(chat=True), 100)
    (number,) = tokenizer(end, add_special_tokens=False)["input_ids"]
    assert tokens.written("no") == [*tokens.answer("no"), number]
    assert tokens.ends([number, 5]) == {number, tokenizer.eos_token_id}, "5 is a plain word"
    assert PromptTokens(tokenizer, Prompt(), 100).end == tokenizer.eos_token_id


def test_a_template_that_leaves_out_answers_says_no_end(make_causal: CausalMaker) -> None:
    tokenizer = make_causal().tokenizer
    tokenizer.chat_template = (
        "{% for m in messages if m['role'] == 'user' %}[CLS]{{ m['content'] }}{% endfor %}"
    )
    assert PromptTokens(tokenizer, Prompt(chat=True), 100).end == tokenizer.eos_token_id


def test_a_tokenizer_without_an_end_cannot_write(make_causal: CausalMaker) -> None:
    learner = make_causal()
    learner._prompts.end = None
    with pytest.raises(InputError, match="no token for the end"):
        learner.batch(rows())
    with pytest.raises(InputError, match="an answer without tokens"):
        make_causal().batch(rows(answers=["a", " ", "c"]))


def test_an_encoder_says_that_it_cannot_write(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    with pytest.raises(InputError, match="its labels are texts to be written"):
        collate(learner, [RECORDS])
    with pytest.raises(InputError, match="this model cannot write"):
        learner.write(Stack({}), learner.batch(Rows.of(["a"])))


def test_no_row_is_written_beyond_its_room(make_causal: CausalMaker) -> None:
    """Positions are absolute in GPT-2: a prompt with what is written fits into the length."""
    learner = make_causal("gpt2", max_new_tokens=2, max_length=16)
    long = " ".join(f"word{n}" for n in range(20))
    texts = [(long, None), ("short", None)]
    batch = placed(learner, Rows(texts, [0, 0], [0, 0], [2], answers=["a", "b c d e f g"]))
    written = learner._decoder.write(
        learner.start_body(1), batch.inputs.prompts, [0, 0], [2, batch.inputs.lengths[1].item()], 0
    )
    assert all(len(tokens) <= most for tokens, most in zip(written, (2, 7), strict=True))
    assert len(batch.inputs.prompts[0]) + 2 <= 16
