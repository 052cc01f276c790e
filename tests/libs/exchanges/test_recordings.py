"""A recording gives the trades that live ingestion makes of the same bytes."""

from collections.abc import Sequence
from pathlib import Path

from libs.contracts.frames import read_columns
from libs.exchanges.binance.parse import parse_batch
from libs.indicators.log import TradeRows
from services.backtester.sources.recording import open_recordings
from services.trade_ingest.assembler import Assembler, AssemblerOptions, Resume
from services.trade_ingest.frame_builder import Origin
from tests.fakes.instruments import instrument
from tests.services.backtester.captures import Row, agg_trades, capture, derived, plain, trades_of


def ingested(payloads: Sequence[bytes]) -> list[Row]:
    """What live ingestion publishes of the same messages."""
    assembler = Assembler([instrument()], {"BTCUSDT": Resume(last_id=0)}, Origin("test", 1), AssemblerOptions(1))
    for number in range(0, len(payloads), 7):
        assembler.take(parse_batch(payloads[number : number + 7]).market.trades, 0)
    assembler.flush()
    found: list[Row] = []
    for frame in assembler.drain():
        columns = read_columns(frame)
        part = frame.slices[0]
        rows = TradeRows(
            "BTCUSDT",
            part.price_decimals,
            part.quantity_decimals,
            columns.agg_id,
            columns.time,
            columns.price,
            columns.quantity,
            columns.buyer_is_maker,
        )
        found += plain(rows)
    return found


async def test_the_same_messages_give_the_trades_of_live_ingestion(tmp_path: Path) -> None:
    """With a trade that comes late, and two that are told twice."""
    rows = derived()[:2_000]
    late = (*rows[900][:5], str(int(rows[900][5]) - 700), rows[900][6])
    payloads = agg_trades([*rows[:900], late, *rows[901:1_500], *rows[1_490:1_492], *rows[1_500:]])
    found = plain(await trades_of(open_recordings([capture(tmp_path / "btcusdt.raw.gz", payloads)])))
    live = ingested(payloads)
    assert len(live) == len(rows)
    assert found == live
    assert found[900][3] == found[899][3]
