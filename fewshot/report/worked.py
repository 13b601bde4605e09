"""One episode in words: what the model is shown, what it is asked, what it answers."""

import torch
from rich.console import Console
from rich.markup import escape

from fewshot.algorithms.algorithm import Algorithm, ready
from fewshot.models.learner import Learner
from fewshot.tasks.episode import Episode


def print_episode(episode: Episode, model: Learner, algorithm: Algorithm, console: Console) -> None:
    """Prints support texts and one query with the answers before and after adaptation.

    The query shown is the first that adaptation changes from wrong to right; the first, if none is.
    """
    support, query = ready(model, [episode])
    before = algorithm.before(model, support)(query).argmax(-1)
    after = algorithm.adapt(model, support)(query).argmax(-1)
    mended = torch.nonzero((before != query.labels) & (after == query.labels)).flatten().tolist()
    shown = mended[0] if mended else 0
    console.print(f"[bold]One episode in words[/bold] ({escape(episode.source)})")
    for label in episode.classes:
        console.print(f"  [cyan]{escape(label)}[/cyan]")
        for example in episode.support:
            if example.label == label:
                console.print(f"    {escape(example.text)}")
    right = int((before == query.labels).sum()), int((after == query.labels).sum())
    asked = episode.query[shown]
    console.print(f"  query: {escape(asked.text)}")
    for when, answer in (("before", before), ("after", after)):
        given = episode.classes[int(answer[shown])]
        console.print(
            f"    {when} adaptation: {escape(given)} ({'right' if given == asked.label else 'wrong'})"
        )
    console.print(f"  right answers to the {len(episode.query)} queries: {right[0]} before, {right[1]} after")
