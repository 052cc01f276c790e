"""What people may ask of the bot to do: each a command that reduces risk, from words that they typed."""

from collections.abc import Mapping
from dataclasses import dataclass

from libs.contracts.commands import CommandName
from libs.trading.commands import ALL

CHANGING = ("pause", "close", "flatten", "lock")
_HOUR_MS = 3_600_000
_MOST_HOURS = 744


class NotUnderstood(ValueError):
    """What was typed is none of the command's; the text is a sentence for whoever typed it."""


@dataclass(frozen=True, slots=True)
class Meant:
    """A command's name and arguments, and the question that its confirmation asks."""

    name: CommandName
    arguments: Mapping[str, str]
    question: str


def meant(command: str, typed: Mapping[str, str], account: str, now_ms: int) -> Meant:
    """What is meant by a slash command and its options. Raises `NotUnderstood`; only commands that reduce risk can come out."""
    match command:
        case "pause":
            return Meant("pause", {}, f"Pause {account}: no entries until somebody resumes?")
        case "flatten":
            symbol = _symbol(typed["symbol"]) if typed.get("symbol", ALL).lower() != ALL else ALL
            what = "everything" if symbol == ALL else symbol
            return Meant("flatten", {"symbol": symbol}, f"Close {what} of {account} at market?")
        case "close":
            symbol, percent = _symbol(typed.get("symbol", "")), _percent(typed.get("percent", "100"))
            share = f"{percent / 100:g}"
            return Meant(
                "close", {"symbol": symbol, "share": share}, f"Close {percent:g} % of {symbol} of {account} at market?"
            )
        case "lock":
            symbol, hours = _symbol(typed.get("symbol", "")), _hours(typed.get("hours", "24"))
            until = str(now_ms + int(hours * _HOUR_MS))
            arguments = {"symbol": symbol, "until_ms": until}
            return Meant("lock", arguments, f"No entries in {symbol} of {account} for {hours:g} h?")
    raise NotUnderstood(f"/{command[:32]} is none of mine")


def _symbol(text: str) -> str:
    symbol = text.strip().upper()
    if not symbol.isascii() or not symbol.isalnum() or not 2 <= len(symbol) <= 24:
        raise NotUnderstood("name a symbol like BTCUSDT")
    return symbol


def _percent(text: str) -> float:
    percent = _figure(text.strip().removesuffix("%"), "a percentage")
    if not 0.01 <= percent <= 100:
        raise NotUnderstood("a percentage is above 0, and 100 at most")
    return percent


def _hours(text: str) -> float:
    hours = _figure(text.strip().removesuffix("h"), "a number of hours")
    if not 0.02 <= hours < _MOST_HOURS:
        raise NotUnderstood(f"a lock is shorter than {_MOST_HOURS} hours")
    return hours


def _figure(text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise NotUnderstood(f"{text[:20]!r} is not {what}") from None
    if number != number:
        raise NotUnderstood(f"{text[:20]!r} is not {what}")
    return number
