"""Where LoRA goes."""

from collections.abc import Sequence
from dataclasses import dataclass

from fewshot.errors import InputError


@dataclass(frozen=True)
class Lora:
    """Rank, targets and layers of the adapter.

    Args:
        rank: r, the inner width of the two matrices.
        alpha: the update is scaled by alpha / rank.
        modules: linear modules to adapt, by the end of their names; or 'auto', those that PEFT takes for this
            kind of model, or 'all-linear'.
        seed: for drawing the initial matrices.
        layers: 'all', 'last:2', 'first:2', or numbers from 0 such as '3,4,5'.
    """

    rank: int = 8
    alpha: int = 16
    modules: Sequence[str] = ("query", "value", "dense")
    layers: str = "last:2"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rank", "alpha"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"model.lora.{name} is too small", got=getattr(self, name), needed="a whole number from 1"
                )
        if not self.modules:
            raise InputError(
                "no module is adapted",
                where="model.lora.modules",
                got="an empty list",
                needed="names of linear modules, auto or all-linear",
            )

    def chosen_layers(self, count: int) -> set[int]:
        """Numbers of the adapted layers in a backbone of `count` layers.

        Raises:
            InputError: an expression that is not understood, or layers that are not there.
        """
        word, _, rest = self.layers.partition(":")
        try:
            if self.layers == "all":
                chosen = set(range(count))
            elif word in ("last", "first"):
                number = min(int(rest), count + 1)  # no set of as many numbers as a file may ask for
                chosen = set(range(count - number, count) if word == "last" else range(number))
            else:
                chosen = {int(part) for part in self.layers.split(",")}
        except ValueError:
            chosen = set()
        if not chosen or min(chosen) < 0 or max(chosen) >= count:
            raise InputError(
                "these layers cannot be adapted",
                where="model.lora.layers",
                got=repr(self.layers),
                needed=f"'all', 'last:n' or 'first:n' (n from 1 to {count}), or numbers up to {count - 1}",
            )
        return chosen
