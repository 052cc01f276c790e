"""What people's commands do to trades of an account at a venue: close, move a stop, give an entry up, enter, compare."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from libs.contracts.commands import CommandIssued
from libs.kit.durations import MINUTE_MS
from libs.trading.commands import Cancel, ChangeConfig, Close, Command, Enter, MoveStop, Sync
from libs.trading.execution.books import Page
from libs.trading.execution.document import Bracket, CloseWish, Rules, Trade
from libs.trading.execution.facts import CloseWished, Fact, StopMoved
from libs.trading.execution.sums import holding_of
from libs.trading.execution.wish import EntryWish, Refusal
from libs.trading.filters import SymbolFilters
from services.executor.desk import Desk
from services.executor.entering import Entering
from services.executor.obeying import Answer, Effect, change_of, refusing
from services.executor.ports import Ports

ENTER_VALID_MS = 10_000


@dataclass(frozen=True, slots=True)
class Wishes:
    """`synchronise`: compare with the venue now, and say what differs."""

    ports: Ports
    entering: Entering
    desk_of: Callable[[str], Desk]
    trades: Callable[[], Mapping[str, Trade]]
    synchronise: Callable[[], Awaitable[Answer]]

    async def effect_of(self, event: CommandIssued, command: Command) -> Effect:
        """What the command does now."""
        match command:
            case Close():
                return self._close(event, command)
            case MoveStop():
                return self._move_stop(command)
            case Cancel(symbol):
                return self._cancel(event, symbol)
            case Enter():
                return await self._enter(event, command)
            case ChangeConfig():
                return change_of(self.entering.permission.config, command)
            case Sync():
                return Effect(Answer(True, "books and venue are compared"), afterwards=self.synchronise)
            case _:
                return refusing(f"{event.command} is not for the executor")

    def _open(self, symbol: str, trade_id: str | None) -> Trade | Effect:
        found = next((trade for trade in self.trades().values() if trade.symbol == symbol), None)
        if found is None:
            return refusing(f"there is no trade in {symbol}")
        if trade_id is not None and found.trade_id != trade_id:
            return refusing(f"the trade in {symbol} is {found.trade_id} by now")
        return found

    def _changing(self, trade: Trade, fact: Fact, sentence: str) -> Effect:
        desk = self.desk_of(trade.symbol)

        async def write(page: Page) -> None:
            await desk.change(trade.trade_id, [fact], page)

        return Effect(Answer(True, sentence, {"trade_id": trade.trade_id}), write)

    def _close(self, event: CommandIssued, command: Close) -> Effect:
        trade = self._open(command.symbol, command.trade_id)
        if isinstance(trade, Effect):
            return trade
        left = holding_of(trade).left
        if not left and command.share != 1:
            return refusing(f"nothing of {command.symbol} is held, so there is no part of it: close all, or cancel it")
        quantity = self._part(command, left, trade)
        if isinstance(quantity, Effect):
            return quantity
        what = "all" if quantity is None else f"{quantity} of {left}"
        now_ms = self.ports.clock.now_ms()
        wish = CloseWish(reason="command", since_ms=now_ms, quantity=quantity, wish_id=event.event_id)
        return self._changing(trade, CloseWished(wish), f"{what} of {command.symbol} is being closed")

    def _part(self, command: Close, left: Decimal, trade: Trade) -> Decimal | Effect | None:
        """How much to close, on a step; None: all of it. What would be left too small to be closed is closed with it."""
        asked = left * command.share if command.share is not None else command.quantity or Decimal(0)
        if asked >= left:
            return None
        if (rules := self._rules(trade)) is None:
            return refusing(f"the steps of {command.symbol} are not known now: close all, or say it again later")
        least = max(rules.min_quantity, rules.quantity_step)
        part = asked // rules.quantity_step * rules.quantity_step
        if part < least:
            return refusing(f"that part of {left} is below what the venue accepts")
        return None if left - part < least else part

    def _rules(self, trade: Trade) -> Rules | SymbolFilters | None:
        """The ticks and steps of its symbol: as they were at its entry, else as the venue tells them now."""
        return trade.rules or self.ports.market.filters(trade.symbol)

    def _move_stop(self, command: MoveStop) -> Effect:
        trade, quote = self._open(command.symbol, command.trade_id), self.ports.market.quote(command.symbol)
        if isinstance(trade, Effect):
            return trade
        if quote is None:
            return refusing(f"the price of {command.symbol} is not known now")
        if (rules := self._rules(trade)) is None:
            return refusing(f"the ticks of {command.symbol} are not known now")
        price = (command.price / rules.tick).to_integral_value() * rules.tick
        if price <= 0:
            return refusing(f"a stop at {command.price} is none: {command.symbol} has ticks of {rules.tick}")
        if (price >= quote.price) if trade.direction == "long" else (price <= quote.price):
            side = "above" if trade.direction == "long" else "below"
            return refusing(f"a stop at {price} is {side} the price of {quote.price}: close instead")
        if command.only_closer and (stands := _wider_than(trade, price)) is not None:
            return refusing(f"a stop at {price} would lose more than {stands}, and only a closer one was wanted")
        moved = StopMoved(price, self.ports.clock.now_ms())
        return self._changing(trade, moved, f"the stop of {command.symbol} goes to {price}")

    def _cancel(self, event: CommandIssued, symbol: str) -> Effect:
        trade = self._open(symbol, None)
        if isinstance(trade, Effect):
            return trade
        if trade.state != "entering":
            return refusing(f"the entry of {symbol} is filled already: close it instead")
        wish = CloseWish(reason="cancelled", since_ms=self.ports.clock.now_ms(), wish_id=event.event_id)
        return self._changing(trade, CloseWished(wish), f"the entry of {symbol} is given up")

    async def _enter(self, event: CommandIssued, command: Enter) -> Effect:
        quote, now_ms = self.ports.market.quote(command.symbol), self.ports.clock.now_ms()
        if quote is None:
            return refusing(f"the price of {command.symbol} is not known now")
        if event.event_id in self.entering.ended or event.event_id in self.trades():
            return refusing("this command was obeyed before")
        wish = EntryWish(
            trade_id=event.event_id,
            origin="command",
            symbol=command.symbol,
            direction=command.direction,
            price=quote.price,
            bracket=Bracket(
                stop=command.stop,
                take_profit_1=command.take_profit_1,
                take_profit_2=command.take_profit_2,
                hold_until_ms=now_ms + self.entering.permission.config.hold_minutes * MINUTE_MS,
            ),
            valid_until_ms=now_ms + ENTER_VALID_MS,
            signal_ms=now_ms,
            risk=command.risk,
        )
        found = await self.entering.decide(wish)
        if isinstance(found, Refusal):
            document = self.entering.refused(wish, found)
            return Effect(
                Answer(False, found.why, {"why": found.reason}),
                write=lambda page: self.entering.keep_refused([document], page),
            )
        trade, desk = found, self.desk_of(found.symbol)
        details = {"trade_id": trade.trade_id, "quantity": str(trade.quantity)}
        return Effect(
            Answer(True, f"{trade.quantity} {trade.symbol} is being entered", details),
            write=lambda page: desk.enter(trade, page),
        )


def _wider_than(trade: Trade, price: Decimal) -> str | None:
    """What stands closer to the price, in words; None where nothing does."""
    if trade.bracket is None:
        return "the present one, which is not known,"
    stop = trade.bracket.stop
    wider = price < stop if trade.direction == "long" else price > stop
    return f"the present one at {stop}" if wider else None
