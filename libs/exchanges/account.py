"""From settings to an account at a venue: the key from the owner's folder, the hosts of its mode, a synchronised clock, clients.

The one place that decides where orders may go. What it needs is a folder and a network: neither a broker nor a database.
"""

import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp

from libs.exchanges import MarketData, MarketStreams
from libs.exchanges.binance import BinanceMarketData, BinanceStreams
from libs.exchanges.binance import urls as binance_urls
from libs.exchanges.binance.signing import KeyedHttpClient, SignedHttpClient
from libs.exchanges.binance.trading import BinanceTrading
from libs.exchanges.binance.user_stream import BinanceUserStream
from libs.exchanges.budget import Priority
from libs.exchanges.credentials import Credentials, read_credentials
from libs.exchanges.limiter import LIVE, Limiter, Turn, open_limiter
from libs.exchanges.trading import TradingVenue
from libs.exchanges.user_events import UserStreamHandler
from libs.exchanges.venue import addresses, first_answer, synchronise
from libs.kit.clock import SystemClock, VenueClock
from libs.kit.errors import ConfigurationError
from libs.kit.settings import AccountSettings, VenueSettings

KEY_FILE, PRODUCTION_FILE = "key.json", "production.enabled"
ORDER_TURN = Turn(Priority.POSITIONS, 1.0)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class OrderAddresses:
    """Base URLs, without paths."""

    rest: str
    websocket: str
    spot_rest: str


class UserStream(Protocol):
    """A supervised stream of what happens to the account."""

    async def run(self) -> None:
        """Keep it alive until cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class Account:
    """An account that may be asked and traded. `market_data` and `streams` are the order venue's, which need not be the venue
    that signals come from."""

    name: str
    addresses: OrderAddresses
    clock: VenueClock
    trading: TradingVenue
    market_data: MarketData
    streams: MarketStreams
    _keyed: KeyedHttpClient = field(repr=False)
    _turn: Turn = LIVE

    def user_stream(self, handler: UserStreamHandler) -> UserStream:
        """What the account is told; nothing is connected before its `run`."""
        address = self.addresses.websocket
        return BinanceUserStream(self._keyed, address, self.clock, handler, turn=self._turn)


def account_credentials(account: AccountSettings) -> Credentials:
    """The account's key. Raises `ConfigurationError` for a file that is missing, readable by others, or of another form."""
    return read_credentials(account_folder(account) / KEY_FILE)


def order_addresses(account: AccountSettings, venue: VenueSettings) -> OrderAddresses:
    """Where the mode's orders go; addresses that are set win. Raises `ConfigurationError` where they do not fit the mode: no keys
    on paper, no production host in demo, nothing unencrypted in production except on this machine, and no real money on the
    signals of a simulated market."""
    if account.execution_mode == "paper":
        raise ConfigurationError(
            "on paper there is no account at a venue",
            where="PERPSTREAM_EXECUTION_MODE",
            todo="set it to demo, or to production once `perpstream doctor trading` is satisfied",
        )
    ordinary = _ordinary(account, venue)
    found = OrderAddresses(
        account.order_rest_url or ordinary.rest,
        account.order_websocket_url or ordinary.websocket,
        account.order_spot_rest_url or ordinary.spot_rest,
    )
    named = {
        "PERPSTREAM_ORDER_REST_URL": (found.rest, "https"),
        "PERPSTREAM_ORDER_WEBSOCKET_URL": (found.websocket, "wss"),
        "PERPSTREAM_ORDER_SPOT_REST_URL": (found.spot_rest, "https"),
    }
    for variable, (url, scheme) in named.items():
        _check(account, variable, url, scheme)
    if account.execution_mode == "production" and venue.venue == "simulator" and not _is_here(found.rest):
        raise ConfigurationError(
            "real orders on the signals of a simulated market are refused",
            where="PERPSTREAM_VENUE",
            todo="set PERPSTREAM_VENUE=binance, or PERPSTREAM_EXECUTION_MODE=demo",
        )
    return found


def _ordinary(account: AccountSettings, venue: VenueSettings) -> OrderAddresses:
    if account.execution_mode == "production":
        return OrderAddresses(binance_urls.REST, binance_urls.WEBSOCKET, binance_urls.SPOT_REST)
    if venue.venue == "simulator":
        data = addresses(venue)
        return OrderAddresses(data.rest, data.websocket, data.spot_rest)
    return OrderAddresses(binance_urls.DEMO_REST, binance_urls.DEMO_WEBSOCKET, binance_urls.DEMO_SPOT_REST)


def _check(account: AccountSettings, variable: str, url: str, scheme: str) -> None:
    parts = urlsplit(url)
    plain = {"https": "http", "wss": "ws"}[scheme]
    if parts.scheme not in (scheme, plain) or not parts.hostname:
        raise ConfigurationError("an address is no URL", where=variable, todo=f"write {scheme}://HOST")
    if account.execution_mode == "demo" and _is_real(parts.hostname):
        raise ConfigurationError(
            "demo orders would go to a host where money is real",
            where=variable,
            todo="name a demo host, or leave it out",
        )
    if account.execution_mode == "production" and parts.scheme == plain and not _is_here(url):
        raise ConfigurationError(
            "in production requests have to be encrypted", where=variable, todo=f"write {scheme}://"
        )


def _is_real(host: str) -> bool:
    """Whether money is real there: production has several names in the venue's domain, and all others have `demo` in theirs."""
    of_venue = host == binance_urls.DOMAIN or host.endswith(f".{binance_urls.DOMAIN}")
    return of_venue and not host.startswith("demo-")


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname in _LOOPBACK


def account_folder(account: AccountSettings) -> Path:
    """Where the account's owner keeps its key."""
    return account.account_dir / account.account


def production_trouble(account: AccountSettings) -> str | None:
    """Why the account's owner has not enabled production on this machine; None: they have. The file is theirs alone to write."""
    path = account_folder(account) / PRODUCTION_FILE
    try:
        mode, content = path.stat().st_mode, path.read_text().strip()
    except (OSError, ValueError) as error:
        return f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}"
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{path} may be written by others"
    if content != account.account:
        return f"{path} does not name the account {account.account}"
    return None


def require_enabled(account: AccountSettings) -> None:
    """Raises `ConfigurationError` in production that its owner has not enabled."""
    trouble = production_trouble(account) if account.execution_mode == "production" else None
    if trouble is not None:
        path = account_folder(account) / PRODUCTION_FILE
        raise ConfigurationError(
            "the owner of the account has not enabled production on this machine",
            where=trouble,
            todo=f"run `perpstream doctor trading`; the owner then writes the account's name into {path}",
        )


@asynccontextmanager
async def open_account(
    account: AccountSettings, venue: VenueSettings, turn: Turn = ORDER_TURN
) -> AsyncIterator[Account]:
    """The account with clients of one HTTP session and a clock that follows the order venue (`libs.exchanges.venue.keep_clock`
    keeps it). `turn`: how its questions wait in the request budget that all processes of the machine share.

    Raises `ConfigurationError` for a key, a mode or addresses that will not do, `UnreachableError` for a silent venue. Whether
    production is enabled is not asked here: a doctor and a guard that flattens need it before and after that.
    """
    where = order_addresses(account, venue)
    credentials = account_credentials(account)
    async with aiohttp.ClientSession() as session:
        found = _opened(session, where, credentials, (account, venue, turn))
        asking = found.market_data.at(Priority.GAPS)
        await first_answer(lambda: synchronise(asking, found.clock), where.rest)
        yield found


def _opened(
    session: aiohttp.ClientSession,
    where: OrderAddresses,
    credentials: Credentials,
    how: tuple[AccountSettings, VenueSettings, Turn],
) -> Account:
    account, venue, turn = how
    paced = venue.venue_speed != "max"
    speed = float(venue.venue_speed) if venue.venue_speed != "max" else 1.0
    clock = VenueClock(SystemClock().now_ms(), speed, paced=paced)

    def limiter(host: str, url: str) -> Limiter:
        return open_limiter(host, url, venue.requests_dir, speed if paced else None)

    futures = limiter("binance", where.rest)
    signed = SignedHttpClient(session, where.rest, clock, futures, credentials)
    spot = SignedHttpClient(session, where.spot_rest, clock, limiter("binance_spot", where.spot_rest), credentials)
    return Account(
        name=account.account,
        addresses=where,
        clock=clock,
        trading=BinanceTrading(signed, spot, turn),
        market_data=BinanceMarketData(session, where.rest, clock, futures),
        streams=BinanceStreams(where.websocket, clock),
        _keyed=KeyedHttpClient(session, where.rest, clock, futures, credentials),
        _turn=turn,
    )
