"""What people tell services to do, signed by the person who says so, and what the service made of it."""

from typing import ClassVar, Literal

import msgspec

from libs.contracts.event import Event
from libs.contracts.identity import digest

CommandTarget = Literal["executor", "risk_guard"]
CommandName = Literal[
    "pause",
    "resume",
    "flatten",
    "close",
    "move_stop",
    "enter",
    "lock",
    "unlock",
    "reset",
    "sync",
    "cancel",
    "change_config",
]
DOMAIN = b"perpstream command/1\n"
"""Stands before what is signed, so that no signature for anything else is one for a command."""

_encoder = msgspec.json.Encoder(decimal_format="string", order="deterministic")


class CommandIssued(Event, frozen=True, kw_only=True):
    """A person's command to one service of one account; `libs.trading.commands` says what each takes, and who obeys it.

    `issued_by`: the name of the person's key. `nonce`: 32 hexadecimal digits, never used twice. `signature`: Ed25519 (RFC 8032)
    of `signed_bytes`, in base64. Times in ms (UTC) of the clock of whoever issued it; `event_time_ms` is `issued_at_ms`.
    """

    SCHEMA: ClassVar[str] = "command_issued/1"

    account: str
    target: CommandTarget
    command: CommandName
    arguments: dict[str, str]
    reason: str
    issued_by: str
    issued_at_ms: int
    expires_at_ms: int
    nonce: str
    signature: str


class CommandAnswered(Event, frozen=True, kw_only=True):
    """What the service made of a command; `event_id` = f(command, target, accepted, time).

    `accepted` false: it has changed nothing, and `result` is the sentence that says why. `issued_by` is what the command said,
    which a refused one need not have a right to. `details`: figures for scripts, by name.
    """

    SCHEMA: ClassVar[str] = "command_answered/1"

    command_id: str
    account: str
    target: CommandTarget
    issued_by: str
    command: str
    accepted: bool
    result: str
    details: dict[str, str]


def signed_bytes(command: CommandIssued) -> bytes:
    """What the signature is of: `DOMAIN`, then JSON of everything but the signature, keys in order, without spaces.

    From the values and not from the record's bytes, so that whoever reads and obeys them has checked just these.
    """
    fields = {name: getattr(command, name) for name in command.__struct_fields__ if name != "signature"}
    return DOMAIN + _encoder.encode(fields)


def command_id(issued_by: str, nonce: str) -> str:
    """The id of a command: of who says it and its nonce."""
    return digest("command", issued_by, nonce)


def answered(
    command: CommandIssued, result: str, at_ms: int, *, accepted: bool, details: dict[str, str] | None = None
) -> CommandAnswered:
    """The answer to a command; `at_ms`: when it was given, ms (UTC)."""
    return CommandAnswered(
        event_id=digest("answer", command.event_id.replace("|", "/"), command.target, accepted, at_ms),
        event_time_ms=at_ms,
        command_id=command.event_id,
        account=command.account,
        target=command.target,
        issued_by=command.issued_by,
        command=command.command,
        accepted=accepted,
        result=result,
        details=details or {},
    )
