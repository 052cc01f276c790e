"""Every command over the API: who may, what is written down, what reaches the service under our signature, and told what."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from libs.contracts.commands import CommandName
from libs.contracts.topics import EXECUTOR
from libs.contracts.trading import ExecutorReported, LiveTradeChanged
from libs.kit.keys import TrustedFolder
from libs.store.audit import AuditFilter, AuditRow, audit_rows
from libs.store.engine import read_session
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from libs.trading.commands import COMMANDS, Close, Command, Enter, MoveStop
from services.gateway import commands
from tests.services.gateway.house import PASSWORD, Device, House, Said, open_house
from tests.services.processes import eventually
from tests.support.obeying_service import ObeyingService

KEY = "0123456789abcdef"
OUTCOMES = ("command.obeyed", "command.refused", "command.unsaid")


async def rows_of(house: House, name: str) -> list[AuditRow]:
    """What this person did, the newest first."""
    async with read_session(house.engine) as session:
        return await audit_rows(session, AuditFilter(who=name))


@dataclass(frozen=True, slots=True)
class Case:
    """A command as it is asked for. `raises`: it needs the second factor; `role`: the least that may."""

    name: CommandName
    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    raises: bool = False
    role: str = "trader"
    method: str = "POST"


CASES = (
    Case("pause", "/api/risk/pause", {"confirmation": "pause"}),
    Case("resume", "/api/risk/resume", {}, raises=True),
    Case("flatten", "/api/risk/flatten", {"symbol": "all", "confirmation": "flatten all"}),
    Case("lock", "/api/risk/lock", {"symbol": "BTCUSDT", "seconds": 60}),
    Case("unlock", "/api/risk/unlock", {"symbol": "BTCUSDT"}, raises=True),
    Case("reset", "/api/risk/reset", {"break_number": 2}, raises=True),
    Case("close", "/api/live/close", {"symbol": "BTCUSDT", "share": "0.5"}),
    Case("move_stop", "/api/live/move-stop", {"symbol": "BTCUSDT", "price": "60000"}, raises=True),
    Case("enter", "/api/live/enter", {"symbol": "BTCUSDT", "direction": "long", "stop": "60000"}, raises=True),
    Case("cancel", "/api/live/cancel", {"symbol": "BTCUSDT"}),
    Case("sync", "/api/positions/sync", {}),
    Case(
        "change_config",
        "/api/live/config",
        {"base_version": 0, "changes": {"risk_per_trade": "5"}},
        raises=True,
        role="admin",
        method="PUT",
    ),
)


@dataclass
class Desk:
    """A house whose commands reach two services that obey what its key signs."""

    house: House
    bootstrap: str
    keys: TrustedFolder
    services: tuple[ObeyingService, ...]

    @property
    def obeyed(self) -> list[Command]:
        return [each for service in self.services for each in service.obeyed]

    async def audit(self, name: str) -> list[AuditRow]:
        """The commands of this person that were written down."""
        rows = await rows_of(self.house, name)
        return [row for row in rows if row.action.startswith("command.") and row.action not in OUTCOMES]

    async def someone(self, role: Any, *, proven: bool) -> tuple[str, Device]:
        """A person; `proven`: with a second factor that was just given."""
        name, device = await self.house.person(role)
        if proven:
            await self.house.enrol(device)
        return name, device


@pytest.fixture
async def desk(module_database_url: str, empty_kafka: str, tmp_path: Path) -> AsyncIterator[Desk]:
    await ensure_topics(empty_kafka, 1)
    keys = TrustedFolder(tmp_path / "trusted")
    services = tuple(ObeyingService(empty_kafka, keys, target) for target in ("risk_guard", "executor"))
    async with open_house(module_database_url, tmp_path, bootstrap=empty_kafka) as house:
        keys.trust(house.issuer.key.public)
        running = [asyncio.create_task(service.run()) for service in services]
        running.append(asyncio.create_task(house.shared.words.follow(empty_kafka)))
        for service in services:
            await asyncio.wait_for(service.listening.wait(), 60)
        await eventually(partial(_hears, house), 60, lambda: "the topics are not followed")
        yield Desk(house, empty_kafka, keys, services)
        for task in running:
            task.cancel()
        for task in running:
            with suppress(asyncio.CancelledError):
                await task


async def _hears(house: House) -> bool:
    return house.shared.words.following


async def ask(device: Device, case: Case, key: str | None = KEY) -> Said:
    headers = {} if key is None else {"Idempotency_Key": key}
    return await device.ask(case.method, case.path, dict(case.body), **headers)


def test_the_table_has_every_command() -> None:
    assert {case.name for case in CASES} == set(COMMANDS)


async def test_each_command_is_for_those_who_may_written_down_and_obeyed(desk: Desk) -> None:
    people = {
        "viewer": await desk.someone("viewer", proven=True),
        "trader": await desk.someone("trader", proven=True),
        "admin": await desk.someone("admin", proven=True),
    }
    unproven = {role: await desk.someone(role, proven=False) for role in ("trader", "admin")}
    for case in CASES:
        refused = await ask(people["viewer"][1], case)
        assert refused.status == 403, case.name
        if case.role == "admin":
            assert (await ask(people["trader"][1], case)).status == 403
        if case.raises:
            refused = await ask(unproven[case.role][1], case)
            assert (refused.status, refused.body["type"]) == (403, "second-factor-needed"), case.name
        count = len(desk.obeyed)
        name, device = people[case.role] if case.raises else unproven[case.role]
        answer = await ask(device, case, f"{KEY}-{case.name}")
        assert answer.status in (200, 202), (case.name, answer.body)
        state = await told(device, answer.body["command_id"])
        assert (state["command"], state["result"]) == (case.name, f"{case.name} is done")
        assert len(desk.obeyed) == count + 1
        assert type(desk.obeyed[-1]) is COMMANDS[case.name].kind or COMMANDS[case.name].target == "risk_guard"
        row = (await desk.audit(name))[0]
        assert (row.action, row.address) == (f"command.{case.name}", "127.0.0.1")
        assert row.after is not None
        assert row.after["command_id"] == state["command_id"]
        assert row.after["reason"] == state["reason"] == name
    assert not await desk.audit(people["viewer"][0])


async def told(device: Device, command_id: str) -> dict[str, Any]:
    """What became of a command, once it is known."""
    found: list[Said] = []

    async def known() -> bool:
        found.append(await device.get(f"/api/commands/{command_id}"))
        return bool(found[-1].body["state"] != "unknown")

    await eventually(known, 60, lambda: f"no answer: {found[-1].body}")
    return dict(found[-1].body)


async def test_the_same_request_again_is_the_same_command(desk: Desk) -> None:
    _, device = await desk.someone("trader", proven=False)
    case = next(case for case in CASES if case.name == "close")
    without = await ask(device, case, key=None)
    assert without.status == 400
    first, second = await asyncio.gather(ask(device, case), ask(device, case))
    assert first.body["command_id"] == second.body["command_id"]
    await told(device, first.body["command_id"])
    other = await device.post("/api/live/close", {"symbol": "BTCUSDT", "share": "1"}, Idempotency_Key=KEY)
    assert other.status == 409
    _, somebody = await desk.someone("trader", proven=False)
    theirs = await ask(somebody, case)
    assert theirs.body["command_id"] != first.body["command_id"]
    assert len([each for each in desk.obeyed if isinstance(each, Close)]) == 2


async def test_a_service_that_is_silent_is_told_as_unknown_and_one_that_refuses_as_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, device = await desk.someone("trader", proven=False)
    desk.keys.revoke("gateway")
    refused = await device.post("/api/risk/pause", {"confirmation": "pause"})
    assert refused.status == 409
    assert "no key of 'gateway' is trusted" in refused.body["detail"]
    desk.keys.trust(desk.house.issuer.key.public)
    monkeypatch.setattr(commands, "PATIENCE_SECONDS", 0.0)
    unknown = await device.post("/api/live/cancel", {"symbol": "BTCUSDT"})
    assert (unknown.status, unknown.body["state"]) == (202, "unknown")
    assert (await told(device, unknown.body["command_id"]))["state"] == "accepted"


async def test_a_confirmation_must_be_typed(desk: Desk) -> None:
    _, device = await desk.someone("trader", proven=False)
    for path, body in (
        ("/api/risk/pause", {"confirmation": "yes"}),
        ("/api/risk/flatten", {"symbol": "BTCUSDT", "confirmation": "flatten all"}),
    ):
        refused = await device.post(path, body)
        assert refused.status == 400
        assert "to confirm, type" in refused.body["detail"]
    assert desk.obeyed == []


def held(stop: str) -> LiveTradeChanged:
    """A long of BTCUSDT at 100 with its stop."""
    price, one = Decimal(100), Decimal(1)
    return LiveTradeChanged(
        event_id="held",
        event_time_ms=1,
        account="main",
        trade_id="trade-1",
        strategy="v51",
        symbol="BTCUSDT",
        direction="long",
        state="open",
        reason=None,
        quantity=one,
        quantity_left=one,
        entry_price=price,
        exit_price=None,
        stop=Decimal(stop),
        take_profit_1=None,
        take_profit_2=None,
        risk_quote=one,
        pnl_quote=Decimal(0),
        pnl_r=None,
        slippage_bps=None,
        entered_at_ms=1,
        hold_until_ms=None,
    )


async def report(desk: Desk, *trades: LiveTradeChanged) -> None:
    """Let the executor say that it holds these, and wait until it is heard."""
    said = ExecutorReported(
        event_id=f"report-{len(trades)}",
        event_time_ms=1,
        account="main",
        mode="paper",
        epoch=1,
        entries_allowed=True,
        reasons=(),
        reconciled_at_ms=1,
        reconciliation_clean=True,
        config_version=0,
        held=trades,
        orders_last_minute=0,
        heartbeat=1,
    )
    producer = EventProducer(desk.bootstrap, service="test")
    await producer.start()
    await producer.send(EXECUTOR, said, key="main", partition=0)
    await producer.stop()

    async def heard() -> bool:
        found = desk.house.shared.words.executors.get("main")
        return found is not None and found.said.held == trades

    await eventually(heard, 60, lambda: "the report is not heard")


async def test_a_stop_that_comes_closer_needs_no_second_factor_and_names_its_trade(desk: Desk) -> None:
    _, device = await desk.someone("trader", proven=False)
    desk.house.shared.words.clock = StandingClock()
    await report(desk, held("90"))
    closer = await device.post("/api/live/move-stop", {"symbol": "BTCUSDT", "price": "95"})
    assert closer.status == 200, closer.body
    assert desk.obeyed[-1] == MoveStop("BTCUSDT", Decimal(95), "trade-1", only_closer=True)
    wider = await device.post("/api/live/move-stop", {"symbol": "BTCUSDT", "price": "89"})
    assert (wider.status, wider.body["type"]) == (403, "second-factor-needed")
    nothing = await device.post("/api/live/close", {"symbol": "ETHUSDT"}, Idempotency_Key=KEY)
    assert nothing.status == 400
    assert "holds nothing in ETHUSDT" in nothing.body["detail"]


class StandingClock:
    """A clock that never moves: what was heard stays fresh however slow the machine is."""

    def now_ms(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody waits by this clock")


async def test_a_program_reduces_risk_and_never_raises_it(desk: Desk) -> None:
    _, device = await desk.someone("trader", proven=True)
    asked = {"name": "p", "scopes": ["read", "trade"], "days": 1, "password": PASSWORD}
    program = desk.house.device((await device.post("/api/auth/tokens", asked)).body["token"])
    for case in CASES:
        if case.role == "trader":
            answer = await ask(program, case, f"{KEY}-{case.name}")
            assert answer.status == (403 if case.raises else 200), (case.name, answer.body)
    assert not any(isinstance(each, Enter | MoveStop) for each in desk.obeyed)


async def test_a_change_of_limits_is_shown_in_numbers_first_and_not_made_on_top_of_an_unseen_one(desk: Desk) -> None:
    _, device = await desk.someone("admin", proven=True)
    asked = {"base_version": 0, "changes": {"risk_per_trade": "5", "max_positions": "1", "leverage": "2"}}
    shown = await device.post("/api/live/config/preview", asked)
    assert shown.status == 200, shown.body
    assert [one["name"] for one in shown.body["changes"]] == ["risk_per_trade", "max_positions", "leverage"]
    assert shown.body["before"] == {"most_risk": "30", "most_notional": "30000", "most_margin": "6000.00"}
    assert shown.body["after"] == {"most_risk": "5", "most_notional": "10000", "most_margin": "5000.00"}
    assert not shown.body["raises_risk"]
    for wrong in ({"base_version": 3, "changes": {"leverage": "2"}}, {"base_version": 0, "changes": {"nonsense": "2"}}):
        assert (await device.ask("PUT", "/api/live/config", wrong)).status == 400
        assert (await device.post("/api/live/config/preview", wrong)).status == 400
    assert desk.obeyed == []


async def test_without_a_broker_nothing_is_said_and_the_next_try_is_a_first_one(
    module_database_url: str, tmp_path: Path
) -> None:
    async with open_house(module_database_url, tmp_path) as house:
        name, device = await house.person("trader")
        answer = await device.post("/api/risk/pause", {"confirmation": "pause"}, Idempotency_Key=KEY)
        assert answer.status == 503
        assert not house.issuer._said
        unsaid, asked = (await rows_of(house, name))[:2]
        assert (unsaid.action, asked.action, unsaid.target) == ("command.unsaid", "command.pause", "main")
        assert unsaid.after
        assert asked.after
        assert unsaid.after["command_id"] == asked.after["command_id"]
        assert "Kafka does not answer" in unsaid.after["result"]
