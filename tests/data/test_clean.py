import pytest

from fewshot.data.clean import STEPS, Cleaning, normalised
from fewshot.data.example import Example
from fewshot.data.pool import Pool
from fewshot.data.reading import Reading
from fewshot.errors import InputError

KNOWN = "one of unicode, html, links, spaces, lower, stop-words, or the import path of a function"


@pytest.mark.parametrize(
    ("step", "text", "cleaned"),
    [
        ("unicode", "cafÃ© â€œquotedâ€\x9d", 'café "quoted"'),
        ("unicode", "ﬁne ＡＢＣ", "fine ABC"),
        ("unicode", "all is well – naïve", "all is well – naïve"),
        ("html", "a &amp; b &lt;c&gt; &eacute;&#33;", "a & b <c> é!"),
        ("html", "one<br>two<br/>three", "one two three"),
        ("html", '<p class="x > y">a <b>bold</b> word</p>', " a bold word "),
        ("html", "<script>var x = '<b>';</script>seen<style>p {}</style>", "seen"),
        ("html", "<e1> Rome </e1> lies in <e2> Italy </e2>", "<e1> Rome </e1> lies in <e2> Italy </e2>"),
        ("html", "i <3 you, 1 < 2 > 0", "i <3 you, 1 < 2 > 0"),
        ("html", "before <!-- hidden --> after", "before  after"),
        ("html", "cut off <b", "cut off <b"),
        ("links", "see https://a.b/c?d=e#f, or www.x.org.", "see [URL], or [URL]."),
        ("links", "(http://a.b/) <jane.doe+x@mail.example.co.uk>", "([URL]) <[EMAIL]>"),
        ("links", "@united thanks, 3@4 is none", "@united thanks, 3@4 is none"),
        ("spaces", " a\t b\n\n c\u00a0d ", "a b c d"),
        ("lower", "ÄPFEL and PEARS", "äpfel and pears"),
        ("stop-words", "Where is the card, that I ordered?", "card, ordered?"),
    ],
)
def test_each_step_does_what_it_is_named_for(step: str, text: str, cleaned: str) -> None:
    assert STEPS[step](text) == cleaned


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("text", ["a plain text", "a", "日本語の文", "😀 smile"])
def test_a_clean_text_stays(step: str, text: str) -> None:
    if not (step == "stop-words" and text != "日本語の文" and text != "😀 smile"):
        assert STEPS[step](text) == text


def test_a_normalised_text_lacks_what_does_not_tell_it_from_another() -> None:
    assert normalised("  Where's my CARD?!") == normalised("where’s my  card") == "wheres my card"
    assert normalised("STRASSE") == normalised("straße")
    assert normalised("cafe\u0301") == normalised("café")


def test_what_tells_texts_apart_is_kept() -> None:
    assert normalised("की") != normalised("का")
    assert normalised(" 😀 ") == "😀"
    assert len({normalised(text) for text in ("😀", "👍", ":-(", "?!")}) == 4


def pool(texts: list[tuple[str, str]], **settings: object) -> Pool:
    rows = [{"text": text, "label": label} for text, label in texts]
    return Pool.load(rows, reading=Reading(cleaning=Cleaning(**settings)))  # type: ignore[arg-type]


def contents(of: Pool) -> dict[str, list[str]]:
    return {label: [example.text for example in of.all_of(label)] for label in of.classes}


def test_steps_are_done_in_their_order_and_counted() -> None:
    found = pool([("A  &amp; B", "x"), ("c", "x")], steps=["html", "spaces", "lower"])
    assert contents(found) == {"x": ["a & b", "c"]}
    assert found.cleaned == {"html": 1, "spaces": 1, "lower": 1}


def test_nothing_is_cleaned_unless_it_is_asked_for() -> None:
    assert contents(pool([(" A &amp; b ", "x")])) == {"x": [" A &amp; b "]}


def test_what_is_empty_after_cleaning_is_left_out_and_counted() -> None:
    found = pool([("<br>", "x"), ("kept", "x")], steps=["html", "spaces"])
    assert contents(found) == {"x": ["kept"]}
    assert found.cleaned["left out: nothing left"] == 1


def test_texts_that_become_alike_count_once() -> None:
    found = pool([("Card", "x"), ("card", "x"), ("card", "y")], steps=["lower"])
    assert contents(found) == {"x": ["card"], "y": ["card"]}
    assert found.cleaned["left out: repeated"] == 1


def test_length_limits_leave_rows_out() -> None:
    found = pool([("one", "x"), ("one two", "x"), ("one two three", "x")], shortest=2, longest=2)
    assert contents(found) == {"x": ["one two"]}
    assert found.cleaned == {"left out: length": 2}


def test_duplicates_in_the_whole_pool_go_with_all_whose_label_is_not_known() -> None:
    texts = [("Same!", "x"), ("same", "y"), ("Mine", "x"), ("mine", "x"), ("yours", "y")]
    found = pool(texts, duplicates="pool")
    assert contents(found) == {"x": ["Mine"], "y": ["yours"]}
    assert found.cleaned == {"left out: several classes": 2, "left out: repeated": 1}


def test_texts_of_signs_alone_are_not_all_the_same() -> None:
    texts = [("😀", "good"), ("👍", "good"), ("😡", "bad"), (":-(", "bad")]
    assert pool(texts, duplicates="pool").size("good") == 2


def test_labels_are_folded_where_that_is_asked_for() -> None:
    assert contents(pool([("a", "x "), ("b", "x")], labels=True)) == {"x": ["a", "b"]}


def cut(text: str) -> str:
    """A segmentation of one's own: every sign is a word."""
    return " ".join(text)


def fails(text: str) -> str:
    raise ValueError("no luck")


def counts(text: str) -> int:
    return len(text)


def test_a_function_by_its_import_path_is_a_step() -> None:
    assert contents(pool([("日本語", "x")], steps=["test_clean.cut"])) == {"x": ["日 本 語"]}


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (
            {"steps": ["lowr"]},
            "unknown cleaning step 'lowr'\n  where:  cleaning.steps\n"
            f"  needed: {KNOWN}\n"
            "  do:     did you mean 'lower'?",
        ),
        (
            {"steps": ["test_clean.nothing"]},
            "the cleaning step 'test_clean.nothing' cannot be imported\n  where:  cleaning.steps\n"
            "  got:    module 'test_clean' has no attribute 'nothing'\n"
            f"  needed: {KNOWN}",
        ),
        (
            {"steps": ["test_clean.fails"]},
            "the cleaning step 'test_clean.fails' failed\n  where:  text 'a text'\n"
            "  got:    ValueError: no luck\n  needed: a function that takes a text and gives a text",
        ),
        (
            {"steps": ["test_clean.counts"]},
            "the cleaning step 'test_clean.counts' failed\n  where:  text 'a text'\n"
            "  got:    it gave an int\n  needed: a function that takes a text and gives a text",
        ),
        ({"shortest": -1}, "cleaning.shortest is too small\n  got:    -1\n  needed: 0 or more"),
        (
            {"shortest": 5, "longest": 3},
            "cleaning.longest is too small\n  got:    3\n  needed: 5 or more",
        ),
        (
            {"duplicates": "all"},
            "unknown setting\n  where:  cleaning.duplicates\n  got:    'all'\n  needed: 'class' or 'pool'",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        pool([("a text", "x")], **settings)
    assert str(caught.value) == complaint


def test_an_example_has_a_hash_of_all_it_holds() -> None:
    examples = [
        Example("a", "b"),
        Example("a", "c"),
        Example("ab", ""),
        Example("a", "b", ""),
        Example("a", "b", "c"),
    ]
    assert len({example.hash for example in examples}) == 5
    assert Example("a", "b").hash == Example("a", "b").hash == "70952c6361e0b483"
