"""A short run with real processes: both are killed right after a signal, and the exchange's ledger says that nothing is wrong."""

from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.chaos.money.market import JumpyMarket
from tests.chaos.money.plan import Blow, Given, Plan, plan_of
from tests.chaos.processes.run import run_seed
from tests.chaos.processes.servers import Servers

pytestmark = pytest.mark.integration
SEED = 1


def two_deaths(seed: int, start_ms: int, market: JumpyMarket) -> Plan:
    """One signal of now with a wide bracket, which the hold limit ends, and kill -9 to both while it is entered."""
    given = next(one for one in plan_of(seed, start_ms, market).signals if one.signal.state == "emitted")
    price = market.price(given.signal.symbol, start_ms + 500)
    sign = 1 if given.signal.direction == "long" else -1
    signal = replace(
        given.signal,
        event_time_ms=start_ms + 500,
        price=price,
        stop_loss=price * (1 - sign * Decimal("0.05")),
        take_profit_1=price * (1 + sign * Decimal("0.05")),
        take_profit_2=price * (1 + sign * Decimal("0.1")),
        hold_until_ms=start_ms + 8_000,
    )
    blows = (Blow(560, "kill", "executor"), Blow(700, "kill", "guard"))
    return Plan(seed, start_ms, (Given(500, signal),), (), blows)


async def test_both_die_while_a_signal_is_entered(tmp_path: Path) -> None:
    servers = Servers(tmp_path / "servers")
    (tmp_path / "run").mkdir()
    async with servers.running():
        verdict = await run_seed(SEED, servers, tmp_path / "run", two_deaths)
    told = (tmp_path / "run" / "faults.jsonl").read_text()
    assert verdict.findings == [], told
    assert (verdict.counts["signals"], verdict.counts["starts of processes"]) == (1, 4), told
