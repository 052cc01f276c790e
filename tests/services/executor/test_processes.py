"""The executor as a process on a real broker and a real database, with the simulated venue: from a topic to rows and back."""

import asyncio
import json
import os
import signal as signals
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from infra.local.ports import free_port
from libs.contracts.codec import Encoded
from libs.contracts.commands import CommandAnswered, CommandIssued, CommandName, command_id, signed_bytes
from libs.contracts.partitioning import partition_of
from libs.contracts.signals import SignalScored
from libs.contracts.topics import COMMAND, COMMAND_RESULT, EXECUTOR, ORDER, RISK_STATE, SIGNAL_SCORED, TRADE
from libs.contracts.trading import ExecutorReported, LiveTradeChanged, OrderChanged
from libs.kit.clock import SystemClock
from libs.kit.errors import UnreachableError
from libs.kit.keys import PersonalKey, TrustedFolder, new_key
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine, read_session
from libs.streaming.admin import ensure_topics
from libs.streaming.commands import CommandDesk
from libs.streaming.producer import EventProducer
from libs.streaming.records import end_offset
from tests.services.exchange_simulator.running import Running, running
from tests.services.exchange_simulator.trader import SYMBOL, trader
from tests.services.executor.floor import ACCOUNT, STRATEGY, risk
from tests.services.ingest_stack import events_of
from tests.services.processes import ServiceProcess, beside, eventually, lacking
from tests.support.servers import Broker, Database
from tests.support.signals import emitted

PATIENCE_SECONDS = 120.0
PARTITIONS = 4


@dataclass
class House:
    """One installation with an executor's process."""

    bootstrap: str
    engine: AsyncEngine
    producer: EventProducer
    process: ServiceProcess
    health_port: int
    key: PersonalKey
    number: int = 0

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Of a question."""
        async with read_session(self.engine) as session:
            return [tuple(row) for row in (await session.connection.execute(text(statement))).all()]

    async def until_ready(self) -> None:
        """Until /readyz says so."""
        missing: dict[str, str] | None = None

        async def ready() -> bool:
            nonlocal missing
            missing = await lacking(self.health_port)
            return missing == {}

        await eventually(ready, PATIENCE_SECONDS, lambda: f"{missing}\n{self.process.log.read_text()[-3000:]}")

    async def until_state(self, trade_id: str, state: str, more: str = "true") -> None:
        """Until the trade's row says so."""
        statement = f"SELECT state, reason FROM live_trades WHERE trade_id = '{trade_id}'"

        async def reached() -> bool:
            with suppress(UnreachableError):
                return bool(await self.rows(f"{statement} AND state = '{state}' AND {more}"))
            return False

        await eventually(reached, PATIENCE_SECONDS, lambda: f"{trade_id}\n{self.process.log.read_text()[-3000:]}")

    async def say(self, signal: SignalScored) -> None:
        """Publish a signal, and wait for the broker."""
        partition = partition_of(signal.symbol, PARTITIONS)
        await (await self.producer.send(SIGNAL_SCORED, signal, key=signal.symbol, partition=partition))

    async def command(self, name: CommandName, **arguments: str) -> CommandAnswered:
        """Sign one, say it, and hear its answer."""
        now_ms = SystemClock().now_ms()
        nonce = f"{time.time_ns():032x}"
        unsigned = CommandIssued(
            event_id=command_id(self.key.name, nonce),
            event_time_ms=now_ms,
            account=ACCOUNT,
            target="executor",
            command=name,
            arguments=arguments,
            reason="test",
            issued_by=self.key.name,
            issued_at_ms=now_ms,
            expires_at_ms=now_ms + 50_000,
            nonce=nonce,
            signature="",
        )
        signed = msgspec.structs.replace(unsigned, signature=self.key.sign(signed_bytes(unsigned)))
        return await CommandDesk(self.bootstrap, COMMAND, COMMAND_RESULT).issue_and_hear(signed, 45.0)

    async def supervise(self) -> None:
        """What a supervisor does: start it again whenever it has ended."""
        while True:
            if not self.process.running:
                self.process.start()
            await asyncio.sleep(0.2)

    async def guard(self, venue: Running) -> None:
        """What a guard says while all is well."""
        while True:
            said = risk(event_time_ms=venue.simulation.clock.now_ms())
            await (await self.producer.send(RISK_STATE, said, key=ACCOUNT, partition=0))
            await asyncio.sleep(0.3)


@asynccontextmanager
async def house(bootstrap: str, database_url: str, folder: Path, **environment: str) -> AsyncIterator[House]:
    """A broker with the product's topics, a migrated database, and a process that is begun."""
    await ensure_topics(bootstrap, PARTITIONS)
    engine = create_engine(DatabaseSettings(database_url=database_url))
    await migrate.upgrade(engine)
    producer = EventProducer(bootstrap, service="test", on_failure=lambda reason: None)
    await producer.start()
    key = new_key(folder / "keys", "tester")
    TrustedFolder(folder / "trusted").trust(key.public)
    port = free_port()
    given = {
        "PERPSTREAM_KAFKA_BOOTSTRAP": bootstrap,
        "PERPSTREAM_MARKET_PARTITIONS": str(PARTITIONS),
        "PERPSTREAM_DATABASE_URL": database_url,
        "PERPSTREAM_HEALTH_PORT": str(port),
        "PERPSTREAM_ACCOUNT_DIR": str(folder / "accounts"),
        "PERPSTREAM_COMMAND_KEYS": str(folder / "trusted"),
        "PERPSTREAM_INSTALLATION_FILE": str(folder / "installation"),
        "PERPSTREAM_SYMBOLS": SYMBOL,
    }
    process = ServiceProcess("executor", given | environment, folder / "executor.log")
    process.start()
    try:
        yield House(bootstrap, engine, producer, process, port, key)
    finally:
        if process.running:
            process.kill()
        with suppress(TimeoutError):
            await producer.stop()
        await engine.dispose()


@asynccontextmanager
async def trading(bootstrap: str, database_url: str, folder: Path) -> AsyncIterator[tuple[House, Running]]:
    """The same, with an account at a simulated venue, and a guard that says that all is well."""
    async with running(folder / "venue", symbols=(SYMBOL,), rate=60.0) as venue:
        home = folder / "accounts" / ACCOUNT
        home.mkdir(parents=True)
        (home / "key.json").write_text(json.dumps({"key": venue.api_key.key, "secret": venue.api_key.secret}))
        (home / "key.json").chmod(0o600)
        environment = {
            "PERPSTREAM_EXECUTION_MODE": "demo",
            "PERPSTREAM_ORDER_REST_URL": venue.url,
            "PERPSTREAM_ORDER_WEBSOCKET_URL": venue.url.replace("http", "ws", 1),
            "PERPSTREAM_ORDER_SPOT_REST_URL": venue.url,
        }
        async with house(bootstrap, database_url, folder, **environment) as at:
            guard = asyncio.create_task(at.guard(venue))
            try:
                yield at, venue
            finally:
                guard.cancel()
                with suppress(asyncio.CancelledError):
                    await guard


def signal(number: int, price: Decimal, now_ms: int) -> SignalScored:
    """A long signal of now."""
    return emitted(f"signal-{number}", SYMBOL, price, now_ms, strategy=STRATEGY)


async def _until_entries(at: House) -> None:
    """Until the heartbeat says that something may be opened."""
    last: list[str] = []

    async def allowed() -> bool:
        reports = [event for event in await events_of(at.bootstrap, EXECUTOR) if isinstance(event, ExecutorReported)]
        last[:] = reports[-1].reasons if reports else ["no report"]
        return not last

    await eventually(allowed, PATIENCE_SECONDS, lambda: f"{last}\n{at.process.log.read_text()[-3000:]}")


async def test_from_a_signal_to_a_closed_position_over_a_kill(
    empty_kafka: str, database_url: str, tmp_path: Path
) -> None:
    async with trading(empty_kafka, database_url, tmp_path) as (at, venue):
        await at.until_ready()
        changed = await at.command("change_config", base_version="0", strategies=STRATEGY, risk_per_trade="20")
        assert (changed.accepted, changed.details) == (True, {"version": "1"})
        await _until_entries(at)
        person = trader(venue)
        price = Decimal(await person.price())
        await at.say(signal(1, price, venue.simulation.clock.now_ms()))
        await at.until_state("signal-1", "open", "(document->'times'->>'targets_ms')::bigint > 0")
        at.process.kill()
        # While nobody is there the venue's stop and targets stand.
        assert len(await person.ok("GET", "/fapi/v1/openAlgoOrders")) == 1
        at.process.start()
        await at.until_ready()
        closed = await at.command("close", symbol=SYMBOL, share="1")
        assert closed.accepted, closed.result
        await at.until_state("signal-1", "closed")
        truth = await person.truth()
        assert not [one for one in truth["positions"] if Decimal(one["amount"])]
        legs = dict(await at.rows("SELECT leg, count(*) FROM live_orders GROUP BY leg"))
        assert legs == {"entry": 1, "stop": 1, "take_profit_1": 1, "take_profit_2": 1, "close": 1}
        [(reason, net)] = await at.rows("SELECT exit_reason, pnl_quote FROM live_trades WHERE trade_id = 'signal-1'")
        [(fills, realised, fees)] = await at.rows("SELECT count(*), sum(realised), sum(fee) FROM live_fills")
        assert (reason, net) == ("command", realised - fees)
        assert fills == len(await person.ok("GET", "/fapi/v1/userTrades", symbol=SYMBOL))
        commands = await at.rows("SELECT command, accepted FROM live_commands ORDER BY obeyed_at")
        assert commands == [("change_config", True), ("close", True)]
        states = [one.state for one in await events_of(empty_kafka, TRADE) if isinstance(one, LiveTradeChanged)]
        assert states[0] == "entering"
        assert states[-1] == "closed"
        told = {one.leg for one in await events_of(empty_kafka, ORDER) if isinstance(one, OrderChanged)}
        assert told == set(legs)
        assert at.process.stop() == 0


async def test_on_paper_each_signal_is_refused_once(empty_kafka: str, database_url: str, tmp_path: Path) -> None:
    async with house(empty_kafka, database_url, tmp_path) as at:
        await at.until_ready()
        now_ms = SystemClock().now_ms()
        broken = Encoded(b"{", [("schema", b"signal_scored/1"), ("content-type", b"application/json")])
        place = partition_of(SYMBOL, PARTITIONS)
        await (await at.producer.send_encoded(SIGNAL_SCORED.name, broken, key=b"x", partition=place))
        await at.say(signal(1, Decimal(100), now_ms))
        await at.say(msgspec.structs.replace(signal(2, Decimal(100), now_ms), state="refused", reason="cooldown"))
        await at.until_state("signal-1", "refused")
        at.process.kill()
        await at.say(signal(1, Decimal(100), now_ms))
        await at.say(signal(3, Decimal(100), now_ms))
        at.process.start()
        await at.until_state("signal-3", "refused")
        found = await at.rows("SELECT trade_id, state, reason FROM live_trades ORDER BY trade_id")
        assert found == [("signal-1", "refused", "paper_mode"), ("signal-3", "refused", "paper_mode")]
        told = await events_of(empty_kafka, TRADE)
        # A start tells again what may have been lost, under the same ids.
        assert len({one.event_id for one in told}) == len(found)
        assert await end_offset(empty_kafka, SIGNAL_SCORED.dead_letter, 0) == 1
        asked = await at.command("close", symbol=SYMBOL, share="1")
        assert (asked.accepted, "paper" in asked.result) == (False, True)
        changed = await at.command("change_config", base_version="0", max_positions="7")
        assert changed.accepted
        reports = [one for one in await events_of(empty_kafka, EXECUTOR) if isinstance(one, ExecutorReported)]
        assert (reports[-1].mode, reports[-1].entries_allowed) == ("paper", False)
        assert at.process.stop() == 0


async def test_a_stopped_process_that_wakes_up_finds_its_account_taken(
    empty_kafka: str, database_url: str, tmp_path: Path
) -> None:
    async with trading(empty_kafka, database_url, tmp_path) as (at, _):
        await at.until_ready()
        os.kill(at.process.pid, signals.SIGSTOP)
        second = ServiceProcess(
            "executor", at.process.environment | {"PERPSTREAM_HEALTH_PORT": str(free_port())}, tmp_path / "second.log"
        )
        second.start()
        try:
            await eventually(
                lambda: _epoch_is(at, 2), PATIENCE_SECONDS, lambda: (tmp_path / "second.log").read_text()[-2000:]
            )
            os.kill(at.process.pid, signals.SIGCONT)
            assert await asyncio.to_thread(at.process.wait, 20) == 70
            assert "not ours any more" in at.process.log.read_text()
        finally:
            second.kill()


async def _epoch_is(at: House, epoch: int) -> bool:
    return await at.rows("SELECT epoch FROM live_lease") == [(epoch,)]


async def test_servers_that_go_away_keep_nobody_from_leaving_a_position(
    own_kafka: Broker, own_postgres: Database, tmp_path: Path
) -> None:
    async with trading(own_kafka.bootstrap, own_postgres.url, tmp_path) as (at, venue):
        await at.until_ready()
        assert (await at.command("change_config", base_version="0", strategies=STRATEGY, risk_per_trade="20")).accepted
        await _until_entries(at)
        price, now_ms = Decimal(await trader(venue).price()), venue.simulation.clock.now_ms()
        await at.say(msgspec.structs.replace(signal(1, price, now_ms), hold_until_ms=now_ms + 30_000))
        await at.until_state("signal-1", "open", "(document->'times'->>'targets_ms')::bigint > 0")
        async with beside(at.supervise()):
            await asyncio.to_thread(own_kafka.kill)
            await asyncio.to_thread(own_postgres.kill)
            await asyncio.to_thread(own_postgres.start)
            # No broker: the hold limit counts all the same, whether the lease has outlived the database's absence or not.
            await at.until_state("signal-1", "closed", "exit_reason = 'hold_expired'")
            await asyncio.to_thread(own_kafka.start)

            async def told() -> bool:
                events = [
                    one for one in await events_of(own_kafka.bootstrap, TRADE) if isinstance(one, LiveTradeChanged)
                ]
                return events[-1].state == "closed"

            await eventually(told, PATIENCE_SECONDS, lambda: at.process.log.read_text()[-3000:])
        assert not [one for one in (await trader(venue).truth())["positions"] if Decimal(one["amount"])]
