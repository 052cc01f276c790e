"""What engines made of activations: the log says what should count, and only an engine knows whether it does."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import msgspec

from libs.contracts.codec import decode
from libs.contracts.control import StrategyActivated, StrategyAnswered
from libs.contracts.topics import STRATEGY_ANSWER, TIMELINE
from libs.kit.errors import BadMessage, UserError
from libs.streaming.records import LogReader

ANSWER_SECONDS = 10.0
_STILL_SECONDS = 2.5
"""The timeline has a heartbeat a second: one that stands still for longer is read by nobody."""
_LOOK_SECONDS = 0.1
RESTART = "mend the file, or start the stack again if its factor is newer than it (`perpstream down`, `perpstream up`)"


class Verdict(NamedTuple):
    """`taken`: by the engines of all partitions. `refused`: by at least one, and why. `unanswered`: not all have met it yet."""

    state: Literal["taken", "refused", "unanswered"]
    reason: str = ""

    def refusal(self, event: StrategyActivated) -> str:
        """The line for a person."""
        return f"{event.strategy} version {event.version}: the engine has refused it: {self.reason}"


@dataclass(slots=True)
class Answers:
    """The newest answer of each partition on each activation; `partitions`: how many the timeline has (0: nobody has asked).
    `factors`: what the engine of each partition knows, as it said last."""

    partitions: int = 0
    newest: dict[tuple[str, int], StrategyAnswered] = field(default_factory=dict)
    factors: dict[int, frozenset[str]] = field(default_factory=dict)

    def take(self, answer: StrategyAnswered) -> None:
        """The next record of the topic."""
        self.newest[answer.activation_id, answer.partition] = answer
        if not isinstance(answer.factors, msgspec.UnsetType):
            self.factors[answer.partition] = frozenset(answer.factors)

    def unknown(self, factors: Iterable[str]) -> list[str]:
        """Those that an engine does not know; none while no engine has said what it knows."""
        told = [known for partition, known in self.factors.items() if partition < self.partitions]
        return sorted({name for known in told for name in set(factors) - known})

    def on(self, event: StrategyActivated) -> Verdict:
        """What became of this activation. Partitions that the timeline has no more say nothing."""
        places = [(event.event_id, partition) for partition in range(self.partitions)]
        found = [self.newest[place] for place in places if place in self.newest]
        if refused := next((answer for answer in found if not answer.taken), None):
            return Verdict("refused", refused.reason)
        return Verdict("taken" if found and len(found) >= self.partitions else "unanswered")


def answers_of(partitions: int, said: Iterable[StrategyAnswered]) -> Answers:
    """The state after these records."""
    answers = Answers(partitions)
    for answer in said:
        answers.take(answer)
    return answers


async def read_answers(log: LogReader, from_offset: int = 0) -> Answers:
    """What the topic says from this offset on. Without the topic (an older installation) nobody has answered."""
    try:
        partitions = len(await log.partitions(TIMELINE.name))
        end = await log.end(STRATEGY_ANSWER.name, 0)
    except UserError:
        return Answers()
    answers = Answers(partitions)
    async for batch in log.range(STRATEGY_ANSWER.name, 0, from_offset, end):
        for record in batch:
            try:
                event = decode(record.value, record.headers, STRATEGY_ANSWER.events)
            except BadMessage:
                continue  # nobody's answer
            if isinstance(event, StrategyAnswered):
                answers.take(event)
    return answers


async def answers_end(log: LogReader) -> int:
    """Where the next answer will stand; 0 without the topic."""
    try:
        return await log.end(STRATEGY_ANSWER.name, 0)
    except UserError:
        return 0


async def await_answers(bootstrap: str, news: Sequence[StrategyActivated], from_offset: int) -> Mapping[str, Verdict]:
    """What the engines say of activations that were just published, by strategy; `from_offset`: the topic's end before that.

    Waits as long as the timeline moves, ten seconds at most: without a sequencer and an engine nobody will answer.
    """
    verdicts: dict[str, Verdict] = {}
    began = moved = time.monotonic()
    place = -1
    async with LogReader(bootstrap) as log:
        while news:
            answers = await read_answers(log, from_offset)
            verdicts = {event.strategy: answers.on(event) for event in news}
            if all(verdict.state != "unanswered" for verdict in verdicts.values()) or not answers.partitions:
                break
            now, end = time.monotonic(), await log.end(TIMELINE.name, 0)
            place, moved = (end, now) if end != place else (place, moved)
            if not end or now - moved > _STILL_SECONDS or now - began > ANSWER_SECONDS:
                break
            await asyncio.sleep(_LOOK_SECONDS)
    return verdicts
