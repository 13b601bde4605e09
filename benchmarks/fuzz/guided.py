"""One kind, by atheris, which looks for inputs that reach new lines of this package.

python -m benchmarks.fuzz.guided KIND --inputs 1000 --seed 0 --json FILE

Where the process itself is brought down, no FILE is written; the input lies beside it then, named as
`ARTIFACTS` has it, and what was said is on standard output and error. Temporary files are left behind.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

LONGEST = 1 << 16  # bytes of an input
ARTIFACTS = ("crash-*", "timeout-*", "oom-*", "leak-*")  # what the library calls an input that ended it


def main() -> None:
    """The library ends the process itself, so the tally is written with the last input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind")
    parser.add_argument("--inputs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    import atheris

    with atheris.instrument_imports(include=["fewshot"], enable_loader_override=False):
        from benchmarks.fuzz.kinds import kinds
        from benchmarks.fuzz.limits import bounded
        from benchmarks.fuzz.tally import Tally
        from fewshot.files import write_json

    kind, tally = kinds()[given.kind], Tally()

    def one(content: bytes) -> None:
        tally.add(kind, content)
        if tally.outcomes.total() >= given.inputs:
            write_json(given.json, tally.plain())
            os._exit(0)

    with tempfile.TemporaryDirectory() as corpus, bounded():
        for number, content in enumerate(kind.valid):
            (Path(corpus) / str(number)).write_bytes(content)
        options = [
            f"-seed={given.seed + 1}",
            f"-max_len={LONGEST}",
            "-rss_limit_mb=0",
            "-timeout=0",
            f"-artifact_prefix={given.json.parent.resolve()}{os.sep}",
        ]
        atheris.Setup([sys.argv[0], *options, corpus], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
