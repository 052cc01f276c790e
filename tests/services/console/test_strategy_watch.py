"""The watcher on a real broker: an edit counts once, a wrong one changes nothing and says why, and a kill doubles nothing."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local.ports import free_port
from libs.contracts.control import StrategyActivated
from libs.contracts.topics import ALERT, STRATEGY_CONTROL
from libs.streaming.admin import ensure_topics
from libs.streaming.strategies.activation import FOLDER
from tests.services.console.test_strategies import edit, folder
from tests.services.ingest_stack import events_of
from tests.services.processes import ServiceProcess, eventually, lacking
from tests.support.servers import Broker

__all__ = ["folder"]
pytestmark = pytest.mark.integration
SECONDS = 60


class Watched:
    """A watcher over a folder, and what it has said so far."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.bootstrap, self.folder, self.health_port = bootstrap, folder, free_port()
        variables = {
            "PERPSTREAM_KAFKA_BOOTSTRAP": bootstrap,
            "PERPSTREAM_STRATEGIES_DIR": str(folder),
            "PERPSTREAM_HEALTH_PORT": str(self.health_port),
            "NO_COLOR": "1",
        }
        self.process = ServiceProcess("console.strategy_watch", variables, folder.parent / "watch.log")

    @property
    def log(self) -> str:
        return self.process.log.read_text() if self.process.log.exists() else ""

    async def activations(self) -> list[StrategyActivated]:
        return [e for e in await events_of(self.bootstrap, STRATEGY_CONTROL) if isinstance(e, StrategyActivated)]

    async def until_versions(self, *versions: tuple[str, int, bool]) -> None:
        """Wait until exactly these were activated, in this order."""

        async def said() -> bool:
            return [(e.strategy, e.version, e.enabled) for e in await self.activations()] == list(versions)

        await eventually(said, SECONDS, lambda: self.log[-3000:])

    async def until_log(self, *parts: str) -> None:
        """Wait until the log contains each of these."""

        async def said() -> bool:
            return all(part in self.log for part in parts)

        await eventually(said, SECONDS, lambda: self.log[-3000:])

    async def until_alerts(self, count: int) -> None:
        """Wait until exactly so many different alerts were sent; each is sent after its line in the log."""

        async def said() -> bool:
            return len({alert.event_id for alert in await events_of(self.bootstrap, ALERT)}) == count

        await eventually(said, SECONDS, lambda: self.log[-3000:])

    async def until_lacking(self, missing: set[str]) -> None:
        """Wait until /readyz names exactly these."""

        async def said() -> bool:
            found = await lacking(self.health_port)
            return found is not None and set(found) == missing

        await eventually(said, SECONDS, lambda: self.log[-3000:])


@contextmanager
def watching(bootstrap: str, folder: Path) -> Iterator[Watched]:
    """A watcher that runs; ended at last."""
    watched = Watched(bootstrap, folder)
    watched.process.start()
    try:
        yield watched
    finally:
        if watched.process.running:
            watched.process.stop()


FIRST = (("v51", 2, True), ("v52", 2, True))


async def test_an_edit_counts_once_a_wrong_one_changes_nothing_and_a_kill_doubles_nothing(
    empty_kafka: str, folder: Path
) -> None:
    await ensure_topics(empty_kafka, 2)
    with watching(empty_kafka, folder) as watched:
        await watched.until_versions(*FIRST)
        await watched.until_lacking(set())
        edit(folder / "v51.json", version=3, threshold=65)
        await watched.until_versions(*FIRST, ("v51", 3, True))
        await watched.until_log("v51 version 2 -> 3; threshold 60 -> 65")
        last = (await watched.activations())[-1]
        assert (last.activated_by, last.file) == (FOLDER, "v51.json")

        good = (folder / "v51.json").read_bytes(), (folder / "v52.json").read_bytes()
        (folder / "v51.json").write_text('{"name": "v51",')
        edit(folder / "v52.json", version=3, threshold=145)
        await watched.until_log("v51.json: $: not JSON", "v52.json: $.threshold: must be at most 100")
        await watched.until_lacking(set())
        await watched.until_alerts(1)
        watched.process.kill()
        watched.process.start()
        for name, text in zip(("v51.json", "v52.json"), good, strict=True):
            (folder / name).write_bytes(text)
        await watched.until_log("the files are what is in force")

        edit(folder / "v52.json", threshold=50)
        await watched.until_log("v52.json: $.version: raise version above 2", "threshold 45 -> 50")
        edit(folder / "v52.json", version=3)
        await watched.until_versions(*FIRST, ("v51", 3, True), ("v52", 3, True))
        (folder / "v51.json").unlink()
        await watched.until_versions(*FIRST, ("v51", 3, True), ("v52", 3, True), ("v51", 3, False))
        (folder / "v52.json").unlink()
        await watched.until_log("there is no strategy file")
        assert len(await watched.activations()) == 5, "a folder that has gone withdraws nothing"
        await watched.until_alerts(3)


async def test_an_edit_waits_for_a_broker_that_is_away(own_kafka: Broker, folder: Path) -> None:
    await ensure_topics(own_kafka.bootstrap, 2)
    with watching(own_kafka.bootstrap, folder) as watched:
        await watched.until_versions(*FIRST)
        own_kafka.kill()
        await watched.until_lacking({"kafka"})
        edit(folder / "v51.json", version=3)
        await watched.until_log("the files wait for Kafka")
        await asyncio.to_thread(own_kafka.start)
        await watched.until_versions(*FIRST, ("v51", 3, True))
        await watched.until_lacking(set())
