"""Questions of three kinds, for tests that learn a task."""

TEXTS = (
    "where is my card", "my card did not come", "the card is late",
    "what is the exchange rate", "how do you exchange money", "rate for euros",
    "i want a refund", "give me my money back", "refund the purchase",
)  # fmt: skip
LABELS = ("card",) * 3 + ("exchange",) * 3 + ("refund",) * 3
NEW = ("is there a card for me", "may i have my money", "euros")
