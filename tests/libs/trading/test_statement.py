"""The statement's verdict: sums by day, kind and asset, half a cent, and what another asset is worth."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.trading.statement import Booked, StatementDay, compare

DAY = dt.datetime(2026, 11, 3, 12, tzinfo=dt.UTC)


def pair(stated: str | None, booked: str | None, **changes: object) -> Booked:
    given: dict[str, object] = {
        "at": DAY,
        "kind": "REALIZED_PNL",
        "symbol": "BTCUSDT",
        "asset": "USDT",
        "reference": "1",
        "trade_id": "t",
        "stated": None if stated is None else Decimal(stated),
        "booked": None if booked is None else Decimal(booked),
    }
    return Booked(**(given | changes))  # type: ignore[arg-type]


def one(*pairs: Booked) -> StatementDay:
    [day] = compare(pairs)
    return day


@pytest.mark.parametrize(
    ("pairs", "agrees", "differing"),
    [
        ([pair("1.5", "1.5")], True, 0),
        ([pair("1.5", "1.5049")], True, 0),
        ([pair("1.5", "1.505")], False, 1),
        ([pair(None, "-0.01")], False, 1),
        ([pair("0.01", None)], False, 1),
        ([pair("1", "2"), pair("2", "1")], False, 2),
        ([pair("1", "1.004"), pair("1", "1.004")], False, 0),
    ],
    ids=["equal", "less than half a cent", "half a cent", "not stated", "not booked", "sums hide it", "they add up"],
)
def test_half_a_cent_counts_in_a_pair_or_in_their_sum(pairs: list[Booked], agrees: bool, differing: int) -> None:
    day = one(*pairs)
    assert (day.agrees, len(day.differing)) == (agrees, differing)


@pytest.mark.parametrize(
    ("value", "stated", "agrees"),
    [("-0.06", "-0.000108", True), ("-0.06", "-0.000109", False), (None, "-0.0001001", False), (None, "-0.0001", True)],
)
def test_another_asset_is_judged_by_its_value_and_exactly_without_one(
    value: str | None, stated: str, agrees: bool
) -> None:
    """A BNB at 600: half a cent is 0.00000833."""
    worth = None if value is None else Decimal(value)
    day = one(pair(stated, "-0.0001", kind="COMMISSION", asset="BNB", value=worth))
    assert day.agrees is agrees


def test_what_is_no_trading_is_told_without_a_verdict() -> None:
    day = one(pair("500", None, kind="TRANSFER"))
    assert day.agrees is None
    assert day.stated == 500
    assert not day.differing
    assert one(pair("-3", None, kind="INSURANCE_CLEAR")).agrees is False


def test_days_are_utc_and_kinds_and_assets_apart() -> None:
    zone = dt.timezone(dt.timedelta(hours=5))
    late = dt.datetime(2026, 11, 4, 1, tzinfo=zone)
    days = compare(
        [pair("1", "1"), pair("1", "1", at=late), pair("1", "1", asset="USDC"), pair("1", "1", kind="GROSS")]
    )
    assert [(day.day.day, day.kind, day.asset, int(day.stated)) for day in days] == [
        (3, "GROSS", "USDT", 1),
        (3, "REALIZED_PNL", "USDC", 1),
        (3, "REALIZED_PNL", "USDT", 2),
    ]


@given(st.lists(st.tuples(st.integers(-500, 500), st.integers(-500, 500)), min_size=1, max_size=8))
def test_it_agrees_exactly_when_no_cent_is_missing(amounts: list[tuple[int, int]]) -> None:
    pairs = [pair(str(Decimal(left) / 100), str(Decimal(right) / 100)) for left, right in amounts]
    assert one(*pairs).agrees is all(left == right for left, right in amounts)
