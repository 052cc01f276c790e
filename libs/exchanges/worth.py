"""What an asset was worth at a time: one rule for everybody who values a fee that was paid in another asset than the quote's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from libs.exchanges import MarketData
from libs.exchanges.decimals import finite_decimal
from libs.exchanges.errors import MalformedAnswer
from libs.kit.durations import MINUTE_MS
from libs.kit.errors import BadMessage

QUOTE = "USDT"
MOST_MINUTES = 1_000


async def worth_by_minute(market_data: MarketData, asset: str, since_ms: int, until_ms: int) -> Mapping[int, Decimal]:
    """The closes (USDT) of the minutes from that of `since_ms` to that of `until_ms`, by the beginning of the minute (ms, UTC):
    `MOST_MINUTES` at most, the first ones. A minute without a trade is missing, that which still runs closes with its last one.

    Raises `VenueError`, also for an asset that nobody trades there.
    """
    first, last = minute_of(since_ms), minute_of(until_ms)
    count = min(MOST_MINUTES, (last - first) // MINUTE_MS + 1)
    bars = await market_data.klines(f"{asset}{QUOTE}", "1m", first, first + (count - 1) * MINUTE_MS, count)
    try:
        return {bar.open_time: finite_decimal(bar.close) for bar in bars}
    except BadMessage as error:
        raise MalformedAnswer(str(error)) from None


def minute_of(time_ms: int) -> int:
    """When the minute of a time has begun (ms)."""
    return time_ms // MINUTE_MS * MINUTE_MS


def price_in(prices: Mapping[int, Decimal], minute_ms: int) -> Decimal | None:
    """The price of the minute that begins then, of those that `worth_by_minute` told; of one without a trade that of the last one
    before it. None where neither was told, and for a minute after all that were: it is told later."""
    if minute_ms in prices or minute_ms > max(prices, default=0):
        return prices.get(minute_ms)
    before = max((known for known in prices if known < minute_ms), default=None)
    return None if before is None else prices[before]


@dataclass(slots=True)
class Rests:
    """How long an asset rests whose worth nobody tells now, seconds: ever longer: a question a fill would use the budget up."""

    first: float
    longest: float
    _until: dict[str, tuple[float, float]] = field(default_factory=dict)

    def is_due(self, asset: str, now: float) -> bool:
        """Whether it may be asked for at `now`, seconds of a clock that does not go back."""
        return now >= self._until.get(asset, (now, 0.0))[0]

    def missed(self, asset: str, now: float) -> float:
        """Nobody has told it; how long it rests now."""
        _, last = self._until.get(asset, (now, self.first / 2))
        rest = min(2 * last, self.longest)
        self._until[asset] = (now + rest, rest)
        return rest

    def told(self, asset: str) -> None:
        """It is known."""
        self._until.pop(asset, None)
