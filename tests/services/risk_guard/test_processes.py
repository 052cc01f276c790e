"""The guard as a process: without a broker, with one that is killed and comes back, and on paper."""

import asyncio
import json
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from libs.contracts.codec import decode
from libs.contracts.commands import CommandAnswered, CommandIssued, command_id, signed_bytes
from libs.contracts.topics import COMMAND, COMMAND_RESULT, EXECUTOR, RISK_STATE, TRADE
from libs.contracts.trading import RiskStateChanged
from libs.exchanges.flatten_audit import AuditFile, AuditHead
from libs.kit.clock import SystemClock
from libs.kit.keys import PersonalKey, TrustedFolder, new_key
from libs.streaming.admin import ensure_topics
from libs.streaming.commands import CommandDesk
from libs.streaming.producer import EventProducer
from libs.streaming.tail import read_tail
from tests.services.exchange_simulator.running import Running, running
from tests.services.exchange_simulator.trader import SYMBOL, trader
from tests.services.processes import ServiceProcess, eventually, lacking
from tests.services.risk_guard.guarding import SETTINGS
from tests.services.risk_guard.scene import Scene, Voices, trade
from tests.support.servers import Broker

pytestmark = pytest.mark.integration


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Process:
    """A guard process, its venue, and its folders."""

    folder: Path
    venue: Running
    bootstrap: str
    port: int
    process: ServiceProcess
    key: PersonalKey

    async def until_lacking(self, expected: set[str], seconds: float = 30) -> None:
        async def so() -> bool:
            return (missing := await lacking(self.port)) is not None and set(missing) == expected

        await eventually(so, seconds, lambda: self.process.log.read_text()[-3_000:])

    async def state(self) -> RiskStateChanged | None:
        """The newest on the topic."""
        found = await read_tail(self.bootstrap, RISK_STATE.name, 0, 1)
        event = decode(found[-1].value, found[-1].headers, RISK_STATE.events) if found else None
        assert event is None or isinstance(event, RiskStateChanged)
        return event

    async def until_fresh(self, seconds: float = 30) -> RiskStateChanged:
        async def fresh() -> bool:
            state = await self.state()
            return state is not None and abs(state.heartbeat - trader(self.venue).now_ms()) < 2_500

        await eventually(fresh, seconds, lambda: self.process.log.read_text()[-3_000:])
        state = await self.state()
        assert state is not None
        return state

    async def until_paused(self) -> None:
        async def paused() -> bool:
            return (await self.until_fresh()).paused

        await eventually(paused, 10, lambda: self.process.log.read_text()[-3_000:])

    def command(self, **more: str) -> CommandIssued:
        nonce, now_ms = secrets.token_hex(16), trader(self.venue).now_ms()
        said = CommandIssued(
            event_id=command_id("ada", nonce),
            event_time_ms=now_ms,
            account="main",
            target="risk_guard",
            command="pause",
            arguments={},
            reason="a test",
            issued_by="ada",
            issued_at_ms=now_ms,
            expires_at_ms=now_ms + 60_000,
            nonce=nonce,
            signature="",
        )
        signed = msgspec.structs.replace(said, signature=self.key.sign(signed_bytes(said)))
        return msgspec.structs.replace(signed, **more)

    async def say(self, command: CommandIssued) -> CommandAnswered:
        return await CommandDesk(self.bootstrap, COMMAND, COMMAND_RESULT).issue_and_hear(command, 20)


@asynccontextmanager
async def guard_process(folder: Path, bootstrap: str, mode: str = "demo") -> AsyncIterator[Process]:
    async with running(folder / "venue", **(SETTINGS | {"start_time": SystemClock().now_ms()})) as venue:
        key_folder = folder / "accounts" / "main"
        key_folder.mkdir(parents=True)
        (key_folder / "key.json").write_text(json.dumps({"key": venue.api_key.key, "secret": venue.api_key.secret}))
        (key_folder / "key.json").chmod(0o600)
        key = new_key(folder / "mine", "ada")
        TrustedFolder(folder / "trusted").trust(key.public)
        port = free_port()
        environment = {
            "PERPSTREAM_EXECUTION_MODE": mode,
            "PERPSTREAM_ACCOUNT_DIR": str(folder / "accounts"),
            "PERPSTREAM_BINANCE_REST_URL": venue.url,
            "PERPSTREAM_BINANCE_WEBSOCKET_URL": venue.url.replace("http", "ws"),
            "PERPSTREAM_BINANCE_SPOT_REST_URL": venue.url,
            "PERPSTREAM_REQUESTS_DIR": str(folder / "requests"),
            "PERPSTREAM_KAFKA_BOOTSTRAP": bootstrap,
            "PERPSTREAM_COMMAND_KEYS": str(folder / "trusted"),
            "PERPSTREAM_RISK_STATE_DIR": str(folder / "state"),
            "PERPSTREAM_INSTALLATION_FILE": str(folder / "installation"),
            "PERPSTREAM_AUDIT_DIR": str(folder / "audit"),
            "PERPSTREAM_HEALTH_PORT": str(port),
        }
        process = ServiceProcess("risk_guard", environment, folder / "guard.log")
        process.start()
        try:
            yield Process(folder, venue, bootstrap, port, process, key)
            assert process.running, (folder / "guard.log").read_text()[-3_000:]
            assert process.stop() == 0
        finally:
            if process.running:
                process.kill()


def memory_of(pid: int) -> tuple[str, int]:
    """What a process has mapped, and its resident KB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return Path(f"/proc/{pid}/maps").read_text(), int(status.split("VmRSS:")[1].split()[0])


async def protected(at: Process) -> None:
    me = trader(at.venue)
    await me.buy()
    stop = {"algoType": "CONDITIONAL", "type": "STOP_MARKET", "symbol": SYMBOL, "side": "SELL", "closePosition": "true"}
    await me.ok("POST", "/fapi/v1/algoOrder", **stop, triggerPrice=await me.price(-30_000))


async def held(at: Process) -> Decimal:
    found = (await trader(at.venue).truth())["positions"]
    return sum((Decimal(one["amount"]) for one in found), Decimal(0))


async def test_without_a_broker_it_guards_all_the_same(tmp_path: Path) -> None:
    async with guard_process(tmp_path, f"127.0.0.1:{free_port()}") as at:
        await at.until_lacking({"kafka"})
        await trader(at.venue).buy()

        async def stopped() -> bool:
            return bool(await trader(at.venue).ok("GET", "/fapi/v1/openAlgoOrders", symbol=SYMBOL))

        await eventually(stopped, 8, lambda: at.process.log.read_text()[-3_000:])


async def test_a_broker_that_is_killed_and_comes_back_sells_nothing(tmp_path: Path, own_kafka: Broker) -> None:
    await ensure_topics(own_kafka.bootstrap, 2)
    async with guard_process(tmp_path, own_kafka.bootstrap) as at:
        await at.until_lacking(set())
        await protected(at)
        before = await at.until_fresh()
        assert not before.entries_allowed, "no executor speaks"
        own_kafka.kill()
        await asyncio.to_thread(own_kafka.start)
        after = await at.until_fresh(60)
        assert (after.level, after.break_number) == (before.level, 0)
        assert await held(at) == Decimal("0.010")
        answer = await at.say(at.command())
        assert (answer.accepted, answer.command) == (True, "pause")
        await at.until_paused()


async def test_what_the_executor_tells_counts_after_a_restart_too(tmp_path: Path, empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, 2)
    async with guard_process(tmp_path, empty_kafka) as at:
        await at.until_lacking(set())
        producer = EventProducer(empty_kafka, service="test")
        await producer.start()
        now_ms = trader(at.venue).now_ms()
        for number in range(4):
            lost = trade(
                "ETHUSDT",
                Decimal(3000),
                now_ms - 5_000 + number,
                state="closed",
                pnl_quote=Decimal(-50),
                pnl_r=Decimal("-0.5"),
            )
            await producer.send(TRADE, lost, key=lost.trade_id, partition=0)
        await producer.flush()
        report = Voices(Scene.__new__(Scene)).report(now_ms)
        await producer.send(EXECUTOR, report, key="main", partition=0)
        await producer.flush()

        async def counted() -> bool:
            state = await at.state()
            found = [] if state is None else [one.value for one in state.measures if one.rule == "consecutive_losses"]
            return found == [Decimal(4)]

        await eventually(counted, 20, lambda: at.process.log.read_text()[-3_000:])
        at.process.kill()
        at.process.start()
        report = msgspec.structs.replace(report, event_time_ms=trader(at.venue).now_ms() + 3_000)
        await producer.send(EXECUTOR, report, key="main", partition=0)
        await producer.stop()
        await at.until_lacking(set())
        await eventually(counted, 20, lambda: at.process.log.read_text()[-3_000:])


async def test_a_command_that_is_not_signed_is_answered_and_reported(tmp_path: Path, empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, 2)
    async with guard_process(tmp_path, empty_kafka) as at:
        await at.until_lacking(set())
        answer = await at.say(at.command(signature=""))
        assert (answer.accepted, answer.details["why"]) == (False, "unsigned")
        assert not (await at.until_fresh()).paused
        await at.say(said := at.command())
        await at.until_paused()
        at.process.kill()
        at.process.start()
        await at.until_lacking(set())
        replayed = await at.say(said)
        assert (replayed.accepted, replayed.details["why"]) == (False, "replayed")


async def test_an_audit_of_a_direct_flatten_is_forwarded(tmp_path: Path, empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, 2)
    head = AuditHead(account="main", issued_by="ada", reason="a test", began_ms=1, symbols=None)
    AuditFile(tmp_path / "audit", head).close()
    async with guard_process(tmp_path, empty_kafka) as at:

        async def told() -> bool:
            found = await read_tail(empty_kafka, "ops.alert.v1", 0, 5)
            return any(b"without the guard" in (one.value or b"") for one in found)

        await eventually(told, 30, lambda: at.process.log.read_text()[-3_000:])


async def test_two_guards_of_one_account_are_one_too_many(tmp_path: Path) -> None:
    async with guard_process(tmp_path, f"127.0.0.1:{free_port()}") as at:
        await at.until_lacking({"kafka"})
        environment = {**at.process.environment, "PERPSTREAM_HEALTH_PORT": "0"}
        second = ServiceProcess("risk_guard", environment, tmp_path / "second.log")
        second.start()
        assert await asyncio.to_thread(second.wait, 20) == 2
        assert "another guard watches the account main" in (tmp_path / "second.log").read_text()


async def test_a_damaged_state_is_no_fresh_start(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "main.json").write_text('{"account": "main", "state": {"level"')
    environment = {
        "PERPSTREAM_EXECUTION_MODE": "demo",
        "PERPSTREAM_RISK_STATE_DIR": str(tmp_path / "state"),
        "PERPSTREAM_ACCOUNT_DIR": str(tmp_path),
    }
    process = ServiceProcess("risk_guard", environment, tmp_path / "guard.log")
    process.start()
    assert await asyncio.to_thread(process.wait, 20) == 2
    log = (tmp_path / "guard.log").read_text()
    assert "the guard's state cannot be used: it is damaged" in log
    assert "Traceback" not in log


async def test_on_paper_it_says_so_and_loads_nothing_of_a_venue(tmp_path: Path, empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, 2)
    async with guard_process(tmp_path, empty_kafka, mode="paper") as at:
        await at.until_lacking(set())

        async def told() -> bool:
            return await at.state() is not None

        await eventually(told, 10, lambda: at.process.log.read_text()[-3_000:])
        state = await at.state()
        assert state is not None
        assert not state.entries_allowed
        assert "paper" in state.reasons[0]
        answer = await at.say(at.command())
        assert not answer.accepted
        maps, resident_kb = memory_of(at.process.pid)
        assert not [name for name in ("numba", "llvmlite", "numpy", "pyarrow", "psycopg", "asyncpg") if name in maps]
        print(f"on paper: {resident_kb / 1024:.0f} MB")
        assert resident_kb < 100 * 1024
