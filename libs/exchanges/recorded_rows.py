"""Rows as they are read from a file, before they become columns."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RecordedTrade:
    """An aggregate trade: price and quantity as written, times in ms."""

    agg_id: int
    price: str
    quantity: str
    first_id: int
    last_id: int
    trade_ms: int
    event_ms: int
    maker: bool


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """Any other event: its venue time (ms), symbol, stream name, and payload bytes as recorded."""

    event_ms: int
    symbol: str
    stream: str
    payload: bytes


@dataclass(slots=True)
class RecordedRows:
    """What one or several files hold: aggregate trades by symbol, and the other events in recorded order.

    `lost`: single trades by symbol that a capture has missed between its first and last; none where it holds aggregates.
    """

    trades: dict[str, list[RecordedTrade]] = field(default_factory=dict)
    events: list[RecordedEvent] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
