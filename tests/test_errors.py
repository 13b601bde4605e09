"""What messages make of texts that come from anywhere."""

import pytest

from fewshot.errors import LONGEST, InputError, shown


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


def test_a_long_text_loses_its_middle() -> None:
    said = shown("a" * LONGEST + "b" * LONGEST)
    start, middle, end = said.split(" ... ")
    assert (start, end) == ("a" * (LONGEST * 2 // 3), "b" * (LONGEST // 3))
    assert middle == "600 more characters"
    assert shown("a" * LONGEST) == "a" * LONGEST
