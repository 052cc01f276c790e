"""What every factor must show; run over discovery by tests/libs/trading/test_factors.py, so a new file is tested at once."""

import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product

import msgspec
import numpy as np

from libs.contracts.signals import WindowFeatures
from libs.indicators.features import WINDOW_NAMES, FeatureRow
from libs.trading.asking import OMISSIONS, ask
from libs.trading.columns import joined
from libs.trading.factor import Factor, Omitted, Situation, coverage_of, opinion, without_limits
from libs.trading.inputs import FEED_OF_INPUT
from tests.fakes.readings import FakeFeed, FakeReading

EVALUATION_MS = 1_700_000_040_000
NEUTRAL_INPUTS = {
    "open_interest_change_percent": "0",
    "global_long_short_account_ratio": "1",
    "coinbase_premium": "0",
    "estimated_funding_rate": "0.0001",
    "mark_price": "60000",
    "index_price": "60000",
    "long_liquidations": "0",
    "short_liquidations": "0",
}
LONG_INPUTS = NEUTRAL_INPUTS | {
    "open_interest_change_percent": "0.8",
    "global_long_short_account_ratio": "0.6",
    "coinbase_premium": "0.07",
    "estimated_funding_rate": "-0.0002",
    "mark_price": "59970",
    "long_liquidations": "1000",
    "short_liquidations": "900000",
}


def readings(values: dict[str, str], age_ms: int = 1_000) -> dict[str, FakeReading]:
    """Slow inputs of one age."""
    return {name: FakeReading(Decimal(value), EVALUATION_MS - age_ms) for name, value in values.items()}


def feature_row(lean: int = 1, *, coverage: float = 1.0, rank: float | None = 0.6) -> FeatureRow:
    """A row whose trades lean to the long (1), to the short (-1) or to neither side (0)."""
    windows = tuple(
        WindowFeatures(
            window=name,
            cvd=Decimal(lean) * 20,
            volume=Decimal(100),
            notional=Decimal(6_000_000),
            vwap=Decimal(60_000),
            coverage=coverage,
        )
        for name in WINDOW_NAMES
    )
    bought, sold = (Decimal(5_000 + 4_000 * lean), Decimal(5_000 - 4_000 * lean))
    return FeatureRow(
        symbol="BTCUSDT",
        evaluation_time_ms=EVALUATION_MS,
        effective_at_ms=EVALUATION_MS - 1,
        place=0,
        price=Decimal(60_000 + 90 * lean).quantize(Decimal("0.1")),
        windows=(windows[0], windows[1], windows[2]),
        large_p95=Decimal(50_000),
        large_p99=Decimal(200_000),
        large_buy_p95=bought,
        large_sell_p95=sold,
        large_buy_p99=bought,
        large_sell_p99=sold,
        size_coverage=coverage,
        large_coverage=coverage,
        atr=Decimal("80.25"),
        atr_percentile=rank,
        atr_coverage=coverage,
        rank_coverage=coverage,
        last_agg_id=1,
        trades_late=0,
        trades_missing=0,
    )


def _situations() -> Iterator[Situation]:
    """Ordinary and extreme markets."""
    extremes: tuple[dict[str, str], ...] = ({}, NEUTRAL_INPUTS, LONG_INPUTS, dict.fromkeys(NEUTRAL_INPUTS, "0"))
    huge = dict.fromkeys(NEUTRAL_INPUTS, "1000000")
    for lean, values, rank in product((-1, 0, 1), (*extremes, huge), (0.0, 0.1, 0.3, 0.6, 1.0, None)):
        yield Situation(feature_row(lean, rank=rank), readings(values))
    quiet = feature_row()
    windows = tuple(
        msgspec.structs.replace(window, cvd=Decimal(0), volume=Decimal(0), notional=Decimal(0), vwap=None)
        for window in quiet.windows
    )
    nothing = msgspec.structs.replace(quiet, windows=windows, price=None, atr=None, large_p95=None, atr_percentile=None)
    yield Situation(nothing, readings(NEUTRAL_INPUTS))


def _troubled() -> Iterator[Situation]:
    """Windows that are known in part, old inputs, feeds that are silent."""
    ages_ms, states = (-5_000, 50_000, 600_000), ("live", "down")
    for coverage, age_ms, state in product((0.97, 0.5, 0.01), ages_ms, states):
        feeds = dict.fromkeys(FEED_OF_INPUT.values(), FakeFeed(state, EVALUATION_MS - 70_000))
        yield Situation(feature_row(1, coverage=coverage), readings(LONG_INPUTS, age_ms), feeds)


def it_describes_itself(name: str, factor: Factor) -> None:
    assert factor.name == name
    for text in (factor.formula, factor.units, factor.source):
        assert len(text) >= 3
    assert factor.needs_coverage or factor.needs_inputs
    assert all(0 < share <= 1 for share in factor.needs_coverage.values())
    assert all(age_ms > 0 for age_ms in factor.needs_inputs.values())


def it_stays_within_its_bounds(_name: str, factor: Factor) -> None:
    low, high = factor.bounds
    values = [opinion(factor, situation) for situation in _situations()]
    opinions = [value for value in values if not isinstance(value, Omitted)]
    assert len(opinions) > 5
    assert all(math.isfinite(value) and low <= value <= high for value in opinions)


def it_bears_less_than_it_needs(_name: str, factor: Factor) -> None:
    """What would have been said of too little or too old data decides whether a signal was held back: see `judge`."""
    low, high = factor.bounds
    for situation in _situations():
        nothing_known = Situation(
            msgspec.structs.replace(situation.row, size_coverage=0.0, large_coverage=0.0, atr_coverage=0.0),
            {name: FakeReading(reading.value, -1) for name, reading in situation.inputs.items()},
        )
        value = without_limits(factor, nothing_known)
        assert isinstance(value, Omitted) or (math.isfinite(value) and low <= value <= high)


def it_says_the_same_twice_and_has_words_for_it(_name: str, factor: Factor) -> None:
    for situation in _situations():
        value = opinion(factor, situation)
        assert opinion(factor, situation) == value
        if not isinstance(value, Omitted) and value != 0:
            words = factor.words(situation, value)
            assert 5 < len(words) < 60
            assert not words.endswith(".")


def a_vote_follows_its_side(_name: str, factor: Factor) -> None:
    if factor.role == "scale":
        return
    value = opinion(factor, Situation(feature_row(1), readings(LONG_INPUTS)))
    assert isinstance(value, float)
    assert value > 0


def it_is_omitted_below_its_coverage(_name: str, factor: Factor) -> None:
    for window, needed in factor.needs_coverage.items():
        value = opinion(factor, Situation(feature_row(1, coverage=needed - 0.01), readings(LONG_INPUTS)))
        assert isinstance(value, Omitted)
        assert value.code == "coverage"
        assert any(name in value.why for name in factor.needs_coverage), window


def it_is_omitted_when_an_input_is_missing_or_old(_name: str, factor: Factor) -> None:
    for name, limit_ms in factor.needs_inputs.items():
        without = {key: value for key, value in LONG_INPUTS.items() if key != name}
        for inputs in (readings(without), readings(without) | readings({name: "1"}, limit_ms + 1)):
            value = opinion(factor, Situation(feature_row(1), inputs))
            assert isinstance(value, Omitted)
            assert value.code == "stale_input"
            assert name.replace("_", " ") in value.why


def it_says_the_same_in_any_company(_name: str, factor: Factor) -> None:
    """A replay asks about thousands of evaluations at once, the live engine about one."""
    situations = [*_situations(), *_troubled()]
    together = ask(factor, joined([situation.columns for situation in situations]))
    for row, situation in enumerate(situations):
        said, bare = opinion(factor, situation), without_limits(factor, situation)
        assert together.share[row] == coverage_of(factor, situation).share
        assert together.value[row].tobytes() == np.float64(0.0 if isinstance(said, Omitted) else said).tobytes()
        assert together.bare[row].tobytes() == np.float64(0.0 if isinstance(bare, Omitted) else bare).tobytes()
        assert together.omission[row] == (OMISSIONS[said.code] if isinstance(said, Omitted) else 0)


SUITE: tuple[Callable[[str, Factor], None], ...] = (
    it_describes_itself,
    it_stays_within_its_bounds,
    it_says_the_same_twice_and_has_words_for_it,
    a_vote_follows_its_side,
    it_is_omitted_below_its_coverage,
    it_is_omitted_when_an_input_is_missing_or_old,
    it_bears_less_than_it_needs,
    it_says_the_same_in_any_company,
)
