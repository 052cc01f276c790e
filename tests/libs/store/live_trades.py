"""A live trade, and a command, for tests of what is kept of them."""

import dataclasses
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from libs.trading.execution.books import Obeyed
from libs.trading.execution.document import Bracket, Fill, OurOrder, Rules, StateChange, Times, Trade

NOW_MS = 1_796_000_000_000
T = TypeVar("T")

ENTRY = OurOrder(
    client_id="p1-entry",
    leg="entry",
    generation=0,
    side="BUY",
    quantity=Decimal("0.5"),
    status="filled",
    executed=Decimal("0.5"),
    venue_id=11,
    valid_until_ms=NOW_MS + 1000,
    intended_ms=NOW_MS - 20,
    updated_ms=NOW_MS,
)
STOP = OurOrder(
    client_id="p1-stop",
    leg="stop",
    generation=0,
    side="SELL",
    quantity=None,
    status="submitting",
    trigger=Decimal("98.1"),
    intended_ms=NOW_MS + 5,
)
FILL = Fill(
    trade_id=7,
    order_id=11,
    client_id="p1-entry",
    by="executor",
    leg="entry",
    side="BUY",
    price=Decimal("100.10"),
    quantity=Decimal("0.5"),
    fee=Decimal("0.02"),
    fee_asset="USDT",
    fee_quote=Decimal("0.02"),
    realised=Decimal(0),
    is_maker=False,
    time_ms=NOW_MS,
)
TRADE = Trade(
    trade_id="t1",
    account="main",
    symbol="BTCUSDT",
    direction="long",
    origin="signal",
    state="open",
    strategy="v51",
    version=2,
    signal_letters="abcdefghijkl",
    signal_price=Decimal(100),
    bracket=Bracket(
        stop=Decimal("98.1"),
        take_profit_1=Decimal(102),
        take_profit_2=Decimal(104),
        hold_until_ms=NOW_MS + 4_200_000,
    ),
    rules=Rules(
        tick=Decimal("0.1"), quantity_step=Decimal("0.001"), min_quantity=Decimal("0.001"), min_notional=Decimal(5)
    ),
    quantity=Decimal("0.5"),
    risk=Decimal("0.95"),
    initial_risk=Decimal(1),
    valid_until_ms=NOW_MS + 15_000,
    orders=(ENTRY, STOP),
    fills=(FILL,),
    times=Times(signal_ms=NOW_MS - 100, sent_ms=NOW_MS - 10, first_fill_ms=NOW_MS),
    history=(StateChange("entering", NOW_MS - 20, "signal"), StateChange("open", NOW_MS)),
)
COMMAND = Obeyed(
    command_id="c1",
    nonce="n1",
    issuer="anna",
    command="close",
    arguments={"symbol": "BTCUSDT"},
    reason="too slow",
    accepted=True,
    result="closing",
    time_ms=NOW_MS,
    expires_ms=4_000_000_000_000,
)


def replaced(value: T, **changes: Any) -> T:
    """The same with some fields changed: of a struct or a dataclass."""
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(value, **changes)
    return dataclasses.replace(value, **changes)  # type: ignore[type-var]
