"""What the doctor finds at an account: asked of the venue, of the one that signals come from, and of the executor's books."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from libs.exchanges import Ticker
from libs.exchanges.account import Account, open_account, production_trouble
from libs.exchanges.budget import Priority
from libs.exchanges.decimals import finite_decimal
from libs.exchanges.errors import VenueError
from libs.exchanges.filters import symbol_filters
from libs.exchanges.pictures import AccountView
from libs.exchanges.venue import known_instruments, open_venue
from libs.kit.errors import BadMessage, UnreachableError, UserError
from libs.kit.settings import AccountSettings, VenueSettings
from libs.store.live_documents import BooksNow, books_now
from libs.streaming.strategies.log import Standing, read_standing
from libs.trading.execution.checklist import AccountFacts, CheckName, Rights, StrategyState, SymbolFacts
from libs.trading.execution.client_ids import ACCOUNT_LETTERS, INSTALLATION_LETTERS, letters_of
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.findings import Finding
from libs.trading.execution.reconciliation import FindingKey, OurSide, Reconciled
from services.console.strategy_state import states

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

ANSWER_SECONDS = 15.0
MOST_LOOKS = 5
"""Where others trade all the time, something always differs: after so many looks what is found counts."""


@dataclass(frozen=True, slots=True)
class Patient:
    """Whom the doctor looks at. `installation`: the name in this machine's file, "" without one; `symbols`: those followed;
    `kafka`: the broker that says which strategies are in force."""

    account: AccountSettings
    venue: VenueSettings
    installation: str
    symbols: tuple[str, ...]
    kafka: str


@dataclass(frozen=True, slots=True)
class DataPrices:
    """Last prices of the venue that signals come from; `age_ms` None: it does not say when they were so."""

    prices: Mapping[str, Decimal]
    age_ms: int | None


@dataclass(slots=True)
class Examination:
    """One visit. What cannot be read is written down by the check that it is for, and the others go on."""

    patient: Patient
    unread: dict[CheckName, str] = field(default_factory=dict)

    async def facts(self, engine: "AsyncEngine") -> tuple[AccountFacts, LiveConfig]:
        """Everything that the checklist wants, and what may trade. Raises `UserError` where the account cannot be opened."""
        books, data = await self._books(engine), await self._data_side()
        config = books.config if books is not None else LiveConfig()
        try:
            async with asyncio.timeout(ANSWER_SECONDS) as patience:
                async with open_account(self.patient.account, self.patient.venue) as account:
                    patience.reschedule(None)
                    return await self._asked(account, books, data), config
        except TimeoutError:
            raise UnreachableError(
                "the venue of the account does not answer",
                where="PERPSTREAM_ORDER_REST_URL",
                todo="check the address and the network; on the simulator, `perpstream up`",
            ) from None

    async def _asked(self, account: Account, books: BooksNow | None, data: DataPrices) -> AccountFacts:
        config = books.config if books is not None else LiveConfig()
        names = sorted(name for name in {*self.patient.symbols, *config.symbols} if config.may_trade(name))
        error_ms = await self._read("clock", _clock_error(account))
        terms = await self._read(
            ("trading_allowed", "one_way_mode", "single_asset_mode"), account.trading.account_terms()
        )
        rights = await self._read("key_rights", account.trading.key_rights())
        facts = AccountFacts(
            mode="production" if self.patient.account.execution_mode == "production" else "demo",
            production_trouble=production_trouble(self.patient.account),
            clock_error_ms=error_ms,
            may_trade=terms.can_trade if terms is not None else None,
            is_hedged=terms.is_hedged if terms is not None else None,
            is_multi_assets=terms.is_multi_assets if terms is not None else None,
            rights=Rights(rights.may_trade, rights.may_withdraw, rights.may_transfer, rights.is_bound_to_addresses)
            if rights is not None
            else None,
            symbols=await self._symbols(account, names, data),
            findings=await self._findings(account, books) if books is not None else None,
            strategies=await self._strategies() if config.strategies else None,
        )
        return replace(facts, unread=self.unread)

    async def _read(self, check: CheckName | tuple[CheckName, ...], question: Awaitable[Any]) -> Any:
        """The answer; None, and why, where there is none."""
        try:
            return await question
        except (VenueError, UserError, BadMessage, TimeoutError) as error:
            for name in (check,) if isinstance(check, str) else check:
                self.unread[name] = str(error) or "no answer in time"
            return None

    async def _books(self, engine: "AsyncEngine") -> BooksNow | None:
        found: BooksNow | None = await self._read("reconciliation", books_now(engine, self.patient.account.account))
        return found

    async def _strategies(self) -> dict[str, StrategyState] | None:
        question = asyncio.wait_for(read_standing(self.patient.kafka), ANSWER_SECONDS)
        standing: Standing | None = await self._read("strategies_in_force", question)
        return states(standing) if standing is not None else None

    async def _data_side(self) -> DataPrices:
        """Last prices of the venue that signals come from."""

        async def ask() -> DataPrices:
            async with open_venue(self.patient.venue) as venue:
                market = venue.market_data.at(Priority.GAPS, ANSWER_SECONDS)
                now_ms = (await market.read_clock()).venue_ms
                return data_prices(await market.last_prices(), now_ms)

        found: DataPrices | None = await self._read("prices", asyncio.wait_for(ask(), ANSWER_SECONDS))
        return found or DataPrices({}, None)

    async def _symbols(self, account: Account, names: Iterable[str], data: DataPrices) -> dict[str, SymbolFacts]:
        market = account.market_data.at(Priority.GAPS, ANSWER_SECONDS)
        wanted = list(names)
        unknown: dict[str, str] = {}

        def miss(name: str, error: UserError) -> None:
            unknown[name] = f"{error.advice.what}: {error.advice.todo}"

        instruments = await self._read("filters", known_instruments(market, wanted, miss)) or {}
        prices = _prices(await self._read("prices", market.last_prices()) or {})
        held = {one.symbol for one in await self._read("terms", account.trading.positions()) or () if one.amount}
        found = {}
        for name in wanted:
            instrument = instruments.get(name)
            terms = await self._read("terms", account.trading.symbol_terms(name)) if instrument is not None else None
            found[name] = SymbolFacts(
                status=instrument.status if instrument is not None else None,
                filters=symbol_filters(instrument) if instrument is not None else None,
                leverage=terms.leverage if terms is not None else None,
                margin_type=terms.margin_type if terms is not None else None,
                is_open=name in held,
                data_price=data.prices.get(name),
                data_price_age_ms=data.age_ms,
                order_price=prices.get(name),
                unknown=unknown.get(name, ""),
            )
        return found

    async def _findings(self, account: Account, books: BooksNow) -> tuple[Finding, ...] | None:
        """A second look where the first one found something: what is late news is gone then."""
        ours = OurSide(
            account_letters=letters_of(self.patient.account.account, ACCOUNT_LETTERS),
            installation_letters=letters_of(self.patient.installation, INSTALLATION_LETTERS),
            trades=books.trades,
            ended=books.ended,
            config=books.config,
        )
        view = AccountView(account.trading, account.clock.now_ms)

        async def look(suspected: Mapping[FindingKey, int]) -> Reconciled:
            return await view.compare(lambda: ours, suspected, thorough=True)

        async def wait_until(at_ms: int) -> None:
            await account.clock.sleep((at_ms - account.clock.now_ms() + 1) / 1000)

        answer: tuple[Finding, ...] | None = await self._read("reconciliation", sure_findings(look, wait_until))
        return answer


async def sure_findings(
    look: Callable[[Mapping[FindingKey, int]], Awaitable[Reconciled]], wait_until: Callable[[int], Awaitable[None]]
) -> tuple[Finding, ...]:
    """What is found once nothing new is suspected, or after `MOST_LOOKS`. `look` is given what was suspected before."""
    found = await look({})
    for _ in range(MOST_LOOKS - 1):
        if found.look_again_ms is None:
            break
        await wait_until(found.look_again_ms)
        found = await look(found.suspected)
    return found.findings


def data_prices(tickers: Mapping[str, Ticker], now_ms: int) -> DataPrices:
    """`now_ms`: the venue's time right before they were asked for. A symbol that is rarely traded has a good price all the same:
    so the age is that of the newest trade of the whole venue, which says whether it still lives."""
    newest_ms = max((ticker.time for ticker in tickers.values()), default=0)
    return DataPrices(_prices(tickers), max(0, now_ms - newest_ms) if newest_ms else None)


async def _clock_error(account: Account) -> int:
    """Our reading of the venue's clock less a fresh answer, corrected by half of the round trip (ms)."""
    reading = await account.market_data.at(Priority.GAPS, ANSWER_SECONDS).read_clock()
    since = time.monotonic() - (reading.asked + reading.answered) / 2
    return account.clock.now_ms() - reading.venue_ms - int(since * 1000 * account.clock.speed)


def _prices(tickers: Mapping[str, Any]) -> dict[str, Decimal]:
    return {name: finite_decimal(ticker.price) for name, ticker in tickers.items()}
