"""The market source port: what a synthetic market and a recording both offer to the protocol layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from services.exchange_simulator.symbols import SymbolRules

Int64s = NDArray[np.int64]
StreamKind = Literal["aggTrade", "markPrice", "kline", "forceOrder", "bookTicker", "contractInfo"]


@dataclass(frozen=True, slots=True)
class TradeColumns:
    """Aggregate trades of one symbol, oldest first; prices and quantities in the symbol's integer units, times in ms.

    `non_rpi` is -1 where the source does not know it (older recordings). `event_ms` is when the venue tells the trade:
    a trade is visible from that instant on, by stream and by REST alike.
    """

    ids: Int64s
    prices: Int64s
    quantities: Int64s
    non_rpi: Int64s
    first_ids: Int64s
    last_ids: Int64s
    trade_ms: Int64s
    event_ms: Int64s
    maker: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    def slice(self, start: int, stop: int) -> "TradeColumns":
        """Rows start..stop as views, nothing copied."""
        return TradeColumns(*(column[start:stop] for column in self.columns()))

    def take(self, rows: Int64s) -> "TradeColumns":
        """The given rows, copied, in the given order."""
        return TradeColumns(*(column[rows] for column in self.columns()))

    def columns(self) -> tuple[NDArray[Any], ...]:
        """All columns in field order."""
        return (
            self.ids,
            self.prices,
            self.quantities,
            self.non_rpi,
            self.first_ids,
            self.last_ids,
            self.trade_ms,
            self.event_ms,
            self.maker,
        )

    @staticmethod
    def concatenate(parts: Sequence["TradeColumns"]) -> "TradeColumns":
        """One table of several, in the given order; no parts give an empty table."""
        if not parts:
            return EMPTY_TRADES
        if len(parts) == 1:
            return parts[0]
        return TradeColumns(*(np.concatenate(column) for column in zip(*(p.columns() for p in parts), strict=True)))


_NONE = np.zeros(0, np.int64)
EMPTY_TRADES = TradeColumns(_NONE, _NONE, _NONE, _NONE, _NONE, _NONE, _NONE, _NONE, np.zeros(0, np.bool_))


@dataclass(frozen=True, slots=True)
class Bar:
    """A kline: times in ms, prices and volumes in integer units; `quote` and `taker_quote` in price × quantity units."""

    open_ms: int
    close_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote: int
    count: int
    taker_volume: int
    taker_quote: int
    first_id: int
    last_id: int


@dataclass(frozen=True, slots=True)
class MarkPrice:
    """Mark, its average, index and estimated settle as wire strings; funding estimate and the next funding time (ms)."""

    symbol: str
    mark: str
    average: str
    index: str
    settle: str
    rate: str
    next_funding_ms: int


@dataclass(frozen=True, slots=True)
class Funding:
    """One settled funding: rate and mark price as wire strings, time in ms."""

    symbol: str
    rate: str
    time_ms: int
    mark: str


@dataclass(frozen=True, slots=True)
class Positioning:
    """Open interest and long shares of one instant: base quantity, and the share of long accounts or positions (0..1)."""

    time_ms: int
    open_interest: float
    global_long: float
    top_account_long: float
    top_position_long: float


@dataclass(frozen=True, slots=True)
class SideEvent:
    """One low-rate event, ready for the wire: its venue time, stream kind, lower-case stream names and payload."""

    event_ms: int
    symbol: str
    streams: tuple[str, ...]
    payload: bytes


@dataclass(frozen=True, slots=True)
class TradeWindow:
    """Trades of several symbols in event-time order; `symbol_index` points into the source's symbol tuple."""

    trades: TradeColumns
    symbol_index: NDArray[np.int32]


class MarketSource(Protocol):
    """A market: history by question, and the stream by time window. `now_ms` and `until_ms` are venue times.

    Nothing with an event time later than the given `now_ms` is ever answered.
    """

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols in a fixed order."""
        ...

    @property
    def rules(self) -> Mapping[str, SymbolRules]:
        """exchangeInfo's facts per symbol."""
        ...

    def trades_from_id(self, symbol: str, first_id: int, limit: int, now_ms: int) -> TradeColumns:
        """Up to `limit` trades with id >= `first_id`."""
        ...

    def trades_between(self, symbol: str, start_ms: int, end_ms: int, now_ms: int) -> TradeColumns:
        """Trades with start <= trade time <= end."""
        ...

    def newest_trades(self, symbol: str, limit: int, now_ms: int) -> TradeColumns:
        """The last `limit` trades."""
        ...

    def window(self, after_ms: int, until_ms: int, wanted: Sequence[int]) -> TradeWindow:
        """Trades of the wanted symbol indexes with after < event time <= until."""
        ...

    def prepare(self, until_ms: int, wanted: Sequence[int]) -> None:
        """Do the heavy work for a window around `until_ms` ahead of time; called in a worker thread."""
        ...

    def next_event_ms(self, after_ms: int) -> int | None:
        """Event time of the first event later than `after_ms`; None when there is none, or the market never pauses."""
        ...

    def side_events(self, after_ms: int, until_ms: int, wanted: frozenset[str]) -> list[SideEvent]:
        """Low-rate events of the wanted stream names with after < event time <= until."""
        ...

    def bars(self, symbol: str, interval: str, opens_ms: Sequence[int], now_ms: int) -> list[Bar]:
        """Klines that open at the given times; those without a trade are filled from the one before, or left out."""
        ...

    def mark_price(self, symbol: str, now_ms: int) -> MarkPrice:
        """Mark, index and funding as of now."""
        ...

    def fundings(self, symbol: str, start_ms: int, end_ms: int, now_ms: int) -> list[Funding]:
        """Settled fundings with start <= time <= end."""
        ...

    def positioning(self, symbol: str, time_ms: int) -> Positioning | None:
        """Open interest and ratios at a time; None when the source has none."""
        ...

    def first_ms(self, symbol: str) -> int:
        """The oldest instant that history reaches, ms."""
        ...

    def spot_price(self, symbol: str, now_ms: int) -> str:
        """The spot price of the same pair as a wire string."""
        ...

    def coinbase_price(self, product: str, now_ms: int) -> str | None:
        """Coinbase's price of e.g. BTC-USD; None for a product that is not simulated."""
        ...

    def last_event_ms(self) -> int | None:
        """Venue time of the last event there will ever be; None for an endless market."""
        ...
