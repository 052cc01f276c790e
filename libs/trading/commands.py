"""What a person may tell executor and risk guard: one table of commands with who obeys, what each takes, and what raises risk.

A command that raises risk is over after a minute: nobody wants yesterday's entry. Prices are quote units per base unit,
quantities base units, amounts quote units, times ms (UTC).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from libs.contracts.commands import CommandIssued, CommandName, CommandTarget
from libs.contracts.plausible import LATEST_MS, wrong_symbol

RISK_VALID_MS = 60_000
OTHER_VALID_MS = 600_000
LONGEST_LOCK_MS = 31 * 86_400_000
ALL = "all"
"""In the place of a symbol: every one of the account."""
BASE_VERSION = "base_version"
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,18})?")
_INTEGER = re.compile(r"[0-9]{1,15}")
_TRADE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_SETTING = re.compile(r"[a-z_]{1,40}(\.[A-Z0-9]{2,24}\.[a-z_]{1,40})?")


class CommandInvalid(ValueError):
    """The arguments are none of this command's; the text is a sentence for whoever issued it."""


@dataclass(frozen=True, slots=True)
class Pause:
    """No entries until a resume; exits and stops go on."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Entries again, as far as the rules allow them; it ends a pause, not a circuit break."""


@dataclass(frozen=True, slots=True)
class Flatten:
    """Close a symbol, or with None everything, at market, and cancel what would open there."""

    symbol: str | None


@dataclass(frozen=True, slots=True)
class Lock:
    """No entries in a symbol until then; a longer lock stays, and only `unlock` shortens it."""

    symbol: str
    until_ms: int


@dataclass(frozen=True, slots=True)
class Unlock:
    """Entries in a symbol again."""

    symbol: str


@dataclass(frozen=True, slots=True)
class Reset:
    """End the circuit break of this number; where another has come since, nothing changes."""

    break_number: int


@dataclass(frozen=True, slots=True)
class Close:
    """Close the position in a symbol at market: a share of it, above 0 and at most 1, or a quantity; one of the two is not None.
    `trade_id`: only if it is that trade's."""

    symbol: str
    share: Decimal | None = None
    quantity: Decimal | None = None
    trade_id: str | None = None


@dataclass(frozen=True, slots=True)
class MoveStop:
    """Replace the stop of the position in a symbol; R stays what it was. `trade_id`: only if it is that trade's. `only_closer`:
    only if it may not lose more then than now, as the executor sees it when it obeys."""

    symbol: str
    price: Decimal
    trade_id: str | None = None
    only_closer: bool = False


@dataclass(frozen=True, slots=True)
class Enter:
    """Enter at market by hand, through the same checks as a signal. `risk`: 1 R in quote units, None: as configured,
    which is also the most."""

    symbol: str
    direction: Literal["long", "short"]
    stop: Decimal
    take_profit_1: Decimal | None = None
    take_profit_2: Decimal | None = None
    risk: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Give up an entry in a symbol that is not filled yet; what is filled stays and is protected."""

    symbol: str


@dataclass(frozen=True, slots=True)
class Sync:
    """Reconcile with the venue now, and say what differed."""


@dataclass(frozen=True, slots=True)
class ChangeConfig:
    """Change what may trade, from this version of the configuration to the next. `changes`: new value by name; a symbol's own is
    `overrides.SYMBOL.NAME`."""

    base_version: int
    changes: Mapping[str, str] = field(default_factory=dict)


Command = Pause | Resume | Flatten | Lock | Unlock | Reset | Close | MoveStop | Enter | Cancel | Sync | ChangeConfig
_Read = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class CommandKind:
    """A row of the table. `arguments` and `optional`: how each is read, by name, which is also the field of `kind`."""

    kind: type[Any]
    target: CommandTarget
    raises_risk: bool
    arguments: Mapping[str, _Read] = field(default_factory=dict)
    optional: Mapping[str, _Read] = field(default_factory=dict)

    @property
    def most_valid_ms(self) -> int:
        """How long after it was issued it may be obeyed, at most."""
        return RISK_VALID_MS if self.raises_risk else OTHER_VALID_MS


def read_command(event: CommandIssued) -> Command:
    """What the command says, checked; not whose it is (`libs.trading.command_check`).

    Raises `CommandInvalid` for another service's command, and arguments that are missing, unknown, or cannot be meant.
    """
    row = COMMANDS[event.command]
    if event.target != row.target:
        raise CommandInvalid(f"{event.command} is not for {event.target}: {row.target} obeys it")
    found = _change(event.arguments) if row.kind is ChangeConfig else row.kind(**_arguments(event, row))
    _agree(found, event)
    return found


def _arguments(event: CommandIssued, row: CommandKind) -> dict[str, Any]:
    known = {**row.arguments, **row.optional}
    if unknown := sorted(event.arguments.keys() - known.keys()):
        raise CommandInvalid(f"{event.command} has no {unknown[0]}; it takes {', '.join(known) or 'nothing'}")
    if missing := [name for name in row.arguments if name not in event.arguments]:
        raise CommandInvalid(f"{event.command} needs {missing[0]}")
    return {name: _read(name, text, known[name]) for name, text in event.arguments.items()}


def _change(arguments: Mapping[str, str]) -> ChangeConfig:
    changes = dict(arguments)
    if (version := changes.pop(BASE_VERSION, None)) is None:
        raise CommandInvalid(f"change_config needs {BASE_VERSION}")
    if not changes:
        raise CommandInvalid("change_config changes nothing")
    for name in changes:
        if not _SETTING.fullmatch(name):
            raise CommandInvalid(f"{name[:60]!r} is no name of a setting")
    return ChangeConfig(_read(BASE_VERSION, version, _whole), changes)


def _agree(command: Command, event: CommandIssued) -> None:
    """What must fit together."""
    if isinstance(command, Close) and (command.share is None) == (command.quantity is None):
        raise CommandInvalid("close needs either share or quantity, one of them")
    if isinstance(command, Lock) and not 0 < command.until_ms - event.issued_at_ms <= LONGEST_LOCK_MS:
        raise CommandInvalid("until_ms is not after the command, or more than 31 days after it")
    if isinstance(command, Enter):
        levels = (command.stop, command.take_profit_1, command.take_profit_2)
        known = [level for level in levels if level is not None]
        if command.take_profit_2 is not None and command.take_profit_1 is None:
            raise CommandInvalid("take_profit_2 needs take_profit_1")
        if len(set(known)) < len(known) or known != sorted(known, reverse=command.direction == "short"):
            order = "rise" if command.direction == "long" else "fall"
            raise CommandInvalid(f"of a {command.direction}, stop, take_profit_1 and take_profit_2 must {order}")


def _read(name: str, text: str, read: _Read) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise CommandInvalid(f"{name} {error}") from None


def _symbol(text: str) -> str:
    if (what := wrong_symbol(text)) is not None:
        raise ValueError(what)
    return text


def _symbol_or_all(text: str) -> str | None:
    return None if text == ALL else _symbol(text)


def _positive(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text) or (number := Decimal(text)) <= 0:
        raise ValueError(f"{text[:40]!r} is no number above 0")
    return number


def _share(text: str) -> Decimal:
    if (number := _positive(text)) > 1:
        raise ValueError(f"{text} is more than the whole, which is 1")
    return number


def _whole(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no whole number")
    return int(text)


def _time(text: str) -> int:
    if (number := _whole(text)) >= LATEST_MS:
        raise ValueError(f"{text} is no time between 1970 and 2100")
    return number


def _direction(text: str) -> str:
    if text not in ("long", "short"):
        raise ValueError(f"{text[:40]!r} is neither long nor short")
    return text


def _true(text: str) -> bool:
    if text != "true":
        raise ValueError(f"{text[:40]!r} is not true: leave it out")
    return True


def _trade(text: str) -> str:
    if not _TRADE.fullmatch(text):
        raise ValueError(f"{text[:64]!r} is no id of a trade")
    return text


COMMANDS: Mapping[CommandName, CommandKind] = {
    "pause": CommandKind(Pause, "risk_guard", raises_risk=False),
    "resume": CommandKind(Resume, "risk_guard", raises_risk=True),
    "flatten": CommandKind(Flatten, "risk_guard", raises_risk=False, arguments={"symbol": _symbol_or_all}),
    "lock": CommandKind(Lock, "risk_guard", raises_risk=False, arguments={"symbol": _symbol, "until_ms": _time}),
    "unlock": CommandKind(Unlock, "risk_guard", raises_risk=True, arguments={"symbol": _symbol}),
    "reset": CommandKind(Reset, "risk_guard", raises_risk=True, arguments={"break_number": _whole}),
    "close": CommandKind(
        Close,
        "executor",
        raises_risk=False,
        arguments={"symbol": _symbol},
        optional={"share": _share, "quantity": _positive, "trade_id": _trade},
    ),
    # Only the executor knows whether it widens, so that it always counts as if it did; `only_closer` makes sure that it does not.
    "move_stop": CommandKind(
        MoveStop,
        "executor",
        raises_risk=True,
        arguments={"symbol": _symbol, "price": _positive},
        optional={"trade_id": _trade, "only_closer": _true},
    ),
    "enter": CommandKind(
        Enter,
        "executor",
        raises_risk=True,
        arguments={"symbol": _symbol, "direction": _direction, "stop": _positive},
        optional={"take_profit_1": _positive, "take_profit_2": _positive, "risk": _positive},
    ),
    "cancel": CommandKind(Cancel, "executor", raises_risk=False, arguments={"symbol": _symbol}),
    "sync": CommandKind(Sync, "executor", raises_risk=False),
    # Beside these, any setting by its name.
    "change_config": CommandKind(ChangeConfig, "executor", raises_risk=True, arguments={BASE_VERSION: _whole}),
}
"""Every command there is."""
RISK_REDUCING: tuple[CommandName, ...] = ("pause", "flatten", "lock", "close", "cancel")
"""Those that can only make an account smaller or stiller: all that a chat may say."""
