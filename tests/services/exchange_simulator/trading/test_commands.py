"""A journal of commands is all the state there is: done again, however often the venue is asked meanwhile, it gives the same."""

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from services.exchange_simulator.rest.errors import VenueError
from services.exchange_simulator.synthetic.source import SyntheticMarket, SyntheticMarketPlan
from services.exchange_simulator.trading import commands
from services.exchange_simulator.trading.commands import AnyCommand, repeat
from services.exchange_simulator.trading.exchange import Exchange
from services.exchange_simulator.trading.orders import AlgoRequest, OrderRequest, Side

SYMBOLS = ("BTCUSDT", "ETHUSDT")
OPENED_MS = 1_763_712_030_000
START_MS = OPENED_MS + 180 * 60_000
MARKET = SyntheticMarket(SyntheticMarketPlan(7, (*SYMBOLS, "BNBUSDT"), 60.0, OPENED_MS))
HOUR_MS = 3_600_000
SIDES: tuple[Side, ...] = ("BUY", "SELL")


def live(seed: int) -> tuple[Exchange, list[AnyCommand]]:
    """An hour of two accounts and two symbols; the commands as they were given, the refused ones too."""
    dice, exchange = random.Random(seed), Exchange(MARKET, START_MS)
    journal: list[AnyCommand] = []

    def do(command: AnyCommand) -> None:
        journal.append(command)
        repeat(exchange, command)

    do(commands.OpenAccount(at=START_MS, account="a", balances={"USDT": Decimal(50_000)}))
    do(
        commands.OpenAccount(
            at=START_MS, account="b", balances={"USDT": Decimal(300), "BNB": Decimal(1)}, pays_in_bnb=True
        )
    )
    for at in sorted(START_MS + 1 + dice.randrange(HOUR_MS - 1) for _ in range(80)):
        # A running venue follows its clock as well.
        exchange.advance(at - dice.randrange(2))
        do(given(exchange, at, dice))
    exchange.advance(START_MS + HOUR_MS)
    return exchange, journal


def given(exchange: Exchange, at: int, dice: random.Random) -> AnyCommand:
    who: dict[str, Any] = {"at": at, "account": dice.choice("ab")}
    symbol, side = dice.choice(SYMBOLS), dice.choice(SIDES)
    book = exchange.accounts[who["account"]].book
    orders, algos = book.open_orders(), book.open_algos()
    choices = list(_always(exchange, who, symbol, side, dice))
    if orders:
        order = dice.choice(orders)
        price = order.request.price + dice.choice([-2, 2])
        choices += [commands.CancelOrder(order_id=order.order_id, **who)]
        choices += [commands.AmendOrder(order_id=order.order_id, quantity=order.request.quantity, price=price, **who)]
        choices += [commands.FillOrder(order_id=order.order_id, **who)]
    if algos:
        choices += [commands.CancelAlgo(algo_id=dice.choice(algos).algo_id, **who)]
        choices += [commands.TriggerAlgo(algo_id=dice.choice(algos).algo_id, **who)]
    return dice.choice(choices)


def _always(
    exchange: Exchange, who: dict[str, Any], symbol: str, side: Side, dice: random.Random
) -> Iterator[AnyCommand]:
    at: int = who["at"]
    moment = exchange.moment(symbol, at)
    near = (moment.last * (1 + Decimal(dice.randrange(-30, 31)) / 100_000)) // Decimal("0.1") * Decimal("0.1")
    quantity = Decimal(dice.randrange(10, 400)).scaleb(-3)
    bought = OrderRequest(symbol, side, "BOTH", "MARKET", quantity)
    yield from [commands.PlaceOrder(request=bought, **who)] * 4
    yield from [commands.PlaceOrder(request=OrderRequest(symbol, side, "BOTH", "LIMIT", quantity, near), **who)] * 4
    stop = AlgoRequest(symbol, side, "BOTH", dice.choice(["STOP_MARKET", "TAKE_PROFIT_MARKET"]), quantity, near)
    yield from [commands.PlaceAlgo(request=stop, **who)] * 4
    yield commands.CountDown(symbol=symbol, after_ms=dice.randrange(1, 600_000), **who)
    yield commands.CancelAll(symbol=symbol, **who)
    yield commands.SetLeverage(symbol=symbol, leverage=dice.randrange(1, 140), **who)
    yield commands.SetMultiAssets(wanted=dice.random() < 0.5, **who)
    yield commands.SetTriggeredShare(share=Decimal(dice.randrange(11)) / 10, **who)
    yield commands.ForceClose(symbol=symbol, side="BOTH", name="autoclose-", share=Decimal("0.5"), **who)
    yield commands.Transfer(asset="USDT", amount=Decimal(dice.randrange(-50, 50)), **who)


@pytest.mark.parametrize("seed", range(12))
def test_what_was_written_down_gives_the_same_accounts_when_it_is_done_again(seed: int) -> None:
    first, journal = live(seed)
    lines = [msgspec.json.encode(command) for command in journal]
    second = Exchange(MARKET, START_MS)
    for line in lines:
        repeat(second, msgspec.json.decode(line, type=AnyCommand))
    second.advance(START_MS + HOUR_MS)
    told = [[(one.account.name, one.time_ms, one.payload) for one in exchange.drain()] for exchange in (first, second)]
    assert len(told[0]) > 60
    assert told[0] == told[1]
    for name, account in first.accounts.items():
        assert second.accounts[name].balances == account.balances
        assert second.accounts[name].income == account.income
    times = [time for _, time, _ in told[0]]
    assert times == sorted(times)


def test_an_order_that_is_changed_goes_to_the_end_of_its_queue_and_may_cross() -> None:
    exchange = Exchange(MARKET, START_MS)
    account = commands.OpenAccount(at=START_MS, account="a", balances={"USDT": Decimal(50_000)}).apply(exchange)
    moment = exchange.moment("BTCUSDT", START_MS)
    low = moment.quote.bid.price - 100
    request = OrderRequest("BTCUSDT", "BUY", "BOTH", "LIMIT", Decimal("0.010"), low)
    order = commands.PlaceOrder(at=START_MS, account="a", request=request).apply(exchange)
    exchange.drain()
    changed: dict[str, Any] = {"account": "a", "order_id": order.order_id}
    commands.AmendOrder(at=START_MS + 1, quantity=Decimal("0.020"), price=low + 1, **changed).apply(exchange)
    [told] = [one.payload["o"] for one in exchange.drain()]
    assert isinstance(told, dict)
    assert (told["x"], told["X"], told["q"], told["M"]) == ("AMENDMENT", "NEW", "0.020", "1")
    assert (order.queued_ms, order.created_ms) == (START_MS + 1, START_MS)
    best = exchange.moment("BTCUSDT", START_MS + 2).quote.ask.price
    commands.AmendOrder(at=START_MS + 2, quantity=Decimal("0.020"), price=best + 5, **changed).apply(exchange)
    assert (order.status, account.position("BTCUSDT", "BOTH").amount) == ("FILLED", Decimal("0.020"))
    with pytest.raises(VenueError) as refused:
        commands.AmendOrder(at=START_MS + 3, quantity=Decimal("0.030"), price=low, **changed).apply(exchange)
    assert refused.value.code == -2013
