"""What a person's command makes of what the guard remembers: nothing at all unless it is signed, in time, and said once."""

import datetime as dt
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from libs.contracts.commands import CommandIssued
from libs.trading.command_check import CommandRefused, TrustedKeys, check_command
from libs.trading.commands import Command, Flatten, Lock, Pause, Reset, Resume, Unlock
from libs.trading.risk.policy import reset
from services.risk_guard.memory import FlattenWish, Memory

TARGET = "risk_guard"
KEEP_NONCE_MS = 60_000
"""After its expiry a command is refused for that; so long a nonce is kept beyond it, for clocks that go back."""


class Obeyed(NamedTuple):
    """What is remembered then, and what to say now; `result` None: it is said when it is done."""

    memory: Memory
    accepted: bool
    result: str | None
    details: dict[str, str]


def obey(memory: Memory, event: CommandIssued, keys: TrustedKeys, now_ms: int) -> Obeyed:
    """One command of this account to the guard, at `now_ms` of the machine's clock. A refused one changes nothing."""
    checked = check_command(event, keys, memory.nonces, now_ms)
    if isinstance(checked, CommandRefused):
        return Obeyed(memory, accepted=False, result=checked.sentence, details={"why": checked.why})
    nonces = {nonce: until for nonce, until in memory.nonces.items() if until + KEEP_NONCE_MS > now_ms}
    known = msgspec.structs.replace(memory, nonces=nonces | {event.nonce: event.expires_at_ms})
    return _carried_out(known, checked, event, now_ms)


def _carried_out(memory: Memory, command: Command, event: CommandIssued, now_ms: int) -> Obeyed:
    change: Callable[..., Memory] = msgspec.structs.replace
    if isinstance(command, Pause):
        return Obeyed(change(memory, paused=True), True, "nothing is entered until a resume", {})
    if isinstance(command, Resume):
        return _resumed(memory)
    if isinstance(command, Lock):
        return _locked(memory, command)
    if isinstance(command, Unlock):
        locks = {symbol: until for symbol, until in memory.locks.items() if symbol != command.symbol}
        was = "may be entered again" if command.symbol in memory.locks else "was not locked"
        return Obeyed(change(memory, locks=locks), True, f"{command.symbol} {was}", {})
    if isinstance(command, Reset):
        return _reset(memory, command)
    if isinstance(command, Flatten):
        return _flattens(memory, command, event, now_ms)
    return Obeyed(memory, False, f"the guard does not obey {event.command}", {})


def _locked(memory: Memory, command: Lock) -> Obeyed:
    """A lock that lasts longer stays: keys that may lock but not unlock must not let entries in earlier."""
    until_ms = max(command.until_ms, memory.locks.get(command.symbol, 0))
    until = dt.datetime.fromtimestamp(until_ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    words = f"{command.symbol} is not entered until {until}"
    if until_ms > command.until_ms:
        words += ": it was locked for longer already, which only an unlock ends"
    after = msgspec.structs.replace(memory, locks=memory.locks | {command.symbol: until_ms})
    return Obeyed(after, True, words, {"until_ms": str(until_ms)})


def _resumed(memory: Memory) -> Obeyed:
    """A flatten that cannot come to its end, of a symbol that the venue does not have, would block entries for ever."""
    after = msgspec.structs.replace(memory, paused=False, wishes=())
    given_up = "; ".join(f"{wish.symbol or 'everything'} is no longer being flattened" for wish in memory.wishes)
    details = {"given_up": given_up} if given_up else {}
    if memory.state.level == "circuit_break":
        words = f"the pause is over, but circuit break {memory.state.break_number} is not: it needs a reset"
        return Obeyed(after, True, words, details | {"break_number": str(memory.state.break_number)})
    return Obeyed(after, True, "entries again, as far as the rules allow them", details)


def _reset(memory: Memory, command: Reset) -> Obeyed:
    """As of the last look, whose time is the venue's: the machine's may be another one."""
    after = reset(memory.state, command.break_number, memory.state.looked_ms)
    if after is memory.state or after == memory.state:
        now = memory.state
        what = f"it is {now.break_number}" if now.level == "circuit_break" else "there is none"
        words = f"circuit break {command.break_number} is not the present one: {what}"
        return Obeyed(memory, False, words, {"break_number": str(now.break_number)})
    words = f"circuit break {command.break_number} is over, unless its cause is still there"
    return Obeyed(msgspec.structs.replace(memory, state=after), True, words, {})


def _flattens(memory: Memory, command: Flatten, event: CommandIssued, now_ms: int) -> Obeyed:
    """Entries stay paused after everything was flattened: whoever asks for that wants nothing to be opened right after."""
    wish = FlattenWish(command.symbol, event, now_ms)
    wishes = (*(one for one in memory.wishes if one.symbol != command.symbol), wish)
    paused = memory.paused or command.symbol is None
    return Obeyed(msgspec.structs.replace(memory, wishes=wishes, paused=paused), True, None, {})
