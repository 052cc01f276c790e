"""Which stops wait at the venue, from lists that may be two seconds old and from events that may be lost."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from libs.exchanges.trading import AlgoState
from libs.trading.risk.inputs import Side, Stop

STALE_MS = 2_100
"""So old may be what a list shows (reference facts, 9)."""
MOST_TOLD = 2_000


@dataclass(frozen=True, slots=True)
class StopsSeen:
    """`asked_at_ms`: of the list; `proven_at_ms`: the newest of what shows them: the list's, or of what was told since."""

    stops: tuple[Stop, ...]
    asked_at_ms: int
    proven_at_ms: int


@dataclass(slots=True)
class StopBook:
    """Times are those of the clock that only grows."""

    _lists: dict[str, tuple[int, dict[int, AlgoState]]] = field(default_factory=dict)
    _told: dict[int, tuple[AlgoState, int]] = field(default_factory=dict)
    _over: dict[int, None] = field(default_factory=dict)

    def listed(self, symbol: str, asked_at_ms: int, algos: Iterable[AlgoState]) -> None:
        """The venue's list of a symbol, asked at that time. An older one than the last changes nothing."""
        if symbol not in self._lists or self._lists[symbol][0] <= asked_at_ms:
            self._lists[symbol] = asked_at_ms, {one.algo_id: one for one in algos if one.symbol == symbol}

    def told(self, algo: AlgoState, at_ms: int) -> None:
        """An event or an answer. What is over never comes back, whatever a list says that does not know it yet."""
        if not _waits(algo):
            self._over[algo.algo_id] = None
            self._told.pop(algo.algo_id, None)
        elif algo.algo_id not in self._over:
            self._told[algo.algo_id] = algo, at_ms
        for known in (self._over, self._told):
            while len(known) > MOST_TOLD:
                known.pop(next(iter(known)))

    def asked_at_ms(self, symbol: str) -> int | None:
        """When the newest list of the symbol was asked for; None before the first."""
        return self._lists[symbol][0] if symbol in self._lists else None

    def seen(self, symbol: str) -> StopsSeen | None:
        """What waits there now; None before the first list."""
        if symbol not in self._lists:
            return None
        asked_at_ms, listed = self._lists[symbol]
        fresh = {
            number: algo
            for number, (algo, at_ms) in self._told.items()
            if algo.symbol == symbol and asked_at_ms < at_ms + STALE_MS
        }
        found = [one for number, one in (listed | fresh).items() if number not in self._over]
        proven = max((at_ms for number, (_, at_ms) in self._told.items() if number in fresh), default=asked_at_ms)
        stops = tuple(stop for one in found if (stop := _stop(one)) is not None)
        return StopsSeen(stops, asked_at_ms, max(asked_at_ms, proven))


def _waits(algo: AlgoState) -> bool:
    """One that is being triggered waits no longer: whether its order fills is another question."""
    return not algo.is_final and algo.order_id is None and not algo.status.startswith("TRIGGER")


def _stop(algo: AlgoState) -> Stop | None:
    """A stop that can only close. A trailing one may wait for its activation and protects nothing until then."""
    is_hedged = algo.position_side != "BOTH"
    if algo.kind != "STOP_MARKET" or not _waits(algo):
        return None
    if not (algo.close_position or algo.reduce_only or is_hedged):
        return None
    side: Side = "long" if algo.side == "SELL" else "short"
    if is_hedged and side != algo.position_side.lower():
        return None
    return Stop(side, None if algo.close_position else algo.quantity)
