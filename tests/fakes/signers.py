"""Signatures that nobody checks."""


class PaperSigner:
    """Signs with a word."""

    name = "notifier"

    def sign(self, payload: bytes) -> str:
        return "signed"
