"""Tables in the README, each between two marks of its own."""

from pathlib import Path

from fewshot.errors import InputError
from fewshot.files import write_text


def marks(name: str) -> tuple[str, str]:
    """The lines before and after a table."""
    return f"<!-- {name}: made by python -m benchmarks.{name}.table -->", f"<!-- end of {name} -->"


def into_readme(path: Path, name: str, table: str) -> None:
    """Writes a table between its marks.

    Raises:
        InputError: the file has no such marks.
    """
    begin, end = marks(name)
    text = path.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        raise InputError(f"no place for the {name} table", where=path, needed=f"the lines {begin} and {end}")
    before, rest = text.split(begin, 1)
    write_text(path, f"{before}{begin}\n\n{table}\n\n{end}{rest.split(end, 1)[1]}")
