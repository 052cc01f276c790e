"""An account at the simulated venue through the port: orders, what their failures mean, and the user stream."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from libs.exchanges.binance import account_answers as answers
from libs.exchanges.binance.signing import RECV_WINDOW_MS, KeyedHttpClient, SignedHttpClient
from libs.exchanges.binance.trading import BinanceTrading
from libs.exchanges.binance.user_stream import BinanceUserStream
from libs.exchanges.binance.verdicts import CODES, VERDICT_OF, judged
from libs.exchanges.credentials import Credentials, HmacSigner
from libs.exchanges.errors import MalformedAnswer, RateLimited, VenueError, VenueUnavailable
from libs.exchanges.limiter import Limiter
from libs.exchanges.trading import FeeRates, NewConditional, NewOrder, NotSent, OrderRefused, OutcomeUnknown
from libs.exchanges.user_events import AccountTold, AlgoTold, LeverageTold, OrderTold, StreamExpired, UserEvent
from libs.kit.clock import VenueClock
from tests.services.exchange_simulator.running import Running, running
from tests.services.exchange_simulator.trader import SYMBOL, trader
from tests.services.processes import eventually

SETTINGS: dict[str, Any] = {"symbols": (SYMBOL, "ETHUSDT"), "rate": 60.0}
SMALL = Decimal("0.010")


@dataclass
class Desk:
    """Our side of an account at a running venue."""

    venue: Running
    account: BinanceTrading
    clock: VenueClock
    keyed: KeyedHttpClient


@asynccontextmanager
async def desk(folder: Path, **more: Any) -> AsyncIterator[Desk]:
    """With the first key of the first account."""
    async with running(folder, **(SETTINGS | more)) as venue, aiohttp.ClientSession() as session:
        key = venue.api_key
        clock = VenueClock(venue.simulation.clock.now_ms())
        limiter = Limiter("binance", clock)
        credentials = Credentials(key.key, HmacSigner(key.secret))
        signed = SignedHttpClient(session, venue.url, clock, limiter, credentials)
        keyed = KeyedHttpClient(session, venue.url, clock, limiter, credentials)
        yield Desk(venue, BinanceTrading(signed, signed), clock, keyed)


def market(client_id: str, side: str = "BUY", **more: Any) -> NewOrder:
    return NewOrder(SYMBOL, side, SMALL, client_id, **more)  # type: ignore[arg-type]


async def test_an_entry_its_stop_and_its_end(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        account = at.account
        entry = await account.place(market("entry-1"))
        assert (entry.status, entry.executed, entry.average_price) == ("FILLED", SMALL, None)
        found = await account.order(SYMBOL, "entry-1")
        assert found is not None
        assert found.average_price
        [position] = await account.positions(SYMBOL)
        assert (position.amount, position.entry_price) == (SMALL, found.average_price)
        trigger = (found.average_price * Decimal("0.9")).quantize(Decimal("0.1"))
        stop = NewConditional(SYMBOL, "SELL", "STOP_MARKET", "stop-1", trigger, working_type="MARK_PRICE")
        placed = await account.place_conditional(stop)
        assert (placed.status, placed.close_position, placed.trigger_price, placed.order_id) == (
            "NEW",
            True,
            trigger,
            None,
        )
        assert [one.client_id for one in await account.open_conditionals(SYMBOL)] == ["stop-1"]
        assert await account.open_orders() == []
        exit_ = await account.place(market("exit-1", "SELL", reduce_only=True))
        assert exit_.status == "FILLED"
        fills = await account.executions(SYMBOL)
        assert [fill.order_id for fill in fills] == [entry.order_id, exit_.order_id]
        income = await account.income(fills[0].time_ms - 1, at.clock.now_ms())
        assert sum(one.amount for one in income if one.kind == "COMMISSION") == -sum(fill.fee for fill in fills)
        assert await account.executions(SYMBOL, from_id=fills[1].trade_id) == fills[1:]


async def test_holdings_are_balances_and_positions_of_one_moment(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.account.place(NewOrder(SYMBOL, "SELL", Decimal("0.013"), "x1-short"))
        found = await at.account.holdings()
        [held], [listed] = found.positions, await at.account.positions()
        assert (held.symbol, held.position_side, held.amount) == (listed.symbol, listed.position_side, listed.amount)
        assert (held.updated_ms, held.liquidation_price) == (listed.updated_ms, Decimal(0))
        # The mark price goes on between both questions, the entry price does not.
        assert abs(held.entry_price - listed.entry_price) < Decimal("0.001")
        assert abs(held.mark_price / listed.mark_price - 1) < Decimal("0.01")
        assert abs(held.unrealised - held.amount * (held.mark_price - held.entry_price)) < Decimal("0.0001")
        assert [(one.asset, one.wallet) for one in found.balances] == [
            (one.asset, one.wallet) for one in await at.account.balances()
        ]
        await at.account.place(NewOrder(SYMBOL, "BUY", Decimal("0.013"), "x1-out", reduce_only=True))
        assert [one for one in (await at.account.holdings()).positions if one.amount] == []


async def test_what_is_not_there_is_none_and_a_second_cancel_is_gone(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        account = at.account
        assert await account.order(SYMBOL, "nobody") is None
        assert await account.conditional("nobody") is None
        price = Decimal(await trader(at.venue).price(-500))
        resting = await account.place(market("rest-1", price=price))
        assert (await account.cancel(SYMBOL, "rest-1")).status == "CANCELED"
        assert (await account.order_by_number(SYMBOL, resting.order_id)).is_final  # type: ignore[union-attr]
        with pytest.raises(OrderRefused) as refused:
            await account.cancel(SYMBOL, "rest-1")
        assert refused.value.verdict == "gone"


async def test_terms_are_read_and_set_and_set_again(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.account.set_leverage(SYMBOL, 7)
        await at.account.set_margin_type(SYMBOL, "ISOLATED")
        await at.account.set_margin_type(SYMBOL, "ISOLATED")
        terms = await at.account.symbol_terms(SYMBOL)
        assert (terms.leverage, terms.margin_type) == (7, "ISOLATED")
        assert await at.account.fee_rates(SYMBOL) == FeeRates(taker=Decimal("0.0005"), maker=Decimal("0.0002"))
        assert not (await at.account.account_terms()).is_hedged
        rights = await at.account.key_rights()
        assert (rights.may_trade, rights.may_withdraw, rights.may_transfer) == (True, False, False)
        [usdt] = [one for one in await at.account.balances() if one.asset == "USDT"]
        assert usdt.wallet == 10_000


async def test_refusals_say_what_they_mean(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:

        async def refused(order: NewOrder | NewConditional) -> str:
            with pytest.raises(OrderRefused) as found:
                await (at.account.place(order) if isinstance(order, NewOrder) else at.account.place_conditional(order))
            return found.value.verdict

        assert await refused(market("reduce", reduce_only=True)) == "reduce_only"
        assert await refused(NewOrder(SYMBOL, "BUY", Decimal(900), "large")) == "margin"
        assert await refused(NewOrder(SYMBOL, "BUY", Decimal("0.0000001"), "fine")) == "filter"
        passed = Decimal(await trader(at.venue).price(+500))
        assert await refused(NewConditional(SYMBOL, "SELL", "STOP_MARKET", "passed", passed)) == "price"


async def test_a_wrong_clock_is_put_in_doubt(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        at.clock.synchronise(at.clock.now_ms() - 60_000)
        with pytest.raises(OrderRefused) as refused:
            await at.account.place(market("late"))
        assert refused.value.verdict == "clock"
        assert at.clock.doubted.is_set()
        assert (await at.venue.get("/sim/trading/accounts/main"))["positions"] == []


async def test_an_order_that_is_too_late_is_not_sent(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        with pytest.raises(NotSent):
            await at.account.place(market("late"), before_ms=at.clock.now_ms() - 1)
        assert (await at.account.place(market("in-time"), before_ms=at.clock.now_ms() + 60_000)).is_final
        assert await at.account.order(SYMBOL, "late") is None


@dataclass
class Heard:
    """Keeps what it is told."""

    events: list[UserEvent] = field(default_factory=list)
    opened: int = 0
    closed: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def on_user_open(self) -> None:
        self.opened += 1
        self.news.set()

    def on_user_events(self, events: Sequence[UserEvent]) -> None:
        self.events += events
        self.news.set()

    def on_user_close(self, reason: str) -> None:
        self.closed.append(reason)

    async def until(self, enough: Callable[["Heard"], bool]) -> None:
        async with asyncio.timeout(30):
            while not enough(self):
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def listening(at: Desk) -> AsyncIterator[Heard]:
    """The user stream runs and is open."""
    heard = Heard()
    stream = BinanceUserStream(at.keyed, at.venue.url.replace("http", "ws"), at.clock, heard)
    running_ = asyncio.create_task(stream.run())
    try:
        await heard.until(lambda so_far: so_far.opened == 1)
        yield heard
    finally:
        running_.cancel()
        with suppress(asyncio.CancelledError):
            await running_


async def test_an_account_is_heard(tmp_path: Path) -> None:
    async with desk(tmp_path) as at, listening(at) as heard:
        await at.account.set_leverage(SYMBOL, 9)
        entry = await at.account.place(market("entry-1"))
        price = Decimal(await trader(at.venue).price(-5_000))
        await at.account.place_conditional(NewConditional(SYMBOL, "SELL", "STOP_MARKET", "stop-1", price))
        await at.account.cancel_conditional("stop-1")
        await heard.until(lambda so_far: any(isinstance(one, AlgoTold) and one.algo.is_final for one in so_far.events))
    fills = [one.execution for one in heard.events if isinstance(one, OrderTold) and one.execution]
    assert (fills[-1].order_id, sum(fill.quantity for fill in fills)) == (entry.order_id, SMALL)
    accounts = [one for one in heard.events if isinstance(one, AccountTold)]
    assert (accounts[-1].reason, accounts[-1].positions[0].amount) == ("ORDER", SMALL)
    assert accounts[-1].wallets["USDT"] == 10_000 - sum(fill.fee for fill in fills)
    assert [(one.symbol, one.leverage) for one in heard.events if isinstance(one, LeverageTold)] == [(SYMBOL, 9)]
    assert [one.algo.status for one in heard.events if isinstance(one, AlgoTold)] == ["NEW", "CANCELED"]


async def test_a_stream_whose_key_has_expired_comes_back(tmp_path: Path) -> None:
    async with desk(tmp_path) as at, listening(at) as heard:
        await at.venue.fault("listen_key_expiry")
        await heard.until(lambda so_far: so_far.opened == 2)
        assert any(isinstance(one, StreamExpired) for one in heard.events)
        assert len(heard.closed) == 1
        await at.account.place(market("afterwards"))
        await heard.until(lambda so_far: isinstance(so_far.events[-1], AccountTold | OrderTold))


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (VenueUnavailable("no answer"), "unknown"),
        (VenueUnavailable("", status=408, code=-1007), "unknown"),
        (
            VenueUnavailable("", status=503, said="Unknown error, please check your request or try again later."),
            "unknown",
        ),
        (VenueUnavailable("", status=503, said="Service Unavailable."), "retry"),
        (VenueUnavailable("", status=503, code=-1001, said="Internal error; unable to process your request."), "retry"),
        (VenueUnavailable("", status=503, code=-1008, said="Request throttled by system-level protection."), "retry"),
        (VenueUnavailable("", status=503, said="words that nobody knows"), "unknown"),
        (VenueUnavailable("", status=502), "unknown"),
        (VenueError("", status=400, code=-9_999), "unknown"),
        (VenueError("", status=400, code=-2019), "margin"),
        (VenueError("", status=403), "access"),
    ],
)
def test_what_a_failure_means_is_decided_by_code_then_words_then_status(error: VenueError, verdict: str) -> None:
    found = judged(error)
    if verdict == "unknown":
        assert isinstance(found, OutcomeUnknown)
    else:
        assert isinstance(found, OrderRefused)
        assert found.verdict == verdict


def test_a_limit_stays_one_and_no_code_means_two_things() -> None:
    limited = RateLimited("", until_ms=1, banned=False)
    assert judged(limited) is limited
    assert all(code < 0 for code in VERDICT_OF)
    assert sum(map(len, CODES.values())) == len(VERDICT_OF), "a code stands under two verdicts"
    assert "retry" not in {VERDICT_OF[code] for code in (-1006, -1007, -4116, -2011)}


@pytest.mark.parametrize("kind", ["backend_timeout", "connection_reset", "no_answer", "unavailable"])
@pytest.mark.parametrize("executed", ["yes", "no"])
async def test_an_order_without_an_answer_is_unknown_and_found_or_not_by_its_id(
    kind: str, executed: str, tmp_path: Path
) -> None:
    async with desk(tmp_path) as at:
        more: dict[str, Any] = {"text": "unknown"} if kind == "unavailable" else {}
        more |= {"seconds": 0.1} if kind == "no_answer" else {}
        number = await at.venue.fault(kind, paths=["/fapi/v1/order"], methods=["POST"], executed=executed, **more)
        with pytest.raises(OutcomeUnknown):
            await at.account.place(market("once"))
        await at.venue.end(number)
        found = await at.account.order(SYMBOL, "once")
        assert (found is not None) == (executed == "yes")
        assert len(await at.account.executions(SYMBOL)) == (executed == "yes")


@pytest.mark.parametrize("text", ["unavailable", "internal", "throttled"])
async def test_the_other_kinds_of_503_were_not_carried_out(text: str, tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.venue.fault("unavailable", paths=["/fapi/v1/order"], methods=["POST"], text=text, executed="no")
        with pytest.raises(OrderRefused) as refused:
            await at.account.place(market("not-yet"))
        assert refused.value.verdict == "retry"


async def test_a_late_request_is_refused_for_good_once_its_window_is_over(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        late = {"paths": ["/fapi/v1/order"], "methods": ["POST"], "executed": "late", "late_ms": RECV_WINDOW_MS + 500}
        number = await at.venue.fault("backend_timeout", **late)
        with pytest.raises(OutcomeUnknown):
            await at.account.place(market("late"))
        await at.venue.end(number)

        async def refused() -> bool:
            requests = await trader(at.venue).entries("request")
            return any(one["facts"].get("code") == -5028 for one in requests)

        await eventually(refused, 20, lambda: "the request was not refused")
        assert await at.account.order(SYMBOL, "late") is None


async def test_a_forced_close_is_told_as_the_venues_own(tmp_path: Path) -> None:
    def is_flat(told: UserEvent) -> bool:
        return isinstance(told, AccountTold) and any(not one.amount for one in told.positions)

    async with desk(tmp_path) as at, listening(at) as heard:
        await at.account.place(market("entry-1"))
        await at.venue.fault("forced_close", symbol=SYMBOL, reason="liquidation")
        await heard.until(lambda so_far: any(map(is_flat, so_far.events)))
        forced = [one for one in heard.events if isinstance(one, OrderTold) and one.is_forced]
        assert sum(one.execution.quantity for one in forced if one.execution) == SMALL
        assert [one for one in await at.account.positions(SYMBOL) if one.amount] == []


async def test_too_many_orders_hold_back_orders_and_nothing_else(tmp_path: Path) -> None:
    """A guard has to see positions and a stop has to be cancelled while no order may be sent."""
    async with desk(tmp_path) as at:
        await at.venue.fault("refusal", paths=["/fapi/v1/order"], methods=["POST"], code=-1015, status=429, most=1)
        with pytest.raises(RateLimited) as limited:
            await at.account.place(market("one-more"))
        assert limited.value.code == -1015
        assert await at.account.positions(SYMBOL) == []
        with pytest.raises(RateLimited, match="not asked"):
            await at.account.place(market("and-another"))
        assert await at.account.order(SYMBOL, "one-more") is None


async def test_a_deadline_is_the_end_of_the_requests_window(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.account.place(market("in-time"), before_ms=at.clock.now_ms() + 700)
        await at.account.place(market("no-hurry"))
        sent = [one["facts"]["parameters"] for one in await trader(at.venue).entries("request")]
        windows = [int(one["recvWindow"]) for one in sent if one.get("newClientOrderId")]
        assert 0 < windows[0] <= 700
        assert windows[1] == RECV_WINDOW_MS


async def test_a_second_closing_stop_says_that_there_is_one(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.account.place(market("entry-1"))
        trigger = Decimal(await trader(at.venue).price(-5_000))
        await at.account.place_conditional(NewConditional(SYMBOL, "SELL", "STOP_MARKET", "stop-1", trigger))
        with pytest.raises(OrderRefused) as refused:
            await at.account.place_conditional(NewConditional(SYMBOL, "SELL", "STOP_MARKET", "stop-2", trigger))
        assert (refused.value.code, refused.value.verdict) == (-4130, "duplicate")


async def test_a_page_of_somebody_between_us_is_no_word_of_the_venue(tmp_path: Path) -> None:
    """A proxy that says Service Unavailable may have forwarded the order; only the venue's own sentence excludes that."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(status=503, text="Service Unavailable.")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", page)
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        clock = VenueClock(1_000_000)
        credentials = Credentials("k", HmacSigner("s"))
        signed = SignedHttpClient(session, str(server.make_url("")), clock, Limiter("binance", clock), credentials)
        with pytest.raises(OutcomeUnknown):
            await BinanceTrading(signed, signed).place(market("entry-1"))


def test_a_field_that_does_not_apply_is_empty_and_hides_no_other_order() -> None:
    row = {
        "algoId": 1, "clientAlgoId": "by-hand", "orderType": "TRAILING_STOP_MARKET", "symbol": SYMBOL, "side": "SELL",
        "positionSide": "BOTH", "quantity": "", "algoStatus": "NEW", "triggerPrice": "", "workingType": "CONTRACT_PRICE",
        "closePosition": False, "reduceOnly": True, "updateTime": 5,
    }  # fmt: skip
    [found] = answers.algos(json.dumps([row]).encode())
    assert found.trigger_price == found.quantity == 0
    with pytest.raises(MalformedAnswer):
        answers.algos(json.dumps([row | {"quantity": " 1_0 "}]).encode())


@pytest.mark.parametrize(
    ("taker", "maker"), [("0.02", "0.0002"), ("-0.0001", "0.0002"), ("0.0005", "-0.5"), ("NaN", "0")]
)
def test_rates_of_fees_that_no_venue_has_are_no_answer(taker: str, maker: str) -> None:
    body = f'{{"symbol":"BTCUSDT","makerCommissionRate":"{maker}","takerCommissionRate":"{taker}"}}'.encode()
    with pytest.raises(MalformedAnswer):
        answers.fee_rates(body)
