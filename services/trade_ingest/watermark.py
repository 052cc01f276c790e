"""The watermark of one symbol: proof of how far its trades are complete (ARCHITECTURE rule 2)."""

from libs.contracts.market import UNKNOWN_TIME


class Watermark:
    """`value` W says: every trade with an effective time <= W has been handed to a frame; it never falls.

    A trade at t proves W = t - 1 (the next one may share the millisecond). A trade at or below W is late: its effective
    time is W + 1. W counts from the moment a trade is taken, not from its frame's publication, so which trades are late and
    what their effective times are does not depend on where frames are cut, and effective times of a symbol never decrease.
    """

    __slots__ = ("late", "value")

    def __init__(self, value: int = UNKNOWN_TIME) -> None:
        self.value = value
        self.late = 0

    def admit(self, trade_time: int, believed_until: int) -> int:
        """Take a trade; returns its effective time (ms). A time after `believed_until` proves nothing and counts as late."""
        value = self.value
        if value < trade_time <= believed_until:
            self.value = trade_time - 1
            return trade_time
        self.late += 1
        return value + 1

    def take_back(self, value: int, late: int) -> None:
        """What was admitted since the watermark was `value` is not published after all, `late` late trades among it."""
        self.value = value
        self.late -= late

    def follow(self, time: int) -> None:
        """Everything at or below `time` is known to be complete (a quiet symbol on a healthy connection)."""
        if time > self.value:
            self.value = time
