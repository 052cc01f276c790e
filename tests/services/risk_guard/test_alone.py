"""The guard with nothing but the venue: no broker, no database, no executor. By the venue's own truth."""

import time
from decimal import Decimal
from pathlib import Path

from libs.trading.execution.client_ids import read_client_id
from tests.services.processes import eventually
from tests.services.risk_guard.guarding import SYMBOL, Guarding, guarding

GAIN = Decimal(0)


async def guards_stop(at: Guarding) -> bool:
    """Whether a stop of the guard waits."""
    found = await at.account.trading.open_conditionals(SYMBOL)
    ids = [read_client_id(one.client_id) for one in found if one.close_position]
    return any(one is not None and one.sender == "guard" for one in ids)


async def test_a_position_that_nobody_protects_gets_a_stop_within_five_seconds(tmp_path: Path) -> None:
    async with guarding(tmp_path) as at, at.guarded():
        await at.until_state("warning")
        await at.enter()
        began = time.monotonic()
        await eventually(lambda: guards_stop(at), 10, lambda: f"no stop: {at.told.states[-1].reasons}")
        took = time.monotonic() - began
        print(f"a stop of the guard after {took:.2f} s")
        assert 2.5 < took < 5
        [stop] = await at.account.trading.open_conditionals(SYMBOL)
        away = abs(stop.trigger_price / await at.price() - 1)
        assert Decimal("0.02") < away < Decimal("0.04"), "at the default distance"
        assert not at.told.states[-1].entries_allowed
        assert any("placed a stop" in one.title for one in at.told.alerts)
