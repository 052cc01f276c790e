"""Wiring: settings → market → clock → hub → one port, and the pump beside it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiohttp import web

from libs.kit.errors import ConfigurationError, UserError
from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext
from libs.kit.settings import load_settings
from services.exchange_simulator.clock import Anchor, AnchoredTime, PositionTime, VenueTime, wall_ms
from services.exchange_simulator.coinbase import Coinbase
from services.exchange_simulator.faults import plan
from services.exchange_simulator.faults.answers import misbehaving
from services.exchange_simulator.faults.api import FaultApi
from services.exchange_simulator.faults.connections import ConnectionFaults
from services.exchange_simulator.faults.desk import Armed, FaultDesk
from services.exchange_simulator.faults.market import AlteredMarket
from services.exchange_simulator.faults.market_account import MarketAccount
from services.exchange_simulator.faults.script import read_script
from services.exchange_simulator.guard import guarded
from services.exchange_simulator.hub import Hub
from services.exchange_simulator.market import MarketSource
from services.exchange_simulator.private.keys import open_accounts
from services.exchange_simulator.private.user_streams import UserStreams
from services.exchange_simulator.private.wiring import Premises, PrivateHalf, open_private_half
from services.exchange_simulator.pump import PacedPump, Progress, UnpacedPump, anchor_now, expected_readers
from services.exchange_simulator.recording.source import RecordedMarket, open_recording
from services.exchange_simulator.rest import depth, positioning, reference, trades
from services.exchange_simulator.rest.errors import reply
from services.exchange_simulator.rest.limits import NoRequestLimits, RequestLimits
from services.exchange_simulator.rest.venue import Venue
from services.exchange_simulator.settings import MarketSettings, ServerSettings
from services.exchange_simulator.state import SimulatorState, open_state
from services.exchange_simulator.status import StatusParts, status
from services.exchange_simulator.synthetic.source import SyntheticMarket, SyntheticMarketPlan
from services.exchange_simulator.websocket import MarketSockets
from services.exchange_simulator.write_log import WriteLog

_BEYOND_MS = 10**12
_GOODBYE_SECONDS = 1.0
_log = get_logger("exchange_simulator")


@dataclass(slots=True)
class Simulation:
    """A market with its clock, memory and faults; `pump` exists as soon as it runs, `private` as soon as there are paths to it.
    `market` is the source with its faults."""

    source: MarketSource
    clock: VenueTime
    state: SimulatorState
    pump: PacedPump | UnpacedPump | None = None
    private: PrivateHalf | None = None
    desk: FaultDesk = field(init=False)
    market: AlteredMarket = field(init=False)
    script: Sequence[plan.AnyFault] = ()

    def __post_init__(self) -> None:
        self.desk = FaultDesk(self.state.folder)
        self.market = AlteredMarket(self.source, self.desk)

    def arm_script(self, start_ms: int) -> None:
        """Arm the script's faults; `start_ms` is where venue time begins. Raises `ConfigurationError`."""
        for fault in self.script:
            try:
                self.check(fault)
            except ValueError as error:
                todo = "correct the script of faults"
                raise ConfigurationError(str(error), where="PERPSTREAM_SIM_FAULTS", todo=todo) from None
        anchor = self.state.anchor
        self.desk.script(self.script, start_ms if anchor is None else anchor.venue_ms, self.clock.now_ms())

    def check(self, fault: plan.AnyFault) -> None:
        """Raise `ValueError` for a fault that market or accounts cannot show."""
        self.market.check(fault)
        if self.private is not None:
            self.private.meddling.check(fault)

    def progress(self) -> Progress:
        """How far the pump is."""
        return self.pump.progress if self.pump else Progress(told_ms=self.clock.now_ms())


def open_simulation(settings: MarketSettings) -> Simulation:
    """Open the market of the settings and its state folder.

    Raises `ConfigurationError` for a recording that cannot be read or a folder that belongs to another market.
    """
    return _recording(settings) if settings.recording else _synthetic(settings)


def _synthetic(settings: MarketSettings) -> Simulation:
    if settings.speed == "max":
        raise UserError(
            "a synthetic market never ends, so it cannot run as fast as possible",
            where="PERPSTREAM_SIM_SPEED",
            todo="give a number, or a recording",
        )
    speed = float(settings.speed)
    identity = {
        "source": "synthetic",
        "seed": settings.seed,
        "symbols": list(settings.symbols),
        "rate": settings.rate,
        "start_time": settings.start_time,
        "speed": speed,
    }
    state = open_state(settings.state_dir, identity)
    if state.anchor is None:
        now = wall_ms()
        state.anchor = Anchor(settings.start_time or now, now)
        state.save()
    further = tuple(symbol for symbol in settings.listed if symbol not in settings.symbols)
    plan = SyntheticMarketPlan(settings.seed, settings.symbols, settings.rate, state.anchor.venue_ms, further)
    return Simulation(SyntheticMarket(plan), AnchoredTime(speed, state.anchor), state)


def _recording(settings: MarketSettings) -> Simulation:
    source = open_recording(settings.recording)
    identity = {
        "source": "recording",
        "files": source.fingerprints,
        "rebase": settings.rebase,
        "speed": settings.speed,
    }
    state = open_state(settings.state_dir, identity)
    if settings.speed == "max":
        if settings.rebase and state.anchor is None:
            state.anchor = Anchor(wall_ms(), wall_ms())
            state.save()
        if state.anchor is not None:
            source.rebase(state.anchor.venue_ms)
        position = state.position_ms if state.position_ms is not None else source.begin_ms
        return Simulation(source, PositionTime(position), state)
    if settings.rebase:
        # Until it starts, a rebased recording lies beyond every clock: REST has nothing to tell yet.
        source.rebase(state.anchor.venue_ms if state.anchor else wall_ms() + _BEYOND_MS)
    waiting = None if settings.rebase else source.begin_ms
    return Simulation(source, AnchoredTime(float(settings.speed), state.anchor, waiting), state)


def build_application(simulation: Simulation, hub: Hub, settings: ServerSettings) -> web.Application:
    """Every path of the venue on one application. Raises `ConfigurationError` for accounts or a journal that cannot be read."""
    kind = NoRequestLimits if isinstance(simulation.clock, PositionTime) else RequestLimits
    limits = kind(simulation.clock, settings.weight_limit)
    history_ms = int(settings.history_hours * 3_600_000)
    desk, market = simulation.desk, simulation.market
    venue = Venue(market, simulation.clock, limits, history_ms, desk)
    parts = StatusParts(market, simulation.clock, hub, simulation.state, simulation.progress)

    async def show_status(_: web.Request) -> web.Response:
        return reply(status(parts))

    application = web.Application(middlewares=[guarded(settings.host), misbehaving(desk, simulation.clock)])
    endpoints = (*trades.ENDPOINTS, *reference.ENDPOINTS, *depth.ENDPOINTS, *positioning.ENDPOINTS)
    application.add_routes([web.get(endpoint.path, endpoint.handler(venue)) for endpoint in endpoints])
    application.add_routes([web.get("/sim/status", show_status)])
    application.add_routes(Coinbase(market, simulation.clock).routes())
    application.add_routes(FaultApi(desk, simulation.clock, simulation.check).routes())
    premises = Premises(market, simulation.clock, hub, limits, desk)
    ring = open_accounts(simulation.state.folder, settings.accounts)
    private = simulation.private = open_private_half(premises, ring, simulation.state.folder)
    application.add_routes(private.routes)
    sockets = MarketSockets(
        hub,
        simulation.clock,
        ConnectionFaults(desk, simulation.clock, hub.sessions),
        buffer_bytes=int(settings.buffer_megabytes * 1_000_000),
        longest_life_ms=settings.connection_hours * 3_600_000,
    )
    application.add_routes(sockets.routes())
    _follow_faults(simulation, hub, private.house.streams)
    return application


def _follow_faults(simulation: Simulation, hub: Hub, streams: UserStreams) -> None:
    """What beginnings and ends of faults mean to ledger, hub and listen keys."""
    desk, clock = simulation.desk, simulation.clock
    MarketAccount(desk, simulation.market)

    def expire(armed: Armed) -> None:
        for key, told in streams.expire(streams.keys.expire_all()).items():
            armed.affected += 1
            detail = {"listen_key": key, "connections": told}
            desk.ledger.add(clock.now_ms(), armed.number, armed.fault.kind, count=len(told), detail=detail)

    def begin(armed: Armed) -> None:
        if isinstance(armed.fault, plan.TickSize):
            hub.use_rules()
        elif isinstance(armed.fault, plan.ListenKeyExpiry):
            expire(armed)

    def end(armed: Armed) -> None:
        if isinstance(armed.fault, plan.TickSize):
            hub.use_rules()
        hub.wire.end(armed, clock.now_ms())

    desk.on_begin.append(begin)
    desk.on_end.append(end)


async def run_pump(simulation: Simulation, hub: Hub, readers: int = 1) -> None:
    """Run market and trading until one of them fails."""
    assert simulation.private is not None, "built before it runs"
    trading = asyncio.create_task(simulation.private.house.run())
    try:
        await asyncio.gather(_run_market(simulation, hub, readers), trading)
    finally:
        trading.cancel()


async def _run_market(simulation: Simulation, hub: Hub, readers: int) -> None:
    """Run the market: a paced one on its clock, a fresh recording from the moment it has `readers`."""
    clock, source, state, market = simulation.clock, simulation.source, simulation.state, simulation.market
    if isinstance(clock, PositionTime):
        if state.position_ms is None:
            await expected_readers(hub, readers)
        simulation.arm_script(clock.now_ms())
        simulation.pump = UnpacedPump(market, hub, clock, state)
        return await simulation.pump.run()
    assert isinstance(clock, AnchoredTime)
    told_ms = clock.now_ms()
    if clock.anchor is None and isinstance(source, RecordedMarket):
        await expected_readers(hub, readers)
        # A fresh recording is told from its very first event, however long the start takes.
        told_ms = source.rebase(wall_ms()) if state.identity.get("rebase") else source.begin_ms
        anchor_now(clock, state, told_ms)
        _log.info("the recording starts", venue_ms=told_ms)
    simulation.arm_script(told_ms)
    simulation.pump = PacedPump(market, hub, clock, told_ms)
    return await simulation.pump.run()


async def listen(application: web.Application, settings: ServerSettings) -> tuple[web.AppRunner, int]:
    """Serve the application; returns the runner and the port. Raises `UserError` when the port is taken."""
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=_GOODBYE_SECONDS)
    await runner.setup()
    site = web.TCPSite(runner, settings.host, settings.port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise UserError(
            f"the simulator's port cannot be opened: {error.strerror}",
            where=f"{settings.host}:{settings.port}",
            todo="stop what uses the port, or set PERPSTREAM_SIM_PORT",
        ) from None
    return runner, int(runner.addresses[0][1])


async def main(context: ServiceContext) -> None:
    """Serve until asked to stop; a pump that fails ends the process."""
    context.expect("listening")
    server_settings = load_settings(ServerSettings)
    simulation = open_simulation(load_settings(MarketSettings))
    simulation.script = read_script(server_settings.faults) if server_settings.faults else ()
    hub = Hub(simulation.market, simulation.desk)
    if server_settings.write_log is not None:
        hub.write_log = WriteLog(server_settings.write_log, simulation.source.symbols)
    # The compiled loops are loaded before anybody connects: the first message must not wait for a compiler.
    await asyncio.to_thread(hub.warm_up, simulation.market)
    runner, port = await listen(build_application(simulation, hub, server_settings), server_settings)
    identity = {key: value for key, value in simulation.state.identity.items() if key not in ("files", "symbols")}
    identity["symbols"] = len(simulation.source.symbols)
    _log.info("listening", host=server_settings.host, port=port, **identity)
    context.details.update(identity, port=port)
    context.fulfil("listening")
    pump = asyncio.create_task(run_pump(simulation, hub, server_settings.readers))
    stopping = asyncio.create_task(context.stopping.wait())
    try:
        await asyncio.wait((pump, stopping), return_when=asyncio.FIRST_COMPLETED)
        while not stopping.done():
            pump.result()  # a failure of the pump ends the process; a recording that has ended does not
            await stopping
    finally:
        pump.cancel()
        for session in hub.sessions():
            session.abort()
        await runner.cleanup()
        if hub.write_log is not None:
            hub.write_log.close()
