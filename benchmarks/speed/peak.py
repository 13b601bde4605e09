"""Peak memory of one outer step, each in a process of its own: `python -m benchmarks.speed.peak --help`."""

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import torch

from benchmarks.machine import ROOT
from benchmarks.speed.case import LARGE, SETTINGS, Case, draw, task_family
from benchmarks.speed.ours import Ours
from benchmarks.speed.peers import Peer, PeftClassifier
from fewshot.memory import growth, peak_memory

KNOWN = (*SETTINGS, LARGE)


def peak(who: str, case: Case, timeout: float = 600) -> dict[str, Any]:
    """Bytes: {'peak', 'step', 'base'}, or {'error'}; `step` is what the step takes beyond what was loaded."""
    settings = asdict(case) | {"setting": case.setting.name, "who": who}
    words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.speed.peak", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=ROOT, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"took more than {timeout:.0f} s"}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measures in this process and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--who", required=True, help="ours, or a peer")
    parser.add_argument("--setting", choices=[setting.name for setting in KNOWN], required=True)
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--device", default="auto")
    for name, default in (
        ("order", 2),
        ("inner_steps", 5),
        ("meta_batch", 8),
        ("rank", 8),
        ("max_length", 128),
        ("at_once", 0),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = vars(parser.parse_args())
    who = given.pop("who")
    setting = next(setting for setting in KNOWN if setting.name == given["setting"])
    case = Case(**given | {"setting": setting})
    drawn = draw(task_family(), 0, case.meta_batch)
    ours = Ours(case)
    device = ours.learner.device
    base = sum(p.numel() * p.element_size() for p in ours.learner.peft.get_base_model().parameters())
    stepper: Ours | Peer = ours
    if who != "ours":
        model = PeftClassifier(case, "eager" if case.order == 2 else "sdpa", ours)
        ours.learner.to("meta")  # one model in memory, as a user of the peer has
        if device.type == "cuda":
            torch.cuda.empty_cache()
        stepper = Peer(who, case, model)
    taken = growth(device, lambda: stepper.step(drawn))
    print(json.dumps({"peak": peak_memory(device), "step": taken, "base": base}))


if __name__ == "__main__":
    main()
