"""Numbers of rows as addresses and forms give them."""


def read(text: str) -> int:
    """The primary key that `text` spells; 0, which no row has, where it spells none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
