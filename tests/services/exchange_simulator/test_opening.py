"""Whoever starts the stack sees a signal within minutes, at any time of day and for any seed; hours later it is gone."""

import random

import numpy as np
import pytest

from services.exchange_simulator.symbols import profile_of
from services.exchange_simulator.synthetic.opening import side_of, turns
from services.exchange_simulator.synthetic.skeleton import DAY_MINUTES, Skeleton, Turn
from services.exchange_simulator.synthetic.source import SyntheticMarketPlan
from tests.services.exchange_simulator.opening import MINUTE_MS, listen

FOUR = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT")
START_MS = 1_763_712_030_000
DICE = random.Random(20)
PHASES = [(DICE.randrange(1_000), DICE.randrange(1_600_000_000_000, 1_900_000_000_000)) for _ in range(6)]


def emitted_after(plan: SyntheticMarketPlan, joined_ms: int) -> list[float]:
    """Seconds from the market's start to every emitted signal that services which begin at `joined_ms` made by 150 s."""
    heard = listen(plan, joined_ms, plan.start_ms + 150_000)
    return [(s.event_time_ms - plan.start_ms) / 1000 for s in heard.signals if s.state == "emitted"]


@pytest.mark.parametrize(("seed", "start_ms"), PHASES)
@pytest.mark.parametrize("symbols", [("ETHUSDT",), ("XRPUSDT",)], ids=lambda symbols: "+".join(symbols))
def test_one_symbol_alone_gets_its_signal(symbols: tuple[str, ...], seed: int, start_ms: int) -> None:
    plan = SyntheticMarketPlan(seed, symbols, 15.0 * len(symbols), start_ms)
    assert emitted_after(plan, start_ms + 4_000)


@pytest.mark.parametrize("joined_seconds", [2, 75])
@pytest.mark.parametrize("rate", [60.0, 500.0])
def test_the_shipped_market_gives_a_signal_to_quick_and_to_slow_services(rate: float, joined_seconds: int) -> None:
    plan = SyntheticMarketPlan(7, FOUR, rate, START_MS)
    assert emitted_after(plan, START_MS + joined_seconds * 1000)


def skeleton(symbol: str, seed: int, start_ms: int) -> Skeleton:
    return Skeleton(seed, profile_of(symbol), Turn(start_ms, turns(start_ms, 1)[0]))


@pytest.mark.parametrize("symbol", ["BTCUSDT", "DOGEUSDT"])
def test_far_from_it_the_market_is_the_one_without_it(symbol: str) -> None:
    opened = skeleton(symbol, 3, START_MS)
    minute = START_MS // MINUTE_MS
    span = np.arange(minute - DAY_MINUTES, minute + DAY_MINUTES)
    natural = opened.natural_log_prices(span.astype(np.float64))
    path = np.array([opened.day(at // DAY_MINUTES).log_price[at % DAY_MINUTES] for at in span.tolist()])
    far = (span < minute - 4 * 60) | (span > minute + 3 * 60)
    assert np.allclose(path[far], natural[far], rtol=0, atol=1e-12)
    assert np.abs(path - natural).max() > 5 * opened.profile.minute_volatility
    # No jump anywhere: a minute of the opening is as large as a large minute of the market.
    assert np.abs(np.diff(path)).max() < 3 * np.abs(np.diff(natural)).max()
    assert np.abs(path - natural).max() < 0.15


def test_symbols_break_out_one_after_another_and_to_the_same_side() -> None:
    for count in (1, 4, 40, 400):
        after = np.array(turns(START_MS, count)) - START_MS / MINUTE_MS
        assert np.all(np.diff(after) > 0)
        assert after[0] > 0
        assert after[-1] < 5
    sides = {side_of(seed, START_MS) for seed in range(20)}
    assert sides == {-1.0, 1.0}
    minute = START_MS // MINUTE_MS
    for seed in range(4):
        moves = []
        for symbol in FOUR:
            path = skeleton(symbol, seed, START_MS).day(minute // DAY_MINUTES).log_price
            moves.append(path[minute % DAY_MINUTES + 4] - path[minute % DAY_MINUTES])
        assert {float(np.sign(move)) for move in moves} == {side_of(seed, START_MS)}
