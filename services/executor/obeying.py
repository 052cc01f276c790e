"""Commands of people: checked, kept with their nonces before anything follows from them, and answered."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from libs.contracts.commands import CommandAnswered, CommandIssued, answered
from libs.contracts.event import Event
from libs.contracts.identity import digest
from libs.trading.command_check import CommandRefused, TrustedKeys, check_command
from libs.trading.commands import Cancel, ChangeConfig, Close, Command, CommandInvalid, Enter, MoveStop, Sync
from libs.trading.execution.books import LiveEvent, Obeyed, Page, Place
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.config_change import changed_config
from libs.trading.execution.document import Bracket, CloseWish, Trade
from libs.trading.execution.facts import CloseWished, Fact, StopMoved
from libs.trading.execution.sums import holding_of
from libs.trading.execution.wish import EntryWish, Refusal
from services.executor.desk import Desk
from services.executor.entering import Entering
from services.executor.intake import Came
from services.executor.permission import Permission
from services.executor.ports import Ports

KEPT_AFTER_EXPIRY_MS = 60_000
ENTER_VALID_MS = 10_000
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command: `accepted` false: it changed nothing."""

    accepted: bool
    sentence: str
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Effect:
    """What a command does, decided before it is kept: facts of a trade, a configuration, an entry, or its answer alone."""

    answer: Answer
    trade: Trade | None = None
    facts: Sequence[Fact] = ()
    config: LiveConfig | None = None
    entry: Trade | None = None


@dataclass(slots=True)
class Obeying:
    """`nonces`: of commands that counted, with their expiry (ms); `synchronise`: compare now, and say what differs."""

    ports: Ports
    permission: Permission
    entering: Entering
    keys: TrustedKeys
    desk_of: Callable[[str], Desk]
    trades: Callable[[], Mapping[str, Trade]]
    synchronise: Callable[[], Awaitable[Answer]]
    configured: Callable[[LiveConfig], None]
    nonces: dict[str, int] = field(default_factory=dict)

    async def take(self, records: Sequence[tuple[Event | None, Came]]) -> None:
        """Commands in order; those for others are passed over."""
        account = self.entering.naming.account
        for event, came in records:
            offsets = {came.place: came.next_offset}
            if isinstance(event, CommandIssued) and event.account == account and event.target == "executor":
                await self._obey(event, offsets)
            else:
                self.permission.pages.remember(offsets)

    async def _obey(self, event: CommandIssued, offsets: Mapping[Place, int]) -> None:
        now_ms = self.ports.clock.wall_ms()
        self.nonces = {one: until for one, until in self.nonces.items() if until + KEPT_AFTER_EXPIRY_MS > now_ms}
        command = check_command(event, self.keys, self.nonces, now_ms)
        if isinstance(command, CommandRefused):
            await self._refuse(event, command, offsets)
            return
        self.nonces[event.nonce] = event.expires_at_ms
        effect = await self._effect(event, command)
        page = Page(obeyed=(_obeyed(event, effect.answer, now_ms),), offsets=dict(offsets), config=effect.config)
        if effect.trade is not None:
            await self.desk_of(effect.trade.symbol).change(effect.trade.trade_id, effect.facts, page)
        elif effect.entry is not None and not effect.entry.is_final:
            await self.desk_of(effect.entry.symbol).enter(effect.entry, page)
        elif effect.entry is not None:
            await self.entering.keep_refused([effect.entry], page)
        else:
            await self.permission.pages.write(page)
        if effect.config is not None:
            self.configured(effect.config)
        answer = await self.synchronise() if isinstance(command, Sync) else effect.answer
        self._answer(event, answer)

    async def _refuse(self, event: CommandIssued, why: CommandRefused, offsets: Mapping[Place, int]) -> None:
        """It changes nothing, and is reported; its nonce stays free, because anybody could have written it."""
        now_ms = self.ports.clock.wall_ms()
        kept = LiveEvent(
            event_id=digest("command_refused", event.event_id.replace("|", "/"), why.why, *sorted(offsets.values())),
            kind="command_refused",
            time_ms=now_ms,
            detail={
                "command": event.command,
                "issued_by": event.issued_by[:64],
                "why": why.why,
                "sentence": why.sentence,
            },
        )
        await self.permission.pages.write(Page(events=(kept,), offsets=dict(offsets)))
        self._answer(event, Answer(False, why.sentence, {"why": why.why}))

    def _answer(self, event: CommandIssued, answer: Answer) -> None:
        now_ms = self.ports.clock.wall_ms()
        said: CommandAnswered = answered(
            event, answer.sentence, now_ms, accepted=answer.accepted, details=dict(answer.details)
        )
        self.ports.outlet.publish([said])

    async def _effect(self, event: CommandIssued, command: Command) -> _Effect:
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
                return self._change(command)
            case Sync():
                return _Effect(Answer(True, "books and venue are compared"))
            case _:
                return _Effect(Answer(False, f"{event.command} is not for the executor"))

    def _open(self, symbol: str, trade_id: str | None) -> Trade | Answer:
        found = [trade for trade in self.trades().values() if trade.symbol == symbol]
        if not found:
            return Answer(False, f"there is no trade in {symbol}")
        if trade_id is not None and found[0].trade_id != trade_id:
            return Answer(False, f"the trade in {symbol} is {found[0].trade_id} by now")
        return found[0]

    def _close(self, event: CommandIssued, command: Close) -> _Effect:
        trade = self._open(command.symbol, command.trade_id)
        if isinstance(trade, Answer):
            return _Effect(trade)
        left = holding_of(trade).left
        quantity = self._part(command, left, trade)
        if quantity is not None and quantity <= 0:
            return _Effect(Answer(False, f"that part of {left} is below what the venue accepts"))
        what = "all" if quantity is None else f"{quantity} of {left}"
        wish = CloseWish(
            reason="command", since_ms=self.ports.clock.now_ms(), quantity=quantity, wish_id=event.event_id
        )
        return _Effect(
            Answer(True, f"{what} of {command.symbol} is being closed", {"trade_id": trade.trade_id}),
            trade,
            [CloseWished(wish)],
        )

    def _part(self, command: Close, left: Decimal, trade: Trade) -> Decimal | None:
        """How much to close, on a step; None: all of it. What would be left too small to be closed is closed with it."""
        asked = left * command.share if command.share is not None else command.quantity or Decimal(0)
        rules, filters = trade.rules, self.ports.market.filters(trade.symbol)
        if asked >= left:
            return None
        step = rules.quantity_step if rules else filters.quantity_step if filters else None
        part = asked // step * step if step else asked
        least = rules.min_quantity if rules else Decimal(0)
        if part < least:
            return Decimal(0)
        return None if left - part < max(least, step or Decimal(0)) else part

    def _move_stop(self, command: MoveStop) -> _Effect:
        trade, quote = self._open(command.symbol, command.trade_id), self.ports.market.quote(command.symbol)
        if isinstance(trade, Answer):
            return _Effect(trade)
        if quote is None:
            return _Effect(Answer(False, f"the price of {command.symbol} is not known now"))
        filters = self.ports.market.filters(command.symbol)
        price = filters.price_on_tick(command.price) if filters else command.price
        if (price >= quote.price) if trade.direction == "long" else (price <= quote.price):
            side = "above" if trade.direction == "long" else "below"
            return _Effect(Answer(False, f"a stop at {price} is {side} the price of {quote.price}: close instead"))
        moved = StopMoved(price, self.ports.clock.now_ms())
        return _Effect(Answer(True, f"the stop of {command.symbol} goes to {price}"), trade, [moved])

    def _cancel(self, event: CommandIssued, symbol: str) -> _Effect:
        trade = self._open(symbol, None)
        if isinstance(trade, Answer):
            return _Effect(trade)
        if trade.state != "entering":
            return _Effect(Answer(False, f"the entry of {symbol} is filled already: close it instead"))
        wish = CloseWish(reason="cancelled", since_ms=self.ports.clock.now_ms(), wish_id=event.event_id)
        return _Effect(Answer(True, f"the entry of {symbol} is given up"), trade, [CloseWished(wish)])

    async def _enter(self, event: CommandIssued, command: Enter) -> _Effect:
        quote, now_ms = self.ports.market.quote(command.symbol), self.ports.clock.now_ms()
        if quote is None:
            return _Effect(Answer(False, f"the price of {command.symbol} is not known now"))
        if event.event_id in self.entering.ended or event.event_id in self.trades():
            return _Effect(Answer(False, "this command was obeyed before"))
        config = self.permission.config
        bracket = Bracket(
            stop=command.stop,
            take_profit_1=command.take_profit_1,
            take_profit_2=command.take_profit_2,
            hold_until_ms=now_ms + config.hold_minutes * MINUTE_MS,
        )
        wish = EntryWish(
            trade_id=event.event_id,
            origin="command",
            symbol=command.symbol,
            direction=command.direction,
            price=quote.price,
            bracket=bracket,
            valid_until_ms=now_ms + ENTER_VALID_MS,
            signal_ms=now_ms,
            risk=command.risk,
        )
        found = await self.entering.decide(wish)
        if isinstance(found, Refusal):
            document = self.entering.refused(wish, found)
            return _Effect(Answer(False, found.why, {"why": found.reason}), entry=document)
        details = {"trade_id": found.trade_id, "quantity": str(found.quantity)}
        return _Effect(Answer(True, f"{found.quantity} {command.symbol} is being entered", details), entry=found)

    def _change(self, command: ChangeConfig) -> _Effect:
        try:
            config = changed_config(self.permission.config, command)
        except CommandInvalid as error:
            return _Effect(Answer(False, str(error)))
        names = ", ".join(command.changes)
        return _Effect(
            Answer(True, f"version {config.version}: {names}", {"version": str(config.version)}), config=config
        )


def _obeyed(event: CommandIssued, answer: Answer, now_ms: int) -> Obeyed:
    return Obeyed(
        command_id=event.event_id,
        nonce=event.nonce,
        issuer=event.issued_by,
        command=event.command,
        arguments=event.arguments,
        reason=event.reason,
        accepted=answer.accepted,
        result=answer.sentence,
        time_ms=now_ms,
        expires_ms=event.expires_at_ms,
    )
