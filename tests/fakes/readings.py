"""Slow inputs and states of feeds without an engine around them."""

from decimal import Decimal
from typing import NamedTuple


class FakeReading(NamedTuple):
    """A value and the instant (ms) it describes."""

    value: Decimal
    as_of_ms: int


class FakeFeed(NamedTuple):
    """A feed's state since an instant."""

    state: str
    as_of_ms: int

    @property
    def live(self) -> bool:
        return self.state == "live"
