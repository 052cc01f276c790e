"""The engine over columns gives the bytes of the engine over the log, whatever stands between trades, in any stretches."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.codec import encode_value
from libs.contracts.control import StrategyActivated
from libs.contracts.market import AggTradeFrame
from libs.contracts.signals import SignalScored
from libs.contracts.timeline import PlacedEvent, PlacedHole, TimelineFenced, TimelineHeartbeat
from libs.indicators.log import TradeRows
from libs.indicators.settings import KernelSettings
from libs.streaming.records import Record
from libs.streaming.timeline import TimelineCursor, accepted
from libs.trading.engine.columns import ColumnEngine, due_holes
from libs.trading.engine.core import Engine, Evaluation
from tests.services.signal_engine.timelines import START_MS, mixed_timeline

SYMBOLS = ["BTCUSDT", "ETHUSDT", "XRPUSDT"]
KERNEL = KernelSettings()


@dataclass
class Table:
    """What a recorder keeps of one symbol: its rows, holes, and events with the watermark at their place."""

    rows: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    holes: list[PlacedHole] = field(default_factory=list)
    events: list[PlacedEvent] = field(default_factory=list)
    watermark: int = -1

    def trades(self, symbol: str) -> TradeRows:
        columns = np.array(self.rows, np.int64).reshape(-1, 5)
        agg_id, time, price, quantity = (np.ascontiguousarray(columns[:, place]) for place in range(4))
        return TradeRows(symbol, 2, 3, agg_id, time, price, quantity, columns[:, 4].astype(np.uint8))


def recorded(records: list[Record]) -> tuple[list[Evaluation], dict[str, Table]]:
    """The evaluations of the live engine, and the tables by symbol."""
    engine, tables = Engine(KERNEL), defaultdict[str, Table](Table)
    found: list[Evaluation] = []
    for symbol in SYMBOLS:
        tables[symbol] = Table()
    for taken in accepted(records, TimelineCursor(), []):
        event = taken.event
        if isinstance(event, AggTradeFrame):
            assert taken.columns is not None
            engine.take_frame(event, taken.columns)
            for index, part in enumerate(event.slices):
                mine = taken.columns.select(taken.columns.symbol_index == index)
                table = tables[part.symbol]
                columns = (mine.agg_id, mine.time, mine.price, mine.quantity, mine.buyer_is_maker)
                table.rows += list(zip(*(column.tolist() for column in columns), strict=True))
                table.holes += [PlacedHole(table.watermark, hole) for hole in event.holes if hole.symbol == part.symbol]
                table.watermark = max(table.watermark, part.watermark_ms)
            continue
        if not isinstance(event, TimelineFenced | TimelineHeartbeat):
            engine.take(event)
        if isinstance(event, StrategyActivated):
            for table in tables.values():
                table.events.append(PlacedEvent(table.watermark, event))
        elif (name := getattr(event, "symbol", None)) is not None:
            tables[name].events.append(PlacedEvent(taken.effective_at_ms, event))
    found.extend(engine.drain())
    return found, tables


def said(evaluations: list[Evaluation], symbol: str) -> list[tuple[object, ...]]:
    """Everything that is decided, without the record that happened to release it."""
    return [
        (
            item.situation.row.evaluation_time_ms,
            item.situation.row.windows,
            item.situation.row.last_agg_id,
            item.situation.row.trades_missing,
            item.situation.inputs,
            item.scores,
            [encode_value(signal) for signal in item.signals],
        )
        for item in evaluations
        if item.situation.row.symbol == symbol
    ]


def signals_of(evaluations: list[Evaluation]) -> list[bytes]:
    return [encode_value(signal) for item in evaluations for signal in item.signals]


@given(st.integers(0, 1_000), st.lists(st.integers(1, 400_000), max_size=6))
@settings(max_examples=15, deadline=None)
def test_columns_say_what_the_log_says(seed: int, steps: list[int]) -> None:
    live, tables = recorded(mixed_timeline(seed, SYMBOLS, 250).records)
    for symbol, table in tables.items():
        engine, trades, holes = ColumnEngine(KERNEL, symbol, every=True), table.trades(symbol), table.holes
        engine.place(table.events)
        found: list[Evaluation] = []
        until = START_MS
        for until in [
            *(end for end in np.cumsum([START_MS, *steps]).tolist() if end <= table.watermark),
            table.watermark + 1,
        ]:
            rows = trades.before(until)
            inside = due_holes(holes, int(trades.agg_id[rows]) if rows < len(trades) else None, until)
            found += engine.advance(trades.rows(0, rows), holes[:inside], until).evaluations
            trades, holes = trades.rows(rows, len(trades)), holes[inside:]
        assert said(found, symbol) == said(live, symbol)
        few = ColumnEngine(KERNEL, symbol)
        few.place(table.events)
        end_ms, trades = table.watermark + 1, table.trades(symbol)
        following = trades.agg_id[trades.before(end_ms) :].tolist()
        due = due_holes(table.holes, following[0] if following else None, end_ms)
        chosen = few.advance(trades.rows(0, trades.before(end_ms)), table.holes[:due], end_ms)
        assert signals_of(chosen.evaluations) == signals_of(found)
        assert sum(map(len, chosen.columns)) == len(found)


def test_the_comparison_has_signals_of_both_states() -> None:
    live, _ = recorded(mixed_timeline(3, SYMBOLS, 1_500).records)
    signals: list[SignalScored] = [signal for item in live for signal in item.signals]
    assert {signal.state for signal in signals} == {"emitted", "refused"}
