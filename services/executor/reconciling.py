"""Books and venue, compared every ten seconds, after each reconnection, and when something is heard that nobody knows."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from libs.contracts.identity import digest
from libs.exchanges.backoff import Backoff
from libs.exchanges.errors import VenueError
from libs.exchanges.pictures import AccountView
from libs.exchanges.trading import OrderRefused, OutcomeUnknown
from libs.kit.logging import get_logger
from libs.trading.execution.adoption import Adoption, adopted_trade
from libs.trading.execution.books import LiveEvent, Page
from libs.trading.execution.client_ids import ACCOUNT_LETTERS, INSTALLATION_LETTERS, letters_of
from libs.trading.execution.document import Trade
from libs.trading.execution.findings import Finding
from libs.trading.execution.levels import rules_of
from libs.trading.execution.reconciliation import FindingKey, OurSide, Reconciled
from libs.trading.execution.strays import Stray
from services.executor.desk import Desk
from services.executor.entering import Entering
from services.executor.obeying import Answer
from services.executor.permission import Permission
from services.executor.ports import Ports
from services.executor.telling import Teller

SOONEST_SECONDS = 0.5
"""Two comparisons are at least so far apart, and ever further while something goes on asking for them."""
LONGEST_TROUBLE_SECONDS = 5.0
"""Between two attempts to compare while the venue does not answer: each costs at least a sixtieth of its limit of a minute."""
TOUCHED_SECONDS = 240.0
"""So long after a trade of a symbol has begun or ended orders of it are read each time."""
MOST_LOOKS = 5
"""Of a person's `sync`: where others trade all the time there is always something new, and the person waits for the answer."""
_LOGGER = get_logger("executor.reconciling")


@dataclass(slots=True)
class Reconciling:
    """`compared` is set once they were; `suspected`: what differed in the last comparison, to be looked at again."""

    ports: Ports
    permission: Permission
    entering: Entering
    teller: Teller
    desk_of: Callable[[str], Desk]
    trades: Callable[[], Mapping[str, Trade]]
    compared: asyncio.Event
    suspected: Mapping[FindingKey, int] = field(default_factory=dict)
    _known: frozenset[FindingKey] = frozenset()
    _thorough: bool = True
    _touched: dict[str, float] = field(default_factory=dict)
    _conditionals_at: float = float("-inf")
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    def want(self, thorough: bool = False) -> None:
        """Compare soon; `thorough` after something may have been missed."""
        self._thorough |= thorough
        self._wanted.set()

    def touch(self, symbol: str) -> None:
        """A trade of the symbol begins or ends: what rests there is looked at for a while."""
        self._touched[symbol] = self.ports.clock.monotonic()

    async def run(self) -> None:
        """Compare until cancelled. A venue that does not answer is asked again, ever less often; entries wait for it."""
        clock, options, rest = self.ports.clock, self.permission.pages.options, SOONEST_SECONDS
        trouble = Backoff(options.trouble_pause_seconds, LONGEST_TROUBLE_SECONDS)
        while True:
            seconds = options.reconcile_seconds
            try:
                found = await self.compare()
            except VenueError as error:
                _LOGGER.warning("the account cannot be compared with the books", why=str(error))
                seconds = trouble.next_seconds()
            else:
                trouble.reset()
                if found.look_again_ms is not None:
                    seconds = min(seconds, max(0.0, (found.look_again_ms - clock.now_ms()) / 1000 / clock.speed))
            rest = next_rest(rest, await self._wait(max(seconds, rest), rest), options.reconcile_seconds)

    async def _wait(self, seconds: float, rest: float) -> bool:
        """Whether a comparison was asked for before it was due."""
        clock = self.ports.clock
        await clock.sleep(rest * clock.speed)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.001, seconds - rest)):
                await self._wanted.wait()
        asked = self._wanted.is_set()
        self._wanted.clear()
        return asked

    async def compare(self) -> Reconciled:
        """Once, to the end: facts are heard by the desks, orphans are cancelled, what differs is told. Raises `VenueError`."""
        async with self._one_at_a_time:
            thorough, self._thorough = self._thorough, False
            began, options = self.ports.clock.monotonic(), self.permission.pages.options
            among = None if thorough else self._among()
            everywhere = among is None or began - self._conditionals_at >= options.conditionals_seconds
            try:
                found = await self._view().compare(
                    self._ours, self.suspected, thorough=thorough, among=among, all_conditionals=everywhere
                )
                balances = await self.ports.venue.balances()
            except VenueError:
                self._thorough |= thorough
                raise
            self._conditionals_at = began if everywhere else self._conditionals_at
            self.suspected = found.suspected
            quote = [one.available for one in balances if one.asset in self.ports.market.quote_assets]
            self.entering.available = max(quote, default=None)
            await self._apply(found)
            self.compared.set()
            return found

    async def synchronise(self) -> Answer:
        """What a person's `sync` does: two looks, so that a difference is sure, and what they found."""
        clock = self.ports.clock
        try:
            self._thorough = True
            found = await self.compare()
            for _ in range(MOST_LOOKS - 1):
                if found.look_again_ms is None:
                    break
                await clock.sleep(max(0.0, (found.look_again_ms - clock.now_ms()) / 1000))
                self._thorough = True
                found = await self.compare()
        except VenueError as error:
            return Answer(False, f"the venue does not answer: {error}")
        lines = {str(number): _sentence(one) for number, one in enumerate(found.findings, 1)}
        count = "1 difference" if len(lines) == 1 else f"{len(lines)} differences"
        what = count if lines else "books and venue agree"
        return Answer(True, what, lines)

    def _among(self) -> set[str]:
        """The symbols in which anything is known, whose orders are read each time."""
        now = self.ports.clock.monotonic()
        self._touched = {symbol: at for symbol, at in self._touched.items() if now - at < TOUCHED_SECONDS}
        known = {trade.symbol for trade in self.trades().values()} | self._touched.keys()
        return known | {symbol for _, symbol, *_ in (*self.suspected, *self._known) if symbol}

    def _view(self) -> AccountView:
        return AccountView(self.ports.venue, self.ports.clock.now_ms, self.ports.market.statuses)

    def _ours(self) -> OurSide:
        naming = self.entering.naming
        return OurSide(
            account_letters=letters_of(naming.account, ACCOUNT_LETTERS),
            installation_letters=letters_of(naming.installation, INSTALLATION_LETTERS),
            trades=tuple(self.trades().values()),
            ended=frozenset(self.entering.ended),
            config=self.permission.config,
        )

    async def _apply(self, found: Reconciled) -> None:
        for trade_id, fact in found.facts:
            if (trade := self.trades().get(trade_id)) is not None:
                self.desk_of(trade.symbol).hear(trade_id, [fact])
        await self._tell(found.findings)
        self.permission.compared = found
        self.permission.looked = self.ports.clock.monotonic()
        if self.permission.is_clean:
            self.permission.agreed_ms = self.ports.clock.now_ms()
        for stray in found.cancels:
            await self._cancel(stray)
        for adoption in found.adoptions:
            await self._adopt(adoption)

    async def _tell(self, findings: tuple[Finding, ...]) -> None:
        """What is found anew: kept, and for what is more than news, said to people."""
        fresh = [one for one in findings if one.key not in self._known]
        self._known = frozenset(one.key for one in findings)
        now_ms, account = self.ports.clock.now_ms(), self.entering.naming.account
        kept = [
            LiveEvent(
                event_id=digest("finding", account, *one.key, now_ms),
                kind=f"found:{one.name}",
                time_ms=now_ms,
                detail={"symbol": one.symbol, "detail": one.detail, "severity": one.meaning.severity},
                trade_id=one.trade_id,
            )
            for one in fresh
            if one.name != "not_explained_yet"
        ]
        if kept:
            alerts = [self.teller.found(one, now_ms) for one in fresh if one.meaning.severity != "info"]
            await self.permission.pages.write(Page(events=kept), alerts)

    async def _cancel(self, stray: Stray) -> None:
        """It opens nothing, so it needs no page; one that cannot be cancelled now is found again."""
        if self.permission.pages.seconds_left <= 0:
            return
        try:
            if stray.is_conditional:
                await self.ports.venue.cancel_conditional(stray.client_id)
            else:
                await self.ports.venue.cancel(stray.symbol, stray.client_id)
        except (OrderRefused, OutcomeUnknown, VenueError) as error:
            _LOGGER.warning("an orphaned order cannot be cancelled", client_id=stray.client_id, why=str(error))
        else:
            _LOGGER.info("an orphaned order was cancelled", client_id=stray.client_id, symbol=stray.symbol)
            self.want()

    async def _adopt(self, adoption: Adoption) -> None:
        """A position that nobody here has opened gets a document, and with it a stop."""
        filters = self.ports.market.filters(adoption.symbol)
        if filters is None or self.desk_of(adoption.symbol).trades:
            return
        our = self._ours()
        names = (self.entering.naming.account, our.account_letters, our.installation_letters)
        fees = self.entering.terms.fees_of(adoption.symbol)
        trade = adopted_trade(adoption, names, rules_of(filters, fees.taker, fees.maker), self.permission.config)
        await self.desk_of(adoption.symbol).enter(trade, Page())


def next_rest(rest: float, asked: bool, longest: float) -> float:
    """How long the next comparison waits at least, seconds: a person who trades the account by hand would otherwise have every
    one of their fills looked into, until the request budget has nothing left for our own orders."""
    return min(2 * rest, longest) if asked else SOONEST_SECONDS


def _sentence(finding: Finding) -> str:
    return f"{finding.symbol or 'account'}: {finding.name.replace('_', ' ')}: {finding.detail}; {finding.meaning.done}"
