"""The executor of one account: its books, its desks, and who hears what; the same on a real venue and on a virtual clock.

Everything that it needs comes in as ports. It ends with an exception when the account is no longer its own, or when anything
fails that it was not made for: starting again is how it recovers.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from libs.contracts.event import Event
from libs.contracts.trading import RiskStateChanged
from libs.exchanges.user_events import UserEvent
from libs.kit.logging import get_logger
from libs.trading.command_check import TrustedKeys
from libs.trading.execution.books import Kept, Page, Place
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import Trade
from libs.trading.execution.entry import Naming
from libs.trading.execution.facts import Restarted
from services.executor.afterwards import Afterwards, Worth
from services.executor.checking import Checking
from services.executor.desk import Desk
from services.executor.entering import Entering, warm_up
from services.executor.hearing import Hearing
from services.executor.intake import Came
from services.executor.obeying import Obeying
from services.executor.options import Options
from services.executor.pages import Pages
from services.executor.permission import Permission
from services.executor.ports import Ports
from services.executor.reconciling import Reconciling
from services.executor.reporting import Reporting
from services.executor.sending import Sender
from services.executor.statements import Statements
from services.executor.telling import Teller
from services.executor.terms import Terms
from services.executor.wishes import Wishes

_LOGGER = get_logger("executor")


def _no_trouble() -> str | None:
    return None


@dataclass(slots=True)
class Executor:
    """`ready` is set when books and venue have been compared for the first time (`compared`), and the statement was read after
    that: then signals may come. `keys`: whose commands count; `production_trouble`: why the account's owner has not enabled
    production; `worth`: what an asset was worth that is not the quote's; None: nobody can tell.
    """

    ports: Ports
    options: Options
    keys: TrustedKeys
    config: LiveConfig = field(default_factory=LiveConfig)
    production_trouble: Callable[[], str | None] = _no_trouble
    worth: Worth | None = None
    compared: asyncio.Event = field(default_factory=asyncio.Event)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    pages: Pages = field(init=False)
    permission: Permission = field(init=False)
    terms: Terms = field(init=False)
    teller: Teller = field(init=False)
    entering: Entering = field(init=False)
    obeying: Obeying = field(init=False)
    reconciling: Reconciling = field(init=False)
    hearing: Hearing = field(init=False)
    afterwards: Afterwards = field(init=False)
    statements: Statements = field(init=False)
    desks: dict[str, Desk] = field(default_factory=dict)
    kept: Kept | None = None
    _group: asyncio.TaskGroup | None = None

    def __post_init__(self) -> None:
        ports, options = self.ports, self.options
        self.pages = Pages(ports.books, ports.outlet, ports.clock, options)
        self.permission = Permission(self.pages, self.config, ports.market.quote)
        self.terms, self.teller = Terms(ports.venue), Teller(options.account)
        naming = Naming(options.account, options.installation)
        self.entering = Entering(ports, self.permission, self.teller, self.terms, naming, self.desk_of, self.trades)
        self.reconciling = Reconciling(
            ports, self.permission, self.entering, self.teller, self.desk_of, self.trades, self.compared
        )
        wishes = Wishes(ports, self.entering, self.desk_of, self.trades, self.reconciling.synchronise)
        self.obeying = Obeying(self.pages, self.teller, self.keys, wishes.effect_of, self._configured, self._spawn)
        self.afterwards = Afterwards(self.pages, self.teller, self.desk_of, self.trades, self.worth)
        self.statements = Statements(ports, self.pages, self.afterwards, self.ready)
        self.hearing = Hearing(
            self.desks,
            self.permission,
            self.terms,
            lambda: self.reconciling.want(thorough=True),
            self.statements.want,
            self._warn,
        )

    async def run(self) -> None:
        """Wait for the lease, read the books, compare them with the venue, then work until cancelled. Raises `LeaseLost`."""
        warm_up()
        lease = await self.pages.acquire()
        self.kept = await self.ports.books.load(lease)
        _LOGGER.info("the account is ours", account=lease.account, epoch=lease.epoch, open_trades=len(self.kept.trades))
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self.pages.run())
            group.create_task(self.pages.keep_lease())
            self._restore(self.kept)
            group.create_task(Reporting(self.ports, self.permission, self.desks, self.trades).run())
            group.create_task(self.reconciling.run())
            group.create_task(self._read_statements())
            group.create_task(self.afterwards.run())
            checking = Checking(self.ports, self.permission, self.terms, self.production_trouble)
            group.create_task(checking.run())

    async def _read_statements(self) -> None:
        """Not before fills that were missed are booked: a line of the statement is told once, to whoever held the symbol."""
        await self.compared.wait()
        await self.statements.run()

    async def on_signals(self, records: Sequence[tuple[Event | None, Came]]) -> None:
        """Signals of one partition, in order; all of them are in the books when this returns."""
        await self.entering.take(records)

    async def on_signal(self, event: Event, came: Came) -> None:
        """One signal."""
        await self.on_signals([(event, came)])

    async def on_commands(self, records: Sequence[tuple[Event | None, Came]]) -> None:
        """Commands, in order."""
        await self.obeying.take(records)

    async def on_command(self, event: Event, came: Came) -> None:
        """One command."""
        await self.on_commands([(event, came)])

    def on_risk_state(self, event: RiskStateChanged) -> None:
        """The guard has said something; an older word than is known counts no more, unless the known one is of a time to come:
        then its clock was wrong, and whatever it says since would not be heard."""
        known, latest_ms = self.permission.guard, self.permission.latest_word_ms()
        if event.account != self.options.account:
            return
        if known is not None and event.event_time_ms < known.event_time_ms <= latest_ms:
            return
        self.permission.guard = event
        self._keep_break(event)
        if known is None or known.level != event.level:
            for desk in self.desks.values():
                desk.look()

    def on_user_open(self) -> None:
        """The account is heard."""
        self.hearing.on_user_open()

    def on_user_events(self, events: Sequence[UserEvent]) -> None:
        """The account has changed."""
        self.hearing.on_user_events(events)

    def on_user_close(self, reason: str) -> None:
        """The account is not heard any more."""
        self.hearing.on_user_close(reason)

    def trades(self) -> Mapping[str, Trade]:
        """Every trade that is not over, by its id."""
        return {name: trade for desk in self.desks.values() for name, trade in desk.trades.items()}

    def desk_of(self, symbol: str) -> Desk:
        """The symbol's desk, which is made when it is first asked for."""
        if (found := self.desks.get(symbol)) is not None:
            return found
        assert self._group is not None, "the executor runs"
        sender = Sender(self.ports.venue, self.ports.clock, symbol)
        desk = Desk(
            sender, self.pages, self.teller, self.permission.permits, self._begun, self._ended, self._group.create_task
        )
        self.desks[symbol] = desk
        self._group.create_task(desk.run())
        return desk

    @property
    def offsets(self) -> Mapping[Place, int]:
        """Where reading goes on."""
        return self.kept.offsets if self.kept is not None else {}

    def _restore(self, kept: Kept) -> None:
        """What the books hold is told again: whoever was before us may have died before it could."""
        self.permission.config = kept.config or self.config
        self.entering.ended = set(kept.ended)
        self.obeying.nonces = dict(kept.nonces)
        self.statements.until_ms = kept.statement_until_ms
        self.permission.broke = kept.guard_broke
        self.permission.listening_until = self.ports.clock.monotonic() + self.options.guard_listen_seconds
        if self.permission.guard is not None:
            self._keep_break(self.permission.guard)
        now_ms = self.ports.clock.now_ms()
        for trade in kept.lately:
            self._rest(trade)
            self.ports.outlet.publish(self.teller.tell(None, trade).told)
        for trade in kept.trades:
            desk = self.desk_of(trade.symbol)
            desk.restore(trade)
            self.permission.busy.add(trade.symbol)
            self.ports.outlet.publish(self.teller.tell(None, trade).told)
            desk.hear(trade.trade_id, [Restarted(now_ms)])

    def _keep_break(self, event: RiskStateChanged) -> None:
        """A break and its end are kept in the books: who starts while no broker answers knows of it."""
        permission, broke = self.permission, event.level == "circuit_break"
        if self._group is None or self.kept is None or broke == permission.broke:
            return
        permission.broke = broke
        kept = self.teller.broke(event, self.ports.clock.now_ms())
        self._group.create_task(self.pages.write(Page(events=(kept,))))

    def _begun(self, trade: Trade) -> None:
        self.permission.busy.add(trade.symbol)
        self.reconciling.touch(trade.symbol)

    def _ended(self, trade: Trade) -> None:
        self.entering.ended.add(trade.trade_id)
        self.permission.busy.discard(trade.symbol)
        self.reconciling.touch(trade.symbol)
        self._rest(trade)

    def _rest(self, trade: Trade) -> None:
        """A symbol that was traded rests for a while; what becomes known of the trade is still heard."""
        self.afterwards.keep(trade)
        if trade.fills and trade.is_final:
            ended_ms = trade.history[-1].time_ms + self.permission.config.cooldown_seconds * 1000
            cooling = self.permission.cooling
            cooling[trade.symbol] = max(ended_ms, cooling.get(trade.symbol, 0))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._group is not None, "the executor runs"
        self._group.create_task(work)

    def _configured(self, config: LiveConfig) -> None:
        self.permission.config = config
        _LOGGER.info("what may trade has changed", version=config.version)
        for desk in self.desks.values():
            desk.look()

    def _warn(self, title: str, detail: str) -> None:
        self.ports.outlet.publish([self.teller.warning(title, detail, self.ports.clock.now_ms())])
