"""The trading venue as a function of time, against its own market: fills, triggers, refusals, and money that adds up."""

import random
from collections.abc import Callable
from decimal import Decimal
from itertools import accumulate

import pytest

from services.exchange_simulator.rest.errors import VenueError
from services.exchange_simulator.synthetic.source import SyntheticMarket, SyntheticMarketPlan
from services.exchange_simulator.trading.account import Account
from services.exchange_simulator.trading.exchange import Exchange
from services.exchange_simulator.trading.orders import ZERO, AlgoRequest, Order, OrderRequest, Side

SYMBOL = "BTCUSDT"
MINUTE_MS = 60_000
OPENED_MS = 1_763_712_030_000
MARKET = SyntheticMarket(SyntheticMarketPlan(7, (SYMBOL, "ETHUSDT", "BNBUSDT"), 60.0, OPENED_MS))
# Behind the moves with which this market opens.
START_MS = OPENED_MS + 180 * MINUTE_MS


def venue(balance: str = "100000", *, hedged: bool = False) -> tuple[Exchange, Account]:
    exchange = Exchange(MARKET, START_MS)
    account = exchange.accounts["me"] = Account("me", {"USDT": Decimal(balance)}, hedged)
    return exchange, account


def market(side: Side = "BUY", quantity: str = "0.100", **more: object) -> OrderRequest:
    return OrderRequest(SYMBOL, side, "BOTH", "MARKET", Decimal(quantity), **more)  # type: ignore[arg-type]


def limit(side: Side, price: Decimal, quantity: str = "0.100", **more: object) -> OrderRequest:
    return OrderRequest(SYMBOL, side, "BOTH", "LIMIT", Decimal(quantity), price, **more)  # type: ignore[arg-type]


def conditional(kind: str, side: Side, trigger: Decimal, quantity: str = "0.100", **more: object) -> AlgoRequest:
    return AlgoRequest(SYMBOL, side, "BOTH", kind, Decimal(quantity), trigger, **more)  # type: ignore[arg-type]


def tick(price: Decimal) -> Decimal:
    return price // Decimal("0.1") * Decimal("0.1")


def events(exchange: Exchange) -> list[dict[str, object]]:
    return [told.payload for told in exchange.drain()]


def said(exchange: Exchange) -> list[tuple[object, object]]:
    """Type and state of each event."""
    found = []
    for event in events(exchange):
        body = event.get("o") or event.get("a")
        state = body.get("X") or body.get("m") if isinstance(body, dict) else None
        found.append((event["e"], state))
    return found


def test_a_market_order_is_filled_from_the_book_and_told_in_the_venues_order() -> None:
    exchange, account = venue()
    moment = exchange.moment(SYMBOL, START_MS + 5_000)
    quantity = moment.quote.ask.quantity + Decimal("0.001")
    order = exchange.place(account, market(quantity=str(quantity)), START_MS + 5_000)
    assert order.status == "FILLED"
    first, second = account.book.fills
    assert (first.price, first.quantity) == moment.quote.ask
    assert (second.price, second.quantity) == (first.price + Decimal("0.1"), Decimal("0.001"))
    states = said(exchange)
    assert states[0] == ("ORDER_TRADE_UPDATE", "NEW")
    assert [state for kind, state in states if kind == "ORDER_TRADE_UPDATE"] == ["NEW", "PARTIALLY_FILLED", "FILLED"]
    assert sum(kind == "ACCOUNT_UPDATE" for kind, _ in states) == 2
    position = account.position(SYMBOL, "BOTH")
    assert position.amount == quantity
    assert position.entry == order.average
    assert account.wallet() == Decimal(100_000) - sum(fill.commission for fill in account.book.fills)


def test_a_limit_order_waits_for_the_market_and_is_the_maker() -> None:
    exchange, account = venue()
    bid = exchange.moment(SYMBOL, START_MS).quote.bid.price
    order = exchange.place(account, limit("BUY", bid - 20), START_MS)
    assert (order.status, order.executed) == ("NEW", ZERO)
    now = START_MS
    while order.is_open and now < START_MS + 60 * MINUTE_MS:
        now += MINUTE_MS
        exchange.advance(now)
    assert order.status == "FILLED"
    assert {fill.price for fill in account.book.fills} == {bid - 20}
    assert all(fill.is_maker for fill in account.book.fills)
    traded = MARKET.trades_between(SYMBOL, START_MS, account.book.fills[-1].time_ms, now)
    assert int(traded.prices.min()) <= int((bid - 20).scaleb(2))


@pytest.mark.parametrize(("kind", "side", "away"), [
    ("STOP_MARKET", "SELL", -6), ("TAKE_PROFIT_MARKET", "SELL", 6),
    ("STOP_MARKET", "BUY", 6), ("TAKE_PROFIT_MARKET", "BUY", -6),
])  # fmt: skip
@pytest.mark.parametrize("working", ["MARK_PRICE", "CONTRACT_PRICE"])
def test_a_conditional_order_fires_when_its_price_is_there_and_not_before(
    kind: str, side: Side, away: int, working: str
) -> None:
    exchange, account = venue()
    moment = exchange.moment(SYMBOL, START_MS)
    watched = moment.mark if working == "MARK_PRICE" else moment.last
    opened: Side = "BUY" if side == "SELL" else "SELL"
    exchange.place(account, market(opened), START_MS)
    trigger = tick(watched + away)
    algo = exchange.place_algo(account, conditional(kind, side, trigger, working_type=working), START_MS)
    now = START_MS
    while algo.is_open and now < START_MS + 240 * MINUTE_MS:
        now += MINUTE_MS
        exchange.advance(now)
    assert algo.status == "FINISHED"
    assert algo.order is not None
    assert algo.order.status == "FILLED"
    assert not account.held()
    before, at = algo.triggered_ms - 1000, algo.triggered_ms
    reached: Callable[[Decimal], bool] = (
        (lambda price: price >= trigger) if algo.request.fires_above else (lambda price: price <= trigger)
    )
    if working == "MARK_PRICE":
        assert reached(exchange.clearing.mark(SYMBOL, at))
        assert not reached(exchange.clearing.mark(SYMBOL, before))
    else:
        assert reached(exchange.moment(SYMBOL, at).last)
    states = [state for kind, state in said(exchange) if kind == "ALGO_UPDATE"]
    assert states == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]


def test_what_would_fire_at_once_or_stands_already_is_refused() -> None:
    exchange, account = venue()
    last = exchange.moment(SYMBOL, START_MS).last
    exchange.place(account, market(), START_MS)
    closing = {"quantity": "0", "close_position": True}
    refuse(-2021, lambda: exchange.place_algo(account, conditional("STOP_MARKET", "SELL", tick(last + 50)), START_MS))
    stop = conditional("STOP_MARKET", "SELL", tick(last - 500), **closing)  # type: ignore[arg-type]
    first = exchange.place_algo(account, stop, START_MS)
    refuse(-4130, lambda: exchange.place_algo(account, stop, START_MS + 1))
    part = conditional("STOP_MARKET", "SELL", tick(last - 400), "0.050", reduce_only=True)
    exchange.place_algo(account, part, START_MS + 2)
    exchange.cancel_algo(account, first, START_MS + 3)
    exchange.place_algo(account, stop, START_MS + 4)
    refuse(-2011, lambda: exchange.cancel_algo(account, first, START_MS + 5))


def refuse(code: int, call: Callable[[], object]) -> None:
    with pytest.raises(VenueError) as refused:
        call()
    assert refused.value.code == code


REFUSED: dict[str, tuple[int, Callable[[Decimal], OrderRequest]]] = {
    "off the tick": (-4014, lambda p: limit("BUY", tick(p) - Decimal("10.05"))),
    "too many digits": (-1111, lambda p: limit("BUY", tick(p) - Decimal("10.001"))),
    "off the step": (-1111, lambda p: market(quantity="0.0015")),
    "nothing": (-4003, lambda p: market(quantity="0")),
    "too much": (-4005, lambda p: market(quantity="1001")),
    "too small": (-4164, lambda p: limit("BUY", Decimal("4000.0"), "0.001")),
    "too high": (-4016, lambda p: limit("BUY", tick(p * Decimal("1.06")))),
    "too low": (-4024, lambda p: limit("SELL", tick(p * Decimal("0.94")))),
    "no money": (-2019, lambda p: market(quantity="50")),
    "nothing to reduce": (-2022, lambda p: market("SELL", reduce_only=True)),
    "a side in one-way mode": (-4061, lambda p: OrderRequest(SYMBOL, "BUY", "LONG", "MARKET", Decimal("0.1"))),
    "post only that crosses": (-5022, lambda p: limit("BUY", tick(p + 100), time_in_force="GTX")),
    "fill or kill of too much": (-5021, lambda p: limit("BUY", tick(p) + Decimal("0.1"), "40", time_in_force="FOK")),
    "good till soon": (-1130, lambda p: limit("BUY", tick(p - 9), time_in_force="GTD", good_till_ms=START_MS + 9)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_venue_refuses_has_its_code_and_changes_nothing(case: str) -> None:
    code, request = REFUSED[case]
    exchange, account = venue("200000")
    refuse(code, lambda: exchange.place(account, request(exchange.moment(SYMBOL, START_MS).last), START_MS))
    assert not account.book.orders
    assert not exchange.drain()
    assert account.wallet() == Decimal(200_000)


def test_an_id_is_taken_only_while_its_order_is_open() -> None:
    exchange, account = venue()
    bid = exchange.moment(SYMBOL, START_MS).quote.bid.price
    resting = exchange.place(account, limit("BUY", bid - 3000, client_id="mine"), START_MS)
    refuse(-4116, lambda: exchange.place(account, market(client_id="mine"), START_MS))
    exchange.cancel(account, resting, START_MS + 1)
    for _ in range(2):
        assert exchange.place(account, market(client_id="mine"), START_MS + 2).status == "FILLED"
    assert account.position(SYMBOL, "BOTH").amount == Decimal("0.200")


def test_a_reducing_order_ends_where_the_position_does() -> None:
    exchange, account = venue()
    exchange.place(account, market(), START_MS)
    resting = exchange.place(
        account, limit("SELL", exchange.moment(SYMBOL, START_MS).last + 900, reduce_only=True), START_MS
    )
    order = exchange.place(account, market("SELL", "0.300", reduce_only=True), START_MS + 1)
    assert (order.status, order.executed) == ("EXPIRED", Decimal("0.100"))
    assert not account.held()
    assert (resting.status, resting.expiry) == ("EXPIRED", 4)


def test_an_algo_order_is_over_with_its_order_however_that_ends() -> None:
    exchange, account = venue()
    exchange.place(account, market(), START_MS)
    last = exchange.moment(SYMBOL, START_MS).last
    request = conditional("STOP", "SELL", tick(last - 1), price=tick(last + 900), reduce_only=True)
    algo = exchange.place_algo(account, request, START_MS)
    now = START_MS
    while algo.is_open:
        now += MINUTE_MS
        exchange.advance(now)
    assert algo.order is not None
    assert (algo.status, algo.order.status) == ("TRIGGERED", "NEW")
    exchange.place(account, market("SELL"), now)
    assert (algo.status, algo.order.status) == ("FINISHED", "EXPIRED")


def test_a_trigger_without_a_position_ends_without_an_order() -> None:
    exchange, account = venue()
    last = exchange.moment(SYMBOL, START_MS).last
    closing = conditional("STOP_MARKET", "SELL", tick(last - 1), "0", close_position=True)
    reducing = conditional("STOP_MARKET", "SELL", tick(last - 1), reduce_only=True)
    algos = [exchange.place_algo(account, one, START_MS) for one in (closing, reducing)]
    exchange.advance(START_MS + 240 * MINUTE_MS)
    assert [(one.status, one.order) for one in algos] == [("EXPIRED", None), ("REJECTED", None)]
    assert algos[1].reason == "ReduceOnly Order is rejected."
    assert not account.book.orders


@pytest.mark.parametrize(("mode", "resting", "taking"), [
    ("EXPIRE_MAKER", "EXPIRED_IN_MATCH", "FILLED"), ("EXPIRE_TAKER", "NEW", "EXPIRED_IN_MATCH"),
    ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
])  # fmt: skip
def test_an_account_does_not_trade_with_itself(mode: str, resting: str, taking: str) -> None:
    exchange, account = venue()
    ask = exchange.moment(SYMBOL, START_MS).quote.ask.price
    mine = exchange.place(account, limit("SELL", ask), START_MS)
    taker = exchange.place(account, market(self_trade=mode), START_MS)
    assert (mine.status, taker.status) == (resting, taking)


@pytest.mark.parametrize("kind", ["autoclose-", "adl_autoclose", "settlement_autoclose-"])
def test_the_venue_closes_a_position_at_the_mark_under_its_own_name(kind: str) -> None:
    exchange, account = venue()
    exchange.place(account, market("SELL"), START_MS)
    mark = exchange.clearing.mark(SYMBOL, START_MS + 1)
    order = exchange.force(account, account.position(SYMBOL, "BOTH"), kind, START_MS + 1)
    assert order.request.client_id.startswith(kind)
    assert (order.status, order.average, account.held()) == ("FILLED", mark, [])


def test_money_that_comes_and_goes_is_told_and_booked() -> None:
    exchange, account = venue("100")
    exchange.clearing.transfer(account, "USDT", Decimal("-40"), START_MS)
    assert said(exchange) == [("ACCOUNT_UPDATE", "WITHDRAW")]
    assert account.wallet() == 60
    assert [(row.kind, row.amount) for row in account.income] == [("TRANSFER", Decimal(-40))]


def test_hedged_sides_are_held_apart() -> None:
    exchange, account = venue(hedged=True)
    for side, position in (("BUY", "LONG"), ("SELL", "SHORT")):
        exchange.place(account, OrderRequest(SYMBOL, side, position, "MARKET", Decimal("0.1")), START_MS)  # type: ignore[arg-type]
    assert [(one.side, one.amount) for one in account.held()] == [
        ("LONG", Decimal("0.1")),
        ("SHORT", Decimal("-0.1")),
    ]
    refuse(-4061, lambda: exchange.place(account, market(), START_MS))
    exchange.place(account, OrderRequest(SYMBOL, "SELL", "LONG", "MARKET", Decimal("0.2")), START_MS)
    assert [one.side for one in account.held()] == ["SHORT"], "closing a side never opens the other"


def test_funding_is_paid_at_its_hour_by_who_holds() -> None:
    exchange, account = venue()
    [funding] = MARKET.fundings(SYMBOL, START_MS, START_MS + 8 * 60 * MINUTE_MS, START_MS + 8 * 60 * MINUTE_MS)
    exchange.place(account, market(), START_MS)
    exchange.advance(funding.time_ms - 1)
    assert not [row for row in account.income if row.kind == "FUNDING_FEE"]
    exchange.advance(funding.time_ms + 1)
    [row] = [row for row in account.income if row.kind == "FUNDING_FEE"]
    expected = -Decimal("0.1") * Decimal(funding.mark) * Decimal(funding.rate)
    assert row.amount == expected.quantize(Decimal("1E-8"))
    assert row.time_ms == funding.time_ms


def test_a_trailing_stop_follows_the_best_price() -> None:
    exchange, account = venue()
    exchange.place(account, market(), START_MS)
    request = conditional("TRAILING_STOP_MARKET", "SELL", ZERO, callback_rate=Decimal("0.1"))
    algo = exchange.place_algo(account, request, START_MS)
    now = START_MS
    while algo.is_open and now < START_MS + 240 * MINUTE_MS:
        now += 7_000
        exchange.advance(now)
    traded = MARKET.window(START_MS, algo.triggered_ms, [0]).trades
    best = [int(price) for price in traded.prices]
    fell = [price * 1000 <= max(best[: row + 1]) * 999 for row, price in enumerate(best)]
    assert fell.index(True) == len(fell) - 1
    assert not account.held()


@pytest.mark.parametrize("side", ["SELL", "BUY"])
@pytest.mark.parametrize("activated", [False, True])
def test_a_trailing_stop_by_mark_follows_the_best_mark(side: Side, activated: bool) -> None:
    exchange, account = venue()
    exchange.place(account, market("BUY" if side == "SELL" else "SELL"), START_MS)
    away = Decimal(3) if side == "SELL" else Decimal(-3)
    activation = tick(exchange.moment(SYMBOL, START_MS).mark + away) if activated else ZERO
    request = conditional(
        "TRAILING_STOP_MARKET",
        side,
        ZERO,
        callback_rate=Decimal("0.1"),
        working_type="MARK_PRICE",
        activate_price=activation,
    )
    algo = exchange.place_algo(account, request, START_MS)
    now = START_MS
    while algo.is_open and now < START_MS + 600 * MINUTE_MS:
        now += 7_300
        exchange.advance(now)
    assert not account.held()
    sign = 1 if side == "SELL" else -1
    marks = [sign * exchange.moment(SYMBOL, at).mark for at in range(START_MS, algo.triggered_ms + 1, 1_000)]
    begun = next(place for place, mark in enumerate(marks) if not activated or mark >= sign * activation)
    followed = marks[begun:]
    fell = [mark <= best - abs(best) / 1000 for mark, best in zip(followed, accumulate(followed, max), strict=True)]
    assert fell.index(True) == len(fell) - 1


def run(seed: int, steps: list[int]) -> tuple[Exchange, Account]:
    """An hour of random orders at fixed times; `steps` are further instants at which the venue is asked to go on."""
    dice = random.Random(seed)
    exchange, account = venue()
    account.pays_in_bnb, account.balances["BNB"] = True, Decimal("0.5")
    times = sorted(dice.randrange(60 * MINUTE_MS) for _ in range(30))
    commands = {START_MS + time: dice.random() for time in times}
    for now in sorted({*commands, *(START_MS + step for step in steps)}):
        exchange.advance(now)
        if now in commands:
            command(exchange, account, now, random.Random(commands[now]))
    exchange.advance(START_MS + 60 * MINUTE_MS)
    return exchange, account


def command(exchange: Exchange, account: Account, now: int, dice: random.Random) -> None:
    side: Side = dice.choice(["BUY", "SELL"])
    last = exchange.moment(SYMBOL, now).last
    away = Decimal(dice.randrange(-40, 40))
    quantity = str(Decimal(dice.randrange(1, 400)).scaleb(-3))
    try:
        match dice.randrange(5):
            case 0 | 1:
                exchange.place(account, market(side, quantity), now)
            case 2:
                exchange.place(account, limit(side, tick(last + away), quantity), now)
            case 3:
                kind = dice.choice(["STOP_MARKET", "TAKE_PROFIT_MARKET"])
                exchange.place_algo(account, conditional(kind, side, tick(last + away), quantity), now)
            case 4:
                orders: list[Order] = account.book.open_orders()
                if orders:
                    exchange.cancel(account, dice.choice(orders), now)
    except VenueError:
        pass


@pytest.mark.parametrize("seed", range(6))
def test_how_often_the_venue_is_asked_changes_nothing(seed: int) -> None:
    dice = random.Random(f"steps {seed}")
    rare, _ = run(seed, [])
    often, _ = run(seed, [dice.randrange(60 * MINUTE_MS) for _ in range(120)])
    told = [[(one.time_ms, one.payload) for one in exchange.drain()] for exchange in (rare, often)]
    assert told[0] == told[1]
    assert len(told[0]) > 60


@pytest.mark.parametrize("seed", range(12))
def test_money_and_amounts_add_up(seed: int) -> None:
    _, account = run(seed, [])
    fills = account.book.fills
    assert fills
    signed = sum(fill.quantity * (1 if fill.order.request.side == "BUY" else -1) for fill in fills)
    assert account.position(SYMBOL, "BOTH").amount == signed
    for asset, begun in (("USDT", Decimal(100_000)), ("BNB", Decimal("0.5"))):
        assert account.wallet(asset) == begun + sum(row.amount for row in account.income if row.asset == asset)
    realised = sum(fill.realised for fill in fills)
    paid = sum(fill.price * fill.quantity * (1 if fill.order.request.side == "BUY" else -1) for fill in fills)
    held = account.position(SYMBOL, "BOTH")
    assert abs(realised - (held.amount * held.entry - paid)) < Decimal("0.0001"), "profit is what was paid less"
    for order in account.book.orders.values():
        mine = [fill for fill in fills if fill.order is order]
        assert order.executed == sum((fill.quantity for fill in mine), ZERO)
        assert (order.status == "FILLED") == (not order.remaining)
    assert len({fill.trade_id for fill in fills}) == len(fills)
