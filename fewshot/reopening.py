"""A run directory whose training goes on."""

import json
from itertools import zip_longest
from pathlib import Path
from typing import Any

from fewshot.errors import InputError
from fewshot.files import remove_parts
from fewshot.run import RunFolder, is_unfinished
from fewshot.untrusted.paths import stays
from fewshot.untrusted.values import parse_json, read_text

WHAT = {"config.yaml": "the settings", "data.json": "the data"}


def reopen(folder: RunFolder, config: str, data: dict[str, Any] | None) -> None:
    """Makes sure that a training can go on, and removes what a process that was killed had begun to write.

    Args:
        folder: where it was begun.
        config: the text of its `config.yaml`, as it would be written now.
        data: the content of its `data.json`, as it would be written now.

    Raises:
        InputError: no run, a finished one, one with other settings, or data that are no longer the same.
    """
    folder.check_is_run()
    stays(folder.path, folder.path / "log.jsonl", folder.path)  # it is cut and written to
    if not is_unfinished(folder.path):
        raise InputError("the run is finished: there is nothing to go on with", where=folder.path)
    for name, now in (("config.yaml", config), ("data.json", json.loads(json.dumps(data)))):
        path = folder.path / name
        if now and path.is_file() and _content(path) != now:
            raise InputError(
                f"{WHAT[name]} are not those that the run was started with",
                where=path,
                got=_difference(_content(path), now),
                needed="the same, so that the result is that of a run that was not stopped",
                fix="put them back as they were, or start a run of another name",
            )
    remove_parts(folder.path)


def _content(path: Path) -> Any:
    """Of a text file its text, of a JSON file what it says."""
    try:
        text = read_text(path)
        return parse_json(text, numbers=False) if path.suffix == ".json" else text
    except (OSError, ValueError) as error:
        raise InputError("a file of the run cannot be read", where=path, got=error) from error


def _difference(before: Any, now: Any) -> str:
    """The first line that differs, then and now."""
    texts = [each if isinstance(each, str) else json.dumps(each, indent=1) for each in (before, now)]
    lines = zip_longest(*(text.splitlines() for text in texts), fillvalue="")
    return next((f"{one.strip()!r} then, {two.strip()!r} now" for one, two in lines if one != two), "others")
