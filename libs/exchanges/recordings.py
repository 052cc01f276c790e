"""Recorded markets as files, for whoever replays them: this module knows which venue's captures can be read, as venue.py does."""

from collections.abc import Sequence

from libs.exchanges import StreamBatch
from libs.exchanges.binance.captures import check_beginnings, read_recording
from libs.exchanges.binance.parse import parse_batch
from libs.exchanges.recorded_rows import RecordedEvent, RecordedRows, RecordedTrade
from libs.kit.errors import BadMessage

__all__ = [
    "RecordedEvent",
    "RecordedRows",
    "RecordedTrade",
    "check_beginnings",
    "read_recording",
    "slow_messages",
]


def slow_messages(events: Sequence[RecordedEvent]) -> StreamBatch:
    """The mark prices and forced orders among recorded events, as the live adapter reads them; bars and books are left out.

    Raises `BadMessage` "unreadable" that counts those which it cannot read, and shows the first.
    """
    payloads = [item.payload for item in events if "@markPrice" in item.stream or "forceOrder" in item.stream]
    parsed = parse_batch(payloads)
    if parsed.malformed:
        payload, why = parsed.malformed[0]
        text = payload[:80].decode(errors="replace")
        raise BadMessage(
            "unreadable", f"{len(parsed.malformed)} recorded events cannot be read, the first {text}…: {why}"
        )
    return parsed.market
