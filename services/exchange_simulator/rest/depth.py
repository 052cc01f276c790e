"""GET /fapi/v1/depth: the book that orders are matched against, its best prices those of bookTicker."""

from itertools import islice

from services.exchange_simulator.rest.errors import VenueError, invalid_value
from services.exchange_simulator.rest.parameters import Parameters
from services.exchange_simulator.rest.venue import Endpoint, Venue
from services.exchange_simulator.trading.orders import Side
from services.exchange_simulator.trading.quotes import quote_after

_LIMITS = (5, 10, 20, 50, 100, 500, 1000)
_WEIGHTS = ((50, 2), (100, 5), (500, 10), (1000, 20))


async def depth(venue: Venue, parameters: Parameters) -> object:
    """Bids downwards and asks upwards. Raises -4021 for another limit than the venue's, -1130 before the first trade."""
    symbol, now = parameters.symbol(venue.source.symbols), venue.clock.now_ms()
    limit = parameters.integer("limit") or 500
    if limit not in _LIMITS:
        raise VenueError(-4021, f"{limit} is not valid depth limit")
    trades, rules = venue.source.newest_trades(symbol, 1, now), venue.source.rules[symbol]
    if not len(trades):
        raise invalid_value("symbol")
    quote = quote_after(trades, rules)

    def side(taker: Side) -> list[tuple[str, str]]:
        levels = islice(quote.levels(taker), limit)
        return [
            (f"{price:.{rules.price_decimals}f}", f"{quantity:.{rules.quantity_decimals}f}")
            for price, quantity in levels
        ]

    moment = int(trades.trade_ms[-1])
    return {"lastUpdateId": quote.seed * 10, "E": now, "T": moment, "bids": side("SELL"), "asks": side("BUY")}


def _weight(parameters: Parameters) -> int:
    limit = parameters.text("limit") or "500"
    asked = int(limit) if limit.isascii() and limit.isdigit() and len(limit) < 10 else 500
    return next((weight for most, weight in _WEIGHTS if asked <= most), _WEIGHTS[-1][1])


ENDPOINTS = (Endpoint("/fapi/v1/depth", depth, _weight),)
