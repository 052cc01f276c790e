"""The nightly check on a real database and broker: agreed, differing, not comparable, killed in the middle; told once."""

import asyncio
import datetime as dt
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import psutil
import pytest
from prometheus_client import generate_latest

from libs.contracts.codec import decode_as
from libs.contracts.signals import SignalScored
from libs.contracts.topics import ALERT
from libs.contracts.trading import AlertRaised
from libs.kit.metrics import REGISTRY
from libs.kit.service import ServiceContext
from libs.kit.settings import ProcessSettings
from libs.store.drift_checks import DriftCheck, drift_checks
from libs.streaming.records import end_offset, read_range
from services.backtester.day_replay import ReplayFailed, replayed_day
from services.backtester.drift import Drift, not_comparable
from services.backtester.due import Schedule, day_span
from services.backtester.nightly import MOST_TRIES, NightlyCheck, Patience
from tests.services.backtester.recorded_days import DAY, DAY_MS, record, recorded_days
from tests.services.processes import beside, eventually
from tests.services.recorder.conftest import Installation
from tests.services.signal_engine.timelines import START_MS

pytestmark = pytest.mark.integration
PATIENCE_SECONDS = 90.0


def untouched(found: SignalScored) -> SignalScored:
    return found


def of_the_day(signals: list[SignalScored]) -> list[SignalScored]:
    return [each for each in signals if each.event_time_ms < START_MS + DAY_MS]


def job(installation: Installation, monkeypatch: pytest.MonkeyPatch, **more: object) -> NightlyCheck:
    monkeypatch.setenv("PERPSTREAM_DATABASE_URL", database_url(installation))
    context = ServiceContext("drift_check", ProcessSettings())
    replay = partial(replayed_day, limit_seconds=PATIENCE_SECONDS)
    made = NightlyCheck(installation.engine, installation.bootstrap, Schedule(0, 7), context, replay)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def database_url(installation: Installation) -> str:
    return installation.engine.url.render_as_string(hide_password=False)


async def results(installation: Installation) -> list[DriftCheck]:
    return await drift_checks(installation.engine, 10)


async def alerts(installation: Installation) -> list[AlertRaised]:
    end = await end_offset(installation.bootstrap, ALERT.name, 0)
    pages = read_range(installation.bootstrap, ALERT.name, 0, 0, end)
    return [decode_as(AlertRaised, item.value or b"") async for page in pages for item in page]


def metrics() -> list[str]:
    return [line for line in generate_latest(REGISTRY).decode().splitlines() if line.startswith("perpstream_drift")]


async def test_a_day_that_agrees_is_a_row_and_a_metric_and_nobody_is_told(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = of_the_day(await record(installation, recorded_days(), untouched))
    nightly = job(installation, monkeypatch)
    assert await nightly.check()
    [found] = await results(installation)
    assert (found.day, found.state, found.reason) == (DAY, "agreed", "")
    assert (found.rows_compared, found.rows_differing, found.first_difference) == (len(said), 0, None)
    assert len(said) > 5
    assert found.evaluations > 2 * 5_000
    assert not await nightly.check()  # the next day is not recorded to its end
    assert nightly.context.details["waits_for"] == ["BTCUSDT", "ETHUSDT"]
    await nightly.tell()
    assert await alerts(installation) == []
    assert f'perpstream_drift_rows{{outcome="same"}} {float(len(said))}' in metrics()
    assert 'perpstream_drift_days{state="agreed"} 1.0' in metrics()
    assert 'perpstream_drift_days_due{service="drift_check"} 1.0' in metrics()
    assert nightly.context.ready


async def test_one_changed_signal_is_found_kept_and_told_once(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed: list[SignalScored] = []

    def edit(found: SignalScored) -> SignalScored:
        if changed or found.state != "emitted":
            return found
        changed.append(found)
        return msgspec.structs.replace(found, score=found.score + 0.5)

    said = of_the_day(await record(installation, recorded_days(), edit))
    nightly = job(installation, monkeypatch)
    assert await nightly.check()
    [found] = await results(installation)
    assert (found.state, found.rows_compared, found.rows_differing) == ("differs", len(said), 1)
    first = json.loads(found.first_difference or "")
    assert (first["signal_id"], first["fields"][0][0]) == (changed[0].event_id, "score")
    assert found.alerted_at is None
    again = job(installation, monkeypatch)  # a restart between the result and its alert
    assert not await again.check()
    await again.tell()
    await again.tell()
    [told] = await alerts(installation)
    assert (told.severity, told.runbook) == ("critical", "docs/operating.md#drift")
    assert "1 with other content" in told.detail
    assert (await results(installation))[0].alerted_at is not None
    assert 'perpstream_drift_rows{outcome="differing"} 1.0' in metrics()


async def test_a_day_without_data_and_one_with_lost_rows_are_not_comparable(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = range(START_MS + DAY_MS, START_MS + 2 * DAY_MS)
    await record(installation, recorded_days(2), untouched, skip=lambda at_ms: at_ms in second)
    [(lost,)] = await installation.all(
        "SELECT agg_id FROM agg_trades WHERE symbol = 'ETHUSDT' ORDER BY agg_id OFFSET 100 LIMIT 1"
    )
    async with installation.engine.begin() as connection:
        await connection.exec_driver_sql(f"DELETE FROM agg_trades WHERE symbol = 'ETHUSDT' AND agg_id = {lost}")
    nightly = job(installation, monkeypatch)
    assert await nightly.check()
    assert await nightly.check()
    assert not await nightly.check()
    await nightly.tell()
    empty, torn = await results(installation)
    assert (torn.state, torn.rows_compared) == ("not_comparable", 0)
    assert torn.reason == "1 trades of ETHUSDT are neither stored nor a hole of the log"
    assert (empty.day, empty.state) == (DAY + dt.timedelta(days=1), "not_comparable")
    assert empty.reason == "the live engine evaluated nothing in this range"
    assert [told.severity for told in await alerts(installation)] == ["warning", "warning"]
    assert 'perpstream_drift_days{state="not_comparable"} 2.0' in metrics()


async def test_a_day_that_nobody_records_any_further_is_compared_as_far_as_it_goes(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = START_MS + 200_000
    said = await record(installation, recorded_days(), untouched, skip=lambda at_ms: at_ms > ended)
    assert await job(installation, monkeypatch, patience=Patience(0)).check()
    [found] = await results(installation)
    assert (found.state, found.rows_compared) == ("agreed", len(said))
    assert "BTCUSDT only from 2024-06-10 00:00:" in found.reason
    assert " to 2024-06-10 00:03:15, as far as its live evaluations are recorded" in found.reason


async def test_a_replay_that_fails_is_tried_again_and_then_said(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(installation, recorded_days(), untouched)

    async def fail(day: dt.date) -> Drift:
        raise ReplayFailed(f"exit code -9: {day}")

    nightly = job(installation, monkeypatch, replay=fail)
    assert [await nightly.check() for _ in range(MOST_TRIES)] == [False] * (MOST_TRIES - 1) + [True]
    [found] = await results(installation)
    assert (found.state, found.reason) == ("not_comparable", f"the replay failed 3 times, exit code -9: {DAY}")


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """A server that takes connections and never says a word."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        yield "{}:{}".format(*server.sockets[0].getsockname()[:2])


async def test_a_broker_that_never_answers_stops_no_check_and_is_told_later(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(installation, recorded_days(2), untouched)

    async def differ(day: dt.date) -> Drift:
        return not_comparable("for the test", day_span(day))

    async def checked() -> bool:
        return len(await results(installation)) == 2

    async with silent_server() as bootstrap:
        nightly = job(installation, monkeypatch, replay=differ, bootstrap=bootstrap, look_seconds=0.05)
        async with beside(nightly.run()):
            await eventually(checked, PATIENCE_SECONDS, lambda: f"checked are {nightly.context.details}")
    assert [check.alerted_at for check in await results(installation)] == [None, None]
    await job(installation, monkeypatch).tell()
    assert [raised.event_time_ms for raised in await alerts(installation)] == [START_MS + DAY_MS, START_MS + 2 * DAY_MS]


async def test_a_replay_that_hangs_is_killed_and_its_day_not_comparable(monkeypatch: pytest.MonkeyPatch) -> None:
    async with silent_server() as address:
        monkeypatch.setenv("PERPSTREAM_DATABASE_URL", f"postgresql+asyncpg://perpstream@{address}/perpstream")
        found = await replayed_day(DAY, limit_seconds=3.6)
    assert found.state == "not_comparable"
    said = "the replay was killed, because it had not ended after 0.001 h (PERPSTREAM_DRIFT_REPLAY_HOURS)"
    assert found.reason == said
    assert (found.start_ms, found.end_ms) == (START_MS, START_MS + DAY_MS)
    assert not [child for child in psutil.Process().children() if "services.backtester" in child.cmdline()]


async def test_killed_in_the_middle_it_leaves_nothing_and_a_restart_does_the_day(
    installation: Installation, tmp_path: Path
) -> None:
    said = of_the_day(await record(installation, recorded_days(), untouched))
    first = start(installation, tmp_path)
    replay = await child_of(first)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    await asyncio.to_thread(psutil.wait_procs, [replay], PATIENCE_SECONDS)
    assert not replay.is_running()
    assert await results(installation) == []
    second = start(installation, tmp_path)

    async def checked() -> bool:
        return bool(await results(installation))

    try:
        await eventually(checked, PATIENCE_SECONDS, (tmp_path / "log").read_text)
    finally:
        second.terminate()
        assert second.wait(20) == 0
    assert [(check.state, check.rows_compared) for check in await results(installation)] == [("agreed", len(said))]
    assert "a day was checked" in (tmp_path / "log").read_text()


def start(installation: Installation, folder: Path) -> "subprocess.Popen[bytes]":
    variables = {
        "PERPSTREAM_DATABASE_URL": database_url(installation),
        "PERPSTREAM_KAFKA_BOOTSTRAP": installation.bootstrap,
        "PERPSTREAM_DRIFT_AT": "00:00",
    }
    with (folder / "log").open("ab") as log:
        command = [sys.executable, "-m", "services.backtester.nightly"]
        return subprocess.Popen(command, env=os.environ | variables, stdout=log, stderr=log)


async def child_of(process: "subprocess.Popen[bytes]") -> psutil.Process:
    """The replay that it has started."""

    async def started() -> bool:
        return bool(psutil.Process(process.pid).children())

    await eventually(started, PATIENCE_SECONDS, lambda: "no replay was started")
    return psutil.Process(process.pid).children()[0]
