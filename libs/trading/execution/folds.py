"""What a document is after a fact: the same fact twice is once, in any order, and a strange one is written down, never raised."""

from libs.trading.execution.document import Trade
from libs.trading.execution.facts import Fact


def fold(trade: Trade, fact: Fact) -> Trade:
    """The document after the fact; the very same object where nothing is new."""
    raise NotImplementedError
