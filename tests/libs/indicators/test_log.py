"""Frames become rows: holes where they belong, watermarks last, scales aligned."""

import numpy as np
import pytest

from libs.contracts.frames import read_columns
from libs.contracts.market import AggTradeFrame, Hole, SymbolSlice
from libs.indicators import layout as at
from libs.indicators.features import Scale, feature_row, read_table
from libs.indicators.kernel import Kernel, LogRows
from libs.indicators.log import TradeRows, joined_rows
from libs.indicators.settings import KernelSettings

START_MS = 1_700_000_040_000


def frame(
    rows: list[tuple[int, int, int, int, int]], slices: list[SymbolSlice], holes: tuple[Hole, ...] = ()
) -> AggTradeFrame:
    """Rows of (slice, id, time, price, quantity), all bought."""
    table = np.array(rows, np.int64).reshape(-1, 5)
    column = [table[:, i].astype("<i8").tobytes() for i in range(5)]
    return AggTradeFrame(
        event_id="p:0:0",
        event_time_ms=START_MS,
        partition=0,
        producer="p",
        epoch=0,
        sequence=0,
        received_us=0,
        slices=tuple(slices),
        holes=holes,
        symbol_index=table[:, 0].astype("<u2").tobytes(),
        agg_id=column[1],
        trade_time=column[2],
        price=column[3],
        quantity=column[4],
        first_trade_id=column[1],
        last_trade_id=column[1],
        buyer_is_maker=bytes(len(table)),
    )


def test_a_hole_stands_before_the_first_later_trade_of_its_symbol() -> None:
    kernel = Kernel(KernelSettings())
    batch = kernel.batch()
    event = frame(
        [(0, 1, START_MS, 5, 1), (1, 90, START_MS, 5, 1), (0, 2, START_MS, 5, 1), (0, 7, START_MS + 9, 5, 1)],
        [SymbolSlice("A", 1, 0, 3, 1, 7, START_MS + 8), SymbolSlice("B", 1, 0, 1, 90, 90, -1)],
        (Hole("A", 3, 6, START_MS, START_MS + 9, "rest"), Hole("B", 91, 95, START_MS, START_MS + 50, "rest")),
    )
    batch.add_frame(event, read_columns(event))
    rows = LogRows(*batch.columns())
    assert rows.kind.tolist() == [0, 0, 0, at.HOLE, 0, at.HOLE, at.WATERMARK, at.WATERMARK]
    assert rows.agg_id[3] == 6
    assert rows.quantity[3] == 4
    assert rows.symbol.tolist() == [0, 1, 0, 0, 0, 1, 0, 1]
    assert len(batch) == 8


def test_a_scale_that_becomes_finer_or_coarser_keeps_the_values() -> None:
    kernel = Kernel(KernelSettings())
    for number, (price, quantity, decimals) in enumerate(((500, 3, (1, 0)), (5_010, 40, (2, 1)), (502, 5, (1, 0)))):
        batch = kernel.batch()
        event = frame(
            [(0, number, START_MS + number, price, quantity)], [SymbolSlice("A", *decimals, 1, number, number, -1)]
        )
        batch.add_frame(event, read_columns(event))
        assert len(kernel.process(batch)) == 0
    batch = kernel.batch()
    batch.add_watermarks(np.zeros(1, np.int32), np.array([START_MS + 20_000], np.int64))
    row = read_table(kernel.process(batch))[0]
    features = feature_row(row, Scale(*kernel.symbols.rows()[0]), kernel.settings)
    assert str(features.price) == "50.20"
    assert str(features.windows[0].volume) == "12.0"
    assert str(features.windows[0].notional) == "601.400"
    assert features.windows[0].vwap is not None
    assert float(features.windows[0].vwap) == pytest.approx(601.4 / 12)
    assert row["place"] == 0
    assert features.effective_at_ms == START_MS + 20_000


def test_a_trade_or_a_watermark_releases_an_evaluation_exactly_once() -> None:
    edge = START_MS // 15_000 * 15_000 + 15_000
    for last, evaluations in ((edge - 2, 0), (edge - 1, 1), (edge, 1), (edge + 15_000, 2)):
        kernel = Kernel(KernelSettings())
        batch = kernel.batch()
        event = frame([(0, 1, START_MS, 5, 1)], [SymbolSlice("A", 1, 0, 1, 1, 1, last)])
        batch.add_frame(event, read_columns(event))
        assert len(kernel.process(batch)) == evaluations
    kernel = Kernel(KernelSettings())
    batch = kernel.batch()
    event = frame([(0, 1, START_MS, 5, 1), (0, 2, edge, 5, 1)], [SymbolSlice("A", 1, 0, 2, 1, 2, edge - 1)])
    batch.add_frame(event, read_columns(event))
    table = kernel.process(batch)
    assert table["quantity_1"].tolist() == [1]
    assert table["place"].tolist() == [1]
    assert table["released_by_ms"].tolist() == [edge - 1]


def test_rows_are_joined_in_order_and_never_those_of_several_scales() -> None:
    def page(decimals: int, first: int = 1) -> TradeRows:
        ones = np.ones(1, np.int64)
        return TradeRows("BTCUSDT", decimals, 1, first * ones, ones, ones, ones, np.zeros(1, np.uint8))

    assert joined_rows([page(1, 7), page(1, 8)]).agg_id.tolist() == [7, 8]
    with pytest.raises(ValueError, match="several scales"):
        joined_rows([page(1), page(2)])
