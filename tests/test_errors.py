"""What messages make of texts that come from anywhere."""

import pytest

from fewshot.errors import LONGEST, MOST, InputError, Whole, shown, with_article


def test_a_message_has_its_parts_in_order() -> None:
    error = InputError("it is wrong", where="here", got=3, needed="2", fix="take 2")
    assert str(error) == "it is wrong\n  where:  here\n  got:    3\n  needed: 2\n  do:     take 2"


def test_parts_that_are_not_given_have_no_line() -> None:
    assert str(InputError("it is wrong", got=0)) == "it is wrong\n  got:    0"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\0b", "a\\x00b"),
        ("over\rwritten", "over\\rwritten"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("\ud800", "\\ud800"),
        ("\x9b31m", "\\x9b31m"),
        ("zwei Zeilen\n\tund ein Täb, 你好 🙂", "zwei Zeilen\n\tund ein Täb, 你好 🙂"),
    ],
)
def test_what_would_steer_a_terminal_is_written_out(text: str, said: str) -> None:
    assert shown(text) == said
    message = str(InputError(text, where=text, got=text, needed=text, fix=text))
    assert message.count(said) == 5
    message.encode("utf-8")


def test_a_long_line_loses_its_middle() -> None:
    said = shown("a" * LONGEST + "b" * LONGEST)
    start, middle, end = said.split(" ... ")
    assert (start, end) == ("a" * (LONGEST * 2 // 3), "b" * (LONGEST // 3))
    assert middle == "600 more characters"
    assert shown("a" * LONGEST) == "a" * LONGEST


def test_every_line_has_a_limit_of_its_own() -> None:
    lines = [letter * LONGEST for letter in "abcdefghijkl"]
    assert shown("\n".join(lines)) == "\n".join(lines)
    said = shown("\n".join([*lines, "x" * (LONGEST + 1)])).split("\n")
    assert said[:-1] == lines
    assert said[-1].split(" ... ")[1] == "1 more characters"


def test_lines_after_many_are_counted() -> None:
    lines = [f"line {number}" for number in range(MOST)]
    assert shown("\n".join(lines)) == "\n".join(lines)
    assert shown("\n".join([*lines, *lines, "last"])).split("\n") == [
        *lines,
        f"          and {MOST + 1} more lines",
    ]


def test_what_is_whole_loses_nothing_but_what_steers_a_terminal() -> None:
    path = "/".join(["a folder"] * LONGEST)
    error = InputError("it exists", got=path, fix=Whole(f"fewshot train --resume '{path}'\x1b"))
    assert str(error).endswith(f"\n  do:     fewshot train --resume '{path}'\\x1b")
    assert "more characters" in str(error)  # got is no command
    assert str(InputError(Whole(error))) == str(error)


@pytest.mark.parametrize(
    "noun", ["a text", "a user", "a unit", "an output", "an Input", "an utterance", "an int"]
)
def test_an_article_goes_by_the_sound(noun: str) -> None:
    assert with_article(noun.split()[1]) == noun
