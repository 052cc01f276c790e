"""A symbol added to a running stack is warm from its first evaluation on, in every table, and still there after a restart."""

import json
from pathlib import Path

import pytest

from tests.e2e.replay import query
from tests.e2e.stack import Stack, wait_for

ADDED, SECONDS = "XRPUSDT", 240
TABLES = ("agg_trades", "market_indicators", "rate_snapshots", "signal_indicators")
FIRST = f"SELECT * FROM signal_indicators WHERE symbol = '{ADDED}' ORDER BY event_time LIMIT 1"


def rows(stack: Stack) -> dict[str, int]:
    """How many rows of the added symbol each table has."""
    url = stack.database_url()
    return {table: query(url, f"SELECT count(*) FROM {table} WHERE symbol = '{ADDED}'")[0][0] for table in TABLES}


@pytest.mark.e2e
def test_a_symbol_is_added_while_everything_runs_and_stays_after_a_restart(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "state")
    try:
        stack.up("--symbols", "BTCUSDT,ETHUSDT")
        assert json.loads(stack.command("symbols", "add", ADDED.lower(), "--reason", "a test", "--json")) == [
            {"symbol": ADDED, "changed": True}
        ]
        wait_for(lambda: all(rows(stack).values()), SECONDS, f"rows of {ADDED} in every table", stack)
        first, *_ = query(stack.database_url(), FIRST)
        assert min(first["coverage_5m"], first["coverage_30m"], first["coverage_4h"]) > 0.99, (
            "warm from the first one on"
        )
        assert first["atr"] is not None
        # The first round of the polls brings 180 at most.
        wait_for(lambda: rows(stack)["market_indicators"] > 1000, SECONDS, f"the history of {ADDED}", stack)
        listed = {row["symbol"]: row for row in json.loads(stack.command("symbols", "list", "--json"))}
        assert (listed[ADDED]["source"], listed[ADDED]["reason"]) == ("added", "a test")
        assert listed["BTCUSDT"]["source"] == "configuration"
        assert "already" in stack.command("symbols", "add", ADDED)
        before = rows(stack)
        stack.down()
        stack.up("--symbols", "BTCUSDT,ETHUSDT")
        wait_for(
            lambda: all(count > before[table] for table, count in rows(stack).items()),
            SECONDS,
            f"more rows of {ADDED} after the restart",
            stack,
        )
        stack.command("data", "verify", ADDED)  # fails when an id is missing or doubled
    finally:
        stack.down()
