"""What people do in a run, from its seed alone: their commands, a symbol that is delisted, an account that is switched over."""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from libs.contracts.commands import CommandIssued, CommandName, command_id
from libs.trading.commands import BASE_VERSION, COMMANDS
from services.exchange_simulator.faults.plan import FAULT, AnyFault
from tests.chaos.money.market import SYMBOLS, JumpyMarket

FIRST_MS, LAST_MS = 15_000, 105_000
PERSON = "somebody"
_STOP, _TARGET = Decimal("0.004"), Decimal("0.005")


@dataclass(frozen=True, slots=True)
class Word:
    """A command and when it becomes readable (ms from the run's start)."""

    at_ms: int
    command: CommandName
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Deeds:
    """All that they do. Faults have their time of the venue in them."""

    words: tuple[Word, ...] = ()
    faults: tuple[AnyFault, ...] = ()


def deeds_of(seed: int, start_ms: int, market: JumpyMarket) -> Deeds:
    """The same for the same seed; in half of all runs nobody does anything."""
    chance = random.Random(f"{seed}/people")
    words: list[Word] = []
    for _ in range(chance.choice((0, 0, 0, 1, 2, 3, 5))):
        words += _words(chance, chance.randint(FIRST_MS, LAST_MS), (start_ms, market))
    faults: list[dict[str, object]] = []
    at_ms = start_ms + chance.randint(FIRST_MS, LAST_MS)
    if chance.random() < 0.06:
        faults.append({"kind": "delisting", "symbols": (chance.choice(SYMBOLS),), "at_ms": at_ms})
    elif chance.random() < 0.06:
        faults.append({"kind": "outside_settings", "hedged": True, "at_ms": at_ms})
        if chance.random() < 0.5:
            leg: dict[str, object] = {"kind": "outside_order", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.004"}
            faults.append({**leg, "position_side": "LONG", "at_ms": at_ms + chance.randint(500, 2_500)})
        if chance.random() < 0.7:
            back_ms = at_ms + chance.randint(3_000, 30_000)
            faults.append({"kind": "outside_settings", "hedged": False, "at_ms": back_ms})
    elif chance.random() < 0.06:
        faults.append({"kind": "outside_settings", "multi_assets": True, "at_ms": at_ms})
    ordered = sorted(words, key=lambda word: word.at_ms)
    return Deeds(tuple(ordered), tuple(FAULT.validate_python(fault) for fault in faults))


def issued(word: Word, now_ms: int, known: tuple[int, int, int]) -> CommandIssued:
    """The command as it is written now. `known`: its number in the run, the present configuration's version, and the present
    circuit break's number, which people read before they speak."""
    number, version, break_number = known
    row = COMMANDS[word.command]
    arguments = dict(word.arguments)
    if word.command == "change_config":
        arguments[BASE_VERSION] = str(version)
    if word.command == "reset":
        arguments["break_number"] = str(break_number)
    nonce = hashlib.sha256(f"{number}".encode()).hexdigest()[:32]
    return CommandIssued(
        event_id=command_id(PERSON, nonce),
        event_time_ms=now_ms,
        account="main",
        target=row.target,
        command=word.command,
        arguments=arguments,
        reason="chaos",
        issued_by=PERSON,
        issued_at_ms=now_ms,
        expires_at_ms=now_ms + row.most_valid_ms,
        nonce=nonce,
        signature="trusted",
    )


def _words(chance: random.Random, at_ms: int, where: tuple[int, JumpyMarket]) -> list[Word]:
    """One command; what pauses is mostly taken back after a while, and a break is looked at by somebody."""
    names = ("pause", "flatten", "lock", "close", "close", "move_stop", "move_stop", "enter", "enter", "cancel")
    command = cast(CommandName, chance.choice((*names, "sync", "change_config", "reset", "unlock")))
    symbol = chance.choice(SYMBOLS)
    price = where[1].price(symbol, where[0] + at_ms)
    later_ms = at_ms + chance.randint(1_000, 15_000)
    match command:
        case "pause":
            return [Word(at_ms, command, {}), Word(later_ms, "resume", {})]
        case "flatten":
            what = chance.choice((symbol, symbol, "all"))
            return [Word(at_ms, command, {"symbol": what}), Word(later_ms, "resume", {})]
        case "lock":
            return [Word(at_ms, command, {"symbol": symbol, "until_ms": str(where[0] + later_ms + 1_000)})]
        case "close":
            return [Word(at_ms, command, {"symbol": symbol, "share": chance.choice(("0.3", "0.5", "1"))})]
        case "move_stop":
            away = Decimal(chance.choice(("-0.006", "-0.002", "0.002", "0.006")))
            return [Word(at_ms, command, {"symbol": symbol, "price": _text(price * (1 + away))})]
        case "enter":
            return [Word(at_ms, command, {"symbol": symbol, **_levels(chance, price)})]
        case "change_config":
            return [Word(at_ms, command, chance.choice(_CHANGES))]
        case "reset":
            return [Word(at_ms, "resume", {}), Word(later_ms, command, {}), Word(later_ms + 20_000, command, {})]
        case "unlock" | "cancel":
            return [Word(at_ms, command, {"symbol": symbol})]
    return [Word(at_ms, command, {})]


_CHANGES: tuple[Mapping[str, str], ...] = (
    {"risk_per_trade": "2"},
    {"risk_per_trade": "9", "max_notional": "9000"},
    {"symbols": "BTCUSDT,ETHUSDT"},
    {"blacklist": "SOLUSDT"},
    {"max_positions": "1"},
    {"hold_minutes": "2"},
    {"leverage": "7"},
    {"cooldown_seconds": "0"},
)


def _levels(chance: random.Random, price: Decimal) -> dict[str, str]:
    direction = chance.choice(("long", "short"))
    sign = 1 if direction == "long" else -1
    levels = {"direction": direction, "stop": _text(price * (1 - sign * _STOP))}
    if chance.random() < 0.7:
        levels["take_profit_1"] = _text(price * (1 + sign * _TARGET))
    return levels


def _text(price: Decimal) -> str:
    return str(price.quantize(Decimal("0.1")))
