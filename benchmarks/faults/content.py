"""What a run says, for two of them to be compared."""

import json
from pathlib import Path
from typing import Any

from fewshot.files import PARTS
from fewshot.metatraining import CHECKPOINTS
from fewshot.saved import States

# of a line of the log: what depends on the machine's pace
TIMES = ("seconds", "tasks_per_second", "tokens_per_second", "peak_memory", "matmul_share")
FILES = ("meta.safetensors", "adapter/adapter_model.safetensors", "answers.safetensors", "manifest.json")


def content_of(run: Path) -> dict[str, Any]:
    """All that a finished run says, byte for byte where a file holds no times.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: its last state is damaged, or there are files that a process had begun to write.
    """
    found: dict[str, Any] = {name: (run / name).read_bytes() for name in FILES}
    best = run / CHECKPOINTS / "best.safetensors"
    found["best"] = best.read_bytes() if best.is_file() else None
    log = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    found["log"] = [_without(json.loads(line), TIMES) for line in log]
    found["summary"] = _without(json.loads((run / "summary.json").read_text(encoding="utf-8")), ("seconds",))
    if left := [str(path) for path in run.rglob(PARTS)]:
        raise ValueError(f"begun and not finished: {', '.join(left)}")
    return found | _last_state(run)


def _last_state(run: Path) -> dict[str, Any]:
    def wrong(said: str) -> None:
        raise ValueError(said)

    last = States(run / CHECKPOINTS, 1).latest(wrong)
    if last is None:
        raise FileNotFoundError(f"{run / CHECKPOINTS}: no state")
    tensors = {name: value.tolist() for name, value in last.tensors.items()}
    return {"step": last.step, "facts": _without(last.facts, ("log",)), "tensors": tensors}


def _without(line: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in names}
