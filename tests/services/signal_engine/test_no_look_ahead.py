"""An evaluation uses nothing that describes an instant after it: slow inputs against their definition over all that was said."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.event import Event
from libs.contracts.market import FeedStatusChanged, LiquidationObserved, MarketIndicatorObserved, MarkPriceObserved
from libs.contracts.topics import AGGTRADE, INDICATOR, MARKPRICE
from libs.indicators.settings import KernelSettings
from libs.trading.engine.slow_inputs import MOST_KEPT, MOST_LIQUIDATIONS, SymbolInputs
from services.signal_engine.core import EngineCore
from services.signal_engine.snapshot import dump, load
from tests.services.frame_factory import Envelope, Row, make_frame
from tests.services.signal_engine.test_core import decoded, outputs
from tests.services.signal_engine.test_slow_inputs import feed, liquidation
from tests.services.signal_engine.timelines import START_MS, TimelineFactory, mark_price, open_interest

SYMBOL = "BTCUSDT"
FIVE_MINUTES, HALF_AN_HOUR = 300_000, 1_800_000
Values = dict[str, tuple[Decimal, int]]


def truth(said: Sequence[Event], now: int) -> Values:
    """Every input at `now`, recomputed from all events in log order, without any state."""
    found: Values = {}
    by_name: dict[str, dict[int, Decimal]] = {}
    for event in said:
        if event.event_time_ms > now:
            continue
        if isinstance(event, MarketIndicatorObserved):
            by_name.setdefault(event.kind, {})[event.event_time_ms] = event.values["open_interest"]
        if isinstance(event, MarkPriceObserved):
            by_name.setdefault("mark_price", {})[event.event_time_ms] = event.mark_price
            by_name.setdefault("index_price", {})[event.event_time_ms] = event.index_price
    for name, values in by_name.items():
        found[name] = (values[max(values)], max(values))
    interest = by_name.get("open_interest", {})
    old = [at for at in interest if at <= max(interest) - HALF_AN_HOUR]
    if old:
        change = (found["open_interest"][0] / interest[max(old)] - 1) * 100
        found["open_interest_change_percent"] = (change.quantize(Decimal("0.00000001")), max(interest))
    start = now - FIVE_MINUTES
    reports = [e for e in said if isinstance(e, FeedStatusChanged) and e.event_time_ms <= now]
    reports.sort(key=lambda e: e.event_time_ms)  # a stable sort: log order where instants are equal
    before = [e.state == "live" for e in reports if e.event_time_ms <= start]
    if before and before[-1] and all(e.state == "live" for e in reports if e.event_time_ms > start):
        forced = [e for e in said if isinstance(e, LiquidationObserved) and start <= e.trade_time_ms < now]
        for name, side in (("long_liquidations", "SELL"), ("short_liquidations", "BUY")):
            total = sum((e.quantity * e.average_price for e in forced if e.side == side), Decimal(0))
            found[name] = (total, now)
    return found


def take(inputs: SymbolInputs, event: Event) -> None:
    if isinstance(event, MarketIndicatorObserved):
        inputs.take_indicator(event)
    elif isinstance(event, MarkPriceObserved):
        inputs.take_mark_price(event)
    elif isinstance(event, LiquidationObserved):
        inputs.take_liquidation(event)
    elif isinstance(event, FeedStatusChanged):
        inputs.take_feed(event)


def values_at(inputs: SymbolInputs, now: int) -> Values:
    return {name: (reading.value, reading.as_of_ms) for name, reading in inputs.at(now).items()}


# Instants on a coarse grid, so that equal ones, window edges and the evaluation itself are hit often.
instants = (st.integers(0, 12) | st.integers(0, 80)).map(lambda n: n * 60_000)
sizes = st.integers(1, 9)
states = st.sampled_from(["live", "live", "live", "down", "silent"])
events = st.one_of(
    st.builds(lambda at, size: open_interest(SYMBOL, at, str(size)), instants, sizes),
    st.builds(lambda at, size: mark_price(SYMBOL, at, size), instants, sizes),
    st.builds(liquidation, instants, st.sampled_from(["long", "short"]), sizes),
    st.builds(lambda at, state: feed("liquidations", state, at), instants, states),
)
moves = st.tuples((st.integers(0, 4) | st.integers(0, 20)).map(lambda n: n * 30_000), st.booleans())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([[], [feed("liquidations", "live", 0)]]), st.lists(events | moves, max_size=60), moves)
def test_inputs_are_the_newest_up_to_the_evaluation_for_any_order(
    first: list[Any], script: list[Any], last: tuple[int, bool]
) -> None:
    core, now, said = EngineCore(KernelSettings()), 0, []
    for step in [*first, *script, last]:
        if isinstance(step, Event):
            said.append(step)
            take(core.engine.symbol_inputs(SYMBOL), step)
            continue
        now += step[0]
        assert values_at(core.engine.symbol_inputs(SYMBOL), now) == truth(said, now)
        if step[1]:
            kept = dump(core)
            core = load(kept, KernelSettings(), 0)
            assert dump(core) == kept


@settings(max_examples=200, deadline=None)
@given(st.permutations(range(12)), st.integers(0, 12))
def test_the_order_of_arrival_does_not_matter(order: list[int], now: int) -> None:
    inputs = SymbolInputs()
    for number in order:
        inputs.take_mark_price(mark_price(SYMBOL, number * 1_000, 100 + number))
    newest = min(now, 11)
    assert values_at(inputs, now * 1_000)["mark_price"] == (Decimal(100 + newest), newest * 1_000)


def test_without_evaluations_the_oldest_instants_give_way() -> None:
    inputs, count = SymbolInputs(), MOST_KEPT + MOST_LIQUIDATIONS
    for second in range(count):
        inputs.take_mark_price(mark_price(SYMBOL, second * 1_000, second + 1))
        inputs.take_indicator(open_interest(SYMBOL, second * 1_000, "1"))
        inputs.take_liquidation(liquidation(second * 1_000, "long", 1))
        inputs.take_feed(feed("liquidations", "live", second * 1_000))
    assert {len(known) for known in inputs.readings.values()} == {MOST_KEPT}
    assert (len(inputs.liquidations), len(inputs.feeds["liquidations"])) == (MOST_LIQUIDATIONS, MOST_KEPT)
    oldest = (count - MOST_KEPT) * 1_000
    assert values_at(inputs, oldest - 1) == {}
    assert values_at(inputs, oldest)["mark_price"] == (Decimal(count - MOST_KEPT + 1), oldest)


def test_a_window_that_reaches_back_to_a_forgotten_liquidation_has_no_sum() -> None:
    inputs = SymbolInputs()
    inputs.take_feed(feed("liquidations", "live", 0))
    for number in range(MOST_LIQUIDATIONS + 1):
        inputs.take_liquidation(liquidation(FIVE_MINUTES + (number > 0), "long", 1))
    assert "long_liquidations" not in inputs.at(2 * FIVE_MINUTES)
    assert inputs.at(2 * FIVE_MINUTES + 1)["long_liquidations"].value == MOST_LIQUIDATIONS


def test_one_instant_far_in_the_future_displaces_nothing() -> None:
    inputs = SymbolInputs()
    inputs.take_mark_price(mark_price(SYMBOL, 4_000_000_000_000, 9))
    for second in range(2 * MOST_KEPT):
        inputs.take_mark_price(mark_price(SYMBOL, second * 1_000, 7))
        assert values_at(inputs, second * 1_000)["mark_price"] == (Decimal(7), second * 1_000)


def test_a_slow_input_ahead_of_the_trades_waits_in_the_timeline() -> None:
    timeline = TimelineFactory()
    timeline.fence()
    for second in (10, 25, 40):
        timeline.copy(MARKPRICE, mark_price(SYMBOL, START_MS + second * 1_000, second))
    timeline.copy(INDICATOR, open_interest(SYMBOL, START_MS + 30_000, "5"))
    for number in range(5):
        time_ms = START_MS + 15_000 * number
        rows = [Row(SYMBOL, number, 100, 1, time_ms, False)]
        timeline.copy(AGGTRADE, make_frame(Envelope(sequence=number), rows, {SYMBOL: time_ms - 1}))
    found = decoded(outputs(EngineCore(KernelSettings()), [timeline.records])[1])
    assert [{i.name: int(i.value) for i in event.slow_inputs if i.name != "index_price"} for event in found] == [
        {"mark_price": 10},
        {"mark_price": 25, "open_interest": 5},
        {"mark_price": 40, "open_interest": 5},
        {"mark_price": 40, "open_interest": 5},
    ]
    assert all(i.age_ms >= 0 for event in found for i in event.slow_inputs)
