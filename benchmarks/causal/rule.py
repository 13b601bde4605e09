"""What the examples of an inflection show without any model: the change of the likest one.

    python -m benchmarks.causal.rule

Of the support lemmas the one with the likest features, then with the longest ending in common, gives the
ending that is cut off and the one that is put there: about what can be had without knowing any language. On
the test episodes of `python -m benchmarks.causal`.
"""

import sys
from collections.abc import Sequence
from itertools import takewhile

from benchmarks.causal.cells import FULL, SEED
from benchmarks.causal.problems import PROBLEMS
from fewshot.data.example import Example
from fewshot.errors import FewshotError
from fewshot.metrics.intervals import mean_interval
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import episodes

INFLECTED = {"inflection": True, "one-form": False}  # problems, and whether features stand behind the lemma


def right(episode: Episode, featured: bool) -> float:
    """The share of the queries that the rule answers."""
    known = [(*_parted(each.text, featured), each.label) for each in episode.support]
    return sum(_answer(each, known, featured) == each.label for each in episode.query) / len(episode.query)


def _answer(query: Example, known: Sequence[tuple[str, frozenset[str], str]], featured: bool) -> str:
    lemma, features = _parted(query.text, featured)

    def likeness(example: tuple[str, frozenset[str], str]) -> tuple[float, int]:
        other, own, _ = example
        shared = len(features & own) / len(features | own) if features | own else 1.0
        return shared, _common(lemma[::-1], other[::-1])

    other, _, form = max(known, key=likeness)
    stem = _common(other, form)
    return lemma.removesuffix(other[stem:]) + form[stem:]


def _common(one: str, other: str) -> int:
    """Letters that two words begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _parted(text: str, featured: bool) -> tuple[str, frozenset[str]]:
    """Lemma and features."""
    lemma, _, features = text.rpartition(" ") if featured else (text, "", "")
    return lemma, frozenset(features.split(";")) - {""}


def main() -> int:
    """Prints a line a problem; exit codes as those of `fewshot`."""
    try:
        for name, featured in INFLECTED.items():
            drawn = episodes(PROBLEMS[name].family(), "test", SEED, range(FULL.episodes))
            mean, _, low, high = mean_interval([right(episode, featured) for episode in drawn])
            print(f"{name}: right {100 * mean:.1f} ± {50 * (high - low):.1f}%, {FULL.episodes} test episodes")
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
