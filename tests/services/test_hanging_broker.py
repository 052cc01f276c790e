"""A broker that hangs keeps its connections and refuses nothing: whoever produces or follows says so, and recovers by itself."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from infra.local.ports import free_port
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine
from libs.streaming.admin import ensure_topics
from libs.streaming.liveness import KAFKA, PATIENCE_SECONDS
from services.gateway.live_rates import LIVE_RATES
from tests.services.ingest_stack import PARTITIONS, IngestStack, running
from tests.services.processes import ServiceProcess, eventually, lacking
from tests.support.servers import Broker

pytestmark = pytest.mark.integration
# Beyond the patience: the next heartbeat or mark price, a look a second, and a machine with other work.
NOTICED_SECONDS = PATIENCE_SECONDS + 8
READY_SECONDS = 90
REFUSED_SECONDS = 5
# Beside the stack's own trade_ingest: each with the condition that must name the broker.
OTHERS = {"sequencer": KAFKA, "gateway": LIVE_RATES, "indicator_ingest": KAFKA}


class Watched(NamedTuple):
    """A service and where it says whether it is ready."""

    name: str
    process: ServiceProcess
    port: int
    condition: str

    async def ready(self) -> bool:
        return await lacking(self.port) == {}

    async def has_noticed(self) -> bool:
        """Not ready, and the reason counts the seconds of silence."""
        why = (await lacking(self.port) or {}).get(self.condition, "")
        return "has waited 1" in why or "has not answered for 1" in why

    async def is_refused(self) -> bool:
        """Not ready, because nobody takes its connections."""
        return "refuses connections" in (await lacking(self.port) or {}).get(self.condition, "")

    def log(self) -> str:
        return f"{self.name}: {self.process.log.read_text()[-3000:]}"


@contextmanager
def watched(stack: IngestStack, database_url: str, folder: Path) -> Iterator[list[Watched]]:
    """Every service that is looked at, on the stack's broker and venue; what still runs at the end is killed."""
    found = [Watched("trade_ingest", stack.ingest, stack.health_port, KAFKA)]
    for name, condition in OTHERS.items():
        port = free_port()
        own = {
            "PERPSTREAM_HEALTH_PORT": str(port),
            "PERPSTREAM_DATABASE_URL": database_url,
            "PERPSTREAM_GATEWAY_PORT": "0",
            "PERPSTREAM_GATEWAY_STATE_DIR": str(folder / "gateway"),
        }
        process = ServiceProcess(name, stack.ingest.environment | own, folder / f"{name}.log")
        process.start()
        found.append(Watched(name, process, port, condition))
    try:
        yield found
    finally:
        for each in found:
            if each.process.running:
                each.process.kill()


async def _prepare(bootstrap: str, database_url: str) -> None:
    await ensure_topics(bootstrap, PARTITIONS)
    engine = create_engine(DatabaseSettings(database_url=database_url))
    await migrate.upgrade(engine)
    await engine.dispose()


async def test_a_broker_that_hangs_makes_each_service_not_ready_until_it_goes_on(
    own_kafka: Broker, database_url: str, tmp_path: Path
) -> None:
    await _prepare(own_kafka.bootstrap, database_url)
    stack = IngestStack(own_kafka.bootstrap, "trade_ingest", tmp_path)
    with running(stack), watched(stack, database_url, tmp_path) as services:
        for each in services:
            await eventually(each.ready, READY_SECONDS, each.log)
        own_kafka.hang()
        try:
            await asyncio.gather(*(eventually(each.has_noticed, NOTICED_SECONDS, each.log) for each in services))
        finally:
            own_kafka.go_on()
        await asyncio.gather(*(eventually(each.ready, READY_SECONDS, each.log) for each in services))
        own_kafka.kill()
        # The readers of the timeline judge by its heartbeats, like a broker that hangs; all others know at once.
        told = [each for each in services if each.name not in ("signal_engine", "recorder")]
        await asyncio.gather(*(eventually(each.is_refused, REFUSED_SECONDS, each.log) for each in told))
        own_kafka.start()
        await asyncio.gather(*(eventually(each.ready, READY_SECONDS, each.log) for each in services))
        assert [each.process.stop() for each in services] == [0] * len(services)
