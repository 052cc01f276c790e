"""Open positions as trade_ingest learns them: the latest state of each, of every account, from the topic itself."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal

import pytest

from libs.contracts.codec import encode, header_map
from libs.contracts.topics import POSITION
from libs.contracts.trading import PositionChanged
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from libs.streaming.records import Record
from services.trade_ingest.positions import OpenPositions
from tests.services.processes import eventually


def position(account: str, symbol: str, quantity: str) -> PositionChanged:
    return PositionChanged(
        event_id=f"{account}:{symbol}:{quantity}",
        event_time_ms=1_763_712_000_000,
        account=account,
        symbol=symbol,
        quantity=Decimal(quantity),
        entry_price=None,
        mark_price=None,
        unrealised_pnl=Decimal(0),
        protected=True,
        signal_id=None,
    )


def read(events: Iterable[PositionChanged]) -> OpenPositions:
    positions = OpenPositions()
    for offset, event in enumerate(events):
        value, headers = encode(event)
        key = f"{event.account}:{event.symbol}".encode()
        positions.absorb(Record(POSITION.name, 0, offset, key, value, header_map(headers), 0))
    return positions


def test_a_symbol_counts_as_long_as_any_account_holds_it() -> None:
    assert read([]).symbols() == frozenset()
    events = [position("a", "BTCUSDT", "-0.5"), position("b", "BTCUSDT", "1"), position("a", "ETHUSDT", "2")]
    assert read(events).symbols() == {"BTCUSDT", "ETHUSDT"}
    assert read([*events, position("a", "BTCUSDT", "0")]).symbols() == {"BTCUSDT", "ETHUSDT"}
    assert read([*events, position("a", "BTCUSDT", "0"), position("b", "BTCUSDT", "0.0")]).symbols() == {"ETHUSDT"}


def test_a_deleted_position_is_none_and_an_unreadable_one_changes_nothing() -> None:
    positions = read([position("a", "BTCUSDT", "1"), position("a", "ETHUSDT", "1")])
    positions.absorb(Record(POSITION.name, 0, 2, b"a:BTCUSDT", b"{", {"schema": b"position_changed/1"}, 0))
    assert positions.symbols() == {"BTCUSDT", "ETHUSDT"}
    positions.absorb(Record(POSITION.name, 0, 3, b"a:BTCUSDT", None, {}, 0))
    assert positions.symbols() == {"ETHUSDT"}


@pytest.mark.integration
async def test_positions_are_known_from_the_topic_and_as_they_change(empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, 1)
    producer, positions = EventProducer(empty_kafka, service="test"), OpenPositions()
    await producer.start()

    async def send(event: PositionChanged) -> None:
        await (await producer.send(POSITION, event, key=f"{event.account}:{event.symbol}", partition=0))

    async def known(symbols: set[str]) -> None:
        async def same() -> bool:
            return positions.symbols() == symbols

        await eventually(same, 20, lambda: f"{positions.symbols()} is not {symbols}")

    await send(position("a", "BTCUSDT", "1"))
    following = asyncio.create_task(positions.follow(empty_kafka))
    await known({"BTCUSDT"})
    await send(position("a", "ETHUSDT", "-1"))
    await known({"BTCUSDT", "ETHUSDT"})
    await send(position("a", "BTCUSDT", "0"))
    await known({"ETHUSDT"})
    following.cancel()
    await producer.stop()
