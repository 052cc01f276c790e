"""What a list of all symbols costs while a venue does not answer."""

from pathlib import Path

import pytest

from libs.exchanges.errors import VenueUnavailable
from tests.libs.exchanges.test_trading import desk
from tests.services.exchange_simulator.trader import SYMBOL


@pytest.mark.parametrize(("symbol", "asked"), [(None, 1), (SYMBOL, 4)])
async def test_the_dear_list_of_all_symbols_is_asked_for_once_while_connections_are_cut(
    symbol: str | None, asked: int, tmp_path: Path
) -> None:
    async with desk(tmp_path) as at:
        number = await at.venue.fault("connection_reset", paths=["/fapi/v1/openOrders"])
        with pytest.raises(VenueUnavailable):
            await at.account.open_orders(symbol)
        assert len(await at.venue.ledger(number, "connection_reset")) == asked
