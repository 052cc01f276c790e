"""Whether Kafka still answers. One that hangs keeps its connections and does not even refuse, so it is judged by what it does not
say; one that is gone refuses connections, which a look a second finds out.
"""

import asyncio
import socket
from dataclasses import dataclass

from libs.kit.addresses import broker_addresses
from libs.kit.service import ServiceContext
from libs.streaming.producer import EventProducer

KAFKA = "kafka"
PATIENCE_SECONDS = 10.0
CHECK_SECONDS = 1.0
_KNOCK_SECONDS = 1.0


def unacknowledged(waiting_seconds: float) -> str | None:
    """Why a producer's broker counts as away, from the wait of its oldest record; None while the wait is an ordinary one."""
    if waiting_seconds <= PATIENCE_SECONDS:
        return None
    return f"a record has waited {waiting_seconds:.0f} s for its acknowledgement"


async def refused(bootstrap: str) -> str | None:
    """Why the broker counts as away: none of `bootstrap`'s addresses takes a connection. None while one does.

    An address that says nothing at all, or a name that is not found, counts as taking it: only time can tell
    (`unacknowledged`, `Silence`).
    """
    try:
        brokers = broker_addresses(bootstrap)
    except ValueError:
        return None
    for host, port in brokers:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), _KNOCK_SECONDS)
        except (TimeoutError, socket.gaierror, UnicodeError):
            return None
        except OSError:
            continue
        writer.close()
        return None
    return f"Kafka refuses connections at {bootstrap}"


@dataclass(slots=True)
class Silence:
    """Since when (monotonic seconds) a reader's newest answer is the one it is."""

    _answer: int | None = None
    _since: float = 0.0

    def why(self, answer: int, now: float) -> str | None:
        """Why a reader's broker counts as away; `answer` is anything that changes with each of its answers."""
        if answer != self._answer:
            self._answer, self._since = answer, now
        silent = now - self._since
        return None if silent <= PATIENCE_SECONDS else f"Kafka has not answered for {silent:.0f} s"


async def watch_deliveries(context: ServiceContext, producer: EventProducer) -> None:
    """Say once a second, as the condition `KAFKA`, whether the broker is there and acknowledges records. Never returns.

    With nothing to send nothing is overdue: who must notice a hanging broker in a silent market sends a heartbeat.
    """
    while True:
        why = unacknowledged(producer.oldest_unacknowledged_seconds) or await refused(producer.bootstrap)
        if why:
            context.miss(KAFKA, why)
        else:
            context.fulfil(KAFKA)
        await asyncio.sleep(CHECK_SECONDS)
