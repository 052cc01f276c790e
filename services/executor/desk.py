"""One symbol's trades, one thing after another: what was heard is folded, what is to be done is written down, and only then sent.

Requests run beside the loop, so that one that hangs keeps nobody from hearing of its fill and protecting it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from libs.contracts.event import Event
from libs.trading.execution.admission import outdated
from libs.trading.execution.books import Page
from libs.trading.execution.decision import Ask, Cancel, Fetch, Note, Permits, Place, Wait, next_moves
from libs.trading.execution.document import OurOrder, Trade
from libs.trading.execution.exits import STOP_LEGS
from libs.trading.execution.facts import CancelRefused, Fact, Intended, NeverSent, Sending, Unclear
from libs.trading.execution.folds import fold
from services.executor.pages import Pages, merged
from services.executor.sending import Errand, Said, Sender
from services.executor.telling import Teller

FILLS_REST_SECONDS, LONGEST_REST_SECONDS = 0.5, 4.0
"""The list of fills is read again after so long, and ever later while strangers go on trading the symbol: each costs weight."""
CANCEL_REST_SECONDS, LONGEST_CANCEL_SECONDS = 0.25, 10.0
"""A cancellation that the venue refuses is tried again after so long, and ever later."""
MOST_NOTES = 50
"""Decisions in a row that only change the document; more would be a circle."""
Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one step writes (`page`, None: nothing), tells and begins; `until_ms`: when to look again."""

    page: Page | None
    told: Sequence[Event]
    changed: Sequence[Trade]
    errands: Sequence[Errand]
    until_ms: int | None


@dataclass(slots=True)
class Desk:
    """`trades`: those that are not over, by id. `permits`: what may be done now. `begun`: called with a trade that is taken up,
    `ended`: with one that is over, once that is written. `spawn`: begins what runs beside; what fails there ends the executor.
    `lock`: one step at a time.
    """

    sender: Sender
    pages: Pages
    teller: Teller
    permits: Callable[[str], Permits]
    begun: Callable[[Trade], None]
    ended: Callable[[Trade], None]
    spawn: Spawn
    trades: dict[str, Trade] = field(default_factory=dict)
    orders_sent: list[float] = field(default_factory=list)
    _written: dict[str, Trade] = field(default_factory=dict)
    _inbox: list[tuple[str, Fact]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _errands: dict[_Key, asyncio.Task[None]] = field(default_factory=dict)
    _not_before: dict[_Key, float] = field(default_factory=dict)
    _rests: dict[_Key, float] = field(default_factory=dict)
    _wants_fills: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def symbol(self) -> str:
        """Whose desk it is."""
        return self.sender.symbol

    def restore(self, trade: Trade) -> None:
        """A trade as the books hold it."""
        self.trades[trade.trade_id] = self._written[trade.trade_id] = trade

    def hear(self, trade_id: str, facts: Iterable[Fact]) -> None:
        """Facts of a trade; they count at the next step, which is soon."""
        self._inbox += [(trade_id, fact) for fact in facts]
        self._news.set()

    def read_fills(self) -> None:
        """Read the list of fills now: one has come that nobody knows by its ids."""
        if self.trades and self._is_free(Fetch("fills")):
            self._begin(Fetch("fills"))
        else:
            self._wants_fills = bool(self.trades)

    def look(self) -> None:
        """Something else has changed."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled. Raises `LeaseLost`."""
        while True:
            self._news.clear()
            await self._until(await self.step())

    def take_up(self, trade: Trade) -> None:
        """A trade whose entry is meant; whoever is decided on next counts it. The next step writes and begins it: if nobody's who
        has more to write with it, the desk's own."""
        self.trades[trade.trade_id] = trade
        self._news.set()
        self.begun(trade)

    async def enter(self, trade: Trade, page: Page) -> None:
        """Take up a trade; it stands in the books, with what else `page` holds, when this returns."""
        self.take_up(trade)
        await self.step(page)

    async def change(self, trade_id: str, facts: Sequence[Fact], page: Page) -> None:
        """Facts that must be written together with `page`, before anything that follows from them is done."""
        self._inbox += [(trade_id, fact) for fact in facts]
        await self.step(page)

    async def step(self, page: Page | None = None) -> int | None:
        """Fold, decide, write, begin to send. When to look again (ms of the venue), None: when something is heard."""
        async with self.lock:
            sheet = self.sheet(page)
            if sheet.page is not None:
                await self.pages.write(sheet.page, sheet.told)
            self.written(sheet)
            return sheet.until_ms

    def sheet(self, page: Page | None = None) -> "Sheet":
        """Fold and decide. Whoever asks holds the lock until the sheet is written."""
        self._fold_inbox()
        errands, until_ms = self._planned()
        changed = [trade for trade in self.trades.values() if self._written.get(trade.trade_id) is not trade]
        if not changed and page is None:
            return Sheet(None, (), (), errands, until_ms)
        page = page or Page()
        told, events = [], list(page.events)
        for trade in changed:
            said = self.teller.tell(self._written.get(trade.trade_id), trade)
            told += said.told
            events += said.kept
        return Sheet(replace(page, trades=(*page.trades, *changed), events=events), told, changed, errands, until_ms)

    def written(self, sheet: "Sheet") -> None:
        """It stands in the books: what it says is begun."""
        for trade in sheet.changed:
            self._written[trade.trade_id] = trade
            if trade.is_final:
                del self.trades[trade.trade_id], self._written[trade.trade_id]
                self.ended(trade)
        for errand in sheet.errands:
            self._begin(errand)
        if self._wants_fills and self.trades and self._is_free(Fetch("fills")):
            self._wants_fills = False
            self._begin(Fetch("fills"))

    def _fold_inbox(self) -> None:
        heard, self._inbox = self._inbox, []
        for trade_id, fact in heard:
            if (trade := self.trades.get(trade_id)) is not None:
                self.trades[trade_id] = fold(trade, fact)

    def _planned(self) -> tuple[list[Errand], int | None]:
        errands: list[Errand] = []
        until: list[int] = []
        for trade_id in list(self.trades):
            found = self._moves(trade_id)
            placing = any(isinstance(move, Place) for move in found)
            for move in found:
                match move:
                    case Wait(until_ms):
                        until.append(until_ms)
                    case Place():
                        errands += self._to_place(trade_id, move)
                    case Cancel() if placing:
                        pass  # What is to be cancelled may be what protects until the new one stands: look again then.
                    case Cancel() | Ask() | Fetch():
                        errands += [move] if self._is_free(move) else []
                    case Note():
                        pass
        return errands, min(until, default=None)

    def _moves(self, trade_id: str) -> tuple[Place | Cancel | Ask | Fetch | Note | Wait, ...]:
        """The next moves that are not only a note; notes are folded on the way."""
        for _ in range(MOST_NOTES):
            trade = self.trades[trade_id]
            moves = next_moves(trade, self._now_ms(), self.permits(self.symbol))
            notes = [move for move in moves if isinstance(move, Note)]
            if not notes:
                return moves
            for note in notes:
                trade = fold(trade, note.fact)
            self.trades[trade_id] = trade
        raise RuntimeError(f"{trade_id} goes in circles: {moves}")

    def _to_place(self, trade_id: str, move: Place) -> list[Errand]:
        """The order, kept as being sent until the deadline that its request will have."""
        trade, now_ms = self.trades[trade_id], self._now_ms()
        until_ms = self._deadline_ms(trade, move.order)
        if until_ms <= now_ms or not self._is_free(move):
            return []
        name = move.order.client_id
        trade = fold(fold(trade, Intended(move.order, now_ms)), Sending(name, until_ms, now_ms))
        self.trades[trade_id] = trade
        return [Place(order) for order in trade.orders if order.client_id == name and order.status == "submitting"]

    def _deadline_ms(self, trade: Trade, order: OurOrder) -> int:
        """An entry is good as long as its signal; nothing is good for longer than the lease."""
        clock, options = self.sender.clock, self.pages.options
        lease_ms = int(self.pages.seconds_left * 1000 * clock.speed)
        until_ms = clock.now_ms() + min(int(options.request_seconds * 1000), lease_ms)
        return min(until_ms, trade.valid_until_ms) if order.leg == "entry" else until_ms

    def _is_free(self, errand: Errand) -> bool:
        now, keys = self.sender.clock.monotonic(), (_key(errand), _rest_key(errand))
        return keys[0] not in self._errands and all(self._not_before.get(key, 0.0) <= now for key in keys)

    def _begin(self, errand: Errand) -> None:
        key = _key(errand)
        trade_id = next((trade.trade_id for trade in self.trades.values() if _belongs(trade, errand)), None)
        owners = [trade_id] if trade_id is not None else list(self.trades)
        self._errands[key] = self.spawn(self._run_errand(key, errand, owners))

    async def _run_errand(self, key: _Key, errand: Errand, trade_ids: Sequence[str]) -> None:
        """What came of it is heard; an answer that did not come is asked for again a moment later."""
        try:
            said = await self._carried_out(errand, [self.trades[one] for one in trade_ids if one in self.trades])
            if not said:
                pause = self.pages.options.trouble_pause_seconds
                self._not_before[key] = self.sender.clock.monotonic() + pause
            self._rest(errand, said)
            self._inbox += said
        finally:
            self._errands.pop(key, None)
            self._news.set()

    def _rest(self, errand: Errand, said: Sequence[Said]) -> None:
        """What goes on being wanted and changes nothing is done ever less often, so that it does not use the budget up."""
        key = _rest_key(errand)
        if isinstance(errand, Cancel):
            first, longest = CANCEL_REST_SECONDS, LONGEST_CANCEL_SECONDS
            again = any(isinstance(fact, (CancelRefused, Unclear)) for _, fact in said)
        elif errand == Fetch("fills"):
            first, longest, again = FILLS_REST_SECONDS, LONGEST_REST_SECONDS, self._wants_fills
        else:
            return
        rest = min(longest, 2 * self._rests[key]) if again and key in self._rests else first
        if again or not isinstance(errand, Cancel):
            self._rests[key] = rest
            self._not_before[key] = max(self._not_before.get(key, 0.0), self.sender.clock.monotonic() + rest)

    async def _carried_out(self, errand: Errand, trades: Sequence[Trade]) -> list[Said]:
        if isinstance(errand, Place):
            if not all(self._may_send(trade, errand.order) for trade in trades):
                fact = NeverSent(errand.order.client_id, self._now_ms())
                return [(trade.trade_id, fact) for trade in trades]
            self.orders_sent.append(self.sender.clock.monotonic())
        return await self.sender.carry_out(errand, trades)

    def _may_send(self, trade: Trade, order: OurOrder) -> bool:
        """Asked right before it leaves: the page may have taken long to be written."""
        if self.pages.seconds_left <= 0:
            return False
        permits = self.permits(self.symbol)
        if order.leg == "entry":
            is_late = permits.market is not None and outdated(trade, permits.market, self._now_ms()) is not None
            return permits.entries and not permits.only_stops and not is_late
        return order.leg in STOP_LEGS or not permits.only_stops

    async def _until(self, until_ms: int | None) -> None:
        """Something is heard, it is that time, or a look is due."""
        clock, options = self.sender.clock, self.pages.options
        seconds = options.look_seconds if self.trades else None
        if until_ms is not None:
            at_once = max(0.0, (until_ms - clock.now_ms()) / 1000 / clock.speed)
            seconds = at_once if seconds is None else min(seconds, at_once)
        with suppress(TimeoutError):
            async with asyncio.timeout(None if seconds is None else max(seconds, 0.001)):
                await self._news.wait()

    def _now_ms(self) -> int:
        return self.sender.clock.now_ms()


async def write_together(desks: Iterable[Desk], pages: Pages, page: Page) -> None:
    """What was taken up at these desks stands in the books, in one transaction with `page`, when this returns."""
    async with AsyncExitStack() as locks:
        # In one order, so that no two wait for each other.
        ordered = sorted(desks, key=lambda desk: desk.symbol)
        for desk in ordered:
            await locks.enter_async_context(desk.lock)
        sheets = [(desk, desk.sheet()) for desk in ordered]
        drawn_up = [(sheet.page, sheet.told) for _, sheet in sheets if sheet.page is not None]
        await pages.write(
            merged([page, *(one for one, _ in drawn_up)]), [event for _, told in drawn_up for event in told]
        )
        for desk, sheet in sheets:
            desk.written(sheet)


def _key(errand: Errand) -> _Key:
    return ("fetch", errand.subject) if isinstance(errand, Fetch) else ("order", errand.order.client_id)


def _rest_key(errand: Errand) -> _Key:
    """A cancellation that is refused rests; questions for the same order do not."""
    return ("cancel", errand.order.client_id) if isinstance(errand, Cancel) else _key(errand)


def _belongs(trade: Trade, errand: Errand) -> bool:
    return not isinstance(errand, Fetch) and any(one.client_id == errand.order.client_id for one in trade.orders)
