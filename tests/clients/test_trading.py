"""Three client libraries with nothing but base addresses and keys changed trade on the simulator, and hear what they did.

Each buys, leaves an order and a stop, asks for both alone and in the list of open ones, and cancels them; what it was told,
asked or not, must be what the simulator says has happened.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.clients.desks import DESKS, QUANTITY, SYMBOL, Desk, Kind, Told
from tests.services.exchange_simulator.running import Running, running

KINDS: tuple[Kind, ...] = ("order", "algo")


async def low(venue: Running) -> float:
    """A price that is far below the market."""
    book = await venue.get("/fapi/v1/ticker/bookTicker", symbol=SYMBOL)
    return round(float(book["bidPrice"]) - 800, 1)


async def until_heard(desk: Desk, expected: set[Told]) -> None:
    """Until the user stream has told all of that, in any order."""
    missing = set(expected)
    try:
        async with asyncio.timeout(60):
            while missing:
                missing.discard(await desk.heard.get())
    except TimeoutError:
        raise AssertionError(f"not heard: {missing}") from None


async def asked_and_cancelled(desk: Desk, kind: Kind, order_id: str) -> None:
    """One that waits: it is asked for alone and in the list, before and after its end."""
    assert await desk.status(kind, order_id) == Told(kind, order_id, "NEW")
    assert await desk.open(kind) == [order_id]
    await desk.cancel(kind, order_id)
    assert await desk.status(kind, order_id) == Told(kind, order_id, "CANCELED")
    assert await desk.open(kind) == []


@pytest.mark.parametrize("client", DESKS)
async def test_a_client_trades_and_is_told_what_has_happened(client: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"symbols": (SYMBOL, "ETHUSDT"), "rate": 100.0, "start_time": None}
    async with running(tmp_path, **settings) as venue, asyncio.timeout(120), DESKS[client](venue) as desk:
        price = await low(venue)
        bought, order, stop = await desk.buy(), await desk.leave(price), await desk.stop(price)
        assert await desk.status("order", bought) == Told("order", bought, "FILLED")
        for kind, order_id in zip(KINDS, (order, stop), strict=True):
            await asked_and_cancelled(desk, kind, order_id)
        ends = {Told("order", bought, "FILLED"), Told("order", order, "CANCELED"), Told("algo", stop, "CANCELED")}
        await until_heard(desk, ends)
        held, balance = await desk.position(), await desk.balance()
        truth = await venue.get("/sim/trading/accounts/main")
    happened = {Told("order", str(one["orderId"]), one["status"]) for one in truth["orders"]}
    happened |= {Told("algo", str(one["algoId"]), one["algoStatus"]) for one in truth["algo_orders"]}
    assert happened == ends
    assert [float(one["amount"]) for one in truth["positions"]] == [held] == [QUANTITY]
    assert float(truth["balances"]["USDT"]) == balance < 10_000
