"""What would leave 64 bits starts its symbol cold, exactly where the oracle says, and nothing wraps around."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from libs.contracts.frames import read_columns
from libs.contracts.market import SymbolSlice
from libs.indicators import layout as at
from libs.indicators.kernel import Kernel, LogRows
from libs.indicators.layout import PRICE_LIMIT, SUM_LIMIT
from libs.indicators.oracle import Bars, Gap, Oracle, Record, Rescaled, Trade, Watermark
from libs.indicators.settings import KernelSettings, OverflowRisk
from libs.kit.errors import BadMessage
from tests.libs.indicators.streams import SMALL, START_MS, cut, expected, merge, new_kernel, random_log, rows_of, run
from tests.libs.indicators.test_kernel_state import MINUTE_MS, event_of, oracle_rows, random_bars
from tests.libs.indicators.test_log import frame

BIG = 1 << 60


def log_of(sizes: Sequence[tuple[int, int]], step_ms: int = 2_000) -> list[Record]:
    """A trade of each (price, quantity) every `step_ms`, then ten seconds of nothing."""
    trades = [Trade(i, START_MS + i * step_ms, *size, False) for i, size in enumerate(sizes)]
    return [*trades, Watermark(START_MS + len(sizes) * step_ms + 10_000)]


def places(kernel: Kernel, rows: LogRows, batch: int) -> list[int]:
    """Which rows did not fit, whatever the batches are."""
    found = []
    for start in range(0, len(rows.symbol), batch):
        kernel.process(cut(rows, start, start + batch))
        found += [start + overflow.place for overflow in kernel.overflows]
    return found


def test_the_trade_that_would_carry_too_much_is_left_out_and_the_symbol_starts_cold() -> None:
    log = log_of([(1, 5), (1, SUM_LIMIT - 6), (1, 1), (1, 7)], step_ms=3_000)
    kernel = new_kernel()
    found = run(kernel, rows_of(log), 10**9)
    assert found == expected(log)
    assert [(o.symbol, o.place) for o in kernel.overflows] == [("BTCUSDT", 2)]
    before, after = found[0], found[-1]
    assert (before["evaluation_time_ms"] - START_MS, before["quantity_3"]) == (5_000, SUM_LIMIT - 1)
    assert (after["quantity_3"], after["last_id"], sum(row["missing"] for row in found)) == (7, 3, 1)
    assert after["known_3"] < 20
    assert after["atr"] == 0


@pytest.mark.parametrize("size", [(PRICE_LIMIT, 1), (1, SUM_LIMIT), ((1 << 63) - 1, (1 << 63) - 1), (1 << 32, 1 << 32)])
def test_a_trade_that_fits_nowhere_is_left_out_alone(size: tuple[int, int]) -> None:
    log = log_of([(5, 5), size, (6, 6)])
    kernel = new_kernel()
    assert run(kernel, rows_of(log), 10**9) == expected(log)
    assert [overflow.place for overflow in kernel.overflows] == [1]


def test_every_row_may_overflow_and_each_is_told() -> None:
    rows = rows_of(log_of([(PRICE_LIMIT, 1)] * 50, step_ms=10))
    for batch in (1, 7, 10**9):
        assert places(new_kernel(), rows, batch) == list(range(50))


@pytest.mark.parametrize("price", [PRICE_LIMIT - 1, PRICE_LIMIT // 2])
def test_true_ranges_at_the_limit_of_prices_do_not_wrap_around(price: int) -> None:
    log = log_of([(price if i % 2 else 1, 1) for i in range(400)], step_ms=1_000)
    found = run(new_kernel(), rows_of(log), 100)
    assert found == expected(log)
    assert max(row["atr"] for row in found) == (price - 1) << 16


def test_the_fast_way_and_the_row_by_row_way_agree_near_the_limit() -> None:
    """Runs whose estimate is too large are looked at row by row; those that fit must then be taken."""
    rows = rows_of(log_of([(1 << 20, 1 << 29)] * 8_300, step_ms=1))
    for batch in (1, 100, 10**9):
        assert places(new_kernel(), rows, batch) == [(1 << 13) - 1]


@pytest.mark.parametrize("factors", [(10, 1), (1, 10)])
def test_a_finer_scale_in_which_the_past_does_not_fit_starts_cold(factors: tuple[int, int]) -> None:
    log: list[Record] = log_of([(1 << 20, 1 << 39), (1 << 20, 1)])
    log += [Rescaled(*factors), *(Trade(i, START_MS + 20_000 + i, 1 << 20, 9, True) for i in range(10, 20))]
    log += [Watermark(START_MS + 60_000)]
    kernel = new_kernel()
    assert run(kernel, rows_of(log), 10**9) == expected(log)
    assert [overflow.place for overflow in kernel.overflows] == [3]


@pytest.mark.parametrize(
    ("candles", "factor", "remembered"),
    [(0, 10, True), (3, 10, True), (25, 10, False), (25, 1_000, True), (60, 1_000, False)],
)
def test_a_finer_scale_counts_with_prices_ranges_and_atrs_as_long_as_they_are_remembered(
    candles: int, factor: int, remembered: bool
) -> None:
    """Ranges are remembered for 20 candles, ATRs (a fraction of the range) for 24 more."""
    log = log_of([(1 << 42 if i == 30 else 1, 1) for i in range(35)], step_ms=5_000)[:-1]
    later = START_MS + 180_000 + candles * SMALL.candle_ms
    log += [Watermark(later), Rescaled(factor, 1), Trade(99, later + 1, 1_000, 1, False), Watermark(later + 60_000)]
    kernel = new_kernel()
    assert run(kernel, rows_of(log), 10**9) == expected(log)
    assert bool(kernel.overflows) is remembered


def test_a_size_that_only_the_percentiles_remember_counts_too() -> None:
    """The day of trade sizes is longer than the widest window."""
    log: list[Record] = log_of([(1 << 30, 1 << 29), (1, 1), (1, 1)], step_ms=SMALL.windows_ms[-1] + 2_000)
    log += [Rescaled(1, 10), Trade(9, START_MS + 900_000, 1, 1, True), Watermark(START_MS + 910_000)]
    kernel = new_kernel()
    found = run(kernel, rows_of(log), 10**9)
    assert found == expected(log)
    assert len(kernel.overflows) == 1
    assert all(row["p99"] >= 0 for row in found)


large = st.sampled_from([1, 2, 1 << 20, PRICE_LIMIT - 1, PRICE_LIMIT, 1 << 61, SUM_LIMIT - 1, SUM_LIMIT, (1 << 63) - 1])
moments = st.integers(START_MS - 20_000, START_MS + 400_000)
records = st.one_of(
    st.builds(
        Trade,
        st.integers(0, 400),
        moments,
        st.integers(-1, 70_000) | large,
        st.integers(-1, 10**6) | large,
        st.booleans(),
    ),
    st.builds(
        lambda n, step: Trade(n, START_MS + n * step, 1 << 30, 1 << 30, True),
        st.integers(0, 400),
        st.integers(1, 3_000),
    ),
    st.builds(Watermark, st.just(-1) | moments),
    st.builds(Gap, st.integers(0, 50), moments, moments, st.sampled_from([1, 9, SUM_LIMIT - 1, (1 << 63) - 1])),
    st.builds(Rescaled, st.sampled_from([1, 10, 1_000]), st.sampled_from([1, 10])),
)


HOLE_INTO_THE_FUTURE: list[Record] = [
    Trade(0, START_MS, 1 << 30, 1 << 30, True),
    Gap(5, START_MS + 9_000, START_MS + 90_000, 3),
    Trade(9, START_MS + 1, 2, SUM_LIMIT, True),
    Watermark(START_MS + 400_000),
]


@settings(max_examples=300, deadline=None)
@example(HOLE_INTO_THE_FUTURE, 2, 3)
@given(st.lists(records, max_size=40), st.integers(1, 41), st.integers(0, 40))
def test_absurd_logs_equal_the_oracle_for_every_cut(log: list[Record], batch: int, snapshot: int) -> None:
    scales = [r for r in log if isinstance(r, Rescaled)]
    log = [r for r in log if not isinstance(r, Rescaled) or r in scales[:2]][:40]
    rows, truth = rows_of(log), expected(log)
    kernel, whole = new_kernel(), new_kernel()
    found = run(kernel, cut(rows, 0, snapshot), batch)
    kernel = Kernel.restore(kernel.snapshot(), table_rows=2)
    found += [row | {"place": row["place"] + snapshot} for row in run(kernel, cut(rows, snapshot, len(log)), batch)]
    assert found == truth == run(whole, rows, 10**9)
    assert places(new_kernel(), rows, batch) == places(new_kernel(), rows, 10**9)
    assert kernel.snapshot() == whole.snapshot()
    assert all(row["notional_3"] >= row["notional_1"] >= row["large_95"] >= 0 <= row["p99"] for row in found)


@pytest.mark.parametrize("seed", range(4))
def test_a_long_log_with_absurd_trades_equals_the_oracle(seed: int) -> None:
    random = np.random.default_rng(seed)
    log = [
        Trade(r.agg_id, r.time_ms, r.price, int(random.integers(1, BIG)) // r.price * 4, r.sold)
        if isinstance(r, Trade) and random.random() < 0.02
        else r
        for r in random_log(seed, 1_500)
    ]
    rows, truth = rows_of(log), expected(log)
    states = set()
    for batch in (1, 10, 10**9):
        kernel = new_kernel()
        assert run(kernel, rows, batch) == truth
        states.add(kernel.symbol_bytes("BTCUSDT"))
    assert len(states) == 1
    assert len(places(new_kernel(), rows, 10**9)) > 1


def test_other_symbols_do_not_notice() -> None:
    honest, absurd = rows_of(random_log(1, 400), 0), rows_of(log_of([(PRICE_LIMIT - 1, 1 << 18)] * 400, step_ms=50), 1)
    order = np.random.default_rng(1).permutation(np.repeat([0, 1], [len(honest.symbol), len(absurd.symbol)]))
    merged = merge(order, [honest, absurd])
    names = ["BTCUSDT", "ABSURDUSDT"]
    together, alone = new_kernel(names=names), new_kernel(names=names)
    run(together, merged, 100)
    run(alone, honest, 100)
    assert together.symbol_bytes("BTCUSDT") == alone.symbol_bytes("BTCUSDT")
    together = new_kernel(names=names)
    told = places(together, merged, 100)
    assert len(told) > 1
    assert all(order[place] == 1 for place in told)


def test_bars_count_for_what_a_symbol_carries() -> None:
    bars = random_bars(1)
    heavy = Bars((*bars.minutes[:-1], (bars.minutes[-1][0], SUM_LIMIT - 10**6, 5, 10**6)), bars.candles)
    log = log_of([(1, 10), (1, 10**6), (1, 10)])
    kernel = new_kernel()
    assert kernel.bootstrap(event_of(heavy))
    found = run(kernel, rows_of(log), 2)
    assert [{name: row[name] for name in row if name != "symbol"} for row in found] == oracle_rows(heavy, log)
    assert found[-1]["quantity_3"] == 10


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (Bars(((START_MS - MINUTE_MS, SUM_LIMIT, 0, 0),), ()), OverflowRisk),
        (
            Bars(((START_MS - 2 * MINUTE_MS, 1, 0, SUM_LIMIT - 1), (START_MS - MINUTE_MS, 1, 0, SUM_LIMIT - 1)), ()),
            OverflowRisk,
        ),
        (Bars(((START_MS - MINUTE_MS, 1, 0, 1),), ((START_MS - 10_000, 1, PRICE_LIMIT, 1, 1),)), OverflowRisk),
        (Bars(((START_MS - MINUTE_MS, 1, 2, 1),), ()), BadMessage),
        (Bars(((4_102_444_800_000, 1, 1, 1),), ()), BadMessage),
        (Bars(((START_MS - MINUTE_MS, 1, 1, 1),), ((0, 1, 1, 1, 1),)), BadMessage),
        (Bars(((START_MS - MINUTE_MS, 1, 1, 1),), ((START_MS - 10_000, 1, 1, 0, 1),)), BadMessage),
    ],
    ids=["volume", "sum of notional", "price", "bought more", "the year 2100", "far apart", "no price"],
)
def test_bars_that_fit_no_sum_are_refused(broken: Bars, reason: type[Exception]) -> None:
    kernel = new_kernel()
    with pytest.raises(reason):
        kernel.bootstrap(event_of(broken))
    log = log_of([(1, 1)])
    assert run(kernel, rows_of(log), 9) == expected(log)


def test_bars_of_an_impossible_scale_are_refused_at_once() -> None:
    for decimals in (-1, 19, 1 << 62):
        with pytest.raises(OverflowRisk):
            new_kernel().bootstrap(event_of(random_bars(1), price_decimals=decimals))


def test_rows_of_a_coarser_scale_do_not_wrap_around() -> None:
    kernel = Kernel(KernelSettings())
    absurd = 1 << 57
    rows = ((1, 1, (4, 3)), (absurd, 1, (0, 0)), (1, absurd, (0, 0)), (2, 1, (4, 3)))
    for number, (price, quantity, decimals) in enumerate(rows):
        event = frame(
            [(0, number, START_MS + number, price, quantity)], [SymbolSlice("A", *decimals, 1, number, number, -1)]
        )
        batch = kernel.batch()
        batch.add_frame(event, read_columns(event))
        kernel.process(batch)
        assert len(kernel.overflows) == (absurd in (price, quantity))


def test_rows_of_a_scale_that_does_not_fit_are_a_hole_and_others_count() -> None:
    kernel = Kernel(KernelSettings())
    good = [SymbolSlice(name, 1, 0, 1, 1, 1, START_MS) for name in ("A", "B")]
    first = frame([(0, 1, START_MS, 5, 1), (1, 1, START_MS, 5, 1)], good)
    batch = kernel.batch()
    assert batch.add_frame(first, read_columns(first)) == ()
    slices = [
        SymbolSlice("A", 9, 9, 2, 2, 3, START_MS + 9),
        SymbolSlice("B", 1, 0, 1, 2, 2, START_MS + 9),
        SymbolSlice("NEW", 9, 9, 1, 7, 7, START_MS + 9),
    ]
    rows = [(0, 2, START_MS + 3, 5, 1), (1, 2, START_MS + 4, 6, 1), (0, 3, START_MS + 5, 5, 1), (2, 7, START_MS, 1, 1)]
    event = frame(rows, slices)
    batch = kernel.batch()
    risks = batch.add_frame(event, read_columns(event))
    assert [risk.symbol for risk in risks] == ["A", "NEW"]
    taken = LogRows(*batch.columns())
    assert taken.kind.tolist() == [at.HOLE, at.TRADE_BUY, at.WATERMARK]
    assert taken.symbol.tolist() == [0, 1, 1]
    assert (taken.agg_id[0], taken.time[0], taken.price[0], taken.quantity[0]) == (3, START_MS + 3, START_MS + 5, 2)
    assert kernel.symbols.names == ["A", "B"]


def test_settings_whose_ranges_could_not_be_summed_are_refused() -> None:
    with pytest.raises(ValueError, match="64 bits"):
        KernelSettings(atr_period=16)


def test_the_oracle_counts_missing_trades_up_to_the_same_limit() -> None:
    oracle = Oracle(SMALL)
    for place in range(3):
        oracle.feed(place, Gap(5, START_MS, START_MS, SUM_LIMIT - 1))
    assert oracle.faults["missing"] == SUM_LIMIT
