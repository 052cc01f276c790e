"""Whether the account may open anything now, and this: the checks that come before a size, each with its own reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from libs.trading.execution.config import LiveConfig
from libs.trading.execution.wish import EntryWish, Refusal, RefusalReason, refusal

BASIS_POINTS = Decimal(10_000)
LONGEST_PRICE_AGE_MS = 5_000
"""An older price of the order venue is no price to enter at."""


@dataclass(frozen=True, slots=True)
class Quote:
    """The order venue's last price (quote units per base unit), and when it was so (ms, venue's clock)."""

    price: Decimal
    at_ms: int


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
    """The first reason why it may not be entered now, or None; asked again right before an entry is sent once more."""
    if now_ms > wish.valid_until_ms:
        return refusal("expired")
    for reason, detail in standing.blocked:
        return refusal(reason, detail)
    return _of_symbol(wish.symbol, config, standing, now_ms) or _of_price(wish, config, quote, now_ms)


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


def _of_price(wish: EntryWish, config: LiveConfig, quote: Quote | None, now_ms: int) -> Refusal | None:
    if quote is None or now_ms - quote.at_ms > LONGEST_PRICE_AGE_MS or quote.price <= 0:
        return refusal("price_unknown", wish.symbol)
    gap = abs(quote.price - wish.price) / wish.price * BASIS_POINTS
    if gap > config.max_price_gap_bps:
        return refusal("price_gap", f"{wish.price} against {quote.price}, {gap:.1f} bps")
    return None
