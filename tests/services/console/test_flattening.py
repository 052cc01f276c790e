"""Flattening from the command line with nothing but the venue and the account's key: no broker, no database, no guard."""

import asyncio
import json
from pathlib import Path

from libs.contracts.trading import AlertRaised
from libs.exchanges.flatten_audit import forward_audits, waiting_audits
from tests.services.console.running import call_console
from tests.services.exchange_simulator.running import Running, running
from tests.services.exchange_simulator.trader import trader


def variables(venue: Running, folder: Path) -> dict[str, str]:
    """An account of a folder, a mode, an address: all that it needs. Everything else is dead."""
    account = folder / "accounts/main"
    account.mkdir(parents=True, exist_ok=True)
    key = account / "key.json"
    key.write_text(json.dumps({"key": venue.api_key.key, "secret": venue.api_key.secret}))
    key.chmod(0o600)
    return {
        "PERPSTREAM_EXECUTION_MODE": "demo",
        "PERPSTREAM_ACCOUNT_DIR": str(folder / "accounts"),
        "PERPSTREAM_BINANCE_REST_URL": venue.url,
        "PERPSTREAM_BINANCE_SPOT_REST_URL": venue.url,
        "PERPSTREAM_BINANCE_WEBSOCKET_URL": venue.url.replace("http", "ws"),
        "PERPSTREAM_AUDIT_DIR": str(folder / "audit"),
        "PERPSTREAM_INSTALLATION_FILE": str(folder / "installation"),
        "PERPSTREAM_STATE_DIR": str(folder / "state"),
        "PERPSTREAM_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "PERPSTREAM_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    }


async def test_it_closes_everything_and_its_audit_waits_to_be_forwarded(tmp_path: Path) -> None:
    async with running(tmp_path / "venue") as venue:
        await trader(venue).buy("0.010")
        stop = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "closePosition": "true"}
        far = await trader(venue).price(-5_000)
        await trader(venue).ok("POST", "/fapi/v1/algoOrder", algoType="CONDITIONAL", triggerPrice=far, **stop)
        where = variables(venue, tmp_path)
        done = await asyncio.to_thread(
            call_console, "risk", "flatten", "all", "--direct", "--yes", "--reason", "broker is down", **where
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        assert "flat after" in done.stdout
        assert "closed      BTCUSDT 0.010" in done.stdout
        assert (await trader(venue).truth())["positions"] == []
        assert await trader(venue).ok("GET", "/fapi/v1/openAlgoOrders") == []
    [audit] = waiting_audits(tmp_path / "audit")
    assert (audit.head.account, audit.head.symbols, audit.head.reason) == ("main", None, "broker is down")
    assert [step.kind for step in audit.steps][-1] == "flat"
    told: list[AlertRaised] = []

    async def publish(alert: AlertRaised) -> None:
        told.append(alert)

    assert await forward_audits(tmp_path / "audit", publish) == 1
    assert await forward_audits(tmp_path / "audit", publish) == 0
    assert told[0].title.endswith("closed everything of account main without the guard")
    assert "broker is down; BTCUSDT closed 0.010" in told[0].detail


async def test_a_symbol_alone_as_json_and_the_other_stays(tmp_path: Path) -> None:
    async with running(tmp_path / "venue") as venue:
        await trader(venue).buy("0.010")
        await trader(venue).buy("0.3", symbol="ETHUSDT")
        done = await asyncio.to_thread(
            call_console, "risk", "flatten", "btcusdt", "--direct", "-y", "--json", **variables(venue, tmp_path)
        )
        facts = json.loads(done.stdout)
        assert (done.returncode, facts["flat"], facts["closed"]) == (0, True, {"BTCUSDT long": "0.010"})
        assert [one["symbol"] for one in (await trader(venue).truth())["positions"]] == ["ETHUSDT"]


async def test_an_audit_that_cannot_be_written_keeps_nothing_from_being_closed(tmp_path: Path) -> None:
    async with running(tmp_path / "venue") as venue:
        await trader(venue).buy("0.010")
        (tmp_path / "audit").write_text("a file in the way")
        done = await asyncio.to_thread(
            call_console, "risk", "flatten", "all", "--direct", "-y", **variables(venue, tmp_path)
        )
        assert (done.returncode, "the audit could not be written" in done.stdout) == (0, True)
        assert (await trader(venue).truth())["positions"] == []


def test_without_a_key_or_on_paper_it_says_what_is_missing(tmp_path: Path) -> None:
    folders = {"ACCOUNT_DIR": tmp_path, "STATE_DIR": tmp_path / "state", "AUDIT_DIR": tmp_path / "audit"}
    places = {f"PERPSTREAM_{name}": str(path) for name, path in folders.items()}
    asking = ("risk", "flatten", "all", "--direct", "-y")
    done = call_console(*asking, **places)
    assert (done.returncode, "on paper there is no account at a venue" in done.stderr) == (2, True)
    done = call_console(*asking, PERPSTREAM_EXECUTION_MODE="demo", **places)
    assert (done.returncode, "the file of the API key cannot be read" in done.stderr) == (2, True)
    assert not (tmp_path / "audit").exists(), "nothing was done that somebody would have to be told of"
