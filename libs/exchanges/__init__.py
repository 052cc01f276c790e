"""The venue port: what ingest and traders may ask of a venue, in neutral names; every folder below is one adapter of it.

Prices and quantities are the venue's own decimal text (exact); `libs.exchanges.decimals.scaled` turns them into integers.
Times are milliseconds since the epoch (UTC) on the venue's clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from libs.contracts.market import IndicatorKind
from libs.exchanges.budget import Priority

if TYPE_CHECKING:  # the supervised session reads this module
    from libs.exchanges.session import SessionOptions, StreamSession

ProductKind = Literal["linear", "inverse"]
RATIO_KINDS: tuple[IndicatorKind, ...] = (
    "global_long_short_account_ratio",
    "top_long_short_account_ratio",
    "top_long_short_position_ratio",
    "taker_long_short_ratio",
)


class AggTrade(Protocol):
    """One aggregate trade: fills of one taker order at one price. `event_time` is 0 when it came by REST."""

    @property
    def symbol(self) -> str: ...
    @property
    def agg_id(self) -> int: ...
    @property
    def price(self) -> str: ...
    @property
    def quantity(self) -> str: ...
    @property
    def first_trade_id(self) -> int: ...
    @property
    def last_trade_id(self) -> int: ...
    @property
    def trade_time(self) -> int: ...
    @property
    def buyer_is_maker(self) -> bool: ...
    @property
    def event_time(self) -> int: ...


class MarkPrice(msgspec.Struct, frozen=True, kw_only=True):
    """Mark price, index price and the running funding estimate; None where the venue sends nothing or an empty text."""

    symbol: str
    event_time: int
    mark_price: str
    index_price: str
    estimated_settle_price: str | None
    mark_price_average: str | None
    funding_rate: str | None
    next_funding_time: int


class ForcedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A liquidation as the venue samples it; quantities in base units for `linear` products, contracts for `inverse`."""

    symbol: str
    side: Literal["BUY", "SELL"]
    price: str
    average_price: str
    filled_quantity: str
    last_filled_quantity: str
    status: str
    trade_time: int
    event_time: int
    product: ProductKind


@dataclass(slots=True)
class StreamBatch:
    """Everything that one read of the socket brought, by kind, each list in arrival order.

    `newest_event_time` is the greatest venue event time among the last messages of each kind, 0 when there was none. `line`
    says which of the session's connections it came by.
    """

    trades: list[AggTrade] = field(default_factory=list)
    mark_prices: list[MarkPrice] = field(default_factory=list)
    forced_orders: list[ForcedOrder] = field(default_factory=list)
    newest_event_time: int = 0
    line: int = 0


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """What one stream session delivers: by kind of message (the fields of `StreamBatch`), the symbols it is wanted for."""

    trades: tuple[str, ...] = ()
    mark_prices: tuple[str, ...] = ()
    forced_orders: tuple[str, ...] = ()
    every_forced_order: bool = False
    """The venue's one stream of all its forced orders, whatever the symbol and the product."""
    every_mark_price: bool = False
    """The venue's one stream of all its mark prices, once a second."""


class StreamHandler(Protocol):
    """Who wants to know what happens on one stream session; all calls come from the event loop's thread.

    A session may have several connections ("lines") at a time: for a moment while it changes over, or for good. Each of them
    delivers everything, so copies come; as long as one healthy line is left, nothing is lost and nothing closes.
    """

    def on_connecting(self) -> None:
        """A connection is being opened, and there is no other (first, or again after a loss)."""
        ...

    def on_lines(self, lines: frozenset[int]) -> None:
        """From now on these lines are subscribed and healthy; called before `on_open` and `on_close`."""
        ...

    def on_open(self) -> None:
        """Subscribed, after there was no line: what the venue sends from now on arrives."""
        ...

    def on_batch(self, batch: StreamBatch) -> None:
        """Messages of one socket read."""
        ...

    def on_close(self, reason: str, silent: bool) -> None:
        """The last healthy line is gone: continuity is in doubt. `silent`: it is still open, but says nothing."""
        ...


class MarketStreams(Protocol):
    """A perpetuals venue's public streams."""

    def session(self, subscription: Subscription, handler: StreamHandler, options: "SessionOptions") -> "StreamSession":
        """One supervised subscription; nothing is connected before its `run`.

        Raises `ValueError` for more than the venue allows on one connection, and for a kind of message it does not have.
        """
        ...


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """A tradable contract and the integer scales that its filters imply: price = integer / 10**price_decimals.

    The limits of a market order are "" where the venue does not say them.
    """

    symbol: str
    base_asset: str
    quote_asset: str
    contract_type: str
    status: str
    tick_size: str
    step_size: str
    price_decimals: int
    quantity_decimals: int
    min_quantity: str = ""
    max_quantity: str = ""
    min_notional: str = ""


class Kline(msgspec.Struct, frozen=True, kw_only=True):
    """One bar. `volume`/`taker_buy_volume` in base units, `quote_volume` in quote units; `close_time` inclusive."""

    open_time: int
    close_time: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    quote_volume: str
    taker_buy_volume: str


class IndicatorValue(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a slow input; `time` is the instant it describes (end of its period), `values` by our field names, `raw` the
    JSON object that the venue sent for it."""

    symbol: str
    kind: IndicatorKind
    period: str | None
    time: int
    values: dict[str, str]
    raw: bytes = b""


MOST_HISTORY_PERIODS = 498
"""The widest span of one question for history, in periods: a page of the venue has 500 rows, and both its ends may be in it."""


class HistorySpan(msgspec.Struct, frozen=True):
    """Instants with `start_ms` < time <= `end_ms` (ms)."""

    start_ms: int
    end_ms: int


class Ticker(msgspec.Struct, frozen=True, kw_only=True):
    """The last trade of a product, and the JSON object that says so; `time` 0 when the venue does not say when."""

    product: str
    price: str
    time: int
    raw: bytes = b""


class ClockReading(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's time, read between two instants of our monotonic clock (s): when the question left, after it had its turn,
    and when the answer was here."""

    venue_ms: int
    asked: float
    answered: float


class MarketData(Protocol):
    """Public REST questions to a perpetuals venue. Each raises the errors of `libs.exchanges.errors`.

    A question waits for its turn in the request budget that all processes of the machine share: as `Priority.LIVE`, and however
    long it takes, unless it is asked through `at`.
    """

    def at(self, priority: Priority, patience_seconds: float | None = None) -> "MarketData":
        """The same venue, asked with this priority. A question that has waited for its turn for `patience_seconds` (real
        time) raises `RateLimited`."""
        ...

    async def server_time(self) -> int: ...

    async def read_clock(self) -> ClockReading:
        """The venue's time with the round trip that it took."""
        ...

    async def instruments(self, symbols: Sequence[str]) -> dict[str, Instrument]:
        """The scales of the named symbols; `UserError` names an unknown one with its nearest matches."""
        ...

    async def statuses(self) -> dict[str, str]:
        """The venue's word for each of its symbols: `TRADING`, or another one (`PENDING_TRADING`, `SETTLING`, `CLOSE`, …)."""
        ...

    async def agg_trades_from(self, symbol: str, agg_id: int, limit: int = 1000) -> Sequence[AggTrade]:
        """Trades with ids >= `agg_id`, ascending, at most `limit`."""
        ...

    async def agg_trades_between(self, symbol: str, start: int, end: int, limit: int = 1000) -> Sequence[AggTrade]:
        """Trades with `start` <= time <= `end` (under an hour apart), ascending, the oldest `limit` of them."""
        ...

    async def newest_agg_trades(self, symbol: str, limit: int = 1) -> Sequence[AggTrade]: ...

    async def klines(self, symbol: str, interval: str, start: int, end: int, limit: int) -> list[Kline]:
        """Bars that open in [start, end], ascending."""
        ...

    async def open_interest(self, symbol: str) -> IndicatorValue: ...

    async def open_interest_history(self, symbol: str, period: str, limit: int) -> list[IndicatorValue]: ...

    async def ratio_history(
        self, symbol: str, kind: IndicatorKind, period: str, limit: int
    ) -> list[IndicatorValue]: ...

    async def indicator_history(
        self, symbol: str, kind: IndicatorKind, period: str | None, span: HistorySpan
    ) -> list[IndicatorValue]:
        """Everything that the venue still has in the span, ascending: open interest and ratios of a period, settled funding
        (no period). Raises `ValueError` for a span of more than `MOST_HISTORY_PERIODS`; the venue refuses instants that are
        older than its history."""
        ...

    async def funding_rates(self, symbol: str, limit: int) -> list[IndicatorValue]:
        """Settled rates, ascending."""
        ...

    async def ticker(self, product: str) -> Ticker:
        """The perpetual's own last price."""
        ...

    async def last_prices(self) -> dict[str, Ticker]:
        """The last price of every symbol, each with the time of it (0 when the venue does not say), in one question."""
        ...


class SpotTicker(Protocol):
    """The last price of a spot product."""

    async def ticker(self, product: str) -> Ticker: ...
