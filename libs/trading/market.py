"""The market as a simulation sees it: trades of each symbol in columns, settlements of funding, and both prepared for a run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from libs.indicators.log import TradeRows
from libs.kit.errors import UserError
from libs.trading.filters import DEFAULT_FUNDING_INTERVAL_MS
from libs.trading.machine import layout as at
from libs.trading.machine.run import Int64, Market
from libs.trading.machine.search import build_blocks, last_before
from libs.trading.mark_prices import MarkTape

SECOND_MS = 1_000
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class TradeTape:
    """Trades of one symbol in log order: effective times (ms) that do not fall, prices and quantities times 10**decimals.

    Raises `ValueError` for columns of different lengths, falling times, or a price or quantity that is not above 0.
    """

    symbol: str
    price_decimals: int
    quantity_decimals: int
    time_ms: NDArray[np.int64]
    price: NDArray[np.int64]
    quantity: NDArray[np.int64]
    buyer_is_maker: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if {len(self.price), len(self.quantity), len(self.buyer_is_maker)} != {len(self.time_ms)}:
            raise ValueError(f"{self.symbol}: the columns of the tape have different lengths")
        if not len(self.time_ms):
            return
        if not bool(np.all(self.time_ms[1:] >= self.time_ms[:-1])):
            raise ValueError(f"{self.symbol}: the times of the tape fall")
        if self.price.min() <= 0 or self.quantity.min() <= 0:
            raise ValueError(f"{self.symbol}: a price or quantity of the tape is not above 0")

    @classmethod
    def of(cls, trades: TradeRows) -> Self:
        """The rows of the log as fills look at them."""
        return cls(
            symbol=trades.symbol,
            price_decimals=trades.price_decimals,
            quantity_decimals=trades.quantity_decimals,
            time_ms=trades.time,
            price=trades.price,
            quantity=trades.quantity,
            buyer_is_maker=trades.buyer_is_maker,
        )

    def __len__(self) -> int:
        return len(self.time_ms)

    @property
    def scale(self) -> tuple[int, int]:
        """Price and quantity decimals."""
        return self.price_decimals, self.quantity_decimals

    def place(self, time_ms: int) -> int:
        """How many trades are before that time."""
        return int(np.searchsorted(self.time_ms, time_ms, side="left"))

    def select(self, begin: int, end: int) -> "TradeTape":
        """The trades [begin, end), without copying them."""
        return self._with([column[begin:end] for column in self._columns()])

    def end_from(self, begin: int) -> "TradeTape":
        """The trades from `begin` on, copied, so that nothing keeps the whole tape in memory."""
        return self._with([column[begin:].copy() for column in self._columns()])

    def followed_by(self, later: "TradeTape") -> "TradeTape":
        """Both, one after the other. Raises `ValueError` when times fall."""
        pairs = zip(self._columns(), later._columns(), strict=True)
        return self._with([np.concatenate(pair) for pair in pairs])

    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self.time_ms, self.price, self.quantity, self.buyer_is_maker

    def _with(self, columns: Sequence[NDArray[Any]]) -> "TradeTape":
        return TradeTape(self.symbol, self.price_decimals, self.quantity_decimals, *columns)


@dataclass(frozen=True, slots=True)
class FundingRates:
    """The settlements of one symbol, oldest first: times (ms, whole seconds), rates in 10**-8, mark prices in 10**-8 quote units
    (0: not recorded, the last trade's price stands in).

    A position held across a multiple of `interval_ms` that has no settlement here is an error, so that a missing row is never
    free. Settlements in between (an interval that the venue shortened) are paid as they stand.
    """

    symbol: str
    time_ms: NDArray[np.int64]
    rate: NDArray[np.int64]
    mark_price: NDArray[np.int64]
    interval_ms: int = DEFAULT_FUNDING_INTERVAL_MS

    @classmethod
    def of(
        cls,
        symbol: str,
        rows: Iterable[tuple[int, Decimal, Decimal | None]],
        interval_ms: int = DEFAULT_FUNDING_INTERVAL_MS,
    ) -> Self:
        """From (time in ms, rate, mark price) as the venue records them; its stamps are some milliseconds after the second.

        Of several rows of one second the last with a mark price counts, else the last. Raises `ImpossibleRate` beyond 100 %.
        """
        ordered = sorted(rows, key=lambda row: row[2] is not None)
        kept = {ms // SECOND_MS * SECOND_MS: (rate, mark) for ms, rate, mark in ordered}
        times = sorted(kept)
        for ms in times:
            rate = kept[ms][0]
            if not rate.is_finite() or abs(rate) > 1:
                raise ImpossibleRate(symbol, ms, rate)
        return cls(
            symbol,
            np.array(times, np.int64),
            np.array([int(kept[ms][0].scaleb(at.MONEY_DECIMALS).to_integral_value()) for ms in times], np.int64),
            np.array([_mark(kept[ms][1]) for ms in times], np.int64),
            interval_ms,
        )


def settlement_interval_ms(times_ms: Sequence[int]) -> int:
    """The distance (ms) of a symbol's settlements, from their rising times: the greatest that occurs twice in a row.

    One that is missing makes a single distance longer, and is not taken for the interval; where the venue has changed the
    interval, the longer one is demanded throughout, so that nothing that did not exist is. The usual 8 hours where too few are
    known, for intervals that do not divide them, and for longer ones.
    """
    minutes = (np.diff(np.array(times_ms, np.int64)) + _MINUTE_MS // 2) // _MINUTE_MS
    minutes = minutes[minutes > 0]  # the same settlement from two sources
    usual = minutes[1:][minutes[1:] == minutes[:-1]] * _MINUTE_MS
    found = int(usual.max()) if len(usual) else DEFAULT_FUNDING_INTERVAL_MS
    return DEFAULT_FUNDING_INTERVAL_MS if DEFAULT_FUNDING_INTERVAL_MS % found else found


def _mark(mark: Decimal | None) -> int:
    return 0 if mark is None else int(mark.scaleb(at.MONEY_DECIMALS).to_integral_value())


class ImpossibleRate(UserError):
    """A settlement that is no number, or beyond 100 % of the position."""

    def __init__(self, symbol: str, time_ms: int, rate: Decimal) -> None:
        super().__init__(
            f"{symbol} has a funding rate of {rate:.6g} at {np.datetime64(time_ms, 'ms').astype('datetime64[s]')}Z",
            todo="mend the row or file that says so, or turn funding off in the costs",
        )


class MissingFunding(UserError):
    """A position was held across an hour whose funding is not known; `hour_ms` is that hour."""

    def __init__(self, symbol: str, hour_ms: int) -> None:
        hour = np.datetime64(hour_ms, "ms").astype("datetime64[m]")
        super().__init__(
            f"{symbol} has no funding rate at {hour}Z, while a position was held",
            todo="add the funding rates of that time, or turn funding off in the costs",
        )
        self.symbol, self.hour_ms = symbol, hour_ms


@dataclass(frozen=True, slots=True)
class Part:
    """One symbol's trades for a slice; the first `seen` were looked at in an earlier one. `marks`: the slice's mark prices,
    where a stop may need them."""

    tape: TradeTape
    seen: int = 0
    marks: MarkTape | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A slice of time [from_ms, until_ms) and the distance of the guard's looks in it (ms)."""

    from_ms: int
    until_ms: int
    mark_ms: int


def build_market(parts: Sequence[Part], funding: Mapping[str, FundingRates], span: Span) -> Market:
    """Prepare trades for a run: blocks, marks and settlements. Symbols keep their order; trades are copied where they must be."""
    tapes = [part.tape for part in parts]
    time_ms, price, quantity = (
        _joined([getattr(tape, name) for tape in tapes]) for name in ("time_ms", "price", "quantity")
    )
    blocks = [np.zeros(-(-len(price) // at.BLOCK), np.int64) for _ in range(3)]
    build_blocks(price, quantity, *blocks)
    lengths = np.array([len(tape) for tape in tapes], np.int64)
    ends = np.cumsum(lengths, dtype=np.int64)
    starts = ends - lengths
    first_mark, marks = _marks(tapes, span)
    settlements = [_settlements(part.tape, funding.get(part.tape.symbol)) for part in parts]
    counts = [len(each[0]) for each in settlements]
    stepped = [_steps(part) for part in parts]
    return Market(
        time_ms=time_ms,
        price=price,
        quantity=quantity,
        block_low=blocks[0],
        block_high=blocks[1],
        block_notional=blocks[2],
        starts=starts,
        firsts=starts + np.array([part.seen for part in parts], np.int64),
        ends=ends,
        marks=marks,
        first_mark=first_mark,
        funding_ms=_joined([each[0] for each in settlements]),
        funding_rate=_joined([each[1] for each in settlements]),
        funding_mark=_joined([each[2] for each in settlements]),
        funding_starts=np.cumsum([0, *counts], dtype=np.int64),
        mark_price_ms=_joined([each[0] for each in stepped]),
        mark_price_low=_joined([each[1] for each in stepped]),
        mark_price_high=_joined([each[2] for each in stepped]),
        mark_price_starts=np.cumsum([0, *(len(each[0]) for each in stepped)], dtype=np.int64),
        until_ms=span.until_ms,
    )


def _joined(columns: list[NDArray[np.int64]]) -> Int64:
    """One writable column: machine code is made for those, and would be made again for a read-only one."""
    whole = columns[0] if len(columns) == 1 else np.concatenate([np.zeros(0, np.int64), *columns])
    return np.require(whole, np.int64, ["C", "W"])


def _marks(tapes: Sequence[TradeTape], span: Span) -> tuple[int, Int64]:
    first = -(-span.from_ms // span.mark_ms)
    count = max(0, -(-span.until_ms // span.mark_ms) - first)
    marks = np.zeros((len(tapes), count), np.int64)
    for row, tape in zip(marks, tapes, strict=True):
        last_before(_joined([tape.time_ms]), _joined([tape.price]), first, span.mark_ms, row)
    return first, marks


def _steps(part: Part) -> tuple[Int64, Int64, Int64]:
    """When each step of mark prices was known, and its extremes in the tape's decimals."""
    if part.marks is None:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing
    return part.marks.time_ms, *part.marks.in_decimals(part.tape.price_decimals)


def _settlements(tape: TradeTape, rates: FundingRates | None) -> tuple[Int64, Int64, Int64]:
    """Times, rates and marks as fine prices (to the nearest)."""
    if rates is None:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing
    unit = 10**tape.quantity_decimals
    return rates.time_ms, rates.rate, (rates.mark_price + unit // 2) // unit
