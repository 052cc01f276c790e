"""What is told of paper and live trading, beside the trades that it is made of."""

import datetime as dt
from decimal import Decimal

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from libs.kit.clock import ManualClock
from services.gateway.shared import Gateway
from tests.libs.store.live_trades import NOW_MS
from tests.services.gateway.stored import PAPER_NOW, PAPER_TRADES, good, paper_trade, sql
from tests.support.asgi import ask


async def test_paper_accounts_and_curves(api: FastAPI) -> None:
    accounts = (await good(api, "/api/paper/summary"))["accounts"]
    assert [(row["strategy"], row["equity"]) for row in accounts] == [("v51", "10010.0"), ("v52", "10010.0")]
    for row in accounts:
        today = [
            trade.net
            for trade in map(paper_trade, range(PAPER_TRADES))
            if trade.strategy == row["strategy"] and trade.state == "closed" and trade.exit_time is not None
            if trade.exit_time.date() == PAPER_NOW.date() and trade.net is not None
        ]
        assert today
        assert (row["closed_today"], Decimal(row["net_today"])) == (len(today), sum(today))
        assert row["net_r_today"] == pytest.approx(float(sum(today)) / 10), "of the same trades, in R"
    assert (await good(api, "/api/paper/positions"))["rows"] == []
    curve = await good(api, "/api/paper/equity?strategy=v51&points=100&from=1723032000000")
    assert 50 <= len(curve["rows"]) <= 101
    assert curve["rows"][-1]["equity"] == 10_000.0, "the newest point is there"
    assert {row["strategy"] for row in curve["rows"]} == {"v51"}


@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    hours=st.tuples(st.integers(0, 70), st.integers(0, 70)),
    by=st.sampled_from(("day", "week", "month", "strategy", "symbol", "reason")),
    strategy=st.sampled_from((None, "v51", "v52")),
)
async def test_profit_and_statistics_of_any_span_are_those_of_its_trades(
    api: FastAPI, hours: tuple[int, int], by: str, strategy: str | None
) -> None:
    start, stop = (PAPER_NOW - dt.timedelta(hours=max(hours)), PAPER_NOW - dt.timedelta(hours=min(hours)))
    chosen = [
        trade
        for trade in map(paper_trade, range(PAPER_TRADES))
        if trade.state == "closed" and trade.exit_time is not None and start <= trade.exit_time < stop
        and strategy in (None, trade.strategy)
    ]  # fmt: skip
    span = f"from={int(start.timestamp()) * 1000}&to={int(stop.timestamp()) * 1000}"
    named = f"&strategy={strategy}" if strategy else ""
    profit = await good(api, f"/api/profit?books=paper&by={by}&{span}{named}")
    total = profit["total"]
    assert total["trades"] == len(chosen) == sum(row["trades"] for row in profit["rows"])
    for name in ("net", "gross", "fees", "slippage", "funding"):
        assert Decimal(total[name]) == sum((getattr(trade, name) for trade in chosen), Decimal(0))
    stats = {row["strategy"]: row for row in (await good(api, f"/api/paper/stats?{span}{named}"))["rows"]}
    for name in {trade.strategy for trade in chosen}:
        nets = [
            trade.net or Decimal(0)
            for trade in sorted(chosen, key=lambda one: (one.exit_time, one.trade_id))
            if trade.strategy == name
        ]
        made, peak, fall = Decimal(0), Decimal(0), Decimal(0)
        for net in nets:
            made += net
            peak = max(peak, made)
            fall = max(fall, peak - made)
        assert (stats[name]["trades"], Decimal(stats[name]["net"])) == (len(nets), sum(nets))
        assert Decimal(stats[name]["deepest_fall"]) == fall
        assert stats[name]["won"] == sum(net > 0 for net in nets)


async def test_an_account_in_one_look(api: FastAPI, shared: Gateway) -> None:
    summary = await good(api, "/api/live/summary")
    assert (summary["mode"], summary["executor"]["silent"], summary["guard"]["age_ms"]) == ("demo", False, 1000)
    assert summary["entries_allowed"] is False
    assert summary["open_trades"] == 1
    shared.words.clock = ManualClock(NOW_MS + 60_000)
    shared.answers.forget()
    later = await good(api, "/api/live/summary")
    assert later["executor"]["silent"] is later["guard"]["silent"] is True
    assert "the risk guard is silent" in later["reasons"]
    [account] = (await good(api, "/api/risk"))["accounts"]
    assert (account["entries_allowed"], account["level"], account["break_number"]) == (False, "warning", 2)
    assert "the risk guard is silent" in account["reasons"]


async def test_positions_stand_beside_their_trades(api: FastAPI) -> None:
    [position] = (await good(api, "/api/live/positions"))["rows"]
    assert (position["symbol"], position["quantity"], position["trade_id"]) == ("BTCUSDT", "-0.020", "t1")
    assert position["protected"] is True


async def test_what_may_trade_and_its_versions(api: FastAPI) -> None:
    config = await good(api, "/api/live/config")
    assert (config["version"], config["document"]["max_positions"]) == (2, 9)
    assert [row["version"] for row in (await good(api, "/api/live/config/history"))["rows"]] == [2, 1]
    unknown = await ask(api, "/api/live/config?account=mian")
    assert (unknown.status, unknown.json["detail"]) == (400, "mian is no account here; known accounts: main")


async def test_everything_of_a_live_trade(api: FastAPI, shared: Gateway) -> None:
    story = await good(api, "/api/live/trades/t1")
    assert [order["client_order_id"] for order in story["orders"]] == ["p1-entry", "p1-stop"]
    assert [fill["venue_trade_id"] for fill in story["fills"]] == [7]
    assert [event["event_id"] for event in story["events"]] == ["e1", "e2"]
    missing = await ask(api, "/api/live/trades/t9")
    assert (missing.status, missing.json["detail"]) == (404, "account main has no trade t9")
    balance = await good(api, "/api/live/balance")
    assert [(row["kind"], row["amount"]) for row in balance["stated_today"]] == [("REALIZED_PNL", "1.25")]
    assert balance["balance"] is None, "no rule has measured it"
    curve = (await good(api, "/api/live/equity"))["rows"]
    truth = await sql(shared, "SELECT trade_id FROM live_trades WHERE state = 'closed' AND exit_time IS NOT NULL")
    assert [row["trade_id"] for row in curve] == [row[0] for row in truth]
    assert (await good(api, "/api/profit"))["total"]["trades"] == len(curve)
