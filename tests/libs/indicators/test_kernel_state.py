"""Bootstrap, cold starts, restarts, limits: where state begins, ends and refuses."""

import numpy as np
import pytest

from libs.contracts.market import TradesBootstrapped
from libs.indicators.kernel import Kernel, LogRows
from libs.indicators.oracle import Bars, Oracle, Record, Rescaled, Trade, Watermark
from libs.indicators.settings import KernelSettings, OverflowRisk
from libs.kit.errors import BadMessage
from tests.libs.indicators.streams import SMALL, START_MS, cut, new_kernel, random_log, rows_of, run

MINUTE_MS = 60_000


def random_bars(seed: int, *, skip: int | None = None) -> Bars:
    """Ten minutes and 40 candles that end at START_MS, with a gap in both if `skip` is given."""
    random = np.random.default_rng(seed)
    minutes = []
    for number in range(10):
        volume = int(random.integers(0, 10_000))
        bought = int(random.integers(0, volume + 1))
        minutes.append(
            (START_MS - (10 - number) * MINUTE_MS, volume, bought, volume * 60_000 + int(random.integers(0, 99)))
        )
    candles = []
    for number in range(40):
        opened, close = (60_000 + int(random.integers(-200, 200)) for _ in range(2))
        high, low = max(opened, close) + int(random.integers(0, 90)), min(opened, close) - int(random.integers(0, 90))
        candles.append((START_MS - (40 - number) * SMALL.candle_ms, opened, high, low, close))
    if skip is not None:
        del minutes[skip], candles[skip * 2]
    return Bars(tuple(minutes), tuple(candles))


def event_of(bars: Bars, price_decimals: int = 1) -> TradesBootstrapped:
    return TradesBootstrapped(
        event_id="b",
        event_time_ms=START_MS,
        symbol="BTCUSDT",
        price_decimals=price_decimals,
        quantity_decimals=3,
        producer="trade_ingest/0",
        epoch=1,
        minute_bars=np.array(bars.minutes, "<i8").tobytes(),
        candle_bars=np.array(bars.candles, "<i8").tobytes(),
    )


def oracle_rows(bars: Bars, log: list[Record]) -> list[dict[str, int]]:
    oracle = Oracle(SMALL)
    oracle.feed(-1, bars)
    for place, record in enumerate(log):
        oracle.feed(place, record)
    return oracle.rows


@pytest.mark.parametrize("skip", [None, 8])
@pytest.mark.parametrize("seed", range(3))
def test_bootstrapped_windows_and_candles_equal_the_oracle(seed: int, skip: int | None) -> None:
    bars, log = random_bars(seed, skip=skip), random_log(seed, 800)
    kernel = new_kernel()
    assert kernel.bootstrap(event_of(bars))
    found = run(kernel, rows_of(log), 100)
    truth = oracle_rows(bars, log)
    assert [{name: row[name] for name in row if name != "symbol"} for row in found] == truth
    first = found[0]
    assert first["known_3"] <= (240 if skip is None else 180)
    assert first["known_3"] >= (200 if skip is None else 120)
    assert first["size_known"] < 10 < first["quantity_3"]
    assert first["atr"] > 0
    assert first["candles_complete"] > 8


def test_bars_after_the_first_trade_are_ignored_and_counted() -> None:
    kernel, log = new_kernel(), random_log(1, 200)
    run(kernel, cut(rows_of(log), 0, 50), 50)
    before = kernel.symbol_bytes("BTCUSDT")
    assert not kernel.bootstrap(event_of(random_bars(1)))
    assert kernel.symbol_bytes("BTCUSDT") == before
    assert kernel.bootstraps_ignored == 1


def test_a_watermark_before_the_first_bar_or_trade_counts_for_nothing() -> None:
    bars, watermark = random_bars(2), rows_of([Watermark(START_MS + 33_000)])
    early, late = new_kernel(), new_kernel()
    early.bootstrap(event_of(bars))
    assert run(late, watermark, 1) == []
    late.bootstrap(event_of(bars))
    log = rows_of([Trade(5, START_MS + 40_000, 60_001, 7, True), Watermark(START_MS + 90_000)])
    assert run(early, log, 1) == run(late, log, 1)
    assert early.symbol_bytes("BTCUSDT") == late.symbol_bytes("BTCUSDT")


@pytest.mark.parametrize(
    "broken",
    [
        Bars(((START_MS + 1, 1, 1, 1),), ()),
        Bars(((START_MS, 1, 1, 1), (START_MS - MINUTE_MS, 1, 1, 1)), ()),
        Bars(((START_MS, -1, 1, 1),), ()),
    ],
    ids=["off the grid", "out of order", "negative"],
)
def test_broken_bars_are_a_bad_message(broken: Bars) -> None:
    with pytest.raises(BadMessage, match="bad_bootstrap"):
        new_kernel().bootstrap(event_of(broken))


def _busy_day(hours: int, seed: int = 11) -> LogRows:
    """A real-scale stream: a trade each two seconds in bursts, volatility that comes and goes."""
    random = np.random.default_rng(seed)
    count = hours * 1_800
    times = 1_700_000_000_000 + np.cumsum(random.integers(0, 4_000, count)).astype(np.int64)
    sizes = np.maximum(1, np.exp(random.normal(3, 2, count)).astype(np.int64))
    swing = (2 + 40 * np.abs(np.sin(np.arange(count) / 9_000))).astype(np.int64)
    prices = (600_000 + np.cumsum(random.integers(-swing, swing + 1))).astype(np.int64)
    sold = (random.random(count) < 0.5).astype(np.uint8)
    return LogRows(np.zeros(count, np.int32), np.arange(count, dtype=np.int64), times, prices, sizes, sold)


@pytest.mark.parametrize("bucket_ms", [15_000, 1_000])
def test_a_cold_start_ends_in_the_bytes_of_the_full_history(bucket_ms: int) -> None:
    rows = _busy_day(120)
    settings = KernelSettings.for_evaluation(bucket_ms)
    full = Kernel(settings)
    full.symbols.add("BTCUSDT", 1, 3)
    truth = full.process(rows)
    for start in (9_001, 50_000, 80_017):
        cold = Kernel(settings)
        cold.symbols.add("BTCUSDT", 1, 3)
        stop = int(np.searchsorted(rows.time, rows.time[start] + 36 * 3_600_000 + 300_000))
        assert stop < len(rows.time)
        late = cold.process(cut(rows, start, stop))
        early = Kernel(settings)
        early.symbols.add("BTCUSDT", 1, 3)
        early.process(cut(rows, 0, stop))
        assert cold.symbol_bytes("BTCUSDT") == early.symbol_bytes("BTCUSDT")
        following = cold.process(cut(rows, stop, len(rows.time)))
        assert following["atr"].tolist() == truth["atr"][-len(following) :].tolist()
        assert cold.symbol_bytes("BTCUSDT") == full.symbol_bytes("BTCUSDT")
        assert late["candles_complete"][0] == 0


def test_size_thresholds_are_within_their_error_and_do_not_depend_on_the_bucket() -> None:
    rows = _busy_day(30)
    tables = []
    for bucket_ms in (15_000, 1_000):
        kernel = Kernel(KernelSettings(bucket_ms=bucket_ms))
        kernel.symbols.add("BTCUSDT", 1, 3)
        tables.append(kernel.process(rows))
    for name in tables[0].dtype.names or ():
        if "known" not in name:
            assert tables[0][name].tolist() == tables[1][name].tolist(), name
    last = tables[0][-1]
    end = int(last["evaluation_time_ms"])
    inside = (rows.time >= end - 86_400_000) & (rows.time < end)
    sizes = np.sort((rows.price * rows.quantity)[inside])
    for name, percent in (("p95", 95), ("p99", 99)):
        exact = sizes[-(-len(sizes) * percent // 100) - 1]
        assert abs(last[name] / exact - 1) <= 2**-8


def test_a_long_silence_starts_the_symbol_cold_and_gives_no_evaluations_of_it() -> None:
    first = random_log(3, 300)[:-1]
    moved = [
        Trade(t.agg_id + 10_000, t.time_ms + 86_400_000, t.price, t.quantity, t.sold)
        for t in random_log(4, 300)
        if isinstance(t, Trade)
    ]
    kernel = new_kernel()
    run(kernel, rows_of(first), 50)
    found = run(kernel, rows_of(moved), 50)
    assert found[0]["evaluation_time_ms"] - moved[0].time_ms <= SMALL.evaluation_ms
    assert found[0]["known_3"] < 10


def test_a_scale_that_cannot_fit_is_refused_at_load() -> None:
    with pytest.raises(OverflowRisk, match="SPOTUSDT"):
        new_kernel().symbols.add("SPOTUSDT", 8, 8)


def test_a_finer_scale_gives_the_same_features_times_ten() -> None:
    log = [record for record in random_log(5, 500) if not isinstance(record, Rescaled)]
    fine = [
        Trade(r.agg_id, r.time_ms, r.price * 10, r.quantity * 10, r.sold) if isinstance(r, Trade) else r
        for r in log[250:]
    ]
    plain, scaled = new_kernel(), new_kernel()
    truth = run(plain, rows_of(log), 10**6)[-20:]
    found = run(scaled, rows_of([*log[:250], Rescaled(10, 10), *fine]), 10**6)[-20:]
    for expected, row in zip(truth, found, strict=True):
        assert row["signed_3"] == expected["signed_3"] * 10
        assert row["notional_3"] == expected["notional_3"] * 100
        assert row["large_95"] == expected["large_95"] * 100
        assert row["price"] == expected["price"] * 10
        assert row["p95"] == expected["p95"] * 100


def test_a_snapshot_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="not a kernel snapshot"):
        Kernel.restore(b"\x80")
