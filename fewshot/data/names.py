"""Names of classes, as they stand in data."""


def in_words(name: str) -> str:
    """'card_about-to_expire' as 'card about to expire'."""
    return " ".join(name.replace("_", " ").replace("-", " ").split())
