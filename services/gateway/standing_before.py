"""How things stood when a command was said, as far as the gateway had heard: what the audit keeps as `before`."""

from collections.abc import Callable, Mapping
from typing import Any

from libs.contracts.commands import CommandName
from libs.trading.commands import ALL
from libs.trading.issuing import Wish
from services.gateway.newest import Newest

Known = Mapping[str, Any] | None


def before_of(words: Newest, wish: Wish) -> Known:
    """What the command is about, and when that was told (`told_ms`); None where nobody has spoken of the account yet."""
    look = _LOOKS.get(wish.name)
    return None if look is None else look(words, wish)


def _allowed(words: Newest, wish: Wish) -> Known:
    guard = words.risk.get(wish.account)
    if guard is None:
        return None
    said = guard.said
    allowed = {"paused": said.paused, "level": said.level, "entries_allowed": said.entries_allowed}
    return allowed | {"break_number": said.break_number, "reasons": said.reasons, "told_ms": guard.at_ms}


def _locked(words: Newest, wish: Wish) -> Known:
    guard = words.risk.get(wish.account)
    if guard is None:
        return None
    return {"locked_until_ms": guard.said.locks.get(wish.arguments["symbol"]), "told_ms": guard.at_ms}


def _held(words: Newest, wish: Wish) -> Known:
    """What a flatten closes: positions by symbol, a short one below 0."""
    asked = wish.arguments["symbol"]
    told = {
        symbol: row
        for (account, symbol), row in words.positions.items()
        if account == wish.account and asked in (ALL, symbol)
    }
    if not told and wish.account not in words.executors:
        return None
    guard = words.risk.get(wish.account)
    return {
        "held": {symbol: row.said.quantity for symbol, row in sorted(told.items()) if row.said.quantity},
        "paused": None if guard is None else guard.said.paused,
        "told_ms": max((row.at_ms for row in told.values()), default=None),
    }


def _traded(words: Newest, wish: Wish) -> Known:
    executor = words.executors.get(wish.account)
    if executor is None:
        return None
    trade = next((each for each in executor.said.held if each.symbol == wish.arguments["symbol"]), None)
    names = ("trade_id", "state", "direction", "quantity_left", "stop")
    return {
        "trade": None if trade is None else {name: getattr(trade, name) for name in names},
        "entries_allowed": executor.said.entries_allowed,
        "told_ms": executor.at_ms,
    }


def _reconciled(words: Newest, wish: Wish) -> Known:
    executor = words.executors.get(wish.account)
    if executor is None:
        return None
    said = executor.said
    return {
        "reconciled_at_ms": said.reconciled_at_ms or None,
        "reconciliation_clean": said.reconciliation_clean,
        "told_ms": executor.at_ms,
    }


_LOOKS: Mapping[CommandName, Callable[[Newest, Wish], Known]] = {
    "pause": _allowed,
    "resume": _allowed,
    "reset": _allowed,
    "flatten": _held,
    "lock": _locked,
    "unlock": _locked,
    "enter": _traded,
    "cancel": _traded,
    "sync": _reconciled,
}
"""Of the others their routes know more (live_commands.py)."""
