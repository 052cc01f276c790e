"""Channels without a file: their names are kept, and what is critical waits for them, or for the first that there ever is."""

from collections.abc import Collection
from dataclasses import replace

from libs.notify.matching import notice_id
from libs.notify.rules import EVERY
from libs.store.engine import Engine
from libs.store.notices import NoticeRow, channels_fare, replace_notices
from services.notifier.watching import Files


async def recall(engine: Engine, files: Files) -> None:
    """Know the channels that were ever in force, in this process or one before, and are not forgotten."""
    kept = await channels_fare(engine)
    files.known = frozenset({*kept, *files.channels})


async def hand_over(engine: Engine, channels: Collection[str]) -> int:
    """Give the channels that there are now what was told when there was none; returns how many messages that were."""

    def copies(row: NoticeRow) -> list[NoticeRow]:
        return [
            replace(row, channel=channel, notice_id=notice_id(row.event_id, row.rule, channel))
            for channel in sorted(channels)
        ]

    return await replace_notices(engine, EVERY, copies) if channels else 0
