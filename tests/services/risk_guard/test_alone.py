"""The guard with nothing but the venue: no broker, no database, no executor. By the venue's own truth."""

import time
from decimal import Decimal
from pathlib import Path

from libs.exchanges.worth import minute_of, worth_by_minute
from libs.trading.execution.client_ids import read_client_id
from services.risk_guard.guard import Guard
from services.risk_guard.moment import moment
from tests.services.exchange_simulator.running import account_that_pays_in_bnb
from tests.services.processes import eventually
from tests.services.risk_guard.guarding import SYMBOL, Guarding, guarding

TEN = (
    "BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "DOGEUSDT", "ADAUSDT", "LINKUSDT", "AVAXUSDT", "LTCUSDT",
)  # fmt: skip
QUANTITIES = ("0.010", "0.3", "7", "1", "450", "6000", "2000", "70", "70", "10")


async def guards_stop(at: Guarding) -> bool:
    """Whether a stop of the guard waits."""
    found = await at.account.trading.open_conditionals(SYMBOL)
    ids = [read_client_id(one.client_id) for one in found if one.close_position]
    return any(one is not None and one.sender == "guard" for one in ids)


async def question_seconds(at: Guarding) -> float:
    """How long this machine takes now for a question and its answer, venue and guard being in one process."""
    began = time.monotonic()
    for _ in range(5):
        await at.account.trading.open_orders(SYMBOL)
    return (time.monotonic() - began) / 5


async def test_a_position_that_nobody_protects_gets_a_stop_within_five_seconds(tmp_path: Path) -> None:
    async with guarding(tmp_path) as at, at.guarded():
        await at.until_state("warning")
        await at.enter()
        began = time.monotonic()
        await eventually(lambda: guards_stop(at), 60, lambda: f"no stop: {at.told.states[-1].reasons}")
        took = time.monotonic() - began
        print(f"a stop of the guard after {took:.2f} s")
        # What five seconds are without the machine's own time is tried on the virtual clock.
        assert 2.5 < took < 5 + 20 * await question_seconds(at)
        [stop] = await at.account.trading.open_conditionals(SYMBOL)
        away = abs(stop.trigger_price / await at.price() - 1)
        assert Decimal("0.02") < away < Decimal("0.04"), "at the default distance"
        assert not at.told.states[-1].entries_allowed
        assert any("placed a stop" in one.title for one in at.told.alerts)


async def test_ten_positions_are_flat_three_seconds_after_their_break(tmp_path: Path) -> None:
    async with guarding(tmp_path, symbols=TEN) as at:
        for number, (symbol, quantity) in enumerate(zip(TEN, QUANTITIES, strict=True)):
            await at.enter(symbol, Decimal(quantity), "SELL" if number % 2 else "BUY")
        async with at.guarded() as guard:
            await at.until_state("warning")

            async def all_seen() -> bool:
                return len(guard.picture.positions.open()) == 10

            await eventually(all_seen, 60, lambda: str(guard.picture.positions.open()))
            before = await question_seconds(at)
            await at.venue.fault("transfer", amount="-9900")
            began = time.monotonic()
            await at.until_flat(60)
            took = time.monotonic() - began
            print(f"ten positions flat {took:.2f} s after the cause")
            # Ten cancellations, closes and looks go one after the other; on a free machine they are a fraction of a second.
            assert took < 3 + 40 * max(before, await question_seconds(at))
            state = at.told.states[-1]
            assert (state.level, state.break_number) == ("circuit_break", 1)

            async def nothing_left() -> bool:
                return not await at.account.trading.open_conditionals()

            await eventually(nothing_left, 60, lambda: "exits stay")


async def test_in_hedge_mode_both_sides_get_their_stop_and_are_closed(tmp_path: Path) -> None:
    async with guarding(tmp_path) as at:
        await at.owner.ok("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
        async with at.guarded():
            await at.until_state("warning")
            await at.enter(position_side="LONG")
            await at.enter(quantity=Decimal("0.020"), side="SELL", position_side="SHORT")

            async def both() -> bool:
                found = await at.account.trading.open_conditionals(SYMBOL)
                return {one.position_side for one in found if one.close_position} == {"LONG", "SHORT"}

            await eventually(both, 60, lambda: str(at.told.alerts))
            await at.venue.fault("transfer", amount="-9950")
            await at.until_flat()
            fills = await at.account.trading.executions(SYMBOL)
            assert {(one.position_side, one.side) for one in fills} == {
                ("LONG", "BUY"),
                ("LONG", "SELL"),
                ("SHORT", "SELL"),
                ("SHORT", "BUY"),
            }


async def test_fees_in_bnb_are_a_loss_of_the_day(tmp_path: Path) -> None:
    """Nothing of it is in the wallet: what is bought is sold again for the same, but for the fee."""
    symbols = (SYMBOL, "BNBUSDT")
    async with guarding(tmp_path, symbols=symbols, accounts=account_that_pays_in_bnb(tmp_path)) as at:
        async with at.guarded() as guard:
            await at.until_state("warning")
            await at.enter()
            await at.enter(side="SELL")
            fills = await at.account.trading.executions(SYMBOL)
            assert {one.fee_asset for one in fills} == {"BNB"}
            bars = await worth_by_minute(at.account.market_data, "BNB", fills[0].time_ms, fills[-1].time_ms)
            fees = sum((one.fee * bars[minute_of(one.time_ms)] for one in fills), Decimal(0))
            expected = sum((one.realised for one in fills), Decimal(0)) - fees
            await eventually(lambda: _has_realised(at, guard, expected), 60, lambda: str(_realised(at, guard)))
            assert fees > Decimal("0.5")
        # Nothing of it is in the file: the statement says it again.
        async with at.guarded() as again:
            await eventually(lambda: _has_realised(at, again, expected), 60, lambda: str(_realised(at, again)))


def _realised(at: Guarding, guard: Guard) -> Decimal | None:
    return guard.picture.money.realised_today(moment(at.account.clock)).value


async def _has_realised(at: Guarding, guard: Guard, expected: Decimal) -> bool:
    """Within a hundredth: the minute of a fee may run on while it is valued."""
    found = _realised(at, guard)
    return found is not None and abs(found - expected) < Decimal("0.01")
