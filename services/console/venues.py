"""Which venue a command asks, and how late it is there."""

from contextlib import suppress

import aiohttp
import msgspec

from infra.local.options import requests_dir
from infra.local.runfile import RunFile
from libs.kit.clock import BELIEVABLE_AHEAD_MS
from libs.kit.settings import VenueSettings, load_settings
from services.console.output import StateDir, running, state_dir


def venue_settings(folder: StateDir) -> VenueSettings:
    """The venue of the running stack; without one, that of the environment."""
    settings, run = load_settings(VenueSettings), running(folder)
    if run is None:
        return settings
    if run.simulator_url is None:
        return settings.model_copy(update={"venue": "binance"})
    rest = dict.fromkeys(("binance_rest_url", "binance_spot_rest_url", "coinbase_rest_url"), run.simulator_url)
    simulator = {"venue": "simulator", "binance_websocket_url": run.simulator_url.replace("http", "ws", 1), **rest}
    # Counted with what the stack itself asks of it.
    return settings.model_copy(update={**simulator, "requests_dir": requests_dir(state_dir(folder))})


class SimulatorStatus(msgspec.Struct):
    """What the simulator says of its clock: a recording's is another year's, may run faster, and goes on when that has ended."""

    venue_time_ms: int
    speed: float | str = 1.0
    ended: bool = False

    @property
    def pace(self) -> float | None:
        """How many times as fast as ours; None when it is as fast as it is read."""
        return None if self.speed == "max" else float(self.speed)


async def latest_simulated_ms(run: RunFile) -> int | None:
    """The latest time (ms) at which something can have happened at the stack's simulator; None when nothing says so."""
    timeout = aiohttp.ClientTimeout(total=2)
    with suppress(aiohttp.ClientError, TimeoutError, msgspec.MsgspecError):
        url = f"{run.simulator_url}/sim/status"
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
            status = msgspec.json.decode(await answer.read(), type=SimulatorStatus)
        if status.pace is not None:
            return status.venue_time_ms + int(BELIEVABLE_AHEAD_MS * max(1.0, status.pace))
    return None
