"""Scores of written outputs, against one or several references each.

Exact match and token F1 as in Rajpurkar, Zhang, Lopyrev, Liang: SQuAD, EMNLP 2016. BLEU: Papineni, Roukos,
Ward, Zhu, ACL 2002, and chrF: Popovic, WMT 2015, both by sacrebleu. ROUGE: Lin, Text Summarization Branches
Out 2004, by rouge-score.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from fewshot.errors import InputError

ROUGE = ("rouge1", "rouge2", "rougeL")
ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class GenerationScores:
    """Scores of one task's outputs, fractions from 0 to 1.

    Exact match, token F1 and ROUGE are means over the outputs, each against the reference that suits it best.
    BLEU and chrF count over all outputs together, as sacrebleu does for a corpus; BLEU with the effective
    order, since outputs are often shorter than four words.
    """

    exact_match: float
    token_f1: float
    bleu: float
    chrf: float
    rouge1: float
    rouge2: float
    rouge_l: float


GENERATION = tuple(field.name for field in fields(GenerationScores))


def generation_scores(outputs: Sequence[str], references: Sequence[Sequence[str]]) -> GenerationScores:
    """The scores of one task.

    Args:
        outputs: what was written.
        references: of each output, at least one.

    Raises:
        InputError: no output, another number of references, an output without any.
    """
    from sacrebleu import BLEU, CHRF  # here, not above, as in `_rouge`: they take seconds to import

    _check(outputs, references)
    pairs = list(zip(outputs, references, strict=True))
    rouge = np.mean([_rouge(output, own) for output, own in pairs], axis=0)
    columns = _columns(references)
    return GenerationScores(
        exact_match=float(np.mean([_best(exact_match, output, own) for output, own in pairs])),
        token_f1=float(np.mean([_best(token_f1, output, own) for output, own in pairs])),
        bleu=BLEU(effective_order=True).corpus_score(outputs, columns).score / 100,
        chrf=CHRF().corpus_score(outputs, columns).score / 100,
        rouge1=float(rouge[0]),
        rouge2=float(rouge[1]),
        rouge_l=float(rouge[2]),
    )


def exact_match(output: str, reference: str) -> float:
    """1 where the two are the same but for case, punctuation, articles and white space; else 0."""
    return float(normalised(output) == normalised(reference))


class Overlap(NamedTuple):
    """What an output and a reference share, in words.

    Args:
        precision: share of the output's words that the reference has.
        recall: share of the reference's words that the output has.
        f1: harmonic mean of the two.
    """

    precision: float
    recall: float
    f1: float


def overlap(output: str, reference: str) -> Overlap:
    """Of their words, normalised; 1 where neither has a word, 0 where one has none."""
    ours, theirs = normalised(output).split(), normalised(reference).split()
    if not ours or not theirs:
        return Overlap(*[float(ours == theirs)] * 3)
    shared = (Counter(ours) & Counter(theirs)).total()
    return Overlap(shared / len(ours), shared / len(theirs), 2 * shared / (len(ours) + len(theirs)))


def mean_overlap(outputs: Sequence[str], references: Sequence[str]) -> Overlap:
    """The mean over outputs, each against its reference."""
    found = [overlap(*pair) for pair in zip(outputs, references, strict=True)]
    return Overlap(*(float(np.mean(values)) for values in zip(*found, strict=True)))


def token_f1(output: str, reference: str) -> float:
    """F1 of the words that the two share; see `overlap`."""
    return overlap(output, reference).f1


def normalised(text: str) -> str:
    """Lower case, without ASCII punctuation and English articles, single spaces."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def _best(score: Callable[[str, str], float], output: str, references: Sequence[str]) -> float:
    return max(score(output, reference) for reference in references)


def _rouge(output: str, references: Sequence[str]) -> list[float]:
    """F-measures of the best reference, by kind; texts without Latin letters or digits have none."""
    from rouge_score.rouge_scorer import RougeScorer

    found = RougeScorer(ROUGE).score_multi(references, output)
    return [float(found[kind].fmeasure) for kind in ROUGE]


def _columns(references: Sequence[Sequence[str]]) -> Any:  # its own types know no None
    """Column k has the k-th reference of each output, None where it has fewer, which sacrebleu leaves out."""
    most = max(map(len, references))
    return [[own[k] if k < len(own) else None for own in references] for k in range(most)]


def _check(outputs: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    empty = next((n for n, own in enumerate(references) if not own), None)
    if not outputs or len(outputs) != len(references) or empty is not None:
        raise InputError(
            "outputs cannot be scored without references",
            where="generation_scores" if empty is None else f"output {empty}",
            got=f"{len(outputs)} outputs, {len(references)} lists of references"
            + ("" if empty is None else ", an empty one among them"),
            needed="at least one output, and at least one reference for each",
        )
