"""Whether a command counts: signed by somebody who is trusted, in time, said once, understood; else why not, in a sentence."""

import re
from collections.abc import Container
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from libs.contracts.commands import CommandIssued, command_id, signed_bytes
from libs.trading.commands import COMMANDS, Command, CommandInvalid, read_command

if TYPE_CHECKING:
    from libs.kit.keys import KeyProblem

WhyRefused = Literal[
    "unsigned",
    "unknown_issuer",
    "keys_unreadable",
    "wrong_signature",
    "not_permitted",
    "not_yet_valid",
    "expired",
    "too_long_valid",
    "replayed",
    "invalid",
]
MOST_AHEAD_MS = 5_000
"""How far the clock of whoever issues may be before ours."""
_NONCE = re.compile(r"[0-9a-f]{32}")


class TrustedKeys(Protocol):
    """The keys of those whose commands count; `libs.kit.keys` reads them from a folder."""

    def problem(self, name: str, payload: bytes, signature: str, purpose: str) -> "KeyProblem | None":
        """Why `signature` is not the one of `name` under `payload`, or why that key does not count for `purpose` (the name of a
        command); None when it is and does."""
        ...


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """It changes nothing. `why`: for counting; `sentence`: for people."""

    why: WhyRefused
    sentence: str


def check_command(
    event: CommandIssued, keys: TrustedKeys, seen: Container[str], now_ms: int
) -> Command | CommandRefused:
    """What the command says, if it counts at `now_ms`: ms (UTC) of the machine's clock, not of the venue's, which in a simulated
    market may be another year's.

    The caller has chosen those of its account and target. `seen`: nonces of commands that have counted already; the caller adds
    this one, and keeps it before it obeys, until the command's expiry at least.
    """
    if (signing := _signature(event, keys)) is not None:
        return signing
    if (timing := _time(event, now_ms)) is not None:
        return timing
    if event.nonce in seen:
        return CommandRefused("replayed", f"{event.command} of {event.issued_by} was obeyed before")
    try:
        return read_command(event)
    except CommandInvalid as error:
        return CommandRefused("invalid", str(error))


def _signature(event: CommandIssued, keys: TrustedKeys) -> CommandRefused | None:
    if not event.signature:
        return CommandRefused("unsigned", f"{event.command} is not signed")
    match keys.problem(event.issued_by, signed_bytes(event), event.signature, event.command):
        case "unknown_issuer":
            return CommandRefused(
                "unknown_issuer", f"no key of {event.issued_by[:32]!r} is trusted here: perpstream keys trust"
            )
        case "keys_unreadable":
            return CommandRefused("keys_unreadable", "the folder of trusted keys cannot be read, so nobody is trusted")
        case "wrong_signature":
            return CommandRefused("wrong_signature", f"{event.command} is not signed by {event.issued_by}")
        case "not_permitted":
            return CommandRefused("not_permitted", f"{event.issued_by} may not say {event.command} here")
    if not _NONCE.fullmatch(event.nonce) or event.event_id != command_id(event.issued_by, event.nonce):
        return CommandRefused("invalid", "the nonce is not 32 hexadecimal digits, or the id is not the nonce's")
    return None


def _time(event: CommandIssued, now_ms: int) -> CommandRefused | None:
    if event.issued_at_ms > now_ms + MOST_AHEAD_MS:
        ahead = (event.issued_at_ms - now_ms) / 1000
        return CommandRefused(
            "not_yet_valid", f"{event.command} is of a time {ahead:.1f} s ahead: compare the clocks of both machines"
        )
    if event.expires_at_ms <= now_ms:
        late = (now_ms - event.expires_at_ms) / 1000
        return CommandRefused("expired", f"{event.command} was over {late:.1f} s before it was read")
    most_ms = COMMANDS[event.command].most_valid_ms
    if event.expires_at_ms - event.issued_at_ms > most_ms:
        return CommandRefused("too_long_valid", f"{event.command} may be valid for {most_ms // 1000} s at most")
    return None
