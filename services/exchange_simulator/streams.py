"""Stream names: what they mean, and on which WebSocket path Binance carries them."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from services.exchange_simulator.klines import INTERVALS
from services.exchange_simulator.market import StreamKind

Route = Literal["market", "public", "private", "unrouted"]
_KLINE = re.compile(r"^kline_(\w+)$")


@dataclass(frozen=True, slots=True)
class StreamName:
    """A parsed stream. `symbol` is upper case, empty for all-market streams; `period_ms` only for markPrice."""

    name: str
    symbol: str
    kind: StreamKind
    interval: str = ""
    period_ms: int = 0

    @property
    def route(self) -> Route:
        """The path that carries it: the order book is public, everything else market."""
        return "public" if self.kind == "bookTicker" else "market"


@lru_cache(maxsize=65_536)
def parse_stream(name: str) -> StreamName | None:
    """The stream of a name as clients write it; None for names that this venue does not know (they stay silent)."""
    special: dict[str, StreamName] = {
        "!markPrice@arr": StreamName(name, "", "markPrice", period_ms=3000),
        "!markPrice@arr@1s": StreamName(name, "", "markPrice", period_ms=1000),
        "!forceOrder@arr": StreamName(name, "", "forceOrder"),
        "!bookTicker": StreamName(name, "", "bookTicker"),
        "!contractInfo": StreamName(name, "", "contractInfo"),
    }
    if name in special:
        return special[name]
    symbol, _, rest = name.partition("@")
    # Names are lower case on the venue: an upper-case symbol is accepted and never sends anything.
    if not symbol or symbol != symbol.lower():
        return None
    upper = symbol.upper()
    kline = _KLINE.match(rest)
    if kline and kline.group(1) in INTERVALS:
        return StreamName(name, upper, "kline", interval=kline.group(1))
    simple: dict[str, StreamName] = {
        "aggTrade": StreamName(name, upper, "aggTrade"),
        "markPrice": StreamName(name, upper, "markPrice", period_ms=3000),
        "markPrice@1s": StreamName(name, upper, "markPrice", period_ms=1000),
        "forceOrder": StreamName(name, upper, "forceOrder"),
        "bookTicker": StreamName(name, upper, "bookTicker"),
    }
    return simple.get(rest)


def carried(route: Route, stream: StreamName) -> bool:
    """Whether a connection on `route` gets the stream; unrouted paths carry public streams only since 2026-04-23."""
    return stream.route == ("public" if route == "unrouted" else route)
