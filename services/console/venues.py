"""Which venue a command asks."""

from infra.local.options import requests_dir
from libs.kit.settings import VenueSettings, load_settings
from services.console.output import StateDir, running, state_dir


def venue_settings(folder: StateDir) -> VenueSettings:
    """The venue of the running stack; without one, that of the environment."""
    settings, run = load_settings(VenueSettings), running(folder)
    if run is None:
        return settings
    if run.simulator_url is None:
        return settings.model_copy(update={"venue": "binance"})
    simulator = {"venue": "simulator", "binance_rest_url": run.simulator_url}
    # Counted with what the stack itself asks of it.
    return settings.model_copy(update={**simulator, "requests_dir": requests_dir(state_dir(folder))})
