"""Prompts and answers as tokens, with tokenizers of several kinds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
import transformers
from causal_models import SHARED
from conftest import CausalMaker

from fewshot.errors import InputError
from fewshot.models.batch import Rows, Shown
from fewshot.models.causal import LoraCausal
from fewshot.models.prompt_tokens import PromptTokens
from fewshot.models.prompts import Prompt
from fewshot.models.stack import Stack

FAST: Any = transformers.PreTrainedTokenizerFast
CAUSAL: Any = transformers.AutoModelForCausalLM
OTHER = "the template has other placeholders than it should"
READ = ["Paris is a city", "is Paris : a city", "a : Paris", "Answer: Paris", "the city : is Paris"] * 5


def with_blanks_before_words() -> Any:
    """As the tokenizers of Llama 2 and Mistral: a text begins with a blank, which is a letter of its own."""
    made: Any = tokenizers.Tokenizer(tokenizers.models.BPE())
    n = tokenizers.normalizers
    made.normalizer = n.Sequence([n.Prepend("▁"), n.Replace(" ", "▁")])
    made.decoder = tokenizers.decoders.Metaspace()
    made.train_from_iterator(
        [word for text in READ for word in text.split()],
        tokenizers.trainers.BpeTrainer(vocab_size=60, special_tokens=["<s>", "</s>"], show_progress=False),
    )
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", made.token_to_id("<s>"))]
    )
    return FAST(tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="</s>")


def bare() -> Any:
    """Without any token to begin or to end a text."""
    made: Any = with_blanks_before_words()
    made.backend_tokenizer.post_processor = tokenizers.processors.ByteLevel()
    made.bos_token = made.eos_token = None
    return made


def test_an_answer_has_the_tokens_that_it_has_in_a_text() -> None:
    tokenizer = with_blanks_before_words()
    tokens = PromptTokens(tokenizer, Prompt("{text} :"), 50)
    prompt, _ = tokens.prompt(("is a", None), 5)
    whole = tokenizer("is a : Paris")["input_ids"]
    assert [*prompt, *tokens.answer("Paris")] == whole
    assert tokenizer(" Paris", add_special_tokens=False)["input_ids"] != tokens.answer("Paris")
    assert tokens.text_of(tokens.answer("Paris")) == "Paris"


def test_a_text_begins_once_where_the_tokenizer_begins_it() -> None:
    tokenizer = with_blanks_before_words()
    tokens = PromptTokens(tokenizer, Prompt("{text} :"), 80)
    begin = tokenizer.bos_token_id
    shown = [Shown(("a city", None), "Paris"), Shown(("Paris", None), "a city")]
    for examples in ([], shown):
        prompt, cut = tokens.prompt(("is a", None), 5, examples)
        assert prompt[0] == begin
        assert prompt.count(begin) == 1
        assert not cut
    before, judged, _ = tokens.turned(("is a", None), "city", shown)
    assert before[0] == begin
    assert (before + judged).count(begin) == 1


def test_names_and_texts_behind_a_beginning_are_scored_as_by_transformers(tmp_path: Path) -> None:
    learner, model = begun(tmp_path)
    names = ("a city", "Paris")
    placed = learner.place(learner.batch(Rows([("is a", None)], [0], [0], [2], names=(names,))))
    scores = learner.logits(Stack({}), placed)[0]
    tokenizer = learner.tokenizer
    for score, name in zip(scores.tolist(), names, strict=True):
        start = len(tokenizer("is a :")["input_ids"])
        ids = torch.tensor([tokenizer(f"is a : {name}")["input_ids"]])
        likely = torch.log_softmax(model(input_ids=ids).logits[0], -1)
        wanted = sum(likely[n - 1, ids[0, n]].item() for n in range(start, ids.shape[1]))
        assert score == pytest.approx(wanted, abs=1e-4)


def test_what_is_written_behind_a_beginning_is_that_of_transformers(tmp_path: Path) -> None:
    learner, model = begun(tmp_path)
    rows = Rows([("is a", None), ("Paris", None)], [0, 0], [0, 0], [2], answers=["a", "city"])
    found = learner.write(Stack({}), learner.place(learner.batch(rows)))
    for text, mine in zip(("is a :", "Paris :"), found, strict=True):
        prompt = learner.tokenizer(text, return_tensors="pt")
        ids = model.generate(**prompt, max_new_tokens=5, do_sample=False)[0, prompt["input_ids"].shape[1] :]
        assert mine == learner._prompts.text_of(ids.tolist())


def begun(place: Path) -> tuple[LoraCausal, Any]:
    """A learner whose tokenizer begins each text, and the same model of transformers."""
    tokenizer = with_blanks_before_words()
    sizes = SHARED | {"vocab_size": len(tokenizer), "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        CAUSAL.from_config(transformers.LlamaConfig(**sizes)).save_pretrained(place)
    tokenizer.save_pretrained(place)
    prompt = Prompt("{text} :")
    learner = LoraCausal(str(place), prompt=prompt, calibrated=False, max_new_tokens=5)
    return learner, CAUSAL.from_pretrained(place, dtype=torch.float32).eval()


def test_an_empty_prompt_begins_with_the_end(make_causal: CausalMaker) -> None:
    """Calibration reads no text, so that nothing may be left of a prompt."""
    learner = make_causal(prompt=Prompt("{text}"))
    assert learner._prompts.prompt(("", None), 5)[0] == [learner.tokenizer.eos_token_id]
    for names in (("lost card", "card"), ("lost", "card")):
        rows = Rows([("where is it", None), ("", None)], [0, 0], [0, 0], [2], names=(names,))
        both = learner.logits(Stack({}), learner.place(learner.batch(rows)))
        alone = Rows([("where is it", None)], [0], [0], [2], names=(names,))
        one = learner.logits(Stack({}), learner.place(learner.batch(alone)))
        assert torch.allclose(both[0], one[0], atol=1e-5), "of the row's own prompt"
        assert torch.allclose(both[1], torch.zeros(2), atol=1e-5), "no text, less no text"


def test_a_prompt_without_any_token_is_refused() -> None:
    tokens = PromptTokens(bare(), Prompt("{text}"), 50)
    with pytest.raises(InputError, match="a prompt without tokens"):
        tokens.prompt(("", None), 5)


@pytest.mark.parametrize(
    ("chat", "given", "before"), [(False, None, " "), (True, None, ""), (True, "=", "=")]
)
def test_nothing_stands_before_an_answer_of_a_chat(chat: bool, given: str | None, before: str) -> None:
    assert Prompt(chat=chat, before_answer=given).before == before


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("template", "what", "got", "fix"),
    [
        ("no place", OTHER, " (missing: text)", "write {text} where the text goes"),
        ("{text} {label}", OTHER, " (unknown: label)", "leave {label} out, or write these braces twice"),
        (
            "{x}",
            OTHER,
            " (missing: text; unknown: x)",
            "write {text} where the text goes; leave {x} out, or write these braces twice",
        ),
        (
            "{text",
            "the template cannot be read",
            ": expected '}' before end of string",
            "close every brace; one that is meant as a brace is written twice: {{ or }}",
        ),
    ],
)
def test_what_is_wrong_with_a_template_and_what_to_do(template: str, what: str, got: str, fix: str) -> None:
    with pytest.raises(InputError) as error:
        Prompt(template)
    needed = "text with {text}" if "cannot" in what else "{text}"
    assert str(error.value) == (
        f"{what}\n  where:  model.prompt.template\n"
        f"  got:    {template!r}{got}\n  needed: {needed}\n  do:     {fix}"
    )


@pytest.mark.bad_input
def test_a_template_of_pairs_names_both_texts() -> None:
    with pytest.raises(InputError) as error:
        Prompt(pair_template="alone")
    assert "where:  model.prompt.pair_template" in str(error.value)
    assert "do:     write {text} and {text_pair} where the texts go" in str(error.value)


@pytest.mark.bad_input
def test_a_tokenizer_without_an_eos_token_cannot_end_an_answer() -> None:
    with pytest.raises(InputError) as error:
        PromptTokens(bare(), Prompt("{text} :"), 50).written("Paris")
    assert str(error.value) == (
        "the tokenizer has no token for the end of an answer\n"
        "  where:  model.backbone\n"
        "  got:    a tokenizer whose eos_token is not set\n"
        "  needed: an eos token, for families whose answers are texts\n"
        "  do:     name one of its tokens as eos_token in the backbone's tokenizer_config.json, "
        "or take another backbone"
    )


@pytest.mark.parametrize("template", ["{text!z}", "{text!r}", "{text:>5d}", "{text:{width}}"])
def test_a_template_that_asks_for_a_format_is_refused(template: str) -> None:
    with pytest.raises(InputError, match=r"unknown: text[!:]"):
        Prompt(template)


def test_a_name_without_words_is_said_as_it_was_given(make_causal: CausalMaker) -> None:
    learner = make_causal()
    with pytest.raises(InputError, match=r"an answer without tokens\n.*\n.*'-_'"):
        learner.batch(Rows([("a", None)], [0], [0], [2], names=(("-_", "yes"),)))


def test_names_before_texts_are_told_apart_too(make_causal: CausalMaker) -> None:
    learner = make_causal()
    for names, said in (((" -_", "yes"), "an answer without tokens"), (("yes", "Yes"), "the same tokens")):
        with pytest.raises(InputError, match=said):
            learner.batch(Rows([("a", None)], [0], [0], [2], names=(names,), channel=True))


def test_the_ends_of_turns_end_an_answer(
    causal_backbone: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chat models have another end for their turns than for texts; a plain word among them is a mistake."""
    model = CAUSAL.from_pretrained(causal_backbone("llama"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(causal_backbone("llama"))
    turn, word = tokenizer.mask_token_id, tokenizer("card", add_special_tokens=False)["input_ids"][0]
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, turn, word]
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    learner = LoraCausal(str(tmp_path))
    assert learner._decoder._ends == {tokenizer.eos_token_id, turn}
    monkeypatch.setattr(type(learner.tokenizer), "added_tokens_decoder", print)
    assert learner._prompts.ends([turn]) == {tokenizer.eos_token_id}, (
        "a tokenizer that does not say which tokens were added"
    )
