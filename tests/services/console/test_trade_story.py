"""What became of live trades, on the command line: refused ones with their reason, traded ones with all that happened to them."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine
from libs.store.live import PostgresBooks
from libs.trading.execution.books import LiveEvent, Page
from libs.trading.execution.document import Times
from services.console.app import app
from services.console.output import guarded
from tests.libs.store.live_trades import FILL, NOW_MS, TRADE, replaced

pytestmark = pytest.mark.integration

SOLD = replaced(FILL, trade_id=8, side="SELL", leg="stop", price=TRADE.bracket.stop, time_ms=NOW_MS + 60_000)  # type: ignore[union-attr]
CLOSED = replaced(
    TRADE, trade_id="5a8f01aa", state="closed", exit_reason="stop_loss", fills=(FILL, SOLD), initial_risk=FILL.price
)
REFUSED = replaced(
    TRADE,
    trade_id="5b0000ff",
    state="refused",
    symbol="ETHUSDT",
    reason="guard_silent",
    orders=(),
    fills=(),
    times=Times(),
)
SEEN = LiveEvent("e1", "found:stop_missing", NOW_MS + 30_000, {"symbol": "BTCUSDT"}, CLOSED.trade_id)


async def _stored(url: str) -> None:
    engine: AsyncEngine = create_engine(DatabaseSettings(database_url=url), connections=1)
    try:
        await migrate.upgrade(engine)
        books = PostgresBooks(engine, "main")
        lease = await books.acquire("one")
        assert lease is not None
        await books.write(lease, Page((CLOSED, REFUSED), (SEEN,)))
        await books.release(lease)
    finally:
        await engine.dispose()


class Positions:
    """`perpstream positions` in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, output and errors."""
        self.capture.readouterr()
        try:
            code = guarded(lambda: app(["positions", *arguments]))
        except SystemExit as left:
            code = int(left.code or 0)
        return (code, *self.capture.readouterr())


@pytest.fixture(name="positions")
def _positions(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Positions:
    for name, value in {
        "PERPSTREAM_DATABASE_URL": database_url,
        "PERPSTREAM_STATE_DIR": str(tmp_path),
        "NO_COLOR": "1",
        "COLUMNS": "100",
    }.items():
        monkeypatch.setenv(name, value)
    asyncio.run(_stored(database_url))
    return Positions(capsys)


def test_the_history_has_what_was_refused_and_why_and_what_was_traded_and_how_it_ended(positions: Positions) -> None:
    code, shown, _ = positions("history")
    lines = {line.split()[3]: " ".join(line.split()) for line in shown.splitlines()[1:]}
    assert (code, set(lines)) == (0, {"BTCUSDT", "ETHUSDT"})
    assert lines["BTCUSDT"].endswith("5a8f01aa BTCUSDT ▲ long closed -1.04 -0.01 stop_loss")
    assert lines["ETHUSDT"].endswith("5b0000ff ETHUSDT ▲ long refused – – guard_silent")
    [one] = json.loads(positions("history", "--state", "refused", "--json")[1])
    assert (one["trade_id"], one["reason"], one["pnl_quote"]) == ("5b0000ff", "guard_silent", "0")
    code, shown, _ = positions("history", "--symbol", "xrpusdt")
    assert (code, shown) == (0, "no trade of account main is like that\n")
    assert positions("history", "--state", "hopeful")[0] == 2


def test_the_story_of_a_trade_has_states_orders_fills_and_findings_in_the_order_of_time(positions: Positions) -> None:
    code, shown, _ = positions("story", "5a")
    words = [" ".join(line.split()) for line in shown.splitlines()]
    assert code == 0
    assert words[1] == "BTCUSDT ▲ long, v51 version 2, closed: stop_loss"
    assert "net -1.04 (-0.01 R of 100.10): gross -1.00, fees 0.04, funding 0.00" in words
    steps = [" ".join(line.split()[2:]) for line in shown.splitlines()[6:]]
    assert steps == [
        "entering signal",
        "order entry BUY 0.5 at market: filled (p1-entry)",
        "open",
        "fill entry BUY 0.5 at 100.10, fee 0.02 USDT",
        "order stop SELL all at 98.1: submitting (p1-stop)",
        "found:stop_missing symbol=BTCUSDT",
        "fill stop SELL 0.5 at 98.1, fee 0.02 USDT",
    ]
    story = json.loads(positions("story", "5a8f01aa", "--json")[1])
    assert (story["trade"]["exit_reason"], len(story["fills"])) == ("stop_loss", 2)


@pytest.mark.parametrize(
    ("beginning", "hint"), [("5", "several trades have ids that begin so"), ("9", "no trade has an id that begins so")]
)
def test_a_beginning_that_names_no_trade_or_several_is_wrong_input(
    positions: Positions, beginning: str, hint: str
) -> None:
    code, _, told = positions("story", beginning)
    assert (code, hint in told) == (2, True)
