"""A position that is ordered or open, as people read it: what it has cost, where its bracket stands, what it would make."""

from decimal import Decimal
from typing import Literal

import msgspec

from libs.contracts.signals import Direction, SignalScored
from libs.trading.closed import Row, distance_of, fill_of, tape_price
from libs.trading.machine import layout as at
from libs.trading.market import TradeTape
from libs.trading.outcome import Fill
from libs.trading.portfolio import quote

PositionState = Literal["ordered", "open"]


class OpenPosition(msgspec.Struct, frozen=True, kw_only=True):
    """Units as in `Outcome`. `quantity` was ordered, `left` is held (0 while ordered). `due_ms`: when the entry's order reaches
    the venue. `stop` is where the stop stands now. `price` is the last trade's; `unrealised` what the rest would make there,
    without the exit's costs. `risk` is 0 until it is filled, because R is counted from the fill. `realised`: what exits made,
    less all fees so far, without funding.
    """

    signal_id: str
    strategy: str
    version: int
    symbol: str
    direction: Direction
    score: float
    signal_time_ms: int
    signal_price: Decimal
    state: PositionState
    due_ms: int
    hold_until_ms: int
    quantity: Decimal
    left: Decimal
    fills: tuple[Fill, ...]
    stop_loss: Decimal
    stop: Decimal
    take_profit_1: Decimal
    take_profit_2: Decimal
    risk: Decimal
    price: Decimal
    unrealised: Decimal
    realised: Decimal
    funding: Decimal

    @property
    def unrealised_r(self) -> float:
        """What the rest would make, in multiples of the initial risk; 0 while ordered."""
        return float(self.unrealised / self.risk) if self.risk else 0.0


def open_position(row: Row, signal: SignalScored, tape: TradeTape) -> OpenPosition:
    """A symbol's row while it is not free; `tape` has the symbol's decimals and ends with the last trade."""
    scale, ordered = tape.scale, row[at.STATE] == at.ORDERED
    finer = 10 ** (at.MONEY_DECIMALS - sum(scale))
    last = int(tape.price[-1]) if len(tape) else 0
    fills = tuple(fill_of(row, number, scale) for number in range(int(row[at.FILLS])))
    entry = int(row[at.FIRST_FILL + at.FILL_PRICE])
    return OpenPosition(
        signal_id=signal.event_id,
        strategy=signal.strategy,
        version=signal.version,
        symbol=signal.symbol,
        direction=signal.direction,
        score=signal.score,
        signal_time_ms=signal.event_time_ms,
        signal_price=signal.price,
        state="ordered" if ordered else "open",
        due_ms=int(row[at.DUE]) if ordered else fills[0].time_ms,
        hold_until_ms=int(row[at.HOLD_UNTIL]),
        quantity=Decimal(int(row[at.QUANTITY])).scaleb(-scale[1]),
        left=Decimal(int(row[at.LEFT])).scaleb(-scale[1]),
        fills=fills,
        stop_loss=tape_price(row[at.INITIAL_STOP], scale),
        stop=tape_price(row[at.STOP], scale),
        take_profit_1=tape_price(row[at.TARGET_1], scale),
        take_profit_2=tape_price(row[at.TARGET_2], scale),
        risk=Decimal(0) if ordered else quote(distance_of(row, finer) * int(row[at.QUANTITY])),
        price=tape_price(last, scale),
        unrealised=quote(0 if ordered else int(row[at.SIDE]) * (last * finer - entry) * int(row[at.LEFT])),
        realised=quote(_realised(row)),
        funding=quote(row[at.FUNDING]),
    )


def _realised(row: Row) -> int:
    """Of the fills so far: what exits made against the entry's price, less all fees (money)."""
    columns = [at.FIRST_FILL + number * at.FILL_COLUMNS for number in range(int(row[at.FILLS]))]
    entry, side = int(row[at.FIRST_FILL + at.FILL_PRICE]), int(row[at.SIDE])
    made = sum(
        side * (int(row[column + at.FILL_PRICE]) - entry) * int(row[column + at.FILL_QUANTITY])
        for column in columns[1:]
    )
    return made - sum(int(row[column + at.FILL_FEE]) for column in columns)
