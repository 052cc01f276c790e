"""An account in order, and ways to change one thing of it."""

import dataclasses
from decimal import Decimal

from libs.trading.risk.inputs import Account, Feed, Figure, GuardInputs, Position, Services, Stop

NOW_MS = 1_700_000_000_000
MINUTE_MS = 60_000
HUNDRED = Decimal(100)


def figure(value: str | int | Decimal, age_ms: int = 100) -> Figure:
    return Figure(Decimal(value), age_ms)


def position(symbol: str = "BTCUSDT") -> Position:
    return Position(
        symbol=symbol,
        side="long",
        quantity=figure("0.5"),
        entry_price=figure(60_000),
        mark_price=figure(60_000),
        last_price=figure(60_000),
        unrealised_r=figure(0),
        opened_ms=NOW_MS - MINUTE_MS,
        stops=(Stop("long", None),),
        stops_age_ms=100,
        bare_ms=0,
    )


IN_ORDER = GuardInputs(
    now_ms=NOW_MS,
    account=Account(
        equity=figure(10_000),
        balance=figure(10_000),
        realised_today=figure(0),
        realised_today_r=figure(0),
        unrealised=figure(0),
        peak_equity=figure(10_000),
        moved=figure(0),
        losses_in_a_row=figure(0),
        orders_last_minute=figure(0),
        worst_slippage_bps=figure(0),
        age_ms=100,
    ),
    positions=(position(),),
    positions_age_ms=100,
    feeds=(Feed("BTCUSDT trades", 100, figure(1)),),
    services=Services(100, 100, 100, figure(0)),
)


def changed(inputs: GuardInputs, path: str, value: object) -> GuardInputs:
    """The inputs with one thing changed, as in "account.equity"; of positions and feeds the first."""
    part, _, name = path.partition(".")
    before = getattr(inputs, part)
    if not name:
        after: object = value
    elif isinstance(before, tuple):
        after = (dataclasses.replace(before[0], **{name: value}), *before[1:])
    else:
        after = dataclasses.replace(before, **{name: value})
    return dataclasses.replace(inputs, **{part: after})  # type: ignore[arg-type]


def bare(inputs: GuardInputs, for_ms: int | None, stops: tuple[Stop, ...] = ()) -> GuardInputs:
    """The first position without a stop for so long."""
    return changed(changed(inputs, "positions.stops", stops), "positions.bare_ms", for_ms)


def flat(inputs: GuardInputs) -> GuardInputs:
    return changed(inputs, "positions", ())
