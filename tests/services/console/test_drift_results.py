"""Drift on the command line: exit codes that scripts can rely on, and the stored results as a table and as JSON."""

import datetime as dt
import json
from pathlib import Path

import pytest

from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.drift_checks import CheckState, DriftCheck, write_drift_check
from libs.store.engine import create_engine, write_session
from tests.services.console.running import run_console

pytestmark = pytest.mark.integration
BEGAN = dt.datetime(2026, 11, 2, 0, 30, tzinfo=dt.UTC)


def check(day: int, state: CheckState, reason: str = "", first: str | None = None) -> DriftCheck:
    ended = BEGAN + dt.timedelta(seconds=12)
    return DriftCheck(dt.date(2026, 11, day), state, reason, 40, int(state == "differs"), 23_040, first, BEGAN, ended)


async def stored(database_url: str, *checks: DriftCheck) -> list[bool]:
    engine = create_engine(DatabaseSettings(database_url=database_url))
    await migrate.upgrade(engine)
    async with write_session(engine) as session:
        new = [await write_drift_check(session, each) for each in checks]
    await engine.dispose()
    return new


async def test_what_was_found_is_listed_newest_first_and_a_difference_is_an_exit_code(
    database_url: str, tmp_path: Path
) -> None:
    environment = {"PERPSTREAM_DATABASE_URL": database_url, "PERPSTREAM_STATE_DIR": str(tmp_path)}
    await stored(database_url)
    done = run_console("backtest", "drift-checks", **environment)
    assert (done.returncode, "no day was checked yet" in done.stdout) == (0, True)
    differs = check(3, "differs", "1 only live [BTCUSDT]", '{"signal_id":"x"}')
    new = await stored(database_url, check(2, "agreed"), differs, check(2, "not_comparable"))
    assert new == [True, True, False]
    done = run_console("backtest", "drift-checks", **environment)
    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["2026-11-03", "2026-11-02"]
    assert "1 only live [BTCUSDT]" in done.stdout
    done = run_console("backtest", "drift-checks", "--days", "1", "--json", **environment)
    [row] = json.loads(done.stdout)
    assert (row["day"], row["state"], row["first_difference"]) == ("2026-11-03", "differs", {"signal_id": "x"})


async def test_a_range_that_nobody_evaluated_has_an_exit_code_of_its_own(database_url: str, tmp_path: Path) -> None:
    environment = {"PERPSTREAM_DATABASE_URL": database_url, "PERPSTREAM_STATE_DIR": str(tmp_path)}
    await stored(database_url)
    done = run_console("backtest", "drift", "--json", "--output", str(tmp_path / "out"), **environment)
    assert done.returncode == 5, done.stderr
    found = json.loads(done.stdout)
    assert (found["state"], found["reason"]) == ("not_comparable", "the live engine evaluated nothing in this range")
    day_ms = 86_400_000
    assert found["end_ms"] - found["start_ms"] == day_ms
    assert found["start_ms"] % day_ms == 0
    assert json.loads((tmp_path / "out" / "alert.json").read_text())["severity"] == "warning"
