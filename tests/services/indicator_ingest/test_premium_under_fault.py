"""The premium's poll when one of its prices, or all of Binance's, cannot be had for a while, or when the two are of other times.

The perpetual takes spot's place; nothing takes Coinbase's. All cases run at once, each with its own venue.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from libs.contracts.market import MarketIndicatorObserved
from tests.services.indicator_ingest.poll_faults import Group, Outcome, live_through
from tests.support.patient_time import run_patiently

# The pauses between tries are real seconds, and the two prices five seconds of the venue apart at most: so it is slow.
SPEED = 2.0
PREMIUM = Group(("coinbase_premium",), SPEED, 60.0, 16_000, {"premium_seconds": 2.0})
KEYS = sorted(PREMIUM.keys)
# What a question may have been under way when a fault began.
UNDER_WAY_MS = 4_000
REFUSALS: dict[str, dict[str, Any]] = {
    "429": {"kind": "rate_limited", "retry_after_s": 4},
    "418": {"kind": "banned"},
    "503": {"kind": "unavailable"},
    "502": {"kind": "server_error"},
    "half a page": {"kind": "truncated_page"},
}
SLOW = {"kind": "slow_body", "seconds": 0.3}
COINBASE, SPOT, BINANCE = ["/products"], ["/api/v3"], ["/api/v3", "/fapi/v2/ticker/price"]
LOST = {
    f"{name} of {leg}": fault | {"paths": paths}
    for leg, paths in (("Coinbase", COINBASE), ("spot and perpetual", BINANCE))
    for name, fault in REFUSALS.items()
}
REPLACED = {f"{name} of spot": fault | {"paths": SPOT} for name, fault in REFUSALS.items()} | {
    "empty page of spot": {"kind": "truncated_page", "rows": 0, "paths": SPOT}
}
UNHARMED = {f"slow body of {leg}": SLOW | {"paths": paths} for leg, paths in (("Coinbase", COINBASE), ("spot", SPOT))}
APART = {"nobody trades on Binance": {"kind": "halt"}}
FAULTS = LOST | REPLACED | UNHARMED | APART
Outcomes = dict[str, Outcome | BaseException]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    async def live_through_all(folder: Path) -> list[Outcome | BaseException]:
        every = (live_through(folder / name, PREMIUM, fault) for name, fault in FAULTS.items())
        return await asyncio.gather(*every, return_exceptions=True)

    return dict(zip(FAULTS, run_patiently(live_through_all(tmp_path_factory.mktemp("premium"))), strict=True))


def found(outcomes: Outcomes, name: str) -> Outcome:
    outcome = outcomes[name]
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def during(after: Outcome, symbol: str) -> list[MarketIndicatorObserved]:
    """What was published while the fault lasted, without what was under way at its begin."""
    values = after.of(("coinbase_premium", symbol))
    return [event for put, event in values if after.begin_ms + UNDER_WAY_MS < put < after.end_ms]


def states_during(after: Outcome, symbol: str) -> set[str]:
    said = after.states(("coinbase_premium", symbol))
    return {event.state for event in said if event.event_time_ms < after.end_ms}


@pytest.mark.parametrize("name", FAULTS)
def test_a_premium_is_of_its_two_prices_and_comes_once(outcomes: Outcomes, name: str) -> None:
    after = found(outcomes, name)
    instants = [(event.symbol, event.event_time_ms) for _, event in after.values]
    assert len(set(instants)) == len(instants)
    for put, event in after.values:
        coinbase, ours = int(event.values["coinbase_time_ms"]), int(event.values["venue_time_ms"])
        assert abs(coinbase - ours) <= 5_000
        assert event.event_time_ms % 2_000 == 0
        assert not event.availability_assumed
        assert event.available_ms is not None
        assert max(coinbase, ours, event.event_time_ms) <= event.available_ms + UNDER_WAY_MS
        assert event.event_time_ms <= event.available_ms <= put + UNDER_WAY_MS
        assert event.raw == legs(after, event)


def legs(after: Outcome, event: MarketIndicatorObserved) -> dict[str, Any]:
    """Both answers as the venues would give them of that time."""
    assert event.raw is not None
    product, when = f"{event.symbol.removesuffix('USDT')}-USD", int(event.values["coinbase_time_ms"])
    price = after.market.coinbase_price(product, when)
    theirs: dict[str, Any] = {
        "trade_id": when // 1000,
        "price": price,
        "bid": price,
        "ask": f"{(round(float(price) * 100) + 1) / 100:.2f}",
        "size": f"{(when // 1000 % 97 + 1) / 1000:.3f}",
        "volume": "8123.10000000",
    }
    # The text has microseconds, which the value's milliseconds do not say.
    theirs["time"] = event.raw["coinbase.time"]
    if event.values["spot"]:
        trade = after.spot[event.symbol, int(str(event.raw["venue.a"]))]
        fields = {name: trade[name] for name in ("a", "q", "f", "l", "T", "m")}
        ours = fields | {"p": after.market.spot_price(event.symbol, trade["T"]), "M": True}
    else:
        ours = {"symbol": event.symbol, "price": str(event.values["venue_price"]), "time": event.raw["venue.time"]}
        ours["price"] = event.raw["venue.price"]
    return {f"coinbase.{name}": one for name, one in theirs.items()} | {
        f"venue.{name}": one for name, one in ours.items()
    }


@pytest.mark.parametrize("name", LOST)
def test_without_one_of_its_prices_there_is_none_and_the_feed_says_so(outcomes: Outcomes, name: str) -> None:
    after = found(outcomes, name)
    for _, symbol in KEYS:
        assert not during(after, symbol)
        assert states_during(after, symbol) & {"down", "stale"}


@pytest.mark.parametrize("name", REPLACED)
def test_without_spot_the_perpetual_takes_its_place(outcomes: Outcomes, name: str) -> None:
    after = found(outcomes, name)
    for _, symbol in KEYS:
        assert len(during(after, symbol)) >= 2, "no premium while spot was away"
        assert {int(event.values["spot"]) for event in during(after, symbol)} == {0}
        assert int(after.of(("coinbase_premium", symbol))[-1][1].values["spot"]) == 1


@pytest.mark.parametrize("name", UNHARMED)
def test_a_slow_answer_is_waited_for(outcomes: Outcomes, name: str) -> None:
    after = found(outcomes, name)
    for _, symbol in KEYS:
        assert len(during(after, symbol)) >= 4
        assert states_during(after, symbol) <= {"live"}


def test_prices_of_other_times_make_no_premium(outcomes: Outcomes) -> None:
    after = found(outcomes, "nobody trades on Binance")
    for _, symbol in KEYS:
        late = [event for event in during(after, symbol) if event.event_time_ms > after.begin_ms + 7_000]
        assert not late
        said = after.states(("coinbase_premium", symbol))
        assert any(event.state == "stale" and "apart" in event.detail for event in said)
        assert said[-1].state == "live"


@pytest.mark.parametrize("leg", ["Coinbase", "spot"])
def test_a_ban_of_one_source_is_obeyed(outcomes: Outcomes, leg: str) -> None:
    after = found(outcomes, f"418 of {leg}")
    times = [one["venue_ms"] for one in after.ledger]
    assert times
    assert max(times) - min(times) <= UNDER_WAY_MS / 2
    assert len(times) <= len(KEYS)
