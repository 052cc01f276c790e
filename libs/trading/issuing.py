"""Making a command: checked as whoever obeys it checks it, and signed by its issuer; for every way in that people have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from libs.contracts.commands import CommandIssued, CommandName, command_id, signed_bytes
from libs.trading.commands import COMMANDS, read_command


class Signer(Protocol):
    """An issuer's key; `libs.kit.keys` reads them from files."""

    @property
    def name(self) -> str:
        """Under which it is trusted."""
        ...

    def sign(self, payload: bytes) -> str:
        """The signature of these bytes, in base64."""
        ...


@dataclass(frozen=True, slots=True)
class Wish:
    """A command before it is anybody's."""

    account: str
    name: CommandName
    arguments: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


def signed_command(wish: Wish, signer: Signer, now_ms: int, nonce: str) -> CommandIssued:
    """The command of this issuer, valid from `now_ms` (ms, UTC) for as long as its kind may be; `nonce`: 32 hexadecimal digits
    that were never used. Raises `CommandInvalid` for arguments that no service would take."""
    row = COMMANDS[wish.name]
    command = CommandIssued(
        event_id=command_id(signer.name, nonce),
        event_time_ms=now_ms,
        account=wish.account,
        target=row.target,
        command=wish.name,
        arguments=dict(wish.arguments),
        reason=wish.reason,
        issued_by=signer.name,
        issued_at_ms=now_ms,
        expires_at_ms=now_ms + row.most_valid_ms,
        nonce=nonce,
        signature="",
    )
    read_command(command)
    return msgspec.structs.replace(command, signature=signer.sign(signed_bytes(command)))
