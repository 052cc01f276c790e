"""From a signal, or a person's wish, to a trade whose entry is meant; or to the document that says why not. Each exactly once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import msgspec

from libs.contracts.event import Event
from libs.contracts.signals import SignalScored
from libs.kit.errors import UnreachableError
from libs.trading.execution.admission import objection
from libs.trading.execution.books import Page, Place
from libs.trading.execution.document import CloseWish, Trade
from libs.trading.execution.entry import EntryTerms, Naming, entered
from libs.trading.execution.facts import CloseWished
from libs.trading.execution.wish import EntryWish, Refusal, refusal, refused, refused_wish, unusable, wish_of
from libs.trading.filters import SymbolFilters
from libs.trading.sizing import Stake, position_size
from services.executor.desk import Desk, write_together
from services.executor.intake import Came
from services.executor.permission import Permission
from services.executor.ports import Ports
from services.executor.telling import Teller
from services.executor.terms import Terms


def warm_up() -> None:
    """Load what sizes were compiled to, so that the first signal does not wait for it."""
    one = Decimal(1)
    filters = SymbolFilters("WARMUP", tick=Decimal("0.1"), quantity_step=Decimal("0.001"))
    position_size(Stake(one, Decimal(100)), Decimal(100), Decimal(99), filters)


@dataclass(slots=True)
class _Batch:
    """Of signals that came together: refused trades, symbols with trades that were taken up, and how far it goes."""

    refusals: list[Trade] = field(default_factory=list)
    symbols: set[str] = field(default_factory=set)
    offsets: dict[Place, int] = field(default_factory=dict)


@dataclass(slots=True)
class Entering:
    """`ended`: ids of trades that are over; `available`: what may be used for new positions, quote units, None while unknown;
    `desk_of`: the desk of a symbol."""

    ports: Ports
    permission: Permission
    teller: Teller
    terms: Terms
    naming: Naming
    desk_of: Callable[[str], Desk]
    trades: Callable[[], Mapping[str, Trade]]
    ended: set[str] = field(default_factory=set)
    available: Decimal | None = None

    async def take(self, records: Sequence[tuple[Event | None, Came]]) -> None:
        """Signals of one partition, in order. When this returns, each of them is in the books."""
        readable_ms = self.ports.clock.now_ms()
        batch = _Batch()
        for event, came in records:
            if not isinstance(event, SignalScored) or event.state != "emitted" or self._is_unusable(event):
                batch.offsets[came.place] = came.next_offset
                continue
            if (taken_up := self.trades().get(event.event_id)) is not None:
                # Read again: its trade may not have been written yet, and stands where its place does.
                batch.symbols.add(taken_up.symbol)
            elif not await self._is_known(event):
                if self._asks_the_venue(event):
                    # Who is decided on does not wait for that.
                    await self._written(batch)
                found = await self._decided(event, readable_ms)
                if found.is_final:
                    batch.refusals.append(found)
                else:
                    # Nothing is waited for since the decision: whoever is decided on meanwhile would be let into the symbol.
                    self.desk_of(found.symbol).take_up(found)
                    batch.symbols.add(found.symbol)
            batch.offsets[came.place] = came.next_offset
        await self._written(batch)

    def _asks_the_venue(self, signal: SignalScored) -> bool:
        """Whether leverage and margin type of the symbol are to be asked for before the signal is entered."""
        config = self.permission.config
        if self.terms.fits(signal.symbol, config):
            return False
        wish = wish_of(signal, config, self.ports.clock.now_ms())
        return not isinstance(wish, Refusal) and self._objection(wish) is None

    async def _written(self, batch: "_Batch") -> None:
        """The batch is in the books, trades with their place and everything before it, in one transaction, before this begins
        anything. It is empty then. Where a later signal of the batch had to wait, a trade's own desk may have written and begun
        it already, without its place: read again, the signal is known by its trade."""
        if batch.symbols:
            page, told = self._page_of(batch.refusals, Page(offsets=dict(batch.offsets)))
            await write_together([self.desk_of(symbol) for symbol in batch.symbols], self.permission.pages, page)
            self._kept(batch.refusals, told)
        elif batch.refusals:
            await self.keep_refused(batch.refusals, Page(offsets=dict(batch.offsets)))
        else:
            self.permission.pages.remember(batch.offsets)
        batch.symbols.clear()
        batch.refusals.clear()
        batch.offsets.clear()

    async def keep_refused(self, trades: Sequence[Trade], page: Page) -> None:
        """Trades that were over from their beginning, with what else is to be written."""
        whole, told = self._page_of(trades, page)
        await self.permission.pages.write(whole)
        self._kept(trades, told)

    def _page_of(self, trades: Sequence[Trade], page: Page) -> tuple[Page, list[Event]]:
        """The page with refused trades, and what is told of them once it stands."""
        said = [self.teller.tell(None, trade) for trade in trades]
        events = [*page.events, *(event for one in said for event in one.kept)]
        whole = replace(page, trades=(*page.trades, *trades), events=events)
        return whole, [event for one in said for event in one.told]

    def _kept(self, trades: Sequence[Trade], told: Sequence[Event]) -> None:
        self.ended |= {trade.trade_id for trade in trades}
        if told:
            self.ports.outlet.publish(told)
            self.permission.pages.told.set()

    def _is_unusable(self, signal: SignalScored) -> bool:
        if (why := unusable(signal)) is None:
            return False
        warning = self.teller.warning("a signal was passed over", why, self.ports.clock.now_ms())
        self.ports.outlet.publish([warning])
        return True

    async def _is_known(self, signal: SignalScored) -> bool:
        """Of one that is too old to be entered, only the books know whether it was told here before."""
        if signal.event_id in self.ended:
            return True
        valid_ms = self.permission.config.signal_valid_seconds * 1000
        if self.ports.clock.now_ms() <= signal.event_time_ms + valid_ms:
            return False
        while True:
            try:
                return await self.ports.books.has_trade(signal.event_id)
            except UnreachableError:
                await self.permission.pages.pause_in_trouble()

    async def _decided(self, signal: SignalScored, readable_ms: int) -> Trade:
        await self._leave_opposite(signal)
        now_ms, account = self.ports.clock.now_ms(), self.naming.account
        wish = wish_of(signal, self.permission.config, now_ms)
        if isinstance(wish, Refusal):
            return refused(signal, account, wish, now_ms)
        try:
            found = await self.decide(wish)
        except ArithmeticError as error:  # Numbers that nobody can calculate with, as a price of 0.
            found = refusal("not_supported", f"its numbers: {type(error).__name__}")
        if isinstance(found, Refusal):
            return refused(signal, account, found, self.ports.clock.now_ms())
        return msgspec.structs.replace(found, times=msgspec.structs.replace(found.times, readable_ms=readable_ms))

    async def decide(self, wish: EntryWish) -> Trade | Refusal:
        """A trade whose entry is meant, or why there is none."""
        config, clock = self.permission.config, self.ports.clock
        why = self._objection(wish)
        if why is not None:
            return why
        if not await self.terms.bring(wish.symbol, config):
            return refusal("leverage_mismatch", wish.symbol)
        # The venue may have taken its time to answer.
        if (why := self._objection(wish)) is not None:
            return why
        filters, quote = self.ports.market.filters(wish.symbol), self.ports.market.quote(wish.symbol)
        if filters is None or quote is None:
            return refusal("not_ready", f"{wish.symbol} does not trade at the order venue")
        if self.available is None:
            return refusal("not_ready", "the account's balance is not known yet")
        fees = self.terms.fees_of(wish.symbol)
        terms = EntryTerms(filters, quote.price, self.available, fees.taker, fees.maker)
        found = entered(wish, config, terms, self.naming, clock.now_ms())
        if isinstance(found, Trade) and found.quantity * quote.price > self.terms.known[wish.symbol].most_notional > 0:
            return refusal("over_notional", f"the venue allows {self.terms.known[wish.symbol].most_notional}")
        return found

    def refused(self, wish: EntryWish, why: Refusal) -> Trade:
        """The document of a person's wish that is not entered."""
        return refused_wish(wish, self.naming.account, why, self.ports.clock.now_ms())

    def _objection(self, wish: EntryWish) -> Refusal | None:
        clock = self.ports.clock
        quote = self.ports.market.quote(wish.symbol)
        return objection(wish, self.permission.config, self.permission.standing(), quote, clock.now_ms())

    async def _leave_opposite(self, signal: SignalScored) -> None:
        """A signal against what is open closes it, where its strategy says so: also one that is too old to be entered, or of
        what may not trade any more, because its strategy has turned all the same. Not one from before the trade's own.

        The close is in the books before the signal is: whoever dies between the two decides on the signal again.
        """
        if signal.on_opposite_signal != "close" or signal.direction == "none":
            return
        for trade in list(self.trades().values()):
            is_against = trade.symbol == signal.symbol and trade.direction != signal.direction
            is_later = signal.event_time_ms > trade.times.signal_ms
            if is_against and is_later and trade.strategy == signal.strategy:
                wish = CloseWish(reason="opposite_signal", since_ms=self.ports.clock.now_ms(), wish_id=signal.event_id)
                await self.desk_of(signal.symbol).change(trade.trade_id, [CloseWished(wish)], Page())
