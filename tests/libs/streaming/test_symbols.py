"""The symbols in force follow the topic: what is said is told once, a refusal is tried again, and garbage changes nothing."""

import asyncio
from collections.abc import Sequence

from libs.contracts.control import SymbolFollowed
from libs.contracts.identity import digest
from libs.contracts.topics import SYMBOL_CONTROL
from libs.kit.errors import TryAgain
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from libs.streaming.symbols import SymbolControl
from tests.libs.streaming.broker import fail, put, until

CONFIGURED = ("BTCUSDT", "ETHUSDT")


class Told:
    """Members that write down what they are told; the first `refusals` additions are not possible yet."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals, self.said = refusals, list[tuple[str, tuple[str, ...]]]()

    async def add(self, symbols: Sequence[str]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise TryAgain("not yet", 0.1)
        self.said.append(("add", tuple(symbols)))

    async def remove(self, symbols: Sequence[str]) -> None:
        self.said.append(("remove", tuple(symbols)))


async def say(bootstrap: str, *words: tuple[str, bool]) -> None:
    producer = EventProducer(bootstrap, service="test", on_failure=fail)
    await producer.start()
    for symbol, followed in words:
        await producer.send(SYMBOL_CONTROL, word(symbol, followed), key=symbol, partition=0)
    await producer.stop()


def word(symbol: str, followed: bool) -> SymbolFollowed:
    return SymbolFollowed(
        event_id=digest("symbol", symbol, followed, 1),
        event_time_ms=1,
        symbol=symbol,
        followed=followed,
        changed_by="ada",
    )


async def told(members: Told, kind: str, *wanted: str) -> None:
    """Until all of these have been said."""

    async def enough() -> bool:
        return set(wanted) <= {symbol for what, symbols in members.said if what == kind for symbol in symbols}

    await until(enough)


async def test_what_was_said_counts_at_the_start_and_what_is_said_later_is_told(empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, 1)
    await say(empty_kafka, ("SOLUSDT", True), ("BTCUSDT", False))
    await put(empty_kafka, SYMBOL_CONTROL.name, [b"{"])
    control, members = SymbolControl(empty_kafka, SYMBOL_CONTROL, CONFIGURED), Told(refusals=1)
    assert await control.at_start() == ("ETHUSDT", "SOLUSDT")
    following = asyncio.create_task(control.follow(members))
    await say(empty_kafka, ("XRPUSDT", True), ("ADAUSDT", True))
    await told(members, "add", "XRPUSDT", "ADAUSDT")
    await say(empty_kafka, ("ETHUSDT", False))
    await told(members, "remove", "ETHUSDT")
    await say(empty_kafka, ("ETHUSDT", True))
    await told(members, "add", "ETHUSDT")
    following.cancel()
    added = [symbol for kind, symbols in members.said if kind == "add" for symbol in symbols]
    assert sorted(added) == ["ADAUSDT", "ETHUSDT", "XRPUSDT"]
    assert [symbols for kind, symbols in members.said if kind == "remove"] == [("ETHUSDT",)]


async def test_without_the_topic_the_configured_symbols_run_and_the_topic_is_read_when_it_is_there(
    empty_kafka: str,
) -> None:
    control, members = SymbolControl(empty_kafka, SYMBOL_CONTROL, CONFIGURED), Told()
    assert await control.at_start() == CONFIGURED
    await ensure_topics(empty_kafka, 1)
    await say(empty_kafka, ("SOLUSDT", True), ("SOLUSDT", False), ("XRPUSDT", True))
    following = asyncio.create_task(control.follow(members))
    await told(members, "add", "XRPUSDT")
    following.cancel()
    assert members.said == [("add", ("XRPUSDT",))], "a symbol that has gone again does not come and go"
