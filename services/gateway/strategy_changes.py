"""Putting a strategy in force and out of it: checked, shown as differences, audited, said in the log, and the engines heard."""

import json
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request

from libs.kit.errors import UnreachableError
from libs.store.audit import Change
from libs.streaming.strategies.activation import By, Files, Plan, plan_of, withdrawal
from libs.streaming.strategies.answers import Verdict
from libs.streaming.strategies.files import check_files
from libs.streaming.strategies.log import NotAcknowledged, Standing, Word, publish_and_hear, read_standing
from libs.trading.differences import Difference, differences
from libs.trading.strategy import Strategy
from services.gateway.access import Administrator, Person, Trader, access_of
from services.gateway.auditing import actor_of
from services.gateway.commands import require_typed
from services.gateway.issuing import Issuer
from services.gateway.models.base import Problem
from services.gateway.models.strategy_changes import (
    FieldDifference,
    StrategyActivation,
    StrategyChanged,
    StrategyCheck,
    StrategyText,
    StrategyWithdrawal,
)
from services.gateway.problems import SIGNING_IN_RESPONSES, BadRequest, Conflict, NotFound
from services.gateway.risk_commands import RAISES_RISK

router = APIRouter(prefix="/api/strategies", tags=["strategies"], responses=SIGNING_IN_RESPONSES)
# How a definition that came over the API is called in the lines about it; it belongs to no folder.
_TEXT, _FOLDER = FilePath("definition"), FilePath("strategies")
Name = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,31}$", examples=["v51"])]
_UNREADABLE: dict[int | str, dict[str, Any]] = {400: {"model": Problem, "description": "It is no strategy"}}


@router.post("/validate", operation_id="postStrategyValidation", response_model=StrategyCheck)
async def validate(request: Request, person: Trader, asked: StrategyText) -> StrategyCheck:
    """What putting this in force would change, and why it cannot be; it changes nothing."""
    standing = await read_standing(_bootstrap(request))
    text = _text(asked)
    strategy = check_files({_TEXT: text}).strategies.get(_TEXT)
    plan = _plan(text, standing, By(person.name, by_hand=True))
    word = None if strategy is None else standing.last.get(strategy.name)
    return StrategyCheck(
        strategy=None if strategy is None else strategy.name,
        version=None if strategy is None else strategy.version,
        version_in_force=None if word is None or not word.enabled else word.strategy.version,
        problems=(*plan.problems, *plan.waits),
        changes=plan.changes,
        differences=() if word is None or strategy is None else _differences(word.strategy, strategy),
    )


@router.post(
    "/activate", operation_id="postStrategyActivation", response_model=StrategyChanged, dependencies=RAISES_RISK
)
async def activate(request: Request, person: Administrator, asked: StrategyActivation) -> StrategyChanged:
    """Put it in force, from one evaluation on. The strategies' folder undoes it only with a higher version. Needs the second
    factor."""
    standing = await read_standing(_bootstrap(request))
    text = _text(asked)
    strategy = check_files({_TEXT: text}).strategies.get(_TEXT)
    plan = _plan(text, standing, By(person.name, asked.reason, by_hand=True))
    if plan.problems or strategy is None:
        raise BadRequest("; ".join(plan.problems))
    word = standing.last.get(strategy.name)
    found = () if word is None else differences(word.strategy, strategy)
    before = None if word is None else _stood(word) | {"fields": {each.field: each.before for each in found}}
    after = {"version": strategy.version, "enabled": True, "fields": {each.field: each.after for each in found}}
    after |= {"changes": plan.changes, "reason": asked.reason}
    change = Change("strategy.activate", strategy.name, before, after)
    return await _say(request, person, plan, change, strategy.version)


@router.post("/{strategy}/withdraw", operation_id="postStrategyWithdrawal", response_model=StrategyChanged)
async def withdraw(request: Request, person: Trader, strategy: Name, asked: StrategyWithdrawal) -> StrategyChanged:
    """Take it out of force: it is scored on, and its signals are refused."""
    require_typed(asked.confirmation, f"withdraw {strategy}")
    word = (await read_standing(_bootstrap(request))).last.get(strategy)
    if word is None or not word.enabled:
        raise NotFound(f"{strategy} is not in force")
    plan = withdrawal(word, By(person.name, asked.reason, by_hand=True))
    version = word.strategy.version
    after = {"version": version, "enabled": False, "reason": asked.reason}
    change = Change("strategy.withdraw", strategy, _stood(word), after)
    return await _say(request, person, plan, change, version)


async def _say(request: Request, person: Person, plan: Plan, change: Change, version: int) -> StrategyChanged:
    name = str(change.target)
    if not plan.news:
        return StrategyChanged(strategy=name, version=version, state="unchanged", reason="", changes=())
    trail = request.app.state.trail
    raises = change.action == "strategy.activate"
    await trail.write(access_of(request).engine, actor_of(request, person), change, must=raises)
    verdict = await _heard(request, person, plan, change)
    if verdict.state == "refused":
        raise Conflict(f"not in force: {verdict.refusal(plan.news[0])}; what it took before stays")
    return StrategyChanged(
        strategy=name, version=version, state=verdict.state, reason=verdict.reason, changes=plan.changes
    )


async def _heard(request: Request, person: Person, plan: Plan, change: Change) -> Verdict:
    """Say it; what the engines made of it, which the audit is told too."""

    async def tell(state: str, reason: str) -> None:
        said = Change(f"strategy.{state}", change.target, None, {"of": change.action, "result": reason})
        engine, actor = access_of(request).engine, actor_of(request, person)
        await request.app.state.trail.write(engine, actor, said, must=False)

    try:
        verdict = (await publish_and_hear(_bootstrap(request), plan.news, "gateway"))[str(change.target)]
    except UnreachableError as error:
        await tell("unanswered" if isinstance(error, NotAcknowledged) else "unsaid", error.advice.what)
        raise
    await tell(verdict.state, verdict.reason)
    return verdict


def _stood(word: Word) -> dict[str, Any]:
    return {"version": word.strategy.version, "enabled": word.enabled}


def _text(asked: StrategyText) -> bytes:
    return json.dumps(asked.definition).encode()


def _plan(text: bytes, standing: Standing, by: By) -> Plan:
    return plan_of(Files({_TEXT: text}, _FOLDER, whole=False), standing, by)


def _differences(before: Strategy, after: Strategy) -> tuple[FieldDifference, ...]:
    return tuple(_difference(each) for each in differences(before, after))


def _difference(each: Difference) -> FieldDifference:
    return FieldDifference(field=each.field, before=each.before, after=each.after, words=str(each))


def _bootstrap(request: Request) -> str:
    issuer: Issuer | None = request.app.state.issuer
    if issuer is None:
        raise UnreachableError("this gateway tells nobody anything", todo="start it with a broker")
    return issuer.desk.bootstrap
