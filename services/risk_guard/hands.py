"""What the guard does at the venue: places a missing stop, closes positions; each thing once at a time, until the next look."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from libs.exchanges.errors import VenueError
from libs.exchanges.flatten import Direction, Flattened, FlattenTerms, flatten_directly
from libs.exchanges.flatten_orders import FlattenIds, FlattenStep
from libs.exchanges.trading import AlgoState, NewConditional, OrderRefused, OutcomeUnknown, Position, Side
from libs.kit.logging import get_logger
from libs.kit.metrics import counter
from libs.trading.risk.inputs import PositionKey
from libs.trading.risk.policy import Action
from services.risk_guard.moment import moment
from services.risk_guard.picture import Picture
from services.risk_guard.ports import GuardParts, SymbolRules
from services.risk_guard.telling import Severity

EVERYTHING, STOP_WORK = "*", "stop "
RUN_SECONDS = 15.0
"""So long one run of a flattening tries; the next look begins another where it is still needed."""
MOST_FAILURES = 2
PASSING = frozenset(("retry", "clock", "limited", "gone", "reduce_only"))
"""Refusals of a stop that may be none the next time, or say that there is nothing to protect any more."""
STOP_VALID_MS, ANSWER_SECONDS, BETWEEN_STOPS_SECONDS = 1_500, 0.5, 0.5
_ROUGH = Context(prec=4, rounding=ROUND_HALF_EVEN)
Alert = Callable[[Severity, str, str], None]
Ended = Callable[[Flattened], None]


@dataclass(slots=True)
class Hands:
    """`alert` tells a person, `look_again` has the account asked at once; `rules` are of symbols that the venue has told."""

    parts: GuardParts
    picture: Picture
    alert: Alert
    look_again: Callable[[], None]
    rules: dict[str, SymbolRules] = field(default_factory=dict)
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _given_up: set[asyncio.Task[None]] = field(default_factory=set)
    _failures: dict[PositionKey, int] = field(default_factory=dict)
    _stops: int = 0

    def carry_out(self, actions: Sequence[Action]) -> None:
        """Begin what is not under way. Raises what ended a task that nobody expected to fail."""
        self._reap()
        # What was refused to a position says nothing of the next one.
        held = self.picture.positions.open()
        self._failures = {key: count for key, count in self._failures.items() if key in held}
        for action in actions:
            if EVERYTHING in self._running or (action.symbol in self._running):
                continue
            if action.kind == "flatten_all":
                self.flatten(None, None, action.why)
            elif action.kind == "flatten_symbol":
                self.flatten(action.symbol, None, action.why)
            elif action.symbol is not None:
                key: PositionKey = (action.symbol, _direction(action.side))
                if action.kind == "close_position":
                    self.flatten(*key, action.why)
                # Of a bare one that is closed too: whichever of both the venue takes first will do.
                if action.kind == "place_stop" or self.picture.positions.is_bare(key):
                    self._begin(f"{STOP_WORK}{action.symbol}:{action.side}", self._place_stop(key, action.why))

    def flatten(self, symbol: str | None, side: Direction | None, why: str, ended: Ended | None = None) -> bool:
        """Close a symbol (None: everything), or its position of one side; whether it was begun: not where it is under way."""
        name = EVERYTHING if symbol is None else symbol if side is None else f"{symbol}:{side}"
        if name in self._running:
            return False
        what = "everything" if symbol is None else f"{symbol} {side or ''}".strip()
        self.alert("critical", f"closing {what}", why)
        return self._begin(name, self._flatten(name, symbol, side, ended))

    def is_running(self, symbol: str | None) -> bool:
        """Whether a symbol, or everything, is being flattened."""
        return (EVERYTHING if symbol is None else symbol) in self._running

    def give_up(self, symbol: str | None) -> None:
        """End a symbol's flattening, or everything's, as a crash would; whoever else wants it closed begins it anew."""
        if (task := self._running.pop(EVERYTHING if symbol is None else symbol, None)) is not None:
            task.cancel()
            self._given_up.add(task)
            task.add_done_callback(self._given_up.discard)

    def closing(self) -> list[str]:
        """What is being flattened, until it has been verified: what is entered there meanwhile would be closed too."""
        names = (name for name, task in self._running.items() if not task.done() and not name.startswith(STOP_WORK))
        return ["everything" if name == EVERYTHING else name for name in names]

    async def stop(self) -> None:
        """End what is under way, as a crash would."""
        tasks = [*self._running.values(), *self._given_up]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> bool:
        if name in self._running:
            work.close()
            return False
        self._running[name] = asyncio.get_running_loop().create_task(work, name=f"guard {name}")
        return True

    def _reap(self) -> None:
        for name in [name for name, task in self._running.items() if task.done()]:
            self._running.pop(name).result()

    async def _flatten(self, name: str, symbol: str | None, side: Direction | None, ended: Ended | None) -> None:
        now_ms = self.parts.clock.now_ms()
        terms = FlattenTerms(
            FlattenIds(self.parts.account, self.parts.installation, f"{name} {now_ms}"),
            self.parts.clock,
            {one: rules.lot for one, rules in self.rules.items()},
            side,
            self._known(symbol),
            RUN_SECONDS,
        )
        done = await flatten_directly(self.parts.venue, None if symbol is None else (symbol,), self._log, terms)
        closed = ", ".join(f"{quantity} {one} {way}" for (one, way), quantity in sorted(done.closed.items()))
        counter("perpstream_guard_actions_total").labels("flatten", "done" if done.flat else "left").inc()
        if done.flat:
            self.alert("info", f"{'everything' if symbol is None else name} is flat", f"closed: {closed or 'nothing'}")
        else:
            self.alert("critical", f"{'everything' if symbol is None else name} is not flat yet", "; ".join(done.left))
        self.look_again()
        if ended is not None:
            ended(done)

    async def _place_stop(self, key: PositionKey, why: str) -> None:
        open_now = self.picture.positions.open().get(key)
        price = self._stop_price(key)
        if open_now is None or price is None:
            return
        side: Side = "SELL" if key[1] == "long" else "BUY"
        position_side = open_now.position_side
        self._stops += 1
        ids = FlattenIds(self.parts.account, self.parts.installation, f"stop {self.parts.clock.now_ms()} {self._stops}")
        order = NewConditional(
            key[0], side, "STOP_MARKET", ids.next_id(key[0], "stop"), price, position_side=position_side
        )
        await self._send_stop(key, order, why)
        self.look_again()

    async def _send_stop(self, key: PositionKey, order: NewConditional, why: str) -> None:
        words = f"{order.symbol} {key[1]} at {order.trigger_price:f}"
        outcome, began = "placed", moment(self.parts.clock)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                before_ms = self.parts.clock.now_ms() + STOP_VALID_MS
                self._stands(await self.parts.venue.place_conditional(order, before_ms))
            self._failures.pop(key, None)
            self.alert("critical", f"the guard has placed a stop for {words}", why)
        except (OutcomeUnknown, TimeoutError) as error:
            # The next one is placed, or the venue says that there is one: either is an answer to this one too.
            outcome = "unknown"
            get_logger("hands").warning("a stop's outcome is unknown", symbol=order.symbol, error=str(error))
        except OrderRefused as error:
            outcome = error.verdict
            get_logger("hands").warning("a stop was refused", symbol=order.symbol, error=str(error))
            self._refused(key, error, words)
        except VenueError as error:
            outcome = "not_sent"
            get_logger("hands").warning("a stop could not be sent", symbol=order.symbol, error=str(error))
        counter("perpstream_guard_actions_total").labels("stop", outcome).inc()
        if outcome != "placed":
            self.look_again()
            took = (moment(self.parts.clock).at_ms - began.at_ms) / 1000
            await self.parts.clock.sleep(max(0.0, BETWEEN_STOPS_SECONDS - took))

    def _refused(self, key: PositionKey, error: OrderRefused, words: str) -> None:
        """A price that is beyond it already, and a second refusal for good, leave nothing but to close the position."""
        if error.verdict == "duplicate":  # one closes it already, whatever lists show
            self.picture.positions.prove(key, moment(self.parts.clock).at_ms)
        elif error.verdict == "price":
            self.flatten(key[0], key[1], f"a stop for {words} would have been triggered at once")
        elif error.verdict not in PASSING:
            self._failures[key] = self._failures.get(key, 0) + 1
            if self._failures[key] >= MOST_FAILURES:
                self.flatten(key[0], key[1], f"the venue refuses a stop for {words}: {error}")

    def _known(self, symbol: str | None) -> list[Position]:
        """The positions as they were last seen."""
        seen = self.picture.positions.open().values()
        return [one.as_told() for one in seen if symbol in (None, one.key[0])]

    def _stands(self, algo: AlgoState) -> None:
        self.picture.stops.told(algo, moment(self.parts.clock).at_ms)

    def _stop_price(self, key: PositionKey) -> Decimal | None:
        """Where the trade's own stop is, if anybody has said so and the price is not beyond it, else at the default distance."""
        position, trade = self.picture.positions.open().get(key), self.picture.trades.of(key)
        if position is None:
            return None
        mark, is_long = position.mark_price or position.entry_price, key[1] == "long"
        if trade is not None and trade.stop is not None and (trade.stop < mark if is_long else trade.stop > mark):
            return trade.stop
        share = self.parts.default_stop_percent / 100
        price = mark * (1 - share if is_long else 1 + share)
        rules = self.rules.get(key[0])
        # Four digits are on every tick of the venue; better a rough stop than none.
        return _ROUGH.plus(price) if rules is None else (price / rules.tick).to_integral_value() * rules.tick

    def _log(self, step: FlattenStep) -> None:
        get_logger("flatten").info(
            step.kind, symbol=step.symbol, client_id=step.client_id, quantity=str(step.quantity), words=step.words
        )


def _direction(side: str | None) -> Direction:
    return "long" if side == "long" else "short"
