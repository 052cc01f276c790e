"""The outbox as the command line asks for it, from the database of the stack or of the environment."""

import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from libs.kit.errors import UserError
from libs.notify.folder import read_channels
from libs.notify.rules import EVERY
from libs.store.engine import Engine, create_engine
from libs.store.notices import (
    ChannelFares,
    NoticeRow,
    OutboxCount,
    OutboxFilter,
    channels_fare,
    dead_by_prefix,
    give_up_channel,
    outbox,
    outbox_counts,
    resend_dead,
)
from libs.store.schema_version import require_current
from services.console.output import ask, servers

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ChannelLine:
    """A channel for people; `state`: works, or what is wrong with it."""

    channel: str
    kind: str
    state: str
    waiting: int
    dead: int


def asked_outbox(state_dir: Path | None, wanted: OutboxFilter) -> list[NoticeRow]:
    """Rows of the outbox. Raises `UserError`."""
    return _asked(state_dir, lambda engine: outbox(engine, wanted))


def resend_notices(state_dir: Path | None, prefix: str | None, channel: str | None) -> int:
    """Put dead ones back: the one whose id begins so, or all, of a channel or of all. Raises `UserError` when none is meant."""

    async def work(engine: Engine) -> int:
        ids = None
        if prefix is not None:
            ids = await dead_by_prefix(engine, prefix)
            if len(ids) != 1:
                what = "no dead message has an id" if not ids else "several dead messages have ids"
                raise UserError(f"{what} that begins with {prefix[:40]}", todo="perpstream notify outbox --state dead")
        return len(await resend_dead(engine, dt.datetime.now(dt.UTC), channel, ids))

    return _asked(state_dir, work)


def forget(folder: Path, state_dir: Path | None, channel: str) -> int:
    """Let nothing wait any more for a channel whose file is gone; how many messages are given up. Raises `UserError`."""
    found = read_channels(folder)
    if channel in {*found.channels, *found.broken}:
        raise UserError(f"the channel {channel} has a file", where=str(folder), todo=f"remove {channel}.url first")
    given_up = _asked(state_dir, lambda engine: give_up_channel(engine, channel, dt.datetime.now(dt.UTC)))
    if given_up is None:
        raise UserError(f"nobody knows a channel {channel[:40]}", todo="perpstream notify channels")
    return given_up


def channel_lines(folder: Path, state_dir: Path | None) -> list[ChannelLine]:
    """Every channel of the folder, and those that are not there any more or have something waiting. Raises `UserError`."""

    async def work(engine: Engine) -> tuple[dict[str, ChannelFares], list[OutboxCount]]:
        return await channels_fare(engine), await outbox_counts(engine)

    fares, counts = _asked(state_dir, work)
    found = read_channels(folder)
    names = sorted({*found.channels, *found.broken, *fares, *(one.channel for one in counts)})
    return [
        ChannelLine(
            name,
            found.channels[name].kind if name in found.channels else "-",
            _state(name, found.broken, name in found.channels, fares.get(name)),
            sum(one.count for one in counts if one.channel == name and one.state != "dead"),
            sum(one.count for one in counts if one.channel == name and one.state == "dead"),
        )
        for name in names
    ]


def _state(name: str, broken: dict[str, str], there: bool, fares: ChannelFares | None) -> str:
    if name in broken:
        return broken[name]
    if name == EVERY:
        return "there was no channel: this is for the first"
    if not there:
        return "there is no such channel" if fares is None else "its file is gone: critical messages wait for it"
    if fares is None or fares.failures == 0 or fares.failing_since is None:
        return "works"
    return f"fails since {fares.failing_since:%m-%d %H:%M:%S}: {fares.last_error}"


def _asked(state_dir: Path | None, work: Callable[[Engine], Awaitable[T]]) -> T:
    given = servers(state_dir)

    async def asking() -> T:
        engine = create_engine(given.database, application="perpstream console")
        try:
            await require_current(engine)
            return await work(engine)
        finally:
            await engine.dispose()

    return ask(given, asking())
