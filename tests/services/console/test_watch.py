"""The live screen shows what the topics said, in the house's numbers, at 100 and at 80 columns."""

import io
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from libs.contracts.market import (
    AggTradeFrame,
    FeedState,
    FeedStatusChanged,
    Hole,
    MarkPriceObserved,
    SymbolSlice,
)
from libs.contracts.signals import IndicatorComputed, SignalScored, StrategyScore, WindowFeatures
from services.console.health import ProcessReport, waits_for
from services.console.watch.model import Rate, ServiceState, VenueClock, WatchModel
from services.console.watch.render import frame
from services.console.watch.words import aligned, bar, compact, number, sensible_decimals

EVENING_MS = 1_723_161_599_000  # 2024-08-08 23:59:59 UTC


def _frame(prices: list[int], holes: tuple[Hole, ...] = ()) -> AggTradeFrame:
    rows = len(prices)
    ids = np.arange(100, 100 + rows)
    columns = {name: np.ones(rows, "<i8").tobytes() for name in ("quantity", "first_trade_id", "last_trade_id")}
    return AggTradeFrame(
        event_id="t:0:0",
        event_time_ms=EVENING_MS,
        partition=0,
        producer="t",
        epoch=0,
        sequence=0,
        received_us=0,
        slices=(SymbolSlice("BTCUSDT", 1, 3, rows, 100, 99 + rows, EVENING_MS),),
        holes=holes,
        symbol_index=np.zeros(rows, "<u2").tobytes(),
        agg_id=ids.astype("<i8").tobytes(),
        price=np.array(prices, "<i8").tobytes(),
        trade_time=np.full(rows, EVENING_MS, "<i8").tobytes(),
        buyer_is_maker=np.zeros(rows, "u1").tobytes(),
        **columns,
    )


def _window(name: str, cvd: str, coverage: float) -> WindowFeatures:
    facts = {"window": name, "cvd": cvd, "volume": "10", "notional": "600000", "vwap": None, "coverage": coverage}
    return msgspec.convert(facts, WindowFeatures, strict=False)


INDICATOR = IndicatorComputed(
    event_id="i",
    event_time_ms=EVENING_MS,
    symbol="BTCUSDT",
    interval_ms=15_000,
    effective_at_ms=EVENING_MS,
    price=Decimal("61703.4"),
    windows=(_window("5m", "-12.5", 1.0), _window("30m", "12345.6", 1.0), _window("4h", "1", 0.82)),
    large_p95=None,
    large_p99=None,
    large_buy_p95=Decimal(0),
    large_sell_p95=Decimal(0),
    large_buy_p99=Decimal(0),
    large_sell_p99=Decimal(0),
    size_coverage=0.5,
    atr=Decimal("85.27"),
    atr_percentile=0.61,
    slow_inputs=(),
    scores=(StrategyScore(strategy="v52", version=1, score=78.0, threshold=75.0, direction="long"),),
    last_agg_id=101,
    trades_late=0,
    trades_missing=0,
)
MARK = MarkPriceObserved(
    event_id="m",
    event_time_ms=EVENING_MS,
    symbol="BTCUSDT",
    mark_price=Decimal("61700.12"),
    index_price=Decimal("61701"),
    estimated_settle_price=None,
    mark_price_average=None,
    funding_rate=Decimal("0.0001"),
    next_funding_time_ms=EVENING_MS,
)
SIGNAL = SignalScored(
    event_id="s",
    event_time_ms=EVENING_MS,
    strategy="v52",
    version=1,
    symbol="BTCUSDT",
    score=78.0,
    threshold=75.0,
    direction="long",
    state="refused",
    reason="stale_input",
    sentence="Long BTCUSDT, score 78 of 75 needed; refused because open interest was 4 minutes old",
    price=Decimal("61703.4"),
    atr=None,
    take_profit_1=None,
    take_profit_2=None,
    stop_loss=None,
    hold_until_ms=None,
    contributions=(),
    inputs={},
    coverage={},
)


def _model() -> WatchModel:
    model = WatchModel(venue="simulator")
    for now, event in enumerate([_frame([617_033]), _frame([617_034]), MARK, INDICATOR, SIGNAL, SIGNAL]):
        model.apply(event, float(now))
    model.services["recorder"] = ServiceState(ready=False, running=True, waits_for="database: away", restarts=2, lag=17)
    model.topics["market.aggtrade.v1"] = Rate()
    return model


def _drawn(model: WatchModel, width: int, now: float = 6.0) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(frame(model, width, now))
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_prices_windows_scores_signals_and_health_are_on_the_screen() -> None:
    text = _drawn(_model(), 100)
    for part in (
        "SIMULATOR",
        "2024-08-08 23:59:59Z",
        "61\u2009703.4 ▲",
        "61\u2009700.1",
        "+0.0100",
        "-12.5",
        "+12.3k",
        "85.3",
        "82",
        "78/75 ▲",
        "○ refused: stale_input",
        "Long BTCUSDT, score 78 of 75 needed",
        "recorder",
        "database: away",
        "ready 0/1",
        "data 100.000 %",
    ):
        assert part in text, part
    assert text.count("○ refused") == 1  # the same signal id twice is one signal


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = _drawn(_model(), width).splitlines()
    assert max(len(line) for line in lines) <= width
    assert any("BTCUSDT" in line and "-12.5" in line for line in lines)


@pytest.mark.parametrize(("width", "height"), [(100, 30), (80, 40), (140, 45)])
def test_on_a_low_terminal_old_signals_give_way_to_the_services(width: int, height: int) -> None:
    model = _model()
    for name in ("BNBUSDT", "ETHUSDT", "SOLUSDT"):
        model.symbol(name)
    for index in range(6):
        model.apply(msgspec.structs.replace(SIGNAL, event_id=f"s{index}"), 6.0)
    for index in range(7):
        model.topics[f"market.other{index}.v1"] = Rate()
    for index in range(9):
        model.services[f"service_{index}"] = ServiceState(ready=True, running=True, waits_for="", restarts=0)
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(frame(model, width, 6.0, height))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= height
    assert any("service_8" in line for line in lines)
    assert any("Long BTCUSDT, score" in line for line in lines)


def test_what_is_unknown_is_a_dash_and_never_a_zero() -> None:
    model = WatchModel(venue="binance")
    model.symbol("ETHUSDT")
    row = next(line for line in _drawn(model, 100).splitlines() if line.startswith("ETHUSDT"))
    assert row.split() == ["ETHUSDT", *["–"] * 9]
    assert "LIVE DATA" in _drawn(model, 100)
    assert "waiting for the first record" in _drawn(model, 100)


@pytest.mark.parametrize("width", [80, 100])
def test_without_a_signal_the_nearest_score_is_said(width: int) -> None:
    model = WatchModel()
    assert "none yet: a score must cross its threshold" in _drawn(model, width)
    scores = (("BTCUSDT", "v51", 59.9, 60.0), ("ETHUSDT", "v52", 44.0, 45.0), ("SOLUSDT", "v51", 20.0, 60.0))
    for symbol, strategy, score, threshold in scores:
        short = StrategyScore(strategy=strategy, version=1, score=score, threshold=threshold, direction="long")
        model.apply(msgspec.structs.replace(INDICATOR, symbol=symbol, scores=(short,)), 1.0)
    assert "a score must cross its threshold; nearest now BTCUSDT v51 59 of 60" in _drawn(model, width)


def test_a_hole_lowers_the_completeness() -> None:
    model = WatchModel()
    model.apply(_frame([1, 2, 3], holes=(Hole("BTCUSDT", 50, 50, 0, 1, "retention"),)), 0.0)
    assert model.completeness == pytest.approx(0.75)
    assert "data 75.000 %" in _drawn(model, 100)


def test_a_frame_that_cannot_be_read_is_counted_and_changes_nothing() -> None:
    model = WatchModel()
    model.apply(msgspec.structs.replace(_frame([1]), price=b"odd"), 0.0)
    assert (model.undecodable, model.symbols) == (1, {})


def test_silence_is_said() -> None:
    assert "no record for 1m 35s" in _drawn(_model(), 100, now=100.0)


def test_the_age_of_the_data_counts_on_the_clock_of_the_venue() -> None:
    model = _model()
    model.venue_clock = VenueClock(at=5.0, venue_ms=EVENING_MS + 1_000)
    assert "  receiving" in _drawn(model, 100)
    model.venue_clock = VenueClock(at=5.0, venue_ms=EVENING_MS + 184_000)  # replayed records of three minutes ago
    text = _drawn(model, 100)
    assert "newest trade 3m 05s old" in text
    assert "data –" in text
    model.venue_clock = VenueClock(at=5.0, venue_ms=EVENING_MS + 200_000, speed=100.0)  # two real seconds
    assert "  receiving" in _drawn(model, 100, now=5.0)
    model.recording_ended = True
    assert "recording ended  data 100.000 %" in _drawn(model, 100, now=500.0)


@pytest.mark.parametrize(("state", "words"), [("stale", "data filling"), ("live", "data 100.000 %")])
def test_nothing_is_claimed_complete_while_it_is_filled(state: FeedState, words: str) -> None:
    model = _model()
    status = FeedStatusChanged(
        event_id="f", event_time_ms=0, feed="trades", symbol="BTCUSDT", state=state, detail="", last_event_time_ms=-1
    )
    model.apply(status, 5.0)
    model.apply(msgspec.structs.replace(status, feed="liquidations", state="starting"), 5.0)
    assert words in _drawn(model, 100)


def test_the_web_page_is_named_where_there_is_room_and_never_instead_of_how_whole_the_data_are() -> None:
    model = _model()
    model.page = "http://127.0.0.1:8000"
    assert "http://127.0.0.1:8000" in _drawn(model, 100)
    narrow = _drawn(model, 72)
    assert "data 100.000 %" in narrow
    assert "http" not in narrow


def test_a_rate_of_trades_without_trades_is_unknown() -> None:
    model = _model()
    assert "trades/s 1.0" in _drawn(model, 100, now=5.0)
    assert "trades/s –" in _drawn(model, 100, now=7.0)


def test_the_date_is_shown_when_it_is_not_today() -> None:
    model = _model()
    model.today = "2026-11-28"
    assert "2024-08-08 23:59:59Z" in _drawn(model, 80).splitlines()[0]
    model.today = "2024-08-08"
    assert "2024-08-08" not in _drawn(model, 60).splitlines()[0]


def test_an_emitted_signal_stays_above_its_own_refusals() -> None:
    model = WatchModel()
    emitted = msgspec.structs.replace(SIGNAL, event_id="e", state="emitted", reason=None)
    model.apply(emitted, 0.0)
    for index in range(60):
        for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT"):
            model.apply(
                msgspec.structs.replace(
                    SIGNAL,
                    event_id=f"{symbol}{index}",
                    symbol=symbol,
                    event_time_ms=EVENING_MS + 15_000 * (index + 1),
                    reason="cooldown",
                ),
                1.0,
            )
    text = _drawn(model, 100)
    assert "● emitted" in text
    assert text.count("○ refused: cooldown ×60") == 3
    assert [row.signal.state for row in model.signals(1)] == ["emitted"]
    model.apply(msgspec.structs.replace(emitted, event_id="e2", event_time_ms=EVENING_MS + 10**7), 2.0)
    model.apply(msgspec.structs.replace(SIGNAL, event_id="r", reason="cooldown", event_time_ms=EVENING_MS + 10**8), 3.0)
    first, second = model.signals(2)
    assert (first.count, second.signal.event_id) == (
        1,
        "e2",
    )  # a refusal after another emitted signal is a row of its own


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30)])
def test_who_is_not_ready_and_why_is_never_cut_off(width: int, height: int) -> None:
    model = _model()
    model.venue_clock = VenueClock(5.0, EVENING_MS + 200_000)
    model.trades_missing = 1_234_567
    for name in ("BNBUSDT", "ETHUSDT", "SOLUSDT"):
        model.symbol(name)
    for index in range(7):
        model.topics[f"market.other{index}.v1"] = Rate()
    for index in range(9):
        model.services[f"service_{index}"] = ServiceState(ready=True, running=True, waits_for="", restarts=0)
    why = "trades: BTCUSDT is being filled from 2024-08-08 23:12"
    model.services["signal_engine"] = ServiceState(ready=False, running=True, waits_for=why, restarts=0)
    for name in ("gateway", "sequencer"):
        model.services[name] = ServiceState(ready=False, running=True, waits_for="starting", restarts=0)
    console = Console(width=width, height=height, file=io.StringIO(), highlight=False)
    console.print(frame(model, width, 6.0, height))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= height
    assert max(len(line) for line in lines) <= width
    assert f"signal_engine: {why}" in lines
    assert "2 not ready: starting: gateway, sequencer" in lines
    assert "ready 9/13" in lines[0]
    assert lines[1] == ""


def test_a_young_process_that_never_answered_is_starting() -> None:
    def report(uptime: float, missing: dict[str, str]) -> ProcessReport:
        return ProcessReport(
            name="gateway",
            pid=1,
            state="running",
            healthy=False,
            ready=False,
            missing=missing,
            uptime_seconds=uptime,
            memory_mb=None,
            restarts=0,
        )

    silent = {"endpoint": "does not answer"}
    assert waits_for(report(5.0, silent)) == "starting"
    assert waits_for(report(5.0, silent), answered_before=True) == "endpoint: does not answer"
    assert waits_for(report(61.0, silent)) == "endpoint: does not answer"
    assert waits_for(report(5.0, {"database": "away"})) == "database: away"


def test_a_mark_price_without_a_known_tick_has_a_sensible_number_of_digits() -> None:
    model = WatchModel()
    model.apply(msgspec.structs.replace(MARK, mark_price=Decimal("61700.12345678")), 0.0)
    text = _drawn(model, 100)
    assert "61\u2009700.12 " in text
    assert [sensible_decimals(value) for value in (3050.5, 2.15, 0.158)] == [3, 6, 7]


@given(st.floats(min_value=-9.9e11, max_value=9.9e11))
def test_numbers_of_a_column_have_their_points_in_line(value: float) -> None:
    text = aligned(value)
    assert text[-3] == "."
    assert text[-1] in " kMG"
    assert len(text) <= 8


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=30))
def test_a_rate_is_growth_over_time_and_never_negative(steps: list[int]) -> None:
    rate, total = Rate(), 0
    for second, step in enumerate(steps):
        total += step
        rate.record(total, float(second))
    assert rate.per_second is not None
    assert 0 <= rate.per_second <= max(steps)
    rate.record(0, len(steps) + 1.0)
    assert total == 0 or rate.per_second is None


@given(st.floats(min_value=-9.9e11, max_value=9.9e11))
def test_compact_numbers_stay_short_and_keep_their_sign(value: float) -> None:
    text = compact(value, signed=True)
    assert len(text) <= 8
    assert text.startswith("-" if value < 0 else "+") or float(value) == 0


@given(st.floats(0, 100), st.integers(1, 40))
def test_a_bar_has_its_width(value: float, width: int) -> None:
    assert len(bar(value, width)) == len(bar(value, width, mark=75.0)) == width
    assert bar(value, width).count("█") == int(value / 100 * width)


def test_numbers_have_thin_spaces_and_signs() -> None:
    assert number(Decimal("1234567.50")) == "1\u2009234\u2009567.50"
    assert number(5, 1, signed=True) == "+5.0"
    assert number(None) == "–"
