"""One sender a channel: claims what is due, hands it over, and marks what became of it; a channel that is down rests, alone."""

import asyncio
import datetime as dt
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Protocol

from libs.kit.clock import Clock
from libs.kit.errors import UnreachableError
from libs.kit.logging import get_logger
from libs.kit.metrics import counter, gauge
from libs.notify import Channel, Delivered, Outcome, Refused, Severity, TryLater
from libs.notify.batching import CRITICAL_LINES, Due, message_of, next_batch
from libs.notify.facts import Picture
from libs.notify.matching import Notice
from libs.notify.rules import ChannelLimits
from libs.store.engine import Engine
from libs.store.notices import (
    ChannelFares,
    NoticeRow,
    channel_fares,
    channels_fare,
    claim_notices,
    due_notices,
    notices_done,
    notices_later,
)
from services.notifier.intake import instant

CLAIM_SECONDS = 60.0
"""Longer than any channel may take: whoever holds a claim for longer has died."""
IDLE_SECONDS = 5.0
"""How soon something is found that nobody told of, such as what a person sends again."""
_MINUTE_MS = 60_000
_FIRST_REST, _LONGEST_REST = 1.0, 300.0
_FIRST_AGAIN, _LONGEST_AGAIN = 60.0, 3600.0
_DATABASE_SECONDS = 2.0
_DOUBT = "; it may have arrived"


class Pictures(Protocol):
    """Draws what a message shows; `services.notifier.pictures` does so from stored trades."""

    async def make(self, picture: Picture) -> bytes | None:
        """The PNG; None when it cannot be had soon."""
        ...


@dataclass(slots=True)
class Sender:
    """`limits`: asked anew each time, because rules change. `_at_most`: how many may go together with a notice, by its id, where
    a message was refused; after a restart it is found out anew."""

    engine: Engine
    clock: Clock
    channel: Channel
    limits: Callable[[], ChannelLimits]
    pictures: Pictures
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _fares: ChannelFares | None = field(default=None, init=False)
    _sent_ms: deque[int] = field(default_factory=deque, init=False)
    _at_most: dict[str, int] = field(default_factory=dict, init=False)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.wake.clear()
            try:
                seconds = await self.step()
            except UnreachableError as error:
                get_logger("notifier").warning("the outbox cannot be read", why=error.advice.what)
                seconds = _DATABASE_SECONDS
            if seconds > 0:
                await self._wait(seconds)

    async def step(self) -> float:
        """Send one message, if one may go now; returns after how many seconds to look again. Raises `UnreachableError`."""
        now_ms = self.clock.now_ms()
        fares = await self._known_fares()
        if fares.rest_until is not None and (rest := (fares.rest_until - instant(now_ms)).total_seconds()) > 0:
            return rest
        limits = self.limits()
        rows = await due_notices(self.engine, self.channel.name, instant(now_ms))
        gauge("perpstream_notices_due").labels(self.channel.name).set(len(rows))
        batch = self._parted(next_batch([_due(row) for row in rows], limits))
        if (pause := self._pause(limits, now_ms)) > 0 and not any(_is_grave(one) for one in batch):
            return min(pause, IDLE_SECONDS)
        claimed = await self._claim(batch, now_ms)
        if not claimed:
            return IDLE_SECONDS
        self._sent_ms.append(now_ms)
        await self._note(claimed, await self._send(claimed))
        return 0.0

    def _pause(self, limits: ChannelLimits, now_ms: int) -> float:
        """For how many seconds what is not critical keeps still, because enough went within a minute."""
        while self._sent_ms and self._sent_ms[0] <= now_ms - _MINUTE_MS:
            self._sent_ms.popleft()
        if len(self._sent_ms) < limits.per_minute:
            return 0.0
        return (self._sent_ms[-limits.per_minute] + _MINUTE_MS - now_ms) / 1000

    def _parted(self, batch: list[Due]) -> list[Due]:
        """No more of them than may go together since a message that they were in was refused."""
        if not batch:
            self._at_most.clear()
            return batch
        return batch[: min(self._at_most.get(one.notice.notice_id, len(batch)) for one in batch)]

    async def _claim(self, batch: Sequence[Due], now_ms: int) -> list[Due]:
        if not batch:
            return []
        until = instant(now_ms) + dt.timedelta(seconds=CLAIM_SECONDS)
        ours = await claim_notices(self.engine, [one.notice.notice_id for one in batch], instant(now_ms), until)
        return [one for one in batch if one.notice.notice_id in ours]

    async def _send(self, batch: Sequence[Due]) -> Outcome:
        picture = batch[0].notice.picture if len(batch) == 1 else None
        png = await self.pictures.make(picture) if picture is not None else None
        return await self.channel.send(message_of(batch, png))

    async def _note(self, batch: Sequence[Due], outcome: Outcome) -> None:
        """Mark what became of it, for as long as that takes: what is not marked is sent again."""
        name, ids = self.channel.name, [one.notice.notice_id for one in batch]
        now = instant(self.clock.now_ms())
        match outcome:
            case Delivered():
                await _until_written(lambda: notices_done(self.engine, ids, "sent", now))
                await self._fare(ChannelFares(name, 0, None, None, None, now))
                counter("perpstream_notices_total").labels(name, "sent").inc(len(ids))
                for each in ids:
                    self._at_most.pop(each, None)
            case Refused(why):
                await self._refused(batch, why, now)
            case TryLater():
                await self._rest(ids, outcome, now)

    async def _refused(self, batch: Sequence[Due], why: str, now: dt.datetime) -> None:
        """Nothing is dead for what it was told together with, and nothing critical at all: that is tried again, ever rarer."""
        name, ids = self.channel.name, [one.notice.notice_id for one in batch]
        if len(batch) == 1 and not _is_grave(batch[0]):
            await _until_written(lambda: notices_done(self.engine, ids, "dead", now, why))
            counter("perpstream_notices_total").labels(name, "dead").inc()
            get_logger("notifier").error("a message is dead", channel=name, why=why, ids=ids)
            return
        again = now
        if len(batch) == 1:
            again += dt.timedelta(seconds=min(_FIRST_AGAIN * 2 ** min(batch[0].attempts, 20), _LONGEST_AGAIN))
        else:
            most = 1 if len(batch) <= CRITICAL_LINES else len(batch) // 2
            self._at_most.update(dict.fromkeys(ids, most))
        await _until_written(lambda: notices_later(self.engine, ids, again, why))
        counter("perpstream_notices_total").labels(name, "later").inc(len(ids))
        get_logger("notifier").error("a message is refused", channel=name, why=why, count=len(ids), again=f"{again}")

    async def _rest(self, ids: Sequence[str], outcome: TryLater, now: dt.datetime) -> None:
        before = await self._known_fares()
        failures = before.failures + 1
        pause = min(_FIRST_REST * 2 ** min(failures - 1, 20), _LONGEST_REST)
        until = now + dt.timedelta(seconds=outcome.after_seconds if outcome.after_seconds is not None else pause)
        why = outcome.why + (_DOUBT if outcome.unknown else "")
        await _until_written(lambda: notices_later(self.engine, ids, until, why))
        await self._fare(
            ChannelFares(self.channel.name, failures, before.failing_since or now, until, outcome.why, now)
        )
        counter("perpstream_notices_total").labels(self.channel.name, "later").inc(len(ids))
        get_logger("notifier").warning(
            "a channel does not take messages", channel=self.channel.name, why=outcome.why, failures=failures
        )

    async def _known_fares(self) -> ChannelFares:
        if self._fares is None:
            name = self.channel.name
            found = (await channels_fare(self.engine)).get(name)
            if found is None:
                # So that its name is known also where its file is away.
                found = ChannelFares(name, 0, None, None, None, instant(self.clock.now_ms()))
                await channel_fares(self.engine, found)
            self._fares = found
        return self._fares

    async def _fare(self, fares: ChannelFares) -> None:
        """Kept when it changes: a channel that works and worked before is not written about."""
        if self._fares is None or (fares.failures, self._fares.failures) != (0, 0):
            await _until_written(lambda: channel_fares(self.engine, fares))
        gauge("perpstream_notifier_channel_failing").labels(self.channel.name).set(int(fares.failures > 0))
        self._fares = fares

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.wake.wait(), seconds)
        except TimeoutError:
            return


async def _until_written(write: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await write()
        except UnreachableError as error:
            get_logger("notifier").warning("what became of a message cannot be kept", why=error.advice.what)
            await asyncio.sleep(_DATABASE_SECONDS)
        else:
            return


def _is_grave(one: Due) -> bool:
    return one.notice.severity == "critical"


def _due(row: NoticeRow) -> Due:
    doubtful = row.state == "sending" or (row.last_error or "").endswith(_DOUBT)
    return Due(notice_of(row), row.attempts, doubtful)


def notice_of(row: NoticeRow) -> Notice:
    """The notice of a row; a row that an older version wrote may lack a part."""
    content = row.content
    severity: Severity = row.severity if row.severity in ("warning", "critical") else "info"  # type: ignore[assignment]
    picture = None
    if drawn := content.get("picture"):
        levels = {name: Decimal(level) for name, level in drawn["levels"].items()}
        picture = replace(Picture(drawn["symbol"], drawn["until_ms"]), levels=levels)
    return Notice(
        notice_id=row.notice_id,
        event_id=row.event_id,
        rule=row.rule,
        channel=row.channel,
        kind=row.kind,
        subject=content.get("subject", ""),
        severity=severity,
        title=row.title,
        text=content.get("text", ""),
        facts=content.get("facts", {}),
        group=row.group_key,
        time_ms=_ms(row.event_time),
        made_ms=_ms(row.made_at),
        due_ms=_ms(row.due_at),
        expires_ms=None if row.expires_at is None else _ms(row.expires_at),
        picture=picture,
    )


def _ms(time: dt.datetime) -> int:
    return round(time.timestamp() * 1000)
