"""The routes about risk: the guard's state from its topic, and what people told it and what it raised."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from libs.contracts.commands import CommandAnswered, CommandIssued
from libs.contracts.trading import AlertRaised
from services.gateway.asking import PLAIN, Shared, TimeMs, answer, check_span
from services.gateway.live_accounts import AccountQuery, heartbeat, known_account
from services.gateway.models.risk import MeasureAnswer, Risk, RiskHistory, RiskHistoryRow, RiskOfAccount
from services.gateway.newest import Newest
from services.gateway.paging import LISTED, csv_of, wants_csv
from services.gateway.problems import RESPONSES
from services.gateway.shared import Gateway

SOURCES = ("risk_guard", "executor")
router = APIRouter(prefix="/api/risk", responses=RESPONSES, tags=["risk"])


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which lines, as asked."""

    account: AccountQuery = None
    start: Annotated[TimeMs | None, Query(alias="from", description="First instant, ms")] = None
    end: Annotated[TimeMs | None, Query(alias="to", description="Instant after the last, ms")] = None
    limit: Annotated[int, Query(ge=1, le=2000, description="The newest so many"), PLAIN] = 100
    format: Annotated[str | None, Query(pattern="^(json|csv)$")] = None


@router.get("", operation_id="getRisk", response_model=Risk)
async def risk(request: Request, shared: Shared) -> Response:
    """What the guard of each account says now, and what each of its rules sees."""
    names = sorted({shared.account, *shared.words.risk})
    return answer(request, Risk(accounts=tuple(_of(shared, name) for name in names)), 1)


@router.get("/history", operation_id="getRiskHistory", response_model=RiskHistory, responses=LISTED)
async def history(request: Request, shared: Shared, asked: Annotated[HistoryQuery, Depends()]) -> Response:
    """Commands with who said them, why, and what became of them, and alarms of guard and executor; newest first."""
    check_span(asked.start, asked.end)
    account = await known_account(shared, asked.account)
    lines = [
        line
        for line in lines_of(shared.words, account)
        if (asked.start is None or line.time_ms >= asked.start) and (asked.end is None or line.time_ms < asked.end)
    ]
    newest = tuple(sorted(lines, key=lambda line: line.time_ms, reverse=True)[: asked.limit])
    if wants_csv(request, asked.format):
        return csv_of(RiskHistoryRow, newest, "risk_history")
    return answer(request, RiskHistory(rows=newest), 1)


def lines_of(words: Newest, account: str) -> list[RiskHistoryRow]:
    """Of an account's commands, and all alarms: they name no account."""
    answers: dict[str, CommandAnswered] = {}
    for one in words.answers:  # of a command that was said again, the first answer is that of the one that counted
        answers.setdefault(one.command_id, one)
    lines = [_of_command(one, answers.get(one.event_id)) for one in words.commands if one.account == account]
    return lines + [_of_alarm(one) for one in words.alerts.values() if one.source in SOURCES]


def _of(shared: Gateway, account: str) -> RiskOfAccount:
    heard = shared.words.risk.get(account)
    guard = heartbeat(shared, heard)
    said = None if heard is None else heard.said
    measures = () if said is None else said.measures
    return RiskOfAccount(
        account=account,
        guard=guard,
        level=None if said is None else said.level,
        entries_allowed=said is not None and said.entries_allowed and not guard.silent,
        reasons=(*(() if said is None else said.reasons), *(("the risk guard is silent",) if guard.silent else ())),
        daily_pnl_r=None if said is None else said.daily_pnl_r,
        break_number=None if said is None else said.break_number,
        paused=None if said is None else said.paused,
        locks={} if said is None else said.locks,
        measures=tuple(
            MeasureAnswer(**{name: getattr(one, name) for name in one.__struct_fields__}) for one in measures
        ),
    )


def _of_command(command: CommandIssued, told: CommandAnswered | None) -> RiskHistoryRow:
    outcome: Literal["accepted", "refused", "unanswered"] = "unanswered"
    if told is not None:
        outcome = "accepted" if told.accepted else "refused"
    return RiskHistoryRow(
        time_ms=command.issued_at_ms,
        kind="command",
        who=command.issued_by,
        what=command.command,
        arguments=command.arguments,
        outcome=outcome,
        words=told.result if told is not None else f"{command.target} has said nothing",
        reason=command.reason,
    )


def _of_alarm(alarm: AlertRaised) -> RiskHistoryRow:
    return RiskHistoryRow(
        time_ms=alarm.event_time_ms,
        kind="alarm",
        who=alarm.source,
        what=alarm.title,
        arguments={},
        outcome=alarm.severity,
        words=alarm.detail,
        reason="",
    )
