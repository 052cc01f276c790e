"""Market facts: trade frames, bootstrap bars, liquidations, slow indicators, mark prices and the state of feeds.

Prices and quantities of frames are integers: `price * 10**price_decimals`. Columns are little-endian and of equal length;
`libs.contracts.frames` builds and reads them.
"""

from decimal import Decimal
from typing import ClassVar, Literal

import msgspec

from libs.contracts.event import ContentType, Event

UNKNOWN_TIME = -1
NEVER_EXISTED = "not_at_venue"
"""The cause of a hole whose ids the venue does not have although it has their neighbours; every other cause means lost."""


class SymbolSlice(msgspec.Struct, frozen=True, array_like=True):
    """What a frame says about one symbol: its scale, how many rows of it, which ids, and how far it is proven complete.

    `watermark_ms`: every trade with an effective time at or below it has been published in this or an earlier frame;
    `UNKNOWN_TIME` before the first proof. `first_id`/`last_id` are -1 when `rows` is 0.
    """

    symbol: str
    price_decimals: int
    quantity_decimals: int
    rows: int
    first_id: int
    last_id: int
    watermark_ms: int


class Hole(msgspec.Struct, frozen=True, array_like=True):
    """Aggregate ids that could not be had in time; stands before the first row of its symbol with a higher id.

    Time span: the last known trade before and the first known trade after, both exclusive, ms UTC.
    """

    symbol: str
    first_missing_id: int
    last_missing_id: int
    from_ms: int
    to_ms: int
    cause: str


class AggTradeFrame(Event, frozen=True, kw_only=True):
    """Aggregate trades of one partition in columns, with holes and watermarks in band (ARCHITECTURE rules 1 and 2).

    `event_id` is "producer:epoch:sequence"; `event_time_ms` the greatest effective time, or the greatest watermark of
    an empty frame. `received_us` is the ingest clock (µs) when the first message beyond a second's edge arrived, which made
    the frame due; in a frame without one, the last message.
    Columns: symbol_index u2, agg_id i8, price i8, quantity i8, first_trade_id i8, last_trade_id i8, trade_time i8 (raw T, ms),
    buyer_is_maker u1 (1: the taker sold). `late_row` u4 / `late_time` i8 list the rows whose effective time is not their T.
    Rows of a symbol stand in aggregate-id order.
    """

    SCHEMA: ClassVar[str] = "agg_trade_frame/1"
    CONTENT_TYPE: ClassVar[ContentType] = "application/msgpack"

    partition: int
    producer: str
    epoch: int
    sequence: int
    received_us: int
    slices: tuple[SymbolSlice, ...]
    holes: tuple[Hole, ...] = ()
    symbol_index: bytes = b""
    agg_id: bytes = b""
    price: bytes = b""
    quantity: bytes = b""
    first_trade_id: bytes = b""
    last_trade_id: bytes = b""
    trade_time: bytes = b""
    buyer_is_maker: bytes = b""
    late_row: bytes = b""
    late_time: bytes = b""


class TradesBootstrapped(Event, frozen=True, kw_only=True):
    """Kline bars that warm the windows of one symbol before its first trade (ARCHITECTURE rule 14).

    `minute_bars`: i8 rows of (open_time_ms, volume, taker_buy_volume, quote_volume), closed 1-minute bars in time order.
    `candle_bars`: i8 rows of (open_time_ms, open, high, low, close), closed 5-minute bars in time order.
    Volumes are scaled by quantity_decimals, prices by price_decimals, quote volume by their sum.
    """

    SCHEMA: ClassVar[str] = "trades_bootstrapped/1"
    CONTENT_TYPE: ClassVar[ContentType] = "application/msgpack"

    symbol: str
    price_decimals: int
    quantity_decimals: int
    producer: str
    epoch: int
    minute_bars: bytes
    candle_bars: bytes


class LiquidationObserved(Event, frozen=True, kw_only=True):
    """One forced order as the venue samples it: at most the largest per symbol and second. Counts and sums of them are lower
    bounds of what was liquidated.

    `side` SELL: a long was liquidated. Notional is `quantity * average_price` (venue fields z and ap).
    """

    SCHEMA: ClassVar[str] = "liquidation_observed/1"
    POSITIVE: ClassVar[frozenset[str]] = frozenset(("quantity", "average_price"))

    symbol: str
    side: Literal["BUY", "SELL"]
    quantity: Decimal
    average_price: Decimal
    order_price: Decimal
    last_filled_quantity: Decimal
    trade_time_ms: int
    status: str


IndicatorKind = Literal[
    "open_interest",
    "global_long_short_account_ratio",
    "top_long_short_account_ratio",
    "top_long_short_position_ratio",
    "taker_long_short_ratio",
    "coinbase_premium",
    "funding_rate",
]


RawValue = str | int | bool | None


class MarketIndicatorObserved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """One value of a slow input. `event_time_ms` is the instant it describes (end of period; taker ratio: period end too,
    although the venue stamps the start). `values` holds the venue's numbers by our field names.

    Fields: open_interest → open_interest (base asset), of a period also open_interest_value (quote units); *_ratio →
    long_short_ratio, long_account, short_account; taker → buy_sell_ratio, buy_volume, sell_volume; coinbase_premium →
    premium_percent, coinbase_price, venue_price, spot (1 or 0), and coinbase_time_ms, venue_time_ms: the last trade of each leg;
    funding_rate → funding_rate, mark_price (a settled rate).

    `available_ms`: from when on somebody could know it (venue time). Seen as it came out: when we had it. Fetched afterwards:
    `availability_assumed`, and the instant plus the delay of its schedule. None in records older than November 2026.
    `raw`: the venue's own fields; a number with a point, or what is nested, stands there as its JSON text.
    """

    SCHEMA: ClassVar[str] = "market_indicator_observed/1"

    symbol: str
    kind: IndicatorKind
    period: str | None
    values: dict[str, Decimal]
    source: str
    available_ms: int | None = None
    availability_assumed: bool = False
    raw: dict[str, RawValue] | None = None


class IndicatorHistoryCompleted(Event, frozen=True, kw_only=True):
    """Of the series (symbol, kind, period), everything that the venue has up to `complete_until_ms` is on market.indicator.v1,
    as far back as the venue's history went when it was fetched; and everything from `live_from_ms` to `live_to_ms`, which lie
    behind a hole that is still to be filled (both -1: there is none). A restarted producer goes on from here.
    """

    SCHEMA: ClassVar[str] = "indicator_history_completed/1"

    symbol: str
    kind: IndicatorKind
    period: str | None
    complete_until_ms: int
    live_from_ms: int = UNKNOWN_TIME
    live_to_ms: int = UNKNOWN_TIME


class MarkPriceObserved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Mark and index price and the running funding estimate of one symbol; at most one each two seconds of venue time.

    `basis_percent` = (mark price - index price) / index price × 100, to eight decimals; None without an index price, and in
    records older than November 2026. `lowest_mark_price`, `highest_mark_price`: of every mark price that was told since the
    event before (this one's included, that one's not); None in records older than December 2026, and then the mark price is all
    that is known.
    """

    SCHEMA: ClassVar[str] = "mark_price_observed/1"

    symbol: str
    mark_price: Decimal
    index_price: Decimal
    estimated_settle_price: Decimal | None
    mark_price_average: Decimal | None
    funding_rate: Decimal | None
    next_funding_time_ms: int
    basis_percent: Decimal | None = None
    lowest_mark_price: Decimal | None = None
    highest_mark_price: Decimal | None = None


FeedState = Literal["starting", "live", "silent", "stale", "halted", "down"]
# Written before November 2026; logs of that time are still read.
FormerFeedState = Literal["connecting", "receiving", "disconnected", "resynchronising"]
LIVE_STATES: frozenset[FeedState | FormerFeedState] = frozenset(("live", "receiving"))
GapOutcome = Literal["open", "filled", "never_existed", "lost"]


class OpenGap(msgspec.Struct, frozen=True, array_like=True):
    """Aggregate ids (both inclusive) that are being asked for. Time span: the last known trade before and the first known trade
    after, both exclusive; `found_ms`: when it was found. All ms UTC of the venue. `unfilled` of the ids are published as holes by
    now, `lost` of those although the venue had them."""

    first_missing_id: int
    last_missing_id: int
    from_ms: int
    to_ms: int
    cause: str
    found_ms: int
    unfilled: int = 0
    lost: int = 0


class IdMark(msgspec.Struct, frozen=True, array_like=True):
    """How far a symbol's trades had come at an instant: the next id, and how many ids below it were published as missing since
    the first mark. Two marks give the completeness between them."""

    time_ms: int
    next_id: int
    missing: int


class FeedStatusChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The health of one symbol's feed: told at each change, and with its figures every ten seconds of venue time.

    States: `starting` (not subscribed yet), `live`, `silent` (subscribed, but the venue has news that did not come), `stale`
    (what comes is not current: a gap is being filled, or a value is older than its limit), `halted` (the venue does not trade
    the symbol), `down` (no connection). Silence and staleness are decided by the venue clock before the timeline, and stand in
    it.

    `since_ms`: since when the state holds. `events_per_second` of venue time and `delay_ms` (venue event time to us, on our
    clock corrected by `clock_offset_ms`, which is ours less the venue's) are means since the report before. Completeness is in
    parts per million of the aggregate ids of the last hour and day; None where there are none. `marks` and `open_gaps` are what
    a restarted producer goes on from.
    """

    SCHEMA: ClassVar[str] = "feed_status_changed/1"

    feed: str
    symbol: str
    state: FeedState | FormerFeedState
    detail: str
    last_event_time_ms: int
    since_ms: int = UNKNOWN_TIME
    events_per_second: float | None = None
    delay_ms: float | None = None
    clock_offset_ms: float | None = None
    gaps_open: int = 0
    gaps_filled: int = 0
    completeness_1h_ppm: int | None = None
    completeness_24h_ppm: int | None = None
    open_gaps: tuple[OpenGap, ...] = ()
    marks: tuple[IdMark, ...] = ()

    @property
    def is_live(self) -> bool:
        """Whether the feed delivers what the venue has."""
        return self.state in LIVE_STATES


class TradeGapChanged(Event, frozen=True, kw_only=True):
    """Aggregate ids (both inclusive) that the stream did not bring: found (`open`), and how it ended.

    `filled`: REST gave the ids, except `unfilled` of them, which have holes of their own. `never_existed`: the venue has the
    neighbours, and none of these. `lost`: they could not be had (in time); the timeline has them as a hole, and only a repair of
    the tables can bring them. `from_ms`/`to_ms`: the known trades around it, exclusive; `found_ms`, `closed_ms`: venue time.
    """

    SCHEMA: ClassVar[str] = "trade_gap_changed/1"

    symbol: str
    first_missing_id: int
    last_missing_id: int
    from_ms: int
    to_ms: int
    cause: str
    outcome: GapOutcome
    found_ms: int
    closed_ms: int | None = None
    unfilled: int = 0
