"""One trial: builds the parts of a configuration, trains them, keeps what validation found."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from fewshot.best import Validated
from fewshot.comparison import Contestant
from fewshot.config import build, parse_values, resolved
from fewshot.errors import FewshotError
from fewshot.evaluation import Evaluation, evaluate
from fewshot.outer import Validation
from fewshot.search.outcome import Outcome
from fewshot.training import Trainer

BYTES = 4  # of a float32
TIMED = 8  # validation tasks that are timed
Told = Callable[[int, float], None]


def run_trial(config: Mapping[str, Any], title: str, told: Told) -> Outcome:
    """Trains with a configuration and validates; the test side is not drawn from.

    Args:
        config: in the form of `config.yaml`.
        title: of the progress bar; no bar where it is empty.
        told: is given outer step and score of every validation; what it raises ends the trial.

    Raises:
        InputError: a configuration that does not work, or whose score has no unit.
        FewshotError: a loss that is not finite.
    """
    started = time.perf_counter()
    parser, parsed = parse_values(config)
    parts = build(parser, parsed)
    trainer = Trainer(**vars(parts), title=title)
    baseline = parts.validation.baseline_loss

    def validated(found: Validated) -> None:
        told(found.step, found.score(baseline).mean)

    kept = trainer.train(validated)
    assert kept is not None, "a search validates"
    if not math.isfinite(kept.score(baseline).mean):  # of an algorithm without training it was not told
        raise FewshotError(
            "the validation loss is not finite", where=f"outer step {kept.step}", got=kept.loss
        )
    timed = _timed(trainer)
    learned = Contestant("", parts.model, parts.algorithm).trainable_parameters
    return Outcome(
        step=kept.step,
        tasks=Outcome.tasks_of(kept),
        priors=[result.episode.prior_loss for result in kept.results],
        baseline=baseline,
        episodes=_name_of_episodes(config, parts.validation),
        seconds=time.perf_counter() - started,
        seconds_per_task=timed,
        bytes=BYTES * learned,
        objective=trainer.log.objective(),
        config=_portable(resolved(parser, parsed, parts, trainer.resolved())),
    )


def _timed(trainer: Trainer) -> float:
    """Seconds to adapt to a task and predict, once what is constant of its texts is known.

    Validation itself computes that for the first trial and finds it for others.
    """
    settings = Evaluation(min(TIMED, trainer.validation.episodes), trainer.training.seed, curve=False)
    results = evaluate(trainer.family, trainer.model, trainer.algorithm, settings, side="valid")
    return sum(result.seconds for result in results) / len(results)


def _portable(text: str) -> str:
    """A configuration without the folder of frozen states that only the trials of a search share."""
    config = yaml.safe_load(text)
    cache = config["model"].get("init_args", {}).get("cache") or {}
    if cache.get("shared"):
        cache |= {"folder": None, "shared": False, "alone": True}
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def _name_of_episodes(config: Mapping[str, Any], validation: Validation) -> str:
    """What the validation episodes follow from, as a hash."""
    seed = config.get("training", {}).get("seed", 0)
    origin = [config["family"], seed, validation.episodes]
    return hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()[:16]
