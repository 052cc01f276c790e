"""Paper trading on the command line: a table that says what is held, profit by any side, and JSON for scripts."""

import datetime as dt
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine, write_session
from libs.store.paper import KeptPaper, PaperAccount, PaperRows, PaperTrade, packed, write_paper
from tests.services.console.running import run_console

pytestmark = pytest.mark.integration
NOW = dt.datetime(2026, 11, 3, 12, tzinfo=dt.UTC)
OPEN = PaperTrade(
    trade_id="t0",
    signal_id="s0",
    strategy="v51",
    symbol="BTCUSDT",
    state="open",
    market_time=NOW,
    direction="long",
    entry_price=Decimal(100),
    price=Decimal(101),
    quantity=Decimal(50),
    quantity_left=Decimal(50),
    stop_loss=Decimal(98),
    stop_now=Decimal(98),
    take_profit_1=Decimal(102),
    take_profit_2=Decimal(104),
    risk=Decimal(100),
    net=Decimal("-2.5"),
    unrealised=Decimal(50),
    hold_until=NOW + dt.timedelta(minutes=30),
)


def account(strategy: str) -> PaperAccount:
    return PaperAccount(
        strategy=strategy,
        starting_balance=Decimal(10_000),
        risk_per_trade=Decimal(100),
        balance=Decimal("10047.50"),
        unrealised=Decimal(50),
        open_positions=1,
        day=NOW.date(),
        day_realised=Decimal("47.50"),
        day_over=False,
        level="warning",
        break_until=None,
        market_time=NOW,
    )


def closed(number: int, net: str, **changes: object) -> PaperTrade:
    """A closed trade of so much net, which cost one."""
    amount = Decimal(net)
    trade = replace(
        OPEN,
        trade_id=f"t{number}",
        signal_id=f"s{number}",
        state="closed",
        reason="take_profit_2" if amount > 0 else "stop_loss",
        exit_time=NOW - dt.timedelta(hours=1),
        gross=amount + 1,
        fees=Decimal(1),
        slippage=Decimal(0),
        funding=Decimal(0),
        net=amount,
        net_r=float(amount / 100),
    )
    return replace(trade, **changes)  # type: ignore[arg-type]


TRADES = (
    OPEN,
    closed(1, "120"),
    closed(2, "-101", symbol="ETHUSDT"),
    closed(3, "50", strategy="v52", exit_time=NOW - dt.timedelta(days=2)),
)


@pytest.fixture
async def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    engine = create_engine(DatabaseSettings(database_url=database_url))
    await migrate.upgrade(engine)
    await engine.dispose()
    return {"PERPSTREAM_DATABASE_URL": database_url, "PERPSTREAM_STATE_DIR": str(tmp_path)}


async def store(database_url: str) -> None:
    engine = create_engine(DatabaseSettings(database_url=database_url))
    rows = PaperRows({trade.trade_id: trade for trade in TRADES}, {name: account(name) for name in ("v51", "v52")})
    async with write_session(engine) as session:
        await write_paper(session, None, KeptPaper(0, "log", NOW, await packed(b"")), rows)
    await engine.dispose()


async def test_without_accounts_it_says_what_would_fill_the_screen(environment: dict[str, str]) -> None:
    done = run_console("paper", "status", **environment)
    assert (done.returncode, "paper_trader makes one" in done.stdout) == (0, True)
    done = run_console("pnl", **environment)
    assert (done.returncode, done.stdout.strip()) == (0, "no paper trade was closed in this range")


async def test_the_status_shows_accounts_and_what_they_hold(environment: dict[str, str], database_url: str) -> None:
    await store(database_url)
    done = run_console("paper", "status", **environment)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    lines = [line.split() for line in done.stdout.replace("\u2009", "").splitlines()]
    assert ["v51", "10047.50", "+50.00", "1", "+19.00", "+0.19", "2", "1", "warning"] in lines
    assert ["v52", "10047.50", "+50.00", "1", "0.00", "0.00", "0", "0", "warning"] in [
        [word.replace("+0.00", "0.00") for word in line] for line in lines
    ]
    assert [
        *("v51", "BTCUSDT", "▲", "long", "100", "101", "+0.50"),
        *("-2.97", "+0.99", "+2.97", "12:30:00Z"),
    ] in lines
    assert max(len(line) for line in done.stdout.splitlines()) <= 100
    found = json.loads(run_console("paper", "status", "--json", **environment).stdout)
    assert [each["strategy"] for each in found["accounts"]] == ["v51", "v52"]
    assert found["held"][0]["unrealised_r"] == 0.5
    assert found["held"][0]["entry_price"] == "100"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), [("2026-11-01", 1, "50"), ("2026-11-03", 2, "19")]),
        (("--by", "week"), [("2026-W44", 1, "50"), ("2026-W45", 2, "19")]),
        (("--by", "month"), [("2026-11", 3, "69")]),
        (("--by", "strategy"), [("v51", 2, "19"), ("v52", 1, "50")]),
        (("--by", "symbol"), [("BTCUSDT", 2, "170"), ("ETHUSDT", 1, "-101")]),
        (("--by", "reason"), [("stop_loss", 1, "-101"), ("take_profit_2", 2, "170")]),
        (("--by", "strategy", "--from", "2026-11-02"), [("v51", 2, "19")]),
        (("--by", "symbol", "--strategy", "v52"), [("BTCUSDT", 1, "50")]),
        (("--to", "2026-11-01"), []),
    ],
)
async def test_profit_is_added_up_by_any_side(
    environment: dict[str, str], database_url: str, arguments: tuple[str, ...], expected: list[tuple[str, int, str]]
) -> None:
    await store(database_url)
    found = json.loads(run_console("pnl", *arguments, "--json", **environment).stdout)
    assert [(row["name"], row["trades"], row["net"]) for row in found] == expected


async def test_the_table_of_profit_ends_with_its_sum(environment: dict[str, str], database_url: str) -> None:
    await store(database_url)
    done = run_console("pnl", "--by", "strategy", **environment)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[-1] == ["all", "3", "2", "+72.00", "-3.00", "+0.00", "+0.00", "+69.00", "+0.69"]


def test_a_range_that_is_empty_is_refused() -> None:
    done = run_console("pnl", "--from", "2026-11-02", "--to", "2026-11-01")
    assert done.returncode == 2
    assert "not before --to" in done.stderr
