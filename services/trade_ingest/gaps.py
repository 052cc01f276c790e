"""The gaps of one symbol from when they are found to how they end, as events; pure, the caller brings the venue's time."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from libs.contracts.identity import digest
from libs.contracts.market import NEVER_EXISTED, GapOutcome, OpenGap, TradeGapChanged
from services.trade_ingest.continuity import UNKNOWN_ID, Missing


@dataclass(slots=True)
class GapBook:
    """`open` gaps are in order of their ids. `filled` counts those that ended so since the symbol's first start.

    A gap whose end is not known (after a loss, REST brings what nobody has told yet) grows page by page; it is the last of
    `open` while `growing` is true. `counted` is the newest id that was ever in a gap.
    """

    symbol: str
    open: list[OpenGap] = field(default_factory=list)
    filled: int = 0
    growing: bool = False
    counted: int = field(default=UNKNOWN_ID, init=False)
    _holes: list[Missing] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counted = max((gap.last_missing_id for gap in self.open), default=UNKNOWN_ID)

    def found(self, first: int, last: int, times: tuple[int, int], cause: str, now_ms: int) -> list[TradeGapChanged]:
        """Ids between a published and a known newer trade are missing. What of them is in a gap already is no news: a predecessor
        may have left one half filled."""
        first = max(first, self.counted + 1)
        if last < first:
            return []
        gap = OpenGap(first, last, times[0], max(times), cause, now_ms)
        self.open.append(gap)
        self.counted = max(self.counted, last)
        self.growing = False
        return [self._event(gap, "open", now_ms)]

    def brought(self, first: int, last: int, times: tuple[int, int], cause: str, now_ms: int) -> bool:
        """REST brought these, and no gap was known there: one that grows until the symbol is whole. Whether any is new."""
        first = max(first, self.counted + 1)
        if last < first:
            return False
        if self.growing and self.open[-1].last_missing_id == first - 1:
            gap = msgspec.structs.replace(self.open.pop(), last_missing_id=last, to_ms=max(times))
        else:
            gap = OpenGap(first, last, times[0], max(times), cause, now_ms)
        self.open.append(gap)
        self.growing, self.counted = True, last
        return True

    def missing(self, hole: Missing) -> bool:
        """These ids were published as a hole. Whether an open gap has any of them."""
        self._holes.append(hole)
        return any(gap.first_missing_id <= hole.last and hole.first <= gap.last_missing_id for gap in self.open)

    def ends(self, expected: int, *, whole: bool) -> bool:
        """Whether `advanced` would end a gap."""
        oldest = self.open[:1]
        return any(whole or (gap.last_missing_id < expected and not self._grows(gap)) for gap in oldest)

    def advanced(self, expected: int, *, whole: bool, now_ms: int, told: int | None = None) -> list[TradeGapChanged]:
        """Everything below `expected` is published or declared; `whole`: nothing is being asked for any more. `told`: up to there
        no further gap can be found (None: below `expected`)."""
        if whole:
            self._disbelieve_from(expected)
        closed = []
        while self.ends(expected, whole=whole):
            closed.append(self._close(self.open.pop(0), now_ms))
        if whole or not self.open:
            self.growing = False
        if not self.open:
            until = expected - 1 if told is None else told
            self._holes = [hole for hole in self._holes if hole.last > until and hole.first < expected]
        return closed

    def _disbelieve_from(self, expected: int) -> None:
        """Nothing is missing any more: ids beyond, which a gap was thought to have, were never told truly."""
        for gap in self.open:
            if gap.last_missing_id >= expected:
                first = max(gap.first_missing_id, expected)
                self._holes.append(Missing(first, gap.last_missing_id, NEVER_EXISTED))
        self.counted = min(self.counted, expected - 1)

    def _grows(self, gap: OpenGap) -> bool:
        return self.growing and gap is self.open[-1]

    def _close(self, gap: OpenGap, now_ms: int) -> TradeGapChanged:
        gap = counted(gap, self._holes)
        if gap.unfilled < gap.last_missing_id - gap.first_missing_id + 1:
            self.filled += 1
            return self._event(gap, "filled", now_ms, gap.unfilled)
        return self._event(gap, "lost" if gap.lost else "never_existed", now_ms, gap.unfilled)

    def listed(self, most: int) -> tuple[OpenGap, ...]:
        """The oldest open gaps, each with what of it is published as missing by now: what a successor has to know. The
        holes are those since this process began; a predecessor's are in it already."""
        return tuple(counted(gap, self._holes) for gap in self.open[:most])

    def _event(self, gap: OpenGap, outcome: GapOutcome, now_ms: int, unfilled: int = 0) -> TradeGapChanged:
        return TradeGapChanged(
            event_id=digest("trade_gap", self.symbol, gap.first_missing_id, gap.last_missing_id, outcome, now_ms),
            event_time_ms=now_ms,
            symbol=self.symbol,
            first_missing_id=gap.first_missing_id,
            last_missing_id=gap.last_missing_id,
            from_ms=gap.from_ms,
            to_ms=gap.to_ms,
            cause=gap.cause,
            outcome=outcome,
            found_ms=gap.found_ms,
            closed_ms=None if outcome == "open" else now_ms,
            unfilled=unfilled,
        )


def counted(gap: OpenGap, holes: Sequence[Missing]) -> OpenGap:
    """The gap with what the holes have of it, which it did not count before."""
    first, last = gap.first_missing_id, gap.last_missing_id
    inside = [(min(last, hole.last) - max(first, hole.first) + 1, hole.cause) for hole in holes]
    unfilled = gap.unfilled + sum(count for count, _ in inside if count > 0)
    lost = gap.lost + sum(count for count, cause in inside if count > 0 and cause != NEVER_EXISTED)
    return msgspec.structs.replace(gap, unfilled=min(unfilled, last - first + 1), lost=lost)
