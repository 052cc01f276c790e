"""What the reading routes answer, beside the same rows by SQL: the real application and database, without a server."""

from decimal import Decimal

import numpy as np
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from libs.kit.clock import ManualClock
from libs.kit.durations import HOUR_MS
from libs.store import migrate
from libs.store.instants import instant
from services.gateway.shared import Gateway
from tests.golden.samples import EVENTS
from tests.services.gateway.stored import TRADES_FROM_MS, decimals, good, paper_trade, sql, told
from tests.services.recorder.timelines import START_MS, mark_price
from tests.support.asgi import Answer, ask

SPANS = st.tuples(st.integers(-HOUR_MS, 3 * HOUR_MS), st.integers(0, 2 * HOUR_MS))
CANDLES = """
SELECT (extract(epoch FROM date_bin(make_interval(secs => :seconds), trade_time, timestamptz 'epoch')) * 1000)::int8,
  (array_agg(price ORDER BY agg_id))[1], max(price), min(price), (array_agg(price ORDER BY agg_id DESC))[1], sum(quantity),
  sum(price * quantity), coalesce(sum(quantity) FILTER (WHERE NOT buyer_is_maker), 0)
FROM agg_trades WHERE symbol = 'BTCUSDT' AND trade_time >= :start AND trade_time < :end GROUP BY 1 ORDER BY 1
"""


@settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(span=SPANS, interval=st.sampled_from((("15s", 15), ("1m", 60), ("5m", 300), ("1h", 3600), ("1d", 86_400))))
async def test_candles_of_any_span_agree_with_sql(
    api: FastAPI, shared: Gateway, span: tuple[int, int], interval: tuple[str, int]
) -> None:
    start, end = TRADES_FROM_MS + span[0], TRADES_FROM_MS + span[0] + span[1]
    truth = await sql(shared, CANDLES, seconds=interval[1], start=instant(start), end=instant(end))
    url = f"symbol=BTCUSDT&interval={interval[0]}&from={start}&to={end}&limit=1500"
    found = (await good(api, f"/api/trades/summary?{url}"))["rows"]
    names = ("open_time_ms", "open", "high", "low", "close", "volume", "quote_volume", "buy_volume")
    assert decimals(found, *names) == [tuple(map(Decimal, row)) for row in truth]
    drawn = (await good(api, f"/api/kline?{url}&with=cvd,vwap"))["candles"]
    deltas = np.cumsum([2 * row[7] - row[5] for row in truth]).tolist()
    assert [Decimal(row["cvd"]) for row in drawn] == deltas
    for row, (*_, volume, quote, _bought) in zip(drawn, truth, strict=True):
        assert abs(Decimal(row["vwap"]) * volume / quote - 1) < Decimal("1e-11")


async def test_candles_of_mark_prices_and_of_archives(api: FastAPI) -> None:
    drawn = await good(api, "/api/kline?symbol=BTCUSDT&source=rates&with=cvd,vwap")
    assert drawn["source"] == "rates"
    last = drawn["candles"][-1]
    assert last["close"] == str(mark_price(199).mark_price)
    assert (last["volume"], last["cvd"], last["vwap"]) == (None, None, None)
    kept = (await good(api, "/api/kline?symbol=BTCUSDT&source=klines&with=cvd,vwap&limit=3"))["candles"]
    assert [(row["close"], row["volume"]) for row in kept] == [("2", "10")] * 3
    assert [row["cvd"] for row in kept] == [None] * 3, "from the first unknown one on, the sum is unknown"
    assert [row["vwap"] for row in kept] == ["2"] * 3


async def test_funding_is_one_history_and_its_sums_are_those_of_its_rates(api: FastAPI, shared: Gateway) -> None:
    told_rates = (await good(api, "/api/history?from=1722470400000&to=1723075200000"))["rows"]
    of_bitcoin = [row for row in told_rates if row["symbol"] == "BTCUSDT"]
    assert [Decimal(row["rate"]) for row in of_bitcoin] == [Decimal(n - 5).scaleb(-5) for n in range(18)] + [
        Decimal("0.0001")
    ] * 3
    shared.live.clock = ManualClock(START_MS)
    stats = await good(api, "/api/stats")
    [bitcoin, ether] = stats["symbols"]
    assert stats["missing"] == []
    rates = [Decimal(row["rate"]) for row in of_bitcoin if row["time_ms"] >= stats["from_ms"]]
    assert (bitcoin["settlements"], Decimal(bitcoin["total"])) == (len(rates), sum(rates))
    assert (Decimal(bitcoin["lowest"]), Decimal(bitcoin["highest"])) == (min(rates), max(rates))
    year = await good(api, "/api/stats/ytd")
    assert year["from_ms"] == 1_704_067_200_000
    mean = Decimal(year["symbols"][1]["mean"])
    assert abs(Decimal(year["symbols"][1]["annualised"]) - mean * 3 * 365) < Decimal("1e-9")
    assert ether["symbol"] == year["symbols"][1]["symbol"] == "ETHUSDT"
    file = await ask(api, "/api/history?symbol=ETHUSDT&from=1722470400000&to=1723075200000&format=csv")
    assert file.body.decode().splitlines()[0] == "symbol,time_ms,rate"


async def test_a_signal_is_explained_with_what_became_of_it(api: FastAPI) -> None:
    story = await good(api, "/api/signals/signal-6")
    assert (story["event_id"], story["symbol"], story["gate"]["passed"]) == ("signal-6", "BTCUSDT", True)
    assert story["inputs"] == {"cvd_5m": "12.5"}
    assert story["coverage"] == {"5m": 1.0}
    assert (story["before_id"], story["after_id"]) == ("signal-5", "signal-7")
    assert story["evaluation"]["event_time_ms"] == story["event_time_ms"]
    assert story["configuration"]["activated_by"] == "test"
    assert [row["trade_id"] for row in story["paper_trades"]] == ["paper-0006"]
    ambiguous, missing = await ask(api, "/api/signals/signal-1"), await ask(api, "/api/signals/nothing")
    assert ambiguous.status == 200, "an id that is whole is meant, although others begin like it"
    assert (missing.status, missing.json["detail"]) == (404, "there is no signal nothing")
    several = await ask(api, "/api/signals/signal")
    assert (several.status, "several" in several.json["detail"]) == (400, True)


async def test_each_listed_signal_says_what_became_of_it_on_paper_and_on_the_account(api: FastAPI) -> None:
    page = (await good(api, "/api/signals/history?limit=12"))["signals"]
    became = {row["event_id"]: row["outcomes"] for row in page}
    assert len(became) == 12
    for number in range(12):
        trade = paper_trade(number)
        outcomes = became[f"signal-{number}"]
        [paper] = [one for one in outcomes if one["books"] == "paper"]
        assert (paper["trade_id"], paper["state"], paper["reason"]) == (trade.trade_id, trade.state, trade.reason)
        assert (Decimal(paper["net"]), paper["net_r"]) == (trade.net, trade.net_r)
    live = [(name, one) for name, outcomes in became.items() for one in outcomes if one["books"] == "live"]
    assert [(name, one["account"], one["trade_id"], one["state"], one["reason"]) for name, one in live] == [
        ("signal-8", "main", "signal-8", "closed", "stop")
    ]
    assert live[0][1]["net"] is not None
    newest = (await good(api, "/api/signals/latest"))["signals"][0]
    assert newest["outcomes"] == became[newest["event_id"]]


async def test_the_newest_signal_of_each_strategy_and_symbol(api: FastAPI) -> None:
    latest = (await good(api, "/api/signals/latest"))["signals"]
    assert [(row["strategy"], row["symbol"], row["event_id"]) for row in latest] == [("v51", "BTCUSDT", "signal-11")]
    file = await ask(api, "/api/signals/history?format=csv")
    assert len(file.body.decode().splitlines()) == 13


async def test_commands_and_alarms_are_one_history(api: FastAPI, shared: Gateway) -> None:
    for number, event in enumerate(EVENTS):
        told(shared, event, number)
    lines = (await good(api, "/api/risk/history"))["rows"]
    assert [(line["kind"], line["who"], line["what"], line["outcome"]) for line in lines] == [
        ("command", "ada", "lock", "accepted")
    ]
    assert (await good(api, "/api/risk/history?to=1"))["rows"] == []


async def test_strategies_and_their_words(api: FastAPI) -> None:
    [row] = (await good(api, "/api/strategies"))["rows"]
    assert (row["strategy"], row["version"], row["enabled"], row["latest_signal_ms"]) == (
        "v51",
        1,
        True,
        START_MS + 11 * 15_000,
    )
    assert row["definition"]["threshold"] == 75
    assert [word["event_id"] for word in (await good(api, "/api/strategies/v51/history"))["rows"]] == ["word-1"]
    assert (await ask(api, "/api/strategies/v99/history")).status == 404


async def test_the_installation_answers_without_anybody_beside_it(api: FastAPI) -> None:
    server = await good(api, "/api/server")
    assert server["services"] == []
    assert server["database"]["revision"] == migrate.head_revision()
    assert "agg_trades" in {table["name"] for table in server["database"]["largest"]}
    assert server["machine"]["disk_free_bytes"] > 0


async def test_an_answer_is_kept_as_long_as_it_says(api: FastAPI, shared: Gateway) -> None:
    first: Answer = await ask(api, "/api/stats")
    assert first.headers["cache-control"] == "private, max-age=60"
    again = await ask(api, "/api/stats", if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    shared.symbols = (*shared.symbols, "NEWUSDT")
    assert (await ask(api, "/api/stats")).body == first.body, "nothing is asked anew before it is over"
    shared.answers.forget()
    assert (await good(api, "/api/stats"))["missing"] == [*first.json["missing"], "NEWUSDT"]


async def test_a_year_without_rates_or_before_the_market_has_spoken_is_asked_again_soon(
    api: FastAPI, shared: Gateway
) -> None:
    shared.live.clock = ManualClock(START_MS)

    async def lasts() -> str:
        shared.answers.forget()
        return (await ask(api, "/api/stats/ytd")).headers["cache-control"]

    assert await lasts() == "private, max-age=5", "whose year it is was our clock's word"
    shared.live.newest["BTCUSDT"] = mark_price(1)
    assert await lasts() == "private, max-age=3600"
    shared.symbols = (*shared.symbols, "NEWUSDT")
    assert await lasts() == "private, max-age=5", "a symbol has no rates yet"
