"""The installation that processes of a run share: what their environment says, their key, and when they may enter."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from libs.contracts.codec import decode
from libs.contracts.topics import EXECUTOR
from libs.contracts.trading import ExecutorReported
from libs.kit.errors import BadMessage
from libs.streaming.tail import read_tail
from tests.chaos.money.market import SYMBOLS
from tests.chaos.processes.servers import PARTITIONS
from tests.services.processes import eventually

ACCOUNT = "main"


def environment(folder: Path, venue_url: str, bootstrap: str, database_url: str) -> dict[str, str]:
    """Everything of theirs is in the folder."""
    return {
        "PERPSTREAM_EXECUTION_MODE": "demo",
        "PERPSTREAM_ACCOUNT_DIR": str(folder / "accounts"),
        "PERPSTREAM_BINANCE_REST_URL": venue_url,
        "PERPSTREAM_BINANCE_WEBSOCKET_URL": venue_url.replace("http", "ws", 1),
        "PERPSTREAM_BINANCE_SPOT_REST_URL": venue_url,
        "PERPSTREAM_REQUESTS_DIR": str(folder / "requests"),
        "PERPSTREAM_KAFKA_BOOTSTRAP": bootstrap,
        "PERPSTREAM_MARKET_PARTITIONS": str(PARTITIONS),
        "PERPSTREAM_DATABASE_URL": database_url,
        "PERPSTREAM_COMMAND_KEYS": str(folder / "trusted"),
        "PERPSTREAM_RISK_STATE_DIR": str(folder / "state"),
        "PERPSTREAM_INSTALLATION_FILE": str(folder / "installation"),
        "PERPSTREAM_AUDIT_DIR": str(folder / "audit"),
        "PERPSTREAM_SYMBOLS": ",".join(SYMBOLS),
    }


def write_key(folder: Path, key: Mapping[str, str]) -> None:
    """The account's key file."""
    home = folder / "accounts" / ACCOUNT
    home.mkdir(parents=True)
    (home / "key.json").write_text(json.dumps(key))
    (home / "key.json").chmod(0o600)


async def until_entries(bootstrap: str, seconds: float) -> None:
    """Until the executor says that something may be opened."""
    why: tuple[str, ...] = ("it has not said anything",)

    async def allowed() -> bool:
        nonlocal why
        found = await read_tail(bootstrap, EXECUTOR.name, 0, 1)
        with suppress(BadMessage, IndexError):
            said = decode(found[-1].value, found[-1].headers, EXECUTOR.events)
            assert isinstance(said, ExecutorReported)
            why = said.reasons
        return not why

    await eventually(allowed, seconds, lambda: f"nothing may be opened: {why}")
