"""What stays of a text that is longer than what a model reads: its end."""

from collections.abc import Callable, Sequence

from fewshot.models.batch import Text


def cut_from_left(
    text: Text,
    whole: Callable[[Text], list[int]],
    starts: Callable[[str], Sequence[int]],
    most: int,
) -> tuple[list[int] | None, int]:
    """The prompt of a text that was cut, or None if nothing helps, and how long the shortest one was.

    Of a pair the first text is cut, then, if that is not enough, the second; the last token of each stays.

    Args:
        text: a text, or a pair.
        whole: tokens of the prompt around it.
        starts: where the tokens of a text begin in it.
        most: tokens of the prompt.
    """
    first, second = text
    found, least = _shortened(first, lambda left: whole((left, second)), starts(first), most)
    if found is not None or second is None:
        return found, least
    kept = "".join(first[start:] for start in starts(first)[-1:])
    return _shortened(second, lambda left: whole((kept, left)), starts(second), most)


def _shortened(
    text: str, whole: Callable[[str], list[int]], starts: Sequence[int], most: int
) -> tuple[list[int] | None, int]:
    """The prompt with as much of a text's end as fits."""
    found, dropped = whole(text), 0
    while len(found) > most and dropped < len(starts) - 1:
        dropped = min(dropped + len(found) - most, len(starts) - 1)
        found = whole(text[starts[dropped] :])
    return found if len(found) <= most else None, len(found)
