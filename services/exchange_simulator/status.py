"""GET /sim/status: what the simulator is doing, for tests and for the command line; no exchange has this."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.hub import Hub
from services.exchange_simulator.market import MarketSource
from services.exchange_simulator.pump import Progress
from services.exchange_simulator.state import SimulatorState


@dataclass(frozen=True, slots=True)
class StatusParts:
    """Where the facts come from; the progress is asked for, because the pump appears after the server listens."""

    source: MarketSource
    clock: VenueTime
    hub: Hub
    state: SimulatorState
    progress: Callable[[], Progress]


def status(parts: StatusParts) -> dict[str, object]:
    """The answer's body. `last_ids` are the newest ids that streams have told and REST answers, of the market's
    symbols and of further ones that somebody reads."""
    progress, anchor = parts.progress(), parts.state.anchor
    now = parts.clock.now_ms()
    demand, asked = parts.hub.demand(), parts.state.identity.get("symbols", parts.source.symbols)
    assert isinstance(asked, Collection), "names"
    last_ids: dict[str, int | None] = {}
    for index, symbol in enumerate(parts.source.symbols):
        if symbol not in asked and index not in demand.trade_symbols:
            continue
        trades = parts.source.newest_trades(symbol, 1, now)
        last_ids[symbol] = int(trades.ids[-1]) if len(trades) else None
    return {
        **parts.state.identity,
        "venue_time_ms": now,
        "told_ms": progress.told_ms,
        "started": progress.started,
        "ended": progress.ended,
        "anchor": None if anchor is None else {"venue_ms": anchor.venue_ms, "wall_ms": anchor.wall_ms},
        "last_event_ms": parts.source.last_event_ms(),
        "clients": parts.hub.clients(),
        "streams": len(demand.trade_symbols) + len(demand.side_names),
        "last_ids": last_ids,
    }
