from pathlib import Path

import pytest

from benchmarks.readme import into_readme, marks
from fewshot.errors import InputError


def test_a_table_goes_between_its_marks_only(tmp_path: Path) -> None:
    begin, end = marks("speed")
    page = tmp_path / "README.md"
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    into_readme(page, "speed", "| new |")
    assert page.read_text() == f"before\n{begin}\n\n| new |\n\n{end}\nafter\n"
    with pytest.raises(InputError, match="no place for the algorithms table"):
        into_readme(page, "algorithms", "| new |")
