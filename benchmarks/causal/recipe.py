"""How a small language model is made, and what the file in its folder says of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fewshot.errors import InputError, listing

CURVE = "pretraining.json"  # in the folder: settings, losses, sources
SHARES = ("repeated", "renamed", "spelled")


@dataclass(frozen=True)
class Recipe:
    """How large the model is, and how long it reads.

    Args:
        vocabulary: tokens of the BPE.
        width: of the hidden states.
        layers: blocks.
        heads: of attention; the width is a multiple of twice as many.
        length: tokens of a block of text.
        batch: blocks of a step.
        steps: of AdamW.
        lr: its highest rate; linear warm-up over a twentieth, cosine to 0.
        longest: span that is repeated, in tokens.
        repeated: share of the blocks whose spans stand two or three times; of what is held out none is.
        renamed: share of those blocks whose tokens stand for one another, in another way in each: there only
            copying helps, of all tokens alike, also of those that no text has.
        spelled: share of the renamed blocks whose tokens have one or two of a few others before them, as the
            letters of most scripts have in bytes: to copy them, more than the last token has to be looked at.
        seed: of the weights, of the order and of what is repeated.
        compile: by torch.compile, which needs a C++ compiler: a minute, then two thirds of the time on a CPU.
    """

    vocabulary: int = 8192
    width: int = 256
    layers: int = 6
    heads: int = 4
    length: int = 512
    batch: int = 8
    steps: int = 1500
    lr: float = 1e-3
    longest: int = 15
    repeated: float = 0.0
    renamed: float = 0.0
    spelled: float = 0.0
    seed: int = 0
    compile: bool = False

    def __post_init__(self) -> None:
        free = ("seed", *SHARES, "compile")  # may be 0
        wrong = [name for name, value in vars(self).items() if name not in free and not value > 0]
        wrong += [name for name in SHARES if not 0 <= getattr(self, name) <= 1]
        if wrong or self.width % (2 * self.heads):
            raise InputError(
                "such a model cannot be made",
                where=f"--{wrong[0]}" if wrong else "--width",
                got=getattr(self, wrong[0]) if wrong else f"{self.width} for {self.heads} heads",
                needed="numbers above 0, a width that is a multiple of twice the heads, shares from 0 to 1",
            )


def about_model(folder: Path) -> dict[str, Any]:
    """What the file of a model says that was made here; nothing where there is none."""
    path = folder / CURVE
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def check_made_by(wanted: Recipe, folder: Path) -> None:
    """Refuses a folder whose model was not made by a recipe.

    Raises:
        InputError: another recipe, or none that is known.
    """
    recipe = about_model(folder).get("recipe")
    found = vars(Recipe()) | recipe if recipe else {}  # what was written earlier may have fewer settings
    # how it was computed does not matter
    differ = [name for name, value in vars(wanted).items() if name != "compile" and found.get(name) != value]
    if differ:
        raise InputError(
            "the language model that is there was made otherwise",
            where=folder,
            got=listing(f"--{name} {found[name]}" for name in differ) if found else f"no {CURVE}",
            needed=listing(f"--{name} {getattr(wanted, name)}" for name in differ),
            fix="move it away, so that one is made, or name it as --backbone",
        )
