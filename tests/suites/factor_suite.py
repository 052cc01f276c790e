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
from libs.trading.factor import (
    Factor,
    Omitted,
    Situation,
    ask_together,
    coverage_of,
    opinion,
    values_of,
    without_limits,
)
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


SHORT_INPUTS = NEUTRAL_INPUTS | {
    "open_interest_change_percent": "0.8",
    "global_long_short_account_ratio": "1.8",
    "coinbase_premium": "-0.07",
    "estimated_funding_rate": "0.0004",
    "mark_price": "60030",
    "long_liquidations": "900000",
    "short_liquidations": "1000",
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


# CVD, volume and how far the VWAP lies behind the price's start, for a lean of 1: no two windows agree, nor do their ratios,
# so that what is computed from a difference of windows has something to say.
_WINDOWS = {"5m": (24, 80, -30), "30m": (20, 100, 0), "4h": (30, 400, 50)}


def leaning_row(lean: int = 1, *, coverage: float = 1.0, rank: float | None = 0.6) -> FeatureRow:
    """`feature_row` with numbers of its own in each window: takers lean most in the shortest, and the longest VWAP lags most."""
    row = feature_row(lean, coverage=coverage, rank=rank)
    windows = []
    for window in row.windows:
        cvd, volume, behind = _WINDOWS[window.window]
        windows.append(
            msgspec.structs.replace(
                window,
                cvd=Decimal(lean) * cvd,
                volume=Decimal(volume),
                notional=Decimal(volume) * 60_000,
                vwap=Decimal(60_000 - behind * lean),
            )
        )
    return msgspec.structs.replace(row, windows=(windows[0], windows[1], windows[2]))


def _situations() -> Iterator[Situation]:
    """Ordinary and extreme markets."""
    extremes: tuple[dict[str, str], ...] = ({}, NEUTRAL_INPUTS, LONG_INPUTS, dict.fromkeys(NEUTRAL_INPUTS, "0"))
    huge = dict.fromkeys(NEUTRAL_INPUTS, "1000000")
    for lean, values, rank in product((-1, 0, 1), (*extremes, huge), (0.0, 0.1, 0.3, 0.6, 1.0, None)):
        yield Situation(leaning_row(lean, rank=rank), readings(values))
    quiet = leaning_row()
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
        yield Situation(leaning_row(1, coverage=coverage), readings(LONG_INPUTS, age_ms), feeds)


def it_describes_itself(name: str, factor: Factor) -> None:
    assert factor.name == name, f"{name}.py defines the factor {factor.name}: the file's name is the factor's"
    for what, text in (("formula", factor.formula), ("units", factor.units), ("source", factor.source)):
        assert len(text) >= 3, f"{name}: {what} says nothing ({text!r}): people read it beside the factor"
    assert factor.needs_coverage or factor.needs_inputs, (
        f"{name} needs nothing: state the coverage of its windows in needs_coverage, the age of its inputs in needs_inputs"
    )
    for window, share in factor.needs_coverage.items():
        assert 0 < share <= 1, f"{name}: needs_coverage of {window} is {share}: a share above 0, at most 1"
    for item, age_ms in factor.needs_inputs.items():
        assert age_ms > 0, f"{name}: needs_inputs of {item} is {age_ms}: milliseconds above 0"
    if factor.contrarian:
        assert factor.role == "vote", f"{name} is contrarian and a {factor.role}: only a vote has a side to bet against"


def it_stays_within_its_bounds(name: str, factor: Factor) -> None:
    low, high = factor.bounds
    values = [opinion(factor, situation) for situation in _situations()]
    opinions = [value for value in values if not isinstance(value, Omitted)]
    assert len(opinions) > 5, (
        f"{name} has an opinion on {len(opinions)} of {len(values)} markets: it can hardly be judged"
    )
    wrong = [value for value in opinions if not (math.isfinite(value) and low <= value <= high)]
    assert not wrong, f"{name} says {wrong[:3]}: a {factor.role} lies in {low:g} to {high:g}; `clipped` keeps it there"


def it_bears_less_than_it_needs(name: str, factor: Factor) -> None:
    """What would have been said of too little or too old data decides whether a signal was held back: see `judge`."""
    low, high = factor.bounds
    for situation in _situations():
        nothing_known = Situation(
            msgspec.structs.replace(situation.row, size_coverage=0.0, large_coverage=0.0, atr_coverage=0.0),
            {item: FakeReading(reading.value, -1) for item, reading in situation.inputs.items()},
        )
        value = without_limits(factor, nothing_known)
        assert isinstance(value, Omitted) or (math.isfinite(value) and low <= value <= high), (
            f"{name} says {value} where it has less than it needs: also there it lies in {low:g} to {high:g}, or is NaN"
        )


def it_says_the_same_twice_and_has_words_for_it(name: str, factor: Factor) -> None:
    for situation in _situations():
        value = opinion(factor, situation)
        again = opinion(factor, situation)
        assert again == value, (
            f"{name} says {value} and then {again} of the same market: it must keep nothing between calls"
        )
        if not isinstance(value, Omitted) and value != 0:
            words = factor.words(situation, value)
            assert 5 < len(words) < 60, f"{name}: its words have {len(words)} characters, 6 to 59 fit a line: {words!r}"
            assert not words.endswith("."), (
                f"{name}: its words are a part of a sentence and end without a full stop: {words!r}"
            )


def a_vote_follows_its_side(name: str, factor: Factor) -> None:
    if factor.role == "scale":
        return
    for lean, side in ((1, "long"), (-1, "short")):
        inputs = LONG_INPUTS if lean > 0 else SHORT_INPUTS
        value = opinion(factor, Situation(leaning_row(lean), readings(inputs)))
        assert isinstance(value, float), f"{name} has no opinion on a market where everything is known: {value}"
        wanted = -lean if factor.contrarian else lean
        meant = (
            "against it, as it is contrarian"
            if factor.contrarian
            else f"{side}; contrarian=True if it is to bet against it"
        )
        assert value * wanted > 0, (
            f"{name} votes {value:+.3f} where takers and inputs lean {side}: it is to vote {meant}"
        )


def it_is_omitted_below_its_coverage(name: str, factor: Factor) -> None:
    for window, needed in factor.needs_coverage.items():
        value = opinion(factor, Situation(leaning_row(1, coverage=needed - 0.01), readings(LONG_INPUTS)))
        assert isinstance(value, Omitted), f"{name} says {value} with less of {window} than the {needed:.0%} it needs"
        assert value.code == "coverage", f"{name} is omitted as {value.code} below its coverage of {window}"
        assert any(each in value.why for each in factor.needs_coverage), (
            f"{name}: {value.why!r} names none of its windows"
        )


def it_is_omitted_when_an_input_is_missing_or_old(name: str, factor: Factor) -> None:
    for item, limit_ms in factor.needs_inputs.items():
        without = {key: value for key, value in LONG_INPUTS.items() if key != item}
        cases = (
            ("without", readings(without)),
            ("with too old a", readings(without) | readings({item: "1"}, limit_ms + 1)),
        )
        for how, inputs in cases:
            value = opinion(factor, Situation(leaning_row(1), inputs))
            assert isinstance(value, Omitted), f"{name} says {value} {how} {item}"
            assert value.code == "stale_input", f"{name} is omitted as {value.code} {how} {item}"
            assert item.replace("_", " ") in value.why, f"{name}: {value.why!r} does not name {item}"


def it_says_the_same_in_any_company(name: str, factor: Factor) -> None:
    """A replay asks about thousands of evaluations at once, the live engine about one."""
    situations = [*_situations(), *_troubled()]
    together = ask(factor, joined([situation.columns for situation in situations]))
    asked = [Situation(one.row, one.inputs, one.feeds) for one in situations]
    ask_together(asked, [factor])
    for row, situation in enumerate(situations):
        said, bare = opinion(factor, situation), without_limits(factor, situation)
        alone = values_of(factor, situation.columns)[0]
        differs = f"{name}: market {row} alone and among others differ"
        why = "only + - * /, comparisons and numpy.where give the same bits for one and for many"
        assert np.float64(asked[row].said[factor]).tobytes() == alone.tobytes(), f"{differs} in value: {why}"
        assert together.share[row] == coverage_of(factor, situation).share, f"{differs} in coverage"
        opinions = np.float64(0.0 if isinstance(said, Omitted) else said)
        assert together.value[row].tobytes() == opinions.tobytes(), f"{differs} in opinion: {why}"
        unlimited = np.float64(0.0 if isinstance(bare, Omitted) else bare)
        assert together.bare[row].tobytes() == unlimited.tobytes(), f"{differs} in what is said without limits: {why}"
        code = OMISSIONS[said.code] if isinstance(said, Omitted) else 0
        assert together.omission[row] == code, f"{differs} in why there is no opinion"


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
