"""Whatever plausible events come in, every reader can decode what the engine says about them."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.codec import decode
from libs.contracts.event import Event
from libs.contracts.market import (
    FeedStatusChanged,
    LiquidationObserved,
    MarketIndicatorObserved,
    MarkPriceObserved,
    TradesBootstrapped,
)
from libs.contracts.plausible import LATEST_MS
from libs.contracts.signals import IndicatorComputed, SignalScored
from libs.contracts.topics import AGGTRADE, FEEDSTATUS, INDICATOR, LIQUIDATION, MARKPRICE, STRATEGY_CONTROL
from libs.indicators.settings import KernelSettings
from services.signal_engine.core import EngineCore, LeftOut, Outputs
from tests.services.frame_factory import Envelope, Row, make_frame
from tests.services.signal_engine.timelines import (
    START_MS,
    TimelineFactory,
    activation,
    bootstrap,
    mark_price,
    open_interest,
)

SYMBOL = "BTCUSDT"
GRID_MS = 15_000
STEPS = 40
TOPICS = {
    LiquidationObserved: LIQUIDATION,
    MarketIndicatorObserved: INDICATOR,
    MarkPriceObserved: MARKPRICE,
    FeedStatusChanged: FEEDSTATUS,
}


def numbers(*, positive: bool, largest: int = 40) -> st.SearchStrategy[Decimal]:
    """As large and as small as the codec lets pass, with up to 30 digits."""
    made = st.builds(
        lambda digits, adjusted: Decimal(f"{digits}E{adjusted - len(str(digits)) + 1}"),  # scaleb would round
        st.integers(1, 10**30),
        st.integers(-40, largest) | st.sampled_from((-40, largest)),
    )
    return made if positive else made | made.map(Decimal.copy_negate)  # which does not round


def liquidation(start_ms: int, at_ms: int, quantity: Decimal, price: Decimal) -> LiquidationObserved:
    time_ms = start_ms + at_ms
    return LiquidationObserved(
        event_id=f"l:{at_ms}",
        event_time_ms=time_ms,
        symbol=SYMBOL,
        side="SELL",
        quantity=quantity,
        average_price=price,
        order_price=price,
        last_filled_quantity=quantity,
        trade_time_ms=time_ms,
        status="FILLED",
    )


def receiving(start_ms: int) -> FeedStatusChanged:
    return FeedStatusChanged(
        event_id="feed",
        event_time_ms=start_ms - 3_600_000,
        feed="liquidations",
        symbol=SYMBOL,
        state="live",
        detail="",
        last_event_time_ms=0,
    )


def warm(start_ms: int) -> TradesBootstrapped:
    """Bars up to the start, so that there is an ATR, and with it brackets."""
    made = bootstrap(SYMBOL, 1)

    def moved(bars: bytes, width: int) -> bytes:
        rows = np.frombuffer(bars, "<i8").reshape(-1, width).copy()
        rows[:, 0] += start_ms - START_MS
        return rows.tobytes()

    return msgspec.structs.replace(made, minute_bars=moved(made.minute_bars, 4), candle_bars=moved(made.candle_bars, 5))


def run(start_ms: int, facts: Sequence[Event]) -> Outputs:
    """The facts, then a trade at each grid step."""
    timeline = TimelineFactory()
    timeline.fence()
    timeline.copy(STRATEGY_CONTROL, activation(1))
    timeline.copy(AGGTRADE, warm(start_ms))
    timeline.copy(FEEDSTATUS, receiving(start_ms))
    for fact in facts:
        timeline.copy(TOPICS[type(fact)], fact)
    for step in range(STEPS):
        time_ms = start_ms + step * GRID_MS
        rows = [Row(SYMBOL, step, 5_000_000 + step, 1_000, time_ms, False)]
        last = start_ms + (step + 1) * GRID_MS - 1
        timeline.copy(AGGTRADE, make_frame(Envelope(sequence=step), rows, {SYMBOL: last}))
    out = EngineCore(KernelSettings()).process(timeline.records)
    assert not out.refused
    return out


def read(out: Outputs) -> tuple[list[IndicatorComputed], list[SignalScored]]:
    """All outputs as a reader decodes them; raises `BadMessage` where it cannot."""
    events = [decode(o.encoded.value, dict(o.encoded.headers)) for o in (*out.indicators, *out.signals)]
    return (
        [event for event in events if isinstance(event, IndicatorComputed)],
        [event for event in events if isinstance(event, SignalScored)],
    )


INSTANTS = st.integers(-3_600_000, STEPS * GRID_MS)
AMOUNTS = numbers(positive=True, largest=19)
SHAPES = st.one_of(
    st.tuples(st.just("liquidation"), INSTANTS, AMOUNTS, AMOUNTS),
    st.tuples(st.just("mark"), INSTANTS, numbers(positive=True), numbers(positive=False)),
    st.tuples(st.just("open_interest"), INSTANTS, numbers(positive=False), numbers(positive=False)),
)


def fact_of(start_ms: int, shape: tuple[str, int, Decimal, Decimal]) -> Event:
    kind, at_ms, first, second = shape
    if kind == "liquidation":
        return liquidation(start_ms, at_ms, first, second)
    if kind == "mark":
        made = mark_price(SYMBOL, min(start_ms + at_ms, LATEST_MS - 1), 1)
        return msgspec.structs.replace(made, mark_price=first, funding_rate=second)
    return open_interest(SYMBOL, min(start_ms + at_ms, LATEST_MS - 1), str(first))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from((START_MS, LATEST_MS - STEPS * GRID_MS - 300_000)), st.lists(SHAPES, max_size=12))
def test_every_output_passes_the_codec(start_ms: int, shapes: list[tuple[str, int, Decimal, Decimal]]) -> None:
    indicators, _ = read(run(start_ms, [fact_of(start_ms, shape) for shape in shapes]))
    assert [row.event_time_ms for row in indicators] == [start_ms + step * GRID_MS for step in range(1, STEPS + 1)]


def test_a_sum_that_no_event_can_carry_is_unknown_until_it_has_left_the_window() -> None:
    most = Decimal("99e18")
    out = run(START_MS, [liquidation(START_MS, 1_000 + number, most, most) for number in range(11)])
    indicators, _ = read(out)
    known = ["long_liquidations" in {part.name for part in row.slow_inputs} for row in indicators]
    assert known == [False] * 20 + [True] * (STEPS - 20)
    assert all("short_liquidations" in {part.name for part in row.slow_inputs} for row in indicators)
    assert out.left_out == [LeftOut(SYMBOL, "long_liquidations")] * 20


def test_an_event_beyond_the_end_of_time_is_left_out_and_named() -> None:
    start_ms = LATEST_MS - STEPS * GRID_MS
    mark = msgspec.structs.replace(mark_price(SYMBOL, start_ms, 1), mark_price=Decimal(10_100))
    out = run(start_ms, [mark])
    indicators, _ = read(out)
    assert indicators[-1].event_time_ms == LATEST_MS - GRID_MS
    assert LeftOut(SYMBOL, IndicatorComputed.SCHEMA) in out.left_out
    assert LeftOut(SYMBOL, SignalScored.SCHEMA) in out.left_out
