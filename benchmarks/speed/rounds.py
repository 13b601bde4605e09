"""Alternating rounds: ours and every peer on the same episodes, one after another."""

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch

from benchmarks.speed.case import Case, draw
from benchmarks.speed.ours import Ours
from benchmarks.speed.peers import PEERS, Peer, PeftClassifier, relative_error
from fewshot.models.compute import SOFTWARE
from fewshot.models.rates import bfloat16_gain, product_rate
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily

EMULATED_SECONDS = 3.0
WARM = 8  # outer steps of ours before it is timed: the shapes of a training recur, and so do oneDNN's kernels
DEFAULT, TUNED = "sdpa", ", eager"  # the attention that transformers loads; behind the name of a tuned peer


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Args:
        rounds: at least 5 for a figure that is reported.
        peer_seconds: a peer whose meta-batch takes longer is timed on fewer of its tasks, and scaled:
            it takes them one after another.
    """

    rounds: int
    peer_seconds: float


class Stepper(Protocol):
    """Ours or a peer."""

    def step(self, drawn: Sequence[Episode]) -> None:
        """The meta-gradient of the episodes."""


def measure(case: Case, ours: Ours, family: TaskFamily, effort: Effort) -> dict[str, Any]:
    """One entry of the results: speeds, ratios, gradient error, shares."""
    device = ours.learner.device
    imitates = case.setting.dtype == "bfloat16" and bfloat16_gain(device) < SOFTWARE
    if imitates:  # the peers' products run in software there: many seconds a task
        effort = replace(effort, peer_seconds=min(effort.peer_seconds, EMULATED_SECONDS))
    peers, alone, errors = _peers(case, ours, draw(family, 0, case.meta_batch)[:1], imitates)
    for number in range(effort.rounds + 1, effort.rounds + 1 + WARM):  # a peer meets 16 shapes in every round
        ours.step(draw(family, number, case.meta_batch))
    tasks = {name: max(1, min(case.meta_batch, int(effort.peer_seconds / alone[name]))) for name in peers}
    own: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in peers}
    for number in range(1, effort.rounds + 1):
        drawn = draw(family, number, case.meta_batch)
        own.append(_seconds(device, lambda: ours.step(drawn)))  # noqa: B023 - called at once
        for name, peer in peers.items():
            part = drawn[: tasks[name]]
            slow = alone[name] > 2 * effort.peer_seconds  # then its first task stands for all
            seconds = alone[name] if slow else _seconds(device, lambda: peer.step(part))  # noqa: B023
            theirs[name].append(seconds * len(drawn) / len(part))
    ratios = {
        name: statistics.median(t / o for t, o in zip(times, own, strict=True))
        for name, times in theirs.items()
    }
    seconds = statistics.median(own)
    rate = ours.operations(drawn) / own[-1]
    return {
        "ours": 1 / seconds,
        "peers": {name: 1 / statistics.median(times) for name, times in theirs.items()},
        "ratio": ratios,
        "errors": errors,
        "grad_rel_error": _gradient_error(case, ours, peers, family),
        "padding_share": ours.padding(drawn)["padding"],
        "attention_padding_share": ours.padding(drawn)["attention_padding"],
        "gemm_fraction": rate / product_rate(device),
        "rounds": effort.rounds,
        "tasks_timed": tasks,
        "seconds": own,
        "attention": {"ours": ours.learner.attention, "peers": _attention(peers)},
        "emulated": imitates,
    }


def _peers(
    case: Case, ours: Ours, one: Sequence[Episode], imitates: bool
) -> tuple[dict[str, Peer], dict[str, float], dict[str, str]]:
    """Those that run; their seconds for one task; the errors of those that do not.

    In first order each runs twice: with the attention that transformers loads by default, as its users have
    it, and with eager attention, which can be faster on short texts. In second order eager is all there is.
    Each takes the task twice, since the first warms up; where bfloat16 is emulated once, and in eager
    attention alone, since there a task takes many seconds.
    """
    models = {"": PeftClassifier(case, DEFAULT, ours)} if case.order == 1 and not imitates else {}
    models |= {TUNED if models else "": PeftClassifier(case, "eager", ours)}
    running, alone, errors = {}, {}, {}
    for name, (kind, model) in itertools.product(PEERS, models.items()):
        peer = Peer(name, case, model)
        try:
            tries = [_seconds(ours.learner.device, lambda: peer.step(one)) for _ in range(2 - imitates)]  # noqa: B023
        except Exception as error:  # whatever stops a peer is its result
            errors[name] = f"{type(error).__name__}: {' '.join(str(error).split())}"
        else:
            running[name + kind], alone[name + kind] = peer, min(tries)
    return running, alone, errors


def _gradient_error(case: Case, ours: Ours, peers: dict[str, Peer], family: TaskFamily) -> float | None:
    """Of the meta-gradient against learn2learn's; None in bfloat16, which rounds the two differently."""
    if case.setting.dtype != "float32" or "learn2learn" not in peers:
        return None
    drawn = draw(family, 0, case.meta_batch)[:2]
    ours.step(drawn)
    peers["learn2learn"].step(drawn)
    return relative_error(ours.gradient(), peers["learn2learn"].gradient())


def _attention(peers: dict[str, Peer]) -> dict[str, str]:
    return {
        name: str(peer.model.body.get_base_model().config._attn_implementation)  # type: ignore[union-attr]
        for name, peer in peers.items()
    }


def _seconds(device: torch.device, work: Callable[[], None]) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
