"""Whether Kafka still answers, judged without asking it: a broker that hangs keeps its connections and does not even refuse."""

import asyncio
from dataclasses import dataclass

from libs.kit.service import ServiceContext
from libs.streaming.producer import EventProducer

KAFKA = "kafka"
PATIENCE_SECONDS = 10.0
CHECK_SECONDS = 1.0


def unacknowledged(waiting_seconds: float) -> str | None:
    """Why a producer's broker counts as away, from the wait of its oldest record; None while the wait is an ordinary one."""
    if waiting_seconds <= PATIENCE_SECONDS:
        return None
    return f"a record has waited {waiting_seconds:.0f} s for its acknowledgement"


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
    """Say once a second, as the condition `KAFKA`, whether records are acknowledged. Never returns.

    With nothing to send nothing is overdue: who must notice a hanging broker in a silent market sends a heartbeat.
    """
    while True:
        if why := unacknowledged(producer.oldest_unacknowledged_seconds):
            context.miss(KAFKA, why)
        else:
            context.fulfil(KAFKA)
        await asyncio.sleep(CHECK_SECONDS)
