"""The WebSocket, over real HTTP, with facts from a real Kafka: what comes, what is resumed, who may listen and until when."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI

from libs.contracts.event import Event
from libs.contracts.topics import AGGTRADE, MARKPRICE, SIGNAL_SCORED, Topic
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from services.gateway import stream_client
from services.gateway.app import http_config
from services.gateway.open_files import may_open_many, most_connections
from services.gateway.stream import Streams
from services.gateway.stream_memory import MOST_LISTED, Item
from tests.services.gateway.house import PASSWORD, Device, House, open_house
from tests.services.gateway.listening import Listener, listening
from tests.services.processes import eventually
from tests.services.recorder.test_recorder import scored
from tests.services.recorder.timelines import frame, mark_price


@pytest.fixture
async def house(module_database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(module_database_url, tmp_path) as opened:
        yield opened


def streams(house: House) -> Streams:
    """What all sockets of the house share."""
    found: Streams = house.application.state.streams
    return found


def put(house: House, channel: Any, key: str, text: str, symbol: str | None = None) -> None:
    """A fact, as if a topic had said it."""
    feed = streams(house).feed
    feed.channels[channel].put(key, Item(text, symbol))
    feed.waking.wake([channel])


async def say(bootstrap: str, topic: Topic, events: Sequence[Event], key: str = "BTCUSDT") -> None:
    """Records of a topic, in partition 0."""
    producer = EventProducer(bootstrap, service="test")
    await producer.start()
    for event in events:
        await producer.send(topic, event, key=key, partition=0)
    await producer.stop()


async def _has(house: House, channel: Any, count: int) -> bool:
    return streams(house).feed.channels[channel].sequence >= count


@pytest.fixture
async def followed(house: House, empty_kafka: str) -> AsyncIterator[str]:
    """A Kafka whose topics the house follows."""
    await ensure_topics(empty_kafka, 1)
    following = asyncio.create_task(streams(house).feed.follow(empty_kafka))
    yield empty_kafka
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following


async def _reaches(house: House, bootstrap: str) -> None:
    """Until what is said on the topics is heard: some are read from their end only."""

    async def heard() -> bool:
        await say(bootstrap, AGGTRADE, [frame(1, 2)])
        return streams(house).feed.channels["trades"].sequence > 0

    await eventually(heard, 60, lambda: "no trade is heard")


async def test_a_snapshot_comes_first_then_changes_and_a_resume_goes_on_where_it_was(
    house: House, followed: str
) -> None:
    _, device = await house.person()
    await say(followed, MARKPRICE, [mark_price(1), mark_price(2, symbol="ETHUSDT")])
    await say(followed, SIGNAL_SCORED, [scored(1)])
    await eventually(partial(_has, house, "prices", 2), 60, lambda: "no price is heard")
    await eventually(partial(_has, house, "signals", 1), 60, lambda: "no signal is heard")
    async with listening(device) as listener:
        await listener.say(type="subscribe", id="p", channel="prices", symbols=["BTCUSDT"])
        await listener.say(type="subscribe", id="s", channel="signals")
        first = {said["id"]: said for said in (await listener.hear(), await listener.hear())}
        assert [item["symbol"] for item in first["p"]["items"]] == ["BTCUSDT"]
        assert [item["event_id"] for item in first["s"]["items"]] == [scored(1).event_id]
        await say(followed, MARKPRICE, [mark_price(3, symbol="ETHUSDT"), mark_price(4)])
        change = await listener.hear("changes")
        assert (change["id"], change["after"], change["missed"]) == ("p", first["p"]["sequence"], 0)
        assert [item["event_time_ms"] for item in change["items"]] == [mark_price(4).event_time_ms]
    await say(followed, SIGNAL_SCORED, [scored(1), scored(2), scored(3)])  # the first once more, as after a restart
    await eventually(partial(_has, house, "signals", 3), 60, lambda: "no further signal is heard")
    epoch = streams(house).feed.epoch
    async with listening(device) as listener:
        await listener.say(type="subscribe", id="s", channel="signals", from_=first["s"]["sequence"], epoch=epoch)
        resumed = await listener.hear()
        assert (resumed["type"], resumed["after"], resumed["missed"]) == ("changes", first["s"]["sequence"], 0)
        assert [item["event_id"] for item in resumed["items"]] == [scored(2).event_id, scored(3).event_id]
        await listener.say(type="subscribe", id="t", channel="signals", from_=1, epoch="another memory")
        assert (await listener.hear())["type"] == "snapshot"


async def test_trades_come_as_the_minute_that_runs(house: House, followed: str) -> None:
    _, device = await house.person()
    await _reaches(house, followed)
    async with listening(device) as listener:
        await listener.say(type="subscribe", id="t", channel="trades")
        bar = (await listener.hear("snapshot"))["items"][0]
        assert (bar["symbol"], bar["agg_trades"], bar["partial"]) == ("BTCUSDT", 2, True)
        await say(followed, AGGTRADE, [frame(1, 2), frame(3, 4)])  # two that are known, four that are not
        while bar["agg_trades"] < 6:
            bar = (await listener.hear("changes"))["items"][-1]
        assert (bar["agg_trades"], bar["last_id"]) == (6, 6)
        assert float(bar["low"]) <= float(bar["close"]) <= float(bar["high"])


async def test_a_client_that_was_away_for_long_is_told_what_it_missed_and_gets_the_newest_of_each_key(
    house: House,
) -> None:
    _, device = await house.person()
    feed = streams(house).feed
    for number in range(MOST_LISTED + 7):
        put(house, "signals", str(number), f'{{"n":{number}}}')
        put(house, "prices", "BTCUSDT", f'{{"n":{number}}}', "BTCUSDT")
    async with listening(device) as listener:
        await listener.say(type="subscribe", id="s", channel="signals", from_=0, epoch=feed.epoch)
        first = await listener.hear()
        assert (first["missed"], first["items"][0]) == (7, {"n": 7})
        heard = [*first["items"]]
        while first["sequence"] < MOST_LISTED + 7:
            following = await listener.hear("changes")
            assert (following["after"], following["missed"]) == (first["sequence"], 0)
            heard, first = [*heard, *following["items"]], following
        assert heard == [{"n": number} for number in range(7, MOST_LISTED + 7)]
        await listener.say(type="subscribe", id="p", channel="prices", from_=1, epoch=feed.epoch)
        assert (await listener.hear())["items"] == [{"n": MOST_LISTED + 6}]


def _stop_reading(listener: Listener) -> asyncio.Transport:
    """From now on nothing is taken from the socket, which holds little."""
    transport = listener.socket.get_extra_info("transport")
    if transport is None:
        connection = listener.socket._response.connection
        assert connection is not None
        transport = connection.transport
    assert isinstance(transport, asyncio.Transport)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100_000)
    transport.pause_reading()
    return transport


async def test_a_client_that_does_not_read_costs_no_memory_and_goes_on_with_the_newest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_client, "FLUSH_SECONDS", 0.0)  # each is sent at once to whoever reads
    monkeypatch.setattr(stream_client, "SEND_SECONDS", 600.0)
    _, device = await house.person()
    body = "x" * 50_000
    async with listening(device) as listener:
        await listener.say(type="subscribe", id="p", channel="prices")
        await listener.hear("snapshot")
        transport = _stop_reading(listener)
        for number in range(400):  # 20 MB, more than both sockets hold
            put(house, "prices", "BTCUSDT", f'{{"n":{number},"body":"{body}"}}')
            for _ in range(20):
                await asyncio.sleep(0)
        transport.resume_reading()
        heard: list[int] = []
        while not heard or heard[-1] < 399:
            heard += [item["n"] for item in (await listener.hear("changes"))["items"]]
        assert heard[:3] == [0, 1, 2], "while its socket takes them, each is sent"
        assert len(heard) < 300, "what it could not take was kept for it"


async def _program(house: House, name: str) -> Device:
    asked = {"name": name, "password": PASSWORD, "given_to": "program"}
    answer = await house.device().post("/api/auth/login", asked)
    return house.device(answer.body["tokens"]["access_token"])


async def test_a_program_says_its_token_in_the_first_message(house: House) -> None:
    name, device = await house.person()
    program = await _program(house, name)
    async with listening(program) as listener:
        await listener.say(type="ping")
        assert (await listener.hear())["type"] == "pong"
    made = await device.post("/api/auth/tokens", {"name": "p", "scopes": ["read"], "days": 1, "password": PASSWORD})
    async with listening(house.device(made.body["token"])) as listener:
        ended = await device.ask("DELETE", f"/api/auth/tokens/{made.body['details']['token_id']}")
        assert ended.status == 200
        assert (await listener.closed())[0] == 4401


@pytest.mark.parametrize("token", ["not.a.token", "pst_" + "a" * 43, "ä"])
async def test_a_wrong_token_is_not_let_in(house: House, token: str) -> None:
    async with listening(house.device(token), welcome=False) as listener:
        assert (await listener.closed())[0] == 4401


async def test_who_says_something_else_first_is_not_let_in(house: House) -> None:
    async with listening(house.device(), welcome=False) as listener:
        await listener.say(type="subscribe", id="p", channel="prices")
        assert (await listener.closed())[0] == 4401


async def test_another_page_cannot_listen_with_our_cookie(house: House) -> None:
    _, device = await house.person()
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with listening(device, Origin="https://elsewhere.example"):
            pass
    assert refused.value.status == 403


async def test_a_token_in_the_address_opens_nothing(house: House) -> None:
    name, _ = await house.person()
    program = await _program(house, name)
    async with house.device().session.ws_connect(f"{house.url}/api/stream?token={program.token}") as opened:
        await opened.send_str('{"type":"ping"}')
        assert (await opened.receive()).data == 4401


async def test_whoever_is_banned_or_logs_out_hears_nothing_more(house: House) -> None:
    name, device = await house.person()
    _, admin = await house.person("admin")
    async with listening(device) as listener:
        assert (await admin.post(f"/api/users/{name}/ban")).status == 200
        assert (await listener.closed())[0] == 4401
    name, device = await house.person()
    other = await house.log_in(name)
    async with listening(device) as listener, listening(other) as kept:
        assert (await device.post("/api/auth/logout")).status == 200
        assert (await listener.closed())[0] == 4401
        await kept.say(type="ping")
        assert (await kept.hear())["type"] == "pong"


async def test_messages_that_are_none_are_answered_and_too_many_end_it(house: House) -> None:
    _, device = await house.person()
    async with listening(device) as listener:
        for text in ("{", "[]", '{"type":"subscribe","id":"p","channel":"secrets"}', '{"type":"subscribe","id":"\\""}'):
            await listener.socket.send_str(text)
            assert (await listener.hear())["type"] == "error"
        await listener.say(type="unsubscribe", id="nothing")
        assert (await listener.hear())["id"] == "nothing"
        await listener.say(type="subscribe", id="p", channel="prices")
        assert (await listener.hear())["type"] == "snapshot"
        for _ in range(10):
            await listener.socket.send_bytes(b"{}")
        assert (await listener.closed())[0] == 4400


async def test_one_person_opens_only_so_many(house: House) -> None:
    _, device = await house.person()
    streams(house).most_of_one = 1
    async with listening(device) as first:
        async with listening(device, welcome=False) as second:
            assert (await second.closed())[0] == 1013
        await first.say(type="ping")
        assert (await first.hear())["type"] == "pong"
    async with listening(device):
        pass


async def _says_nothing(house: House) -> aiohttp.ClientWebSocketResponse:
    return await house.device().session.ws_connect(f"{house.url}/api/stream")


async def test_so_many_only_may_wait_without_saying_who_they_are(house: House) -> None:
    _, device = await house.person()
    streams(house).most_strangers_of_one = 3
    strangers = [await _says_nothing(house) for _ in range(3)]
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await _says_nothing(house)
    assert (refused.value.status, refused.value.headers and refused.value.headers["Retry-After"]) == (503, "10")
    await strangers.pop().close()
    await eventually(partial(_waits, house, 2), 20, lambda: "who has gone is still counted")
    async with listening(device) as first, listening(device):  # who has signed in is counted no longer
        await first.say(type="ping")
        assert (await first.hear())["type"] == "pong"
        assert await _waits(house, 2)
    streams(house).most_strangers_of_one, streams(house).most_strangers = 100, 2
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await _says_nothing(house)
    assert refused.value.status == 503
    for each in strangers:
        await each.close()
    await eventually(partial(_waits, house, 0), 20, lambda: "who has gone is still counted")


async def _waits(house: House, count: int) -> bool:
    return streams(house)._strangers.total() == count


def test_there_are_bounds_and_the_process_may_open_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: allowed[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: allowed.append(limits))
    assert most_connections() == 1024 - 200, "the database and Kafka need files too"
    may_open_many()
    assert (allowed[-1], most_connections()) == ((4096, 4096), 4096 - 200)
    allowed.append((10**6, 10**6))
    may_open_many()
    assert allowed[-1] == (10**6, 10**6)
    assert Streams().most_of_all + Streams().most_strangers < most_connections() == 5_100
    assert (Streams().most_strangers, Streams().most_strangers_of_one) == (100, 10)
    assert http_config(FastAPI()).limit_concurrency == 5_100
