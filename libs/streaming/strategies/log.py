"""What control.strategy.v1 says of strategies: every word in its order, the last one on each, and how a new one is said."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from libs.contracts.codec import decode
from libs.contracts.control import StrategyActivated
from libs.contracts.topics import STRATEGY_CONTROL
from libs.kit.errors import BadMessage, UnreachableError, UserError
from libs.streaming.connection import CONNECT_SECONDS, BrokerError
from libs.streaming.producer import EventProducer
from libs.streaming.records import LogReader
from libs.streaming.strategies.answers import ANSWER_SECONDS, Answers, Verdict, answers_end, await_answers, read_answers
from libs.trading.strategy import Strategy, StrategyInvalid, read_strategy

AT_START = "perpstream up"
# Who stands in records that were written before records named their file.
_FOLDER_BEFORE = frozenset((AT_START,))


@dataclass(frozen=True, slots=True)
class Word:
    """What the log said of a strategy: the activation, the configuration that it carries, and when (broker time, ms)."""

    event: StrategyActivated
    strategy: Strategy
    since_ms: int

    @property
    def enabled(self) -> bool:
        return self.event.enabled

    @property
    def of_folder(self) -> bool:
        """Whether the folder said so, which may undo it, or a person."""
        return bool(self.file) or self.event.activated_by in _FOLDER_BEFORE

    @property
    def file(self) -> str:
        """The file's name in the folder, empty for a person's word."""
        return _text(self.event.file)

    @property
    def reason(self) -> str:
        return _text(self.event.reason)


def _text(value: str | msgspec.UnsetType) -> str:
    return value if isinstance(value, str) else ""


class NotAcknowledged(UnreachableError):
    """It is not known whether the log has what was sent; it may still come to stand there while this process lives."""


@dataclass(slots=True)
class Standing:
    """Everything that the log says: the last word on each strategy, every word in order, the greatest version ever said, and what
    the engines have answered."""

    last: dict[str, Word] = field(default_factory=dict)
    words: list[Word] = field(default_factory=list)
    highest: dict[str, int] = field(default_factory=dict)
    answers: Answers = field(default_factory=Answers)

    def verdict(self, name: str) -> Verdict:
        """What the engines made of the last word on a strategy."""
        return self.answers.on(self.last[name].event)

    def take(self, event: StrategyActivated, time_ms: int) -> None:
        """The next record. One that is no strategy is refused by the engine too, and changes nothing."""
        self.highest[event.strategy] = max(event.version, self.highest.get(event.strategy, 0))
        try:
            strategy = read_strategy(bytes(event.definition), event.strategy)
        except StrategyInvalid:
            return
        if strategy.name == event.strategy:
            self.last[event.strategy] = Word(event, strategy, time_ms)
            self.words.append(self.last[event.strategy])


def standing_of(said: Iterable[tuple[StrategyActivated, int]]) -> Standing:
    """The state after these records, each with its time in the log (ms)."""
    standing = Standing()
    for event, time_ms in said:
        standing.take(event, time_ms)
    return standing


async def read_standing(bootstrap: str) -> Standing:
    """Everything that control.strategy.v1 and the answers to it say now; raises `UserError` when it cannot be read."""
    standing = Standing()
    async with LogReader(bootstrap) as log:
        end = await log.end(STRATEGY_CONTROL.name, 0)
        async for batch in log.range(STRATEGY_CONTROL.name, 0, 0, end):
            for record in batch:
                try:
                    event = decode(record.value, record.headers, STRATEGY_CONTROL.events)
                except BadMessage:
                    continue  # the sequencer puts it to the dead letters: it counts for nobody
                if isinstance(event, StrategyActivated):
                    standing.take(event, record.timestamp_ms)
        standing.answers = await read_answers(log)
    return standing


async def publish(bootstrap: str, news: Sequence[StrategyActivated], service: str = "console") -> None:
    """Append these and wait until Kafka has them; raises `UnreachableError` before anything is sent, then `NotAcknowledged`."""
    if not news:
        return
    producer = EventProducer(bootstrap, service=service)
    await producer.start()
    for event in news:
        await producer.send(STRATEGY_CONTROL, event, key=event.strategy, partition=0)
    try:
        await producer.stop()
    except TimeoutError:
        raise NotAcknowledged(
            "Kafka has not said whether it has the change", where=bootstrap, todo="look with `perpstream strategy list`"
        ) from None


async def publish_and_hear(
    bootstrap: str, news: Sequence[StrategyActivated], service: str = "console"
) -> Mapping[str, Verdict]:
    """Append these, and what the engines make of them, by strategy; raises like `publish`. Who cannot be heard is unanswered."""
    if not news:
        return {}
    async with LogReader(bootstrap) as log:
        before = await answers_end(log)
    await publish(bootstrap, news, service)
    try:
        async with asyncio.timeout(
            ANSWER_SECONDS + CONNECT_SECONDS
        ):  # a broker that goes away answers nothing for longer
            return await await_answers(bootstrap, news, before)
    except (UserError, BrokerError, TimeoutError):
        return {event.strategy: Verdict("unanswered") for event in news}


def definition_digest(definition: bytes) -> str:
    """32 hexadecimal digits that name the bytes of a configuration."""
    return hashlib.blake2b(definition, digest_size=16).hexdigest()
