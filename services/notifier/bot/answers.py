"""What the bot answers to questions: from the newest records of guard and executor, and from the tables."""

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from libs.contracts.codec import decode
from libs.contracts.event import Event
from libs.contracts.topics import EXECUTOR, RISK_STATE, Topic
from libs.contracts.trading import ExecutorReported, RiskStateChanged
from libs.kit.clock import Clock
from libs.kit.errors import BadMessage, UserError
from libs.store.engine import Engine, read_session
from libs.store.live_profit import live_profit
from libs.store.live_questions import open_live_trades
from libs.store.paper_questions import (
    ProfitRange,
    ProfitSide,
    held_paper_trades,
    paper_accounts_now,
    paper_profit,
)
from libs.store.queries import SignalFilter, signal_history
from libs.streaming.records import LogReader
from libs.trading.commands import ALL
from services.notifier.bot.wishes import Meant, NotUnderstood
from services.notifier.intake import instant

SILENT_MS = 10_000
_LOOK_SECONDS = 3.0
_MOST = 1900
_SIDES: Mapping[str, ProfitSide] = {
    "day": "day",
    "week": "week",
    "month": "month",
    "strategy": "strategy",
    "symbol": "symbol",
    "reason": "reason",
}
E_ = TypeVar("E_", bound=Event)
Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class StoredAnswers:
    """One account's, and all paper accounts'."""

    account: str
    bootstrap: str
    engine: Engine
    clock: Clock

    async def answer(self, command: str, typed: Mapping[str, str]) -> str:
        """See `Answers`."""
        match command:
            case "status":
                return await self.status()
            case "positions":
                return await self.positions()
            case "signals":
                return await self.signals()
            case "profit":
                return await self.profit(typed.get("by", "strategy"), dt.timedelta(days=30))
            case "daily":
                return await self.profit("day", dt.timedelta(days=7))
            case "balance":
                return await self.balance()
        raise NotUnderstood(f"/{command[:32]} is none of mine")

    async def before(self, what: Meant) -> Mapping[str, Any] | None:
        """See `Answers`."""
        symbol = what.arguments.get("symbol", ALL)
        try:
            async with asyncio.timeout(_LOOK_SECONDS), LogReader(self.bootstrap) as log:
                if what.name in ("pause", "lock"):
                    guard = await self._newest(log, RISK_STATE, RiskStateChanged)
                    if guard is None:
                        return None
                    return (
                        {"paused": guard.paused}
                        if what.name == "pause"
                        else {"locked_until_ms": guard.locks.get(symbol)}
                    )
                executor = await self._newest(log, EXECUTOR, ExecutorReported)
        except (UserError, TimeoutError):
            return None
        if executor is None:
            return None
        held = [one for one in executor.held if symbol in (ALL, one.symbol)]
        return {"held": {one.symbol: f"{one.direction} {_money(one.quantity_left)}" for one in held}}

    async def status(self) -> str:
        """Whether entries are allowed and why not, and whether guard and executor live."""
        async with LogReader(self.bootstrap) as log:
            guard = await self._newest(log, RISK_STATE, RiskStateChanged)
            executor = await self._newest(log, EXECUTOR, ExecutorReported)
        lines = [f"**{self.account}**"]
        if guard is None:
            lines.append("risk guard: silent")
        else:
            lines.append(f"risk: {guard.level.replace('_', ' ')}{', paused' if guard.paused else ''}")
            lines.append(f"today: {guard.daily_pnl_r:+.2f} R")
            lines += [f"• {reason}" for reason in guard.reasons[:8]]
            lines += [f"• {symbol} is locked" for symbol in sorted(guard.locks)[:8]]
        if executor is None:
            lines.append("executor: silent")
        else:
            may = "may enter" if executor.entries_allowed else "enters nothing"
            lines.append(f"executor: {executor.mode}, {may}, holds {len(executor.held)}")
            lines += [f"• {reason}" for reason in executor.reasons[:8]]
        return _cut("\n".join(lines))

    async def positions(self) -> str:
        """What is held, live and on paper."""
        rows: list[Row] = [
            (one.symbol, one.direction, _money(one.quantity_left), _price(one.entry_price), _price(one.stop), "live")
            for one in await open_live_trades(self.engine, self.account)
        ]
        rows += [
            (
                one.symbol,
                one.direction,
                _money(one.quantity_left),
                _price(one.entry_price),
                _price(one.stop_now),
                one.strategy,
            )
            for one in await held_paper_trades(self.engine)
            if one.state == "open"
        ]
        return _table(("symbol", "side", "size", "entry", "stop", "by"), rows, "Nothing is held.")

    async def signals(self) -> str:
        """The newest ones."""
        async with read_session(self.engine) as session:
            found = await signal_history(session, SignalFilter(most=10))
        rows = [
            (
                f"{instant(one.event_time_ms):%m-%d %H:%M}",
                one.symbol,
                one.direction,
                f"{one.score:.0f}",
                one.reason or one.state,
                one.strategy,
            )
            for one in found
        ]
        return _table(("UTC", "symbol", "side", "score", "state", "strategy"), rows, "There is no signal yet.")

    async def profit(self, by: str, span: dt.timedelta) -> str:
        """Closed trades by one side: live ones, then those on paper."""
        if (side := _SIDES.get(by)) is None:
            raise NotUnderstood(f"profit is by {', '.join(_SIDES)}")
        live = await live_profit(self.engine, self.account, side, _until(instant(self.clock.now_ms()), span))
        # Paper accounts live in the market's time, which in a simulated one may be another year's.
        times = [one.market_time for one in await paper_accounts_now(self.engine)]
        paper = await paper_profit(self.engine, side, _until(max(times), span)) if times else []
        rows = [("live", one.name, str(one.trades), _signed(one.net), _signed(one.net_r)) for one in live]
        rows += [("paper", one.name, str(one.trades), _signed(one.net), _signed(one.net_r)) for one in paper]
        return _table(("", by, "trades", "USD", "R"), rows, f"No trade was closed within {span.days} days.")

    async def balance(self) -> str:
        """Of the live account, as the guard sees it, and of every paper account."""
        async with LogReader(self.bootstrap) as log:
            guard = await self._newest(log, RISK_STATE, RiskStateChanged)
        measured = {one.rule: one.value for one in guard.measures} if guard is not None else {}
        rows = []
        if (live := measured.get("balance_floor")) is not None:
            rows.append((self.account, _money(live), "", ""))
        rows += [
            (f"paper {one.strategy}", _money(one.balance), _signed(one.unrealised), _signed(one.net_today))
            for one in await paper_accounts_now(self.engine)
        ]
        return _table(("account", "balance", "open", "today"), rows, "No account is known yet.")

    async def _newest(self, log: LogReader, topic: Topic, kind: type[E_]) -> E_ | None:
        """The account's newest record, if it is fresh."""
        offset = await log.newest(topic.name, 0, self.account.encode())
        if offset is None:
            return None
        async for batch in log.range(topic.name, 0, offset, offset + 1):
            for record in batch:
                try:
                    event = decode(record.value, record.headers, topic.events)
                except BadMessage:
                    return None
                fresh = self.clock.now_ms() - record.timestamp_ms <= SILENT_MS
                return event if fresh and isinstance(event, kind) else None
        return None


def _table(head: Row, rows: Sequence[Row], nothing: str) -> str:
    """Aligned columns in a block of fixed width; the last rows are left out where it would be too long for a message."""
    if not rows:
        return nothing
    for count in range(len(rows), 0, -1):
        shown = [head, *rows[:count]]
        widths = [max(len(row[column]) for row in shown) for column in range(len(head))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown
        ]
        if count < len(rows):
            lines.append(f"… and {len(rows) - count} more")
        if len(text := "```\n{}\n```".format("\n".join(lines))) <= _MOST:
            return text
    return nothing


def _until(now: dt.datetime, span: dt.timedelta) -> ProfitRange:
    return ProfitRange(now - span, now + dt.timedelta(seconds=1))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"


def _price(price: Decimal | None) -> str:
    return "-" if price is None else f"{price.normalize():f}"


def _money(amount: Decimal) -> str:
    return f"{amount:,.4f}".rstrip("0").rstrip(".")


def _signed(amount: Decimal | float | None) -> str:
    return "-" if amount is None else f"{amount:+,.2f}"
