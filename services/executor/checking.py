"""The checklist, gone through at the start and every minute: what has to be in order before an account is entered."""

from collections.abc import Callable
from dataclasses import dataclass, field

from libs.exchanges.errors import VenueError
from libs.exchanges.trading import KeyRights
from libs.kit.logging import get_logger
from libs.trading.execution.checklist import AccountFacts, Check, CheckName, Rights, SymbolFacts, checklist
from services.executor.permission import APART, Permission
from services.executor.ports import Ports
from services.executor.terms import Terms

EVERY_SECONDS = 60.0
FEES_SECONDS, MOST_FEES = 6 * 3600.0, 5
"""The account's rates change with its level, once a day; so many symbols are asked for at once: each costs 20 of weight."""
_LOGGER = get_logger("executor.checking")


@dataclass(slots=True)
class Checking:
    """`production_trouble`: why the account's owner has not enabled production; `busy`: symbols that are held."""

    ports: Ports
    permission: Permission
    terms: Terms
    production_trouble: Callable[[], str | None]
    _tried: dict[str, tuple[int, float]] = field(default_factory=dict)
    _fees_asked: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Go through it until cancelled."""
        clock, options = self.ports.clock, self.permission.pages.options
        while True:
            checks = await self.look()
            # What is asked elsewhere, each time anew, is no reason to ask all of this again.
            failed = [check for check in checks if check.state == "failed" and check.name not in APART]
            if failed and self.permission.checks != checks:
                _LOGGER.warning("not in order", problems=[f"{check.name}: {check.sentence}" for check in failed])
            self.permission.checks = checks
            goes_on = await self._read_fees()
            pause = options.reconcile_seconds if failed or goes_on else EVERY_SECONDS
            await clock.sleep(pause * clock.speed)

    async def look(self) -> tuple[Check, ...]:
        """The whole list now."""
        return checklist(await self._facts(), self.permission.config)

    async def _facts(self) -> AccountFacts:
        unread: dict[CheckName, str] = {}
        hedged = assets = may_trade = None
        try:
            terms = await self.ports.venue.account_terms()
            hedged, assets, may_trade = terms.is_hedged, terms.is_multi_assets, terms.can_trade
        except VenueError as error:
            unread |= dict.fromkeys(("trading_allowed", "one_way_mode", "single_asset_mode"), str(error))
        rights = None
        try:
            rights = _rights(await self.ports.venue.key_rights())
        except VenueError as error:
            unread["key_rights"] = str(error)
        compared = self.permission.compared
        return AccountFacts(
            mode="production" if self.permission.pages.options.mode == "production" else "demo",
            production_trouble=self.production_trouble(),
            clock_error_ms=0 if self.ports.clock.is_known else None,
            may_trade=may_trade,
            is_hedged=hedged,
            is_multi_assets=assets,
            rights=rights,
            symbols={name: await self._symbol(name, unread) for name in self._meant()},
            findings=None if compared is None else compared.findings,
            unread=unread,
        )

    async def _read_fees(self) -> bool:
        """Of symbols that may be traded, those first that were never asked for; whether there are more. Without an answer the
        usual rates count."""
        now = self.ports.clock.monotonic()
        asked = {name: self._fees_asked.get(name, float("-inf")) for name in self._meant()}
        due = sorted((name for name in asked if now - asked[name] >= FEES_SECONDS), key=lambda name: asked[name])
        for name in due[:MOST_FEES]:
            try:
                await self.terms.read_fees(name)
                self._fees_asked[name] = now
            except VenueError as error:
                _LOGGER.warning("the account's fees cannot be read", symbol=name, why=str(error))
                return False
        return len(due) > MOST_FEES

    def _meant(self) -> list[str]:
        config = self.permission.config
        return sorted(name for name in {*self.ports.market.symbols, *config.symbols} if config.may_trade(name))

    async def _symbol(self, name: str, unread: dict[CheckName, str]) -> SymbolFacts:
        """Made as configured, where nothing is held that forbids it."""
        is_open, config = name in self.permission.busy, self.permission.config
        try:
            if config.strategies and not is_open:
                if self._is_due(name) and not await self.terms.bring(name, config):
                    self._rest(name)
            elif name not in self.terms.known and self._is_due(name):
                await self.terms.read(name)
        except VenueError as error:
            unread["terms"] = str(error)
            self._rest(name)
        known = self.terms.known.get(name)
        return SymbolFacts(
            status=self.ports.market.statuses().get(name),
            filters=self.ports.market.filters(name),
            leverage=known.leverage if known else None,
            margin_type=known.margin_type if known else None,
            is_open=is_open,
        )

    def _is_due(self, name: str) -> bool:
        version, until = self._tried.get(name, (-1, 0.0))
        return version != self.permission.config.version or self.ports.clock.monotonic() >= until

    def _rest(self, name: str) -> None:
        """What the venue does not let be set is tried once a minute: each try costs weight, and symbols may be many."""
        self._tried[name] = (self.permission.config.version, self.ports.clock.monotonic() + EVERY_SECONDS)


def _rights(rights: KeyRights) -> Rights:
    return Rights(rights.may_trade, rights.may_withdraw, rights.may_transfer, rights.is_bound_to_addresses)
