"""The trainable tensors of T tasks, stacked on a leading task axis."""

from collections.abc import Collection, Iterator, Mapping

from torch import Tensor, nn


class Stack(nn.Module):
    """Named tensors of shape (T, ...), one slice a task; what an inner loop adapts.

    The tensors are held where parameters are held although they are no leaves: learn2learn reads
    and re-routes them there, and gradients flow through them to the meta-parameters.

    Args:
        tensors: name -> tensor of shape (T, ...), all of the same T.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._parameters.update(tensors)  # type: ignore[arg-type]

    def __getitem__(self, name: str) -> Tensor:
        tensor = self._parameters[name]
        assert tensor is not None
        return tensor

    def __contains__(self, name: str) -> bool:
        return name in self._parameters

    @property
    def tasks(self) -> int:
        """T; 0 where nothing is held."""
        return next((tensor.shape[0] for _, tensor in self.items()), 0)

    def items(self) -> Iterator[tuple[str, Tensor]]:
        """Name and tensor, in a fixed order."""
        for name in self._parameters:
            yield name, self[name]

    def detached(self) -> "Stack":
        """The same values, cut off from the graph."""
        return Stack({name: tensor.detach() for name, tensor in self.items()})

    def part(self, names: Collection[str]) -> "Stack":
        """The tensors of these names."""
        return Stack({name: tensor for name, tensor in self.items() if name in names})

    def without(self, names: Collection[str]) -> "Stack":
        """All other tensors."""
        return Stack({name: tensor for name, tensor in self.items() if name not in names})
