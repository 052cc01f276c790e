"""A seed with real processes is told by the same prices however long they took to be ready."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chaos.money.market import SYMBOLS, Stage
from tests.chaos.processes.exchange import begin_play
from tests.chaos.processes.market import TellingMarket
from tests.chaos.processes.plan import plan_of

BORN_MS, LEAD_MS = 1_763_712_000_000, 1_000


def market_after(seed: int, warm_up_ms: int) -> tuple[TellingMarket, int]:
    """What a run has whose processes took so long, and when its plan begins."""
    end_ms = BORN_MS + 400_000
    market = TellingMarket(Stage(seed, BORN_MS, end_ms, funding_ms=end_ms))
    start_ms = BORN_MS + warm_up_ms
    begin_play(seed, market, start_ms - LEAD_MS, start_ms)
    return market, start_ms


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(LEAD_MS, 120_000), st.integers(0, 100_000))
def test_prices_signals_and_funding_depend_on_the_seed_alone(seed: int, warm_up_ms: int, after_ms: int) -> None:
    (first, first_ms), (second, second_ms) = market_after(seed, 5_000), market_after(seed, warm_up_ms)

    for symbol in SYMBOLS:
        assert first.price(symbol, first_ms + after_ms) == second.price(symbol, second_ms + after_ms)
        paid = [
            one.fundings(symbol, at, at + 50_000, at + 50_000) for one, at in ((first, first_ms), (second, second_ms))
        ]
        assert paid[0][0].mark == paid[1][0].mark
    plans = [plan_of(seed, at, market).signals for market, at in ((first, first_ms), (second, second_ms))]
    assert [(one.at_ms, one.signal.price) for one in plans[0]] == [(one.at_ms, one.signal.price) for one in plans[1]]


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(LEAD_MS, 120_000))
def test_ids_and_times_go_on_where_the_play_begins(seed: int, warm_up_ms: int) -> None:
    market, start_ms = market_after(seed, warm_up_ms)

    for symbol in SYMBOLS:
        trades = market.trades_between(symbol, 0, start_ms + 100_000, start_ms + 100_000)
        assert trades.ids.tolist() == list(range(1, len(trades) + 1))
        assert (trades.event_ms[1:] >= trades.event_ms[:-1]).all()
        assert market.newest_trades(symbol, 1, start_ms - LEAD_MS).event_ms[-1] <= start_ms - LEAD_MS
