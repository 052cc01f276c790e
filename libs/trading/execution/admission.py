"""Whether the account may open anything now, and this: the checks that come before a size, each with its own reason."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import ZERO, Trade
from libs.trading.execution.wish import EntryWish, Refusal, RefusalReason, refusal

BASIS_POINTS = Decimal(10_000)
LONGEST_PRICE_AGE_MS = 5_000
"""An older price of the order venue is no price to enter at."""


@dataclass(frozen=True, slots=True)
class Quote:
    """The order venue's mark price (quote units per base unit), and when it was so (ms, venue's clock): told each second, also
    of a contract that nobody trades just then. The gap is between it and the last price that a signal was made at."""

    price: Decimal
    at_ms: int


@dataclass(frozen=True, slots=True)
class EntryMarket:
    """What an entry is compared with right before it is sent, be it the first time or after a crash. `quote`: None, nobody has
    told one; `most_gap_bps`: between the signal's price and that one; `strategies`: those that may trade."""

    quote: Quote | None
    most_gap_bps: Decimal
    strategies: Collection[str]


@dataclass(frozen=True, slots=True)
class Standing:
    """The account now. `blocked`: what keeps it from opening anything, the gravest first, each with its detail. `busy`: symbols
    with a trade that is not over; `cooling`: until when symbols rest after a trade (ms); `locked`: symbols and until when;
    `foreign`: symbols with orders or positions that are not ours."""

    blocked: tuple[tuple[RefusalReason, str], ...] = ()
    busy: frozenset[str] = frozenset()
    cooling: Mapping[str, int] = field(default_factory=dict)
    locked: Mapping[str, int] = field(default_factory=dict)
    foreign: frozenset[str] = frozenset()


def objection(
    wish: EntryWish, config: LiveConfig, standing: Standing, quote: Quote | None, now_ms: int
) -> Refusal | None:
    """The first reason why it may not be entered now, or None."""
    if now_ms > wish.valid_until_ms:
        return refusal("expired")
    for reason, detail in standing.blocked:
        return refusal(reason, detail)
    return _of_symbol(wish.symbol, config, standing, now_ms) or _of_price(
        wish.symbol, wish.price, quote, config.max_price_gap_bps, now_ms
    )


def outdated(trade: Trade, market: EntryMarket, now_ms: int) -> RefusalReason | None:
    """Why an entry that was decided on must not be sent now, or None: its strategy was switched off, or the price has gone.

    Time may have passed since, up to the signal's validity: a crash, an order that the venue did not know, a page that was late.
    """
    if trade.origin == "signal" and trade.strategy not in market.strategies:
        return "not_enabled"
    if trade.signal_price is None:
        return None
    against = _of_price(trade.symbol, trade.signal_price, market.quote, market.most_gap_bps, now_ms)
    if against is not None or market.quote is None or trade.bracket is None:
        return None if against is None else against.reason
    sign = 1 if trade.direction == "long" else -1
    return "stop_passed" if sign * (market.quote.price - trade.bracket.stop) <= ZERO else None


def _of_symbol(symbol: str, config: LiveConfig, standing: Standing, now_ms: int) -> Refusal | None:
    if not config.may_trade(symbol):
        return refusal("not_enabled", f"symbol {symbol}")
    if symbol in standing.foreign:
        return refusal("foreign", symbol)
    if standing.locked.get(symbol, 0) > now_ms:
        return refusal("locked", f"for {(standing.locked[symbol] - now_ms) // 1000} s more")
    if symbol in standing.busy:
        return refusal("position_open", symbol)
    if standing.cooling.get(symbol, 0) > now_ms:
        return refusal("cooldown", f"for {(standing.cooling[symbol] - now_ms) // 1000} s more")
    if len(standing.busy) >= config.max_positions:
        return refusal("max_positions", f"{len(standing.busy)}")
    return None


def _of_price(symbol: str, price: Decimal, quote: Quote | None, most_gap_bps: Decimal, now_ms: int) -> Refusal | None:
    if quote is None or now_ms - quote.at_ms > LONGEST_PRICE_AGE_MS or quote.price <= 0:
        return refusal("price_unknown", symbol)
    gap = abs(quote.price - price) / price * BASIS_POINTS
    if gap > most_gap_bps:
        return refusal("price_gap", f"{price} against {quote.price}, {gap:.1f} bps")
    return None
