"""From the compiled rules' rows of integers to what people read: outcomes, refusals and the equity curve, in decimals."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from libs.contracts.signals import SignalScored
from libs.trading.machine import layout as at
from libs.trading.outcome import Fill, NotTaken, Outcome
from libs.trading.portfolio import quote
from libs.trading.reasons import FILL_REASONS, NOT_TAKEN_REASONS, not_taken_words

Row = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EquityMarks:
    """The account at instants (ms): balance plus unrealised and the notional of all positions, in quote units, and how many
    positions were open."""

    time_ms: NDArray[np.int64]
    equity: NDArray[np.float64]
    open_positions: NDArray[np.int64]
    exposure: NDArray[np.float64]


def equity_marks(rows: NDArray[np.int64]) -> EquityMarks:
    """The curve from its rows."""
    return EquityMarks(
        rows[:, at.EQUITY_AT_MS].copy(),
        rows[:, at.EQUITY] / at.UNIT,
        rows[:, at.EQUITY_POSITIONS].copy(),
        rows[:, at.EXPOSURE] / at.UNIT,
    )


def not_taken(row: Row, signal: SignalScored) -> NotTaken:
    """A refusal in words."""
    reason = NOT_TAKEN_REASONS[int(row[at.REFUSED_WHY])]
    return NotTaken(
        signal_id=signal.event_id,
        strategy=signal.strategy,
        symbol=signal.symbol,
        time_ms=int(row[at.REFUSED_MS]),
        reason=reason,
        why=not_taken_words(reason),
    )


def outcome(row: Row, signal: SignalScored, scale: tuple[int, int]) -> Outcome:
    """A closed position; `scale` is the tape's price and quantity decimals. Every amount is exact, and so is their sum."""
    fills = [fill_of(row, number, scale) for number in range(int(row[at.FILLS]))]
    finer = 10 ** (at.MONEY_DECIMALS - sum(scale))
    money = _Money.of(row, finer)
    worst, best = extremes_of(row, finer)
    return Outcome(
        signal_id=signal.event_id,
        strategy=signal.strategy,
        version=signal.version,
        symbol=signal.symbol,
        direction=signal.direction,
        score=signal.score,
        signal_time_ms=signal.event_time_ms,
        signal_price=signal.price,
        entry=fills[0],
        exits=tuple(fills[1:]),
        stop_loss=tape_price(row[at.INITIAL_STOP], scale),
        take_profit_1=tape_price(row[at.TARGET_1], scale),
        take_profit_2=tape_price(row[at.TARGET_2], scale),
        risk=quote(money.risk),
        gross=quote(money.gross),
        fees=quote(money.fees),
        slippage=quote(money.slippage),
        funding=quote(money.funding),
        net=quote(money.net),
        net_r=money.net / money.risk,
        adverse_r=min(0, worst) / distance_of(row, finer),
        favourable_r=max(0, best) / distance_of(row, finer),
    )


@dataclass(frozen=True, slots=True)
class _Money:
    """The sums of a closed position in whole money."""

    risk: int
    gross: int
    fees: int
    slippage: int
    funding: int

    @property
    def net(self) -> int:
        return self.gross - self.fees - self.slippage - self.funding

    @classmethod
    def of(cls, row: Row, finer: int) -> "_Money":
        columns = [at.FIRST_FILL + number * at.FILL_COLUMNS for number in range(int(row[at.FILLS]))]
        side, reference = int(row[at.SIDE]), int(row[at.FIRST_FILL + at.FILL_REFERENCE])
        return cls(
            risk=distance_of(row, finer) * int(row[at.QUANTITY]),
            gross=sum(
                side * (int(row[column + at.FILL_REFERENCE]) - reference) * int(row[column + at.FILL_QUANTITY])
                for column in columns[1:]
            ),
            fees=sum(int(row[column + at.FILL_FEE]) for column in columns),
            slippage=sum(int(row[column + at.FILL_SLIPPAGE]) for column in columns),
            funding=int(row[at.FUNDING]),
        )


def distance_of(row: Row, finer: int) -> int:
    """From the entry to the first stop, as a fine price; above 0, because nobody enters beyond the stop."""
    return abs(int(row[at.FIRST_FILL + at.FILL_PRICE]) - int(row[at.INITIAL_STOP]) * finer)


def extremes_of(row: Row, finer: int) -> tuple[int, int]:
    """The worst and the best move against the entry, as fine prices."""
    entry = int(row[at.FIRST_FILL + at.FILL_PRICE])
    low, high = int(row[at.LOW]) * finer - entry, int(row[at.HIGH]) * finer - entry
    return (low, high) if row[at.SIDE] > 0 else (-high, -low)


def fill_of(row: Row, number: int, scale: tuple[int, int]) -> Fill:
    """A fill of a position by its number, 0 is the entry."""
    column = at.FIRST_FILL + number * at.FILL_COLUMNS
    return Fill(
        reason=FILL_REASONS[int(row[column + at.FILL_WHY])],
        time_ms=int(row[column + at.FILL_MS]),
        price=_fine_price(int(row[column + at.FILL_PRICE]), scale),
        quantity=Decimal(int(row[column + at.FILL_QUANTITY])).scaleb(-scale[1]),
        fee=quote(row[column + at.FILL_FEE]),
        slippage=quote(row[column + at.FILL_SLIPPAGE]),
    )


def tape_price(price: int, scale: tuple[int, int]) -> Decimal:
    """A price of the tape in quote units."""
    return Decimal(int(price)).scaleb(-scale[0])


def _fine_price(price: int, scale: tuple[int, int]) -> Decimal:
    """Without the zeros beyond the tape's own decimals."""
    decimals = at.MONEY_DECIMALS - scale[1]
    while decimals > scale[0] and price % 10 == 0:
        price, decimals = price // 10, decimals - 1
    return Decimal(price).scaleb(-decimals)
