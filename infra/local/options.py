"""What a person asked for with `perpstream up`, and the environment each service gets from it."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from infra.local.ports import HOST, free_port, promise, require_free
from libs.kit.errors import ConfigurationError
from libs.kit.settings import DEFAULT_SYMBOLS

# What reads the venue's streams: trade_ingest, liquidation_ingest and indicator_ingest, a connection each.
INGEST_CONNECTIONS = 3
# The simulator's well-known perpetuals.
LISTED = "10"
ROOT = Path(__file__).resolve().parents[2]
PortName = Literal["kafka", "controller", "postgres", "simulator", "gateway", "health"]
# None: any free port will do. The two that people type into other programs have fixed defaults.
DEFAULT_PORTS: Mapping[PortName, int | None] = {
    "kafka": 9092,
    "controller": None,
    "postgres": 5433,
    "simulator": 9000,
    "gateway": 8000,
    "health": 9100,
}
_STRICT: tuple[PortName, ...] = ("simulator", "gateway")
# For the live venue these are left as the person has set them, or to the adapters' own production hosts.
_REST_URLS = ("PERPSTREAM_BINANCE_REST_URL", "PERPSTREAM_BINANCE_SPOT_REST_URL", "PERPSTREAM_COINBASE_REST_URL")


@dataclass(frozen=True, slots=True)
class StackOptions:
    """One run of the stack. `kafka` and `database` name existing servers; then the embedded ones are not started.

    `speed` multiplies the pace of a simulated market (None: a recording, as fast as possible); `rebase` moves its event times
    to now instead of keeping them. `ports`: 0 asks for a free one.
    """

    venue: Literal["simulator", "binance"] = "simulator"
    symbols: tuple[str, ...] = DEFAULT_SYMBOLS
    kafka: str | None = None
    database: str | None = None
    recordings: tuple[Path, ...] = ()
    speed: float | None = 1.0
    rebase: bool = False
    seed: int | None = None
    workers: int = 1
    ingest_shards: int = 1
    ports: Mapping[PortName, int] = field(default_factory=dict)
    state_dir: Path = Path(".perpstream")

    def validate(self) -> None:
        """Refuse what cannot work, before anything is started; raises `ConfigurationError`."""
        for recording in self.recordings:
            if not recording.is_file():
                raise ConfigurationError(
                    "the recording does not exist", where=f"--recording {recording}", todo="check the file's name"
                )
        if self.recordings and self.venue != "simulator":
            raise ConfigurationError("a recording needs the simulator", where="--venue", todo="leave --venue out")
        if self.venue != "simulator" and self.speed != 1.0:
            raise ConfigurationError("a live venue has its own pace", where="--speed", todo="leave --speed out")
        if not self.recordings and (self.rebase or self.speed is None):
            raise ConfigurationError(
                "--rebase and --speed max apply to recordings", where="--speed", todo="add --recording FILE"
            )
        for symbol in self.symbols:
            if not symbol.isalnum() or symbol != symbol.upper():
                raise ConfigurationError(
                    f"{symbol!r} is no symbol", where="--symbols", todo="write symbols like BTCUSDT,ETHUSDT"
                )

    def source(self) -> dict[str, object]:
        """What the facts in a state folder come from: a folder serves one source only."""
        if self.venue == "binance":
            return {"venue": "binance"}
        if not self.recordings:
            return {"venue": "simulator", "seed": self.seed}
        names = [f"{path.name} ({path.stat().st_size} bytes)" for path in self.recordings]
        return {"venue": "simulator", "recordings": names, "times": "moved to now" if self.rebase else "kept"}


def choose_ports(options: StackOptions) -> dict[PortName, int]:
    """A usable port for every name: the asked one or a `UserError`, else the default, else a free one."""
    chosen: dict[PortName, int] = {}
    for name, default in DEFAULT_PORTS.items():
        asked = options.ports.get(name)
        if name == "simulator" and options.venue != "simulator":
            continue
        if asked == 0 or (asked is None and default is None):
            chosen[name] = free_port()
        elif asked is not None or name in _STRICT:
            chosen[name] = require_free(asked or default or 0, name, f"--port {name}=NUMBER (0: any free one)")
        else:
            chosen[name] = default if default is not None and promise(default) else free_port()
    return chosen


def split_password(url: str) -> tuple[str, str | None]:
    """A database URL without its password, and the password as the server wants it."""
    try:
        parts = urlsplit(url)
        understood = bool(parts.hostname) and "postgres" in parts.scheme and parts.port != 0
    except ValueError:  # a port that is no number, half an IPv6 address
        understood = False
    if not understood:
        raise ConfigurationError(
            "the database URL is not understood",
            where="--database",
            todo="write postgresql+asyncpg://USER@HOST:PORT/NAME",
        )
    parameters = parse_qsl(parts.query, keep_blank_values=True)
    among = [value for name, value in parameters if name == "password"]  # the driver prefers these
    if parts.password is None and not among:
        return url, None
    user, _, place = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}@{place}" if user else place
    query = urlencode([pair for pair in parameters if pair[0] != "password"])
    bare = urlunsplit(parts._replace(scheme="postgresql+asyncpg", netloc=netloc, query=query))
    return bare, among[-1] if among else unquote(parts.password or "")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the started (or given) servers are."""

    kafka: str
    database_url: str
    database_password_file: Path | None
    simulator_url: str | None
    gateway_url: str


def service_environment(options: StackOptions, endpoints: Endpoints) -> dict[str, str]:
    """The variables that all services share; each also gets its own PERPSTREAM_HEALTH_PORT."""
    variables = {
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(ROOT),
        "PERPSTREAM_KAFKA_BOOTSTRAP": endpoints.kafka,
        "PERPSTREAM_DATABASE_URL": endpoints.database_url,
        "PERPSTREAM_SYMBOLS": ",".join(options.symbols),
        "PERPSTREAM_VENUE": options.venue,
        "PERPSTREAM_STATE_DIR": str(options.state_dir.absolute()),
        "PERPSTREAM_COMMAND_KEYS": os.environ.get("PERPSTREAM_COMMAND_KEYS")
        or str(command_keys_dir(options.state_dir)),
        "PERPSTREAM_NOTIFIER_KEYS_DIR": os.environ.get("PERPSTREAM_NOTIFIER_KEYS_DIR")
        or str(notifier_keys_dir(options.state_dir)),
        "PERPSTREAM_GATEWAY_HOST": HOST,
        "PERPSTREAM_GATEWAY_PORT": endpoints.gateway_url.rpartition(":")[2],
        "PERPSTREAM_GATEWAY_STATE_DIR": str(gateway_state_dir(options.state_dir)),
        "PERPSTREAM_GATEWAY_LOCAL_VIEWER": "true" if _has_local_viewer(options) else "false",
        "PERPSTREAM_STOP_DEADLINE_SECONDS": "4.5",
        "FORCE_COLOR": "1" if sys.stdout.isatty() else "",
    }
    if endpoints.database_password_file is not None:
        variables["PERPSTREAM_DATABASE_PASSWORD_FILE"] = str(endpoints.database_password_file.absolute())
    if options.venue == "binance":
        return variables
    assert endpoints.simulator_url is not None, "the simulator has an address"
    variables |= dict.fromkeys(_REST_URLS, endpoints.simulator_url)
    variables["PERPSTREAM_BINANCE_WEBSOCKET_URL"] = endpoints.simulator_url.replace("http", "ws", 1)
    return variables | _simulator_variables(options, endpoints.simulator_url)


def _has_local_viewer(options: StackOptions) -> bool:
    """With simulated money there is nothing to keep from who sits at this machine; with a real account there is. Where others
    than this machine are served too, everybody has an account."""
    return options.venue == "simulator" and not os.environ.get("PERPSTREAM_GATEWAY_HOSTS")


def command_keys_dir(state_dir: Path) -> Path:
    """Where a stack keeps the public keys of those whose commands its services obey."""
    return state_dir.absolute() / "command-keys"


def notifier_keys_dir(state_dir: Path) -> Path:
    """Where a stack keeps the key that signs what its chat bot says."""
    return state_dir.absolute() / "notifier"


def gateway_state_dir(state_dir: Path) -> Path:
    """Where a stack's gateway keeps its secret and its key; a variable that is set stays."""
    return Path(os.environ.get("PERPSTREAM_GATEWAY_STATE_DIR") or state_dir.absolute() / "gateway")


def gateway_keys_dir(state_dir: Path) -> Path:
    """Where the gateway looks for the key that signs what it says for people."""
    return gateway_state_dir(state_dir) / "keys"


def simulated_account_places(state_dir: Path) -> dict[str, str]:
    """Where what is known of a simulated account is kept, by variable: in the state folder, because a real account of the same
    name has other balances, breaks and orders. A variable that is set stays."""
    kept = state_dir.absolute() / "account"
    places = {
        "PERPSTREAM_RISK_STATE_DIR": kept / "risk_guard",
        "PERPSTREAM_AUDIT_DIR": kept / "audit",
        "PERPSTREAM_INSTALLATION_FILE": kept / "installation",
    }
    return {name: os.environ.get(name) or str(place) for name, place in places.items()}


def requests_dir(state_dir: Path) -> Path:
    """Where a stack with a simulator keeps what was asked of it."""
    return state_dir.absolute() / "requests"


def market_variables(options: StackOptions) -> dict[str, str]:
    """What the simulator is told about the market: the symbols of a synthetic one, or the recordings."""
    variables = {"PERPSTREAM_SIM_SPEED": "max" if options.speed is None else f"{options.speed:g}"}
    if options.recordings:
        variables["PERPSTREAM_SIM_RECORDING"] = ",".join(str(path.absolute()) for path in options.recordings)
        variables["PERPSTREAM_SIM_REBASE"] = "true" if options.rebase else "false"
        variables["PERPSTREAM_SIM_READERS"] = str(INGEST_CONNECTIONS + options.ingest_shards - 1)
    else:
        variables["PERPSTREAM_SIM_SYMBOLS"] = ",".join(options.symbols)
        # Else there would be none to add while running.
        variables["PERPSTREAM_SIM_LISTED"] = os.environ.get("PERPSTREAM_SIM_LISTED", LISTED)
    if options.seed is not None:
        variables["PERPSTREAM_SIM_SEED"] = str(options.seed)
    return variables


def _simulator_variables(options: StackOptions, url: str) -> dict[str, str]:
    variables = market_variables(options)
    return (
        variables
        | simulated_account_places(options.state_dir)
        | {
            "PERPSTREAM_SIM_HOST": HOST,
            "PERPSTREAM_SIM_PORT": url.rpartition(":")[2],
            "PERPSTREAM_SIM_STATE_DIR": str(options.state_dir.absolute() / "exchange_simulator"),
            # A simulator counts the requests of its own stack only; those to a real venue are counted per user.
            "PERPSTREAM_REQUESTS_DIR": str(requests_dir(options.state_dir)),
            "PERPSTREAM_VENUE_SPEED": variables["PERPSTREAM_SIM_SPEED"],
        }
    )
