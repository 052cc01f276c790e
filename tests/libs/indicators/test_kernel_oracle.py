"""Every integer feature equals the brute-force oracle's, and no byte depends on how the log was cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.indicators.kernel import Kernel
from libs.indicators.oracle import Gap, Record, Rescaled, Trade, Watermark
from tests.libs.indicators.streams import START_MS, cut, expected, merge, new_kernel, random_log, rows_of, run

BATCHES = (1, 3, 10, 100, 1_000, 10**9)


@pytest.mark.parametrize("seed", range(8))
def test_features_equal_the_oracle_for_every_batch_size(seed: int) -> None:
    log = random_log(seed, 1_500)
    rows, truth = rows_of(log), expected(log)
    assert len(truth) > 50
    states = set()
    for batch in BATCHES:
        kernel = new_kernel()
        found = run(kernel, rows, batch)
        assert found == truth
        states.add(kernel.symbol_bytes("BTCUSDT"))
    assert len(states) == 1


def test_random_logs_hold_what_they_promise() -> None:
    logs = [record for seed in range(8) for record in random_log(seed, 1_500)]
    assert {type(record) for record in logs} == {Trade, Watermark, Gap, Rescaled}
    rows = [row for seed in range(8) for row in expected(random_log(seed, 1_500))]
    for name in ("late", "dropped", "missing"):
        assert sum(row[name] for row in rows) > 0
    assert any(0 < row["known_3"] < 240 for row in rows)
    assert any(row["candle_complete"] == 0 for row in rows)


@pytest.mark.parametrize("seed", range(8))
def test_a_snapshot_at_any_place_changes_nothing(seed: int) -> None:
    rows = rows_of(random_log(seed, 1_500))
    whole = new_kernel()
    truth = run(whole, rows, 10**9)
    place = int(np.random.default_rng(seed).integers(1, len(rows.symbol) - 1))
    kernel = new_kernel()
    first = run(kernel, cut(rows, 0, place), 50)
    kernel = Kernel.restore(kernel.snapshot(), table_rows=2)
    second = run(kernel, cut(rows, place, len(rows.symbol)), 77)
    assert first + [row | {"place": row["place"] + place} for row in second] == truth
    assert kernel.snapshot() == whole.snapshot()


@pytest.mark.parametrize("batch", [1, 7, 500, 10**9])
def test_many_symbols_together_equal_each_alone(batch: int) -> None:
    names = ["AUSDT", "BUSDT", "CUSDT", "DUSDT"]
    logs = [rows_of(random_log(seed, 600), seed) for seed in range(4)]
    order = np.random.default_rng(5).permutation(np.repeat(np.arange(4), [len(log.symbol) for log in logs]))
    place = np.empty(len(order), np.int64)
    for symbol in range(4):
        place[order == symbol] = np.flatnonzero(order == symbol)
    merged = merge(order, logs)
    together = new_kernel(names=names)
    found = run(together, merged, batch)
    assert [row["place"] for row in found] == sorted(row["place"] for row in found)
    for symbol, name in enumerate(names):
        alone = new_kernel(names=names)
        places = np.flatnonzero(order == symbol)
        truth = [row | {"place": int(places[row["place"]])} for row in run(alone, logs[symbol], 10**9)]
        assert [row for row in found if row["symbol"] == symbol] == truth
        assert together.symbol_bytes(name) == alone.symbol_bytes(name)


moments = st.integers(START_MS - 20_000, START_MS + 400_000)
records = st.one_of(
    st.builds(Trade, st.integers(0, 400), moments, st.integers(-1, 70_000), st.integers(-1, 10**6), st.booleans()),
    st.builds(Watermark, st.just(-1) | moments),
    st.builds(Gap, st.integers(0, 50), moments, moments, st.integers(1, 9)),
    st.builds(Rescaled, st.sampled_from([1, 10]), st.sampled_from([1, 10])),
)


@settings(max_examples=60, deadline=None)
@given(log=st.lists(records, max_size=40), batch=st.integers(1, 41))
def test_any_log_at_all_equals_the_oracle(log: list[Record], batch: int) -> None:
    scaled = [r for r in log if isinstance(r, Rescaled) and r != Rescaled(1, 1)]
    kept = [r for r in log if not isinstance(r, Rescaled) or r in scaled[:3]]
    rows = rows_of(kept)
    kernel, whole = new_kernel(), new_kernel()
    assert run(kernel, rows, batch) == expected(kept)
    run(whole, rows, 10**9)
    assert kernel.symbol_bytes("BTCUSDT") == whole.symbol_bytes("BTCUSDT")
