"""The trading half put together: keys, journal and ledger of a state folder, the exchange on the market, and all signed paths."""

from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.faults.desk import FaultDesk
from services.exchange_simulator.faults.market import AlteredMarket
from services.exchange_simulator.hub import Hub
from services.exchange_simulator.private import algos, choices, holdings, orders, statements
from services.exchange_simulator.private.calls import Counter
from services.exchange_simulator.private.house import House
from services.exchange_simulator.private.journal import Journal
from services.exchange_simulator.private.keys import KeyRing
from services.exchange_simulator.private.ledger import TradingLedger
from services.exchange_simulator.private.listen_keys import ListenKeys
from services.exchange_simulator.private.meddling import Meddling
from services.exchange_simulator.private.prices import PricesAt
from services.exchange_simulator.private.truth import Truth
from services.exchange_simulator.private.user_streams import UserStreams
from services.exchange_simulator.rest.limits import RequestLimits

_FAMILIES = (orders, algos, holdings, choices, statements)


@dataclass(frozen=True, slots=True)
class Premises:
    """What the trading half stands on."""

    market: AlteredMarket
    clock: VenueTime
    hub: Hub
    limits: RequestLimits
    desk: FaultDesk


@dataclass(frozen=True, slots=True)
class PrivateHalf:
    """What was put together: the exchange at work, who meddles with it, and the paths to it."""

    house: House
    meddling: Meddling
    routes: tuple[web.RouteDef, ...]


def open_private_half(premises: Premises, ring: KeyRing, folder: Path | None) -> PrivateHalf:
    """Without a folder everything is kept in memory. Raises `ConfigurationError` for a journal that cannot be read."""
    clock, ledger = premises.clock, TradingLedger(folder)
    keys = ListenKeys(clock, ring, premises.limits)
    streams = UserStreams(premises.hub, keys, clock, ledger)
    house = House(PricesAt(premises.market), clock, ring, Journal(folder), ledger, streams)
    meddling = Meddling(house, premises.desk)
    counter = Counter(house, premises.limits, meddling)
    signed = [counter.route(endpoint) for family in _FAMILIES for endpoint in family.ENDPOINTS]
    return PrivateHalf(house, meddling, (*signed, *keys.routes(), *Truth(house).routes()))
