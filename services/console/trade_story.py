"""What became of live trades, for people: a line each, those that were refused too, and everything that is kept of one."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal

from rich.console import Group
from rich.table import Table
from rich.text import Text

from libs.kit.errors import ConfigurationError
from libs.store.engine import Engine
from libs.store.live_questions import (
    EventRow,
    LiveFill,
    LiveOrder,
    LiveTrade,
    TradeStory,
    trade_story,
    trades_by_prefix,
)
from services.console.watch.words import DOWN, UNKNOWN, UP, direction, number, said

SHORT = 10
"""So many signs of an id are shown: enough to name a trade by."""
Step = tuple[dt.datetime | None, str, str]
"""When, what, and what there is to say of it."""


async def story_of(engine: Engine, account: str, beginning: str) -> TradeStory:
    """Everything of the one trade whose id begins like this. Raises `ConfigurationError` where none does, or several do."""
    found = await trades_by_prefix(engine, account, beginning)
    if len(found) == 1:
        return await trade_story(engine, found[0])
    what = "no trade has an id that begins so" if not found else "several trades have ids that begin so"
    todo = ", ".join(trade.trade_id for trade in found[:4]) or "look at `perpstream positions history`"
    raise ConfigurationError(what, where=f"account {account}, {beginning[:64]}", todo=todo)


def history_table(rows: Iterable[LiveTrade]) -> Table:
    """The newest first, as they come."""
    table = Table(box=None, pad_edge=False)
    for name in ("decided (UTC)", "trade", "symbol", "side", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("net", "R"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for row in rows:
        is_traded = row.entry_time is not None
        table.add_row(
            f"{(row.decided_time or row.recorded_at).astimezone(dt.UTC):%m-%d %H:%M:%S}",
            said(row.trade_id[:SHORT]),
            row.symbol,
            _side(row),
            row.state,
            _money(row.pnl_quote) if is_traded else UNKNOWN,
            _money(row.pnl_r) if is_traded else UNKNOWN,
            Text(said(row.exit_reason or row.reason or "")),
        )
    return table


def story_screen(story: TradeStory) -> Group:
    """What it was and made, then all that happened, in the order of time."""
    trade = story.trade
    table = Table(box=None, pad_edge=False)
    table.add_column("when (UTC)", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("in words", overflow="fold")
    for at, what, words in sorted(_steps(story), key=lambda step: (step[0] is None, step[0])):
        table.add_row(_time(at), Text(what), Text(words))
    return Group(*_head(trade), Text(), table)


def _head(trade: LiveTrade) -> list[Text]:
    origin = f"{trade.strategy} version {trade.version}" if trade.strategy else trade.origin
    first = Text(f"{trade.symbol} {_side(trade)}, {origin}, {trade.state}: ")
    first.append(said(trade.exit_reason or trade.reason or "as below"))
    lines = [Text(f"trade {said(trade.trade_id)} of account {trade.account}"), first]
    if trade.entry_time is not None:
        lines += [
            Text(
                f"{number(trade.quantity)} at {number(trade.entry_price)}, left at {number(trade.exit_price)}; "
                f"stop {number(trade.stop)}, targets {number(trade.take_profit_1)} and {number(trade.take_profit_2)}"
            ),
            Text.assemble(
                "net ",
                _money(trade.pnl_quote),
                f" ({_money(trade.pnl_r).plain} R of {number(trade.initial_risk)}): gross {number(trade.gross, 2, signed=True)}, "
                f"fees {number(trade.fees, 2)}, funding {number(trade.funding, 2)}",
            ),
        ]
    return lines


def _steps(story: TradeStory) -> list[Step]:
    states = [
        (dt.datetime.fromtimestamp(one["time_ms"] / 1000, dt.UTC), one["state"], said(one.get("why") or ""))
        for one in story.history
    ]
    return [
        *states,
        *(_order(one) for one in story.orders),
        *(_fill(one) for one in story.fills),
        # The document's own history says the same of states.
        *(_event(one) for one in story.events if not one.kind.startswith("state:")),
    ]


def _order(order: LiveOrder) -> Step:
    price = order.price if order.price is not None else order.trigger_price
    at = "at market" if price is None else f"at {number(price)}"
    quantity = "all" if order.quantity is None else number(order.quantity)
    became = f"{order.status}, {said(order.reason)}" if order.reason else order.status
    return order.intended_at, f"order {order.leg}", f"{order.side} {quantity} {at}: {became} ({order.client_order_id})"


def _fill(fill: LiveFill) -> Step:
    fee = f"fee {number(fill.fee)} {fill.fee_asset}"
    what = f"fill {fill.leg or fill.filled_by}"
    return fill.fill_time, what, f"{fill.side} {number(fill.quantity)} at {number(fill.price)}, {fee}"


def _event(event: EventRow) -> Step:
    detail = ", ".join(f"{name}={value}" for name, value in event.detail.items() if value not in ("", None))
    return event.event_time, said(event.kind), said(detail)


def _side(trade: LiveTrade) -> str:
    return f"{UP if trade.direction == 'long' else DOWN} {trade.direction}"


def _money(value: Decimal | None) -> Text:
    return direction(value, UNKNOWN if value is None else number(value, 2, signed=True))


def _time(at: dt.datetime | None) -> str:
    return UNKNOWN if at is None else f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}"
