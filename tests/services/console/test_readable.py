"""`topics tail` prints trades and bars as people read them, and says that it waits."""

import json
from collections.abc import Sequence

import msgspec
import pytest

from libs.contracts.codec import encode, header_map
from libs.contracts.event import Event
from libs.contracts.market import AggTradeFrame, TradesBootstrapped
from libs.streaming.records import Record
from services.console import topics
from services.console.readable import decimal_text, lines_of
from services.console.topics import describe_record
from tests.golden.control_samples import MIDNIGHT
from tests.golden.samples import sample


def _row(event: Event) -> dict[str, object]:
    encoded = encode(event)
    return describe_record(Record("market.aggtrade.v1", 2, 41, None, encoded.value, header_map(encoded.headers), 0))


def test_a_frame_is_its_trades() -> None:
    frame = sample(AggTradeFrame)
    assert isinstance(frame, AggTradeFrame)
    value = _row(frame)["value"]
    assert isinstance(value, dict)
    json.dumps(value)
    fields = ("symbol", "id", "side", "price", "quantity", "trade_time_ms", "time_ms")
    assert [[row[name] for name in fields] for row in value["rows"]] == [
        ["BTCUSDT", 2331590001, "buy", "55120.0", "0.012", MIDNIGHT + 900, MIDNIGHT + 950],
        ["ETHUSDT", 1501000400, "sell", "2345.01", "1.500", MIDNIGHT + 1188, MIDNIGHT + 1188],
        ["BTCUSDT", 2331590005, "sell", "55120.1", "0.003", MIDNIGHT + 1240, MIDNIGHT + 1240],
        ["BTCUSDT", 2331590006, "buy", "55119.9", "0.250", MIDNIGHT + 1250, MIDNIGHT + 1250],
    ]
    assert not {"price", "quantity", "agg_id", "buyer_is_maker"} & set(value)
    assert lines_of(frame.SCHEMA, value) == [
        "4 trades; complete to 2024-08-08 00:00:00.200Z for BTCUSDT, ETHUSDT, SOLUSDT",
        "  BTCUSDT 2331590001 buy  55120.0 0.012 2024-08-08 00:00:00.900Z",
        "  ETHUSDT 1501000400 sell 2345.01 1.500 2024-08-08 00:00:01.188Z",
        "  BTCUSDT 2331590005 sell 55120.1 0.003 2024-08-08 00:00:01.240Z",
        "  BTCUSDT 2331590006 buy  55119.9 0.250 2024-08-08 00:00:01.250Z",
        "  BTCUSDT ids 2331590002 to 2331590004 are missing after 2024-08-08 00:00:00.900Z: retention",
    ]


def test_columns_that_lie_are_undecodable_and_printed_as_such() -> None:
    frame = msgspec.structs.replace(sample(AggTradeFrame), price=b"\0" * 8)
    value = _row(frame)["value"]
    assert isinstance(value, dict)
    assert "columns differ" in value["undecodable"]
    assert len(lines_of(frame.SCHEMA, value)) == 1


def test_bars_are_rows_in_json_and_a_count_with_their_span_in_the_terminal() -> None:
    event = sample(TradesBootstrapped)
    value = _row(event)["value"]
    assert isinstance(value, dict)
    json.dumps(value)
    assert value["minute_bars"][0] == {
        "open_time_ms": MIDNIGHT - 120_000,
        "volume": "15.500",
        "taker_buy_volume": "8.000",
        "quote_volume": "854360.0000",
    }
    assert [bar["close"] for bar in value["candle_bars"]] == ["55120.0"]
    assert lines_of(event.SCHEMA, value) == [
        "BTCUSDT 1-minute bars: 2, opened 2024-08-07 23:58:00.000Z to 2024-08-07 23:59:00.000Z; "
        "5-minute bars: 1, opened 2024-08-07 23:55:00.000Z to 2024-08-07 23:55:00.000Z"
    ]


def test_a_scaled_number_has_all_decimals_of_its_scale_and_no_exponent() -> None:
    assert [decimal_text(raw, places) for raw, places in ((1, 8), (617_000, 1), (5, 0))] == [
        "0.00000001",
        "61700.0",
        "5",
    ]


class _Tail:
    """A consumer that has these batches, one a poll."""

    def __init__(self, batches: Sequence[list[Record]]) -> None:
        self._batches = list(batches)

    async def poll(self) -> list[Record]:
        return self._batches.pop(0)


@pytest.mark.parametrize(("quiet_polls", "said"), [(3, "0 records so far, waiting\n"), (0, "")])
async def test_an_empty_topic_is_said_once(quiet_polls: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    record = Record("market.aggtrade.v1", 0, 0, None, b"", {}, 0)
    tail = _Tail([*([[]] * quiet_polls), [record]])
    async for found in topics._spoken(tail, "0 records so far, waiting"):  # type: ignore[arg-type]
        assert found is record
        break
    captured = capsys.readouterr()
    assert (captured.err, captured.out) == (said, "")
