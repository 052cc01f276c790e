"""Binance's way to subscribe: connect to the routed path, SUBSCRIBE in few messages, wait for each answer."""

import asyncio
import weakref
from collections.abc import Sequence

import msgspec

from libs.exchanges import StreamBatch, StreamHandler, Subscription
from libs.exchanges.binance.parse import parse_batch
from libs.exchanges.binance.urls import market_stream_url
from libs.exchanges.session import SessionOptions, StreamSession, SubscriptionRefused, Wire
from libs.exchanges.websocket import Connection
from libs.kit.clock import VenueClock

STREAMS_PER_CONNECTION = 1024
STREAMS_PER_MESSAGE = 200
SECONDS_BETWEEN_MESSAGES = 0.15
REPLY_SECONDS = 10.0


def stream_names(wanted: Subscription) -> list[str]:
    """Binance's names: `<symbol>@aggTrade` (at most 100 ms late), `<symbol>@markPrice@1s`, `<symbol>@forceOrder`, and for
    all symbols `!forceOrder@arr` (COIN-M too) and `!markPrice@arr@1s`."""
    kinds = (("aggTrade", wanted.trades), ("markPrice@1s", wanted.mark_prices), ("forceOrder", wanted.forced_orders))
    names = [f"{symbol.lower()}@{kind}" for kind, symbols in kinds for symbol in symbols]
    every = (("!forceOrder@arr", wanted.every_forced_order), ("!markPrice@arr@1s", wanted.every_mark_price))
    return [*names, *(name for name, is_wanted in every if is_wanted)]


class _Subscriber:
    """Sends SUBSCRIBE and matches the answers; at most ten messages a second may be sent on one connection."""

    def __init__(self, streams: Sequence[str]) -> None:
        if len(streams) > STREAMS_PER_CONNECTION:
            raise ValueError(f"{len(streams)} streams exceed the venue's {STREAMS_PER_CONNECTION} a connection")
        self._streams = tuple(streams)
        self._waiting: weakref.WeakKeyDictionary[Connection, dict[int, asyncio.Future[str]]]
        self._waiting = weakref.WeakKeyDictionary()

    async def subscribe(self, connection: Connection) -> None:
        waiting: dict[int, asyncio.Future[str]] = {}
        self._waiting[connection] = waiting
        for number, start in enumerate(range(0, len(self._streams), STREAMS_PER_MESSAGE), start=1):
            if number > 1:
                await asyncio.sleep(SECONDS_BETWEEN_MESSAGES)
            waiting[number] = asyncio.get_running_loop().create_future()
            params = self._streams[start : start + STREAMS_PER_MESSAGE]
            connection.send(msgspec.json.encode({"method": "SUBSCRIBE", "params": params, "id": number}))
        errors = await asyncio.wait_for(asyncio.gather(*waiting.values()), REPLY_SECONDS)
        if any(errors):
            raise SubscriptionRefused("; ".join(error for error in errors if error))

    def read(self, connection: Connection, payloads: Sequence[bytes]) -> tuple[StreamBatch, list[tuple[bytes, str]]]:
        parsed = parse_batch(payloads)
        for reply in parsed.replies:
            future = self._waiting.get(connection, {}).get(reply.request_id)
            if future is not None and not future.done():
                future.set_result(reply.error)
        return parsed.market, parsed.malformed


class BinanceStreams:
    """The port's `MarketStreams` for Binance."""

    def __init__(self, base_url: str, clock: VenueClock) -> None:
        self._url = market_stream_url(base_url)
        self._clock = clock

    def session(self, subscription: Subscription, handler: StreamHandler, options: SessionOptions) -> StreamSession:
        subscriber = _Subscriber(stream_names(subscription))
        wire = Wire(self._url, subscriber.subscribe, subscriber.read)
        return StreamSession(wire, handler, self._clock, options)
