"""What an asset was worth at a time: one rule for everybody who values a fee that was paid in another asset than the quote's."""

from collections.abc import Mapping
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
