"""Which symbols the stack follows: what the log says, and adding to it after the venue was asked."""

import getpass
import time
from collections.abc import Sequence
from dataclasses import dataclass

from libs.contracts.control import SymbolFollowed
from libs.contracts.identity import digest
from libs.contracts.topics import SYMBOL_CONTROL
from libs.exchanges.budget import Priority
from libs.exchanges.errors import VenueError
from libs.exchanges.venue import open_venue
from libs.kit.errors import UnreachableError, UserError
from libs.kit.settings import VenueSettings
from libs.streaming.producer import EventProducer
from libs.streaming.symbols import PARTITION, SymbolControl

PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Change:
    """What is wanted of some symbols, and why."""

    symbols: tuple[str, ...]
    followed: bool
    reason: str = ""


async def known(bootstrap: str, configured: Sequence[str]) -> SymbolControl:
    """Everything that has been said; raises `UserError` when the topic cannot be read."""
    control = SymbolControl(bootstrap, SYMBOL_CONTROL, configured)
    await control.read()
    return control


async def change(
    bootstrap: str, configured: Sequence[str], wanted: Change, venue: VenueSettings | None = None
) -> list[SymbolFollowed]:
    """Say what differs from what is in force, and return it. All of it or nothing: raises `UserError` for a symbol that the venue
    does not have, that is not followed, or without which none would be left."""
    in_force = (await known(bootstrap, configured)).in_force
    names = [symbol for symbol in dict.fromkeys(wanted.symbols) if (symbol in in_force) != wanted.followed]
    if wanted.followed and names and venue is not None:
        await require_listed(venue, names)
    if not wanted.followed:
        _require_followed(wanted.symbols, in_force)
    now = time.time_ns() // 1_000_000
    words = [
        SymbolFollowed(
            event_id=digest("symbol", symbol, wanted.followed, now),
            event_time_ms=now,
            symbol=symbol,
            followed=wanted.followed,
            changed_by=getpass.getuser(),
            reason=wanted.reason,
        )
        for symbol in names
    ]
    await _publish(bootstrap, words)
    return words


async def require_listed(settings: VenueSettings, symbols: Sequence[str]) -> None:
    """Raises `UserError` naming the first symbol that the venue does not have, with its nearest matches."""
    async with open_venue(settings) as venue:
        try:
            await venue.market_data.at(Priority.GAPS, PATIENCE_SECONDS).instruments(symbols)
        except UserError as error:
            raise UserError(error.advice.what, todo=error.advice.todo) from None
        except VenueError as error:
            raise UnreachableError(
                f"the venue does not say whether it has {', '.join(symbols)}: {error}",
                where=venue.addresses.rest,
                todo="try again in a minute",
            ) from None


def _require_followed(symbols: Sequence[str], in_force: Sequence[str]) -> None:
    for symbol in symbols:
        if symbol not in in_force:
            raise UserError(f"{symbol} is not followed", todo=f"name one of {', '.join(in_force)}")
    if set(in_force) <= set(symbols):
        raise UserError("no symbol would be left", todo="keep one, or stop the stack: perpstream down")


async def _publish(bootstrap: str, words: Sequence[SymbolFollowed]) -> None:
    if not words:
        return
    producer = EventProducer(bootstrap, service="console")
    await producer.start()
    try:
        for word in words:
            await producer.send(SYMBOL_CONTROL, word, key=word.symbol, partition=PARTITION)
    finally:
        await producer.stop()
