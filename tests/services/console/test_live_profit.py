"""Live profit on the command line: by any side, against the venue's statement to the cent, and recalculated from its fills."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine, read_session, write_session
from libs.store.live import PostgresBooks
from libs.trading.execution.books import Page, Statement, StatementLine
from libs.trading.execution.document import Fill, Trade
from services.console.app import app
from services.console.output import guarded
from tests.libs.store.live_trades import FILL, TRADE, replaced

pytestmark = pytest.mark.integration
T = TypeVar("T")
DAY_MS = 86_400_000
START_MS = 1_793_664_000_000  # 2026-11-03 00:00 UTC, a Tuesday
NOON_MS = START_MS + DAY_MS // 2


def closed(number: int, exit_price: str, time_ms: int, **changes: object) -> Trade:
    """Bought 0.5 at 100, sold again; fees 0.02 USDT on each side. R is 1."""
    price = Decimal(exit_price)
    entry = replaced(FILL, trade_id=10 * number, price=Decimal(100), time_ms=time_ms - 60_000)
    exit_fill = replaced(
        FILL,
        trade_id=10 * number + 1,
        side="SELL",
        leg="stop" if price < 100 else "take_profit_2",
        price=price,
        realised=(price - 100) / 2,
        time_ms=time_ms,
    )
    return replaced(
        TRADE,
        trade_id=f"t{number}",
        state="closed",
        exit_reason="stop_loss" if price < 100 else "take_profit_2",
        orders=(),
        fills=(entry, exit_fill),
        times=replaced(TRADE.times, flat_ms=time_ms),
        **changes,
    )


WON = closed(1, "104", NOON_MS, funding=Decimal("0.05"), funding_ids=(901,))
LOST = closed(2, "98", NOON_MS + 2 * DAY_MS, symbol="ETHUSDT", strategy="v60")
TRADES = (WON, LOST, replaced(TRADE, trade_id="t3", fills=(), orders=()))


def lines_of(trade: Trade) -> list[StatementLine]:
    """What the venue states of its fills."""

    def line(kind: str, amount: Decimal, asset: str, fill: Fill) -> StatementLine:
        number = fill.trade_id
        return StatementLine(kind, trade.symbol, amount, asset, fill.time_ms // 1000 * 1000, number, str(number))

    found = [line("COMMISSION", -fill.fee, fill.fee_asset, fill) for fill in trade.fills]
    return found + [line("REALIZED_PNL", fill.realised, "USDT", fill) for fill in trade.fills if fill.realised]


FUNDING = StatementLine("FUNDING_FEE", "BTCUSDT", Decimal("-0.05"), "USDT", NOON_MS - 1000, 901)
DEPOSIT = StatementLine("TRANSFER", "", Decimal(500), "USDT", NOON_MS, 902)
STATED = [*lines_of(WON), *lines_of(LOST), FUNDING, DEPOSIT]


@dataclass(frozen=True, slots=True)
class Desk:
    """`perpstream pnl` in this process, which is seconds faster for each command, and the database that it asks."""

    url: str
    capture: pytest.CaptureFixture[str]

    def pnl(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, output and errors."""
        self.capture.readouterr()
        try:
            code = guarded(lambda: app(["pnl", *arguments]))
        except SystemExit as left:
            code = int(left.code or 0)
        return (code, *self.capture.readouterr())

    def data(self, *arguments: str) -> Any:
        return json.loads(self.pnl(*arguments, "--json")[1])

    def store(self, trades: Sequence[Trade], lines: Sequence[StatementLine] | None = None, days: int = 4) -> None:
        """A page of an executor; without lines it has not read the statement."""

        async def work(engine: AsyncEngine) -> None:
            books = PostgresBooks(engine, "main")
            lease = await books.acquire("one")
            assert lease is not None
            statement = None if lines is None else Statement(START_MS, START_MS + days * DAY_MS, lines)
            await books.write(lease, Page(trades, statement=statement))
            await books.release(lease)

        self._with_engine(work)

    def execute(self, statement: str) -> None:
        async def work(engine: AsyncEngine) -> None:
            async with write_session(engine) as session:
                await session.raw.execute(statement)

        self._with_engine(work)

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        async def work(engine: AsyncEngine) -> list[tuple[object, ...]]:
            async with read_session(engine) as session:
                return [tuple(row) for row in (await session.connection.execute(text(statement))).all()]

        return self._with_engine(work)

    def _with_engine(self, work: Callable[[AsyncEngine], Coroutine[Any, Any, T]]) -> T:
        async def run() -> T:
            engine = create_engine(DatabaseSettings(database_url=self.url))
            try:
                return await work(engine)
            finally:
                await engine.dispose()

        return asyncio.run(run())


@pytest.fixture
def desk(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Desk:
    for name, value in (("DATABASE_URL", database_url), ("STATE_DIR", str(tmp_path))):
        monkeypatch.setenv(f"PERPSTREAM_{name}", value)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    found = Desk(database_url, capsys)
    found._with_engine(migrate.upgrade)
    return found


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), [("2026-11-03", "1.91"), ("2026-11-05", "-1.04")]),
        (("--by", "week"), [("2026-W45", "0.87")]),
        (("--by", "month"), [("2026-11", "0.87")]),
        (("--by", "strategy"), [("v51", "1.91"), ("v60", "-1.04")]),
        (("--by", "symbol"), [("BTCUSDT", "1.91"), ("ETHUSDT", "-1.04")]),
        (("--by", "reason"), [("stop_loss", "-1.04"), ("take_profit_2", "1.91")]),
        (("--strategy", "v60", "--from", "2026-11-04"), [("2026-11-05", "-1.04")]),
        (("--to", "2026-11-01"), []),
    ],
)
def test_profit_is_added_up_by_any_side(
    desk: Desk, arguments: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    desk.store(TRADES)
    found = desk.data("--account", "main", *arguments)
    assert [(row["name"], Decimal(row["net"])) for row in found] == [(name, Decimal(net)) for name, net in expected]


def test_the_table_ends_with_its_sum_and_says_which_fees_are_missing(desk: Desk) -> None:
    bnb = tuple(replaced(fill, fee_asset="BNB", fee_quote=None) for fill in LOST.fills)
    desk.store((WON, replaced(LOST, fills=bnb)))
    _, told, _ = desk.pnl("--account", "main")
    lines = [line.split() for line in told.splitlines()]
    assert lines[-2] == ["all", "2", "1", "+1.00", "-0.04", "-0.05", "+0.91", "+0.91", "–"]
    assert told.splitlines()[-1].startswith("2 fees in other assets have no value yet")


def test_an_account_that_nobody_ever_held_is_named(desk: Desk) -> None:
    for command in ((), ("reconcile",), ("recalculate",)):
        code, _, said = desk.pnl(*command, "--account", "mian")
        assert (code, "no executor has run" in said) == (2, True)
    desk.store(())
    assert "the accounts here are: main" in desk.pnl("--account", "mian")[2]
    assert desk.pnl("--account", "main")[:2] == (0, "no live trade of this account was closed in this range\n")


def test_books_that_agree_with_the_statement_are_said_to(desk: Desk) -> None:
    desk.store(TRADES, STATED)
    code, told, said = desk.pnl("reconcile", "--account", "main")
    assert (code, said) == (0, "")
    assert told.splitlines()[-1] == "everything agrees to the cent"
    found = desk.data("reconcile", "--account", "main")
    assert [(day["day"], day["kind"], float(day["booked"]), day["agrees"]) for day in found["days"]] == [
        ("2026-11-03", "COMMISSION", -0.04, True),
        ("2026-11-03", "FUNDING_FEE", -0.05, True),
        ("2026-11-03", "GROSS", 2, True),
        ("2026-11-03", "REALIZED_PNL", 2, True),
        ("2026-11-03", "TRANSFER", 0, None),
        ("2026-11-05", "COMMISSION", -0.04, True),
        ("2026-11-05", "GROSS", -1, True),
        ("2026-11-05", "REALIZED_PNL", -1, True),
    ]


def exit_with(trade: Trade, **changes: object) -> Trade:
    return replaced(trade, fills=(trade.fills[0], replaced(trade.fills[1], **changes)))


UNKNOWN_FILL = StatementLine("REALIZED_PNL", "SOLUSDT", Decimal(-3), "USDT", NOON_MS + DAY_MS, 77, "77")
CLEARED = replaced(UNKNOWN_FILL, kind="INSURANCE_CLEAR", trade_id="")


@pytest.mark.parametrize(
    ("won", "lines", "named"),
    [
        (WON, [*STATED, UNKNOWN_FILL], ("REALIZED_PNL", "77", -3, None)),
        (WON, [*STATED, replaced(FUNDING, transaction_id=903)], ("FUNDING_FEE", "903", -0.05, None)),
        (WON, [*STATED, CLEARED], ("INSURANCE_CLEAR", "77", -3, None)),
        (WON, [line for line in STATED if line.trade_id != "11"], ("COMMISSION", "11", None, -0.02)),
        (replaced(WON, funding=Decimal("0.06")), STATED, ("FUNDING_FEE", "t1", -0.05, -0.06)),
        (exit_with(WON, realised=Decimal("2.01")), STATED, ("REALIZED_PNL", "11", 2, 2.01)),
        (exit_with(WON, price=Decimal("104.02")), STATED, ("GROSS", "t1", 2, 2.01)),
        (exit_with(WON, fee=Decimal("0.03")), STATED, ("COMMISSION", "11", -0.02, -0.03)),
    ],
    ids=["a fill", "funding", "clearance", "no line", "funding's sum", "realised", "our rule", "fee"],
)
def test_what_differs_by_a_cent_is_found_and_named(
    desk: Desk, won: Trade, lines: Sequence[StatementLine], named: tuple[str, str, float | None, float | None]
) -> None:
    desk.store((won, LOST), lines)
    code, told, _ = desk.pnl("reconcile", "--account", "main", "--json")
    assert code == 1
    differing = [pair for day in json.loads(told)["days"] for pair in day["differing"]]
    amounts = [
        (pair["kind"], pair["reference"], *(value and float(value) for value in (pair["stated"], pair["booked"])))
        for pair in differing
    ]
    assert named in amounts
    told = desk.pnl("reconcile", "--account", "main")[1]
    assert any(line.split()[2:3] == [named[0]] for line in told.partition("what differs:")[2].splitlines())


def test_fees_in_another_asset_agree_line_by_line_and_a_cent_of_them_is_found(desk: Desk) -> None:
    """A BNB is worth 600: a cent of it is 0.0000167."""
    fills = tuple(
        replaced(fill, fee=Decimal("0.00003333"), fee_asset="BNB", fee_quote=Decimal("0.02")) for fill in LOST.fills
    )
    paid = replaced(LOST, fills=fills)
    desk.store((WON, paid), [*lines_of(WON), *lines_of(paid), FUNDING])
    assert desk.pnl("reconcile", "--account", "main")[0] == 0
    for fee, code in (("0.00003334", 0), ("0.00005", 1)):
        desk.execute(f"UPDATE live_fills SET fee = {fee} WHERE venue_trade_id = 21")
        assert desk.pnl("reconcile", "--account", "main")[0] == code


def test_only_what_is_known_of_the_statement_is_compared(desk: Desk) -> None:
    desk.store(TRADES)
    code, _, said = desk.pnl("reconcile", "--account", "main")
    assert (code, "let the executor run" in said) == (1, True)
    desk.store((), [*lines_of(WON), FUNDING], days=1)
    code, told, _ = desk.pnl("reconcile", "--account", "main", "--json")
    assert code == 0, told
    assert {day["day"] for day in json.loads(told)["days"]} == {"2026-11-03"}
    code, _, said = desk.pnl("reconcile", "--account", "main", "--from", "2026-11-05")
    assert (code, "it is known from 2026-11-03 00:00:00Z" in said) == (1, True)


def test_figures_that_are_not_what_fills_say_are_shown_and_mended_once(desk: Desk) -> None:
    desk.store(TRADES)
    asked = ("recalculate", "--account", "main")
    assert "2 closed trades: all as their fills say" in desk.pnl(*asked)[1]
    desk.execute("UPDATE live_trades SET pnl_quote = 7, fees = 1 WHERE trade_id = 't1'")
    told = desk.pnl(*asked)[1]
    cells = [line.split() for line in told.splitlines()]
    assert ["main", "t1", "fees", "1.00000000", "0.04000000"] in cells
    assert ["main", "t1", "pnl_quote", "7.00000000", "1.91000000"] in cells
    assert told.splitlines()[-1].endswith("nothing was changed, --apply writes it")
    figures = "SELECT fees, pnl_quote FROM live_trades WHERE trade_id = 't1'"
    assert desk.rows(figures) == [(Decimal(1), Decimal(7))]
    code, _, said = desk.pnl(*asked, "--apply")
    assert (code, "say why" in said) == (2, True)
    done = desk.data(*asked, "--apply", "--reason", "a test")
    assert [change["field"] for change in done["trades"][0]["corrections"]] == ["fees", "pnl_quote"]
    assert desk.rows(figures) == [(Decimal("0.04"), Decimal("1.91"))]
    audit = (
        "SELECT correction_id, books, account, trade_id, field, before, reason FROM profit_corrections ORDER BY field"
    )
    assert desk.rows(audit) == [
        (done["applied"], "live", "main", "t1", "fees", "1", "a test"),
        (done["applied"], "live", "main", "t1", "pnl_quote", "7", "a test"),
    ]
    assert "all as their fills say" in desk.pnl(*asked, "--apply", "--reason", "again")[1]


def test_a_stored_fill_that_was_mended_reaches_figures_and_document(desk: Desk) -> None:
    desk.store(TRADES)
    desk.execute("UPDATE live_fills SET fee_quote = 0.12 WHERE venue_trade_id = 21")
    code, _, said = desk.pnl("recalculate", "--account", "main", "--apply", "--reason", "valued")
    assert code == 0, said
    found = "SELECT fees, document->'fills'->1->>'fee_quote' FROM live_trades WHERE trade_id = 't2'"
    assert desk.rows(found) == [(Decimal("0.14"), "0.12")]


PAPER = """
INSERT INTO paper_trades (trade_id, signal_id, strategy, symbol, direction, state, exit_time, entry_price, exit_price,
  quantity, stop_loss, risk, gross, fees, slippage, funding, net, net_r, fills, history, market_time)
SELECT 'p' || n, 's' || n, 'v51', 'BTCUSDT', 'short', 'closed', '2026-11-03Z', 100, 97, 2, 102, 4, 6.2, 0.2, 0.2, 0.5, 5.3,
  1.325, fills::jsonb, '[]', now()
FROM generate_series(1, 2) AS n, (VALUES ('[
  {"reason": "entry", "time_ms": 1, "price": "100", "quantity": "2", "fee": "0.1", "slippage": "0.1"},
  {"reason": "take_profit_1", "time_ms": 2, "price": "98", "quantity": "1", "fee": "0.05", "slippage": "0"},
  {"reason": "take_profit_2", "time_ms": 3, "price": "96", "quantity": "1", "fee": "0.05", "slippage": "0.1"}]')) AS given(fills)
"""


def test_paper_trades_are_recalculated_too_and_what_cannot_be_is_said(desk: Desk) -> None:
    desk.execute(PAPER)
    assert "2 closed trades: all as their fills say" in desk.pnl("recalculate")[1]
    desk.execute("UPDATE paper_trades SET net = 5.31, net_r = 1.33 WHERE trade_id = 'p1'")
    desk.execute("UPDATE paper_trades SET fills = '[]' WHERE trade_id = 'p2'")
    assert "of 1 nothing can be said" in desk.pnl("recalculate", "--strategy", "v51")[1]
    assert desk.data("recalculate", "--strategy", "v60")["looked_at"] == 0
    done = desk.data("recalculate", "--apply", "--reason", "a test")
    assert [(each["trade_id"], each["trouble"]) for each in done["trades"]] == [
        ("p1", None),
        ("p2", "it has no entry and exit"),
    ]
    assert desk.rows("SELECT net, net_r FROM paper_trades ORDER BY trade_id") == [
        (Decimal("5.3"), 1.325),
        (Decimal("5.3"), 1.325),
    ]
    code, _, said = desk.pnl("recalculate", "--strategy", "v51", "--account", "main")
    assert (code, "take one of the two" in said) == (2, True)
