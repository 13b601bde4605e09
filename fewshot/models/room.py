"""How long an answer may be, so that something of a text is read before it."""

from dataclasses import dataclass

from fewshot.errors import InputError

LONGER = "raise model.max_length as far as the backbone reads"


@dataclass(frozen=True)
class Room:
    """What answers may take.

    Args:
        max_length: tokens of a prompt with its answer.
        around: tokens of a prompt without a text.
    """

    max_length: int
    around: int

    @property
    def most(self) -> int:
        """Tokens that an answer may have beside one of a text."""
        return self.max_length - self.around - 1

    def check(self, answer: str, length: int, kept: int = 0) -> None:
        """Refuses an answer beside which not one token of a text could be read.

        Args:
            answer: for the message.
            length: its tokens.
            kept: tokens that are kept for an answer however short it is.

        Raises:
            InputError: such an answer, or so many tokens kept.
        """
        if max(length, kept) <= self.most:
            return
        if kept > length:
            what, where = "the tokens kept for an answer leave no room for a text", "model.max_new_tokens"
            raise self._refusal(what, where, str(kept), "lower it")
        what, where = "an answer leaves no room for a text", "a label name, or what is to be written"
        raise self._refusal(
            what, where, f"{answer[:40]!r}, {length} tokens", "leave it out, rename the class"
        )

    def _refusal(self, what: str, where: str, got: str, mend: str) -> InputError:
        limits = f"the template has {self.around}, model.max_length is {self.max_length}"
        return InputError(
            what,
            where=where,
            got=got,
            needed=f"at most {self.most}: {limits}",
            fix=f"{mend}, or {LONGER}",
        )
