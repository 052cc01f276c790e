"""What the audit says of a command: how things stood before it, as far as the gateway had heard, and what became of it."""

import asyncio
import time
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from libs.contracts.commands import CommandAnswered
from libs.contracts.trading import ExecutorReported, PositionChanged, RiskStateChanged
from libs.store.audit import AuditRow
from libs.store.audit_outcomes import write_outcomes
from libs.store.engine import write_session
from services.gateway.issuing import ISSUER
from services.gateway.newest import Heard, Newest
from services.gateway.outcomes import Outcomes, _outcome
from services.gateway.trail import Trail
from tests.services.gateway.test_commands import CASES, KEY, OUTCOMES, Desk, ask, desk, held, rows_of
from tests.services.processes import eventually

__all__ = ["desk"]
TOLD_MS = time.time_ns() // 1_000_000
GUARD = RiskStateChanged(
    event_id="guard",
    event_time_ms=1,
    account="main",
    level="circuit_break",
    entries_allowed=False,
    reasons=("daily_loss",),
    daily_pnl_r=Decimal(-3),
    heartbeat=1,
    break_number=2,
    paused=True,
    locks={"BTCUSDT": TOLD_MS + 60_000},
    measures=(),
)
EXECUTOR = ExecutorReported(
    event_id="executor",
    event_time_ms=1,
    account="main",
    mode="paper",
    epoch=1,
    entries_allowed=False,
    reasons=(),
    reconciled_at_ms=TOLD_MS - 5,
    reconciliation_clean=False,
    config_version=0,
    held=(held("90"),),
    orders_last_minute=0,
    heartbeat=1,
)
SHORT = PositionChanged(
    event_id="position",
    event_time_ms=1,
    account="main",
    symbol="BTCUSDT",
    quantity=Decimal("-0.5"),
    entry_price=Decimal(100),
    mark_price=Decimal(100),
    unrealised_pnl=Decimal(0),
    protected=True,
    signal_id=None,
)
_ALLOWED = {
    "paused": True,
    "level": "circuit_break",
    "entries_allowed": False,
    "break_number": 2,
    "reasons": ["daily_loss"],
    "told_ms": TOLD_MS,
}
_LOCKED = {"locked_until_ms": TOLD_MS + 60_000, "told_ms": TOLD_MS}
_TRADE = {"trade_id": "trade-1", "state": "open", "direction": "long", "quantity_left": "1", "stop": "90"}
_TRADED = {"trade": _TRADE, "entries_allowed": False, "told_ms": TOLD_MS}
BEFORE: dict[str, dict[str, Any]] = {
    "pause": _ALLOWED,
    "resume": _ALLOWED,
    "reset": _ALLOWED,
    "lock": _LOCKED,
    "unlock": _LOCKED,
    "flatten": {"held": {"BTCUSDT": "-0.5"}, "paused": True, "told_ms": TOLD_MS},
    "enter": _TRADED,
    "cancel": _TRADED,
    "sync": {"reconciled_at_ms": TOLD_MS - 5, "reconciliation_clean": False, "told_ms": TOLD_MS},
}


def _hear(words: Newest) -> None:
    words.risk["main"] = Heard(GUARD, TOLD_MS)
    words.executors["main"] = Heard(EXECUTOR, TOLD_MS)
    words.positions["main", "BTCUSDT"] = Heard(SHORT, TOLD_MS)


async def _outcomes(desk: Desk, name: str, count: int) -> list[AuditRow]:
    """The rows that say what became of this person's commands, once there are so many."""
    found: list[AuditRow] = []

    async def are_there() -> bool:
        found[:] = [row for row in await rows_of(desk.house, name) if row.action in OUTCOMES]
        return len(found) >= count

    await eventually(are_there, 60, lambda: f"{len(found)} of {count} outcomes")
    return found


def _following(desk: Desk) -> "asyncio.Task[None]":
    outcomes = Outcomes(desk.house.shared.words, desk.house.application.state.trail)
    return asyncio.create_task(outcomes.follow(desk.house.engine))


async def test_each_command_says_how_things_stood_and_what_became_of_it(desk: Desk) -> None:
    name, device = await desk.someone("trader", proven=True)
    following = _following(desk)
    _hear(desk.house.shared.words)
    cases = [case for case in CASES if case.name in BEFORE]
    assert len(cases) == len(BEFORE)
    try:
        for case in cases:
            assert (await ask(device, case, f"{KEY}-{case.name}")).status in (200, 202), case.name
        outcomes = await _outcomes(desk, name, len(cases))
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    asked = {str(row.after and row.after["command_id"]): row for row in await desk.audit(name)}
    assert {row.action.removeprefix("command."): row.before for row in asked.values()} == BEFORE
    assert len(outcomes) == len(cases)
    for row in outcomes:
        assert row.after is not None
        said = asked[row.after["command_id"]]
        command = said.action.removeprefix("command.")
        assert (row.action, row.after["result"], row.target) == ("command.obeyed", f"{command} is done", said.target)
        assert (row.user_id, row.session_id, row.request_id) == (said.user_id, said.session_id, said.request_id)


async def test_where_nobody_has_spoken_of_the_account_nothing_is_made_up(desk: Desk) -> None:
    name, device = await desk.someone("trader", proven=True)
    for case in (case for case in CASES if case.name in BEFORE):
        await ask(device, case, f"{KEY}-{case.name}")
    assert [row.before for row in await desk.audit(name)] == [None] * len(BEFORE)


async def test_a_command_that_is_refused_says_why_in_the_audit(desk: Desk) -> None:
    name, device = await desk.someone("trader", proven=False)
    desk.keys.revoke(ISSUER)
    following = _following(desk)
    try:
        assert (await device.post("/api/risk/pause", {"confirmation": "pause"})).status == 409
        (row,) = await _outcomes(desk, name, 1)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert row.after is not None
    assert row.action == "command.refused"
    assert "no key of 'gateway' is trusted" in row.after["result"]


def _answer(command_id: str, number: int, *, accepted: bool, account: str = "main") -> CommandAnswered:
    return CommandAnswered(
        event_id=f"answer-{command_id}-{number}",
        event_time_ms=TOLD_MS + number,
        command_id=command_id,
        account=account,
        target="risk_guard",
        issued_by=ISSUER,
        command="pause",
        accepted=accepted,
        result="paused" if accepted else "its nonce was used",
        details={},
    )


async def _write(desk: Desk, answers: Sequence[CommandAnswered]) -> frozenset[str]:
    async with write_session(desk.house.engine) as session:
        return await write_outcomes(session, [_outcome(answer) for answer in answers])


async def test_an_outcome_is_written_once_and_a_second_coming_is_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, device = await desk.someone("trader", proven=False)
    command_id = (await device.post("/api/risk/pause", {"confirmation": "pause"})).body["command_id"]
    strange = _answer(command_id, 0, accepted=False, account="other")
    assert await _write(desk, [strange, _answer("unknown", 0, accepted=True)]) == frozenset()
    answers = [_answer(command_id, 1, accepted=True), _answer(command_id, 2, accepted=False)]
    for _ in range(2):
        assert await _write(desk, answers) == {command_id}
    await asyncio.gather(*(_write(desk, answers) for _ in range(3)))
    assert [row.action for row in await _outcomes(desk, name, 1)] == ["command.obeyed"]


async def test_an_answer_waits_for_the_row_that_is_owed(desk: Desk) -> None:
    name, device = await desk.someone("trader", proven=False)
    answered: CommandAnswered = _answer("f" * 20, 1, accepted=True)
    words, trail = Newest(), Trail()
    words.answers.append(answered)
    outcomes = Outcomes(words, trail)
    real = desk.house.application.state.trail
    command_id = (await device.post("/api/risk/pause", {"confirmation": "pause"})).body["command_id"]
    words.answers.append(_answer(command_id, 3, accepted=True))
    trail.owed.append(object())  # type: ignore[arg-type]
    await outcomes.write(desk.house.engine)
    assert outcomes._done == {f"answer-{command_id}-3"}, "the other's row may still come"
    trail.owed.clear()
    await outcomes.write(desk.house.engine)
    assert outcomes._done == {answer.event_id for answer in words.answers}
    words.answers.clear()
    await outcomes.write(desk.house.engine)
    assert not real.owed
    await eventually(partial(_outcome_is_there, desk, name), 20, lambda: "no outcome")


async def _outcome_is_there(desk: Desk, name: str) -> bool:
    return [row.action for row in await rows_of(desk.house, name) if row.action in OUTCOMES] == ["command.obeyed"]
