"""Random answers of many tasks, for the tests of scores."""

import numpy as np

from fewshot.metrics.answers import Answers


def random_answers(
    seed: int, ways: list[int], queries: list[int], moments: int = 1, absent: bool = False
) -> Answers:
    """Tasks of these ways and numbers of queries; with `absent`, no query is of a task's last class."""
    generator = np.random.default_rng(seed)
    rows = sum(queries)
    task = np.repeat(np.arange(len(ways)), queries)
    most = np.array(ways)[task]
    confidence = generator.uniform(0.05, 1, (moments, rows))
    return Answers(
        task=task,
        label=generator.integers(0, most - absent),
        ways=np.array(ways),
        steps=np.arange(moments),
        predicted=generator.integers(0, np.broadcast_to(most, (moments, rows))),
        confidence=confidence,
        log_right=np.log(generator.uniform(0.01, 1, (moments, rows))),
    )
