"""The five /futures/data endpoints: open interest history, three long/short ratios and the taker ratio.

`startTime` and `endTime` bound the stamps of rows (both inclusive); history goes back 30 days, and an older start is refused.
"""

import asyncio
from collections.abc import Callable
from typing import Literal

from libs.kit.durations import DAY_MS
from services.exchange_simulator.market import Positioning
from services.exchange_simulator.rest.errors import VenueError, invalid_value
from services.exchange_simulator.rest.parameters import Parameters
from services.exchange_simulator.rest.venue import Answer, Endpoint, Venue

_MINUTE_MS = 60_000
_PERIODS = {"5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "12h": 720, "1d": 1440}
_HISTORY_MS = 30 * DAY_MS
_SUPPLY = "19951234.00000000"


def _period_starts(
    venue: Venue, parameters: Parameters, symbol: str, *, stamped: Literal["start", "end"] = "end"
) -> tuple[str, int, list[int]]:
    """Period name, its length in ms, and the starts of the complete periods that were asked for, oldest first."""
    period = parameters.text("period")
    if period is None:
        raise VenueError(-1102, "Mandatory parameter 'period' was not sent, was empty/null, or malformed.")
    if period not in _PERIODS:
        raise invalid_value("period")
    length, limit = _PERIODS[period] * _MINUTE_MS, parameters.limit(30, 500)
    start, end = parameters.span()
    now = venue.clock.now_ms()
    if start is not None and start < now - _HISTORY_MS:
        raise invalid_value("startTime")
    to_stamp = length if stamped == "end" else 0
    first = -(-max(now - _HISTORY_MS, venue.source.first_ms(symbol)) // length)
    # A recording says nothing of a period that goes on after its last event.
    ended = venue.source.last_event_ms()
    last = (now if ended is None else min(now, ended)) // length - 1
    if start is not None:
        first = max(first, -(-(start - to_stamp) // length))
    if end is not None:
        last = min(last, (end - to_stamp) // length)
    numbers = range(max(first, 0), last + 1)
    # As with klines: from a start the first rows, otherwise the newest.
    chosen = numbers[:limit] if start is not None else numbers[-limit:]
    return period, length, [number * length for number in chosen]


def _facts(venue: Venue, symbol: str, times: list[int]) -> list[Positioning]:
    found = (venue.source.positioning(symbol, time_ms) for time_ms in times)
    return [facts for facts in found if facts is not None]


async def open_interest_history(venue: Venue, parameters: Parameters) -> object:
    """Open interest at the end of each period."""
    symbol = parameters.symbol(venue.source.symbols)
    _, length, starts = _period_starts(venue, parameters, symbol)
    return [
        {
            "symbol": symbol,
            "sumOpenInterest": f"{facts.open_interest:.8f}",
            "sumOpenInterestValue": f"{facts.open_interest * float(venue.source.mark_price(symbol, facts.time_ms).mark):.8f}",
            "CMCCirculatingSupply": _SUPPLY,
            "timestamp": facts.time_ms,
        }
        for facts in _facts(venue, symbol, [start + length for start in starts])
    ]


def _ratio(long_share: Callable[[Positioning], float]) -> Answer:
    async def answer(venue: Venue, parameters: Parameters) -> object:
        symbol = parameters.symbol(venue.source.symbols)
        _, length, starts = _period_starts(venue, parameters, symbol)
        rows = []
        for facts in _facts(venue, symbol, [start + length for start in starts]):
            long = round(long_share(facts), 4)
            rows.append(
                {
                    "symbol": symbol,
                    "longShortRatio": f"{long / (1 - long):.4f}",
                    "longAccount": f"{long:.4f}",
                    "shortAccount": f"{1 - long:.4f}",
                    "timestamp": facts.time_ms,
                }
            )
        return rows

    return answer


async def taker_ratio(venue: Venue, parameters: Parameters) -> object:
    """Taker volumes of each period; here the timestamp is the period's start, and no symbol is named."""
    symbol = parameters.symbol(venue.source.symbols)
    period, _, starts = _period_starts(venue, parameters, symbol, stamped="start")
    bars = await asyncio.to_thread(venue.source.bars, symbol, period, starts, venue.clock.now_ms())
    scale = venue.source.rules[symbol].quantity_scale
    rows = []
    for bar in bars:
        bought, sold = bar.taker_volume / scale, (bar.volume - bar.taker_volume) / scale
        rows.append(
            {
                "buySellRatio": f"{bought / sold if sold else 0.0:.4f}",
                "buyVol": f"{bought:.4f}",
                "sellVol": f"{sold:.4f}",
                "timestamp": bar.open_ms,
            }
        )
    return rows


ENDPOINTS = (
    Endpoint("/futures/data/openInterestHist", open_interest_history, 0, "data"),
    Endpoint("/futures/data/globalLongShortAccountRatio", _ratio(lambda facts: facts.global_long), 0, "data"),
    Endpoint("/futures/data/topLongShortAccountRatio", _ratio(lambda facts: facts.top_account_long), 0, "data"),
    Endpoint("/futures/data/topLongShortPositionRatio", _ratio(lambda facts: facts.top_position_long), 0, "data"),
    Endpoint("/futures/data/takerlongshortRatio", taker_ratio, 0, "data"),
)
