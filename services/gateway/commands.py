"""Carrying out what a person tells guard or executor: written down, signed, said, its answer awaited, or asked for later."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request
from fastapi.responses import JSONResponse, Response

from libs.contracts.commands import CommandIssued, CommandName, command_id
from libs.contracts.trading import LiveTradeChanged
from libs.kit.errors import UnreachableError
from libs.store.audit import Change
from libs.trading.commands import ALL, COMMANDS, CommandInvalid
from libs.trading.issuing import Wish
from services.gateway.access import Administrator, Person, Reader, Trader, access_of
from services.gateway.auditing import actor_of
from services.gateway.issuing import ISSUER, Issuer, Said, nonce_of
from services.gateway.models.base import Problem
from services.gateway.models.commands import Command, CommandState
from services.gateway.newest import HEARTBEAT_MS
from services.gateway.pace import MOST_FLATTENS, Pace, too_fast
from services.gateway.problems import RESPONSES, SIGNED_IN_RESPONSES, BadRequest, Conflict, NotFound
from services.gateway.shared import Gateway
from services.gateway.standing_before import before_of

router = APIRouter(prefix="/api/commands", tags=["commands"])
PATIENCE_SECONDS = 8.0
# What is answered only when it has been done.
LONG_SECONDS: Mapping[CommandName, float] = {"flatten": 20.0, "sync": 30.0}
RESPONSES_OF_COMMANDS: dict[int | str, dict[str, Any]] = {
    **RESPONSES,
    **SIGNED_IN_RESPONSES,
    202: {"model": CommandState, "description": "No answer yet: ask GET /api/commands/{id}; do not say it anew"},
    409: {"model": Problem, "description": "It was refused and changed nothing, or its idempotency key is another's"},
    413: {"model": Problem, "description": "The request is too large"},
    503: {"model": Problem, "description": "Kafka or the database does not answer: nothing was said"},
}
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[A-Za-z0-9_.:-]{8,64}$",
        examples=["7d0c5b1e-2f64-4b0e-9a51-3a1a6f0f2b11"],
        description="The same key again is the same command, which is said once only",
    ),
]


@dataclass(frozen=True, slots=True)
class Telling:
    """A request that tells a service something."""

    request: Request
    person: Person
    key: str | None

    @property
    def shared(self) -> Gateway:
        shared: Gateway = self.request.app.state.gateway
        return shared

    @property
    def pace(self) -> Pace:
        pace: Pace = self.request.app.state.pace
        return pace

    @property
    def issuer(self) -> Issuer:
        issuer: Issuer | None = self.request.app.state.issuer
        if issuer is None:
            raise UnreachableError("this gateway tells nobody anything", todo="start it with a broker")
        return issuer

    def require_key(self) -> None:
        """Raises `BadRequest` without an idempotency key: whoever asks twice because no answer came must not trade twice."""
        if self.key is None:
            raise BadRequest("send an Idempotency-Key header with this, and the same one when you try again")


@dataclass(frozen=True, slots=True)
class Filling:
    """What is added to a command as things stand now, and what the audit keeps of how they stood."""

    arguments: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, Any] | None = None


Filled = Callable[[], Awaitable[Filling]]


async def _trader(request: Request, person: Trader, key: IdempotencyKey = None) -> Telling:
    return Telling(request, person, key)


async def _administrator(request: Request, person: Administrator, key: IdempotencyKey = None) -> Telling:
    return Telling(request, person, key)


TraderTells = Annotated[Telling, Depends(_trader)]
AdministratorTells = Annotated[Telling, Depends(_administrator)]


def require_typed(given: str, wanted: str) -> None:
    """Raises `BadRequest` where the confirmation was not typed."""
    if given.strip().lower() != wanted.lower():
        raise BadRequest(f"to confirm, type: {wanted}")


def held_trade(shared: Gateway, account: str, symbol: str) -> LiveTradeChanged | None:
    """The trade that the executor holds in the symbol; None when it is silent. Raises `BadRequest` where it holds none."""
    heard = shared.words.executors.get(account)
    if heard is None or heard.age_ms(shared.words.clock.now_ms()) > HEARTBEAT_MS:
        return None
    found = next((trade for trade in heard.said.held if trade.symbol == symbol), None)
    if found is None:
        raise BadRequest(f"account {account} holds nothing in {symbol}")
    return found


def wish_of(telling: Telling, asked: Command, name: CommandName, arguments: Mapping[str, str | None]) -> Wish:
    """The command that was asked for; its reason names who did."""
    given = {key: value for key, value in arguments.items() if value is not None}
    person = telling.person
    who = person.name if person.token_id is None else f"{person.name} (token {person.token_id})"
    reason = f"{who}: {asked.reason}" if asked.reason else who
    return Wish(asked.account or telling.shared.account, name, given, reason)


async def carry_out(telling: Telling, wish: Wish, filled: Filled | None = None) -> Response:
    """Write it down, say it, and tell what became of it. The same request again is told the same, and nothing is said anew.

    `filled`: what else is asked, and checked, when it is said for the first time.
    """
    issuer, nonce = telling.issuer, nonce_of(telling.person.user_id, telling.key or secrets.token_hex(16))
    said = issuer.known(command_id(ISSUER, nonce))
    if said is None:
        said = _under_way(telling, wish)
    elif not _is_same(said.command, wish):
        raise Conflict("this idempotency key was used for something else")
    if said is None:
        said = await _say(telling, wish, nonce, await filled() if filled is not None else Filling())
    return _told(await issuer.hear(said.command.event_id, LONG_SECONDS.get(wish.name, PATIENCE_SECONDS)))


def _under_way(telling: Telling, wish: Wish) -> Said | None:
    """None: it is to be said. Who says too much raises `TooMany`, but for a flatten, which is never refused for that: then it is
    the one that is under way, if it is the same, and otherwise said."""
    wait = telling.pace.wait(telling.person, wish)
    if not wait:
        return None
    if wish.name != "flatten":
        raise too_fast(wait)
    running = telling.issuer.unanswered("flatten", wish.account)
    same = [each for each in running if each.command.arguments == wish.arguments]
    if not same and wish.arguments["symbol"] != ALL and len(running) >= MOST_FLATTENS:
        raise too_fast(wait)
    return same[-1] if same else None


async def _say(telling: Telling, wish: Wish, nonce: str, filling: Filling) -> Said:
    issuer = telling.issuer
    try:
        command = issuer.signed(replace(wish, arguments={**wish.arguments, **filling.arguments}), nonce)
    except CommandInvalid as error:
        raise BadRequest(str(error)) from None
    if (said := issuer.known(command.event_id)) is not None:  # the same request was faster meanwhile
        return said
    said = issuer.begin(command)
    try:
        before = before_of(telling.shared.words, wish) if filling.before is None else filling.before
        await _write_down(telling, command, before)
        await _append(telling, command)
    except BaseException:
        issuer.give_up(command)
        raise
    return said


def _is_same(command: CommandIssued, wish: Wish) -> bool:
    """Whether the command is the one that is wished for; what was filled in then is not asked again."""
    asked = (wish.account, wish.name, wish.reason)
    return (command.account, command.command, command.reason) == asked and (
        wish.arguments.items() <= command.arguments.items()
    )


async def _write_down(telling: Telling, command: CommandIssued, before: Mapping[str, Any] | None) -> None:
    """The audit's row, before anything is said. What reduces risk does not wait for a database that is away: its row is written
    when it is back, and the signed record names the person too."""
    after = {
        "account": command.account,
        "command_id": command.event_id,
        "arguments": command.arguments,
        "reason": command.reason,
        "issued_ms": command.issued_at_ms,
    }
    target = command.arguments.get("symbol", command.account)
    change = Change(f"command.{command.command}", target, before, after)
    trail = telling.request.app.state.trail
    await trail.write(
        access_of(telling.request).engine,
        actor_of(telling.request, telling.person),
        change,
        must=COMMANDS[command.command].raises_risk,
    )


async def _append(telling: Telling, command: CommandIssued) -> None:
    """Say it. The row that stands there already is not left without an end when nothing could be sent."""
    try:
        await telling.issuer.say(command)
    except UnreachableError as error:
        after = {"command_id": command.event_id, "command": command.command, "result": error.advice.what}
        change = Change("command.unsaid", command.arguments.get("symbol", command.account), None, after)
        trail, actor = telling.request.app.state.trail, actor_of(telling.request, telling.person)
        await trail.write(access_of(telling.request).engine, actor, change, must=False)
        raise


def _told(said: Said) -> Response:
    if said.answer is not None and not said.answer.accepted:
        raise Conflict(said.answer.result)
    state = state_of(said)
    return JSONResponse(
        state.model_dump(),
        202 if state.state == "unknown" else 200,
        {"Cache-Control": "no-store", "Location": f"/api/commands/{state.command_id}"},
    )


def state_of(said: Said) -> CommandState:
    """As the API tells it."""
    command, answer = said.command, said.answer
    return CommandState(
        command_id=command.event_id,
        account=command.account,
        target=command.target,
        command=command.command,
        arguments=command.arguments,
        reason=command.reason,
        issued_by=command.issued_by,
        issued_ms=command.issued_at_ms,
        expires_ms=command.expires_at_ms,
        state="unknown" if answer is None else "accepted" if answer.accepted else "refused",
        result=None if answer is None else answer.result,
        details={} if answer is None else answer.details,
    )


@router.get(
    "/{command_id}",
    operation_id="getCommand",
    response_model=CommandState,
    responses={**RESPONSES, **SIGNED_IN_RESPONSES, 404: {"model": Problem, "description": "Nobody has said this"}},
)
async def command(
    request: Request,
    person: Reader,
    name: Annotated[str, Path(alias="command_id", pattern=r"^[0-9a-f]{20}$", examples=["b1946ac92492d2347c62"])],
) -> CommandState:
    """A command of the last ones, whoever said it, and what became of it."""
    issuer: Issuer | None = request.app.state.issuer
    said = None if issuer is None else issuer.known(name)
    if said is None:
        raise NotFound("no such command is among the last ones: `perpstream risk history` knows older ones")
    return state_of(said)
